"""Leader election by a Lease: the kubernetes package elects, and the Lease is read and written here.

Its own lock can't create a Lease (its client refuses `pretty=True`), has no bound on its calls, so that a leader
believes in its lease while the API server is silent, and ends with the first broken connection; and it lets whoever
comes first make a Lease that was deleted, though its leader still works. And a leader that ends gives its lease up
here: the others need not wait until it runs out.
"""

import asyncio
import json
import logging
from collections.abc import Awaitable
from datetime import UTC, datetime
from http import HTTPStatus

from kubernetes.aio.client.exceptions import ApiException
from kubernetes.aio.leaderelection.electionconfig import Config
from kubernetes.aio.leaderelection.leaderelection import LeaderElection
from kubernetes.aio.leaderelection.leaderelectionrecord import LeaderElectionRecord
from kubernetes.aio.leaderelection.resourcelock.baselock import BaseLock

from execution_operator.kube.client import Api, ApiError, Json

logger = logging.getLogger(__name__)

RENEWAL, RETRY = 2 / 3, 2 / 15
"""Parts of the lease's duration: how long a leader tries to renew it, and the pause between two attempts."""

MIN_DURATION_SECONDS = 5
"""Seconds that a lease lasts at least: an attempt to renew it takes one or two."""

CALL = 1.5
"""Seconds that one call may take."""


class LeaseLostError(Exception):
    """The lease is not held any more."""


class Lease:
    """The lease that one of several operators holds.

    Args:
        api: The connection.
        namespace: The operator's own.
        name: The Lease's name.
        identity: Who this is: unique, also among restarts.
        duration: Seconds after which a leader that does not renew is no leader any more; SHORTEST at least.
    """

    def __init__(self, api: Api, namespace: str, name: str, identity: str, duration: int) -> None:
        self._api = api
        self._path = _path(namespace, name)
        self._identity = identity
        self._held = asyncio.Event()
        self._election = LeaderElection(
            Config(
                lock=_Lock(api, name, namespace, identity, duration),
                lease_duration=duration,
                renew_deadline=duration * RENEWAL,
                retry_period=max(1.0, duration * RETRY),
                onstarted_leading=self._started,
                onstopped_leading=self._stopped,
            )
        )

    async def held(self) -> None:
        """Wait until the lease is held."""
        await self._held.wait()

    async def run(self) -> None:
        """Get the lease and keep it.

        Raises:
            LeaseLostError: It could not be renewed, and may be another's: who held it must end.
        """
        logger.info("standing by for the lease")
        await self._election.run()
        raise LeaseLostError("the lease is lost")

    async def release(self) -> None:
        """Give the lease up, if it is held: another one takes over at once."""
        if not self._held.is_set():
            return
        try:
            lease = await _bounded(self._api.get(self._path))
            if lease["spec"].get("holderIdentity") == self._identity:
                guard = {"resourceVersion": lease["metadata"]["resourceVersion"]}
                await _bounded(self._api.merge(self._path, {"metadata": guard, "spec": {"holderIdentity": None}}))
        except ApiError as error:
            logger.warning("lease not released, it runs out: %s", error)

    async def _started(self) -> None:
        logger.info("holding the lease")
        self._held.set()

    async def _stopped(self) -> None:
        self._held.clear()


class _Lock(BaseLock):
    """The Lease in the API server. Every call is bounded, and its failure an answer like any other."""

    def __init__(self, api: Api, name: str, namespace: str, identity: str, duration: int) -> None:
        super().__init__(name, namespace, identity)
        self._api = api
        self._duration = duration
        self._last: Json = {}
        self._changed = 0.0

    async def get(
        self, name: str, namespace: str
    ) -> tuple[bool, LeaderElectionRecord] | tuple[bool, Exception] | tuple[bool, None]:
        """Return the record, or why there is none. One that another held when it was deleted stands until it ends."""
        try:
            self._read(await _bounded(self._api.get(_path(namespace, name))))
        except ApiError as error:
            if error.status != HTTPStatus.NOT_FOUND or not self._anothers():
                refusal = ApiException(status=error.status, reason=error.message)
                refusal.body = json.dumps({"code": error.status})
                return False, refusal
        spec = self._last.get("spec", {})
        duration = spec.get("leaseDurationSeconds")
        return True, LeaderElectionRecord(
            spec.get("holderIdentity"), duration and str(duration), spec.get("acquireTime"), spec.get("renewTime")
        )

    async def create(self, name: str, namespace: str, election_record: LeaderElectionRecord) -> bool:
        """Create the Lease, held by this candidate; return whether that came about."""
        body = {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {"name": name},
            "spec": self._spec(election_record, {}),
        }
        return await self._written(self._api.create(_path(namespace), body))

    async def update(self, name: str, namespace: str, updated_record: LeaderElectionRecord) -> bool:
        """Take or renew the Lease as it was read last; return whether that came about."""
        guard = {"resourceVersion": self._last["metadata"]["resourceVersion"]}
        body = {"metadata": guard, "spec": self._spec(updated_record, self._last.get("spec", {}))}
        return await self._written(self._api.merge(_path(namespace, name), body))

    def _read(self, lease: Json) -> None:
        if lease != self._last:
            self._last, self._changed = lease, asyncio.get_running_loop().time()

    def _anothers(self) -> bool:
        """Tell whether another still holds the Lease as it was read last: its leader makes it again."""
        holder = self._last.get("spec", {}).get("holderIdentity")
        unexpired = asyncio.get_running_loop().time() < self._changed + self._duration
        return holder not in (None, self.identity) and unexpired

    def _spec(self, record: LeaderElectionRecord, old: Json) -> Json:
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        same = old.get("holderIdentity") == record.holder_identity
        return {
            "holderIdentity": record.holder_identity,
            "leaseDurationSeconds": int(record.lease_duration or 0),
            "acquireTime": old["acquireTime"] if same else now,
            "renewTime": now,
            "leaseTransitions": old.get("leaseTransitions", 0) + (not same),
        }

    async def _written(self, call: Awaitable[Json]) -> bool:
        try:
            await _bounded(call)
        except ApiError as error:
            logger.warning("lease not taken or renewed: %s", error)
            return False
        return True


def _path(namespace: str, name: str = "") -> str:
    return f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases" + (f"/{name}" if name else "")


async def _bounded(call: Awaitable[Json]) -> Json:
    try:
        async with asyncio.timeout(CALL):
            return await call
    except TimeoutError as error:
        raise ApiError(0, "the API server does not answer in time") from error
