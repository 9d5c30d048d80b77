"""The ports of the controller of Organizations to the API server and to Temporal."""

from datetime import datetime
from typing import Protocol

from execution_operator.api import Organization, OrganizationStatus
from execution_operator.core.authorization.mapping import Probe


class Records(Protocol):
    """The Organizations in the API server."""

    def now(self) -> datetime:
        """Return the API server's time."""

    async def write_status(self, organization: Organization, status: OrganizationStatus) -> None:
        """Write the status in one PATCH, or nothing if it is unchanged.

        Raises:
            Conflict: The Organization has changed since it was read.
            ObjectNotFound: The Organization was deleted.
            RecordError: The API server did not accept the write.
        """


class TemporalNamespaces(Protocol):
    """The Temporal namespaces of the Organizations."""

    def initial_probe(self, organization: Organization) -> Probe:
        """Return the Probe of an Organization whose Temporal has not been asked yet."""

    async def probe(self, organization: Organization) -> Probe:
        """Describe the Organization's namespace in Temporal. An error is part of the Probe, and never raised."""

    def forget(self, name: str) -> None:
        """Drop the connection and the data of an Organization."""
