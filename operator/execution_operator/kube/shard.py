"""Shards: the API server splits the Executions between several operators (KEP-5866, alpha since Kubernetes 1.36)."""

from dataclasses import dataclass
from typing import Self

from execution_operator.kube.client import Api, ApiError, collection

HASH_RANGE = 2**64
"""Number of hash values. Every API server hashes a UID to the same 64 bits."""


@dataclass(frozen=True)
class Shard:
    """One of `count` equal shards.

    Attributes:
        index: Number of this shard, from 0.
        count: Number of shards.
    """

    index: int
    count: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse a shard, for example `0/3`.

        Raises:
            ValueError: The text is not a shard.
        """
        index, _, count = text.partition("/")
        shard = cls(int(index), int(count))
        if not 0 <= shard.index < shard.count:
            raise ValueError(f"{text} is not a shard: the index must be from 0 to the count minus 1")
        return shard

    @property
    def selector(self) -> str:
        """The shard selector for lists and watches."""
        start, end = (HASH_RANGE * edge // self.count for edge in (self.index, self.index + 1))
        return f"shardRange(object.metadata.uid, '{start:#018x}', '{end:#018x}')"

    @staticmethod
    async def is_supported_by(api: Api, namespace: str = "") -> bool:
        """Return whether the API server supports shards. One that does not returns all objects to every shard.

        The probe is a malformed shard selector: an API server that supports shards refuses it. The field `shardInfo`
        is no sign, because lists of custom resources do not have it.

        Raises:
            ApiError: The API server refused the list for another reason, or gave no answer.
        """
        try:
            await api.get(collection("executions", namespace), limit="1", shardSelector="none")
        except ApiError as error:
            if "shard selector" not in error.message:  # the status is 500 in Kubernetes 1.37
                raise
            return True
        return False
