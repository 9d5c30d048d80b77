"""Waiting for a condition with a deadline, in place of sleeps."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def wait_for(check: Callable[[], T | None], what: str, seconds: float = 30.0, interval: float = 0.05) -> T:
    """Return the first truthy answer of the check; raise TimeoutError, naming what was awaited, at the deadline."""
    deadline = time.monotonic() + seconds
    while not (answer := check()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {seconds:g} s for {what}")
        time.sleep(interval)
    return answer
