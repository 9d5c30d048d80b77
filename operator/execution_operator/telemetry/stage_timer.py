"""How long a request took, stage by stage: a stopwatch that whoever answers the request holds."""

from collections.abc import Callable
from enum import StrEnum


class Stage(StrEnum):
    """What a request has behind it when a lap ends."""

    QUEUED = "queued"
    """A pass began that answered it. Earlier passes, that settled nothing, are part of this wait."""

    PINNED = "pinned"
    """The run was resolved and recorded. Left out where it was known."""

    TERMINATED = "terminated"
    """Temporal answered the call to terminate, whatever it said."""

    OBSERVED = "observed"
    """The close event was read."""

    RECORDED = "recorded"
    """The API server took the status."""


class StageTimer:
    """The stopwatch.

    Args:
        since: When the operator got to know of the request, by the clock; None where there is none.
        clock: Seconds that only go forward.
    """

    def __init__(self, since: float | None, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._start = self._last = clock() if since is None else since
        self.asked = since is not None
        self.stages: list[tuple[Stage, float]] = []

    @property
    def total(self) -> float:
        """Seconds from the request to the last stage."""
        return self._last - self._start

    def passed(self, stage: Stage) -> None:
        """Note that a stage is behind us."""
        now = self._clock()
        self.stages.append((stage, now - self._last))
        self._last = now
