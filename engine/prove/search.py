"""Counterexamples that a solver finds: short sequences of events, from the start on, that break a claim.

The same execution on symbols, each event after the last one, all their conditions together. It is breadth first, so what
comes out is as short as can be, and it goes only where the control states that can break the claim are still in reach.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from ..ir import Exact, Expr, Program
from ..registry import Registry
from .algebra import Algebra
from .execution import Machine
from .kinds import Property
from .outcome import Control, Input, Outcome, Standing
from .properties import property_of
from .smt import script
from .solvers import Answer, Question, Solvers

__all__ = ["LONG", "LONGEST", "QUICK", "Look", "Search", "Trace"]

Model = Mapping[str, Fraction | bool]
LONGEST = 8
"""Inputs that are looked at where the control states that can show something are far from the start."""
_GLANCE = 2.0
"""Seconds for one question of a search, which has many."""


@dataclass(frozen=True, slots=True)
class Look:
    """How hard a search looks: after how many questions it follows no further way, and the effort that each may take."""

    questions: float
    effort: int | None


QUICK = Look(120, 100_000)
"""A first look; none of the few questions that take a second before they say no. It is the same on every machine."""
LONG = Look(math.inf, None)


@dataclass(frozen=True, slots=True)
class Trace:
    """Inputs from the start on, and values of their symbols under which they show what was looked for."""

    outcomes: tuple[Outcome, ...]
    model: Model


@dataclass(frozen=True, slots=True)
class _Way:
    standing: Standing
    conditions: tuple[Expr, ...]
    outcomes: tuple[Outcome, ...] = ()


class Search:
    """Looks for traces of a program; parameters that are `fixed` are constants, which makes small questions.

    `known` are all outcomes of the program, as an induction found them: they say which control states lead where.
    """

    def __init__(
        self,
        program: Program,
        registry: Registry,
        fixed: Mapping[str, Exact],
        known: Sequence[Outcome],
        solvers: Solvers,
        look: Look = LONG,
    ) -> None:
        self.algebra = Algebra()
        self.machine = Machine(program, registry, self.algebra, self._are_possible, fixed)
        self.known = known
        self.solvers = solvers
        self.look = look
        self.asked = 0

    def traces(
        self, claimed: Property, places: frozenset[tuple[Control, Input]], depth: int, seconds: float
    ) -> Iterator[Trace]:
        """Yield traces that end in one of `places`, at an outcome that breaks a claim or is the witness that is wanted.

        They have at most `depth` inputs, or one more than the nearest place needs. After `seconds`, or all the questions
        of its look, none is looked for.
        """
        mine = property_of(claimed, self.machine, self.known)
        distances = _distances(self.known, {control for control, _ in places})
        nearest = distances.get(Control())
        if nearest is None:
            return
        # What two persons approve takes an event more.
        persons = max((each.persons for each in self.machine.program.approvals), default=1)
        depth = min(max(depth, nearest + 1 + persons), LONGEST)
        end = time.monotonic() + seconds
        ways = [_Way(self.machine.anywhere(Control()), self.machine.parameters())]
        for length in range(1, depth + 1):
            longer: list[_Way] = []
            for way in ways:
                for outcome, conditions in self._next(way, length, distances, depth, places):
                    if time.monotonic() > end or self.asked >= self.look.questions:
                        return
                    made = (*way.outcomes, outcome)
                    if (outcome.origin, outcome.input) in places:
                        model = self._model(mine, outcome, conditions)
                        if model is not None:
                            yield Trace(made, model)
                    far = length + 1 + distances.get(outcome.target, depth) > depth
                    if self.machine.goes_on(outcome) and not (far or _is_idle(way.standing, outcome)):
                        longer.append(_Way(self.machine.after(outcome, length), conditions, made))
            ways = longer

    def _next(
        self,
        way: _Way,
        length: int,
        distances: Mapping[Control, int],
        depth: int,
        places: frozenset[tuple[Control, Input]],
    ) -> Iterator[tuple[Outcome, tuple[Expr, ...]]]:
        """Yield what can come next on a way, with all its conditions."""
        machine, standing = self.machine, replace(way.standing, number=length)
        for input in machine.inputs(standing.control) if way.outcomes else machine.openings():
            if input.kind == "engine":
                continue  # nobody can send it
            if length == depth and (standing.control, input) not in places:
                continue
            assumed = (*way.conditions, *machine.assumed(standing, input))
            for outcome in machine.outcomes(standing, input, assumed):
                yield outcome, (*assumed, *outcome.conditions)

    def _model(self, mine: Property, outcome: Outcome, conditions: tuple[Expr, ...]) -> Model | None:
        """Return values under which an outcome shows what is looked for."""
        algebra = self.algebra
        if mine.witness is not None:
            wanted = algebra.true if mine.witness(outcome) else algebra.false
        else:
            wanted = algebra.any_of(*(algebra.negation(claim) for claim in mine.claims(outcome)))
        if wanted is algebra.false:
            return None
        (answer,) = self._answers(([*conditions, wanted],), _GLANCE, model=True)
        return answer.model if answer.verdict == "sat" else None

    def _are_possible(self, cases: Sequence[tuple[Expr, ...]]) -> list[bool]:
        return [answer.verdict != "unsat" for answer in self._answers(cases, _GLANCE / 2)]

    def _answers(self, cases: Sequence[Sequence[Expr]], seconds: float, *, model: bool = False) -> list[Answer]:
        self.asked += len(cases)
        effort = self.look.effort
        return self.solvers.ask_all([Question(script(each), seconds, ("nlsat",), model, effort) for each in cases])


def _is_idle(standing: Standing, outcome: Outcome) -> bool:
    """Return whether an input leaves a machine as it was, but for its clock: what comes next could have come at once."""
    cells = standing.cells
    return outcome.target == standing.control and all(outcome.cells[name] is cells[name] for name in cells)


def _distances(outcomes: Sequence[Outcome], ends: set[Control]) -> dict[Control, int]:
    """Return how many inputs each control state is away from one of some others, at least."""
    found = dict.fromkeys(ends, 0)
    grown = True
    while grown:
        grown = False
        for outcome in outcomes:
            if outcome.target in found and found[outcome.target] + 1 < found.get(outcome.origin, len(outcomes) + 1):
                found[outcome.origin] = found[outcome.target] + 1
                grown = True
    return found
