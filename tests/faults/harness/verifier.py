"""Compares the outcomes of requests with the expectations of the users."""

import json
from collections import Counter
from functools import partial

from tests.faults.harness.history_checks import (
    check_cancelled,
    check_terminated,
    check_terminated_by_others,
    outcome_of,
)
from tests.faults.harness.users import NAMESPACE, Environment, Expectation, Users, persist
from tests.support.kube import Json, KubeError

CHECKS_BY_OUTCOME = {
    "Terminated": check_terminated,
    "Cancelled": check_cancelled,
    "AlreadyClosed": check_terminated_by_others,
}
"""The check of the run's history for each outcome."""


class OutcomeVerifier:
    """Verifies Executions that have an outcome and deletes them, so that the cluster stays small during a long load.

    Args:
        cluster: The servers.
        users: The users with their expectations.
    """

    def __init__(self, cluster: Environment, users: Users) -> None:
        self._cluster = cluster
        self._users = users
        self._ended: set[str] = set()
        self.verified: set[str] = set()
        self.answers: Counter[str] = Counter()
        self.violations: list[str] = []

    def verify_settled(self) -> None:
        """Verify and delete the Executions that have got an outcome since the last call."""
        for execution in persist(partial(self._cluster.kube.list, NAMESPACE)):
            name = execution["metadata"]["name"]
            expectation = self._users.expectations.get(name)
            if expectation and name not in self.verified and outcome_of(execution):
                self._verify(expectation, execution)
                persist(partial(self._delete, name))

    @property
    def pending(self) -> list[str]:
        """The names of the Executions whose outcome is not verified yet."""
        expectations = self._users.expectations.copy()  # copied in one step, because stories add to it
        return [name for name, expectation in expectations.items() if expectation.answers and name not in self.verified]

    def unanswered(self) -> list[str]:
        """Return the pending Executions that have no outcome in the API server either.

        Verification takes longer than the operator does.
        """
        executions = persist(partial(self._cluster.kube.list, NAMESPACE))
        answered = {each["metadata"]["name"] for each in executions if outcome_of(each)}
        return [name for name in self.pending if name not in answered]

    def verify_end(self) -> None:
        """Verify what can only be verified at the end: nothing is pending, and nothing else was terminated."""
        for name in self.pending:
            now = self._cluster.kube.get(name, NAMESPACE)
            self.violations.append(f"{name}: no outcome: {json.dumps(now)}")
        for expectation in self._users.expectations.values():
            if not expectation.answers:
                self._denied(expectation.name)
            if (
                expectation.untouched
                and (status := self._cluster.samples.status(expectation.name, expectation.untouched)) != "RUNNING"
            ):
                self.violations.append(
                    f"{expectation.name}: run {expectation.untouched} must stay open, and is {status}"
                )
        wanted = self._ended | self._users.closed
        strays = self._cluster.terminated_runs() - wanted
        self.violations += [f"run {run} was terminated, and no request asked for it" for run in strays]
        reported = Counter(
            (event["involvedObject"]["name"], event["reason"]) for event in self._cluster.kube.events(NAMESPACE)
        )
        self.violations += [
            f"{name}: {count} Events {reason}"
            for (name, reason), count in reported.items()
            if count > 1 and reason in CHECKS_BY_OUTCOME
        ]

    def _verify(self, expectation: Expectation, execution: Json) -> None:
        answer, run = outcome_of(execution), execution["status"]["runId"]
        self.verified.add(expectation.name)
        self.answers[answer] += 1
        if answer not in expectation.answers:
            self.violations.append(
                f"{expectation.name}: answered {answer}, promised {' or '.join(expectation.answers)}"
            )
        if check := CHECKS_BY_OUTCOME.get(answer):
            history = persist(partial(self._cluster.history, expectation.name, run))
            if wrong := check(execution, history):
                self.violations.append(f"{expectation.name}: {'; '.join(wrong)}: {json.dumps(execution)}")
        if answer == "Terminated":
            self._ended.add(run)

    def _delete(self, name: str) -> None:
        try:
            self._cluster.kube.delete(name, NAMESPACE)
        except KubeError as error:
            if error.status != 404:  # an earlier attempt has succeeded unseen
                raise

    def _denied(self, name: str) -> None:
        self.answers["denied"] += 1
        try:
            self._cluster.until(name, NAMESPACE, Terminated="False/OrganizationMismatch")
        except TimeoutError as error:
            self.violations.append(f"{name}: {error}")
