"""Composition: the programs of used specs and of the spec that uses them become one program.

    use: {strategy: {spec: band_limited_hedge.yaml}}        cell anchor        ->  cell strategy.anchor
                                                            state paused       ->  state strategy.paused
                                                            event tick         ->  event tick

Each spec is compiled by itself, in its own file; here its names get the name of its region in front, so that none
collide, and its chart becomes a region beside the others. Events are what the parts share: an event of one name is one
event. An event of a part may also be made from another one, with values for its fields:

    events: {mark: {tick: {equity: strategy.equity}}}       field mark.equity  ->  cell breaker.mark.equity, set on tick
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from types import MappingProxyType
from typing import TypeVar

from .approvals import stricter
from .diagnostics import Span
from .fills import COUNT
from .ir import (
    ZERO,
    Assign,
    Block,
    Call,
    Cell,
    Check,
    Event,
    Expr,
    Field,
    Gate,
    Instruction,
    Leg,
    Let,
    Parameter,
    Part,
    Policy,
    Pool,
    Program,
    Propose,
    Push,
    Raise,
    Ranking,
    Region,
    Report,
    Require,
    Rule,
    Source,
    State,
    Timer,
)
from .record import Record
from .statechart import MACHINE, Tree
from .vocabulary import APPROVAL_EVENTS, BUILTIN_EVENTS, DONE, ENGINE_ROOTS, REJECTED, TIMED, matches

__all__ = ["Made", "Renaming", "Used", "link"]


class Made(Record):
    """An event of a used spec that happens on an event of the user's, with a value for each of its fields."""

    event: str
    values: Mapping[str, Expr]
    span: Span


@dataclass(frozen=True, slots=True)
class Used:
    """A used spec: the name of its region, its program, and what its user gives it."""

    name: str
    program: Program
    span: Span
    parameters: Mapping[str, Expr] = field(default_factory=dict)
    """Its parameters that are given, over the parameters of the user."""
    renamed: Mapping[str, str] = field(default_factory=dict)
    """Its events that have another name at the user's."""
    made: Mapping[str, Made] = field(default_factory=dict)
    approvals: Mapping[str, str] = field(default_factory=dict)
    """Its transitions that wait under a policy of the user's."""


class Renaming:
    """What a name of a used spec is called in the composition."""

    def __init__(self, used: Used, pool: Pool, fields: Mapping[str, Sequence[str]] = MappingProxyType({})) -> None:
        """`fields` are those of the events of the composition, in its order."""
        self.used, self.pool, self.fields = used, pool, fields
        self.prefix = f"{used.name}."
        self.measures = {cell.name for cell in used.program.cells if cell.kind == "measure"}
        self._made: dict[int, Expr] = {}

    def name(self, name: str) -> str:
        # What a report measures is one sum over all parts, and orders are counted together.
        return name if name in self.measures or name == COUNT else self.prefix + name

    def event(self, event: str) -> str:
        """Return the event of the composition that an event is or happens on."""
        made = self.used.made.get(event)
        return made.event if made is not None else self.used.renamed.get(event, event)

    def occurrence(self, event: str) -> str:
        """Return the name of any event: a declared one, `done.state.…`, or that of a timer."""
        if event.startswith(DONE):
            return DONE + self.name(event.removeprefix(DONE))
        for root in ("after.", "every."):
            if event.startswith(root):
                return root + self.prefix + event.removeprefix(root)
        return self.event(event)

    def descriptors(self, descriptors: Iterable[str]) -> tuple[str, ...]:
        """Return event descriptors that match what they matched in the used spec, and no events of other parts."""
        found: dict[str, None] = {}
        declared = [event.name for event in self.used.program.events]
        done = [DONE + self.name(s.name) for s in self.used.program.states if s.kind in ("compound", "parallel")]
        for descriptor in descriptors:
            root = descriptor.removesuffix(".*")
            if descriptor == "*":
                heard = (*BUILTIN_EVENTS, *(APPROVAL_EVENTS if self.used.program.policies else ()))
                found |= dict.fromkeys((*map(self.event, declared), *heard, *done))
            elif root in ("done", "done.state"):
                found |= dict.fromkeys(done)
            elif root.partition(".")[0] in ENGINE_ROOTS:
                found[self.occurrence(descriptor)] = None
            else:
                found |= dict.fromkeys(self.event(event) for event in declared if matches((descriptor,), event))
        return tuple(found)

    def expression(self, expr: Expr) -> Expr:
        for node in expr.walk():
            if id(node) not in self._made:
                self._made[id(node)] = self._leaf(node) if not node.args else self._inner(node)
        return self._made[id(expr)]

    def _inner(self, node: Expr) -> Expr:
        args = tuple(self._made[id(argument)] for argument in node.args)
        return self.pool.make(node.op, args, node.type, name=node.name, value=node.value)

    def _leaf(self, node: Expr) -> Expr:
        op, name = node.op, node.name
        if op == "field":
            event, _, part = name.rpartition(".")
            if event in self.used.made:
                op, name = "cell", self.name(name)
            else:
                name = f"{self.event(event)}.{part}"
        elif op in ("active", "was"):
            name = self.name(name)
        elif op == "ordered":
            name = self.prefix + name
        elif op in ("param", "cell", "before"):
            name = self.name(name)
        return self.pool.make(op, (), node.type, name=name, value=node.value)

    def block(self, block: Block) -> Block:
        return tuple(self._instruction(each) for each in block)

    def _instruction(self, each: Instruction) -> Instruction:
        expression = self.expression
        match each:
            case Let():
                return replace(each, value=expression(each.value))
            case Assign():
                return replace(each, targets=tuple((self.name(cell), expression(e)) for cell, e in each.targets))
            case Require():
                return replace(each, condition=expression(each.condition), waits=tuple(map(self.name, each.waits)))
            case Propose():
                return replace(each, leg=self.name(each.leg), after=expression(each.after))
            case Raise():
                event, values = self.event(each.event), {name: expression(value) for name, value in each.fields}
                names = self.fields.get(event, tuple(values))
                return replace(each, event=event, fields=tuple((name, values[name]) for name in names))
            case Push():
                return replace(each, window=self.name(each.window), value=expression(each.value))
            case Call():
                return self._call(each)
        raise AssertionError(each)

    def _call(self, call: Call) -> Call:
        arguments = tuple(
            (name, self.expression(value) if isinstance(value, Expr) else self._source(value))
            for name, value in call.arguments
        )
        into = tuple((result, self.name(cell)) for result, cell in call.into)
        return replace(call, arguments=arguments, into=into, waits=tuple(map(self.name, call.waits)))

    def _source(self, source: Source) -> Source:
        return replace(source, text=self.name(source.text)) if source.kind == "window" else source

    # ------------------------------------------------------------------------------------------------- declarations

    def parameters(self) -> tuple[Parameter, ...]:
        given = self.used.parameters
        return tuple(
            replace(
                each,
                name=self.name(each.name),
                given=given[each.name] if each.name in given else each.given and self.expression(each.given),
            )
            for each in self.used.program.parameters
        )

    def cells(self) -> tuple[Cell, ...]:
        program = self.used.program
        own = tuple(replace(cell, name=self.name(cell.name)) for cell in program.cells if cell.kind != "measure")
        made = tuple(
            Cell(self.name(f"{event.name}.{f.name}"), f.type, f.unit, f.low, f.high, ZERO[f.type], "observed")
            for event in program.events
            if event.name in self.used.made
            for f in event.fields
        )
        return own + made

    def states(self) -> tuple[State, ...]:
        """Return the states, in a region that is called as the spec is here."""
        program, span = self.used.program, self.used.span
        safe = None if program.fail_safe is None else self.name(program.fail_safe)
        initial = tuple(map(self.name, program.initial))
        nothing: Block = ()
        region = State(
            self.used.name, MACHINE, "compound", initial, nothing, False,
            nothing, nothing, nothing, nothing, safe, (), program.about, span,
        )  # fmt: skip
        # A chart that is parallel as a whole lies in a region, too: what leaves it whole leaves no other region.
        return (region, *(self._state(state) for state in program.states))

    def _state(self, state: State) -> State:
        return replace(
            state,
            name=self.name(state.name),
            parent=self.used.name if state.parent is None else self.name(state.parent),
            initial=tuple(map(self.name, state.initial)),
            initially=self.block(state.initially),
            stamp=self.block(state.stamp),
            entry=self.block(state.entry),
            exit=self.block(state.exit),
            leave=self.block(state.leave),
            fail_safe=None if state.fail_safe is None else self.name(state.fail_safe),
        )

    def rules(self) -> tuple[Rule, ...]:
        return tuple(
            replace(
                rule,
                name=self.name(rule.name),
                source=self.name(rule.source),
                events=self.descriptors(rule.events),
                guard=None if rule.guard is None else self.expression(rule.guard),
                targets=tuple(map(self.name, rule.targets)),
                measure=self.block(rule.measure),
                action=self.block(rule.action),
                approval=self.used.approvals.get(rule.name, rule.approval and self.name(rule.approval)),
                oversight=stricter(rule.oversight, self.used.program.oversight),
            )
            for rule in self.used.program.rules
        )

    def policies(self) -> tuple[Policy, ...]:
        return tuple(
            replace(
                each,
                name=self.name(each.name),
                within=self.expression(each.within),
                again=self.expression(each.again),
            )
            for each in self.used.program.policies
        )

    def timers(self) -> tuple[Timer, ...]:
        return tuple(
            replace(
                timer,
                name=self.occurrence(timer.name) if is_state_timer(timer) else self.name(timer.name),
                event=self.occurrence(timer.event),
                due=self.name(timer.due),
                period=None if timer.period is None else self.expression(timer.period),
                fields=tuple((self._field(name), self.name(cell)) for name, cell in timer.fields),
            )
            for timer in self.used.program.timers
        )

    def _field(self, name: str) -> str:
        event, _, part = name.rpartition(".")
        return f"{self.event(event)}.{part}"

    def legs(self) -> tuple[Leg, ...]:
        return tuple(
            replace(
                leg,
                name=self.name(leg.name),
                instrument=self.name(leg.instrument),
                quantity=self.name(leg.quantity),
                fill=self.block(leg.fill),
                working=leg.working and self.name(leg.working),
                order=leg.order and self.name(leg.order),
            )
            for leg in self.used.program.legs
        )

    def gates(self) -> tuple[Gate, ...]:
        """Return gates on the orders of this spec; on all of the composition where it has none to make itself."""
        legs = tuple(self.name(leg.name) for leg in self.used.program.legs)
        return tuple(
            replace(
                gate,
                name=self.name(gate.name),
                checks=tuple(map(self._check, gate.checks)),
                legs=tuple(map(self.name, gate.legs)) or legs,
            )
            for gate in self.used.program.gates
        )

    def _check(self, check: Check) -> Check:
        value, least, most = (
            None if each is None else self.expression(each) for each in (check.value, check.least, check.most)
        )
        fresh = tuple(
            replace(
                each,
                event=self.event(each.event),
                within=self.expression(each.within),
                holds=self.expression(each.holds),
            )
            for each in check.fresh
        )
        bound = None if check.bound is None else replace(check.bound, call=self._call(check.bound.call))
        condition = self.expression(check.condition)
        return replace(check, condition=condition, value=value, least=least, most=most, fresh=fresh, bound=bound)

    def rankings(self) -> tuple[Ranking, ...]:
        return tuple(
            replace(
                each,
                name=self.name(each.name),
                state=self.name(each.state),
                rule=self.name(each.rule),
                measure=self.expression(each.measure),
                factor=self.expression(each.factor),
                until=self.expression(each.until),
                within=self.expression(each.within),
                provided=None if each.provided is None else self.expression(each.provided),
            )
            for each in self.used.program.rankings
        )

    def parts(self) -> Iterator[tuple[Part, Callable[[str], Block]]]:
        """Yield the parts, each with what it observes on an event of the composition."""
        program, region = self.used.program, self.used.name
        if self.used.made:
            # The events that are made commit first: what follows sees them, and does not undo them.
            yield Part(f"{region}.(made)", region, (), (), ()), self._made_on
        for index, part in enumerate(program.parts):
            name = self.prefix + part.name if part.name else region
            inside = part.region and self.name(part.region)
            blocks = map(self.block, (part.begin, part.endow, part.endow_late))
            yield Part(name, region if inside is None else inside, *blocks), partial(self._observed_on, index)

    def _made_on(self, ours: str) -> Block:
        block: Block = ()
        for event in self.used.program.events:
            made = self.used.made.get(event.name)
            if made is not None and made.event == ours:
                values = tuple((self.name(f"{event.name}.{name}"), value) for name, value in made.values.items())
                block += ((Assign(values, made.span),) if values else ()) + self.block(event.marks)
        return block

    def _observed_on(self, index: int, ours: str) -> Block:
        events = (event for event in self.used.program.events if self.event(event.name) == ours)
        return tuple(each for event in events for each in self.block(event.observe[index]))

    def marks_on(self, ours: str) -> Block:
        events = (event for event in self.used.program.events if event.name not in self.used.made)
        return tuple(each for event in events if self.event(event.name) == ours for each in self.block(event.marks))


def is_state_timer(timer: Timer) -> bool:
    """Return whether a timer is of an `after` or `every`, not of a delayed `raise`."""
    return timer.event.partition(".")[0] in TIMED


def link(own: Program, uses: Sequence[Used], pool: Pool) -> Program:
    """Return the program of a spec together with those that it uses; nothing is left to check.

    Regions stand in the order of their use, the spec's own states after them. The spec's own expressions call what they
    read of others by the names that it has here.
    """
    shared = _shared(own, uses)
    fields = {event.name: tuple(each.name for each in event.fields) for event in shared.values()}
    renamings = [Renaming(used, pool, fields) for used in uses]
    states = _states(own, renamings)
    region = own.name if _has_states(own) else ""
    *fills, part = own.parts
    # The spec's own books open first, for used specs to be given what is in them; it observes last, having read them.
    parts: list[tuple[Part, Callable[[str], Block]]] = [(replace(part, region=region, endow_late=()), _nothing)]
    parts += ((replace(each, region=region), partial(_observed_by, own, at)) for at, each in enumerate(fills))
    parts += [each for renaming in renamings for each in renaming.parts()]
    parts.append((Part("(own)", region, (), (), part.endow_late), partial(_observed_by, own, -1)))
    tree = Tree(states)

    def joined(own_items: Iterable[T], items: Callable[[Renaming], Iterable[T]]) -> tuple[T, ...]:
        return (*(item for each in renamings for item in items(each)), *own_items)

    def claims(kind: str) -> tuple[tuple[str, Expr], ...]:
        return joined(
            getattr(own, kind),
            lambda each: ((each.name(n), each.expression(e)) for n, e in getattr(each.used.program, kind)),
        )

    marks = {event.name: event.marks for event in own.events}
    events = tuple(
        replace(
            event,
            marks=tuple(i for each in renamings for i in each.marks_on(event.name)) + marks.get(event.name, ()),
            observe=tuple(block(event.name) for _, block in parts),
        )
        for event in shared.values()
    )
    starts = [each.event(event) for each in renamings if (event := each.used.program.start_event) is not None]
    starts += [] if own.start_event is None else [own.start_event]
    return replace(
        own,
        money=next((each.used.program.money for each in renamings if each.used.program.legs), own.money)
        if not own.legs
        else own.money,
        parameters=joined(own.parameters, Renaming.parameters),
        events=events,
        cells=_unique(joined(own.cells, Renaming.cells), _measures(own, renamings)),
        windows=joined(
            own.windows, lambda each: (replace(w, name=each.name(w.name)) for w in each.used.program.windows)
        ),
        instruments=joined(
            own.instruments,
            lambda each: (
                replace(i, name=each.name(i.name), price=each.name(i.price)) for i in each.used.program.instruments
            ),
        ),
        legs=joined(own.legs, Renaming.legs),
        initial=(MACHINE,),
        regions=tuple(Region(root, tree.leaves(root)) for root in tree.roots()),
        states=states,
        rules=joined(own.rules, Renaming.rules),
        timers=joined(own.timers, Renaming.timers),
        parts=tuple(part for part, _ in parts),
        start_event=starts[0] if starts else None,
        accrue=joined(own.accrue, lambda each: each.block(each.used.program.accrue)),
        fail_safe=None,
        invariants=claims("invariants"),
        helpers=claims("helpers"),
        rankings=joined(own.rankings, Renaming.rankings),
        gates=joined(own.gates, Renaming.gates),
        policies=joined(own.policies, Renaming.policies),
        outlook=joined(own.outlook, lambda each: each.block(each.used.program.outlook)),
        report=_report(own, renamings),
    )


T = TypeVar("T")


def _states(own: Program, renamings: Iterable[Renaming]) -> tuple[State, ...]:
    """Return all states: the regions of used specs, then the spec's own states in one that is called as it is."""
    span = own.states[0].span
    inner = [state for each in renamings for state in each.states()]
    chart = State(MACHINE, None, "parallel", (), (), False, (), (), (), (), None, (), "", span)
    if not _has_states(own):
        return (chart, *inner)
    whole = f"{own.name}.{MACHINE}"
    initial = (whole,) if own.initial == (MACHINE,) else own.initial
    around = replace(
        chart,
        name=own.name,
        parent=MACHINE,
        kind="compound",
        initial=initial,
        fail_safe=own.fail_safe,
        about=own.about,
    )
    outer: dict[str | None, str] = {None: own.name, MACHINE: whole}
    rest = (
        replace(
            state, name=whole if state.name == MACHINE else state.name, parent=outer.get(state.parent, state.parent)
        )
        for state in own.states
    )
    return (chart, *inner, around, *rest)


def _shared(own: Program, uses: Iterable[Used]) -> dict[str, Event]:
    """Return the events of a composition, each once, with the values that all its parts take."""
    found = {event.name: event for event in own.events}
    for used in uses:
        for event in used.program.events:
            if event.name in used.made:
                continue
            name = used.renamed.get(event.name, event.name)
            if name == REJECTED:
                continue  # it comes from the engine
            others = {each.name: each for each in event.fields}
            leg = f"{used.name}.{event.leg}" if event.leg else ""
            base = found.get(name) or replace(event, name=name, leg=leg)
            found[name] = replace(base, fields=tuple(_narrowed(each, others[each.name]) for each in base.fields))
    return found


def _has_states(own: Program) -> bool:
    """Return whether a spec has states beside those of the specs that it uses."""
    return any(state.name != MACHINE for state in own.states)


def _nothing(_ours: str) -> Block:
    return ()


def _observed_by(own: Program, part: int, ours: str) -> Block:
    return next((event.observe[part] for event in own.events if event.name == ours), ())


def _narrowed(one: Field, other: Field) -> Field:
    """Return the field with the values that both take."""
    lows = [low for low in (one.low, other.low) if low is not None]
    highs = [high for high in (one.high, other.high) if high is not None]
    return replace(one, low=max(lows, default=None), high=min(highs, default=None))


def _measures(own: Program, renamings: Iterable[Renaming]) -> tuple[Cell, ...]:
    cells = [c for program in (*(each.used.program for each in renamings), own) for c in program.cells]
    return tuple({cell.name: cell for cell in cells if cell.kind == "measure"}.values())


def _unique(cells: Iterable[Cell], measures: tuple[Cell, ...]) -> tuple[Cell, ...]:
    return (*{cell.name: cell for cell in cells if cell.kind != "measure"}.values(), *measures)


def _report(own: Program, renamings: Sequence[Renaming]) -> Report:
    """Return what is measured in all parts, and the limits of the spec, or of the one part that has any."""
    rules: dict[str, tuple[str, ...]] = {}
    for renaming in renamings:
        for name, fired in renaming.used.program.report.measures:
            rules[name] = rules.get(name, ()) + tuple(map(renaming.name, fired))
    for name, fired in own.report.measures:
        rules[name] = rules.get(name, ()) + fired
    limits = own.report.limits
    limited = [each for each in renamings if each.used.program.report.limits]
    if not limits and len(limited) == 1:
        (only,) = limited
        limits = tuple((name, only.expression(expr)) for name, expr in only.used.program.report.limits)
    return Report(tuple(rules.items()), limits)
