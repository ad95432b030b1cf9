"""What is claimed of a program: its own claims, and those that every spec gets without asking.

A property is a list of claims on single outcomes, all of which must hold, or of outcomes one of which must be possible.
"""

from __future__ import annotations

import math
import textwrap
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from typing import Literal

from ..evaluate import FLOAT, Environment, Failure, evaluate
from ..ir import Block, Exact, Expr, Leg, Program, Propose, Ranking, Rule
from ..printer import expression_text
from ..vocabulary import matches
from .algebra import Algebra
from .clocks import since_cell
from .execution import Machine
from .interpreter import FAILS
from .outcome import Control, Outcome

__all__ = ["KINDS", "Kind", "Property", "properties_of"]

Kind = Literal[
    "invariant",
    "helper",
    "ends",
    "dead",
    "reached",
    "overlap",
    "conserved",
    "divides",
    "fails",
    "leaves",
    "orders",
    "trips",
    "flat",
]
HALTED = "halted"
"""The tag of states in which a machine takes no new risk."""
_FROM = 1_000
"""From how many times its bound a measure is told to come down, as an example."""
_LONGEST = 200
"""Characters of a claim that are shown."""
_UNDEFINED = ("division by zero", "the square root of a negative number")


@dataclass(frozen=True, slots=True)
class About:
    """What a kind of property is called, and what it says; `{}` is the name of what it is about."""

    code: str
    title: str
    words: str


KINDS: Mapping[Kind, About] = {
    "invariant": About("HR901", "an invariant", "after every event: {}"),
    "helper": About("HR902", "a helper", "after every event: {}"),
    "ends": About("HR903", "an end", "{}"),
    "dead": About("HR904", "no dead transition", "`{}` can fire"),
    "reached": About("HR905", "every state reached", "`{}` can be reached"),
    "overlap": About("HR906", "an order that decides nothing", "{}"),
    "conserved": About(
        "HR907",
        "money conserved",
        "{}equity changes by positions × moves of the mark − fees − slippage + flows, and else not",
    ),
    "divides": About("HR908", "no division by zero", "nothing divides by zero or takes the root of a negative number"),
    "fails": About("HR909", "no failing transition", "no transition fails at run time"),
    "leaves": About("HR910", "a halted state that can be left", "`{}`, once halted, can be left"),
    "orders": About("HR911", "no order after the halt", "while `{}` is halted no order enlarges a leg"),
    "trips": About(
        "HR912", "a breaker that does not trip again at once", "after a reset nothing leads straight back into `{}`"
    ),
    "flat": About("HR913", "a way to flat while halted", "from `{}` the machine can close every leg that it trades"),
}


def _nothing(_: Outcome) -> tuple[Expr, ...]:
    return ()


@dataclass(frozen=True, slots=True)
class Property:
    """A claim about a program.

    What `claims` returns must hold on every outcome; where `witness` is given, it must say yes to one that is possible;
    where `way` is given, it is a way that must be possible, and an empty one says that there is none. `without` says why it
    cannot be decided in any case.
    """

    kind: Kind
    name: str
    words: str
    claims: Callable[[Outcome], Iterable[Expr]] = _nothing
    witness: Callable[[Outcome], bool] | None = None
    way: tuple[Outcome, ...] | None = None
    without: str = ""
    opaque: tuple[str, ...] = ()
    """Bound functions whose results the claim reads."""

    @property
    def code(self) -> str:
        return KINDS[self.kind].code


def properties_of(machine: Machine, outcomes: Sequence[Outcome], texts: Mapping[str, str]) -> tuple[Property, ...]:
    """Return what is claimed, the spec's own claims first.

    Args:
        machine: makes the claims on outcomes: those given, and any other of the same program.
        outcomes: every way that the program can go.
        texts: the claims as they are written, by name.
    """
    made = _Properties(machine, outcomes, texts)
    return (*made.own(), *made.every())


class _Properties:
    def __init__(self, machine: Machine, outcomes: Sequence[Outcome], texts: Mapping[str, str]) -> None:
        self.machine, self.outcomes, self.texts = machine, outcomes, texts
        self.program: Program = machine.program
        self.algebra: Algebra = machine.algebra
        ordered = {each.leg for block in _blocks(machine.program) for each in block if isinstance(each, Propose)}
        self.traded = tuple(leg for leg in machine.program.legs if leg.name in ordered)
        """The legs that something orders; any other is held, and no position that the machine takes."""

    # -------------------------------------------------------------------------------------------------- the spec's own

    def own(self) -> Iterator[Property]:
        for name, claim in self.program.invariants:
            yield self._own("invariant", name, claim)
        for name, claim in self.program.helpers:
            yield self._own("helper", name, claim)
        for ranking in self.program.rankings:
            yield from self._ends(ranking)

    def _own(self, kind: Kind, name: str, claim: Expr) -> Property:
        words = KINDS[kind].words.format(self._text(name, claim))
        return Property(kind, name, words, partial(self._claimed, claim), opaque=self._opaque(claim))

    def _opaque(self, *exprs: Expr) -> tuple[str, ...]:
        """Return the bound functions whose results expressions read."""
        read = {node.name for expr in exprs for node in expr.walk() if node.op in ("cell", "before")}
        calls = (call for call in self.program.calls if any(cell in read for _, cell in call.into))
        return tuple(dict.fromkeys(call.function for call in calls))

    def _text(self, name: str, claim: Expr) -> str:
        """Return a claim as it is written; one of a spec that is used as its program says it."""
        return self.texts.get(name) or textwrap.shorten(expression_text(claim), _LONGEST, placeholder=" …")

    def _claimed(self, claim: Expr, outcome: Outcome) -> Iterator[Expr]:
        yield self.machine.claim(claim, outcome)

    def _ends(self, ranking: Ranking) -> Iterator[Property]:
        """Yield that a measure shrinks at each firing and never grows, and that a firing comes in time."""
        make, measured = self.algebra.make, self.machine.measured
        state, name = ranking.state, ranking.name
        rule = next(each for each in self.program.rules if each.name == ranking.rule)
        noted = since_cell(self.program, ranking.rule)
        zero, one = self.algebra.constant(0, "real"), self.algebra.constant(1, "real")

        def shrinks(outcome: Outcome) -> Iterator[Expr]:
            if state in outcome.was and rule.name in outcome.fired:
                factor = measured(ranking.factor, outcome, outcome.before)
                before = measured(ranking.measure, outcome, outcome.before)
                after = measured(ranking.measure, outcome, outcome.cells)
                yield make("le", (after, make("mul", (factor, before), "real")), "bool")
                yield make("ge", (factor, zero), "bool")
                yield make("lt", (factor, one), "bool")

        def stays(outcome: Outcome) -> Iterator[Expr]:
            if state in outcome.was:
                before = measured(ranking.measure, outcome, outcome.before)
                yield make("le", (measured(ranking.measure, outcome, outcome.cells), before), "bool")

        def is_asked(outcome: Outcome) -> bool:
            came = outcome.input.kind == "event" and outcome.input.name in rule.events
            return came and state in self.machine.active(outcome.origin) and state in outcome.active

        def left(outcome: Outcome) -> Iterator[Expr]:
            if is_asked(outcome):
                measure, until = (measured(e, outcome, outcome.before) for e in (ranking.measure, ranking.until))
                yield make("ge", (measure, until), "bool")

        def comes(outcome: Outcome) -> Iterator[Expr]:
            if is_asked(outcome) and rule.name not in outcome.fired:
                waited = make("seconds", (outcome.time, outcome.before[noted]), "real")
                soon = make("lt", (waited, measured(ranking.within, outcome, outcome.before)), "bool")
                claimed = self.algebra.true
                if ranking.provided is not None:
                    claimed = measured(ranking.provided, outcome, outcome.before)
                yield self.algebra.implies(claimed, soon)

        for part, words, claims in (
            (
                "shrinks",
                f"each `{rule.name}` multiplies the measure by at most the factor, which is below 1{self._bound(ranking)}",
                shrinks,
            ),
            ("never_grows", f"in `{state}` the measure never grows", stays),
            ("is_left", f"where the measure is below its bound, the next event leaves `{state}`", left),
            ("comes", f"in `{state}`, `{rule.name}` fires within the stated time, or the state is left", comes),
        ):
            yield Property("ends", f"{name}.{part}", words, claims, opaque=self._opaque(ranking.measure))

    def _bound(self, ranking: Ranking) -> str:
        """Return how often the transition of a ranking can fire, in words: n is the least with factor^n · m < bound."""
        defaults = {p.name: _float(p.default) for p in self.program.parameters if p.given is None}
        try:
            factor = evaluate(ranking.factor, Environment(defaults, FLOAT))
        except (Failure, KeyError):
            return ""
        if not 0 < factor < 1:
            return ""
        count = math.floor(math.log(1 / _FROM) / math.log(factor)) + 1
        return (
            ", so it takes at most floor(log(bound / measure) / log(factor)) + 1 firings to come below the bound:"
            f" {count} from {_FROM:,} times the bound, at the default factor {factor:g}"
        )

    # ------------------------------------------------------------------------------------------- what every spec gets

    def every(self) -> Iterator[Property]:
        yield from self._money()
        yield from self._errors()
        yield from self._halts()
        yield from self._coverage()
        yield from self._overlaps()

    def _coverage(self) -> Iterator[Property]:
        for rule in self.program.rules:
            yield _witnessed("dead", rule.name, partial(_fires, rule.name))
        for state in self.program.states:
            if state.kind != "history":
                yield _witnessed("reached", state.name, partial(_reaches, state.name))

    def _overlaps(self) -> Iterator[Property]:
        pairs = dict.fromkeys((each.first, each.second) for outcome in self.outcomes for each in outcome.overlaps)
        for first, second in pairs:

            def apart(outcome: Outcome, pair: tuple[str, str] = (first, second)) -> Iterator[Expr]:
                for each in outcome.overlaps:
                    if (each.first, each.second) == pair:
                        yield self.algebra.negation(each.condition)

            words = f"`{first}` and `{second}` never hold at once, so their order decides nothing"
            yield Property("overlap", f"{first}, {second}", words, apart)

    def _money(self) -> Iterator[Property]:
        """Yield that equity moves with the marks, and else only by fees, slippage and flows (DESIGN rule 14)."""
        parts: dict[str, list[Leg]] = {}
        for leg in self.program.legs:
            prefix, dot, _ = leg.name.rpartition(".")
            parts.setdefault(prefix + dot, []).append(leg)
        for prefix, legs in parts.items():
            owner = f"of `{prefix[:-1]}`: " if prefix else ""
            yield _property("conserved", f"{prefix}ledger", owner, partial(self._conserved, prefix, legs))

    def _conserved(self, prefix: str, legs: Sequence[Leg], outcome: Outcome) -> Iterator[Expr]:
        make, before, after = self.algebra.make, outcome.start, outcome.cells
        total = self.algebra.constant(0, "real")
        for cell, sign in (("cash", "add"), ("fees", "add"), ("slippage", "add"), ("flows", "sub")):
            name = f"{prefix}{cell}"
            total = make(sign, (total, make("sub", (after[name], before[name]), "real")), "real")
        for leg in legs:
            moved = make("sub", (after[leg.quantity], before[leg.quantity]), "real")
            worth = make("mul", (moved, after[f"{leg.instrument}.price"]), "real")
            total = make("sub" if leg.side == "short" else "add", (total, worth), "real")
        yield make("eq", (total, self.algebra.constant(0, "real")), "bool")

    def _errors(self) -> Iterator[Property]:
        """Yield that no outcome has an error; that a bound function fails is left to it."""

        def without(undefined: bool, outcome: Outcome) -> Iterator[Expr]:
            for error in outcome.errors:
                if not error.endswith(FAILS) and any(each in error for each in _UNDEFINED) == undefined:
                    yield self.algebra.false

        yield _property("divides", "divisions", "", partial(without, True))
        yield _property("fails", "failures", "", partial(without, False))

    # ----------------------------------------------------------------------------------------------------- halted states

    def _halts(self) -> Iterator[Property]:
        """Yield how risk controls have failed elsewhere, of every state that is tagged `halted`."""
        for state in self.program.states:
            if HALTED not in state.tags:
                continue
            name = state.name
            out = self._way(name, partial(_leaves, name), inside=name)
            yield Property("leaves", name, KINDS["leaves"].words.format(name), way=out)
            yield _property("orders", name, name, partial(self._orders, name))
            yield self._trips(name)
            if self.traded:
                flat = self._way(name, self._is_flat)
                yield Property("flat", name, KINDS["flat"].words.format(name), way=flat)

    def _is_flat(self, outcome: Outcome) -> bool:
        return all(_is_zero(outcome.cells[leg.quantity]) for leg in self.traded)

    def _way(self, state: str, there: Callable[[Outcome], bool], inside: str = "") -> tuple[Outcome, ...]:
        """Return the shortest way from a state to an outcome that is wanted; nothing where there is none.

        What the engine brings about by itself is no way; with `inside` a way stays in that state up to its end.
        """
        after: dict[Control, list[Outcome]] = {}
        for outcome in self.outcomes:
            if outcome.input.kind != "engine":
                after.setdefault(outcome.origin, []).append(outcome)
        starts = [control for control in after if state in self.machine.active(control)]
        ways: dict[Control, tuple[Outcome, ...]] = dict.fromkeys(starts, ())
        waiting = deque(starts)
        while waiting:
            control = waiting.popleft()
            for outcome in after.get(control, ()):
                way = (*ways[control], outcome)
                if there(outcome):
                    return way
                if outcome.target not in ways and (not inside or inside in outcome.active):
                    ways[outcome.target] = way
                    waiting.append(outcome.target)
        return ()

    def _orders(self, state: str, outcome: Outcome) -> Iterator[Expr]:
        make = self.algebra.make
        if state in self.machine.active(outcome.origin) and state in outcome.active:
            for order in outcome.orders:
                sizes = make("abs", (order.after,), "real"), make("abs", (order.held,), "real")
                yield make("le", sizes, "bool")

    def _trips(self, state: str) -> Property:
        """Return that no transition back into a state is enabled on the values with which it is left."""
        back = [rule for rule in self.program.rules if self._enters(rule, state) and self._comes_by_itself(rule)]
        blind = [rule.name for rule in back if any(node.op == "field" for node in self._guard(rule).walk())]

        def rests(outcome: Outcome) -> Iterator[Expr]:
            if state in self.machine.active(outcome.origin) and state not in outcome.active:
                for rule in back:
                    if rule.source in outcome.active and rule.name not in blind:
                        yield self.algebra.negation(self.machine.claim(self._guard(rule), outcome))

        without = f"the guard of `{blind[0]}` depends on what its event says" if blind else ""
        return Property("trips", state, KINDS["trips"].words.format(state), rests, without=without)

    def _comes_by_itself(self, rule: Rule) -> bool:
        """Return whether a transition needs nobody's will: an event without fields and a guard is somebody's word."""
        told = any(event.fields for event in self.program.events if matches(rule.events, event.name))
        return rule.guard is not None or told or not rule.events

    def _guard(self, rule: Rule) -> Expr:
        return self.algebra.true if rule.guard is None else rule.guard

    def _enters(self, rule: Rule, state: str) -> bool:
        tree = self.machine.tree
        entered = (name for target in rule.targets for name in (target, *tree.ancestors[target]))
        return state in entered and rule.source != state and not tree.is_descendant(rule.source, state)


def _property(kind: Kind, name: str, about: str, claims: Callable[[Outcome], Iterable[Expr]]) -> Property:
    return Property(kind, name, KINDS[kind].words.format(about), claims)


def _witnessed(kind: Kind, name: str, witness: Callable[[Outcome], bool]) -> Property:
    return Property(kind, name, KINDS[kind].words.format(name), witness=witness)


def _fires(rule: str, outcome: Outcome) -> bool:
    return rule in outcome.fired


def _reaches(state: str, outcome: Outcome) -> bool:
    return state in outcome.active


def _leaves(state: str, outcome: Outcome) -> bool:
    return state not in outcome.active


def _blocks(program: Program) -> Iterator[Block]:
    for state in program.states:
        yield from (state.entry, state.initially, state.exit)
    for rule in program.rules:
        yield rule.action


def _float(value: Exact) -> float | int | bool:
    return float(value) if isinstance(value, Fraction) else value


def _is_zero(expr: Expr) -> bool:
    return expr.op == "const" and expr.value == 0
