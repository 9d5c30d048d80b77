"""What may happen in a schedule, and how often."""

from collections.abc import Callable

from tests.model.process import Operator
from tests.model.world import World
from tests.support.fake_temporal import OnCancel

STEPS: dict[str, tuple[int, Callable[[World], object]]] = {
    "A": (120, lambda world: world.act(world.a, Operator.resume)),
    "B": (60, lambda world: world.act(world.b, Operator.resume)),
    "A loses": (5, lambda world: world.act(world.a, Operator.lose)),
    "B loses": (3, lambda world: world.act(world.b, Operator.lose)),
    "A is refused": (2, lambda world: world.act(world.a, Operator.refuse)),
    "A crashes": (3, lambda world: world.act(world.a, Operator.crash)),
    "B crashes": (2, lambda world: world.act(world.b, Operator.crash)),
    "A sees": (14, lambda world: world.a.see()),
    "B sees": (8, lambda world: world.b.see()),
    "A lags": (1, lambda world: world.a.lag()),
    "B lags": (3, lambda world: world.b.lag()),
    "A is raced": (3, lambda world: world.race(world.a)),
    "A learns": (3, lambda world: world.a.learn()),
    "B learns": (3, lambda world: world.b.learn()),
    "created": (2, World.create),
    "created asking": (4, World.create_asking),
    "created pinned": (1, World.create_pinned),
    "created terminating": (1, World.create_terminating),
    "asked": (7, World.ask),
    "asked gracefully": (3, World.ask_gracefully),
    "withdrawn": (2, World.withdraw),
    "deleted": (3, World.delete),
    "to terminate on deletion": (1, World.terminate_on_deletion),
    "acme begins": (3, lambda world: world.begin("wf", "acme")),
    "acme begins stubbornly": (1, lambda world: world.begin("wf", "acme", OnCancel.SWALLOW)),
    "rival begins": (1, lambda world: world.begin("wf", "rival")),
    "rival begins the other": (1, lambda world: world.begin("agent-wf", "rival")),
    "acme begins the other": (1, lambda world: world.begin("agent-wf", "acme")),
    "completes": (2, lambda world: world.happen(world.scene.temporal.complete)),
    "completes, cron": (1, lambda world: world.happen(lambda run: world.scene.temporal.complete(run, cron=True))),
    "fails": (1, lambda world: world.happen(world.scene.temporal.fail)),
    "is retried": (2, lambda world: world.happen(lambda run: world.scene.temporal.fail(run, retry=True))),
    "continues": (5, lambda world: world.happen(world.scene.temporal.continue_as_new)),
    "pauses": (1, lambda world: world.happen(world.scene.temporal.pause)),
    "is killed": (1, lambda world: world.happen(world.kill)),
    "forges": (1, lambda world: world.happen(world.forge)),
    "gives birth": (1, lambda world: world.happen(world.bear)),
    "turns stubborn": (1, lambda world: world.happen(world.stop_honouring)),
    "is reset": (3, World.reset),
    "is reset to the first": (1, World.reset_first),
    "expires": (1, World.expire),
    "unmapped": (1, lambda world: setattr(world.scene, "law", "unmapped")),
    "contested": (1, lambda world: setattr(world.scene, "law", "contested")),
    "moved": (1, lambda world: setattr(world.scene, "law", "moved")),
    "alone": (1, lambda world: setattr(world.scene, "law", "alone")),
    "mapped": (3, lambda world: setattr(world.scene, "law", "mapped")),
    "time passes": (3, lambda world: world.scene.clock.advance(15)),
}
"""The weight of each step, and what it does."""
