"""The credentials of requests: read from files, or made by the command that the kubeconfig names."""

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

SECONDS = 120
"""How long a credential command may take: it may ask its user something."""


@dataclass(frozen=True)
class Credentials:
    """An Authorization header, a client certificate, or neither."""

    authorization: str | None = field(default=None, repr=False)
    certificate: str | None = field(default=None, repr=False)
    key: str | None = field(default=None, repr=False)


def current(config: Config) -> Credentials:
    """Return the credentials as they are now."""
    user = config.user
    if user.get("exec"):
        return _from_command(config, user["exec"])
    if user.get("auth-provider"):
        raise Failure("the kubeconfig uses an auth-provider, which kubectl no longer has either: use an exec plugin")
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
        raise Failure(f"the token can't be read: {error}") from None


def _from_command(config: Config, command: dict[str, Any]) -> Credentials:
    version = command.get("apiVersion", "client.authentication.k8s.io/v1")
    spec: dict[str, Any] = {"interactive": sys.stdin.isatty()}
    if command.get("provideClusterInfo"):
        known = {
            name: config.cluster[name] for name in ("server", "certificate-authority-data") if name in config.cluster
        }
        spec["cluster"] = known
    info = {"apiVersion": version, "kind": "ExecCredential", "spec": spec}
    variables = {entry["name"]: entry["value"] for entry in command.get("env") or []}
    environment = {**os.environ, **variables, "KUBERNETES_EXEC_INFO": json.dumps(info)}
    words = [command["command"], *(command.get("args") or [])]
    try:
        result = subprocess.run(  # noqa: S603 - the kubeconfig is the user's own
            words, env=environment, stdout=subprocess.PIPE, timeout=SECONDS, check=True, text=True
        )
        status = json.loads(result.stdout)["status"]
    except FileNotFoundError:
        hint = command.get("installHint", "")
        raise Failure(f"the credential command {words[0]} is not installed. {hint}".strip()) from None
    except (subprocess.SubprocessError, ValueError, KeyError, TypeError) as error:
        raise Failure(f"the credential command {words[0]} failed: {error}") from None
    token = status.get("token")
    return Credentials(
        f"Bearer {token}" if token else None, status.get("clientCertificateData"), status.get("clientKeyData")
    )
