"""Checks of an Execution's status against Temporal's history of its run. Each returns the differences."""

import json
from collections.abc import Mapping, Sequence

from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent

from tests.support.kube import Json, conditions_of

CANCEL_REQUESTED = EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CANCEL_REQUESTED
CANCELED = EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED
TERMINATED = EventType.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED


def outcome_of(execution: Json) -> str:
    """Return the outcome of the request. Empty while there is none."""
    outcome: str = execution.get("status", {}).get("termination", {}).get("outcome", "")
    return outcome


def check_terminated(execution: Json, history: Sequence[HistoryEvent]) -> list[str]:
    """Compare the outcome `Terminated` with the history of the run."""
    status, uid = execution["status"], execution["metadata"]["uid"]
    ends = [event for event in history if event.event_type == TERMINATED]
    if len(ends) != 1:
        return [f"{len(ends)} terminated events"]
    attributes, at = ends[0].workflow_execution_terminated_event_attributes, ends[0].event_time.ToJsonString()
    payloads = attributes.details.payloads
    return _ended(execution, "Terminated", at) + _differences(
        {
            "terminatedAt": (status.get("terminatedAt"), at),
            "reason": (status["termination"].get("reason"), attributes.reason),
            "UID in the details": (json.loads(payloads[0].data).get("executionUid") if payloads else None, uid),
        }
    )


def check_cancelled(execution: Json, history: Sequence[HistoryEvent]) -> list[str]:
    """Compare the outcome `Cancelled` with the history of the run."""
    if history[-1].event_type != CANCELED:
        return ["the workflow did not close as cancelled"]
    terminated = {"terminatedAt": (execution["status"].get("terminatedAt"), None)}
    return _ended(execution, "Cancelled", history[-1].event_time.ToJsonString()) + _differences(terminated)


SHOWN = {
    "Terminated": ("True/Terminated", "True/Terminated"),
    "Cancelled": ("True/Cancelled", "True/Canceled"),
    "AlreadyClosed": ("False/AlreadyClosed", "True/Terminated"),
}
"""The conditions Terminated and Finished for each outcome."""


def check_terminated_by_others(execution: Json, history: Sequence[HistoryEvent]) -> list[str]:
    """Compare the outcome `AlreadyClosed` with the history of a run that somebody else terminated."""
    if history[-1].event_type != TERMINATED:
        return ["the run was not terminated"]
    at = history[-1].event_time.ToJsonString()
    details = history[-1].workflow_execution_terminated_event_attributes.details.payloads
    return _ended(execution, "AlreadyClosed", at) + _differences(
        {"terminatedAt": (execution["status"].get("terminatedAt"), at), "details": (len(details), 0)}
    )


def _ended(execution: Json, reason: str, at: str) -> list[str]:
    conditions, (terminated, finished) = conditions_of(execution), SHOWN[reason]
    return _differences(
        {
            "phase": (execution["status"].get("phase"), "cancelled"),
            "outcome": (outcome_of(execution), reason),
            "closedAt": (execution["status"].get("closedAt"), at),
            "Terminated": (conditions.get("Terminated"), terminated),
            "Finished": (conditions.get("Finished"), finished),
            "Reconciling": (conditions.get("Reconciling"), None),
        }
    )


def _differences(checks: Mapping[str, tuple[object, object]]) -> list[str]:
    wrong = ((what, found, expected) for what, (found, expected) in checks.items() if found != expected)
    return [f"{what}: {found!r} instead of {expected!r}" for what, found, expected in wrong]
