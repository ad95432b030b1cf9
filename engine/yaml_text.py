"""YAML text → the parts of a document, with their places, over ruamel.yaml's event stream.

Events are taken one at a time, so that whoever reads the parts can stop at any of them. Nothing is composed;
tags, anchors and aliases are reported by the scanner and go no further. A syntax error is told in the terms
of what people write wrong in specs.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import cache, partial
from typing import TYPE_CHECKING

from .document import EnoughError, Part, ReadingError
from .numbers import plain_value

if TYPE_CHECKING:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError
    from ruamel.yaml.reader import Reader
    from ruamel.yaml.scanner import Scanner

__all__ = ["Report", "yaml_parts"]

Report = Callable[[str, str, int, int, str], None]
"""Takes code, message, start, end, help of a mistake after which reading goes on; may raise `EnoughError`."""


def yaml_parts(text: str, report: Report) -> Iterator[Part]:
    """Yield the parts of the one document in a YAML 1.2 text of readable characters whose lines end at line feeds.

    A tag, an anchor or an alias is reported (HR009, HR010) and reading goes on, with an alias as a text.

    Raises:
        ReadingError: HR005 for a syntax error, HR011 for a second document.
        EnoughError: from `report`.
    """
    from ruamel.yaml import YAML, events
    from ruamel.yaml.error import MarkedYAMLError

    yaml = YAML(typ="safe", pure=True)
    reader, scanner = _tools()
    yaml.Reader, yaml.Scanner = reader, partial(scanner, text, report)
    stream = yaml.parse(text)
    documents = 0
    end = 0
    while True:
        try:
            event = next(stream, None)
        except MarkedYAMLError as error:
            raise _mistake(text, error) from None
        except (ReadingError, EnoughError):
            raise
        except Exception:  # noqa: BLE001 - on numbers out of range the scanner leaks whatever `int` and `chr` raise
            help = "look at the escapes (`\\x`, `\\u`, `\\U`) after this place"
            raise ReadingError("HR005", "an escape is out of range", end, end + 1, help) from None
        if event is None:
            return
        before, start, end = end, event.start_mark.index, event.end_mark.index
        if isinstance(event, events.DocumentStartEvent):
            documents += 1
            if documents > 1:
                help = "a file holds one spec; put the other into a file of its own"
                raise ReadingError("HR011", "a second document begins here", start, start + 3, help)
        elif isinstance(event, events.ScalarEvent):
            if start == end and (colon := text.find(":", before, start)) >= 0:
                # An empty value is marked where the next line begins; it belongs behind its colon.
                start = end = colon + 1
            yield _scalar(text, event.value, start, end, event.style)
        elif isinstance(event, events.CollectionStartEvent):
            mapping = isinstance(event, events.MappingStartEvent)
            yield Part("mapping" if mapping else "sequence", start, end, bool(event.flow_style))
        elif isinstance(event, events.CollectionEndEvent):
            yield Part("end", start, end)


@cache
def _tools() -> tuple[type[Reader], Callable[..., Scanner]]:
    """Return a reader of texts that `source` has looked through, and a scanner that takes only what specs have use for.

    ruamel's own look at each character, of comments too, and take half as long again.
    """
    from ruamel.yaml.reader import Reader
    from ruamel.yaml.scanner import Scanner
    from ruamel.yaml.tokens import ScalarToken

    class LineReader(Reader):
        def check_printable(self, data: str) -> None:
            """Take any character; ruamel's own pattern, which a text beyond ASCII needs, takes 5 ms to compile."""

        def forward(self, length: int = 1) -> None:
            # INVARIANT: lines end at line feeds, and the whole text is in the buffer.
            start, end = self.pointer, self.pointer + length
            self.pointer, self.index = end, self.index + length
            if feeds := self.buffer.count("\n", start, end):
                self.line += feeds
                self.column = end - 1 - self.buffer.rindex("\n", start, end)
            else:
                self.column += length

    class SpecScanner(Scanner):
        """Reports what specs have no use for, instead of making tokens of it."""

        def __init__(self, text: str, report: Report, loader: YAML) -> None:
            self.text, self.report = text, report
            super().__init__(loader)

        def need_more_tokens(self) -> bool:
            # Where no key can have begun, the next token stays what it is.
            return not (self.tokens and not self.possible_simple_keys) and super().need_more_tokens()

        def scan_to_next_token(self) -> None:
            reader, gap = self.reader, _FLOW_GAP if self.flow_context else _BLOCK_GAP
            found = gap.match(reader.buffer, reader.pointer)
            assert found is not None  # it may be empty
            reader.forward(len(found[0]))
            if "\n" in found[0] and not self.flow_context:
                self.allow_simple_key = True

        def scan_plain(self) -> ScalarToken:
            reader, indent = self.reader, self.indent + 1
            words = _FLOW_WORDS if self.flow_context else _BLOCK_WORDS
            start = end = reader.get_mark()
            chunks: list[str] = []
            spaces: list[str] = []
            while reader.peek() != "#" and (found := words.match(reader.buffer, reader.pointer)):
                self.allow_simple_key = False
                chunks += (*spaces, found[0])
                reader.forward(len(found[0]))
                end = reader.get_mark()
                spaces = self.scan_plain_spaces(indent, start)
                if not spaces or (not self.flow_context and reader.column < indent):
                    break
            return ScalarToken("".join(chunks), True, start, end)

        def _skip(self, code: str, what: str, help: str) -> None:
            start = self.reader.index
            match = _WORD.match(self.text, start)
            shown = match[0] if match else self.text[start]
            if len(shown) == 1:
                help = f"quote this: `{shown}` begins {what}"
            self.report(code, f"`{shown[:60]}` is {what}", start, start + len(shown), help)
            self.reader.forward(len(shown))

        def fetch_tag(self) -> None:
            help = "leave it out; quote a text that begins with `!`, and write `not` to negate"
            self._skip("HR009", "a tag", help)

        def fetch_anchor(self) -> None:
            self._skip("HR010", "an anchor", _ANCHOR_HELP)

        def fetch_alias(self) -> None:
            self.save_possible_simple_key()
            self.allow_simple_key = False
            start = self.reader.get_mark()
            self._skip("HR010", "an alias", _ANCHOR_HELP)
            # What follows, as in `*x + 1`, was meant as one value.
            self.reader.forward(len(rest[0]) if (rest := _FOLLOWING.match(self.text, self.reader.index)) else 0)
            shown = self.text[start.index : self.reader.index]
            self.tokens.append(ScalarToken(shown, True, start, self.reader.get_mark()))

        def fetch_directive(self) -> None:
            start = self.reader.index
            help = "leave the line out; a spec is YAML 1.2 without directives"
            raise ReadingError("HR005", "a line begins with `%`", start, _line_end(self.text, start), help)

    return LineReader, SpecScanner


_WORD = re.compile(r"[^\s,\[\]{}]+")
_FOLLOWING = re.compile(r"(?:[^,\[\]{}\n#:]|:(?=\S))*")
# Blanks, comments and line feeds; a tab is a blank within brackets only.
_BLOCK_GAP = re.compile(r"(?: *(?:#[^\n\0]*)?\n)* *(?:#[^\n\0]*)?")
_FLOW_GAP = re.compile(r"(?:[ \t]*(?:#[^\n\0]*)?\n)*[ \t]*(?:#[^\n\0]*)?")
# A value without quotes, as far as it goes on its line: up to a tab, `: ` or ` #`, and within brackets a comma or a bracket.
_BLOCK_WORD, _FLOW_WORD = r"(?:[^ \t\n\0:]|:(?![ \t\n\0]))+", r"(?:[^ \t\n\0:,\[\]{}]|:(?![ \t\n\0]))+"
_BLOCK_WORDS = re.compile(f"{_BLOCK_WORD}(?: +(?!#){_BLOCK_WORD})*")
_FLOW_WORDS = re.compile(f"{_FLOW_WORD}(?: +(?!#){_FLOW_WORD})*")
_ANCHOR_HELP = "write the value out where it is used, or name it with `let`"


def _scalar(text: str, value: str, start: int, end: int, style: str | None) -> Part:
    if style is None:
        return Part("scalar", start, end, True, plain_value(value), value, True)
    end = start + len(text[start:end].rstrip())
    if style == '"' and not value.isascii():
        # JSON writes a character beyond U+FFFF as two escapes, which YAML reads as two half characters.
        value = value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")
    return Part("scalar", start, end, True, value, value)


def _lowered(text: str) -> str:
    return text[:1].lower() + text[1:200].rstrip(".")


# Syntax errors ---------------------------------------------------------------------------------------------


def _mistake(text: str, error: MarkedYAMLError) -> ReadingError:
    """Return a syntax error of the scanner or the parser in the words of this language."""
    problem = error.problem or "unreadable"
    mark = error.problem_mark or error.context_mark
    at = mark.index if mark is not None else 0
    opening = error.context_mark.index if error.context_mark is not None else at
    char = text[at : at + 1]

    def here(message: str, help: str, start: int = at, end: int = at + 1) -> ReadingError:
        return ReadingError("HR005", message, start, end, help)

    if char == "\t" and ("cannot start any token" in problem or not text[text.rfind("\n", 0, at) + 1 : at].strip()):
        return here("a tab cannot stand here", "indent with blanks, two a level")
    if "cannot start any token" in problem:
        return here(f"a value cannot begin with `{char}`", "quote this", at, _line_end(text, at))
    if "block scalar" in (error.context or ""):
        help = f"quote this: `{text[opening : opening + 1]}` begins a text of several lines"
        return here("no value can begin so", help, opening, _line_end(text, opening))
    if "escape" in problem:
        escape = text.rfind("\\", 0, at)
        return here("unknown escape", r"write `\\` for a backslash, or use single quotes", escape, at + 1)
    if "quoted scalar" in (error.context or ""):
        help = "write the closing quote; inside single quotes a quote is doubled"
        return here("this quote is never closed", help, opening, opening + 1)
    if "unexpected ':'" in problem or char == ":":
        return _colon(text, at, opening, error.context or "")
    if "could not find expected ':'" in problem:
        if missing := _missing_blank(text, opening, at):
            return missing
        help = "write `name: value`; indent a text that goes on from the line before"
        return here("a name without a value", help, opening, _line_end(text, opening))
    if "expected ',' or" in problem:
        return _bracket(text, at, opening)
    if "expected the node content" in problem:
        brackets = [match.start() for match in re.finditer(r"[\[{]", text[:at])]
        unclosed = next((bracket for bracket in brackets[:-20:-1] if not _is_closed(text, bracket)), None)
        if unclosed is not None:
            return _bracket(text, at, unclosed)
        return here("a value is missing here", "write a value, or quote a text that begins with a mark")
    if missing := _open_quote(text, at):
        return missing
    if "expected <block end>" in problem:
        before = text[text.rfind("\n", 0, at) + 1 : at].strip()
        if before and before != "-":
            help = "quote the whole value: it begins with a quote or a bracket and goes on after it"
            return here("the value has ended before this", help, at, _line_end(text, at))
        help = "indent it as its neighbours are, and keep `-` items and names apart"
        return here("this line does not fit the ones above", help, at, _line_end(text, at))
    if "are not allowed here" in problem:
        return here("a list or a name cannot begin here", "begin it on a line of its own, or quote this")
    help = "look at the indentation, the quotes and the brackets before this place"
    return here(_lowered(problem), help)


def _line_end(text: str, at: int) -> int:
    end = text.find("\n", at)
    line = text[at : end if end >= 0 else len(text)]
    return at + max(1, len(line.partition(" #")[0].rstrip()))


_GLUED = re.compile(r"^[ ]*(?:-[ ]+)?([A-Za-z_]\w*:)(?=[^\s:])", re.MULTILINE)


def _missing_blank(text: str, start: int, end: int) -> ReadingError | None:
    """Find `name:value` in the lines from `start` to `end`."""
    first, last = text.rfind("\n", 0, start) + 1, _line_end(text, end)
    if match := _GLUED.search(text, first, last):
        help = f"write `{match[1][:60]} ` with a blank after the colon"
        message = f"a blank is missing after `{match[1][:60]}`"
        return ReadingError("HR005", message, match.start(1), match.end(1), help)
    return None


def _colon(text: str, at: int, opening: int, context: str) -> ReadingError:
    """Report a colon where no mapping can begin."""
    line = text.rfind("\n", 0, at) + 1
    if "plain scalar" in context:
        name = text[opening:at]
        help = f"write `{name[:60]}: ` with a blank after the colon, or quote the whole"
        return ReadingError("HR005", f"a blank is missing after `{name[:60]}:`", opening, at + 1, help)
    if "flow" in context:
        if text[opening] in "{[" and not _is_closed(text, opening):
            return _bracket(text, at, opening)
        start = max(text.rfind(mark, 0, at) for mark in ("{", "[", ", ", ": ")) + 1
        start += len(text[start:at]) - len(text[start:at].lstrip())
        match = re.compile(r"[^,\]}\n]*").match(text, at)
        help = "quote this: a colon and a blank begin a mapping"
        return ReadingError("HR005", "a second `: ` in one entry", start, match.end() if match else at + 1, help)
    previous = text.rfind("\n", 0, max(0, line - 1)) + 1
    if missing := _missing_blank(text, previous, at):
        return missing
    match = re.compile(r"[ ]*(?:-[ ]+)*[^\s:]+:[ ]+").match(text, line)
    if match and match.end() <= at:
        help = "quote this: a colon and a blank begin a mapping"
        return ReadingError("HR005", "a second `: ` on one line", match.end(), _line_end(text, at), help)
    help = "indent it as its neighbours are; quote a text of several lines that has a colon and a blank"
    return ReadingError("HR005", "a mapping cannot begin here", line, at + 1, help)


_QUOTED = re.compile(r"'[^'\n]*'|\"[^\"\n]*\"|#[^\n]*|[\[\]{}]")


def _is_closed(text: str, opening: int) -> bool:
    depth = 0
    for match in _QUOTED.finditer(text, opening):
        depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(match[0], 0)
        if depth == 0:
            return True
    return False


def _bracket(text: str, at: int, opening: int) -> ReadingError:
    """Report an entry of a bracket that is followed by neither a comma nor the closing bracket."""
    bracket = text[opening : opening + 1]
    closing = {"{": "}", "[": "]"}.get(bracket, "the closing bracket")
    if not _is_closed(text, opening):
        help = f"write the `{closing}` that is missing"
        return ReadingError("HR005", f"`{bracket}` is never closed", opening, opening + 1, help)
    help = f"write a `,` or `{closing}` before it, or quote the whole value"
    return ReadingError("HR005", f"unexpected text inside `{bracket} {closing}`", at, at + 1, help)


def _open_quote(text: str, at: int) -> ReadingError | None:
    """Find the quote of a text that closed on a later line only, just before `at`."""
    before = text[:at].rstrip(" ")
    if not before or before[-1] not in "'\"":
        return None
    opening = text.rfind(before[-1], 0, len(before) - 1)
    if opening < 0 or "\n" not in text[opening : len(before)]:
        return None
    help = "write the closing quote on its line"
    return ReadingError("HR005", "this quote closes only on a later line", opening, opening + 1, help)
