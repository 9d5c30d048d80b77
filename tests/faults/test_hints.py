"""Many workflows of a namespace end at once: their Executions are listed, not read one by one, and none is left out."""

import asyncio

from tests.faults.rig import Rig
from tests.support.faults import Call, Fault, Rule
from tests.support.kube import Json
from tests.support.waiting import wait_for
from tests.support.workflows import Agent, Stubborn

GRACEFUL = "hinted-graceful"
"""Its request waits for its deadline, in an hour."""

UNAVAILABLE = 14
"""gRPC's."""

NAMES = [GRACEFUL, *(f"hinted-{number}" for number in range(80))]


def test_they_show_also_where_the_first_list_fails(rig: Rig) -> None:
    for name in NAMES:
        rig.samples.begin(Stubborn if name == GRACEFUL else Agent, name)
        rig.kube.create(name, "team-c")
    wait_for(lambda: all(one.get("status", {}).get("runId") for one in _found(rig)), "their first looks")
    rig.kube.terminate(GRACEFUL, "please", "team-c", gracePeriodSeconds=3600)
    rig.until(GRACEFUL, "team-c", Terminated="False/GracePeriod")
    reads = rig.faults.passed[Call("get executions")]
    refused = Rule(Fault.REFUSED, "get executions", code=500)
    blind = [
        Rule(Fault.REFUSED, f"{verb}WorkflowExecutions", times=1000, code=UNAVAILABLE) for verb in ("List", "Count")
    ]
    rig.faults.add(refused, *blind)
    rig.samples.do(_end(rig))
    wait_for(lambda: rig.samples.do(_closed(rig)) == len(NAMES), "visibility to have them all")
    for rule in blind:  # the feed sees them at one look now
        rule.times = 0
    wait_for(lambda: all(one["status"]["phase"] == "cancelled" for one in _found(rig)), "all to show")
    assert refused.fired.is_set()
    assert rig.faults.passed[Call("get executions")] - reads < len(NAMES) / 2


def _found(rig: Rig) -> list[Json]:
    found = [one for one in rig.kube.list("team-c") if one["metadata"]["name"] in NAMES]
    assert len(found) == len(NAMES)
    return found


async def _closed(rig: Rig) -> int:
    query = "WorkflowId STARTS_WITH 'hinted-' AND ExecutionStatus = 'Terminated'"
    return (await rig.samples.client.count_workflows(query)).count


async def _end(rig: Rig) -> None:
    await asyncio.gather(*(rig.samples.client.get_workflow_handle(name).terminate() for name in NAMES))
