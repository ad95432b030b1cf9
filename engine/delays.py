"""Delayed events, `raise` with `after`, and `cancel`: timers over cells, and assignments that arm and disarm them.

{raise: {alarm: {loss: 1}}, after: 30m, id: late}   ->   set due(late) = due(now, 1800), late.loss = 1
{cancel: late}                                      ->   set due(late) = 9223372036854775807
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

from .check import Checker, Location
from .diagnostics import Span, suggestion
from .evaluate import EXACT, Environment, Failure, evaluate
from .ir import NEVER, ZERO, Assign, Cell, Expr, Field, Pool, Timer
from .record import Record
from .symbols import RESERVED, Scope
from .units import SECOND

__all__ = ["NANOSECOND", "Delays", "armed", "delay", "disarmed", "due_cell"]

NANOSECOND = Fraction(1, 10**9)
"""The shortest period, in seconds."""


def delay(checker: Checker, loc: Location, scope: Scope, what: str, least: Fraction = Fraction(0)) -> Expr | None:
    """Return the seconds at `loc`, after telling a constant that is below the least allowed."""
    typed = checker.value(loc, scope, "real", SECOND, what)
    if typed is None:
        return None
    if any(not node.args and node.op != "const" for node in typed.expr.walk()):
        return typed.expr
    try:
        value = evaluate(typed.expr, Environment({}, EXACT))
    except Failure as failure:
        checker.findings.error("HR304", f"{what} has no value: {failure}", checker.span(loc), "write e.g. `30m`")
        return None
    if value < least:
        bound = "1ns" if least else "0"
        message = f"{what} is at least {bound}, this is {float(value):g} s"
        checker.findings.error("HR304", message, checker.span(loc), "write a longer time, e.g. `30m`")
        return None
    return typed.expr


def due_cell(timer: str) -> Cell:
    """Return the cell that holds when a timer is due."""
    return Cell(f"due({timer})", "int", "ns", None, None, NEVER, "timer")


def armed(pool: Pool, timer: str, seconds: Expr) -> tuple[str, Expr]:
    """Return the assignment that makes a timer due in some seconds."""
    return f"due({timer})", pool.make("due", (pool.make("now", (), "int"), seconds), "int")


def disarmed(pool: Pool, timer: str) -> tuple[str, Expr]:
    """Return the assignment that makes a timer not due."""
    return f"due({timer})", pool.constant(NEVER, "int")


class _Delayed(Record):
    """What a delayed `raise` sends, and where that is written."""

    event: str
    span: Span


class Delays:
    """The delayed events of one spec, by their ids."""

    def __init__(self, checker: Checker) -> None:
        self.checker = checker
        self.in_use = True
        """Whether what is lowered now is part of the machine: an action that nothing runs arms nothing."""
        self._declared: dict[str, _Delayed] = {}
        self._used: set[str] = set()
        self._cancelled: list[tuple[str, Location]] = []

    def declare(self, id: str, event: str, span: Span) -> None:
        """Note that a delayed event has an id, which is that of one event only."""
        first = self._declared.setdefault(id, _Delayed(event, span))
        if self.in_use:
            self._used.add(id)
        if first.event != event:
            self.checker.findings.error(
                "HR416",
                f"`{id}` is a delayed `{first.event}` already, at {first.span}",
                span,
                f"give this one an `id` of its own, e.g. `id: {id}_{event.rpartition('.')[2]}`",
            )
        elif id != event and first.span == span:
            self._is_free(id, span)

    def _is_free(self, id: str, span: Span) -> None:
        symbols = self.checker.symbols
        observed = {name.partition(".")[0] for name in symbols.observed}
        sections = (
            symbols.parameters,
            symbols.lets,
            symbols.events,
            symbols.instruments,
            symbols.legs,
            symbols.windows,
            symbols.used,
        )
        findings = self.checker.findings
        if id in RESERVED or id in symbols.bases:
            what = "a word of the language" if id in RESERVED else "a unit"
            findings.error("HR211", f"`{id}` is {what}", span, f"choose another name, e.g. `{id}_timer`")
        elif id in symbols.cells or id in observed or any(id in section for section in sections):
            findings.error("HR202", f"`{id}` exists already", span, f"choose another `id`, e.g. `{id}_timer`")

    def arm(self, id: str, fields: tuple[tuple[str, Expr], ...], seconds: Expr, span: Span) -> Assign:
        """Return the instruction that keeps the fields of a delayed event and makes it due."""
        kept = tuple((f"{id}.{name}", value) for name, value in fields)
        return Assign((armed(self.checker.pool, id, seconds), *kept), span)

    def cancel(self, id: str, loc: Location) -> Assign:
        self._cancelled.append((id, loc))
        if self.in_use:
            self._used.add(id)
        return Assign((disarmed(self.checker.pool, id),), self.checker.span(loc))

    def check(self) -> None:
        """Tell what is cancelled and is no delayed event; for when all actions have been lowered."""
        for id, loc in self._cancelled:
            if id not in self._declared and id not in self.checker.symbols.left_out:
                otherwise = "name the `id` of a `raise` that has `after`, or its event"
                help = suggestion(id, self._declared, otherwise)
                self.checker.findings.error("HR214", f"unknown delayed event `{id}`", self.checker.span(loc), help)

    def timers(self) -> tuple[Timer, ...]:
        """Return the timers of the delayed events in use; of an unknown event, which has been told, there is none."""
        events = self.checker.symbols.events
        return tuple(
            Timer(
                id,
                delayed.event,
                f"due({id})",
                None,
                tuple((f"{delayed.event}.{name}", f"{id}.{name}") for name in events[delayed.event]),
                delayed.span,
            )
            for id, delayed in self._declared.items()
            if id in self._used and delayed.event in events
        )

    def cells(self, fields: Mapping[str, tuple[Field, ...]]) -> tuple[Cell, ...]:
        """Return the cells of the timers: when they are due, and the fields of their events."""
        found: list[Cell] = []
        for timer in self.timers():
            found.append(due_cell(timer.name))
            for field in fields[timer.event]:
                name = f"{timer.name}.{field.name}"
                found.append(Cell(name, field.type, field.unit, field.low, field.high, ZERO[field.type], "timer"))
        return tuple(found)
