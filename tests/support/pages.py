"""The pages of the documentation: sections, blocks of code, links."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).parents[2]
_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^#{1,6} +(.+)$", re.MULTILINE)
_LINK = re.compile(r"(?<!!)\[[^]\n]*(?:\n[^]\n]*)?\]\(([^)\s]+)\)")


def pages() -> list[Path]:
    """Return every page for people: the README, the documentation, and those beside the samples."""
    return sorted([CHECKOUT / "README.md", *CHECKOUT.glob("docs/*.md"), *CHECKOUT.glob("deploy/**/*.md")])


@dataclass(frozen=True)
class Block:
    """A block of code, and its language."""

    language: str
    text: str

    @property
    def commands(self) -> list[str]:
        """The commands of a console: `$ ` begins one, a backslash at the end of a line continues it."""
        joined = self.text.replace("\\\n", "\\\0")
        return [line[2:].replace("\\\0", "\\\n") for line in joined.splitlines() if line.startswith("$ ")]

    @property
    def file(self) -> str:
        """The name that a block of YAML gives itself in its first line, if it does."""
        found = re.match(r"# (\S+\.yaml)\n", self.text)
        return found[1] if found and self.language == "yaml" else ""


def sections(page: Path) -> dict[str, list[Block]]:
    """Return the blocks below each heading of the second level, by its words."""
    parts = re.split(r"^## +(.+)$", page.read_text(), flags=re.MULTILINE)
    return {
        heading: [Block(*found) for found in _BLOCK.findall(text)]
        for heading, text in zip(parts[1::2], parts[2::2], strict=True)
    }


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    found: set[str] = set()
    for heading in _HEADING.findall(_prose(page)):
        words = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading).strip().lower()
        base = re.sub(r"[^\w\- ]", "", words).replace(" ", "-")
        taken = [base, *(f"{base}-{number}" for number in range(1, 9))]
        found.add(next(name for name in taken if name not in found))
    return found


def links(page: Path) -> list[str]:
    """Return where a page's links lead; what stands in code font is none."""
    return _LINK.findall(re.sub(r"`[^`\n]*`", "code", _prose(page)))


def paths(page: Path) -> Iterator[str]:
    """Yield what a page's text names as files of this repository, in code font."""
    for word in re.findall(r"`([^`\s]+)`", _prose(page)):
        if re.match(r"(crds|deploy|docs|operator|tests)/", word):
            yield word.rstrip("/")


def _prose(page: Path) -> str:
    """Return the text without its blocks of code."""
    return _BLOCK.sub("", page.read_text())
