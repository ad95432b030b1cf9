"""The fenced blocks of the documentation, with the headings that they stand under."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))

_FENCE = re.compile(
    r"^(?P<indent> *)```(?P<info>[^\n`]*)\n(?P<text>.*?)^(?P=indent)```$|^#+ (?P<heading>[^\n]*)$", re.S | re.M
)


class Fence(NamedTuple):
    """A block: `info` are the words after the backticks, `line` is where its text starts."""

    page: str
    heading: str
    info: tuple[str, ...]
    text: str
    line: int

    @property
    def language(self) -> str:
        return self.info[0] if self.info else ""

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def fences(page: Path) -> Iterator[Fence]:
    """Yield the fenced blocks of a page in order."""
    text = page.read_text("utf-8")
    heading = ""
    for found in _FENCE.finditer(text):
        if found["heading"] is not None:
            heading = found["heading"]
        else:
            line = text.count("\n", 0, found.start()) + 2
            yield Fence(page.name, heading, tuple(found["info"].split()), found["text"], line)


def every_fence(*languages: str) -> list[Fence]:
    """Return the blocks of all pages in these languages."""
    return [fence for page in PAGES for fence in fences(page) if fence.language in languages]
