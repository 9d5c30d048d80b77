"""All parts of the operator, wired."""

import asyncio
import itertools
import logging
import socket
from collections.abc import AsyncIterator, Container, Coroutine
from contextlib import suppress
from functools import partial
from http import HTTPStatus
from typing import Any

from execution_operator import __version__
from execution_operator.api import Execution, Organization
from execution_operator.core.authorization.mapping import Mapping
from execution_operator.core.errors import ObjectNotFound
from execution_operator.index.open_runs import OpenRuns
from execution_operator.kube.client import Api, ApiError, collection
from execution_operator.kube.config import own_namespace
from execution_operator.kube.lease import Lease
from execution_operator.kube.parse import parse
from execution_operator.kube.records import NEVER_SEEN, PINNED, UNANSWERED, ExecutionRecords, OrganizationRecords
from execution_operator.kube.scope import WatchScope
from execution_operator.kube.secrets import Secrets
from execution_operator.kube.watch import Change, Selection, Watch
from execution_operator.organizations.controller import OrganizationController
from execution_operator.reconciler.reconciler import Reconciler
from execution_operator.sources.drift import AuthorizationDrift
from execution_operator.sources.enqueuer import Enqueuer
from execution_operator.sources.executions import FinishedExecutions, OpenExecutions
from execution_operator.sources.kopf_requests import RequestStream
from execution_operator.sources.rereads import RereadQueue
from execution_operator.telemetry.gauges import Gauges, listen_to_loop
from execution_operator.telemetry.health import HealthChecks
from execution_operator.telemetry.http import HttpServer
from execution_operator.telemetry.metrics import BUILD, LEADER
from execution_operator.temporal.credential import Target
from execution_operator.temporal.pool import Pool
from execution_operator.ttl.controller import TTLController
from execution_operator.visibility.poller import POLL_INTERVAL_SECONDS, VisibilityPoller
from execution_operator.workqueue.queue import WorkQueue

logger = logging.getLogger(__name__)

DRAIN = 5.0
"""Seconds that acts under way may take to finish after SIGTERM. What does not is done again after the restart."""

INDEXED = 60.0
"""Seconds after which feeds begin though the open Executions of some place could not be listed."""

SDK_REST = 0.3
"""Seconds between the last call and the loop's end: the Temporal SDK can hang the interpreter otherwise."""


class UnshardedError(Exception):
    """The API server gives all Executions to each shard."""


class Operator:
    """All parts, wired. Must be made inside the running loop.

    Args:
        api: The API server.
        share: What to work on.
        lease: What must be held to work on Executions; None where there is only one operator.
        http: host and port to serve probes and metrics at; None where nobody asks.
    """

    def __init__(self, api: Api, share: WatchScope, lease: Lease | None, http: tuple[str, int] | None) -> None:
        self.mapping = mapping = Mapping()
        self.share = share
        self.http = http
        self.lease = lease
        self.api = api
        self.open_runs = OpenRuns()
        self.records = ExecutionRecords(api, socket.gethostname(), self.open_runs.drop)
        self.secrets = Secrets(api, own_namespace(), changed=self._secrets_changed)
        pool = Pool(Target.from_environment(), self.secrets.current)
        self.organizations = OrganizationController(
            mapping, pool, OrganizationRecords(api), self._wake, share.serves_organization
        )
        reconciler = Reconciler(mapping, pool.runs, self.records, self.organizations.probe_now, api.clock.now)
        self.queue = WorkQueue(reconciler.reconcile, self._read)
        self.streams = Enqueuer(
            self.queue, self._requests, self._unseen, api.clock.now, self._concerned, leading=lease is None
        )
        self.hints = RereadQueue(
            self.records.read_by_name, self._pinned, self.open_runs, self.streams.hinted, self.queue.repeat_reconciles
        )
        self.review = AuthorizationDrift(self.open_runs, mapping, self.hints.tell)
        self.open_stream = OpenExecutions(
            api, share, self.open_runs, self.streams, self.queue.contains, self._concerned, self.review.noted
        )
        self.organization_watch = self._organization_watch()
        self.vitals = HealthChecks(self.organizations, self.organization_watch)
        BUILD.labels(__version__).set(1)
        self.feeds = VisibilityPoller(mapping, pool.visibility, self.open_runs, self.hints.tell, self.queue.is_active)
        self.expiries = TTLController(self.records, lambda: api.clock.now().timestamp())
        self.finished = FinishedExecutions(api, share, self.expiries, self.streams)
        self.requests = RequestStream(
            share.selectors(UNANSWERED),
            partial(share.readable_namespaces, api),
            api.login,
            self.streams.requested,
            self.streams.left,
        )

    async def run(self, stop: asyncio.Event) -> None:
        """Run until stopped, or until a part ends that never should."""
        parts = [self._start(part) for part in (self._web(*self.http).run(), listen_to_loop())] if self.http else []
        parts.append(self._start(self.secrets.run()))
        ready = await self._until(self.secrets.synced(), stop, *parts)
        if ready:
            parts.append(self._start(self.organization_watch.run()))
            ready = await self._until(self.organizations.synced(), stop, *parts)
        if (
            ready
            and self.share.shard
            and not await self.share.shard.is_supported_by(self.api, self.share.watch_namespaces[0])
        ):
            raise UnshardedError("this API server does not cut shards: switch on its feature gate ShardedListAndWatch")
        open_watches, closed_watches = self.open_stream.watches(), self.finished.watches()
        watches = [*open_watches, *closed_watches]
        if ready and self.lease:  # the caches of one that stands by are warm
            parts += [self._start(self.lease.run()), *(self._start(watch.run()) for watch in watches)]
            ready = await self._until(self.lease.held(), stop, *parts)
        if ready:
            logger.info("organizations are known; taking up requests")
            LEADER.set(1)
            self.streams.lead()
            self.review.lead()
            if self.share.namespaces:
                parts.append(self._start(self.requests.look_around()))
            self.vitals.lead(open_watches, closed_watches, self.requests)
            parts += [self._start(part.run()) for part in (self.streams, self.requests, self.hints, self.expiries)]
            parts.append(self._start(self._feed(open_watches)))
            parts += [] if self.lease else [self._start(watch.run()) for watch in watches]
        stopped = self._start(stop.wait())
        done, _ = await asyncio.wait([stopped, *parts], return_when=asyncio.FIRST_COMPLETED)
        await self._shut_down([stopped, *parts])
        for part in done - {stopped}:
            part.result()

    async def _feed(self, watches: list[Watch]) -> None:
        """Follow Temporal once the open Executions are known: what has closed before is asked for by name, and once."""
        with suppress(TimeoutError):
            async with asyncio.timeout(INDEXED):
                while not all(watch.listed for watch in watches):  # noqa: ASYNC110 (lists take their time)
                    await asyncio.sleep(POLL_INTERVAL_SECONDS)
        await self.feeds.run()

    async def _until(
        self, condition: Coroutine[Any, Any, None], stop: asyncio.Event, *parts: asyncio.Task[Any]
    ) -> bool:
        """Wait for a condition without which nothing is decided; return whether it came before the end."""
        awaited, stopped = self._start(condition), self._start(stop.wait())
        done, _ = await asyncio.wait([awaited, stopped, *parts], return_when=asyncio.FIRST_COMPLETED)
        awaited.cancel()
        stopped.cancel()
        return done == {awaited}

    async def _shut_down(self, parts: list[asyncio.Task[Any]]) -> None:
        """Take nothing more up, finish what is under way, let go of everything."""
        self.requests.stop()
        self.organizations.stop()
        for part in parts:
            part.cancel()
        await self.queue.drain(DRAIN)
        await asyncio.wait(parts, timeout=1)
        if self.lease:
            await self.lease.release()
        await self.api.close()
        await asyncio.sleep(SDK_REST)

    def _web(self, host: str, port: int) -> HttpServer:
        gauges = Gauges(
            queue=lambda: iter(self.queue),
            not_found=lambda: self.streams.not_found,
            phases=lambda: self.finished.phases() + self.open_runs.count_by_phase(),
            organizations=lambda: self.mapping,
            feed_age=self.feeds.age,
            unread=lambda: self.hints.unread,
        )

        def refresh() -> None:
            gauges.refresh(self.api.clock.now())
            self.vitals.refresh()

        return HttpServer(host, port, self.vitals.unhealthy, self.vitals.unready, refresh)

    def _concerned(self, namespace: str) -> bool:
        """Whether Executions of a namespace are this operator's; one that nobody claims is those' who work for all."""
        if not self.share.organizations:
            return True
        return any(self.share.serves_organization(each.metadata.name) for each in self.mapping.claimants(namespace))

    def _secrets_changed(self) -> None:
        self.organizations.probe_all()

    def _wake(self, namespaces: set[str]) -> None:
        self.streams.wake(namespaces)
        self.review.remapped(namespaces)

    @staticmethod
    def _start(part: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        return asyncio.create_task(part)

    def _organization_watch(self) -> Watch:
        def changed(change: Change) -> None:
            organization = None if change.deleted else parse(Organization, change.object)
            if organization is None:  # one that can't be read grants nothing
                self.organizations.drop(change.object["metadata"]["name"])
            else:
                self.organizations.put(organization)

        return Watch(self.api, Selection(collection("organizations")), changed, self.organizations.listed)

    def _requests(self) -> AsyncIterator[Execution]:
        return self._listed(UNANSWERED)

    def _unseen(self) -> AsyncIterator[Execution]:
        return self._listed(*NEVER_SEEN)

    def _pinned(self, namespace: str, uids: Container[str]) -> AsyncIterator[Execution]:
        return self.records.list_executions(self.share.selection(namespace, PINNED), uids)

    async def _listed(self, *selectors: str) -> AsyncIterator[Execution]:
        for selector, place in itertools.product(selectors, self.share.watch_namespaces):
            try:
                async for execution in self.records.list_executions(self.share.selection(place, selector)):
                    yield execution
            except ApiError as error:
                if not place or error.status != HTTPStatus.FORBIDDEN:
                    raise
                logger.warning("namespace %s can't be read: %s", place, error)

    async def _read(self, execution: Execution) -> Execution | None:
        with suppress(ObjectNotFound):
            return await self.records.read(execution)
        return None
