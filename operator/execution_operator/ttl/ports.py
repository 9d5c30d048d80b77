"""The port to the API server for the deletion of finished Executions."""

from typing import Protocol

from execution_operator.api import Execution


class DeletableExecutions(Protocol):
    """The Executions in the API server.

    Every method raises ObjectNotFound where the object no longer exists, Unreadable where it does not fit its schema,
    and RecordError where the API server did not answer.
    """

    async def read_by_name(self, namespace: str, name: str, uid: str) -> Execution:
        """Return the object of this name. One with another UID does not count: then ObjectNotFound is raised."""

    async def delete(self, execution: Execution) -> None:
        """Delete the object in exactly this version. Conflict is raised where it has changed since."""
