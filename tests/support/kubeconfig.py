"""Kubeconfig files, as users have them."""

import base64
import json
from collections.abc import Mapping
from pathlib import Path


def write_kubeconfig(file: Path, server: str, authority: Path, user: Mapping[str, str]) -> Path:
    """Write a kubeconfig with one context; JSON is YAML too."""
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {"name": "test", "cluster": {"server": server, "certificate-authority-data": encode_file(authority)}}
        ],
        "users": [{"name": "test", "user": dict(user)}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
        "current-context": "test",
    }
    file.touch(mode=0o600)
    file.write_text(json.dumps(config, indent=1))
    return file


def certificate_user(certificate: Path, key: Path) -> dict[str, str]:
    """Describe a user who proves himself by a client certificate."""
    return {"client-certificate-data": encode_file(certificate), "client-key-data": encode_file(key)}


def encode_file(file: Path) -> str:
    """Give the content as kubeconfigs hold it."""
    return base64.b64encode(file.read_bytes()).decode()
