"""Random interleavings of two operators, crashes, lost replies, users and workflows.

The variable `EXECUTION_OPERATOR_SCHEDULES` sets the number of schedules, and `EXECUTION_OPERATOR_SEED` the first seed.
A violation is printed as a shortened schedule, to be pasted into `test_replays.py`.
"""

import re

import pytest

from tests.model.harness.broken_variants import BROKEN_VARIANTS, FIRST_SEED
from tests.model.harness.schedule import Schedule, explain, play, schedules, shrink

MAX_SCHEDULES = 4000
"""The number of schedules in which a broken variant must be detected."""


def test_no_schedule_violates_an_invariant(count: int, seed: int) -> None:
    for number, schedule in enumerate(schedules(seed, count), start=seed):
        if play(schedule) is not None:
            pytest.fail(f"seed {number}: {explain(schedule)}", pytrace=False)


def test_a_seed_is_a_schedule() -> None:
    assert list(schedules(7, 2)) == list(schedules(7, 2))
    assert next(schedules(7, 1)) != next(schedules(8, 1))


@pytest.mark.parametrize("name", BROKEN_VARIANTS)
def test_the_model_detects_a_broken_variant(name: str) -> None:
    variant, seen = BROKEN_VARIANTS[name]

    def breaks(schedule: Schedule) -> bool:
        """Return whether the variant violates an invariant that the product keeps under the same schedule."""
        return re.search(seen, play(schedule, variant) or "") is not None and play(schedule) is None

    found = next((each for each in schedules(FIRST_SEED.get(name, 0), MAX_SCHEDULES) if breaks(each)), None)
    assert found is not None, "the model does not detect this broken variant"
    short = shrink(found, breaks)
    assert len(short) < len(found) / 3
    assert breaks(short)
