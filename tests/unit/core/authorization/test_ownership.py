"""Whose workflow it is: what is asked, and when it is proven."""

import pytest

from execution_operator.api import OwnershipProof
from execution_operator.core.authorization.ownership import missing_proof, required_proof
from tests.support.builders import organization


def proof(value: str, attribute: str = "Owner") -> OwnershipProof:
    return OwnershipProof(search_attribute=attribute, value=value)


def test_the_value_is_the_organizations_name_unless_it_is_given() -> None:
    assert required_proof(organization("acme")) is None
    assert required_proof(organization("acme", ownership="Owner")) == proof("acme")
    assert required_proof(organization("acme", ownership="Owner", value="a-1")) == proof("a-1")


SHOWN = [
    # shown by the start event, recorded before → what is doubted
    pytest.param("acme", None, None, id="shown"),
    pytest.param("acme", proof("rival"), None, id="shown, whatever was recorded"),
    pytest.param("", None, "does not show search attribute Owner=acme", id="started without"),
    pytest.param("rival", proof("acme"), "does not show", id="another's: what can be read counts"),
    pytest.param(None, proof("acme"), None, id="gone, and recorded"),
    pytest.param(None, None, "is gone", id="gone, and never recorded"),
    pytest.param(None, proof("rival"), "does not record search attribute Owner=acme", id="gone, another value"),
    pytest.param(None, proof("acme", "Other"), "is gone", id="gone, another attribute"),
]


@pytest.mark.parametrize(("shown", "recorded", "said"), SHOWN)
def test_what_proves_and_what_does_not(shown: str | None, recorded: OwnershipProof | None, said: str | None) -> None:
    why = missing_proof(proof("acme"), shown, recorded)
    assert why is None if said is None else why is not None and said in why
