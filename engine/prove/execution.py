"""The reference interpreter, run on symbols: what one macrostep makes of any values.

`Machine` knows a program; `outcomes` yields, for a control state and an input, every way that the macrostep can go, as
`Outcome`s: the conditions under which it goes so, and the cells after it as expressions over those before.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from types import MappingProxyType
from typing import Any

from ..evaluate import Environment
from ..intake import Refusal
from ..ir import NEVER, Exact, Expr, Field, Program, Rule, Timer
from ..registry import Registry
from ..semantics import Selection
from ..snapshot import Snapshot
from .algebra import Algebra
from .interpreter import SymbolicReference, SymbolicRun
from .outcome import Control, Input, Outcome, Overlap, Standing
from .symbols import Explorer, Possible

__all__ = ["Machine"]

MOST = 4000
"""Ways that one input may go in one control state; a program with more is not decided."""
REACH = 2**62
"""Clocks are assumed to be within this of 1970, in nanoseconds: 146 years."""


class Machine:
    """A program whose values are symbols; parameters that are `fixed` are constants."""

    def __init__(
        self,
        program: Program,
        registry: Registry,
        algebra: Algebra,
        possible: Possible,
        fixed: Mapping[str, Exact] = MappingProxyType({}),
    ) -> None:
        self.program = program
        self.algebra = algebra
        self.explorer = Explorer(algebra, possible)
        self.reference = SymbolicReference(program, registry, self.explorer, fixed)
        self.values = self.reference.values
        self.tree = self.reference.tree
        symbol = algebra.symbol
        self.cells = {cell.name: symbol("cell", cell.name, cell.type) for cell in program.cells}
        self.clock = symbol("temp", "clock", "int")
        self.clocks = self.clock, symbol("temp", "time", "int")
        """Where the machine stands in time, and when the next event comes."""
        # INVARIANT: outcomes and claims are kept as long as the machine, so an identity stays that of one of them.
        self._after: dict[int, tuple[Outcome, Environment, dict[int, Expr]]] = {}
        self._before: dict[Control, tuple[Environment, dict[int, Expr]]] = {}

    # ---------------------------------------------------------------------------------------------------------- inputs

    def openings(self) -> tuple[Input, ...]:
        """Return what can start the machine."""
        if self.program.start_event is not None:
            return (Input("event", self.program.start_event),)
        return (*(Input("event", event.name) for event in self.program.events), Input("advance", ""))

    def inputs(self, control: Control) -> tuple[Input, ...]:
        """Return what can come to a machine in a control state that it has when started, each by itself."""
        events = (Input("event", event.name) for event in self.program.events)
        timers = (Input("timer", timer.name) for timer in self.timers(control))
        # In floats something may fail that cannot over the reals: what follows an error is proved about as well.
        return (*events, *timers, Input("engine", "input.rejected"), Input("engine", "error.execution"))

    def timers(self, control: Control) -> tuple[Timer, ...]:
        """Return what may fall due in a control state: nothing where the machine has stopped."""
        return () if self.tree.is_finished(self.active(control)) else self.program.timers

    def goes_on(self, outcome: Outcome) -> bool:
        """Return whether a machine takes anything after an outcome.

        One that has stopped does where fills are left to be settled, and where a timer has stopped it, or an error there:
        that was on the way to an event, which it takes still.
        """
        return not outcome.finished or bool(self.program.unsettled) or outcome.input.kind in ("timer", "engine")

    def anywhere(self, control: Control) -> Standing:
        """Return a machine of which nothing is known but its control state; one without any has not started."""
        cells: Mapping[str, Expr] = self.cells
        if not control.leaves:
            constant = self.algebra.constant
            cells = {name: constant(cell.initial, cell.type) for name, cell in self.reference.cells.items()}
        return Standing(control, cells, self.clock)

    def after(self, outcome: Outcome, number: int) -> Standing:
        """Return the machine after an outcome, with the number of the event that comes next."""
        return Standing(outcome.target, outcome.cells, outcome.clock, number)

    def time(self, standing: Standing) -> Expr:
        """Return when the next event comes."""
        return self.algebra.symbol("temp", _numbered("time", standing.number), "int")

    def assumed(self, standing: Standing, input: Input) -> tuple[Expr, ...]:
        """Return what is assumed of an input: ranges of its fields, and that it comes in the order of time."""
        make, constant = self.algebra.make, self.algebra.constant
        time, started = self.time(standing), bool(standing.control.leaves)
        due = {timer.name: standing.cells[timer.due] for timer in self.timers(standing.control)}
        if input.kind == "timer":
            mine = due.pop(input.name)
            earlier = list(due)[: [timer.name for timer in self.program.timers].index(input.name)]
            first = (make("gt" if name in earlier else "ge", (at, mine), "bool") for name, at in due.items())
            return (make("lt", (mine, constant(NEVER, "int")), "bool"), *first)
        if input.kind == "engine":
            # Time may have passed since the last macrostep; a timer that was armed at its end may be due at once.
            later = (make("gt", (at, time), "bool") for at in due.values())
            still = self.algebra.any_of(make("eq", (time, standing.clock), "bool"), self.algebra.all_of(*later))
            return (make("ge", (time, standing.clock), "bool"), self._before_reach(time), still)
        event = self.reference.events.get(input.name) if input.kind == "event" else None
        bounds = []
        if started:
            bounds += [make("ge", (time, standing.clock), "bool")]
            bounds += [make("gt", (at, time), "bool") for at in due.values()]
        bounds += [self._before_reach(time), make("ge", (time, constant(-REACH, "int")), "bool")]
        for field in () if event is None else event.fields:
            value = self._field(standing, input.name, field)
            if field.people:
                # A solver knows of no whole numbers, and there is nobody between two people.
                same = (make("eq", (value, constant(who, "int")), "bool") for who in range(len(field.people)))
                bounds.append(self.algebra.any_of(*same))
            else:
                bounds += self._within(value, field.low, field.high)
        return tuple(bounds)

    def _before_reach(self, time: Expr) -> Expr:
        return self.algebra.make("le", (time, self.algebra.constant(REACH, "int")), "bool")

    def parameters(self) -> tuple[Expr, ...]:
        """Return that every parameter is in its range."""
        found: list[Expr] = []
        for parameter in self.program.parameters:
            value = self.explorer.lift(self.reference.parameters[parameter.name], parameter.type)
            found += self._within(value, parameter.low, parameter.high)
        return tuple(each for each in found if each is not self.algebra.true)

    def ranges(self) -> tuple[Expr, ...]:
        """Return that every cell is in its range."""
        cells = ((self.cells[cell.name], cell) for cell in self.program.cells)
        return tuple(bound for value, cell in cells for bound in self._within(value, cell.low, cell.high))

    def _within(self, value: Expr, low: Fraction | None, high: Fraction | None) -> list[Expr]:
        make, constant = self.algebra.make, self.algebra.constant
        bounds = (("ge", low), ("le", high))
        return [
            make(op, (value, constant(bound if value.type == "real" else int(bound), value.type)), "bool")
            for op, bound in bounds
            if bound is not None and value.type != "bool"
        ]

    def _field(self, standing: Standing, event: str, field: Field) -> Expr:
        return self.algebra.symbol("field", _numbered(f"{event}.{field.name}", standing.number), field.type)

    def outcomes(self, standing: Standing, input: Input, assumed: tuple[Expr, ...]) -> Iterator[Outcome]:
        """Yield every way that an input can go, under what is assumed.

        Raises:
            TooManyError: there are more than are followed.
        """
        event = self.reference.events.get(input.name)
        fields = (
            {}
            if event is None or input.kind != "event"
            else {f"{event.name}.{each.name}": self._field(standing, event.name, each) for each in event.fields}
        )
        time = self.time(standing)

        def run() -> Outcome | None:
            return self._run(standing, input, time, fields)

        self.explorer.number = standing.number
        for path, outcome in self.explorer.explore(assumed, run, MOST):
            if outcome is not None:
                yield replace(outcome, conditions=tuple(path.conditions), implied=tuple(path.implied))

    def play(self, standing: Standing, input: Input, time: Expr, fields: Mapping[str, Expr]) -> Outcome | None:
        """Return what an input makes of a machine all of whose values are constants; None where it is refused."""
        found = [
            outcome for _, outcome in self.explorer.explore((), lambda: self._run(standing, input, time, fields), 1)
        ]
        return found[0]

    def _run(self, standing: Standing, input: Input, time: Expr, fields: Mapping[str, Expr]) -> Outcome | None:
        """Run an input on the path that is explored; None where it is refused."""
        symbol = self.explorer.symbol
        control, started = standing.control, bool(standing.control.leaves)
        cells: dict[str, Any] = {name: symbol(value) for name, value in standing.cells.items()}
        windows: dict[str, tuple[float, ...]] = {window.name: () for window in self.program.windows}
        history = {name: () for name, s in self.reference.states.items() if s.kind == "history"} | dict(control.history)
        clock: Any = symbol(standing.clock) if started else None
        snapshot = Snapshot("", MappingProxyType({}), clock, control.leaves, cells, windows, history)
        run = SymbolicRun(self.reference, snapshot, {}, [])
        now: Any = symbol(time)
        match input.kind:
            case "event" | "advance":
                event = None if input.kind == "advance" else self.reference.events[input.name]
                values: dict[str, Any] = {name: symbol(value) for name, value in fields.items()}
                try:
                    run.take(event, now, values)
                except Refusal:
                    return None  # a start that is refused changes nothing, and any other is an input of its own
            case "timer":
                run.fire(next(timer for timer in self.program.timers if timer.name == input.name))
            case "engine":
                run.context.clock = now
                run.meet(input.name)
        return self._outcome(standing, input, time, run)

    def _outcome(self, standing: Standing, input: Input, time: Expr, run: SymbolicRun) -> Outcome:
        state = run.state
        before, was, ordered = run.judged
        orders: list[Any] = run.orders[ordered:]
        kept = tuple((name, remembered) for name, remembered in state.history.items() if remembered)
        opened = self._lifted(before)
        return Outcome(
            standing.control,
            input,
            Control(self.tree.atoms(state.active), kept),
            (),
            was,
            frozenset(state.active),
            standing.cells if standing.control.leaves else opened,
            opened,
            self._lifted(state.cells),
            self.explorer.lift(run.context.clock, "int"),
            time,
            tuple(run.fired),
            tuple(orders),
            tuple(run.raised),
            tuple(run.errors),
            self.tree.is_finished(state.active),
            tuple(self._overlaps(run.watch or [])),
            tuple(run.passed),
            tuple(verdict.name for verdict in run.verdicts),
        )

    def _overlaps(self, selections: Sequence[Selection]) -> Iterator[Overlap]:
        """Yield which transitions were passed over, and when they would have fired."""
        for selection in selections:
            first: dict[str, Rule] = {}
            for candidate in selection.candidates:
                if candidate.outcome == "true":
                    first[candidate.leaf] = candidate.rule
                elif candidate.outcome == "not asked" and candidate.rule.guard is not None:
                    taken = first[candidate.leaf]
                    if taken.source == candidate.rule.source and taken.guard is not None:
                        condition = self.values.holding(candidate.rule.guard, selection.environment)
                        yield Overlap(taken.name, candidate.rule.name, condition)

    def _lifted(self, cells: Mapping[str, Any]) -> dict[str, Expr]:
        types = self.reference.cells
        return {name: self.explorer.lift(value, types[name].type) for name, value in cells.items()}

    def active(self, control: Control) -> frozenset[str]:
        """Return every active state of a control state, with those around the leaves."""
        return self.tree.with_ancestors(control.leaves)

    # ---------------------------------------------------------------------------------------------------------- claims

    def claim(self, claim: Expr, outcome: Outcome) -> Expr:
        """Return what a claim says of an outcome; where it has no value it does not hold."""
        if id(outcome) not in self._after:
            env = Environment(
                self.reference.parameters,
                self.reference.arithmetic,
                outcome.cells,
                outcome.before,
                now=outcome.clock,
                active=outcome.active,
                was=outcome.was,
                ordered=outcome.ordered,
            )
            self._after[id(outcome)] = outcome, env, {}
        _, env, said = self._after[id(outcome)]
        return self._said(claim, env, said)

    def measured(self, expr: Expr, outcome: Outcome, cells: Mapping[str, Expr]) -> Expr:
        """Return the value of an expression over some cells of an outcome; where it has none it is anything."""
        env = Environment(
            self.reference.parameters,
            self.reference.arithmetic,
            cells,
            now=outcome.clock,
            active=outcome.active,
            was=outcome.was,
        )
        return self.values.both(expr, env)[0]

    def asked(self, condition: Expr, active: Collection[str], was: Collection[str], ordered: Collection[str]) -> Expr:
        """Return what a condition says in some states, whatever all values are: those now and those before."""
        symbol = self.algebra.symbol
        before = {cell.name: symbol("temp", f"before {cell.name}", cell.type) for cell in self.program.cells}
        env = Environment(
            self.reference.parameters,
            self.reference.arithmetic,
            self.cells,
            before,
            now=self.clock,
            active=active,
            was=was,
            ordered=ordered,
        )
        return self.values.holding(condition, env)

    def held(self, claim: Expr, control: Control) -> Expr:
        """Return what a claim about one moment says of a control state before a macrostep."""
        if control not in self._before:
            env = Environment(
                self.reference.parameters,
                self.reference.arithmetic,
                self.cells,
                now=self.clock,
                active=self.active(control),
            )
            self._before[control] = env, {}
        return self._said(claim, *self._before[control])

    def _said(self, claim: Expr, env: Environment, said: dict[int, Expr]) -> Expr:
        if id(claim) not in said:
            said[id(claim)] = self.values.holding(claim, env)
        return said[id(claim)]


def _numbered(name: str, number: int) -> str:
    return f"{name}@{number}" if number else name
