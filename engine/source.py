"""Bytes → `Document`: the first stage of loading, and the guard before all others.

Size, encoding, depth and node count are bounded before anything else looks at the file, and what specs have
no use for (tags, anchors, several documents) is refused with its place. Nothing is executed or written.
"""

from __future__ import annotations

import contextlib
import os
import re
import stat
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from .diagnostics import Diagnostic, SpecError, reason_of
from .document import Document, EnoughError, Mapping, Node, Part, Places, ReadingError, Scalar, Sequence
from .json_text import json_parts
from .numbers import MAX_DIGITS, is_number
from .yaml_text import yaml_parts

__all__ = [
    "MAX_BYTES",
    "MAX_DEPTH",
    "MAX_NODES",
    "Document",
    "Mapping",
    "Node",
    "Scalar",
    "Sequence",
    "parse_text",
    "read",
]

MAX_BYTES = 500_000
MAX_DEPTH = 32
MAX_NODES = 20_000
# A file with this many mistakes is no spec with mistakes; more would only cost time and hide the first.
_MAX_MISTAKES = 25

# Control characters, line breaks that editors do not show as such, and marks that reorder what is read. (To list what is
# readable instead would take `re` 5 ms to compile.)
_UNREADABLE = re.compile("[\0-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufeff\ufffe\uffff]")


def read(path: Path | str, *, limit: int = MAX_BYTES) -> Document:
    """Read a spec from a YAML 1.2 file, or from JSON where the name ends in `.json`.

    Args:
        path: a regular file, UTF-8 with or without a byte order mark.
        limit: the most bytes that are taken; no more than one beyond it is read.

    Raises:
        SpecError: every mistake that can be found at once (HR008 duplicate key, HR009 tag, HR010 anchor or
            alias, HR013 number too long, HR105 bad key), and the one that ends the reading: HR001 no such
            file, HR002 too large, HR003 not readable as text, HR004 empty, HR005 syntax, HR006 too deep,
            HR007 too many nodes, HR011 several documents, HR012 no mapping.
    """
    file = os.fspath(path)
    content = _content(file, limit)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        shown = _one_line_break(content.decode("utf-8-sig", "replace"))
        # The decoder counts from after the mark, if there is one.
        start = len(_one_line_break(error.object[: error.start].decode("utf-8")))
        message = f"byte {error.object[error.start]:#04x} is no UTF-8"
        raise _refusal(file, shown, "HR003", message, start, start + 1, "save the file as UTF-8") from None
    return parse_text(text, file)


def _content(file: str, limit: int) -> bytes:
    """Return the bytes of a regular file without ever waiting for a writer, a terminal or a network peer."""
    try:
        # Without O_NONBLOCK, opening a pipe would wait for someone to write into it.
        descriptor = os.open(file, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
        try:
            content = _regular_content(descriptor, file, limit)
        finally:
            os.close(descriptor)
    except FileNotFoundError:
        raise _unreadable(file, "does not exist", "check the path and the folder you are in") from None
    except PermissionError:
        raise _unreadable(file, "may not be read", "ask for permission to read it, or copy it") from None
    except (OSError, ValueError) as error:
        raise _unreadable(file, f"cannot be read: {reason_of(error)}", "check the path") from None
    if len(content) > limit:
        help = f"a spec has at most {limit:,} bytes; keep data in data files"
        raise _refusal(file, None, "HR002", f"`{file}` is larger than {limit:,} bytes", 0, 0, help)
    return content


def _regular_content(descriptor: int, file: str, limit: int) -> bytes:
    """Return the first limit + 1 bytes."""
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISDIR(mode):
        raise _unreadable(file, "is a folder", "name a file in it, such as `specs/band_limited_hedge.yaml`")
    if not stat.S_ISREG(mode):
        raise _unreadable(file, "is not a regular file", "name a YAML or JSON file")
    content = b""
    while len(content) <= limit and (more := os.read(descriptor, limit + 1 - len(content))):
        content += more
    return content


def _unreadable(file: str, what: str, help: str) -> SpecError:
    return _refusal(file, None, "HR001", f"`{file}` {what}", 0, 0, help)


def _refusal(file: str, text: str | None, code: str, message: str, start: int, end: int, help: str) -> SpecError:
    span = Places(file, text or "").span(start, end)
    return SpecError([Diagnostic(code, message, span, help)], {} if text is None else {file: text})


def _one_line_break(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def parse_text(text: str, file: str) -> Document:
    """Read a spec from text; `file` names it in messages, and JSON is expected where it ends in `.json`.

    Raises:
        SpecError: as `read` does from HR003 on.
    """
    text = _one_line_break(text.removeprefix("\ufeff"))
    if match := _UNREADABLE.search(text):
        message = f"character U+{ord(match[0]):04X} is not readable"
        help = "save the file as UTF-8 text" if match[0] == "\0" else "leave it out"
        shown = text.encode("utf-8", "replace").decode("utf-8")
        raise _refusal(file, shown, "HR003", message, match.start(), match.end(), help)
    builder = _Builder(file, text)
    with contextlib.suppress(EnoughError):
        _build(builder, file, text)
    if builder.mistakes or not isinstance(builder.root, Mapping):
        raise SpecError(sorted(builder.mistakes, key=lambda found: (found.span, found.code)), {file: text})
    return Document(file, text, builder.root, builder.places)


def _build(builder: _Builder, file: str, text: str) -> None:
    try:
        parts = json_parts(text) if file.lower().endswith(".json") else yaml_parts(text, builder.report)
        builder.take(parts)
    except ReadingError as mistake:
        builder.report(mistake.code, mistake.message, mistake.start, mistake.end, mistake.help)
    root = builder.root
    if not builder.mistakes and (root is None or (isinstance(root, Scalar) and root.value is None)):
        help = "begin with `hedgerow: 1`; `hedgerow new` writes a spec to start from"
        builder.report("HR004", "the file is empty", 0, 0, help)
    elif root is not None and not isinstance(root, Mapping):
        place = root.span
        what = "a list" if isinstance(root, Sequence) else "one value"
        help = "begin with `hedgerow: 1`, and write `name: value` with a blank after each colon"
        builder.add(Diagnostic("HR012", f"a spec is a mapping, and this is {what}", place, help))


@dataclass(slots=True)
class _Frame:
    """A collection whose end has not come."""

    mapping: bool
    start: int
    flow: bool
    end: int
    items: list[Node] = field(default_factory=list)
    keys: list[Scalar] = field(default_factory=list)
    first_lines: dict[str, int] = field(default_factory=dict)
    key_is_due: bool = True


class _Builder:
    """Parts → nodes, with the checks that need both a place and the whole."""

    def __init__(self, file: str, text: str) -> None:
        self.places = Places(file, text)
        self.mistakes: list[Diagnostic] = []
        self.root: Node | None = None
        self._text = text
        self._open: list[_Frame] = []

    def report(self, code: str, message: str, start: int, end: int, help: str) -> None:
        self.add(Diagnostic(code, message, self.places.span(start, end), help))

    def add(self, found: Diagnostic) -> None:
        self.mistakes.append(found)
        if len(self.mistakes) == _MAX_MISTAKES:
            raise EnoughError

    def take(self, parts: Iterable[Part]) -> None:
        nodes = 0
        for part in parts:
            if part.kind == "end":
                frame = self._open.pop()
                self._put(self._collection(frame, part), frame.start, part.end if frame.flow else frame.end)
                continue
            nodes += 1
            if nodes > MAX_NODES:
                help = "keep data in data files"
                raise ReadingError("HR007", f"more than {MAX_NODES:,} values", part.start, part.end, help)
            if part.kind == "scalar":
                self._put(self._scalar(part), part.start, part.end)
            elif len(self._open) == MAX_DEPTH:
                help = "a spec nests far less; look for a bracket or an indentation too many"
                raise ReadingError("HR006", f"nested deeper than {MAX_DEPTH}", part.start, part.start + 1, help)
            else:
                self._open.append(_Frame(part.kind == "mapping", part.start, part.flow, part.end))

    def _scalar(self, part: Part) -> Scalar:
        if not part.plain and (match := _UNREADABLE.search(part.text)):
            help = "leave the escape out"
            self.report("HR003", f"an escape gives U+{ord(match[0]):04X}", part.start, part.end, help)
        if part.plain and len(part.text) > MAX_DIGITS and is_number(part.text):
            help = f"a number has at most {MAX_DIGITS} characters; quote it if it is a text"
            self.report("HR013", "number is too long", part.start, part.end, help)
        first = part.start + (not part.plain)
        exact = self._text.startswith(part.text, first) and (part.plain or self._text[part.start] in "'\"")
        return Scalar(part.value, part.text, part.plain, self.places.span(part.start, part.end), exact)

    def _collection(self, frame: _Frame, part: Part) -> Node:
        # The end of a block is only noticed where the next line begins: its last entry is where it ends.
        span = self.places.span(frame.start, part.end if frame.flow else frame.end)
        if not frame.mapping:
            return Sequence(tuple(frame.items), span)
        return Mapping(tuple(zip(frame.keys, frame.items, strict=True)), span)

    def _put(self, node: Node, start: int, end: int) -> None:
        if not self._open:
            self.root = node
            return
        frame = self._open[-1]
        frame.end = max(frame.end, end)
        if not frame.mapping:
            frame.items.append(node)
        elif frame.key_is_due:
            frame.keys.append(self._key(frame, node, start))
            frame.key_is_due = False
        else:
            frame.items.append(node)
            frame.key_is_due = True
            if frame.flow and isinstance(node, Scalar) and node.value is None and not node.text:
                self._check_lone_key(frame.keys[-1])

    def _key(self, frame: _Frame, node: Node, start: int) -> Scalar:
        if not isinstance(node, Scalar):
            self.add(Diagnostic("HR105", "a key must be a name", node.span, "write one name before the colon"))
            return Scalar("", "", False, node.span, False)
        if node.text == "<<" and node.plain:
            help = "write the entries out; specs have no merge keys"
            self.add(Diagnostic("HR105", "a key must be a name, and `<<` is none", node.span, help))
        elif not isinstance(node.value, str):
            help = "begin the name with a letter" if node.text else "write a name before the colon"
            shown = f", and `{node.text[:60]}` is none" if node.text else ""
            self.add(Diagnostic("HR105", f"a key must be a name{shown}", node.span, help))
        elif node.text in frame.first_lines:
            message = f"key `{node.text[:60]}` is given twice"
            help = f"leave one out; the first is on line {frame.first_lines[node.text]}"
            self.add(Diagnostic("HR008", message, node.span, help))
        else:
            frame.first_lines[node.text] = node.span.line
        return node

    def _check_lone_key(self, key: Scalar) -> None:
        """Refuse what a comma in `{ }` cut off: `{if: min(a, b) > 0}` has a key `b) > 0` without a value."""
        if not key.plain or not key.text or re.fullmatch(r"[\w-]+", key.text):
            return
        help = "quote this: a comma inside { } ends the value"
        if glued := re.match(r"([A-Za-z]\w*):\S", key.text):
            help = f"write `{glued[1][:60]}: ` with a blank after the colon"
        self.add(Diagnostic("HR105", f"`{key.text[:60]}` is no key", key.span, help))
