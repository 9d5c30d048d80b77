"""`make e2e`. Without a Docker engine or kind, it prints that it is skipped, with exit code 0."""

import argparse
import random
import signal
import subprocess
import sys

from tests.demo.scenario import Scenario
from tests.demo.screen import Screen
from tests.e2e import rest
from tests.e2e.disruptions import Disruptions
from tests.e2e.kind import NoKindError, find_kind
from tests.e2e.kind_stack import Images, KindStack
from tests.e2e.load import Load
from tests.e2e.rotation import Rotation
from tests.faults.harness.load import silence_temporal_logs
from tests.support.image import NoEngineError

MIN_TERMINATIONS = 100
"""The number of terminations that the load must reach."""


def main() -> int:
    """Run the test. Return 0 only if each check passed, or if the test is skipped."""
    parser = argparse.ArgumentParser(prog="make e2e", description=__doc__)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6), help="of the load's dice")
    seed = parser.parse_args().seed
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    silence_temporal_logs()
    screen = Screen()
    try:
        kind = find_kind()
        screen.title("building the images")
        images = Images.built()
    except (NoEngineError, NoKindError) as reason:
        print(f"e2e skipped: {reason}")
        return 0
    with KindStack(kind, images, screen) as stack:
        try:
            _run(stack, screen, seed)
        except Exception:
            _explain(stack)
            raise
        if screen.broken:
            _explain(stack)
    return screen.verdict()


def _run(stack: KindStack, screen: Screen, seed: int) -> None:
    scenario = Scenario(stack, screen)
    scenario.prepare()
    scenario.main_job()
    scenario.refusals()
    scenario.speed()
    scenario.result()
    rest.call(stack, screen)
    screen.title(f"from here on, users make requests at a steady rate (seed {seed})")
    with Load(stack, seed) as load:
        disruptions = Disruptions(stack, load, screen)
        disruptions.upgrade()
        disruptions.kill()
        disruptions.drain()
        Rotation(stack, screen).rotate()
    _verify(stack, load, screen)


def _verify(stack: KindStack, load: Load, screen: Screen) -> None:
    """Verify all requests against Temporal's histories."""
    screen.title("all requests, compared with Temporal's histories")
    violations = load.violations()
    answers = load.answers
    for answer, count in answers.items():
        screen.say(f"{count:4}  {answer}")
    terminated = answers.get("Terminated", 0)
    screen.promise(f"at least {MIN_TERMINATIONS} terminations", kept=terminated >= MIN_TERMINATIONS, found=terminated)
    screen.promise(
        "no request lost, no run terminated twice, no wrong status, no other run terminated",
        kept=not violations,
        found=violations,
    )
    restarts = stack.operators.restarts()
    errors = stack.operators.errors()
    screen.promise("no operator logged an error", kept=not errors, found=errors[:3])
    screen.promise("no operator's container was restarted", kept=restarts == 0, found=restarts)


def _explain(stack: KindStack) -> None:
    """Print the pods' state and logs before the cluster is deleted."""
    for command in (
        ("get", "pods", "--all-namespaces", "--output=wide"),
        ("logs", f"--namespace={stack.chart.namespace}", "--all-pods", f"deployment/{stack.chart.name}", "--tail=40"),
        ("get", "events", "--all-namespaces", "--sort-by=.metadata.creationTimestamp"),
    ):
        shown: subprocess.CompletedProcess[str] = stack.control_plane.kubectl(*command, check=False)
        print("\n".join((shown.stdout + shown.stderr).splitlines()[-120:]), file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
