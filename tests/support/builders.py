"""Executions and Organizations as tests need them: what a test does not say is sensible."""

from collections.abc import Iterable
from collections.abc import Mapping as Map
from typing import Any

from execution_operator.api import (
    DeletionPolicy,
    Execution,
    ExecutionSpec,
    ExecutionStatus,
    ObjectMeta,
    Organization,
    OrganizationSpec,
    OrganizationStatus,
    Ownership,
    Temporal,
    Terminate,
)
from execution_operator.core.authorization.mapping import Mapping, Probe
from execution_operator.core.reasons import Reason

ADDRESS = "temporal:7233"


def execution(  # noqa: PLR0913 - one keyword for each thing that a test may want to say
    reason: str | None = None,
    *,
    grace: int = 0,
    execution_id: str = "wf",
    run_id: str | None = None,
    policy: DeletionPolicy = DeletionPolicy.ORPHAN,
    namespace: str = "team-a",
    name: str = "run",
    uid: str = "uid-1",
    generation: int = 1,
    version: int = 1,
    deleted: bool = False,
    finalizers: Iterable[str] = (),
    annotations: Map[str, str] | None = None,
    managed_fields: Iterable[dict[str, Any]] = (),
    status: ExecutionStatus | None = None,
) -> Execution:
    """Return an Execution; with a reason, one whose termination is asked for."""
    return Execution(
        metadata=ObjectMeta(
            name=name,
            namespace=namespace,
            uid=uid,
            generation=generation,
            resource_version=str(version),
            deletion_timestamp="2026-01-01T00:00:00Z" if deleted else None,
            finalizers=list(finalizers),
            annotations=dict(annotations or {}),
            managed_fields=list(managed_fields),
        ),
        spec=ExecutionSpec(
            execution_id=execution_id,
            run_id=run_id,
            terminate=Terminate(reason=reason, grace_period_seconds=grace) if reason is not None else None,
            deletion_policy=policy,
        ),
        status=status or ExecutionStatus(),
    )


def organization(  # noqa: PLR0913 - likewise
    name: str = "acme",
    *namespaces: str,
    temporal: str | None = None,
    address: str | None = None,
    ownership: str | None = None,
    value: str | None = None,
    templates: Iterable[str] = ("{executionId}",),
    generation: int = 1,
    uid: str | None = None,
    status: OrganizationStatus | None = None,
) -> Organization:
    """Return an Organization of the namespace `team-a`, in a Temporal namespace of its own name."""
    return Organization(
        metadata=ObjectMeta(name=name, uid=uid or f"uid-{name}", generation=generation, resource_version="1"),
        spec=OrganizationSpec(
            namespaces=list(namespaces or ("team-a",)),
            temporal=Temporal(address=address, namespace=temporal or name),
            ownership=Ownership(search_attribute=ownership, value=value) if ownership else None,
            workflow_id_templates=list(templates),
        ),
        status=status or OrganizationStatus(),
    )


def probe(of: Organization, fault: Reason | None = None, message: str = "", identifier: str | None = None) -> Probe:
    """Return what a look at the Organization's Temporal namespace showed; without a fault, that it answers."""
    namespace = of.spec.temporal.namespace or ""
    known = "" if fault else f"id-{namespace}"
    return Probe(
        of.spec.temporal.address or ADDRESS, namespace, known if identifier is None else identifier, fault, message
    )


def mapping(*organizations: Organization) -> Mapping:
    """Return the index of these Organizations, each of whose Temporal answers."""
    index = Mapping()
    for each in organizations:
        index.put(each)
        index.record_probe(each.metadata.name, probe(each))
    return index
