"""Terminates for a caller: finds the Execution, patches it with the caller's token, and waits for the outcome."""

import asyncio
import time
from collections.abc import Awaitable, Iterable
from dataclasses import dataclass, replace
from itertools import groupby

from execution_operator.gateway import responses
from execution_operator.gateway.caller import Caller
from execution_operator.gateway.index import ExecutionView, Index
from execution_operator.gateway.responses import Answer
from execution_operator.kube.client import ApiError

WATCH_DELAY_SECONDS = 0.1
"""Seconds that the watch may take to deliver an Execution that was created just before the call."""

MIN_NOT_FOUND_SECONDS = 0.4
"""Minimum duration of each 404 where existence is hidden, so that its duration does not show whether it exists."""

MAX_CANDIDATES_PER_NAMESPACE = 2
"""Executions with one identifier that are considered in a namespace. Two suffice: the index has open ones first."""

MAX_CANDIDATE_NAMESPACES = 100
"""Namespaces that are considered for one identifier."""


@dataclass(frozen=True)
class Options:
    """Options of the gateway.

    Attributes:
        wait: Maximum seconds until a call is answered.
        hide: Whether the existence of Executions that a caller may not read is hidden.
    """

    wait: float = 30.0
    hide: bool = False


class TerminateService:
    """Terminates for callers.

    Args:
        index: The Executions.
        options: The options.
    """

    def __init__(self, index: Index, options: Options) -> None:
        self._index = index
        self._options = options
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """Answer all waiting calls now. The operator carries out their requests without the gateway."""
        self._stopping.set()

    async def terminate(self, identifier: str, reason: str, caller: Caller) -> Answer:
        """Terminate the Execution with this identifier, and return the answer."""
        started = time.monotonic()
        try:
            answer = await self._try_to_terminate(identifier, reason, caller)
        except ApiError as error:
            answer = failure(error)
        if self._options.hide and answer.status == responses.NOT_FOUND:
            await asyncio.sleep(started + MIN_NOT_FOUND_SECONDS - time.monotonic())
        return answer

    async def _try_to_terminate(self, identifier: str, reason: str, caller: Caller) -> Answer:
        found = self._index.find(identifier) or await self._find_again(identifier, caller)
        chosen = found[0] if len(found) == 1 else await self._choose(identifier, found, caller)
        return chosen if isinstance(chosen, Answer) else await self._request(chosen, identifier, reason, caller)

    async def _find_again(self, identifier: str, caller: Caller) -> list[ExecutionView]:
        """Authenticate the caller, and give the watch time to deliver a new Execution."""
        await caller.authenticate()
        await asyncio.sleep(WATCH_DELAY_SECONDS)
        return self._index.find(identifier)

    async def _choose(self, identifier: str, found: list[ExecutionView], caller: Caller) -> ExecutionView | Answer:
        """Choose among several: of those that the caller may read, the only one, or the only open one."""
        if not found:
            return responses.not_found(identifier)
        candidates = _sample(found)
        readable = await asyncio.gather(*(caller.may_read(view) for view in candidates))
        mine = [view for view, may in zip(candidates, readable, strict=True) if may]
        if not mine:
            hidden = responses.not_found(identifier)
            return hidden if self._options.hide else Answer(responses.FORBIDDEN, f"Access denied: {identifier}")
        return _only(mine) or responses.ambiguous(identifier, [view.path for view in mine])

    async def _request(self, before: ExecutionView, identifier: str, reason: str, caller: Caller) -> Answer:
        try:
            patched = ExecutionView.of(await caller.request(before, reason))
        except ApiError as error:
            return await self._refused(before, identifier, error, caller)
        if patched.closed:
            return responses.already_closed(patched)
        answer = await self._outcome(patched)
        mine = not before.requested and patched.generation == before.generation + 1
        return (
            await self._withdrawn(patched.uid, answer, caller)
            if mine and answer.status in responses.REFUSALS
            else answer
        )

    async def _refused(self, before: ExecutionView, identifier: str, error: ApiError, caller: Caller) -> Answer:
        """Return the answer for a PATCH that the API server refused."""
        match error.status:
            case responses.FORBIDDEN:
                hide = self._options.hide and not await caller.may_read(before)
                denied = Answer(responses.FORBIDDEN, f"Access denied: {error.message}")
                return responses.not_found(identifier) if hide else denied
            case responses.NOT_FOUND | responses.CONFLICT:  # deleted, or replaced by another of this name
                return responses.not_found(identifier)
            case responses.INVALID:
                now = await caller.read(before) or before
                return responses.already_closed(now) if now.closed else Answer(responses.INVALID, error.message)
            case _:
                return failure(error)

    async def _outcome(self, patched: ExecutionView) -> Answer:
        """Wait for the outcome of the request."""

        def settled(view: ExecutionView | None) -> Answer | None:
            if view is None:
                return Answer(responses.FAILED, "Failed to terminate: the Execution was deleted before an answer")
            return responses.answer_for(view) if view.generation >= patched.generation else None

        waits = (self._index.until(patched.uid, settled), self._stopped())
        answer = await first(waits, self._options.wait)
        return answer or responses.pending(self._index.get(patched.uid), self._options.wait)

    async def _stopped(self) -> Answer:
        await self._stopping.wait()
        return Answer(responses.FAILED, "Failed to terminate: the gateway stops; the request stays in force")

    async def _withdrawn(self, uid: str, answer: Answer, caller: Caller) -> Answer:
        """Withdraw a refused request, so that it is not carried out when the caller no longer expects it."""
        now = self._index.get(uid)
        gone = now is None or await caller.withdraw(now)
        return answer if gone else replace(answer, detail=f"{answer.detail}; the request stays in force")


def failure(error: ApiError) -> Answer:
    """Return the answer for an error of the API server that does not concern the Execution."""
    match error.status:
        case responses.UNAUTHORIZED:
            return Answer(responses.UNAUTHORIZED, "Not authenticated")
        case responses.FORBIDDEN:
            return Answer(responses.FORBIDDEN, f"Access denied: {error.message}")
        case responses.TOO_MANY_REQUESTS:
            return Answer(responses.TOO_MANY_REQUESTS, "The API server limits requests: try again later")
        case _:
            return Answer(responses.UNAVAILABLE, f"{error}; the request may or may not be in force")


async def first(waits: Iterable[Awaitable[Answer]], seconds: float) -> Answer | None:
    """Return the first answer; None after the given seconds."""
    tasks = [asyncio.ensure_future(wait) for wait in waits]
    try:
        done, _ = await asyncio.wait(tasks, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
    return next((task.result() for task in done), None)


def _only(mine: list[ExecutionView]) -> ExecutionView | None:
    """Return the Execution that is meant; None where several are possible.

    Several Executions of one namespace mean the first, unless more than one of them is open.
    """
    if len({view.namespace for view in mine}) > 1 or sum(not view.closed for view in mine) > 1:
        return None
    return mine[0]


def _sample(found: list[ExecutionView]) -> list[ExecutionView]:
    """Return some candidates of each namespace, so that the Executions of one namespace do not hide those of others."""
    by_namespace = groupby(sorted(found, key=lambda view: view.namespace), key=lambda view: view.namespace)
    firsts = [list(group)[:MAX_CANDIDATES_PER_NAMESPACE] for _, group in by_namespace]
    return [view for few in firsts[:MAX_CANDIDATE_NAMESPACES] for view in few]
