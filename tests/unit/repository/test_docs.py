"""The documentation: links lead somewhere, files that it names are there, and every page can be found."""

from pathlib import Path

import pytest

from tests.support.pages import CHECKOUT, anchors, links, pages, paths

every_page = pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(CHECKOUT)))


def broken(page: Path, link: str) -> bool:
    """Return whether a link is broken. Links to other sites are not followed."""
    if link.startswith(("https://", "http://", "mailto:")):
        return False
    path, _, anchor = link.partition("#")
    target = (page.parent / path).resolve() if path else page
    return not target.exists() or (bool(anchor) and anchor not in anchors(target))


@every_page
def test_links_lead_somewhere(page: Path) -> None:
    assert [link for link in links(page) if broken(page, link)] == []


@every_page
def test_files_that_are_named_are_there(page: Path) -> None:
    assert [path for path in paths(page) if not any(CHECKOUT.glob(path))] == []


def test_every_page_is_in_the_index() -> None:
    index = CHECKOUT / "docs" / "README.md"
    listed = {(index.parent / link.partition("#")[0]).resolve() for link in links(index)}
    assert {page for page in pages() if page.parent == index.parent and page != index} <= listed


@pytest.mark.parametrize("link", ["gone.md", "api.md#gone", "#gone", "../docs/gone/"])
def test_a_broken_link_is_seen(link: str) -> None:
    assert broken(CHECKOUT / "docs" / "README.md", link)


def test_links_and_anchors_are_read_as_github_does(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "# One, `two` & three\n## Again\n## Again\n[a\nb](x.md) [`c`](#d) `[r](r.md)` ![i](i.png)\n"
        "```\n# no\n[n](n.md)\n```\n"
    )
    assert anchors(page) == {"one-two--three", "again", "again-1"}
    assert links(page) == ["x.md", "#d"]
