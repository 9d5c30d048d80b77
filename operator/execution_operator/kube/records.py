"""Reads and writes of Executions and Organizations, and the Events about Executions."""

import hashlib
import logging
from collections.abc import AsyncIterator, Callable, Container
from datetime import datetime
from http import HTTPStatus

from execution_operator.api import GROUP, VERSION, Execution, ExecutionStatus, Organization, OrganizationStatus, Phase
from execution_operator.core.errors import Conflict, ObjectNotFound
from execution_operator.core.status.events import EventRecord
from execution_operator.core.workflow.grace_period import rfc3339
from execution_operator.core.workflow.state import is_answered, is_closed
from execution_operator.kube.client import Api, ApiError, Json, collection
from execution_operator.kube.parse import parse, parse_strict
from execution_operator.kube.patch import merge_patch
from execution_operator.kube.watch import Selection, list_objects
from execution_operator.telemetry.metrics import count_event

logger = logging.getLogger("execution_operator.decisions")

MAX_EVENT_MESSAGE_BYTES = 1024
"""Length of an Event's message that every version of the Events API accepts."""

MAX_EVENT_NAME_PREFIX_CHARACTERS = 200
"""Length of the Execution's name in the name of an Event."""

UNANSWERED = "spec.terminate.reason!=,status.termination.outcome="
"""Field selector of the Executions whose request has no outcome yet."""

OPEN = ",".join(f"status.phase!={phase}" for phase in Phase if phase.closed)
"""Field selector of the Executions whose workflow is open or was never seen."""

PINNED = ",".join((OPEN, *(f"status.phase!={phase}" for phase in ("", Phase.PENDING))))
"""Field selector of the Executions whose status pins an open run."""

CLOSED = ",".join(f"status.phase!={phase}" for phase in ("", *(phase for phase in Phase if not phase.closed)))
"""Field selector of the Executions whose workflow is closed."""

NEVER_SEEN = ("status.phase=", "status.phase=pending")
"""Field selectors of the Executions whose workflow was never seen."""

PERMANENT_EVENT_ERRORS = (
    HTTPStatus.BAD_REQUEST,  # refused by a webhook
    HTTPStatus.FORBIDDEN,  # not allowed, or the namespace is terminating
    HTTPStatus.NOT_FOUND,  # the namespace does not exist any more
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.UNPROCESSABLE_ENTITY,  # malformed
)
"""Answers to the creation of an Event after which it is not tried again."""


class ExecutionRecords:
    """The Executions in the API server: the implementation of the port `Records`.

    A write applies only to the version of the object that was read. Every method raises:

    - Conflict, if the object has changed since it was read.
    - ObjectNotFound, if the object does not exist any more.
    - Unreadable, if the object does not fit its schema.
    - ApiError, if the API server refused the call for another reason or gave no answer.

    Args:
        api: The API server.
        instance: Name of this process, for Events.
        on_closed: Called with the UID of an Execution when its status says that its workflow has closed.
    """

    def __init__(self, api: Api, instance: str, on_closed: Callable[[str], None] = lambda _: None) -> None:
        self._api = api
        self._instance = instance
        self._on_closed = on_closed

    async def read(self, execution: Execution) -> Execution:
        """Return the object as it is now."""
        meta = execution.metadata
        return await self.read_by_name(meta.namespace, meta.name, meta.uid)

    async def read_by_name(self, namespace: str, name: str, uid: str) -> Execution:
        """Return the object of this name as it is now. An object with another UID counts as not found."""
        try:
            now = parse_strict(Execution, await self._api.get(f"{collection('executions', namespace)}/{name}"))
        except ApiError as error:
            raise _translated(error) from error
        if now.metadata.uid != uid:
            raise ObjectNotFound
        return now

    async def write_status(self, execution: Execution, status: ExecutionStatus) -> Execution:
        """Write the status in one PATCH, or nothing if it is the same."""
        patch = merge_patch(execution.status.wire(), status.wire())
        written = await self._patch(execution, "/status", {"status": patch}) if patch else execution
        if is_closed(written.status):
            self._on_closed(written.metadata.uid)
        return written

    async def write_finalizers(self, execution: Execution, finalizers: list[str]) -> Execution:
        """Write the list of finalizers."""
        return await self._patch(execution, "", {"metadata": {"finalizers": finalizers}})

    async def delete(self, execution: Execution) -> None:
        """Delete the object if it has not changed since it was read."""
        meta = execution.metadata
        try:
            await self._api.delete(_path(execution), uid=meta.uid, resource_version=meta.resource_version or "")
        except ApiError as error:
            raise _translated(error) from error

    async def _patch(self, execution: Execution, subresource: str, patch: Json) -> Execution:
        guard = {"uid": execution.metadata.uid, "resourceVersion": execution.metadata.resource_version}
        body = {**patch, "metadata": {**patch.get("metadata", {}), **guard}}
        try:
            return parse_strict(Execution, await self._api.merge(_path(execution) + subresource, body))
        except ApiError as error:
            raise _translated(error) from error

    async def record_event(self, execution: Execution, event: EventRecord) -> None:
        """Log the event, count it, and create an Event. Repeating this creates no second Event.

        An answer in PERMANENT_EVENT_ERRORS is logged, and the Event is given up.

        Raises:
            ApiError: The API server refused the Event for now, or gave no answer.
        """
        count_event(execution, event.reason)
        _log(execution, event)
        meta = execution.metadata
        try:
            await self._api.create(f"/api/v1/namespaces/{meta.namespace}/events", self._event(execution, event))
        except ApiError as error:
            if error.status == HTTPStatus.CONFLICT:
                return  # the Event exists already
            if error.status not in PERMANENT_EVENT_ERRORS:
                raise
            logger.warning("Event about Execution %s/%s not created: %s", meta.namespace, meta.name, error)

    def _event(self, execution: Execution, event: EventRecord) -> Json:
        """Return the Event.

        Its name ends in a hash of the Execution's UID, the request, the reason and the run, so that the API server
        refuses a second Event about the same outcome.
        """
        meta, now = execution.metadata, rfc3339(self._api.clock.now())
        identity = f"{meta.uid} {_request(execution)} {event.reason} {execution.status.run_id}"
        digest = hashlib.sha256(identity.encode()).hexdigest()[:16]
        prefix = meta.name[:MAX_EVENT_NAME_PREFIX_CHARACTERS].rstrip(".-")
        return {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": f"{prefix}.{digest}", "namespace": meta.namespace},
            "involvedObject": {
                "apiVersion": f"{GROUP}/{VERSION}",
                "kind": "Execution",
                "namespace": meta.namespace,
                "name": meta.name,
                "uid": meta.uid,
                "resourceVersion": meta.resource_version,
            },
            "type": "Warning" if event.warning else "Normal",
            "reason": event.reason,
            "message": event.message.encode()[:MAX_EVENT_MESSAGE_BYTES].decode(errors="ignore"),
            "source": {"component": "execution-operator"},
            "reportingComponent": f"{GROUP}/execution-operator",
            "reportingInstance": self._instance,
            "action": "Terminate",
            "firstTimestamp": now,
            "lastTimestamp": now,
            "count": 1,
        }

    async def list_executions(
        self, selection: Selection, uids: Container[str] | None = None
    ) -> AsyncIterator[Execution]:
        """Yield the Executions of a selection.

        Args:
            selection: What to list.
            uids: Yield only the Executions with these UIDs; None for all.
        """
        async for item in list_objects(self._api, selection):
            if (uids is None or item["metadata"]["uid"] in uids) and (execution := parse(Execution, item)):
                yield execution


class OrganizationRecords:
    """The Organizations in the API server."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def now(self) -> datetime:
        """Return the API server's time."""
        return self._api.clock.now()

    async def write_status(self, organization: Organization, status: OrganizationStatus) -> None:
        """Write the status in one PATCH, or nothing if it is the same."""
        patch = merge_patch(organization.status.wire(), status.wire())
        if not patch:
            return
        meta = organization.metadata
        body = {"metadata": {"uid": meta.uid, "resourceVersion": meta.resource_version}, "status": patch}
        try:
            await self._api.merge(f"{collection('organizations')}/{meta.name}/status", body)
        except ApiError as error:
            raise _translated(error) from error


def _log(execution: Execution, event: EventRecord) -> None:
    """Log the event with the names and ids of the Execution and its workflow."""
    meta, status = execution.metadata, execution.status
    fields = {
        "execution": f"{meta.namespace}/{meta.name}",
        "uid": meta.uid,
        "generation": meta.generation,
        "organization": status.organization,
        "temporalNamespace": status.temporal_namespace,
        "workflow": status.workflow_id,
        "run": status.run_id,
    }
    logger.log(
        logging.WARNING if event.warning else logging.INFO,
        "%s: %r %s",
        event.reason,
        event.message,
        " ".join(f"{name}={value}" for name, value in fields.items() if value),
        extra={"ids": {"reason": event.reason, **fields}},
    )


def _request(execution: Execution) -> str:
    """Return the part of an Event's name that tells the requests of one Execution apart.

    It is the generation until the request has an outcome. After that, no other edit makes a new Event.
    """
    return "answered" if is_answered(execution.status) else str(execution.metadata.generation)


def _path(execution: Execution) -> str:
    return f"{collection('executions', execution.metadata.namespace)}/{execution.metadata.name}"


def _translated(error: ApiError) -> Exception:
    """Return the error as a caller expects it: ObjectNotFound for 404, Conflict for 409, else the same error."""
    match error.status:
        case HTTPStatus.NOT_FOUND:
            return ObjectNotFound(error.message)
        case HTTPStatus.CONFLICT:
            return Conflict(error.message)
        case _:
            return error
