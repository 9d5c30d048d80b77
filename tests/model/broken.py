"""Products that are broken on purpose: the model must see through each of them."""

from dataclasses import dataclass, field, replace

from execution_operator.api import Organization
from execution_operator.core.authorization.mapping import Mapping, Readiness
from execution_operator.core.errors import TemporalError
from execution_operator.core.reasons import Reason
from execution_operator.core.workflow.runs import CloseEvent, Run, RunStatus, TerminationRequest, Unclosed
from execution_operator.reconciler.reconciler import Reconciler
from tests.model.scene import ACME, NAMESPACE, Variant, gate
from tests.mutants.mutants import GRANT_NOT_REPEATED
from tests.support.fake_temporal import FakeRuns, FakeTemporal


class Unpinned(FakeRuns):
    """Acts on whatever run the workflow ID means now."""

    async def terminate(self, run: Run, order: TerminationRequest, *, chain: bool = False) -> None:
        await super().terminate(replace(run, run_id=""), order, chain=chain)


class ByChain(FakeRuns):
    """Names the chain at once, and never the run."""

    async def terminate(self, run: Run, order: TerminationRequest, *, chain: bool = False) -> None:  # noqa: ARG002
        await super().terminate(run, order, chain=True)


@dataclass
class Hasty(FakeRuns):
    """Takes a termination that was sent for one that was carried out."""

    sent: dict[str, CloseEvent] = field(default_factory=dict)

    async def terminate(self, run: Run, order: TerminationRequest, *, chain: bool = False) -> None:
        at = self.temporal.clock.stamp()
        self.sent[run.run_id] = CloseEvent(RunStatus.TERMINATED, at, order.reason, execution_uid=order.execution_uid)
        await super().terminate(run, order, chain=chain)

    async def close_event(self, run: Run) -> CloseEvent | Unclosed:
        return self.sent.get(run.run_id) or await super().close_event(run)


class Trusting(FakeRuns):
    """Takes every workflow for the organization's."""

    async def ownership_value(self, run: Run, search_attribute: str) -> str | None:  # noqa: ARG002
        return "acme"


@dataclass
class Believing(FakeRuns):
    """Believes search attributes as they are now, which workflow code may overwrite."""

    async def ownership_value(self, run: Run, search_attribute: str) -> str | None:
        found = self.temporal.get(run.workflow_id, run.run_id, self.namespace)
        return found.attributes.get(search_attribute, "") if found else None


class Insistent(FakeRuns):
    """Sends a termination again by itself where no answer came, as SDKs do."""

    async def terminate(self, run: Run, order: TerminationRequest, *, chain: bool = False) -> None:
        try:
            await super().terminate(run, order, chain=chain)
        except TemporalError as error:
            if error.refused:
                raise
            await super().terminate(run, order, chain=chain)


class Unauthorized(Mapping):
    """Has an answer before it knows, and always the same one."""

    def claimants(self, namespace: str) -> list[Organization]:  # noqa: ARG002
        return [ACME]

    def readiness(self, organization: Organization) -> Readiness:  # noqa: ARG002
        return Readiness(ready=True, reason=Reason.READY, message="")


def _with(runs: type[FakeRuns]) -> Variant:
    def of(temporal: FakeTemporal) -> FakeRuns:
        return runs(temporal, NAMESPACE, gate)

    return Variant(runs=of)


UNASKED: type[Reconciler] = GRANT_NOT_REPEATED.load("reconciler.reconciler").Reconciler

BROKEN = {
    "unpinned": (_with(Unpinned), "terminated, pinned is"),
    "by chain": (_with(ByChain), "terminated, pinned is"),
    "hasty": (_with(Hasty), "is not closed for good"),
    "trusting": (_with(Trusting), "run recorded for"),
    "believing": (_with(Believing), "run recorded for"),
    "insistent": (_with(Insistent), "terminated by one who knew"),
    "unasked": (Variant(reconciler=UNASKED), "terminated by one who knew"),
    "unauthorized": (Variant(mapping=Unauthorized), "terminated by one who knew"),
}
"""Each with what the model says of it."""

RARE = {"insistent": 3000}
"""Seeds before which no schedule shows it: the search begins there."""
