"""What every spec is asked: its ledger, its errors, how risk controls have failed elsewhere, what can happen at all."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from functools import partial

from ..ir import Block, Expr, Leg, Program, Propose, Rule
from ..vocabulary import matches
from .algebra import Algebra
from .execution import Machine
from .gates import Gates
from .interpreter import FAILS
from .kinds import Property
from .outcome import Control, Outcome

__all__ = ["Asked"]

HALTED = "halted"
"""The tag of states in which a machine takes no new risk."""
_UNDEFINED = ("division by zero", "the square root of a negative number")


class Asked:
    """Makes the properties that every spec gets of a program, from all its outcomes."""

    def __init__(self, machine: Machine, outcomes: Sequence[Outcome]) -> None:
        self.machine, self.outcomes = machine, outcomes
        self.program: Program = machine.program
        self.algebra: Algebra = machine.algebra
        ordered = {each.leg for block in _blocks(machine.program) for each in block if isinstance(each, Propose)}
        self.traded = tuple(leg for leg in machine.program.legs if leg.name in ordered)
        """The legs that something orders; any other is held, and no position that the machine takes."""

    def all(self) -> Iterator[Property]:
        yield from self._money()
        yield from self._errors()
        yield from self._halts()
        yield from Gates(self.machine, self.outcomes).all({leg.name for leg in self.traded})
        yield from self._coverage()
        yield from self._overlaps()

    def _coverage(self) -> Iterator[Property]:
        for rule in self.program.rules:
            yield Property.of("dead", rule.name, rule.name, witness=partial(_fires, rule.name))
        for state in self.program.states:
            if state.kind != "history":
                yield Property.of("reached", state.name, state.name, witness=partial(_reaches, state.name))

    def _overlaps(self) -> Iterator[Property]:
        pairs = dict.fromkeys((each.first, each.second) for outcome in self.outcomes for each in outcome.overlaps)
        for first, second in pairs:

            def apart(outcome: Outcome, pair: tuple[str, str] = (first, second)) -> Iterator[Expr]:
                for each in outcome.overlaps:
                    if (each.first, each.second) == pair:
                        yield self.algebra.negation(each.condition)

            words = f"`{first}` and `{second}` never hold at once, so their order decides nothing"
            yield Property.of("overlap", f"{first}, {second}", words, claims=apart)

    def _money(self) -> Iterator[Property]:
        """Yield that equity moves with the marks, and else only by fees, slippage and flows (DESIGN rule 14)."""
        parts: dict[str, list[Leg]] = {}
        for leg in self.program.legs:
            prefix, dot, _ = leg.name.rpartition(".")
            parts.setdefault(prefix + dot, []).append(leg)
        for prefix, legs in parts.items():
            owner = f"of `{prefix[:-1]}`: " if prefix else ""
            conserved = partial(self._conserved, prefix, legs)
            yield Property.of("conserved", f"{prefix}ledger", owner, claims=conserved)

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

        yield Property.of("divides", "divisions", "", claims=partial(without, True))
        yield Property.of("fails", "failures", "", claims=partial(without, False))

    # ----------------------------------------------------------------------------------------------------- halted states

    def _halts(self) -> Iterator[Property]:
        """Yield how risk controls have failed elsewhere, of every state that is tagged `halted`."""
        for state in self.program.states:
            if HALTED not in state.tags:
                continue
            name = state.name
            out = self._way(name, partial(_leaves, name), inside=name)
            yield Property.of("leaves", name, name, way=out)
            yield Property.of("orders", name, name, claims=partial(self._orders, name))
            yield self._trips(name)
            if self.traded:
                flat = self._way(name, self._is_flat)
                yield Property.of("flat", name, name, way=flat)

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
        return Property.of("trips", state, state, claims=rests, without=without)

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


def _is_zero(expr: Expr) -> bool:
    return expr.op == "const" and expr.value == 0
