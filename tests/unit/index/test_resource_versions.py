"""Which versions are outdated."""

import pytest

from execution_operator.index import resource_versions as newest
from execution_operator.index.resource_versions import ResourceVersionTracker


def test_what_is_older_than_what_was_seen_is_outdated_whatever_came_last() -> None:
    seen = ResourceVersionTracker()
    seen.observe("a", 5)
    seen.observe("a", 4)
    assert [seen.is_outdated("a", version) for version in (4, 5, 6)] == [True, False, False]
    assert not seen.is_outdated("b", 0)


def test_those_that_were_seen_last_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(newest, "MAX_OBJECTS", 2)
    seen = ResourceVersionTracker()
    for uid in ("a", "b", "a", "c"):
        seen.observe(uid, 5)
    assert [seen.is_outdated(uid, 1) for uid in ("a", "b", "c")] == [True, False, True]
