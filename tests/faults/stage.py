"""Plays the cases of the crash matrix, and judges them."""

import threading
from collections.abc import Callable, Sequence
from functools import partial

from tests.faults.matrix import CANCEL, TERMINATE, Case, Scenario
from tests.faults.rig import Rig
from tests.faults.truth import CANCEL_REQUESTED, uncancelled, untrue
from tests.support.faults import Call, Fault, Rule
from tests.support.waiting import wait_for
from tests.support.workflows import Agent, Stubborn

REASON = "crash matrix"
GRACE = {Scenario.GRACE: 60, Scenario.OVER: 1}
"""Seconds of grace: more than any fault lasts for the workflow that obeys, hardly any for the one that does not."""

PATIENCE = 4.0
"""Seconds that a request is held until the others have come to their boundaries. Its deadline is later."""


class Stage:
    """Plays cases together: what happens to their requests happens at the same moment, when each is where it should be.

    So a fault meets each case at its own boundary, though the connection or the operator that it breaks is all of
    theirs.
    """

    def __init__(self, rig: Rig) -> None:
        self._rig = rig

    def play(self, cases: Sequence[Case]) -> dict[Case, str | Exception]:
        """Return what was seen of each case, for the table, or what was not as promised."""
        for case in cases:
            self._begin(case)
        for case in cases:
            if case.boundary.scenario in (Scenario.PINNED, *GRACE):
                self._rig.until(case.name, case.namespace, Finished="False/Open")
        if cases[0].boundary.scenario is Scenario.START:
            self._rig.operator.kill()
        moment = self._moment(cases)
        rules = {case: self._arm(case, moment) for case in cases}
        for case in cases:
            self._ask(case)
        self._rig.ensure_operator()
        return {case: self._judged(case, rules[case]) for case in cases}

    def _moment(self, cases: Sequence[Case]) -> Callable[[], object] | None:
        """Return what is done at the boundary: wait for the others, and kill the operator once."""
        kill = self._rig.crash if cases[0].how.kills else None
        return threading.Barrier(len(cases), kill, PATIENCE).wait if not cases[0].how.hangs else None

    def _begin(self, case: Case) -> None:
        scenario = case.boundary.scenario
        self._rig.samples.begin(Stubborn if scenario is Scenario.OVER else Agent, case.name)
        if scenario in (Scenario.PINNED, *GRACE):
            self._rig.kube.create(case.name, case.namespace)

    def _arm(self, case: Case, moment: Callable[[], object] | None) -> Rule:
        """Put the case's rule in force; where another operation must come first, once that has come."""
        boundary = case.boundary
        subject = "" if boundary.scenario is Scenario.START else case.name
        rule = Rule(case.how.fault, boundary.operation, subject, then=moment)
        arm = partial(self._rig.faults.add, rule)
        if boundary.after:
            self._rig.faults.add(Rule(Fault.SLOW, boundary.after, case.name, delay=0, then=arm))
        else:
            arm()
        return rule

    def _ask(self, case: Case) -> None:
        match case.boundary.scenario:
            case Scenario.CREATION | Scenario.START:
                self._rig.kube.create(case.name, case.namespace, terminate={"reason": REASON})
            case Scenario.PINNED:
                self._rig.kube.terminate(case.name, REASON, case.namespace)
            case Scenario.GRACE | Scenario.OVER as graceful:
                self._rig.kube.terminate(case.name, REASON, case.namespace, gracePeriodSeconds=GRACE[graceful])

    def _judged(self, case: Case, rule: Rule) -> str | Exception:
        try:
            return self._judge(case, rule)
        except (AssertionError, TimeoutError) as error:
            return error

    def _judge(self, case: Case, rule: Rule) -> str:
        assert rule.fired.wait(30), "the fault never happened: is this boundary still part of the act?"
        reason = "Cancelled" if case.boundary.scenario is Scenario.GRACE else "Terminated"
        execution = self._rig.until(case.name, case.namespace, Terminated=f"True/{reason}", Reconciling="")
        history = self._rig.history(case.name)
        wrong = (uncancelled if reason == "Cancelled" else untrue)(execution, history)
        assert not wrong, wrong
        requests = sum(event.event_type == CANCEL_REQUESTED for event in history)
        assert requests == int(case.boundary.scenario in GRACE), f"cancellation was requested {requests} times"
        if case.may_lose_event:
            return "once, Event lost or not"
        self._told_once(case, reason)
        return f"once ({self._calls(case)})"

    def _calls(self, case: Case) -> int:
        """Return how often the act itself was asked for."""
        act = CANCEL if case.boundary.scenario is Scenario.GRACE else TERMINATE
        return self._rig.faults.passed[Call(act, case.name)]

    def _told_once(self, case: Case, reason: str) -> None:
        def told() -> list[str]:
            events = self._rig.kube.events(case.namespace, case.name)
            return [each["reason"] for each in events if each["reason"] == reason]

        wait_for(told, f"the Event of {case.name}", 30)
        assert told() == [reason], f"told {len(told())} times"
