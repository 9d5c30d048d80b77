"""What the fault tests share: one set of servers behind fault proxies, and a bystander whom nothing may touch.

They end with the last fault test of a process: idle servers would slow down what comes after.
"""

from collections.abc import Iterator

import pytest

from tests.faults.rig import Bystander, Rig


@pytest.fixture(scope="package")
def shared_rig() -> Iterator[Rig]:
    with Rig() as running:
        yield running


@pytest.fixture
def rig(shared_rig: Rig) -> Iterator[Rig]:
    """The servers, with an operator that runs and no fault in force."""
    yield shared_rig
    shared_rig.faults.clear()
    shared_rig.ensure_operator()


@pytest.fixture(scope="package")
def bystander(shared_rig: Rig) -> Bystander:
    return Bystander(shared_rig)


@pytest.fixture(autouse=True)
def unharmed(bystander: Bystander) -> Iterator[None]:
    """After each test: the other organization's workflow runs on, and its Execution was not written."""
    yield
    assert not bystander.harm()


@pytest.fixture(scope="package", autouse=True)
def no_token_in_a_log(shared_rig: Rig) -> Iterator[None]:
    yield
    assert b"Bearer ey" not in b"".join(log.read_bytes() for log in shared_rig.forge.folder.glob("*.log"))
