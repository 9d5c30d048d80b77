"""The end of each schedule: both operators stop reconciling, and each allowed request has an outcome."""

from execution_operator.api import Execution
from execution_operator.core.authorization.authorize import Grant, authorize
from execution_operator.core.reasons import Type
from execution_operator.core.workflow.requests import candidate_workflow_ids
from execution_operator.core.workflow.state import is_closed, is_unanswered
from tests.model.harness.process import Operator
from tests.model.harness.simulation import MAX_CALLS, Simulation
from tests.model.harness.state import GRACE, NAMESPACE, OWNER, ViolationError, violation_if
from tests.support.fake_temporal import FakeRun

MAX_RECONCILES = 8
"""The number of reconciles after which an object must need no further reconcile."""


def check_quiescence(simulation: Simulation) -> None:
    """Reconcile until nothing is due. Then verify the outcome of an allowed request, and that a restart is silent."""
    simulation.state.mapping_name = "mapped"
    for operator in (simulation.a, simulation.b):
        simulation.act(operator, Operator.receive_organizations)
        _finish(simulation, operator)
    for operator in (simulation.a, simulation.b):
        operator.receive_execution()
        for _ in range(MAX_RECONCILES):
            simulation.state.clock.advance(GRACE + 2)
            simulation.act(operator, Operator.resume)
            _finish(simulation, operator)
            if not operator.due:
                break
        violation_if(operator.due, f"{operator.name} still needs a reconcile after {MAX_RECONCILES}")
    _check_request_answered(simulation)
    _check_restart_writes_nothing(simulation)


def _finish(simulation: Simulation, operator: Operator) -> None:
    """Finish the reconcile in progress."""
    for _ in range(MAX_CALLS):
        if operator.task is None:
            return
        simulation.act(operator, Operator.resume)
    raise ViolationError(f"{operator.name}'s reconcile does not end: it is at {operator.at}")


def _check_request_answered(simulation: Simulation) -> None:
    now = simulation.state.server.get()
    if now is None:
        return
    violation_if(is_closed(now.status) and now.metadata.deletion_timestamp is not None, "held for nothing")
    if not is_unanswered(now):
        return
    stalled = now.status.condition(Type.STALLED)
    violation_if(stalled is None, "a request is neither answered nor stalled")
    violation_if(_allowed(simulation, now), f"a request that is allowed was not answered: {stalled}")


def _allowed(simulation: Simulation, now: Execution) -> bool:
    """Return whether the request is allowed and its run can be found."""
    grant = authorize(now, simulation.b.mapping)
    if not isinstance(grant, Grant):
        return False
    proof, recorded = grant.target.ownership, now.status.observed_ownership
    if now.status.run_id is not None:
        run = simulation.state.temporal.get(now.status.workflow_id or "", now.status.run_id, NAMESPACE)
        while run is not None and run.closing is not None and run.closing.successor:
            run = simulation.state.temporal.get(run.workflow_id, run.closing.successor, NAMESPACE)
        return run is not None and (proof in (None, recorded) or _shows(simulation, run, grant))
    ids = candidate_workflow_ids(now, grant.organization)
    found = (simulation.state.temporal.get(each, now.spec.run_id or "", NAMESPACE) for each in ids)
    first = next((run for run in found if run is not None), None)
    return first is not None and (proof is None or _shows(simulation, first, grant))


def _shows(simulation: Simulation, run: FakeRun, grant: Grant) -> bool:
    """Return whether the start event of the chain's first run exists and names the organization."""
    first = simulation.state.temporal.get(run.workflow_id, run.first_run_id, NAMESPACE)
    return first is not None and first.born[OWNER] == grant.organization.metadata.name


def _check_restart_writes_nothing(simulation: Simulation) -> None:
    """Restart both operators, and verify that they write nothing and create no Event."""
    before = len(simulation.state.server.history), len(simulation.state.server.announced)
    for operator in (simulation.a, simulation.b):
        operator.crash()
        simulation.act(operator, Operator.resume)
        _finish(simulation, operator)
    after = len(simulation.state.server.history), len(simulation.state.server.announced)
    violation_if(before != after, "a restart wrote a status or created an Event")
    simulation.invariants.verify_events()
