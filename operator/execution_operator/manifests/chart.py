"""Generates the Helm chart `deploy/helm/execution-operator`.

The objects are the same as those of the kustomization. Each setting of an installation is a Helm expression. The
chart's `_helpers.tpl` is written by hand; it computes names, labels and lists from the values.
"""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from execution_operator import __version__
from execution_operator.manifests import alerts, dashboard, gateway, monitoring, policies, roles, values, workload
from execution_operator.manifests.crds import KINDS, definition
from execution_operator.manifests.text import Block, Expression, When, literal, render, render_template

Object = dict[str, Any]

NAME = Expression('include "execution-operator.name" $')
NAMESPACE = Expression("$.Release.Namespace")
SELECTOR: Any = Expression('include "execution-operator.selector" $ | fromJson')
GATEWAY = NAME + "-gateway"
GATEWAY_SELECTOR: Any = Expression('include "execution-operator.gateway-selector" $ | fromJson')
TLS = "execution-operator.gateway-tls"
TLS_GIVEN = '(ne $.Values.gateway.tlsSecretName "")'
LOG_LEVEL = Expression('printf "--log-level=%s" $.Values.log.level')
FOLDER = "dashboards"
HERE: Object = {"name": NAME, "namespace": NAMESPACE}


def files() -> dict[str, str]:
    """Return the text of each generated file, by path below the chart."""
    templates = {
        "crds": _crds(),
        "operator-access": _operator_access(),
        "user-roles": _user_roles(),
        "policies": _policies(),
        "operator": _operator(),
        "gateway": _gateway(),
        "network-policy": [_block("if $.Values.networkPolicy.enabled", _network_policy())],
        "monitoring": _monitoring(),
    }
    return {
        "Chart.yaml": render([_chart()]),
        "values.yaml": values.defaults(),
        "values.schema.json": values.schema(),
        f"{FOLDER}/{monitoring.DASHBOARD}": dashboard.text(),
        **{f"templates/{name}.yaml": render_template(blocks) for name, blocks in templates.items()},
    }


def value(path: str) -> Expression:
    """Return the expression of a chart value, such as `image.pullPolicy`."""
    return Expression(f"$.Values.{path}")


def _chart() -> Object:
    return {
        "apiVersion": "v2",
        "name": roles.NAME,
        "description": "Terminates Temporal workflows from Kubernetes: exact, tenant-safe and audited.",
        "type": "application",
        "version": __version__,
        "appVersion": __version__,
        "kubeVersion": ">=1.32.0-0",
    }


def _block(control: str, *documents: Object) -> Block:
    """Return documents, with the chart's labels added, under a control such as `if $.Values.x`."""
    return Block(tuple(_labelled(document) for document in documents), control)


def _labelled(document: Object) -> Object:
    metadata = {**document["metadata"]}
    own, ours = metadata.pop("labels", None), Expression('include "execution-operator.labels" $ | fromJson')
    labels = Expression(f"merge dict ({own}) ({ours})") if own else ours
    return {**document, "metadata": {**metadata, "labels": labels}}


def _annotated(document: Object, annotations: Expression) -> Object:
    return {**document, "metadata": {**document["metadata"], "annotations": annotations}}


def _crds() -> list[Block]:
    keep = Expression(f"ternary {literal({'helm.sh/resource-policy': 'keep'})} dict $.Values.crds.keep")
    return [_block("if $.Values.crds.install", *(_annotated(definition(kind), keep) for kind in KINDS))]


def _operator_access() -> list[Block]:
    account = _annotated(roles.account(NAME, NAMESPACE), value("serviceAccount.annotations"))
    each = roles.execution_access(NAME, NAMESPACE, where=Expression("$namespace"))
    return [
        _block("", account, *roles.cluster_access(NAME, NAMESPACE), roles.execution_role(NAME)),
        _block("range $namespace := $.Values.namespaces", each),
        _block("if not $.Values.namespaces", roles.execution_access(NAME, NAMESPACE)),
        _block("", *roles.namespace_access(NAME, NAMESPACE)),
    ]


def _user_roles() -> list[Block]:
    switched = [
        _switched(roles.VIEWER, "roles.aggregate"),
        _switched(roles.EDITOR, "roles.aggregate"),
        _switched(roles.TERMINATOR, "roles.aggregateTerminator"),
    ]
    return [_block("if $.Values.roles.install", *switched)]


def _switched(role: Object, switch: str) -> Object:
    """Return a role with its aggregation labels only if the given chart value is true."""
    labels = Expression(f"ternary {literal(role['metadata']['labels'])} dict $.Values.{switch}")
    return {**role, "metadata": {**role["metadata"], "labels": labels}}


def _policies() -> list[Block]:
    validating = [*policies.permission(), *policies.requester_guard(), *policies.advice()]
    return [
        _block("if $.Values.policies.install", *validating),
        _block('if eq (include "execution-operator.stamps" $) "true"', *policies.requester_stamp()),
    ]


def _operator() -> list[Block]:
    pods = _pods(HERE, SELECTOR, value("replicas"), _arguments())
    budget = workload.disruption_budget(HERE, SELECTOR)
    return [
        _block("", workload.deployment(pods)),
        _block("if $.Values.podDisruptionBudget.enabled", budget),
    ]


def _gateway() -> list[Block]:
    here: Object = {**HERE, "name": GATEWAY}
    pods = _pods(here, GATEWAY_SELECTOR, value("gateway.replicas"), gateway.ARGUMENTS)
    own = f"(concat {_literal(gateway.ARGUMENTS)} (list ({LOG_LEVEL})))"
    pods.container["args"] = _with_tls(own, "arguments", value("gateway.arguments"))
    pods.container["volumeMounts"] = _with_tls(value("volumeMounts"), "mounts")
    pods.spec["volumes"] = _with_tls(value("volumes"), "volumes")
    pods = replace(pods, scheme=_by_tls("HTTPS", "HTTP"))
    budget = workload.disruption_budget(here, GATEWAY_SELECTOR)
    service = gateway.service(here, GATEWAY_SELECTOR, _by_tls("https", "http"), _by_tls(443, 80))
    access = gateway.gateway_access(GATEWAY, NAMESPACE)
    return [
        _block("if $.Values.gateway.enabled", *access, workload.deployment(pods), service),
        _block("if and $.Values.gateway.enabled $.Values.podDisruptionBudget.enabled", budget),
    ]


def _by_tls(secure: str | int, plain: str | int) -> Expression:
    """Return an expression that is `secure` if the gateway has a certificate, and `plain` if it has none."""
    return Expression(f"ternary {json.dumps(secure)} {json.dumps(plain)} {TLS_GIVEN}")


def _with_tls(items: str, part: str, more: str = "list") -> Expression:
    """Return the concatenation of `items`, the items that TLS adds as this part (if it is on), and `more`."""
    tls = f'(include "{TLS}" $ | fromJson).{part}'
    return Expression(f"concat {items} (ternary {tls} list {TLS_GIVEN}) {more} | default list")


def _literal(items: Sequence[str]) -> str:
    return literal([*items])


def _pods(metadata: Object, selector: Any, replicas: Expression, arguments: Any) -> workload.Pods:
    default_container = literal({workload.DEFAULT_CONTAINER: workload.CONTAINER})
    return workload.Pods(
        metadata=metadata,
        selector=selector,
        labels=Expression(f"merge ({selector}) $.Values.podLabels"),
        annotations=Expression(f"merge {default_container} $.Values.podAnnotations"),
        replicas=replicas,
        spec={
            "imagePullSecrets": value("image.pullSecrets"),
            "nodeSelector": value("nodeSelector"),
            "tolerations": value("tolerations"),
            "affinity": value("affinity"),
            "priorityClassName": value("priorityClassName"),
            "volumes": value("volumes"),
        },
        container={
            "image": Expression('include "execution-operator.image" $'),
            "imagePullPolicy": value("image.pullPolicy"),
            "args": arguments,
            "env": Expression('include "execution-operator.env" $ | fromJsonArray'),
            "envFrom": value("envFrom"),
            "resources": value("resources"),
            "volumeMounts": value("volumeMounts"),
        },
    )


def _arguments() -> list[str | When]:
    organizations = '--organizations={{ join "," $.Values.organizations }}'
    namespaces = '--namespaces={{ join "," $.Values.namespaces }}'
    return [
        *workload.ARGUMENTS,
        "--lease-name=" + NAME,  # each release elects its own leader
        LOG_LEVEL,
        When("$.Values.organizations", organizations),
        When("$.Values.namespaces", namespaces),
    ]


def _network_policy() -> Object:
    ports = Expression('include "execution-operator.egress" $ | fromJsonArray')
    return workload.network_policy(HERE, SELECTOR, value("networkPolicy.metricsFrom"), ports)


def _monitoring() -> list[Block]:
    metadata = {**HERE, "labels": value("serviceMonitor.labels")}
    rules = {**HERE, "labels": value("prometheusRule.labels")}
    shown = {**HERE, "name": NAME + "-dashboard", "labels": value("dashboard.labels")}
    return [
        _block(
            "if $.Values.serviceMonitor.enabled",
            monitoring.service(HERE, SELECTOR),
            monitoring.service_monitor(metadata, SELECTOR, value("serviceMonitor.interval")),
        ),
        _block(
            "if $.Values.prometheusRule.enabled",
            monitoring.rules(rules, _job, lambda anchor: value("prometheusRule.runbooks") + f"#{anchor}"),
        ),
        _block(
            "if $.Values.dashboard.enabled",
            monitoring.dashboard(shown, Expression(f'$.Files.Get "{FOLDER}/{monitoring.DASHBOARD}"')),
        ),
    ]


def _job(expression: str) -> Expression:
    """Replace JOB by the label matchers of a release: its job and its namespace."""
    matchers = f'printf "job=%q,namespace=%q" ({NAME}) {NAMESPACE}'
    return Expression(f"replace {json.dumps(alerts.JOB)} ({matchers}) {json.dumps(expression)}")
