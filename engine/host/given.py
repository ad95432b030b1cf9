"""What somebody gives to a host, as plain values: no arithmetic of its own gets near a machine."""

from __future__ import annotations

import numbers
import re
from collections.abc import Mapping
from math import inf
from typing import Any, NamedTuple

__all__ = [
    "LONGEST_TEXT",
    "MACHINE_NAME",
    "Numbered",
    "Sent",
    "plain",
    "plain_sent",
    "plain_text",
]

MACHINE_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.]{0,63}")
LONGEST_TEXT = 200
"""Characters of a name or an id."""
_PLAIN = frozenset((int, float, bool, str, type(None)))
_NAMED = 'the fields of an event are its values by name, as in `{"price": 100.0}`'


class Numbered(NamedTuple):
    """The number of an event among those of its source."""

    source: str
    sequence: int


class Sent(NamedTuple):
    """An event for a machine, as `Host.submit` takes it."""

    machine: str
    event: str
    time_ns: int
    fields: Mapping[str, object] = {}
    id: str | None = None
    source: str | None = None
    sequence: int | None = None


def plain_sent(given: object) -> Sent:
    """Return an event with plain values, but for the machine, which is looked up by whoever knows them.

    Raises:
        TypeError: it is none, or something in it is of a type that no event has.
    """
    if not (isinstance(given, tuple) and 3 <= len(given) <= len(Sent._fields)):
        raise TypeError("an event of a list is a `Sent`: machine, event, time_ns, fields, id, source, sequence")
    machine, event, time_ns, fields, id, source, sequence = Sent(*given)
    name, known = plain_text("an event", event), None if id is None else plain_text("an id", id)
    return Sent(machine, name, plain(time_ns), _plain_fields(fields), known, *_counted(source, sequence))


def _plain_fields(fields: Mapping[str, object]) -> dict[str, object]:
    if not isinstance(fields, Mapping):
        raise TypeError(_NAMED)
    return {_name(name): plain(value) for name, value in fields.items()}


def _name(given: object) -> str:
    if type(given) is str:
        return given
    if not isinstance(given, str):
        raise TypeError(_NAMED)
    return str.__str__(given)


def plain_text(what: str, given: object) -> str:
    """Return a text as a plain one; a TypeError where it is none, or too long."""
    if not (isinstance(given, str) and 0 < str.__len__(given) <= LONGEST_TEXT):
        raise TypeError(f"{what} is a text of 1 to {LONGEST_TEXT} characters")
    return str.__str__(given)


def _counted(source: object, sequence: object) -> tuple[str, int] | tuple[None, None]:
    """Return who counts an event and its number; a TypeError where one is given without the other, or is none."""
    if source is None and sequence is None:
        return None, None
    counting = plain_text("a source", source)
    if isinstance(sequence, bool) or not isinstance(sequence, numbers.Integral) or not 0 <= int(sequence) < 2**63:
        raise TypeError("a sequence is a whole number from 0 on, of 63 bits, that a source counts its events by")
    return counting, int(sequence)


def plain(value: object) -> Any:
    """Return a value of an event as a plain one.

    Raises:
        TypeError: it is none that an event can have.
    """
    if type(value) in _PLAIN:
        return value
    if isinstance(value, numbers.Integral):
        return int(value)
    if isinstance(value, numbers.Real):
        try:
            return float(value)
        except OverflowError:  # no double is as large: the machine refuses it, as it does what is not finite
            return -inf if value < 0 else inf
    if type(value).__name__ in ("bool_", "bool"):  # that of NumPy, which is no number
        return bool(value)
    raise TypeError(f"{type(value).__name__} is no type of a value of an event")
