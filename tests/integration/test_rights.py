"""The permissions of each user on a real API server: each cell of the table in `docs/security.md`."""

import os

import pytest

from tests.support.installed import Tenant
from tests.support.rights import ACTIONS, EXPECTED, USERS, Result, documented, table, write

WRITE = os.environ.get("EXECUTION_OPERATOR_WRITE_DOCS") == "1"
ExecutionView = dict[tuple[str, str], Result]


@pytest.fixture(scope="module")
def seen(tenant: Tenant) -> ExecutionView:
    """The result of each action of each user."""
    return {
        (action, column): Result.of(tried.by(tenant, user))
        for action, tried in ACTIONS.items()
        for column, (user, *_) in USERS.items()
    }


@pytest.mark.parametrize("action", ACTIONS)
def test_who_may_do_what(seen: ExecutionView, action: str) -> None:
    assert {of: seen[action, of] for of in USERS} == {of: EXPECTED[action, of] for of in USERS}


def test_the_document_shows_it(seen: ExecutionView) -> None:
    if WRITE:
        write(seen)
    assert documented() == table(seen)
