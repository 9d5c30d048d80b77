"""The broken builds: each of their changes still applies to the product, and the document lists all mutants."""

import ast

import pytest

from execution_operator.core.authorization.authorize import CHECKS
from tests.faults.harness import builds
from tests.integration import test_tenancy
from tests.mutants.mutants import MUTANTS, Mutant, documented, table
from tests.support.mutation import PACKAGE, Build, Expression, WithoutElement

BROKEN = {name: build for name, build in vars(builds).items() if isinstance(build, Build)}


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.without)
def test_a_mutation_applies_to_one_node(mutant: Mutant) -> None:
    assert _differs(mutant.build)


@pytest.mark.parametrize("build", BROKEN.values(), ids=BROKEN)
def test_a_broken_build_applies_to_one_node(build: Build) -> None:
    assert _differs(build)


def test_a_mutation_that_applies_to_no_node_fails() -> None:
    with pytest.raises(LookupError, match=r"module core\.authorization\.authorize has changed: .* applies to 0 nodes"):
        Build("core.authorization.authorize", "CHECKS", WithoutElement("no_such_check")).source()


def test_a_mutation_that_applies_to_two_nodes_fails() -> None:
    with pytest.raises(LookupError, match=r"applies to \d+ nodes"):
        Build("core.authorization.authorize", "", Expression("case", "None")).source()


def test_a_name_that_the_module_does_not_define_fails() -> None:
    with pytest.raises(LookupError, match="0 definitions of revoked"):
        Build("core.authorization.authorize", "Grant.revoked", WithoutElement("x")).source()


def test_a_loaded_build_has_the_change_and_the_product_does_not() -> None:
    build = Build("core.authorization.authorize", "CHECKS", WithoutElement("_namespace_conflict"))
    assert len(build.load("core.authorization.authorize").CHECKS) == len(CHECKS) - 1
    assert "_namespace_conflict" in {check.__name__ for check in CHECKS}


def test_the_document_shows_the_list() -> None:
    assert documented() == table()


def _differs(build: Build) -> bool:
    return build.source() != ast.unparse(ast.parse((PACKAGE / build.file).read_text()))


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.without)
def test_the_test_of_a_mutant_exists(mutant: Mutant) -> None:
    group, function = mutant.test.split(".")
    assert callable(getattr(getattr(test_tenancy, group), function))
