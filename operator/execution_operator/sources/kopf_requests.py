"""kopf's part: the stream of unanswered requests, handed on as they come.

kopf runs in a thread with a loop of its own, because it ends every task of its loop when a watch fails for good.
Here that ends nothing else, and kopf is started again.
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

LOGIN_VALID = timedelta(minutes=5)
"""How long kopf uses credentials before it asks again; distinct ones each time, or a single 401 would end it."""

LIFE = 240
"""Seconds that one watch lasts. The next one asks for credentials, if those are old: a sign of life."""

IDENTITY: Any = "execution-operator"
"""What kopf calls this process among peers that it does not have. Else it asks for a user name, and pods have none."""

PAUSE = 1.0
"""Seconds before kopf is started again."""

LOOK_AROUND = 10.0
"""Seconds between two looks at which namespaces can be read, where not all are. The sweeps serve a new one so long."""


class _NoDiffs(kopf.DiffBaseStorage):
    """kopf compares each object with its last state, for handlers of changes. There are none here.

    This comparison took a third to a half of its time: for a request and its answer 1.6 ms of CPU, 1.0 without it.
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
    """kopf keeps retries of its handlers in annotations. Ours hands on, and has nothing to retry."""

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
    """The unanswered requests.

    Args:
        selectors: fieldSelector makes them up; shardSelector where several operators share them.
        readable: Tells where Executions can be read now: in these namespaces, or in the whole cluster (""). kopf would
            miss for ever what is served later, and ends with the first place that it may not read.
        login: Gives the present credentials.
        changed: Called in this thread for an Execution with an unanswered request, as it is now.
        left: Called in this thread for one that has left the selection (answered, withdrawn or deleted) with its UID
            and the resourceVersion of that moment.
    """

    def __init__(
        self,
        selectors: Mapping[str, str],
        readable: Callable[[], Awaitable[list[str]]],
        login: Callable[[], Awaitable[Login]],
        changed: Callable[[Execution], None],
        left: Callable[[str, int], None],
    ) -> None:
        self._selectors = selectors
        self._readable = readable
        self._places: list[str] = []
        self._login = login
        self._changed = changed
        self._left = left
        self._loop = asyncio.get_running_loop()
        self._untold: deque[Callable[[], None]] = deque()
        self._woken = False
        self._stopped = False
        self._heard = self._answered = time.monotonic()
        self._asked = 0.0
        self._end: Callable[[], object] = lambda: None
        self._ask: Callable[[], object] = self._answer

    @property
    def silence(self) -> float:
        """Seconds since kopf handed something on, or asked for credentials, which it does every few minutes."""
        return time.monotonic() - self._heard

    def standstill(self) -> float:
        """Return for how many seconds kopf's loop has owed an answer; ask it, if it owes none."""
        now = time.monotonic()
        if self._asked > self._answered:
            return now - self._asked
        self._asked = now
        with suppress(RuntimeError):  # its loop has just ended by itself
            self._ask()
        return 0.0

    async def run(self) -> None:
        """Run kopf, again whenever it ends, until stopped."""
        while not self._stopped:
            try:
                self._places = await self._readable()
                if self._places:
                    await asyncio.to_thread(asyncio.run, self._serve())
                    logger.warning("the stream of requests ended; it begins again")
                else:
                    logger.warning("no Executions can be read: are the CRDs and this account's roles installed?")
            except Exception:
                logger.exception("the stream of requests broke; it begins again")
            if not self._stopped:
                REQUEST_STREAM_RESTARTS.inc()
                await asyncio.sleep(PAUSE)

    async def look_around(self) -> None:
        """Begin again whenever other places can be read, until cancelled."""
        while True:
            await asyncio.sleep(LOOK_AROUND)
            now = await self._readable()
            if now and self._places and now != self._places:
                self._interrupt()

    def stop(self) -> None:
        """Have kopf end."""
        self._stopped = True
        self._interrupt()

    def _interrupt(self) -> None:
        with suppress(RuntimeError):  # its loop has just ended by itself
            self._end()

    def _answer(self) -> None:
        self._answered = time.monotonic()

    async def _serve(self) -> None:
        """Run kopf in this thread's loop. Its flag is the loop's too: one of threads would hold up the loop's end."""
        stop, loop = asyncio.Event(), asyncio.get_running_loop()
        self._end = lambda: loop.call_soon_threadsafe(stop.set)
        self._ask = lambda: loop.call_soon_threadsafe(self._answer)
        registry, settings = kopf.OperatorRegistry(), kopf.OperatorSettings()
        _configure(settings, self._selectors)
        kopf.on.login(registry=registry)(self._on_login)
        kopf.on.event(GROUP, VERSION, "executions", registry=registry)(self._on_event)
        try:
            if self._stopped:
                return
            where: Any = {"clusterwide": True} if self._places == [""] else {"namespaces": self._places}
            await kopf.operator(
                registry=registry, settings=settings, identity=IDENTITY, standalone=True, stop_flag=stop, **where
            )
        finally:
            self._end, self._ask = (lambda: None), self._answer

    async def _on_login(self, **_: Any) -> kopf.ConnectionInfo:
        """Pass on the operator's own credentials."""
        self._heard = time.monotonic()
        login = await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(_await(self._login()), self._loop))
        return kopf.ConnectionInfo(
            server=login.server,
            ca_path=login.ca_path,
            certificate_path=login.certificate_path,
            private_key_path=login.key_path,
            token=login.token,
            insecure=login.insecure,
            expiration=datetime.now(UTC) + LOGIN_VALID,
        )

    async def _on_event(self, event: kopf.RawEvent, **_: Any) -> None:
        """Hand the object on. All the work is the queue's: kopf drops an event whose handler failed."""
        self._heard = time.monotonic()
        content: dict[str, Any] = dict(event["object"])
        if event["type"] == "DELETED":
            meta = content["metadata"]
            self._untold.append(partial(self._left, meta["uid"], int(meta["resourceVersion"])))
        elif execution := parse(Execution, content):
            self._untold.append(partial(self._changed, execution))
        if self._untold and not self._woken:  # once for all that comes before the other loop gets to it
            self._woken = True
            self._loop.call_soon_threadsafe(self._tell)

    def _tell(self) -> None:
        """Hand on, in their own thread, what has come meanwhile. Whatever comes from now on has this called again."""
        self._woken = False
        while self._untold:
            self._loop.call_soon(self._untold.popleft())


async def _await(login: Awaitable[Login]) -> Login:
    return await login


def _configure(settings: kopf.OperatorSettings, selectors: Mapping[str, str]) -> None:
    """Set kopf up for one light stream: nothing written, nothing posted, short pauses."""
    settings.watching.field_selectors[GROUP, VERSION, "executions"] = selectors["fieldSelector"]
    if shard := selectors.get("shardSelector"):
        settings.watching.shard_selectors[GROUP, VERSION, "executions"] = shard
    settings.persistence.diffbase_storage = _NoDiffs()
    settings.persistence.progress_storage = _NoProgress()
    settings.watching.inactivity_timeout = 90
    settings.watching.server_timeout = LIFE
    settings.watching.chunk_size = PAGE_SIZE  # it asks for all at once otherwise, and holds them
    settings.queueing.idle_timeout = 0.2  # a worker keeps its last object alive so long
    settings.networking.request_timeout = 10
    settings.networking.connect_timeout = 3
    settings.networking.error_backoffs = (0.05, 0.2, 1, 3, 10)
    settings.posting.enabled = False
    settings.scanning.disabled = True
    settings.process.ultimate_exiting_timeout = None
