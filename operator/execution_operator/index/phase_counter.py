"""How many objects there are of each kind, from a list and its watch. None is kept, so each has one kind for good."""

from collections import Counter


class PhaseCounter:
    """The count.

    Attributes:
        counts: Objects by kind, as of the last list and all that the watch has told since.
    """

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self._listed: Counter[str] = Counter()

    def begin(self) -> None:
        """Start a list: one before that broke off counts for nothing."""
        self._listed.clear()

    def end(self) -> None:
        """Believe the list, which is complete."""
        self.counts, self._listed = self._listed, Counter()

    def take(self, kind: str, event: str) -> None:
        """Take in one object by what is told of it: LISTED, ADDED, DELETED. MODIFIED changes nothing here."""
        match event:
            case "LISTED":
                self._listed[kind] += 1
            case "ADDED":
                self.counts[kind] += 1
            case "DELETED":
                self.counts[kind] -= 1
            case _:
                return
