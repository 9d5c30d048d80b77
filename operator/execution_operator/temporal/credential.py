"""The target of an Organization: the address, the Temporal namespace and the credential of its connection."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Self

from temporalio.envconfig import ClientConfigProfile
from temporalio.service import TLSConfig

from execution_operator.api import Temporal
from execution_operator.core.errors import SecretError

DEFAULT_ADDRESS = "localhost:7233"
"""The address if the operator's own Temporal profile names none."""

DEFAULT_NAMESPACE = "default"
"""The Temporal namespace if the operator's own Temporal profile names none."""

OWN_PROFILE = "the operator's own Temporal profile"
"""The source of a credential that comes from no Secret, for messages."""

Secret = Mapping[str, bytes]
"""The data of a Secret, by key."""


@dataclass(frozen=True)
class Credential:
    """The credential of a connection. Its secret parts are not in its repr.

    Attributes:
        tls: Whether the connection uses TLS.
        server_name: The name to expect in the server's certificate. None means the host of the address.
        ca: Certificates of the authorities that can sign the server's certificate. None means those of the system.
        certificate: The client certificate.
        key: The private key of the client certificate.
        api_key: The API key.
        metadata: Further gRPC headers.
        certificate_source: Where the certificates come from, for messages. Does not count in comparisons.
        api_key_source: Where the API key comes from, for messages. Does not count in comparisons.
    """

    tls: bool = False
    server_name: str | None = None
    ca: bytes | None = field(default=None, repr=False)
    certificate: bytes | None = field(default=None, repr=False)
    key: bytes | None = field(default=None, repr=False)
    api_key: str | None = field(default=None, repr=False)
    metadata: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    certificate_source: str = field(default=OWN_PROFILE, compare=False)
    api_key_source: str = field(default=OWN_PROFILE, compare=False)


@dataclass(frozen=True)
class Target:
    """A Temporal namespace, with the address and the credential to reach it."""

    address: str
    namespace: str
    credential: Credential = Credential()

    @classmethod
    def from_environment(cls) -> Self:
        """Return the operator's own target.

        It comes from the Temporal profile that every Temporal tool reads: the TEMPORAL_* variables and the TOML file.
        """
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


def resolve_target(spec: Temporal, default: Target, secret: Callable[[str], Secret]) -> Target:
    """Return the target of an Organization.

    The operator's own credential is sent to the operator's own address only. A certificate or API key of the
    Organization replaces the operator's. An Organization with either never uses the operator's API key.

    Args:
        spec: The `spec.temporal` of the Organization.
        default: The operator's own target.
        secret: Returns a Secret of the operator's own namespace by name.

    Raises:
        SecretError: A Secret that the spec names can't be read, or lacks a key.
    """
    own_address = spec.address is None or spec.address == default.address
    credential = default.credential if own_address else Credential()
    if spec.tls is not None:
        credential = replace(credential, tls=True, server_name=spec.tls.server_name or credential.server_name)
        if spec.tls.secret_name:
            credential = _with_certificate(credential, spec.tls.secret_name, secret(spec.tls.secret_name))
    if spec.api_key_secret_name:
        credential = _with_api_key(credential, spec.api_key_secret_name, secret(spec.api_key_secret_name))
    return Target(spec.address or default.address, spec.namespace or default.namespace, credential)


def _with_certificate(credential: Credential, name: str, secret: Secret) -> Credential:
    """Add the certificates of a Secret. A Secret that holds only ca.crt changes only the authorities."""
    if "ca.crt" in secret and secret.keys().isdisjoint({"tls.crt", "tls.key"}):
        return replace(credential, ca=secret["ca.crt"], certificate_source=f"Secret {name}")
    return replace(
        _without_own_api_key(credential),
        certificate=_entry(name, "tls.crt", secret),
        key=_entry(name, "tls.key", secret),
        ca=secret.get("ca.crt") or credential.ca,
        certificate_source=f"Secret {name}",
    )


def _with_api_key(credential: Credential, name: str, secret: Secret) -> Credential:
    key = _header_value(_entry(name, "apiKey", secret), name)
    return replace(_without_own_api_key(credential), tls=True, api_key=key, api_key_source=f"Secret {name}")


def _without_own_api_key(credential: Credential) -> Credential:
    """Remove the operator's own API key, and the `authorization` header, which would replace any other API key."""
    metadata = tuple((name, value) for name, value in credential.metadata if name.lower() != "authorization")
    return replace(credential, api_key=None, metadata=metadata)


def _entry(name: str, key: str, secret: Secret) -> bytes:
    """Return a non-empty value of a Secret, or raise SecretError."""
    if not (value := secret.get(key)):
        raise SecretError(f"Secret {name} has no key {key}")
    return value


def _header_value(value: bytes, name: str) -> str:
    """Return an API key as a header value: stripped, printable ASCII. Else raise SecretError."""
    text = value.decode("latin-1").strip()
    if not text:
        raise SecretError(f"Secret {name}: apiKey is blank")
    if not (text.isascii() and text.isprintable()):
        raise SecretError(f"Secret {name}: apiKey is not one line of printable ASCII")
    return text
