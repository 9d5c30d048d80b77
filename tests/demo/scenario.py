"""The steps of the demo, as the user alice, and the checks of their results."""

import shlex
import statistics
from pathlib import Path

from tests.demo.latency import patch_to_cancelled
from tests.demo.screen import Screen
from tests.support.kube import conditions_of
from tests.support.stack import Object, Stack
from tests.support.workflows import Agent, Done, Stubborn

RESOURCES = Path(__file__).with_name("resources.yaml")
SAMPLES = 20
"""The number of timed terminations."""


class Scenario:
    """The user alice may edit and terminate Executions in team-a and in nobodys, and nothing else."""

    def __init__(self, stack: Stack, screen: Screen) -> None:
        self.stack, self.screen = stack, screen
        self.alice = stack.control_plane.kubeconfig_for_user("alice")

    def prepare(self) -> None:
        """Start the workflows, and create Organizations and Executions as the administrator."""
        begin = self.stack.samples.begin
        begin(Agent, "research")
        begin(Stubborn, "stubborn")
        begin(Done, "report")
        begin(Agent, "billing", organization="globex")
        for namespace in ("team-a", "team-b", "nobodys"):
            self.stack.namespace(namespace)
            for role in ("execution-editor", "execution-terminator", "system:aggregate-to-view"):
                binding = (
                    "create",
                    "rolebinding",
                    f"alice-{role.replace(':', '-')}",
                    f"--clusterrole={role}",
                    "--user=alice",
                )
                self.stack.control_plane.kubectl(*binding, f"--namespace={namespace}")
        self.stack.control_plane.kubectl("apply", "-f", RESOURCES)
        self.stack.until("stubborn", Finished="False/Open")
        self.stack.until("report", Finished="True/Completed")
        self.stack.until("research", "nobodys", Stalled="True/NamespaceNotMapped")
        self.stack.until("billing", Stalled="True/OrganizationMismatch")

    def kubectl(self, line: str) -> str:
        """Run a kubectl command as alice, and print it with its output."""
        result = self.stack.control_plane.kubectl(*shlex.split(line), kubeconfig=self.alice, check=False)
        self.screen.command(f"kubectl {line}", result.stdout + result.stderr)
        return result.stdout

    def terminate(self, name: str, reason: str, namespace: str = "team-a") -> None:
        """Set `spec.terminate` by a patch, as users do."""
        patch = f'{{"spec":{{"terminate":{{"reason":"{reason}"}}}}}}'
        self.kubectl(f"patch execution {name} -n {namespace} --type=merge -p '{patch}'")

    def main_job(self) -> None:
        """Terminate two workflows, one of which ignores cancellation."""
        self.screen.title("alice terminates two workflows; the second ignores every cancellation")
        self.kubectl("get executions -n team-a")
        for name, reason in (("research", "runaway cost"), ("stubborn", "ignores cancellation")):
            self.terminate(name, reason)
            self.kubectl(f"wait execution/{name} -n team-a --for=condition=Finished --timeout=10s")
        for name, reason in (("research", "runaway cost"), ("stubborn", "ignores cancellation")):
            self._compare(name, reason)
        self.screen.title("the second Execution in kubectl describe")
        self.kubectl("describe execution stubborn -n team-a")

    def _compare(self, name: str, reason: str) -> None:
        """Compare the status with Temporal's close event."""
        status = self.stack.get(name)["status"]
        event = self.stack.samples.last_event(name)
        attributes = event.workflow_execution_terminated_event_attributes
        self.screen.title(f"the close event of {name} in Temporal's history")
        self.screen.say(f"{event.event_time.ToJsonString()}  WorkflowExecutionTerminated")
        self.screen.say(f"reason: {attributes.reason}   identity: {attributes.identity}")
        self.screen.say(f"details: {attributes.details.payloads[0].data.decode()}")
        ended = self.stack.samples.status(name)
        self.screen.promise("Temporal shows the workflow as terminated", kept=ended == "TERMINATED", found=ended)
        self.screen.promise(
            "the reason in Temporal is alice's, verbatim", kept=attributes.reason == reason, found=attributes.reason
        )
        self.screen.promise(
            "the Execution's phase is cancelled", kept=status["phase"] == "cancelled", found=status["phase"]
        )
        same = status["terminatedAt"] == event.event_time.ToJsonString()
        self.screen.promise(
            "terminatedAt is the time of the event, to the nanosecond", kept=same, found=status["terminatedAt"]
        )
        requester = status["termination"].get("requestedBy")
        self.screen.promise(
            "requestedBy is alice, as the API server authenticated her", kept=requester == "alice", found=requester
        )

    def refusals(self) -> None:
        """Make three requests that must be refused."""
        self.screen.title("three requests that must be refused")
        self._refuse("research", "nobodys", "False/NamespaceNotMapped")
        self._refuse("billing", "team-a", "False/OrganizationMismatch")
        self._refuse("report", "team-a", "False/AlreadyClosed")
        running = self.stack.samples.status("billing")
        self.screen.promise("the workflow of globex is still running", kept=running == "RUNNING", found=running)
        phase = self.stack.get("report")["status"]["phase"]
        self.screen.promise("the finished workflow stays completed", kept=phase == "completed", found=phase)

    def _refuse(self, name: str, namespace: str, condition: str) -> None:
        self.terminate(name, "let me", namespace)
        execution = self._answered(name, namespace)
        found = conditions_of(execution).get("Terminated")
        messages = [item["message"] for item in execution["status"]["conditions"] if item["type"] == "Terminated"]
        self.screen.promise(f"{namespace}/{name}: {condition}", kept=found == condition, found=found)
        self.screen.say(f"  {''.join(messages)}")

    def _answered(self, name: str, namespace: str) -> Object:
        """Wait until the condition Terminated is False, whatever its reason."""
        condition = "jsonpath={.status.conditions[?(@.type=='Terminated')].status}"
        wait = ("wait", f"execution/{name}", f"--namespace={namespace}", f"--for={condition}=False", "--timeout=10s")
        self.stack.control_plane.kubectl(*wait, check=False)
        return self.stack.get(name, namespace)

    def speed(self) -> None:
        """Measure the time from the patch to the phase `cancelled` in a watch."""
        self.screen.title(f"{SAMPLES} more terminations, one by one: time from the patch to `cancelled` in a watch")
        names = [f"timed-{number}" for number in range(SAMPLES)]
        for name in names:
            self.stack.samples.begin(Agent, name)
        for name in names:
            self.stack.apply("Execution", name, {"executionId": name}, "team-a")
            self.stack.until(name, Finished="False/Open")
        taken = patch_to_cancelled(self.stack.control_plane.admin_kubeconfig, "team-a", names)
        median, worst = statistics.median(taken) * 1000, max(taken) * 1000
        self.screen.say(f"median {median:.0f} ms, slowest {worst:.0f} ms")
        self.screen.promise("all of them were cancelled", kept=len(taken) == SAMPLES, found=len(taken))

    def result(self) -> None:
        """Print all Executions and the Events of one."""
        self.screen.title("all Executions at the end")
        columns = "NAMESPACE:.metadata.namespace,NAME:.metadata.name,PHASE:.status.phase,REASON:.spec.terminate.reason"
        conditions = "ANSWER:.status.conditions[?(@.type=='Terminated')].reason"
        for namespace in ("team-a", "nobodys"):
            names = "research" if namespace == "nobodys" else "research stubborn report billing"
            self.kubectl(f'get executions {names} -n {namespace} -o custom-columns={columns},"{conditions}"')
        self.kubectl("get events -n team-a --field-selector involvedObject.name=stubborn")
