"""Many terminations at once, and what must be true of all of them in the end."""

from collections import Counter
from collections.abc import Sequence

from tests.faults.matrix import TERMINATE
from tests.faults.rig import Rig
from tests.faults.truth import untrue
from tests.support.faults import Call
from tests.support.waiting import wait_for
from tests.support.workflows import Agent


class Crowd:
    """Workflows of acme's, each with an Execution that asks for its end.

    Args:
        rig: The servers.
        name: What their names begin with.
        size: How many.
    """

    def __init__(self, rig: Rig, name: str, size: int = 50) -> None:
        self._rig = rig
        self.names: Sequence[str] = [f"{name}-{number}" for number in range(size)]

    def begin(self) -> None:
        """Start the workflows."""
        for name in self.names:
            self._rig.samples.begin(Agent, name)

    def ask(self) -> None:
        """Create the Executions, each with its request."""
        for name in self.names:
            self._rig.kube.create(name, terminate={"reason": f"end of {name}"})

    def calls(self) -> int:
        """Return how often their termination was asked of Temporal."""
        return sum(self._rig.faults.passed[Call(TERMINATE, name)] for name in self.names)

    def violations(self, seconds: float = 60) -> list[str]:
        """Wait until all are settled and told of; return what is not as promised."""
        executions = self._rig.settled(self.names, seconds=seconds)
        wrong = [
            f"{name}: {fault}"
            for name in self.names
            for fault in untrue(executions[name], self._rig.history(name, executions[name]["status"]["runId"]))
        ]
        wait_for(self._all_told, "an Event of each", seconds)
        events = self._events()
        return wrong + [f"{name}: {events[name]} Events" for name in self.names if events[name] > 1]

    def _all_told(self) -> bool:
        events = self._events()
        return all(events[name] for name in self.names)

    def _events(self) -> Counter[str]:
        events = self._rig.kube.events()
        return Counter(event["involvedObject"]["name"] for event in events if event["reason"] == "Terminated")
