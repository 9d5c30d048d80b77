"""Each check of tenancy on real servers: its test passes with the product, and fails with the product without it."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.integration import test_tenancy as tenancy
from tests.mutants.mutants import MUTANTS, Mutant
from tests.support.operator import Operator


@pytest.fixture(scope="module")
def world() -> Iterator[tenancy.Tenants]:
    with tenancy.Tenants(dynamic_config=tenancy.FORGET_SOON) as running:
        running.organization("acme", "team-a")
        running.until_ready("acme")
        yield running


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.without)
def test_a_check_that_is_taken_out_is_missed(world: tenancy.Tenants, tmp_path: Path, mutant: Mutant) -> None:
    _play(world, mutant)
    with _running(world, mutant.build.make(tmp_path)), pytest.raises((AssertionError, TimeoutError)):
        _play(world, mutant)


def _play(world: tenancy.Tenants, mutant: Mutant) -> None:
    """Play the test under a name of its own."""
    group, function = mutant.test.split(".")
    world.namespace(name := f"t{uuid.uuid4().hex[:8]}")
    getattr(getattr(tenancy, group)(), function)(world, name, **mutant.arguments)


@contextmanager
def _running(world: tenancy.Tenants, package: Path) -> Iterator[None]:
    """Have another build run in place of the product."""
    sound = world.operator
    sound.end()
    world.operator = Operator(world.control_plane, world.temporal.address, PYTHONPATH=str(package))
    try:
        world.operator.start()
        yield
    finally:
        world.operator.stop()
        world.operator = sound
        sound.start()
