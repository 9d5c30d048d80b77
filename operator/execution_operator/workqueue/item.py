"""An item of the queue: the newest known state of an Execution, and the progress of its worker."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from execution_operator.api import Execution
from execution_operator.runtime.backoff import RECONCILE_BACKOFF
from execution_operator.workqueue.limits import Priority


class Snapshot(Enum):
    """What an item knows of the object: how far the state that it holds can be trusted."""

    CURRENT = "current"
    """The newest state that was read or watched. It may be acted on."""

    STALE = "stale"
    """A state that no watch has kept up to date. The object must be read again before it is acted on."""

    TOMBSTONE = "tombstone"
    """The last state before a removal, under the resourceVersion of the removal.

    A patch made from it would pass for one of the current state, so the object must be read again. If that read does
    not find the object, the tombstone is its last state.
    """

    DELETED = "deleted"
    """The last state of an object that no longer exists. It may be acted on; nothing can be recorded on the object."""

    LOST = "lost"
    """A stale state of an object that no longer exists. Its last state is unknown, so nothing is done."""


class State(Enum):
    """Whether an item has a worker, and what it waits for if not."""

    ON_EVENT = "on event"
    """No worker and no timer. An event requeues the item."""

    DELAYED = "delayed"
    """No worker. A timer requeues the item."""

    WAITING = "waiting"
    """The worker waits for a slot."""

    RUNNING = "running"
    """The worker has a slot."""


@dataclass
class Job:
    """The work on one item, from its start until the item is settled or delayed.

    Attributes:
        task: The task that runs the worker.
        priority: The group of slots that the task takes one of.
        running: Whether the task has its slot.
    """

    task: asyncio.Task[None]
    priority: Priority
    running: bool = False


@dataclass
class Item:
    """An Execution with work to do.

    Attributes:
        execution: Its newest known state.
        snapshot: How far that state can be trusted.
        reconciled_version: The resourceVersion that was reconciled last. A newer one is work to do.
        removed_version: The resourceVersion at which the object left a watched selection. If it is newer than
            `reconciled_version`, the object must be read again.
        reread_requested: Whether the object must be read and reconciled again, whatever its version.
        interrupted: Whether the last reconcile raised an error. It may have written to Temporal without a record.
        attempts: Failures in a row.
        enqueued_at: When its request came, by the monotonic clock. None where there is no request.
        job: The work under way. None where there is none.
        timer: Requeues the item later. None where it has a job, or where an event requeues it.
    """

    execution: Execution
    snapshot: Snapshot = Snapshot.CURRENT
    reconciled_version: int = -1
    removed_version: int = -1
    reread_requested: bool = False
    interrupted: bool = False
    attempts: int = 0
    enqueued_at: float | None = None
    job: Job | None = None
    timer: asyncio.TimerHandle | None = None

    @property
    def name(self) -> str:
        """The namespace and the name, for log lines."""
        return f"{self.execution.metadata.namespace}/{self.execution.metadata.name}"

    @property
    def version(self) -> int:
        """The resourceVersion of the newest known state."""
        return version(self.execution)

    @property
    def state(self) -> State:
        """Whether the item waits, runs, or is requeued later."""
        if self.job is not None:
            return State.RUNNING if self.job.running else State.WAITING
        return State.ON_EVENT if self.timer is None else State.DELAYED

    @property
    def needs_reread(self) -> bool:
        """Whether the object must be read again before it is acted on."""
        untrusted = self.snapshot in {Snapshot.STALE, Snapshot.TOMBSTONE}
        return untrusted or self.reread_requested or self.removed_version > self.reconciled_version

    @property
    def has_work(self) -> bool:
        """Whether there is something that was not reconciled yet."""
        return self.needs_reread or self.version > self.reconciled_version

    def update(self, execution: Execution, snapshot: Snapshot = Snapshot.CURRENT) -> None:
        """Replace the state, which is then to be reconciled at once.

        A deleted object stays deleted if a watch brings another state of it. A tombstone has it read once more.
        """
        self.execution, self.attempts = execution, 0
        self.reconciled_version = min(self.reconciled_version, version(execution) - 1)
        if self.snapshot is not Snapshot.DELETED or snapshot is Snapshot.TOMBSTONE:
            self.snapshot = snapshot

    def record_read(self, found: Execution | None) -> None:
        """Take in the answer of a read. None means that the object no longer exists.

        An answer older than the known state shows only that the object exists. A state that needs a reread still needs
        it then.
        """
        if found is None:
            self.snapshot = Snapshot.LOST if self.snapshot is Snapshot.STALE else Snapshot.DELETED
        elif version(found) >= self.version:
            self.execution, self.snapshot = found, Snapshot.CURRENT
        elif self.snapshot is Snapshot.DELETED:
            self.snapshot = Snapshot.CURRENT
        self.reconciled_version = self.version

    def record_reconcile(self, written: Execution) -> None:
        """Take in the state that a reconcile wrote. A state that came in meanwhile and is no newer is its echo."""
        self.interrupted, self.reconciled_version = False, version(written)
        if self.reconciled_version >= self.version:
            self.execution = written
            if self.snapshot is Snapshot.TOMBSTONE:
                self.snapshot = Snapshot.CURRENT

    def record_failure(self) -> float:
        """Count a failed attempt and return the seconds until the next one."""
        self.attempts += 1
        return RECONCILE_BACKOFF.delay(self.attempts - 1)

    def requeue_after(self, seconds: float, requeue: Callable[[], None]) -> None:
        """Set the timer that requeues the item."""
        self.timer = asyncio.get_running_loop().call_later(seconds, requeue)

    def cancel_timer(self) -> None:
        """Stop the timer, if there is one."""
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None


def version(execution: Execution) -> int:
    """Return the resourceVersion as a number, which the API server orders. An object without one is the oldest."""
    return int(execution.metadata.resource_version or 0)
