"""Many workflows of a namespace close at the same time. The operator lists their Executions instead of reading each."""

import asyncio

from tests.faults.harness.cluster import FaultCluster
from tests.support.faults import Call, Fault, Rule
from tests.support.kube import Json
from tests.support.waiting import wait_for
from tests.support.workflows import Agent, Stubborn

GRACEFUL = "mass-close-graceful"
"""An Execution whose grace period ends in an hour."""

GRPC_UNAVAILABLE = 14
"""The gRPC status code of an unavailable server."""

NAMES = [GRACEFUL, *(f"mass-close-{number}" for number in range(80))]


def test_all_are_recorded_although_the_first_list_fails(cluster: FaultCluster) -> None:
    for name in NAMES:
        cluster.samples.begin(Stubborn if name == GRACEFUL else Agent, name)
        cluster.kube.create(name, "team-c")
    wait_for(lambda: all(one.get("status", {}).get("runId") for one in _found(cluster)), "the operator to pin all runs")
    cluster.kube.terminate(GRACEFUL, "please", "team-c", gracePeriodSeconds=3600)
    cluster.until(GRACEFUL, "team-c", Terminated="False/GracePeriod")
    reads = cluster.faults.passed[Call("get executions")]
    refused = Rule(Fault.REFUSED, "get executions", code=500)
    blind = [
        Rule(Fault.REFUSED, f"{verb}WorkflowExecutions", times=1000, code=GRPC_UNAVAILABLE)
        for verb in ("List", "Count")
    ]
    cluster.faults.add(refused, *blind)
    cluster.samples.do(_end(cluster))
    wait_for(lambda: cluster.samples.do(_closed(cluster)) == len(NAMES), "visibility to show all closed runs")
    for rule in blind:  # the next poll sees all of them
        rule.times = 0
    wait_for(
        lambda: all(one["status"]["phase"] == "cancelled" for one in _found(cluster)), "all Executions to be cancelled"
    )
    assert refused.fired.is_set()
    assert cluster.faults.passed[Call("get executions")] - reads < len(NAMES) / 2


def _found(cluster: FaultCluster) -> list[Json]:
    found = [one for one in cluster.kube.list("team-c") if one["metadata"]["name"] in NAMES]
    assert len(found) == len(NAMES)
    return found


async def _closed(cluster: FaultCluster) -> int:
    query = "WorkflowId STARTS_WITH 'mass-close-' AND ExecutionStatus = 'Terminated'"
    return (await cluster.samples.client.count_workflows(query)).count


async def _end(cluster: FaultCluster) -> None:
    await asyncio.gather(*(cluster.samples.client.get_workflow_handle(name).terminate() for name in NAMES))
