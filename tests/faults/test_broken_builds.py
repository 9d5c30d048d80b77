"""Four promises. The product keeps each of them, and a build with one change breaks it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import pairwise
from pathlib import Path

import pytest
from temporalio.service import RPCStatusCode

from tests.faults.harness.builds import INDEX_NOT_AWAITED, PIN_REMOVED, RECORD_BEFORE_OBSERVE, RETRY_ON
from tests.faults.harness.cluster import FaultCluster, OtherOrganization
from tests.faults.harness.history_checks import check_terminated, outcome_of
from tests.faults.harness.matrix import OWNER, TERMINATE
from tests.faults.harness.operators import ForkServer
from tests.support.faults import Fault, Rule
from tests.support.kube import conditions_of
from tests.support.mutation import Build
from tests.support.waiting import wait_for
from tests.support.workflows import Agent

Promise = Callable[[FaultCluster, str], bool]
"""Runs a scenario with an Execution of this name. Returns whether the promise was kept."""


def terminates_only_the_pinned_run(cluster: FaultCluster, name: str) -> bool:
    """A newer run that has reused the workflow ID is not terminated."""
    first = cluster.samples.begin(Agent, name).result_run_id
    runs: list[str | None] = []

    def reuse() -> None:
        cluster.samples.do(
            cluster.samples.client.get_workflow_handle(name, run_id=first).terminate(reason="by its owner")
        )
        runs.append(cluster.samples.begin(Agent, name).result_run_id)

    cluster.faults.add(Rule(Fault.SLOW, OWNER, name, delay=0, then=reuse))
    cluster.kube.create(name, terminate={"reason": "the first one"})
    wait_for(partial(_answer, cluster, name), "an answer")
    return _answer(cluster, name) == "AlreadyClosed" and cluster.samples.status(name, runs[0]) == "RUNNING"


def describes_before_it_retries(cluster: FaultCluster, name: str) -> bool:
    """After a terminate call without an answer, the run is described before the next terminate call."""
    cluster.samples.begin(Agent, name)
    cluster.faults.add(Rule(Fault.REFUSED, TERMINATE, name, code=RPCStatusCode.UNAVAILABLE))
    cluster.kube.create(name, terminate={"reason": "try again"})
    wait_for(partial(_answer, cluster, name), "an answer")
    return (TERMINATE, TERMINATE) not in pairwise(cluster.faults.asked[name])


def records_only_observed_terminations(cluster: FaultCluster, name: str) -> bool:
    """A terminate call that never reached Temporal is not recorded as a termination."""
    cluster.samples.begin(Agent, name)
    cluster.faults.add(Rule(Fault.CUT, TERMINATE, name))
    cluster.kube.create(name, terminate={"reason": "never arrives"})
    wait_for(partial(_answer, cluster, name), "an answer")
    return not check_terminated(cluster.kube.get(name), cluster.history(name))


def decides_only_with_all_organizations(cluster: FaultCluster, name: str) -> bool:
    """An operator that has not read the Organizations yet writes no decision."""
    cluster.operator.kill()
    cluster.samples.begin(Agent, name)
    cluster.kube.create(name, terminate={"reason": "patience"})
    cluster.faults.add(Rule(Fault.SLOW, "get organizations", delay=2))
    cluster.operator.launch()
    return wait_for(partial(_decision, cluster, name), "a decision") == "True/Terminated"


PROMISES: dict[str, tuple[Promise, Build]] = {
    "pin removed": (terminates_only_the_pinned_run, PIN_REMOVED),
    "retry on": (describes_before_it_retries, RETRY_ON),
    "record before observe": (records_only_observed_terminations, RECORD_BEFORE_OBSERVE),
    "index not awaited": (decides_only_with_all_organizations, INDEX_NOT_AWAITED),
}


@pytest.mark.parametrize("keeps", [keeps for keeps, _ in PROMISES.values()], ids=PROMISES)
def test_the_product_keeps_the_promise(cluster: FaultCluster, keeps: Promise) -> None:
    assert keeps(cluster, f"sound-{keeps.__name__.replace('_', '-')}")


@pytest.mark.parametrize(("keeps", "build"), PROMISES.values(), ids=PROMISES)
def test_the_broken_build_breaks_the_promise(
    cluster: FaultCluster, other_organization: OtherOrganization, tmp_path: Path, keeps: Promise, build: Build
) -> None:
    with _running(cluster, build, tmp_path):
        assert not keeps(cluster, f"broken-{keeps.__name__.replace('_', '-')}")
    cluster.faults.clear()
    cluster.ensure_operator()
    other_organization.wait_until_corrected()


@contextmanager
def _running(cluster: FaultCluster, build: Build, folder: Path) -> Iterator[None]:
    """Run the broken build instead of the product."""
    with (
        ForkServer(build.make(folder)) as fork_server,
        cluster.operated_by(cluster.new_operator("broken", fork_server=fork_server)),
    ):
        yield


def _answer(cluster: FaultCluster, name: str) -> str:
    return outcome_of(cluster.kube.get(name))


def _decision(cluster: FaultCluster, name: str) -> str:
    """Return the condition Terminated. Empty while the request is in progress."""
    shown = conditions_of(cluster.kube.get(name)).get("Terminated", "")
    return "" if shown.startswith("Unknown/") or shown.endswith("/Pending") else shown
