"""How far the model looks."""

import os

import pytest


@pytest.fixture(scope="session")
def count() -> int:
    """Return how many schedules are played."""
    return int(os.environ.get("EXECUTION_OPERATOR_SCHEDULES", "20000"))


@pytest.fixture(scope="session")
def seed() -> int:
    """Return the seed of the first schedule."""
    return int(os.environ.get("EXECUTION_OPERATOR_SEED", "0"))
