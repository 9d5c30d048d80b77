"""The Lease: who may make it again when somebody deletes it."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus

from execution_operator.kube.client import Api, ApiError, Json
from execution_operator.kube.lease import Lease
from tests.support.clock import run

DURATION = 10


@dataclass
class Shelf(Api):
    """An API server that has one Lease, or none."""

    lease: Json | None = None
    version: int = 0

    async def get(self, path: str, **query: str) -> Json:
        if self.lease is None:
            raise ApiError(HTTPStatus.NOT_FOUND, f"{path} {query} is not there")
        return self.lease

    async def create(self, path: str, body: Json) -> Json:
        assert self.lease is None, path
        return self._keep(body["spec"])

    async def merge(self, path: str, patch: Json) -> Json:
        old = await self.get(path)
        if old["metadata"]["resourceVersion"] != patch["metadata"]["resourceVersion"]:
            raise ApiError(HTTPStatus.CONFLICT, f"{path} has changed")
        return self._keep(old["spec"] | patch["spec"])

    @property
    def holder(self) -> str | None:
        return self.lease["spec"]["holderIdentity"] if self.lease else None

    def _keep(self, spec: Json) -> Json:
        self.version += 1
        self.lease = {"metadata": {"resourceVersion": str(self.version)}, "spec": spec}
        return self.lease


def candidate(shelf: Shelf, name: str) -> asyncio.Task[None]:
    return asyncio.create_task(Lease(shelf, "here", "lease", name, DURATION).run())


async def end(*candidates: asyncio.Task[None]) -> None:
    for each in candidates:
        each.cancel()
        with suppress(asyncio.CancelledError):
            await each


def test_a_lease_that_was_deleted_is_its_leaders_to_make_again() -> None:
    async def main() -> None:
        shelf = Shelf()
        leader = candidate(shelf, "leader")
        await asyncio.sleep(0.9)  # so the one that stands by comes first after each deletion
        standby = candidate(shelf, "standby")
        for _ in range(5):
            await asyncio.sleep(DURATION / 2)
            assert shelf.holder == "leader"
            shelf.lease = None
        await asyncio.sleep(DURATION * 2)
        assert (shelf.holder, leader.done()) == ("leader", False)
        await end(leader, standby)

    run(main())


def test_a_lease_that_was_deleted_is_made_by_another_when_it_has_run_out() -> None:
    async def main() -> list[str | None]:
        shelf, holders = Shelf(), list[str | None]()
        leader = candidate(shelf, "leader")
        await asyncio.sleep(1)
        standby = candidate(shelf, "standby")
        await asyncio.sleep(DURATION)
        await end(leader)
        shelf.lease = None
        for _ in range(2):
            await asyncio.sleep(DURATION * 0.7)
            holders.append(shelf.holder)
        await end(standby)
        return holders

    assert run(main()) == [None, "standby"]
