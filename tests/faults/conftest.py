"""Fixtures of the fault tests: one set of servers behind fault proxies, and an organization that must stay unchanged.

The servers stop with the last fault test of a process, because idle servers would slow down the tests after it.
"""

from collections.abc import Iterator

import pytest

from tests.faults.harness.cluster import FaultCluster, OtherOrganization


@pytest.fixture(scope="package")
def shared_cluster() -> Iterator[FaultCluster]:
    with FaultCluster() as running:
        yield running


@pytest.fixture
def cluster(shared_cluster: FaultCluster) -> Iterator[FaultCluster]:
    """The servers, with a running operator and without faults."""
    yield shared_cluster
    shared_cluster.faults.clear()
    shared_cluster.ensure_operator()


@pytest.fixture(scope="package")
def other_organization(shared_cluster: FaultCluster) -> OtherOrganization:
    return OtherOrganization(shared_cluster)


@pytest.fixture(autouse=True)
def other_organization_is_unchanged(other_organization: OtherOrganization) -> Iterator[None]:
    """After each test, the other organization's workflow runs and its Execution has not been written."""
    yield
    assert not other_organization.changes()


@pytest.fixture(scope="package", autouse=True)
def no_token_in_a_log(shared_cluster: FaultCluster) -> Iterator[None]:
    yield
    assert b"Bearer ey" not in b"".join(log.read_bytes() for log in shared_cluster.fork_server.folder.glob("*.log"))
