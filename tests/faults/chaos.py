"""Faults at random: to single requests by the proxies, and to servers and operators as a whole."""

import contextlib
import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from temporalio.service import RPCStatusCode

from tests.faults.matrix import CANCEL, CLOSING, DESCRIBE, NAMESPACE, OWNER, RECORD, TERMINATE
from tests.faults.operators import ForkedOperator
from tests.faults.rig import Rig
from tests.support.faults import Call, Fault, Rule

SHARE = 0.06
"""Of the requests that something happens to."""

PAUSES = (1.0, 4.0)
"""Seconds between two faults of servers or operators, at least and at most."""

COMES_UP = 0.7
"""How often an operator comes up before the next fault: on a busy machine it would never get to work otherwise."""

RPCS = (DESCRIBE, OWNER, CLOSING, TERMINATE, CANCEL, NAMESPACE)
WRITES = ("pin status", RECORD, "record grace period", "write status", "create event")
READS = ("get executions", "get organizations", "watch executions", "watch organizations")

GRPC_CODES = (RPCStatusCode.RESOURCE_EXHAUSTED, RPCStatusCode.UNAVAILABLE, RPCStatusCode.INTERNAL)
HTTP_CODES = (401, 409, 429, 500, 503)

BREAKS = {Fault.CUT: 4, Fault.LOST: 6, Fault.GARBAGE: 3, Fault.SLOW: 4, Fault.SWALLOWED: 1, Fault.WITHHELD: 1}
"""What may happen to a request, and how often; those that hang hold up most."""


class Chaos:
    """Makes faults until stopped, and counts them.

    Args:
        rig: The servers.
        operators: Those that are killed, paused and stopped.
        dice: Where chance comes from.
    """

    def __init__(self, rig: Rig, operators: list[ForkedOperator], dice: random.Random) -> None:
        self._rig = rig
        self._operators = operators
        self._dice = dice
        self._stop = threading.Event()
        self._thread = ThreadPoolExecutor(1)
        self.actions: Counter[str] = Counter()
        self.violations: list[str] = []

    def start(self) -> None:
        """Begin."""
        self._rig.faults.at_random = self._rule
        self._running = self._thread.submit(self._run)

    def stop(self) -> None:
        """End, with everything up again."""
        self._stop.set()
        self._thread.shutdown()
        self._rig.faults.clear()
        self._running.result()
        for operator in self._operators:
            self._revive(operator)
            operator.ready()

    def _rule(self, call: Call) -> Rule | None:
        """Decide on one request. A proxy asks this."""
        if self._dice.random() > SHARE:
            return None
        if call.operation == "expire watch":
            return Rule(Fault.EXPIRED, call.operation)
        if call.operation not in (*RPCS, *WRITES, *READS):
            return None
        if self._dice.random() < 0.15:
            codes = GRPC_CODES if call.operation in RPCS else HTTP_CODES
            return Rule(Fault.REFUSED, call.operation, code=self._dice.choice(codes))
        if call.operation.startswith("watch"):
            return Rule(Fault.CUT, call.operation)
        fault = self._dice.choices([*BREAKS], [*BREAKS.values()])[0]
        return Rule(fault, call.operation, delay=self._dice.uniform(0.1, 3.0))

    def _run(self) -> None:
        actions: list[tuple[int, Callable[[ForkedOperator], object]]] = [
            (8, self.kill),
            (3, self.terminate),
            (3, self.pause_operator),
            (4, self.break_connections_to_temporal),
            (4, self.break_connections_to_the_api_server),
            (2, self.pause_temporal),
            (2, self.restart_temporal),
            (1, self.restart_the_api_server),
        ]
        weights, choices = zip(*actions, strict=True)
        while not self._stop.wait(self._dice.uniform(*PAUSES)):
            action, operator = self._dice.choices(choices, weights)[0], self._dice.choice(self._operators)
            for each in self._operators:
                self._revive(each)
            if self._dice.random() < COMES_UP:
                operator.ready(120)
            action(operator)
            self.actions[action.__name__.replace("_", " ")] += 1

    def kill(self, operator: ForkedOperator) -> None:
        """End an operator as a crash does; it is there again at once, or after some time."""
        operator.kill()
        self._stop.wait(self._dice.choice((0.0, 0.0, 1.0)))
        operator.launch()

    def terminate(self, operator: ForkedOperator) -> None:
        """Ask an operator to end; it must do so in time, and well."""
        start = time.monotonic()
        operator.terminate()
        code, took = operator.ended(), time.monotonic() - start
        if code or took > 10:
            self.violations.append(f"SIGTERM: exit code {code} after {took:.1f} s")
        operator.launch()

    def pause_operator(self, operator: ForkedOperator) -> None:
        """Have an operator stand still, and go on with what it knew."""
        os.kill(operator.pid, signal.SIGSTOP)
        self._stop.wait(self._dice.uniform(1.0, 8.0))
        os.kill(operator.pid, signal.SIGCONT)

    def break_connections_to_temporal(self, _: ForkedOperator) -> None:
        """Break all connections to Temporal."""
        self._rig.grpc.break_all()

    def break_connections_to_the_api_server(self, _: ForkedOperator) -> None:
        """Break all connections to the API server."""
        self._rig.api.break_all()

    def pause_temporal(self, _: ForkedOperator) -> None:
        """Have Temporal give no answer for a while."""
        if process := self._rig.temporal.process:
            process.signal(signal.SIGSTOP)
            self._stop.wait(self._dice.uniform(1.0, 6.0))
            process.signal(signal.SIGCONT)

    def restart_temporal(self, _: ForkedOperator) -> None:
        """Kill Temporal; it is back after some time, with its database."""
        self._rig.temporal.kill()
        self._stop.wait(self._dice.uniform(0.0, 3.0))
        self._rig.temporal.start()

    def restart_the_api_server(self, _: ForkedOperator) -> None:
        """Kill the API server; it is back after some time, with its data."""
        self._rig.control_plane.stop_apiserver()
        self._rig.control_plane.start_apiserver()

    def _revive(self, operator: ForkedOperator) -> None:
        """Start an operator that ended by itself: it should not have."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(operator.pid, 0)
            return
        self.violations.append(f"an operator ended by itself with exit code {operator.ended()}")
        operator.launch()
