"""What the act needs of Temporal and of the API server, and what it says of a pass. Adapters fill the protocols."""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import inf
from typing import Protocol

from execution_operator.api import Execution, ExecutionStatus
from execution_operator.core.status.events import Announcement
from execution_operator.core.workflow.runs import Closing, Described, Ended, Order, Run, Unclosed
from execution_operator.index.open_runs import Reference

WOKEN = inf
"""Of a wait without an end of its own: whoever sees to the Organization wakes the Execution."""


Tell = Callable[[Sequence[Reference]], None]
"""Has Executions looked at whose run seems to have changed."""


class Runs(Protocol):
    """The runs of one Temporal namespace. Every call has a deadline, and raises TemporalError if it settled nothing."""

    async def describe(self, workflow_id: str, run_id: str) -> Described | None:
        """Return the run (the current one if `run_id` is empty), or None if Temporal knows no such run."""

    async def owner(self, run: Run, search_attribute: str) -> str | None:
        """Return the search attribute in the start event of the chain's first run, which nothing can overwrite.

        Empty if the run was started without it; None if the history is no longer there.
        """

    async def closing(self, run: Run) -> Closing | Unclosed:
        """Return the run's close event, or why there is none."""

    async def abandoned(self, run: Run) -> tuple[str, ...] | None:
        """Return the children that outlive the run; None where they can't be seen, which raises nothing."""

    async def aftermath(self, run: Run) -> tuple[Closing | Unclosed, tuple[str, ...] | None]:
        """Return what `closing` does and, of a run that has closed for good, what `abandoned` does."""

    async def terminate(self, run: Run, order: Order, *, chain: bool = False) -> None:
        """Ask for the termination of this run, or of whichever run of its chain is open. Proves nothing."""

    async def request_cancel(self, run: Run, order: Order) -> None:
        """Ask the workflow to cancel itself. Repeating it changes nothing."""


class Closings(Protocol):
    """What has closed, or is paused, in one Temporal namespace.

    Hints only: late, out of order, and never proof of anything. Every call raises TemporalError if it settled nothing.
    """

    async def newest(self) -> datetime | None:
        """Return when the run closed that closed last; None where none has."""

    def closed(self, since: datetime, before: datetime | None = None, page: int = 0) -> AsyncIterator[Ended]:
        """Yield the runs that closed in this time, the last ones first. `page`: ask for so many to begin with."""

    async def count(self, since: datetime, before: datetime) -> int:
        """Return how many runs closed in this time."""

    async def among(self, run_ids: Sequence[str]) -> set[str]:
        """Return those of the runs that have closed."""

    async def paused(self, token: bytes) -> tuple[set[str], bytes]:
        """Return a page of the runs that are paused, and the token of the next one: empty before the first and last."""


class Records(Protocol):
    """The Executions in the API server. Writes are guarded by resourceVersion: Superseded, Gone."""

    async def read(self, execution: Execution) -> Execution:
        """Return the object as it is now."""

    async def write_status(self, execution: Execution, status: ExecutionStatus) -> Execution:
        """Write the status in one PATCH, or nothing if it is the same."""

    async def write_finalizers(self, execution: Execution, finalizers: list[str]) -> Execution:
        """Write the list of finalizers."""

    async def announce(self, execution: Execution, announcement: Announcement) -> None:
        """Tell it in the log and as an Event. Telling it again changes nothing."""


class Expendables(Protocol):
    """The Executions in the API server, to be deleted in their time."""

    async def find(self, namespace: str, name: str, uid: str) -> Execution:
        """Return the object of this name as it is now, if it is the same one still; else Gone."""

    async def delete(self, execution: Execution) -> None:
        """Delete this very state of the object: Superseded, Gone."""


@dataclass(frozen=True)
class Work:
    """What a pass is about.

    Attributes:
        execution: The newest known state.
        gone: It has been deleted since: what it asked for is done without a record.
        again: An earlier pass broke off, and may have recorded what it did not tell.
        since: When its request came to the operator's knowledge, by its monotonic clock; None where there is none.
    """

    execution: Execution
    gone: bool = False
    again: bool = False
    since: float | None = None


@dataclass(frozen=True)
class Settlement:
    """How a pass ended.

    Attributes:
        execution: The object as last written.
        failing: Try again, later each time.
        after: Seconds until the next look: None where the object is settled, WOKEN where something else will
            wake it.
    """

    execution: Execution
    failing: bool = False
    after: float | None = None
