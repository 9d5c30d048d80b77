"""How the API server is reached and as whom: configuration as kubectl has it, credentials that are replaced."""

import os
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from math import inf
from pathlib import Path
from urllib.request import getproxies

from kubernetes.aio.client import Configuration
from kubernetes.aio.config import ConfigException, load_incluster_config, load_kube_config

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
"""Where a pod finds its ServiceAccount's token and namespace."""

CREDENTIALS_MAX_AGE_SECONDS, REJECTED_CREDENTIALS_MAX_AGE_SECONDS = 60.0, 1.0
"""Seconds after which credentials are read again: while they are good, and when the API server has refused them."""


@dataclass(frozen=True)
class Login:
    """What another client needs to reach the same API server as the same user."""

    server: str
    ca_path: str | None
    certificate_path: str | None
    key_path: str | None
    token: str | None = field(repr=False)
    insecure: bool = False


class Credentials:
    """The operator's own, read again at times, and at once when the API server refuses them: tokens are replaced.

    Args:
        load: Reads them into the configuration.
    """

    def __init__(self, load: Callable[[Configuration], Awaitable[object]]) -> None:
        self._load = load
        self._read = -inf
        self._refused = False

    async def __call__(self, configuration: Configuration) -> None:
        """Bring the configuration up to date. The client calls this before each request.

        It takes the place of the hook that the loader for pods sets, which is deaf to refusals.
        """
        age = time.monotonic() - self._read
        if age > (REJECTED_CREDENTIALS_MAX_AGE_SECONDS if self._refused else CREDENTIALS_MAX_AGE_SECONDS):
            self._read, self._refused = time.monotonic(), True  # until they have been read
            try:
                await self._load(configuration)
            except ConfigException:
                raise
            except Exception as error:  # a file that is half written; its own words may show what is in it
                raise ConfigException(f"they can't be read: {type(error).__name__}") from error
            self._refused = False
            configuration.refresh_api_key_hook = self  # type: ignore[assignment] # the package types it as None

    def mark_rejected(self) -> None:
        """Take note that the API server refuses them."""
        self._refused = True


async def load_configuration(kubeconfig: Path | None = None) -> Configuration:
    """Return the configuration of the file, KUBECONFIG, the pod, or ~/.kube/config: the first that there is."""
    configuration = Configuration()
    configuration.client_session_kwargs = {"trust_env": bool(getproxies())}  # with it, each request reads .netrc
    file = str(kubeconfig) if kubeconfig else os.environ.get("KUBECONFIG")
    in_pod = file is None and (SERVICE_ACCOUNT / "token").exists()

    async def load(target: Configuration) -> None:
        if in_pod:
            load_incluster_config(client_configuration=target)
        else:
            await load_kube_config(file, client_configuration=target)

    await Credentials(load)(configuration)
    return configuration


def anonymous(configuration: Configuration) -> Configuration:
    """Return the way to the same API server without any credentials: neither token nor client certificate."""
    bare = Configuration(host=configuration.host)
    for name in ("ssl_ca_cert", "verify_ssl", "tls_server_name", "proxy", "client_session_kwargs"):
        setattr(bare, name, getattr(configuration, name))
    return bare


def own_namespace() -> str:
    """Return the operator's own namespace: OPERATOR_NAMESPACE, the pod's, or execution-operator."""
    file = SERVICE_ACCOUNT / "namespace"
    in_pod = file.read_text().strip() if file.exists() else ""
    return os.environ.get("OPERATOR_NAMESPACE") or in_pod or "execution-operator"
