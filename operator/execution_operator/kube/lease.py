"""Leader election by a Lease. The kubernetes package runs the election; this module reads and writes the Lease.

The package's own lock is not used for four reasons:

- It can't create a Lease, because its client refuses the parameter `pretty=True`.
- Its calls have no timeout, so a leader would believe in its lease while the API server gives no answer.
- It ends with the first broken connection.
- It lets any candidate recreate a deleted Lease while the leader is still working.

A leader that ends releases its lease here, so that the next one need not wait until it expires.
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

RENEW_DEADLINE_FRACTION = 2 / 3
"""How long a leader tries to renew its lease, as a part of the lease's duration."""

RETRY_PERIOD_FRACTION = 2 / 15
"""The pause between two attempts, as a part of the lease's duration."""

MIN_RETRY_PERIOD_SECONDS = 1.0
"""The shortest pause between two attempts."""

MIN_DURATION_SECONDS = 5
"""The shortest duration of a lease. One attempt to renew it takes one or two seconds."""

CALL_TIMEOUT_SECONDS = 1.5
"""How long one call may take."""


class LeaseLostError(Exception):
    """This process does not hold the lease any more."""


class Lease:
    """A candidate for the lease. Of several operators, only the leader holds it.

    Args:
        api: The API server.
        namespace: The operator's own namespace.
        name: Name of the Lease.
        identity: Name of this candidate, unique among all candidates and restarts.
        duration: Seconds after which a lease that was not renewed expires; at least MIN_DURATION_SECONDS.
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
                renew_deadline=duration * RENEW_DEADLINE_FRACTION,
                retry_period=max(MIN_RETRY_PERIOD_SECONDS, duration * RETRY_PERIOD_FRACTION),
                onstarted_leading=self._started,
                onstopped_leading=self._stopped,
            )
        )

    async def held(self) -> None:
        """Wait until the lease is held."""
        await self._held.wait()

    async def run(self) -> None:
        """Acquire the lease and renew it until cancelled.

        Raises:
            LeaseLostError: The lease could not be renewed, and another operator may hold it. This process must end.
        """
        logger.info("standing by for the lease")
        await self._election.run()
        raise LeaseLostError("the lease is lost: it could not be renewed, and another operator may hold it")

    async def release(self) -> None:
        """Release the lease if it is held, so that another operator takes over at once."""
        if not self._held.is_set():
            return
        try:
            lease = await _bounded(self._api.get(self._path))
            if lease["spec"].get("holderIdentity") == self._identity:
                guard = {"resourceVersion": lease["metadata"]["resourceVersion"]}
                await _bounded(self._api.merge(self._path, {"metadata": guard, "spec": {"holderIdentity": None}}))
        except ApiError as error:
            logger.warning("lease not released, it expires by itself: %s", error)

    async def _started(self) -> None:
        logger.info("holding the lease")
        self._held.set()

    async def _stopped(self) -> None:
        self._held.clear()


class _Lock(BaseLock):
    """The Lease in the API server. Every call has a timeout, and a failed call ends only that attempt."""

    def __init__(self, api: Api, name: str, namespace: str, identity: str, duration: int) -> None:
        super().__init__(name, namespace, identity)
        self._api = api
        self._duration = duration
        self._last: Json = {}
        self._changed_at = 0.0

    async def get(
        self, name: str, namespace: str
    ) -> tuple[bool, LeaderElectionRecord] | tuple[bool, Exception] | tuple[bool, None]:
        """Return the record of the Lease, or the error why there is none.

        A deleted Lease counts as held until it expires, if another candidate held it. Its leader recreates it.
        """
        try:
            self._remember(await _bounded(self._api.get(_path(namespace, name))))
        except ApiError as error:
            if error.status != HTTPStatus.NOT_FOUND or not self._held_by_another():
                refusal = ApiException(status=error.status, reason=error.message)
                refusal.body = json.dumps({"code": error.status})
                return False, refusal
        spec = self._last.get("spec", {})
        duration = spec.get("leaseDurationSeconds")
        return True, LeaderElectionRecord(
            spec.get("holderIdentity"), duration and str(duration), spec.get("acquireTime"), spec.get("renewTime")
        )

    async def create(self, name: str, namespace: str, election_record: LeaderElectionRecord) -> bool:
        """Create the Lease, held by this candidate; return whether that succeeded."""
        body = {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {"name": name},
            "spec": self._spec(election_record, {}),
        }
        return await self._succeeds(self._api.create(_path(namespace), body))

    async def update(self, name: str, namespace: str, updated_record: LeaderElectionRecord) -> bool:
        """Acquire or renew the Lease if it is still as it was read last; return whether that succeeded."""
        guard = {"resourceVersion": self._last["metadata"]["resourceVersion"]}
        body = {"metadata": guard, "spec": self._spec(updated_record, self._last.get("spec", {}))}
        return await self._succeeds(self._api.merge(_path(namespace, name), body))

    def _remember(self, lease: Json) -> None:
        """Keep the Lease as it was read, and the time if it has changed: it expires after that."""
        if lease != self._last:
            self._last, self._changed_at = lease, asyncio.get_running_loop().time()

    def _held_by_another(self) -> bool:
        """Whether another candidate holds the Lease that was read last, and it has not expired."""
        holder = self._last.get("spec", {}).get("holderIdentity")
        unexpired = asyncio.get_running_loop().time() < self._changed_at + self._duration
        return holder not in (None, self.identity) and unexpired

    def _spec(self, record: LeaderElectionRecord, old: Json) -> Json:
        """Return the spec to write. The acquire time and the number of transitions stay if the holder stays."""
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        same = old.get("holderIdentity") == record.holder_identity
        return {
            "holderIdentity": record.holder_identity,
            "leaseDurationSeconds": int(record.lease_duration or 0),
            "acquireTime": old["acquireTime"] if same else now,
            "renewTime": now,
            "leaseTransitions": old.get("leaseTransitions", 0) + (not same),
        }

    async def _succeeds(self, call: Awaitable[Json]) -> bool:
        """Wait for a write; log a failure and return whether the write succeeded."""
        try:
            await _bounded(call)
        except ApiError as error:
            logger.warning("lease not acquired or renewed: %s", error)
            return False
        return True


def _path(namespace: str, name: str = "") -> str:
    return f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases" + (f"/{name}" if name else "")


async def _bounded(call: Awaitable[Json]) -> Json:
    """Wait for the call, at most CALL_TIMEOUT_SECONDS."""
    try:
        async with asyncio.timeout(CALL_TIMEOUT_SECONDS):
            return await call
    except TimeoutError as error:
        raise ApiError(0, "the API server does not answer in time") from error
