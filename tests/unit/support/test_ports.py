"""Ports that test processes side by side are given."""

import functools
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import ports

CHECKOUT = Path(__file__).parents[3]
FEW = range(19990, 20000)
TAKE_FIVE = f"""
from tests.support import ports
ports.PORTS = {FEW}
print(*[ports.free_port() for _ in range(5)])
"""


def test_no_two_processes_are_given_the_same_port(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    monkeypatch.setattr(ports, "reservations_file", functools.cache(ports.reservations_file.__wrapped__))
    monkeypatch.setattr(ports, "PORTS", FEW)
    ours = {ports.free_port() for _ in range(5)}
    command = [sys.executable, "-c", TAKE_FIVE]
    theirs = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=True).stdout.split()
    assert len(ours | {int(port) for port in theirs}) == len(FEW)
