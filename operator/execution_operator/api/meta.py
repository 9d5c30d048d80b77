"""The parts that all resources share: names, metadata, conditions, and the building blocks of their schemas."""

from collections.abc import Iterable
from enum import StrEnum
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.alias_generators import to_camel

GROUP = "control-plane.kubiya.ai"
VERSION = "v1alpha1"


class Schema(BaseModel):
    """A part of a resource: camelCase in JSON, immutable in the program. Unknown fields are ignored."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="ignore", frozen=True)

    def wire(self) -> dict[str, Any]:
        """Return the object as the API server stores it: in camelCase, without unset fields."""
        return self.model_dump(by_alias=True, exclude_none=True, mode="json")


def cel_rule(expression: str, message: str, **options: str) -> dict[str, str]:
    """Return one CEL rule for `x-kubernetes-validations`; the options are its other fields, such as `fieldPath`."""
    return {"rule": expression, "message": message, **options}


def cel_rules(*rules: dict[str, str]) -> dict[str, Any]:
    """Return the schema extension that carries CEL rules, for `json_schema_extra`."""
    return {"x-kubernetes-validations": list(rules)}


Time = Annotated[str, Field(json_schema_extra={"format": "date-time"})]
"""An RFC 3339 time in UTC. It is a string because Temporal has nanoseconds and Python's datetime has microseconds."""

NOT_BLANK = cel_rule("self.trim() != ''", "must not be blank")
"""The rule that a string has a character other than white space."""


class FieldsV1(Schema):
    """The fields that one writer owns. The operator reads only those of the spec."""

    spec: dict[str, Any] = Field(default={}, alias="f:spec")


class ManagedFields(Schema):
    """An entry of metadata.managedFields: one writer of the object."""

    time: str | None = None
    fields_v1: FieldsV1 = FieldsV1()


def _only_writers_of_requests(writers: Any) -> Any:
    """Drop all writers but those of spec.terminate. They would take more memory and time than the rest of an object."""
    if not isinstance(writers, list):
        return writers
    return [writer for writer in writers if not isinstance(writer, dict) or _writes_request(writer)]


def _writes_request(writer: dict[str, Any]) -> bool:
    match writer:
        case {"fieldsV1": {"f:spec": {"f:terminate": _}}}:
            return True
        case _:
            return False


class ObjectMeta(Schema):
    """The part of metav1.ObjectMeta that the operator reads."""

    name: str = ""
    namespace: str = ""
    uid: str = ""
    generation: int = 0
    resource_version: str = ""
    creation_timestamp: str = ""
    deletion_timestamp: str | None = None
    annotations: dict[str, str] = {}
    finalizers: list[str] = []
    managed_fields: Annotated[list[ManagedFields], BeforeValidator(_only_writers_of_requests)] = []


class ConditionStatus(StrEnum):
    """The three values of a condition."""

    TRUE = "True"
    FALSE = "False"
    UNKNOWN = "Unknown"


class Condition(Schema):
    """One aspect of the object's state, with the fields of metav1.Condition."""

    type: str = Field(
        description="Type of the condition.",
        max_length=316,
    )
    status: ConditionStatus = Field(description="True, False or Unknown.")
    observed_generation: int = Field(
        default=0, ge=0, description="The metadata.generation that this condition was computed from."
    )
    last_transition_time: Time = Field(description="When the status of this condition last changed.")
    reason: str = Field(
        description="Why the condition has this status, as one CamelCase word.",
        min_length=1,
        max_length=1024,
        pattern="^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$",
    )
    message: str = Field(description="The reason in a sentence, for people.", max_length=32768)


def find_condition(conditions: Iterable[Condition], of: str) -> Condition | None:
    """Return the condition of this type, or None if there is none."""
    return next((condition for condition in conditions if condition.type == of), None)
