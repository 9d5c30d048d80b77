"""One process of the operator, run step by step: each step ends at the next call of a port."""

from collections.abc import Coroutine
from typing import Any

from execution_operator.api import Execution
from execution_operator.core.errors import RecordError, TemporalError
from execution_operator.reconciler.result import HELD_DELETION_INTERVAL_SECONDS, ReconcileRequest, Requeue, Result
from tests.model.harness.state import SharedState, Variant, apply_mapping, owners, version, yield_to_scheduler
from tests.support.fake_records import FakeRecords

RECORDS = {"read", "write_status", "write_finalizers", "record_event"}
RUNS = {"describe", "ownership_value", "close_event", "terminate", "request_cancel"}


class Operator:
    """One process of the operator, with the state that it has received.

    Attributes:
        known: The newest version of the Execution that the process has received.
        task: The reconcile in progress, if any. `at` is the port call where it waits.
        owners: The organizations whose workflows the process could terminate during the reconcile, by its knowledge.
        owners_at_call: The same organizations at the moment of the last terminate call.
        base: The version of the Execution at the start of the reconcile.
        terminate_calls: The number of terminate calls of the reconcile.
        runs_at_walk: The number of runs when the reconcile last read close events.
        interrupted: Whether the last reconcile failed before its end.
        due: Whether the queue would reconcile the object again without an event.
    """

    def __init__(self, name: str, state: SharedState, variant: Variant) -> None:
        self.name = name
        self.state = state
        self.mapping = variant.mapping()
        runs = variant.runs(state.temporal)
        self.reconciler = variant.reconciler(
            self.mapping, lambda _: runs, FakeRecords(state.server, yield_to_scheduler), lambda _: None, state.clock.now
        )
        self.task: Coroutine[Any, Any, Result] | None = None
        self.at = ""
        self.known: Execution | None = None
        self.reread = self.due = self.interrupted = False
        self.base = self.terminate_calls = self.runs_at_walk = 0
        self.owners: set[str] = set()
        self.owners_at_call: set[str] = set()
        self.receive_organizations()

    def receive_organizations(self) -> None:
        """Receive the current Organizations."""
        self.mapping_name = self.state.mapping_name
        apply_mapping(self.mapping, self.mapping_name)
        self.owners |= owners(self.mapping_name)

    def receive_execution(self) -> None:
        """Receive the current Execution. If it is deleted, the next reconcile reads it first."""
        now = self.state.server.get()
        if now is None:
            self.reread = True
        elif self.known is None or version(now) > version(self.known) or now.metadata.uid != self.known.metadata.uid:
            self.known, self.reread = now, False

    def receive_old_execution(self) -> None:
        """Receive an old version of the Execution, as from a slow list or watch."""
        if self.task is None and self.state.server.history:
            history = self.state.server.history
            self.known, self.reread = history[len(history) // 2], False

    def resume(self, error: Exception | None = None) -> None:
        """Continue the reconcile to the next port call, or start a reconcile."""
        if self.task is None:
            self._begin()
        if self.task is None:
            return
        self.terminate_calls += self.at == "terminate"
        try:
            self.at = self.task.throw(error) if error else self.task.send(None)
        except StopIteration as done:
            self._end(done.value)
        except RecordError:
            self.task, self.reread, self.due, self.interrupted = None, True, True, True
        if self.at == "terminate":
            self.owners_at_call = owners(self.mapping_name)
        if self.at == "close_event done":
            self.runs_at_walk = len(self.state.temporal.ever)

    def lose_reply(self) -> None:
        """Fail the current port call: before its effect, or after its effect by losing the reply."""
        if self.task is None:
            return
        lost = self.at.removesuffix(" done")
        self.resume(RecordError(lost) if lost in RECORDS else TemporalError(f"Temporal does not answer: {lost}"))

    def refuse(self) -> None:
        """Make Temporal refuse the current call."""
        if self.task is not None and self.at in RUNS:
            self.resume(TemporalError("Temporal refused the call", refused=True))

    def crash(self) -> None:
        """Kill the process. The next process lists the current state."""
        if self.task is not None:
            self.task.close()
        self.state.crashes += self.task is not None or self.interrupted
        self.task, self.known, self.reread, self.due, self.interrupted = None, None, False, False, False
        self.receive_organizations()
        self.receive_execution()

    def _begin(self) -> None:
        if self.known is None:
            return
        gone = False
        if self.reread:
            now = self.state.server.get()
            gone = now is None or now.metadata.uid != self.known.metadata.uid
            if now is not None and not gone:
                self.known = now
            self.reread = False
        self.at, self.terminate_calls, self.runs_at_walk = "", 0, len(self.state.temporal.ever)
        self.base, self.owners = version(self.known), owners(self.mapping_name)
        self.task = self.reconciler.reconcile(ReconcileRequest(self.known, gone, self.interrupted))

    def _end(self, settlement: Result) -> None:
        self.task, self.interrupted = None, False
        self.due = settlement.requeue is Requeue.WITH_BACKOFF or settlement.requeue_after not in (
            None,
            HELD_DELETION_INTERVAL_SECONDS,
        )
        self.reread = self.due
        if self.known is None or version(settlement.execution) >= version(self.known):
            self.known = settlement.execution
