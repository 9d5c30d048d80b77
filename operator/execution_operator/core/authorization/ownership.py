"""Whose workflow it is: what an Organization asks of its workflows, and when that is proven."""

from execution_operator.api import Organization, OwnershipProof


def required_proof(organization: Organization) -> OwnershipProof | None:
    """Return the proof that the organization's workflows must show; None where it asks for none."""
    ownership = organization.spec.ownership
    if ownership is None:
        return None
    value = ownership.value or organization.metadata.name
    return OwnershipProof(search_attribute=ownership.search_attribute, value=value)


def missing_proof(proof: OwnershipProof, shown: str | None, observed: OwnershipProof | None) -> str | None:
    """Return why the proof is not given, for people; None where it is.

    Args:
        proof: What is asked.
        shown: The search attribute in the start event of the chain's first run; None if its history is gone.
        observed: The proof that was recorded when the start event could be read, if any was asked for then.
    """
    if shown == proof.value or (shown is None and observed == proof):
        return None
    asked = f"search attribute {proof.search_attribute}={proof.value}"
    if shown is None:
        return f"the history of its first run is gone, and status.observedOwnership does not record {asked}"
    return f"its first run does not show {asked}"
