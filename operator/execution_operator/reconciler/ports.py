"""The ports of the reconciler to Temporal and to the API server. `temporal` and `kube` implement them."""

from collections.abc import Callable
from datetime import datetime
from typing import Protocol

from execution_operator.api import Execution, ExecutionStatus
from execution_operator.core.status.events import EventRecord
from execution_operator.core.workflow.runs import CloseEvent, Run, RunDescription, TerminationRequest, Unclosed

Clock = Callable[[], datetime]
"""Returns the present time, with its time zone."""


class Runs(Protocol):
    """The runs of one Temporal namespace.

    Every call has a timeout. It raises TemporalError where Temporal gave no answer or refused the call.
    """

    async def describe(self, workflow_id: str, run_id: str) -> RunDescription | None:
        """Return a run; the current one where `run_id` is empty. None means that Temporal knows no such run."""

    async def ownership_value(self, run: Run, search_attribute: str) -> str | None:
        """Return a search attribute in the start event of the chain's first run. Workflow code can't overwrite it.

        An empty value means that the run was started without the attribute. None means that the history has expired.
        """

    async def close_event(self, run: Run) -> CloseEvent | Unclosed:
        """Return the close event of a run, or the reason why there is none."""

    async def abandoned_children(self, run: Run) -> tuple[str, ...] | None:
        """Return the workflow IDs of the children that outlive a run; None where they can't be read. Never raises."""

    async def close_event_and_children(self, run: Run) -> tuple[CloseEvent | Unclosed, tuple[str, ...] | None]:
        """Return `close_event`, and `abandoned_children` where the run has closed for good."""

    async def terminate(self, run: Run, order: TerminationRequest, *, chain: bool = False) -> None:
        """Request the termination of this run; with `chain`, of the run of its chain that is open.

        A return proves nothing: the run may have closed before, or may be unknown.
        """

    async def request_cancel(self, run: Run, order: TerminationRequest) -> None:
        """Request the cancellation of a run. A repeated request changes nothing."""


class Records(Protocol):
    """The Executions in the API server.

    A write applies only to the version of the object that was read. It raises Conflict if the object has changed since,
    and ObjectNotFound if it does not exist any more.
    """

    async def read(self, execution: Execution) -> Execution:
        """Return the object as it is now."""

    async def write_status(self, execution: Execution, status: ExecutionStatus) -> Execution:
        """Write the status in one PATCH, and return the object. An unchanged status is not written."""

    async def write_finalizers(self, execution: Execution, finalizers: list[str]) -> Execution:
        """Write the list of finalizers, and return the object."""

    async def record_event(self, execution: Execution, event: EventRecord) -> None:
        """Log the event and create an Event. Repeating this creates no second Event."""
