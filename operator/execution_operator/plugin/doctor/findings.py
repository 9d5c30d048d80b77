"""What a check finds."""

from dataclasses import dataclass
from enum import Enum


class Level(Enum):
    """How bad a finding is."""

    GOOD = "good"
    WARNING = "warning"
    BAD = "bad"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Finding:
    """What a check found, and what to do."""

    level: Level
    title: str
    mend: str = ""


def good(title: str) -> Finding:
    """Return that something is as it should be."""
    return Finding(Level.GOOD, title)


def bad(title: str, mend: str) -> Finding:
    """Return what must be mended, and how."""
    return Finding(Level.BAD, title, mend)


def unknown(what: str) -> Finding:
    """Return that the user may not see it."""
    return Finding(Level.UNKNOWN, f"{what}: not yours to see")
