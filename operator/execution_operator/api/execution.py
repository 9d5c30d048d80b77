"""The `Execution`: one Temporal workflow execution, and the request to terminate it."""

from enum import StrEnum

from pydantic import ConfigDict, Field

from execution_operator.api.meta import (
    NOT_BLANK,
    Condition,
    ObjectMeta,
    Schema,
    Time,
    cel_rule,
    cel_rules,
    find_condition,
)


class Phase(StrEnum):
    """The state of the workflow in one word, for people. Programs read the conditions."""

    PENDING = "pending"
    RUNNING = "running"
    PAUSED = "paused"
    TERMINATING = "terminating"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def closed(self) -> bool:
        """Whether this phase is final."""
        return self in CLOSED_PHASES


CLOSED_PHASES = (Phase.COMPLETED, Phase.FAILED, Phase.CANCELLED)
"""The final phases."""


class DeletionPolicy(StrEnum):
    """What deleting an Execution does to its workflow."""

    ORPHAN = "Orphan"
    TERMINATE = "Terminate"


class Terminate(Schema):
    """The request to terminate. Setting it makes the request; removing it in time withdraws the request."""

    reason: str = Field(
        description="Why the workflow is terminated: 1 to 500 characters, not blank. Temporal's history shows it "
        "verbatim. It can't be changed after the workflow was terminated.",
        min_length=1,
        max_length=500,
        json_schema_extra=cel_rules(NOT_BLANK),
    )
    grace_period_seconds: int = Field(
        default=0,
        ge=0,
        le=86400,
        description="Seconds that the workflow gets to end by itself. 0 terminates it at once. With more, the "
        "operator first requests its cancellation, and terminates it if it is still open after this time.",
    )


class ExecutionSpec(Schema):
    """The workflow that the Execution stands for, and what to do with it."""

    model_config = ConfigDict(
        json_schema_extra=cel_rules(
            cel_rule(
                "has(self.runId) == has(oldSelf.runId)",
                "runId can't be added or removed: delete this Execution and create another",
                fieldPath=".runId",
            )
        )
    )

    execution_id: str = Field(
        description="The execution's UUID or the Temporal workflow ID. The Organization's "
        "workflowIdTemplates turn it into the workflow IDs to look for. Immutable.",
        min_length=1,
        max_length=255,
        json_schema_extra=cel_rules(
            NOT_BLANK, cel_rule("self == oldSelf", "executionId is immutable: create another Execution instead")
        ),
    )
    run_id: str | None = Field(
        default=None,
        description="The Temporal run ID, a UUID. The Execution then stands for this run and the runs that continue "
        "it. If unset, it stands for the run that is current when the operator first sees the Execution. Immutable.",
        pattern="^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$",
        json_schema_extra=cel_rules(
            cel_rule("self == oldSelf", "runId is immutable: create another Execution instead")
        ),
    )
    terminate: Terminate | None = Field(
        default=None,
        description="Set this to terminate the workflow. Removing it before the workflow is terminated withdraws the "
        "request. Removing it afterwards changes nothing.",
    )
    deletion_policy: DeletionPolicy = Field(
        default=DeletionPolicy.ORPHAN,
        description="What deleting this Execution does to the workflow. Orphan leaves the workflow alone. Terminate "
        "terminates it before the Execution is removed.",
    )
    ttl_seconds_after_finished: int | None = Field(
        default=None,
        ge=0,
        le=2**31 - 1,
        description="Seconds after which this Execution is deleted when its workflow is closed and its request, if "
        "any, is answered. As for Jobs, 0 deletes it at once. If unset, it is kept.",
    )


class Termination(Schema):
    """The record of a request to terminate, and its outcome."""

    reason: str = Field(
        description="The reason in spec.terminate, or the one that Temporal's history shows once the "
        "operator has terminated the workflow."
    )
    requested_by: str | None = Field(
        default=None,
        description="The user who set spec.terminate, as the API server stamped it. Absent if the API "
        "server stamps none.",
    )
    requested_at: Time | None = Field(
        default=None,
        description="When spec.terminate was last set, according to metadata.managedFields. For information only: "
        "everybody who may edit the object can change that time.",
    )
    deadline: Time | None = Field(
        default=None,
        description="The end of the grace period: the workflow is terminated then if it is still open. Absent without "
        "a grace period.",
    )
    outcome: str | None = Field(
        default=None,
        description="The final answer to the request: Terminated (by this request), Cancelled (the workflow ended as "
        "cancelled in the grace period) or AlreadyClosed (by something else). Set once.",
    )


class OwnershipProof(Schema):
    """A search attribute in the start event of a workflow's first run, and its value."""

    search_attribute: str = Field(description="Name of the search attribute, from the Organization's spec.ownership.")
    value: str = Field(description="Value of the search attribute.")


class ExecutionStatus(Schema):
    """The state of the workflow in Temporal, and the answer to a request. Only the operator writes it."""

    observed_generation: int = Field(
        default=0, ge=0, description="The metadata.generation that this status was computed from."
    )
    phase: Phase | None = Field(
        default=None, description="State of the workflow. completed, failed and cancelled are final."
    )
    organization: str | None = Field(
        default=None,
        description="Name of the Organization that this Execution belonged to when its run was pinned. If "
        "its namespace belongs to another one later, the Execution is denied.",
    )
    organization_uid: str | None = Field(
        default=None,
        description="UID of that Organization. A new Organization of the same name has another UID and is denied.",
    )
    workflow_id: str | None = Field(default=None, description="Workflow ID of the workflow in Temporal.")
    run_id: str | None = Field(
        default=None,
        description="Run ID of the pinned run. Only this run and the runs that continue it are ever terminated.",
    )
    first_run_id: str | None = Field(default=None, description="Run ID of the first run in the pinned run's chain.")
    temporal_namespace: str | None = Field(
        default=None, description="Name of the Temporal namespace that the workflow was found in."
    )
    observed_ownership: OwnershipProof | None = Field(
        default=None,
        description="The search attribute in the start event of the chain's first run. It proves that the workflow "
        "is the organization's, even after that history has expired. Absent if the Organization required no proof.",
    )
    started_at: Time | None = Field(
        default=None,
        description="When the first pinned run started, by Temporal's clock. Unchanged by runs that continue it.",
    )
    closed_at: Time | None = Field(default=None, description="When the run closed, by Temporal's clock.")
    terminated_at: Time | None = Field(
        default=None,
        description="When the workflow was terminated: the time of the event WorkflowExecutionTerminated in Temporal's "
        "history, never a local clock. Absent if it was not terminated. Set once.",
    )
    abandoned_children: int | None = Field(
        default=None,
        ge=0,
        description="Number of child workflows that the terminated run left running (parent close policy ABANDON).",
    )
    termination: Termination | None = Field(default=None, description="The record of the request to terminate.")
    conditions: list[Condition] = Field(
        default=[],
        description="Authorized, Terminated and Finished. Reconciling while the operator is working or "
        "retrying; Stalled when a human must act.",
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]},
    )

    def condition(self, of: str) -> Condition | None:
        """Return the condition of this type, or None if the status has none."""
        return find_condition(self.conditions, of)


_CLOSED = "[" + ", ".join(f"'{phase}'" for phase in CLOSED_PHASES) + "]"


class Execution(Schema):
    """An Execution stands for one Temporal workflow execution of the namespace's organization.

    Set spec.terminate.reason to terminate the workflow, then wait for the condition Finished.
    """

    model_config = ConfigDict(
        json_schema_extra=cel_rules(
            cel_rule(
                "!has(oldSelf.status) || !has(oldSelf.status.terminatedAt)"
                " || !has(oldSelf.spec.terminate) || !has(self.spec.terminate)"
                " || self.spec.terminate.reason == oldSelf.spec.terminate.reason",
                "the workflow is terminated: its reason can't change any more (removing spec.terminate is allowed)",
                fieldPath=".spec.terminate.reason",
            ),
            cel_rule(
                f"!has(oldSelf.status) || !has(oldSelf.status.phase) || !(oldSelf.status.phase in {_CLOSED})"
                " || (has(self.status) && has(self.status.phase) && self.status.phase == oldSelf.status.phase)",
                "a closed phase is final: completed, failed and cancelled can't change any more",
                fieldPath=".status.phase",
            ),
            cel_rule(
                "!has(oldSelf.status) || !has(oldSelf.status.terminatedAt)"
                " || (has(self.status) && has(self.status.terminatedAt)"
                " && self.status.terminatedAt == oldSelf.status.terminatedAt)",
                "terminatedAt is set once",
                fieldPath=".status.terminatedAt",
            ),
            cel_rule(
                "!has(oldSelf.status) || !has(oldSelf.status.termination) || !has(oldSelf.status.termination.outcome)"
                " || (has(self.status) && has(self.status.termination) && has(self.status.termination.outcome)"
                " && self.status.termination.outcome == oldSelf.status.termination.outcome)",
                "the outcome is set once",
                fieldPath=".status.termination.outcome",
            ),
        )
    )

    metadata: ObjectMeta = ObjectMeta()
    spec: ExecutionSpec = Field(description="The workflow that the Execution stands for, and what to do with it.")
    status: ExecutionStatus = Field(
        default=ExecutionStatus(), description="The state of the workflow in Temporal. Only the operator writes it."
    )
