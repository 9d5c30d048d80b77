"""Schedules: lists of step names. They are generated from a seed, run, and shortened if they show a violation."""

import random
from collections.abc import Callable, Iterator, Sequence

from tests.model.harness.quiescence import check_quiescence
from tests.model.harness.simulation import Simulation
from tests.model.harness.state import SOUND, Variant, ViolationError
from tests.model.harness.steps import STEPS

NAMES = tuple(STEPS)
WEIGHTS = tuple(weight for weight, _ in STEPS.values())
SCHEDULE_LENGTH = 90
"""The number of steps in a schedule."""

Schedule = Sequence[str]


def schedules(seed: int, count: int) -> Iterator[list[str]]:
    """Yield `count` schedules. The seed of each is one more than the seed before."""
    for number in range(seed, seed + count):
        chance = random.Random(number)
        yield [
            "created asking" if chance.random() < 0.5 else "created",
            *chance.choices(NAMES, WEIGHTS, k=SCHEDULE_LENGTH),
        ]


def play(schedule: Schedule, variant: Variant = SOUND, *, strict: bool = False) -> str | None:
    """Run a schedule. Return the violation, or None."""
    simulation = Simulation(variant, strict=strict)
    try:
        for name in schedule:
            STEPS[name][1](simulation)
        check_quiescence(simulation)
    except ViolationError as violation:
        return str(violation)
    finally:
        for operator in (simulation.a, simulation.b):
            if operator.task is not None:
                operator.task.close()
    return None


def shrink(schedule: Schedule, breaks: Callable[[Schedule], object]) -> list[str]:
    """Remove steps, in smaller and smaller pieces, as long as the rest still shows the violation."""
    kept, piece = list(schedule), len(schedule) // 2
    while piece:
        at = 0
        while at < len(kept):
            fewer = kept[:at] + kept[at + piece :]
            if breaks(fewer):
                kept = fewer
            else:
                at += piece
        piece //= 2
    return kept


def explain(schedule: Schedule) -> str:
    """Return the shortest form of a schedule, as a test to paste into `test_replays.py`."""
    short = shrink(schedule, play)
    steps = "".join(f'        "{name}",\n' for name in short)
    return f"{play(short)}\n\n    # replays it:\n    pytest.param([\n{steps}    ], id=...),\n"
