"""The act on real servers: every row of the contract's table, and the ways in which a request meets its workflow."""

import json
import uuid
from collections.abc import Iterator
from datetime import timedelta

import pytest
from temporalio.api.enums.v1 import EventType

from tests.support.kube import conditions_of
from tests.support.waiting import wait_for
from tests.support.workflows import Agent, Broken, Chain, Done, Parent, Stubborn
from tests.support.world import Object, World


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    """One world with two organizations on one Temporal namespace; each test has workflows and Executions of its own."""
    with World(durable=True, dynamic_config={"frontend.WorkflowPauseEnabled": True}) as running:
        running.organization("acme", "team-a")
        running.organization("globex", "team-b")
        running.namespace("nobodys")
        yield running


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    """A name for the test's own workflow and Execution."""
    return f"{request.node.originalname.removeprefix('test_').replace('_', '-')[:40]}-{uuid.uuid4().hex[:6]}"


def observed(world: World, name: str, namespace: str = "team-a", **spec: object) -> None:
    """Create an Execution, and wait until its workflow was seen."""
    world.apply("Execution", name, {"executionId": name, **spec}, namespace)
    world.until(name, namespace, Finished="False/Open")


class TestPermission:
    """Two who may edit Executions; one of them may terminate."""

    def test_the_one_is_refused_and_the_others_name_stands_in_temporal(self, world: World, name: str) -> None:
        control_plane = world.control_plane
        for user, *roles in (("eve", "editor"), ("alice", "editor", "terminator")):
            for role in roles:
                bind = ("create", "rolebinding", f"{user}-{role}", f"--clusterrole=execution-{role}", f"--user={user}")
                control_plane.kubectl(*bind, "--namespace=team-a")
        world.samples.begin(Stubborn, name)
        observed(world, name)
        patch = json.dumps({"spec": {"terminate": {"reason": "runaway cost"}}})
        command = ("patch", "execution", name, "--namespace=team-a", "--type=merge", f"--patch={patch}")
        eve, alice = (control_plane.kubeconfig_for_user(user) for user in ("eve", "alice"))

        refused = control_plane.kubectl(*command, kubeconfig=eve, check=False)
        assert refused.returncode == 1
        assert (
            f'user "eve" may not terminate Execution team-a/{name}: this needs the verb "create" on '
            '"executions/terminate" in API group "control-plane.kubiya.ai"'
        ) in refused.stderr
        assert world.samples.status(name) == "RUNNING"

        control_plane.kubectl(*command, kubeconfig=alice)
        execution = world.until(name, Terminated="True/Terminated")
        attributes = world.samples.last_event(name).workflow_execution_terminated_event_attributes
        assert json.loads(attributes.details.payloads[0].data)["requestedBy"] == "alice"
        assert execution["status"]["termination"]["requestedBy"] == "alice"
        ((_, _, message),) = world.told(name)
        assert "alice" in message


class TestTable:
    """One test for each row of the contract's table."""

    def test_terminated(self, world: World, name: str) -> None:
        world.samples.begin(Agent, name)
        observed(world, name)
        world.terminate(name, "runaway cost")
        execution = world.until(
            name, Terminated="True/Terminated", Finished="True/Terminated", Stalled="", Reconciling=""
        )
        status, event = execution["status"], world.samples.last_event(name)
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
        assert [(kind, reason) for kind, reason, _ in world.told(name)] == [("Normal", "Terminated")]

    def test_not_found(self, world: World, name: str) -> None:
        world.apply("Execution", name, {"executionId": name, "terminate": {"reason": "gone?"}}, "team-a")
        execution = world.until(name, Terminated="False/ExecutionNotFound", Stalled="True/ExecutionNotFound")
        assert execution["status"]["phase"] == "pending"
        assert "outcome" not in execution["status"]["termination"]

    def test_namespace_not_mapped(self, world: World, name: str) -> None:
        world.samples.begin(Agent, name)
        world.apply("Execution", name, {"executionId": name, "terminate": {"reason": "mine?"}}, "nobodys")
        denied = "False/NamespaceNotMapped"
        execution = world.until(
            name, "nobodys", Authorized=denied, Terminated=denied, Stalled="True/NamespaceNotMapped"
        )
        assert execution["status"]["phase"] == "pending"
        assert world.samples.status(name) == "RUNNING"

    def test_namespace_conflict(self, world: World, name: str) -> None:
        world.samples.begin(Agent, name)
        world.organization("hooli", f"both-{name}")
        world.organization("initech", f"both-{name}")
        world.apply("Execution", name, {"executionId": name, "terminate": {"reason": "whose?"}}, f"both-{name}")
        denied = "False/NamespaceConflict"
        world.until(name, f"both-{name}", Authorized=denied, Terminated=denied)
        assert world.samples.status(name) == "RUNNING"
        for organization in ("hooli", "initech"):
            _until_true(world, organization, "NamespaceConflict")

    def test_organization_mismatch(self, world: World, name: str) -> None:
        world.samples.begin(Agent, name, organization="globex")
        world.apply("Execution", name, {"executionId": name, "terminate": {"reason": "theirs"}}, "team-a")
        denied = "False/OrganizationMismatch"
        world.until(name, Authorized=denied, Terminated=denied, Stalled="True/OrganizationMismatch")
        assert world.samples.status(name) == "RUNNING"
        assert world.told(name)[0][:2] == ("Warning", "OrganizationMismatch")

    def test_organization_not_ready(self, world: World, name: str) -> None:
        world.organization(f"unready-{name[-6:]}", f"unready-{name}", temporal="there-is-none")
        world.apply("Execution", name, {"executionId": name, "terminate": {"reason": "now"}}, f"unready-{name}")
        denied = "False/OrganizationNotReady"
        world.until(name, f"unready-{name}", Authorized=denied, Terminated=denied)

    @pytest.mark.parametrize(("kind", "phase", "how"), [(Done, "completed", "Completed"), (Broken, "failed", "Failed")])
    def test_already_closed(self, world: World, name: str, kind: type, phase: str, how: str) -> None:
        world.samples.begin(kind, name)
        wait_for(lambda: world.samples.status(name) != "RUNNING", "the workflow to close")
        world.apply("Execution", name, {"executionId": name}, "team-a")
        world.until(name, Finished=f"True/{how}")
        world.terminate(name, "too late")
        execution = world.until(name, Terminated="False/AlreadyClosed", Finished=f"True/{how}", Stalled="")
        assert execution["status"]["phase"] == phase
        assert execution["status"]["termination"]["outcome"] == "AlreadyClosed"
        assert "terminatedAt" not in execution["status"]
        closed_at = world.samples.last_event(name).event_time.ToJsonString()
        assert execution["status"]["closedAt"] == closed_at
        assert closed_at in _message(execution, "Terminated")

    def test_temporal_unavailable_and_back(self, world: World, name: str) -> None:
        world.samples.begin(Agent, name)
        observed(world, name)
        world.temporal.kill()
        try:
            world.terminate(name, "while you sleep")
            execution = world.until(
                name, Terminated="Unknown/TemporalUnavailable", Reconciling="True/TemporalUnavailable"
            )
            assert execution["status"]["phase"] == "running"
        finally:
            world.temporal.start()
        execution = world.until(name, Terminated="True/Terminated", Reconciling="", seconds=30)
        assert execution["status"]["terminatedAt"] == world.samples.last_event(name).event_time.ToJsonString()


class TestRuns:
    """Which run is meant, and that it is that one."""

    def test_the_stubborn_is_terminated_before_cancelled_is_written(self, world: World, name: str) -> None:
        world.samples.begin(Stubborn, name)
        observed(world, name)
        world.terminate(name, "it ignores cancellation")
        execution = world.until(name, Terminated="True/Terminated")
        event = world.samples.last_event(name)
        assert world.samples.status(name) == "TERMINATED"
        assert execution["status"]["phase"] == "cancelled"
        assert execution["status"]["terminatedAt"] == event.event_time.ToJsonString()

    def test_reason_arrives_verbatim(self, world: World, name: str) -> None:
        quoted = "💸 \"quoted\" 'single' \\ back\n\tsecond line, a=b "
        reason = quoted + "界" * (500 - len(quoted))
        world.samples.begin(Agent, name)
        observed(world, name)
        world.terminate(name, reason)
        execution = world.until(name, Terminated="True/Terminated")
        attributes = world.samples.last_event(name).workflow_execution_terminated_event_attributes
        assert attributes.reason == execution["status"]["termination"]["reason"] == reason

    def test_a_reused_id_lives(self, world: World, name: str) -> None:
        first = world.samples.begin(Agent, name)
        observed(world, name)
        world.samples.do(first.terminate("by hand"))
        second = world.samples.begin(Agent, name)
        world.terminate(name, "the first one")
        execution = world.until(name, Terminated="False/AlreadyClosed", Finished="True/Terminated")
        assert world.samples.status(name, second.result_run_id) == "RUNNING"
        assert execution["status"]["runId"] == first.result_run_id
        assert execution["status"]["terminatedAt"]

    def test_a_pinned_run_id(self, world: World, name: str) -> None:
        first = world.samples.begin(Agent, name)
        world.samples.do(first.terminate("by hand"))
        second = world.samples.begin(Agent, name)
        spec = {"executionId": name, "runId": first.result_run_id, "terminate": {"reason": "that one"}}
        world.apply("Execution", name, spec, "team-a")
        world.until(name, Terminated="False/AlreadyClosed")
        assert world.samples.status(name, second.result_run_id) == "RUNNING"

    def test_a_chain_is_followed(self, world: World, name: str) -> None:
        handle = world.samples.begin(Chain, name)
        observed(world, name)
        for _ in range(3):
            _go_on(world, name)
        current = _current(world, name)
        world.terminate(name, "the whole chain")
        execution = world.until(name, Terminated="True/Terminated")
        assert world.samples.status(name, current) == "TERMINATED"
        assert execution["status"]["runId"] == current
        assert execution["status"]["firstRunId"] == handle.result_run_id

    def test_a_racing_chain_is_caught(self, world: World, name: str) -> None:
        first = world.samples.begin(Chain, name, args=[True])
        wait_for(lambda: _current(world, name) != first.result_run_id, "the race to be on")
        world.apply("Execution", name, {"executionId": name, "terminate": {"reason": "stand still"}}, "team-a")
        execution = world.until(name, Terminated="True/Terminated")
        assert world.samples.status(name) == "TERMINATED"
        assert execution["status"]["runId"] == _current(world, name) != first.result_run_id

    def test_a_template_finds_it(self, world: World, name: str) -> None:
        world.samples.begin(Agent, f"agent-execution-{name}")
        observed(world, name)
        world.terminate(name, "by its uuid")
        execution = world.until(name, Terminated="True/Terminated")
        assert execution["status"]["workflowId"] == f"agent-execution-{name}"

    def test_a_reset_run_lives(self, world: World, name: str) -> None:
        first = world.samples.begin(Agent, name)
        observed(world, name)
        wait_for(lambda: world.samples.last_event(name).event_type >= EventType.EVENT_TYPE_TIMER_STARTED, "a timer")
        world.temporal.cli(*("workflow", "reset", "-n", "shared", "-w", name), "-e", "4", "--reason", "try again")
        world.terminate(name, "the run before the reset")
        execution = world.until(name, Terminated="False/AlreadyClosed", Finished="True/Terminated")
        assert execution["status"]["runId"] == first.result_run_id
        assert _current(world, name) != first.result_run_id
        assert world.samples.status(name) == "RUNNING"

    def test_a_paused_workflow(self, world: World, name: str) -> None:
        world.samples.begin(Agent, name)
        world.temporal.cli("workflow", "pause", "-n", "shared", "-w", name, "--reason", "lunch")
        world.apply("Execution", name, {"executionId": name}, "team-a")
        execution = world.until(name, Finished="False/Open")
        assert execution["status"]["phase"] == "paused"
        world.terminate(name, "long lunch")
        world.until(name, Terminated="True/Terminated")
        assert world.samples.status(name) == "TERMINATED"

    def test_cron_is_ended_between_two_runs(self, world: World, name: str) -> None:
        first = world.samples.begin(Done, name, cron_schedule="@every 1s")
        observed(world, name)
        wait_for(lambda: _current(world, name) != first.result_run_id, "the second run")
        world.terminate(name, "no more of it")
        execution = world.until(name, Terminated="True/Terminated")
        assert world.samples.status(name) == "TERMINATED"
        assert execution["status"]["runId"] == _current(world, name)

    def test_a_delayed_start_is_ended_before_it(self, world: World, name: str) -> None:
        world.samples.begin(Agent, name, start_delay=timedelta(hours=1))
        observed(world, name)
        world.terminate(name, "not any more")
        world.until(name, Terminated="True/Terminated")
        assert world.samples.status(name) == "TERMINATED"

    def test_a_pinned_run_that_temporal_has_deleted(self, world: World, name: str) -> None:
        world.samples.begin(Agent, name)
        observed(world, name)
        world.temporal.cli("workflow", "delete", "-n", "shared", "-w", name, "--yes")
        wait_for(lambda: not world.exists(name), "the deletion")
        second = world.samples.begin(Agent, name)
        world.terminate(name, "which is gone")
        execution = world.until(name, Terminated="False/ExecutionNotFound", Stalled="True/ExecutionNotFound")
        assert "past its retention" in _message(execution, "Terminated")
        assert world.samples.status(name, second.result_run_id) == "RUNNING"

    def test_events_of_a_write_that_was_broken_off_hide_no_end(self, world: World, name: str) -> None:
        """Temporal has died between storing the close event and noting it, and has stored it again."""
        handle = world.samples.begin(Agent, name)
        run = handle.result_run_id or ""
        world.samples.do(handle.terminate("by hand"))
        world.temporal.tear(run)
        world.apply("Execution", name, {"executionId": name, "terminate": {"reason": "too late"}}, "team-a")
        execution = world.until(name, Terminated="False/AlreadyClosed", Finished="True/Terminated")
        assert execution["status"]["terminatedAt"] == world.samples.last_event(name).event_time.ToJsonString()

    def test_children_left_running_are_named(self, world: World, name: str) -> None:
        world.samples.begin(Parent, name)
        wait_for(lambda: world.exists(f"{name}-child"), "the child")
        observed(world, name)
        world.terminate(name, "only me")
        execution = world.until(name, Terminated="True/Terminated")
        assert execution["status"]["abandonedChildren"] == 1
        assert world.samples.status(f"{name}-child") == "RUNNING"
        kind, reason, message = world.told(name, events=2)[-1]
        assert (kind, reason) == ("Warning", "ChildrenAbandoned")
        assert f"{name}-child" in message


class TestRequests:
    """When and how a request comes."""

    def test_at_creation(self, world: World, name: str) -> None:
        world.samples.begin(Agent, name)
        world.apply("Execution", name, {"executionId": name, "terminate": {"reason": "one shot"}}, "team-a")
        world.until(name, Terminated="True/Terminated")
        assert world.samples.status(name) == "TERMINATED"

    def test_withdrawn_while_temporal_is_down(self, world: World, name: str) -> None:
        world.samples.begin(Agent, name)
        observed(world, name)
        world.temporal.kill()
        try:
            world.terminate(name, "never mind")
            world.until(name, Terminated="Unknown/TemporalUnavailable")
            world.withdraw(name)
            execution = world.until(name, Terminated="")
            assert "termination" not in execution["status"]
        finally:
            world.temporal.start()
        world.until(name, Finished="False/Open", Reconciling="", seconds=30)
        assert world.samples.status(name) == "RUNNING"
        assert [reason for _, reason, _ in world.told(name, events=2)] == ["TemporalUnavailable", "Withdrawn"]

    def test_organization_created_after_the_request(self, world: World, name: str) -> None:
        namespace, organization = f"late-{name}", f"late-{name[-6:]}"
        world.namespace(namespace)
        world.samples.begin(Agent, name, organization=organization)
        world.apply("Execution", name, {"executionId": name, "terminate": {"reason": "be patient"}}, namespace)
        world.until(name, namespace, Terminated="False/NamespaceNotMapped")
        world.organization(organization, namespace)
        world.until(name, namespace, Terminated="True/Terminated", Authorized="True/OrganizationMapped", Stalled="")

    def test_removed_after_the_act(self, world: World, name: str) -> None:
        world.samples.begin(Agent, name)
        observed(world, name)
        world.terminate(name, "done")
        terminated = world.until(name, Terminated="True/Terminated")["status"]["terminatedAt"]
        world.withdraw(name)
        execution = world.until(name, Terminated="True/Terminated", Finished="True/Terminated")
        assert execution["status"]["terminatedAt"] == terminated
        assert execution["status"]["phase"] == "cancelled"

    def test_deleted_while_temporal_is_down(self, world: World, name: str) -> None:
        """The act is finished from the last state seen."""
        world.samples.begin(Agent, name)
        observed(world, name)
        world.temporal.kill()
        try:
            world.terminate(name, "and tidy up")
            world.until(name, Terminated="Unknown/TemporalUnavailable")
            world.control_plane.kubectl("delete", "execution", name, "--namespace=team-a", "--timeout=5s")
        finally:
            world.temporal.start()
        wait_for(lambda: world.samples.status(name) == "TERMINATED", "the workflow to end", 30)

    def test_deletion_policy_terminate(self, world: World, name: str) -> None:
        world.samples.begin(Agent, name)
        observed(world, name, deletionPolicy="Terminate")
        world.control_plane.kubectl("delete", "execution", name, "--namespace=team-a", "--timeout=10s")
        assert world.samples.status(name) == "TERMINATED"

    def test_deletion_policy_orphan(self, world: World, name: str) -> None:
        world.samples.begin(Agent, name)
        observed(world, name)
        world.control_plane.kubectl("delete", "execution", name, "--namespace=team-a", "--timeout=10s")
        assert world.samples.status(name) == "RUNNING"


class TestGracePeriod:
    """Cancellation first."""

    def test_a_willing_workflow_cancels_itself(self, world: World, name: str) -> None:
        world.samples.begin(Agent, name)
        observed(world, name)
        world.terminate(name, "please", gracePeriodSeconds=60)
        execution = world.until(name, Terminated="True/Cancelled", Finished="True/Canceled")
        assert execution["status"]["phase"] == "cancelled"
        assert "terminatedAt" not in execution["status"]
        assert world.samples.status(name) == "CANCELED"

    def test_a_stubborn_one_is_terminated_at_the_deadline(self, world: World, name: str) -> None:
        world.samples.begin(Stubborn, name)
        observed(world, name)
        world.terminate(name, "please, then not", gracePeriodSeconds=2)
        execution = world.until(name, Terminated="False/GracePeriod", Reconciling="True/GracePeriod")
        assert execution["status"]["phase"] == "terminating"
        deadline = execution["status"]["termination"]["deadline"]
        execution = world.until(name, Terminated="True/Terminated")
        assert execution["status"]["terminatedAt"][: len("2026-01-01T00:00:00")] >= deadline.removesuffix("Z")
        assert world.samples.status(name) == "TERMINATED"

    def test_withdrawn_in_the_middle(self, world: World, name: str) -> None:
        world.samples.begin(Stubborn, name)
        observed(world, name)
        world.terminate(name, "please", gracePeriodSeconds=3600)
        world.until(name, Terminated="False/GracePeriod")
        world.withdraw(name)
        execution = world.until(name, Terminated="", Reconciling="")
        assert execution["status"]["phase"] == "running"
        assert world.samples.status(name) == "RUNNING"


class TestProcess:
    """The operator's own life."""

    def test_a_restart_writes_nothing(self, world: World) -> None:
        before = _versions(world)
        world.operator.end()
        world.operator.start()
        world.samples.begin(Agent, probe := f"after-restart-{uuid.uuid4().hex[:6]}")
        world.apply("Execution", probe, {"executionId": probe, "terminate": {"reason": "are you there?"}}, "team-a")
        world.until(probe, Terminated="True/Terminated")
        after = _versions(world)
        assert {name: after[name] for name in before} == before

    def test_a_finished_execution_edited_while_it_is_down_is_observed(self, world: World, name: str) -> None:
        world.samples.begin(Agent, name)
        observed(world, name)
        world.terminate(name, "done")
        world.until(name, Terminated="True/Terminated")
        world.operator.kill()
        world.withdraw(name)
        world.operator.start()
        world.until(name, Terminated="True/Terminated", Finished="True/Terminated")

    def test_a_denied_deletion_goes_on_when_its_organization_is_back(self, world: World, name: str) -> None:
        tenant, namespace = f"back-{name[-6:]}", f"back-{name[-6:]}"
        world.organization(tenant, namespace)
        world.samples.begin(Agent, name, organization=tenant)
        world.apply("Execution", name, {"executionId": name, "deletionPolicy": "Terminate"}, namespace)
        world.until(name, namespace, Finished="False/Open")
        world.apply("Organization", tenant, _spec_of("elsewhere"))
        world.control_plane.kubectl("delete", "execution", name, f"--namespace={namespace}", "--wait=false")
        execution = world.until(name, namespace, Authorized="False/NamespaceNotMapped")
        assert "the deletion waits" in _message(execution, "Authorized")
        world.operator.end()
        world.operator.start()
        world.apply("Organization", tenant, _spec_of(namespace))
        wait_for(lambda: world.samples.status(name) == "TERMINATED", "the workflow to end")
        waiting = ("wait", f"execution/{name}", f"--namespace={namespace}", "--for=delete", "--timeout=10s")
        world.control_plane.kubectl(*waiting, check=False)

    def test_requests_made_while_it_is_down_are_answered(self, world: World, name: str) -> None:
        world.samples.begin(Agent, name)
        observed(world, name)
        world.operator.kill()
        world.terminate(name, "while you were away")
        world.operator.start()
        world.until(name, Terminated="True/Terminated")


def _spec_of(namespace: str) -> dict[str, object]:
    return {
        "namespaces": [namespace],
        "temporal": {"namespace": "shared"},
        "ownership": {"searchAttribute": "OrganizationId"},
    }


def _versions(world: World) -> dict[str, str]:
    output = world.control_plane.kubectl("get", "executions", "--all-namespaces", "--output=json").stdout
    return {item["metadata"]["uid"]: item["metadata"]["resourceVersion"] for item in json.loads(output)["items"]}


def _until_true(world: World, organization: str, of: str) -> None:
    """Wait until the Organization has this condition."""
    command = ("wait", f"organization/{organization}", f"--for=condition={of}", "--timeout=30s")
    world.control_plane.kubectl(*command)


def _message(execution: Object, of: str) -> str:
    assert of in conditions_of(execution)
    return next(str(item["message"]) for item in execution["status"]["conditions"] if item["type"] == of)


def _current(world: World, workflow_id: str) -> str:
    return world.samples.do(world.samples.client.get_workflow_handle(workflow_id).describe()).run_id


def _go_on(world: World, workflow_id: str) -> None:
    """Have a Chain continue as new."""
    before = _current(world, workflow_id)
    world.samples.do(world.samples.client.get_workflow_handle(workflow_id).signal("next"))
    wait_for(lambda: _current(world, workflow_id) != before, "the next run")
