"""Broken variants of the product. The model must detect each of them."""

from dataclasses import dataclass, field, replace

from execution_operator.api import Organization
from execution_operator.core.authorization.mapping import Mapping, Readiness
from execution_operator.core.errors import TemporalError
from execution_operator.core.reasons import Reason
from execution_operator.core.workflow.runs import CloseEvent, Run, RunStatus, TerminationRequest, Unclosed
from execution_operator.reconciler.reconciler import Reconciler
from tests.model.harness.state import ACME, NAMESPACE, Variant, yield_to_scheduler
from tests.mutants.mutants import GRANT_NOT_REPEATED
from tests.support.fake_temporal import FakeRuns, FakeTemporal


class Unpinned(FakeRuns):
    """Terminates the current run of the workflow ID instead of the pinned run."""

    async def terminate(self, run: Run, order: TerminationRequest, *, chain: bool = False) -> None:
        await super().terminate(replace(run, run_id=""), order, chain=chain)


class TerminatesByChain(FakeRuns):
    """Terminates by the chain's first run ID from the start, and never by run ID."""

    async def terminate(self, run: Run, order: TerminationRequest, *, chain: bool = False) -> None:  # noqa: ARG002
        await super().terminate(run, order, chain=True)


@dataclass
class RecordsBeforeObserving(FakeRuns):
    """Takes a termination that was sent for one that was observed."""

    sent: dict[str, CloseEvent] = field(default_factory=dict)

    async def terminate(self, run: Run, order: TerminationRequest, *, chain: bool = False) -> None:
        at = self.temporal.clock.stamp()
        self.sent[run.run_id] = CloseEvent(RunStatus.TERMINATED, at, order.reason, execution_uid=order.execution_uid)
        await super().terminate(run, order, chain=chain)

    async def close_event(self, run: Run) -> CloseEvent | Unclosed:
        return self.sent.get(run.run_id) or await super().close_event(run)


class SkipsOwnership(FakeRuns):
    """Believes that each workflow belongs to the organization."""

    async def ownership_value(self, run: Run, search_attribute: str) -> str | None:  # noqa: ARG002
        return "acme"


@dataclass
class TrustsCurrentAttributes(FakeRuns):
    """Reads the current search attributes, which workflow code may overwrite."""

    async def ownership_value(self, run: Run, search_attribute: str) -> str | None:
        found = self.temporal.get(run.workflow_id, run.run_id, self.namespace)
        return found.attributes.get(search_attribute, "") if found else None


class RetriesBlindly(FakeRuns):
    """Repeats a terminate call that got no answer, as SDKs do."""

    async def terminate(self, run: Run, order: TerminationRequest, *, chain: bool = False) -> None:
        try:
            await super().terminate(run, order, chain=chain)
        except TemporalError as error:
            if error.refused:
                raise
            await super().terminate(run, order, chain=chain)


class AnswersBeforeKnowing(Mapping):
    """Answers before it has received any Organization, and always with the same one."""

    def claimants(self, namespace: str) -> list[Organization]:  # noqa: ARG002
        return [ACME]

    def readiness(self, organization: Organization) -> Readiness:  # noqa: ARG002
        return Readiness(ready=True, reason=Reason.READY, message="")


def _with(runs: type[FakeRuns]) -> Variant:
    def of(temporal: FakeTemporal) -> FakeRuns:
        return runs(temporal, NAMESPACE, yield_to_scheduler)

    return Variant(runs=of)


UNASKED: type[Reconciler] = GRANT_NOT_REPEATED.load("reconciler.reconciler").Reconciler

BROKEN_VARIANTS = {
    "unpinned": (_with(Unpinned), "terminated, pinned is"),
    "by chain": (_with(TerminatesByChain), "terminated, pinned is"),
    "hasty": (_with(RecordsBeforeObserving), "is not closed for good"),
    "trusting": (_with(SkipsOwnership), "run recorded for"),
    "believing": (_with(TrustsCurrentAttributes), "run recorded for"),
    "insistent": (_with(RetriesBlindly), "terminated by an operator that knew"),
    "unasked": (Variant(reconciler=UNASKED), "terminated by an operator that knew"),
    "unauthorized": (Variant(mapping=AnswersBeforeKnowing), "terminated by an operator that knew"),
}
"""Each variant with a pattern of the violation that the model reports."""

FIRST_SEED = {"insistent": 3000}
"""The first seed of the search, for variants that no earlier schedule shows."""
