"""The result of a check."""

from dataclasses import dataclass
from enum import Enum


class Level(Enum):
    """The severity of a finding."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Finding:
    """The result of a check.

    Attributes:
        level: The severity.
        title: What was found.
        fix: What to do about it. Empty where there is nothing to do.
    """

    level: Level
    title: str
    fix: str = ""


def ok(title: str) -> Finding:
    """Return a finding that needs no action."""
    return Finding(Level.OK, title)


def warning(title: str, fix: str = "") -> Finding:
    """Return a finding that does not prevent terminations, and what to do about it."""
    return Finding(Level.WARNING, title, fix)


def problem(title: str, fix: str) -> Finding:
    """Return a finding that prevents terminations or makes them unsafe, and what to do about it."""
    return Finding(Level.PROBLEM, title, fix)


def unknown(subject: str) -> Finding:
    """Return the finding of a check whose facts the user may not read."""
    return Finding(Level.UNKNOWN, f"{subject}: you have no permission to read this")
