"""The end of every schedule: everything comes to rest, and what was asked for and is allowed has been answered."""

from execution_operator.api import Execution
from execution_operator.core.authorization.authorize import Grant, authorize
from execution_operator.core.reasons import Type
from execution_operator.core.workflow.requests import candidate_workflow_ids
from execution_operator.core.workflow.state import is_closed, is_unanswered
from tests.model.process import Operator
from tests.model.scene import GRACE, NAMESPACE, OWNER, ViolationError, never
from tests.model.world import CALLS, World
from tests.support.fake_temporal import FakeRun

PASSES = 8
"""How many passes may bring an object to rest."""


def rest(world: World) -> None:
    """Let everything come to rest; then what was asked for and is allowed must have been answered."""
    world.scene.law = "mapped"
    for operator in (world.a, world.b):
        world.act(operator, Operator.learn)
        _finish(world, operator)
    for operator in (world.a, world.b):
        operator.see()
        for _ in range(PASSES):
            world.scene.clock.advance(GRACE + 2)
            world.act(operator, Operator.resume)
            _finish(world, operator)
            if not operator.due:
                break
        never(operator.due, f"{operator.name} does not come to rest")
    _check_answer(world)
    _check_silence(world)


def _finish(world: World, operator: Operator) -> None:
    """Let the pass under way end."""
    for _ in range(CALLS):
        if operator.task is None:
            return
        world.act(operator, Operator.resume)
    raise ViolationError(f"{operator.name}'s pass has no end: it is at {operator.at}")


def _check_answer(world: World) -> None:
    now = world.scene.server.get()
    if now is None:
        return
    never(is_closed(now.status) and now.metadata.deletion_timestamp is not None, "held for nothing")
    if not is_unanswered(now):
        return
    stalled = now.status.condition(Type.STALLED)
    never(stalled is None, "a request is neither answered nor stalled")
    never(_allowed(world, now), f"a request that is allowed was not answered: {stalled}")


def _allowed(world: World, now: Execution) -> bool:
    """Whether nothing stands against carrying the request out."""
    grant = authorize(now, world.b.mapping)
    if not isinstance(grant, Grant):
        return False
    proof, recorded = grant.target.ownership, now.status.observed_ownership
    if now.status.run_id is not None:
        run = world.scene.temporal.get(now.status.workflow_id or "", now.status.run_id, NAMESPACE)
        while run is not None and run.closing is not None and run.closing.successor:
            run = world.scene.temporal.get(run.workflow_id, run.closing.successor, NAMESPACE)
        return run is not None and (proof in (None, recorded) or _shows(world, run, grant))
    ids = candidate_workflow_ids(now, grant.organization)
    found = (world.scene.temporal.get(each, now.spec.run_id or "", NAMESPACE) for each in ids)
    first = next((run for run in found if run is not None), None)
    return first is not None and (proof is None or _shows(world, first, grant))


def _shows(world: World, run: FakeRun, grant: Grant) -> bool:
    """Whether the start event of the chain's first run is there, and names the organization."""
    first = world.scene.temporal.get(run.workflow_id, run.first_run_id, NAMESPACE)
    return first is not None and first.born[OWNER] == grant.organization.metadata.name


def _check_silence(world: World) -> None:
    """Nothing is written of what is true already, and nothing told."""
    before = len(world.scene.server.history), len(world.scene.server.announced)
    for operator in (world.a, world.b):
        operator.crash()
        world.act(operator, Operator.resume)
        _finish(world, operator)
    after = len(world.scene.server.history), len(world.scene.server.announced)
    never(before != after, "a restart wrote or told something")
    world.invariants.told_once()
