"""The user's credentials: from the kubeconfig, from the files that it names, or from its credential command."""

import base64
import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from execution_operator.plugin.exit_codes import Failure
from execution_operator.plugin.kubeconfig import Config

COMMAND_TIMEOUT_SECONDS = 120
"""The time limit of a credential command. The command may ask the user for input."""


@dataclass(frozen=True)
class Credentials:
    """An Authorization header, a client certificate, or neither."""

    authorization: str | None = field(default=None, repr=False)
    certificate: str | None = field(default=None, repr=False)
    key: str | None = field(default=None, repr=False)


def read_credentials(config: Config) -> Credentials:
    """Return the present credentials. Files are read and the credential command is run at each call.

    Raises:
        Failure: The credentials can't be read, the credential command failed, or the kubeconfig uses an auth-provider.
    """
    user = config.user
    if user.get("exec"):
        return _from_command(config, user["exec"])
    if user.get("auth-provider"):
        raise Failure("the kubeconfig uses an auth-provider, which kubectl no longer supports: use an exec plugin")
    if user.get("tokenFile"):
        return Credentials(f"Bearer {_token_file(user['tokenFile'])}")
    if user.get("token"):
        return Credentials(f"Bearer {user['token']}")
    if user.get("username"):
        pair = f"{user['username']}:{user.get('password', '')}".encode()
        return Credentials(f"Basic {base64.b64encode(pair).decode()}")
    return Credentials()


def _token_file(path: str) -> str:
    try:
        return Path(path).read_text().strip()
    except OSError as error:
        raise Failure(f"the token file can't be read: {error}") from None


def _from_command(config: Config, command: dict[str, Any]) -> Credentials:
    """Run the credential command of a kubeconfig user, and return the credentials that it prints."""
    version = command.get("apiVersion", "client.authentication.k8s.io/v1")
    spec: dict[str, Any] = {"interactive": sys.stdin.isatty()}
    if command.get("provideClusterInfo"):
        cluster = {
            name: config.cluster[name] for name in ("server", "certificate-authority-data") if name in config.cluster
        }
        spec["cluster"] = cluster
    info = {"apiVersion": version, "kind": "ExecCredential", "spec": spec}
    variables = {entry["name"]: entry["value"] for entry in command.get("env") or []}
    environment = {**os.environ, **variables, "KUBERNETES_EXEC_INFO": json.dumps(info)}
    words = [command["command"], *(command.get("args") or [])]
    try:
        result = subprocess.run(  # noqa: S603 - the kubeconfig is the user's own
            words, env=environment, stdout=subprocess.PIPE, timeout=COMMAND_TIMEOUT_SECONDS, check=True, text=True
        )
        status = json.loads(result.stdout)["status"]
    except FileNotFoundError:
        install_hint = command.get("installHint", "")
        raise Failure(f"the credential command {words[0]} is not installed. {install_hint}".strip()) from None
    except (subprocess.SubprocessError, ValueError, KeyError, TypeError) as error:
        raise Failure(f"the credential command {words[0]} failed: {error}") from None
    token = status.get("token")
    return Credentials(
        f"Bearer {token}" if token else None, status.get("clientCertificateData"), status.get("clientKeyData")
    )
