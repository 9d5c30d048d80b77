"""The answers of the contract, and which state of an Execution calls for which."""

from dataclasses import dataclass
from http import HTTPStatus

from execution_operator.core.reasons import Reason
from execution_operator.gateway.index import ExecutionView

OK, BAD, UNAUTHORIZED, FORBIDDEN, NOT_FOUND = 200, 400, 401, 403, 404
CONFLICT, INVALID, MANY, FAILED, UNAVAILABLE = 409, 422, 429, 500, 503

STATUSES: dict[str, int] = {
    Reason.TERMINATED: OK,
    Reason.CANCELLED: OK,
    Reason.ALREADY_CLOSED: BAD,
    Reason.NAMESPACE_NOT_MAPPED: FORBIDDEN,
    Reason.NAMESPACE_CONFLICT: FORBIDDEN,
    Reason.ORGANIZATION_MISMATCH: FORBIDDEN,
    Reason.ORGANIZATION_NOT_READY: FORBIDDEN,
    Reason.EXECUTION_NOT_FOUND: NOT_FOUND,
    Reason.TERMINATION_FAILED: FAILED,
}
"""The status of each reason that is worth an answer. Others, as TemporalUnavailable, may settle within the wait."""

REFUSALS = (FORBIDDEN, NOT_FOUND)
"""Answers after which the caller must not expect a termination any more: the request is taken back."""


@dataclass(frozen=True)
class Answer:
    """The answer for one identifier."""

    status: int
    detail: str = ""
    workflow_id: str = ""
    terminated_at: str = ""


def unknown(identifier: str) -> Answer:
    """Return the answer for what there is not, or what the caller may not know."""
    return Answer(NOT_FOUND, f"Execution not found: {identifier}")


def ambiguous(identifier: str, paths: list[str]) -> Answer:
    """Return the answer for an identifier that means several Executions of the caller's."""
    shown = ", ".join(sorted(paths)[:10])
    return Answer(CONFLICT, f"{identifier} means several Executions: use one of {shown}")


def already(seen: ExecutionView) -> Answer:
    """Return the answer for a workflow that had closed before."""
    how = f" ({seen.answer.message})" if seen.answer and seen.answer.message else ""
    return Answer(BAD, f"Cannot terminate, invalid status: {seen.phase}{how}", seen.workflow_id or "")


def verdict(seen: ExecutionView) -> Answer | None:
    """Return the answer that the state of an Execution calls for; None while there is none yet."""
    if seen.outcome is None and not seen.requested:
        return Answer(FAILED, "Failed to terminate: the request was withdrawn before it was carried out")
    if seen.answer is None or not (seen.current or seen.outcome):
        return None
    match STATUSES.get(seen.outcome or seen.answer.reason):
        case None:
            return None
        case HTTPStatus.OK:
            return Answer(OK, workflow_id=seen.workflow_id or "", terminated_at=seen.ended_at or "")
        case HTTPStatus.BAD_REQUEST:
            return already(seen)
        case HTTPStatus.FORBIDDEN:
            return Answer(FORBIDDEN, f"Access denied: {seen.answer.message}")
        case HTTPStatus.NOT_FOUND:
            return Answer(NOT_FOUND, f"Execution not found: {seen.answer.message}")
        case status:
            return Answer(status, f"Failed to terminate: {seen.answer.message}; the request stays in force")


def pending(seen: ExecutionView | None, seconds: float) -> Answer:
    """Return the answer when the wait has passed."""
    why = seen.answer.message if seen and seen.answer and seen.current else "the operator has not answered"
    return Answer(FAILED, f"Failed to terminate within {seconds:g} s: {why}; the request stays in force")
