"""What somebody gives to a host, as plain values: no arithmetic of its own gets near a machine."""

from __future__ import annotations

import numbers
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

__all__ = [
    "LONGEST_TEXT",
    "MACHINE_NAME",
    "Numbered",
    "Sent",
    "check_text",
    "numbered",
    "plain",
    "plain_fields",
    "sent_of",
]

MACHINE_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.]{0,63}")
LONGEST_TEXT = 200
"""Characters of a name or an id."""
_PLAIN = frozenset((int, float, bool, str, type(None)))


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


def sent_of(given: object) -> Sent:
    """Return an event of a list; TypeError where it is none."""
    if isinstance(given, Sent):
        return given
    if isinstance(given, tuple) and 3 <= len(given) <= len(Sent._fields):
        return Sent(*given)
    raise TypeError("an event of a list is a `Sent`: machine, event, time_ns, fields, id, source, sequence")


def plain_fields(fields: Mapping[str, object]) -> dict[str, object]:
    """Return the fields of an event with plain values; TypeError as `plain`, and where they have no names."""
    if not isinstance(fields, Mapping):
        raise TypeError('the fields of an event are its values by name, as in `{"price": 100.0}`')
    return {name: plain(value) for name, value in fields.items()}


def check_text(what: str, given: object) -> None:
    """Refuse what is no text, or too long a one, with a TypeError."""
    if not (isinstance(given, str) and 0 < len(given) <= LONGEST_TEXT):
        raise TypeError(f"{what} is a text of 1 to {LONGEST_TEXT} characters")


def numbered(source: object, sequence: object) -> Numbered | None:
    """Return the number that somebody gives to an event; None where nobody does.

    Raises:
        TypeError: one is given without the other, or is none.
    """
    if source is None and sequence is None:
        return None
    check_text("a source", source)
    if isinstance(sequence, bool) or not isinstance(sequence, numbers.Integral) or not 0 <= int(sequence) < 2**63:
        raise TypeError("a sequence is a whole number from 0 on, of 63 bits, that a source counts its events by")
    return Numbered(str(source), int(sequence))


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
        return float(value)
    if type(value).__name__ in ("bool_", "bool"):  # that of NumPy, which is no number
        return bool(value)
    raise TypeError(f"{type(value).__name__} is no type of a value of an event")
