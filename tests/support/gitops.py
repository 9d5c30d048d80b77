"""The health of an object by the rules of Argo CD, Flux and kstatus."""

from pathlib import Path
from typing import Any

import yaml
from cel_expr_python import cel  # type: ignore[import-untyped]  # it has stubs, but no py.typed
from lupa import lua51

from execution_operator.kube.patch import merge_patch

Object = dict[str, Any]

DEPLOY = Path(__file__).parents[2] / "deploy"
ARGOCD = DEPLOY / "argocd" / "resource_customizations" / "control-plane.kubiya.ai"

RESTRICT = """
getmetatable("").__index = nil
for _, name in ipairs({"string", "math", "io", "debug", "coroutine", "python", "dofile", "loadfile"}) do
    _G[name] = nil
end
"""
"""Argo CD's Lua is 5.1 with the basic functions, `table` and a part of `os`, and nothing else."""


def run_lua(script: str, content: Object, parameters: dict[str, str] | None = None) -> Any:
    """Run a script as Argo CD does; return what it returns."""
    runtime = lua51.LuaRuntime(unpack_returned_tuples=True)
    runtime.execute(RESTRICT)
    runtime.globals()["obj"] = runtime.table_from(content, recursive=True)
    runtime.globals()["actionParams"] = runtime.table_from(parameters or {})
    return _python(runtime.execute(script))


def _python(value: Any) -> Any:
    if lua51.lua_type(value) != "table":
        return value
    keys = list(value.keys())
    if keys and keys == list(range(1, len(keys) + 1)):
        return [_python(value[key]) for key in keys]
    return {key: _python(value[key]) for key in keys}


def argocd_health(content: Object) -> Object:
    """Return the health and its message."""
    script = (ARGOCD / content["kind"] / "health.lua").read_text()
    health: Object = run_lua(script, content)
    return health


def argocd_actions(content: Object) -> dict[str, Object]:
    """Return the actions that the object offers, by name."""
    actions: dict[str, Object] = run_lua((ARGOCD / content["kind"] / "actions/discovery.lua").read_text(), content)
    return actions


def argocd_act(content: Object, action: str, parameters: dict[str, str]) -> Object:
    """Return the object as an action would have it."""
    script = (ARGOCD / content["kind"] / "actions" / action / "action.lua").read_text()
    changed: Object = run_lua(script, content, parameters)
    return changed


def flux(content: Object) -> str:
    """Return Flux's status of the object. It is in progress if no expression can be evaluated yet."""
    kustomization = yaml.safe_load((DEPLOY / "flux" / "executions.yaml").read_text())
    (expressions,) = [of for of in kustomization["spec"]["healthCheckExprs"] if of["kind"] == content["kind"]]
    for verdict in ("inProgress", "failed", "current"):
        holds = _evaluate(expressions[verdict], content)
        if holds is None:
            return "InProgress"
        if holds:
            return verdict[0].upper() + verdict[1:]
    return "InProgress"


FLUX = "kustomize-controller"


def flux_adopts(managed_fields: list[Object]) -> list[Object]:
    """Return who owns which fields after Flux took over what kubectl wrote, as it does before each apply.

    What it then applies no longer has those fields, unless Git has, so the API server removes them.
    Source: fluxcd/pkg, ssa/patch.go; the prefix is kustomize-controller's.
    """
    taken = [of for of in managed_fields if of["manager"].startswith(("kubectl", FLUX)) and not of.get("subresource")]
    fields: Object = {}
    for each in taken:
        fields = merge_patch(fields, each["fieldsV1"])
    ours = {**taken[0], "manager": FLUX, "operation": "Apply", "fieldsV1": fields}
    return [ours, *(of for of in managed_fields if of not in taken)]


def _evaluate(expression: str, content: Object) -> bool | None:
    """Evaluate an expression without types, as Flux does; None where it reaches for something that is not there."""
    value = cel.NewEnv().compile(expression, disable_check=True).eval(data=content).value()
    return value if isinstance(value, bool) else None


def kstatus(content: Object) -> str:
    """Return the status by the generic rules of kstatus, and its last resort, the condition Ready."""
    status = content.get("status", {})
    conditions = {condition["type"]: condition["status"] for condition in status.get("conditions", [])}
    if content["metadata"].get("deletionTimestamp"):
        return "Terminating"
    if status.get("observedGeneration", content["metadata"]["generation"]) != content["metadata"]["generation"]:
        return "InProgress"
    if conditions.get("Reconciling") == "True":
        return "InProgress"
    if conditions.get("Stalled") == "True":
        return "Failed"
    return "Current" if conditions.get("Ready", "True") == "True" else "InProgress"
