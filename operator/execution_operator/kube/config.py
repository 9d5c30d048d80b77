"""The address of the API server and the operator's credentials for it, found as kubectl finds them."""

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
"""The directory with a pod's ServiceAccount token and namespace."""

CREDENTIALS_MAX_AGE_SECONDS = 60.0
"""Age at which credentials are read again."""

REJECTED_CREDENTIALS_MAX_AGE_SECONDS = 1.0
"""Age at which credentials are read again after the API server has rejected them."""


@dataclass(frozen=True)
class Login:
    """The address and the credentials that another client needs to reach the same API server as the same user."""

    server: str
    ca_path: str | None
    certificate_path: str | None
    key_path: str | None
    token: str | None = field(repr=False)
    insecure: bool = False


class Credentials:
    """The operator's own credentials. They are read again regularly, because tokens are replaced while it runs.

    Args:
        load: Reads the credentials into a configuration.
    """

    def __init__(self, load: Callable[[Configuration], Awaitable[object]]) -> None:
        self._load = load
        self._read = -inf
        self._rejected = False

    async def __call__(self, configuration: Configuration) -> None:
        """Read the credentials again if they are due. The client calls this before each request.

        It replaces the hook that the kubernetes package's loader for pods installs, which does not read them again
        when the API server rejects them.

        Raises:
            ConfigException: The credentials can't be read.
        """
        age = time.monotonic() - self._read
        if age > (REJECTED_CREDENTIALS_MAX_AGE_SECONDS if self._rejected else CREDENTIALS_MAX_AGE_SECONDS):
            self._read, self._rejected = time.monotonic(), True  # retry soon if reading fails
            try:
                await self._load(configuration)
            except ConfigException:
                raise
            except Exception as error:  # a half-written file; the error's own text may quote the credentials
                raise ConfigException(f"the credentials can't be read: {type(error).__name__}") from error
            self._rejected = False
            configuration.refresh_api_key_hook = self  # type: ignore[assignment] # the package types it as None

    def mark_rejected(self) -> None:
        """Record that the API server has rejected the credentials, so that they are read again soon."""
        self._rejected = True


async def load_configuration(kubeconfig: Path | None = None) -> Configuration:
    """Return the first configuration that exists: the given file, $KUBECONFIG, the pod's own, ~/.kube/config."""
    configuration = Configuration()
    configuration.client_session_kwargs = {"trust_env": bool(getproxies())}  # if set, each request reads .netrc
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
    """Return a configuration for the same API server without credentials: no token and no client certificate."""
    bare = Configuration(host=configuration.host)
    for name in ("ssl_ca_cert", "verify_ssl", "tls_server_name", "proxy", "client_session_kwargs"):
        setattr(bare, name, getattr(configuration, name))
    return bare


def own_namespace() -> str:
    """Return the operator's own namespace: $OPERATOR_NAMESPACE, else the pod's, else `execution-operator`."""
    file = SERVICE_ACCOUNT / "namespace"
    in_pod = file.read_text().strip() if file.exists() else ""
    return os.environ.get("OPERATOR_NAMESPACE") or in_pod or "execution-operator"
