"""Values for what Temporal shows of a run. Names and meaning are Temporal's."""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum, StrEnum


class RunStatus(StrEnum):
    """The status of a workflow execution, as Temporal names it."""

    RUNNING = "Running"
    PAUSED = "Paused"
    COMPLETED = "Completed"
    FAILED = "Failed"
    CANCELED = "Canceled"
    TERMINATED = "Terminated"
    CONTINUED_AS_NEW = "ContinuedAsNew"
    TIMED_OUT = "TimedOut"

    @property
    def open(self) -> bool:
        """Whether the run can still be terminated."""
        return self in (RunStatus.RUNNING, RunStatus.PAUSED)


@dataclass(frozen=True)
class Run:
    """One run: the part of `DescribeWorkflowExecution`'s answer that never changes.

    Attributes:
        workflow_id: The workflow ID.
        run_id: The run ID.
        first_run_id: The run ID of the first run of its chain.
        started_at: Start time by Temporal's clock, RFC 3339 in UTC; None where it was not recorded.
    """

    workflow_id: str
    run_id: str
    first_run_id: str
    started_at: str | None = None


@dataclass(frozen=True)
class RunDescription:
    """A run and its status now.

    Attributes:
        abandoned: Workflow IDs of the pending children that outlive the run (parent close policy ABANDON).
        cancel_requested: Whether its cancellation was requested.
    """

    run: Run
    status: RunStatus
    abandoned: tuple[str, ...] = ()
    cancel_requested: bool = False

    @property
    def paused(self) -> bool:
        """Whether somebody paused the run in Temporal. A paused run is open."""
        return self.status is RunStatus.PAUSED


@dataclass(frozen=True)
class ClosedRun:
    """A row of Temporal's visibility: a run that closed, and its close time to the microsecond.

    Visibility may be late. The row is a reason to read the run, and no proof.
    """

    run_id: str
    at: datetime


class Unclosed(Enum):
    """The reason why a run has no close event."""

    OPEN = "open"
    MISSING = "missing"


@dataclass(frozen=True)
class CloseEvent:
    """The close event of a run.

    Attributes:
        status: How the run closed.
        at: Event time, RFC 3339 in UTC, with all digits that Temporal stores (nanoseconds).
        reason: The reason of a termination.
        identity: The identity that the caller of the termination gave. Callers choose it freely.
        execution_uid: The UID in the details of a termination by this operator; empty for any other close.
        requested_by: The user who set `spec.terminate`, where the API server stamped one; else empty.
        successor: The run ID that continues this run (continue-as-new, retry, cron); empty where none does.
    """

    status: RunStatus
    at: str
    reason: str = ""
    identity: str = ""
    execution_uid: str = ""
    requested_by: str = ""
    successor: str = ""


@dataclass(frozen=True)
class TerminationRequest:
    """A request to terminate, as it is stored in Temporal's history.

    Attributes:
        reason: The words of `spec.terminate.reason`, unchanged.
        execution_uid: The UID of the Execution. It marks the close event as ours.
        namespace: The Execution's namespace.
        name: The Execution's name.
        requested_by: The user who set `spec.terminate`; empty where the API server stamps none.
    """

    reason: str
    execution_uid: str
    namespace: str
    name: str
    requested_by: str = ""
