"""The scope of one operator: which Executions and Organizations it works on."""

from dataclasses import dataclass
from http import HTTPStatus

from execution_operator.kube.client import Api, ApiError, collection
from execution_operator.kube.shard import Shard
from execution_operator.kube.watch import Selection


@dataclass(frozen=True)
class WatchScope:
    """What this operator works on.

    Attributes:
        shard: The shard of the Executions, split by their UIDs; None for all.
        organizations: Names of the Organizations whose Executions it works on; empty for all.
        namespaces: The namespaces whose Executions it works on, so that it needs no right to read others; empty for
            the whole cluster.
    """

    shard: Shard | None = None
    organizations: frozenset[str] = frozenset()
    namespaces: frozenset[str] = frozenset()

    @property
    def watch_namespaces(self) -> list[str]:
        """The namespaces to list and watch; one empty string for the whole cluster."""
        return sorted(self.namespaces) or [""]

    def serves_organization(self, organization: str) -> bool:
        """Whether this operator works on the Executions of an Organization."""
        return not self.organizations or organization in self.organizations

    def selections(self, field_selector: str) -> dict[str, Selection]:
        """Return one selection of Executions for each watched namespace."""
        return {namespace: self.selection(namespace, field_selector) for namespace in self.watch_namespaces}

    def selection(self, namespace: str, field_selector: str) -> Selection:
        """Return the selection of Executions in one watched namespace."""
        return Selection(collection("executions", namespace), self.selectors(field_selector))

    def selectors(self, field_selector: str) -> dict[str, str]:
        """Return the query parameters of a list or a watch: the field selector, and the shard if there is one."""
        shard = {"shardSelector": self.shard.selector} if self.shard else {}
        return {"fieldSelector": field_selector, **shard}

    async def readable_namespaces(self, api: Api) -> list[str]:
        """Return the watched namespaces whose Executions can be read now.

        A deleted namespace is not readable, because its RoleBinding was deleted with it.
        """
        if not await api.serves("executions"):
            return []
        return [each for each in self.watch_namespaces if not each or await _may_read(api, each)]


async def _may_read(api: Api, namespace: str) -> bool:
    """Whether the API server allows this account to read Executions. Only the answer 403 says that it does not."""
    try:
        await api.get(collection("executions", namespace), limit="1")
    except ApiError as error:
        return error.status != HTTPStatus.FORBIDDEN
    return True
