"""Disruptions of the operator's pods in a cluster. Users must not notice any of them."""

import json
from dataclasses import dataclass

from tests.demo.screen import Screen
from tests.e2e.kind_stack import NEXT, KindStack
from tests.e2e.load import Load
from tests.support.waiting import wait_for

BUDGET = "violate the pod's disruption budget"
"""The message for an eviction that the PodDisruptionBudget does not allow."""


@dataclass(frozen=True)
class Disruptions:
    """Runs each disruption under a continuous load of terminations."""

    stack: KindStack
    load: Load
    screen: Screen

    def upgrade(self) -> None:
        """Roll the operator out with another image, as `helm upgrade` does."""
        self.screen.title("rolling upgrade: the next image, by helm upgrade")
        operators, begun = self.stack.operators, self.load.begun()
        with operators.counted() as ready:
            self.stack.chart.run(self.stack.control_plane, "upgrade", f"--set=image.tag={NEXT}")
            operators.rolled_out()
            wait_for(lambda: len(operators.pods()) == 2, "the old pods to be gone", seconds=60)
        self._led()
        images = {of.rpartition(":")[2] for of in operators.images()}
        self.screen.promise("all pods run the next image", kept=images == {NEXT}, found=images)
        self.screen.promise("two operators were ready all the time", kept=min(ready) >= 2, found=min(ready))
        self._answers(begun)

    def kill(self) -> None:
        """Delete the leader's pod by force."""
        leader, begun = self.stack.operators.leader(), self.load.begun()
        self.screen.title(f"the leader's pod {leader} is deleted by force")
        force = ("--force", "--grace-period=0", "--wait=false")
        self.stack.control_plane.kubectl("delete", "pod", leader, f"--namespace={self.stack.chart.namespace}", *force)
        self._asked(f"killed-{leader[-5:]}")
        successor = self._led(unlike=leader)
        self.screen.promise("another pod leads", kept=successor != leader, found=successor)
        self.stack.operators.rolled_out()
        self._answers(begun)

    def drain(self) -> None:
        """Drain the leader's node of operators, and make it schedulable again."""
        operators, cluster, begun = self.stack.operators, self.stack.control_plane, self.load.begun()
        leader = operators.leader()
        node = next(pod["spec"]["nodeName"] for pod in operators.pods() if pod["metadata"]["name"] == leader)
        alone = len(cluster.kube.call("GET", "/api/v1/nodes")["items"]) == 1
        self.screen.title(f"the node of the leader, {node}, is drained of operators, and uncordoned")
        with operators.counted() as ready:
            options = (f"--pod-selector={operators.selector}", "--timeout=20s")
            drained = cluster.kubectl("drain", node, *options, check=False)
            self.screen.command(f"kubectl drain {node} --pod-selector=…", _first_lines(drained.stdout + drained.stderr))
            if alone:
                held = drained.returncode != 0 and BUDGET in drained.stderr
                self.screen.promise(
                    "there is no other node, so the PodDisruptionBudget keeps one operator",
                    kept=held,
                    found=drained.stderr,
                )
            else:
                moved = {pod["spec"].get("nodeName") for pod in operators.ready()}
                self.screen.promise("the operators run on other nodes", kept=node not in moved, found=moved)
            self._asked("drained")
            cluster.kubectl("uncordon", node)
            operators.rolled_out()
        self.screen.promise("an operator was ready all the time", kept=min(ready) >= 1, found=min(ready))
        self.screen.promise("both operators are ready once the node is back", kept=len(operators.ready()) == 2)
        self._answers(begun)

    def _led(self, unlike: str = "") -> str:
        """Wait until another existing pod leads."""

        def leads() -> str:
            leader = self.stack.operators.leader()
            there = {pod["metadata"]["name"] for pod in self.stack.operators.pods()}
            return leader if leader in there - {unlike} else ""

        return wait_for(leads, "a leader", seconds=60)

    def _asked(self, name: str) -> None:
        """Make a request in the middle of the disruption."""
        seconds = self.load.answered_one(name)
        self.screen.say(f"a request at that moment got its outcome after {seconds:.1f} s")

    def _answers(self, begun: int) -> None:
        more = self.load.begun() - begun
        self.screen.say(f"{more} requests were made meanwhile; outcomes so far: {json.dumps(self.load.answers)}")


def _first_lines(text: str, lines: int = 6) -> str:
    return "\n".join(text.strip().splitlines()[:lines])
