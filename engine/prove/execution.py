"""The reference interpreter, run on symbols: what one macrostep makes of any values.

`Machine` knows a program; `outcomes` yields, for a control state and an input, every way that the macrostep can go, as
`Outcome`s: the conditions under which it goes so, and the cells after it as expressions over those before.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from types import MappingProxyType
from typing import Any, Literal

from ..bind import is_contract
from ..evaluate import Environment, Failure
from ..intake import Refusal
from ..ir import NEVER, Call, Exact, Expr, Field, Instruction, Leg, Parameter, Program, Raise, Require, Rule, Value
from ..registry import Registry
from ..semantics import Reference, Run, Selection
from ..snapshot import Snapshot
from ..work import Context, Occurrence, Proposal, Work
from .algebra import Algebra
from .symbols import Explorer, Possible, Symbolic
from .values import Values

__all__ = ["Control", "Input", "Machine", "Moved", "Outcome", "Overlap", "Standing"]

MOST = 4000
"""Ways that one input may go in one control state; a program with more is not decided."""
FAILS = " fails"
"""How the error of a bound function ends that returns nothing."""
REACH = 2**62
"""Clocks are assumed to be within this of 1970, in nanoseconds: 146 years."""


@dataclass(frozen=True, slots=True)
class Control:
    """What of a machine is not symbolic: the active leaves, and what history states remember."""

    leaves: tuple[str, ...] = ()
    history: tuple[tuple[str, tuple[str, ...]], ...] = ()

    def __str__(self) -> str:
        return ", ".join(self.leaves) or "the start"


@dataclass(frozen=True, slots=True)
class Input:
    """What a macrostep is about: an event from outside, a timer that is due, or an event of the engine's own."""

    kind: Literal["event", "timer", "engine", "advance"]
    name: str

    def __str__(self) -> str:
        return {"event": "", "timer": "timer ", "engine": "", "advance": "time"}[self.kind] + self.name


@dataclass(frozen=True, slots=True)
class Standing:
    """A machine between two events: its control state, and cells and clock as expressions.

    `number` tells the symbols of the event that comes next from those of others.
    """

    control: Control
    cells: Mapping[str, Expr]
    clock: Expr
    number: int = 0


@dataclass(frozen=True, slots=True)
class Moved:
    """An order that was released: of which leg, from what quantity to what, at which mark, at what cost."""

    leg: str
    rule: str
    held: Expr
    after: Expr
    price: Expr
    fee: Expr
    slippage: Expr


@dataclass(frozen=True, slots=True)
class Overlap:
    """A transition that fired and one after it in order that would have fired too, where `condition` holds."""

    first: str
    second: str
    condition: Expr


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """One way that an input can go.

    `cells` are those after the macrostep and `before` those at its start, which come after marks and observations; `start`
    are those before the event, of a machine that it starts those after the opening of its books. `conditions` hold on this
    way besides what was assumed; `time` is when the event comes.
    """

    origin: Control
    input: Input
    target: Control
    conditions: tuple[Expr, ...]
    was: frozenset[str]
    active: frozenset[str]
    start: Mapping[str, Expr]
    before: Mapping[str, Expr]
    cells: Mapping[str, Expr]
    clock: Expr
    time: Expr
    fired: tuple[str, ...]
    orders: tuple[Moved, ...]
    raised: tuple[str, ...]
    errors: tuple[str, ...]
    finished: bool
    overlaps: tuple[Overlap, ...] = ()

    @property
    def ordered(self) -> frozenset[str]:
        return frozenset(order.leg for order in self.orders)


class _Work(Work):
    """The state of a machine on symbols."""

    __slots__ = ()

    def value(self, expr: Expr) -> Any:
        reference = self.context.reference
        assert isinstance(reference, _Reference)
        return reference.explorer.symbol(reference.values.of(expr, self.environment()))

    def _run(self, instruction: Instruction, rule: Rule | None) -> None:
        """Run an instruction; a call that does not keep its contract is one that fails, see `_call`."""
        if isinstance(instruction, Require) and is_contract(instruction):
            if self._are_full(instruction.waits):
                _explorer(self.context).assume(self.value(instruction.condition).expr)
        else:
            super()._run(instruction, rule)

    def _are_full(self, windows: Iterable[str]) -> bool:
        """Return whether windows hold all that they can; of each event that is open by itself."""
        explorer, waited = _explorer(self.context), ", ".join(windows)
        full = explorer.algebra.symbol("temp", f"{waited} full@{explorer.number}", "bool")
        return not waited or explorer.decide(full)

    def _push(self, window: str, value: Any) -> None:
        """Leave windows alone: nothing is known of what they hold."""

    def _queue(self, instruction: Raise) -> None:
        reference = self.context.reference
        event = reference.events[instruction.event]
        fields: dict[str, Any] = {}
        for field_, (_, expr) in zip(event.fields, instruction.fields, strict=True):
            value = self.value(expr)
            for bound, outside in ((field_.low, "lt"), (field_.high, "gt")):
                if bound is not None and bool(value < bound if outside == "lt" else value > bound):
                    raise Failure(f"raising `{event.name}`: `{field_.name}` is out of range")
            fields[f"{event.name}.{field_.name}"] = value
        self.queue.append(Occurrence(instruction.event, fields))

    def _call(self, instruction: Call, rule: Any) -> None:
        """Let the function return anything, or fail: its contract is what the spec requires of its results."""
        reference = self.context.reference
        assert isinstance(reference, _Reference)
        explorer = reference.explorer
        if not self._are_full(instruction.waits):
            return
        arguments = {name: self.value(value).expr for name, value in instruction.arguments if isinstance(value, Expr)}
        kept: dict[int, Any] = self.context.results
        if id(instruction) not in kept:
            failed = explorer.decide(explorer.fresh(f"{instruction.function} fails", "bool"))
            found = {
                result: explorer.symbol(explorer.fresh(cell, reference.cells[cell].type))
                for result, cell in instruction.into
            }
            kept[id(instruction)] = arguments, Failure(f"`{instruction.function}`{FAILS}") if failed else found
        given, outcome = kept[id(instruction)]
        same = (explorer.algebra.make("eq", (given[name], value), "bool") for name, value in arguments.items())
        if not explorer.decide(explorer.algebra.all_of(*same)):
            raise Failure(f"`{instruction.function}` is called twice in one event, with other arguments")
        if isinstance(outcome, Failure):
            raise outcome
        for result, cell in instruction.into:
            self.cells[cell] = outcome[result]
            self.written[cell] = rule

    def _book(self, leg: Leg, proposal: Proposal, held: Any, price: Value) -> None:
        explorer = _explorer(self.context)
        rule = "" if proposal.rule is None else proposal.rule.name
        values = held, proposal.after, price, self.temps["fee"], self.temps["slip"]
        order: Any = Moved(leg.name, rule, *(explorer.lift(each, "real") for each in values))
        self.orders.append(order)


def _numbered(name: str, number: int) -> str:
    return f"{name}@{number}" if number else name


def _explorer(context: Context) -> Explorer:
    assert isinstance(context.reference, _Reference)
    return context.reference.explorer


class _Run(Run):
    work_type = _Work
    judged: tuple[dict[str, Any], frozenset[str], int]

    def _macrostep(self, external: Occurrence | None) -> None:
        self.judged = dict(self.state.cells), frozenset(self.state.active), len(self.orders)
        super()._macrostep(external)


class _Reference(Reference):
    def __init__(self, program: Program, registry: Registry, explorer: Explorer, fixed: Mapping[str, Exact]) -> None:
        self.explorer = explorer
        self.fixed = fixed
        given = {p.name: p.default for p in program.parameters}
        super().__init__(program, given, registry, Symbolic(explorer))
        self.values = Values(explorer)
        self.parameters = {}
        for parameter in sorted(program.parameters, key=lambda each: each.given is not None):
            self.parameters[parameter.name] = explorer.symbol(self._parameter(parameter))
        # Claims are judged on what comes out, by the solver.
        self.monitors = ()

    def _parameter(self, parameter: Parameter) -> Expr:
        """Return a parameter as a symbol, or what another spec gives it; the given come in the order of their needs."""
        if parameter.name in self.fixed:
            return self.explorer.algebra.constant(self.fixed[parameter.name], parameter.type)
        if parameter.given is None:
            return self.explorer.algebra.symbol("param", parameter.name, parameter.type)
        known = {each.name: each for each in self.program.parameters}
        needed = {node.name for node in parameter.given.walk() if node.op == "param"} - set(self.parameters)
        for name in sorted(needed):
            self.parameters[name] = self.explorer.symbol(self._parameter(known[name]))
        return self.values.both(parameter.given, Environment(self.parameters, self.arithmetic))[0]


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
        self.reference = _Reference(program, registry, self.explorer, fixed)
        self.values = self.reference.values
        self.tree = self.reference.tree
        symbol = algebra.symbol
        self.cells = {cell.name: symbol("cell", cell.name, cell.type) for cell in program.cells}
        self.clock = symbol("temp", "clock", "int")
        self._after: dict[int, tuple[Outcome, Environment]] = {}
        self._before: dict[Control, Environment] = {}

    # ---------------------------------------------------------------------------------------------------------- inputs

    def openings(self) -> tuple[Input, ...]:
        """Return what can start the machine."""
        if self.program.start_event is not None:
            return (Input("event", self.program.start_event),)
        return (*(Input("event", event.name) for event in self.program.events), Input("advance", ""))

    def inputs(self) -> tuple[Input, ...]:
        """Return what can come to a started machine, each by itself."""
        events = (Input("event", event.name) for event in self.program.events)
        timers = (Input("timer", timer.name) for timer in self.program.timers)
        # In floats something may fail that cannot over the reals: what follows an error is proved about as well.
        return (*events, *timers, Input("engine", "input.rejected"), Input("engine", "error.execution"))

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
        due = {timer.name: standing.cells[timer.due] for timer in self.program.timers}
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
            bounds += self._within(self._field(standing, input.name, field), field.low, field.high)
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
                yield replace(outcome, conditions=tuple(path.conditions))

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
        run = _Run(self.reference, snapshot, {}, [])
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

    def _outcome(self, standing: Standing, input: Input, time: Expr, run: _Run) -> Outcome:
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
            self._after[id(outcome)] = outcome, env
        return self.values.holding(claim, self._after[id(outcome)][1])

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

    def held(self, claim: Expr, control: Control) -> Expr:
        """Return what a claim about one moment says of a control state before a macrostep."""
        if control not in self._before:
            self._before[control] = Environment(
                self.reference.parameters,
                self.reference.arithmetic,
                self.cells,
                now=self.clock,
                active=self.active(control),
            )
        return self.values.holding(claim, self._before[control])
