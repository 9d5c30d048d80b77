"""Findings: what the stages of a reconcile can end with. Each finding determines a status."""

from dataclasses import dataclass

from execution_operator.core.authorization.authorize import Denied, Failing
from execution_operator.core.workflow.runs import CloseEvent, Run


@dataclass(frozen=True)
class NotFound:
    """Temporal knows no such run.

    Attributes:
        message: The reason, for people.
        open_run_id: An open run of the same chain. It is left alone, as its descent from the run can't be proven.
    """

    message: str
    open_run_id: str = ""


@dataclass(frozen=True)
class Open:
    """The run is open.

    Attributes:
        run: The run.
        paused: Whether it is paused in Temporal.
        deadline: End of the grace period, RFC 3339; None where no grace period runs. Cancellation is requested until
            then, and termination follows.
    """

    run: Run
    paused: bool = False
    deadline: str | None = None


@dataclass(frozen=True)
class Closed:
    """The run is closed for good.

    Attributes:
        run: The last run of the chain.
        closing: Its close event.
        abandoned: Workflow IDs of the children that outlive it; None where they were not read.
    """

    run: Run
    closing: CloseEvent
    abandoned: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Recorded:
    """The status shows a final phase already. Temporal is not asked again."""


Finding = Denied | Failing | NotFound | Open | Closed | Recorded
