"""What a queue knows of an object that it has work to do on."""

import asyncio
from dataclasses import dataclass

from execution_operator.api import Execution
from execution_operator.reconciler.result import Result


@dataclass
class Item:
    """An object with work to do.

    Attributes:
        execution: Its newest known state.
        seen: The version that the last pass ended with; less than the state's means that there is work.
        left: The version at which it left a selection: more than `seen` means that its state is unknown.
        hearsay: Whether the state is the one that it left a selection with: the state before, under the version of now.
            A patch made from it would pass for one of now, so it is never worked on unless the object is gone.
        doubtful: Whether nobody has kept track of its state since that was read.
        forced: Whether it must be read again and passed over again, whatever came in meanwhile.
        gone: Whether reading it showed that it is no longer there.
        broken_off: Whether the last pass did not come to its end.
        urgent: Whether it waits among the requests.
        waiting: Whether its task waits for its turn.
        since: When its request came, by the monotonic clock; None where there is none.
    """

    execution: Execution
    seen: int = -1
    left: int = -1
    hearsay: bool = False
    doubtful: bool = False
    forced: bool = False
    gone: bool = False
    broken_off: bool = False
    urgent: bool = False
    waiting: bool = False
    since: float | None = None
    failures: int = 0
    task: asyncio.Task[None] | None = None
    timer: asyncio.TimerHandle | None = None

    @property
    def unknown(self) -> bool:
        """Whether the state must be read again."""
        return (self.doubtful and not self.gone) or self.forced or self.hearsay or self.left > self.seen

    @property
    def due(self) -> bool:
        """Whether there is something that no pass has seen."""
        return self.unknown or version(self.execution) > self.seen

    def renew(self, execution: Execution, *, hearsay: bool = False, doubtful: bool = False) -> None:
        """Take in a state, and forget that earlier ones failed."""
        self.execution, self.seen, self.failures = execution, min(self.seen, version(execution) - 1), 0
        self.hearsay, self.doubtful = hearsay, doubtful

    def take(self, read: Execution | None) -> None:
        """Take in what a read has found: nothing, if the object is gone. Its last state is what counts then."""
        self.gone = read is None
        if read is None:
            self.hearsay = False
        elif version(read) >= version(self.execution):
            self.execution, self.hearsay, self.doubtful = read, False, False
        self.seen = version(self.execution)

    def passed(self, settlement: Result) -> None:
        """Take in what a pass ended with. What came in meanwhile and is no newer was the echo of its own writes."""
        self.broken_off, self.seen = False, version(settlement.execution)
        if self.seen >= version(self.execution):
            self.execution, self.hearsay = settlement.execution, False


def version(execution: Execution) -> int:
    """Return the resourceVersion, which the API server orders."""
    return int(execution.metadata.resource_version or 0)
