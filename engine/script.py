"""Event scripts: text → items with exact times, every name in them looked up in a spec.

    - {event: tick, with: {x: 1}, at: 30m, expect: {configuration: [open]}}

becomes

    Item(1, 1, "event", "tick", {"x": 1}, 1800000000000, (Expectation("configuration", ("open",), ...),))

A script is a YAML or JSON document, read whole by `source`, or JSON lines, read one by one and as many as wanted. Its values
are literals: nothing in it is computed. Every mistake is told with its place before anything is sent to a machine; only
values of fields go through as they are, so that a machine's refusals can be scripted.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .diagnostics import Diagnostic, Span, SpecError
from .document import Document, Node, Scalar
from .document import Mapping as MappingNode
from .json_text import json_parts
from .numbers import MAX_DIGITS
from .script_items import Expectation, Item, ItemReader, Mistake, Where
from .source import _Builder, parse_text, read
from .yaml_text import yaml_parts

if TYPE_CHECKING:
    from .load import Spec

__all__ = ["MAX_ITEMS", "MAX_LINE", "Expectation", "Item", "Script", "parse_script", "read_script"]

MAX_LINE = 65_536
"""Bytes in a line of a `.jsonl` script."""
MAX_ITEMS = 1_000_000
"""Items in a `.jsonl` script; the others are bounded as specs are."""
# A script with this many mistakes is no script with mistakes.
_MAX_MISTAKES = 100


@dataclass(frozen=True)
class Script:
    """A script that fits a spec.

    `parameters` is what it sets: whoever compiles the spec binds them (``spec.bind(script.parameters)``).
    """

    file: str
    about: str
    parameters: Mapping[str, str | float | int | bool]
    items: tuple[Item, ...]
    _document: Document | None = field(repr=False, compare=False)
    _lines: Mapping[int, str] = field(repr=False, compare=False)
    """The lines of a `.jsonl` script that expectations stand on."""

    def place(self, item: Item, where: Where) -> Span:
        """Return where in the file something of an item stands."""
        if self._document is not None:
            return self._document.at(("events", item.index - 1, *where)).span
        return _moved(parse_text(self._lines[item.line], _JSON).at(where).span, self.file, item.line)

    def sources(self, span: Span) -> dict[str, str]:
        """Return what `render_all` wants to show the line of a place."""
        if self._document is not None:
            return self._document.sources
        return {self.file: "\n" * (span.line - 1) + self._lines.get(span.line, "")}


def read_script(path: Path | str, spec: Spec) -> Script:
    """Read a script and check it against the spec that it is for.

    Args:
        path: a YAML file; JSON where the name ends in `.json`, one item a line where it ends in `.jsonl`.
        spec: gives events, fields, states, transitions, legs, values, timers, invariants and params their names.

    Raises:
        SpecError: every mistake of the script (of `.jsonl`, the first hundred), in its order.
    """
    file = os.fspath(path)
    if file.lower().endswith(".jsonl"):
        _check_readable(file)
        return _read_lines(_lines_of(file), file, spec)
    try:
        document = read(path)
    except SpecError as error:
        document = _listed(error, file)
    return _read_document(document, spec)


def parse_script(text: str, file: str, spec: Spec) -> Script:
    """Check a script that is already in memory; `file` names it and says by its ending how it is written.

    Raises:
        SpecError: as `read_script` does.
    """
    if file.lower().endswith(".jsonl"):
        return _read_lines(enumerate(text.removeprefix("\ufeff").split("\n"), 1), file, spec)
    try:
        document = parse_text(text, file)
    except SpecError as error:
        document = _listed(error, file)
    return _read_document(document, spec)


# --------------------------------------------------------------------------------------------------------- documents


def _listed(error: SpecError, file: str) -> Document:
    """Return the document of a script that is only a list, which `source` takes for no mapping.

    Raises:
        SpecError: the mistakes that it has otherwise, in the words of scripts.
    """
    others = [found for found in error.diagnostics if not (found.code == "HR012" and found.message.endswith("a list"))]
    if others:
        raise SpecError(map(_in_words_of_scripts, others), error.sources)
    text = error.sources[file]
    builder = _Builder(file, text)
    # INVARIANT: the text was read once without a mistake, so that its builder reports nothing now.
    builder.take(json_parts(text) if file.lower().endswith(".json") else yaml_parts(text, builder.report))
    root = builder.root
    assert root is not None
    version = Scalar("hedgerow_events", "hedgerow_events", True, root.span, False)
    one, events = replace(version, value=1, text="1"), replace(version, value="events", text="events")
    return Document(file, text, MappingNode(((version, one), (events, root)), root.span), builder.places)


_WORDS = {
    "HR002": (None, "write a longer script as `.jsonl`, one item a line"),
    "HR004": (None, "write items, e.g. `- {event: tick, at: 30m}`"),
    "HR006": (None, "a script nests far less; look for a bracket or an indentation too many"),
    "HR007": (None, "write a longer script as `.jsonl`, one item a line"),
    "HR011": (None, "a file holds one script; put the other into a file of its own"),
    "HR012": ("a script is a list of items, or a mapping that has them under `events`", "write `- {event: tick}`"),
}


def _in_words_of_scripts(found: Diagnostic) -> Diagnostic:
    message, help = _WORDS.get(found.code, (None, found.help))
    return replace(found, message=message or found.message, help=help)


def _read_document(document: Document, spec: Spec) -> Script:
    reader = ItemReader(spec)
    plain = document.plain()
    if "hedgerow" in plain and "hedgerow_events" not in plain:
        span = document.key(("hedgerow",)).span
        help = "give both, the spec first: `hedgerow run SPEC --events SCRIPT`"
        raise SpecError([Diagnostic("HR104", "this is a spec and no script", span, help)], document.sources)
    items: Any = plain.get("events")
    head: Any = dict(plain)
    if isinstance(items, list) and items:
        head["events"] = [{"event": "event"}]
    else:
        items = []
    mistakes = reader.head(head)
    settings: Any = plain.get("set")
    parameters = settings if isinstance(settings, dict) else {}
    mistakes += reader.settings(parameters, spec)
    for index, item in enumerate(items):
        place = ("events", index)
        found = reader.item(item, document.at(place).span.line)
        found += _signed(document, place, item)
        mistakes += [each._replace(where=(*place, *each.where)) for each in found]
    if mistakes:
        raise SpecError(_placed(mistakes, document), document.sources)
    about: Any = plain.get("about", "")
    return Script(document.file, about, parameters, tuple(reader.items), document, {})


def _placed(mistakes: Iterable[Mistake], document: Document) -> list[Diagnostic]:
    found = {
        Diagnostic(
            each.code,
            each.message,
            (document.key(each.where) if each.at_key else document.at(each.where)).span,
            each.help,
        )
        for each in mistakes
    }
    return sorted(found, key=lambda each: (each.span, each.code, each.message))


def _signed(document: Document, place: Where, item: object) -> Iterator[Mistake]:
    """Tell a time such as `+5`, which YAML takes for the number 5 and a reader for five later."""
    for key in ("at", "advance"):
        if isinstance(item, dict) and isinstance(item.get(key), int):
            node: Node = document.at((*place, key))
            if isinstance(node, Scalar) and node.text.startswith("+"):
                message = f"`{node.text[:60]}` is the time {node.text[1:60]}, counted from 0"
                help = f"write `{node.text[:60]}ns` to count from the item before, or leave out the `+`"
                yield Mistake("HR820", message, (key,), help)


# ------------------------------------------------------------------------------------------------------------- lines

_JSON = "line.json"
_EXAMPLE = '`{"event": "tick", "at": "30m"}`'


def _check_readable(file: str) -> None:
    """Raise what `read` says of a file that is not there, is no regular one or may not be read."""
    try:
        read(file, limit=0)
    except SpecError as error:
        if error.diagnostics[0].code == "HR001":
            raise


def _lines_of(file: str) -> Iterator[tuple[int, str]]:
    """Yield number and text of each line, without its line feed; no more than one line is held at a time.

    Raises:
        _LineError: a line that is too long or no UTF-8.
    """
    with Path(file).open("rb") as lines:
        number = 0
        while raw := lines.readline(MAX_LINE + 1):
            number += 1
            if len(raw) > MAX_LINE:
                message = f"the line is longer than {MAX_LINE:,} bytes"
                raise _LineError("HR002", message, number, 0, "", "write one item a line")
            raw = raw.removeprefix(b"\xef\xbb\xbf") if number == 1 else raw
            try:
                text = raw.decode("utf-8")
            except UnicodeDecodeError as error:
                shown = raw.decode("utf-8", "replace").rstrip("\r\n")
                message = f"byte {raw[error.start]:#04x} is no UTF-8"
                start = len(raw[: error.start].decode("utf-8"))
                raise _LineError("HR003", message, number, start, shown, "save the file as UTF-8") from None
            yield number, text.removesuffix("\n")


class _LineError(Exception):
    """A mistake after which a `.jsonl` file cannot be read on."""

    def __init__(self, code: str, message: str, line: int, start: int, text: str, help: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.line = line
        self.start = start
        self.text = text
        self.help = help


def _read_lines(lines: Iterable[tuple[int, str]], file: str, spec: Spec) -> Script:
    reader = ItemReader(spec)
    kept: dict[int, str] = {}
    wrong: dict[int, str] = {}
    found: list[Diagnostic] = []
    try:
        for number, line in lines:
            text = line.rstrip("\r")
            if not text.strip(" \t"):
                continue
            if len(reader.items) == MAX_ITEMS:
                message = f"more than {MAX_ITEMS:,} items"
                raise _LineError("HR007", message, number, 0, text, "split the script")
            mistakes = _read_line(reader, number, text, file)
            if mistakes:
                found += mistakes
                wrong[number] = text
                if len(found) >= _MAX_MISTAKES:
                    break
            elif reader.items[-1].expect:
                kept[number] = text
    except _LineError as error:
        span = Span(file, error.line, error.start + 1, error.line, error.start + 2)
        found.append(Diagnostic(error.code, error.message, span, error.help))
        wrong[error.line] = error.text
    if not found and not reader.items:
        found = [
            Diagnostic("HR004", "the file is empty", Span(file, 1, 1, 1, 1), f"write one item a line, e.g. {_EXAMPLE}")
        ]
    if found:
        last = max(wrong, default=0)
        raise SpecError(found, {file: "\n".join(wrong.get(number, "") for number in range(1, last + 1))})
    return Script(file, "", {}, tuple(reader.items), None, kept)


def _read_line(reader: ItemReader, number: int, text: str, file: str) -> list[Diagnostic]:
    """Take one item up, or return the mistakes in it."""
    plain = _quick(text)
    if plain is not None:
        mistakes = reader.item(plain, number)
        if not mistakes:
            return []
    # What is out of the ordinary is read again with its places.
    try:
        document = parse_text(text, _JSON)
    except SpecError as error:
        found = map(_in_words_of_lines, error.diagnostics)
        return [replace(each, span=_moved(each.span, file, number)) for each in found]
    if plain is None:
        mistakes = reader.item(document.plain(), number)
    return [replace(each, span=_moved(each.span, file, number)) for each in _placed(mistakes, document)]


def _in_words_of_lines(found: Diagnostic) -> Diagnostic:
    if found.code == "HR012":
        return replace(found, message="an item is a mapping", help=f"write {_EXAMPLE}")
    return _in_words_of_scripts(found)


def _quick(text: str) -> dict[str, Any] | None:
    """Return what a line of JSON says, or None where it must be read with care.

    The standard reader is ten times as fast and has no places. On short lines of plain characters that it takes, without a
    key given twice, it cannot differ from ours: it has NaN and numbers without end besides.
    """
    if len(text) > MAX_DIGITS or "\\" in text or not (text.isascii() and text.isprintable()):
        return None
    try:
        found = _DECODER.decode(text)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key is given twice")
    return found


def _no_constant(name: str) -> float:
    raise ValueError(f"`{name}` is no JSON")


_DECODER = json.JSONDecoder(object_pairs_hook=_distinct, parse_constant=_no_constant)


def _moved(span: Span, file: str, line: int) -> Span:
    return Span(file, line, span.column, line, span.end_column)
