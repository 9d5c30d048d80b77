"""Schedules that broke something once, cut down to what matters, and what the contract accepts."""

import pytest

from tests.model.harness.schedule import play

REPLAYS = [
    pytest.param(["created asking", "A sees", "deleted", "A"], id="deleted before its run was pinned"),
    pytest.param(
        ["created asking", "A sees", "A", "deleted"],
        id="deleted before its run was pinned, and looked at again",
    ),
    pytest.param(
        [
            *["created asking", "B sees", "A sees"],
            *["A"] * 40,  # terminated and recorded
            *["deleted", "acme begins", "B"],
        ],
        id="a laggard acts on an object that was answered and deleted, and its ID reused",
    ),
    pytest.param(
        ["created asking", "A sees", "is reset", *["A"] * 40, "is reset", "asked", *["A"] * 40],
        id="a reset run is not the Execution's",
    ),
    pytest.param(
        ["created", "A sees", *["A"] * 10, "completes", "acme begins", "asked", "A sees", *["A"] * 40],
        id="a reused ID is not the Execution's",
    ),
    pytest.param(
        [
            *["alone", "A learns", "is killed", "rival begins", "created", "A sees", *["A"] * 10],
            *["continues", *["A"] * 10, "expires", "expires"],  # the second one is the first run of the chain
            *["mapped", "A learns", "asked", "A sees", *["A"] * 40],
        ],
        id="a pin that was made while no proof was asked for proves nothing once the first run has expired",
    ),
    pytest.param(
        ["created asking", "A sees", *["A"] * 7, "A is raced", *["A"] * 40],
        id="a chain that outruns the terminations is ended all the same",
    ),
]

ACCEPTED = ["created asking", "A sees", "A", "A is raced", *["A"] * 4, "is reset"]


@pytest.mark.parametrize("schedule", REPLAYS)
def test_former_violations_stay_fixed(schedule: list[str]) -> None:
    assert play(schedule, strict=True) is None


def test_the_accepted_violation_is_known() -> None:
    """A chain is named after three misses: a reset between the walk and that call is ended with it (design §3, 3)."""
    assert play(ACCEPTED) is None
    assert "terminated, pinned is" in (play(ACCEPTED, strict=True) or "")
