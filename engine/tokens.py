"""Text of an expression → tokens, up to the first text that is none.

What other languages write and this one does not (`&&`, `lambda`, quotes, `x²`) is met here, each with the
spelling to use.
"""

from __future__ import annotations

import re
from typing import Literal, NamedTuple, cast

from .units import TIME_SUFFIXES

__all__ = ["FOREIGN_HELP", "FOREIGN_OPERATORS", "ExpressionError", "Token", "clipped", "tokens"]

_MAX_DIGITS = 400
_MAX_PARTS = 8


class ExpressionError(ValueError):
    """The first mistake of an expression: `text[start:end]` is the place, `help` says what to write.

    The code is HR110 for a text that is no expression, HR111 for one that is too long, deep or large, and
    HR112 for a thing that other languages have and this one has not.
    """

    def __init__(self, message: str, start: int, end: int, help: str, code: str = "HR110") -> None:
        super().__init__(message)
        self.message = message
        self.start = start
        self.end = end
        self.help = help
        self.code = code


class Token(NamedTuple):
    """A piece of the text: `text[start:end]`."""

    kind: Literal["number", "name", "word", "operator", "end", "error"]
    text: str
    start: int
    end: int


_WORDS = frozenset({"and", "or", "not", "if", "else", "true", "false", "True", "False"})
_TOKEN = re.compile(
    r"""[\ \t\r\n]*+(?:
      (?P<number>(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)(?P<suffix>\w*)
    | (?P<name>[^\W0-9]\w*(?:\.[^\W0-9]\w*)*)
    | (?P<foreign>:=|//|&&|\|\||<>|=>|=<|===|->|<<|>>|\+\+|["'`\[\]{}^%&|!~;:?@$\#\\](?!=))
    | (?P<operator>\*\*|<=|>=|==|!=|[-+*/<>(),=])
    | (?P<other>.)
    )""",
    re.VERBOSE | re.DOTALL,
)

_NOT_EXECUTED = "nothing in a spec is executed; bind a function by its name instead"
FOREIGN_HELP = {
    "&&": "write `and`",
    "&": "write `and`",
    "||": "write `or`",
    "|": "write `or`",
    "!": "write `not`",
    "~": "write `not`",
    "AND": "write `and`",
    "And": "write `and`",
    "OR": "write `or`",
    "Or": "write `or`",
    "NOT": "write `not`",
    "Not": "write `not`",
    "=": "write `==` to compare; a `set` action assigns",
    ":=": "write `==` to compare; a `let` names a value",
    "===": "write `==`",
    "<>": "write `!=`",
    "=>": "write `>=`, or `implies(a, b)`",
    "->": "write `implies(a, b)`",
    "=<": "write `<=`",
    "≤": "write `<=`",
    "≥": "write `>=`",
    "≠": "write `!=`",
    "×": "write `*`",
    "·": "write `*`",
    "÷": "write `/`",
    "−": "write `-`, the one on the keyboard",
    "–": "write `-`, the one on the keyboard",
    "^": "write `**` with a literal power from 1 to 8",
    "²": "write `** 2`",
    "³": "write `** 3`",
    "√": "write `sqrt(x)`",
    "//": "write `/`; there is no whole-number division",
    "%": "there is no remainder and no percentage; write `0.05` for 5 %",
    "?": "write `a if condition else b`",
    ":": "write `a if condition else b`",
    "++": "write `x + 1`",
    "[": "arrays live between bound functions only; group with `(` and `)`",
    "]": "arrays live between bound functions only; group with `(` and `)`",
    "{": "group with `(` and `)`",
    "}": "group with `(` and `)`",
    ".": "only names have parts, with no blank beside the `.`",
    ";": "one expression has one value; name parts of it with `let`",
    "`": "write the name without quotes",
    "\N{NO-BREAK SPACE}": "this blank is a no-break space; write an ordinary one",
    "is": "write `==`",
    "in": "write `In(state)` to ask for a state, or compare with `<=`",
    "for": _NOT_EXECUTED,
    "lambda": _NOT_EXECUTED,
    "await": _NOT_EXECUTED,
    "yield": _NOT_EXECUTED,
    "import": _NOT_EXECUTED,
    "None": "there is no empty value; every name has one",
    "null": "there is no empty value; every name has one",
}
# The first are refused anywhere; the others only where an operator is due, as they may be names.
_FOREIGN_OPERANDS = frozenset({"lambda", "await", "yield", "import", "None", "null"})
FOREIGN_OPERATORS = frozenset({"AND", "And", "OR", "Or", "NOT", "Not", "is", "in", "for"})


def tokens(text: str) -> tuple[list[Token], ExpressionError | None]:
    """Return the tokens; the last is `end` or, at the first text that is none, `error` with what is wrong."""
    found: list[Token] = []
    position = 0
    while match := _TOKEN.match(text, position):
        position = match.end()
        kind = cast(str, match.lastgroup)
        if kind == "suffix":
            kind = "number"
        start = match.start(kind)
        shown = text[start:position]
        error: ExpressionError | None = None
        if kind == "name":
            error = _name_error(shown, start)
            if shown in _WORDS:
                kind = "word"
        elif kind == "number":
            error = _number_error(match)
        elif kind in ("foreign", "other"):
            error = _foreign_error(text, shown, start)
        if error is not None:
            found.append(Token("error", shown, start, position))
            return found, error
        found.append(Token(cast(Literal["number", "name", "word", "operator"], kind), shown, start, position))
    found.append(Token("end", "", len(text.rstrip()), len(text.rstrip())))
    return found, None


def _name_error(shown: str, start: int) -> ExpressionError | None:
    end = start + len(shown)
    if not shown.isascii():
        offset = next(index for index, char in enumerate(shown) if not char.isascii())
        message = f"`{clipped(shown)}` has a character that names do not have"
        help = FOREIGN_HELP.get(shown[offset], "names are made of the letters a to z, digits and `_`")
        return ExpressionError(message, start + offset, start + offset + 1, help, "HR112")
    parts = shown.split(".")
    if any(part.startswith("_") or "__" in part for part in parts):
        help = "names start with a letter and have no `__`; " + _NOT_EXECUTED
        return ExpressionError(f"`{clipped(shown)}` is no name", start, end, help, "HR112")
    if len(parts) > _MAX_PARTS:
        help = f"a name has at most {_MAX_PARTS} parts, such as `before.long.quantity`"
        return ExpressionError(f"`{clipped(shown)}` has too many parts", start, end, help, "HR112")
    if len(parts) > 1 and (word := next((part for part in parts if part in _WORDS), None)):
        help = "write another name; `and or not if else true false` are words of the language"
        return ExpressionError(f"`{word}` cannot be part of a name", start, end, help)
    if shown in _FOREIGN_OPERANDS:
        help = FOREIGN_HELP[shown]
        return ExpressionError(f"there is no `{shown}` in this language", start, end, help, "HR112")
    return None


def _number_error(match: re.Match[str]) -> ExpressionError | None:
    digits, suffix = match["number"], match["suffix"]
    start, end = match.start("number"), match.end()
    mantissa, _, exponent = digits.lower().partition("e")
    if len(digits) > _MAX_DIGITS or (exponent and abs(int(exponent)) > _MAX_DIGITS):
        help = f"a number has at most {_MAX_DIGITS} digits and a power of ten of at most {_MAX_DIGITS}"
        return ExpressionError("number is out of reach", start, end, help, "HR111")
    if not suffix or suffix in TIME_SUFFIXES:
        return None
    place = match.start("suffix")
    if "_" in suffix and suffix.replace("_", "").isdecimal():
        help = f"write `{clipped(digits + suffix.replace('_', ''))}`"
        return ExpressionError("a number has no `_` inside", start, end, help)
    if suffix in ("e", "E"):
        help = f"write `{clipped(digits)}e-5`, or leave the `{suffix}` out"
        return ExpressionError("a power of ten is missing", place, end, help)
    if mantissa == "0" and suffix[0] in "xXoObB":
        return ExpressionError("numbers are decimal", start, end, "write the number with the digits 0 to 9")
    help = "a time is joined, as in `30d` (ns us ms s m h d w); a unit stands after a blank, as in `5 USD`"
    return ExpressionError(f"unknown suffix `{clipped(suffix)}`", place, end, FOREIGN_HELP.get(suffix[0], help))


def _foreign_error(text: str, shown: str, start: int) -> ExpressionError:
    if shown in ("'", '"'):
        close = text.find(shown, start + 1)
        end = close + 1 if close >= 0 else len(text)
        help = "states, events and legs are written as names, without quotes"
        return ExpressionError("there is no text in an expression", start, end, help, "HR112")
    help = FOREIGN_HELP.get(shown, "an expression has numbers, names, calls and `+ - * / ** < <= > >= == !=`")
    visible = shown if shown.isprintable() else f"U+{ord(shown):04X}"
    message = f"there is no `{visible}` in this language"
    return ExpressionError(message, start, start + len(shown), help, "HR112")


def clipped(text: str) -> str:
    """Return the text, or its beginning where it is too long for a message."""
    return text if len(text) <= 60 else text[:59] + "…"
