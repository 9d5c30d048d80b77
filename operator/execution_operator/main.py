"""`execution-operator`: settings, wiring, signals."""

import argparse
import asyncio
import json
import logging
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, NoReturn

from execution_operator import __version__
from execution_operator.api import Execution, Organization
from execution_operator.core.errors import Gone
from execution_operator.core.mapping import Mapping
from execution_operator.core.openruns import OpenRuns, Reference
from execution_operator.expiry import Expiries
from execution_operator.feed import Feeds
from execution_operator.gateway import command as gateway
from execution_operator.handlers import Requests
from execution_operator.kube.client import Api, collection, load_configuration, own_namespace
from execution_operator.kube.parse import behind, expendable, parse, quiet, reference
from execution_operator.kube.records import CLOSED, NEVER_SEEN, OPEN, UNANSWERED, ExecutionRecords, OrganizationRecords
from execution_operator.kube.secrets import Secrets
from execution_operator.kube.watch import Change, Watch
from execution_operator.organizations import Organizations
from execution_operator.reconcile import Reconciler
from execution_operator.streams import Streams
from execution_operator.temporal.connections import Target
from execution_operator.temporal.pool import Pool
from execution_operator.workqueue import WorkQueue

logger = logging.getLogger(__name__)

DRAIN = 5.0
"""Seconds that acts under way may take to finish after SIGTERM. What does not is done again after the restart."""

TRICKLE = 0.2
"""Seconds between two pages of the finished Executions, of which hardly any has something to do."""

READS = 10
"""Executions that are read at once when a feed tells of them."""

SDK_REST = 0.3
"""Seconds between the last call and the loop's end: the Temporal SDK can hang the interpreter otherwise."""


class Operator:
    """All parts, wired. Must be made inside the running loop."""

    def __init__(self, api: Api) -> None:
        mapping = Mapping()
        self.api = api
        self.records = ExecutionRecords(api, instance=socket.gethostname())
        self.secrets = Secrets(api, own_namespace(), changed=self._secrets_changed)
        pool = Pool(Target.from_environment(), self.secrets.current)
        self.organizations = Organizations(mapping, pool, OrganizationRecords(api), wake=self._wake)
        reconciler = Reconciler(mapping, pool.runs, self.records, self.organizations.suspect)
        self.queue = WorkQueue(reconciler.reconcile, self._read)
        self.streams = Streams(self.queue, self._waiting)
        self.open_runs = OpenRuns()
        self.feeds = Feeds(mapping, pool.closings, self.open_runs, self._hinted)
        self.expiries = Expiries(self.records)
        self.requests = Requests(
            UNANSWERED, lambda: api.serves("executions"), api.login, self.streams.requested, self.streams.left
        )

    async def run(self, stop: asyncio.Event) -> None:
        """Run until stopped, or until a part ends that never should."""
        parts = [self._start(self.secrets.run())]
        await self.secrets.synced()
        parts.append(self._start(self._organization_watch().run()))
        await self._until_synced(stop, *parts)
        if not stop.is_set():
            logger.info("organizations are known; taking up requests")
            watches = self._open_watch(), self._closed_watch()
            parts += [
                self._start(part.run()) for part in (self.streams, self.requests, self.feeds, self.expiries, *watches)
            ]
        stopped = self._start(stop.wait())
        done, _ = await asyncio.wait([stopped, *parts], return_when=asyncio.FIRST_COMPLETED)
        await self._shut_down([stopped, *parts])
        for part in done - {stopped}:
            part.result()

    async def _until_synced(self, stop: asyncio.Event, *parts: asyncio.Task[Any]) -> None:
        """Wait for the Organizations: before they are known, nothing is decided."""
        waits = [self._start(self.organizations.synced()), self._start(stop.wait())]
        await asyncio.wait([*waits, *parts], return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()

    async def _shut_down(self, parts: list[asyncio.Task[Any]]) -> None:
        """Take nothing more up, finish what is under way, let go of everything."""
        self.requests.stop()
        self.organizations.stop()
        for part in parts:
            part.cancel()
        await self.queue.drain(DRAIN)
        await asyncio.wait(parts, timeout=1)
        await self.api.close()
        await asyncio.sleep(SDK_REST)

    def _secrets_changed(self) -> None:
        self.organizations.probe_all()

    def _wake(self, namespaces: set[str]) -> None:
        self.streams.wake(namespaces)

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

        return Watch(self.api, collection("organizations"), changed, self.organizations.listed)

    def _open_watch(self) -> Watch:
        def changed(change: Change) -> None:
            uid = change.object["metadata"]["uid"]
            pinned = None if change.deleted else reference(change.object)
            if pinned is None:
                self.open_runs.drop(uid)
            else:
                self.open_runs.put(pinned)
            if not (self.queue.knows(uid) if change.deleted else not quiet(change.object)):
                return
            if execution := parse(Execution, change.object):
                take = self.streams.deleted if change.deleted else self.streams.changed
                take(execution)

        return Watch(self.api, collection("executions"), changed, self.open_runs.keep, fieldSelector=OPEN)

    def _closed_watch(self) -> Watch:
        def changed(change: Change) -> None:
            if change.deleted:
                self.expiries.drop(change.object["metadata"]["uid"])
            elif (behind(change.object) or expendable(change.object)) and (
                execution := parse(Execution, change.object)
            ):
                self.expiries.put(execution)
                self.streams.changed(execution)

        return Watch(self.api, collection("executions"), changed, pause=TRICKLE, fieldSelector=CLOSED)

    async def _waiting(self) -> AsyncIterator[Execution]:
        for selector in (UNANSWERED, *NEVER_SEEN):
            async for execution in self.records.select(selector):
                yield execution

    async def _hinted(self, references: Sequence[Reference]) -> None:
        """Read the Executions that a feed tells of, and have them looked at."""
        slots = asyncio.Semaphore(READS)

        async def take(one: Reference) -> None:
            async with slots:
                with suppress(Gone):
                    self.streams.hinted(await self.records.find(one.namespace, one.name, one.uid))

        await asyncio.gather(*map(take, references))

    async def _read(self, execution: Execution) -> Execution | None:
        with suppress(Gone):
            return await self.records.read(execution)
        return None


class JsonLines(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as JSON."""
        fields = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, "ids", {}),
        }
        if record.exc_info:
            fields["exception"] = self.formatException(record.exc_info)
        return json.dumps(fields, ensure_ascii=False)


def _log(level: str, form: str) -> None:
    handler = logging.StreamHandler(sys.stderr)
    text = logging.Formatter("%(asctime)s %(levelname)-7s %(name)s: %(message)s")
    handler.setFormatter(JsonLines() if form == "json" else text)
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    logging.getLogger("kopf").setLevel(logging.WARNING)
    logging.getLogger("kopf._core.reactor.running").setLevel(logging.ERROR)  # says that signals are ours, each time


async def _run() -> NoReturn:
    """Run to the end of the process, which is here: the Temporal SDK or kopf's thread could hang what comes after.

    Source: temporalio/sdk-python#300.
    """
    stop, loop, code = asyncio.Event(), asyncio.get_running_loop(), 0
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    try:
        await Operator(Api(await load_configuration())).run(stop)
    except Exception:
        logger.exception("the operator ended")
        code = 1
    logging.shutdown()
    os._exit(code)


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="execution-operator", description="Terminates Temporal workflows on request.")
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    run = commands.add_parser(
        "run",
        help="run the operator",
        description="Runs the operator. The API server is found as kubectl finds it (KUBECONFIG) or as a pod does; "
        "Temporal by its own environment configuration (TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE, ..., TOML profiles). "
        "OPERATOR_NAMESPACE names the operator's own namespace outside of a pod.",
    )
    run.add_argument("--log-format", choices=("text", "json"), default="text", help="default: text")
    run.add_argument("--log-level", choices=("debug", "info", "warning", "error"), default="info", help="default: info")
    gateway.add(commands)
    return parser


def main() -> None:
    """Run the command line."""
    arguments = _arguments().parse_args()
    _log(arguments.log_level, arguments.log_format)
    if arguments.command == "gateway":
        sys.exit(gateway.start(arguments))
    asyncio.run(_run())


if __name__ == "__main__":
    main()
