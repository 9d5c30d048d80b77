"""From a resource's model to the structural OpenAPI v3 schema that a CustomResourceDefinition takes."""

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
"""What a structural schema takes over as it is, in the order in which it is written."""

CONVERTED = {"title", "items", "properties"}
"""What is dropped or converted. Any other keyword needs a decision first, so it is refused."""

TYPE_META = {
    "apiVersion": {"description": "Group and version of this resource.", "type": "string"},
    "kind": {"description": "Kind of this resource.", "type": "string"},
    "metadata": {"type": "object"},
}
"""The three fields of every resource, whose schema is the API server's own."""


UNSEEN = {"observedGeneration": 0}
"""The status of what nobody has seen. It is of no generation, so kstatus takes the object for one in progress."""


def openapi(model: type[BaseModel]) -> Schema:
    """Return the schema of a resource. Defaults are for its spec; its status says what was found."""
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
    """Convert one node and all below it."""
    flat = _flat(schema, definitions)
    if unknown := flat.keys() - CONVERTED - set(KEPT):
        raise ValueError(f"no structural schema for {sorted(unknown)} in {flat}")
    node = {key: flat[key] for key in KEPT if key in flat and not _implied(key, flat[key])}
    if "items" in flat:
        node["items"] = structural(flat["items"], definitions)
    if "properties" in flat:
        node["properties"] = {name: structural(of, definitions) for name, of in flat["properties"].items()}
    return node


def without_defaults(schema: Schema) -> Schema:
    """Drop the defaults of a node and of all below it."""
    node = {key: value for key, value in schema.items() if key != "default"}
    if "items" in node:
        node["items"] = without_defaults(node["items"])
    if "properties" in node:
        node["properties"] = {name: without_defaults(of) for name, of in node["properties"].items()}
    return node


def _implied(key: str, value: object) -> bool:
    """Tell the defaults that say nothing: of what is optional, and of objects, whose fields have their own."""
    return key == "default" and (value is None or isinstance(value, dict))


def _flat(schema: Schema, definitions: Schema) -> Schema:
    """Put what a node refers to in its place; `anyOf … null` is a field that is merely not required."""
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
