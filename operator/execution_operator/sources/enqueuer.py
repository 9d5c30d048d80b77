"""Decides which Executions go into the queue, from the request stream, the watches, the relists and the rereads."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import datetime, timedelta

from execution_operator.api import Execution
from execution_operator.core.workflow.state import is_known_missing, is_unanswered, is_unresolved, needs_reconcile
from execution_operator.runtime.periodic import PeriodicTask
from execution_operator.telemetry.backlog import request_time
from execution_operator.telemetry.metrics import FOUND_BY_RELIST
from execution_operator.workqueue.item import version
from execution_operator.workqueue.queue import WorkQueue

STREAM_DELAY = timedelta(seconds=5)
"""Age after which the request stream should have delivered a request. An older one that a relist finds is counted."""


class Enqueuer:
    """Decides what goes into the queue.

    A standby notes the Executions that need work, and enqueues them when it becomes the leader.

    Args:
        queue: The queue.
        requests: Lists the Executions with an unanswered request.
        unresolved: Lists the Executions that pin no run.
        now: The API server's clock.
        is_responsible: Whether this operator works for a namespace.
        leading: False on a standby, until `start_leading`.

    Attributes:
        missing_workflows: Unanswered requests of the last relist whose workflow Temporal does not know.
    """

    def __init__(  # noqa: PLR0913 - its five sources of truth
        self,
        queue: WorkQueue,
        requests: Callable[[], AsyncIterator[Execution]],
        unresolved: Callable[[], AsyncIterator[Execution]],
        now: Callable[[], datetime],
        is_responsible: Callable[[str], bool] = lambda _: True,
        *,
        leading: bool = True,
    ) -> None:
        self._queue = queue
        self._list_requests = requests
        self._list_unresolved = unresolved
        self._now = now
        self._is_responsible = is_responsible
        self.missing_workflows = 0
        self._noted: dict[str, Execution] | None = None if leading else {}
        """What a standby has noted, by UID; None on a leader."""
        self._request_relist = PeriodicTask(self._relist_requests)
        self._unresolved_relist = PeriodicTask(self._relist_unresolved)
        self._relisted = False

    def on_request(self, execution: Execution) -> None:
        """Enqueue an unanswered request. A relist enqueues one whose workflow was not found."""
        if is_known_missing(execution) or self._is_outdated(execution):
            return
        if self._is_responsible(execution.metadata.namespace):
            self._queue.add(execution)

    def on_request_removed(self, uid: str, resource_version: int) -> None:
        """Have a request read again that was withdrawn, answered or deleted while it is in the queue.

        Args:
            uid: The Execution.
            resource_version: The version of the removal.
        """
        self._queue.removed(uid, resource_version)

    def on_open_changed(self, execution: Execution) -> None:
        """Enqueue an open Execution whose status is behind. The request stream brings those with a request."""
        uid, resource_version = execution.metadata.uid, version(execution)
        due = needs_reconcile(execution) and not is_known_missing(execution) and not _has_request(execution)
        if due and self._is_responsible(execution.metadata.namespace):
            self._queue.resource_versions.observe(uid, resource_version)
            self._enqueue(execution)
        else:
            self.on_settled(uid, resource_version)

    def on_settled(self, uid: str, resource_version: int) -> None:
        """Forget what a standby noted of an Execution before this version. It needs no work, or no longer exists."""
        self._queue.resource_versions.observe(uid, resource_version)
        if self._noted and uid in self._noted and version(self._noted[uid]) < resource_version:
            del self._noted[uid]

    def on_run_changed(self, execution: Execution) -> None:
        """Enqueue an open Execution whose run seems to have changed."""
        if self._is_responsible(execution.metadata.namespace):
            stale = is_unanswered(execution)  # its request may have been withdrawn since it was read
            self._queue.requeue(execution, stale=stale)

    def on_deleted(self, execution: Execution) -> None:
        """Pass on the last state of a deleted Execution that is in the queue. It shows what was still requested."""
        self._queue.add_tombstone(execution)

    def start_leading(self) -> None:
        """Enqueue what the standby noted, and enqueue at once from now on."""
        noted, self._noted = self._noted or {}, None
        for execution in noted.values():
            if is_unanswered(execution):
                self.on_run_changed(execution)  # it may have been noted long ago, so it is read before it is acted on
            else:
                self.on_open_changed(execution)

    def requeue_namespaces(self, namespaces: set[str]) -> None:
        """Enqueue all that waits in these namespaces: their Organization changed, or what its Temporal answers."""
        self._request_relist.trigger(namespaces)
        self._unresolved_relist.trigger(namespaces)

    async def run(self) -> None:
        """Relist until cancelled. A relist finds what a watch missed, and retries what was not found."""
        await asyncio.gather(self._request_relist.run(), self._unresolved_relist.run())

    def _enqueue(self, execution: Execution) -> None:
        """Enqueue an Execution, or note it on a standby.

        An unresolved Execution is neither noted nor enqueued beyond the queue's room: a relist brings it again.
        """
        unresolved = is_unresolved(execution)
        if self._noted is not None:
            if not unresolved:
                self._noted[execution.metadata.uid] = execution
        elif unresolved and not self._queue.has_room:
            self._unresolved_relist.trigger()
        else:
            self._queue.add(execution)

    async def _relist_requests(self, requeued_namespaces: set[str]) -> None:
        """Enqueue all requests. In the given namespaces, requests that are known and unchanged are reconciled too."""
        self._queue.requeue_active(requeued_namespaces)
        missing = 0
        async for execution in self._list_requests():
            if not self._is_responsible(execution.metadata.namespace) or self._is_outdated(execution):
                continue
            missing += is_known_missing(execution) and is_unanswered(execution)
            self._count_if_late(execution)
            self._add_listed(execution, requeued_namespaces)
        self._queue.requeue_inactive(requeued_namespaces)
        self.missing_workflows, self._relisted = missing, True

    def _count_if_late(self, execution: Execution) -> None:
        """Count a request that the stream should have brought. Before the first relist has ended, none is late."""
        if not self._relisted or not _has_request(execution) or is_known_missing(execution):
            return
        requested_at = None if self._queue.contains(execution.metadata.uid) else request_time(execution)
        if requested_at and self._now() - requested_at > STREAM_DELAY:
            FOUND_BY_RELIST.inc()

    def _add_listed(self, execution: Execution, requeued_namespaces: set[str]) -> None:
        """Enqueue a listed Execution; in a requeued namespace also one that is known and unchanged."""
        if execution.metadata.namespace in requeued_namespaces:
            self._queue.requeue(execution)
        else:
            self._queue.add(execution)

    def _is_outdated(self, execution: Execution) -> bool:
        return self._queue.resource_versions.is_outdated(execution.metadata.uid, version(execution))

    async def _relist_unresolved(self, requeued_namespaces: set[str]) -> None:
        """Enqueue all Executions that pin no run, as the queue has room.

        A reconcile under way in a requeued namespace may have decided on the state before. Another one follows it.
        """
        async for execution in self._list_unresolved():
            if _has_request(execution) or not self._is_responsible(execution.metadata.namespace):
                continue
            await self._queue.wait_for_room()
            self._add_listed(execution, requeued_namespaces)


def _has_request(execution: Execution) -> bool:
    return execution.spec.terminate is not None and is_unanswered(execution)
