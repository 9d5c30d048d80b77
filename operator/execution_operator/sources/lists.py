"""Lists of Executions within the scope of this operator, for relists and rereads."""

import itertools
import logging
from collections.abc import AsyncIterator, Container
from contextlib import suppress
from http import HTTPStatus

from execution_operator.api import Execution
from execution_operator.core.errors import ObjectNotFound
from execution_operator.kube.client import ApiError
from execution_operator.kube.records import NEVER_SEEN, PINNED, UNANSWERED, ExecutionRecords
from execution_operator.kube.scope import WatchScope

logger = logging.getLogger(__name__)


class ExecutionLists:
    """Lists and reads Executions.

    Args:
        records: The API server.
        scope: What this operator works on.
    """

    def __init__(self, records: ExecutionRecords, scope: WatchScope) -> None:
        self._records = records
        self._scope = scope

    def unanswered(self) -> AsyncIterator[Execution]:
        """Yield the Executions with an unanswered request."""
        return self._list(UNANSWERED)

    def unresolved(self) -> AsyncIterator[Execution]:
        """Yield the Executions that pin no run."""
        return self._list(*NEVER_SEEN)

    def pinned(self, namespace: str, uids: Container[str]) -> AsyncIterator[Execution]:
        """Yield the Executions of a namespace that pin an open run and have one of the UIDs."""
        return self._records.list_executions(self._scope.selection(namespace, PINNED), uids)

    async def read(self, execution: Execution) -> Execution | None:
        """Return the Execution as it is now; None where it no longer exists."""
        with suppress(ObjectNotFound):
            return await self._records.read(execution)
        return None

    async def _list(self, *field_selectors: str) -> AsyncIterator[Execution]:
        """Yield the selected Executions of all watched namespaces. A namespace that may not be read is left out."""
        for field_selector, namespace in itertools.product(field_selectors, self._scope.watch_namespaces):
            try:
                async for execution in self._records.list_executions(self._scope.selection(namespace, field_selector)):
                    yield execution
            except ApiError as error:
                if not namespace or error.status != HTTPStatus.FORBIDDEN:
                    raise
                logger.warning(
                    "Executions of namespace %s can't be listed: grant the operator its role there: %s",
                    namespace,
                    error,
                )
