"""Counts of objects by phase, from a list and the watch after it.

No object is remembered, so the phase of an object must never change. That holds for closed Executions.
"""

from collections import Counter


class PhaseCounter:
    """Counts objects by phase.

    Attributes:
        counts: Objects by phase, by the last complete list and all watch events since.
    """

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self._listed: Counter[str] = Counter()

    def begin_list(self) -> None:
        """Start to count a list. The counts of a list that was not completed are dropped."""
        self._listed.clear()

    def end_list(self) -> None:
        """Replace the counts by those of the list, which is complete."""
        self.counts, self._listed = self._listed, Counter()

    def count(self, phase: str, event: str) -> None:
        """Count one object.

        Args:
            phase: The object's phase.
            event: LISTED, ADDED or DELETED. MODIFIED changes no count.
        """
        match event:
            case "LISTED":
                self._listed[phase] += 1
            case "ADDED":
                self.counts[phase] += 1
            case "DELETED":
                self.counts[phase] -= 1
            case _:
                return
