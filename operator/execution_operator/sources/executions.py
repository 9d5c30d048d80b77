"""The two watches of Executions, for each watched namespace: open Executions and finished ones."""

from collections import Counter
from collections.abc import Callable
from functools import partial

from execution_operator.api import Execution
from execution_operator.index.open_runs import OpenRuns, Reference
from execution_operator.index.phase_counter import PhaseCounter
from execution_operator.kube.client import Api
from execution_operator.kube.parse import has_ttl, needs_nothing, parse, reference, request_pending, status_outdated
from execution_operator.kube.records import CLOSED, OPEN
from execution_operator.kube.scope import WatchScope
from execution_operator.kube.watch import Change, Selection, Watch
from execution_operator.sources.enqueuer import Enqueuer
from execution_operator.ttl.controller import TTLController

FINISHED_PAGE_DELAY_SECONDS = 0.2
"""Pause in seconds between two pages of the first list of finished Executions. Hardly any of them needs work."""


class OpenExecutions:
    """Watches the open Executions. They go into the index of open runs; those that need work go into the queue.

    Args:
        api: The API server.
        scope: What this operator works on.
        open_runs: The index.
        enqueuer: Takes the Executions that need work.
        is_queued: Whether the Execution with a UID is in the queue.
        is_responsible: Whether this operator works for a namespace.
        on_indexed: Called with each new or changed reference of the index.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - one argument for each consumer of a change
        self,
        api: Api,
        scope: WatchScope,
        open_runs: OpenRuns,
        enqueuer: Enqueuer,
        is_queued: Callable[[str], bool],
        is_responsible: Callable[[str], bool],
        on_indexed: Callable[[Reference], None],
    ) -> None:
        self._api = api
        self._scope = scope
        self._open_runs = open_runs
        self._enqueuer = enqueuer
        self._is_queued = is_queued
        self._is_responsible = is_responsible
        self._on_indexed = on_indexed

    def watches(self) -> list[Watch]:
        """Return one watch for each namespace of the scope. They do not run yet."""
        return [
            Watch(self._api, selection, self._changed, partial(self._open_runs.retain, namespace=namespace))
            for namespace, selection in self._scope.selections(OPEN).items()
        ]

    def _changed(self, change: Change) -> None:
        """Index the Execution, and pass it on where it needs work. A model is built only for that: it is expensive."""
        self._index(change)
        uid = change.object["metadata"]["uid"]
        if change.deleted or needs_nothing(change.object) or request_pending(change.object):
            self._enqueuer.on_settled(uid, int(change.object["metadata"]["resourceVersion"]))
            if not (change.deleted and self._is_queued(uid)):
                return
        if execution := parse(Execution, change.object):
            pass_on = self._enqueuer.on_deleted if change.deleted else self._enqueuer.on_open_changed
            pass_on(execution)

    def _index(self, change: Change) -> None:
        uid, namespace = change.object["metadata"]["uid"], change.object["metadata"]["namespace"]
        pinned = None if change.deleted else reference(change.object)
        if pinned is not None and self._scope.serves_organization(pinned.organization):
            if self._open_runs.put(pinned):
                self._on_indexed(pinned)
        elif pinned is None and not change.deleted and self._is_responsible(namespace):
            self._open_runs.put_unpinned(uid, namespace)
        else:
            self._open_runs.drop(uid)


class FinishedExecutions:
    """Watches the finished Executions. They are counted; those with a TTL go to the TTL controller.

    Args:
        api: The API server.
        scope: What this operator works on.
        ttl: Deletes Executions when their TTL has passed.
        enqueuer: Takes the Executions whose status is behind their spec.
    """

    def __init__(self, api: Api, scope: WatchScope, ttl: TTLController, enqueuer: Enqueuer) -> None:
        self._api = api
        self._scope = scope
        self._ttl = ttl
        self._enqueuer = enqueuer
        self._counters: list[PhaseCounter] = []

    def phases(self) -> Counter[str]:
        """Return the number of finished Executions by phase."""
        return sum((each.counts for each in self._counters), Counter())

    def watches(self) -> list[Watch]:
        """Return one watch for each namespace of the scope. They do not run yet."""
        return [self._watch(selection) for selection in self._scope.selections(CLOSED).values()]

    def _watch(self, selection: Selection) -> Watch:
        counter = PhaseCounter()
        self._counters.append(counter)

        def changed(change: Change) -> None:
            counter.count(change.object["status"]["phase"], change.event)
            self._changed(change)

        def listed(_: set[str]) -> None:
            counter.end_list()

        return Watch(
            self._api,
            selection,
            changed,
            listed,
            page_delay_seconds=FINISHED_PAGE_DELAY_SECONDS,
            on_list_start=counter.begin_list,
        )

    def _changed(self, change: Change) -> None:
        meta = change.object["metadata"]
        if change.deleted:
            self._ttl.drop(meta["uid"])
        if change.deleted or not status_outdated(change.object):
            self._enqueuer.on_settled(meta["uid"], int(meta["resourceVersion"]))
        if change.deleted or not (status_outdated(change.object) or has_ttl(change.object)):
            return
        if execution := parse(Execution, change.object):
            self._ttl.put(execution)
            self._enqueuer.on_open_changed(execution)
