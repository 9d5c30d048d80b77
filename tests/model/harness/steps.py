"""The steps of a schedule and their weights."""

from collections.abc import Callable

from tests.model.harness.process import Operator
from tests.model.harness.simulation import Simulation
from tests.support.fake_temporal import OnCancel

STEPS: dict[str, tuple[int, Callable[[Simulation], object]]] = {
    "A": (120, lambda simulation: simulation.act(simulation.a, Operator.resume)),
    "B": (60, lambda simulation: simulation.act(simulation.b, Operator.resume)),
    "A loses": (5, lambda simulation: simulation.act(simulation.a, Operator.lose_reply)),
    "B loses": (3, lambda simulation: simulation.act(simulation.b, Operator.lose_reply)),
    "A is refused": (2, lambda simulation: simulation.act(simulation.a, Operator.refuse)),
    "A crashes": (3, lambda simulation: simulation.act(simulation.a, Operator.crash)),
    "B crashes": (2, lambda simulation: simulation.act(simulation.b, Operator.crash)),
    "A sees": (14, lambda simulation: simulation.a.receive_execution()),
    "B sees": (8, lambda simulation: simulation.b.receive_execution()),
    "A lags": (1, lambda simulation: simulation.a.receive_old_execution()),
    "B lags": (3, lambda simulation: simulation.b.receive_old_execution()),
    "A is raced": (3, lambda simulation: simulation.continue_before_each_terminate(simulation.a)),
    "A learns": (3, lambda simulation: simulation.a.receive_organizations()),
    "B learns": (3, lambda simulation: simulation.b.receive_organizations()),
    "created": (2, Simulation.create),
    "created asking": (4, Simulation.create_asking),
    "created pinned": (1, Simulation.create_pinned),
    "created terminating": (1, Simulation.create_terminating),
    "asked": (7, Simulation.ask),
    "asked gracefully": (3, Simulation.ask_gracefully),
    "withdrawn": (2, Simulation.withdraw),
    "deleted": (3, Simulation.delete),
    "to terminate on deletion": (1, Simulation.terminate_on_deletion),
    "acme begins": (3, lambda simulation: simulation.begin("wf", "acme")),
    "acme begins stubbornly": (1, lambda simulation: simulation.begin("wf", "acme", OnCancel.SWALLOW)),
    "rival begins": (1, lambda simulation: simulation.begin("wf", "rival")),
    "rival begins the other": (1, lambda simulation: simulation.begin("agent-wf", "rival")),
    "acme begins the other": (1, lambda simulation: simulation.begin("agent-wf", "acme")),
    "completes": (2, lambda simulation: simulation.with_open_run(simulation.state.temporal.complete)),
    "completes, cron": (
        1,
        lambda simulation: simulation.with_open_run(lambda run: simulation.state.temporal.complete(run, cron=True)),
    ),
    "fails": (1, lambda simulation: simulation.with_open_run(simulation.state.temporal.fail)),
    "is retried": (
        2,
        lambda simulation: simulation.with_open_run(lambda run: simulation.state.temporal.fail(run, retry=True)),
    ),
    "continues": (5, lambda simulation: simulation.with_open_run(simulation.state.temporal.continue_as_new)),
    "pauses": (1, lambda simulation: simulation.with_open_run(simulation.state.temporal.pause)),
    "is killed": (1, lambda simulation: simulation.with_open_run(simulation.terminate_by_hand)),
    "forges": (1, lambda simulation: simulation.with_open_run(simulation.overwrite_owner)),
    "gives birth": (1, lambda simulation: simulation.with_open_run(simulation.start_child)),
    "turns stubborn": (1, lambda simulation: simulation.with_open_run(simulation.stop_honouring)),
    "is reset": (3, Simulation.reset),
    "is reset to the first": (1, Simulation.reset_first),
    "expires": (1, Simulation.expire),
    "unmapped": (1, lambda simulation: setattr(simulation.state, "mapping_name", "unmapped")),
    "contested": (1, lambda simulation: setattr(simulation.state, "mapping_name", "contested")),
    "moved": (1, lambda simulation: setattr(simulation.state, "mapping_name", "moved")),
    "alone": (1, lambda simulation: setattr(simulation.state, "mapping_name", "alone")),
    "mapped": (3, lambda simulation: setattr(simulation.state, "mapping_name", "mapped")),
    "time passes": (3, lambda simulation: simulation.state.clock.advance(15)),
}
"""The weight and the action of each step."""
