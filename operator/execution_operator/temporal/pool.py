"""For each Organization the Temporal namespace that it means, and what a look at it shows."""

from collections.abc import Callable, Mapping
from dataclasses import replace

from temporalio.service import WorkflowService

from execution_operator.api import Organization
from execution_operator.core.authorize import Grant
from execution_operator.core.errors import SecretError, TemporalError
from execution_operator.core.mapping import Probe
from execution_operator.core.reasons import Reason
from execution_operator.temporal.calls import NamespaceNotFoundError
from execution_operator.temporal.connections import Connections, Secret, Target, namespace_id, target
from execution_operator.temporal.runs import TemporalRuns


class Pool:
    """Gives the runs of an Organization's Temporal namespace, once a probe has been there.

    Args:
        default: The operator's own profile.
        secrets: The Secrets of the operator's own namespace, as they are now.
    """

    def __init__(self, default: Target, secrets: Callable[[], Mapping[str, Secret]]) -> None:
        self._default = default
        self._secrets = secrets
        self._connections = Connections()
        self._targets: dict[str, Target] = {}
        self._runs: dict[str, TemporalRuns] = {}

    def runs(self, grant: Grant) -> TemporalRuns:
        """Return the runs that a grant gives access to."""
        return self._runs[grant.organization.metadata.name]

    def unasked(self, organization: Organization) -> Probe:
        """Return what is known of the Organization's Temporal namespace before it was asked."""
        temporal = organization.spec.temporal
        address = temporal.address or self._default.address
        return Probe(address, temporal.namespace or self._default.namespace, asked=False)

    async def probe(self, organization: Organization) -> Probe:
        """Ask Temporal for the Organization's namespace. Never raises: what went wrong is the finding."""
        probe = replace(self.unasked(organization), asked=True)
        try:
            where = target(organization.spec.temporal, self._default, self._secrets())
            service = await self._connections.service(where)
            identifier = await namespace_id(service, where.namespace)
        except SecretError as error:
            return replace(probe, fault=Reason.SECRET_INVALID, message=str(error))
        except NamespaceNotFoundError as error:
            return replace(probe, fault=Reason.TEMPORAL_NAMESPACE_NOT_FOUND, message=error.message)
        except TemporalError as error:
            fault = Reason.TEMPORAL_REFUSED if error.refused else Reason.TEMPORAL_UNAVAILABLE
            return replace(probe, fault=fault, message=f"{probe.address}: {error.message}")
        self._serve(organization.metadata.name, where, service)
        return replace(probe, namespace_id=identifier)

    def forget(self, name: str) -> None:
        """Drop what was kept for an Organization, and connections that nobody uses any more."""
        self._targets.pop(name, None)
        self._runs.pop(name, None)
        self._connections.retain(set(self._targets.values()))

    def _serve(self, name: str, where: Target, service: WorkflowService) -> None:
        if self._targets.get(name) == where:
            return
        self._targets[name] = where
        self._runs[name] = TemporalRuns(service, where.namespace)
        self._connections.retain(set(self._targets.values()))
