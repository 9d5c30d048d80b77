"""The API server's time. The operator's own clock is not used for decisions, because it may be wrong and may jump."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime


class ServerClock:
    """The API server's time, estimated from the Date headers of its answers and a monotonic clock.

    The estimate is never early. It is late by the delay of an answer. While few answers have come it is up to a second
    later, because a Date header has no fractions of a second.

    Args:
        monotonic: Returns seconds that never go backward.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._offset: float | None = None
        """The server's Unix time minus the monotonic clock's seconds; None before the first answer."""
        self._last_date: str | None = None

    def observe_date(self, date: str | None) -> None:
        """Correct the estimate by the Date header of an answer that has just come. A malformed one is ignored."""
        if date == self._last_date:
            return  # only the first answer of a second improves the estimate
        self._last_date = date
        try:
            server_time = parsedate_to_datetime(date or "").timestamp()
        except ValueError:
            return
        least = server_time - self._monotonic()
        if (
            self._offset is None or self._offset > least + 1
        ):  # the first or a slow answer, or the server's clock was set
            self._offset = least
        self._offset = max(self._offset, least)

    def now(self) -> datetime:
        """Return the server's time; this machine's time before the first answer."""
        if self._offset is None:
            return datetime.now(UTC)
        return datetime.fromtimestamp(self._monotonic() + self._offset, UTC)
