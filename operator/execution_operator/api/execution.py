"""The `Execution`: one Temporal workflow execution, and the wish to end it."""

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
    """Where the workflow stands, for people. Machines read the conditions."""

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


class DeletionPolicy(StrEnum):
    """What deleting the Execution does to the workflow."""

    ORPHAN = "Orphan"
    TERMINATE = "Terminate"


class Terminate(Schema):
    """The request to terminate. Setting it is the act; removing it before the act withdraws the request."""

    reason: str = Field(
        description="Why the workflow is terminated: 1 to 500 characters, not blank. Stands verbatim in "
        "Temporal's history. Can't change any more once the workflow is terminated.",
        min_length=1,
        max_length=500,
        json_schema_extra=cel_rules(NOT_BLANK),
    )
    grace_period_seconds: int = Field(
        default=0,
        ge=0,
        le=86400,
        description="How long the workflow may take to end by itself, in seconds. Above 0, its cancellation "
        "is requested first, and it is terminated when this time has passed.",
    )


class ExecutionSpec(Schema):
    """Which workflow this is, and what is wished of it."""

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
        description="The execution's UUID or the Temporal workflow ID; the Organization's "
        "workflowIdTemplates make workflow IDs of it. Immutable.",
        min_length=1,
        max_length=255,
        json_schema_extra=cel_rules(
            NOT_BLANK, cel_rule("self == oldSelf", "executionId is immutable: create another Execution instead")
        ),
    )
    run_id: str | None = Field(
        default=None,
        description="The Temporal run ID, a UUID: this run and what it continues as, and no other. Unset means the "
        "run that is current when the Execution is first seen. Immutable.",
        pattern="^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$",
        json_schema_extra=cel_rules(
            cel_rule("self == oldSelf", "runId is immutable: create another Execution instead")
        ),
    )
    terminate: Terminate | None = Field(
        default=None,
        description="Set this to terminate the workflow. Remove it before it is carried out to withdraw the "
        "request; remove it afterwards as you like.",
    )
    deletion_policy: DeletionPolicy = Field(
        default=DeletionPolicy.ORPHAN,
        description="What deleting this Execution does to the workflow: Orphan leaves it alone, Terminate "
        "terminates it before the Execution goes.",
    )
    ttl_seconds_after_finished: int | None = Field(
        default=None,
        ge=0,
        le=2**31 - 1,
        description="Seconds after which this Execution is deleted once it is finished and its request answered, as "
        "Jobs have it: 0 means at once. Unset keeps it.",
    )


class Termination(Schema):
    """The request as it was carried out."""

    reason: str = Field(description="The reason that was given, or that Temporal's history shows.")
    requested_by: str | None = Field(
        default=None,
        description="Who asked: the user name that the API server stamped. Absent where it stamps none.",
    )
    requested_at: Time | None = Field(
        default=None,
        description="When spec.terminate was last set, as metadata.managedFields says. For people: who may edit "
        "the object can write another time there.",
    )
    deadline: Time | None = Field(
        default=None,
        description="With a grace period: when the workflow is terminated if it has not ended by itself.",
    )
    outcome: str | None = Field(
        default=None,
        description="How the request was answered for good: Terminated, Cancelled or AlreadyClosed. Set once.",
    )


class OwnershipProof(Schema):
    """A search attribute in the start event of a workflow's first run, and its value."""

    search_attribute: str = Field(description="The search attribute, as the Organization's spec.ownership names it.")
    value: str = Field(description="Its value.")


class ExecutionStatus(Schema):
    """What Temporal shows, and how a request was answered. Written by the operator only."""

    observed_generation: int = Field(
        default=0, ge=0, description="The metadata.generation that this status was computed from."
    )
    phase: Phase | None = Field(default=None, description="Where the workflow stands. The last three are final.")
    organization: str | None = Field(
        default=None, description="The Organization that this Execution was resolved in. A change is a denial."
    )
    organization_uid: str | None = Field(
        default=None, description="That Organization's UID: another one of the same name is another organization."
    )
    workflow_id: str | None = Field(default=None, description="The resolved Temporal workflow ID.")
    run_id: str | None = Field(
        default=None, description="The pinned Temporal run: this one and its continuations are acted on, no other."
    )
    first_run_id: str | None = Field(default=None, description="The first run of the pinned run's chain.")
    temporal_namespace: str | None = Field(default=None, description="The Temporal namespace it was resolved in.")
    observed_ownership: OwnershipProof | None = Field(
        default=None,
        description="What the start event of the chain's first run showed: the proof that the workflow is the "
        "organization's, also once that history has expired. Absent where the Organization asked for no proof.",
    )
    started_at: Time | None = Field(
        default=None,
        description="When the run that was pinned first started, by Temporal's clock. Runs that continue it keep this.",
    )
    closed_at: Time | None = Field(default=None, description="When the run closed, by Temporal's clock.")
    terminated_at: Time | None = Field(
        default=None,
        description="The event time of WorkflowExecutionTerminated in Temporal's history, never a local clock. "
        "Set once.",
    )
    abandoned_children: int | None = Field(
        default=None,
        ge=0,
        description="How many child workflows the terminated run left running (parent close policy ABANDON).",
    )
    termination: Termination | None = Field(default=None, description="The request as it was carried out.")
    conditions: list[Condition] = Field(
        default=[],
        description="Authorized, Terminated, Finished; Reconciling and Stalled where something is out of the normal.",
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]},
    )

    def condition(self, of: str) -> Condition | None:
        """Return the condition of the type, if the status has it."""
        return find_condition(self.conditions, of)


_CLOSED = "[" + ", ".join(f"'{phase}'" for phase in CLOSED_PHASES) + "]"


class Execution(Schema):
    """An Execution stands for one Temporal workflow execution of the namespace's organization.

    Set spec.terminate.reason to terminate it; wait for the condition Finished.
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
    spec: ExecutionSpec = Field(description="Which workflow this is, and what is wished of it.")
    status: ExecutionStatus = Field(
        default=ExecutionStatus(), description="What Temporal shows. Written by the operator only."
    )
