"""The act under every interleaving that chance finds: two operators, crashes, lost replies, a world that moves.

`EXECUTION_OPERATOR_SCHEDULES=n` plays so many, `EXECUTION_OPERATOR_SEED=n` others. A violation is printed as a
schedule that is cut down to what matters, to paste into `test_replays.py`.
"""

import re

import pytest

from tests.model.broken import BROKEN, RARE
from tests.model.schedule import Schedule, explain, play, schedules, shrink

TEETH = 4000
"""How many schedules may pass until a broken variant is seen through."""


def test_what_may_never_be_never_is(count: int, seed: int) -> None:
    for number, schedule in enumerate(schedules(seed, count), start=seed):
        if play(schedule) is not None:
            pytest.fail(f"seed {number}: {explain(schedule)}", pytrace=False)


def test_a_seed_is_a_schedule() -> None:
    assert list(schedules(7, 2)) == list(schedules(7, 2))
    assert next(schedules(7, 1)) != next(schedules(8, 1))


@pytest.mark.parametrize("name", BROKEN)
def test_the_model_sees_through_a_broken_variant(name: str) -> None:
    variant, seen = BROKEN[name]

    def breaks(schedule: Schedule) -> bool:
        """Whether the variant breaks what the product keeps."""
        return re.search(seen, play(schedule, variant) or "") is not None and play(schedule) is None

    found = next((each for each in schedules(RARE.get(name, 0), TEETH) if breaks(each)), None)
    assert found is not None, "the model has no teeth"
    short = shrink(found, breaks)
    assert len(short) < len(found) / 3
    assert breaks(short)
