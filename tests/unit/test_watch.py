"""Lists that take long."""

import asyncio
from dataclasses import dataclass, field

import pytest

from execution_operator.kube.client import Api, ApiError, Json
from execution_operator.kube.watch import EXPIRED, Selection, listing


@dataclass
class Pages(Api):
    """An API server with three pages, that has compacted its store before it is asked for the second."""

    resume: str = "from-b"
    asked: list[str] = field(default_factory=list)

    async def get(self, path: str, **query: str) -> Json:
        assert path == "/executions"
        more = query.get("continue", "")
        self.asked.append(more)
        match more:
            case "":
                return {"items": [{"name": "a"}], "metadata": {"continue": "old-b"}}
            case "old-b":
                raise ApiError(EXPIRED, "the provided continue parameter is too old", self.resume)
            case "from-b":
                return {"items": [{"name": "b"}], "metadata": {"continue": "c"}}
            case _:
                return {"items": [{"name": "c"}], "metadata": {}}


async def names(pages: Pages) -> list[str]:
    return [item["name"] async for item in listing(pages, Selection("/executions"))]


def test_a_list_goes_on_where_its_version_has_expired() -> None:
    pages = Pages()
    assert asyncio.run(names(pages)) == ["a", "b", "c"]
    assert pages.asked == ["", "old-b", "from-b", "c"]


def test_a_list_that_can_not_go_on_fails() -> None:
    with pytest.raises(ApiError, match="too old"):
        asyncio.run(names(Pages(resume="")))
