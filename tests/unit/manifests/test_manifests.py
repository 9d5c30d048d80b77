"""The generated files: complete, described, and in step with what they are generated from."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import pytest
import yaml
from pydantic import BaseModel, Field

from execution_operator.manifests import policies, roles
from execution_operator.manifests.__main__ import CHECKOUT, main
from execution_operator.manifests.crds import KINDS, Kind, definition
from execution_operator.manifests.files import CHART, drift, generate, write
from execution_operator.manifests.schema import structural
from execution_operator.manifests.text import HEADER

Json = dict[str, Any]


def schema_of(kind: Kind) -> Json:
    schema: Json = definition(kind)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return schema


def fields(schema: Json, path: str = "") -> Iterator[tuple[str, Json]]:
    """Every field below a node, and every list's item."""
    for name, field in schema.get("properties", {}).items():
        yield f"{path}.{name}", field
        yield from fields(field, f"{path}.{name}")
    if "items" in schema:
        yield f"{path}[]", schema["items"]
        yield from fields(schema["items"], f"{path}[]")


every_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.plural)


@every_kind
def test_every_field_is_described(kind: Kind) -> None:
    bare = [path for path, field in fields(schema_of(kind)) if not field.get("description")]
    assert bare == [".metadata"]  # whose schema is the API server's own


@every_kind
def test_columns_and_selectors_name_fields_that_exist(kind: Kind) -> None:
    known = {path for path, _ in fields(schema_of(kind))} | {".metadata.creationTimestamp"}
    paths = [column.path.replace('[?(@.type=="Ready")]', "[]") for column in kind.columns]
    assert {*paths, *kind.selectable} <= known


@every_kind
def test_defaults_are_the_specs_and_the_status_of_what_nobody_has_seen(kind: Kind) -> None:
    assert {path for path, field in fields(schema_of(kind)) if "default" in field} == {
        "executions": {".spec.deletionPolicy", ".spec.terminate.gracePeriodSeconds", ".status"},
        "organizations": {".spec.workflowIdTemplates", ".status"},
    }[kind.plural]


class Inner(BaseModel):
    number: int = Field(default=1, ge=0)


class Outer(BaseModel):
    inner: Inner = Field(default=Inner(), description="As it is used here.")
    maybe: Inner | None = None
    text: str | None = Field(default=None, max_length=3)
    many: list[Inner] = []


def test_references_and_nulls_are_resolved() -> None:
    generated = Outer.model_json_schema()
    definitions = generated.pop("$defs")
    number = {"type": "object", "properties": {"number": {"type": "integer", "minimum": 0, "default": 1}}}
    assert structural(generated, definitions) == {
        "type": "object",
        "properties": {
            "inner": {"description": "As it is used here.", **number},
            "maybe": number,
            "text": {"type": "string", "maxLength": 3},
            "many": {"type": "array", "default": [], "items": number},
        },
    }


def test_what_has_no_structural_schema_is_refused() -> None:
    with pytest.raises(ValueError, match=r"no structural schema for \['exclusiveMinimum'\]"):
        structural({"type": "integer", "exclusiveMinimum": 0}, {})


def test_a_keyword_on_both_field_and_type_is_refused() -> None:
    class Twice(BaseModel):
        text: Annotated[str, Field(max_length=9)] | None = Field(default=None, json_schema_extra={"maxLength": 3})

    with pytest.raises(ValueError, match="on a field and on its type"):
        structural(Twice.model_json_schema(), {})


def test_the_checkout_is_up_to_date() -> None:
    assert drift(CHECKOUT) == []


def test_what_is_generated_reads_back_the_same() -> None:
    (read,) = yaml.safe_load_all(generate()["crds/executions.yaml"])
    assert read == definition(KINDS[0])


CHANGED, GONE, STALE = "crds/executions.yaml", "crds/organizations.yaml", "deploy/kustomize/old.yaml"


@pytest.fixture
def drifted(tmp_path: Path) -> Path:
    write(tmp_path)
    (tmp_path / CHANGED).write_text((tmp_path / CHANGED).read_text().replace("maxLength: 500", "maxLength: 5000"))
    (tmp_path / GONE).unlink()
    (tmp_path / STALE).write_text(f"{HEADER}kind: Gone\n")
    (tmp_path / "deploy/kustomize/kustomization.yaml").write_text("# written by hand\n")
    return tmp_path


def test_check_names_what_has_drifted_and_what_mends_it(drifted: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--check"], drifted) == 1
    assert capsys.readouterr().err.splitlines() == [
        f"{CHANGED}: differs",
        f"{GONE}: missing",
        f"{STALE}: no longer generated",
        "run `make manifests`",
    ]


def test_writing_mends_it_and_leaves_the_rest_alone(drifted: Path) -> None:
    assert main([], drifted) == 0
    assert main(["--check"], drifted) == 0
    assert not (drifted / STALE).exists()
    assert (drifted / "deploy/kustomize/kustomization.yaml").read_text() == "# written by hand\n"


def test_every_generated_file_is_installed() -> None:
    listed = {
        str((file.parent / resource).resolve().relative_to(CHECKOUT))
        for file in CHECKOUT.glob("**/kustomization.yaml")
        if ".venv" not in file.parts
        for resource in yaml.safe_load(file.read_text())["resources"]
    }
    elsewhere = (f"{CHART}/", "deploy/argocd/", "deploy/monitoring/", "docs/")
    files = {path for path in generate() if not path.startswith(elsewhere)}
    assert {path for path in files if not path.endswith("kustomization.yaml")} <= listed


@pytest.mark.parametrize(
    ("role", "aggregates_to"),
    [(roles.VIEWER, {"view"}), (roles.EDITOR, {"edit", "admin"}), (roles.TERMINATOR, {"edit", "admin"})],
    ids=["viewer", "editor", "terminator"],
)
def test_kubernetes_own_roles_include_ours(role: Json, aggregates_to: set[str]) -> None:
    assert role["metadata"]["labels"] == {
        f"rbac.authorization.k8s.io/aggregate-to-{of}": "true" for of in aggregates_to
    }


def test_no_role_has_a_wildcard() -> None:
    rules = [rule for role in [*roles.operator_access(), *roles.user_roles()] for rule in role.get("rules", [])]
    assert len(rules) == 10
    assert not [rule for rule in rules for values in rule.values() if "*" in values]


def test_policies_see_executions_and_never_their_status() -> None:
    all_of = [*policies.permission(), *policies.requester_guard(), *policies.advice(), *policies.requester_stamp()]
    matched = [of["spec"]["matchConstraints"]["resourceRules"] for of in all_of if "matchConstraints" in of["spec"]]
    assert [[rule["resources"] for rule in rules] for rules in matched] == [[["executions"]]] * 4
