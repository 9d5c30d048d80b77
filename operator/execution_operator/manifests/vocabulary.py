"""The sections of the API reference on conditions and reasons. Their texts are the docstrings in `core.reasons`."""

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
            "Each is a metav1.Condition. Its `observedGeneration` is the generation from which it was computed.",
            "",
            *_table("Condition", descriptions(Type)),
            "",
            "## Reasons",
            "",
            "Conditions, Events and logs use the same reasons. A number is the answer of the [REST call](rest.md).",
            "",
            *_table("Reason", descriptions(Reason)),
            "",
        ]
    )


def descriptions(enumeration: type[Reason | Type]) -> dict[str, str]:
    """Return the values of an enumeration, each with the docstring below it in the source."""
    (body,) = (
        node.body
        for node in ast.parse(inspect.getsource(reasons)).body
        if isinstance(node, ast.ClassDef) and node.name == enumeration.__name__
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
