"""The locks alone decide what is installed, so they must name all that is needed."""

import re
import tomllib
from collections.abc import Iterable, Iterator
from importlib.metadata import metadata, requires
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

CHECKOUT = Path(__file__).parents[3]
LOCKS = ["deploy/requirements.txt", "deploy/requirements-build.txt", "tests/requirements.txt"]
Pins = dict[str, Requirement]


def pins(lock: str) -> Pins:
    """Return what the lock installs here, by name."""
    lines = re.findall(r"^([a-z0-9].*?) *\\?$", (CHECKOUT / lock).read_text(), re.MULTILINE)
    pinned = [Requirement(line) for line in lines]
    return {canonicalize_name(pin.name): pin for pin in pinned if applies(pin)}


def applies(requirement: Requirement, extra: str = "") -> bool:
    return requirement.marker is None or requirement.marker.evaluate({"extra": extra})


def needs(name: str, extras: Iterable[str]) -> Iterator[Requirement]:
    """Yield what a package asks for here, with these extras."""
    for requirement in map(Requirement, requires(name) or ()):
        if any(applies(requirement, extra) for extra in ("", *extras)):
            yield requirement


def unmet(pinned: Pins, asked: Iterable[Requirement]) -> Iterator[str]:
    """Name what these ask for, directly or through others, and the pins do not give."""
    seen, left = set[str](), list(asked)
    while left:
        requirement = left.pop()
        if str(requirement) in seen:
            continue
        seen.add(str(requirement))
        pin = pinned.get(canonicalize_name(requirement.name))
        if pin is None or not requirement.specifier.contains(str(pin.specifier).removeprefix("=="), prereleases=True):
            yield f"{requirement}, and the lock has {pin}"
        else:
            left += needs(requirement.name, requirement.extras)


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_is_complete(lock: str) -> None:
    pinned = pins(lock)
    assert pinned
    assert list(unmet(pinned, pinned.values())) == []


def test_the_tests_have_all_that_the_project_asks_for() -> None:
    groups: dict[str, list[Any]] = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["dependency-groups"]
    asked = [Requirement(line) for group in groups.values() for line in group if isinstance(line, str)]
    asked += needs("execution-operator", metadata("execution-operator").get_all("Provides-Extra") or ())
    assert list(unmet(pins("tests/requirements.txt"), asked)) == []


@pytest.mark.parametrize("file", ["Makefile", "deploy/Dockerfile"])
def test_nothing_is_resolved_beside_a_lock(file: str) -> None:
    options = re.findall(r"--require-hashes(.*?)--requirement", (CHECKOUT / file).read_text(), re.DOTALL)
    assert options
    assert all("--no-deps" in of for of in options)
