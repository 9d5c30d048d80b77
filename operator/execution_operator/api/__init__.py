"""The resources as pydantic models. `crds/` is generated from them, and the operator reads every object as one."""

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
