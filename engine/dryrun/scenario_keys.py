"""The values of a scenario, `key=value` by `key=value`: numbers, times with units, words; read, held to a range, shown."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from ..diagnostics import suggestion
from ..script_time import TimeTextError, read_time
from ..units import TIME_SUFFIXES
from .problem import RunError
from .times import iso, parse_time

__all__ = ["AUTO", "Key", "Value", "given_values", "read_value", "show_length", "show_value", "split_pairs"]

Value = float | int | str
AUTO = "auto"
"""Written for a value that the data decide."""

_NUMBER = re.compile(r"[+-]?(?:[0-9]{1,40}(?:\.[0-9]{0,40})?|\.[0-9]{1,40})(?:[eE][+-]?[0-9]{1,3})?")


@dataclass(frozen=True)
class Key:
    """One key of a scenario.

    `default` is text like a user's; `=start` takes the value of another key, `auto` is for the data to decide, and None
    means that it must be given. Numbers lie in [least, most]; `unit` is for people. A word is one of `words`, if there are
    any.
    """

    name: str
    form: Literal["number", "whole", "time", "moment", "word"]
    default: str | None
    about: str
    unit: str = ""
    least: float = 0.0
    most: float = 1e12
    words: tuple[str, ...] = ()


def split_pairs(text: str, place: str) -> dict[str, str]:
    """Return the pairs of `key=value,key=value` as they stand.

    Raises:
        RunError: HR815, a part that is no pair, or a key that is there twice.
    """
    found: dict[str, str] = {}
    for part in text.split(",") if text.strip() else []:
        name, equals, value = (piece.strip() for piece in part.partition("="))
        if not (name and equals and value):
            raise RunError(
                "HR815", f"`{part[:60]}` is no pair of a key and a value", place, "write e.g. gbm:seed=7,volatility=0.3"
            )
        if name in found:
            raise RunError("HR815", f"`{name}` is given twice", place, "give it once")
        found[name] = value
    return found


def given_values(keys: Sequence[Key], texts: Mapping[str, str], place: str) -> dict[str, Value]:
    """Return the value of every key, in the order of `keys`.

    Args:
        keys: all that there are.
        texts: those that were given.
        place: what the message is about.

    Raises:
        RunError: HR815, an unknown key, a value that cannot be read or lies outside its range, or one that is missing.
    """
    names = [key.name for key in keys]
    for name in texts:
        if name not in names:
            known = ", ".join(f"`{each}`" for each in names)
            raise RunError(
                "HR815", f"there is no key `{name}`", place, suggestion(name, names, f"the keys are {known}")
            )
    values: dict[str, Value] = {}
    for key in keys:
        text = texts.get(key.name, key.default)
        if text is None:
            raise RunError("HR815", f"`{key.name}` is missing", place, f"write {key.name}=… for {key.about}")
        values[key.name] = values[text[1:]] if text.startswith("=") else read_value(key, text, place)
    return values


def read_value(key: Key, text: str, place: str) -> Value:
    """Return one value: a float, a whole number, nanoseconds (of a time or since 1970) or a word.

    Raises:
        RunError: HR815, it is none, or outside its range.
    """
    value: Value
    if text == AUTO and key.default == AUTO:
        return AUTO
    if key.form == "word":
        if key.words and text not in key.words:
            raise _no(key, text, "one of " + ", ".join(f"`{word}`" for word in key.words), place, key.words)
        return text
    if key.form == "moment":
        stamp = parse_time(text)
        if stamp is None:
            raise _no(key, text, "a date or time, such as 2008-09-15 or 2008-09-15T14:30Z", place)
        return stamp
    if key.form == "time":
        try:
            value = 0 if text.endswith("Z") or text[:1] in "+-" else read_time(text)
        except TimeTextError:
            value = 0
        if not value:
            raise _no(key, text, "a time above 0 with a unit, such as `5m` (ns, us, ms, s, m, h, d, w)", place)
        return value
    if not _NUMBER.fullmatch(text):
        raise _no(key, text, "a number", place)
    if key.form == "whole":
        exact = Fraction(text)
        if exact.denominator != 1:
            raise _no(key, text, "a whole number", place)
        value = exact.numerator
    else:
        value = float(text)
    if not key.least <= value <= key.most:
        unit = f" {key.unit}" if key.unit else ""
        help = "choose one inside" if key.form == "number" else "choose a whole number inside"
        raise RunError(
            "HR815", f"`{key.name}` = {text[:40]} is outside its range [{key.least:g}, {key.most:g}]{unit}", place, help
        )
    return value


def show_value(key: Key, value: Value) -> str:
    """Return a value as a user may write it, the same text for the same value."""
    if key.form == "time" and isinstance(value, int):
        return show_length(value)
    if key.form == "moment" and isinstance(value, int):
        return iso(value)
    return str(value)


def show_length(time_ns: int) -> str:
    """Return a length of time > 0 in the largest unit up to a day in which it is whole: `5m`, `36500d`."""
    units = sorted(TIME_SUFFIXES.items(), key=lambda unit: -unit[1])
    return next(
        f"{time_ns // (seconds * 10**9)}{suffix}"
        for suffix, seconds in units
        if suffix != "w" and time_ns % (seconds * 10**9) == 0
    )


def _no(key: Key, text: str, wanted: str, place: str, words: Sequence[str] = ()) -> RunError:
    shown = text if len(text) <= 40 else f"{text[:40]}…"
    help = suggestion(text, words, f"`{key.name}` is {wanted}")
    return RunError("HR815", f"`{key.name}={shown}` cannot be read", place, help)
