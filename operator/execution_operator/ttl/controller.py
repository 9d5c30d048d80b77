"""Deletes finished Executions when their TTL has passed. One timer serves all of them: that of the next deletion."""

import asyncio
import heapq
import logging
from collections.abc import Callable

from execution_operator.api import Execution
from execution_operator.core.errors import ObjectNotFound, RecordError, Unreadable
from execution_operator.ttl.expiry import expires_at
from execution_operator.ttl.ports import DeletableExecutions

logger = logging.getLogger(__name__)

RETRY_DELAY_SECONDS = 10.0
"""Seconds until a failed deletion is tried again."""

Due = tuple[float, str, str, str]
"""A scheduled deletion: Unix time in seconds, UID, namespace and name."""


class TTLController:
    """Schedules and carries out the deletions.

    Args:
        records: The API server.
        now: Returns the Unix time in seconds, by the API server's clock.
    """

    def __init__(self, records: DeletableExecutions, now: Callable[[], float]) -> None:
        self._records = records
        self._now = now
        self._heap: list[Due] = []
        self._due: dict[str, float] = {}
        self._changed = asyncio.Event()

    def put(self, execution: Execution) -> None:
        """Schedule the deletion of a finished Execution, or drop it where it has no TTL any more."""
        meta, moment = execution.metadata, expires_at(execution)
        if moment is None:
            self.drop(meta.uid)
        elif self._due.get(meta.uid) != moment.timestamp():
            self._schedule((moment.timestamp(), meta.uid, meta.namespace, meta.name))

    def drop(self, uid: str) -> None:
        """Drop the scheduled deletion of an Execution. An unknown UID changes nothing."""
        self._due.pop(uid, None)

    async def run(self) -> None:
        """Delete each Execution when its TTL has passed, until cancelled."""
        while True:
            self._changed.clear()
            while self._heap and self._heap[0][0] <= self._now():
                await self._delete_if_expired(heapq.heappop(self._heap))
            try:
                async with asyncio.timeout(self._heap[0][0] - self._now() if self._heap else None):
                    await self._changed.wait()
            except TimeoutError:
                continue

    def _schedule(self, due: Due) -> None:
        self._due[due[1]] = due[0]
        heapq.heappush(self._heap, due)
        self._changed.set()

    async def _delete_if_expired(self, due: Due) -> None:
        """Read an Execution again, and delete it if its TTL has passed. What was scheduled may be out of date."""
        moment, uid, namespace, name = due
        if self._due.get(uid) != moment:
            return
        self.drop(uid)
        try:
            execution = await self._records.read_by_name(namespace, name, uid)
            now_due = expires_at(execution)
            if now_due is not None and now_due.timestamp() <= self._now():
                await self._records.delete(execution)
                logger.info("%s/%s: deleted, as its ttlSecondsAfterFinished has passed", namespace, name)
            else:
                self.put(execution)
        except ObjectNotFound:
            return
        except Unreadable as error:  # the watch brings it again when somebody has mended it
            logger.error("%s/%s: not deleted: %s", namespace, name, error)  # noqa: TRY400 - the message says it all
        except RecordError as error:
            logger.warning("%s/%s: not deleted yet, retrying: %s", namespace, name, error)
            self._schedule((self._now() + RETRY_DELAY_SECONDS, uid, namespace, name))
