"""The list of generated files. It can be written, and compared with the files of a checkout."""

from pathlib import Path
from typing import Any

from execution_operator.manifests import argocd, chart, gateway, kustomize, monitoring
from execution_operator.manifests.crds import KINDS, definition
from execution_operator.manifests.reference import reference
from execution_operator.manifests.text import HEADER, render

FOLDERS = ("crds", "deploy")
CHART = "deploy/helm/execution-operator"


def generate() -> dict[str, str]:
    """Return the text of every generated file, by path below the root of the checkout."""
    documents: dict[str, list[dict[str, Any]]] = {f"crds/{kind.plural}.yaml": [definition(kind)] for kind in KINDS}
    documents["crds/kustomization.yaml"] = [
        {
            "apiVersion": "kustomize.config.k8s.io/v1beta1",
            "kind": "Kustomization",
            "resources": [f"{kind.plural}.yaml" for kind in KINDS],
        }
    ]
    documents["deploy/kustomize/gateway/access.yaml"] = gateway.gateway_access()
    documents |= {f"deploy/kustomize/{path}": contents for path, contents in kustomize.files().items()}
    documents |= {f"deploy/argocd/{path}": contents for path, contents in argocd.files().items()}
    return {
        **{path: render(contents) for path, contents in documents.items()},
        **{f"deploy/monitoring/{path}": text for path, text in monitoring.files().items()},
        **{f"{CHART}/{path}": text for path, text in chart.files().items()},
        "docs/api.md": reference(),
    }


def write(root: Path) -> None:
    """Write the generated files of a checkout, and delete former generated files."""
    for path, text in generate().items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    for path in _stale(root):
        (root / path).unlink()


def drift(root: Path) -> list[str]:
    """Return the differences between a checkout and the generated files, one line for each file."""
    return [
        *(f"{path}: differs" for path, text in generate().items() if _read(root / path) not in {text, None}),
        *(f"{path}: missing" for path in generate() if _read(root / path) is None),
        *(f"{path}: no longer generated" for path in _stale(root)),
    ]


def _stale(root: Path) -> list[str]:
    """Return the files that begin with the header of generated files, but are no longer generated."""
    paths = {
        str(path.relative_to(root))
        for folder in FOLDERS
        for path in (root / folder).rglob("*.yaml")
        if path.read_text().startswith(HEADER)
    }
    return sorted(paths - generate().keys())


def _read(path: Path) -> str | None:
    return path.read_text() if path.exists() else None
