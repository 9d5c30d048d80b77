"""The stopwatch of a request."""

from execution_operator.telemetry.stage_timer import Stage, StageTimer

MOMENTS = (10.0, 10.5, 12.0)


def test_each_stage_takes_what_has_passed_since_the_one_before() -> None:
    moments = iter(MOMENTS)
    timer = StageTimer(9.0, lambda: next(moments))
    for stage in (Stage.QUEUED, Stage.OBSERVED, Stage.RECORDED):
        timer.end(stage)
    assert timer.stages == [(Stage.QUEUED, 1.0), (Stage.OBSERVED, 0.5), (Stage.RECORDED, 1.5)]
    assert (timer.total, timer.has_request) == (3.0, True)


def test_without_a_request_it_starts_when_it_is_made() -> None:
    moments = iter(MOMENTS)
    timer = StageTimer(None, lambda: next(moments))
    timer.end(Stage.QUEUED)
    assert (timer.total, timer.has_request) == (0.5, False)
