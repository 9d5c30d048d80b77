"""Every request of the act, and everything that may happen to it: still one termination, and a true status."""

import os
from collections.abc import Iterator

import pytest

from tests.faults.matrix import CASES, Case, companies, document, documented, expected_rows
from tests.faults.rig import Rig
from tests.faults.stage import Stage

WRITE = os.environ.get("EXECUTION_OPERATOR_WRITE_DOCS") == "1"
COMPANIES = companies(CASES)


@pytest.fixture(scope="module")
def seen() -> dict[Case, str | Exception]:
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


@pytest.mark.parametrize("case", [case for company in COMPANIES for case in company], ids=lambda case: case.id)
def test_settled_once(stage: Stage, seen: dict[Case, str | Exception], case: Case, chosen: set[str]) -> None:
    if case not in seen:
        company = next(company for company in COMPANIES if case in company)
        seen |= stage.play([each for each in company if f"test_settled_once[{each.id}]" in chosen])
    if isinstance(verdict := seen[case], Exception):
        raise verdict


def test_the_document_shows_these_cases(seen: dict[Case, str | Exception]) -> None:
    cells = {case: verdict for case, verdict in seen.items() if isinstance(verdict, str)}
    if WRITE and len(cells) == len(CASES):
        document(cells)
    assert documented() == expected_rows()
