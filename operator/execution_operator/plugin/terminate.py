"""`kubectl execution terminate`."""

import asyncio
import sys
from argparse import Namespace
from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace

from execution_operator.plugin import output
from execution_operator.plugin.client import API_VERSION, FIELD_MANAGER, KIND, ApiError, Client, Json, executions
from execution_operator.plugin.confirmation import confirmed, interruptible
from execution_operator.plugin.exit_codes import Exit, Failure
from execution_operator.plugin.follow import changes, key
from execution_operator.plugin.progress import screen
from execution_operator.plugin.request_state import State, Verdict, judge, progress
from execution_operator.plugin.targets import Selection, Target, select
from execution_operator.plugin.values import plural

LAST = 10.0
"""Seconds that requests on their way may take to arrive after Ctrl-C."""


async def run(arguments: Namespace) -> int:
    """Terminate the selected Executions, and return the exit code."""
    async with Client.of(arguments) as client:
        selection = await select(arguments, client)
        if not selection.targets:
            already = f" ({plural(selection.closed)} closed already)" if selection.closed else ""
            print(f"No open executions found{already}.", file=sys.stderr)  # noqa: T201
            return Exit.OK
        if not await confirmed(arguments, selection):
            raise Failure("nothing was requested", Exit.FAILED)
        return await Run(arguments, client, selection).result()


class Run:
    """One run of the command over its targets."""

    def __init__(self, arguments: Namespace, client: Client, selection: Selection) -> None:
        self._arguments = arguments
        self._client = client
        self._selection = selection
        self._targets = selection.targets
        self._queue = deque(selection.targets)
        self._by_key = {(target.namespace, target.name): target for target in selection.targets}
        self._settled = asyncio.Event()
        self._early: dict[tuple[str, str], Json] = {}
        self._following: asyncio.Task[None] | None = None

    async def result(self) -> int:
        """Request all terminations, wait for their outcomes with --wait, and print the result."""
        interrupted = False
        quiet, waits = self._arguments.output is not None, self._arguments.wait is not None
        with interruptible(), screen(self._targets, quiet=quiet, waits=waits) as view:
            self._view = view
            sending = asyncio.ensure_future(self._send_all())
            try:
                await asyncio.shield(sending)
                if self._arguments.wait is not None:
                    await self._wait()
            except asyncio.CancelledError:
                interrupted = True
                self._queue.clear()
                if not sending.done():
                    print("Waiting for requests on their way; Ctrl-C again leaves at once.", file=sys.stderr)  # noqa: T201
                with suppress(TimeoutError, asyncio.CancelledError):  # a second Ctrl-C does not wait
                    await asyncio.wait_for(sending, LAST)
        sent = [target for target in self._targets if target.generation or self._arguments.dry_run == "client"]
        output.objects(self._arguments.output, [target.object for target in sent if target.object])
        self._view.summary(self._targets, self._client.warnings, interrupted=interrupted)
        return Exit.INTERRUPTED if interrupted else _code(target.verdict.state for target in self._targets)

    async def _send_all(self) -> None:
        if self._arguments.dry_run == "client":
            for target in self._targets:
                target.object = self._wish(target)
                self._settle(target, Verdict(State.REQUESTED, "requested (dry run)"))
            return
        workers = min(self._arguments.concurrency, len(self._targets))
        if self._arguments.wait is not None:
            self._following = asyncio.create_task(self._follow())
        await asyncio.gather(*(self._work() for _ in range(workers)))

    async def _work(self) -> None:
        while self._queue:
            target = self._queue.popleft()
            target.verdict = Verdict(State.SENDING, State.SENDING.value)
            try:
                await self._send(target)
            except ApiError as error:
                self._settle(target, Verdict(State.FAILED, error.reason or "Failed", str(error)))

    async def _send(self, target: Target) -> None:
        dry = {"dryRun": "All"} if self._arguments.dry_run == "server" else {}
        query = {**dry, "fieldManager": FIELD_MANAGER}
        path = executions(target.namespace)
        if target.create:
            answer = await self._client.create(path, self._wish(target), **query)
            del self._by_key[target.namespace, target.name]
            target.name = answer["metadata"]["name"]
            self._by_key[target.namespace, target.name] = target
        else:
            answer = await self._client.merge(f"{path}/{target.name}", {"spec": self._terminate()}, **query)
        target.object, target.generation = answer, answer["metadata"]["generation"]
        self._settle(target, Verdict(State.REQUESTED, "requested (dry run)" if dry else "requested"))
        self._look(target, self._early.pop(key(answer), answer))

    def _terminate(self) -> Json:
        return {"terminate": {"reason": self._arguments.reason, "gracePeriodSeconds": self._arguments.grace}}

    def _wish(self, target: Target) -> Json:
        created = target.create or {"metadata": {"name": target.name, "namespace": target.namespace}, "spec": {}}
        spec = {**created["spec"], **self._terminate()}
        return {"apiVersion": API_VERSION, "kind": KIND, "metadata": created["metadata"], "spec": spec}

    async def _follow(self) -> None:
        async for change in changes(self._client, self._selection.scope, self._selection.version):
            target = self._by_key.get(key(change.object))
            if target is None or target.verdict.state in (State.WAITING, State.SENDING):
                self._early[key(change.object)] = change.object  # what was requested meanwhile is looked at then
            elif change.deleted and target.verdict.state is State.REQUESTED:
                self._settle(target, Verdict(State.FAILED, "Deleted", "deleted before an answer"))
            else:
                self._look(target, change.object)

    def _look(self, target: Target, item: Json) -> None:
        """Update the target of a changed Execution."""
        if self._arguments.wait is None or target.verdict.state is not State.REQUESTED:
            return
        if item["metadata"].get("generation", 0) < target.generation:
            return
        target.object = item
        verdict = judge(item, target.generation)
        self._settle(target, verdict or Verdict(State.REQUESTED, "requested", progress(item)))

    def _settle(self, target: Target, verdict: Verdict) -> None:
        changed, target.verdict = target.verdict != verdict, verdict
        if changed:
            self._view.changed(target)
        self._settled.set()

    async def _wait(self) -> None:
        """Wait until every request has its outcome, the timeout has passed, or the watch has failed for good."""
        assert self._following is not None  # noqa: S101 - for the type: who waits follows
        end = Verdict(State.TIMED_OUT, "timed out", "the request stays in force")
        try:
            async with asyncio.timeout(self._arguments.wait):
                while any(map(_open, self._targets)):
                    await self._change(self._following)
        except TimeoutError:
            pass
        except ApiError as error:
            end = Verdict(State.FAILED, "Unwatched", f"requested, but its outcome can't be watched: {error}")
        finally:
            self._following.cancel()
        for target in filter(_open, self._targets):
            known = target.verdict.detail
            self._settle(target, replace(end, detail=f"{known} ({end.detail})" if known else end.detail))

    async def _change(self, following: asyncio.Task[None]) -> None:
        """Wait for any change. Raise the error of the watch where it has ended."""
        self._settled.clear()
        settled = asyncio.ensure_future(self._settled.wait())
        done, _ = await asyncio.wait({settled, following}, return_when=asyncio.FIRST_COMPLETED)
        settled.cancel()
        if following in done:
            following.result()


def _open(target: Target) -> bool:
    return target.verdict.state in (State.WAITING, State.SENDING, State.REQUESTED)


def _code(states: Iterable[State]) -> int:
    found = set(states)
    if State.FAILED in found:
        return Exit.FAILED
    return Exit.TIMED_OUT if State.TIMED_OUT in found else Exit.OK
