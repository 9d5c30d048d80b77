"""The reasons and types of conditions. Conditions, Events, log lines and metrics spell a reason alike."""

from enum import StrEnum


class Reason(StrEnum):
    """Why a condition has its status. The number is the HTTP status of the same answer of the REST call."""

    ORGANIZATION_MAPPED = "OrganizationMapped"
    """The namespace belongs to exactly one Organization, and that Organization is ready."""

    NAMESPACE_NOT_MAPPED = "NamespaceNotMapped"
    """No Organization lists the namespace (403)."""

    NAMESPACE_CONFLICT = "NamespaceConflict"
    """More than one Organization lists the namespace, so it belongs to none of them (403)."""

    ORGANIZATION_NOT_READY = "OrganizationNotReady"
    """The Organization is not ready: its own condition Ready says what to repair (403)."""

    ORGANIZATION_MISMATCH = "OrganizationMismatch"
    """The workflow or the Execution's recorded status belongs to another organization (403)."""

    EXECUTION_NOT_FOUND = "ExecutionNotFound"
    """Temporal has no such workflow or run (404)."""

    TERMINATED = "Terminated"
    """The operator's termination closed the run (200)."""

    CANCELLED = "Cancelled"
    """The workflow ended as cancelled within the grace period (200)."""

    ALREADY_CLOSED = "AlreadyClosed"
    """The run was closed by something other than this request (400)."""

    GRACE_PERIOD = "GracePeriod"
    """Cancellation is requested. Termination follows at the deadline if the workflow is still open."""

    TEMPORAL_UNAVAILABLE = "TemporalUnavailable"
    """Temporal gave no answer. The operator retries until it does (500)."""

    TERMINATION_FAILED = "TerminationFailed"
    """Temporal refused the call. The operator retries, because the cause may be repaired (500)."""

    PENDING = "Pending"
    """The workflow has not been seen yet, or its termination is under way."""

    OPEN = "Open"
    """The workflow is running or paused."""

    COMPLETED = "Completed"
    """The workflow returned."""

    FAILED = "Failed"
    """The workflow failed."""

    TIMED_OUT = "TimedOut"
    """The workflow exceeded its timeout."""

    CANCELED = "Canceled"
    """The workflow ended as cancelled, in Temporal's spelling."""

    CHILDREN_ABANDONED = "ChildrenAbandoned"
    """Child workflows of the terminated run are left running by their parent close policy."""

    WITHDRAWN = "Withdrawn"
    """spec.terminate was removed before the workflow was terminated."""

    READY = "Ready"
    """The Organization's Executions can be acted on."""

    TEMPORAL_NAMESPACE_SHARED = "TemporalNamespaceShared"
    """Another Organization uses the same Temporal namespace, and spec.ownership does not tell the two apart."""

    TEMPORAL_NAMESPACE_NOT_FOUND = "TemporalNamespaceNotFound"
    """Temporal has no namespace of this name."""

    TEMPORAL_REFUSED = "TemporalRefused"
    """Temporal refuses the operator's credentials or the call."""

    SECRET_INVALID = "SecretInvalid"  # noqa: S105 - a reason, not a secret
    """A Secret that the Organization names is missing or malformed."""


class Type(StrEnum):
    """The types of conditions."""

    AUTHORIZED = "Authorized"
    """Execution: the namespace belongs to one ready Organization, and the workflow is that organization's."""

    TERMINATED = "Terminated"
    """Execution: the state of the request to terminate. Absent if there is none, or if it was withdrawn."""

    FINISHED = "Finished"
    """Execution: the workflow is closed, for whatever reason. This is the condition to wait for."""

    RECONCILING = "Reconciling"
    """Execution: the operator is working on it or retrying. Absent otherwise."""

    STALLED = "Stalled"
    """Execution, Organization: a human must act. Absent otherwise."""

    READY = "Ready"
    """Organization: its Executions can be acted on."""

    NAMESPACE_CONFLICT = "NamespaceConflict"
    """Organization: another Organization lists one of its namespaces. Absent otherwise."""
