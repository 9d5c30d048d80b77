"""What is told of an object without a model is what its model tells."""

import pytest

from execution_operator.api import DeletionPolicy, Execution, ExecutionStatus
from execution_operator.core.authorize import Denied, Place
from execution_operator.core.findings import Finding, NotFound, Open
from execution_operator.core.reasons import Reason
from execution_operator.core.runs import Run
from execution_operator.core.state import wants_attention
from execution_operator.core.status import render
from execution_operator.kube.parse import quiet
from tests.support.builders import execution

PLACE = Place("acme", "uid-acme", "acme")


def after(finding: Finding) -> ExecutionStatus:
    return render(execution(), finding, PLACE, "2026-01-01T00:00:00Z")


SEEN = after(Open(Run("wf", "r1", "r1")))
STALLED = SEEN.model_copy(update={"conditions": after(Denied(Reason.NAMESPACE_NOT_MAPPED, "no")).conditions})
OPEN = {
    "true": execution(status=SEEN),
    "paused": execution(status=after(Open(Run("wf", "r1", "r1"), paused=True))),
    "never seen": execution(),
    "not found": execution(status=after(NotFound("none"))),
    "changed since": execution(status=SEEN, generation=2),
    "stalled": execution(status=STALLED),
    "terminates on deletion": execution(status=SEEN, policy=DeletionPolicy.TERMINATE, deleted=True),
}


@pytest.mark.parametrize("open_one", OPEN.values(), ids=OPEN)
def test_an_open_execution_is_quiet_where_it_wants_no_attention(open_one: Execution) -> None:
    assert quiet(open_one.wire()) is not wants_attention(open_one)


def test_one_that_is_being_deleted_gets_its_model_in_any_case() -> None:
    assert not quiet(execution(status=SEEN, deleted=True).wire())
