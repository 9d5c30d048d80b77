"""Executions and Organizations as the operator reads and writes them, and the Events that it tells."""

import hashlib
import logging
from collections.abc import AsyncIterator, Callable, Container
from datetime import datetime

from execution_operator.api import GROUP, VERSION, Execution, ExecutionStatus, Organization, OrganizationStatus, Phase
from execution_operator.core.errors import Conflict, ObjectNotFound
from execution_operator.core.status.events import EventRecord
from execution_operator.core.workflow.grace_period import rfc3339
from execution_operator.core.workflow.state import is_answered, is_closed
from execution_operator.kube.client import Api, ApiError, Json, collection
from execution_operator.kube.parse import parse, parse_strict
from execution_operator.kube.patch import merge_patch
from execution_operator.kube.watch import Selection, list_objects
from execution_operator.telemetry.metrics import count

logger = logging.getLogger("execution_operator.decisions")

EVENT_LIMIT = 1024
"""Bytes of an Event's message that every API accepts."""

UNANSWERED = "spec.terminate.reason!=,status.termination.outcome="
"""Field selector of the Executions whose request waits for its answer."""

OPEN = ",".join(f"status.phase!={phase}" for phase in Phase if phase.closed)
"""Field selector of the Executions whose workflow is open, or was never seen."""

PINNED = ",".join((OPEN, *(f"status.phase!={phase}" for phase in ("", Phase.PENDING))))
"""Field selector of the Executions that pin an open run."""

CLOSED = ",".join(f"status.phase!={phase}" for phase in ("", *(phase for phase in Phase if not phase.closed)))
"""Field selector of the Executions whose workflow is closed."""

NEVER_SEEN = ("status.phase=", "status.phase=pending")
"""Field selectors of the Executions whose workflow was not found yet."""

CONFLICT, NOT_FOUND = 409, 404

HOPELESS = (400, 403, 404, 413, 422)
"""Answers to an Event that another try would get again: refused by a webhook, forbidden, a namespace that is going or
gone, too large, malformed.
"""


class ExecutionRecords:
    """The port `Records` on a real API server.

    Args:
        api: The API server.
        instance: Which of the operator's processes this is, in Events.
        ended: Told the UID of an Execution whose record now says that its workflow has closed.
    """

    def __init__(self, api: Api, instance: str, ended: Callable[[str], None] = lambda _: None) -> None:
        self._api = api
        self._instance = instance
        self._ended = ended

    async def read(self, execution: Execution) -> Execution:
        """Return the object as it is now."""
        meta = execution.metadata
        return await self.read_by_name(meta.namespace, meta.name, meta.uid)

    async def read_by_name(self, namespace: str, name: str, uid: str) -> Execution:
        """Return the object of this name as it is now, if it is the same one still: Gone, Unreadable, ApiError."""
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
            self._ended(written.metadata.uid)
        return written

    async def write_finalizers(self, execution: Execution, finalizers: list[str]) -> Execution:
        """Write the list of finalizers."""
        return await self._patch(execution, "", {"metadata": {"finalizers": finalizers}})

    async def delete(self, execution: Execution) -> None:
        """Delete this very state of the object: Superseded, Gone."""
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

    async def record_event(self, execution: Execution, announcement: EventRecord) -> None:
        """Tell it in the log and as an Event. Telling it again changes nothing."""
        count(execution, announcement.reason)
        level = logging.WARNING if announcement.warning else logging.INFO
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
        known = " ".join(f"{name}={value}" for name, value in fields.items() if value)
        logger.log(
            level,
            "%s: %r %s",
            announcement.reason,
            announcement.message,
            known,
            extra={"ids": {"reason": announcement.reason, **fields}},
        )
        try:
            await self._api.create(f"/api/v1/namespaces/{meta.namespace}/events", self._event(execution, announcement))
        except ApiError as error:
            if error.status not in (CONFLICT, *HOPELESS):
                raise
            if error.status != CONFLICT:
                logger.warning("event of %s/%s not written: %s", meta.namespace, meta.name, error)

    def _event(self, execution: Execution, announcement: EventRecord) -> Json:
        """Return the Event. Its name is made of what it tells, so that telling it again changes nothing."""
        meta, now = execution.metadata, rfc3339(self._api.clock.now())
        told = f"{meta.uid} {_request(execution)} {announcement.reason} {execution.status.run_id}"
        digest = hashlib.sha256(told.encode()).hexdigest()[:16]
        return {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": f"{meta.name[:200].rstrip('.-')}.{digest}", "namespace": meta.namespace},
            "involvedObject": {
                "apiVersion": f"{GROUP}/{VERSION}",
                "kind": "Execution",
                "namespace": meta.namespace,
                "name": meta.name,
                "uid": meta.uid,
                "resourceVersion": meta.resource_version,
            },
            "type": "Warning" if announcement.warning else "Normal",
            "reason": announcement.reason,
            "message": announcement.message.encode()[:EVENT_LIMIT].decode(errors="ignore"),
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
        """Yield the Executions of a selection; with `uids`, those of them: ApiError."""
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


def _request(execution: Execution) -> str:
    """Return what tells one request of an Execution from the next: nothing more, once it is answered."""
    return "answered" if is_answered(execution.status) else str(execution.metadata.generation)


def _path(execution: Execution) -> str:
    return f"{collection('executions', execution.metadata.namespace)}/{execution.metadata.name}"


def _translated(error: ApiError) -> Exception:
    return {NOT_FOUND: ObjectNotFound(error.message), CONFLICT: Conflict(error.message)}.get(error.status, error)
