"""The answers of the contract, and which answer the state of an Execution calls for."""

from dataclasses import dataclass
from http import HTTPStatus

from execution_operator.core.reasons import Reason
from execution_operator.gateway.index import ExecutionView

OK, BAD_REQUEST, UNAUTHORIZED, FORBIDDEN = (
    HTTPStatus.OK,
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.FORBIDDEN,
)
NOT_FOUND, CONFLICT, INVALID, TOO_MANY_REQUESTS = (
    HTTPStatus.NOT_FOUND,
    HTTPStatus.CONFLICT,
    HTTPStatus.UNPROCESSABLE_ENTITY,
    HTTPStatus.TOO_MANY_REQUESTS,
)
FAILED, UNAVAILABLE = HTTPStatus.INTERNAL_SERVER_ERROR, HTTPStatus.SERVICE_UNAVAILABLE

STATUSES: dict[str, int] = {
    Reason.TERMINATED: OK,
    Reason.CANCELLED: OK,
    Reason.ALREADY_CLOSED: BAD_REQUEST,
    Reason.NAMESPACE_NOT_MAPPED: FORBIDDEN,
    Reason.NAMESPACE_CONFLICT: FORBIDDEN,
    Reason.ORGANIZATION_MISMATCH: FORBIDDEN,
    Reason.ORGANIZATION_NOT_READY: FORBIDDEN,
    Reason.EXECUTION_NOT_FOUND: NOT_FOUND,
    Reason.TERMINATION_FAILED: FAILED,
}
"""The HTTP status for each reason that is an answer. Other reasons, such as TemporalUnavailable, may still change."""

REFUSALS = (FORBIDDEN, NOT_FOUND)
"""Answers after which the request is withdrawn, so that it is not carried out when the caller no longer expects it."""


@dataclass(frozen=True)
class Answer:
    """The answer for one identifier."""

    status: int
    detail: str = ""
    workflow_id: str = ""
    terminated_at: str = ""


def not_found(identifier: str) -> Answer:
    """Return the answer where no such Execution exists, or where its existence is hidden from the caller."""
    return Answer(NOT_FOUND, f"Execution not found: {identifier}")


def ambiguous(identifier: str, paths: list[str]) -> Answer:
    """Return the answer for an identifier of several Executions that the caller may read."""
    shown = ", ".join(sorted(paths)[:10])
    return Answer(CONFLICT, f"{identifier} means several Executions: use one of {shown}")


def already_closed(view: ExecutionView) -> Answer:
    """Return the answer for a workflow that closed before the request."""
    how = f" ({view.answer.message})" if view.answer and view.answer.message else ""
    return Answer(BAD_REQUEST, f"Cannot terminate, invalid status: {view.phase}{how}", view.workflow_id or "")


def answer_for(view: ExecutionView) -> Answer | None:
    """Return the answer for the state of an Execution; None while there is none yet."""
    if view.outcome is None and not view.requested:
        return Answer(FAILED, "Failed to terminate: the request was withdrawn before it was carried out")
    if view.answer is None or not (view.current or view.outcome):
        return None
    match STATUSES.get(view.outcome or view.answer.reason):
        case None:
            return None
        case HTTPStatus.OK:
            return Answer(OK, workflow_id=view.workflow_id or "", terminated_at=view.ended_at or "")
        case HTTPStatus.BAD_REQUEST:
            return already_closed(view)
        case HTTPStatus.FORBIDDEN:
            return Answer(FORBIDDEN, f"Access denied: {view.answer.message}")
        case HTTPStatus.NOT_FOUND:
            return Answer(NOT_FOUND, f"Execution not found: {view.answer.message}")
        case status:
            return Answer(status, f"Failed to terminate: {view.answer.message}; the request stays in force")


def pending(view: ExecutionView | None, seconds: float) -> Answer:
    """Return the answer when the wait is over and there is no outcome yet."""
    why = view.answer.message if view and view.answer and view.current else "the operator has not answered"
    return Answer(FAILED, f"Failed to terminate within {seconds:g} s: {why}; the request stays in force")
