"""Open Executions whose status says something else of their authorization than the Organizations do now.

They are found in the index, with no call, whenever an Organization or what its Temporal shows has changed, and whenever
the index learns of one. Denied Executions of which nobody asks anything wait nowhere else, however many they are.
"""

from collections.abc import Iterable

from execution_operator.core.authorization.authorize import expected_denial
from execution_operator.core.authorization.mapping import Mapping
from execution_operator.index.open_runs import OpenRuns, Reference
from execution_operator.visibility.ports import Enqueue


class AuthorizationDrift:
    """The review.

    Args:
        runs: The open Executions.
        mapping: The Organizations.
        tell: Called with those that are to be looked at.
    """

    def __init__(self, runs: OpenRuns, mapping: Mapping, tell: Enqueue) -> None:
        self._runs = runs
        self._mapping = mapping
        self._tell = tell
        self._leading = False
        self._foreseen: dict[tuple[str, str], str | None] = {}
        """By namespace and recorded organization, until something changes."""

    def lead(self) -> None:
        """Review all, and from now on whatever changes."""
        self._leading = True
        self._review(self._runs)

    def remapped(self, namespaces: set[str]) -> None:
        """Review those in namespaces whose Organization, or what is known of it, has changed."""
        self._foreseen.clear()
        self._review(one for one in self._runs if one.namespace in namespaces)

    def noted(self, reference: Reference) -> None:
        """Review one that the index has learnt of."""
        self._review((reference,))

    def _review(self, references: Iterable[Reference]) -> None:
        if self._leading and (outdated := tuple(filter(self._outdated, references))):
            self._tell(outdated)

    def _outdated(self, one: Reference) -> bool:
        key = one.namespace, one.organization
        if key not in self._foreseen:
            self._foreseen[key] = expected_denial(*key, self._mapping)
        reason = self._foreseen[key]
        return reason is not None and reason != one.denial
