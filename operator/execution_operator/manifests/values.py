"""The chart's values, as models: the one source of `values.yaml` and `values.schema.json`."""

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
    """Values that belong together. A name that is misspelt is refused."""

    model_config = ConfigDict(extra="forbid", alias_generator=to_camel)


class Image(Section):
    """The operator's image."""

    repository: str = Field("execution-operator", min_length=1, description="Where it is, registry included.")
    tag: str = Field("", description="Default: the chart's appVersion.")
    digest: str = Field("", pattern="^(sha256:[0-9a-f]{64})?$", description="Goes before the tag: sha256:...")
    pull_policy: Literal["Always", "IfNotPresent", "Never"] = Field("IfNotPresent", description="As in pods.")
    pull_secrets: list[Object] = Field([], description="As imagePullSecrets in pods.")


class Temporal(Section):
    """Temporal, for Organizations that name no address of their own. More of its profile: `env`."""

    address: str = Field("", description="TEMPORAL_ADDRESS, host:port.")
    namespace: str = Field("", description="TEMPORAL_NAMESPACE.")


class Crds(Section):
    """The CustomResourceDefinitions. They are templates, so that upgrades upgrade them."""

    install: bool = Field(
        default=True, description="Off, where another release or GitOps unit of the cluster has them."
    )
    keep: bool = Field(default=True, description="Uninstalling leaves them; else it deletes every Execution too.")


class Roles(Section):
    """The ClusterRoles execution-viewer, execution-editor and execution-terminator."""

    install: bool = Field(default=True, description="Off, where another release of the cluster has them.")
    aggregate: bool = Field(default=True, description="Whoever has view, edit or admin may view or edit Executions.")
    aggregate_terminator: bool = Field(default=True, description="Whoever has edit or admin may terminate them.")


class Policies(Section):
    """The admission policies: terminating needs its own permission, and the requester is stamped."""

    install: bool = Field(default=True, description="Off, where another release of the cluster has them.")
    requester_stamp: Literal["Auto", "Always", "Never"] = Field(
        "Auto", description="Auto: where the API server has MutatingAdmissionPolicy v1 (Kubernetes 1.36 and newer)."
    )


class Account(Section):
    """The operator's ServiceAccount."""

    annotations: dict[str, str] = Field({}, description="For instance those of a cloud's workload identity.")


class Budget(Section):
    """The PodDisruptionBudget: of the replicas, one may be away at a time."""

    enabled: bool = Field(default=True, description="Whether there is one.")


class Network(Section):
    """A NetworkPolicy: in, probes and metrics; out, DNS and these ports."""

    enabled: bool = Field(default=False, description="Whether there is one.")
    egress_ports: list[int] = Field([443, 6443, 7233], description="The API server's and Temporal's.")
    metrics_from: list[Object] = Field([], description="Who may read metrics: peers of a NetworkPolicy; empty: all.")


class Monitor(Section):
    """A ServiceMonitor and its Service, for the Prometheus operator."""

    enabled: bool = Field(default=False, description="Whether there is one.")
    interval: str = Field("30s", description="How often metrics are read.")
    labels: dict[str, str] = Field({}, description="What your Prometheus selects by.")


class Alerts(Section):
    """A PrometheusRule with alerts; they need the ServiceMonitor."""

    enabled: bool = Field(default=False, description="Whether there is one.")
    labels: dict[str, str] = Field({}, description="What your Prometheus selects by.")
    runbooks: str = Field("docs/runbooks.md", description="Where you publish that page: the alerts link there.")


class Dashboard(Section):
    """A ConfigMap with the Grafana dashboard, for Grafana's sidecar."""

    enabled: bool = Field(default=False, description="Whether there is one.")
    labels: dict[str, str] = Field({"grafana_dashboard": "1"}, description="What your sidecar selects by.")


class Gateway(Section):
    """The gateway: POST /api/v1/executions/{execution_id}/terminate, with the callers' own tokens."""

    enabled: bool = Field(default=False, description="Whether there is one, and its Service on port 80.")
    replicas: int = Field(2, ge=0, description="Each takes any call.")
    tls_secret_name: str = Field(
        "", description="Secret of type kubernetes.io/tls. Without one, tokens travel in the clear to what ends TLS."
    )
    arguments: list[str] = Field([], description="More arguments: see `execution-operator gateway --help`.")


class Log(Section):
    """The log: one JSON object a line."""

    level: Literal["debug", "info", "warning", "error"] = Field("info", description="What is written.")


RESOURCES: Object = {"requests": {"cpu": "50m", "memory": "128Mi"}, "limits": {"memory": "1Gi"}}


class Values(Section):
    """Values of the chart execution-operator."""

    name_override: str = Field("", max_length=53, description="Name of the objects; default: the release's.")
    replicas: int = Field(2, ge=0, description="One leads, the others stand by with warm caches.")
    organizations: list[Name] = Field([], description="Only these Organizations; empty: all.")
    namespaces: list[Name] = Field(
        [],
        description="Read and write Executions in these namespaces only, by RoleBindings there: all those of "
        "`organizations`, which must be set too. Empty: in the whole cluster.",
    )
    image: Image = Image()
    temporal: Temporal = Temporal()
    env: list[Object] = Field([], description="More environment, as in pods: TEMPORAL_API_KEY from a Secret, ...")
    env_from: list[Object] = Field([], description="As in pods.")
    volumes: list[Object] = Field([], description="As in pods: files that TEMPORAL_TLS_* name, ...")
    volume_mounts: list[Object] = Field([], description="As in pods.")
    log: Log = Log()
    resources: Object = Field(RESOURCES, description="As in pods.")
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
    pod_labels: dict[str, str] = Field({}, description="More labels of the pods.")
    pod_annotations: dict[str, str] = Field({}, description="Annotations of the pods.")
    node_selector: dict[str, str] = Field({}, description="As in pods.")
    tolerations: list[Object] = Field([], description="As in pods.")
    affinity: Object = Field({}, description="As in pods.")
    priority_class_name: str = Field("", description="As in pods.")


def schema() -> str:
    """Return `values.schema.json`. Charts that depend on this one pass it `global`, which it ignores."""
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
    """Return `values.yaml`: every value with its description above it."""
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
