"""Conditions and reasons, as the API reference explains them: what `core.reasons` says of each."""

import ast
import inspect
import itertools
from collections.abc import Iterator

from execution_operator.core import reasons
from execution_operator.core.reasons import Reason, Type


def vocabulary() -> str:
    """Return the sections on conditions and reasons."""
    return "\n".join(
        [
            "",
            "## Conditions",
            "",
            "As metav1.Condition, each with the `observedGeneration` that it was computed from.",
            "",
            *_table("Condition", explained(Type)),
            "",
            "## Reasons",
            "",
            "One vocabulary for conditions, Events and logs. The numbers are what the [REST call](rest.md) answers.",
            "",
            *_table("Reason", explained(Reason)),
            "",
        ]
    )


def explained(of: type[Reason | Type]) -> dict[str, str]:
    """Return the values of a vocabulary, each with the text that stands below it in the source."""
    (body,) = (
        node.body
        for node in ast.parse(inspect.getsource(reasons)).body
        if isinstance(node, ast.ClassDef) and node.name == of.__name__
    )
    return dict(_texts(body))


def _texts(body: list[ast.stmt]) -> Iterator[tuple[str, str]]:
    for statement, below in itertools.pairwise(body):
        match statement, below:
            case ast.Assign(value=ast.Constant(value=str(word))), ast.Expr(value=ast.Constant(value=str(text))):
                yield word, text
            case _:
                pass


def _table(head: str, rows: dict[str, str]) -> list[str]:
    return [f"| {head} | |", "|---|---|", *(f"| `{word}` | {' '.join(text.split())} |" for word, text in rows.items())]
