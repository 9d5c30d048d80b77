"""The load while the dashboard is recorded: users, an outage of Temporal, and the end of the leader."""

import itertools
import random
import signal
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from tests.support.operator import Operator
from tests.support.stack import LocalStack
from tests.support.workflows import Agent, Stubborn

RATE = 3.0
"""Executions begun in a second."""

USERS = 8
OUTAGE = 20.0
"""Seconds for which Temporal stands still."""


class Life:
    """Users with dice.

    Args:
        stack: The servers, where the Organization acme has the namespace team-a.
        leader: The operator that is going to end.
    """

    def __init__(self, stack: LocalStack, leader: Operator, dice: random.Random) -> None:
        self._stack, self._leader, self._dice = stack, leader, dice
        self._numbers = itertools.count()
        self._over = threading.Event()
        self._stories: list[Future[None]] = []

    def go_on(self, seconds: float) -> None:
        """Let users do what they do; on the way Temporal stands still for a while, and the leader ends."""
        events = [(0.4, self._pause_temporal), (0.7, self._leader.end)]
        timers = [threading.Timer(share * seconds, event) for share, event in events]
        timers.append(threading.Timer(seconds, self._over.set))
        for timer in timers:
            timer.start()
        with ThreadPoolExecutor(USERS) as pool:
            while not self._over.wait(1 / RATE):
                self._stories.append(pool.submit(self._story(), f"life-{next(self._numbers):05}"))
        for timer in timers:
            timer.join()
        for story in self._stories:
            story.result()

    def _story(self) -> Callable[[str], None]:
        """Choose what a user does."""
        stories = (self._terminate, self._leave_open, self._end_elsewhere, self._give_time, self._mistype, self._stray)
        return self._dice.choices(stories, weights=(60, 12, 12, 8, 5, 3))[0]

    def _begin(self, name: str, of: type = Agent, **spec: Any) -> None:
        self._stack.samples.begin(of, name)
        self._stack.control_plane.kube.create(name, **spec)

    def _terminate(self, name: str) -> None:
        self._begin(name, terminate={"reason": "runaway cost"})

    def _leave_open(self, name: str) -> None:
        self._begin(name)

    def _end_elsewhere(self, name: str) -> None:
        self._begin(name)
        self._over.wait(5)
        samples = self._stack.samples
        samples.do(samples.client.get_workflow_handle(name).terminate("by hand"))

    def _give_time(self, name: str) -> None:
        self._begin(name, Stubborn, terminate={"reason": "runaway cost", "gracePeriodSeconds": 20})

    def _mistype(self, name: str) -> None:
        self._stack.control_plane.kube.create(name, terminate={"reason": "runaway cost"})

    def _stray(self, name: str) -> None:
        self._stack.control_plane.kube.create(name, namespace="nobodys", terminate={"reason": "runaway cost"})

    def _pause_temporal(self) -> None:
        process = self._stack.temporal.process
        assert process is not None
        process.signal(signal.SIGSTOP)
        self._over.wait(OUTAGE)
        process.signal(signal.SIGCONT)
