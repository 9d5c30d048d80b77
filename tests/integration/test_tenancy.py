"""Tenancy on real servers: whatever changes or is forged, no organization reaches another organization's workflow."""

import json
import threading
import uuid
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from temporalio import workflow
from temporalio.client import Client, WorkflowHandle
from temporalio.common import RetryPolicy, SearchAttributeKey, SearchAttributePair, TypedSearchAttributes
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from execution_operator.manifests.schema import UNSEEN
from tests.support.certificates import Authority
from tests.support.kube import GROUP, conditions_of
from tests.support.operator import ACCOUNT, NAMESPACE
from tests.support.process import GuardedFolder
from tests.support.server import start_all
from tests.support.stack import LocalStack
from tests.support.tls_front import TlsFront
from tests.support.waiting import wait_for
from tests.support.workflows import Agent

OWNER = SearchAttributeKey.for_keyword("OrganizationId")
BY_NAME = {"searchAttribute": "OrganizationId"}
FORGET_SOON = {f"history.{queue}ProcessorUpdateAckInterval": "200ms" for queue in ("timer", "transfer", "visibility")}
"""Lets Temporal delete a closed run within 200 ms. By default, its queues record their progress every 10 seconds."""

Object = dict[str, Any]


@workflow.defn
class OverwritesOwner:
    """Overwrites its organization with `acme`, and continues as new, which copies that into the next start event."""

    def __init__(self) -> None:
        self._next = False

    @workflow.run
    async def run(self) -> None:
        workflow.upsert_search_attributes([OWNER.value_set("acme")])
        await workflow.wait_condition(lambda: self._next)
        workflow.continue_as_new()

    @workflow.signal(name="next")
    def go_on(self) -> None:
        self._next = True


class Tenants(LocalStack):
    """A local stack with a TLS proxy in front of Temporal, which can hold single calls or be unreachable."""

    def start(self) -> None:
        super().start()
        self.folder = GuardedFolder("execution-operator-tenancy-")
        authority = Authority(self.folder.path)
        self.front = TlsFront(self.temporal.address, authority)
        start_all(self.front)
        self.secret("front", {"ca.crt": authority.certificate.read_text()})
        self._worker = self.samples.do(_worker(self.samples.client))

    def stop(self) -> None:
        self.samples.do(self._worker.shutdown())
        super().stop()
        self.front.stop()
        self.folder.remove()

    def secret(self, name: str, entries: dict[str, str]) -> None:
        metadata = {"name": name, "namespace": NAMESPACE}
        manifest = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": entries}
        self.control_plane.kube.apply(f"/api/v1/namespaces/{NAMESPACE}/secrets", manifest)

    def behind_the_front(self, namespace: str = "shared", **more: object) -> Object:
        """Return spec.temporal of an Organization behind the front."""
        return {"address": self.front.address, "namespace": namespace, "tls": {"secretName": "front"}, **more}

    def tenant(self, name: str, *namespaces: str, temporal: Object | None = None, ownership: Object | None) -> None:
        """Create or change an Organization. Return once its status is up to date."""
        temporal = temporal or {"namespace": "shared"}
        proof = {"ownership": ownership} if ownership else {}
        self.apply("Organization", name, {"namespaces": namespaces, "temporal": temporal, **proof})
        wait_for(lambda: self.readiness(name)[0], f"the status of {name}")

    def readiness(self, name: str) -> tuple[str, str]:
        """Return the Organization's condition Ready and its message. Both are empty if they are outdated."""
        content = self.control_plane.kube.call("GET", f"{GROUP}/organizations/{name}")
        shown = {condition["type"]: condition for condition in content.get("status", {}).get("conditions", [])}
        ready = shown.get("Ready")
        if not ready or ready["observedGeneration"] != content["metadata"]["generation"]:
            return "", ""
        return conditions_of(content)["Ready"], ready["message"]

    def until_ready(self, name: str, value: str = "True/Ready") -> str:
        """Wait until the Organization's condition Ready is this; return its message."""
        wait_for(lambda: self.readiness(name)[0] == value, f"{name} to be {value}; it is {self.readiness(name)}", 10)
        return self.readiness(name)[1]

    def delete(self, kind: str, name: str, *options: str) -> None:
        self.control_plane.kubectl("delete", kind, name, "--timeout=10s", *options)

    def remove_namespace(self, name: str) -> None:
        """Delete a namespace and its objects. There is no controller-manager that would do so."""
        kubectl = self.control_plane.kubectl
        kubectl("delete", "namespace", name, "--wait=false")
        kubectl("delete", "executions,events", "--all", "--namespace", name, "--timeout=10s")
        final = json.dumps({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}, "spec": {}})
        kubectl("replace", "--raw", f"/api/v1/namespaces/{name}/finalize", "-f", "-", input=final)
        wait_for(lambda: not kubectl("get", "namespace", name, "--ignore-not-found").stdout, "the namespace to be gone")

    def request(self, name: str, namespace: str, workflow_id: str | None = None) -> None:
        """Create an Execution with a termination request."""
        spec = {"executionId": workflow_id or name, "terminate": {"reason": "tenancy"}}
        self.apply("Execution", name, spec, namespace)

    def observed(self, name: str, namespace: str) -> None:
        """Create an Execution, and wait until its run is pinned."""
        self.apply("Execution", name, {"executionId": name}, namespace)
        self.until(name, namespace, Finished="False/Open")

    def denied(self, name: str, namespace: str, reason: str) -> str:
        """Wait until the request is denied in all conditions and by an Event. Return the message."""
        said = {"Authorized": f"False/{reason}", "Terminated": f"False/{reason}", "Stalled": f"True/{reason}"}
        execution = self.until(name, namespace, 15, **said)
        assert "outcome" not in execution["status"]["termination"]
        wait_for(lambda: [event for event in self.events(name, namespace) if event[1] == reason], "the Event")
        conditions = execution["status"]["conditions"]
        return next(str(condition["message"]) for condition in conditions if condition["type"] == "Terminated")

    def mapped_no_more(self, namespace: str) -> Callable[[], None]:
        """Return a function that waits until the operator knows that no Organization lists the namespace."""
        self.apply("Execution", sentinel := f"sentinel-{uuid.uuid4().hex[:6]}", {"executionId": "nothing"}, namespace)
        self.until(sentinel, namespace, Stalled="True/ExecutionNotFound")

        def wait() -> None:
            self.until(sentinel, namespace, Stalled="True/NamespaceNotMapped")

        return wait

    def begin_in(self, temporal_namespace: str, workflow_id: str, organization: str | None) -> WorkflowHandle[Any, Any]:
        """Start a workflow in another Temporal namespace, where no worker runs it."""
        attributes = [SearchAttributePair(OWNER, organization)] if organization else []
        client = Client(self.samples.client.service_client, namespace=temporal_namespace)
        start = client.start_workflow(
            Agent.run, id=workflow_id, task_queue="nobodys", search_attributes=TypedSearchAttributes(attributes)
        )
        return self.samples.do(start)

    def begin_chain_in(self, temporal_namespace: str, workflow_id: str, organization: str) -> WorkflowHandle[Any, Any]:
        """Start a workflow in another Temporal namespace whose first run times out, and whose second one waits."""
        client = Client(self.samples.client.service_client, namespace=temporal_namespace)
        start = client.start_workflow(
            Agent.run,
            id=workflow_id,
            task_queue="nobodys",
            search_attributes=TypedSearchAttributes([SearchAttributePair(OWNER, organization)]),
            run_timeout=timedelta(seconds=2),
            retry_policy=RetryPolicy(initial_interval=timedelta(hours=1)),
        )
        self.samples.do(start)
        return client.get_workflow_handle(workflow_id)

    def continued(self, temporal_namespace: str, name: str) -> None:
        """Wait until the second run is pinned, and have Temporal forget the first."""
        first = self.get(name, temporal_namespace)["status"]["firstRunId"]
        wait_for(lambda: self.get(name, temporal_namespace)["status"]["runId"] != first, "the second run to be pinned")
        self.temporal.cli("workflow", "delete", "-n", temporal_namespace, "-w", name, "-r", first, "--yes")
        missing = ("workflow", "describe", "-n", temporal_namespace, "-w", name, "-r", first)
        wait_for(lambda: not self.temporal.cli(*missing, check=False).stdout, "the deletion of the first run")

    def refusals(self, key: str) -> int:
        """Count the calls with this API key that the proxy has refused."""
        return sum(request.key == key and not request.accepted for request in self.front.requests)

    def state(self, handle: WorkflowHandle[Any, Any]) -> str:
        """Return Temporal's status of the handle's workflow."""
        description = self.samples.do(handle.describe())
        return description.status.name if description.status else ""


async def _worker(client: Client) -> Worker:
    forgers = Worker(
        client, task_queue="forgers", workflows=[OverwritesOwner], workflow_runner=UnsandboxedWorkflowRunner()
    )
    return await forgers.__aenter__()


@pytest.fixture(scope="module")
def stack() -> Iterator[Tenants]:
    """A local stack with the organization `acme`, which owns `team-a` and shares its Temporal namespace."""
    with Tenants(dynamic_config=FORGET_SOON) as running:
        running.organization("acme", "team-a")
        running.until_ready("acme")
        yield running


@pytest.fixture
def name(stack: Tenants) -> str:
    """A name for the test's own organization, namespace, workflow and Execution."""
    name = f"t{uuid.uuid4().hex[:8]}"
    stack.namespace(name)
    return name


class TestNamespaces:
    """Which organization a Kubernetes namespace belongs to."""

    def test_listed_by_two(self, stack: Tenants, name: str) -> None:
        stack.tenant(name, name, ownership=BY_NAME)
        stack.samples.begin(Agent, name, organization=name)
        stack.observed(name, name)
        stack.tenant(f"{name}-too", name, ownership=BY_NAME)
        stack.terminate(name, "whose?", name)
        assert f"{name}, {name}-too" in stack.denied(name, name, "NamespaceConflict")
        assert stack.samples.status(name) == "RUNNING"
        stack.delete("organization", f"{name}-too")
        stack.until(name, name, Terminated="True/Terminated", Stalled="")

    def test_listed_by_two_shows_also_where_nothing_is_asked(self, stack: Tenants, name: str) -> None:
        stack.tenant(name, name, ownership=BY_NAME)
        stack.samples.begin(Agent, name, organization=name)
        stack.observed(name, name)
        stack.tenant(f"{name}-too", name, ownership=BY_NAME)
        stack.until(name, name, Authorized="False/NamespaceConflict", Stalled="True/NamespaceConflict")
        stack.operator.end()
        stack.delete("organization", f"{name}-too")
        stack.operator.start()
        stack.until(name, name, Authorized="True/OrganizationMapped", Stalled="", Finished="False/Open")
        stack.operator.end()
        stack.delete("organization", name)
        stack.operator.start()
        stack.until(name, name, Authorized="False/NamespaceNotMapped", Stalled="True/NamespaceNotMapped")

    def test_moved_after_the_pin(self, stack: Tenants, name: str) -> None:
        other = f"{name}-other"
        stack.tenant(name, name, ownership=BY_NAME)
        stack.samples.begin(Agent, name, organization=name)
        stack.observed(name, name)
        stack.tenant(name, f"{name}-x", ownership=BY_NAME)
        stack.tenant(other, name, ownership={**BY_NAME, "value": other})
        stack.terminate(name, "ours now?", name)
        words = stack.denied(name, name, "OrganizationMismatch")
        assert words.startswith(
            f"the Execution was recorded for organization {name}, but its namespace belongs to {other} now"
        )
        assert stack.samples.status(name) == "RUNNING"
        stack.delete("organization", other)
        stack.tenant(name, name, ownership=BY_NAME)
        stack.until(name, name, Terminated="True/Terminated")

    def test_deleted_and_created_again(self, stack: Tenants, name: str) -> None:
        """It is another's when it comes back, and then its first owner's again. What it held was never asked for."""
        other = f"{name}-other"
        stack.tenant(name, name, ownership=BY_NAME)
        stack.samples.begin(Agent, name, organization=name)
        stack.observed(name, name)
        before = stack.get(name, name)["metadata"]["uid"]
        stack.remove_namespace(name)
        stack.tenant(name, f"{name}-x", ownership=BY_NAME)
        stack.tenant(other, name, ownership=BY_NAME)
        stack.namespace(name)
        stack.request(name, name)
        stack.denied(name, name, "OrganizationMismatch")
        assert "runId" not in stack.get(name, name)["status"]
        assert stack.samples.status(name) == "RUNNING"
        stack.delete("organization", other)
        stack.tenant(name, name, ownership=BY_NAME)
        execution = stack.until(name, name, Terminated="True/Terminated", Stalled="")
        assert execution["metadata"]["uid"] != before
        wait_for(lambda: stack.events(name, name)[-1][1] == "Terminated", "the Event")

    def test_an_execution_created_anew_inherits_nothing(self, stack: Tenants, name: str) -> None:
        other = f"{name}-other"
        stack.tenant(name, name, ownership=BY_NAME)
        stack.samples.begin(Agent, name, organization=name)
        stack.observed(name, name)
        stack.delete("execution", name, "--namespace", name)
        stack.tenant(name, f"{name}-x", ownership=BY_NAME)
        stack.tenant(other, name, ownership=BY_NAME)
        stack.request(name, name)
        words = stack.denied(name, name, "OrganizationMismatch")
        assert f"its first run does not show search attribute OrganizationId={other}" in words
        assert "runId" not in stack.get(name, name)["status"]
        assert stack.samples.status(name) == "RUNNING"

    def test_a_request_that_outlives_its_namespace_is_dropped(self, stack: Tenants, name: str) -> None:
        """It waited for Temporal; then its Execution went, and the namespace with it to another organization."""
        stack.tenant(name, name, f"{name}-x", temporal=stack.behind_the_front(), ownership=BY_NAME)
        stack.namespace(f"{name}-x")
        stack.samples.begin(Agent, name, organization=name)
        stack.observed(name, name)
        with stack.front.away():
            stack.terminate(name, "soon", name)
            stack.until(name, name, Terminated="Unknown/TemporalUnavailable")
            stack.delete("execution", name, "--namespace", name)
            stack.tenant(name, f"{name}-x", temporal=stack.behind_the_front(), ownership=BY_NAME)
            stack.tenant(f"{name}-other", name, ownership=BY_NAME)
            stack.until_ready(f"{name}-other")
        stack.until_ready(name)
        stack.samples.begin(Agent, f"{name}-x", organization=name)
        stack.request(f"{name}-x", f"{name}-x")
        stack.until(f"{name}-x", f"{name}-x", Terminated="True/Terminated")
        assert stack.samples.status(name) == "RUNNING"


class TestTemporalNamespaces:
    """Two organizations in one Temporal namespace."""

    @pytest.mark.parametrize("spelling", ["same", "other"])
    def test_both_must_declare_ownership(self, stack: Tenants, name: str, spelling: str) -> None:
        stack.temporal.create_namespace(name)
        mine, theirs = f"{name}-mine", f"{name}-theirs"
        stack.namespace(mine)
        address = {"address": stack.temporal.address.replace("127.0.0.1", "localhost")} if spelling == "other" else {}
        here, there = {"namespace": name}, {"namespace": name, **address}
        handle = stack.begin_in(name, "wf", theirs)
        declared = ((None, None), (BY_NAME, None), (None, BY_NAME)) if spelling == "other" else ((None, None),)
        for ownership in declared:
            stack.tenant(mine, mine, temporal=here, ownership=ownership[0])
            stack.tenant(theirs, name, temporal=there, ownership=ownership[1])
            for one, another in ((mine, theirs), (theirs, mine)):
                assert another in stack.until_ready(one, "False/TemporalNamespaceShared")
            stack.request("wf", mine)
            assert f"is also used by {theirs}" in stack.denied("wf", mine, "OrganizationNotReady")
            stack.delete("execution", "wf", "--namespace", mine)
        assert stack.state(handle) == "RUNNING"
        stack.tenant(mine, mine, temporal=here, ownership=BY_NAME)
        stack.tenant(theirs, name, temporal=there, ownership=BY_NAME)
        for one in (mine, theirs):
            stack.until_ready(one)
        stack.request("wf", mine)
        stack.denied("wf", mine, "OrganizationMismatch")
        assert stack.state(handle) == "RUNNING"
        stack.request("wf", name)
        stack.until("wf", name, Terminated="True/Terminated")

    def test_two_organizations_with_the_same_ownership(self, stack: Tenants, name: str) -> None:
        """Two Organizations with the same value can't be distinguished. A third one with its own value can."""
        stack.temporal.create_namespace(name)
        other, third, here = f"{name}-other", f"{name}-third", {"namespace": name}
        handle = stack.begin_in(name, "wf", name)
        stack.namespace(other)
        stack.tenant(name, name, temporal=here, ownership=BY_NAME)
        stack.tenant(other, other, temporal=here, ownership={**BY_NAME, "value": name})
        stack.tenant(third, third, temporal=here, ownership=BY_NAME)
        for one, another in ((name, other), (other, name)):
            assert another in stack.until_ready(one, "False/TemporalNamespaceShared")
        stack.request("wf", other)
        assert "no two may have the same value" in stack.denied("wf", other, "OrganizationNotReady")
        assert stack.state(handle) == "RUNNING"
        stack.until_ready(third)

    def test_an_unreachable_neighbour_keeps_the_organization_unready(self, stack: Tenants, name: str) -> None:
        """Whose Temporal can't be asked may be in the same namespace. Once it was seen there, it stays there."""
        stack.temporal.create_namespace(name)
        locked, lonely = f"{name}-locked", f"{name}-lonely"
        stack.namespace(lonely)
        handle = stack.begin_in(name, "wf", locked)
        stack.secret(f"{name}-key", {"apiKey": "wrong"})
        with stack.front.requiring_key("right"):
            keyed = stack.behind_the_front(name, apiKeySecretName=f"{name}-key")
            stack.tenant(locked, name, temporal=keyed, ownership=BY_NAME)
            stack.until_ready(locked, "False/TemporalRefused")
            stack.tenant(lonely, lonely, temporal={"namespace": name}, ownership=None)
            assert locked in stack.until_ready(lonely, "Unknown/TemporalUnavailable")
            stack.request("wf", lonely)
            stack.until("wf", lonely, Terminated="Unknown/TemporalUnavailable")
            stack.secret(f"{name}-key", {"apiKey": "right"})
            stack.until_ready(lonely, "False/TemporalNamespaceShared")
            stack.secret(f"{name}-key", {"apiKey": f"{name} is wrong"})
            wait_for(lambda: stack.refusals(f"{name} is wrong") > 1, "two refusals: the first one is recorded by then")
            stack.until_ready(locked, "False/TemporalNamespaceShared")
            stack.denied("wf", lonely, "OrganizationNotReady")
            stack.until_ready(lonely, "False/TemporalNamespaceShared")
            assert stack.state(handle) == "RUNNING"
        stack.delete("organization", locked)
        stack.delete("organization", lonely)


class TestOwnership:
    """What a workflow says of itself."""

    def test_forged_after_the_start(self, stack: Tenants, name: str) -> None:
        stack.tenant(name, name, ownership=BY_NAME)
        start = stack.samples.client.start_workflow(
            OverwritesOwner.run,
            id=name,
            task_queue="forgers",
            search_attributes=TypedSearchAttributes([SearchAttributePair(OWNER, name)]),
        )
        first = stack.samples.do(start).result_run_id
        stack.samples.do(_until_forged(stack.samples.client, name))
        stack.request(name, "team-a")
        assert "does not show search attribute OrganizationId=acme" in stack.denied(
            name, "team-a", "OrganizationMismatch"
        )
        handle = stack.samples.client.get_workflow_handle(name)
        stack.samples.do(handle.signal("next"))
        wait_for(lambda: stack.samples.do(handle.describe()).run_id != first, "the next run")
        second = stack.samples.do(handle.describe()).run_id
        started = stack.samples.do(stack.samples.client.get_workflow_handle(name, run_id=second).fetch_history())
        fields = started.events[0].workflow_execution_started_event_attributes.search_attributes.indexed_fields
        assert json.loads(fields["OrganizationId"].data) == "acme"
        stack.request(f"{name}-again", "team-a", workflow_id=name)
        stack.denied(f"{name}-again", "team-a", "OrganizationMismatch")
        assert stack.samples.status(name) == "RUNNING"
        stack.request(name, name)
        stack.until(name, name, Terminated="True/Terminated")

    def test_without_the_first_run_recorded_ownership_counts(self, stack: Tenants, name: str) -> None:
        """A pin proves nothing by itself: it may be of a time when the Organization asked for no proof."""
        stack.temporal.create_namespace(name)
        theirs, ours, here = f"{name}-theirs", f"{name}-ours", {"namespace": name}
        stack.tenant(name, name, temporal=here, ownership=None)
        stack.until_ready(name)
        handles = {theirs: stack.begin_chain_in(name, theirs, "rival"), ours: stack.begin_chain_in(name, ours, name)}
        stack.observed(theirs, name)
        stack.continued(name, theirs)
        stack.tenant(name, name, temporal=here, ownership=BY_NAME)
        stack.until_ready(name)
        stack.observed(ours, name)
        stack.continued(name, ours)
        stack.operator.end()  # with all that it remembers of start events
        stack.operator.start()
        for each in handles:
            stack.terminate(each, "expired", name)
        assert "the history of its first run is gone" in stack.denied(theirs, name, "OrganizationMismatch")
        assert stack.state(handles[theirs]) == "RUNNING"
        execution = stack.until(ours, name, Terminated="True/Terminated")
        assert execution["status"]["observedOwnership"] == {"searchAttribute": "OrganizationId", "value": name}

    def test_absent(self, stack: Tenants, name: str) -> None:
        stack.samples.begin(Agent, name, organization=None)
        stack.request(name, "team-a")
        stack.denied(name, "team-a", "OrganizationMismatch")
        assert stack.samples.status(name) == "RUNNING"


async def _until_forged(client: Client, workflow_id: str) -> None:
    """Wait for the first task, which writes the search attribute: only after it a query is answered."""
    handle = client.get_workflow_handle(workflow_id)
    await handle.query("__stack_trace")
    assert (await handle.describe()).typed_search_attributes.get(OWNER) == "acme"


class TestOrganizations:
    """An Organization changes between the pin and the request."""

    def test_the_namespace_is_taken_away(self, stack: Tenants, name: str) -> None:
        self._pinned(stack, name)
        stack.tenant(name, f"{name}-x", ownership=BY_NAME)
        self._asked(stack, name, "NamespaceNotMapped", f"no Organization lists namespace {name}")
        stack.tenant(name, name, ownership=BY_NAME)
        stack.until(name, name, Terminated="True/Terminated")

    def test_it_is_deleted(self, stack: Tenants, name: str) -> None:
        self._pinned(stack, name)
        known = stack.mapped_no_more(name)
        stack.delete("organization", name)
        known()
        self._asked(stack, name, "NamespaceNotMapped", f"no Organization lists namespace {name}")

    def test_its_temporal_namespace_changes(self, stack: Tenants, name: str) -> None:
        self._pinned(stack, name)
        stack.tenant(name, name, temporal={"namespace": "default"}, ownership=BY_NAME)
        stack.until_ready(name)
        self._asked(stack, name, "OrganizationMismatch", "recorded in Temporal namespace shared")

    def test_its_ownership_changes(self, stack: Tenants, name: str) -> None:
        self._pinned(stack, name)
        stack.tenant(name, name, ownership={**BY_NAME, "value": f"{name}-2"})
        stack.until_ready(name)
        self._asked(stack, name, "OrganizationMismatch", f"does not show search attribute OrganizationId={name}-2")

    @pytest.mark.parametrize("difference", ["none", "Temporal namespace", "ownership"])
    def test_a_namesake_is_another_organization(self, stack: Tenants, name: str, difference: str) -> None:
        self._pinned(stack, name)
        known = stack.mapped_no_more(name)
        stack.delete("organization", name)
        known()
        temporal = {"namespace": "default"} if difference == "Temporal namespace" else None
        ownership = {**BY_NAME, "value": f"{name}-2"} if difference == "ownership" else BY_NAME
        stack.tenant(name, name, temporal=temporal, ownership=ownership)
        stack.until_ready(name)
        self._asked(stack, name, "OrganizationMismatch", f"the Organization {name} that exists now is another one")
        if difference == "none":
            stack.request(f"{name}-new", name, workflow_id=name)
            stack.until(f"{name}-new", name, Terminated="True/Terminated")

    @staticmethod
    def _pinned(stack: Tenants, name: str) -> None:
        stack.tenant(name, name, ownership=BY_NAME)
        stack.until_ready(name)
        stack.samples.begin(Agent, name, organization=name)
        stack.observed(name, name)

    @staticmethod
    def _asked(stack: Tenants, name: str, reason: str, words: str) -> None:
        """Ask for the termination; see it denied for this reason in these words, and the workflow run on."""
        stack.terminate(name, "still ours?", name)
        assert words in stack.denied(name, name, reason)
        assert stack.samples.status(name) == "RUNNING"


class TestBetweenReadAndCall:
    """The Organization changes while the operator reads the run's owner. Nothing is sent to Temporal after that."""

    @pytest.mark.parametrize(
        ("change", "reason", "grace"),
        [
            ("namespace", "NamespaceNotMapped", 0),
            ("deleted", "NamespaceNotMapped", 0),
            ("temporal", "OrganizationMismatch", 0),
            ("ownership", "OrganizationMismatch", 0),
            ("ownership", "OrganizationMismatch", 60),
        ],
    )
    def test_nothing_is_sent(self, stack: Tenants, name: str, change: str, reason: str, grace: int) -> None:
        behind = stack.behind_the_front()
        stack.tenant(name, name, temporal=behind, ownership=BY_NAME)
        stack.until_ready(name)
        stack.samples.begin(Agent, name, organization=name)
        known = stack.mapped_no_more(name) if change in ("namespace", "deleted") else lambda: None
        sent = len(stack.front.calls("Terminate")) + len(stack.front.calls("RequestCancel"))
        with stack.front.holding("GetWorkflowExecutionHistory") as held:
            terminate = {"reason": "quick!", "gracePeriodSeconds": grace}
            stack.apply("Execution", name, {"executionId": name, "terminate": terminate}, name)
            wait_for(held, "the call for the start event")
            match change:
                case "namespace":
                    stack.tenant(name, f"{name}-x", temporal=behind, ownership=BY_NAME)
                case "deleted":
                    stack.delete("organization", name)
                case "temporal":
                    stack.tenant(name, name, temporal={**behind, "namespace": "default"}, ownership=BY_NAME)
                case _:
                    stack.tenant(name, name, temporal=behind, ownership={**BY_NAME, "value": f"{name}-2"})
            known()
        stack.denied(name, name, reason)
        assert len(stack.front.calls("Terminate")) + len(stack.front.calls("RequestCancel")) == sent
        assert stack.samples.status(name) == "RUNNING"


class TestIndex:
    """Before the Organizations are known nothing is decided."""

    def test_nothing_is_decided_without_it(self, stack: Tenants, name: str) -> None:
        stack.tenant(name, name, ownership=BY_NAME)
        stack.samples.begin(Agent, name, organization=name)
        stack.operator.end()
        role = json.loads(stack.control_plane.kubectl("get", "clusterrole", ACCOUNT, "--output=json").stdout)
        rules = [rule for rule in role["rules"] if rule["resources"] != ["organizations"]]
        assert len(rules) == len(role["rules"]) - 1
        self._allow(stack, rules, "no")
        stack.request(name, name)
        seen = stack.operator.log.stat().st_size
        starting = threading.Thread(target=stack.operator.start)
        starting.start()
        try:
            wait_for(lambda: _forbidden(stack.operator.log, seen) >= 2, "two refusals to list Organizations")
            assert stack.get(name, name)["status"] == UNSEEN
            assert stack.events(name, name) == []
        finally:
            self._allow(stack, role["rules"], "yes")
            starting.join()
        stack.until(name, name, Terminated="True/Terminated")
        assert [reason for _, reason, _ in stack.wait_for_events(name, name)] == ["Terminated"]

    @staticmethod
    def _allow(stack: Tenants, rules: list[Object], answer: str) -> None:
        patch = json.dumps({"rules": rules})
        kubectl = stack.control_plane.kubectl
        kubectl("patch", "clusterrole", ACCOUNT, "--type=merge", "--patch", patch)
        account = f"--as=system:serviceaccount:{NAMESPACE}:{ACCOUNT}"
        question = ("auth", "can-i", "list", "organizations", account)
        wait_for(lambda: kubectl(*question, check=False).stdout.strip() == answer, "RBAC to know")


def _forbidden(log: Path, offset: int) -> int:
    return sum("organizations" in line and "forbidden" in line for line in log.read_text()[offset:].splitlines())
