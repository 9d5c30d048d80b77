"""Whether this operator can be relied on, and the gauges that say how it is: worked out when somebody asks."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from execution_operator.telemetry.metrics import LAST_EVENT_AGE

WATCH_SILENCE = 180.0
"""Seconds without a word from the API server after which an operator is not ready: a watch begins anew after 90."""

STREAM_SILENCE = 900.0
"""Likewise of the stream of requests, which asks for credentials every few minutes where nothing else happens."""

STANDSTILL = 60.0
"""Seconds for which its event loop may owe an answer."""


@dataclass(frozen=True)
class Check:
    """Something that shows from time to time that it is alive.

    Attributes:
        of: What it is, for people and as a label.
        silence: Seconds since it was heard of.
        limit: Seconds of silence after which it counts as dead.
    """

    of: str
    silence: Callable[[], float]
    limit: float

    def missing(self) -> str | None:
        """Return the complaint, if there is one."""
        silence = self.silence()
        return f"{self.of}: silent for {silence:.0f} s" if silence > self.limit else None


class Known(Protocol):
    """The Organizations."""

    @property
    def known(self) -> bool:
        """Whether all of them are known."""


class Watch(Protocol):
    """A watch of the API server."""

    listed: bool
    """Whether a list has been complete."""

    @property
    def silence(self) -> float:
        """Seconds since the API server was last heard of."""


class Stream(Protocol):
    """The stream of requests, which has a thread and a loop of its own."""

    @property
    def silence(self) -> float:
        """Seconds since it was heard of."""

    def standstill(self) -> float:
        """Return for how many seconds its loop has owed an answer."""


class HealthChecks:
    """What must be known, and what must show that it is alive.

    Args:
        organizations: Without them nothing is decided.
        watch: Theirs.
    """

    def __init__(self, organizations: Known, watch: Watch) -> None:
        self._needed: dict[str, Callable[[], bool]] = {"the Organizations are": lambda: organizations.known}
        self._signs = [Check("watch of Organizations", lambda: watch.silence, WATCH_SILENCE)]
        self._pulses: list[Check] = []

    def lead(self, opened: Sequence[Watch], closed: Sequence[Watch], stream: Stream) -> None:
        """Count on what only an operator has that works on Executions; one that stands by is ready for less.

        Of watches of several namespaces one will do: a namespace that can't be read must not stop the others.
        """
        self._needed["the open Executions are"] = lambda: any(watch.listed for watch in opened)
        self._signs += [
            Check("watch of open Executions", lambda: _silence(opened), WATCH_SILENCE),
            Check("watch of finished Executions", lambda: _silence(closed), WATCH_SILENCE),
            Check("stream of requests", lambda: stream.silence, STREAM_SILENCE),
        ]
        self._pulses = [Check("event loop of the stream of requests", stream.standstill, STANDSTILL)]

    def unready(self) -> str | None:
        """Say why this operator can't be relied on now, as a restart would not help; None where it can."""
        complaints = (f"{what} not known yet" for what, known in self._needed.items() if not known())
        return next(complaints, None) or _first(self._signs) or self.unhealthy()

    def unhealthy(self) -> str | None:
        """Say why this process should be started again; None where it should not."""
        return _first(self._pulses)

    def refresh(self) -> None:
        """Set the gauges of silence."""
        for sign in self._signs:
            LAST_EVENT_AGE.labels(sign.of).set(sign.silence())


def _silence(watches: Iterable[Watch]) -> float:
    return min(watch.silence for watch in watches)


def _first(signs: Iterable[Check]) -> str | None:
    return next((complaint for sign in signs if (complaint := sign.missing())), None)
