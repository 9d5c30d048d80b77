"""The feed: what closes in Temporal by itself, or by others, or is paused, is noticed and handed on as a hint.

One incremental query for each Temporal namespace, whatever the number of Executions, and one for pauses. A hint is no
authority: whoever gets it asks Temporal for the run itself. Visibility is late at times and out of order, so each look
overlaps the one before, and some by much; what closed while nobody looked is found by asking for the open runs by name.
"""

import asyncio
import logging
import random
from collections import defaultdict
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

from execution_operator.api import Organization
from execution_operator.core.errors import RecordError, TemporalError
from execution_operator.core.mapping import Mapping
from execution_operator.core.openruns import OpenRuns, Reference
from execution_operator.metrics import FEED_FAILURES, noticed
from execution_operator.pacer import Pacer, backoff
from execution_operator.pauses import Pauses
from execution_operator.ports import Closings, Tell

logger = logging.getLogger(__name__)

LOOK, LONGEST_PAUSE = 1.0, 30.0
"""Seconds between two looks at a Temporal namespace, and at most after one that failed; jittered."""

OVERLAP, LONG_OVERLAP = timedelta(seconds=10), timedelta(minutes=10)
"""How far a look goes back behind the newest closing that is known, and how far every now and then."""

LONG_LOOK = 60.0
"""Seconds between two looks that go back far."""

ROLL_CALL, NAMES = 3600.0, 100
"""Seconds between two questions for all open runs by name, and the names in one request."""

VISIBILITY_RATE = 5.0
"""Requests a second to the visibility of one Temporal address. Servers allow 10 and more, for all who ask."""

EPOCH = datetime.fromtimestamp(0, UTC)


class Feed:
    """The feed of one Temporal namespace.

    Args:
        runs: The open Executions.
        tell: Called with those whose run seems to have closed, or to be paused or not any more.
        clock: Seconds that only go forward.
    """

    def __init__(self, runs: OpenRuns, tell: Tell, clock: Callable[[], float]) -> None:
        self._runs = runs
        self._tell = tell
        self._clock = clock
        self._newest: datetime | None = None
        self._long_look = self._clock() + LONG_LOOK
        self._called: dict[str, float] = {}
        self._told: dict[Reference, datetime] = {}
        self._pauses = Pauses(runs, tell, clock)

    async def look(self, organizations: set[str], closings: Closings) -> None:
        """Look once. What is told is not told again, unless telling it failed.

        Args:
            organizations: Whose workflows run there.
            closings: What has closed there, and what is paused.

        Raises:
            TemporalError: Temporal's visibility gave no answer.
            RecordError: A hint could not be handed on.
        """
        if not any(map(self._runs.has, organizations)):
            return
        if self._newest is None:
            self._newest = await closings.newest() or EPOCH
        await self._look_back(closings, self._newest)
        await self._pauses.look(organizations, closings)
        for name in organizations:
            if self._clock() >= self._called.get(name, 0.0):
                await self._call_the_roll(name, closings)
                self._called[name] = self._clock() + ROLL_CALL

    async def _look_back(self, closings: Closings, newest: datetime) -> None:
        far = self._clock() >= self._long_look
        since = newest - min(LONG_OVERLAP if far else OVERLAP, newest - EPOCH)
        hints: dict[Reference, datetime] = {}
        async for ended in closings.since(since):
            newest = max(newest, ended.at)
            hints |= dict.fromkeys(self._runs.of_run(ended.run_id), ended.at)
        fresh = hints.keys() - self._told.keys()
        if fresh:
            await self._tell(tuple(fresh))
            noticed(hints[reference] for reference in fresh)
        self._newest = newest
        self._told |= hints
        if far:
            self._long_look = self._clock() + LONG_LOOK
            self._told = {reference: at for reference, at in self._told.items() if at >= newest - LONG_OVERLAP}

    async def _call_the_roll(self, organization: str, closings: Closings) -> None:
        """Ask for all open runs of an organization by name: what closed before the first look, or was missed."""
        references = self._runs.of_organization(organization)
        for start in range(0, len(references), NAMES):
            page = references[start : start + NAMES]
            closed = await closings.among([reference.run_id for reference in page])
            if missed := [reference for reference in page if reference.run_id in closed]:
                await self._tell(missed)


class Feeds:
    """A feed for each Temporal namespace that an Organization means, shared by those that mean the same.

    Args:
        mapping: The Organizations, and what the last look at their Temporal showed.
        closings: Gives what has closed in an Organization's Temporal namespace; None where it was not reached yet.
        runs: The open Executions.
        tell: See `Feed`.
    """

    def __init__(
        self,
        mapping: Mapping,
        closings: Callable[[Organization, Callable[[], Awaitable[None]]], Closings | None],
        runs: OpenRuns,
        tell: Tell,
    ) -> None:
        self._mapping = mapping
        self._closings = closings
        self._runs = runs
        self._tell = tell
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._looked: dict[str, float] = {}
        self._there: dict[str, list[Organization]] = {}
        self._pacers: defaultdict[str, Pacer] = defaultdict(lambda: Pacer(VISIBILITY_RATE))

    def age(self) -> float:
        """Return the seconds since the last look that succeeded, of the feed where that is longest ago."""
        now = asyncio.get_running_loop().time()
        return max((now - self._looked.get(place, now) for place in self._tasks), default=0.0)

    async def run(self) -> None:
        """Keep a feed going for each Temporal namespace, until cancelled."""
        try:
            while True:
                self._there = self._places()
                for place in self._tasks.keys() - self._there.keys():
                    self._tasks.pop(place).cancel()
                for place in self._there.keys() - self._tasks.keys():
                    self._looked[place] = asyncio.get_running_loop().time()
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
        """Look again and again, less often while looks fail."""
        feed, failures = Feed(self._runs, self._tell, asyncio.get_running_loop().time), 0
        while True:
            try:
                await self._look(feed, self._there[place])
                self._looked[place], failures = asyncio.get_running_loop().time(), 0
            except (TemporalError, RecordError) as error:
                failures += 1
                FEED_FAILURES.inc()
                logger.warning("feed of Temporal namespace %s: %s", place, error)
            except Exception:
                failures += 1
                FEED_FAILURES.inc()
                logger.exception("feed of Temporal namespace %s broke", place)
            await asyncio.sleep(backoff(LOOK, failures, LONGEST_PAUSE) * random.uniform(0.8, 1.2))  # noqa: S311

    async def _look(self, feed: Feed, organizations: list[Organization]) -> None:
        for organization in organizations:
            probe = self._mapping.probe(organization.metadata.name)
            turn = self._pacers[probe.address if probe else ""].turn
            if closings := self._closings(organization, turn):
                await feed.look({each.metadata.name for each in organizations}, closings)
                return
