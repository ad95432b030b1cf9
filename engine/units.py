"""Units: integer-exponent monomials over the base units of a file and the second.

`USD/IDX` is `Unit((("IDX", -1), ("USD", 1)))`. Units are exact: no prefixes, no conversion, no rational
exponents; the one root, `sqrt`, wants even exponents. Times are in seconds; `TIME_SUFFIXES` holds what
`30d` stands for.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from fractions import Fraction

from .diagnostics import suggestion

__all__ = ["ONE", "SECOND", "TIME_SUFFIXES", "Unit", "UnitSyntaxError", "parse_unit"]

TIME_SUFFIXES: dict[str, Fraction] = {
    "ns": Fraction(1, 1_000_000_000),
    "us": Fraction(1, 1_000_000),
    "ms": Fraction(1, 1_000),
    "s": Fraction(1),
    "m": Fraction(60),
    "h": Fraction(3_600),
    "d": Fraction(86_400),
    "w": Fraction(604_800),
}
"""Seconds in each suffix that may be joined to a number; a day is 24 hours."""

_MAX_EXPONENT = 16
_MAX_LENGTH = 200
_FACTOR = re.compile(
    r"\s*(?:(?P<one>1)(?!\w)|(?P<name>[A-Za-z]\w*)(?:\s*(?:\^|\*\*)\s*(?P<power>-?[0-9]+)(?!\w))?)\s*",
    re.ASCII,
)
_WORD = re.compile(r"\s*(\*\*|\w+|\S)")


class UnitSyntaxError(ValueError):
    """A text that is no unit; `offset` and `end` bound the mistake in it, `help` says what to write."""

    def __init__(self, message: str, offset: int, end: int, help: str) -> None:
        super().__init__(message)
        self.message = message
        self.offset = offset
        self.end = end
        self.help = help


@dataclass(frozen=True, slots=True)
class Unit:
    """A product of base units to whole powers: sorted by name, no power 0; equal units are equal values."""

    powers: tuple[tuple[str, int], ...] = ()

    @staticmethod
    def base(name: str) -> Unit:
        """Return the base unit `name`."""
        return Unit(((name, 1),))

    @staticmethod
    def _of(powers: dict[str, int]) -> Unit:
        return Unit(tuple(sorted((name, power) for name, power in powers.items() if power)))

    def __mul__(self, other: Unit) -> Unit:
        if not other.powers:
            return self
        powers = dict(self.powers)
        for name, power in other.powers:
            powers[name] = powers.get(name, 0) + power
        return Unit._of(powers)

    def __truediv__(self, other: Unit) -> Unit:
        return self * other**-1

    def __pow__(self, exponent: int) -> Unit:
        return Unit._of({name: power * exponent for name, power in self.powers})

    def sqrt(self) -> Unit | None:
        """Return the unit whose square this is, or nothing where an exponent is odd."""
        if any(power % 2 for _, power in self.powers):
            return None
        return Unit(tuple((name, power // 2) for name, power in self.powers))

    def __str__(self) -> str:
        """Return what `parse_unit` reads back: `USD/IDX`, `1/s`, `USD^2*s`, `1` for a pure number."""
        above = [_factor(name, power) for name, power in self.powers if power > 0]
        below = [_factor(name, -power) for name, power in self.powers if power < 0]
        return "/".join(["*".join(above) or "1", *below])


ONE = Unit()
SECOND = Unit.base("s")


def _factor(name: str, power: int) -> str:
    return name if power == 1 else f"{name}^{power}"


def parse_unit(text: str, bases: Collection[str]) -> Unit:
    """Return the unit that `text` writes.

    Args:
        text: `1` or a base unit, then any number of `*` or `/` and a base unit; each base unit may carry a
            whole power of magnitude ≤ 16 after `^` (or `**`). `/` divides by the one factor after it.
        bases: names of the file's base units; `s`, the second, is always one.

    Raises:
        UnitSyntaxError: anything else, with its place in `text`.
    """
    example = f"write base units joined by `*` and `/`, such as `{_example(bases)}`, or `1` for a pure number"
    if len(text) > _MAX_LENGTH:
        raise UnitSyntaxError("unit is too long", 0, len(text), f"a unit has at most {_MAX_LENGTH} characters")
    known = {*bases, "s"}
    unit = ONE
    position = 0
    sign = 1
    while True:
        match = _FACTOR.match(text, position)
        if match is None or (match["one"] and position):
            raise _unexpected(text, position, "a unit is missing here", example)
        if name := match["name"]:
            if name not in known:
                otherwise = "the units are " + ", ".join(f"`{base}`" for base in sorted(known)[:12])
                help = suggestion(name, known, otherwise)
                raise UnitSyntaxError(f"unknown unit `{name}`", match.start("name"), match.end("name"), help)
            power = int(match["power"] or 1)
            if abs(power) > _MAX_EXPONENT:
                message = f"the power of `{name}` is too large"
                help = f"a power lies between -{_MAX_EXPONENT} and {_MAX_EXPONENT}"
                raise UnitSyntaxError(message, match.start("power"), match.end("power"), help)
            unit = unit * Unit.base(name) ** (sign * power)
        position = match.end()
        if position == len(text):
            return unit
        if text.startswith(("^", "**"), position):
            help = "write a literal power after a base unit, such as `s^2`"
            raise _unexpected(text, position, "a power is a whole number", help)
        if text[position] not in "*/":
            raise _unexpected(text, position, "a unit is missing here", example)
        sign = 1 if text[position] == "*" else -1
        position += 1


def _unexpected(text: str, position: int, missing: str, help: str) -> UnitSyntaxError:
    match = _WORD.match(text, position)
    if match is None:
        return UnitSyntaxError(missing, len(text), len(text), help)
    message = missing if match[1] in ("^", "**") else f"unexpected `{match[1]}` in a unit"
    return UnitSyntaxError(message, match.start(1), match.end(1), help)


def _example(bases: Collection[str]) -> str:
    return "/".join([*sorted(bases)[:1], "s"])
