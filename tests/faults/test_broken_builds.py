"""Four promises, each kept by the product, and each seen to be broken by a build that leaves one thing out."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import pairwise
from pathlib import Path

import pytest
from temporalio.service import RPCStatusCode

from tests.faults.builds import INDEX_NOT_AWAITED, PIN_REMOVED, RECORD_BEFORE_OBSERVE, RETRY_ON
from tests.faults.matrix import OWNER, TERMINATE
from tests.faults.operators import Forge
from tests.faults.rig import Bystander, Rig
from tests.faults.truth import outcome_of, untrue
from tests.support.faults import Fault, Rule
from tests.support.kube import conditions_of
from tests.support.mutation import Build
from tests.support.waiting import wait_for
from tests.support.workflows import Agent

Check = Callable[[Rig, str], bool]
"""Plays a scene under this name, and tells whether the promise was kept."""


def only_the_pinned_run(rig: Rig, name: str) -> bool:
    """The workflow's ID means another run by the time of the act: that one is not touched."""
    first = rig.samples.begin(Agent, name).result_run_id
    runs: list[str | None] = []

    def reuse() -> None:
        rig.samples.do(rig.samples.client.get_workflow_handle(name, run_id=first).terminate(reason="by its owner"))
        runs.append(rig.samples.begin(Agent, name).result_run_id)

    rig.faults.add(Rule(Fault.SLOW, OWNER, name, delay=0, then=reuse))
    rig.kube.create(name, terminate={"reason": "the first one"})
    wait_for(partial(_answer, rig, name), "an answer")
    return _answer(rig, name) == "AlreadyClosed" and rig.samples.status(name, runs[0]) == "RUNNING"


def a_look_before_another_try(rig: Rig, name: str) -> bool:
    """A termination without an answer is not asked for again before the run has been looked at."""
    rig.samples.begin(Agent, name)
    rig.faults.add(Rule(Fault.REFUSED, TERMINATE, name, code=RPCStatusCode.UNAVAILABLE))
    rig.kube.create(name, terminate={"reason": "try again"})
    wait_for(partial(_answer, rig, name), "an answer")
    return (TERMINATE, TERMINATE) not in pairwise(rig.faults.asked[name])


def a_record_of_what_was_seen(rig: Rig, name: str) -> bool:
    """A termination that never arrived is not recorded."""
    rig.samples.begin(Agent, name)
    rig.faults.add(Rule(Fault.CUT, TERMINATE, name))
    rig.kube.create(name, terminate={"reason": "never arrives"})
    wait_for(partial(_answer, rig, name), "an answer")
    return not untrue(rig.kube.get(name), rig.history(name))


def no_decision_before_all_is_known(rig: Rig, name: str) -> bool:
    """An operator that does not know the Organizations yet says nothing."""
    rig.operator.kill()
    rig.samples.begin(Agent, name)
    rig.kube.create(name, terminate={"reason": "patience"})
    rig.faults.add(Rule(Fault.SLOW, "get organizations", delay=2))
    rig.operator.launch()
    return wait_for(partial(_decision, rig, name), "a decision") == "True/Terminated"


SCENES: dict[str, tuple[Check, Build]] = {
    "pin removed": (only_the_pinned_run, PIN_REMOVED),
    "retry on": (a_look_before_another_try, RETRY_ON),
    "record before observe": (a_record_of_what_was_seen, RECORD_BEFORE_OBSERVE),
    "index not awaited": (no_decision_before_all_is_known, INDEX_NOT_AWAITED),
}
EACH = pytest.mark.parametrize(("kept", "build"), SCENES.values(), ids=SCENES)


@EACH
def test_the_product_keeps_it(rig: Rig, kept: Check, build: Build) -> None:  # noqa: ARG001 - the other test's
    assert kept(rig, f"sound-{kept.__name__.replace('_', '-')}")


@EACH
def test_the_broken_build_does_not(rig: Rig, bystander: Bystander, tmp_path: Path, kept: Check, build: Build) -> None:
    with _running(rig, build, tmp_path):
        assert not kept(rig, f"broken-{kept.__name__.replace('_', '-')}")
    rig.faults.clear()
    rig.ensure_operator()
    bystander.recover()


@contextmanager
def _running(rig: Rig, build: Build, folder: Path) -> Iterator[None]:
    """Have the broken build run in place of the product."""
    with Forge(build.make(folder)) as forge, rig.operated_by(rig.new_operator("broken", forge=forge)):
        yield


def _answer(rig: Rig, name: str) -> str:
    return outcome_of(rig.kube.get(name))


def _decision(rig: Rig, name: str) -> str:
    """Return what the request has come to; empty while it is under way."""
    shown = conditions_of(rig.kube.get(name)).get("Terminated", "")
    return "" if shown.startswith("Unknown/") or shown.endswith("/Pending") else shown
