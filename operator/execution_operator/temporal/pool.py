"""The Temporal namespace of each Organization: its probe, its runs and its visibility."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from functools import partial

from temporalio.service import WorkflowService

from execution_operator.api import Organization, Temporal
from execution_operator.core.authorization.authorize import Grant
from execution_operator.core.authorization.mapping import Probe
from execution_operator.core.errors import SecretError, TemporalError
from execution_operator.core.reasons import Reason
from execution_operator.temporal.calls import NamespaceNotFoundError
from execution_operator.temporal.connections import Connections, temporal_namespace_id, try_connect
from execution_operator.temporal.credential import Credential, Secret, Target, resolve_target
from execution_operator.temporal.runs import TemporalRuns
from execution_operator.temporal.visibility import TemporalVisibility


@dataclass(frozen=True)
class _ReachedNamespace:
    """The Temporal namespace of one Organization, after a probe has reached it.

    Attributes:
        uid: The UID of the Organization.
        temporal: The Organization's `spec.temporal` at the time of the probe.
        target: The target that the probe reached.
        runs: The runs of the Temporal namespace.
    """

    uid: str
    temporal: Temporal
    target: Target
    runs: TemporalRuns

    def belongs_to(self, organization: Organization) -> bool:
        """Whether this is still the Organization's. It is not after a change of `spec.temporal` or a recreation."""
        return (self.uid, self.temporal) == (organization.metadata.uid, organization.spec.temporal)


class Pool:
    """Gives access to the Temporal namespace of each Organization that a probe has reached.

    Args:
        default: The operator's own target.
        secret: Returns a Secret of the operator's own namespace by name, or raises SecretError if there is none.
    """

    def __init__(self, default: Target, secret: Callable[[str], Secret]) -> None:
        self._default = default
        self._secret = secret
        self._connections = Connections()
        self._probed: dict[str, Target] = {}
        self._reached: dict[str, _ReachedNamespace] = {}

    def runs(self, grant: Grant) -> TemporalRuns:
        """Return the runs that a grant gives access to.

        Raises:
            TemporalError: The Temporal namespace has not been reached since the Organization changed.
        """
        if reached := self._reached_by(grant.organization):
            return reached.runs
        name = grant.organization.metadata.name
        raise TemporalError(f"the Temporal namespace of organization {name} has not been reached yet")

    def visibility(
        self, organization: Organization, acquire: Callable[[], Awaitable[None]]
    ) -> TemporalVisibility | None:
        """Return the visibility of the Organization's Temporal namespace, or None if it has not been reached yet.

        Args:
            organization: The Organization.
            acquire: Awaited before each request, to limit the rate.
        """
        if reached := self._reached_by(organization):
            runs = reached.runs
            return TemporalVisibility(runs.service, runs.namespace, acquire, runs.redact)
        return None

    def initial_probe(self, organization: Organization) -> Probe:
        """Return the Probe of an Organization whose Temporal has not been asked yet."""
        temporal = organization.spec.temporal
        address = temporal.address or self._default.address
        return Probe(address, temporal.namespace or self._default.namespace, asked=False)

    async def probe(self, organization: Organization) -> Probe:
        """Describe the Organization's namespace in Temporal. An error is part of the Probe, and never raised."""
        probe = replace(self.initial_probe(organization), asked=True)
        name = organization.metadata.name
        try:
            target = self._probed[name] = resolve_target(organization.spec.temporal, self._default, self._secret)
        except SecretError as error:
            self.forget(name)
            return replace(probe, fault=Reason.SECRET_INVALID, message=str(error))
        try:
            service = await self._connections.service(target)
            namespace_id = await temporal_namespace_id(service, target.namespace)
        except (SecretError, TemporalError) as error:
            fault, message = await _fault(error, target)
            if fault in (Reason.SECRET_INVALID, Reason.TEMPORAL_REFUSED):
                self.forget(name)  # a credential that the server no longer accepts must not be used again
            return replace(probe, fault=fault, message=message)
        self._keep(organization, target, service)
        return replace(probe, namespace_id=namespace_id)

    def forget(self, name: str) -> None:
        """Drop an Organization's Temporal namespace, and the connections that nobody uses any more."""
        self._probed.pop(name, None)
        self._reached.pop(name, None)
        self._retain_connections()

    def _reached_by(self, organization: Organization) -> _ReachedNamespace | None:
        """Return the Organization's Temporal namespace, or None if it has not been reached since it changed."""
        reached = self._reached.get(organization.metadata.name)
        return reached if reached is not None and reached.belongs_to(organization) else None

    def _keep(self, organization: Organization, target: Target, service: WorkflowService) -> None:
        """Keep the reached Temporal namespace. If nothing has changed, its runs and what they remember are kept."""
        old = self._reached_by(organization)
        if old is None or old.target != target:
            runs = TemporalRuns(service, target.namespace, partial(_redact, credential=target.credential))
            self._reached[organization.metadata.name] = _ReachedNamespace(
                organization.metadata.uid, organization.spec.temporal, target, runs
            )
            self._retain_connections()

    def _retain_connections(self) -> None:
        """Keep the connections that are in use or being tried, and drop all others."""
        self._connections.retain({*self._probed.values(), *(reached.target for reached in self._reached.values())})


async def _fault(error: SecretError | TemporalError, target: Target) -> tuple[Reason, str]:
    """Return the reason and the message for a failed probe.

    If there was no answer over TLS, a new connection is tried: only its error shows whether TLS is the cause.
    """
    if target.credential.tls and isinstance(error, TemporalError) and not error.refused:
        error = await try_connect(target) or error
    message = _redact(str(error), target.credential)
    match error:
        case SecretError():
            return Reason.SECRET_INVALID, message
        case NamespaceNotFoundError():
            return Reason.TEMPORAL_NAMESPACE_NOT_FOUND, message
        case TemporalError(refused=True):
            return Reason.TEMPORAL_REFUSED, f"{target.address}: {message}{_api_key_note(target.credential, message)}"
        case TemporalError():
            return Reason.TEMPORAL_UNAVAILABLE, f"{target.address}: {message}"


def _redact(message: str, credential: Credential) -> str:
    """Return a server's message without the API key, which some servers repeat."""
    return message.replace(credential.api_key, "…") if credential.api_key else message


def _api_key_note(credential: Credential, message: str) -> str:
    """Return a note that names the source of the API key, if there is one and the message does not name it."""
    named = credential.api_key is None or credential.api_key_source in message
    return "" if named else f" (with the API key in {credential.api_key_source})"
