"""What the state of an Execution means for a request."""

from dataclasses import dataclass
from enum import Enum
from typing import Any

Json = dict[str, Any]

DONE = ("Terminated", "Cancelled")
UNDECIDED = ("GracePeriod", "Pending")
"""Reasons of `Terminated=False` that are steps on the way."""

CLOSED = ("completed", "failed", "cancelled")


class State(Enum):
    """How far the request for one Execution is."""

    WAITING = "not requested"
    SENDING = "being requested"
    REQUESTED = "requested"
    DONE = "done"
    FAILED = "failed"
    TIMED_OUT = "timed out"


@dataclass(frozen=True)
class Verdict:
    """A state, its name for people, and the details."""

    state: State
    label: str
    detail: str = ""


def judge(item: Json, generation: int) -> Verdict | None:
    """Return what the Execution's status settles for a request of this generation; None while nothing."""
    status = item.get("status", {})
    answer = condition(item, "Terminated")
    outcome = (status.get("termination") or {}).get("outcome")
    if outcome:
        message = answer["message"] if answer else ""
        good = outcome in DONE
        return Verdict(State.DONE if good else State.FAILED, outcome, _closing(status) if good else message)
    if item["metadata"]["generation"] > generation and not item["spec"].get("terminate"):
        return Verdict(State.FAILED, "Withdrawn", "the request was withdrawn")
    current = status.get("observedGeneration") == item["metadata"]["generation"]
    if not current or answer is None or answer["status"] != "False" or answer["reason"] in UNDECIDED:
        return None
    return Verdict(State.FAILED, answer["reason"], f"{answer['message']} (the request stays in force)")


def progress(item: Json) -> str:
    """Say what an Execution waits for."""
    answer = condition(item, "Terminated")
    current = item.get("status", {}).get("observedGeneration") == item["metadata"]["generation"]
    return f"{answer['reason']}: {answer['message']}" if answer and current else ""


def condition(item: Json, of: str) -> Json | None:
    """Return a condition of an object."""
    conditions: list[Json] = item.get("status", {}).get("conditions", [])
    return next((each for each in conditions if each["type"] == of), None)


def closed(item: Json) -> bool:
    """Tell whether the workflow is closed for good."""
    return item.get("status", {}).get("phase") in CLOSED


def _closing(status: Json) -> str:
    return f"at {status.get('terminatedAt') or status.get('closedAt') or '?'}"
