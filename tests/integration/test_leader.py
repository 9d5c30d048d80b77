"""Several operators and one Lease, on a real API server."""

import signal
import time
import uuid
from collections.abc import Iterator
from functools import partial
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
from temporalio.api.enums.v1 import EventType

from tests.support.operator import READY, Operator
from tests.support.ports import free_port
from tests.support.process import tail
from tests.support.stack import LocalStack
from tests.support.waiting import wait_for
from tests.support.workflows import Agent

DURATION, LONG = 5, 15
STANDING_BY = "standing by for the lease"


@pytest.fixture(scope="module")
def stack() -> Iterator[LocalStack]:
    with LocalStack() as running:
        running.operator.end()
        running.organization("acme", "team-a")
        yield running


@pytest.fixture
def pair(stack: LocalStack, request: pytest.FixtureRequest) -> Iterator[tuple[Operator, Operator]]:
    """A leader and one that stands by; the parameter is the lease's duration."""
    duration = getattr(request, "param", DURATION)
    leader = Operator(stack.control_plane, stack.temporal.address, arguments(free_port(), duration))
    standby = Operator(stack.control_plane, stack.temporal.address, arguments(free_port(), duration), STANDING_BY)
    stack.control_plane.kubectl("delete", "lease", "--all", "--namespace=execution-operator")
    with leader, standby:
        yield leader, standby


def arguments(port: int, duration: int = DURATION) -> tuple[str, ...]:
    return "run", "--leader-elect", f"--lease-duration={duration}", f"--http-address=127.0.0.1:{port}"


def served(operator: Operator, path: str) -> str:
    """Get something from an operator's HTTP server."""
    with urlopen(f"http://{operator.arguments[-1].partition('=')[2]}{path}", timeout=5) as response:
        return str(response.read().decode())


def says(operator: Operator, words: str) -> bool:
    return words in operator.log.read_text()


def holder_of(stack: LocalStack) -> str:
    """Return the holder of the Lease. Empty if there is no holder or no Lease."""
    words = ("lease", "execution-operator", "--namespace=execution-operator", "--ignore-not-found")
    return stack.control_plane.kubectl("get", *words, "--output=jsonpath={.spec.holderIdentity}").stdout


def requested(stack: LocalStack) -> str:
    """Start a workflow and ask for its end."""
    name = f"led-{uuid.uuid4().hex[:6]}"
    stack.samples.begin(Agent, name)
    stack.apply("Execution", name, {"executionId": name, "terminate": {"reason": "whoever leads"}}, "team-a")
    return name


def terminations(stack: LocalStack, name: str) -> int:
    history = stack.samples.do(stack.samples.client.get_workflow_handle(name).fetch_history())
    return sum(e.event_type == EventType.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED for e in history.events)


def test_one_operator_leads_and_the_other_stands_by(stack: LocalStack, pair: tuple[Operator, Operator]) -> None:
    leader, standby = pair
    stack.until(requested(stack), Terminated="True/Terminated")
    assert (says(leader, READY), says(standby, READY)) == (True, False)


def test_after_a_crash_the_other_takes_over(stack: LocalStack, pair: tuple[Operator, Operator]) -> None:
    leader, standby = pair
    leader.kill()
    name = requested(stack)
    stack.until(name, seconds=20, Terminated="True/Terminated")
    assert says(standby, READY)


def test_a_standby_takes_over_changes_that_happened_without_a_leader(
    stack: LocalStack, pair: tuple[Operator, Operator]
) -> None:
    leader, standby = pair
    name = f"open-{uuid.uuid4().hex[:6]}"
    stack.samples.begin(Agent, name)
    stack.apply("Execution", name, {"executionId": name}, "team-a")
    wait_for(
        lambda: 'executions{phase="running"} 1.0' in served(standby, "/metrics"), "the one that stands by to know it"
    )
    leader.kill()
    stack.apply("Execution", name, {"executionId": name, "ttlSecondsAfterFinished": 60}, "team-a")
    assert not says(standby, READY)
    stack.until(name, seconds=20)
    stack.terminate(name, "whoever leads")
    stack.until(name, Terminated="True/Terminated")


@pytest.mark.parametrize("pair", [LONG], indirect=True)
def test_a_stopping_leader_releases_its_lease(stack: LocalStack, pair: tuple[Operator, Operator]) -> None:
    leader, standby = pair
    leader.end()
    wait_for(lambda: says(standby, READY), "the other to take over", LONG - 3)
    stack.until(requested(stack), Terminated="True/Terminated")


def test_a_leader_stops_in_time_without_an_api_server(stack: LocalStack, pair: tuple[Operator, Operator]) -> None:
    """It can't give its lease up then."""
    leader, _ = pair
    apiserver, process = stack.control_plane.apiserver, leader.process
    assert apiserver is not None
    assert process is not None
    apiserver.signal(signal.SIGSTOP)
    try:
        process.signal(signal.SIGTERM)
        assert process.wait(10) == 0
    finally:
        apiserver.signal(signal.SIGCONT)


def test_a_paused_leader_ends_without_a_second_termination(stack: LocalStack, pair: tuple[Operator, Operator]) -> None:
    leader, standby = pair
    assert leader.process is not None
    leader.process.signal(signal.SIGSTOP)
    names = [requested(stack) for _ in range(3)]
    wait_for(lambda: says(standby, READY), "the other to take over", 20)
    leader.process.signal(signal.SIGCONT)
    for name in names:
        stack.until(name, Terminated="True/Terminated")
        assert terminations(stack, name) == 1
    process = leader.process
    wait_for(lambda: process.poll() is not None, "the old leader to end", 15)
    assert process.poll() == 1, tail(leader.log)


@pytest.mark.parametrize("pair", [LONG], indirect=True)
def test_a_deleted_lease_is_recreated_by_the_leader(stack: LocalStack, pair: tuple[Operator, Operator]) -> None:
    leader, standby = pair
    assert leader.process is not None
    held, holder = partial(holder_of, stack), holder_of(stack)
    leader.process.signal(signal.SIGSTOP)  # so that the one that stands by sees first that the Lease is gone
    try:
        stack.control_plane.kubectl("delete", "lease", "execution-operator", "--namespace=execution-operator")
        time.sleep(LONG / 5)
        assert held() == ""
    finally:
        leader.process.signal(signal.SIGCONT)
    wait_for(held, "the Lease to be made again", LONG)
    assert (held(), holder != "") == (holder, True)
    name = requested(stack)
    stack.until(name, Terminated="True/Terminated")
    assert terminations(stack, name) == 1
    assert (leader.process.poll(), says(standby, READY)) == (None, False)


def test_probes_and_metrics(stack: LocalStack, pair: tuple[Operator, Operator]) -> None:
    leader, standby = pair
    stack.until(requested(stack), Terminated="True/Terminated")
    for operator, leads in ((leader, 1), (standby, 0)):
        assert (served(operator, "/healthz"), served(operator, "/readyz")) == ("ok\n", "ok\n")
        assert f"execution_operator_leader {leads}.0" in served(operator, "/metrics")
    metrics = served(leader, "/metrics")
    assert 'execution_operator_outcomes_total{outcome="Terminated",reason="Terminated"} 1.0' in metrics
    assert 'execution_operator_request_duration_seconds_count{outcome="Terminated"} 1.0' in metrics
    assert 'request_duration_seconds_count{method="TerminateWorkflowExecution",status="OK"} 1.0' in metrics
    assert 'execution_operator_reconcile_duration_seconds_count{request="true"}' in metrics
    assert "team-a" not in metrics


def test_an_operator_that_knows_no_organizations_is_not_ready(stack: LocalStack) -> None:
    """Its account may not even list them."""
    operator = Operator(stack.control_plane, stack.temporal.address, arguments(free_port()), "watch of ")
    operator.account = "nobody"
    stack.control_plane.kubectl("create", "serviceaccount", "nobody", "--namespace=execution-operator")
    with operator, pytest.raises(HTTPError) as error:
        served(operator, "/readyz")
    assert (error.value.code, error.value.read()) == (503, b"the Organizations are not listed yet\n")
