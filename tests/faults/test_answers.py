"""Answers that mean `not now` or `not like this`: the operator asks again, and all is settled soon."""

import pytest
from temporalio.service import RPCStatusCode

from execution_operator.kube.records import CLOSED, OPEN, UNANSWERED
from tests.faults.crowd import Crowd
from tests.faults.matrix import CLOSING, DESCRIBE, OWNER, RECORD, TERMINATE
from tests.faults.rig import Rig
from tests.support.faults import Fault, Rule

SOON = 20.0
"""Seconds: much less than the time between two sweeps, which would find all that a watch has missed."""

READS = ("watch executions", "watch organizations", "get executions", "get organizations")
WRITES = ("pin status", RECORD, "create event")


def test_the_watches_are_too_old(rig: Rig) -> None:
    watches = [Rule(Fault.EXPIRED, "expire watch", selector) for selector in (UNANSWERED, OPEN, CLOSED)]
    crowd = Crowd(rig, "expired", 10)
    crowd.begin()
    rig.faults.add(*watches)
    rig.api.break_all()
    assert all(rule.fired.wait(20) for rule in watches)
    crowd.ask()
    assert crowd.violations(SOON) == []


@pytest.mark.parametrize("code", [401, 403, 429, 500, 503])
def test_the_api_server_refuses(rig: Rig, code: int) -> None:
    reads = [Rule(Fault.REFUSED, operation, times=2, code=code) for operation in READS]
    hopeless = ["create event"] if code == 403 else []  # it is told in the log then, and not tried again
    writes = [Rule(Fault.REFUSED, what, times=5, code=code) for what in WRITES if what not in hopeless]
    crowd = Crowd(rig, f"refused-{code}", 10)
    crowd.begin()
    rig.faults.add(*reads, *writes)
    rig.api.break_all()
    assert reads[0].fired.wait(10)
    crowd.ask()
    assert crowd.violations(SOON) == []
    assert all(rule.fired.is_set() for rule in writes)


def test_temporal_is_exhausted(rig: Rig) -> None:
    code = RPCStatusCode.RESOURCE_EXHAUSTED
    rules = [Rule(Fault.REFUSED, rpc, times=10, code=code) for rpc in (DESCRIBE, OWNER, TERMINATE, CLOSING)]
    crowd = Crowd(rig, "exhausted", 10)
    crowd.begin()
    rig.faults.add(*rules)
    crowd.ask()
    assert crowd.violations(SOON) == []
    assert all(rule.fired.is_set() for rule in rules)
