"""The poller of all Temporal namespaces survives failures, and keeps its kinds of poll independent."""

import asyncio
from collections.abc import Sequence

from execution_operator.core.authorization.mapping import Mapping
from execution_operator.index.open_runs import OpenRuns, Reference
from execution_operator.runtime.backoff import POLL_BACKOFF
from execution_operator.visibility.poller import VisibilityPoller
from tests.support.builders import mapping, organization, probe
from tests.support.clock import run
from tests.support.visibility import FakeVisibility


def test_polling_continues_after_hours_of_failures() -> None:
    async def main() -> list[str]:
        runs, visibility, reported = OpenRuns(), FakeVisibility(unavailable=True), list[str]()
        runs.put(Reference("uid-0", "team-a", "ex-0", "acme", "run-0"))
        mapping = Mapping()
        mapping.put(acme := organization("acme", "team-a"))
        mapping.record_probe("acme", probe(acme))

        def enqueue(references: Sequence[Reference]) -> None:
            reported.extend(reference.name for reference in references)

        poller = asyncio.create_task(VisibilityPoller(mapping, lambda *_: visibility, runs, enqueue).run())
        await asyncio.sleep(1100 * POLL_BACKOFF.delays[-1])
        visibility.unavailable = False
        visibility.close("run-0")
        await asyncio.sleep(2 * POLL_BACKOFF.delays[-1])
        poller.cancel()
        return reported

    assert set(run(main())) == {"ex-0"}


def test_a_hanging_count_does_not_delay_the_other_polls() -> None:
    async def main() -> None:
        runs, visibility, reported = OpenRuns(), FakeVisibility(), list[str]()
        runs.put(Reference("uid-0", "team-a", "ex-0", "acme", "run-0"))

        def enqueue(references: Sequence[Reference]) -> None:
            reported.extend(reference.name for reference in references)

        async def never(*_: object) -> int:
            await asyncio.Event().wait()
            return 0

        visibility.count_closed = never  # type: ignore[method-assign, assignment] # never answers
        poller = VisibilityPoller(mapping(organization("acme")), lambda *_: visibility, runs, enqueue)
        task = asyncio.create_task(poller.run())
        await asyncio.sleep(100)
        visibility.close("run-0", 5)
        await asyncio.sleep(2)
        assert (reported, poller.age() > 100) == (["ex-0"], True)
        task.cancel()

    run(main())


def test_the_age_is_the_time_since_the_last_successful_poll() -> None:
    visibility, runs, ages = FakeVisibility(), OpenRuns(), []
    runs.put(Reference("uid-1", "team-a", "ex-1", "acme", "run-1"))

    def enqueue(_: Sequence[Reference]) -> None: ...

    async def main() -> None:
        poller = VisibilityPoller(mapping(organization("acme")), lambda _, __: visibility, runs, enqueue)
        task = asyncio.create_task(poller.run())
        for fault in (False, True, False):
            visibility.unavailable = fault
            await asyncio.sleep(100)
            ages.append(poller.age())
        task.cancel()

    run(main())
    fresh, stale, again = ages
    assert (fresh < 2, 100 <= stale < 103, again < 2) == (True, True, True)
