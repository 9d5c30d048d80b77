"""The two worlds, each made once."""

from collections.abc import Iterator
from itertools import count

import pytest

from tests.contract.worlds import FakeWorld, RealWorld, World

NUMBERS = count()


@pytest.fixture(scope="session", params=["fake", "real"])
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    if request.param == "fake":
        yield FakeWorld()
        return
    with RealWorld() as real:
        yield real


@pytest.fixture
def wid() -> str:
    """Return a workflow ID of the test's own."""
    return f"wf-{next(NUMBERS)}"
