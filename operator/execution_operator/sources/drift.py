"""Finds open Executions whose status disagrees with the Organizations about their authorization.

They are found in the index of open runs, without a call, when an Organization or the state of its Temporal changes, and
when the index learns of an Execution. A denied Execution without a request is kept nowhere else, so any number of them
costs no memory in the queue.
"""

from collections.abc import Iterable

from execution_operator.core.authorization.authorize import expected_denial
from execution_operator.core.authorization.mapping import Mapping
from execution_operator.index.open_runs import OpenRuns, Reference
from execution_operator.visibility.ports import Enqueue


class AuthorizationDrift:
    """Compares the recorded with the expected authorization of open Executions. A standby compares nothing.

    Args:
        open_runs: The open Executions, with the denial that their status records.
        mapping: The Organizations.
        enqueue: Takes the Executions that must be reconciled.
    """

    def __init__(self, open_runs: OpenRuns, mapping: Mapping, enqueue: Enqueue) -> None:
        self._open_runs = open_runs
        self._mapping = mapping
        self._enqueue = enqueue
        self._leading = False
        self._expected: dict[tuple[str, str], str | None] = {}
        """Expected denial by namespace and recorded organization. A change of the mapping clears it."""

    def start_leading(self) -> None:
        """Compare all open Executions, and each change from now on."""
        self._leading = True
        self._compare(self._open_runs)

    def on_mapping_changed(self, namespaces: set[str]) -> None:
        """Compare the Executions of namespaces whose Organization changed, or the state of its Temporal."""
        self._expected.clear()
        self._compare(reference for reference in self._open_runs if reference.namespace in namespaces)

    def on_indexed(self, reference: Reference) -> None:
        """Compare an Execution that is new or changed in the index."""
        self._compare((reference,))

    def _compare(self, references: Iterable[Reference]) -> None:
        if self._leading and (drifted := tuple(filter(self._has_drifted, references))):
            self._enqueue(drifted)

    def _has_drifted(self, reference: Reference) -> bool:
        key = reference.namespace, reference.organization
        if key not in self._expected:
            self._expected[key] = expected_denial(*key, self._mapping)
        expected = self._expected[key]
        return expected is not None and expected != reference.denial
