"""What the deletion of finished Executions needs of the API server."""

from typing import Protocol

from execution_operator.api import Execution


class DeletableExecutions(Protocol):
    """The Executions in the API server, to be deleted in their time."""

    async def read_by_name(self, namespace: str, name: str, uid: str) -> Execution:
        """Return the object of this name as it is now, if it is the same one still; else Gone."""

    async def delete(self, execution: Execution) -> None:
        """Delete this very state of the object: Superseded, Gone."""
