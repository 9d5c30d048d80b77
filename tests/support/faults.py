"""Faults between the operator and its servers, and the rules by which the fault proxies cause them."""

import asyncio
import threading
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol, TypeVar

Reply = TypeVar("Reply")
Answer = TypeVar("Answer", covariant=True)  # noqa: PLC0105 - the name that reads well below


class Fault(StrEnum):
    """The fault that meets a request."""

    CUT = "cut before"
    """The connection breaks before the request is passed on."""

    LOST = "reply lost"
    """The request is passed on; its reply is dropped and the connection breaks."""

    SWALLOWED = "half-open"
    """The request is accepted and not passed on. No reply is sent."""

    WITHHELD = "reply never comes"
    """The request is passed on. Its reply is never sent."""

    GARBAGE = "garbage"
    """The request is passed on. The caller gets random bytes, then the connection breaks."""

    SLOW = "slow"
    """The request is passed on late."""

    REFUSED = "refused"
    """The request is answered with an error, and not passed on."""

    EXPIRED = "410 Gone"
    """A watch is answered with one event: the version is too old. API server only."""


@dataclass(frozen=True)
class Call:
    """One request.

    Attributes:
        operation: Temporal's RPC (`TerminateWorkflowExecution`), or a name for the API server's (`record status`).
        subject: The workflow ID or the Execution's name. Empty if the request concerns neither.
    """

    operation: str
    subject: str = ""


@dataclass
class Rule:
    """Causes a fault for the requests that it matches.

    Attributes:
        fault: The fault.
        operation: The operation of the requests.
        subject: The workflow ID or the Execution's name. Empty matches any.
        skip: The number of matching requests that pass before the first fault.
        times: The number of requests that meet the fault.
        then: A function to call at the fault, before the connection breaks. For example, it kills the operator.
        delay: The additional seconds of a slow request.
        code: The HTTP or gRPC status of a refused request.
        fired: Set after the fault has happened.
    """

    fault: Fault
    operation: str
    subject: str = ""
    skip: int = 0
    times: int = 1
    then: Callable[[], object] | None = None
    delay: float = 0.5
    code: int = 0
    fired: threading.Event = field(default_factory=threading.Event)

    def takes(self, call: Call) -> bool:
        """Return whether the rule applies to this call, and count the call."""
        if call.operation != self.operation or (self.subject and call.subject != self.subject):
            return False
        if self.skip or not self.times:
            self.skip -= 1 if self.skip else 0
            return False
        self.times -= 1
        return True


class Faults:
    """The active rules, and counters of requests and faults. Threads may share it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rules: list[Rule] = []
        self.at_random: Callable[[Call], Rule | None] = lambda _: None
        self.passed: Counter[Call] = Counter()
        self.done: Counter[tuple[str, Fault]] = Counter()
        self.asked: defaultdict[str, list[str]] = defaultdict(list)
        """The operations on each workflow or Execution in their order, whether passed on or not."""

    def add(self, *rules: Rule) -> None:
        """Activate rules."""
        with self._lock:
            self._rules += rules

    def clear(self) -> None:
        """Remove all rules."""
        with self._lock:
            self._rules = []
            self.at_random = lambda _: None

    def rule_for(self, call: Call) -> Rule | None:
        """Return the first rule that applies to the call."""
        with self._lock:
            self.asked[call.subject].append(call.operation)
            rule = next((rule for rule in self._rules if rule.takes(call)), None) or self.at_random(call)
            if rule:
                self.done[call.operation, rule.fault] += 1
            return rule

    def give_back(self, call: Call, rule: Rule) -> None:
        """Restore a rule whose call ended before the fault happened."""
        with self._lock:
            rule.times += 1
            self.done[call.operation, rule.fault] -= 1

    def note(self, call: Call) -> None:
        """Count a request that is passed on to its server."""
        with self._lock:
            self.passed[call] += 1


class Line(Protocol[Answer]):
    """The caller's connection."""

    def refusal(self, code: int) -> Answer:
        """Return a reply that is an error."""

    def cut(self) -> None:
        """Break it."""

    def garbage(self) -> None:
        """Send random bytes, then break the connection."""


async def carry(faults: Faults, call: Call, line: Line[Reply], forward: Callable[[], Awaitable[Reply]]) -> Reply | None:
    """Pass a request on, with the fault of its rule, if any. Return the reply, or None if no reply is to be sent."""
    rule = faults.rule_for(call)
    try:
        reply = await _forwarded(faults, call, rule, forward)
    except BaseException:
        if rule is not None:
            faults.give_back(call, rule)
        raise
    if rule is not None:
        await asyncio.to_thread(_happen, rule)  # a thread goes on when the caller's end cancels this
        match rule.fault:
            case Fault.REFUSED:
                return line.refusal(rule.code)
            case Fault.SLOW:
                return reply
            case _:
                await _break(rule.fault, line)
                return None
    return reply


async def _forwarded(
    faults: Faults, call: Call, rule: Rule | None, forward: Callable[[], Awaitable[Reply]]
) -> Reply | None:
    if rule is not None and rule.fault is Fault.SLOW:
        await asyncio.sleep(rule.delay)
    if rule is not None and rule.fault in (Fault.CUT, Fault.SWALLOWED, Fault.REFUSED):
        return None
    faults.note(call)
    return await forward()


def _happen(rule: Rule) -> None:
    if rule.then:
        rule.then()
    rule.fired.set()


async def _break(fault: Fault, line: Line[Any]) -> None:
    match fault:
        case Fault.CUT | Fault.LOST:
            line.cut()
        case Fault.GARBAGE:
            line.garbage()
        case Fault.SWALLOWED | Fault.WITHHELD:
            await asyncio.get_running_loop().create_future()  # until the caller gives up
        case Fault.SLOW | Fault.EXPIRED | Fault.REFUSED:
            pass  # none of them breaks anything
