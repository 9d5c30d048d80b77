"""The act on real servers: every row of the contract's table, and the ways in which a request meets its workflow."""

import json
import uuid
from collections.abc import Iterator
from datetime import timedelta

import pytest
from temporalio.api.enums.v1 import EventType

from tests.support.kube import conditions_of
from tests.support.stack import LocalStack, Object
from tests.support.waiting import wait_for
from tests.support.workflows import Agent, Broken, Chain, Done, Parent, Stubborn


@pytest.fixture(scope="module")
def stack() -> Iterator[LocalStack]:
    """Two organizations on one Temporal namespace. Each test has its own workflows and Executions."""
    with LocalStack(durable=True, dynamic_config={"frontend.WorkflowPauseEnabled": True}) as running:
        running.organization("acme", "team-a")
        running.organization("globex", "team-b")
        running.namespace("nobodys")
        yield running


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    """A name for the test's own workflow and Execution."""
    return f"{request.node.originalname.removeprefix('test_').replace('_', '-')[:40]}-{uuid.uuid4().hex[:6]}"


def observed(stack: LocalStack, name: str, namespace: str = "team-a", **spec: object) -> None:
    """Create an Execution, and wait until its workflow was seen."""
    stack.apply("Execution", name, {"executionId": name, **spec}, namespace)
    stack.until(name, namespace, Finished="False/Open")


class TestPermission:
    """Two who may edit Executions; one of them may terminate."""

    def test_without_permission_is_refused_and_with_permission_is_named_in_temporal(
        self, stack: LocalStack, name: str
    ) -> None:
        control_plane = stack.control_plane
        for user, *roles in (("eve", "editor"), ("alice", "editor", "terminator")):
            for role in roles:
                bind = ("create", "rolebinding", f"{user}-{role}", f"--clusterrole=execution-{role}", f"--user={user}")
                control_plane.kubectl(*bind, "--namespace=team-a")
        stack.samples.begin(Stubborn, name)
        observed(stack, name)
        patch = json.dumps({"spec": {"terminate": {"reason": "runaway cost"}}})
        command = ("patch", "execution", name, "--namespace=team-a", "--type=merge", f"--patch={patch}")
        eve, alice = (control_plane.kubeconfig_for_user(user) for user in ("eve", "alice"))

        refused = control_plane.kubectl(*command, kubeconfig=eve, check=False)
        assert refused.returncode == 1
        assert (
            f'user "eve" may not terminate Execution team-a/{name}: this needs the verb "create" on '
            '"executions/terminate" in API group "control-plane.kubiya.ai"'
        ) in refused.stderr
        assert stack.samples.status(name) == "RUNNING"

        control_plane.kubectl(*command, kubeconfig=alice)
        execution = stack.until(name, Terminated="True/Terminated")
        attributes = stack.samples.last_event(name).workflow_execution_terminated_event_attributes
        assert json.loads(attributes.details.payloads[0].data)["requestedBy"] == "alice"
        assert execution["status"]["termination"]["requestedBy"] == "alice"
        ((_, _, message),) = stack.wait_for_events(name)
        assert "alice" in message


class TestOutcomes:
    """One test for each row of the contract's table."""

    def test_terminated(self, stack: LocalStack, name: str) -> None:
        stack.samples.begin(Agent, name)
        observed(stack, name)
        stack.terminate(name, "runaway cost")
        execution = stack.until(
            name, Terminated="True/Terminated", Finished="True/Terminated", Stalled="", Reconciling=""
        )
        status, event = execution["status"], stack.samples.last_event(name)
        attributes = event.workflow_execution_terminated_event_attributes
        assert status["phase"] == "cancelled"
        assert status["terminatedAt"] == status["closedAt"] == event.event_time.ToJsonString()
        assert attributes.reason == "runaway cost"
        assert attributes.identity == f"execution-operator/team-a/{name}"
        details = json.loads(attributes.details.payloads[0].data)
        assert details == {
            "executionUid": execution["metadata"]["uid"],
            "execution": f"team-a/{name}",
            "requestedBy": "admin",
        }
        assert status["termination"]["outcome"] == "Terminated"
        assert status["termination"]["reason"] == "runaway cost"
        assert status["termination"]["requestedBy"] == "admin"
        assert [(kind, reason) for kind, reason, _ in stack.wait_for_events(name)] == [("Normal", "Terminated")]

    def test_not_found(self, stack: LocalStack, name: str) -> None:
        stack.apply("Execution", name, {"executionId": name, "terminate": {"reason": "gone?"}}, "team-a")
        execution = stack.until(name, Terminated="False/ExecutionNotFound", Stalled="True/ExecutionNotFound")
        assert execution["status"]["phase"] == "pending"
        assert "outcome" not in execution["status"]["termination"]

    def test_namespace_not_mapped(self, stack: LocalStack, name: str) -> None:
        stack.samples.begin(Agent, name)
        stack.apply("Execution", name, {"executionId": name, "terminate": {"reason": "mine?"}}, "nobodys")
        denied = "False/NamespaceNotMapped"
        execution = stack.until(
            name, "nobodys", Authorized=denied, Terminated=denied, Stalled="True/NamespaceNotMapped"
        )
        assert execution["status"]["phase"] == "pending"
        assert stack.samples.status(name) == "RUNNING"

    def test_namespace_conflict(self, stack: LocalStack, name: str) -> None:
        stack.samples.begin(Agent, name)
        stack.organization("hooli", f"both-{name}")
        stack.organization("initech", f"both-{name}")
        stack.apply("Execution", name, {"executionId": name, "terminate": {"reason": "whose?"}}, f"both-{name}")
        denied = "False/NamespaceConflict"
        stack.until(name, f"both-{name}", Authorized=denied, Terminated=denied)
        assert stack.samples.status(name) == "RUNNING"
        for organization in ("hooli", "initech"):
            _until_true(stack, organization, "NamespaceConflict")

    def test_organization_mismatch(self, stack: LocalStack, name: str) -> None:
        stack.samples.begin(Agent, name, organization="globex")
        stack.apply("Execution", name, {"executionId": name, "terminate": {"reason": "theirs"}}, "team-a")
        denied = "False/OrganizationMismatch"
        stack.until(name, Authorized=denied, Terminated=denied, Stalled="True/OrganizationMismatch")
        assert stack.samples.status(name) == "RUNNING"
        assert stack.wait_for_events(name)[0][:2] == ("Warning", "OrganizationMismatch")

    def test_organization_not_ready(self, stack: LocalStack, name: str) -> None:
        stack.organization(f"unready-{name[-6:]}", f"unready-{name}", temporal="there-is-none")
        stack.apply("Execution", name, {"executionId": name, "terminate": {"reason": "now"}}, f"unready-{name}")
        denied = "False/OrganizationNotReady"
        stack.until(name, f"unready-{name}", Authorized=denied, Terminated=denied)

    @pytest.mark.parametrize(("kind", "phase", "how"), [(Done, "completed", "Completed"), (Broken, "failed", "Failed")])
    def test_already_closed(self, stack: LocalStack, name: str, kind: type, phase: str, how: str) -> None:
        stack.samples.begin(kind, name)
        wait_for(lambda: stack.samples.status(name) != "RUNNING", "the workflow to close")
        stack.apply("Execution", name, {"executionId": name}, "team-a")
        stack.until(name, Finished=f"True/{how}")
        stack.terminate(name, "too late")
        execution = stack.until(name, Terminated="False/AlreadyClosed", Finished=f"True/{how}", Stalled="")
        assert execution["status"]["phase"] == phase
        assert execution["status"]["termination"]["outcome"] == "AlreadyClosed"
        assert "terminatedAt" not in execution["status"]
        closed_at = stack.samples.last_event(name).event_time.ToJsonString()
        assert execution["status"]["closedAt"] == closed_at
        assert closed_at in _message(execution, "Terminated")

    def test_temporal_unavailable_and_back(self, stack: LocalStack, name: str) -> None:
        stack.samples.begin(Agent, name)
        observed(stack, name)
        stack.temporal.kill()
        try:
            stack.terminate(name, "while you sleep")
            execution = stack.until(
                name, Terminated="Unknown/TemporalUnavailable", Reconciling="True/TemporalUnavailable"
            )
            assert execution["status"]["phase"] == "running"
        finally:
            stack.temporal.start()
        execution = stack.until(name, Terminated="True/Terminated", Reconciling="", seconds=30)
        assert execution["status"]["terminatedAt"] == stack.samples.last_event(name).event_time.ToJsonString()


class TestRuns:
    """Which run is meant, and that it is that one."""

    def test_cancelled_is_written_only_after_the_termination(self, stack: LocalStack, name: str) -> None:
        stack.samples.begin(Stubborn, name)
        observed(stack, name)
        stack.terminate(name, "it ignores cancellation")
        execution = stack.until(name, Terminated="True/Terminated")
        event = stack.samples.last_event(name)
        assert stack.samples.status(name) == "TERMINATED"
        assert execution["status"]["phase"] == "cancelled"
        assert execution["status"]["terminatedAt"] == event.event_time.ToJsonString()

    def test_reason_arrives_verbatim(self, stack: LocalStack, name: str) -> None:
        quoted = "💸 \"quoted\" 'single' \\ back\n\tsecond line, a=b "
        reason = quoted + "界" * (500 - len(quoted))
        stack.samples.begin(Agent, name)
        observed(stack, name)
        stack.terminate(name, reason)
        execution = stack.until(name, Terminated="True/Terminated")
        attributes = stack.samples.last_event(name).workflow_execution_terminated_event_attributes
        assert attributes.reason == execution["status"]["termination"]["reason"] == reason

    def test_a_newer_run_with_a_reused_id_stays_open(self, stack: LocalStack, name: str) -> None:
        first = stack.samples.begin(Agent, name)
        observed(stack, name)
        stack.samples.do(first.terminate("by hand"))
        second = stack.samples.begin(Agent, name)
        stack.terminate(name, "the first one")
        execution = stack.until(name, Terminated="False/AlreadyClosed", Finished="True/Terminated")
        assert stack.samples.status(name, second.result_run_id) == "RUNNING"
        assert execution["status"]["runId"] == first.result_run_id
        assert execution["status"]["terminatedAt"]

    def test_a_pinned_run_id(self, stack: LocalStack, name: str) -> None:
        first = stack.samples.begin(Agent, name)
        stack.samples.do(first.terminate("by hand"))
        second = stack.samples.begin(Agent, name)
        spec = {"executionId": name, "runId": first.result_run_id, "terminate": {"reason": "that one"}}
        stack.apply("Execution", name, spec, "team-a")
        stack.until(name, Terminated="False/AlreadyClosed")
        assert stack.samples.status(name, second.result_run_id) == "RUNNING"

    def test_a_chain_is_followed(self, stack: LocalStack, name: str) -> None:
        handle = stack.samples.begin(Chain, name)
        observed(stack, name)
        for _ in range(3):
            _go_on(stack, name)
        current = _current(stack, name)
        stack.terminate(name, "the whole chain")
        execution = stack.until(name, Terminated="True/Terminated")
        assert stack.samples.status(name, current) == "TERMINATED"
        assert execution["status"]["runId"] == current
        assert execution["status"]["firstRunId"] == handle.result_run_id

    def test_a_chain_that_continues_all_the_time_is_terminated(self, stack: LocalStack, name: str) -> None:
        first = stack.samples.begin(Chain, name, args=[True])
        wait_for(lambda: _current(stack, name) != first.result_run_id, "the race to be on")
        stack.apply("Execution", name, {"executionId": name, "terminate": {"reason": "stand still"}}, "team-a")
        execution = stack.until(name, Terminated="True/Terminated")
        assert stack.samples.status(name) == "TERMINATED"
        assert execution["status"]["runId"] == _current(stack, name) != first.result_run_id

    def test_a_workflow_id_template(self, stack: LocalStack, name: str) -> None:
        stack.samples.begin(Agent, f"agent-execution-{name}")
        observed(stack, name)
        stack.terminate(name, "by its uuid")
        execution = stack.until(name, Terminated="True/Terminated")
        assert execution["status"]["workflowId"] == f"agent-execution-{name}"

    def test_a_reset_run_stays_open(self, stack: LocalStack, name: str) -> None:
        first = stack.samples.begin(Agent, name)
        observed(stack, name)
        wait_for(lambda: stack.samples.last_event(name).event_type >= EventType.EVENT_TYPE_TIMER_STARTED, "a timer")
        stack.temporal.cli(*("workflow", "reset", "-n", "shared", "-w", name), "-e", "4", "--reason", "try again")
        stack.terminate(name, "the run before the reset")
        execution = stack.until(name, Terminated="False/AlreadyClosed", Finished="True/Terminated")
        assert execution["status"]["runId"] == first.result_run_id
        assert _current(stack, name) != first.result_run_id
        assert stack.samples.status(name) == "RUNNING"

    def test_a_paused_workflow(self, stack: LocalStack, name: str) -> None:
        stack.samples.begin(Agent, name)
        stack.temporal.cli("workflow", "pause", "-n", "shared", "-w", name, "--reason", "lunch")
        stack.apply("Execution", name, {"executionId": name}, "team-a")
        execution = stack.until(name, Finished="False/Open")
        assert execution["status"]["phase"] == "paused"
        stack.terminate(name, "long lunch")
        stack.until(name, Terminated="True/Terminated")
        assert stack.samples.status(name) == "TERMINATED"

    def test_a_cron_workflow_is_terminated_between_two_runs(self, stack: LocalStack, name: str) -> None:
        first = stack.samples.begin(Done, name, cron_schedule="@every 1s")
        observed(stack, name)
        wait_for(lambda: _current(stack, name) != first.result_run_id, "the second run")
        stack.terminate(name, "no more of it")
        execution = stack.until(name, Terminated="True/Terminated")
        assert stack.samples.status(name) == "TERMINATED"
        assert execution["status"]["runId"] == _current(stack, name)

    def test_a_workflow_is_terminated_before_its_delayed_start(self, stack: LocalStack, name: str) -> None:
        stack.samples.begin(Agent, name, start_delay=timedelta(hours=1))
        observed(stack, name)
        stack.terminate(name, "not any more")
        stack.until(name, Terminated="True/Terminated")
        assert stack.samples.status(name) == "TERMINATED"

    def test_a_pinned_run_that_temporal_has_deleted(self, stack: LocalStack, name: str) -> None:
        stack.samples.begin(Agent, name)
        observed(stack, name)
        stack.temporal.cli("workflow", "delete", "-n", "shared", "-w", name, "--yes")
        wait_for(lambda: not stack.exists(name), "the deletion")
        second = stack.samples.begin(Agent, name)
        stack.terminate(name, "which is gone")
        execution = stack.until(name, Terminated="False/ExecutionNotFound", Stalled="True/ExecutionNotFound")
        assert "past its retention" in _message(execution, "Terminated")
        assert stack.samples.status(name, second.result_run_id) == "RUNNING"

    def test_events_of_an_interrupted_write_do_not_hide_the_close_event(self, stack: LocalStack, name: str) -> None:
        """Temporal has died between storing the close event and noting it, and has stored it again."""
        handle = stack.samples.begin(Agent, name)
        run = handle.result_run_id or ""
        stack.samples.do(handle.terminate("by hand"))
        stack.temporal.tear(run)
        stack.apply("Execution", name, {"executionId": name, "terminate": {"reason": "too late"}}, "team-a")
        execution = stack.until(name, Terminated="False/AlreadyClosed", Finished="True/Terminated")
        assert execution["status"]["terminatedAt"] == stack.samples.last_event(name).event_time.ToJsonString()

    def test_children_left_running_are_named(self, stack: LocalStack, name: str) -> None:
        stack.samples.begin(Parent, name)
        wait_for(lambda: stack.exists(f"{name}-child"), "the child")
        observed(stack, name)
        stack.terminate(name, "only me")
        execution = stack.until(name, Terminated="True/Terminated")
        assert execution["status"]["abandonedChildren"] == 1
        assert stack.samples.status(f"{name}-child") == "RUNNING"
        kind, reason, message = stack.wait_for_events(name, events=2)[-1]
        assert (kind, reason) == ("Warning", "ChildrenAbandoned")
        assert f"{name}-child" in message


class TestRequests:
    """When and how a request comes."""

    def test_at_creation(self, stack: LocalStack, name: str) -> None:
        stack.samples.begin(Agent, name)
        stack.apply("Execution", name, {"executionId": name, "terminate": {"reason": "one shot"}}, "team-a")
        stack.until(name, Terminated="True/Terminated")
        assert stack.samples.status(name) == "TERMINATED"

    def test_withdrawn_while_temporal_is_down(self, stack: LocalStack, name: str) -> None:
        stack.samples.begin(Agent, name)
        observed(stack, name)
        stack.temporal.kill()
        try:
            stack.terminate(name, "never mind")
            stack.until(name, Terminated="Unknown/TemporalUnavailable")
            stack.withdraw(name)
            execution = stack.until(name, Terminated="")
            assert "termination" not in execution["status"]
        finally:
            stack.temporal.start()
        stack.until(name, Finished="False/Open", Reconciling="", seconds=30)
        assert stack.samples.status(name) == "RUNNING"
        assert [reason for _, reason, _ in stack.wait_for_events(name, events=2)] == [
            "TemporalUnavailable",
            "Withdrawn",
        ]

    def test_organization_created_after_the_request(self, stack: LocalStack, name: str) -> None:
        namespace, organization = f"late-{name}", f"late-{name[-6:]}"
        stack.namespace(namespace)
        stack.samples.begin(Agent, name, organization=organization)
        stack.apply("Execution", name, {"executionId": name, "terminate": {"reason": "be patient"}}, namespace)
        stack.until(name, namespace, Terminated="False/NamespaceNotMapped")
        stack.organization(organization, namespace)
        stack.until(name, namespace, Terminated="True/Terminated", Authorized="True/OrganizationMapped", Stalled="")

    def test_request_removed_after_the_termination(self, stack: LocalStack, name: str) -> None:
        stack.samples.begin(Agent, name)
        observed(stack, name)
        stack.terminate(name, "done")
        terminated = stack.until(name, Terminated="True/Terminated")["status"]["terminatedAt"]
        stack.withdraw(name)
        execution = stack.until(name, Terminated="True/Terminated", Finished="True/Terminated")
        assert execution["status"]["terminatedAt"] == terminated
        assert execution["status"]["phase"] == "cancelled"

    def test_deleted_while_temporal_is_down(self, stack: LocalStack, name: str) -> None:
        """The act is finished from the last state seen."""
        stack.samples.begin(Agent, name)
        observed(stack, name)
        stack.temporal.kill()
        try:
            stack.terminate(name, "and tidy up")
            stack.until(name, Terminated="Unknown/TemporalUnavailable")
            stack.control_plane.kubectl("delete", "execution", name, "--namespace=team-a", "--timeout=5s")
        finally:
            stack.temporal.start()
        wait_for(lambda: stack.samples.status(name) == "TERMINATED", "the workflow to end", 30)

    def test_deletion_policy_terminate(self, stack: LocalStack, name: str) -> None:
        stack.samples.begin(Agent, name)
        observed(stack, name, deletionPolicy="Terminate")
        stack.control_plane.kubectl("delete", "execution", name, "--namespace=team-a", "--timeout=10s")
        assert stack.samples.status(name) == "TERMINATED"

    def test_deletion_policy_orphan(self, stack: LocalStack, name: str) -> None:
        stack.samples.begin(Agent, name)
        observed(stack, name)
        stack.control_plane.kubectl("delete", "execution", name, "--namespace=team-a", "--timeout=10s")
        assert stack.samples.status(name) == "RUNNING"


class TestGracePeriod:
    """Cancellation first."""

    def test_a_workflow_obeys_the_cancel_request(self, stack: LocalStack, name: str) -> None:
        stack.samples.begin(Agent, name)
        observed(stack, name)
        stack.terminate(name, "please", gracePeriodSeconds=60)
        execution = stack.until(name, Terminated="True/Cancelled", Finished="True/Canceled")
        assert execution["status"]["phase"] == "cancelled"
        assert "terminatedAt" not in execution["status"]
        assert stack.samples.status(name) == "CANCELED"

    def test_a_workflow_that_ignores_the_request_is_terminated_at_the_deadline(
        self, stack: LocalStack, name: str
    ) -> None:
        stack.samples.begin(Stubborn, name)
        observed(stack, name)
        stack.terminate(name, "please, then not", gracePeriodSeconds=2)
        execution = stack.until(name, Terminated="False/GracePeriod", Reconciling="True/GracePeriod")
        assert execution["status"]["phase"] == "terminating"
        deadline = execution["status"]["termination"]["deadline"]
        execution = stack.until(name, Terminated="True/Terminated")
        assert execution["status"]["terminatedAt"][: len("2026-01-01T00:00:00")] >= deadline.removesuffix("Z")
        assert stack.samples.status(name) == "TERMINATED"

    def test_request_withdrawn_during_the_grace_period(self, stack: LocalStack, name: str) -> None:
        stack.samples.begin(Stubborn, name)
        observed(stack, name)
        stack.terminate(name, "please", gracePeriodSeconds=3600)
        stack.until(name, Terminated="False/GracePeriod")
        stack.withdraw(name)
        execution = stack.until(name, Terminated="", Reconciling="")
        assert execution["status"]["phase"] == "running"
        assert stack.samples.status(name) == "RUNNING"


class TestProcess:
    """The operator's own life."""

    def test_a_restart_writes_nothing(self, stack: LocalStack) -> None:
        before = _versions(stack)
        stack.operator.end()
        stack.operator.start()
        stack.samples.begin(Agent, probe := f"after-restart-{uuid.uuid4().hex[:6]}")
        stack.apply("Execution", probe, {"executionId": probe, "terminate": {"reason": "are you there?"}}, "team-a")
        stack.until(probe, Terminated="True/Terminated")
        after = _versions(stack)
        assert {name: after[name] for name in before} == before

    def test_an_edit_while_the_operator_is_down_is_observed(self, stack: LocalStack, name: str) -> None:
        stack.samples.begin(Agent, name)
        observed(stack, name)
        stack.terminate(name, "done")
        stack.until(name, Terminated="True/Terminated")
        stack.operator.kill()
        stack.withdraw(name)
        stack.operator.start()
        stack.until(name, Terminated="True/Terminated", Finished="True/Terminated")

    def test_a_denied_deletion_continues_when_its_organization_is_back(self, stack: LocalStack, name: str) -> None:
        tenant, namespace = f"back-{name[-6:]}", f"back-{name[-6:]}"
        stack.organization(tenant, namespace)
        stack.samples.begin(Agent, name, organization=tenant)
        stack.apply("Execution", name, {"executionId": name, "deletionPolicy": "Terminate"}, namespace)
        stack.until(name, namespace, Finished="False/Open")
        stack.apply("Organization", tenant, _spec_of("elsewhere"))
        stack.control_plane.kubectl("delete", "execution", name, f"--namespace={namespace}", "--wait=false")
        execution = stack.until(name, namespace, Authorized="False/NamespaceNotMapped")
        assert "the deletion waits" in _message(execution, "Authorized")
        stack.operator.end()
        stack.operator.start()
        stack.apply("Organization", tenant, _spec_of(namespace))
        wait_for(lambda: stack.samples.status(name) == "TERMINATED", "the workflow to end")
        waiting = ("wait", f"execution/{name}", f"--namespace={namespace}", "--for=delete", "--timeout=10s")
        stack.control_plane.kubectl(*waiting, check=False)

    def test_requests_while_the_operator_is_down_get_outcomes(self, stack: LocalStack, name: str) -> None:
        stack.samples.begin(Agent, name)
        observed(stack, name)
        stack.operator.kill()
        stack.terminate(name, "while you were away")
        stack.operator.start()
        stack.until(name, Terminated="True/Terminated")


def _spec_of(namespace: str) -> dict[str, object]:
    return {
        "namespaces": [namespace],
        "temporal": {"namespace": "shared"},
        "ownership": {"searchAttribute": "OrganizationId"},
    }


def _versions(stack: LocalStack) -> dict[str, str]:
    output = stack.control_plane.kubectl("get", "executions", "--all-namespaces", "--output=json").stdout
    return {item["metadata"]["uid"]: item["metadata"]["resourceVersion"] for item in json.loads(output)["items"]}


def _until_true(stack: LocalStack, organization: str, of: str) -> None:
    """Wait until the Organization has this condition."""
    command = ("wait", f"organization/{organization}", f"--for=condition={of}", "--timeout=30s")
    stack.control_plane.kubectl(*command)


def _message(execution: Object, of: str) -> str:
    assert of in conditions_of(execution)
    return next(str(item["message"]) for item in execution["status"]["conditions"] if item["type"] == of)


def _current(stack: LocalStack, workflow_id: str) -> str:
    return stack.samples.do(stack.samples.client.get_workflow_handle(workflow_id).describe()).run_id


def _go_on(stack: LocalStack, workflow_id: str) -> None:
    """Have a Chain continue as new."""
    before = _current(stack, workflow_id)
    stack.samples.do(stack.samples.client.get_workflow_handle(workflow_id).signal("next"))
    wait_for(lambda: _current(stack, workflow_id) != before, "the next run")
