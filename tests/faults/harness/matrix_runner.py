"""Runs the cases of the crash matrix and verifies their outcomes."""

import threading
from collections.abc import Callable, Sequence
from functools import partial

from tests.faults.harness.cluster import FaultCluster
from tests.faults.harness.history_checks import CANCEL_REQUESTED, check_cancelled, check_terminated
from tests.faults.harness.matrix import CANCEL, TERMINATE, Case, Scenario
from tests.support.faults import Call, Fault, Rule
from tests.support.waiting import wait_for
from tests.support.workflows import Agent, Stubborn

REASON = "crash matrix"
GRACE = {Scenario.GRACE: 60, Scenario.OVER: 1}
"""Grace periods in seconds. A workflow that obeys gets more time than any fault lasts."""

BARRIER_TIMEOUT_SECONDS = 4.0
"""Time for which a proxy holds a request until the other cases have reached their boundaries.

The deadlines of the calls are longer.
"""


class MatrixRunner:
    """Runs cases together, so that a fault meets each of them at its own boundary at the same moment.

    The cases share the connections and the operator that the fault breaks.
    """

    def __init__(self, cluster: FaultCluster) -> None:
        self._cluster = cluster

    def run_cases(self, cases: Sequence[Case]) -> dict[Case, str | Exception]:
        """Run the cases. Return for each case the table's cell, or the error if its outcome is wrong."""
        for case in cases:
            self._begin(case)
        for case in cases:
            if case.boundary.scenario in (Scenario.PINNED, *GRACE):
                self._cluster.until(case.name, case.namespace, Finished="False/Open")
        if cases[0].boundary.scenario is Scenario.START:
            self._cluster.operator.kill()
        action = self._action(cases)
        rules = {case: self._arm(case, action) for case in cases}
        for case in cases:
            self._ask(case)
        self._cluster.ensure_operator()
        return {case: self._result(case, rules[case]) for case in cases}

    def _action(self, cases: Sequence[Case]) -> Callable[[], object] | None:
        """Return the action at the boundary: wait for the other cases, then kill the operator if the case says so."""
        kill = self._cluster.crash if cases[0].how.kills else None
        return threading.Barrier(len(cases), kill, BARRIER_TIMEOUT_SECONDS).wait if not cases[0].how.hangs else None

    def _begin(self, case: Case) -> None:
        scenario = case.boundary.scenario
        self._cluster.samples.begin(Stubborn if scenario is Scenario.OVER else Agent, case.name)
        if scenario in (Scenario.PINNED, *GRACE):
            self._cluster.kube.create(case.name, case.namespace)

    def _arm(self, case: Case, action: Callable[[], object] | None) -> Rule:
        """Add the case's rule: at once, or after the operation that must come first."""
        boundary = case.boundary
        subject = "" if boundary.scenario is Scenario.START else case.name
        rule = Rule(case.how.fault, boundary.operation, subject, then=action)
        arm = partial(self._cluster.faults.add, rule)
        if boundary.after:
            self._cluster.faults.add(Rule(Fault.SLOW, boundary.after, case.name, delay=0, then=arm))
        else:
            arm()
        return rule

    def _ask(self, case: Case) -> None:
        match case.boundary.scenario:
            case Scenario.CREATION | Scenario.START:
                self._cluster.kube.create(case.name, case.namespace, terminate={"reason": REASON})
            case Scenario.PINNED:
                self._cluster.kube.terminate(case.name, REASON, case.namespace)
            case Scenario.GRACE | Scenario.OVER as graceful:
                self._cluster.kube.terminate(case.name, REASON, case.namespace, gracePeriodSeconds=GRACE[graceful])

    def _result(self, case: Case, rule: Rule) -> str | Exception:
        try:
            return self._verify(case, rule)
        except (AssertionError, TimeoutError) as error:
            return error

    def _verify(self, case: Case, rule: Rule) -> str:
        assert rule.fired.wait(30), "the fault never happened: is this boundary still part of a termination?"
        reason = "Cancelled" if case.boundary.scenario is Scenario.GRACE else "Terminated"
        execution = self._cluster.until(case.name, case.namespace, Terminated=f"True/{reason}", Reconciling="")
        history = self._cluster.history(case.name)
        wrong = (check_cancelled if reason == "Cancelled" else check_terminated)(execution, history)
        assert not wrong, wrong
        requests = sum(event.event_type == CANCEL_REQUESTED for event in history)
        assert requests == int(case.boundary.scenario in GRACE), f"cancellation was requested {requests} times"
        if case.may_lose_event:
            return "once, Event lost or not"
        self._verify_one_event(case, reason)
        return f"once ({self._calls(case)})"

    def _calls(self, case: Case) -> int:
        """Count the terminate or cancel calls to Temporal for this case."""
        act = CANCEL if case.boundary.scenario is Scenario.GRACE else TERMINATE
        return self._cluster.faults.passed[Call(act, case.name)]

    def _verify_one_event(self, case: Case, reason: str) -> None:
        def reported() -> list[str]:
            events = self._cluster.kube.events(case.namespace, case.name)
            return [each["reason"] for each in events if each["reason"] == reason]

        wait_for(reported, f"the Event of {case.name}", 30)
        assert reported() == [reason], f"{len(reported())} Events, not one"
