"""Restarts of servers and operators, and two operators at the same time, during many terminations."""

import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from functools import partial

import pytest

from tests.faults.harness.batch import TerminationBatch
from tests.faults.harness.cluster import FaultCluster
from tests.faults.harness.matrix import RECORD, TERMINATE
from tests.faults.harness.operators import ForkedOperator
from tests.support.faults import Fault, Rule
from tests.support.installed import wait_until_enforced
from tests.support.operator import ACCOUNT, NAMESPACE
from tests.support.waiting import wait_for

UNLIMITED = 10_000
"""More requests than any test makes."""


@pytest.fixture
def second(cluster: FaultCluster) -> Iterator[ForkedOperator]:
    """A second operator. It is not started."""
    operator = cluster.new_operator("second")
    yield operator
    operator.kill()


def test_two_operators(cluster: FaultCluster, second: ForkedOperator) -> None:
    batch = TerminationBatch(cluster, "two")
    batch.begin()
    second.start()
    cluster.faults.add(Rule(Fault.SLOW, TERMINATE, times=UNLIMITED, delay=0.2))
    batch.ask()
    assert batch.violations() == []
    assert batch.calls() > len(batch.names), "the two operators never terminated the same run"


def test_the_api_server_restarts(cluster: FaultCluster) -> None:
    batch, rule = (
        TerminationBatch(cluster, "api"),
        Rule(Fault.SLOW, RECORD, skip=20, delay=0, then=cluster.control_plane.stop_apiserver),
    )
    _start_under_load(cluster, batch, rule)
    cluster.control_plane.start_apiserver()
    wait_until_enforced(cluster.control_plane)
    assert batch.violations() == []


def test_temporal_restarts(cluster: FaultCluster) -> None:
    batch, rule = (
        TerminationBatch(cluster, "temporal"),
        Rule(Fault.SLOW, TERMINATE, skip=20, delay=0, then=cluster.temporal.kill),
    )
    _start_under_load(cluster, batch, rule)
    cluster.temporal.start()
    assert batch.violations() == []


def test_sigterm_under_load(cluster: FaultCluster) -> None:
    batch, rule = (
        TerminationBatch(cluster, "sigterm"),
        Rule(Fault.SLOW, RECORD, skip=5, delay=0, then=cluster.operator.terminate),
    )
    slow, stuck = Rule(Fault.SLOW, TERMINATE, times=UNLIMITED), Rule(Fault.SWALLOWED, TERMINATE, batch.names[-1])
    _start_under_load(cluster, batch, rule, stuck, slow)
    start = time.monotonic()
    assert cluster.operator.ended() == 0
    assert time.monotonic() - start < 10
    cluster.ensure_operator()
    assert batch.violations() == []


def test_token_rotation(cluster: FaultCluster) -> None:
    """The token file gets a new token, and the old token is revoked."""
    cluster.operator.kill()
    kubectl, before, after = (
        cluster.control_plane.kubectl,
        TerminationBatch(cluster, "old-token", 5),
        TerminationBatch(cluster, "new-token", 5),
    )
    kubectl("create", "secret", "generic", "old", "--namespace", NAMESPACE)
    bound = ("--bound-object-kind=Secret", "--bound-object-name=old")
    old = kubectl("create", "token", ACCOUNT, "--namespace", NAMESPACE, *bound).stdout.strip()
    file = cluster.fork_server.folder / "token"
    file.write_text(old)
    operator = cluster.new_operator("rotated", cluster.kubeconfig("rotated", {"tokenFile": str(file)}))
    operator.start()
    _terminate_all(before)
    file.write_text(cluster.token())
    kubectl("delete", "secret", "old", "--namespace", NAMESPACE)
    wait_for(partial(_refused, cluster, old), "the old token to be refused")
    cluster.api.break_all()
    _terminate_all(after)
    operator.kill()


def _start_under_load(cluster: FaultCluster, batch: TerminationBatch, rule: Rule, *others: Rule) -> None:
    """Start the operator with all requests pending. Return once the rule has taken effect."""
    cluster.operator.kill()
    batch.begin()
    batch.ask()
    cluster.faults.add(rule, *others)
    cluster.operator.launch()
    assert rule.fired.wait(30)


def _terminate_all(batch: TerminationBatch) -> None:
    batch.begin()
    batch.ask()
    assert batch.violations() == []


def _refused(cluster: FaultCluster, token: str) -> bool:
    url = f"{cluster.control_plane.url}/api/v1/namespaces/{NAMESPACE}/secrets"
    trust = ssl.create_default_context(cafile=cluster.control_plane.folder / "ca.crt")
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"})
    try:
        urllib.request.urlopen(request, context=trust).close()
    except urllib.error.HTTPError as refusal:
        refusal.close()
        return refusal.code == 401
    return False
