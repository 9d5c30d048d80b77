"""What an item knows of its object after updates and reads."""

import pytest

from execution_operator.workqueue.item import Item, Snapshot
from tests.support.builders import execution

OLDER, SAME, NEWER = execution(version=1), execution(version=2), execution(version=3)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (Snapshot.CURRENT, Snapshot.DELETED),
        (Snapshot.TOMBSTONE, Snapshot.DELETED),
        (Snapshot.DELETED, Snapshot.DELETED),
        (Snapshot.STALE, Snapshot.LOST),
    ],
)
def test_a_read_that_finds_nothing(before: Snapshot, after: Snapshot) -> None:
    item = Item(SAME, before)
    item.record_read(None)
    assert (item.snapshot, item.execution) == (after, SAME)


@pytest.mark.parametrize("before", [Snapshot.STALE, Snapshot.TOMBSTONE])
def test_a_read_that_is_older_leaves_an_untrusted_state_to_be_read_again(before: Snapshot) -> None:
    item = Item(SAME, before)
    item.record_read(OLDER)
    assert (item.snapshot, item.needs_reread, item.execution) == (before, True, SAME)
    item.record_read(NEWER)
    assert (item.snapshot, item.needs_reread, item.execution) == (Snapshot.CURRENT, False, NEWER)


def test_a_deleted_object_stays_deleted_when_a_watch_brings_another_state() -> None:
    item = Item(OLDER, Snapshot.DELETED)
    item.update(SAME)
    assert (item.snapshot, item.execution, item.needs_reread) == (Snapshot.DELETED, SAME, False)
    item.update(NEWER, Snapshot.TOMBSTONE)
    assert (item.snapshot, item.needs_reread) == (Snapshot.TOMBSTONE, True)
