"""The state of a termination request, from the status of its Execution."""

from dataclasses import dataclass
from enum import Enum
from typing import Any

Json = dict[str, Any]

SUCCESSFUL_OUTCOMES = ("Terminated", "Cancelled")
"""Values of `status.termination.outcome` that mean success."""

UNDECIDED_REASONS = ("GracePeriod", "Pending")
"""Reasons of the condition `Terminated` that don't settle a request, although the condition is false."""

CLOSED_PHASES = ("completed", "failed", "cancelled")
"""Values of `status.phase` of a closed workflow."""


class State(Enum):
    """The state of the request for one Execution."""

    WAITING = "not requested"
    SENDING = "being requested"
    REQUESTED = "requested"
    DONE = "done"
    FAILED = "failed"
    TIMED_OUT = "timed out"


@dataclass(frozen=True)
class RequestStatus:
    """A state, its label in the output, and its details."""

    state: State
    label: str
    detail: str = ""


def final_status(item: Json, generation: int) -> RequestStatus | None:
    """Return the final status of a request.

    Args:
        item: The Execution.
        generation: The generation of the Execution that the request made.

    Returns:
        The status; None while the request is not settled.
    """
    status = item.get("status", {})
    terminated = condition(item, "Terminated")
    outcome = (status.get("termination") or {}).get("outcome")
    if outcome:
        return _outcome_status(status, terminated, outcome)
    if item["metadata"]["generation"] > generation and not item["spec"].get("terminate"):
        return RequestStatus(State.FAILED, "Withdrawn", "the request was withdrawn")
    if not _observed(item) or terminated is None:
        return None
    if terminated["status"] != "False" or terminated["reason"] in UNDECIDED_REASONS:
        return None
    return RequestStatus(State.FAILED, terminated["reason"], f"{terminated['message']} (the request stays in force)")


def progress_text(item: Json) -> str:
    """Return the reason and the message of the condition `Terminated`; empty where the operator has not set it yet."""
    terminated = condition(item, "Terminated")
    return f"{terminated['reason']}: {terminated['message']}" if terminated and _observed(item) else ""


def condition(item: Json, condition_type: str) -> Json | None:
    """Return a condition of an object; None where it has none of this type."""
    conditions: list[Json] = item.get("status", {}).get("conditions", [])
    return next((each for each in conditions if each["type"] == condition_type), None)


def is_closed(item: Json) -> bool:
    """Return whether the workflow is closed."""
    return item.get("status", {}).get("phase") in CLOSED_PHASES


def _observed(item: Json) -> bool:
    """Return whether the status is about the present spec."""
    observed: bool = item.get("status", {}).get("observedGeneration") == item["metadata"]["generation"]
    return observed


def _outcome_status(status: Json, terminated: Json | None, outcome: str) -> RequestStatus:
    if outcome in SUCCESSFUL_OUTCOMES:
        closed_at = status.get("terminatedAt") or status.get("closedAt") or "?"
        return RequestStatus(State.DONE, outcome, f"at {closed_at}")
    return RequestStatus(State.FAILED, outcome, terminated["message"] if terminated else "")
