"""The wall clock of the operator's machine is wrong and jumps: nothing is hastened, and nothing waits for it."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from tests.faults.operators import Forge
from tests.faults.rig import Rig
from tests.faults.skew import WallClock
from tests.faults.truth import CANCEL_REQUESTED, untrue
from tests.support.kube import Json
from tests.support.waiting import wait_for
from tests.support.workflows import Agent, Stubborn

GRACE = 2
"""Seconds."""


@pytest.fixture
def wall_clock(rig: Rig, tmp_path: Path) -> Iterator[WallClock]:
    """An operator in the place of the usual one, on a machine with this clock."""
    clock = WallClock(tmp_path)
    with Forge(tmp_path) as forge, rig.operated_by(rig.new_operator("skewed", forge=forge)):
        yield clock


@pytest.mark.parametrize("hours", [-6, 6])
def test_a_jump_neither_shortens_a_grace_period_nor_lengthens_it(rig: Rig, wall_clock: WallClock, hours: int) -> None:
    name = f"jump-{hours}".replace("--", "-back-")
    _asked_gracefully(rig, name)
    wall_clock.jump(hours)
    _ended_in_its_time(rig, name)


@pytest.mark.parametrize("hours", [-6, 6])
def test_nor_does_a_restart_with_another_time(rig: Rig, wall_clock: WallClock, hours: int) -> None:
    name = f"restart-{hours}".replace("--", "-back-")
    _asked_gracefully(rig, name)
    rig.operator.kill()
    wall_clock.jump(hours)
    rig.operator.start()
    _ended_in_its_time(rig, name)


def test_what_is_kept_for_an_hour_is_kept(rig: Rig, wall_clock: WallClock) -> None:
    _ended_and_kept(rig, "kept", 3600)
    rig.until("kept", Terminated="True/Terminated")
    wall_clock.jump(6)
    _ended_and_kept(rig, "not-kept", 0)
    wait_for(lambda: "not-kept" not in _names(rig), "the deletion of what is not kept")
    assert "kept" in _names(rig)


def _ended_and_kept(rig: Rig, name: str, seconds: int) -> None:
    rig.samples.begin(Agent, name)
    rig.kube.create(name, terminate={"reason": "over"}, ttlSecondsAfterFinished=seconds)


def _names(rig: Rig) -> set[str]:
    return {execution["metadata"]["name"] for execution in rig.kube.list()}


def _asked_gracefully(rig: Rig, name: str) -> None:
    rig.samples.begin(Stubborn, name)
    rig.kube.create(name)
    rig.until(name, Finished="False/Open")
    rig.kube.terminate(name, "please", gracePeriodSeconds=GRACE)
    rig.until(name, Terminated="False/GracePeriod")


def _ended_in_its_time(rig: Rig, name: str) -> None:
    execution = rig.until(name, Terminated="True/Terminated", seconds=GRACE + 10)
    history = rig.history(name)
    assert untrue(execution, history) == []
    asked = next(event for event in history if event.event_type == CANCEL_REQUESTED)
    given = _time(history[-1].event_time.ToJsonString()) - _time(asked.event_time.ToJsonString())
    assert timedelta(seconds=GRACE) <= given, "the workflow was not given its time"
    _transitions_are_now(execution, _time(history[-1].event_time.ToJsonString()))


def _transitions_are_now(execution: Json, ended: datetime) -> None:
    for condition in execution["status"]["conditions"]:
        assert abs(_time(condition["lastTransitionTime"]) - ended) < timedelta(minutes=1), condition


def _time(words: str) -> datetime:
    return datetime.fromisoformat(words)
