"""The share of Executions that one of several operators sees, cut by the API server: KEP-5866, alpha since 1.36."""

from dataclasses import dataclass
from typing import Self

from execution_operator.kube.client import Api, ApiError, collection

HASHES = 2**64
"""The API server hashes UIDs to 64 bits, alike on all servers."""


@dataclass(frozen=True)
class Shard:
    """One of `count` equal shares.

    Attributes:
        index: From 0.
        count: How many there are.
    """

    index: int
    count: int

    @classmethod
    def parse(cls, words: str) -> Self:
        """Read `0/3`.

        Raises:
            ValueError: It is none.
        """
        index, _, count = words.partition("/")
        shard = cls(int(index), int(count))
        if not 0 <= shard.index < shard.count:
            raise ValueError(f"there is no shard {words}")
        return shard

    @property
    def selector(self) -> str:
        """The shard selector, as lists and watches take it."""
        start, end = (HASHES * edge // self.count for edge in (self.index, self.index + 1))
        return f"shardRange(object.metadata.uid, '{start:#018x}', '{end:#018x}')"

    @staticmethod
    async def is_supported_by(api: Api, namespace: str = "") -> bool:
        """Tell whether the API server cuts shards; one that does not gives all to each.

        It reads shard selectors then, and refuses one that is none. Lists of custom resources carry no `shardInfo`.
        """
        try:
            await api.get(collection("executions", namespace), limit="1", shardSelector="none")
        except ApiError as error:
            if "shard selector" not in error.message:  # it comes with status 500 in 1.37
                raise
            return True
        return False
