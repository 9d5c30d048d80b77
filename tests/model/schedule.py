"""Schedules: made of a seed, played, and cut down to what matters once one shows a violation."""

import random
from collections.abc import Callable, Iterator, Sequence

from tests.model.calm import rest
from tests.model.scene import SOUND, Variant, ViolationError
from tests.model.steps import STEPS
from tests.model.world import World

NAMES = tuple(STEPS)
WEIGHTS = tuple(weight for weight, _ in STEPS.values())
LENGTH = 90
"""How many steps a schedule has."""

Schedule = Sequence[str]


def schedules(seed: int, count: int) -> Iterator[list[str]]:
    """Yield as many schedules; each one's seed is the first's plus its number."""
    for number in range(seed, seed + count):
        chance = random.Random(number)
        yield ["created asking" if chance.random() < 0.5 else "created", *chance.choices(NAMES, WEIGHTS, k=LENGTH)]


def play(schedule: Schedule, variant: Variant = SOUND, *, strict: bool = False) -> str | None:
    """Play a schedule; return which invariant it broke, if it did."""
    world = World(variant, strict=strict)
    try:
        for name in schedule:
            STEPS[name][1](world)
        rest(world)
    except ViolationError as violation:
        return str(violation)
    finally:
        for operator in (world.a, world.b):
            if operator.task is not None:
                operator.task.close()
    return None


def shrink(schedule: Schedule, breaks: Callable[[Schedule], object]) -> list[str]:
    """Drop steps, in ever smaller pieces, as long as what is left still breaks something."""
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
