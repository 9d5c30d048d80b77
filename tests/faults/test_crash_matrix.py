"""Every request of the act, and everything that may happen to it: still one termination, and a true status."""

import os
from collections.abc import Iterator

import pytest

from tests.faults.matrix import CASES, Case, Scenario, document, documented, expected_rows, of
from tests.faults.rig import Rig
from tests.faults.stage import Stage

WRITE = os.environ.get("EXECUTION_OPERATOR_WRITE_DOCS") == "1"
TOGETHER = [
    of(CASES, Scenario.GRACE, hanging=False),
    of(CASES, Scenario.CREATION, Scenario.PINNED, Scenario.GRACE, hanging=True),
    of(CASES, Scenario.START, hanging=True),
]


@pytest.fixture(scope="module")
def seen() -> dict[Case, str]:
    return {}


@pytest.fixture(scope="module")
def stage(shared_rig: Rig) -> Iterator[Stage]:
    yield Stage(shared_rig)
    shared_rig.faults.clear()
    shared_rig.ensure_operator()


@pytest.fixture
def chosen(request: pytest.FixtureRequest) -> set[str]:
    """The names of all tests of this run: the command line may have left some cases out."""
    return {item.name for item in request.session.items}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_settled_once(stage: Stage, seen: dict[Case, str], case: Case, chosen: set[str]) -> None:
    group = next((group for group in TOGETHER if case in group), [case])
    stage.play(*(each for each in group if f"test_settled_once[{each.id}]" in chosen))
    seen[case] = stage.judge(case)


def test_the_document_shows_these_cases(seen: dict[Case, str]) -> None:
    if WRITE and len(seen) == len(CASES):
        document(seen)
    assert documented() == expected_rows()
