"""What Temporal shows of a run, as values. Vocabulary and meaning are Temporal's."""

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
    """One run, pinned: what `DescribeWorkflowExecution` says of it that never changes.

    `first_run_id` is the first run of its chain; `started_at` is RFC 3339 in UTC, by Temporal's clock.
    """

    workflow_id: str
    run_id: str
    first_run_id: str
    started_at: str | None = None


@dataclass(frozen=True)
class RunDescription:
    """A run and its present status.

    Attributes:
        abandoned: The pending children that outlive it (policy ABANDON).
        cancel_requested: Whether somebody has asked it to cancel itself.
    """

    run: Run
    status: RunStatus
    abandoned: tuple[str, ...] = ()
    cancel_requested: bool = False

    @property
    def paused(self) -> bool:
        """Whether an operator of Temporal has paused the run. It is open all the same."""
        return self.status is RunStatus.PAUSED


@dataclass(frozen=True)
class ClosedRun:
    """That a run has closed, and when by Temporal's clock: a hint of its visibility, to the microsecond."""

    run_id: str
    at: datetime


class Unclosed(Enum):
    """Why a run has no close event."""

    OPEN = "open"
    MISSING = "missing"


@dataclass(frozen=True)
class CloseEvent:
    """The close event of a run.

    Attributes:
        status: How the run closed.
        at: Event time, RFC 3339 in UTC with all digits that Temporal holds.
        reason: The reason of a termination.
        identity: Who terminated it, as they called themselves.
        execution_uid: The UID of the Execution that asked for the termination, if one of ours did.
        requested_by: Who asked through that Execution, as far as the API server stamped it.
        successor: The run ID that this run continued as (continue-as-new, retry, cron); empty if none.
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
    """A termination, as it goes into Temporal's history.

    Attributes:
        reason: Verbatim from `spec.terminate.reason`.
        execution_uid: UID of the Execution, by which the close event is recognised as ours.
        namespace: The Execution's namespace.
        name: The Execution's name.
        requested_by: Who asked, empty where the API server stamps nobody.
    """

    reason: str
    execution_uid: str
    namespace: str
    name: str
    requested_by: str = ""
