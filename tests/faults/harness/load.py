"""User stories at a steady rate. Their outcomes are verified as soon as they are recorded."""

import logging
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from temporalio.runtime import LoggingConfig, Runtime, TelemetryConfig, TelemetryFilter

from tests.faults.harness.users import Users
from tests.faults.harness.verifier import OutcomeVerifier

REPORT_INTERVAL_SECONDS = 30
"""Time between two lines of progress."""

WORKERS = 24
"""Stories that run at the same time."""

BACKLOG = 150
"""Pending requests at which no new story starts, so that a busy machine can keep up."""


def generate_load(
    users: Users,
    verifier: OutcomeVerifier,
    rate: float,
    ended: Callable[[], bool],
    say: Callable[[str], object] = print,
) -> list[str]:
    """Start `rate` stories a second until `ended` returns true.

    Returns:
        The errors of stories that could not make their request.
    """
    stories: list[Future[None]] = []
    next_report = time.monotonic() + REPORT_INTERVAL_SECONDS
    with ThreadPoolExecutor(WORKERS) as pool:
        start = time.monotonic()
        while not ended():
            now = time.monotonic()
            due = int((now - start) * rate)
            busy = sum(not story.done() for story in stories[-4 * WORKERS :])
            free = min(WORKERS - busy, BACKLOG - len(verifier.pending))
            if len(stories) < due and free > 0:
                stories += [
                    pool.submit(users.run_story, len(stories) + more) for more in range(min(due - len(stories), free))
                ]
            verifier.verify_settled()
            if now > next_report:
                counts = f"{len(stories)} started, {verifier.answers}, {len(verifier.violations)} violations"
                say(f"{now - start:4.0f} s: {counts}")
                next_report += REPORT_INTERVAL_SECONDS
            time.sleep(0.3)
    return [f"a story failed: {error!r}" for story in stories if (error := story.exception())]


def silence_temporal_logs() -> None:
    """Silence the worker's log lines about an unreachable Temporal and about workflows that ended during a task."""
    logging.getLogger("temporalio").setLevel(logging.CRITICAL)
    quiet = LoggingConfig(filter=TelemetryFilter(core_level="OFF", other_level="OFF"))
    Runtime.set_default(Runtime(telemetry=TelemetryConfig(logging=quiet)))
