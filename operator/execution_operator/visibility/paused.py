"""Which open runs are paused and which go on again: what visibility has, held against the phases that are recorded.

Nothing in visibility tells when a run was paused, so there is no asking for the newest: the list of all that are paused
is gone through again and again, one page every few seconds, whatever the number of Executions. A difference is a
hint, and no authority: visibility is late at times, and a status may stay as it is for a reason of its own.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from math import inf

from execution_operator.api import Phase
from execution_operator.core.errors import TemporalError
from execution_operator.index.open_runs import OpenRuns, Reference
from execution_operator.visibility.ports import Tell, Visibility

PAGE_PAUSE = 5.0
"""Seconds between two pages: far below what the visibility of any server allows."""

AGAIN = 3600.0
"""Seconds after which a difference is told again that the telling did not settle."""

OFF = 600.0
"""Seconds until a server is asked again that refuses to answer: older ones do not know the status."""


@dataclass
class _Round:
    """One passage through the list: the next page, and of the pages before what concerns Executions."""

    token: bytes = b""
    paused: set[str] = field(default_factory=set)
    differing: set[Reference] = field(default_factory=set)


class PausedRunPoller:
    """The pauses in one Temporal namespace.

    Args:
        runs: The open Executions.
        tell: Called with those whose phase seems to have changed.
        clock: Seconds that only go forward.
    """

    def __init__(self, runs: OpenRuns, tell: Tell, clock: Callable[[], float]) -> None:
        self._runs = runs
        self._tell = tell
        self._clock = clock
        self._due = -inf
        self._round = _Round()
        self._told: dict[Reference, float] = {}

    async def look(self, organizations: set[str], closings: Visibility) -> None:
        """Ask for one page, if its time has come, and tell what differs, each difference once.

        Args:
            organizations: Whose workflows run there.
            closings: What is paused there.

        Raises:
            TemporalError: Temporal's visibility gave no answer.
        """
        if self._clock() < self._due:
            return
        try:
            run_ids, token = await closings.paused(self._round.token)
        except TemporalError as error:
            if not error.refused:
                raise
            self._round, self._due = _Round(), self._clock() + OFF
            return
        self._compare(run_ids)
        if not token:
            self._round.differing |= self._going_on(organizations)
        self._tell_once()
        self._round.token = token
        if not token:
            self._told = {one: at for one, at in self._told.items() if one in self._round.differing}
            self._round = _Round()
        self._due = self._clock() + PAGE_PAUSE

    def _compare(self, run_ids: set[str]) -> None:
        """Note the Executions whose run is paused, and those of them that are not."""
        known = [one for run_id in run_ids for one in self._runs.of_run(run_id)]
        self._round.paused |= {one.run_id for one in known}
        self._round.differing |= {one for one in known if one.phase == Phase.RUNNING}

    def _going_on(self, organizations: set[str]) -> set[Reference]:
        """Return the Executions that are paused, and whose run was on no page."""
        paused = (one for one in self._runs.paused() if one.organization in organizations)
        return {one for one in paused if one.run_id not in self._round.paused}

    def _tell_once(self) -> None:
        now = self._clock()
        if fresh := [one for one in self._round.differing if now >= self._told.get(one, -inf)]:
            self._tell(fresh)
            self._told |= dict.fromkeys(fresh, now + AGAIN)
