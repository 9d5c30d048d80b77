"""Many terminations at the same time, and checks of all their outcomes."""

from collections import Counter
from collections.abc import Sequence

from tests.faults.harness.cluster import FaultCluster
from tests.faults.harness.history_checks import check_terminated
from tests.faults.harness.matrix import TERMINATE
from tests.support.faults import Call
from tests.support.waiting import wait_for
from tests.support.workflows import Agent


class TerminationBatch:
    """Workflows of the organization acme, each with an Execution that requests its termination.

    Args:
        cluster: The servers.
        name: The prefix of all workflow IDs and Execution names.
        size: The number of workflows.
    """

    def __init__(self, cluster: FaultCluster, name: str, size: int = 50) -> None:
        self._cluster = cluster
        self.names: Sequence[str] = [f"{name}-{number}" for number in range(size)]

    def begin(self) -> None:
        """Start the workflows."""
        for name in self.names:
            self._cluster.samples.begin(Agent, name)

    def ask(self) -> None:
        """Create the Executions, each with `spec.terminate`."""
        for name in self.names:
            self._cluster.kube.create(name, terminate={"reason": f"end of {name}"})

    def calls(self) -> int:
        """Count the terminate calls to Temporal for these workflows."""
        return sum(self._cluster.faults.passed[Call(TERMINATE, name)] for name in self.names)

    def violations(self, seconds: float = 60) -> list[str]:
        """Wait until each Execution has an outcome and an Event. Return the violations of the contract."""
        executions = self._cluster.settled(self.names, seconds=seconds)
        wrong = [
            f"{name}: {fault}"
            for name in self.names
            for fault in check_terminated(
                executions[name], self._cluster.history(name, executions[name]["status"]["runId"])
            )
        ]
        wait_for(self._all_reported, "an Event for each Execution", seconds)
        events = self._events()
        return wrong + [f"{name}: {events[name]} Events" for name in self.names if events[name] > 1]

    def _all_reported(self) -> bool:
        events = self._events()
        return all(events[name] for name in self.names)

    def _events(self) -> Counter[str]:
        events = self._cluster.kube.events()
        return Counter(event["involvedObject"]["name"] for event in events if event["reason"] == "Terminated")
