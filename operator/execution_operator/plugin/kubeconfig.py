"""Reads the address of the API server and the user from kubeconfig files, or from the pod's service account."""

import base64
import os
import re
import ssl
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from execution_operator.plugin.exit_codes import Exit, Failure

SERVICE_ACCOUNT_FOLDER = Path("/var/run/secrets/kubernetes.io/serviceaccount")
"""The folder of the service account's files in a pod."""

PATH_FIELDS = ("certificate-authority", "client-certificate", "client-key", "tokenFile")
"""The fields of a kubeconfig that contain paths."""

NAMESPACE = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
"""A valid name of a namespace."""

ENTRY_FIELDS = {"clusters": "cluster", "users": "user", "contexts": "context"}
"""The lists of a kubeconfig, and the field of the value in each entry."""

Json = dict[str, Any]


@dataclass(frozen=True)
class Config:
    """A context of the kubeconfig: its cluster, user and namespace."""

    server: str
    namespace: str
    cluster: Json = field(default_factory=dict, repr=False)
    user: Json = field(default_factory=dict, repr=False)
    context: str = ""

    def tls(self, certificate: str | None = None, key: str | None = None) -> ssl.SSLContext:
        """Return the TLS settings.

        Args:
            certificate: The client certificate. None means the certificate of the kubeconfig user, if it has one.
            key: The key of the client certificate.

        Raises:
            Failure: A certificate or key in the kubeconfig is not base64.
            OSError: A certificate file can't be read or used.
        """
        context = ssl.create_default_context(
            cafile=self.cluster.get("certificate-authority"), cadata=_text(self.cluster, "certificate-authority-data")
        )
        if self.cluster.get("insecure-skip-tls-verify"):
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        certificate = certificate or _text(self.user, "client-certificate-data")
        key = key or _text(self.user, "client-key-data")
        with (
            _as_file(certificate, self.user.get("client-certificate")) as chain,
            _as_file(key, self.user.get("client-key")) as private,
        ):
            if chain:
                context.load_cert_chain(chain, private)
        return context


def load(kubeconfig: str | None, context: str | None, namespace: str | None) -> Config:
    """Return the context that the options and the environment select.

    In a pod without a kubeconfig, it is the pod's service account.

    Raises:
        Failure: An option is wrong, or the kubeconfig is missing, not readable or incomplete.
    """
    if namespace and not NAMESPACE.fullmatch(namespace):
        raise Failure(f"{namespace!r} is not a valid name of a namespace", Exit.USAGE)
    listed = kubeconfig or os.environ.get("KUBECONFIG") or str(Path.home() / ".kube" / "config")
    files = [Path(name) for name in listed.split(os.pathsep) if name]
    if kubeconfig and not Path(kubeconfig).exists():
        raise Failure(f"kubeconfig {kubeconfig} does not exist")
    present = [file for file in files if file.exists()]
    if not present and (SERVICE_ACCOUNT_FOLDER / "token").exists():
        return _in_pod(namespace)
    if not present:
        raise Failure(f"no kubeconfig: {listed} does not exist (set KUBECONFIG, or use --kubeconfig)")
    merged = _merged(present)
    name = context or merged["current-context"]
    if name not in merged["contexts"]:
        raise Failure(f"the kubeconfig has no context {name!r}" if name else "the kubeconfig has no current context")
    chosen = merged["contexts"][name]
    cluster = merged["clusters"].get(chosen.get("cluster"))
    if not cluster or not cluster.get("server"):
        raise Failure(f"context {name!r} names cluster {chosen.get('cluster')!r}, which the kubeconfig does not have")
    server = str(cluster["server"]).rstrip("/")
    if not server.startswith(("https://", "http://")):
        raise Failure(f"the server of cluster {chosen['cluster']!r} is not a URL: {server}")
    user = merged["users"].get(chosen.get("user")) or {}
    return Config(server, namespace or chosen.get("namespace") or "default", cluster, user, name)


def _in_pod(namespace: str | None) -> Config:
    """Return the configuration of the pod's service account."""
    host, port = os.environ.get("KUBERNETES_SERVICE_HOST", ""), os.environ.get("KUBERNETES_SERVICE_PORT", "443")
    return Config(
        f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}",
        namespace or (SERVICE_ACCOUNT_FOLDER / "namespace").read_text().strip(),
        {"certificate-authority": str(SERVICE_ACCOUNT_FOLDER / "ca.crt")},
        {"tokenFile": str(SERVICE_ACCOUNT_FOLDER / "token")},
    )


def _merged(files: list[Path]) -> Json:
    """Merge kubeconfig files as kubectl does: the first file that has an entry wins."""
    merged: Json = {"current-context": "", **{kind: {} for kind in ENTRY_FIELDS}}
    for file in files:
        try:
            content = yaml.safe_load(file.read_text()) or {}
        except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
            raise Failure(f"kubeconfig {file} can't be read: {' '.join(str(error).split())}") from None
        try:
            _merge(merged, content, file.parent)
        except (AttributeError, KeyError, TypeError):
            raise Failure(f"{file} is not a kubeconfig") from None
    return merged


def _merge(merged: Json, content: Json, folder: Path) -> None:
    """Add the entries of a kubeconfig file that earlier files do not have."""
    merged["current-context"] = merged["current-context"] or content.get("current-context") or ""
    for kind, key in ENTRY_FIELDS.items():
        for entry in content.get(kind) or []:
            merged[kind].setdefault(entry["name"], _absolute(entry.get(key) or {}, folder))


def _absolute(entry: Json, folder: Path) -> Json:
    """Return an entry whose relative paths are resolved against the folder of its file."""
    return {**entry, **{name: str(folder / entry[name]) for name in PATH_FIELDS if entry.get(name)}}


def _text(entry: Json, name: str) -> str | None:
    """Return the decoded text of a base64 field; None where the entry does not have it."""
    try:
        return base64.b64decode("".join(entry[name].split()), validate=True).decode() if entry.get(name) else None
    except (AttributeError, ValueError):
        raise Failure(f"{name} of the kubeconfig is not base64") from None


@contextmanager
def _as_file(content: str | None, path: str | None) -> Iterator[str | None]:
    """Yield the path of a file with the content, or the given path where there is no content.

    Python's ssl module loads client certificates from files only.
    """
    if content is None:
        yield path
        return
    with tempfile.NamedTemporaryFile("w", suffix=".pem") as file:  # only this user may read it
        file.write(content)
        file.flush()
        yield file.name
