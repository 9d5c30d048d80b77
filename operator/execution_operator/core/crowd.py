"""How many requests are held in memory: those of a larger crowd wait in the API server, where sweeps find them."""

from collections import Counter
from collections.abc import Callable

HELD, FEW = 10_000, 100
"""Requests held at once where there is no end of them, some 25 KiB each; those of one namespace that are in any case."""


class Crowd:
    """The requests that are held, by namespace.

    Attributes:
        thinning: Called whenever one has gone, and half of the room is free.
    """

    def __init__(self) -> None:
        self._of: Counter[str] = Counter()
        self._held = 0
        self.thinning: Callable[[], None] = lambda: None

    def __len__(self) -> int:
        return self._held

    def enter(self, namespace: str) -> None:
        """Take in one more."""
        self._of[namespace] += 1
        self._held += 1

    def leave(self, namespace: str) -> None:
        """Let one go."""
        self._of[namespace] -= 1
        self._held -= 1
        if not self._of[namespace]:
            del self._of[namespace]
        if self.thinned:
            self.thinning()

    def full(self, namespace: str) -> bool:
        """Tell whether no more should be held of a namespace: all is full, and it has its part of it.

        A crowd that came first leaves those of other namespaces their part, so all is a few times that at the worst.
        """
        return self._held >= HELD and self._of[namespace] >= max(FEW, HELD // len(self._of))

    @property
    def thinned(self) -> bool:
        """Whether half of the room is free."""
        return self._held < HELD // 2
