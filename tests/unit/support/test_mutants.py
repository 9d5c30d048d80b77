"""The list of checks that `make mutants` takes out: each is still there, and the document has all of them."""

import pytest

from tests.faults.builds import PACKAGE
from tests.mutants.mutants import MUTANTS, Mutant, documented, table


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.without)
def test_what_is_taken_out_is_there(mutant: Mutant) -> None:
    assert (PACKAGE / mutant.build.file).read_text().count(mutant.build.sound) == 1


def test_the_document_shows_the_list() -> None:
    assert documented() == table()
