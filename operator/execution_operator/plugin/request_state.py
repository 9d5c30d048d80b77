"""The state of a request, from the status of its Execution."""

from dataclasses import dataclass
from enum import Enum
from typing import Any

Json = dict[str, Any]

DONE = ("Terminated", "Cancelled")
UNDECIDED = ("GracePeriod", "Pending")
"""Reasons of `Terminated=False` that are steps on the way."""

CLOSED = ("completed", "failed", "cancelled")


class State(Enum):
    """The state of the request for one Execution."""

    WAITING = "not requested"
    SENDING = "being requested"
    REQUESTED = "requested"
    DONE = "done"
    FAILED = "failed"
    TIMED_OUT = "timed out"


@dataclass(frozen=True)
class Verdict:
    """A state, its name for people, and its details."""

    state: State
    label: str
    detail: str = ""


def judge(item: Json, generation: int) -> Verdict | None:
    """Return the final state of a request of this generation; None while it is not settled."""
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
    """Return what an Execution waits for, for people."""
    answer = condition(item, "Terminated")
    current = item.get("status", {}).get("observedGeneration") == item["metadata"]["generation"]
    return f"{answer['reason']}: {answer['message']}" if answer and current else ""


def condition(item: Json, of: str) -> Json | None:
    """Return a condition of an object."""
    conditions: list[Json] = item.get("status", {}).get("conditions", [])
    return next((each for each in conditions if each["type"] == of), None)


def closed(item: Json) -> bool:
    """Return whether the workflow is closed."""
    return item.get("status", {}).get("phase") in CLOSED


def _closing(status: Json) -> str:
    return f"at {status.get('terminatedAt') or status.get('closedAt') or '?'}"
