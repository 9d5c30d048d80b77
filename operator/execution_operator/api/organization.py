"""The `Organization`: which namespaces are a tenant's, and where its workflows run."""

from typing import Annotated

from pydantic import Field

from execution_operator.api.meta import Condition, ObjectMeta, Schema, cel_rule, cel_rules, find_condition

DEFAULT_TEMPLATES = ("{executionId}", "agent-execution-{executionId}", "team-execution-{executionId}")

_DNS_LABEL = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"
_DNS_SUBDOMAIN = r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"

NamespaceName = Annotated[
    str, Field(description="Name of a Kubernetes namespace.", min_length=1, max_length=63, pattern=_DNS_LABEL)
]
SecretName = Annotated[str, Field(min_length=1, max_length=253, pattern=_DNS_SUBDOMAIN)]
Template = Annotated[
    str,
    Field(
        description="A workflow ID with {executionId} in it.",
        min_length=1,
        max_length=255,
        json_schema_extra=cel_rules(cel_rule("self.contains('{executionId}')", "must contain {executionId}")),
    ),
]


class Tls(Schema):
    """TLS towards Temporal. `{}` means TLS with the system's root certificates."""

    server_name: str | None = Field(
        default=None,
        description="The name in the server's certificate, where it differs from the address.",
        min_length=1,
        max_length=253,
    )
    secret_name: SecretName | None = Field(
        default=None,
        description="A Secret of type kubernetes.io/tls in the operator's namespace: tls.crt and tls.key are the "
        "client's certificate, ca.crt (optional) verifies the server.",
    )


class Temporal(Schema):
    """Where the organization's workflows run."""

    address: str | None = Field(
        default=None,
        description="host:port of Temporal's frontend. Default: the operator's own Temporal profile.",
        min_length=1,
        max_length=260,
        pattern=r"^[^\s/]+:[0-9]{1,5}$",
    )
    namespace: str | None = Field(
        default=None,
        description="The Temporal namespace. Default: the operator's own Temporal profile.",
        min_length=1,
        max_length=255,
    )
    tls: Tls | None = Field(
        default=None,
        description="TLS towards this address. Default: the operator's profile's at its own address, none at others.",
    )
    api_key_secret_name: SecretName | None = Field(
        default=None,
        description="A Secret in the operator's namespace whose key apiKey holds Temporal's API key.",
    )
    ui_url: str | None = Field(
        default=None,
        description="Base URL of Temporal's UI, for links.",
        max_length=2048,
        pattern="^https?://",
    )


class Ownership(Schema):
    """How a workflow proves that it is the organization's, where others share its Temporal namespace."""

    search_attribute: str = Field(
        description="The search attribute (Keyword) that names the organization in the workflow's start event.",
        min_length=1,
        max_length=255,
    )
    value: str | None = Field(
        default=None, description="Its value. Default: this Organization's name.", min_length=1, max_length=255
    )


class OrganizationSpec(Schema):
    """Namespaces, Temporal, and the proof of ownership."""

    namespaces: list[NamespaceName] = Field(
        description="The Kubernetes namespaces of this organization, by name. A namespace that two Organizations "
        "list belongs to neither.",
        min_length=1,
        max_length=4096,
        json_schema_extra={"x-kubernetes-list-type": "set"},
    )
    temporal: Temporal = Field(
        default=Temporal(), description="Where its workflows run. Default: the operator's own Temporal profile."
    )
    ownership: Ownership | None = Field(
        default=None,
        description="How a workflow proves that it is the organization's. Required where another Organization uses "
        "the same Temporal namespace.",
    )
    workflow_id_templates: list[Template] = Field(
        default=list(DEFAULT_TEMPLATES),
        description="How workflow IDs are made of spec.executionId, tried in this order.",
        min_length=1,
        max_length=16,
    )


class OrganizationStatus(Schema):
    """Whether Executions of this organization can be acted on."""

    observed_generation: int = Field(
        default=0, ge=0, description="The metadata.generation that this status was computed from."
    )
    namespaces: int = Field(default=0, ge=0, description="How many namespaces are mapped to this Organization.")
    temporal_namespace_id: str | None = Field(
        default=None, description="The id that Temporal gives to the namespace, whatever its address."
    )
    conditions: list[Condition] = Field(
        default=[],
        description="Ready; NamespaceConflict where another Organization lists one of its namespaces.",
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]},
    )

    def condition(self, of: str) -> Condition | None:
        """Return the condition of the type, if the status has it."""
        return find_condition(self.conditions, of)


class Organization(Schema):
    """An Organization maps Kubernetes namespaces to a tenant and to the Temporal namespace of its workflows."""

    metadata: ObjectMeta = ObjectMeta()
    spec: OrganizationSpec = Field(description="Namespaces, Temporal, and the proof of ownership.")
    status: OrganizationStatus = Field(
        default=OrganizationStatus(), description="Whether Executions can be acted on. Written by the operator only."
    )
