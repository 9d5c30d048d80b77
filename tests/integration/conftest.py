"""What integration tests share: one real API server with the resources, roles and policies that `deploy/` ships."""

from collections.abc import Iterator

import pytest

from tests.support.controlplane import ControlPlane
from tests.support.installed import install


@pytest.fixture(scope="session")
def control_plane() -> Iterator[ControlPlane]:
    with ControlPlane() as running:
        install(running)
        yield running
