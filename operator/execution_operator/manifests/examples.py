"""Example objects, one for each state that a tool may see. Their status is rendered by the operator's own code."""

from typing import Any

from execution_operator.api import (
    GROUP,
    VERSION,
    Execution,
    ExecutionSpec,
    ObjectMeta,
    Organization,
    OrganizationSpec,
    Temporal,
    Terminate,
)
from execution_operator.core.authorization.authorize import Denied, Failing, ResolvedTarget
from execution_operator.core.authorization.mapping import Mapping, Probe
from execution_operator.core.reasons import Reason
from execution_operator.core.status import execution_status, organization_status
from execution_operator.core.workflow.findings import Closed, Finding, NotFound, Open
from execution_operator.core.workflow.runs import CloseEvent, Run, RunStatus
from execution_operator.manifests.schema import UNSEEN

Object = dict[str, Any]

UID = "5f3e1d0c-8a4b-4c2d-9e6f-7a8b9c0d1e2f"
CREATED, STARTED = "2026-01-01T00:00:00Z", "2026-01-01T00:00:00.100000000Z"
CLOSED, DEADLINE = "2026-01-01T01:00:00.123456789Z", "2026-01-01T01:05:00Z"
WORKFLOW = "agent-execution-0f8c2d3e-7a41-4b6f-9c55-1d2e3f4a5b6c"
RUN = Run(WORKFLOW, "b1b2b3b4-0000-4000-8000-000000000001", "b1b2b3b4-0000-4000-8000-000000000001", STARTED)
TARGET = ResolvedTarget("acme", "0a1b2c3d-0000-4000-8000-00000000acce", "acme")
REASON = "runaway cost"


def executions() -> dict[str, Object]:
    """Return Executions by name of state. In the states named `asked…`, a termination is requested."""
    denied = Denied(Reason.NAMESPACE_NOT_MAPPED, "no Organization lists the namespace team-a")
    unavailable = Failing(Reason.TEMPORAL_UNAVAILABLE, "Temporal gave no answer")
    our_close = CloseEvent(
        RunStatus.TERMINATED, CLOSED, REASON, "execution-operator/team-a/nightly", UID, requested_by="jane"
    )
    return {
        "new": _execution(),
        "running": _execution(Open(RUN)),
        "paused": _execution(Open(RUN, paused=True)),
        "asked": _execution(Open(RUN), asked=True),
        "asked-not-yet-seen": _execution(Open(RUN), asked=True, unseen=True),
        "terminating": _execution(Open(RUN), Open(RUN, deadline=DEADLINE), asked=True),
        "cancelled": _execution(Open(RUN), Closed(RUN, our_close), asked=True),
        "cancelled-elsewhere": _execution(_closed(RunStatus.TERMINATED)),
        "completed": _execution(_closed(RunStatus.COMPLETED)),
        "failed": _execution(_closed(RunStatus.FAILED)),
        "already-closed": _execution(_closed(RunStatus.COMPLETED), asked=True),
        "denied": _execution(denied, asked=True),
        "not-found": _execution(NotFound("Temporal knows no such workflow")),
        "unavailable": _execution(unavailable, asked=True),
    }


def _closed(status: RunStatus) -> Closed:
    return Closed(RUN, CloseEvent(status, CLOSED, reason="by hand", identity="jane@laptop"))


def _execution(*findings: Finding, asked: bool = False, unseen: bool = False) -> Object:
    """Return an Execution after reconciles with these findings.

    Args:
        findings: The results of the reconciles, in their order.
        asked: Whether a termination is requested.
        unseen: Whether the operator has not reconciled the last change of the spec yet.
    """
    generation = 2 if asked else 1
    terminate = Terminate(reason=REASON) if asked else None
    execution = Execution(
        metadata=ObjectMeta(name="nightly", namespace="team-a", uid=UID, generation=generation),
        spec=ExecutionSpec(execution_id=WORKFLOW, terminate=terminate),
    )
    for finding in findings:
        target = None if isinstance(finding, Denied | Failing) else TARGET
        rendered = execution_status.render(execution, finding, target, CREATED)
        execution = execution.model_copy(update={"status": rendered})
    if unseen:
        outdated = execution.status.model_copy(update={"observed_generation": generation - 1})
        execution = execution.model_copy(update={"status": outdated})
    return _object(execution, seen=bool(findings))


def organizations() -> dict[str, Object]:
    """Return Organizations by name of state."""
    refused = Probe("temporal:7233", "acme", fault=Reason.TEMPORAL_REFUSED, message="Temporal refuses the API key")
    unavailable = Probe("temporal:7233", "acme", fault=Reason.TEMPORAL_UNAVAILABLE, message="Temporal gave no answer")
    ready = Probe("temporal:7233", "acme", namespace_id="7e57-acme")
    return {
        "new": _organization(None),
        "ready": _organization(ready),
        "refused": _organization(refused),
        "unavailable": _organization(unavailable),
        "contested": _organization(ready, rival=True),
    }


def _organization(probe: Probe | None, *, rival: bool = False) -> Object:
    organization = _claim("acme", "acme")
    if probe is None:
        return _object(organization, seen=False)
    mapping = Mapping()
    mapping.put(organization)
    mapping.record_probe("acme", probe)
    if rival:
        mapping.put(_claim("globex", "globex"))
        mapping.record_probe("globex", Probe("temporal:7233", "globex", namespace_id="7e57-globex"))
    rendered = organization_status.render(organization, mapping, CREATED)
    return _object(organization.model_copy(update={"status": rendered}), seen=True)


def _claim(name: str, temporal_namespace: str) -> Organization:
    return Organization(
        metadata=ObjectMeta(name=name, uid=f"uid-{name}", generation=1),
        spec=OrganizationSpec(namespaces=["team-a"], temporal=Temporal(namespace=temporal_namespace)),
    )


def _object(resource: Execution | Organization, *, seen: bool) -> Object:
    """Return the object as `kubectl get` shows it.

    Args:
        resource: The object.
        seen: Whether the operator has reconciled it. If not, its status is the default of the CRD.
    """
    wire = resource.wire()
    metadata = {key: value for key, value in wire["metadata"].items() if value}
    return {
        "apiVersion": f"{GROUP}/{VERSION}",
        "kind": type(resource).__name__,
        "metadata": metadata,
        "spec": wire["spec"],
        "status": wire["status"] if seen else UNSEEN,
    }
