"""The API reference: every field, condition and reason, with what the API server holds it to."""

import re

import pytest

from execution_operator.core.reasons import Reason, Type
from execution_operator.manifests.crds import KINDS, Kind, definition
from execution_operator.manifests.reference import fields, reference
from execution_operator.manifests.vocabulary import descriptions
from tests.unit.manifests.test_manifests import schema_of

PAGE = reference()


def section(kind: Kind, part: str) -> str:
    return PAGE.partition(f"### {kind.model.__name__} {part}\n")[2].partition("\n##")[0]


every_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.plural)


@every_kind
@pytest.mark.parametrize("part", ["spec", "status"])
def test_every_field_has_a_row_with_its_meaning(kind: Kind, part: str) -> None:
    rows = [line for line in section(kind, part).splitlines() if line.startswith(("| `", "| **`"))]
    shown = [re.findall(r"`([^`]+)`", row)[0] for row in rows]
    assert shown == [path for path, _, _ in fields(schema_of(kind)["properties"][part])]
    assert all(not row.endswith("|  |") for row in rows)


@every_kind
def test_every_rule_is_told(kind: Kind) -> None:
    told = re.findall(r"'message': '([^']+)'|'message': \"([^\"]+)\"", str(definition(kind)))
    assert len(told) > 0
    assert [words for words in map("".join, told) if words not in PAGE] == []


@pytest.mark.parametrize(
    "row",
    [
        "| **`executionId`** | string | 1 to 255 characters; must not be blank; executionId is immutable: ",
        "| `terminate.gracePeriodSeconds` | integer | 0 to 86400 | `0` | ",
        "| `deletionPolicy` | one of | `Orphan`, `Terminate` | `Orphan` | ",
        "| `terminatedAt` | time |  |  | ",
        "| `conditions` | list of object by type |  |  | ",
        "| `workflowIdTemplates[]` | string | 1 to 255 characters; must contain {executionId} |  | ",
        "| **`namespaces`** | set of string | 1 to 4096 items |  | ",
    ],
)
def test_type_limits_default_and_immutability_are_told(row: str) -> None:
    assert f"\n{row}" in PAGE


def test_a_pipe_in_a_text_splits_no_cell() -> None:
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in section(KINDS[0], "spec").splitlines() if "`" in line} == {
        6
    }


@pytest.mark.parametrize("of", [Reason, Type])
def test_every_word_is_explained(of: type[Reason | Type]) -> None:
    assert [*descriptions(of)] == [*of]
    assert all(f"| `{word}` | {text.splitlines()[0]}" in PAGE for word, text in descriptions(of).items())
