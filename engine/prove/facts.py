"""What may be known of a machine between two macrosteps, to be proved by induction together with what is claimed.

A fact is a condition over cells, states, parameters and the clock. The spec's invariants and helpers that speak of one
moment are facts; others are guessed from the program, as people would write them down: a cell stays in its range, a copy of
a price in the range of the price, a count of time is not ahead of the clock, a timer of a state that is left is disarmed,
one of a state that was entered is due a delay after that. A guess that turns out wrong is dropped; none is believed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from ..ir import NEVER, Assign, Block, Expr, Let, Program, State, Timer
from .algebra import Algebra

__all__ = ["Fact", "facts_of", "is_momentary"]


@dataclass(frozen=True, slots=True)
class Fact:
    """A condition that may hold at the end of every macrostep."""

    name: str
    claim: Expr
    origin: Literal["invariant", "helper", "guess"]
    weaker: tuple[Expr, ...] = ()
    """What to try instead of a guess that is wrong."""


def is_momentary(claim: Expr) -> bool:
    """Return whether a claim speaks of one moment, and of no step."""
    return not any(node.op in ("before", "was", "ordered") for node in claim.walk())


def facts_of(program: Program, algebra: Algebra, *, bold: bool) -> tuple[Fact, ...]:
    """Return what may be known of a program: claims of the spec first; `bold` guesses more, which takes longer."""
    claimed = [Fact(name, claim, "invariant") for name, claim in program.invariants if is_momentary(claim)]
    claimed += [Fact(name, claim, "helper") for name, claim in program.helpers if is_momentary(claim)]
    guesses = _Guesses(program, algebra)
    guessed = [Fact("", claim, "guess", guesses.unless(claim)) for claim in guesses.all(bold=bold)]
    return (*claimed, *guessed)


class _Guesses:
    def __init__(self, program: Program, algebra: Algebra) -> None:
        self.program, self.algebra = program, algebra
        self.assigned = list(_assigned(program))
        self.cells = {cell.name: cell for cell in program.cells}

    def all(self, *, bold: bool) -> Iterator[Expr]:
        yield from self._flags()
        yield from self._ranges()
        yield from self._clocks()
        yield from self._timers()
        yield from self._positions()
        if bold:
            yield from self._guards()

    def unless(self, claim: Expr) -> tuple[Expr, ...]:
        """Return a claim weakened: until something is noted for the first time, it need not hold."""
        if claim.op not in ("ge", "le"):
            return ()
        flags = [each.name for each in self.program.cells if each.type == "bool" and each.kind == "memory"]
        return tuple(self.algebra.implies(self._cell(name), claim) for name in flags)

    def _cell(self, name: str) -> Expr:
        return self.algebra.symbol("cell", name, self.cells[name].type)

    def _compare(self, op: str, cell: str, bound: Fraction | int) -> Expr:
        leaf = self._cell(cell)
        return self.algebra.make(op, (leaf, self.algebra.constant(bound, leaf.type)), "bool")

    def _flags(self) -> Iterator[Expr]:
        """Yield that what is set once is set."""
        for cell in self.program.cells:
            if cell.type == "bool":
                yield self._cell(cell.name)

    def _ranges(self) -> Iterator[Expr]:
        """Yield that cells stay in the ranges of what is written to them."""
        ranges: dict[str, tuple[Fraction | None, Fraction | None]] = {}
        for name, cell in self.cells.items():
            if cell.type != "bool" and (cell.low is not None or cell.high is not None):
                ranges[name] = cell.low, cell.high
        fields = {f"{event.name}.{field.name}": field for event in self.program.events for field in event.fields}
        for _ in range(3):  # copies of copies
            for name, value in self.assigned:
                if name in ranges or self.cells[name].type == "bool":
                    continue
                if value.op == "field":
                    ranges[name] = fields[value.name].low, fields[value.name].high
                elif value.op == "cell" and value.name in ranges:
                    ranges[name] = ranges[value.name]
        for name, (low, high) in ranges.items():
            for op, bound in (("ge", low), ("le", high)):
                if bound is not None:
                    yield self._compare(op, name, bound)
        for name, cell in self.cells.items():
            if cell.type == "real" and ranges.get(name, (None, None))[0] is None:
                yield self._compare("ge", name, 0)

    def _clocks(self) -> Iterator[Expr]:
        """Yield that a noted time is not ahead of the clock."""
        now = self.algebra.symbol("now", "", "int")
        noted = {name for name, value in self.assigned if value.op == "now"}
        for name in sorted(noted):
            yield self.algebra.make("le", (self._cell(name), now), "bool")

    def _timers(self) -> Iterator[Expr]:
        """Yield that an armed timer is not overdue, that it is armed only within its state, and when it is due."""
        now, never = self.algebra.symbol("now", "", "int"), self.algebra.constant(NEVER, "int")
        for timer in self.program.timers:
            due = self._cell(timer.due)
            yield self.algebra.make("ge", (due, now), "bool")
            for state in self.program.states:
                if any(name == timer.due and value.op != "const" for name, value in _pairs(state.stamp)):
                    off = self.algebra.make("eq", (due, never), "bool")
                    yield self.algebra.any_of(self._active(state.name), off)
                yield from self._armed_since(state, timer)

    def _armed_since(self, state: State, timer: Timer) -> Iterator[Expr]:
        """Yield that a timer is due one delay after what was noted of the time when its state was entered."""
        stamped = dict(_pairs(state.stamp))
        armed = stamped.get(timer.due)
        if timer.period is not None or armed is None or armed.op != "due":
            return
        for name, value in stamped.items():
            if value.op == "now":
                due = self.algebra.make("due", (self._cell(name), armed.args[1]), "int")
                same = self.algebra.make("eq", (self._cell(timer.due), due), "bool")
                yield self.algebra.implies(self._active(state.name), same)

    def _active(self, state: str) -> Expr:
        return self.algebra.symbol("active", state, "bool")

    def _positions(self) -> Iterator[Expr]:
        """Yield that a leg is flat in a state."""
        for state in self.program.states:
            if state.kind in ("atomic", "final"):
                for leg in self.program.legs:
                    flat = self._compare("eq", leg.quantity, 0)
                    yield self.algebra.implies(self._active(state.name), flat)

    def _guards(self) -> Iterator[Expr]:
        """Yield that what led into a state still holds there, and that what leads out of one does not hold there."""
        for rule in self.program.rules:
            if rule.guard is None or not _is_over_cells(rule.guard):
                continue
            for target in rule.targets:
                if target != rule.source:
                    for part in _conjuncts(rule.guard):
                        yield self.algebra.implies(self._active(target), part)
            yield self.algebra.implies(self._active(rule.source), self.algebra.negation(rule.guard))


def _conjuncts(condition: Expr) -> Iterator[Expr]:
    if condition.op == "and":
        for each in condition.args:
            yield from _conjuncts(each)
    else:
        yield condition


def _is_over_cells(guard: Expr) -> bool:
    return all(node.op not in ("field", "before", "was", "ordered") for node in guard.walk())


def _pairs(block: Block) -> Iterator[tuple[str, Expr]]:
    """Yield the assignments of a block, a name that is bound in it replaced by its value."""
    named: dict[str, Expr] = {}
    for each in block:
        if isinstance(each, Let):
            named[each.temp] = each.value
        elif isinstance(each, Assign):
            for cell, value in each.targets:
                yield cell, named.get(value.name, value) if value.op == "temp" else value


def _assigned(program: Program) -> Iterator[tuple[str, Expr]]:
    """Yield every assignment of a program."""
    blocks: list[Block] = [program.accrue, *(leg.fill for leg in program.legs)]
    for event in program.events:
        blocks += [event.marks, *event.observe]
    for state in program.states:
        blocks += [state.stamp, state.entry, state.initially, state.exit, state.leave]
    for rule in program.rules:
        blocks += [rule.measure, rule.action]
    for part in program.parts:
        blocks += [part.begin, part.endow, part.endow_late]
    for block in blocks:
        yield from _pairs(block)
