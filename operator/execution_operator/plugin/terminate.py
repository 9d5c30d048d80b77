"""`kubectl execution terminate`: requests terminations, and waits for their outcomes with --wait."""

import asyncio
import sys
from argparse import Namespace
from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace

from execution_operator.plugin.client import API_VERSION, FIELD_MANAGER, KIND, ApiError, Client, Json, executions_path
from execution_operator.plugin.confirmation import confirmed, interruptible
from execution_operator.plugin.exit_codes import Exit, Failure
from execution_operator.plugin.list_watch import key, watch_executions
from execution_operator.plugin.output import print_objects
from execution_operator.plugin.progress import screen
from execution_operator.plugin.request_state import RequestStatus, State, final_status, progress_text
from execution_operator.plugin.targets import Selection, Target, select
from execution_operator.plugin.values import plural

INTERRUPT_TIMEOUT_SECONDS = 10.0
"""The longest wait after Ctrl-C for the answers of requests under way."""


async def run(arguments: Namespace) -> int:
    """Terminate the selected Executions, and return the exit code."""
    async with Client.of(arguments) as client:
        selection = await select(arguments, client)
        if not selection.targets:
            closed = f" ({plural(selection.closed_count)} closed already)" if selection.closed_count else ""
            print(f"No open executions found{closed}.", file=sys.stderr)  # noqa: T201
            return Exit.OK
        if not await confirmed(arguments, selection):
            raise Failure("nothing was requested", Exit.FAILED)
        return await TerminateCommand(arguments, client, selection).execute()


class TerminateCommand:
    """One run of the command: its targets, their requests and their watch."""

    def __init__(self, arguments: Namespace, client: Client, selection: Selection) -> None:
        self._arguments = arguments
        self._client = client
        self._selection = selection
        self._targets = selection.targets
        self._queue = deque(selection.targets)
        self._by_key = {(target.namespace, target.name): target for target in selection.targets}
        self._status_changed = asyncio.Event()
        self._changes_before_answer: dict[tuple[str, str], Json] = {}
        self._watch_task: asyncio.Task[None] | None = None

    async def execute(self) -> int:
        """Request all terminations, wait for their outcomes with --wait, and print the summary.

        Returns:
            The exit code.
        """
        interrupted = False
        quiet, waits = self._arguments.output is not None, self._arguments.wait is not None
        with interruptible(), screen(self._targets, quiet=quiet, waits=waits) as shown:
            self._screen = shown
            sending = asyncio.ensure_future(self._send_all())
            try:
                await asyncio.shield(sending)
                if self._arguments.wait is not None:
                    await self._wait()
            except asyncio.CancelledError:
                interrupted = True
                self._queue.clear()
                if not sending.done():
                    print("Waiting for answers; Ctrl-C again leaves at once.", file=sys.stderr)  # noqa: T201
                with suppress(TimeoutError, asyncio.CancelledError):  # a second Ctrl-C ends the wait
                    await asyncio.wait_for(sending, INTERRUPT_TIMEOUT_SECONDS)
        sent = [target for target in self._targets if target.generation or self._arguments.dry_run == "client"]
        print_objects(self._arguments.output, [target.object for target in sent if target.object])
        self._screen.summary(self._targets, self._client.warnings, interrupted=interrupted)
        return Exit.INTERRUPTED if interrupted else _exit_code(target.status.state for target in self._targets)

    async def _send_all(self) -> None:
        if self._arguments.dry_run == "client":
            for target in self._targets:
                target.object = self._manifest(target)
                self._set_status(target, RequestStatus(State.REQUESTED, "requested (dry run)"))
            return
        workers = min(self._arguments.concurrency, len(self._targets))
        if self._arguments.wait is not None:
            self._watch_task = asyncio.create_task(self._watch())
        await asyncio.gather(*(self._send_queued() for _ in range(workers)))

    async def _send_queued(self) -> None:
        """Send the requests of the queue, one after the other, until it is empty. Several of these run at once."""
        while self._queue:
            target = self._queue.popleft()
            target.status = RequestStatus(State.SENDING, State.SENDING.value)
            try:
                await self._send(target)
            except ApiError as error:
                self._set_status(target, RequestStatus(State.FAILED, error.reason or "Failed", str(error)))

    async def _send(self, target: Target) -> None:
        """Send the request of one target."""
        dry = {"dryRun": "All"} if self._arguments.dry_run == "server" else {}
        query = {**dry, "fieldManager": FIELD_MANAGER}
        path = executions_path(target.namespace)
        if target.new_object:
            answer = await self._client.create(path, self._manifest(target), **query)
            del self._by_key[target.namespace, target.name]
            target.name = answer["metadata"]["name"]
            self._by_key[target.namespace, target.name] = target
        else:
            answer = await self._client.merge(f"{path}/{target.name}", {"spec": self._termination_spec()}, **query)
        target.object, target.generation = answer, answer["metadata"]["generation"]
        self._set_status(target, RequestStatus(State.REQUESTED, "requested (dry run)" if dry else "requested"))
        self._update(target, self._changes_before_answer.pop(key(answer), answer))

    def _termination_spec(self) -> Json:
        return {"terminate": {"reason": self._arguments.reason, "gracePeriodSeconds": self._arguments.grace}}

    def _manifest(self, target: Target) -> Json:
        base = target.new_object or {"metadata": {"name": target.name, "namespace": target.namespace}, "spec": {}}
        spec = {**base["spec"], **self._termination_spec()}
        return {"apiVersion": API_VERSION, "kind": KIND, "metadata": base["metadata"], "spec": spec}

    async def _watch(self) -> None:
        """Update the targets from the changes of their Executions, without end."""
        async for change in watch_executions(self._client, self._selection.scope, self._selection.version):
            target = self._by_key.get(key(change.object))
            if target is None or target.status.state in (State.WAITING, State.SENDING):
                self._changes_before_answer[key(change.object)] = change.object  # applied once the request is answered
            elif change.deleted and target.status.state is State.REQUESTED:
                self._set_status(target, RequestStatus(State.FAILED, "Deleted", "deleted before it had an outcome"))
            else:
                self._update(target, change.object)

    def _update(self, target: Target, item: Json) -> None:
        """Update the status of a target from its Execution. A state from before the request is ignored."""
        if self._arguments.wait is None or target.status.state is not State.REQUESTED:
            return
        if item["metadata"].get("generation", 0) < target.generation:
            return
        target.object = item
        final = final_status(item, target.generation)
        self._set_status(target, final or RequestStatus(State.REQUESTED, "requested", progress_text(item)))

    def _set_status(self, target: Target, status: RequestStatus) -> None:
        changed, target.status = target.status != status, status
        if changed:
            self._screen.changed(target)
        self._status_changed.set()

    async def _wait(self) -> None:
        """Wait for the outcomes of all requests.

        After a timeout or a failed watch, the requests without an outcome get a status that says so.
        """
        assert self._watch_task is not None  # noqa: S101 - for the type checker: --wait starts the watch
        end = RequestStatus(State.TIMED_OUT, "timed out", "the request stays in force")
        try:
            async with asyncio.timeout(self._arguments.wait):
                while any(map(_unfinished, self._targets)):
                    await self._wait_for_change(self._watch_task)
        except TimeoutError:
            pass
        except ApiError as error:
            end = RequestStatus(State.FAILED, "Unwatched", f"requested, but its outcome can't be watched: {error}")
        finally:
            self._watch_task.cancel()
        for target in filter(_unfinished, self._targets):
            detail = target.status.detail
            self._set_status(target, replace(end, detail=f"{detail} ({end.detail})" if detail else end.detail))

    async def _wait_for_change(self, watch: asyncio.Task[None]) -> None:
        """Wait until the status of any target changes.

        Raises:
            ApiError: The watch has failed.
        """
        self._status_changed.clear()
        status_changed = asyncio.ensure_future(self._status_changed.wait())
        done, _ = await asyncio.wait({status_changed, watch}, return_when=asyncio.FIRST_COMPLETED)
        status_changed.cancel()
        if watch in done:
            watch.result()


def _unfinished(target: Target) -> bool:
    return target.status.state in (State.WAITING, State.SENDING, State.REQUESTED)


def _exit_code(states: Iterable[State]) -> int:
    found = set(states)
    if State.FAILED in found:
        return Exit.FAILED
    return Exit.TIMED_OUT if State.TIMED_OUT in found else Exit.OK
