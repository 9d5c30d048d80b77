"""The act: find the Execution, patch it in the caller's name, wait for the outcome."""

import asyncio
import time
from collections.abc import Awaitable, Iterable
from dataclasses import dataclass, replace
from itertools import groupby

from execution_operator.gateway import answers
from execution_operator.gateway.answers import Answer
from execution_operator.gateway.caller import Caller
from execution_operator.gateway.index import ExecutionView, Index
from execution_operator.kube.client import ApiError

LAG = 0.1
"""Seconds that the watch may take to show what was created just before the call."""

HIDING = 0.4
"""Seconds that every 404 takes at least where existence is hidden: what is there takes as long as what is not."""

PER_NAMESPACE, NAMESPACES = 2, 100
"""Executions of one identifier that are looked at: more of them in a namespace, or more namespaces, decide nothing."""


@dataclass(frozen=True)
class Options:
    """How the gateway behaves.

    Attributes:
        wait: Seconds until a call is answered in any case.
        hide: Whether a caller must not learn that what it may not read is there.
    """

    wait: float = 30.0
    hide: bool = False


class TerminateService:
    """Terminates for callers."""

    def __init__(self, index: Index, manner: Options) -> None:
        self._index = index
        self._manner = manner
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """Answer all who wait: what they asked for goes on without the gateway."""
        self._stopping.set()

    async def terminate(self, identifier: str, reason: str, caller: Caller) -> Answer:
        """Terminate what the identifier means, and say how it went."""
        started = time.monotonic()
        try:
            answer = await self._attempt(identifier, reason, caller)
        except ApiError as error:
            answer = failure(error)
        if self._manner.hide and answer.status == answers.NOT_FOUND:
            await asyncio.sleep(started + HIDING - time.monotonic())
        return answer

    async def _attempt(self, identifier: str, reason: str, caller: Caller) -> Answer:
        found = self._index.find(identifier) or await self._late(identifier, caller)
        chosen = found[0] if len(found) == 1 else await self._choose(identifier, found, caller)
        return chosen if isinstance(chosen, Answer) else await self._request(chosen, identifier, reason, caller)

    async def _late(self, identifier: str, caller: Caller) -> list[ExecutionView]:
        """Make sure that the caller is somebody, and give the watch time to show what is new."""
        await caller.authenticate()
        await asyncio.sleep(LAG)
        return self._index.find(identifier)

    async def _choose(self, identifier: str, found: list[ExecutionView], caller: Caller) -> ExecutionView | Answer:
        """Choose among several: of those that the caller may read, the only one, or the only one that is open."""
        if not found:
            return answers.unknown(identifier)
        candidates = _sample(found)
        readable = await asyncio.gather(*(caller.may_read(seen) for seen in candidates))
        mine = [seen for seen, may in zip(candidates, readable, strict=True) if may]
        if not mine:
            hidden = answers.unknown(identifier)
            return hidden if self._manner.hide else Answer(answers.FORBIDDEN, f"Access denied: {identifier}")
        return _only(mine) or answers.ambiguous(identifier, [seen.path for seen in mine])

    async def _request(self, before: ExecutionView, identifier: str, reason: str, caller: Caller) -> Answer:
        try:
            patched = ExecutionView.of(await caller.request(before, reason))
        except ApiError as error:
            return await self._refused(before, identifier, error, caller)
        if patched.closed:
            return answers.already(patched)
        answer = await self._outcome(patched)
        mine = not before.requested and patched.generation == before.generation + 1
        return (
            await self._taken_back(patched.uid, answer, caller)
            if mine and answer.status in answers.REFUSALS
            else answer
        )

    async def _refused(self, before: ExecutionView, identifier: str, error: ApiError, caller: Caller) -> Answer:
        """Say what the API server's no means."""
        match error.status:
            case answers.FORBIDDEN:
                hide = self._manner.hide and not await caller.may_read(before)
                denied = Answer(answers.FORBIDDEN, f"Access denied: {error.message}")
                return answers.unknown(identifier) if hide else denied
            case answers.NOT_FOUND | answers.CONFLICT:  # gone, or another of the same name by now
                return answers.unknown(identifier)
            case answers.INVALID:
                now = await caller.read(before) or before
                return answers.already(now) if now.closed else Answer(answers.INVALID, error.message)
            case _:
                return failure(error)

    async def _outcome(self, patched: ExecutionView) -> Answer:
        """Wait for the answer to what was patched."""

        def settled(seen: ExecutionView | None) -> Answer | None:
            if seen is None:
                return Answer(answers.FAILED, "Failed to terminate: the Execution was deleted before an answer")
            return answers.verdict(seen) if seen.generation >= patched.generation else None

        waits = (self._index.until(patched.uid, settled), self._stopped())
        answer = await first(waits, self._manner.wait)
        return answer or answers.pending(self._index.get(patched.uid), self._manner.wait)

    async def _stopped(self) -> Answer:
        await self._stopping.wait()
        return Answer(answers.FAILED, "Failed to terminate: the gateway stops; the request stays in force")

    async def _taken_back(self, uid: str, answer: Answer, caller: Caller) -> Answer:
        """Withdraw what was refused, or it could come true when nobody expects it any more."""
        now = self._index.get(uid)
        gone = now is None or await caller.withdraw(now)
        return answer if gone else replace(answer, detail=f"{answer.detail}; the request stays in force")


def failure(error: ApiError) -> Answer:
    """Return the answer for an error of the API server that says nothing of the Execution."""
    match error.status:
        case answers.UNAUTHORIZED:
            return Answer(answers.UNAUTHORIZED, "Not authenticated")
        case answers.FORBIDDEN:
            return Answer(answers.FORBIDDEN, f"Access denied: {error.message}")
        case answers.MANY:
            return Answer(answers.MANY, "The API server asks for patience")
        case _:
            return Answer(answers.UNAVAILABLE, f"{error}; the request may or may not be in force")


async def first(waits: Iterable[Awaitable[Answer]], seconds: float) -> Answer | None:
    """Return the first answer, or None if the time passes."""
    tasks = [asyncio.ensure_future(wait) for wait in waits]
    try:
        done, _ = await asyncio.wait(tasks, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
    return next((task.result() for task in done), None)


def _only(mine: list[ExecutionView]) -> ExecutionView | None:
    """Return the one that is meant: several are one only within a namespace, where at most one of them is open."""
    if len({seen.namespace for seen in mine}) > 1 or sum(not seen.closed for seen in mine) > 1:
        return None
    return mine[0]


def _sample(found: list[ExecutionView]) -> list[ExecutionView]:
    """Return enough of each namespace to choose from: one's Executions must not get in another's way."""
    by_namespace = groupby(sorted(found, key=lambda seen: seen.namespace), key=lambda seen: seen.namespace)
    firsts = [list(group)[:PER_NAMESPACE] for _, group in by_namespace]
    return [seen for few in firsts[:NAMESPACES] for seen in few]
