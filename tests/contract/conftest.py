"""The two backends of the contract tests: the fake and a real Temporal server. Each is started once."""

from collections.abc import Iterator
from itertools import count

import pytest

from tests.contract.harness.backends import Backend, FakeBackend, RealBackend

NUMBERS = count()


@pytest.fixture(scope="session", params=["fake", "real"])
def backend(request: pytest.FixtureRequest) -> Iterator[Backend]:
    if request.param == "fake":
        yield FakeBackend()
        return
    with RealBackend() as real:
        yield real


@pytest.fixture
def wid() -> str:
    """Return a workflow ID of the test's own."""
    return f"wf-{next(NUMBERS)}"
