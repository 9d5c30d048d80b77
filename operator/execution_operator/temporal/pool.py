"""For each Organization the Temporal namespace that it means, and what a look at it shows."""

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
from execution_operator.temporal.connections import Connections, namespace_id, obstacle
from execution_operator.temporal.credential import Credential, Secret, Target, target
from execution_operator.temporal.runs import TemporalRuns
from execution_operator.temporal.visibility import TemporalVisibility


@dataclass(frozen=True)
class _Seat:
    """The runs of one Organization, and for which one and which wording of it they are."""

    uid: str
    temporal: Temporal
    where: Target
    runs: TemporalRuns

    def serves(self, organization: Organization) -> bool:
        """Whether this is what the Organization means, and not a namesake or what it meant before."""
        return (self.uid, self.temporal) == (organization.metadata.uid, organization.spec.temporal)


class Pool:
    """Gives the runs of an Organization's Temporal namespace, once a probe has been there.

    Args:
        default: The operator's own profile.
        secret: Gives a Secret of the operator's own namespace, as it is now; raises SecretError if there is none.
    """

    def __init__(self, default: Target, secret: Callable[[str], Secret]) -> None:
        self._default = default
        self._secret = secret
        self._connections = Connections()
        self._sought: dict[str, Target] = {}
        self._seats: dict[str, _Seat] = {}

    def runs(self, grant: Grant) -> TemporalRuns:
        """Return the runs that a grant gives access to.

        Raises:
            TemporalError: The Organization's Temporal has not been reached since the Organization changed.
        """
        organization = grant.organization
        seat = self._seats.get(organization.metadata.name)
        if seat is None or not seat.serves(organization):
            raise TemporalError(f"the Temporal of organization {organization.metadata.name} is being looked for")
        return seat.runs

    def visibility(self, organization: Organization, turn: Callable[[], Awaitable[None]]) -> TemporalVisibility | None:
        """Return what has closed in the Organization's Temporal namespace; None where that was not reached yet."""
        seat = self._seats.get(organization.metadata.name)
        if seat is None or not seat.serves(organization):
            return None
        return TemporalVisibility(seat.runs.service, seat.where.namespace, turn, seat.runs.redact)

    def unasked(self, organization: Organization) -> Probe:
        """Return what is known of the Organization's Temporal namespace before it was asked."""
        temporal = organization.spec.temporal
        address = temporal.address or self._default.address
        return Probe(address, temporal.namespace or self._default.namespace, asked=False)

    async def probe(self, organization: Organization) -> Probe:
        """Ask Temporal for the Organization's namespace. Never raises: what went wrong is the finding."""
        probe = replace(self.unasked(organization), asked=True)
        name = organization.metadata.name
        try:
            where = self._sought[name] = target(organization.spec.temporal, self._default, self._secret)
        except SecretError as error:
            self.forget(name)
            return replace(probe, fault=Reason.SECRET_INVALID, message=str(error))
        try:
            service = await self._connections.service(where)
            identifier = await namespace_id(service, where.namespace)
        except (SecretError, TemporalError) as error:
            fault, message = await _finding(error, where)
            if fault in (Reason.SECRET_INVALID, Reason.TEMPORAL_REFUSED):
                self.forget(name)  # a credential that is not accepted any more is not used any more
            return replace(probe, fault=fault, message=message)
        self._serve(organization, where, service)
        return replace(probe, namespace_id=identifier)

    def forget(self, name: str) -> None:
        """Drop what was kept for an Organization, and connections that nobody uses any more."""
        self._sought.pop(name, None)
        self._seats.pop(name, None)
        self._retain()

    def _serve(self, organization: Organization, where: Target, service: WorkflowService) -> None:
        name = organization.metadata.name
        old = self._seats.get(name)
        if old is None or old.where != where or not old.serves(organization):
            runs = TemporalRuns(service, where.namespace, partial(_clean, credential=where.credential))
            self._seats[name] = _Seat(organization.metadata.uid, organization.spec.temporal, where, runs)
            self._retain()

    def _retain(self) -> None:
        """Keep the connections that are used, and those that are being tried."""
        self._connections.retain({*self._sought.values(), *(seat.where for seat in self._seats.values())})


async def _finding(error: SecretError | TemporalError, where: Target) -> tuple[Reason, str]:
    """Return what a failed look means; where TLS may be why there was no answer, what TLS says."""
    if where.credential.tls and isinstance(error, TemporalError) and not error.refused:
        error = await obstacle(where) or error
    message = _clean(str(error), where.credential)
    match error:
        case SecretError():
            return Reason.SECRET_INVALID, message
        case NamespaceNotFoundError():
            return Reason.TEMPORAL_NAMESPACE_NOT_FOUND, message
        case TemporalError(refused=True):
            return Reason.TEMPORAL_REFUSED, f"{where.address}: {message}{_key_used(where.credential, message)}"
        case TemporalError():
            return Reason.TEMPORAL_UNAVAILABLE, f"{where.address}: {message}"


def _clean(message: str, credential: Credential) -> str:
    """Return the server's words without the key, which some servers repeat."""
    return message.replace(credential.api_key, "…") if credential.api_key else message


def _key_used(credential: Credential, message: str) -> str:
    named = credential.api_key is None or credential.api_key_in in message
    return "" if named else f" (with the API key in {credential.api_key_in})"
