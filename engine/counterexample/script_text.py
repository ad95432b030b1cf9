"""Events as the text of a script, see docs/scripts.md: a counterexample that a machine replays and a person can keep.

The script expects what ought to be. So `hedgerow run --events` exits with 1 while the spec breaks it, and with 0 once the
spec is mended: the counterexample has become a test.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from fractions import Fraction

from ..ir import Field, Program, Value
from ..script_time import show_time
from .sent import Sent

__all__ = ["number_text", "script_text"]

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_.]*")
_WORDS = frozenset(("null", "true", "false"))


def script_text(
    program: Program,
    events: Sequence[Sent],
    *,
    about: str,
    parameters: Mapping[str, Value],
    expect: Mapping[str, str],
) -> str:
    """Return a script in YAML.

    Args:
        program: gives the fields their names.
        events: what is sent.
        about: what the script shows.
        parameters: what it sets, in the units that the spec declares.
        expect: what ought to be so after the last event, by key, each value as a script writes it.

    A value that no decimal writes is rounded to the nearest double, which is what a machine would make of it.
    """
    fields = {event.name: event.fields for event in program.events}
    lines = ["hedgerow_events: 1", f"about: {json.dumps(about, ensure_ascii=False)}"]
    if parameters:
        lines.append("set: {" + ", ".join(f"{_key(k)}: {number_text(v)}" for k, v in parameters.items()) + "}")
    lines.append("events:")
    for index, sent in enumerate(events):
        given = zip(fields[sent.event], sent.values, strict=True)
        values = ", ".join(f"{_key(field.name)}: {_value_text(field, value)}" for field, value in given)
        parts = [f"event: {_key(sent.event)}", *([f"with: {{{values}}}"] if values else [])]
        parts.append(f"at: {show_time(sent.time_ns)}")
        if index == len(events) - 1 and expect:
            parts.append("expect: {" + ", ".join(f"{key}: {value}" for key, value in expect.items()) + "}")
        lines.append("  - {" + ", ".join(parts) + "}")
    return "\n".join(lines) + "\n"


def number_text(value: Value) -> str:
    """Return a value as YAML 1.2 writes it; a fraction as the nearest double."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, Fraction) and value.denominator == 1 and abs(value) < 2**53:
        return str(value.numerator)
    number = float(value)
    if math.isnan(number):
        return ".nan"
    if math.isinf(number):
        return ".inf" if number > 0 else "-.inf"
    return repr(number)


def _value_text(field: Field, value: Value) -> str:
    return field.people[int(value)] if field.people and 0 <= value < len(field.people) else number_text(value)


def _key(name: str) -> str:
    return name if _PLAIN.fullmatch(name) and name not in _WORDS else json.dumps(name, ensure_ascii=False)
