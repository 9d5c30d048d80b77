"""Builds of the operator that are broken on purpose: the fault tests must see through each of them."""

import shutil
from dataclasses import dataclass
from pathlib import Path

import execution_operator

PACKAGE = Path(execution_operator.__file__).parent


@dataclass(frozen=True)
class Build:
    """The product with one thing changed.

    Attributes:
        file: The module, relative to the package.
        sound: The words that are replaced.
        broken: What they are replaced by.
    """

    file: str
    sound: str
    broken: str

    def make(self, folder: Path) -> Path:
        """Write the build into a folder, and return that: it goes first on the path of imports."""
        shutil.copytree(PACKAGE, folder / PACKAGE.name, ignore=shutil.ignore_patterns("__pycache__"))
        module = folder / PACKAGE.name / self.file
        source = module.read_text()
        assert source.count(self.sound) == 1, f"{self.file} has changed: find another way to break it"
        module.write_text(source.replace(self.sound, self.broken))
        return folder


PIN_REMOVED = Build(
    "temporal/runs.py",
    "workflow_execution=WorkflowExecution(workflow_id=run.workflow_id) if chain else _execution(run),",
    "workflow_execution=WorkflowExecution(workflow_id=run.workflow_id),",
)
RETRY_ON = Build("temporal/calls.py", "retry=False", "retry=True")
RECORD_BEFORE_OBSERVE = Build(
    "reconciler/observe.py",
    "    finding = await follow(runs, call.run, event)\n    if isinstance(finding, Open) and call",
    "    from execution_operator.core.workflow.runs import RunStatus\n\n"
    "    at, uid = '2026-01-01T00:00:00Z', order.execution_uid\n"
    "    sent = Closing(RunStatus.TERMINATED, at, order.reason, execution_uid=uid)\n"
    "    seen, abandoned, found = None, None, Closed(run, sent)\n    if isinstance(found, Open) and failure",
)
INDEX_NOT_AWAITED = Build("app.py", "await self._until(self.organizations.synced(), stop, *parts)", "True")
