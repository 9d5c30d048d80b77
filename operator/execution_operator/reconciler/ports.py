"""What the reconciler needs of Temporal and of the API server. Adapters fill the protocols."""

from collections.abc import Callable
from datetime import datetime
from typing import Protocol

from execution_operator.api import Execution, ExecutionStatus
from execution_operator.core.status.events import EventRecord
from execution_operator.core.workflow.runs import CloseEvent, Run, RunDescription, TerminationRequest, Unclosed

Clock = Callable[[], datetime]
"""Returns the present time, with its time zone."""


class Runs(Protocol):
    """The runs of one Temporal namespace. Every call has a deadline, and raises TemporalError if it settled nothing."""

    async def describe(self, workflow_id: str, run_id: str) -> RunDescription | None:
        """Return the run (the current one if `run_id` is empty), or None if Temporal knows no such run."""

    async def ownership_value(self, run: Run, search_attribute: str) -> str | None:
        """Return the search attribute in the start event of the chain's first run, which nothing can overwrite.

        Empty if the run was started without it; None if the history is no longer there.
        """

    async def close_event(self, run: Run) -> CloseEvent | Unclosed:
        """Return the run's close event, or why there is none."""

    async def abandoned_children(self, run: Run) -> tuple[str, ...] | None:
        """Return the children that outlive the run; None where they can't be seen, which raises nothing."""

    async def close_event_and_children(self, run: Run) -> tuple[CloseEvent | Unclosed, tuple[str, ...] | None]:
        """Return what `close_event` does and, of a run that has closed for good, what `abandoned_children` does."""

    async def terminate(self, run: Run, order: TerminationRequest, *, chain: bool = False) -> None:
        """Ask for the termination of this run, or of whichever run of its chain is open. Proves nothing."""

    async def request_cancel(self, run: Run, order: TerminationRequest) -> None:
        """Ask the workflow to cancel itself. Repeating it changes nothing."""


class Records(Protocol):
    """The Executions in the API server.

    A write applies only to the version of the object that was read. It raises Conflict if the object has changed since,
    and ObjectNotFound if it does not exist any more.
    """

    async def read(self, execution: Execution) -> Execution:
        """Return the object as it is now."""

    async def write_status(self, execution: Execution, status: ExecutionStatus) -> Execution:
        """Write the status in one PATCH, or nothing if it is the same."""

    async def write_finalizers(self, execution: Execution, finalizers: list[str]) -> Execution:
        """Write the list of finalizers."""

    async def record_event(self, execution: Execution, event: EventRecord) -> None:
        """Log the event and create an Event. Repeating this creates no second Event."""
