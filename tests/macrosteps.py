"""Macrosteps of the reference in exact fractions, recorded one by one, and the same macrosteps carried out on symbols.

A proof runs the interpreter on symbols. Followed with the values of a recorded macrostep it must come to what that came to.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from hedgerow.engine.evaluate import EXACT, Environment, Failure, evaluate
from hedgerow.engine.ir import Event, Expr, Program, Timer, Value
from hedgerow.engine.prove.algebra import Algebra
from hedgerow.engine.prove.execution import Machine
from hedgerow.engine.prove.outcome import Control, Input, Outcome
from hedgerow.engine.registry import Registry, builtin_registry
from hedgerow.engine.semantics import Reference, Run
from hedgerow.engine.snapshot import Snapshot
from hedgerow.engine.step import Order, Step
from hedgerow.engine.work import Occurrence, Work

__all__ = ["Followed", "Macrostep", "Recorder", "environment", "is_on_the_way"]


@dataclass(frozen=True)
class Moment:
    """A machine between two macrosteps."""

    control: Control
    clock: int
    cells: Mapping[str, Any]


@dataclass(frozen=True)
class Macrostep:
    """What one input made of a machine; `before` are the cells at the start of the macrostep proper."""

    input: Input
    time: int
    fields: Mapping[str, Value]
    origin: Moment
    target: Moment
    before: Mapping[str, Any]
    was: frozenset[str]
    fired: tuple[str, ...]
    orders: tuple[Order, ...]
    raised: tuple[str, ...]
    errors: int
    broken: frozenset[str]
    drawn: Mapping[str, Any]
    """What calls came to and which windows were full, by the symbols that stand for them in a proof."""


class _Noting(Work):
    """Work that tells its reference which windows were full."""

    def _are_full(self, windows: Iterable[str]) -> bool:
        names = tuple(windows)
        reference, full = self.context.reference, super()._are_full(names)
        assert isinstance(reference, Recorder)
        reference.full[f"{', '.join(names)} full@0"] = full
        return full


class _Recorded(Run):
    """A run that notes its macrosteps in its reference."""

    work_type = _Noting

    def _moment(self) -> Moment:
        state = self.state
        kept = tuple((name, remembered) for name, remembered in state.history.items() if remembered)
        return Moment(Control(self.tree.atoms(state.active), kept), self.context.clock, dict(state.cells))

    def _macrostep(self, external: Occurrence | None) -> None:
        self.began = dict(self.state.cells), frozenset(self.state.active), self._counts()
        earlier, self.broken = self.broken, {}
        super()._macrostep(external)
        self.breaks = frozenset(self.broken)
        self.broken = earlier | self.broken

    def _counts(self) -> tuple[int, ...]:
        return len(self.fired), len(self.orders), len(self.raised), len(self.errors)

    def _note(
        self, input: Input, origin: Moment, counts: tuple[int, ...], time: int, fields: Mapping[str, Value]
    ) -> None:
        reference = self.reference
        assert isinstance(reference, Recorder)
        cells, was, _ = self.began
        fired, orders, raised, errors = counts
        reference.macrosteps.append(
            Macrostep(
                input,
                time,
                dict(fields),
                origin,
                self._moment(),
                cells,
                was,
                tuple(self.fired[fired:]),
                tuple(self.orders[orders:]),
                tuple(self.raised[raised:]),
                len(self.errors) - errors,
                self.breaks,
                {**reference.full, **self._called(reference)},
            )
        )

    def _called(self, reference: Recorder) -> dict[str, Any]:
        """Return what calls came to, numbered as a proof numbers what it knows nothing of."""
        drawn: dict[str, Any] = {}
        counts: Counter[str] = Counter()
        for (call, macrostep), (_, outcome) in self.context.results.items():
            if macrostep:
                continue
            instruction = reference.calls[call]
            values: dict[str, Any] = {f"{instruction.function} fails": isinstance(outcome, Failure)}
            if not isinstance(outcome, Failure):
                for result, cell in instruction.into:
                    values[cell] = reference.typed(reference.cells[cell], outcome[result])
            for name, value in values.items():
                counts[name] += 1
                drawn[f"{name}#{counts[name]}@0"] = value
        return drawn

    def take(self, event: Event | None, time: int, fields: Mapping[str, Value]) -> None:
        origin, counts = self._moment(), self._counts()
        input = Input("advance", "") if event is None else Input("event", event.name)
        super().take(event, time, fields)
        self._note(input, origin, counts, time, fields)

    def fire(self, timer: Timer) -> None:
        origin, counts = self._moment(), self._counts()
        super().fire(timer)
        self._note(Input("timer", timer.name), origin, counts, self.context.clock, {})

    def meet(self, event: str) -> None:
        origin, counts = self._moment(), self._counts()
        super().meet(event)
        self._note(Input("engine", event), origin, counts, self.context.clock, {})


class Recorder(Reference):
    """A reference in exact fractions that keeps the macrosteps of all that it does."""

    def __init__(self, program: Program, parameters: Mapping[str, Value], registry: Registry | None = None) -> None:
        super().__init__(program, parameters, registry or builtin_registry(), EXACT)
        self.macrosteps: list[Macrostep] = []
        self.full: dict[str, bool] = {}
        self.calls = {id(call): call for call in program.calls}

    def step(
        self, snapshot: Snapshot, event: str, time_ns: object, values: Sequence[object] = (), *_: Any
    ) -> tuple[Snapshot, Step]:
        if snapshot.ended:
            return super().step(snapshot, event, time_ns, values)
        return _Recorded(self, snapshot, {}).event(event, time_ns, values)

    def advance(self, snapshot: Snapshot, time_ns: object, *_: Any) -> tuple[Snapshot, Step]:
        if snapshot.ended:
            return super().advance(snapshot, time_ns)
        return _Recorded(self, snapshot, {}).advance(time_ns)

    def refuse(self, snapshot: Snapshot, reason: str, *_: Any) -> tuple[Snapshot, Step]:
        if snapshot.ended:
            return super().refuse(snapshot, reason)
        return _Recorded(self, snapshot, {}).refuse(reason)


def environment(reference: Reference, macrostep: Macrostep) -> Environment:
    """Return the values of all symbols in one macrostep."""
    temps = {"clock": macrostep.origin.clock, "time": macrostep.time, **macrostep.drawn}
    return Environment(reference.parameters, EXACT, macrostep.origin.cells, fields=macrostep.fields, temps=temps)


def is_on_the_way(outcome: Outcome, macrostep: Macrostep, env: Environment) -> bool:
    """Return whether an outcome of the same control state and input is the one that the values lead to."""
    same = (outcome.origin, outcome.input) == (macrostep.origin.control, macrostep.input)
    return same and all(evaluate(each, env) for each in outcome.conditions)


class Followed:
    """A machine on symbols that is led along recorded macrosteps: what is possible is what is so."""

    def __init__(self, program: Program, registry: Registry | None = None) -> None:
        self.env = Environment({}, EXACT)
        self.machine = Machine(program, registry or builtin_registry(), Algebra(), self._are_so)

    def _are_so(self, cases: Sequence[tuple[Expr, ...]]) -> list[bool]:
        return [bool(evaluate(new, self.env)) for *_, new in cases]

    def follow(self, reference: Reference, macrostep: Macrostep) -> list[Outcome]:
        """Return the outcomes that the values of a macrostep lead to: one, or none where a start is refused."""
        self.env = environment(reference, macrostep)
        machine = self.machine
        standing = machine.anywhere(macrostep.origin.control)
        return list(machine.outcomes(standing, macrostep.input, machine.assumed(standing, macrostep.input)))

    def assumed(self, macrostep: Macrostep) -> Iterator[bool]:
        """Yield whether each thing that is assumed of an input is so."""
        standing = self.machine.anywhere(macrostep.origin.control)
        for each in (*self.machine.parameters(), *self.machine.assumed(standing, macrostep.input)):
            yield bool(evaluate(each, self.env))


def differences(machine: Machine, outcome: Outcome, macrostep: Macrostep, env: Environment) -> list[str]:
    """Return what of an outcome is not what a macrostep came to."""

    def value(expr: Expr) -> Any:
        return evaluate(expr, env)

    pairs: dict[str, tuple[object, object]] = {
        "target": (outcome.target, macrostep.target.control),
        "fired": (outcome.fired, macrostep.fired),
        "raised": (outcome.raised, macrostep.raised),
        "errors": (len(outcome.errors), macrostep.errors),
        "was": (outcome.was, macrostep.was),
        "clock": (value(outcome.clock), macrostep.target.clock),
        "ordered": (outcome.ordered, frozenset(order.leg for order in macrostep.orders)),
        "moved": (
            sum((Fraction(abs(value(each.after) - value(each.held))) for each in outcome.orders), Fraction(0)),
            sum((Fraction(order.quantity) for order in macrostep.orders), Fraction(0)),
        ),
        "fees": (
            sum((value(each.fee) for each in outcome.orders), Fraction(0)),
            sum((Fraction(order.fee) for order in macrostep.orders), Fraction(0)),
        ),
    }
    for name, cell in outcome.cells.items():
        pairs[f"cell {name}"] = value(cell), macrostep.target.cells[name]
    for name, cell in outcome.before.items():
        pairs[f"before {name}"] = value(cell), macrostep.before[name]
    for name, claim in machine.program.invariants:
        pairs[f"invariant {name}"] = value(machine.claim(claim, outcome)), name not in macrostep.broken
    return [f"{name}: {mine} for {theirs}" for name, (mine, theirs) in pairs.items() if mine != theirs]
