"""The number of schedules that the model runs, and the seed of the first."""

import os

import pytest


@pytest.fixture(scope="session")
def count() -> int:
    """Return the number of schedules."""
    return int(os.environ.get("EXECUTION_OPERATOR_SCHEDULES", "20000"))


@pytest.fixture(scope="session")
def seed() -> int:
    """Return the seed of the first schedule."""
    return int(os.environ.get("EXECUTION_OPERATOR_SEED", "0"))
