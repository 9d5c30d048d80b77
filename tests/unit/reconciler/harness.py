"""A reconciler on fakes that `tests/contract` keeps honest, with one Execution and its workflow."""

from collections import Counter
from collections.abc import Callable

import pytest

from execution_operator.api import (
    DeletionPolicy,
    Execution,
    Organization,
    Terminate,
)
from execution_operator.core.authorization.authorize import Grant
from execution_operator.reconciler.reconciler import Reconciler
from execution_operator.reconciler.result import ReconcileRequest, Result
from tests.support.builders import execution, mapping, organization
from tests.support.clock import Clock, at_once
from tests.support.fake_records import FakeApiServer, FakeRecords
from tests.support.fake_temporal import FakeRun, FakeRuns, FakeTemporal, Fault, OnCancel

ACME = organization("acme")
OWNED = organization("acme", ownership="OrganizationId")
TERMINATED = ("cancelled", "True/Terminated", "Terminated")


class Harness:
    """A reconciler, a fake API server and a fake Temporal.

    Attributes:
        calls: The port calls of the last reconcile, in their order.
        suspected: The Organizations whose Temporal was reported as suspect.
    """

    def __init__(self, *organizations: Organization) -> None:
        self.clock = Clock()
        self.temporal = FakeTemporal(self.clock)
        self.server = FakeApiServer()
        self.mapping = mapping(*(organizations or (ACME,)))
        self.calls: list[str] = []
        self.suspected: list[str] = []
        self.runs = FakeRuns(self.temporal, "acme", self.note)
        self.runs_of_grant: Callable[[Grant], FakeRuns] = lambda _: self.runs
        self.records = FakeRecords(self.server, self.note)

    @property
    def calls_by_name(self) -> Counter[str]:
        return Counter(self.calls)

    @property
    def reconciler(self) -> Reconciler:
        return Reconciler(self.mapping, self.runs_of_grant, self.records, self.suspected.append, self.clock.now)

    async def note(self, call: str) -> None:
        if not call.endswith(" done"):
            self.calls.append(call)

    def reconcile(
        self,
        execution: Execution | None = None,
        *,
        deleted: bool = False,
        interrupted: bool = False,
        enqueued_at: float | None = None,
    ) -> Result:
        """Reconcile the stored Execution, or the given state of it."""
        self.calls.clear()
        return at_once(
            self.reconciler.reconcile(ReconcileRequest(execution or self.now, deleted, interrupted, enqueued_at))
        )

    @property
    def now(self) -> Execution:
        found = self.server.get()
        assert found is not None
        return found

    @property
    def summary(self) -> tuple[str | None, str | None, str | None]:
        """Return phase, condition Terminated and outcome."""
        status = self.now.status
        condition = status.condition("Terminated")
        answer = f"{condition.status}/{condition.reason}" if condition else None
        return status.phase, answer, status.termination.outcome if status.termination else None

    @property
    def event_reasons(self) -> list[str]:
        return [each.reason for _, each in self.server.announced]

    def fault(self, call: str, *faults: Fault | None) -> None:
        self.temporal.faults[call].extend(faults)


def with_request(*organizations: Organization, **options: object) -> tuple[Harness, FakeRun]:
    """Return a harness with an open, pinned workflow whose termination is requested."""
    harness = Harness(*organizations)
    run = harness.temporal.start("wf", attributes={"OrganizationId": "acme"}, on_cancel=OnCancel.LATER)
    harness.server.create(execution())
    harness.reconcile()
    grace = options.get("grace", 0)
    assert isinstance(grace, int)
    harness.server.edit(harness.now, terminate=Terminate(reason="stop", grace_period_seconds=grace))
    return harness, run


FAULTS = [
    pytest.param("terminate", Fault.BEFORE, "Unknown/TemporalUnavailable", id="no answer"),
    pytest.param("terminate", Fault.REFUSED, "Unknown/TerminationFailed", id="refused"),
    pytest.param("close_event", Fault.BEFORE, "Unknown/TemporalUnavailable", id="terminated, but not seen"),
]


OTHERWISE = [
    pytest.param(organization("acme", ownership="OrganizationId", value="rival"), id="another value"),
    pytest.param(organization("acme", ownership="Owner", value="acme"), id="another attribute"),
]


def deleted(policy: DeletionPolicy = DeletionPolicy.TERMINATE, **options: object) -> tuple[Harness, FakeRun | None]:
    """Return a harness whose Execution is pinned and is being deleted."""
    harness = Harness()
    run = harness.temporal.start("wf") if options.get("running", True) else None
    harness.server.create(execution(policy=policy))
    harness.reconcile()
    harness.server.delete(harness.now)
    return harness, run
