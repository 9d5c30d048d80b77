"""What may go wrong between the operator and its servers, and when: rules that the fault proxies carry out."""

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
    """What happens to one request."""

    CUT = "cut before"
    """The connection breaks before the request is passed on."""

    LOST = "reply lost"
    """The request is passed on; its reply is dropped and the connection breaks."""

    SWALLOWED = "half-open"
    """The request is taken and not passed on; nothing ever comes back."""

    WITHHELD = "reply never comes"
    """The request is passed on; its reply never comes."""

    GARBAGE = "garbage"
    """The request is passed on; what comes back is no protocol, and then the connection breaks."""

    SLOW = "slow"
    """The request is passed on late."""

    REFUSED = "refused"
    """The request is answered with an error, and not passed on."""

    EXPIRED = "410 Gone"
    """A watch is answered with one event: the version is too old. API server only."""


@dataclass(frozen=True)
class Call:
    """One request on its way.

    Attributes:
        operation: Temporal's RPC (`TerminateWorkflowExecution`), or what it is for the API server (`record status`).
        subject: The workflow ID, or the Execution's name; empty where it is about neither.
    """

    operation: str
    subject: str = ""


@dataclass
class Rule:
    """Does something to the requests that it matches.

    Attributes:
        fault: What happens to them.
        operation: Which they are.
        subject: Of which workflow or Execution; empty: of any.
        skip: How many of them pass first.
        times: How many of them it happens to.
        then: Called at that very point, before the connection breaks: kills the operator, say.
        delay: Seconds that a slow one takes longer.
        code: What a refused one is answered with: a status of HTTP, or of gRPC.
        fired: Set once it has happened.
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
        """Tell whether it happens to this call, and count it."""
        if call.operation != self.operation or (self.subject and call.subject != self.subject):
            return False
        if self.skip or not self.times:
            self.skip -= 1 if self.skip else 0
            return False
        self.times -= 1
        return True


class Faults:
    """The rules in force, and a count of what was passed on and what was done. Safe to use from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rules: list[Rule] = []
        self.at_random: Callable[[Call], Rule | None] = lambda _: None
        self.passed: Counter[Call] = Counter()
        self.done: Counter[tuple[str, Fault]] = Counter()
        self.asked: defaultdict[str, list[str]] = defaultdict(list)
        """What was asked about each workflow or Execution, passed on or not, in its order."""

    def add(self, *rules: Rule) -> None:
        """Put rules in force."""
        with self._lock:
            self._rules += rules

    def clear(self) -> None:
        """Let everything pass."""
        with self._lock:
            self._rules = []
            self.at_random = lambda _: None

    def rule_for(self, call: Call) -> Rule | None:
        """Return the first rule that takes the call."""
        with self._lock:
            self.asked[call.subject].append(call.operation)
            rule = next((rule for rule in self._rules if rule.takes(call)), None) or self.at_random(call)
            if rule:
                self.done[call.operation, rule.fault] += 1
            return rule

    def give_back(self, call: Call, rule: Rule) -> None:
        """Have a rule wait for another call: this one ended before anything happened to it."""
        with self._lock:
            rule.times += 1
            self.done[call.operation, rule.fault] -= 1

    def note(self, call: Call) -> None:
        """Count a request that goes on to its server."""
        with self._lock:
            self.passed[call] += 1


class Line(Protocol[Answer]):
    """The caller's connection."""

    def refusal(self, code: int) -> Answer:
        """Return a reply that is an error."""

    def cut(self) -> None:
        """Break it."""

    def garbage(self) -> None:
        """Send what is no protocol, then break it."""


async def carry(faults: Faults, call: Call, line: Line[Reply], forward: Callable[[], Awaitable[Reply]]) -> Reply | None:
    """Pass a request on as the rules have it. Returns the reply; None where none is to be sent."""
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
