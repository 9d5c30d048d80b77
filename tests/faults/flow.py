"""Stories at a steady rate, judged as they are settled."""

import logging
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from temporalio.runtime import LoggingConfig, Runtime, TelemetryConfig, TelemetryFilter

from tests.faults.judge import Judge
from tests.faults.lives import Users

WORKERS = 24
"""Stories under way at once."""

BACKLOG = 150
"""Requests without an answer at which users hold back: a machine that has other things to do sets the pace."""


def flow(
    users: Users, judge: Judge, rate: float, ended: Callable[[], bool], say: Callable[[str], object] = print
) -> list[str]:
    """Begin so many stories a second until it is to end; return what went wrong with the users themselves."""
    stories: list[Future[None]] = []
    next_words = time.monotonic() + 30
    with ThreadPoolExecutor(WORKERS) as pool:
        start = time.monotonic()
        while not ended():
            now = time.monotonic()
            due = int((now - start) * rate)
            busy = sum(not story.done() for story in stories[-4 * WORKERS :])
            free = min(WORKERS - busy, BACKLOG - len(judge.waiting))
            if len(stories) < due and free > 0:
                stories += [
                    pool.submit(users.live, len(stories) + more) for more in range(min(due - len(stories), free))
                ]
            judge.look()
            if now > next_words:
                say(f"{now - start:4.0f} s: {len(stories)} begun, {judge.answers}, {len(judge.violations)} violations")
                next_words += 30
            time.sleep(0.3)
    return [f"a user gave up: {error!r}" for story in stories if (error := story.exception())]


def hush() -> None:
    """Keep the worker from telling of each time that Temporal is away, or that a workflow has ended under it."""
    logging.getLogger("temporalio").setLevel(logging.CRITICAL)
    quiet = LoggingConfig(filter=TelemetryFilter(core_level="OFF", other_level="OFF"))
    Runtime.set_default(Runtime(telemetry=TelemetryConfig(logging=quiet)))
