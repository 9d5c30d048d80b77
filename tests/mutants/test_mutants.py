"""Each tenancy check on real servers: its test passes with the product, and fails with the mutant without the check."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.integration import test_tenancy as tenancy
from tests.mutants.mutants import MUTANTS, Mutant
from tests.support.operator import Operator


@pytest.fixture(scope="module")
def stack() -> Iterator[tenancy.Tenants]:
    with tenancy.Tenants(dynamic_config=tenancy.FORGET_SOON) as running:
        running.organization("acme", "team-a")
        running.until_ready("acme")
        yield running


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.without)
def test_a_removed_check_is_detected(stack: tenancy.Tenants, tmp_path: Path, mutant: Mutant) -> None:
    _run_test(stack, mutant)
    with _running(stack, mutant.build.make(tmp_path)), pytest.raises((AssertionError, TimeoutError)):
        _run_test(stack, mutant)


def _run_test(stack: tenancy.Tenants, mutant: Mutant) -> None:
    """Run the mutant's test with a new name."""
    group, function = mutant.test.split(".")
    stack.namespace(name := f"t{uuid.uuid4().hex[:8]}")
    getattr(getattr(tenancy, group)(), function)(stack, name, **mutant.arguments)


@contextmanager
def _running(stack: tenancy.Tenants, package: Path) -> Iterator[None]:
    """Run another build instead of the product."""
    sound = stack.operator
    sound.end()
    stack.operator = Operator(stack.control_plane, stack.temporal.address, PYTHONPATH=str(package))
    try:
        stack.operator.start()
        yield
    finally:
        stack.operator.stop()
        stack.operator = sound
        sound.start()
