"""The proof of ownership: what an Organization requires, and when a workflow gives it."""

import pytest

from execution_operator.api import OwnershipProof
from execution_operator.core.authorization.ownership import missing_proof, required_proof
from tests.support.builders import organization


def proof(value: str, attribute: str = "Owner") -> OwnershipProof:
    return OwnershipProof(search_attribute=attribute, value=value)


def test_the_required_value_is_the_organizations_name_by_default() -> None:
    assert required_proof(organization("acme")) is None
    assert required_proof(organization("acme", ownership="Owner")) == proof("acme")
    assert required_proof(organization("acme", ownership="Owner", value="a-1")) == proof("a-1")


SHOWN = [
    # shown by the start event, recorded before → what the message says
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
def test_a_proof_is_given_by_the_start_event_or_by_the_record_if_that_is_gone(
    shown: str | None, recorded: OwnershipProof | None, said: str | None
) -> None:
    why = missing_proof(proof("acme"), shown, recorded)
    assert why is None if said is None else why is not None and said in why
