"""Random faults: the proxies disturb single requests, and servers and operators are killed, paused and restarted."""

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

from tests.faults.harness.cluster import FaultCluster
from tests.faults.harness.matrix import CANCEL, CLOSING, DESCRIBE, NAMESPACE, OWNER, RECORD, TERMINATE
from tests.faults.harness.operators import ForkedOperator
from tests.support.faults import Call, Fault, Rule

REQUEST_FAULT_PROBABILITY = 0.06
"""The probability that a request meets a fault."""

PAUSE_SECONDS = (1.0, 4.0)
"""The shortest and the longest time between two faults of servers or operators."""

READY_PROBABILITY = 0.7
"""The probability that the next fault waits until the operator is ready.

On a busy machine, the operator would otherwise be killed before each of its starts is complete.
"""

RPCS = (DESCRIBE, OWNER, CLOSING, TERMINATE, CANCEL, NAMESPACE)
WRITES = ("pin status", RECORD, "record grace period", "write status", "create event")
READS = ("get executions", "get organizations", "watch executions", "watch organizations")

GRPC_CODES = (RPCStatusCode.RESOURCE_EXHAUSTED, RPCStatusCode.UNAVAILABLE, RPCStatusCode.INTERNAL)
HTTP_CODES = (401, 409, 429, 500, 503)

BREAKS = {Fault.CUT: 4, Fault.LOST: 6, Fault.GARBAGE: 3, Fault.SLOW: 4, Fault.SWALLOWED: 1, Fault.WITHHELD: 1}
"""The weights of the faults of a request. Faults that hang are rare, because they delay the most."""


class RandomFaults:
    """Causes faults until stopped, and counts them.

    Args:
        cluster: The servers.
        operators: The operators to kill, pause and stop.
        random_source: The source of random numbers.
    """

    def __init__(self, cluster: FaultCluster, operators: list[ForkedOperator], random_source: random.Random) -> None:
        self._cluster = cluster
        self._operators = operators
        self._random = random_source
        self._stop = threading.Event()
        self._thread = ThreadPoolExecutor(1)
        self.actions: Counter[str] = Counter()
        self.violations: list[str] = []

    def start(self) -> None:
        """Start to cause faults."""
        self._cluster.faults.at_random = self._rule
        self._running = self._thread.submit(self._run)

    def stop(self) -> None:
        """Stop to cause faults. Return once all operators are ready."""
        self._stop.set()
        self._thread.shutdown()
        self._cluster.faults.clear()
        self._running.result()
        for operator in self._operators:
            self._revive(operator)
            operator.ready()

    def _rule(self, call: Call) -> Rule | None:
        """Return the rule for a request. The proxies call this for each request."""
        if self._random.random() > REQUEST_FAULT_PROBABILITY:
            return None
        if call.operation == "expire watch":
            return Rule(Fault.EXPIRED, call.operation)
        if call.operation not in (*RPCS, *WRITES, *READS):
            return None
        if self._random.random() < 0.15:
            codes = GRPC_CODES if call.operation in RPCS else HTTP_CODES
            return Rule(Fault.REFUSED, call.operation, code=self._random.choice(codes))
        if call.operation.startswith("watch"):
            return Rule(Fault.CUT, call.operation)
        fault = self._random.choices([*BREAKS], [*BREAKS.values()])[0]
        return Rule(fault, call.operation, delay=self._random.uniform(0.1, 3.0))

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
        while not self._stop.wait(self._random.uniform(*PAUSE_SECONDS)):
            action, operator = self._random.choices(choices, weights)[0], self._random.choice(self._operators)
            for each in self._operators:
                self._revive(each)
            if self._random.random() < READY_PROBABILITY:
                operator.ready(120)
            action(operator)
            self.actions[action.__name__.replace("_", " ")] += 1

    def kill(self, operator: ForkedOperator) -> None:
        """Kill an operator, and start it again at once or after a second."""
        operator.kill()
        self._stop.wait(self._random.choice((0.0, 0.0, 1.0)))
        operator.launch()

    def terminate(self, operator: ForkedOperator) -> None:
        """Send SIGTERM to an operator. It must end within ten seconds, with exit code 0."""
        start = time.monotonic()
        operator.terminate()
        code, took = operator.ended(), time.monotonic() - start
        if code or took > 10:
            self.violations.append(f"SIGTERM: exit code {code} after {took:.1f} s")
        operator.launch()

    def pause_operator(self, operator: ForkedOperator) -> None:
        """Pause an operator for some seconds, so that it continues with outdated state."""
        os.kill(operator.pid, signal.SIGSTOP)
        self._stop.wait(self._random.uniform(1.0, 8.0))
        os.kill(operator.pid, signal.SIGCONT)

    def break_connections_to_temporal(self, _: ForkedOperator) -> None:
        """Break all connections to Temporal."""
        self._cluster.grpc.break_all()

    def break_connections_to_the_api_server(self, _: ForkedOperator) -> None:
        """Break all connections to the API server."""
        self._cluster.api.break_all()

    def pause_temporal(self, _: ForkedOperator) -> None:
        """Pause Temporal for some seconds."""
        if process := self._cluster.temporal.process:
            process.signal(signal.SIGSTOP)
            self._stop.wait(self._random.uniform(1.0, 6.0))
            process.signal(signal.SIGCONT)

    def restart_temporal(self, _: ForkedOperator) -> None:
        """Kill Temporal, and start it again with the same database after up to three seconds."""
        self._cluster.temporal.kill()
        self._stop.wait(self._random.uniform(0.0, 3.0))
        self._cluster.temporal.start()

    def restart_the_api_server(self, _: ForkedOperator) -> None:
        """Kill the API server, and start it again with the same data."""
        self._cluster.control_plane.stop_apiserver()
        self._cluster.control_plane.start_apiserver()

    def _revive(self, operator: ForkedOperator) -> None:
        """Start an operator that has ended by itself, and record that as a violation."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(operator.pid, 0)
            return
        self.violations.append(f"an operator ended by itself with exit code {operator.ended()}")
        operator.launch()
