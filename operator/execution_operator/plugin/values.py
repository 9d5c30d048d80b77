"""Conversions of values: durations, ages, timestamps and names."""

import hashlib
import re
from datetime import UTC, datetime

GROUP = "control-plane.kubiya.ai"
"""The API group of Executions."""

KINDS = ("execution", "executions", "ex", f"execution.{GROUP}", f"executions.{GROUP}")
"""The words that may stand before the slash of `execution/NAME`."""

UNIT_SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
"""The seconds of each unit of a duration."""

MAX_GRACE_SECONDS = 86_400
"""The longest grace period: one day."""

MAX_OBJECT_NAME_LENGTH = 63
"""The most characters of a name that the plugin gives to an Execution."""

AGE_UNITS = ((120, 1, "s"), (7200, 60, "m"), (172_800, 3600, "h"))
"""The units of ages: ages below the first number of seconds are shown in the unit that has the second."""

SECONDS_PER_DAY = 86_400
"""The seconds of the unit of longer ages."""

_DURATION_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|h|m|s)")
_OBJECT_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")


def duration(text: str) -> float:
    """Return the seconds of `30s`, `1h30m` or a number of seconds without a unit.

    Raises:
        ValueError: The text is not a duration.
    """
    if re.fullmatch(r"\d+(\.\d+)?", text):
        return float(text)
    if not re.fullmatch(rf"(?:{_DURATION_PART.pattern})+", text):
        raise ValueError(f"{text!r} is not a duration: write 30s, 5m or 1h30m")
    return sum(float(number) * UNIT_SECONDS[unit] for number, unit in _DURATION_PART.findall(text))


def grace(text: str) -> int:
    """Return the seconds of a grace period.

    Raises:
        ValueError: The text is not a duration of whole seconds, or the duration is over a day.
    """
    seconds = duration(text)
    if not seconds.is_integer() or seconds > MAX_GRACE_SECONDS:
        raise ValueError(f"{text!r} is not a grace period: write whole seconds, 24h at most")
    return int(seconds)


def execution_name(word: str) -> str:
    """Return the name in `NAME` or `execution/NAME`.

    Raises:
        ValueError: The word names another kind of object, or the name is not valid.
    """
    kind, slash, name = word.rpartition("/")
    if slash and kind not in KINDS:
        raise ValueError(f"{word!r} is not an Execution: write NAME or execution/NAME")
    if not _OBJECT_NAME.fullmatch(name):
        raise ValueError(f"{word!r} is not a valid name: write lowercase letters, digits, '-' and '.'")
    return name


def age(timestamp: str | None, now: datetime | None = None) -> str:
    """Return how long ago a time was, as kubectl shows it: `59s`, `2m`, `3h` or `4d`."""
    if not timestamp:
        return ""
    seconds = int(((now or datetime.now(UTC)) - parsed(timestamp)).total_seconds())
    for limit, size, unit in AGE_UNITS:
        if seconds < limit:
            return f"{max(seconds, 0) // size}{unit}"
    return f"{seconds // SECONDS_PER_DAY}d"


def parsed(timestamp: str) -> datetime:
    """Return an RFC 3339 time. Temporal writes nine digits of a second; Python reads six, so the rest is cut off."""
    return datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", timestamp))


def object_name(identifier: str) -> str:
    """Return a name for the Execution of an execution ID.

    The name is the execution ID where that is a valid name. Otherwise it is the valid part of it and a hash.
    """
    plain = re.sub(r"[^a-z0-9]+", "-", identifier.lower()).strip("-")
    if plain == identifier and len(plain) <= MAX_OBJECT_NAME_LENGTH:
        return plain
    digest = hashlib.sha256(identifier.encode()).hexdigest()[:8]
    stem = plain[: MAX_OBJECT_NAME_LENGTH - len(digest) - 1].rstrip("-")
    return f"{stem}-{digest}" if stem else f"execution-{digest}"


def plural(count: int, noun: str = "execution") -> str:
    """Return a count with its noun: `1 execution`, `2 executions`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
