"""The address of the API server and the user: from kubeconfig files, as kubectl reads them, or the pod's account."""

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

ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
PATHS = ("certificate-authority", "client-certificate", "client-key", "tokenFile")
NAMESPACE = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
KINDS = {"clusters": "cluster", "users": "user", "contexts": "context"}
Json = dict[str, Any]


@dataclass(frozen=True)
class Config:
    """One context: cluster, user and namespace."""

    server: str
    namespace: str
    cluster: Json = field(default_factory=dict, repr=False)
    user: Json = field(default_factory=dict, repr=False)
    context: str = ""

    def tls(self, certificate: str | None = None, key: str | None = None) -> ssl.SSLContext:
        """Return the TLS settings, with the user's client certificate if there is one."""
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
    """Return the context that the options and the environment select."""
    if namespace and not NAMESPACE.fullmatch(namespace):
        raise Failure(f"{namespace!r} is no name of a namespace", Exit.USAGE)
    listed = kubeconfig or os.environ.get("KUBECONFIG") or str(Path.home() / ".kube" / "config")
    files = [Path(name) for name in listed.split(os.pathsep) if name]
    if kubeconfig and not Path(kubeconfig).exists():
        raise Failure(f"kubeconfig {kubeconfig} does not exist")
    present = [file for file in files if file.exists()]
    if not present and (ACCOUNT / "token").exists():
        return _in_pod(namespace)
    if not present:
        raise Failure(f"no kubeconfig: {listed} does not exist (set KUBECONFIG, or give --kubeconfig)")
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
        raise Failure(f"the server of cluster {chosen['cluster']!r} is no URL: {server}")
    user = merged["users"].get(chosen.get("user")) or {}
    return Config(server, namespace or chosen.get("namespace") or "default", cluster, user, name)


def _in_pod(namespace: str | None) -> Config:
    host, port = os.environ.get("KUBERNETES_SERVICE_HOST", ""), os.environ.get("KUBERNETES_SERVICE_PORT", "443")
    return Config(
        f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}",
        namespace or (ACCOUNT / "namespace").read_text().strip(),
        {"certificate-authority": str(ACCOUNT / "ca.crt")},
        {"tokenFile": str(ACCOUNT / "token")},
    )


def _merged(files: list[Path]) -> Json:
    """Merge kubeconfig files as kubectl does: the first file that has an entry wins."""
    merged: Json = {"current-context": "", **{kind: {} for kind in KINDS}}
    for file in files:
        try:
            content = yaml.safe_load(file.read_text()) or {}
        except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
            raise Failure(f"kubeconfig {file} can't be read: {' '.join(str(error).split())}") from None
        try:
            _merge(merged, content, file.parent)
        except (AttributeError, KeyError, TypeError):  # whatever it is: not what it must be
            raise Failure(f"{file} is no kubeconfig") from None
    return merged


def _merge(merged: Json, content: Json, folder: Path) -> None:
    merged["current-context"] = merged["current-context"] or content.get("current-context") or ""
    for kind, key in KINDS.items():
        for entry in content.get(kind) or []:
            merged[kind].setdefault(entry["name"], _absolute(entry.get(key) or {}, folder))


def _absolute(entry: Json, folder: Path) -> Json:
    """Return an entry whose relative paths are resolved against the folder of its file."""
    return {**entry, **{name: str(folder / entry[name]) for name in PATHS if entry.get(name)}}


def _text(entry: Json, name: str) -> str | None:
    try:
        return base64.b64decode("".join(entry[name].split()), validate=True).decode() if entry.get(name) else None
    except (AttributeError, ValueError):
        raise Failure(f"{name} of the kubeconfig is not base64") from None


@contextmanager
def _as_file(content: str | None, path: str | None) -> Iterator[str | None]:
    """Yield a file with the content. Python's ssl module loads client certificates from files only."""
    if content is None:
        yield path
        return
    with tempfile.NamedTemporaryFile("w", suffix=".pem") as file:  # readable to this user alone
        file.write(content)
        file.flush()
        yield file.name
