"""Deletes finished Executions whose time has come. One alarm for all of them: the next one's."""

import asyncio
import heapq
import logging
from collections.abc import Callable

from execution_operator.api import Execution
from execution_operator.core.errors import ObjectNotFound, RecordError, Unreadable
from execution_operator.ttl.expiry import expires
from execution_operator.ttl.ports import DeletableExecutions

logger = logging.getLogger(__name__)

PAUSE = 10.0
"""Seconds until a deletion is tried again that failed."""

Due = tuple[float, str, str, str]
"""Unix time in seconds, UID, namespace and name."""


class TTLController:
    """What is to be deleted, and when.

    Args:
        records: The API server.
        now: Unix time in seconds, by the API server's clock.
    """

    def __init__(self, records: DeletableExecutions, now: Callable[[], float]) -> None:
        self._records = records
        self._now = now
        self._heap: list[Due] = []
        self._due: dict[str, float] = {}
        self._changed = asyncio.Event()

    def put(self, execution: Execution) -> None:
        """Take in a finished Execution as it is now."""
        meta, moment = execution.metadata, expires(execution)
        if moment is None:
            self.drop(meta.uid)
        elif self._due.get(meta.uid) != moment.timestamp():
            self._set((moment.timestamp(), meta.uid, meta.namespace, meta.name))

    def drop(self, uid: str) -> None:
        """Forget one that is gone; one that is not known is no error."""
        self._due.pop(uid, None)

    async def run(self) -> None:
        """Delete each when its time has come, until cancelled."""
        while True:
            self._changed.clear()
            while self._heap and self._heap[0][0] <= self._now():
                await self._take(heapq.heappop(self._heap))
            try:
                async with asyncio.timeout(self._heap[0][0] - self._now() if self._heap else None):
                    await self._changed.wait()
            except TimeoutError:
                continue

    def _set(self, due: Due) -> None:
        self._due[due[1]] = due[0]
        heapq.heappush(self._heap, due)
        self._changed.set()

    async def _take(self, due: Due) -> None:
        """Delete one, if it is still to be deleted: what is known of it may be old."""
        moment, uid, namespace, name = due
        if self._due.get(uid) != moment:
            return
        self.drop(uid)
        try:
            execution = await self._records.read_by_name(namespace, name, uid)
            now_due = expires(execution)
            if now_due is not None and now_due.timestamp() <= self._now():
                await self._records.delete(execution)
                logger.info("%s/%s: deleted, its ttlSecondsAfterFinished has passed", namespace, name)
            else:
                self.put(execution)
        except ObjectNotFound:
            return
        except Unreadable as error:  # the watch brings it again once it is mended
            logger.error("passed over: %s", error)  # noqa: TRY400 - says it all
        except RecordError as error:
            logger.warning("%s/%s: not deleted yet: %s", namespace, name, error)
            self._set((self._now() + PAUSE, uid, namespace, name))
