"""The CustomResourceDefinitions: the schemas of the models, with names, printer columns and selectable fields."""

from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel

from execution_operator.api import GROUP, VERSION, Execution, Organization
from execution_operator.manifests.schema import openapi


@dataclass(frozen=True)
class Column:
    """A column of `kubectl get`. With `wide`, it is shown with `-o wide` only."""

    name: str
    path: str
    type: Literal["string", "integer", "date"] = "string"
    wide: bool = False

    def wire(self) -> dict[str, Any]:
        """Return the column as an item of `additionalPrinterColumns`."""
        priority = {"priority": 1} if self.wide else {}
        return {"name": self.name, "type": self.type, "jsonPath": self.path, **priority}


@dataclass(frozen=True)
class Kind:
    """The properties of a resource that its model does not contain.

    Attributes:
        model: The model of the resource.
        plural: The plural name, as in URLs.
        short: The short name for kubectl.
        scope: Whether objects belong to a namespace or to the cluster.
        columns: The columns of `kubectl get`.
        selectable: The JSON paths that `--field-selector` accepts.
    """

    model: type[BaseModel]
    plural: str
    short: str
    scope: Literal["Namespaced", "Cluster"]
    columns: tuple[Column, ...]
    selectable: tuple[str, ...] = ()

    @property
    def names(self) -> dict[str, Any]:
        """The field `names` of the definition."""
        kind = self.model.__name__
        return {
            "kind": kind,
            "listKind": f"{kind}List",
            "plural": self.plural,
            "singular": kind.lower(),
            "shortNames": [self.short],
            "categories": ["kubiya"],
        }


AGE = Column("Age", ".metadata.creationTimestamp", "date")

KINDS = (
    Kind(
        model=Execution,
        plural="executions",
        short="ex",
        scope="Namespaced",
        columns=(
            Column("Phase", ".status.phase"),
            Column("Organization", ".status.organization"),
            Column("Reason", ".spec.terminate.reason"),
            Column("Terminated", ".status.terminatedAt", "date"),
            Column("Workflow", ".status.workflowId", wide=True),
            Column("Run", ".status.runId", wide=True),
            AGE,
        ),
        selectable=(
            ".spec.executionId",
            ".spec.terminate.reason",
            ".status.phase",
            ".status.termination.outcome",
        ),
    ),
    Kind(
        model=Organization,
        plural="organizations",
        short="org",
        scope="Cluster",
        columns=(
            Column("Ready", '.status.conditions[?(@.type=="Ready")].status'),
            Column("Namespaces", ".status.namespaces", "integer"),
            Column("Temporal Namespace", ".spec.temporal.namespace"),
            AGE,
        ),
    ),
)


def definition(kind: Kind) -> dict[str, Any]:
    """Return the CustomResourceDefinition of a kind."""
    version: dict[str, Any] = {
        "name": VERSION,
        "served": True,
        "storage": True,
        "subresources": {"status": {}},
        "additionalPrinterColumns": [column.wire() for column in kind.columns],
        "schema": {"openAPIV3Schema": openapi(kind.model)},
    }
    if kind.selectable:
        version["selectableFields"] = [{"jsonPath": path} for path in kind.selectable]
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{kind.plural}.{GROUP}"},
        "spec": {"group": GROUP, "names": kind.names, "scope": kind.scope, "versions": [version]},
    }
