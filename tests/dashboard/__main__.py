"""`make dashboard [MINUTES=4]`: two operators under load, read by a real Prometheus, and their dashboard drawn."""

import argparse
import json
import random
import time
from pathlib import Path

from execution_operator.manifests.dashboard import MATCHERS
from tests.dashboard.draw import Span, svg
from tests.dashboard.life import Life
from tests.dashboard.prometheus import Line, Prometheus
from tests.support.operator import Operator
from tests.support.ports import free_port
from tests.support.stack import LocalStack

CHECKOUT = Path(__file__).parents[2]
PICTURE = CHECKOUT / "docs" / "dashboard.svg"
JOB = 'job="execution-operator"'


def main() -> None:
    """Record and draw."""
    parser = argparse.ArgumentParser(prog="make dashboard", description=__doc__)
    parser.add_argument("--minutes", type=float, default=4)
    seconds = 60 * parser.parse_args().minutes
    addresses = {name: f"127.0.0.1:{free_port()}" for name in ("operator-a", "operator-b")}
    with LocalStack() as stack:
        stack.operator.end()
        stack.organization("acme", "team-a")
        stack.namespace("nobodys")
        first, second = (operator(stack, *of) for of in zip(addresses.values(), (None, STANDING_BY), strict=True))
        with first, second, Prometheus(addresses) as prometheus:
            start = time.time()
            Life(stack, first, random.Random(6)).go_on(seconds)
            draw(prometheus, Span(start, time.time()))


STANDING_BY = "standing by for the lease"


def operator(stack: LocalStack, address: str, ready: str | None) -> Operator:
    """Return an operator that is one of two."""
    arguments = ("run", "--leader-elect", "--lease-duration=5", "--log-format=json", f"--http-address={address}")
    more = (ready,) if ready else ()
    return Operator(stack.control_plane, stack.temporal.address, arguments, *more)


def draw(prometheus: Prometheus, span: Span) -> None:
    """Draw what Prometheus has seen."""
    dashboard = json.loads((CHECKOUT / "deploy/monitoring/dashboard.json").read_text())

    def ask(expression: str) -> list[Line]:
        query = expression.replace(MATCHERS, JOB).replace("$__rate_interval", "20s")
        return prometheus.lines(query, span.start, span.end)

    PICTURE.write_text(svg(dashboard, ask, span))
    print(f"{PICTURE}: {PICTURE.stat().st_size / 1024:.0f} KiB")


if __name__ == "__main__":
    main()
