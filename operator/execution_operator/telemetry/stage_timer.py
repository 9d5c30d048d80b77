"""Measures how long the stages of a request take."""

from collections.abc import Callable
from enum import StrEnum


class Stage(StrEnum):
    """A stage, named after what ends it. The value is the label `stage` of `request_stage_duration_seconds`."""

    QUEUED = "queued"
    """The reconcile that answered the request began. Earlier reconciles without an answer are part of this stage."""

    PINNED = "pinned"
    """The run was resolved, and its pin was written. Absent where the run was pinned before."""

    TERMINATED = "terminated"
    """The call to terminate returned, with whatever answer."""

    OBSERVED = "observed"
    """Temporal showed how the run stands."""

    RECORDED = "recorded"
    """The API server accepted the status."""


class StageTimer:
    """Measures one request.

    Args:
        enqueued_at: When the operator learned of the request, by `clock`; None where there is no request.
        clock: A monotonic clock, in seconds.

    Attributes:
        has_request: Whether there is a request to measure.
        stages: The stages that ended, with their durations in seconds.
    """

    def __init__(self, enqueued_at: float | None, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._start = self._last = clock() if enqueued_at is None else enqueued_at
        self.has_request = enqueued_at is not None
        self.stages: list[tuple[Stage, float]] = []

    @property
    def total(self) -> float:
        """Seconds from the request to the end of the last stage."""
        return self._last - self._start

    def end(self, stage: Stage) -> None:
        """End a stage now."""
        now = self._clock()
        self.stages.append((stage, now - self._last))
        self._last = now
