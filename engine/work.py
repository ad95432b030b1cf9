"""The state of a machine while a microstep changes it, and what each instruction does to it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from .bound import Results
from .evaluate import FLOAT, Environment, Failure, evaluate
from .intake import Refusal, accept_fields
from .ir import (
    NOBODY,
    Assign,
    Block,
    BoundCheck,
    Call,
    Check,
    Expr,
    Gate,
    Instruction,
    Leg,
    Let,
    Propose,
    Push,
    Raise,
    Require,
    Rule,
    Source,
    Value,
)
from .step import Order, Verdict, orders_of

if TYPE_CHECKING:
    from .semantics import Reference

__all__ = ["Change", "Context", "Dropped", "Occurrence", "Origin", "Proposal", "Stopped", "Work", "is_judged"]


Origin = Literal["eventless", "internal", "timer", "event"]
"""For what transitions are selected: no event, one that was raised, one whose time has come, one from outside."""


@dataclass(frozen=True, slots=True)
class Occurrence:
    """An event that waits: its fields by qualified names, and who sees it."""

    name: str
    fields: Mapping[str, Value] = field(default_factory=dict)
    origin: Origin = "internal"
    source: str | None = None
    """The state in which an error happened; None is the whole chart. What is in its region sees it (rule 10)."""
    blind: frozenset[str] = frozenset()
    """Regions that do not see it, because they failed to observe it (rule 7)."""
    private: bool = False
    """Whether its region alone sees it, and nothing that governs that."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """An order that waits for the end of its microstep: the quantity that its leg is to reach."""

    leg: str
    after: Any
    rule: Rule | None
    ends: bool
    """Whether it says where the leg ends (`close`, `target`), and not by how much it changes."""


class Dropped(Exception):
    """A transition failed and is dropped from its microstep (rule 8)."""

    def __init__(self, rule: Rule | None, failure: Failure) -> None:
        super().__init__(str(failure))
        self.rule = rule


class Stopped(Dropped):
    """The orders of a transition are not let through, and it is dropped with them (rule 15).

    What stopped them is gates, or that an order works on a leg, which is nothing for who governs.
    """

    def __init__(self, rule: Rule | None, verdicts: tuple[Verdict, ...], *, by_gates: bool = True) -> None:
        super().__init__(rule, Failure("; ".join(verdict.reason for verdict in verdicts)))
        self.verdicts, self.by_gates = verdicts, by_gates


class Change(NamedTuple):
    """An order that is to be released: of which transition, of which leg, whether it adds to what is at risk, and how much
    it adds to the quantity (signed).
    """

    rule: Rule | None
    leg: str
    increases: bool
    change: Any


@dataclass(slots=True)
class Context:
    """What stays the same while a microstep runs."""

    reference: Reference
    results: Results
    clock: int = 0
    fields: Mapping[str, Value] = field(default_factory=dict)
    cautious: set[str | None] = field(default_factory=set)
    """The parts of which a guard failed in this macrostep, so that they may not increase exposure (rule 9)."""
    before: Mapping[str, Any] = field(default_factory=dict)
    was: frozenset[str] = frozenset()
    """Cells and active states at the start of the macrostep."""
    macrostep: int = 0
    """Its number: 0 is that of the event, those of the timers before it count from 1; −1 where there were too many."""
    shown: Mapping[str, Any] | None = None
    """By leg the signed change that was approved, while a transition fires that waited for it."""
    tries: bool = False
    """Whether a transition is only tried, to be shown to people."""
    person: Any = NOBODY
    """Who brought the event of this macrostep, by index: whatever it leads to is that person's proposal."""


@dataclass(slots=True)
class Work:
    """The state that a microstep changes; a copy of it is what a failing transition leaves."""

    context: Context
    cells: dict[str, Any]
    windows: dict[str, tuple[float, ...]]
    active: set[str]
    history: dict[str, tuple[str, ...]]
    written: dict[str, Rule | None] = field(default_factory=dict)
    """Cells that were written, and by which transition last."""
    temps: dict[str, Value] = field(default_factory=dict)
    proposals: list[Proposal] = field(default_factory=list)
    queue: list[Occurrence] = field(default_factory=list)
    orders: list[Order] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)

    def copy(self) -> Work:
        """Return the same state with nothing under way."""
        return type(self)(self.context, dict(self.cells), dict(self.windows), set(self.active), dict(self.history))

    def environment(self) -> Environment:
        """Return what an expression reads here and now."""
        context, reference = self.context, self.context.reference
        return Environment(
            reference.parameters,
            reference.arithmetic,
            self.cells,
            context.before,
            context.fields,
            self.temps,
            context.clock,
            self.active,
            context.was,
            person=context.person,
        )

    def value(self, expr: Expr) -> Any:
        """Return the value of an expression.

        Raises:
            Failure: it has none.
        """
        return self.value_in(expr, self.environment())

    def value_in(self, expr: Expr, env: Environment) -> Any:
        """Return the value of an expression where `env` is what it reads.

        Raises:
            Failure: it has none.
        """
        return evaluate(expr, env)

    # ----------------------------------------------------------------------------------------------------- instructions

    def run(self, block: Block, rule: Rule | None = None) -> None:
        """Run instructions for a transition.

        Raises:
            Dropped: one of them has no value; the transition is to blame.
        """
        try:
            for instruction in block:
                self._run(instruction, rule)
        except Failure as failure:
            raise Dropped(rule, failure) from None

    def _run(self, instruction: Instruction, rule: Rule | None) -> None:
        match instruction:
            case Let():
                self.temps[instruction.temp] = self.value(instruction.value)
            case Assign():
                values = [(name, self.value(expr)) for name, expr in instruction.targets]
                self.cells.update(values)
                self.written.update((name, rule) for name, _ in values)
            case Require():
                if self._are_full(instruction.waits) and not self.value(instruction.condition):
                    raise Failure(instruction.reason)
            case Propose():
                ends = instruction.verb in ("close", "target")
                self.proposals.append(Proposal(instruction.leg, self.value(instruction.after), rule, ends))
            case Raise():
                self._queue(instruction)
            case Push():
                self._push(instruction.window, self.value(instruction.value))
            case Call():
                self._call(instruction, rule)

    def _queue(self, instruction: Raise) -> None:
        reference = self.context.reference
        values = [self.value(expr) for _, expr in instruction.fields]
        try:
            fields = accept_fields(reference.events[instruction.event], values, reference.arithmetic)
        except Refusal as refusal:
            raise Failure(f"raising `{instruction.event}`: {refusal}") from None
        self.queue.append(Occurrence(instruction.event, fields))

    def _push(self, window: str, value: Any) -> None:
        if not FLOAT.finite(value):
            raise Failure(f"the window `{window}` is fed {value}, which is not finite")
        length = self.context.reference.lengths[window]
        self.windows[window] = (*self.windows[window], float(value))[-length:]

    def _call(self, instruction: Call, rule: Rule | None) -> None:
        reference = self.context.reference
        if not self._are_full(instruction.waits):
            return
        env = self.environment()
        arguments = {name: self._argument(value, env) for name, value in instruction.arguments}
        found = reference.functions.call(instruction, arguments, self.context.results, self.context.macrostep)
        for result, cell in instruction.into:
            self.cells[cell] = reference.typed(reference.cells[cell], found[result])
            self.written[cell] = rule

    def _are_full(self, windows: Iterable[str]) -> bool:
        """Return whether windows have all their values, so that what waits for them goes on."""
        lengths = self.context.reference.lengths
        return all(len(self.windows[name]) >= lengths[name] for name in windows)

    def _argument(self, value: Expr | Source, env: Environment) -> object:
        if isinstance(value, Expr):
            found = self.value_in(value, env)
            return float(found) if value.type == "real" else found
        if value.kind == "literal":
            return value.text
        import numpy

        view = numpy.array(self.windows[value.text], dtype=numpy.float64)
        view.setflags(write=False)
        return view

    # ---------------------------------------------------------------------------------------------- orders and ranges

    def settle_orders(self) -> None:
        """Judge the proposals of a microstep together and book them, in the order of the legs.

        Raises:
            Dropped: one of them cannot be.
        """
        reference = self.context.reference
        for proposal in self._one_a_leg():
            leg = reference.program.legs[reference.legs[proposal.leg]]
            held = self.cells[leg.quantity]
            if self.context.shown is not None:
                shown = self.context.shown.get(leg.name, 0)
                proposal = replace(proposal, after=self._approved(proposal, held, shown))
            if proposal.after == held:
                continue
            if self._is_cautious(proposal.rule) and abs(proposal.after) > abs(held):
                reason = f"a guard failed on this event, so `{leg.name}` may not grow"
                raise Dropped(proposal.rule, Failure(reason))
            if reference.program.gates or reference.program.approvals:
                grows = reference.asks_growth and _grows(held, proposal.after)
                if grows and self._is_unapproved(proposal.rule):
                    raise Dropped(proposal.rule, Failure(f"nobody has approved that `{leg.name}` grows"))
                self.changes.append(Change(proposal.rule, leg.name, grows, proposal.after - held))
            price = self.cells[f"{leg.instrument}.price"]
            self.temps = {"after": proposal.after}
            self.run_checked(leg.fill, proposal.rule)
            self._book(leg, proposal, held, price)

    def _is_unapproved(self, rule: Rule | None) -> bool:
        """Return whether a transition fires that waits where it enlarges a leg, and that enlarged none by itself.

        What fires beside it may have changed what it orders since it was tried.
        """
        waits = rule is not None and rule.name in self.context.reference.approvals
        return waits and not self.context.tries and self.context.shown is None

    def _approved(self, proposal: Proposal, held: Any, shown: Any) -> Any:
        """Return the quantity to reach so that the change lies between none and the one that was shown."""
        change = proposal.after - held
        if shown == 0 or (change > 0) != (shown > 0):
            return held
        if abs(change) <= abs(shown):
            return proposal.after
        after = held + shown
        while not self.context.reference.arithmetic.exact and abs(after - held) > abs(shown):
            after = math.nextafter(after, held)  # the sum was rounded away from what is held
        return after

    def pass_gates(self) -> None:
        """Let gates judge all orders of a microstep together, on what they would leave (rule 15).

        Of the transitions whose orders do not pass the last in the order of the document gives way: the rest is judged again
        without it.

        Raises:
            Stopped: a check is not true, or has no value.
        """
        if not self.changes:
            return
        ordered = frozenset(change.leg for change in self.changes)
        env = replace(self._outlook(), ordered=ordered)
        stopped: dict[int, tuple[Rule | None, list[Verdict]]] = {}
        for gate in self.context.reference.program.gates:
            judged = [change.rule for change in self.changes if is_judged(gate, change)]
            if not judged:
                continue
            rule = max(judged, key=self._place)
            verdicts = self._refusals(gate, "" if rule is None else rule.name, env)
            if verdicts:
                stopped.setdefault(self._place(rule), (rule, []))[1].extend(verdicts)
        if stopped:
            rule, verdicts = stopped[max(stopped)]
            raise Stopped(rule, tuple(verdicts))

    def _refusals(self, gate: Gate, rule: str, env: Environment) -> list[Verdict]:
        """Return why a gate does not let orders through; nothing where it does."""
        return [self._verdict(gate, check, rule, env) for check in gate.checks if not self._passes(check, env)]

    def _outlook(self) -> Environment:
        """Return what gates judge: the machine with every working order filled."""
        outlook = self.context.reference.program.outlook
        if not outlook:
            return self.environment()
        ahead = self.copy()
        ahead.run_checked(outlook, max((change.rule for change in self.changes), key=self._place))
        return ahead.environment()

    def _working(self, leg: Leg, rule: Rule | None) -> Verdict:
        """Return why a leg on which an order works takes no other one (rule 15)."""
        number, unit = self.cells[leg.order], self.context.reference.cells[leg.working].unit
        rest = abs(self.cells[leg.working])
        reason = f"order {number} of `{leg.name}` is working: {float(rest):g} {unit} of it are outstanding"
        return Verdict(leg.name, "working", "" if rule is None else rule.name, rest, None, 0, unit, reason)

    def _place(self, rule: Rule | None) -> int:
        return -1 if rule is None else self.context.reference.places.get(rule.name, -1)

    def _passes(self, check: Check, env: Environment) -> bool:
        try:
            if not self.value_in(check.condition, env):
                return False
        except Failure:
            return False
        return check.bound is None or self._says_yes(check.bound, env)

    def _says_yes(self, question: BoundCheck, env: Environment) -> bool:
        try:
            return self._answer(question, env)["ok"] is True
        except Failure:
            return False

    def _answer(self, question: BoundCheck, env: Environment) -> Mapping[str, Any]:
        """Return what a bound function says of the machine as the orders would leave it.

        Raises:
            Failure: nothing that counts.
        """
        call, context = question.call, self.context
        if not self._are_full(call.waits):
            raise Failure(f"`{call.function}` waits until {' and '.join(f'`{name}`' for name in call.waits)} is full")
        arguments = {name: self._argument(value, env) for name, value in call.arguments}
        return context.reference.functions.answer(question, arguments, context.results, context.macrostep)

    def _verdict(self, gate: Gate, check: Check, rule: str, env: Environment) -> Verdict:
        """Return why a check does not let orders through."""
        name = f"`{gate.called(check)}`"
        try:
            value, least, most, unit, words = self._told(check, env)
        except Failure as failure:
            nothing = "has no value" if check.bound is None else "has no answer"
            return Verdict(gate.name, check.name, rule, None, None, None, check.unit, f"{name} {nothing}: {failure}")
        return Verdict(gate.name, check.name, rule, value, least, most, unit, f"{name} {words}")

    def _told(self, check: Check, env: Environment) -> tuple[Any, Any, Any, str, str]:
        """Return value, least, most, unit and words of a check that says no.

        Raises:
            Failure: it has no value, or what it asks no answer.
        """
        stale = next((each for each in check.fresh if not evaluate(each.holds, env)), None)
        if stale is not None:
            words = f"is stale: `{stale.event}` has not come within {float(evaluate(stale.within, env)):g} s"
            return None, None, None, check.unit, words
        if check.bound is None:
            value, least, most = (
                None if each is None else evaluate(each, env) for each in (check.value, check.least, check.most)
            )
            evaluate(check.condition, env)
            return value, least, most, check.unit, _beyond(value, least, most, check.unit)
        said = self._answer(check.bound, env)
        value, limit, unit = said.get("value"), said.get("limit"), said.get("unit") or check.unit
        # It says a limit and not on which side.
        is_least = value is not None and limit is not None and value < limit
        least, most = (limit, None) if is_least else (None, limit)
        return (
            value,
            least,
            most,
            unit,
            f"says: {said['reason']}" if said.get("reason") else _beyond(value, least, most, unit),
        )

    def _book(self, leg: Leg, proposal: Proposal, held: Any, price: Value) -> None:
        """Note the order that a fill has just carried out."""
        temps = self.temps
        costs = temps["notional"], temps["fee"], temps["slip"]
        name = "" if proposal.rule is None else proposal.rule.name
        short = leg.side == "short"
        number = self.cells[leg.order] if leg.order else 0
        self.orders += orders_of(leg.name, leg.instrument, name, short, held, temps["delta"], price, costs, number)

    def _one_a_leg(self) -> list[Proposal]:
        """Return what is ordered, in the order of the legs."""
        reference = self.context.reference
        chosen: dict[str, Proposal] = {}
        for proposal in sorted(self.proposals, key=lambda each: reference.legs[each.leg]):
            leg = reference.program.legs[reference.legs[proposal.leg]]
            works = bool(leg.working and self.cells[leg.working])
            if proposal.after == self.cells[leg.quantity] and not (works and proposal.ends):
                continue  # no change is no order, unless the leg is to end here and an order takes it elsewhere
            if works:
                raise Stopped(proposal.rule, (self._working(leg, proposal.rule),), by_gates=False)
            first = chosen.setdefault(proposal.leg, proposal)
            if first is proposal:
                continue
            if first.rule is proposal.rule:
                raise Dropped(proposal.rule, Failure(f"`{proposal.leg}` is ordered twice in one step"))
            # Of two transitions the one that leaves more at risk gives way: no strategy vetoes a breaker beside it.
            loser = first if abs(first.after) > abs(proposal.after) else proposal
            raise Dropped(loser.rule, Failure(f"`{proposal.leg}` is ordered by another transition in the same step"))
        return list(chosen.values())

    def _is_cautious(self, rule: Rule | None) -> bool:
        return rule is not None and self.context.reference.part(rule.source) in self.context.cautious

    def run_checked(self, block: Block, rule: Rule | None) -> None:
        """Run instructions that write cells which several transitions write, so that a wrong value has one to blame.

        Raises:
            Dropped: one of them has no value, or a cell is outside its range now.
        """
        self.run(block, rule)
        self.check(cell for each in block if isinstance(each, Assign) for cell, _ in each.targets)

    def check(self, cells: Iterable[str] | None = None) -> None:
        """Check range and finiteness of what was written, or of some cells of it.

        Raises:
            Dropped: a value is outside; the transition that wrote it last is to blame.
        """
        reference = self.context.reference
        for name in sorted(self.written if cells is None else cells):
            cell, value = reference.cells[name], self.cells[name]
            reason = None
            if cell.type == "real" and not reference.arithmetic.finite(value):
                reason = f"`{name}` becomes {value}, which is not finite"
            elif cell.type != "bool" and cell.low is not None and value < reference.typed(cell, cell.low):
                reason = f"`{name}` becomes {value}, below {float(cell.low):g}"
            elif cell.type != "bool" and cell.high is not None and value > reference.typed(cell, cell.high):
                reason = f"`{name}` becomes {value}, above {float(cell.high):g}"
            if reason is not None:
                raise Dropped(self.written[name], Failure(reason))


def _beyond(value: Any, least: Any, most: Any, unit: str) -> str:
    """Return in words how a value does not get through, and by which limit."""
    shown = "" if value is None else f"{float(value):g}{'' if unit in ('', '1') else f' {unit}'}"
    if value is not None and most is not None and not value <= most:
        limit = f"above {float(most):g}"
    elif value is not None and least is not None and not value >= least:
        limit = f"below {float(least):g}"
    else:
        return f"does not hold at {shown}" if shown else "does not hold"
    return f"would be {shown}, {limit}"


def _grows(held: Any, after: Any) -> bool:
    """Return whether an order enlarges a leg, or turns it round."""
    turns = (after < 0) != (held < 0) and held != 0
    return bool(abs(after) > abs(held) or (turns and after != 0))


def is_judged(gate: Gate, change: Change) -> bool:
    """Return whether a gate judges an order."""
    if gate.legs and change.leg not in gate.legs:
        return False
    return gate.applies == "all" or (gate.applies == "increase") == change.increases
