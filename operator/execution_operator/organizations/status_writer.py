"""Writes the statuses of Organizations."""

import asyncio
import logging
from collections.abc import Callable

from execution_operator.core.authorization.mapping import Mapping
from execution_operator.core.errors import Conflict, ObjectNotFound, RecordError
from execution_operator.core.status.organization_status import render
from execution_operator.core.workflow.grace_period import rfc3339
from execution_operator.organizations.ports import Records

logger = logging.getLogger(__name__)

MIN_WRITE_INTERVAL_SECONDS = 0.1
"""Minimum seconds between two scheduled writes of one status."""


class StatusWriter:
    """Writes the status of an Organization at once, or in the background.

    Args:
        mapping: The Organizations and their probes, which the statuses are rendered from.
        records: The Organizations in the API server.
        writes_status_of: Whether this operator writes the status of the Organization with this name.
    """

    def __init__(self, mapping: Mapping, records: Records, writes_status_of: Callable[[str], bool]) -> None:
        self._mapping = mapping
        self._records = records
        self._writes_status_of = writes_status_of
        self._tasks: set[asyncio.Task[None]] = set()
        self._write_again: dict[str, bool] = {}
        """The Organizations whose scheduled writes are under way, and whether another write must follow."""

    def schedule(self, name: str) -> None:
        """Write the status in the background. Calls during a write are merged into one further write.

        Many Organizations can share a Temporal namespace. Then each probe of one concerns the statuses of all.
        """
        is_running, self._write_again[name] = name in self._write_again, True
        if is_running:
            return
        self._tasks.add(task := asyncio.create_task(self._write_while_scheduled(name)))
        task.add_done_callback(self._tasks.discard)

    async def write(self, name: str) -> None:
        """Write the status, if this operator is responsible for it and its readiness is known."""
        organization = self._mapping.get(name)
        if not self._writes_status_of(name) or organization is None or self._mapping.readiness(organization) is None:
            return
        now = rfc3339(self._records.now())
        try:
            await self._records.write_status(organization, render(organization, self._mapping, now))
        except (Conflict, ObjectNotFound):
            return  # the watch delivers the current Organization, and the status is compared with that again
        except RecordError as error:
            logger.warning("status of organization %s not written, retrying after the next probe: %s", name, error)

    async def _write_while_scheduled(self, name: str) -> None:
        try:
            while self._write_again[name]:
                self._write_again[name] = False
                await self.write(name)
                await asyncio.sleep(MIN_WRITE_INTERVAL_SECONDS)
        finally:
            del self._write_again[name]
