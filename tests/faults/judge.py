"""Holds what came of the requests against what was promised."""

import json
from collections import Counter
from functools import partial

from tests.faults.lives import NAMESPACE, Promise, Users, persist
from tests.faults.rig import Rig
from tests.faults.truth import not_ours, outcome_of, uncancelled, untrue
from tests.support.kube import Json, KubeError

TRUE = {"Terminated": untrue, "Cancelled": uncancelled, "AlreadyClosed": not_ours}
"""How an answer is held against the history of its run."""


class Judge:
    """Looks at settled Executions and deletes them, so that a long flow stays light.

    Args:
        rig: The servers.
        users: Who were promised something.
    """

    def __init__(self, rig: Rig, users: Users) -> None:
        self._rig = rig
        self._users = users
        self._ended: set[str] = set()
        self.judged: set[str] = set()
        self.answers: Counter[str] = Counter()
        self.violations: list[str] = []

    def look(self) -> None:
        """Judge what has been settled since the last look."""
        for execution in persist(partial(self._rig.kube.list, NAMESPACE)):
            name = execution["metadata"]["name"]
            promise = self._users.promises.get(name)
            if promise and name not in self.judged and outcome_of(execution):
                self._judge(promise, execution)
                persist(partial(self._delete, name))

    @property
    def waiting(self) -> list[str]:
        """The names of those whose answer was not judged yet."""
        promises = self._users.promises.copy()  # in one step: stories add to it
        return [name for name, promise in promises.items() if promise.answers and name not in self.judged]

    def unanswered(self) -> list[str]:
        """Ask the API server which of them have no answer there either: judging takes longer than answering."""
        executions = persist(partial(self._rig.kube.list, NAMESPACE))
        answered = {each["metadata"]["name"] for each in executions if outcome_of(each)}
        return [name for name in self.waiting if name not in answered]

    def sum_up(self) -> None:
        """Judge what can only be judged in the end, when nothing happens any more."""
        for name in self.waiting:
            now = self._rig.kube.get(name, NAMESPACE)
            self.violations.append(f"{name}: not settled: {json.dumps(now)}")
        for promise in self._users.promises.values():
            if not promise.answers:
                self._denied(promise.name)
            if promise.untouched and (status := self._rig.samples.status(promise.name, promise.untouched)) != "RUNNING":
                self.violations.append(f"{promise.name}: run {promise.untouched} was not meant, and is {status}")
        wanted = self._ended | self._users.closed
        strays = self._rig.terminated_runs() - wanted
        self.violations += [f"run {run} was terminated, and nobody's request says so" for run in strays]
        told = Counter((event["involvedObject"]["name"], event["reason"]) for event in self._rig.kube.events(NAMESPACE))
        self.violations += [
            f"{name}: {count} Events {reason}" for (name, reason), count in told.items() if count > 1 and reason in TRUE
        ]

    def _judge(self, promise: Promise, execution: Json) -> None:
        answer, run = outcome_of(execution), execution["status"]["runId"]
        self.judged.add(promise.name)
        self.answers[answer] += 1
        if answer not in promise.answers:
            self.violations.append(f"{promise.name}: answered {answer}, promised {' or '.join(promise.answers)}")
        if check := TRUE.get(answer):
            history = persist(partial(self._rig.history, promise.name, run))
            if wrong := check(execution, history):
                self.violations.append(f"{promise.name}: {'; '.join(wrong)}: {json.dumps(execution)}")
        if answer == "Terminated":
            self._ended.add(run)

    def _delete(self, name: str) -> None:
        try:
            self._rig.kube.delete(name, NAMESPACE)
        except KubeError as error:
            if error.status != 404:  # an earlier attempt has succeeded unseen
                raise

    def _denied(self, name: str) -> None:
        self.answers["denied"] += 1
        try:
            self._rig.until(name, NAMESPACE, Terminated="False/OrganizationMismatch")
        except TimeoutError as error:
            self.violations.append(f"{name}: {error}")
