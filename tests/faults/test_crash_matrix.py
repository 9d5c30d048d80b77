"""Each request of a termination with each fault: the run is terminated exactly once, and the status is true."""

import os
from collections.abc import Iterator

import pytest

from tests.faults.harness.cluster import FaultCluster
from tests.faults.harness.matrix import CASES, Case, document, documented, expected_rows, groups_of
from tests.faults.harness.matrix_runner import MatrixRunner

WRITE = os.environ.get("EXECUTION_OPERATOR_WRITE_DOCS") == "1"
GROUPS = groups_of(CASES)


@pytest.fixture(scope="module")
def results() -> dict[Case, str | Exception]:
    return {}


@pytest.fixture(scope="module")
def matrix_runner(shared_cluster: FaultCluster) -> Iterator[MatrixRunner]:
    yield MatrixRunner(shared_cluster)
    shared_cluster.faults.clear()
    shared_cluster.ensure_operator()


@pytest.fixture
def selected(request: pytest.FixtureRequest) -> set[str]:
    """The names of the tests in this run. The command line may have deselected some cases."""
    return {item.name for item in request.session.items}


@pytest.mark.parametrize("case", [case for group in GROUPS for case in group], ids=lambda case: case.id)
def test_terminated_once(
    matrix_runner: MatrixRunner, results: dict[Case, str | Exception], case: Case, selected: set[str]
) -> None:
    if case not in results:
        group = next(group for group in GROUPS if case in group)
        results |= matrix_runner.run_cases([each for each in group if f"test_terminated_once[{each.id}]" in selected])
    if isinstance(verdict := results[case], Exception):
        raise verdict


def test_the_document_shows_these_cases(results: dict[Case, str | Exception]) -> None:
    cells = {case: verdict for case, verdict in results.items() if isinstance(verdict, str)}
    if WRITE and len(cells) == len(CASES):
        document(cells)
    assert documented() == expected_rows()
