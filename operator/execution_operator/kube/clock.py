"""The time as the API server has it: the operator's own clock may be wrong, and may jump."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime


class ServerClock:
    """Follows the Date of the API server's answers, which has no fractions, by a clock that only goes forward.

    It is never early: late by the way of an answer, and by less than a second more while few have come.

    Args:
        steady: Seconds that only go forward.
    """

    def __init__(self, steady: Callable[[], float] = time.monotonic) -> None:
        self._steady = steady
        self._ahead: float | None = None
        """Unix time less the steady clock's seconds; None before the first answer."""
        self._heard: str | None = None

    def observe_date(self, date: str | None) -> None:
        """Take in the Date of an answer that has just come; one that is none is passed over."""
        if date == self._heard:
            return  # the first answer of a second tells the most
        self._heard = date
        try:
            told = parsedate_to_datetime(date or "").timestamp()
        except ValueError:
            return
        least = told - self._steady()
        if self._ahead is None or self._ahead > least + 1:  # the first, a slow one, or a clock that was set
            self._ahead = least
        self._ahead = max(self._ahead, least)

    def now(self) -> datetime:
        """Return the time; this machine's where no answer has told it yet."""
        if self._ahead is None:
            return datetime.now(UTC)
        return datetime.fromtimestamp(self._steady() + self._ahead, UTC)
