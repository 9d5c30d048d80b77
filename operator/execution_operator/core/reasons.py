"""The one vocabulary of outcomes: a Reason is the condition's, the Event's and the log line's."""

from enum import StrEnum


class Reason(StrEnum):
    """Why a condition has its status. The REST contract's five answers are among them."""

    ORGANIZATION_MAPPED = "OrganizationMapped"
    """The namespace belongs to exactly one Organization, and that one is ready."""

    NAMESPACE_NOT_MAPPED = "NamespaceNotMapped"
    """No Organization lists the namespace (403)."""

    NAMESPACE_CONFLICT = "NamespaceConflict"
    """More than one Organization lists the namespace: it belongs to none of them (403)."""

    ORGANIZATION_NOT_READY = "OrganizationNotReady"
    """The Organization itself needs mending first (403)."""

    ORGANIZATION_MISMATCH = "OrganizationMismatch"
    """The workflow, or what was recorded of it, is not this organization's (403)."""

    EXECUTION_NOT_FOUND = "ExecutionNotFound"
    """Temporal knows no such workflow or run (404)."""

    TERMINATED = "Terminated"
    """Our termination closed the run (200)."""

    CANCELLED = "Cancelled"
    """The workflow honoured the cancellation that the grace period begins with (200)."""

    ALREADY_CLOSED = "AlreadyClosed"
    """The run had closed by other means (400)."""

    GRACE_PERIOD = "GracePeriod"
    """Cancellation is requested; termination follows at the deadline."""

    TEMPORAL_UNAVAILABLE = "TemporalUnavailable"
    """Temporal gave no answer: retried until it does (500)."""

    TERMINATION_FAILED = "TerminationFailed"
    """Temporal refused the call: retried, since what refuses may be mended (500)."""

    PENDING = "Pending"
    """The workflow has not been seen yet."""

    OPEN = "Open"
    """The workflow runs or is paused."""

    COMPLETED = "Completed"
    """The workflow returned."""

    FAILED = "Failed"
    """The workflow failed."""

    TIMED_OUT = "TimedOut"
    """The workflow ran out of its time."""

    CANCELED = "Canceled"
    """The workflow ended as cancelled. Temporal's spelling."""

    CHILDREN_ABANDONED = "ChildrenAbandoned"
    """Child workflows outlive the terminated run, by their parent close policy."""

    WITHDRAWN = "Withdrawn"
    """The request was removed before it was carried out."""

    READY = "Ready"
    """The Organization's Executions can be acted on."""

    TEMPORAL_NAMESPACE_SHARED = "TemporalNamespaceShared"
    """Another Organization uses the same Temporal namespace, and not both declare ownership."""

    TEMPORAL_NAMESPACE_NOT_FOUND = "TemporalNamespaceNotFound"
    """Temporal has no namespace of this name."""

    TEMPORAL_REFUSED = "TemporalRefused"
    """Temporal refuses the operator's credentials, or the request."""

    SECRET_INVALID = "SecretInvalid"  # noqa: S105 - a reason, not a secret
    """A Secret that the Organization names is missing or malformed."""


class Type(StrEnum):
    """The types of conditions."""

    AUTHORIZED = "Authorized"
    """Execution: the namespace is one ready Organization's, and the workflow is that organization's."""

    TERMINATED = "Terminated"
    """Execution: how the request to terminate stands. Absent where there is none, or it was withdrawn."""

    FINISHED = "Finished"
    """Execution: the workflow is closed, in whatever way. The one thing to wait for."""

    RECONCILING = "Reconciling"
    """Execution: the operator is at work on it, or tries again. Absent when it is not."""

    STALLED = "Stalled"
    """Execution: a human must act. Absent when none must."""

    READY = "Ready"
    """Organization: its Executions can be acted on."""

    NAMESPACE_CONFLICT = "NamespaceConflict"
    """Organization: another one lists one of its namespaces. Absent when none does."""
