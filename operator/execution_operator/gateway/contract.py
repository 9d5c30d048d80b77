"""The models of the REST contract, and its OpenAPI document."""

from typing import Annotated, Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel, Field

TITLE, VERSION = "Agent Control Plane API", "1.0.0"
SECURITY = {"BearerAuth": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}}

MAX_BULK_EXECUTIONS = 1000
"""Maximum number of identifiers in one bulk call."""

CONTRACT_STATUSES = {
    404: "Execution not found",
    403: "Access denied, the execution is not the organization's",
    400: "Cannot terminate, invalid status",
    500: "Failed to terminate through Temporal",
}
"""Statuses that the contract describes in prose, without a schema."""

GATEWAY_STATUSES = {
    401: "No Bearer token, or one that the API server does not know",
    408: "The request took too long to arrive",
    409: "The identifier means several Executions",
    413: "The request is too large",
    429: "Too many requests: see Retry-After",
    503: "The API server does not answer, or the gateway has just started",
}
"""Statuses of this server that the contract does not mention."""


def described(statuses: dict[int, str]) -> dict[int | str, dict[str, Any]]:
    """Return the descriptions in the form that FastAPI takes."""
    return {status: {"description": words} for status, words in statuses.items()}


Reason = Annotated[str, Field(min_length=1, max_length=500, title="Reason")]
Identifier = Annotated[str, Field(min_length=1, max_length=512)]


class TerminateWorkflowRequest(BaseModel):
    """The body of the single call."""

    reason: Reason


class TerminateWorkflowResponse(BaseModel):
    """The answer to a successful single call, with the values that Temporal shows."""

    success: bool
    workflow_id: str
    terminated_at: Annotated[str, Field(json_schema_extra={"format": "date-time"})]


class TerminateManyRequest(BaseModel):
    """The body of the bulk call."""

    execution_ids: Annotated[list[Identifier], Field(min_length=1, max_length=MAX_BULK_EXECUTIONS)]
    reason: Reason


class TerminateResult(BaseModel):
    """The result for one identifier of a bulk call."""

    execution_id: str
    status: Annotated[int, Field(description="The HTTP status that a single call for this identifier would have had.")]
    success: bool
    workflow_id: str | None = None
    terminated_at: Annotated[str | None, Field(json_schema_extra={"format": "date-time"})] = None
    detail: str | None = None


class TerminateManyResponse(BaseModel):
    """The answer to a bulk call."""

    results: Annotated[
        list[TerminateResult], Field(description="One result for each identifier, in the order of the request.")
    ]


def openapi(app: FastAPI) -> dict[str, Any]:
    """Return the OpenAPI document: FastAPI's, adapted to the contract."""
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
    """Remove the title of a field. The contract has a title on `reason` only."""
    if name != "reason":
        field.pop("title", None)
