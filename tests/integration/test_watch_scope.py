"""Several operators that share the work, on a real API server that cuts shards."""

import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from execution_operator.manifests.schema import UNSEEN
from tests.support.operator import Operator
from tests.support.stack import LocalStack
from tests.support.waiting import wait_for
from tests.support.workflows import Agent


@pytest.fixture(scope="module")
def stack() -> Iterator[LocalStack]:
    with LocalStack(feature_gates={"ShardedListAndWatch": True}) as running:
        running.operator.end()
        running.organization("acme", "team-a")
        running.organization("globex", "team-b")
        yield running


def sharer(stack: LocalStack, share: str) -> Operator:
    return Operator(stack.control_plane, stack.temporal.address, ("run", share))


def requests(stack: LocalStack, count: int, namespace: str = "team-a") -> list[str]:
    """Start workflows and ask for their end."""
    names = [f"shared-{uuid.uuid4().hex[:6]}" for _ in range(count)]
    for name in names:
        stack.samples.begin(Agent, name, organization="acme" if namespace == "team-a" else "globex")
        stack.apply("Execution", name, {"executionId": name, "terminate": {"reason": "share"}}, namespace)
    return names


def done(operator: Operator, names: list[str]) -> set[str]:
    """Return the Executions for which an operator has created Events."""
    log = operator.log.read_text()
    return {name for name in names if f"/{name} " in log}


def test_two_shards_and_a_change_of_their_number(stack: LocalStack) -> None:
    first, second = sharer(stack, "--shard=0/2"), sharer(stack, "--shard=1/2")
    with first, second:
        names = requests(stack, 12)
        for name in names:
            stack.until(name, Terminated="True/Terminated")
        wait_for(lambda: done(first, names) | done(second, names) == set(names), "the logs to tell of all")
        parts = done(first, names), done(second, names)
        assert not parts[0] & parts[1]
        assert all(parts)
    late = requests(stack, 6)
    with sharer(stack, "--shard=0/3"), sharer(stack, "--shard=1/3"), sharer(stack, "--shard=2/3"):
        for name in late:
            stack.until(name, Terminated="True/Terminated")


def test_operators_with_disjoint_organizations(stack: LocalStack) -> None:
    of_acme, of_globex = sharer(stack, "--organizations=acme"), sharer(stack, "--organizations=globex, others")
    with of_acme:
        [mine], [others] = requests(stack, 1), requests(stack, 1, "team-b")
        stack.until(mine, Terminated="True/Terminated")
        assert stack.get(others, "team-b")["status"] == UNSEEN
        with of_globex:
            stack.until(others, "team-b", Terminated="True/Terminated")
            wait_for(lambda: done(of_globex, [others]), "the log to tell of it")
            assert not done(of_acme, [others])
            assert not done(of_globex, [mine])


def test_an_api_server_without_sharding_is_refused() -> None:
    with LocalStack() as plain:
        operator = sharer(plain, "--shard=0/2")
        with pytest.raises(RuntimeError, match=r"code 1:\n.*enable its feature gate ShardedListAndWatch"):
            operator.start()
        operator.stop()


@pytest.mark.parametrize("shard", ["2/2", "one", "-1/2", "0"])
def test_an_invalid_shard_is_refused(shard: str) -> None:
    program = Path(sys.executable).parent / "execution-operator"
    refused = subprocess.run([program, "run", f"--shard={shard}"], capture_output=True, text=True, check=False)
    assert refused.returncode == 2
    assert f"'{shard}' is not INDEX/COUNT, for instance 0/2" in refused.stderr
