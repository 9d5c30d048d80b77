"""kopf's part: the stream of unanswered requests, handed on as they come.

kopf runs in a thread with a loop of its own, because it ends every task of its loop when a watch fails for good.
Here that ends nothing else, and kopf is started again.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import kopf

from execution_operator.api import GROUP, VERSION, Execution
from execution_operator.kube.client import Login
from execution_operator.kube.parse import parse

logger = logging.getLogger(__name__)

LOGIN_VALID = timedelta(minutes=5)
"""How long kopf uses credentials before it asks again; distinct ones each time, or a single 401 would end it."""

PAUSE = 1.0
"""Seconds before kopf is started again."""


class Requests:
    """The unanswered requests.

    Args:
        selectors: fieldSelector makes them up; shardSelector where several operators share them.
        served: Tells whether the API server serves Executions; kopf would miss for ever what comes later.
        login: Gives the present credentials.
        changed: Called in this thread for an Execution with an unanswered request, as it is now.
        left: Called in this thread for one that has left the selection: answered, withdrawn or deleted.
    """

    def __init__(
        self,
        selectors: Mapping[str, str],
        served: Callable[[], Awaitable[bool]],
        login: Callable[[], Awaitable[Login]],
        changed: Callable[[Execution], None],
        left: Callable[[Execution], None],
    ) -> None:
        self._selectors = selectors
        self._served = served
        self._login = login
        self._changed = changed
        self._left = left
        self._loop = asyncio.get_running_loop()
        self._stopped = False
        self._end: Callable[[], object] = lambda: None

    async def run(self) -> None:
        """Run kopf, again whenever it ends, until stopped."""
        while not self._stopped:
            try:
                if await self._served():
                    await asyncio.to_thread(asyncio.run, self._serve())
                    logger.warning("the stream of requests ended; it begins again")
                else:
                    logger.warning("the API server does not serve Executions: are the CRDs installed?")
            except Exception:
                logger.exception("the stream of requests broke; it begins again")
            if not self._stopped:
                await asyncio.sleep(PAUSE)

    def stop(self) -> None:
        """Have kopf end."""
        self._stopped = True
        with suppress(RuntimeError):  # its loop has just ended by itself
            self._end()

    async def _serve(self) -> None:
        """Run kopf in this thread's loop. Its flag is the loop's too: one of threads would hold up the loop's end."""
        stop, loop = asyncio.Event(), asyncio.get_running_loop()
        self._end = lambda: loop.call_soon_threadsafe(stop.set)
        registry, settings = kopf.OperatorRegistry(), kopf.OperatorSettings()
        _configure(settings, self._selectors)
        kopf.on.login(registry=registry)(self._on_login)
        kopf.on.event(GROUP, VERSION, "executions", registry=registry)(self._on_event)
        try:
            if self._stopped:
                return
            await kopf.operator(registry=registry, settings=settings, clusterwide=True, standalone=True, stop_flag=stop)
        finally:
            self._end = lambda: None

    async def _on_login(self, **_: Any) -> kopf.ConnectionInfo:
        """Pass on the operator's own credentials."""
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
        if execution := parse(Execution, dict(event["object"])):
            tell = self._left if event["type"] == "DELETED" else self._changed
            self._loop.call_soon_threadsafe(tell, execution)


async def _await(login: Awaitable[Login]) -> Login:
    return await login


def _configure(settings: kopf.OperatorSettings, selectors: Mapping[str, str]) -> None:
    """Set kopf up for one light stream: nothing written, nothing posted, short pauses."""
    settings.watching.field_selectors[GROUP, VERSION, "executions"] = selectors["fieldSelector"]
    if shard := selectors.get("shardSelector"):
        settings.watching.shard_selectors[GROUP, VERSION, "executions"] = shard
    settings.watching.inactivity_timeout = 90
    settings.queueing.idle_timeout = 1
    settings.networking.request_timeout = 10
    settings.networking.connect_timeout = 3
    settings.networking.error_backoffs = (0.05, 0.2, 1, 3, 10)
    settings.posting.enabled = False
    settings.scanning.disabled = True
    settings.process.ultimate_exiting_timeout = None
