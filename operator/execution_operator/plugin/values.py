"""Conversions of values: durations, ages and names."""

import hashlib
import re
from datetime import UTC, datetime

GROUP = "control-plane.kubiya.ai"
"""The API group of Executions."""

KINDS = ("execution", "executions", "ex", f"execution.{GROUP}", f"executions.{GROUP}")
UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|h|m|s)")
_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
_LONGEST_NAME = 63

LONGEST_GRACE = 86_400
"""Seconds."""


def duration(text: str) -> float:
    """Return the seconds of `30s`, `1h30m`, or a bare number."""
    if re.fullmatch(r"\d+(\.\d+)?", text):
        return float(text)
    if not re.fullmatch(rf"(?:{_PART.pattern})+", text):
        raise ValueError(f"{text!r} is no duration: write 30s, 5m or 1h30m")
    return sum(float(number) * UNITS[unit] for number, unit in _PART.findall(text))


def grace(text: str) -> int:
    """Return the whole seconds of a grace period. The maximum is one day."""
    seconds = duration(text)
    if not seconds.is_integer() or seconds > LONGEST_GRACE:
        raise ValueError(f"{text!r} is no grace period: whole seconds, and 24h at most")
    return int(seconds)


def bare(word: str) -> str:
    """Return the name of `NAME` or `execution/NAME`."""
    kind, slash, name = word.rpartition("/")
    if slash and kind not in KINDS:
        raise ValueError(f"{word!r}: this command is for Executions")
    if not _NAME.fullmatch(name):
        raise ValueError(f"{word!r} is no name of an Execution")
    return name


def age(timestamp: str | None, now: datetime | None = None) -> str:
    """Return the age of a time, as kubectl shows it."""
    if not timestamp:
        return ""
    seconds = int(((now or datetime.now(UTC)) - parsed(timestamp)).total_seconds())
    for limit, size, unit in ((120, 1, "s"), (7200, 60, "m"), (172800, 3600, "h")):
        if seconds < limit:
            return f"{max(seconds, 0) // size}{unit}"
    return f"{seconds // 86400}d"


def parsed(timestamp: str) -> datetime:
    """Return an RFC 3339 time. Temporal's times have nine digits after the second; Python takes six of them."""
    return datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", timestamp))


def object_name(identifier: str) -> str:
    """Return a name for the Execution of an identifier: the identifier, if it is a valid Kubernetes name."""
    plain = re.sub(r"[^a-z0-9]+", "-", identifier.lower()).strip("-")
    if plain == identifier and len(plain) <= _LONGEST_NAME:
        return plain
    digest = hashlib.sha256(identifier.encode()).hexdigest()[:8]
    stem = plain[: _LONGEST_NAME - len(digest) - 1].rstrip("-")
    return f"{stem}-{digest}" if stem else f"execution-{digest}"


def plural(count: int, noun: str = "execution") -> str:
    """Return `1 execution`, `2 executions`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
