"""The Lease: which candidate recreates it when somebody deletes it."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus

from execution_operator.kube.client import Api, ApiError, Json
from execution_operator.kube.lease import Lease
from tests.support.clock import run

DURATION = 10


@dataclass
class FakeLeaseApi(Api):
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


def candidate(server: FakeLeaseApi, name: str) -> asyncio.Task[None]:
    return asyncio.create_task(Lease(server, "here", "lease", name, DURATION).run())


async def cancel(*candidates: asyncio.Task[None]) -> None:
    for each in candidates:
        each.cancel()
        with suppress(asyncio.CancelledError):
            await each


def test_the_leader_recreates_a_deleted_lease() -> None:
    async def main() -> None:
        server = FakeLeaseApi()
        leader = candidate(server, "leader")
        await asyncio.sleep(0.9)  # so the one that stands by comes first after each deletion
        standby = candidate(server, "standby")
        for _ in range(5):
            await asyncio.sleep(DURATION / 2)
            assert server.holder == "leader"
            server.lease = None
        await asyncio.sleep(DURATION * 2)
        assert (server.holder, leader.done()) == ("leader", False)
        await cancel(leader, standby)

    run(main())


def test_another_candidate_recreates_a_deleted_lease_after_it_has_expired() -> None:
    async def main() -> list[str | None]:
        server, holders = FakeLeaseApi(), list[str | None]()
        leader = candidate(server, "leader")
        await asyncio.sleep(1)
        standby = candidate(server, "standby")
        await asyncio.sleep(DURATION)
        await cancel(leader)
        server.lease = None
        for _ in range(2):
            await asyncio.sleep(DURATION * 0.7)
            holders.append(server.holder)
        await cancel(standby)
        return holders

    assert run(main()) == [None, "standby"]
