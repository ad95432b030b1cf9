"""JSON text → the parts of a document, with their places; all that RFC 8259 allows and nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterator
from json.decoder import JSONDecodeError, scanstring  # type: ignore[attr-defined]  # missing in the stubs
from typing import NoReturn

from .document import Part, ReadingError
from .numbers import number_value

__all__ = ["json_parts"]

_TOKEN = re.compile(
    r"""[ \t\n]*+(?:
      (?P<mark>[{}\[\]:,])
    | (?P<string>")
    | (?P<number>-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)(?![\w.+-])
    | (?P<word>true|false|null)(?!\w)
    | (?P<other>//|/\*|[\w.+-]+|.)
    )""",
    re.VERBOSE | re.DOTALL,
)
_WORDS = {"true": True, "false": False, "null": None}
_EXPECTED = {
    "value": "a value",
    "item": "a value or `]`",
    "key": "a name in double quotes",
    "entry": "a name in double quotes or `}`",
    "colon": "`:`",
    "next": "`,` or the closing bracket",
    "end": "the end of the file",
}


def json_parts(text: str) -> Iterator[Part]:
    """Yield the parts of a JSON text whose lines end at line feeds.

    Raises:
        ReadingError: HR005 at the first text that is no JSON.
    """
    position = 0
    expected = "value"
    opened: list[tuple[str, int]] = []
    while match := _TOKEN.match(text, position):
        start, position = match.start(match.lastgroup or 0), match.end()
        shown = text[start:position]
        fits_value = expected in ("value", "item")
        fits_key = expected in ("key", "entry")
        after = "next" if opened else "end"
        if match["mark"]:
            if shown in "{[" and fits_value:
                opened.append((shown, start))
                yield Part("mapping" if shown == "{" else "sequence", start, position)
                expected = "entry" if shown == "{" else "item"
            elif (shown == "}" and _closes(opened, "{", expected, "entry")) or (
                shown == "]" and _closes(opened, "[", expected, "item")
            ):
                opened.pop()
                yield Part("end", start, position)
                expected = "next" if opened else "end"
            elif shown == ":" and expected == "colon":
                expected = "value"
            elif shown == "," and expected == "next":
                expected = "key" if opened[-1][0] == "{" else "value"
            else:
                _refuse(text, start, position, expected)
        elif match["string"] and (fits_key or fits_value):
            value, position = _string(text, start)
            yield Part("scalar", start, position, True, value, value)
            expected = "colon" if fits_key else after
        elif match["number"] and fits_value:
            yield Part("scalar", start, position, True, number_value(shown), shown, True)
            expected = after
        elif match["word"] and fits_value:
            yield Part("scalar", start, position, True, _WORDS[shown], shown, True)
            expected = after
        else:
            _refuse(text, start, position, expected)
    if opened:
        bracket, start = opened[-1]
        closing = "}" if bracket == "{" else "]"
        raise ReadingError("HR005", f"`{bracket}` is never closed", start, start + 1, f"write the `{closing}`")


def _closes(opened: list[tuple[str, int]], bracket: str, expected: str, first: str) -> bool:
    return bool(opened) and opened[-1][0] == bracket and expected in ("next", first)


def _string(text: str, start: int) -> tuple[str, int]:
    try:
        value, end = scanstring(text, start + 1, True)
        return str(value), int(end)
    except JSONDecodeError as error:
        if error.msg.startswith("Unterminated"):
            raise ReadingError(
                "HR005", "this quote is never closed", start, start + 1, "write the closing quote"
            ) from None
        if error.msg.startswith("Invalid control character"):
            help = r"close the quote on its line; write `\n` for a line break and `\t` for a tab"
            raise ReadingError("HR005", "a text in double quotes ends on its line", start, error.pos, help) from None
        help = r"escapes are `\" \\ \/ \b \f \n \r \t` and `\u` with four hexadecimal digits"
        raise ReadingError("HR005", "unknown escape", error.pos, error.pos + 2, help) from None


def _refuse(text: str, start: int, end: int, expected: str) -> NoReturn:
    shown = text[start:end]
    help = f"write {_EXPECTED[expected]} here"
    if shown in ("//", "/*", "#"):
        help = "JSON has no comments; name the file `.yaml` to have them"
    elif shown == "'":
        help = "JSON has double quotes only"
    elif shown in ("}", "]") and expected in ("key", "value") and text[:start].rstrip().endswith(","):
        help = "leave out the `,` before it"
    elif expected == "next" and shown == '"':
        help = "write a `,` before it"
    elif expected in ("key", "entry") and re.fullmatch(r"\w+", shown):
        help = f'write `"{shown[:40]}"`, in double quotes'
    elif shown in ("NaN", "Infinity", "-Infinity"):
        help = "JSON has finite numbers only"
    raise ReadingError("HR005", f"unexpected `{shown[:40]}`", start, end, help)
