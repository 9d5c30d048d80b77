"""Servers and operators that end, come back, or are two, in the middle of many terminations."""

import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from functools import partial

import pytest

from tests.faults.crowd import Crowd
from tests.faults.matrix import RECORD, TERMINATE
from tests.faults.operators import ForkedOperator
from tests.faults.rig import Rig
from tests.support.faults import Fault, Rule
from tests.support.installed import wait_until_enforced
from tests.support.operator import ACCOUNT, NAMESPACE
from tests.support.waiting import wait_for

MANY = 10_000


@pytest.fixture
def second(rig: Rig) -> Iterator[ForkedOperator]:
    """Another operator beside the first, not started."""
    operator = rig.new_operator("second")
    yield operator
    operator.kill()


def test_two_operators(rig: Rig, second: ForkedOperator) -> None:
    crowd = Crowd(rig, "two")
    crowd.begin()
    second.start()
    rig.faults.add(Rule(Fault.SLOW, TERMINATE, times=MANY, delay=0.2))
    crowd.ask()
    assert crowd.violations() == []
    assert crowd.calls() > len(crowd.names), "the two never met"


def test_the_api_server_restarts(rig: Rig) -> None:
    crowd, rule = Crowd(rig, "api"), Rule(Fault.SLOW, RECORD, skip=20, delay=0, then=rig.control_plane.stop_apiserver)
    _in_the_middle(rig, crowd, rule)
    rig.control_plane.start_apiserver()
    wait_until_enforced(rig.control_plane)
    assert crowd.violations() == []


def test_temporal_restarts(rig: Rig) -> None:
    crowd, rule = Crowd(rig, "temporal"), Rule(Fault.SLOW, TERMINATE, skip=20, delay=0, then=rig.temporal.kill)
    _in_the_middle(rig, crowd, rule)
    rig.temporal.start()
    assert crowd.violations() == []


def test_sigterm_under_load(rig: Rig) -> None:
    crowd, rule = Crowd(rig, "sigterm"), Rule(Fault.SLOW, RECORD, skip=5, delay=0, then=rig.operator.terminate)
    slow, stuck = Rule(Fault.SLOW, TERMINATE, times=MANY), Rule(Fault.SWALLOWED, TERMINATE, crowd.names[-1])
    _in_the_middle(rig, crowd, rule, stuck, slow)
    start = time.monotonic()
    assert rig.operator.ended() == 0
    assert time.monotonic() - start < 10
    rig.ensure_operator()
    assert crowd.violations() == []


def test_the_token_is_rotated(rig: Rig) -> None:
    """The file has a new token, and the old one is worth nothing any more."""
    rig.operator.kill()
    kubectl, before, after = rig.control_plane.kubectl, Crowd(rig, "old-token", 5), Crowd(rig, "new-token", 5)
    kubectl("create", "secret", "generic", "old", "--namespace", NAMESPACE)
    bound = ("--bound-object-kind=Secret", "--bound-object-name=old")
    old = kubectl("create", "token", ACCOUNT, "--namespace", NAMESPACE, *bound).stdout.strip()
    file = rig.forge.folder / "token"
    file.write_text(old)
    operator = rig.new_operator("rotated", rig.kubeconfig("rotated", {"tokenFile": str(file)}))
    operator.start()
    _settle(before)
    file.write_text(rig.token())
    kubectl("delete", "secret", "old", "--namespace", NAMESPACE)
    wait_for(partial(_refused, rig, old), "the old token to be refused")
    rig.api.break_all()
    _settle(after)
    operator.kill()


def _in_the_middle(rig: Rig, crowd: Crowd, rule: Rule, *others: Rule) -> None:
    """Have all requests there when the operator starts; return once the rule has been carried out."""
    rig.operator.kill()
    crowd.begin()
    crowd.ask()
    rig.faults.add(rule, *others)
    rig.operator.launch()
    assert rule.fired.wait(30)


def _settle(crowd: Crowd) -> None:
    crowd.begin()
    crowd.ask()
    assert crowd.violations() == []


def _refused(rig: Rig, token: str) -> bool:
    url = f"{rig.control_plane.url}/api/v1/namespaces/{NAMESPACE}/secrets"
    trust = ssl.create_default_context(cafile=rig.control_plane.folder / "ca.crt")
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"})
    try:
        urllib.request.urlopen(request, context=trust).close()
    except urllib.error.HTTPError as refusal:
        refusal.close()
        return refusal.code == 401
    return False
