"""The operator: all components, connected, and the order in which they start and stop."""

import asyncio
import logging
import socket
from contextlib import suppress
from functools import partial

from execution_operator import __version__
from execution_operator.core.authorization.mapping import Mapping
from execution_operator.index.open_runs import OpenRuns
from execution_operator.kube.client import Api
from execution_operator.kube.config import own_namespace
from execution_operator.kube.lease import Lease
from execution_operator.kube.records import UNANSWERED, ExecutionRecords, OrganizationRecords
from execution_operator.kube.scope import WatchScope
from execution_operator.kube.secrets import Secrets
from execution_operator.organizations.controller import OrganizationController
from execution_operator.reconciler.reconciler import Reconciler
from execution_operator.runtime.supervisor import Stopping, Supervisor
from execution_operator.sources.drift import AuthorizationDrift
from execution_operator.sources.enqueuer import Enqueuer
from execution_operator.sources.executions import FinishedExecutions, OpenExecutions
from execution_operator.sources.kopf_requests import RequestStream
from execution_operator.sources.lists import ExecutionLists
from execution_operator.sources.organizations import organization_watch
from execution_operator.sources.rereads import RereadQueue
from execution_operator.telemetry.gauges import Gauges, measure_loop_lag
from execution_operator.telemetry.health import HealthChecks
from execution_operator.telemetry.http import HttpServer
from execution_operator.telemetry.metrics import BUILD, LEADER
from execution_operator.temporal.credential import Target
from execution_operator.temporal.pool import Pool
from execution_operator.ttl.controller import TTLController
from execution_operator.visibility.poller import VisibilityPoller
from execution_operator.workqueue.queue import WorkQueue

logger = logging.getLogger(__name__)

DRAIN_TIMEOUT_SECONDS = 5.0
"""Seconds that reconciles under way may take to end after SIGTERM. The rest is done again after the restart."""

TASKS_END_TIMEOUT_SECONDS = 1.0
"""Seconds that cancelled tasks may take to end."""

INDEX_TIMEOUT_SECONDS = 60.0
"""Seconds after which visibility is polled though the open Executions of some namespace could not be listed."""

INDEX_CHECK_INTERVAL_SECONDS = 1.0
"""Interval at which the first list of the open Executions is checked."""

SDK_SHUTDOWN_SECONDS = 0.3
"""Seconds between the last call and the loop's end. Without them the Temporal SDK can hang the interpreter."""


class UnshardedError(Exception):
    """The API server ignores shard selectors, so it would give all Executions to each shard."""


class Operator:
    """The operator. It must be created inside the running event loop.

    Args:
        api: The API server.
        scope: What this operator works on.
        lease: The Lease to hold before Executions are reconciled; None where there is one replica only.
        http_address: Host and port for probes and metrics; None to serve none.
    """

    def __init__(self, api: Api, scope: WatchScope, lease: Lease | None, http_address: tuple[str, int] | None) -> None:
        self._api, self._scope, self._lease, self._http_address = api, scope, lease, http_address
        self._mapping = mapping = Mapping()
        self._open_runs = open_runs = OpenRuns()
        records = ExecutionRecords(api, socket.gethostname(), open_runs.drop)
        lists = ExecutionLists(records, scope)
        self._secrets = Secrets(api, own_namespace(), changed=self._on_secrets_changed)
        pool = Pool(Target.from_environment(), self._secrets.current)
        self._organizations = OrganizationController(
            mapping, pool, OrganizationRecords(api), self._on_mapping_changed, scope.serves_organization
        )
        self._organization_watch = organization_watch(api, self._organizations)
        reconciler = Reconciler(mapping, pool.runs, records, self._organizations.probe_now, api.clock.now)
        self._queue = queue = WorkQueue(reconciler.reconcile, lists.read)
        self._enqueuer = enqueuer = Enqueuer(
            queue, lists.unanswered, lists.unresolved, api.clock.now, self._is_responsible, leading=lease is None
        )
        self._rereads = RereadQueue(
            records.read_by_name, lists.pinned, open_runs, enqueuer.on_run_changed, queue.repeat_reconciles
        )
        self._drift = AuthorizationDrift(open_runs, mapping, self._rereads.add)
        self._open_executions = OpenExecutions(
            api, scope, open_runs, enqueuer, queue.contains, self._is_responsible, self._drift.on_indexed
        )
        self._poller = VisibilityPoller(mapping, pool.visibility, open_runs, self._rereads.add, queue.is_active)
        self._ttl = TTLController(records, lambda: api.clock.now().timestamp())
        self._finished_executions = FinishedExecutions(api, scope, self._ttl, enqueuer)
        self._requests = RequestStream(
            scope.selectors(UNANSWERED),
            partial(scope.readable_namespaces, api),
            api.login,
            enqueuer.on_request,
            enqueuer.on_request_removed,
        )
        self._open_watches = self._open_executions.watches()
        self._finished_watches = self._finished_executions.watches()
        self._health = HealthChecks(self._organizations, self._organization_watch)
        BUILD.labels(__version__).set(1)

    async def run(self, stop: asyncio.Event) -> None:
        """Run until `stop` is set, or until a task ends that never should.

        Raises:
            UnshardedError: A shard is configured, and the API server does not support it.
            LeaseLostError: The lease was held, and could not be renewed.
        """
        tasks = Supervisor(stop)
        try:
            with suppress(Stopping):
                await self._start(tasks)
                await tasks.wait_until_stopped()
        finally:
            await self._shut_down(tasks)
        tasks.raise_error()

    async def _start(self, tasks: Supervisor) -> None:
        """Start the components, each when what it needs is known.

        Raises:
            Stopping: The operator stops before all have started.
        """
        if self._http_address:
            tasks.start(self._http_server(*self._http_address).run(), measure_loop_lag())
        tasks.start(self._secrets.run())
        await tasks.wait_until(self._secrets.synced())
        tasks.start(self._organization_watch.run())
        await tasks.wait_until(self._organizations.synced())
        await self._check_shard()
        tasks.start(*(watch.run() for watch in (*self._open_watches, *self._finished_watches)))
        if self._lease:  # a standby watches too, so that its indexes are complete when it takes over
            tasks.start(self._lease.run())
            await tasks.wait_until(self._lease.held())
        self._lead(tasks)

    async def _check_shard(self) -> None:
        shard = self._scope.shard
        if shard and not await shard.is_supported_by(self._api, self._scope.watch_namespaces[0]):
            raise UnshardedError(
                "the API server does not support shards: enable its feature gate ShardedListAndWatch, or remove --shard"
            )

    def _lead(self, tasks: Supervisor) -> None:
        """Start to reconcile Executions."""
        logger.info("all Organizations are listed; starting to reconcile Executions")
        LEADER.set(1)
        self._enqueuer.start_leading()
        self._drift.start_leading()
        self._health.start_leading(self._open_watches, self._finished_watches, self._requests)
        tasks.start(self._enqueuer.run(), self._requests.run(), self._rereads.run(), self._ttl.run())
        tasks.start(self._poll_visibility())
        if self._scope.namespaces:
            tasks.start(self._requests.follow_readable_namespaces())

    async def _poll_visibility(self) -> None:
        """Poll visibility once the open Executions are indexed: earlier, the backfill would miss some of them."""
        with suppress(TimeoutError):
            async with asyncio.timeout(INDEX_TIMEOUT_SECONDS):
                while not all(watch.listed for watch in self._open_watches):  # noqa: ASYNC110 - a list takes its time
                    await asyncio.sleep(INDEX_CHECK_INTERVAL_SECONDS)
        await self._poller.run()

    async def _shut_down(self, tasks: Supervisor) -> None:
        """Enqueue nothing more, let reconciles under way end, release the lease, and close the connections."""
        self._requests.stop()
        self._organizations.stop()
        tasks.cancel()
        await self._queue.drain(DRAIN_TIMEOUT_SECONDS)
        await tasks.wait_for_end(TASKS_END_TIMEOUT_SECONDS)
        if self._lease:
            await self._lease.release()
        await self._api.close()
        await asyncio.sleep(SDK_SHUTDOWN_SECONDS)

    def _http_server(self, host: str, port: int) -> HttpServer:
        gauges = Gauges(
            queue=lambda: iter(self._queue),
            missing_workflows=lambda: self._enqueuer.missing_workflows,
            phases=lambda: self._finished_executions.phases() + self._open_runs.count_by_phase(),
            organizations=lambda: self._mapping,
            visibility_poll_age=self._poller.age,
            failed_rereads=lambda: self._rereads.failed,
        )

        def refresh() -> None:
            gauges.refresh(self._api.clock.now())
            self._health.refresh()

        return HttpServer(host, port, self._health.unhealthy, self._health.unready, refresh)

    def _is_responsible(self, namespace: str) -> bool:
        """Return whether this operator works for a namespace.

        A namespace that no Organization lists is the responsibility of an operator that works for all Organizations.
        """
        if not self._scope.organizations:
            return True
        claimants = self._mapping.claimants(namespace)
        return any(self._scope.serves_organization(organization.metadata.name) for organization in claimants)

    def _on_secrets_changed(self) -> None:
        self._organizations.probe_all()

    def _on_mapping_changed(self, namespaces: set[str]) -> None:
        self._enqueuer.requeue_namespaces(namespaces)
        self._drift.on_mapping_changed(namespaces)
