"""Error responses of the API server and of Temporal. The operator retries, and all requests succeed soon."""

import pytest
from temporalio.service import RPCStatusCode

from execution_operator.kube.records import CLOSED, OPEN, UNANSWERED
from tests.faults.harness.batch import TerminationBatch
from tests.faults.harness.cluster import FaultCluster
from tests.faults.harness.matrix import CLOSING, DESCRIBE, OWNER, RECORD, TERMINATE
from tests.support.faults import Fault, Rule

TIMEOUT_SECONDS = 20.0
"""Time for all outcomes. It is much shorter than the time to the next relist, which would find missed objects, too."""

READS = ("watch executions", "watch organizations", "get executions", "get organizations")
WRITES = ("pin status", RECORD, "create event")


def test_expired_watches(cluster: FaultCluster) -> None:
    watches = [Rule(Fault.EXPIRED, "expire watch", selector) for selector in (UNANSWERED, OPEN, CLOSED)]
    batch = TerminationBatch(cluster, "expired", 10)
    batch.begin()
    cluster.faults.add(*watches)
    cluster.api.break_all()
    assert all(rule.fired.wait(20) for rule in watches)
    batch.ask()
    assert batch.violations(TIMEOUT_SECONDS) == []


@pytest.mark.parametrize("code", [401, 403, 429, 500, 503])
def test_the_api_server_returns_errors(cluster: FaultCluster, code: int) -> None:
    reads = [Rule(Fault.REFUSED, operation, times=2, code=code) for operation in READS]
    not_retried = ["create event"] if code == 403 else []  # a forbidden Event is logged
    writes = [Rule(Fault.REFUSED, what, times=5, code=code) for what in WRITES if what not in not_retried]
    batch = TerminationBatch(cluster, f"refused-{code}", 10)
    batch.begin()
    cluster.faults.add(*reads, *writes)
    cluster.api.break_all()
    assert reads[0].fired.wait(10)
    batch.ask()
    assert batch.violations(TIMEOUT_SECONDS) == []
    assert all(rule.fired.is_set() for rule in writes)


def test_temporal_is_overloaded(cluster: FaultCluster) -> None:
    code = RPCStatusCode.RESOURCE_EXHAUSTED
    rules = [Rule(Fault.REFUSED, rpc, times=10, code=code) for rpc in (DESCRIBE, OWNER, TERMINATE, CLOSING)]
    batch = TerminationBatch(cluster, "exhausted", 10)
    batch.begin()
    cluster.faults.add(*rules)
    batch.ask()
    assert batch.violations(TIMEOUT_SECONDS) == []
    assert all(rule.fired.is_set() for rule in rules)
