"""The claims of a spec as properties: what holds after every event, and what comes to an end."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterator, Mapping
from fractions import Fraction
from functools import partial

from ..evaluate import FLOAT, Environment, Failure, evaluate
from ..ir import Exact, Expr, Program, Ranking
from ..printer import expression_text
from .algebra import Algebra
from .clocks import since_cell
from .execution import Machine
from .kinds import Kind, Property
from .outcome import Outcome

__all__ = ["Claimed"]

_FROM = 1_000
"""From how many times its bound a measure is told to come down, as an example."""
_LONGEST = 200
"""Characters of a claim that are shown."""


class Claimed:
    """Makes properties of the claims of a program; `texts` has them as they are written, by name."""

    def __init__(self, machine: Machine, texts: Mapping[str, str]) -> None:
        self.machine, self.texts = machine, texts
        self.program: Program = machine.program
        self.algebra: Algebra = machine.algebra

    def all(self) -> Iterator[Property]:
        for name, claim in self.program.invariants:
            yield self._own("invariant", name, claim)
        for name, claim in self.program.helpers:
            yield self._own("helper", name, claim)
        for ranking in self.program.rankings:
            yield from self._ends(ranking)

    def _own(self, kind: Kind, name: str, claim: Expr) -> Property:
        claims = partial(self._claimed, claim)
        return Property.of(kind, name, self._text(name, claim), claims=claims, opaque=self._opaque(claim))

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
            yield Property.of("ends", f"{name}.{part}", words, claims=claims, opaque=self._opaque(ranking.measure))

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


def _float(value: Exact) -> float | int | bool:
    return float(value) if isinstance(value, Fraction) else value
