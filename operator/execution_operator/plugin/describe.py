"""`kubectl execution describe`: the facts about an Execution, and its history."""

from argparse import Namespace
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote

from execution_operator.plugin.client import ROOT, ApiError, Client, Json, executions_path
from execution_operator.plugin.exit_codes import Exit, Failure
from execution_operator.plugin.request_state import condition
from execution_operator.plugin.targets import get_existing
from execution_operator.plugin.values import parsed

LABEL_WIDTH = 15
"""The width of the column of labels."""

TIME_WIDTH = 32
"""The width of the column of times."""


@dataclass(frozen=True)
class Moment:
    """An entry of the history.

    Attributes:
        at: Its time, in RFC 3339. Empty where it has not happened.
        text: What happened.
    """

    at: str
    text: str


async def run(arguments: Namespace) -> int:
    """Describe Executions, and return the exit code.

    Raises:
        Failure: A named Execution does not exist. The others are described before.
    """
    async with Client.of(arguments) as client:
        paths = [f"{executions_path(client.namespace)}/{name}" for name in arguments.names]
        items, missing = await get_existing(client, paths)
        for number, item in enumerate(items):
            organization = await _organization(client, item)
            events = await _events(client, item)
            print("\n" * bool(number) + "\n".join(describe(item, organization, events)))  # noqa: T201
    if missing:
        raise Failure("\nerror: ".join(map(str, missing)))
    return Exit.OK


def describe(item: Json, organization: Json | None, events: list[Json]) -> list[str]:
    """Return the lines that describe an Execution."""
    meta, spec, status = item["metadata"], item["spec"], item.get("status", {})
    termination = status.get("termination") or {}
    facts = {
        "Execution": f"{meta['namespace']}/{meta['name']}",
        "Execution ID": spec["executionId"],
        "Phase": status.get("phase", "not observed yet"),
        "Organization": status.get("organization"),
        "Workflow": status.get("workflowId"),
        "Run": status.get("runId"),
        "Temporal": status.get("temporalNamespace"),
        "Link": link(status, organization),
        "Reason": termination.get("reason") or (spec.get("terminate") or {}).get("reason"),
        "Requested by": termination.get("requestedBy"),
        "Outcome": termination.get("outcome"),
        "Children": f"{status['abandonedChildren']} left running" if status.get("abandonedChildren") else None,
    }
    lines = [f"{name + ':':<{LABEL_WIDTH}}{value}" for name, value in facts.items() if value]
    lines += [f"{'Attention:':<{LABEL_WIDTH}}{each['message']}" for each in _attention_conditions(item)]
    moments = timeline(item, events)
    return [*lines, "Timeline:", *(f"  {moment.at:<{TIME_WIDTH}}{moment.text}" for moment in moments)]


def timeline(item: Json, events: list[Json]) -> list[Moment]:
    """Return the history in the order of its times."""
    meta, status = item["metadata"], item.get("status", {})
    termination = status.get("termination") or {}
    requester = f" by {termination['requestedBy']}" if termination.get("requestedBy") else ""
    authorized = condition(item, "Authorized")
    moments = [
        Moment(status.get("startedAt", ""), f"workflow {status.get('workflowId')} started in Temporal"),
        Moment(meta["creationTimestamp"], "Execution created"),
        Moment(_pinned_at(authorized), f"run {status.get('runId')} pinned for {status.get('organization')}"),
        Moment(termination.get("requestedAt", ""), f"termination requested{requester}: {termination.get('reason')}"),
        Moment(termination.get("deadline", ""), "grace period ends: terminated unless closed by then"),
        _closed_moment(status),
        Moment(meta.get("deletionTimestamp", ""), "deletion requested"),
        *(Moment(_event_time(event), f"{event['reason']}: {event['message']}") for event in events),
    ]
    return sorted((moment for moment in moments if moment.at), key=_time_in_seconds)


def _time_in_seconds(moment: Moment) -> datetime:
    """Return the time without the fraction, which Kubernetes does not store. Entries of one second keep their order."""
    return parsed(moment.at).replace(microsecond=0)


def link(status: Json, organization: Json | None) -> str | None:
    """Return the address of the run in Temporal's UI; None where the Organization has no UI address."""
    base = ((organization or {}).get("spec", {}).get("temporal") or {}).get("uiUrl")
    if not base or not status.get("runId"):
        return None
    parts = (quote(status[name], safe="") for name in ("temporalNamespace", "workflowId", "runId"))
    return "{}/namespaces/{}/workflows/{}/{}/history".format(base.rstrip("/"), *parts)


def _closed_moment(status: Json) -> Moment:
    if status.get("terminatedAt"):
        return Moment(status["terminatedAt"], "workflow terminated (Temporal's event time)")
    return Moment(status.get("closedAt", ""), f"workflow closed: {status.get('phase')} (Temporal's event time)")


def _pinned_at(authorized: Json | None) -> str:
    """Return when the Execution was authorized. The operator pins the run in the same write."""
    return authorized["lastTransitionTime"] if authorized and authorized["status"] == "True" else ""


def _attention_conditions(item: Json) -> list[Json]:
    """Return the conditions `Stalled` and `Reconciling` that are true."""
    found = (condition(item, condition_type) for condition_type in ("Stalled", "Reconciling"))
    return [each for each in found if each and each["status"] == "True"]


def _event_time(event: Json) -> str:
    at: str = event.get("eventTime") or event.get("lastTimestamp") or event["metadata"]["creationTimestamp"]
    return at


async def _organization(client: Client, item: Json) -> Json | None:
    """Return the Execution's Organization, if the user may read it."""
    name = item.get("status", {}).get("organization")
    try:
        return await client.get(f"{ROOT}/organizations/{name}") if name else None
    except ApiError:
        return None


async def _events(client: Client, item: Json) -> list[Json]:
    """Return the Events of the Execution, if the user may read them."""
    meta = item["metadata"]
    query = {"fieldSelector": f"involvedObject.uid={meta['uid']}"}
    try:
        found: list[Json] = (await client.get(f"/api/v1/namespaces/{meta['namespace']}/events", **query))["items"]
    except ApiError:
        return []
    return found
