"""What a look at an Execution's workflow can find. Every finding leads to a status."""

from dataclasses import dataclass

from execution_operator.core.authorization.authorize import Denied, Failing
from execution_operator.core.workflow.runs import CloseEvent, Run


@dataclass(frozen=True)
class NotFound:
    """Temporal knows no such run. `open_run_id`: an open run of its chain that can't be shown to descend from it."""

    message: str
    open_run_id: str = ""


@dataclass(frozen=True)
class Open:
    """The run is open. `deadline` (RFC 3339): cancellation is requested, termination follows then."""

    run: Run
    paused: bool = False
    deadline: str | None = None


@dataclass(frozen=True)
class Closed:
    """The run is closed, and how. `abandoned` names the child workflows that outlive it (None: not looked at)."""

    run: Run
    closing: CloseEvent
    abandoned: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Recorded:
    """The status shows the closing already, and for good: Temporal need not be asked again."""


Finding = Denied | Failing | NotFound | Open | Closed | Recorded
