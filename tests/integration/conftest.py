"""What integration tests share: one real API server with the resources, roles and policies that `deploy/` ships."""

from collections.abc import Iterator

import pytest

from tests.support.controlplane import ControlPlane
from tests.support.installed import Tenant, install
from tests.support.rights import prepare


@pytest.fixture(scope="session")
def control_plane() -> Iterator[ControlPlane]:
    with ControlPlane() as running:
        install(running)
        yield running


@pytest.fixture(scope="session")
def tenant(control_plane: ControlPlane) -> Tenant:
    """A namespace with somebody for each way of having rights there, made once: namespaces never go here."""
    return prepare(control_plane)
