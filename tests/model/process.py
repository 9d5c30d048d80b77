"""One process of the operator, driven by hand from one call of a port to the next."""

from collections.abc import Coroutine
from typing import Any

from execution_operator.api import Execution
from execution_operator.core.errors import RecordError, TemporalError
from execution_operator.reconciler.result import HELD_DELETION_INTERVAL_SECONDS, ReconcileRequest, Requeue, Result
from tests.model.scene import Scene, Variant, enact, gate, owners, version
from tests.support.fake_records import FakeRecords

RECORDS = {"read", "write_status", "write_finalizers", "record_event"}
RUNS = {"describe", "ownership_value", "close_event", "terminate", "request_cancel"}


class Operator:
    """One process of the operator, with what it has seen.

    Attributes:
        known: The newest state of the Execution that it goes by.
        task: Its pass, if one is under way; `at` is the point where that waits.
        owners: Whose workflows it might end, as far as this operator knew during the pass.
        knew: The same at the moment when the pass last began to send a termination.
        base: The version that the pass began with.
        misses: How many terminations the pass has sent.
        walked: How many runs there were when the pass last looked at close events.
        broken_off: Whether the last pass did not come to its end.
        due: Whether its queue would give the object another pass by itself.
    """

    def __init__(self, name: str, scene: Scene, variant: Variant) -> None:
        self.name = name
        self.scene = scene
        self.mapping = variant.mapping()
        runs = variant.runs(scene.temporal)
        self.reconciler = variant.reconciler(
            self.mapping, lambda _: runs, FakeRecords(scene.server, gate), lambda _: None, scene.clock.now
        )
        self.task: Coroutine[Any, Any, Result] | None = None
        self.at = ""
        self.known: Execution | None = None
        self.reread = self.due = self.broken_off = False
        self.base = self.misses = self.walked = 0
        self.owners: set[str] = set()
        self.knew: set[str] = set()
        self.learn()

    def learn(self) -> None:
        """Receive the Organizations as they are."""
        self.law = self.scene.law
        enact(self.mapping, self.law)
        self.owners |= owners(self.law)

    def see(self) -> None:
        """Receive the Execution as it is; that it is gone leads to a read."""
        now = self.scene.server.get()
        if now is None:
            self.reread = True
        elif self.known is None or version(now) > version(self.known) or now.metadata.uid != self.known.metadata.uid:
            self.known, self.reread = now, False

    def lag(self) -> None:
        """Go by an old state, as a slow list or watch brings it."""
        if self.task is None and self.scene.server.history:
            history = self.scene.server.history
            self.known, self.reread = history[len(history) // 2], False

    def resume(self, error: Exception | None = None) -> None:
        """Go on to the next call of a port, or begin a pass."""
        if self.task is None:
            self._begin()
        if self.task is None:
            return
        self.misses += self.at == "terminate"
        try:
            self.at = self.task.throw(error) if error else self.task.send(None)
        except StopIteration as done:
            self._end(done.value)
        except RecordError:
            self.task, self.reread, self.due, self.broken_off = None, True, True, True
        if self.at == "terminate":
            self.knew = owners(self.law)
        if self.at == "close_event done":
            self.walked = len(self.scene.temporal.ever)

    def lose(self) -> None:
        """Break the call off where it stands: before its effect, or its answer after it."""
        if self.task is None:
            return
        lost = self.at.removesuffix(" done")
        self.resume(RecordError(lost) if lost in RECORDS else TemporalError(f"Temporal does not answer: {lost}"))

    def refuse(self) -> None:
        """Have Temporal refuse the call."""
        if self.task is not None and self.at in RUNS:
            self.resume(TemporalError("Temporal refused the call", refused=True))

    def crash(self) -> None:
        """End the process where it stands; the next one lists what is there."""
        if self.task is not None:
            self.task.close()
        self.scene.crashes += self.task is not None or self.broken_off
        self.task, self.known, self.reread, self.due, self.broken_off = None, None, False, False, False
        self.learn()
        self.see()

    def _begin(self) -> None:
        if self.known is None:
            return
        gone = False
        if self.reread:
            now = self.scene.server.get()
            gone = now is None or now.metadata.uid != self.known.metadata.uid
            if now is not None and not gone:
                self.known = now
            self.reread = False
        self.at, self.misses, self.walked = "", 0, len(self.scene.temporal.ever)
        self.base, self.owners = version(self.known), owners(self.law)
        self.task = self.reconciler.reconcile(ReconcileRequest(self.known, gone, self.broken_off))

    def _end(self, settlement: Result) -> None:
        self.task, self.broken_off = None, False
        self.due = settlement.requeue is Requeue.WITH_BACKOFF or settlement.requeue_after not in (
            None,
            HELD_DELETION_INTERVAL_SECONDS,
        )
        self.reread = self.due
        if self.known is None or version(settlement.execution) >= version(self.known):
            self.known = settlement.execution
