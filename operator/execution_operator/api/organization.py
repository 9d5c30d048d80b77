"""The `Organization`: the Kubernetes namespaces of a tenant, and the Temporal namespace of its workflows."""

from typing import Annotated

from pydantic import Field

from execution_operator.api.meta import Condition, ObjectMeta, Schema, cel_rule, cel_rules, find_condition

DEFAULT_TEMPLATES = ("{executionId}", "agent-execution-{executionId}", "team-execution-{executionId}")
"""The default of spec.workflowIdTemplates."""

_DNS_LABEL = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"
_DNS_SUBDOMAIN = r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"

NamespaceName = Annotated[
    str, Field(description="Name of a Kubernetes namespace.", min_length=1, max_length=63, pattern=_DNS_LABEL)
]
SecretName = Annotated[str, Field(min_length=1, max_length=253, pattern=_DNS_SUBDOMAIN)]
Template = Annotated[
    str,
    Field(
        description="A workflow ID that contains {executionId}, which stands for the Execution's spec.executionId.",
        min_length=1,
        max_length=255,
        json_schema_extra=cel_rules(cel_rule("self.contains('{executionId}')", "must contain {executionId}")),
    ),
]


class Tls(Schema):
    """TLS for the connection to Temporal. `{}` means TLS with the system's root certificates."""

    server_name: str | None = Field(
        default=None,
        description="The name in the server's certificate, if it differs from the host in the address.",
        min_length=1,
        max_length=253,
    )
    secret_name: SecretName | None = Field(
        default=None,
        description="Name of a Secret of type kubernetes.io/tls in the operator's namespace. tls.crt and "
        "tls.key are the client's certificate; ca.crt, if there is one, verifies the server.",
    )


class Temporal(Schema):
    """The Temporal server and namespace of the organization's workflows."""

    address: str | None = Field(
        default=None,
        description="host:port of Temporal's frontend. Default: the address in the operator's own Temporal profile.",
        min_length=1,
        max_length=260,
        pattern=r"^[^\s/]+:[0-9]{1,5}$",
    )
    namespace: str | None = Field(
        default=None,
        description="Name of the Temporal namespace. Default: the namespace in the operator's own Temporal profile.",
        min_length=1,
        max_length=255,
    )
    tls: Tls | None = Field(
        default=None,
        description="TLS for the connection. Default: the settings of the operator's own Temporal profile "
        "if the address is the profile's; no TLS for any other address.",
    )
    api_key_secret_name: SecretName | None = Field(
        default=None,
        description="Name of a Secret in the operator's namespace. Its key apiKey holds the API key for Temporal.",
    )
    ui_url: str | None = Field(
        default=None,
        description="Base URL of Temporal's web UI, for links to workflows.",
        max_length=2048,
        pattern="^https?://",
    )


class Ownership(Schema):
    """The proof that a workflow is the organization's: a search attribute that the workflow was started with."""

    search_attribute: str = Field(
        description="Name of the search attribute (type Keyword) that identifies the organization in the "
        "workflow's start event.",
        min_length=1,
        max_length=255,
    )
    value: str | None = Field(
        default=None,
        description="Value of the search attribute. Default: the name of this Organization.",
        min_length=1,
        max_length=255,
    )


class OrganizationSpec(Schema):
    """The namespaces, the Temporal server and the proof of ownership of an organization."""

    namespaces: list[NamespaceName] = Field(
        description="Names of the Kubernetes namespaces of this organization. A namespace that more than one "
        "Organization lists belongs to none of them.",
        min_length=1,
        max_length=4096,
        json_schema_extra={"x-kubernetes-list-type": "set"},
    )
    temporal: Temporal = Field(
        default=Temporal(),
        description="The Temporal server and namespace of its workflows. Default: the operator's own Temporal profile.",
    )
    ownership: Ownership | None = Field(
        default=None,
        description="The proof that a workflow is the organization's. Required if another Organization uses the same "
        "Temporal namespace.",
    )
    workflow_id_templates: list[Template] = Field(
        default=list(DEFAULT_TEMPLATES),
        description="Templates that turn an Execution's spec.executionId into workflow IDs. They are tried "
        "in this order.",
        min_length=1,
        max_length=16,
    )


class OrganizationStatus(Schema):
    """The readiness of the organization."""

    observed_generation: int = Field(
        default=0, ge=0, description="The metadata.generation that this status was computed from."
    )
    namespaces: int = Field(default=0, ge=0, description="Number of namespaces that this Organization lists.")
    temporal_namespace_id: str | None = Field(
        default=None,
        description="Temporal's own id of the Temporal namespace. It is the same at every address of the server.",
    )
    conditions: list[Condition] = Field(
        default=[],
        description="Ready. NamespaceConflict if another Organization lists one of its namespaces; Stalled "
        "when a human must act.",
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]},
    )

    def condition(self, of: str) -> Condition | None:
        """Return the condition of this type, or None if the status has none."""
        return find_condition(self.conditions, of)


class Organization(Schema):
    """An Organization maps Kubernetes namespaces to a tenant and to the Temporal namespace of its workflows."""

    metadata: ObjectMeta = ObjectMeta()
    spec: OrganizationSpec = Field(description="The namespaces, the Temporal server and the proof of ownership.")
    status: OrganizationStatus = Field(
        default=OrganizationStatus(), description="The readiness of the organization. Only the operator writes it."
    )
