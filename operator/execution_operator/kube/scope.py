"""What one operator works on, of all that there is."""

from dataclasses import dataclass

from execution_operator.kube.client import Api, ApiError, collection
from execution_operator.kube.shard import Shard
from execution_operator.kube.watch import Selection

FORBIDDEN = 403


@dataclass(frozen=True)
class WatchScope:
    """What this operator works on.

    Attributes:
        shard: A share of the Executions by their UIDs; None: of all.
        organizations: Those of these Organizations only; none: of all.
        namespaces: Those in these namespaces only, so that it need not read any other; none: in all.
    """

    shard: Shard | None = None
    organizations: frozenset[str] = frozenset()
    namespaces: frozenset[str] = frozenset()

    @property
    def watch_namespaces(self) -> list[str]:
        """Where it looks: the namespaces, or "" for the whole cluster."""
        return sorted(self.namespaces) or [""]

    def serves_organization(self, organization: str) -> bool:
        """Whether an Organization is this operator's to work for."""
        return not self.organizations or organization in self.organizations

    def selections(self, selector: str) -> dict[str, Selection]:
        """Return this share of the Executions that a field selector selects: a selection for each place."""
        return {place: self.selection(place, selector) for place in self.watch_namespaces}

    def selection(self, place: str, selector: str) -> Selection:
        """Return this share of the Executions of one place that a field selector selects."""
        return Selection(collection("executions", place), self.selectors(selector))

    def selectors(self, selector: str) -> dict[str, str]:
        """Return what lists and watches of Executions are narrowed by."""
        shard = {"shardSelector": self.shard.selector} if self.shard else {}
        return {"fieldSelector": selector, **shard}

    async def readable_namespaces(self, api: Api) -> list[str]:
        """Return the places that can be watched now. One that was deleted took the right to read it along."""
        if not await api.serves("executions"):
            return []
        return [place for place in self.watch_namespaces if not place or await _may_read(api, place)]


async def _may_read(api: Api, namespace: str) -> bool:
    """Whether the API server lets this account read Executions there; an error of another kind is no answer."""
    try:
        await api.get(collection("executions", namespace), limit="1")
    except ApiError as error:
        return error.status != FORBIDDEN
    return True
