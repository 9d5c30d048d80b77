"""The contract's models and its OpenAPI document."""

from typing import Annotated, Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel, Field

TITLE, VERSION = "Agent Control Plane API", "1.0.0"
SECURITY = {"BearerAuth": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}}

MOST = 1000
"""Executions in one bulk call."""

PROSE = {
    404: "Execution not found",
    403: "Access denied, the execution is not the organization's",
    400: "Cannot terminate, invalid status",
    500: "Failed to terminate through Temporal",
}
"""What the contract describes in prose, without a schema."""

OURS = {
    401: "No Bearer token, or one that the API server does not know",
    408: "The request took too long to arrive",
    409: "The identifier means several Executions",
    413: "The request is too large",
    429: "Too many requests: see Retry-After",
    503: "The API server does not answer, or the gateway has just started",
}
"""What any server may answer."""


def described(statuses: dict[int, str]) -> dict[int | str, dict[str, Any]]:
    """Return the descriptions as FastAPI takes them."""
    return {status: {"description": words} for status, words in statuses.items()}


Reason = Annotated[str, Field(min_length=1, max_length=500, title="Reason")]
Identifier = Annotated[str, Field(min_length=1, max_length=512)]


class TerminateWorkflowRequest(BaseModel):
    """Why."""

    reason: Reason


class TerminateWorkflowResponse(BaseModel):
    """What Temporal shows of the end."""

    success: bool
    workflow_id: str
    terminated_at: Annotated[str, Field(json_schema_extra={"format": "date-time"})]


class TerminateManyRequest(BaseModel):
    """Which, and why."""

    execution_ids: Annotated[list[Identifier], Field(min_length=1, max_length=MOST)]
    reason: Reason


class TerminateResult(BaseModel):
    """The outcome for one identifier."""

    execution_id: str
    status: Annotated[int, Field(description="What the call for this one alone would have answered.")]
    success: bool
    workflow_id: str | None = None
    terminated_at: Annotated[str | None, Field(json_schema_extra={"format": "date-time"})] = None
    detail: str | None = None


class TerminateManyResponse(BaseModel):
    """The outcomes."""

    results: Annotated[list[TerminateResult], Field(description="One for each identifier, in their order.")]


def openapi(app: FastAPI) -> dict[str, Any]:
    """Return the document: FastAPI's, in the words of the contract."""
    document = get_openapi(title=TITLE, version=VERSION, openapi_version="3.1.0", routes=app.routes)
    document["security"] = [{"BearerAuth": []}]
    document["components"]["securitySchemes"] = SECURITY
    schemas = document["components"]["schemas"]
    for schema in schemas.values():
        for name, field in schema.get("properties", {}).items():
            _plain(name, field)
    schemas["ValidationError"]["properties"] = {
        name: schemas["ValidationError"]["properties"][name] for name in ("loc", "msg", "type")
    }
    return document


def _plain(name: str, field: dict[str, Any]) -> None:
    """Drop the titles that only repeat a field's name; the contract has one, on `reason`."""
    if name != "reason":
        field.pop("title", None)
