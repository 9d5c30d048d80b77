"""`make e2e` where it can't run."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[3]


@pytest.mark.parametrize(
    ("environment", "reason"),
    [
        pytest.param({}, "there is no kind", id="no kind"),
        pytest.param({"KIND": sys.executable}, "there is no docker command", id="no docker"),
    ],
)
def test_it_says_so_and_skips(environment: dict[str, str], reason: str) -> None:
    bare = {**{key: value for key, value in os.environ.items() if key != "KIND"}, "PATH": "", **environment}
    command = [sys.executable, "-m", "tests.e2e"]
    result = subprocess.run(command, capture_output=True, text=True, check=True, env=bare, cwd=CHECKOUT)
    assert f"e2e skipped: {reason}" in result.stdout
