"""More requests than an operator has room for: none is lost, and what becomes of one that waits outside is seen."""

from pathlib import Path

from temporalio.service import RPCStatusCode

from tests.faults.builds import LITTLE_ROOM, running
from tests.faults.crowd import Crowd
from tests.faults.matrix import TERMINATE
from tests.faults.rig import Rig
from tests.support.faults import Fault, Rule
from tests.support.waiting import wait_for
from tests.support.workflows import Agent

ALWAYS = 10_000


def test_a_crowd_that_fails_waits_outside_and_keeps_nobody_else_waiting(rig: Rig, tmp_path: Path) -> None:
    crowd = Crowd(rig, "outside")
    crowd.begin()
    for name in ("outside-withdrawn", "outside-deleted"):
        _seen(rig, name)
    _seen(rig, "outside-other", "globex", "team-b")
    refusals = [
        Rule(Fault.REFUSED, TERMINATE, name, times=ALWAYS, code=RPCStatusCode.UNAVAILABLE) for name in crowd.names
    ]
    with running(rig, LITTLE_ROOM, tmp_path):
        rig.faults.add(*refusals)
        crowd.ask()
        for name in ("outside-withdrawn", "outside-deleted"):
            rig.kube.terminate(name, "over")
        rig.kube.terminate("outside-other", "over", "team-b")
        rig.until("outside-other", "team-b", Terminated="True/Terminated")  # the stream has brought all before it
        rig.kube.patch("outside-withdrawn", {"spec": {"terminate": None}})
        rig.kube.delete("outside-deleted")
        wait_for(lambda: rig.samples.status("outside-deleted") == "TERMINATED", "the end of what was deleted")
        tried = [name for name in crowd.names if rig.faults.asked[name]]
        assert 0 < len(tried) <= 10
        rig.faults.clear()
        assert crowd.violations() == []
    assert rig.samples.status("outside-withdrawn") == "RUNNING"


def _seen(rig: Rig, name: str, organization: str = "acme", namespace: str = "team-a") -> None:
    rig.samples.begin(Agent, name, organization=organization)
    rig.kube.create(name, namespace)
    rig.until(name, namespace, Finished="False/Open")
