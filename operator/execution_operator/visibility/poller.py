"""The feed: what closes in Temporal by itself, or by others, or is paused, is noticed and handed on as a hint.

One incremental query for each Temporal namespace, whatever the number of Executions, and one for pauses. A hint is no
authority: whoever gets it asks Temporal for the run itself. What closed while nobody looked is found by asking for the
open runs by name.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable
from collections.abc import Mapping as Map
from datetime import datetime

from execution_operator.api import Organization
from execution_operator.core.authorization.mapping import Mapping
from execution_operator.core.errors import TemporalError
from execution_operator.index.open_runs import OpenRuns, Reference
from execution_operator.runtime.backoff import POLL_BACKOFF
from execution_operator.runtime.rate_limit import RateLimiter
from execution_operator.telemetry.metrics import VISIBILITY_POLL_FAILURES, noticed
from execution_operator.visibility.backfill import OpenRunBackfill
from execution_operator.visibility.cursor import COUNT, ClosedRunCursor
from execution_operator.visibility.paused import PausedRunPoller
from execution_operator.visibility.ports import Tell, Visibility

logger = logging.getLogger(__name__)

Look = Callable[[set[str], Visibility], Awaitable[None]]

ClosedAt = dict[Reference, datetime | None]
"""Executions whose run seems to have closed, and when; None where that is not known."""

LOOK = 1.0
"""Seconds between two looks at a Temporal namespace."""

MANY, REST = 50, 1.5
"""Rows that a look read without anything to tell, and the seconds until the next look and count then. They closed by
the operator's own doing, or concern nobody, and each look at visibility costs the server.
"""

VISIBILITY_RATE = 5.0
"""Requests a second to the visibility of one Temporal address. Servers allow 10 and more, for all who ask."""


class NamespacePoller:
    """The feed of one Temporal namespace.

    Args:
        runs: The open Executions.
        tell: Called with those whose run seems to have closed, or to be paused or not any more.
        clock: Seconds that only go forward.
        busy: Tells by its UID whether an Execution is being worked on. Its hint waits until it is not: mostly the
            closing is the work's own doing, and nothing is left to tell then.
    """

    def __init__(
        self, runs: OpenRuns, tell: Tell, clock: Callable[[], float], busy: Callable[[str], bool] = lambda _: False
    ) -> None:
        self._runs = runs
        self._tell = tell
        self._clock = clock
        self._busy = busy
        self._recent = ClosedRunCursor(clock)
        self._roll = OpenRunBackfill(runs, clock, busy)
        self._untold: ClosedAt = {}
        self._told: ClosedAt = {}
        self._pauses = PausedRunPoller(runs, tell, clock)
        self._due = clock()

    async def look(self, organizations: set[str], closings: Visibility) -> None:
        """Look once, if it is time. What is told is not told again.

        Args:
            organizations: Whose workflows run there.
            closings: What has closed there, and what is paused.

        Raises:
            TemporalError: Temporal's visibility gave no answer.
        """
        if self._idle(organizations):
            self._recent = ClosedRunCursor(self._clock)  # what closes meanwhile concerns nobody
            self._roll.begin_anew()
            self._untold.clear()
            return
        if self._clock() < self._due:
            self._tell_of({})  # of those that were busy
            return
        ended = await self._recent.look(closings)
        if self._recent.cut:
            self._roll.begin_anew()
        if not self._tell_of(ended) and self._recent.read >= MANY:
            self._due = self._clock() + REST
        self._told = {one: at for one, at in self._told.items() if at and at >= self._recent.horizon}

    async def look_back(self, organizations: set[str], closings: Visibility) -> None:
        """Look for what visibility was late with, if it is time. Arguments and errors are those of `look`."""
        if not self._idle(organizations):
            pause = REST if self._clock() < self._due else COUNT
            self._tell_of(await self._recent.late(closings, pause))

    async def look_at_pauses(self, organizations: set[str], closings: Visibility) -> None:
        """Look for what was paused, and for what goes on, if it is time. Arguments and errors are those of `look`."""
        if not self._idle(organizations):
            await self._pauses.look(organizations, closings)

    async def call_the_roll(self, organizations: set[str], closings: Visibility) -> None:
        """Look for what closed before the first look, or was missed. Arguments and errors are those of `look`."""
        recent = self._recent
        for name in organizations:
            if self._idle(organizations) or self._recent is not recent or not recent.begun:
                return  # what closes between the call and the first look, nobody would see
            async for closed in self._roll.closed(name, closings):
                self._tell_of(dict.fromkeys(closed), again=True)

    def _idle(self, organizations: set[str]) -> bool:
        return not any(map(self._runs.has_open_runs, organizations))

    def _tell_of(self, ended: Map[str, datetime | None], *, again: bool = False) -> bool:
        """Tell of the Executions of these runs, unless it was done and need not be done again; return whether any."""
        hints = {reference: at for run_id, at in ended.items() for reference in self._runs.of_run(run_id)}
        self._untold = {now: at for one, at in self._untold.items() for now in self._present(one)}
        fresh = {one: at or self._untold.get(one) for one, at in hints.items() if again or one not in self._told}
        self._untold |= fresh
        if ready := {one: at for one, at in self._untold.items() if not self._busy(one.uid)}:
            self._tell(tuple(ready))
            noticed(at for at in ready.values() if at)
        self._told |= ready
        self._untold = {one: at for one, at in self._untold.items() if one not in ready}
        return bool(ready)

    def _present(self, reference: Reference) -> list[Reference]:
        """Return what stands for an Execution now, with another phase perhaps; nothing, if that run is not open."""
        return [one for one in self._runs.of_run(reference.run_id) if one.uid == reference.uid]


class VisibilityPoller:
    """A feed for each Temporal namespace that an Organization means, shared by those that mean the same.

    Args:
        mapping: The Organizations, and what the last look at their Temporal showed.
        closings: Gives what has closed in an Organization's Temporal namespace; None where it was not reached yet.
        runs: The open Executions.
        tell: See `NamespacePoller`.
        busy: See `NamespacePoller`.
    """

    def __init__(
        self,
        mapping: Mapping,
        closings: Callable[[Organization, Callable[[], Awaitable[None]]], Visibility | None],
        runs: OpenRuns,
        tell: Tell,
        busy: Callable[[str], bool] = lambda _: False,
    ) -> None:
        self._mapping = mapping
        self._closings = closings
        self._runs = runs
        self._tell = tell
        self._busy = busy
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._looked: dict[str, dict[Look, float]] = {}
        self._there: dict[str, list[Organization]] = {}
        self._pacers: defaultdict[str, RateLimiter] = defaultdict(lambda: RateLimiter(VISIBILITY_RATE))

    def age(self) -> float:
        """Return the seconds since the last look that succeeded, of the feed and the kind where that is longest ago."""
        now = asyncio.get_running_loop().time()
        return max((now - at for place in self._tasks for at in self._looked[place].values()), default=0.0)

    async def run(self) -> None:
        """Keep a feed going for each Temporal namespace, until cancelled."""
        try:
            while True:
                self._there = self._places()
                for place in self._tasks.keys() - self._there.keys():
                    self._tasks.pop(place).cancel()
                    del self._looked[place]
                for place in self._there.keys() - self._tasks.keys():
                    self._looked[place] = {}
                    self._tasks[place] = asyncio.create_task(self._follow(place))
                await asyncio.sleep(LOOK)
        finally:
            for task in self._tasks.values():
                task.cancel()

    def _places(self) -> dict[str, list[Organization]]:
        """Return the Organizations by Temporal's own id of their Temporal namespace."""
        places: defaultdict[str, list[Organization]] = defaultdict(list)
        for organization in self._mapping:
            probe = self._mapping.probe(organization.metadata.name)
            if probe is not None and probe.fault is None and probe.namespace_id:
                places[probe.namespace_id].append(organization)
        return places

    async def _follow(self, place: str) -> None:
        """Look in all ways, none of which waits for another: a roll call takes minutes where many are open."""
        feed = NamespacePoller(self._runs, self._tell, asyncio.get_running_loop().time, self._busy)
        looks: tuple[Look, ...] = (feed.look, feed.look_back, feed.look_at_pauses)
        self._looked[place] = dict.fromkeys(looks, asyncio.get_running_loop().time())
        await asyncio.gather(*(self._repeat(place, look) for look in (*looks, feed.call_the_roll)))

    async def _repeat(self, place: str, look: Look) -> None:
        """Look again and again, less often while looks fail."""
        failures = 0
        while True:
            try:
                await self._look(look, self._there[place])
                failures = 0
                if look in self._looked[place]:
                    self._looked[place][look] = asyncio.get_running_loop().time()
            except TemporalError as error:
                failures += 1
                VISIBILITY_POLL_FAILURES.inc()
                logger.warning("feed of Temporal namespace %s: %s", place, error)
            except Exception:
                failures += 1
                VISIBILITY_POLL_FAILURES.inc()
                logger.exception("feed of Temporal namespace %s broke", place)
            await asyncio.sleep(POLL_BACKOFF.delay(failures))

    async def _look(self, look: Look, organizations: list[Organization]) -> None:
        for organization in organizations:
            probe = self._mapping.probe(organization.metadata.name)
            turn = self._pacers[probe.address if probe else ""].acquire
            if closings := self._closings(organization, turn):
                await look({each.metadata.name for each in organizations}, closings)
                return
