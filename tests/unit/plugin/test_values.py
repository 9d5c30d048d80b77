"""Durations, ages, names, and the final status of a request."""

from datetime import UTC, datetime
from typing import Any

import pytest

from execution_operator.plugin.import_workflows import execution_id_of
from execution_operator.plugin.request_state import State, final_status
from execution_operator.plugin.values import age, duration, object_name, plural


@pytest.mark.parametrize(
    ("text", "seconds"), [("30s", 30), ("5m", 300), ("1h30m", 5400), ("90", 90), ("1.5h", 5400), ("250ms", 0.25)]
)
def test_durations(text: str, seconds: float) -> None:
    assert duration(text) == seconds


@pytest.mark.parametrize("text", ["", "soon", "-1s", "1d", "s", "1s "])
def test_invalid_durations(text: str) -> None:
    with pytest.raises(ValueError, match="is not a duration"):
        duration(text)


@pytest.mark.parametrize(
    ("ago", "shown"),
    [("11:59:01", "59s"), ("11:58:01", "119s"), ("11:58:00", "2m"), ("09:00:00", "3h"), ("12:00:01", "0s")],
)
def test_ages(ago: str, shown: str) -> None:
    now = datetime(2026, 1, 1, 12, tzinfo=UTC)
    assert age(f"2026-01-01T{ago}Z", now) == shown
    assert age(None) == ""


@pytest.mark.parametrize(
    ("identifier", "name"),
    [
        ("0f8c2a9e-1111-2222-3333-444455556666", "0f8c2a9e-1111-2222-3333-444455556666"),
        ("Orders/17", "orders-17-"),
        ("日本", "execution-"),
        ("x" * 300, "x" * 54 + "-"),
    ],
)
def test_names(identifier: str, name: str) -> None:
    result = object_name(identifier)
    assert result.startswith(name)
    assert len(result) <= 63
    assert result == object_name(identifier) != object_name(identifier + "/")


def test_plurals() -> None:
    assert (plural(1), plural(1200, "namespace")) == ("1 execution", "1,200 namespaces")


@pytest.mark.parametrize(
    ("workflow", "templates", "identifier"),
    [
        ("agent-execution-7", [], "agent-execution-7"),
        ("agent-execution-7", ["{executionId}", "agent-execution-{executionId}"], "agent-execution-7"),
        ("agent-execution-7", ["team-{executionId}", "agent-execution-{executionId}"], "7"),
        ("other", ["agent-execution-{executionId}"], "other"),
    ],
)
def test_execution_ids_of_workflows(workflow: str, templates: list[str], identifier: str) -> None:
    assert execution_id_of(workflow, templates) == identifier


def execution(reason: str = "", status: str = "False", outcome: str | None = None, observed: int = 2) -> dict[str, Any]:
    conditions = [{"type": "Terminated", "status": status, "reason": reason, "message": "because"}] if reason else []
    found = {"observedGeneration": observed, "conditions": conditions}
    if outcome:
        found |= {"termination": {"outcome": outcome}, "closedAt": "then"}
    return {"metadata": {"generation": 2}, "spec": {"terminate": {"reason": "x"}}, "status": found}


@pytest.mark.parametrize(
    ("item", "state"),
    [
        (execution(), None),
        (execution("Terminated", "True", "Terminated"), State.DONE),
        (execution("Cancelled", "True", "Cancelled"), State.DONE),
        (execution("AlreadyClosed", outcome="AlreadyClosed"), State.FAILED),
        (execution("NamespaceNotMapped"), State.FAILED),
        (execution("NamespaceNotMapped", observed=1), None),
        (execution("GracePeriod"), None),
        (execution("TemporalUnavailable", "Unknown"), None),
    ],
)
def test_final_status(item: dict[str, Any], state: State | None) -> None:
    status = final_status(item, generation=2)
    assert (status.state if status else None) == state
