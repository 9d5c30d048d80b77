"""Connections to Temporal: one for each distinct address and credential, shared by Temporal namespaces.

The key is the whole of what authenticates a connection, so no tenant can ever reach another's.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Self

from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.envconfig import ClientConfigProfile
from temporalio.service import ConnectConfig, ServiceClient, TLSConfig, WorkflowService

from execution_operator.api import Temporal
from execution_operator.core.errors import SecretError
from execution_operator.temporal.calls import call

DEFAULT_ADDRESS = "localhost:7233"
DEFAULT_NAMESPACE = "default"


@dataclass(frozen=True)
class Credential:
    """What a connection authenticates itself with. Never printed."""

    tls: bool = False
    server_name: str | None = None
    ca: bytes | None = field(default=None, repr=False)
    certificate: bytes | None = field(default=None, repr=False)
    key: bytes | None = field(default=None, repr=False)
    api_key: str | None = field(default=None, repr=False)
    metadata: tuple[tuple[str, str], ...] = field(default=(), repr=False)


@dataclass(frozen=True)
class Target:
    """A Temporal namespace, and how to reach it."""

    address: str
    namespace: str
    credential: Credential = Credential()

    @classmethod
    def from_environment(cls) -> Self:
        """Return the operator's own profile: TEMPORAL_* and the TOML file, as every Temporal tool reads them."""
        profile = ClientConfigProfile.load()
        config = profile.to_client_connect_config()
        tls = config.get("tls")
        material = tls if isinstance(tls, TLSConfig) else TLSConfig()
        api_key = config.get("api_key")
        credential = Credential(
            tls=bool(tls) or (api_key is not None and tls is None),
            server_name=material.domain,
            ca=material.server_root_ca_cert,
            certificate=material.client_cert,
            key=material.client_private_key,
            api_key=api_key,
            metadata=tuple(sorted((config.get("rpc_metadata") or {}).items())),
        )
        return cls(profile.address or DEFAULT_ADDRESS, profile.namespace or DEFAULT_NAMESPACE, credential)


Secret = Mapping[str, bytes]


def target(spec: Temporal, default: Target, secrets: Mapping[str, Secret]) -> Target:
    """Return where an Organization's workflows run; the operator's credentials go to the operator's address only.

    Raises:
        SecretError: A Secret that the spec names is not among `secrets`, or lacks a key.
    """
    own_address = spec.address is None or spec.address == default.address
    credential = default.credential if own_address else Credential()
    if spec.tls is not None:
        credential = replace(credential, tls=True, server_name=spec.tls.server_name)
        if spec.tls.secret_name:
            credential = _with_certificate(credential, spec.tls.secret_name, secrets)
    if spec.api_key_secret_name:
        key = _entry(spec.api_key_secret_name, "apiKey", secrets)
        credential = replace(
            credential, tls=credential.tls or spec.tls is None, api_key=_text(key, spec.api_key_secret_name)
        )
    return Target(spec.address or default.address, spec.namespace or default.namespace, credential)


def _with_certificate(credential: Credential, name: str, secrets: Mapping[str, Secret]) -> Credential:
    return replace(
        credential,
        certificate=_entry(name, "tls.crt", secrets),
        key=_entry(name, "tls.key", secrets),
        ca=secrets[name].get("ca.crt"),
    )


def _entry(name: str, key: str, secrets: Mapping[str, Secret]) -> bytes:
    if name not in secrets:
        raise SecretError(f"Secret {name} does not exist in the operator's namespace")
    if not (value := secrets[name].get(key)):
        raise SecretError(f"Secret {name} has no key {key}")
    return value


def _text(value: bytes, name: str) -> str:
    """Return an API key as the header can carry it."""
    try:
        text = value.decode("ascii").strip()
    except UnicodeDecodeError:
        text = ""
    if not text.isprintable() or not text:
        raise SecretError(f"Secret {name}: apiKey is not one line of printable ASCII")
    return text


class Connections:
    """Clients by address and credential; they connect when first used, and reconnect by themselves."""

    def __init__(self) -> None:
        self._services: dict[tuple[str, Credential], WorkflowService] = {}

    async def service(self, target: Target) -> WorkflowService:
        """Return the client for a target.

        Raises:
            SecretError: The credential can't be used, for instance a malformed certificate.
        """
        key = (target.address, target.credential)
        if key not in self._services:
            try:
                client = await ServiceClient.connect(_config(target))
            except (RuntimeError, ValueError) as error:
                raise SecretError(f"the credentials for {target.address} can't be used") from error
            self._services[key] = client.workflow_service
        return self._services[key]

    def retain(self, targets: set[Target]) -> None:
        """Forget clients that no Organization uses any more. Calls in flight on them go on."""
        used = {(target.address, target.credential) for target in targets}
        self._services = {key: service for key, service in self._services.items() if key in used}


async def namespace_id(service: WorkflowService, namespace: str) -> str:
    """Return Temporal's own id of the namespace.

    Raises:
        TemporalError: There was no answer, or a refusal; NamespaceNotFoundError where there is no such namespace.
    """
    response = await call(service.describe_namespace, DescribeNamespaceRequest(namespace=namespace))
    return response.namespace_info.id if response else ""


def _config(target: Target) -> ConnectConfig:
    credential = target.credential
    tls = TLSConfig(
        server_root_ca_cert=credential.ca,
        domain=credential.server_name,
        client_cert=credential.certificate,
        client_private_key=credential.key,
    )
    return ConnectConfig(
        target_host=target.address,
        tls=tls if credential.tls else False,
        api_key=credential.api_key,
        rpc_metadata=dict(credential.metadata),
        identity="execution-operator",
        lazy=True,
    )
