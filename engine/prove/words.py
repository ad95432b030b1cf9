"""What a proof says in words: of claims, of what is taken for granted, of what is not claimed, and of what might help."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..ir import Exact, Field, Program
from .kinds import Property

__all__ = ["SMALLER", "assumed", "help_for", "unproved"]

SMALLER = ("fewer states and transitions that depend on one another: regions that share nothing are proved apart",)
"""What helps where there are too many outcomes."""


def assumed(program: Program, fixed: Mapping[str, Exact]) -> tuple[str, ...]:
    """Return what is taken for granted."""
    ranges = [_range(each.name, each.low, each.high) for each in program.parameters if each.name not in fixed]
    fields = [_values(f"{e.name}.{f.name}", f) for e in program.events for f in e.fields]
    found = [f"params are constant: {', '.join(each for each in ranges if each)}"] if any(ranges) else []
    if fixed:
        found.append("fixed: " + ", ".join(f"{name} = {_shown(value)}" for name, value in fixed.items()))
    found += [f"fields of accepted events: {', '.join(each for each in fields if each)}"] if any(fields) else []
    found.append("clocks lie within 146 years of 1970, and time does not go back")
    if program.timers:
        found.append("fewer than 10,000 timers fall due before any one event, and fewer than 10 of them do not settle")
    if program.legs:
        how = "at the mark they were decided at" if program.fill == "same" else "at the next mark"
        found.append(f"accepted orders are filled whole, {how}")
    for name in dict.fromkeys(call.function for call in program.calls):
        found.append(f"`{name}` returns anything that the spec's `ensures` allow, or fails")
    for name in dict.fromkeys(question.call.function for question in program.questions):
        found.append(f"`{name}` may say yes or no to orders, whatever they are")
    return tuple(found)


def _values(name: str, field: Field) -> str:
    """Return what a field may be."""
    return f"{name} one of {', '.join(field.people)}" if field.people else _range(name, field.low, field.high)


def _range(name: str, low: Exact | None, high: Exact | None) -> str:
    if low is None and high is None:
        return ""
    if low is None or high is None:
        return f"{name} ≥ {_shown(low)}" if high is None else f"{name} ≤ {_shown(high)}"
    return f"{name} in [{_shown(low)}, {_shown(high)}]"


def _shown(value: Exact | None) -> str:
    return str(value).lower() if isinstance(value, bool) else f"{float(value or 0):g}"


def unproved(program: Program) -> tuple[str, ...]:
    """Return what a proof does not claim."""
    found = [
        "floating point: proofs are over the reals; monitors hold to a relative 1e-9, and `hedgerow explore` runs floats"
    ]
    if program.legs:
        found.insert(0, "profit, or any expectation: a property holds for every price path, likely or not")
        found.append("live fills: partial, late or refused ones")
    return tuple(found)


def help_for(property: Property, places: Sequence[str]) -> tuple[str, ...]:
    """Return what might decide a property."""
    found = []
    if places:
        found.append(f"a helper that says what holds there (`helpers: {{NAME: condition}}`), for {places[0]}")
        found.append("a range for a field or a param that the claim depends on")
        found.append("a constant: `--set NAME=VALUE`; or more time: `--timeout`")
    elif property.kind == "ends":
        found.append("ask `since(…)` in the guard of the transition, so that time alone makes it fire")
    elif property.witness is not None:
        found.append("a longer look: `hedgerow explore SPEC --steps 1e7`")
    return tuple(found)
