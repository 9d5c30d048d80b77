"""What a check finds."""

from dataclasses import dataclass
from enum import Enum


class Level(Enum):
    """The severity of a finding."""

    GOOD = "good"
    WARNING = "warning"
    BAD = "bad"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Finding:
    """The result of a check, and what to do."""

    level: Level
    title: str
    mend: str = ""


def good(title: str) -> Finding:
    """Return a finding without a problem."""
    return Finding(Level.GOOD, title)


def bad(title: str, mend: str) -> Finding:
    """Return a finding with a problem, and how to solve it."""
    return Finding(Level.BAD, title, mend)


def unknown(what: str) -> Finding:
    """Return a finding that could not be checked, because the user may not read the fact."""
    return Finding(Level.UNKNOWN, f"{what}: not yours to see")
