"""An explanation as lines of text, each a row of pieces that a terminal may colour.

`tick`
  in active
    1. give_up  false  specs/hedge.yaml:64
         if: calm >= calm_checks
           false  calm = 3 >= calm_checks = 100
    2. up  fired  specs/hedge.yaml:66
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Literal, NamedTuple

from .chart import FAIL_SAFE
from .examine import Condition, Reading, Side
from .explain import Asked, Change, Explanation, Selected
from .ir import NEVER, Value
from .readable import value_text
from .script_time import show_time
from .step import Order, ruling_text
from .vocabulary import ANSWERS
from .work import Origin

__all__ = ["Line", "Piece", "Tone", "lines", "plain"]

Tone = Literal["plain", "title", "good", "bad", "warn", "faint"]
Clock = Callable[[int], str]

_WIDTH = 110
_SELECTIONS = 24
"""Selections that are told; of more, the first and the last ones."""
_PARTS = 24
_CHANGES = 60
_READINGS = 24
_GUARD = 200
_DEEP = 6
"""Levels of a guard that are told one below the other."""

_FATES: dict[str, Tone] = {
    "fired": "good",
    "false": "plain",
    "failed": "bad",
    "waits": "warn",
    "not asked": "faint",
    "preempted": "warn",
    "dropped": "bad",
    "true": "good",
    "not evaluated": "faint",
}
_HEADS: dict[Origin, str] = {
    "eventless": "transitions without an event (`always`)",
    "timer": "timer event ",
    "event": "",
    "internal": "internal event ",
}
_SAID = {"not evaluated": "–"}
_HEADINGS = {"all": "all of", "any": "any of", "choice": "if, then, else"}


class Piece(NamedTuple):
    """A stretch of a line in one tone."""

    text: str
    tone: Tone = "plain"


Line = tuple[Piece, ...]


def plain(found: Sequence[Line]) -> str:
    """Return lines as text without colours, with a line break at the end."""
    return "".join("".join(piece.text for piece in line).rstrip() + "\n" for line in found)


def lines(explanation: Explanation, place: str = "", clock: Clock = show_time) -> list[Line]:
    """Return an explanation as lines.

    Args:
        explanation: what `explain` returned.
        place: where the event came from, such as `row 7`; nothing is told where it is empty.
        clock: writes a time in nanoseconds.
    """
    return list(_Page(explanation, clock).all(place))


class _Page:
    def __init__(self, explanation: Explanation, clock: Clock) -> None:
        self.told, self.clock = explanation, clock

    def all(self, place: str) -> Iterator[Line]:
        told = self.told
        yield from self._head(place)
        shown, before = told.selections, None
        gap = len(shown) - _SELECTIONS
        for index, each in enumerate(shown):
            if gap > 0 and _SELECTIONS // 2 <= index < _SELECTIONS // 2 + gap:
                if index == _SELECTIONS // 2:
                    yield ()
                    yield (Piece(f"… and {gap:,} microsteps more …", "faint"),)
                continue
            if each == before:
                if shown[index - 1] != each:
                    yield ()
                    yield (Piece(f"{_HEADS['eventless']}: as before, nothing fires", "faint"),)
                continue
            yield ()
            yield from self._selection(each)
            before = each if each.origin == "eventless" and not each.fired else before
        if told.asked is None:
            yield from self._nothing_asked()
        yield ()
        yield from self._outcome()

    # ------------------------------------------------------------------------------------------------------- the event

    def _head(self, place: str) -> Iterator[Line]:
        told = self.told
        what = f"`{told.event}`" if told.event else "time passes"
        where = f"{told.spec}, {place}: " if place else f"{told.spec}: "
        yield Piece(where, "title"), Piece(f"{what} {'at' if told.event else 'to'} {self.clock(told.time_ns)}", "title")
        for reading in told.fields:
            yield (Piece(f"  {self._reading(reading)}"),)
        if told.rejected is not None:
            yield Piece("  refused: ", "bad"), Piece(self._dated(told.rejected))
        if told.started:
            yield (Piece("  it starts the machine"),)
        elif told.before:
            yield (Piece(f"  in {', '.join(told.before)}"),)
        for name, due in told.timers[:_READINGS]:
            yield (Piece(f"  before it the timer `{name}` fired, due {self.clock(due)}"),)
        if len(told.timers) > _READINGS:
            yield (Piece(f"  and {len(told.timers) - _READINGS:,} more timers"),)
        if not told.event and not told.timers and told.rejected is None:
            yield (Piece("  no timer was due"),)

    def _dated(self, reason: str) -> str:
        """Return why an event was refused, with the times in it as the clock writes them."""
        if not reason.startswith("the time ") or " is before " not in reason:
            return reason
        return re.sub(r"-?\d+", lambda stamp: self.clock(int(stamp[0])), reason)

    def _nothing_asked(self) -> Iterator[Line]:
        told = self.told
        if not told.event or told.rejected is not None:
            return
        yield ()
        if any(error.startswith(f"observing `{told.event}`:") for error in told.errors):
            yield (Piece(f"`{told.event}` reached no transition: observing it failed", "title"),)
            return
        if told.ended:
            yield (Piece(f"`{told.event}` reached no transition: the machine had ended", "title"),)
            return
        if told.event in ANSWERS and told.approvals:
            yield (
                Piece(f"`{told.event}` let nothing out: ", "title"),
                Piece("it is an answer, which no transition takes"),
            )
            return
        yield Piece(f"`{told.event}` has no candidate: ", "title"), Piece("no active state has a transition for it")
        takes = ", ".join(f"`{descriptor}`" for descriptor in told.handled) or "no events"
        yield (Piece(f"  {', '.join(told.configuration)} and the states around take {takes}"),)

    # -------------------------------------------------------------------------------------------------- one selection

    def _selection(self, each: Selected) -> Iterator[Line]:
        at = "" if each.time_ns == self.told.time_ns and each.origin != "timer" else f", at {self.clock(each.time_ns)}"
        name = f"`{each.event}`" if each.event else ""
        yield (Piece(_HEADS[each.origin] + name + at, "title"),)
        if each.origin in ("timer", "internal"):
            for reading in each.fields:
                yield (Piece(f"  {self._reading(reading)}"),)
        told: set[str] = set()
        for leaf, candidates in each.leaves:
            if not candidates:
                if each.origin != "eventless":
                    yield (Piece(f"  in {leaf}: no candidate", "faint"),)
                continue
            yield (Piece(f"  in {leaf}"),)
            for number, asked in enumerate(candidates, 1):
                yield from self._asked(number, leaf, asked, asked.name in told)
                told.add(asked.name)
        fired = ", ".join(each.fired)
        yield (Piece(f"  fires: {fired}", "good") if fired else Piece("  fires: nothing"),)

    def _asked(self, number: int, leaf: str, asked: Asked, again: bool) -> Iterator[Line]:
        source = "" if asked.source == leaf else f" of {asked.source}"
        place = f"  {asked.file}:{asked.line}"
        fate = f"  {asked.fate}"
        yield (
            Piece(f"    {number}. {asked.name}{source}"),
            Piece(fate, _FATES[asked.fate]),
            Piece(place, "faint"),
        )
        if asked.fate not in ("fired", "false"):
            yield from _wrapped(asked.why, 9)
        if again or asked.condition is None:
            if again and asked.condition is not None:
                yield (Piece("         asked above", "faint"),)
            return
        guard = asked.guard if len(asked.guard) <= _GUARD else asked.guard[: _GUARD - 1] + "…"
        yield from _wrapped(f"if: {guard}", 9)
        yield from self._condition(asked.condition, 11, 0)
        shown = set(_shown(asked.condition))
        own = [replace(each, name=_own(each.name, asked.part)) for each in asked.readings]
        left = [reading for reading in own if reading.name not in shown]
        if left:
            more = f", and {len(left) - _READINGS} more" if len(left) > _READINGS else ""
            yield from _wrapped("with " + ", ".join(map(self._reading, left[:_READINGS])) + more, 9)

    def _condition(self, condition: Condition, indent: int, level: int) -> Iterator[Line]:
        said = Piece(f"{'':{indent}}{_SAID.get(condition.said, condition.said):<6} ", _FATES[condition.said])
        inner, word = condition, ""
        while inner.kind == "not":
            (inner,), word = inner.parts, f"{word}not "
        if inner.kind == "comparison":
            left, right = self._sides(*inner.sides)
            yield said, Piece(f"{word}{left} {inner.operator} {right}"), *_reason(inner)
        elif not inner.parts or level == _DEEP:
            yield said, Piece(f"{word}{inner.text}"), *_reason(inner)
        else:
            yield said, Piece(f"{word}{_HEADINGS[inner.kind]}")
            for part in inner.parts[:_PARTS]:
                yield from self._condition(part, indent + 2, level + 1)
            if len(inner.parts) > _PARTS:
                yield (Piece(f"{'':{indent + 2}}… and {len(inner.parts) - _PARTS} more", "faint"),)

    # --------------------------------------------------------------------------------------------------- what happened

    def _outcome(self) -> Iterator[Line]:
        told = self.told
        yield (Piece("what came of it", "title"),)
        yield _pair("fired", ", ".join(told.fired) or "nothing", "good" if told.fired else "plain")
        stays = told.before == told.configuration
        after = ", ".join(told.configuration) or "not started"
        before = ", ".join(told.before) or "not started"
        yield _pair("states", f"{after}, as before" if stays else f"{before} → {after}")
        if FAIL_SAFE in told.fired:
            yield _pair("", f"`{FAIL_SAFE}` leads an error that no transition takes to the state that the spec names")
        if told.ended:
            yield _pair("ended", "the machine is in a final state: it takes no more events")
        for order in told.orders:
            yield _pair("order", _order(order))
        if told.raised:
            yield _pair("raised", ", ".join(told.raised[:_READINGS]) + (" …" if len(told.raised) > _READINGS else ""))
        for verdict in told.verdicts[:_READINGS]:
            yield _pair("stopped", f"`{verdict.rule}`, by {verdict.reason}", "bad")
        for ruling in told.approvals[:_READINGS]:
            yield _pair("approval", ruling_text(ruling))
        for error in told.errors[:_READINGS]:
            yield _pair("failed", error, "bad")
        if told.broken:
            yield _pair("broken", ", ".join(told.broken), "bad")
        for change in told.changes[:_CHANGES]:
            yield _pair(change.kind, self._change(change))
        if len(told.changes) > _CHANGES:
            yield _pair("", f"and {len(told.changes) - _CHANGES:,} more values")
        if not told.changes:
            yield _pair("values", "as before")

    def _change(self, change: Change) -> str:
        after = self._with_unit(change.after, change.unit)
        if change.before is None:
            return f"{change.name} = {after}"
        before = self._value(change.before, change.unit)
        if before == self._value(change.after, change.unit):
            before, after = repr(change.before), f"{change.after!r} {change.unit}".rstrip()
        return f"{change.name}  {before} → {after}"

    # --------------------------------------------------------------------------------------------------------- numbers

    def _reading(self, reading: Reading) -> str:
        return f"{reading.name} = {self._with_unit(reading.value, reading.unit)}"

    def _with_unit(self, value: Value | str, unit: str) -> str:
        return self._value(value, unit) + (f" {unit}" if unit not in ("", "ns") else "")

    def _value(self, value: Value | str, unit: str) -> str:
        if isinstance(value, str):
            return value
        if unit == "ns" and isinstance(value, int):
            return "never" if value == NEVER else self.clock(value)
        return value_text(value)

    def _sides(self, *sides: Side) -> list[str]:
        """Return the sides of a comparison with their values: to the last bit where twelve digits hide a difference."""
        values = [None if side.value is None else self._with_unit(side.value, side.unit) for side in sides]
        if values[0] == values[1] and sides[0].value != sides[1].value:
            values = [f"{side.value!r} {side.unit}".rstrip() for side in sides]
        return [
            side.text if value is None or side.text == value else f"{side.text} = {value}"
            for side, value in zip(sides, values, strict=True)
        ]


def _shown(condition: Condition) -> Iterator[str]:
    """Yield the names whose values stand in a condition already."""
    if condition.kind == "other" and condition.said in ("true", "false"):
        yield condition.text
    for side in condition.sides:
        if side.value is not None:
            yield side.text
    for part in condition.parts:
        yield from _shown(part)


def _own(name: str, part: str) -> str:
    """Return a name as the file of a used spec has it."""
    return name.replace(f"{part}.", "", 1) if part and name.removeprefix("In(").startswith(f"{part}.") else name


def _reason(condition: Condition) -> tuple[Piece, ...]:
    return (Piece(f": {condition.reason}", "bad"),) if condition.reason else ()


def _order(order: Order) -> str:
    costs = [(name, getattr(order, name)) for name in ("fee", "slippage") if getattr(order, name)]
    told = ", ".join(f"{name} {value_text(value)}" for name, value in costs)
    by = f", by {order.rule}" if order.rule else ""
    number = f"#{order.number} " if order.number else ""
    return (
        f"{number}{order.side} {value_text(order.quantity)} {order.instrument} at {value_text(order.price)} "
        f"for the leg {order.leg}{by}" + (f" ({told})" if told else "")
    )


def _pair(name: str, text: str, tone: Tone = "plain") -> Line:
    return Piece(f"  {name:<9}", "faint"), Piece(text, tone)


def _wrapped(text: str, indent: int) -> Iterator[Line]:
    blank = " " * indent
    for line in textwrap.wrap(text, _WIDTH, initial_indent=blank, subsequent_indent=blank + "  "):
        yield (Piece(line),)
