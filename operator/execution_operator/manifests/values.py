"""The values of the chart, as models. `values.yaml` and `values.schema.json` are generated from them."""

import json
import textwrap
from collections.abc import Iterator
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from execution_operator.manifests.text import HEADER

Object = dict[str, Any]
Name = Annotated[str, Field(pattern="^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$", max_length=253)]
WIDTH = 116


class Section(BaseModel):
    """A group of values. An unknown name is an error."""

    model_config = ConfigDict(extra="forbid", alias_generator=to_camel)


class Image(Section):
    """The operator's image."""

    repository: str = Field("execution-operator", min_length=1, description="Repository, with the registry.")
    tag: str = Field("", description="Tag; if empty, the appVersion of the chart.")
    digest: str = Field(
        "", pattern="^(sha256:[0-9a-f]{64})?$", description="Digest, sha256:...; if set, it is used instead of the tag."
    )
    pull_policy: Literal["Always", "IfNotPresent", "Never"] = Field(
        "IfNotPresent", description="imagePullPolicy of the pods."
    )
    pull_secrets: list[Object] = Field([], description="imagePullSecrets of the pods.")


class Temporal(Section):
    """Temporal, for Organizations without an address. Set other TEMPORAL_* variables with `env`."""

    address: str = Field("", description="The variable TEMPORAL_ADDRESS, host:port.")
    namespace: str = Field("", description="The variable TEMPORAL_NAMESPACE.")


class Crds(Section):
    """The CustomResourceDefinitions. They are templates, so `helm upgrade` updates them."""

    install: bool = Field(
        default=True, description="Install them. Set false if another release or GitOps unit of the cluster does."
    )
    keep: bool = Field(
        default=True, description="Keep them on uninstallation. If false, it deletes them and all Executions."
    )


class Roles(Section):
    """The ClusterRoles execution-viewer, execution-editor and execution-terminator."""

    install: bool = Field(default=True, description="Install them. Set false if another release of the cluster does.")
    aggregate: bool = Field(
        default=True, description="Users with the role view, edit or admin may view or edit Executions."
    )
    aggregate_terminator: bool = Field(
        default=True, description="Users with the role edit or admin may terminate them."
    )


class Policies(Section):
    """The admission policies: a permission for terminations, and a stamp with the requester's name."""

    install: bool = Field(default=True, description="Install them. Set false if another release of the cluster does.")
    requester_stamp: Literal["Auto", "Always", "Never"] = Field(
        "Auto",
        description="Install the stamp. Auto: if the API server has MutatingAdmissionPolicy v1 (Kubernetes 1.36 on).",
    )


class Account(Section):
    """The operator's ServiceAccount."""

    annotations: dict[str, str] = Field(
        {}, description="Annotations, for instance for the workload identity of a cloud."
    )


class Budget(Section):
    """The PodDisruptionBudget. One replica may be unavailable at a time."""

    enabled: bool = Field(default=True, description="Install it.")


class Network(Section):
    """A NetworkPolicy. It allows ingress for probes and metrics, and egress for DNS and the given ports."""

    enabled: bool = Field(default=False, description="Install it.")
    egress_ports: list[int] = Field([443, 6443, 7233], description="Ports of the API server and of Temporal.")
    metrics_from: list[Object] = Field(
        [], description="Peers that may read metrics, as in a NetworkPolicy. Empty: all."
    )


class Monitor(Section):
    """A ServiceMonitor and its Service, for the Prometheus operator."""

    enabled: bool = Field(default=False, description="Install it.")
    interval: str = Field("30s", description="Interval between two scrapes.")
    labels: dict[str, str] = Field({}, description="Labels by which your Prometheus selects it.")


class Alerts(Section):
    """A PrometheusRule with alerts. They need the ServiceMonitor."""

    enabled: bool = Field(default=False, description="Install it.")
    labels: dict[str, str] = Field({}, description="Labels by which your Prometheus selects it.")
    runbooks: str = Field("docs/runbooks.md", description="URL at which you publish that page. The alerts link to it.")


class Dashboard(Section):
    """A ConfigMap with the Grafana dashboard, for Grafana's sidecar."""

    enabled: bool = Field(default=False, description="Install it.")
    labels: dict[str, str] = Field({"grafana_dashboard": "1"}, description="Labels by which your sidecar selects it.")


class Gateway(Section):
    """The gateway: POST /api/v1/executions/{execution_id}/terminate. It uses the tokens of its callers."""

    enabled: bool = Field(default=False, description="Install it, with a Service on port 80 (443 with TLS).")
    replicas: int = Field(2, ge=0, description="Number of pods. Each serves any call.")
    tls_secret_name: str = Field(
        "", description="Secret of type kubernetes.io/tls. Without one, the gateway receives tokens unencrypted."
    )
    arguments: list[str] = Field([], description="Additional arguments; see `execution-operator gateway --help`.")


class Log(Section):
    """The log, with one JSON object per line."""

    level: Literal["debug", "info", "warning", "error"] = Field("info", description="Lowest level to log.")


RESOURCES: Object = {"requests": {"cpu": "50m", "memory": "128Mi"}, "limits": {"memory": "1Gi"}}


class Values(Section):
    """Values of the chart execution-operator."""

    name_override: str = Field("", max_length=53, description="Name of the objects; if empty, the name of the release.")
    replicas: int = Field(2, ge=0, description="Number of pods. One is the leader, the others are standbys.")
    organizations: list[Name] = Field([], description="Work for these Organizations only. Empty: for all.")
    namespaces: list[Name] = Field(
        [],
        description="Read and write Executions in these namespaces only, with RoleBindings there. List all namespaces "
        "of `organizations`, which must be set too. Empty: in the whole cluster.",
    )
    image: Image = Image()
    temporal: Temporal = Temporal()
    env: list[Object] = Field(
        [], description="Additional env of the containers, for instance TEMPORAL_API_KEY from a Secret."
    )
    env_from: list[Object] = Field([], description="envFrom of the containers.")
    volumes: list[Object] = Field(
        [], description="volumes of the pods, for instance with the files that TEMPORAL_TLS_* refer to."
    )
    volume_mounts: list[Object] = Field([], description="volumeMounts of the containers.")
    log: Log = Log()
    resources: Object = Field(RESOURCES, description="resources of the containers.")
    crds: Crds = Crds()
    roles: Roles = Roles()
    policies: Policies = Policies()
    service_account: Account = Account()
    pod_disruption_budget: Budget = Budget()
    network_policy: Network = Network()
    service_monitor: Monitor = Monitor()
    prometheus_rule: Alerts = Alerts()
    dashboard: Dashboard = Dashboard()
    gateway: Gateway = Gateway()
    pod_labels: dict[str, str] = Field({}, description="Additional labels of the pods.")
    pod_annotations: dict[str, str] = Field({}, description="Additional annotations of the pods.")
    node_selector: dict[str, str] = Field({}, description="nodeSelector of the pods.")
    tolerations: list[Object] = Field([], description="tolerations of the pods.")
    affinity: Object = Field({}, description="affinity of the pods.")
    priority_class_name: str = Field("", description="priorityClassName of the pods.")


def schema() -> str:
    """Return the text of `values.schema.json`. It accepts `global`, which Helm passes to every subchart."""
    content = Values.model_json_schema()
    content["properties"]["global"] = {"type": "object"}
    content |= {
        "if": {"properties": {"namespaces": {"minItems": 1}}},
        "then": {"properties": {"organizations": {"minItems": 1}}},
    }
    content = {"$schema": "https://json-schema.org/draft-07/schema#", **content}
    return (
        json.dumps(content, indent=2).replace("#/$defs/", "#/definitions/").replace('"$defs"', '"definitions"') + "\n"
    )


def defaults() -> str:
    """Return the text of `values.yaml`. Each value has its description above it."""
    return HEADER + "".join(f"{line}\n" for line in _lines(Values()))


def _lines(values: Section) -> Iterator[str]:
    for attribute, field in type(values).model_fields.items():
        name, value = to_camel(attribute), getattr(values, attribute)
        if isinstance(values, Values):
            yield ""
        if isinstance(value, Section):
            yield from _comment(type(value).__doc__ or "")
            yield f"{name}:"
            yield from (f"  {line}" for line in _lines(value))
        else:
            yield from _comment(field.description or "")
            yield from yaml.safe_dump({name: value}, sort_keys=False, width=WIDTH).splitlines()


def _comment(text: str) -> list[str]:
    return [f"# {line}" for line in textwrap.wrap(text, WIDTH)]
