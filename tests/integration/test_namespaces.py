"""A release for some namespaces has permissions only there, and other namespaces cannot disturb its work."""

from collections.abc import Iterator

import pytest

from tests.support.packages import Chart, PackagedStack
from tests.support.waiting import wait_for
from tests.support.workflows import Stubborn

RELEASE = Chart(values=["organizations={acme}"], works_in=["team-a", "team-c"])
EXECUTIONS = "executions.control-plane.kubiya.ai"


@pytest.fixture(scope="module")
def stack() -> Iterator[PackagedStack]:
    """The Organization has three namespaces, the release works in two of them."""
    with PackagedStack(RELEASE) as running:
        running.organization("acme", "team-a", "team-b", "team-c")
        yield running


def may(stack: PackagedStack, verb: str, *where: str) -> bool:
    account = f"--as=system:serviceaccount:{RELEASE.namespace}:{RELEASE.name}"
    asked = stack.control_plane.kubectl("auth", "can-i", verb, EXECUTIONS, account, *where, check=False)
    return asked.stdout.strip() == "yes"


@pytest.mark.parametrize("verb", ["get", "list", "watch", "patch", "delete"])
def test_it_has_rights_in_its_namespaces_only(stack: PackagedStack, verb: str) -> None:
    places = ("--namespace=team-a", "--namespace=team-c", "--namespace=team-b", "--all-namespaces")
    assert [may(stack, verb, where) for where in places] == [True, True, False, False]


UNSEEN = {"observedGeneration": 0}
"""The status that the API server gives to each new Execution."""


def begin(stack: PackagedStack, name: str, namespace: str) -> None:
    stack.samples.begin(Stubborn, name)
    stack.apply("Execution", name, {"executionId": name}, namespace)


def test_it_works_in_each_of_them(stack: PackagedStack) -> None:
    begin(stack, "unseen", "team-b")
    for namespace in ("team-a", "team-c"):
        begin(stack, f"first-{namespace}", namespace)
        stack.until(f"first-{namespace}", namespace, Finished="False/Open")
        stack.terminate(f"first-{namespace}", "runaway cost", namespace)
        stack.until(f"first-{namespace}", namespace, Terminated="True/Terminated")
    assert stack.get("unseen", "team-b")["status"] == UNSEEN
    assert "orbidden" not in stack.operator.log.read_text()


def test_what_closes_by_itself_shows_in_each_of_them(stack: PackagedStack) -> None:
    for namespace in ("team-a", "team-c"):
        begin(stack, f"second-{namespace}", namespace)
        stack.until(f"second-{namespace}", namespace, Finished="False/Open")
    for namespace in ("team-a", "team-c"):
        stack.samples.do(stack.samples.client.get_workflow_handle(f"second-{namespace}").terminate("elsewhere"))
        stack.until(f"second-{namespace}", namespace, Finished="True/Terminated")


def test_a_namespace_that_is_gone_stops_no_other_and_may_come_back(stack: PackagedStack) -> None:
    kubectl, bound = stack.control_plane.kubectl, f"{RELEASE.name}-executions"
    kubectl("delete", "rolebinding", bound, "--namespace=team-c")  # as the end of the namespace does
    stack.operator.end()
    stack.operator.start()
    begin(stack, "third-team-a", "team-a")
    begin(stack, "third-team-c", "team-c")
    stack.until("third-team-a", Finished="False/Open")
    for name in ("third-team-a", "third-team-c"):
        stack.terminate(name, "runaway cost", name.removeprefix("third-"))
    stack.until("third-team-a", Terminated="True/Terminated", seconds=5)
    assert stack.get("third-team-c", "team-c")["status"] == UNSEEN
    wait_for(
        lambda: "Executions of namespace team-c can't be listed" in stack.operator.log.read_text(), "the log to say so"
    )

    account = f"--serviceaccount={RELEASE.namespace}:{RELEASE.name}"
    kubectl("create", "rolebinding", bound, f"--clusterrole={bound}", account, "--namespace=team-c")
    stack.until("third-team-c", "team-c", Terminated="True/Terminated", seconds=90)
