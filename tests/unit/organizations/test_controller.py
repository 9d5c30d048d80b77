"""The controller probes Temporal namespaces, writes statuses, and opens the circuit while Temporal is unavailable."""

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
from execution_operator.organizations.controller import OrganizationController
from execution_operator.organizations.probe_loop import (
    MIN_PROBE_INTERVAL_SECONDS,
    MIN_RETRY_INTERVAL_SECONDS,
    PROBE_INTERVAL_SECONDS,
)
from execution_operator.runtime.backoff import PROBE_BACKOFF
from tests.support.builders import organization, probe
from tests.support.clock import elapsed, run

UNAVAILABLE = Reason.TEMPORAL_UNAVAILABLE


@dataclass
class Harness:
    """A controller with a fake Temporal and a fake API server.

    Attributes:
        faults: The faults of the Organizations whose Temporal can't be used, by name.
        gate: Probes wait until this is set. It is set unless a test clears it.
        error: The error of each write of a status. None means that the writes succeed.
        probes: The name and the time in seconds of each probe.
        enqueued: The namespaces of each call that enqueued their Executions.
        written: The name of the Organization and the reason of its Ready condition, for each write.
        forgotten: The names of the Organizations whose connection was dropped.
    """

    faults: dict[str, Reason] = field(default_factory=dict)
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    error: RecordError | None = None
    probes: list[tuple[str, float]] = field(default_factory=list)
    enqueued: list[set[str]] = field(default_factory=list)
    written: list[tuple[str, str]] = field(default_factory=list)
    forgotten: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.gate.set()
        self.mapping = Mapping()
        self.controller = OrganizationController(self.mapping, self, self, self.enqueued.append)

    def initial_probe(self, one: Organization) -> Probe:
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

    def intervals(self) -> list[float]:
        times = [time for _, time in self.probes]
        return [later - earlier for earlier, later in itertools.pairwise(times)]

    def ready(self, name: str) -> bool | None:
        one = self.mapping.get(name)
        readiness = self.mapping.readiness(one) if one else None
        return readiness.ready if readiness else None


def run_test(test: Callable[[Harness], Awaitable[None]]) -> None:
    async def main() -> None:
        harness = Harness()
        await test(harness)
        harness.controller.stop()

    run(main())


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


# --- Organizations that are created, changed and deleted


def test_a_new_organization_is_probed_at_once_and_becomes_ready() -> None:
    async def test(harness: Harness) -> None:
        harness.controller.put(organization())
        assert harness.ready("acme") is None
        await settle()
        assert (harness.probes[0], harness.ready("acme"), harness.written[-1]) == (
            ("acme", 0.0),
            True,
            ("acme", "Ready"),
        )
        assert harness.enqueued == [{"team-a"}, {"team-a"}]

    run_test(test)


def test_an_update_with_the_same_generation_is_neither_probed_nor_enqueued() -> None:
    async def test(harness: Harness) -> None:
        harness.controller.put(organization())
        await settle()
        probes, enqueued = len(harness.probes), len(harness.enqueued)
        harness.controller.put(organization())
        await settle()
        assert (len(harness.probes), len(harness.enqueued)) == (probes, enqueued)

    run_test(test)


def test_a_changed_organization_enqueues_the_namespaces_it_gained_and_lost() -> None:
    async def test(harness: Harness) -> None:
        harness.controller.put(organization("acme", "a", "b"))
        await settle()
        harness.enqueued.clear()
        harness.controller.put(organization("acme", "b", "c", generation=2))
        assert harness.enqueued == [{"a", "b", "c"}]

    run_test(test)


def test_each_status_of_many_organizations_in_one_temporal_namespace_is_written_a_few_times() -> None:
    async def test(harness: Harness) -> None:
        names = [f"o-{number}" for number in range(20)]
        for name in names:
            harness.controller.put(organization(name, name, temporal="shared", ownership="OrganizationId"))
        await asyncio.sleep(1)
        harness.written.clear()
        harness.faults = dict.fromkeys(names, UNAVAILABLE)
        harness.controller.probe_all()
        await asyncio.sleep(1)
        assert {name for name, _ in harness.written} == set(names)
        assert len(harness.written) <= 4 * len(names)

    run_test(test)


def test_a_second_claim_to_a_namespace_updates_the_status_of_the_first_organization() -> None:
    async def test(harness: Harness) -> None:
        harness.controller.put(organization("acme", "a", "b"))
        await settle()
        harness.enqueued.clear()
        harness.written.clear()
        harness.controller.put(organization("rival", "a"))
        await settle()
        assert {"a", "b"} in harness.enqueued
        assert "acme" in [name for name, _ in harness.written]

    run_test(test)


def test_a_deleted_organization_is_forgotten_and_releases_its_namespaces() -> None:
    async def test(harness: Harness) -> None:
        harness.controller.put(organization("acme", "a"))
        harness.controller.put(organization("rival", "a", "b"))
        await settle()
        harness.probes.clear()
        harness.enqueued.clear()
        harness.controller.drop("acme")
        await asyncio.sleep(PROBE_INTERVAL_SECONDS * 1.5)
        assert (harness.forgotten, {name for name, _ in harness.probes}) == (["acme"], {"rival"})
        assert harness.enqueued == [{"a", "b"}]

    run_test(test)


def test_an_unknown_organization_can_be_dropped() -> None:
    async def test(harness: Harness) -> None:
        harness.controller.drop("nobody")
        assert harness.enqueued == [set()]

    run_test(test)


def test_a_complete_list_drops_missing_organizations_also_after_a_recreation() -> None:
    async def test(harness: Harness) -> None:
        for name in ("acme", "rival"):
            harness.controller.put(organization(name))
        harness.controller.listed({"uid-acme"})
        assert [each.metadata.name for each in harness.mapping] == ["acme"]
        harness.controller.put(organization(uid="anew"))
        harness.controller.listed({"anew"})
        assert [each.metadata.uid for each in harness.mapping] == ["anew"]

    run_test(test)


def test_organizations_are_synced_after_the_list_even_if_a_probe_hangs() -> None:
    async def test(harness: Harness) -> None:
        harness.gate.clear()
        waiting = asyncio.create_task(harness.controller.synced())
        harness.controller.put(organization())
        await settle()
        assert not waiting.done()
        harness.controller.listed({"uid-acme"})
        await settle()
        assert waiting.done()

    run_test(test)


# --- probes


def test_an_available_temporal_is_probed_once_a_minute() -> None:
    async def test(harness: Harness) -> None:
        harness.controller.put(organization())
        await asyncio.sleep(PROBE_INTERVAL_SECONDS * 10.5)
        assert all(interval == pytest.approx(PROBE_INTERVAL_SECONDS) for interval in harness.intervals()[1:])

    run_test(test)


def test_an_unavailable_temporal_is_probed_often_and_then_less_often() -> None:
    async def test(harness: Harness) -> None:
        harness.faults["acme"] = UNAVAILABLE
        harness.controller.put(organization())
        await asyncio.sleep(60)
        intervals = harness.intervals()
        limits = [*PROBE_BACKOFF.delays, *[PROBE_BACKOFF.delays[-1]] * len(intervals)]
        assert len(intervals) > 10
        assert all(
            interval <= limit + PROBE_BACKOFF.delays[0] for interval, limit in zip(intervals, limits, strict=False)
        )
        assert all(interval >= PROBE_BACKOFF.delays[-1] / 2 for interval in intervals[len(PROBE_BACKOFF.delays) :])

    run_test(test)


def test_executions_are_enqueued_when_temporal_becomes_unavailable_and_available_but_not_between() -> None:
    async def test(harness: Harness) -> None:
        harness.controller.put(organization())
        await asyncio.sleep(1)
        harness.enqueued.clear()
        harness.faults["acme"] = UNAVAILABLE
        harness.controller.probe_now("acme")
        await asyncio.sleep(60)
        assert (harness.enqueued, harness.ready("acme")) == ([{"team-a"}], False)
        harness.faults.clear()
        await asyncio.sleep(PROBE_BACKOFF.delays[-1] * 1.1)
        assert (harness.enqueued, harness.ready("acme")) == ([{"team-a"}, {"team-a"}], True)

    run_test(test)


def test_requests_for_a_probe_are_answered_by_one_probe_at_once() -> None:
    async def test(harness: Harness) -> None:
        harness.controller.put(organization())
        await asyncio.sleep(10)
        harness.probes.clear()
        harness.controller.probe_now("acme")
        harness.controller.probe_now("acme")
        harness.controller.probe_now("nobody")
        await asyncio.sleep(10)
        assert harness.probes == [("acme", 10.0)]

    run_test(test)


def test_many_requests_for_probes_of_an_unavailable_temporal_are_limited() -> None:
    async def test(harness: Harness) -> None:
        harness.faults["acme"] = UNAVAILABLE
        harness.controller.put(organization())
        for _ in range(1000):
            harness.controller.probe_now("acme")
            await asyncio.sleep(0.01)
        assert len(harness.probes) <= 10 / MIN_RETRY_INTERVAL_SECONDS + 2

    run_test(test)


def test_only_one_probe_runs_at_a_time() -> None:
    async def test(harness: Harness) -> None:
        harness.gate.clear()
        harness.controller.put(organization())
        await settle()
        for _ in range(3):
            harness.controller.probe_now("acme")
            harness.controller.probe_all()
            await settle()
        assert len(harness.probes) == 1
        harness.gate.set()
        await asyncio.sleep(MIN_PROBE_INTERVAL_SECONDS * 1.5)
        assert len(harness.probes) == 2

    run_test(test)


def test_a_hanging_probe_does_not_delay_other_organizations() -> None:
    async def test(harness: Harness) -> None:
        harness.gate.clear()
        harness.controller.put(organization("hangs", "a"))
        await settle()
        harness.gate.set()
        harness.controller.put(organization("acme", "b"))
        await settle()
        assert harness.ready("acme") is True

    run_test(test)


def test_probe_all_probes_all_organizations_at_once() -> None:
    async def test(harness: Harness) -> None:
        harness.controller.put(organization("acme", "a"))
        harness.controller.put(organization("rival", "b"))
        await asyncio.sleep(10)
        harness.probes.clear()
        harness.controller.probe_all()
        await settle()
        assert sorted(harness.probes) == [("acme", 10.0), ("rival", 10.0)]

    run_test(test)


def test_a_probe_of_an_organization_that_changed_meanwhile_is_ignored() -> None:
    async def test(harness: Harness) -> None:
        harness.gate.clear()
        harness.controller.put(organization(temporal="old"))
        await settle()
        harness.controller.put(organization(temporal="new", generation=2))
        harness.gate.set()
        await asyncio.sleep(MIN_PROBE_INTERVAL_SECONDS * 1.5)
        seen = harness.mapping.probe("acme")
        assert seen is not None
        assert (seen.namespace, len(harness.probes)) == ("new", 2)

    run_test(test)


def test_a_probe_of_an_organization_that_was_deleted_meanwhile_is_ignored() -> None:
    async def test(harness: Harness) -> None:
        harness.gate.clear()
        harness.controller.put(organization())
        await settle()
        harness.mapping.drop("acme")
        harness.gate.set()
        await settle()
        assert (harness.mapping.probe("acme"), harness.written) == (None, [])

    run_test(test)


def test_a_known_temporal_namespace_id_is_remembered_while_temporal_is_unavailable() -> None:
    async def test(harness: Harness) -> None:
        harness.controller.put(organization())
        await asyncio.sleep(1)
        harness.faults["acme"] = UNAVAILABLE
        harness.controller.probe_now("acme")
        await settle()
        seen = harness.mapping.probe("acme")
        assert seen is not None
        assert (seen.fault, seen.namespace_id) == (UNAVAILABLE, "id-acme")

    run_test(test)


# --- statuses that can't be written


@pytest.mark.parametrize("error", [Conflict(), ObjectNotFound()])
def test_a_status_of_an_organization_that_changed_meanwhile_is_left_to_the_watch(
    error: RecordError, caplog: pytest.LogCaptureFixture
) -> None:
    async def test(harness: Harness) -> None:
        harness.error = error
        harness.controller.put(organization())
        await settle()
        assert harness.ready("acme") is True

    run_test(test)
    assert caplog.text == ""


def test_a_status_that_could_not_be_written_is_written_after_the_next_probe(caplog: pytest.LogCaptureFixture) -> None:
    async def test(harness: Harness) -> None:
        harness.error = RecordError("the API server is unavailable")
        harness.controller.put(organization())
        await asyncio.sleep(1)
        harness.error = None
        await asyncio.sleep(PROBE_INTERVAL_SECONDS)
        assert harness.written[-1] == ("acme", "Ready")

    run_test(test)
    assert "status of organization acme not written" in caplog.text
