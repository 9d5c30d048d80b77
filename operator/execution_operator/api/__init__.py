"""The resources as pydantic models: the one source of `crds/` and of every object the operator reads."""

from execution_operator.api.execution import (
    DeletionPolicy,
    Execution,
    ExecutionSpec,
    ExecutionStatus,
    OwnershipProof,
    Phase,
    Terminate,
    Termination,
)
from execution_operator.api.meta import GROUP, VERSION, Condition, ConditionStatus, ObjectMeta
from execution_operator.api.organization import (
    Organization,
    OrganizationSpec,
    OrganizationStatus,
    Ownership,
    Temporal,
)

__all__ = [
    "GROUP",
    "VERSION",
    "Condition",
    "ConditionStatus",
    "DeletionPolicy",
    "Execution",
    "ExecutionSpec",
    "ExecutionStatus",
    "ObjectMeta",
    "Organization",
    "OrganizationSpec",
    "OrganizationStatus",
    "Ownership",
    "OwnershipProof",
    "Phase",
    "Temporal",
    "Terminate",
    "Termination",
]
