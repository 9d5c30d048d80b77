"""The two watches of Executions, one for each place: of those that are open, and of those that have finished."""

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

TRICKLE = 0.2
"""Seconds between two pages of the finished Executions, of which hardly any has something to do."""


class OpenExecutions:
    """The open Executions: into the index of open runs, and to work where a status is behind.

    Args:
        api: The API server.
        share: What to work on.
        runs: The index.
        streams: Takes those that are to be worked on.
        knows: Whether an Execution is being worked on, by its UID.
        concerned: Whether Executions of a namespace are to be worked on here.
        noted: Told what is new in the index.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - what a change is told to
        self,
        api: Api,
        share: WatchScope,
        runs: OpenRuns,
        streams: Enqueuer,
        knows: Callable[[str], bool],
        concerned: Callable[[str], bool],
        noted: Callable[[Reference], None],
    ) -> None:
        self._api = api
        self._share = share
        self._runs = runs
        self._streams = streams
        self._knows = knows
        self._concerned = concerned
        self._noted = noted

    def watches(self) -> list[Watch]:
        """Return the watches, not yet running."""
        return [
            Watch(self._api, selection, self._changed, partial(self._runs.retain, namespace=place))
            for place, selection in self._share.selections(OPEN).items()
        ]

    def _changed(self, change: Change) -> None:
        self._index(change)
        uid = change.object["metadata"]["uid"]
        if change.deleted or needs_nothing(change.object) or request_pending(change.object):
            self._streams.calm(uid, int(change.object["metadata"]["resourceVersion"]))
            if not (change.deleted and self._knows(uid)):
                return
        if execution := parse(Execution, change.object):
            take = self._streams.deleted if change.deleted else self._streams.changed
            take(execution)

    def _index(self, change: Change) -> None:
        uid, namespace = change.object["metadata"]["uid"], change.object["metadata"]["namespace"]
        pinned = None if change.deleted else reference(change.object)
        if pinned is not None and self._share.serves_organization(pinned.organization):
            if self._runs.put(pinned):
                self._noted(pinned)
        elif pinned is None and not change.deleted and self._concerned(namespace):
            self._runs.put_unpinned(uid, namespace)
        else:
            self._runs.drop(uid)


class FinishedExecutions:
    """The finished Executions: counted, deleted in their time, and to work where a status is behind.

    Args:
        api: The API server.
        share: What to work on.
        expiries: Deletes them in their time.
        streams: Takes those that are to be worked on.
    """

    def __init__(self, api: Api, share: WatchScope, expiries: TTLController, streams: Enqueuer) -> None:
        self._api = api
        self._share = share
        self._expiries = expiries
        self._streams = streams
        self._censuses: list[PhaseCounter] = []

    def phases(self) -> Counter[str]:
        """Count the Executions by phase."""
        return sum((each.counts for each in self._censuses), Counter())

    def watches(self) -> list[Watch]:
        """Return the watches, not yet running."""
        return [self._watch(selection) for selection in self._share.selections(CLOSED).values()]

    def _watch(self, selection: Selection) -> Watch:
        census = PhaseCounter()
        self._censuses.append(census)

        def counted(change: Change) -> None:
            census.count(change.object["status"]["phase"], change.event)
            self._changed(change)

        def listed(_: set[str]) -> None:
            census.end_list()

        return Watch(self._api, selection, counted, listed, page_delay_seconds=TRICKLE, on_list_start=census.begin_list)

    def _changed(self, change: Change) -> None:
        meta = change.object["metadata"]
        if change.deleted:
            self._expiries.drop(meta["uid"])
        if change.deleted or not status_outdated(change.object):
            self._streams.calm(meta["uid"], int(meta["resourceVersion"]))
        if change.deleted or not (status_outdated(change.object) or has_ttl(change.object)):
            return
        if execution := parse(Execution, change.object):
            self._expiries.put(execution)
            self._streams.changed(execution)
