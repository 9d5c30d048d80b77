"""The stream of unanswered requests, by kopf. This is the only module that uses kopf.

kopf runs in a thread with an event loop of its own, because it cancels every task of its loop when a watch fails for
good. In its own loop that ends nothing else, and kopf is started again.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import kopf

from execution_operator.api import GROUP, VERSION, Execution
from execution_operator.kube.config import Login
from execution_operator.kube.parse import parse
from execution_operator.kube.watch import PAGE_SIZE
from execution_operator.telemetry.metrics import REQUEST_STREAM_RESTARTS

logger = logging.getLogger(__name__)

LOGIN_LIFETIME = timedelta(minutes=5)
"""Time after which kopf asks for credentials again. It makes logins distinct: kopf ends with the second equal one."""

WATCH_TIMEOUT_SECONDS = 240
"""Seconds after which a watch ends and the next one begins. The next one asks for credentials that have expired, which
shows that kopf is alive."""

PEER_IDENTITY: Any = "execution-operator"
"""Name of this process among kopf's peers, of which there are none. Without it kopf asks for a user name."""

RESTART_DELAY_SECONDS = 1.0
"""Pause in seconds before kopf is started again."""

NAMESPACE_CHECK_INTERVAL_SECONDS = 10.0
"""Interval at which the readable namespaces are checked, where not all are watched. Relists serve a new one."""


class _NoDiffs(kopf.DiffBaseStorage):
    """Switches off kopf's comparison of each object with its last state. Only handlers of changes need it.

    The comparison took a third to a half of kopf's time: 1.6 ms of CPU for a request and its answer, 1.0 ms without.
    """

    def build(self, **_: Any) -> kopf.BodyEssence:
        """Return nothing to compare."""
        return kopf.BodyEssence()

    def fetch(self, **_: Any) -> kopf.BodyEssence:
        """Return the same as the last state."""
        return kopf.BodyEssence()

    def store(self, **_: Any) -> None:
        """Keep none."""


class _NoProgress(kopf.ProgressStorage):
    """Switches off the annotations in which kopf stores retries of its handlers. The handler here never fails."""

    def fetch(self, **_: Any) -> None:
        """Return none."""

    def store(self, **_: Any) -> None:
        """Keep none."""

    def purge(self, **_: Any) -> None:
        """Keep none."""

    def touch(self, **_: Any) -> None:
        """Change nothing."""

    def clear(self, *, essence: kopf.BodyEssence) -> kopf.BodyEssence:
        """Return what is to be compared, which has none."""
        return essence


class RequestStream:
    """Passes on the unanswered requests.

    Args:
        selectors: `fieldSelector` selects the unanswered requests; `shardSelector` this operator's share of them.
        readable_namespaces: Returns the namespaces in which Executions can be read now, or "" for the whole cluster.
            kopf never notices a resource that is served later, and ends with the first namespace that it may not read.
        login: Returns the present credentials.
        on_request: Called in the thread of the caller for each Execution with an unanswered request.
        on_removed: Called in the thread of the caller with the UID and the resourceVersion of an Execution that left
            the selection, because it was answered, withdrawn or deleted.
    """

    def __init__(
        self,
        selectors: Mapping[str, str],
        readable_namespaces: Callable[[], Awaitable[list[str]]],
        login: Callable[[], Awaitable[Login]],
        on_request: Callable[[Execution], None],
        on_removed: Callable[[str, int], None],
    ) -> None:
        self._selectors = selectors
        self._readable_namespaces = readable_namespaces
        self._namespaces: list[str] = []
        self._login = login
        self._on_request = on_request
        self._on_removed = on_removed
        self._loop = asyncio.get_running_loop()
        self._pending: deque[Callable[[], None]] = deque()
        self._delivery_scheduled = False
        self._stopped = False
        self._last_event = self._last_pong = time.monotonic()
        self._last_ping = 0.0
        self._stop_kopf: Callable[[], object] = lambda: None
        self._ping_kopf: Callable[[], object] = self._on_pong

    @property
    def seconds_since_last_event(self) -> float:
        """Seconds since kopf delivered an event or asked for credentials, which it does every few minutes."""
        return time.monotonic() - self._last_event

    def unanswered_ping_seconds(self) -> float:
        """Return the age of the unanswered ping to kopf's event loop; 0 where none is unanswered. Then send one."""
        now = time.monotonic()
        if self._last_ping > self._last_pong:
            return now - self._last_ping
        self._last_ping = now
        with suppress(RuntimeError):  # kopf's loop has just ended by itself
            self._ping_kopf()
        return 0.0

    async def run(self) -> None:
        """Run kopf, and start it again when it ends, until stopped."""
        while not self._stopped:
            try:
                self._namespaces = await self._readable_namespaces()
                if self._namespaces:
                    await asyncio.to_thread(asyncio.run, self._run_kopf())
                    logger.warning("the stream of requests ended; starting it again")
                else:
                    logger.warning(
                        "no Executions can be read: install the CRDs, and the roles of the operator's ServiceAccount"
                    )
            except Exception:
                logger.exception("the stream of requests failed; starting it again")
            if not self._stopped:
                REQUEST_STREAM_RESTARTS.inc()
                await asyncio.sleep(RESTART_DELAY_SECONDS)

    async def follow_readable_namespaces(self) -> None:
        """Start kopf again when other namespaces can be read, until cancelled."""
        while True:
            await asyncio.sleep(NAMESPACE_CHECK_INTERVAL_SECONDS)
            now = await self._readable_namespaces()
            if now and self._namespaces and now != self._namespaces:
                self._interrupt()

    def stop(self) -> None:
        """Stop kopf for good."""
        self._stopped = True
        self._interrupt()

    def _interrupt(self) -> None:
        with suppress(RuntimeError):  # kopf's loop has just ended by itself
            self._stop_kopf()

    def _on_pong(self) -> None:
        self._last_pong = time.monotonic()

    async def _run_kopf(self) -> None:
        """Run kopf in this thread's loop. The stop flag is an asyncio event, as a threading one delays its end."""
        stop, loop = asyncio.Event(), asyncio.get_running_loop()
        self._stop_kopf = lambda: loop.call_soon_threadsafe(stop.set)
        self._ping_kopf = lambda: loop.call_soon_threadsafe(self._on_pong)
        registry, settings = kopf.OperatorRegistry(), kopf.OperatorSettings()
        _configure(settings, self._selectors)
        kopf.on.login(registry=registry)(self._on_login)
        kopf.on.event(GROUP, VERSION, "executions", registry=registry)(self._on_event)
        try:
            if self._stopped:
                return
            where: Any = {"clusterwide": True} if self._namespaces == [""] else {"namespaces": self._namespaces}
            await kopf.operator(
                registry=registry, settings=settings, identity=PEER_IDENTITY, standalone=True, stop_flag=stop, **where
            )
        finally:
            self._stop_kopf, self._ping_kopf = (lambda: None), self._on_pong

    async def _on_login(self, **_: Any) -> kopf.ConnectionInfo:
        """Return the operator's own credentials."""
        self._last_event = time.monotonic()
        login = await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(_await(self._login()), self._loop))
        return kopf.ConnectionInfo(
            server=login.server,
            ca_path=login.ca_path,
            certificate_path=login.certificate_path,
            private_key_path=login.key_path,
            token=login.token,
            insecure=login.insecure,
            expiration=datetime.now(UTC) + LOGIN_LIFETIME,
        )

    async def _on_event(self, event: kopf.RawEvent, **_: Any) -> None:
        """Pass the object on. The queue does all the work: kopf drops an event whose handler failed."""
        self._last_event = time.monotonic()
        content: dict[str, Any] = dict(event["object"])
        if event["type"] == "DELETED":
            meta = content["metadata"]
            self._pending.append(partial(self._on_removed, meta["uid"], int(meta["resourceVersion"])))
        elif execution := parse(Execution, content):
            self._pending.append(partial(self._on_request, execution))
        if self._pending and not self._delivery_scheduled:  # one call delivers all that has come by then
            self._delivery_scheduled = True
            self._loop.call_soon_threadsafe(self._deliver)

    def _deliver(self) -> None:
        """Deliver the pending events in the caller's thread. A later event schedules another delivery."""
        self._delivery_scheduled = False
        while self._pending:
            self._loop.call_soon(self._pending.popleft())


async def _await(login: Awaitable[Login]) -> Login:
    return await login


def _configure(settings: kopf.OperatorSettings, selectors: Mapping[str, str]) -> None:
    """Configure kopf for one watch: it writes nothing, posts no Events, and retries soon."""
    settings.watching.field_selectors[GROUP, VERSION, "executions"] = selectors["fieldSelector"]
    if shard := selectors.get("shardSelector"):
        settings.watching.shard_selectors[GROUP, VERSION, "executions"] = shard
    settings.persistence.diffbase_storage = _NoDiffs()
    settings.persistence.progress_storage = _NoProgress()
    settings.watching.inactivity_timeout = 90
    settings.watching.server_timeout = WATCH_TIMEOUT_SECONDS
    settings.watching.chunk_size = PAGE_SIZE  # otherwise it lists all objects in one answer
    settings.queueing.idle_timeout = 0.2  # seconds for which a worker holds its last object in memory
    settings.networking.request_timeout = 10
    settings.networking.connect_timeout = 3
    settings.networking.error_backoffs = (0.05, 0.2, 1, 3, 10)
    settings.posting.enabled = False
    settings.scanning.disabled = True
    settings.process.ultimate_exiting_timeout = None
