"""What a connection to Temporal authenticates itself with, and for which Temporal namespace."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Self

from temporalio.envconfig import ClientConfigProfile
from temporalio.service import TLSConfig

from execution_operator.api import Temporal
from execution_operator.core.errors import SecretError

DEFAULT_ADDRESS = "localhost:7233"
DEFAULT_NAMESPACE = "default"
OWN_PROFILE = "the operator's own Temporal profile"

Secret = Mapping[str, bytes]


@dataclass(frozen=True)
class Credential:
    """What a connection authenticates itself with. Never printed; where it came from does not tell two apart."""

    tls: bool = False
    server_name: str | None = None
    ca: bytes | None = field(default=None, repr=False)
    certificate: bytes | None = field(default=None, repr=False)
    key: bytes | None = field(default=None, repr=False)
    api_key: str | None = field(default=None, repr=False)
    metadata: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    certificate_in: str = field(default=OWN_PROFILE, compare=False)
    api_key_in: str = field(default=OWN_PROFILE, compare=False)


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


def target(spec: Temporal, default: Target, secret: Callable[[str], Secret]) -> Target:
    """Return where an Organization's workflows run.

    The operator's own credentials go to the operator's own address only, and there only where the Organization names
    none of the kind: who brings a certificate or a key is not spoken for by the operator's key.

    Raises:
        SecretError: A Secret that the spec names can't be had, or lacks a key.
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
    """Take the client's certificate, or from a Secret that holds ca.crt alone just that."""
    if "ca.crt" in secret and secret.keys().isdisjoint({"tls.crt", "tls.key"}):
        return replace(credential, ca=secret["ca.crt"], certificate_in=f"Secret {name}")
    return replace(
        _unspoken(credential),
        certificate=_entry(name, "tls.crt", secret),
        key=_entry(name, "tls.key", secret),
        ca=secret.get("ca.crt") or credential.ca,
        certificate_in=f"Secret {name}",
    )


def _with_api_key(credential: Credential, name: str, secret: Secret) -> Credential:
    key = _text(_entry(name, "apiKey", secret), name)
    return replace(_unspoken(credential), tls=True, api_key=key, api_key_in=f"Secret {name}")


def _unspoken(credential: Credential) -> Credential:
    """Take away the operator's own word: its API key, and the header that would come before any other key."""
    metadata = tuple((name, value) for name, value in credential.metadata if name.lower() != "authorization")
    return replace(credential, api_key=None, metadata=metadata)


def _entry(name: str, key: str, secret: Secret) -> bytes:
    if not (value := secret.get(key)):
        raise SecretError(f"Secret {name} has no key {key}")
    return value


def _text(value: bytes, name: str) -> str:
    """Return an API key as the header can carry it."""
    text = value.decode("latin-1").strip()
    if not text:
        raise SecretError(f"Secret {name}: apiKey is blank")
    if not (text.isascii() and text.isprintable()):
        raise SecretError(f"Secret {name}: apiKey is not one line of printable ASCII")
    return text
