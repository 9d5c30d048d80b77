"""A steady flow of terminations under random faults, for as long as asked; then a report of what was seen.

`python -m tests.faults.soak --minutes 10`: exit code 1 if anything was not as promised.
"""

import argparse
import logging
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from temporalio.runtime import LoggingConfig, Runtime, TelemetryConfig, TelemetryFilter

from tests.faults.chaos import Chaos
from tests.faults.judge import Judge
from tests.faults.lives import Users
from tests.faults.rig import Bystander, Rig
from tests.support.faults import Fault

RATE = 3.0
"""Stories begun in a second."""

WORKERS = 24
"""Stories under way at once."""

BACKLOG = 150
"""Requests without an answer at which users hold back: a machine that has other things to do sets the pace."""

LAST_WORDS = 120.0
"""Seconds after the end of the faults, by which everything must be settled."""


class Report(NamedTuple):
    """What was seen."""

    seed: int
    seconds: float
    settled_after: float
    wanted: int
    answers: Counter[str]
    requests: Counter[Fault]
    actions: Counter[str]
    violations: list[str]

    def __str__(self) -> str:
        faults = self.requests.total() + self.actions.total()
        return "\n".join(
            [
                f"soak of {self.seconds / 60:.1f} minutes, seed {self.seed}",
                f"Executions      {self.wanted}",
                *(f"  {count:6}  {answer}" for answer, count in self.answers.most_common()),
                f"terminations    {self.answers['Terminated']}",
                f"faults          {faults}",
                *(f"  {count:6}  request: {fault}" for fault, count in self.requests.most_common()),
                *(f"  {count:6}  {action}" for action, count in self.actions.most_common()),
                f"all settled {self.settled_after:.1f} s after the last fault",
                f"violations      {len(self.violations)}",
                *(f"  {violation}" for violation in self.violations),
            ]
        )


def soak(minutes: float, seed: int) -> Report:
    """Run the flow under faults, then wait for the rest without any."""
    dice = random.Random(seed)
    with Rig() as rig:
        bystander, users = Bystander(rig), Users(rig, random.Random(dice.random()))
        second = rig.new_operator("second")
        second.start()
        judge, chaos = Judge(rig, users), Chaos(rig, [rig.operator, second], random.Random(dice.random()))
        start = time.monotonic()
        with _stopping(chaos):
            broken = _flow(users, judge, start + 60 * minutes)
        calm = time.monotonic()
        while judge.unanswered() and time.monotonic() < calm + LAST_WORDS:
            time.sleep(0.2)
        settled = time.monotonic()
        judge.look()
        judge.sum_up()
        harm = [harm] if (harm := bystander.harm()) else []
        requests: Counter[Fault] = Counter()
        for (_, fault), count in rig.faults.done.items():
            requests[fault] += count
        violations = [*broken, *judge.violations, *chaos.violations, *harm]
        if violations:
            violations.append(f"what the operators said is in {_kept(rig)}")
    return Report(
        seed,
        calm - start,
        settled - calm,
        len(users.promises),
        judge.answers,
        requests,
        chaos.actions,
        violations,
    )


def _kept(rig: Rig) -> Path:
    """Keep the operators' logs, which would end with the servers."""
    folder = Path(tempfile.mkdtemp(prefix="execution-operator-soak-"))
    for log in rig.forge.folder.glob("*.log"):
        shutil.copy(log, folder)
    return folder


@contextmanager
def _stopping(chaos: Chaos) -> Iterator[None]:
    chaos.start()
    try:
        yield
    finally:
        chaos.stop()


def _flow(users: Users, judge: Judge, end: float) -> list[str]:
    """Begin stories at a steady rate and judge what is settled; return what went wrong with the users themselves."""
    stories: list[Future[None]] = []
    next_words = time.monotonic() + 30
    with ThreadPoolExecutor(WORKERS) as pool:
        start = time.monotonic()
        while (now := time.monotonic()) < end:
            due = int((now - start) * RATE)
            free = min(
                WORKERS - sum(not story.done() for story in stories[-4 * WORKERS :]), BACKLOG - len(judge.waiting)
            )
            if len(stories) < due and free > 0:
                stories += [
                    pool.submit(users.live, len(stories) + more) for more in range(min(due - len(stories), free))
                ]
            judge.look()
            if now > next_words:
                print(
                    f"{now - start:4.0f} s: {len(stories)} begun, {judge.answers}, {len(judge.violations)} violations"
                )
                next_words += 30
            time.sleep(0.3)
    return [f"a user gave up: {error!r}" for story in stories if (error := story.exception())]


def _hush() -> None:
    """Keep the workflows' worker from telling of each time that Temporal is away."""
    logging.getLogger("temporalio").setLevel(logging.CRITICAL)
    quiet = LoggingConfig(filter=TelemetryFilter(core_level="OFF", other_level="OFF"))
    Runtime.set_default(Runtime(telemetry=TelemetryConfig(logging=quiet)))


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    arguments = parser.parse_args()
    _hush()
    print(f"seed {arguments.seed}", flush=True)
    report = soak(arguments.minutes, arguments.seed)
    print(report, flush=True)
    sys.exit(bool(report.violations))


if __name__ == "__main__":
    main()
