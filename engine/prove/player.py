"""Events played in exact fractions, by the same execution that proofs run on: all its values are constants then."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from typing import NamedTuple

from ..counterexample.sent import Sent
from ..ir import NEVER, Exact, Expr, Field, Program, Timer, Value
from ..registry import Registry
from .algebra import Algebra
from .execution import Machine
from .outcome import Control, Input, Outcome, Standing

__all__ = ["OpaqueError", "Played", "Player"]

_TIMERS = 1000
"""Timers before one event; a replay with more is given up."""


class OpaqueError(Exception):
    """The program calls a bound function, whose results no exact replay knows."""


class Played(NamedTuple):
    """One event of a replay: what it came to, the timers before it first."""

    outcomes: tuple[Outcome, ...]
    fired: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()
    timers: tuple[str, ...] = ()
    rejected: str | None = None


class Player:
    """A program with its parameters, in exact fractions."""

    def __init__(self, program: Program, registry: Registry, parameters: Mapping[str, Exact]) -> None:
        self.program = program
        self.algebra = Algebra()
        self.machine = Machine(program, registry, self.algebra, _unknown, parameters)
        self.events = {event.name: event for event in program.events}

    def play(self, events: Sequence[Sent]) -> Iterator[Played]:
        """Yield what events come to, from the start on.

        Raises:
            OpaqueError: the program calls a bound function.
        """
        standing, clock = self.machine.anywhere(Control()), None
        for sent in events:
            fields = self._fields(sent)
            outcomes: list[Outcome] = []
            timers: list[str] = []
            if fields is None or (clock is not None and sent.time_ns < clock):
                standing = self._refused(standing, clock, outcomes)
                yield _played(outcomes, timers, "refused")
                continue
            while standing.control.leaves and len(timers) < _TIMERS:
                timer = self._due(standing, sent.time_ns)
                if timer is None:
                    break
                timers.append(timer.name)
                standing = self._played(standing, Input("timer", timer.name), sent.time_ns, {}, outcomes)
            count = len(outcomes)
            standing = self._played(standing, Input("event", sent.event), sent.time_ns, fields, outcomes)
            if len(outcomes) > count:
                clock = sent.time_ns
                yield _played(outcomes, timers)
            else:
                standing = self._refused(standing, clock, outcomes)
                yield _played(outcomes, timers, "refused")
            if outcomes and outcomes[-1].finished and not self.program.unsettled:
                return

    def _played(
        self, standing: Standing, input: Input, time: int, fields: Mapping[str, Expr], outcomes: list[Outcome]
    ) -> Standing:
        wanted = self.program.start_event
        if not standing.control.leaves and wanted is not None and input.name != wanted:
            return standing
        outcome = self.machine.play(standing, input, self.algebra.constant(time, "int"), fields)
        if outcome is None:
            return standing
        outcomes.append(outcome)
        return self.machine.after(outcome, 0)

    def _refused(self, standing: Standing, clock: int | None, outcomes: list[Outcome]) -> Standing:
        """Let a machine that has started see that an event was refused."""
        if clock is None:
            return standing
        return self._played(standing, Input("engine", "input.rejected"), clock, {}, outcomes)

    def _due(self, standing: Standing, time: int) -> Timer | None:
        found: list[tuple[int, Timer]] = []
        for timer in self.machine.timers(standing.control):
            due = standing.cells[timer.due].value
            assert due is not None
            if due <= time and due != NEVER:
                found.append((int(due), timer))
        return min(found, key=lambda each: each[0], default=(0, None))[1]

    def _fields(self, sent: Sent) -> dict[str, Expr] | None:
        """Return the fields of an event as constants; None where one is refused."""
        event = self.events.get(sent.event)
        if event is None or len(event.fields) != len(sent.values):
            return None
        pairs = list(zip(event.fields, sent.values, strict=True))
        if not all(_fits(field, value) for field, value in pairs):
            return None
        return {f"{event.name}.{field.name}": self._constant(field, value) for field, value in pairs}

    def _constant(self, field: Field, value: Value) -> Expr:
        return self.algebra.constant(Fraction(value) if field.type == "real" else value, field.type)  # type: ignore[arg-type]


def _played(outcomes: Sequence[Outcome], timers: Sequence[str], rejected: str | None = None) -> Played:
    fired = tuple(name for outcome in outcomes for name in outcome.fired)
    errors = tuple(error for outcome in outcomes for error in outcome.errors)
    return Played(tuple(outcomes), fired, errors, tuple(timers), rejected)


def _fits(field: Field, value: Value) -> bool:
    if field.type == "bool":
        return isinstance(value, bool)
    return (field.low is None or value >= field.low) and (field.high is None or value <= field.high)


def _unknown(_: Sequence[tuple[Expr, ...]]) -> list[bool]:
    raise OpaqueError("a bound function is called")
