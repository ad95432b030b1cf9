"""Induction over macrosteps: which facts hold at the end of every one, and every way that a macrostep can then go.

    start                 every outcome of the first event makes every fact hold
    step                  where all facts hold before an event, they hold after it
    control states        found from the start on, along the ways that are possible

Facts are proved together, each assumed before the step for all. One that does not come out is dropped, and with it what was
concluded from it: the rest is tried again without it, until nothing changes.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

from ..ir import Exact, Expr, Program
from ..registry import Registry
from .algebra import Algebra
from .execution import Machine
from .facts import Fact
from .outcome import Control, Input, Outcome
from .smt import script, symbols_of
from .solvers import Answer, Question, Solvers
from .symbols import TooManyError

__all__ = ["Claimed", "Induction", "Judged"]

MOST = 2_000
"""Outcomes over all control states; a program with more is not decided."""
PATIENCE = 300.0
"""Seconds for following every way; a program that takes longer is not decided."""
View = Literal["bare", "tied", "whole"]
_VIEWS: tuple[View, ...] = "bare", "tied", "whole"
"""What a question is told besides the claim: facts about it; conditions of the outcome that are tied to it; everything."""
_GLANCE = 1.0
"""Seconds for the question whether a way is possible; without an answer it counts as possible."""


@dataclass(frozen=True, slots=True)
class Claimed:
    """A condition that is to hold on one outcome."""

    outcome: Outcome
    claim: Expr


@dataclass(frozen=True, slots=True)
class Judged:
    """What came of a claim on one outcome: `unsat` is proved, as nothing contradicts it."""

    claimed: Claimed
    question: Question | None
    answer: Answer

    @property
    def holds(self) -> bool:
        return self.answer.verdict == "unsat"


_PLAIN = Answer("unsat", "by form", 0.0)


@dataclass(slots=True)
class Induction:
    """A machine, what is known of it, and how it can go."""

    machine: Machine
    solvers: Solvers
    seconds: float
    known: tuple[Fact, ...] = ()
    """What another induction has proved: assumed, and not proved again."""
    facts: tuple[Fact, ...] = ()
    outcomes: list[Outcome] = field(default_factory=list)
    broken: dict[str, frozenset[tuple[Control, Input]]] = field(default_factory=dict)
    """Where the claims that were dropped broke first: where all that was then believed held before."""
    grounds: list[Judged] = field(default_factory=list)
    """What came of the facts that were kept, on every outcome."""
    impossible: dict[str, tuple[Question, Answer]] = field(default_factory=dict)
    """The questions that showed that a way is none, by their scripts."""
    told: Callable[[str], None] | None = None
    # INVARIANT: the pool of the machine keeps every expression, so an identity stays that of one expression.
    _assumed: dict[tuple[Control, Input], tuple[Expr, ...]] = field(default_factory=dict)
    _end: float = math.inf
    _symbols: dict[int, frozenset[int]] = field(default_factory=dict)
    _scripts: dict[tuple[int, ...], str] = field(default_factory=dict)

    @staticmethod
    def of(
        program: Program,
        registry: Registry,
        solvers: Solvers,
        seconds: float,
        fixed: Mapping[str, Exact] = MappingProxyType({}),
        told: Callable[[str], None] | None = None,
        after: Induction | None = None,
    ) -> Induction:
        """Return the induction of a program, whose machine asks it which ways are possible.

        What one `after` which it comes has proved of the same program it knows.
        """
        algebra, known = (Algebra(), ()) if after is None else (after.machine.algebra, after.facts)
        machine = Machine(program, registry, algebra, lambda cases: induction.are_possible(cases), fixed)
        induction = Induction(machine, solvers, seconds, known, told=told)
        return induction

    def run(self, facts: Sequence[Fact]) -> None:
        """Find the facts that hold, and the outcomes.

        Raises:
            TooManyError: there are more outcomes than are followed.
        """
        known = {id(fact.claim) for fact in self.known}
        self.facts = tuple(fact for fact in facts if id(fact.claim) not in known)
        self._end = time.monotonic() + PATIENCE
        settled = False
        while not settled:
            self.impossible.clear()
            self.outcomes = self._explored()
            if self.told is not None:
                self.told(f"{len(self.known) + len(self.facts)} facts over {len(self.outcomes)} outcomes")
            settled = not self._drop_wrong(self.outcomes)
            if not settled:
                # What is wrong on a part of these ways is wrong. They are followed anew when nothing more is.
                ways = [outcome.with_implied() for outcome in self.outcomes]
                while self._drop_wrong(ways):
                    pass

    def _drop_wrong(self, outcomes: Sequence[Outcome]) -> bool:
        """Drop the facts that some outcome may break; return whether there were any."""
        wrong = self._wrong(outcomes)
        kept = [fact for fact in self.facts if id(fact) not in wrong]
        for fact, broken in wrong.values():
            kept += [Fact("", claim, "guess") for claim in fact.weaker if not self._is_said(claim, broken)]
            if fact.name:
                self.broken[fact.name] = frozenset((each.outcome.origin, each.outcome.input) for each in broken)
        self.facts = tuple(kept)
        self._assumed.clear()
        return bool(wrong)

    def _is_said(self, claim: Expr, broken: Sequence[Claimed]) -> bool:
        """Return whether a claim says nothing else than what is broken, on one outcome at least."""
        return any(self.machine.claim(claim, each.outcome) is each.claim for each in broken)

    def _wrong(self, outcomes: Sequence[Outcome]) -> dict[int, tuple[Fact, list[Claimed]]]:
        """Return the facts that some outcome may break, by identity, and what they say there."""
        claims = [
            (fact, Claimed(outcome, self.machine.claim(fact.claim, outcome)))
            for fact in self.facts
            for outcome in outcomes
        ]
        judged = self.grounds = self.judge([claimed for _, claimed in claims])
        found: dict[int, tuple[Fact, list[Claimed]]] = {}
        for (fact, claimed), one in zip(claims, judged, strict=True):
            if not one.holds:
                found.setdefault(id(fact), (fact, []))[1].append(claimed)
        return found

    # -------------------------------------------------------------------------------------------------------- exploring

    def _explored(self) -> list[Outcome]:
        machine, outcomes = self.machine, []
        seen: set[Control] = set()
        waiting: deque[Control] = deque()

        def take(outcome: Outcome) -> None:
            outcomes.append(outcome)
            if len(outcomes) > MOST:
                raise TooManyError(f"there are more than {MOST:,} outcomes, in {len(seen):,} control states and more")
            if outcome.target not in seen and machine.goes_on(outcome):
                seen.add(outcome.target)
                waiting.append(outcome.target)

        for input in machine.openings():
            for outcome in machine.outcomes(machine.anywhere(Control()), input, self.assumed(Control(), input)):
                take(outcome)
        while waiting:
            control = waiting.popleft()
            for input in machine.inputs(control):
                for outcome in machine.outcomes(machine.anywhere(control), input, self.assumed(control, input)):
                    take(outcome)
        return outcomes

    def assumed(self, control: Control, input: Input) -> tuple[Expr, ...]:
        """Return what is assumed before an input: of it, of the parameters, and, once started, the facts."""
        if (control, input) not in self._assumed:
            machine = self.machine
            facts = (*self.known, *self.facts) if control.leaves else ()
            held = [machine.held(fact.claim, control) for fact in facts]
            every = (*machine.parameters(), *machine.assumed(machine.anywhere(control), input), *held)
            self._assumed[control, input] = tuple(each for each in every if each is not machine.algebra.true)
        return self._assumed[control, input]

    def are_possible(self, cases: Sequence[tuple[Expr, ...]]) -> list[bool]:
        """Return of each list of conditions whether they can hold together, as far as a glance shows; the last is new."""
        if time.monotonic() > self._end:
            raise TooManyError(f"following every way takes longer than {PATIENCE:g} s")
        questions = [self._glance(new, known) for *known, new in cases]
        answers = self.solvers.ask_all(questions)
        for question, answer in zip(questions, answers, strict=True):
            if answer.verdict == "unsat":
                self.impossible[question.script] = question, answer
        return [answer.verdict != "unsat" for answer in answers]

    def _glance(self, new: Expr, known: Sequence[Expr]) -> Question:
        near = self._near([new], known)
        return Question(self._script([*near, new]), min(_GLANCE, self.seconds), ("nlsat",))

    # --------------------------------------------------------------------------------------------------------- judging

    def judge(self, claims: Sequence[Claimed]) -> list[Judged]:
        """Return what comes of claims: first from what is nearest to them, then from all that is known."""
        found: list[Judged | None] = [None] * len(claims)
        for view in _VIEWS:
            asked: list[tuple[int, Question]] = []
            for index, claimed in enumerate(claims):
                before = found[index]
                if before is not None and before.holds:
                    continue
                question = self.question(claimed, view)
                if question is None:
                    found[index] = Judged(claimed, None, _PLAIN)
                else:
                    asked.append((index, question))
            answers = self.solvers.ask_all([question for _, question in asked])
            for (index, question), answer in zip(asked, answers, strict=True):
                found[index] = Judged(claims[index], question, answer)
        return [each for each in found if each is not None]

    def question(self, claimed: Claimed, view: View) -> Question | None:
        """Return the question whether a claim can fail; None where its form shows that it cannot.

        Many outcomes leave what a claim speaks of as any other does, and are one question where no condition stands in it.
        """
        algebra, outcome = self.machine.algebra, claimed.outcome
        if claimed.claim is algebra.true:
            return None
        assumed = self.assumed(outcome.origin, outcome.input)
        if any(each is claimed.claim for each in (*assumed, *outcome.conditions)):
            return None
        denied = algebra.negation(claimed.claim)
        chosen = [*assumed, *outcome.conditions]
        if view != "whole":
            tied = self._near([denied], outcome.conditions) if view == "tied" else []
            chosen = [*self._within([denied, *tied], assumed, outcome), *tied]
        return Question(self._script([*chosen, denied]), self.seconds)

    def reached(self, outcome: Outcome) -> Question:
        """Return the question whether an outcome is possible where the facts hold."""
        conditions = [*self.assumed(outcome.origin, outcome.input), *outcome.conditions]
        return Question(self._script(conditions), self.seconds)

    def _script(self, conditions: Sequence[Expr]) -> str:
        key = tuple(map(id, conditions))
        if key not in self._scripts:
            self._scripts[key] = script(conditions)
        return self._scripts[key]

    def _within(self, about: Sequence[Expr], known: Sequence[Expr], outcome: Outcome) -> list[Expr]:
        """Return what is known of the symbols of some conditions and of no others; times are known with one another."""
        symbols = frozenset().union(*(self._symbols_of(each) for each in about))
        clocks = self._symbols_of(outcome.clock) | frozenset(map(id, self.machine.clocks))
        if symbols & clocks:
            symbols |= clocks
        return [each for each in known if self._symbols_of(each) <= symbols]

    def _near(self, about: Sequence[Expr], known: Sequence[Expr]) -> list[Expr]:
        """Return what is known of the symbols of some conditions, and of what those are tied to."""
        symbols = frozenset().union(*(self._symbols_of(each) for each in about))
        chosen: dict[int, Expr] = {}
        grown = True
        while grown:
            grown = False
            for each in known:
                if id(each) not in chosen and self._symbols_of(each) & symbols:
                    chosen[id(each)] = each
                    symbols |= self._symbols_of(each)
                    grown = True
        return [each for each in known if id(each) in chosen]

    def _symbols_of(self, expr: Expr) -> frozenset[int]:
        if id(expr) not in self._symbols:
            self._symbols[id(expr)] = frozenset(id(each) for each in symbols_of(expr))
        return self._symbols[id(expr)]
