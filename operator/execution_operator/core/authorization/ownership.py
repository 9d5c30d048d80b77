"""Proof of ownership: which search attribute an Organization requires of its workflows, and whether a run has it."""

from execution_operator.api import Organization, OwnershipProof


def required_proof(organization: Organization) -> OwnershipProof | None:
    """Return the proof that the organization's workflows must give; None if spec.ownership is not set."""
    ownership = organization.spec.ownership
    if ownership is None:
        return None
    value = ownership.value or organization.metadata.name
    return OwnershipProof(search_attribute=ownership.search_attribute, value=value)


def missing_proof(proof: OwnershipProof, shown: str | None, observed: OwnershipProof | None) -> str | None:
    """Say why a workflow does not prove that it is the organization's.

    Args:
        proof: The proof that the Organization requires.
        shown: The search attribute in the start event of the chain's first run; None if that history is gone.
        observed: The proof that status.observedOwnership recorded while the start event could be read, if any.

    Returns:
        The message for people; None if the proof is given.
    """
    if shown == proof.value or (shown is None and observed == proof):
        return None
    required = f"search attribute {proof.search_attribute}={proof.value}"
    if shown is None:
        return f"the history of its first run is gone, and status.observedOwnership does not record {required}"
    return f"the start event of its first run does not show {required}"
