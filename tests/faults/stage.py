"""Plays the cases of the crash matrix, and judges them."""

from tests.faults.matrix import TERMINATE, Case, Scenario
from tests.faults.rig import CANCEL_REQUESTED, Rig, untrue
from tests.support.faults import Call, Fault, Rule
from tests.support.waiting import wait_for
from tests.support.workflows import Agent, Stubborn

REASON = "crash matrix"


class Stage:
    """Plays each case once: alone, or many at the same time."""

    def __init__(self, rig: Rig) -> None:
        self._rig = rig
        self._rules: dict[Case, Rule] = {}

    def play(self, *cases: Case) -> None:
        """Bring the cases to where their request is made, make the requests, and let their faults happen."""
        new = [case for case in cases if case not in self._rules]
        for case in new:
            self._prepare(case)
        if any(case.boundary.scenario is Scenario.START for case in new):
            self._rig.operator.kill()
        for case in new:
            self._strike(case)
        self._rig.ensure_operator()

    def judge(self, case: Case) -> str:
        """Wait until the case is settled; return what was seen, for the table. Fails if anything is not as promised."""
        rule = self._rules[case]
        assert rule.fired.wait(60), "the fault never happened: is this boundary still part of the act?"
        execution = self._rig.until(case.name, Terminated="True/Terminated", Reconciling="")
        history = self._rig.history(case.name)
        assert not untrue(execution, history)
        assert sum(event.event_type == CANCEL_REQUESTED for event in history) == self._cancelled(case)
        if case.may_lose_event:
            return "once, Event lost or not"
        self._told_once(case)
        return f"once ({self._rig.faults.passed[Call(TERMINATE, case.name)]})"

    def _cancelled(self, case: Case) -> int:
        return int(case.boundary.scenario is Scenario.GRACE)

    def _told_once(self, case: Case) -> None:
        def told() -> list[str]:
            return [each["reason"] for each in self._rig.kube.events(name=case.name) if each["reason"] == "Terminated"]

        wait_for(told, f"the Event of {case.name}", 60)
        assert told() == ["Terminated"]

    def _prepare(self, case: Case) -> None:
        grace = case.boundary.scenario is Scenario.GRACE
        self._rig.samples.begin(Stubborn if grace else Agent, case.name)
        if case.boundary.scenario in (Scenario.PINNED, Scenario.GRACE):
            self._rig.kube.create(case.name)
            self._rig.until(case.name, Finished="False/Open")

    def _strike(self, case: Case) -> None:
        self._rules[case] = rule = self._rule(case)
        self._rig.faults.add(self._trigger(case, rule))
        match case.boundary.scenario:
            case Scenario.CREATION | Scenario.START:
                self._rig.kube.create(case.name, terminate={"reason": REASON})
            case Scenario.PINNED:
                self._rig.kube.terminate(case.name, REASON)
            case Scenario.GRACE:
                self._rig.kube.terminate(case.name, REASON, gracePeriodSeconds=1)

    def _rule(self, case: Case) -> Rule:
        boundary = case.boundary
        subject = "" if boundary.scenario is Scenario.START else case.name
        then = self._rig.crash if case.how.kills else None
        return Rule(case.how.fault, boundary.operation, subject, skip=boundary.skip, then=then)

    def _trigger(self, case: Case, rule: Rule) -> Rule:
        """Return the rule itself, or one that puts it in force when its time has come."""
        if not case.boundary.after:
            return rule
        arm = lambda: self._rig.faults.add(rule)  # noqa: E731 - one line, used once
        return Rule(Fault.SLOW, case.boundary.after, case.name, delay=0, then=arm)
