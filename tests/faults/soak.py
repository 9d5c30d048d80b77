"""A steady load of terminations under random faults, followed by a report.

Usage: `python -m tests.faults.soak --minutes 10`. The exit code is 1 if there was any violation.
"""

import argparse
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from tests.faults.harness.cluster import FaultCluster, OtherOrganization
from tests.faults.harness.load import generate_load, silence_temporal_logs
from tests.faults.harness.random_faults import RandomFaults
from tests.faults.harness.users import Users
from tests.faults.harness.verifier import OutcomeVerifier
from tests.support.faults import Fault

STORIES_PER_SECOND = 3.0
"""Rate at which stories start."""

SETTLE_TIMEOUT_SECONDS = 120.0
"""Time after the last fault in which each request must get its outcome."""


class Report(NamedTuple):
    """The counts and violations of a run."""

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
    """Run the load under faults, then wait without faults until each request has its outcome."""
    random_source = random.Random(seed)
    with FaultCluster() as cluster:
        other_organization, users = OtherOrganization(cluster), Users(cluster, random.Random(random_source.random()))
        second = cluster.new_operator("second")
        second.start()
        verifier, random_faults = (
            OutcomeVerifier(cluster, users),
            RandomFaults(cluster, [cluster.operator, second], random.Random(random_source.random())),
        )
        start = time.monotonic()
        with _stopping(random_faults):
            broken = generate_load(users, verifier, STORIES_PER_SECOND, lambda: time.monotonic() > start + 60 * minutes)
        end_of_faults = time.monotonic()
        while verifier.unanswered() and time.monotonic() < end_of_faults + SETTLE_TIMEOUT_SECONDS:
            time.sleep(0.2)
        settled = time.monotonic()
        verifier.verify_settled()
        verifier.verify_end()
        changes = [changes] if (changes := other_organization.changes()) else []
        requests: Counter[Fault] = Counter()
        for (_, fault), count in cluster.faults.done.items():
            requests[fault] += count
        violations = [*broken, *verifier.violations, *random_faults.violations, *changes]
        if violations:
            violations.append(f"the operators' logs are in {_saved_logs(cluster)}")
    return Report(
        seed,
        end_of_faults - start,
        settled - end_of_faults,
        len(users.expectations),
        verifier.answers,
        requests,
        random_faults.actions,
        violations,
    )


def _saved_logs(cluster: FaultCluster) -> Path:
    """Copy the operators' logs, which are removed together with the servers."""
    folder = Path(tempfile.mkdtemp(prefix="execution-operator-soak-"))
    for log in cluster.fork_server.folder.glob("*.log"):
        shutil.copy(log, folder)
    return folder


@contextmanager
def _stopping(random_faults: RandomFaults) -> Iterator[None]:
    random_faults.start()
    try:
        yield
    finally:
        random_faults.stop()


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    arguments = parser.parse_args()
    silence_temporal_logs()
    print(f"seed {arguments.seed}", flush=True)
    report = soak(arguments.minutes, arguments.seed)
    print(report, flush=True)
    sys.exit(bool(report.violations))


if __name__ == "__main__":
    main()
