"""Plain scalars of the YAML 1.2 core schema (JSON's are among them): text → value."""

from __future__ import annotations

import re

from .document import Value

__all__ = ["MAX_DIGITS", "is_number", "number_value", "plain_value"]

MAX_DIGITS = 400

_WORDS: dict[str, Value] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), float("inf")),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), float("-inf")),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
}
_INTEGER = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")


def plain_value(text: str) -> Value:
    """Return the value of an unquoted scalar.

    `yes`, `on` and `off` are texts, a float beyond the largest is infinite, and a number of more than 400
    characters stays text, for its reader to refuse.
    """
    if text in _WORDS:
        return _WORDS[text]
    # A first character that begins no number settles it for nearly every scalar of a spec.
    return number_value(text) if text[0] in "+-.0123456789" else text


def number_value(text: str) -> Value:
    """Return the number that `text` writes; `text` where it writes none, or one of over 400 characters."""
    if len(text) > MAX_DIGITS:
        return text
    if _INTEGER.fullmatch(text):
        return int(text, 0) if text[:2] in ("0o", "0x") else int(text)
    return float(text) if _FLOAT.fullmatch(text) else text


def is_number(text: str) -> bool:
    """Return whether `text` writes a finite number, of any length."""
    return bool(_INTEGER.fullmatch(text) or _FLOAT.fullmatch(text))
