"""The nodes of a spec file, each with its place; what `source` makes and every later stage reads.

{if: fails, to: flat}  →  Mapping(((Scalar("if"), Scalar("fails")), (Scalar("to"), Scalar("flat"))))
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence as Items
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from .diagnostics import Span
from .record import Record

__all__ = [
    "Document",
    "EnoughError",
    "Mapping",
    "Node",
    "Part",
    "Places",
    "Plain",
    "ReadingError",
    "Scalar",
    "Sequence",
    "Value",
]

Value = str | int | float | bool | None
Plain = Value | list["Plain"] | dict[str, "Plain"]


@dataclass(frozen=True, slots=True)
class Scalar:
    """A value and the text that it was read from.

    `plain` says that it stood without quotes; `exact` that `text` stands letter for letter where the span
    starts, or after an opening quote there.
    """

    value: Value
    text: str
    plain: bool
    span: Span
    exact: bool


class Mapping(Record):
    """Entries in the order of the file; keys are distinct texts."""

    entries: tuple[tuple[Scalar, Node], ...]
    span: Span


class Sequence(Record):
    """Items in the order of the file."""

    items: tuple[Node, ...]
    span: Span


Node = Scalar | Mapping | Sequence


class Places:
    """Offsets in a text ↔ lines and columns. A line ends at a line feed only."""

    def __init__(self, file: str, text: str) -> None:
        self.file = file
        self.length = len(text)
        self._starts = [0]
        position = text.find("\n")
        while position >= 0:
            self._starts.append(position + 1)
            position = text.find("\n", position + 1)

    def span(self, start: int, end: int) -> Span:
        """Return the place of `text[start:end]`; offsets past the end are taken as the end."""
        start = min(start, self.length)
        end = max(start, min(end, self.length))
        line = bisect_right(self._starts, start)
        end_line = bisect_right(self._starts, end)
        return Span(
            self.file,
            line,
            start - self._starts[line - 1] + 1,
            end_line,
            end - self._starts[end_line - 1] + 1,
        )

    def offset(self, line: int, column: int) -> int:
        return self._starts[line - 1] + column - 1


@dataclass(frozen=True, slots=True)
class Document:
    """A file read: its text without a byte order mark and with line feeds only, and its root."""

    file: str
    text: str
    root: Mapping
    places: Places = field(repr=False, compare=False)

    @property
    def sources(self) -> dict[str, str]:
        """What `SpecError` wants to show the lines of this file."""
        return {self.file: self.text}

    def plain(self) -> dict[str, Plain]:
        """Return the document as dicts, lists and values, without places."""
        return {key.text: _plain(node) for key, node in self.root.entries}

    def at(self, loc: Items[str | int]) -> Node:
        """Return the node at a path of keys and indices.

        A component that is neither where it stands is skipped: pydantic writes union tags into its paths.
        """
        return self._walk(loc)[1]

    def key(self, loc: Items[str | int]) -> Node:
        """Return the key of the last component found; for an item of a sequence and the root, the node."""
        key, node = self._walk(loc)
        return key or node

    def has(self, *path: str) -> bool:
        """Return whether a key is written, whatever its value."""
        node: Node = self.root
        for part in path:
            entries = node.entries if isinstance(node, Mapping) else ()
            found = next((value for key, value in entries if key.text == part), None)
            if found is None:
                return False
            node = found
        return True

    def keys(self, section: str) -> tuple[str, ...]:
        """Return the keys that are written in a section; none where it has none."""
        node = next((value for key, value in self.root.entries if key.text == section), None)
        return tuple(key.text for key, _ in node.entries) if isinstance(node, Mapping) else ()

    def _walk(self, loc: Items[str | int]) -> tuple[Scalar | None, Node]:
        key: Scalar | None = None
        node: Node = self.root
        for component in loc:
            if isinstance(node, Mapping):
                for name, child in node.entries:
                    if name.text == component:
                        key, node = name, child
                        break
            elif isinstance(node, Sequence) and isinstance(component, int) and 0 <= component < len(node.items):
                key, node = None, node.items[component]
        return key, node

    def span_in(self, scalar: Scalar, start: int, end: int) -> Span:
        """Return the place of `scalar.text[start:end]`.

        Where the text is folded or indented in the file, its characters are found by counting those that are
        not blank; where it has escapes, the place is the whole scalar.
        """
        span = scalar.span
        first, last = (
            self.places.offset(span.line, span.column),
            self.places.offset(span.end_line, span.end_column),
        )
        if scalar.exact:
            first += not scalar.plain
            return self.places.span(first + start, first + end)
        raw = self.text[first:last]
        if raw[:1] in ("|", ">"):
            header = raw.find("\n") + 1
            first, raw = first + header, raw[header:]
        elif not scalar.plain:
            first, raw = first + 1, raw[1:-1]
        written = [offset for offset, char in enumerate(raw) if not char.isspace()]
        meant = [offset for offset, char in enumerate(scalar.text) if not char.isspace()]
        if [raw[offset] for offset in written] != [scalar.text[offset] for offset in meant] or not meant:
            return span
        # An end is placed after the last character before it, so that no place reaches into the next line.
        from_ = next((there for there, here in zip(written, meant, strict=True) if here >= start), written[-1] + 1)
        to = next((there + 1 for there, here in zip(written[::-1], meant[::-1], strict=True) if here < end), from_)
        return self.places.span(first + from_, first + to)


def _plain(node: Node) -> Plain:
    match node:
        case Scalar():
            return node.value
        case Sequence():
            return [_plain(item) for item in node.items]
        case Mapping():
            return {key.text: _plain(child) for key, child in node.entries}


class Part(NamedTuple):
    """What the YAML and the JSON reader yield, with offsets: a collection's start, its end, or a scalar."""

    kind: Literal["mapping", "sequence", "end", "scalar"]
    start: int
    end: int
    flow: bool = True
    value: Value = None
    text: str = ""
    plain: bool = False


class EnoughError(Exception):
    """There are so many mistakes that the rest of the file is not read."""


class ReadingError(Exception):
    """A mistake after which the text cannot be read on; `text[start:end]` is its place."""

    def __init__(self, code: str, message: str, start: int, end: int, help: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.start = start
        self.end = end
        self.help = help
