"""Events from outside: what is accepted, what is refused and why.

Values become plain Python numbers here, once, so that no NumPy scalar with arithmetic of its own gets into the machine.
"""

from __future__ import annotations

import numbers
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any, Protocol

from .diagnostics import suggestion
from .evaluate import Arithmetic
from .ir import Field, Value

__all__ = ["Declared", "Events", "Refusal", "accept_fields", "accept_time", "in_order"]

_INT64 = 2**63


class Declared(Protocol):
    """What is asked of an event: its name, and its fields in order."""

    @property
    def name(self) -> str: ...

    @property
    def fields(self) -> tuple[Field, ...]: ...


class Events(Protocol):
    """What is asked of a program: its events."""

    @property
    def events(self) -> Sequence[Declared]: ...


class Refusal(Exception):
    """An input that the machine does not take; its text says why."""


def in_order(program: Events, event: str, fields: Mapping[str, object]) -> tuple[object, ...]:
    """Return the values of named fields in declared order.

    Raises:
        Refusal: an event or a field that the spec does not declare, or a field that is missing.
    """
    declared = next((each for each in program.events if each.name == event), None)
    if declared is None:
        known = [each.name for each in program.events]
        # A program may hand over anything for a name.
        given: object = event
        shown = f"{given:.64}" if isinstance(given, str) else _told(given)
        help = suggestion(shown, known, "the events are " + (", ".join(f"`{name}`" for name in known) or "none"))
        raise Refusal(f"unknown event `{shown}`: {help}")
    names = [field.name for field in declared.fields]
    for name in fields:
        if name not in names:
            raise Refusal(
                f"`{event}` has no field `{name[:64]}`: {suggestion(name, names, 'it has ' + (', '.join(names) or 'none'))}"
            )
    for name in names:
        if name not in fields:
            raise Refusal(f"`{event}` came without its field `{name}`")
    return tuple(fields[name] for name in names)


def accept_time(time_ns: object, clock: int | None) -> int:
    """Return the time of an event in int64 nanoseconds.

    Raises:
        Refusal: it is no such number, or lies before the clock.
    """
    if isinstance(time_ns, bool) or not isinstance(time_ns, numbers.Integral):
        raise Refusal(f"the time {_told(time_ns)} is not a whole number of nanoseconds")
    time = int(time_ns)
    if not -_INT64 <= time < _INT64:
        raise Refusal(f"the time {_told(time)} does not fit in 64 bits")
    if clock is not None and time < clock:
        raise Refusal(f"the time {time} is before the last event at {clock}")
    return time


def accept_fields(event: Declared, values: Sequence[object], arithmetic: Arithmetic) -> dict[str, Value]:
    """Return the fields of an event as plain values in range, by qualified name.

    Raises:
        Refusal: a value of another type, not finite, or out of range.
    """
    if len(values) != len(event.fields):
        raise Refusal(f"`{event.name}` takes {len(event.fields)} values, {len(values)} came")
    pairs = zip(event.fields, values, strict=True)
    return {f"{event.name}.{field.name}": _accept(field, value, arithmetic) for field, value in pairs}


def _accept(field: Field, value: object, arithmetic: Arithmetic) -> Any:
    shown = f"`{field.name}` = {_told(value)}"
    if isinstance(value, str) and field.people is not None:
        if value not in field.people:
            raise Refusal(f"{shown} is nobody known: {suggestion(value[:64], field.people, _everybody(field.people))}")
        return field.people.index(value)
    if field.type == "bool":
        if isinstance(value, bool) or type(value).__name__ in ("bool_", "bool"):
            return bool(value)
        raise Refusal(f"{shown} is neither true nor false")
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise Refusal(f"{shown} is not a number")
    if field.type == "int":
        if not isinstance(value, numbers.Integral):
            raise Refusal(f"{shown} is not a whole number")
        number: Any = int(value)
    else:
        try:
            as_float = float(value)
        except OverflowError:
            raise Refusal(f"{shown} is too large for a float") from None
        if as_float != as_float or as_float in (float("inf"), float("-inf")):
            raise Refusal(f"{shown} is not a finite number")
        number = arithmetic.real(value if isinstance(value, Fraction) else as_float)
    if field.low is not None and number < _bound(field.low, field, arithmetic):
        raise Refusal(f"{shown} is below {_shown(field.low)}")
    if field.high is not None and number > _bound(field.high, field, arithmetic):
        raise Refusal(f"{shown} is above {_shown(field.high)}")
    return number


def _bound(bound: Fraction, field: Field, arithmetic: Arithmetic) -> Any:
    return int(bound) if field.type == "int" else arithmetic.real(bound)


def _everybody(people: Sequence[str]) -> str:
    return "the people are " + ", ".join(f"`{each}`" for each in people)


def _shown(bound: Fraction) -> str:
    return f"{float(bound):g}"


def _told(value: object) -> str:
    """Return a value as a message shows it, whatever it is: Python writes out no int of over 4,300 digits."""
    try:
        return repr(value)[:40]
    except Exception:  # noqa: BLE001 - the value comes from outside, and so does what its `repr` does
        return "a value that cannot be shown"
