"""Generates `deploy/argocd`: the objects for Argo CD's own tests, and a patch of its ConfigMap with the Lua scripts.

The Lua scripts are written by hand, in the directory layout of the Argo CD repository.
"""

from pathlib import Path
from typing import Any

from execution_operator.api import GROUP
from execution_operator.manifests import examples

Object = dict[str, Any]

SCRIPTS = Path(__file__).parents[3] / "deploy" / "argocd" / "resource_customizations" / GROUP
FOLDER = f"resource_customizations/{GROUP}"


def files() -> dict[str, list[Object]]:
    """Return the documents of each generated file, by path below `deploy/argocd`."""
    executions, organizations = examples.executions(), examples.organizations()
    running = executions["running"]
    terminated = {**running, "spec": {**running["spec"], "terminate": {"reason": examples.REASON}}}
    objects = {
        **{f"Execution/testdata/{name}": example for name, example in executions.items()},
        **{f"Execution/actions/testdata/{name}": example for name, example in executions.items()},
        "Execution/actions/testdata/running-terminated": terminated,
        **{f"Organization/testdata/{name}": example for name, example in organizations.items()},
    }
    return {
        **{f"{FOLDER}/{path}.yaml": [example] for path, example in objects.items()},
        "argocd-cm.yaml": [_config_map()],
    }


def _config_map() -> Object:
    """Return the patch, for `kubectl patch configmap argocd-cm --patch-file`."""
    data = {
        f"resource.customizations.health.{GROUP}_Execution": _script("Execution/health.lua"),
        f"resource.customizations.health.{GROUP}_Organization": _script("Organization/health.lua"),
        f"resource.customizations.actions.{GROUP}_Execution": _actions(),
    }
    metadata = {"name": "argocd-cm", "namespace": "argocd"}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


def _actions() -> str:
    """Return the value for the action `terminate`. It is a YAML document in a string."""
    discovery = _indented(_script("Execution/actions/discovery.lua"), 2)
    action = _indented(_script("Execution/actions/terminate/action.lua"), 4)
    return f"discovery.lua: |\n{discovery}definitions:\n- name: terminate\n  action.lua: |\n{action}"


def _indented(text: str, by: int) -> str:
    return "".join(f"{' ' * by}{line}\n" if line else "\n" for line in text.splitlines())


def _script(path: str) -> str:
    return (SCRIPTS / path).read_text()
