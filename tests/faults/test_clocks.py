"""The wall clock of the operator's machine is wrong and jumps. Grace periods and TTLs keep their true length."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from tests.faults.harness.cluster import FaultCluster
from tests.faults.harness.history_checks import CANCEL_REQUESTED, check_terminated
from tests.faults.harness.operators import ForkServer
from tests.faults.harness.wall_clock import WallClock
from tests.support.kube import Json
from tests.support.waiting import wait_for
from tests.support.workflows import Agent, Stubborn

GRACE_PERIOD_SECONDS = 2


@pytest.fixture
def wall_clock(cluster: FaultCluster, tmp_path: Path) -> Iterator[WallClock]:
    """The wall clock of an operator that replaces the usual one."""
    clock = WallClock(tmp_path)
    with (
        ForkServer(tmp_path) as fork_server,
        cluster.operated_by(cluster.new_operator("skewed", fork_server=fork_server)),
    ):
        yield clock


@pytest.mark.parametrize("hours", [-6, 6])
def test_a_clock_jump_does_not_change_a_grace_period(cluster: FaultCluster, wall_clock: WallClock, hours: int) -> None:
    name = f"jump-{hours}".replace("--", "-back-")
    _request_with_grace_period(cluster, name)
    wall_clock.jump(hours)
    _assert_terminated_after_grace_period(cluster, name)


@pytest.mark.parametrize("hours", [-6, 6])
def test_a_restart_with_another_time_does_not_change_a_grace_period(
    cluster: FaultCluster, wall_clock: WallClock, hours: int
) -> None:
    name = f"restart-{hours}".replace("--", "-back-")
    _request_with_grace_period(cluster, name)
    cluster.operator.kill()
    wall_clock.jump(hours)
    cluster.operator.start()
    _assert_terminated_after_grace_period(cluster, name)


def test_a_clock_jump_does_not_shorten_a_ttl(cluster: FaultCluster, wall_clock: WallClock) -> None:
    _terminate_with_ttl(cluster, "kept", 3600)
    cluster.until("kept", Terminated="True/Terminated")
    wall_clock.jump(6)
    _terminate_with_ttl(cluster, "not-kept", 0)
    wait_for(lambda: "not-kept" not in _names(cluster), "the deletion of not-kept")
    assert "kept" in _names(cluster)


def _terminate_with_ttl(cluster: FaultCluster, name: str, seconds: int) -> None:
    cluster.samples.begin(Agent, name)
    cluster.kube.create(name, terminate={"reason": "over"}, ttlSecondsAfterFinished=seconds)


def _names(cluster: FaultCluster) -> set[str]:
    return {execution["metadata"]["name"] for execution in cluster.kube.list()}


def _request_with_grace_period(cluster: FaultCluster, name: str) -> None:
    cluster.samples.begin(Stubborn, name)
    cluster.kube.create(name)
    cluster.until(name, Finished="False/Open")
    cluster.kube.terminate(name, "please", gracePeriodSeconds=GRACE_PERIOD_SECONDS)
    cluster.until(name, Terminated="False/GracePeriod")


def _assert_terminated_after_grace_period(cluster: FaultCluster, name: str) -> None:
    execution = cluster.until(name, Terminated="True/Terminated", seconds=GRACE_PERIOD_SECONDS + 10)
    history = cluster.history(name)
    assert check_terminated(execution, history) == []
    asked = next(event for event in history if event.event_type == CANCEL_REQUESTED)
    given = _time(history[-1].event_time.ToJsonString()) - _time(asked.event_time.ToJsonString())
    assert timedelta(seconds=GRACE_PERIOD_SECONDS) <= given, "the grace period was cut short"
    _assert_transition_times_near(execution, _time(history[-1].event_time.ToJsonString()))


def _assert_transition_times_near(execution: Json, ended: datetime) -> None:
    for condition in execution["status"]["conditions"]:
        assert abs(_time(condition["lastTransitionTime"]) - ended) < timedelta(minutes=1), condition


def _time(words: str) -> datetime:
    return datetime.fromisoformat(words)
