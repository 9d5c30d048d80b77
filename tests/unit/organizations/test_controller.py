"""Organizations as they come: probes, statuses, and the circuit that opens while Temporal is away."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest

from execution_operator.api import Organization, OrganizationStatus
from execution_operator.core.authorization.mapping import Mapping, Probe
from execution_operator.core.errors import Conflict, ObjectNotFound, RecordError
from execution_operator.core.reasons import Reason
from execution_operator.organizations.controller import FLOOR, STEADY, OrganizationController
from execution_operator.runtime.backoff import PROBE_BACKOFF
from tests.support.builders import organization, probe
from tests.support.clock import elapsed, run

AWAY = Reason.TEMPORAL_UNAVAILABLE


@dataclass
class Scene:
    """Organizations over a Temporal and an API server that do as told.

    Attributes:
        faults: Which Organization's Temporal does not answer, and why.
        gate: Probes wait here; open unless a test closes it.
        error: What a write of a status fails with.
    """

    faults: dict[str, Reason] = field(default_factory=dict)
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    error: RecordError | None = None
    probes: list[tuple[str, float]] = field(default_factory=list)
    woken: list[set[str]] = field(default_factory=list)
    written: list[tuple[str, str]] = field(default_factory=list)
    forgotten: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.gate.set()
        self.mapping = Mapping()
        self.organizations = OrganizationController(self.mapping, self, self, self.woken.append)

    def unasked(self, one: Organization) -> Probe:
        return Probe(probe(one).address, probe(one).namespace, asked=False)

    async def probe(self, one: Organization) -> Probe:
        name = one.metadata.name
        self.probes.append((name, elapsed()))
        await self.gate.wait()
        return probe(one, self.faults.get(name))

    def forget(self, name: str) -> None:
        self.forgotten.append(name)

    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC)

    async def write_status(self, one: Organization, status: OrganizationStatus) -> None:
        if self.error:
            raise self.error
        ready = next((each for each in status.conditions if each.type == "Ready"), None)
        self.written.append((one.metadata.name, ready.reason if ready else ""))

    def pauses(self) -> list[float]:
        times = [time for _, time in self.probes]
        return [later - earlier for earlier, later in itertools.pairwise(times)]

    def ready(self, name: str) -> bool | None:
        one = self.mapping.get(name)
        readiness = self.mapping.readiness(one) if one else None
        return readiness.ready if readiness else None


def scene(test: Callable[[Scene], Awaitable[None]]) -> None:
    async def main() -> None:
        at = Scene()
        await test(at)
        at.organizations.stop()

    run(main())


async def idle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


# --- coming and going


def test_a_new_one_is_probed_at_once_then_ready_written_and_its_executions_woken() -> None:
    async def test(at: Scene) -> None:
        at.organizations.put(organization())
        assert at.ready("acme") is None
        await idle()
        assert (at.probes[0], at.ready("acme"), at.written[-1]) == (("acme", 0.0), True, ("acme", "Ready"))
        assert at.woken == [{"team-a"}, {"team-a"}]

    scene(test)


def test_the_echo_of_an_own_write_is_neither_probed_nor_woken() -> None:
    async def test(at: Scene) -> None:
        at.organizations.put(organization())
        await idle()
        probes, woken = len(at.probes), len(at.woken)
        at.organizations.put(organization())
        await idle()
        assert (len(at.probes), len(at.woken)) == (probes, woken)

    scene(test)


def test_a_changed_one_wakes_what_it_gained_and_what_it_lost() -> None:
    async def test(at: Scene) -> None:
        at.organizations.put(organization("acme", "a", "b"))
        await idle()
        at.woken.clear()
        at.organizations.put(organization("acme", "b", "c", generation=2))
        assert at.woken == [{"a", "b", "c"}]

    scene(test)


def test_of_many_that_share_a_temporal_namespace_each_is_written_a_few_times() -> None:
    async def test(at: Scene) -> None:
        names = [f"o-{number}" for number in range(20)]
        for name in names:
            at.organizations.put(organization(name, name, temporal="shared", ownership="OrganizationId"))
        await asyncio.sleep(1)
        at.written.clear()
        at.faults = dict.fromkeys(names, AWAY)
        at.organizations.probe_all()
        await asyncio.sleep(1)
        assert {name for name, _ in at.written} == set(names)
        assert len(at.written) <= 4 * len(names)

    scene(test)


def test_a_conflict_is_told_to_the_other_whose_status_is_written_too() -> None:
    async def test(at: Scene) -> None:
        at.organizations.put(organization("acme", "a", "b"))
        await idle()
        at.woken.clear()
        at.written.clear()
        at.organizations.put(organization("rival", "a"))
        await idle()
        assert {"a", "b"} in at.woken
        assert "acme" in [name for name, _ in at.written]

    scene(test)


def test_one_that_goes_is_forgotten_probed_no_more_and_frees_its_namespaces() -> None:
    async def test(at: Scene) -> None:
        at.organizations.put(organization("acme", "a"))
        at.organizations.put(organization("rival", "a", "b"))
        await idle()
        at.probes.clear()
        at.woken.clear()
        at.organizations.drop("acme")
        await asyncio.sleep(STEADY * 1.5)
        assert (at.forgotten, {name for name, _ in at.probes}) == (["acme"], {"rival"})
        assert at.woken == [{"a", "b"}]

    scene(test)


def test_one_that_was_never_there_may_go() -> None:
    async def test(at: Scene) -> None:
        at.organizations.drop("nobody")
        assert at.woken == [set()]

    scene(test)


def test_a_complete_list_drops_what_it_lacks_also_where_the_name_lives_on() -> None:
    async def test(at: Scene) -> None:
        for name in ("acme", "rival"):
            at.organizations.put(organization(name))
        at.organizations.listed({"uid-acme"})
        assert [each.metadata.name for each in at.mapping] == ["acme"]
        at.organizations.put(organization(uid="anew"))
        at.organizations.listed({"anew"})
        assert [each.metadata.uid for each in at.mapping] == ["anew"]

    scene(test)


def test_all_are_known_once_the_list_is_complete_even_if_a_temporal_hangs() -> None:
    async def test(at: Scene) -> None:
        at.gate.clear()
        waiting = asyncio.create_task(at.organizations.synced())
        at.organizations.put(organization())
        await idle()
        assert not waiting.done()
        at.organizations.listed({"uid-acme"})
        await idle()
        assert waiting.done()

    scene(test)


# --- the circuit


def test_one_that_answers_is_looked_at_seldom() -> None:
    async def test(at: Scene) -> None:
        at.organizations.put(organization())
        await asyncio.sleep(STEADY * 10.5)
        assert all(pause == pytest.approx(STEADY) for pause in at.pauses()[1:])

    scene(test)


def test_one_that_does_not_is_looked_at_often_and_then_less_so() -> None:
    async def test(at: Scene) -> None:
        at.faults["acme"] = AWAY
        at.organizations.put(organization())
        await asyncio.sleep(60)
        pauses = at.pauses()
        limits = [*PROBE_BACKOFF.delays, *[PROBE_BACKOFF.delays[-1]] * len(pauses)]
        assert len(pauses) > 10
        assert all(pause <= limit + PROBE_BACKOFF.delays[0] for pause, limit in zip(pauses, limits, strict=False))
        assert all(pause >= PROBE_BACKOFF.delays[-1] / 2 for pause in pauses[len(PROBE_BACKOFF.delays) :])

    scene(test)


def test_its_executions_are_woken_when_it_goes_and_when_it_is_back_but_not_between() -> None:
    async def test(at: Scene) -> None:
        at.organizations.put(organization())
        await asyncio.sleep(1)
        at.woken.clear()
        at.faults["acme"] = AWAY
        at.organizations.suspect("acme")
        await asyncio.sleep(60)
        assert (at.woken, at.ready("acme")) == ([{"team-a"}], False)
        at.faults.clear()
        await asyncio.sleep(PROBE_BACKOFF.delays[-1] * 1.1)
        assert (at.woken, at.ready("acme")) == ([{"team-a"}, {"team-a"}], True)

    scene(test)


def test_a_suspicion_is_looked_into_at_once() -> None:
    async def test(at: Scene) -> None:
        at.organizations.put(organization())
        await asyncio.sleep(10)
        at.probes.clear()
        at.organizations.suspect("acme")
        at.organizations.suspect("acme")
        at.organizations.suspect("nobody")
        await asyncio.sleep(10)
        assert at.probes == [("acme", 10.0)]

    scene(test)


def test_suspicions_of_one_that_is_away_do_not_become_a_storm() -> None:
    async def test(at: Scene) -> None:
        at.faults["acme"] = AWAY
        at.organizations.put(organization())
        for _ in range(1000):
            at.organizations.suspect("acme")
            await asyncio.sleep(0.01)
        assert len(at.probes) <= 10 / (PROBE_BACKOFF.delays[0] / 2) + 2

    scene(test)


def test_one_look_at_a_time() -> None:
    async def test(at: Scene) -> None:
        at.gate.clear()
        at.organizations.put(organization())
        await idle()
        for _ in range(3):
            at.organizations.suspect("acme")
            at.organizations.probe_all()
            await idle()
        assert len(at.probes) == 1
        at.gate.set()
        await asyncio.sleep(FLOOR * 1.5)
        assert len(at.probes) == 2

    scene(test)


def test_a_hanging_temporal_holds_up_nobody_else() -> None:
    async def test(at: Scene) -> None:
        at.gate.clear()
        at.organizations.put(organization("hangs", "a"))
        await idle()
        at.gate.set()
        at.organizations.put(organization("acme", "b"))
        await idle()
        assert at.ready("acme") is True

    scene(test)


def test_what_they_are_reached_with_has_changed_so_all_are_looked_at() -> None:
    async def test(at: Scene) -> None:
        at.organizations.put(organization("acme", "a"))
        at.organizations.put(organization("rival", "b"))
        await asyncio.sleep(10)
        at.probes.clear()
        at.organizations.probe_all()
        await idle()
        assert sorted(at.probes) == [("acme", 10.0), ("rival", 10.0)]

    scene(test)


def test_a_look_that_was_overtaken_by_a_change_counts_for_nothing() -> None:
    async def test(at: Scene) -> None:
        at.gate.clear()
        at.organizations.put(organization(temporal="old"))
        await idle()
        at.organizations.put(organization(temporal="new", generation=2))
        at.gate.set()
        await asyncio.sleep(FLOOR * 1.5)
        seen = at.mapping.probe("acme")
        assert seen is not None
        assert (seen.namespace, len(at.probes)) == ("new", 2)

    scene(test)


def test_a_look_at_one_that_has_gone_meanwhile_counts_for_nothing() -> None:
    async def test(at: Scene) -> None:
        at.gate.clear()
        at.organizations.put(organization())
        await idle()
        at.mapping.drop("acme")
        at.gate.set()
        await idle()
        assert (at.mapping.probe("acme"), at.written) == (None, [])

    scene(test)


def test_an_id_once_known_is_remembered_while_temporal_is_away() -> None:
    async def test(at: Scene) -> None:
        at.organizations.put(organization())
        await asyncio.sleep(1)
        at.faults["acme"] = AWAY
        at.organizations.suspect("acme")
        await idle()
        seen = at.mapping.probe("acme")
        assert seen is not None
        assert (seen.fault, seen.namespace_id) == (AWAY, "id-acme")

    scene(test)


# --- statuses that can't be written


@pytest.mark.parametrize("error", [Conflict(), ObjectNotFound()])
def test_a_status_overtaken_by_a_change_is_left_to_the_watch(
    error: RecordError, caplog: pytest.LogCaptureFixture
) -> None:
    async def test(at: Scene) -> None:
        at.error = error
        at.organizations.put(organization())
        await idle()
        assert at.ready("acme") is True

    scene(test)
    assert caplog.text == ""


def test_a_status_that_could_not_be_written_is_tried_at_the_next_look(caplog: pytest.LogCaptureFixture) -> None:
    async def test(at: Scene) -> None:
        at.error = RecordError("the API server is away")
        at.organizations.put(organization())
        await asyncio.sleep(1)
        at.error = None
        await asyncio.sleep(STEADY)
        assert at.written[-1] == ("acme", "Ready")

    scene(test)
    assert "status of organization acme not written" in caplog.text
