"""`kubectl execution describe`: the history of an Execution."""

from argparse import Namespace
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote

from execution_operator.plugin.client import ROOT, ApiError, Client, Json, executions
from execution_operator.plugin.exit_codes import Exit, Failure
from execution_operator.plugin.request_state import condition
from execution_operator.plugin.targets import present
from execution_operator.plugin.values import parsed

WIDTH = 15


@dataclass(frozen=True)
class Moment:
    """One entry of the history."""

    at: str
    words: str


async def run(arguments: Namespace) -> int:
    """Describe an Execution, and return the exit code."""
    async with Client.of(arguments) as client:
        paths = [f"{executions(client.namespace)}/{name}" for name in arguments.names]
        items, missing = await present(client, paths)
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
        "Phase": status.get("phase", "not seen yet"),
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
    lines = [f"{name + ':':<{WIDTH}}{value}" for name, value in facts.items() if value]
    lines += [f"{'Attention:':<{WIDTH}}{each['message']}" for each in _troubles(item)]
    moments = timeline(item, events)
    return [*lines, "Timeline:", *(f"  {moment.at:<32}{moment.words}" for moment in moments)]


def timeline(item: Json, events: list[Json]) -> list[Moment]:
    """Return the history, in its order."""
    meta, status = item["metadata"], item.get("status", {})
    termination = status.get("termination") or {}
    by = f" by {termination['requestedBy']}" if termination.get("requestedBy") else ""
    authorized = condition(item, "Authorized")
    moments = [
        Moment(status.get("startedAt", ""), f"workflow {status.get('workflowId')} started in Temporal"),
        Moment(meta["creationTimestamp"], "Execution created"),
        Moment(_pinned_at(authorized), f"run {status.get('runId')} pinned for {status.get('organization')}"),
        Moment(termination.get("requestedAt", ""), f"termination requested{by}: {termination.get('reason')}"),
        Moment(termination.get("deadline", ""), "grace period ends: terminated unless closed by then"),
        _closing(status),
        Moment(meta.get("deletionTimestamp", ""), "deletion requested"),
        *(Moment(_when(event), f"{event['reason']}: {event['message']}") for event in events),
    ]
    return sorted((moment for moment in moments if moment.at), key=_second)


def _second(moment: Moment) -> datetime:
    """Return the time in whole seconds, as Kubernetes stores it. Entries of one second keep their order."""
    return parsed(moment.at).replace(microsecond=0)


def link(status: Json, organization: Json | None) -> str | None:
    """Return the address of the run in Temporal's UI, where the Organization names one."""
    base = ((organization or {}).get("spec", {}).get("temporal") or {}).get("uiUrl")
    if not base or not status.get("runId"):
        return None
    parts = (quote(status[name], safe="") for name in ("temporalNamespace", "workflowId", "runId"))
    return "{}/namespaces/{}/workflows/{}/{}/history".format(base.rstrip("/"), *parts)


def _closing(status: Json) -> Moment:
    if status.get("terminatedAt"):
        return Moment(status["terminatedAt"], "workflow terminated (Temporal's event time)")
    return Moment(status.get("closedAt", ""), f"workflow closed: {status.get('phase')} (Temporal's event time)")


def _pinned_at(authorized: Json | None) -> str:
    """Return when the Execution was authorized. The run is pinned in the same write."""
    return authorized["lastTransitionTime"] if authorized and authorized["status"] == "True" else ""


def _troubles(item: Json) -> list[Json]:
    found = (condition(item, of) for of in ("Stalled", "Reconciling"))
    return [each for each in found if each and each["status"] == "True"]


def _when(event: Json) -> str:
    at: str = event.get("eventTime") or event.get("lastTimestamp") or event["metadata"]["creationTimestamp"]
    return at


async def _organization(client: Client, item: Json) -> Json | None:
    """Return the Execution's Organization, if the user may see it."""
    name = item.get("status", {}).get("organization")
    try:
        return await client.get(f"{ROOT}/organizations/{name}") if name else None
    except ApiError:
        return None


async def _events(client: Client, item: Json) -> list[Json]:
    """Return the Events of the Execution, if the user may see them."""
    meta = item["metadata"]
    query = {"fieldSelector": f"involvedObject.uid={meta['uid']}"}
    try:
        found: list[Json] = (await client.get(f"/api/v1/namespaces/{meta['namespace']}/events", **query))["items"]
    except ApiError:
        return []
    return found
