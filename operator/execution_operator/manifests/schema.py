"""Converts a model to the structural OpenAPI v3 schema of a CustomResourceDefinition."""

from typing import Any

from pydantic import BaseModel

Schema = dict[str, Any]

KEPT = (
    "description",
    "type",
    "format",
    "enum",
    "pattern",
    "minLength",
    "maxLength",
    "minimum",
    "maximum",
    "minItems",
    "maxItems",
    "default",
    "required",
    "x-kubernetes-list-type",
    "x-kubernetes-list-map-keys",
    "x-kubernetes-validations",
)
"""Keywords that are copied unchanged, in the order in which they are written."""

CONVERTED = {"title", "items", "properties"}
"""Keywords that are dropped or converted. Any other keyword is an error, until it is added here or to KEPT."""

TYPE_META = {
    "apiVersion": {"description": "Group and version of this resource.", "type": "string"},
    "kind": {"description": "Kind of this resource.", "type": "string"},
    "metadata": {"type": "object"},
}
"""The three fields that every resource has. Their schema is defined by the API server."""


UNSEEN = {"observedGeneration": 0}
"""The status of an object that was never reconciled. No object has generation 0, so kstatus says InProgress."""


def openapi(model: type[BaseModel]) -> Schema:
    """Return the schema of a resource. Fields of its spec have their defaults; fields of its status have none."""
    generated = model.model_json_schema()
    definitions: Schema = generated.pop("$defs")
    resource = structural({**generated, "properties": {}}, definitions)
    spec, status = (generated["properties"][part] for part in ("spec", "status"))
    resource["properties"] = {
        **TYPE_META,
        "spec": structural(spec, definitions),
        "status": {**without_defaults(structural(status, definitions)), "default": UNSEEN},
    }
    return resource


def structural(schema: Schema, definitions: Schema) -> Schema:
    """Convert a node and all nodes below it.

    Raises:
        ValueError: A node has a keyword that is neither in KEPT nor in CONVERTED.
    """
    flat = _flat(schema, definitions)
    if unknown := flat.keys() - CONVERTED - set(KEPT):
        raise ValueError(f"no structural schema for {sorted(unknown)} in {flat}")
    node = {key: flat[key] for key in KEPT if key in flat and not _implied(key, flat[key])}
    if "items" in flat:
        node["items"] = structural(flat["items"], definitions)
    if "properties" in flat:
        node["properties"] = {name: structural(field, definitions) for name, field in flat["properties"].items()}
    return node


def without_defaults(schema: Schema) -> Schema:
    """Return a node without its defaults and those of all nodes below it."""
    node = {key: value for key, value in schema.items() if key != "default"}
    if "items" in node:
        node["items"] = without_defaults(node["items"])
    if "properties" in node:
        node["properties"] = {name: without_defaults(field) for name, field in node["properties"].items()}
    return node


def _implied(key: str, value: object) -> bool:
    """Return whether a default is redundant: None for an optional field, or an object, whose fields have defaults."""
    return key == "default" and (value is None or isinstance(value, dict))


def _flat(schema: Schema, definitions: Schema) -> Schema:
    """Return a node with its reference resolved, and `anyOf` reduced to the one option that is not null."""
    if "$ref" in schema:
        inner = definitions[schema["$ref"].removeprefix("#/$defs/")]
    elif "anyOf" in schema:
        (inner,) = (option for option in schema["anyOf"] if option != {"type": "null"})
    else:
        return schema
    inner = _flat(inner, definitions)
    outer = {key: value for key, value in schema.items() if key not in {"$ref", "anyOf"}}
    if lost := inner.keys() & outer.keys() - {"title", "description"}:
        raise ValueError(f"{sorted(lost)} on a field and on its type: {schema}")
    return {**inner, **outer}
