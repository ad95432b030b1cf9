"""The properties of one program judged: by induction, by bolder induction, and by events that show or break them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from ..ir import Exact, Expr, Program
from ..load import Spec
from .algebra import Algebra
from .execution import Machine
from .facts import facts_of
from .induction import Claimed, Induction, Judged
from .interpreter import FAILS
from .kinds import Kind, Property
from .outcome import Control, Input, Outcome
from .player import OpaqueError, Played
from .properties import properties_of
from .refute import Refuter
from .result import Counterexample, Obligation, Result, Verdict
from .search import LONG, QUICK, Look, Search
from .sieve import Sieve
from .solvers import Solvers
from .symbols import TooManyError
from .walked import Walked, Walks
from .words import SMALLER, help_for

__all__ = ["Proving", "obligation"]

DEPTH = 3
"""Events of the counterexamples that the solver looks for."""


@dataclass(slots=True)
class _Pending:
    """A property that is being judged: on which outcomes it is not proved, or where its witnesses are."""

    about: Property
    induction: Induction
    judged: Sequence[Judged] = ()
    witnesses: Sequence[Outcome] = ()

    @property
    def open(self) -> list[Judged]:
        return [each for each in self.judged if not each.holds]

    @property
    def holds(self) -> bool:
        plain = self.about.witness is None and self.about.way is None
        return plain and not self.open and not self.about.without


class Proving:
    """Judges the properties of one program, each by the first of these that tells; what is cheap and shallow goes first.

        a claim                      what is claimed to be possible
        careful induction            careful induction: nothing leads there
                                     short walks
        a quick look for events      a quick look for events
        bolder induction             bolder induction: nothing leads there
        a long look for events       long walks
        long walks                   a long look for events

    The events of a solver are few, so those that break a claim are looked for first; to be somewhere walks are cheaper.
    """

    def __init__(
        self,
        spec: Spec,
        program: Program,
        fixed: Mapping[str, Exact],
        solvers: Solvers,
        seconds: float,
        walks: Walks,
        sieve: Sieve,
        progress: Callable[[str], None] | None,
    ) -> None:
        self.spec, self.program, self.fixed = spec, program, fixed
        self.only: Collection[str] = ()
        self.solvers, self.seconds, self.progress = solvers, seconds, progress
        self.texts = spec.claims
        self.inductions: list[Induction] = []
        self.seen: list[Played] = []
        """What events have shown that were looked for."""
        self.walks, self.sieve = walks, sieve
        self.opaque = program.functions

    def _tell(self, message: str) -> None:
        if self.progress is not None:
            self.progress(message)

    def results(self, only: Collection[str]) -> list[Result]:
        """Return what comes of each property; of a program with more outcomes than are followed, that it is not decided."""
        self.only = only
        try:
            return self._results()
        except TooManyError as error:
            self._tell(str(error))
            algebra = Algebra()
            machine = Machine(self.program, self.spec.registry, algebra, _anything, self.fixed)
            every = filter(self._is_wanted, properties_of(machine, (), self.texts))
            return [
                Result(each.code, each.kind, each.name, each.words, "not decided", (), str(error), SMALLER)
                for each in every
            ]

    def _is_wanted(self, about: Property) -> bool:
        return not self.only or about.name in self.only or about.name.partition(".")[0] in self.only

    def _results(self) -> list[Result]:
        """Return what comes of each property."""
        pending = self._judged(bold=False)
        # Two guards that overlap are no fault: for them alone no more is guessed.
        if any(each.open for each in pending if each.about.kind != "overlap"):
            pending = [self._bolder(each) if each.about.kind == "overlap" else each for each in pending]
        results = [self._result(each) for each in pending]
        # What was looked for in vain may have been shown on the way to something else.
        return [
            self._told(each, "proved") if result.verdict == "not decided" and self._is_seen(each.about) else result
            for each, result in zip(pending, results, strict=True)
        ]

    @cached_property
    def bold(self) -> dict[tuple[Kind, str], _Pending]:
        """The properties once more, with bolder guesses."""
        self._tell("guessing more")
        return {(each.about.kind, each.about.name): each for each in self._judged(bold=True)}

    def _bolder(self, first: _Pending) -> _Pending:
        """Return a claim as the bolder guesses leave it, where it is open and that is better."""
        if not first.open:
            return first
        second = self.bold.get((first.about.kind, first.about.name), first)
        return second if second.holds else first

    def _is_dead(self, pending: _Pending) -> bool:
        """Return whether the bolder guesses show that a witness cannot be."""
        second = self.bold.get((pending.about.kind, pending.about.name), pending)
        return not second.witnesses

    def _judged(self, *, bold: bool) -> list[_Pending]:
        registry = self.spec.registry
        first = self.inductions[0] if self.inductions else None
        induction = Induction.of(self.program, registry, self.solvers, self.seconds, self.fixed, self.progress, first)
        machine = induction.machine
        self.inductions.append(induction)
        induction.run(self.sieve.sifted(facts_of(self.program, machine.algebra, bold=bold)))
        properties = list(filter(self._is_wanted, properties_of(machine, induction.outcomes, self.texts)))
        claims = [
            [Claimed(outcome, claim) for outcome in induction.outcomes for claim in each.claims(outcome)]
            for each in properties
        ]
        judged = iter(induction.judge([claim for each in claims for claim in each]))
        pending = []
        for each, mine in zip(properties, claims, strict=True):
            one = _Pending(each, induction, [next(judged) for _ in mine])
            if each.witness is not None:
                one.witnesses = [outcome for outcome in induction.outcomes if each.witness(outcome)]
            pending.append(one)
        return pending

    # --------------------------------------------------------------------------------------------------------- verdicts

    def _result(self, pending: _Pending) -> Result:
        about = pending.about
        if about.kind == "overlap":
            return self._overlap(pending)
        if about.witness is not None:
            return self._witnessed(pending)
        if about.way is not None:
            return self._led(pending, about.way)
        return self._claimed(pending)

    def _claimed(self, pending: _Pending) -> Result:
        about = pending.about
        if pending.holds:
            return self._told(pending, "proved")
        if not pending.open:
            return self._told(pending, "not decided", about.without, help_for(about, ()))
        self._tell(f"looking for events that break `{about.name}`")
        found = self._counterexample(pending, QUICK)
        if found is None:
            bolder = self._bolder(pending)
            if bolder.holds:
                return self._told(bolder, "proved")
            self._tell(f"looking longer for events that break `{about.name}`")
            found = self._counterexample(pending, LONG) or self._walked(pending)
        if found is not None:
            return self._told(pending, "refuted", "these events break it", (), found)
        return self._undecided(pending)

    def _undecided(self, pending: _Pending) -> Result:
        """Return where a claim is open, and what might help."""
        places = [_place(each.claimed.outcome) for each in pending.open]
        unknown = all(each.answer.verdict == "unknown" for each in pending.open)
        why = (
            "the solver gives no answer"
            if unknown
            else "the solver finds values that break it, but no events that lead to them"
        )
        because = f"{why}: {places[0]}" + (f" and {len(places) - 1} more" if len(places) > 1 else "")
        if self.opaque:
            because += f"; what `{self.opaque[0]}` returns is not known"
        return self._told(pending, "not decided", because, help_for(pending.about, places))

    def _overlap(self, pending: _Pending) -> Result:
        both = [each for each in pending.open if each.answer.verdict == "sat"]
        if both:
            first, second = pending.about.name.split(", ")
            because = f"`{first}` and `{second}` can hold at once, and `{first}` goes first"
            return self._told(pending, "noted", because)
        return self._told(pending, "proved" if not pending.open else "noted", "" if not pending.open else "not decided")

    def _witnessed(self, pending: _Pending) -> Result:
        about = pending.about
        witness = about.witness
        assert witness is not None
        never = "nothing leads there: it is proved that it cannot happen"
        if not pending.witnesses:
            return self._told(pending, "refuted", never)
        if not any(map(witness, _without_errors(pending.induction.outcomes))):
            return self._told(pending, "noted", "only what follows an error leads there")
        without = any(map(_needs_nothing, pending.witnesses))
        if without or _is_walked(about, self.walks.short) or self._is_seen(about):
            return self._told(pending, "proved")
        if len(self.inductions) > 1 and self._is_dead(pending):
            return self._told(pending, "refuted", never)
        self._tell(f"looking for events that show: {about.words}")
        places = frozenset((each.origin, each.input) for each in pending.witnesses)
        found = self._searched(pending, places, QUICK)
        if found is None:
            if self._is_dead(pending):
                return self._told(pending, "refuted", never)
            if _is_walked(about, self.walks.long):
                return self._told(pending, "proved")
            found = self._searched(pending, places, LONG)
        if found is not None:
            return self._told(pending, "proved", "", (), found)
        because = "nothing forbids it, and no events were found that show it"
        return self._told(pending, "not decided", because, help_for(about, ()))

    def _is_seen(self, about: Property) -> bool:
        """Return whether events that were found show what a property wants to see."""
        witness = about.witness
        return witness is not None and any(any(map(witness, each.outcomes)) for each in self.seen)

    def _led(self, pending: _Pending, way: tuple[Outcome, ...]) -> Result:
        """Return what comes of a way that must be possible, step by step."""
        if not way:
            return self._told(pending, "refuted", "nothing leads there: it is proved that it cannot happen")
        questions = [pending.induction.reached(outcome) for outcome in way]
        answers = self.solvers.ask_all(questions)
        steps = [" and ".join(f"`{name}`" for name in outcome.fired) or f"`{outcome.input}`" for outcome in way]
        because = f"by {', then '.join(dict.fromkeys(steps))}"
        if not all(answer.verdict == "sat" for answer in answers):
            return self._told(pending, "not decided", because)
        # Over the reals more is possible than over whole numbers, and not every value is ever reached.
        plain = {name for outcome in _without_errors(pending.induction.outcomes) for name in outcome.fired}
        fired = dict.fromkeys(name for outcome in way for name in outcome.fired)
        if not plain.issuperset(fired):
            return self._told(pending, "noted", f"{because}; only what follows an error leads there")
        for name in fired:
            if not self._has_fired(name, pending.induction):
                return self._told(pending, "not decided", f"{because}; no events were found on which `{name}` fires")
        return self._told(pending, "proved", because)

    def _has_fired(self, rule: str, induction: Induction) -> bool:
        """Return whether a transition has fired in a random walk, or events are found on which it does."""
        if rule in self.walks.short.fired or any(rule in played.fired for played in self.seen):
            return True
        if rule in self.walks.long.fired:
            return True
        every = properties_of(induction.machine, induction.outcomes, {})
        about = next((each for each in every if (each.kind, each.name) == ("dead", rule)), None)
        places = frozenset((each.origin, each.input) for each in induction.outcomes if rule in each.fired)
        return about is not None and self._searched(_Pending(about, induction), places, LONG) is not None

    def _told(
        self,
        pending: _Pending,
        verdict: Verdict,
        because: str = "",
        help: tuple[str, ...] = (),
        counterexample: Counterexample | None = None,
    ) -> Result:
        about = pending.about
        obligations = tuple(obligation(each) for each in pending.judged)
        return Result(
            about.code, about.kind, about.name, about.words, verdict, obligations, because, help,
            counterexample, about.opaque,
        )  # fmt: skip

    # --------------------------------------------------------------------------------------------------- counterexamples

    def _counterexample(self, pending: _Pending, look: Look) -> Counterexample | None:
        """Return events that break a claim: first where it breaks while all else holds, then anywhere."""
        first = pending.induction.broken.get(pending.about.name, frozenset())
        every = frozenset((each.claimed.outcome.origin, each.claimed.outcome.input) for each in pending.open)
        for places in filter(None, dict.fromkeys((first, every))):
            found = self._searched(pending, places, look)
            if found is not None:
                return found
        return None

    def _walked(self, pending: _Pending) -> Counterexample | None:
        """Return what random walks have found, where it breaks the claim over the reals as well."""
        if pending.about.kind != "invariant":
            return None
        found = self.walks.long.breaking(pending.about.name)
        if found is None:
            return None
        events, parameters = found
        refuter = Refuter(self.program, self.spec.registry, self.fixed, pending.induction.outcomes)
        try:
            return refuter.made(list(events), {**refuter.defaults, **parameters}, pending.about)
        except OpaqueError:
            return None

    def _searched(
        self, pending: _Pending, places: frozenset[tuple[Control, Input]], look: Look
    ) -> Counterexample | None:
        """Return events that end in one of some places and show a property, or that it does not hold.

        First with every parameter at its default, where questions are small; then with parameters in their ranges.
        """
        outcomes, registry = pending.induction.outcomes, self.spec.registry
        defaults = {each.name: each.default for each in self.program.parameters if each.given is None}
        refuter = Refuter(self.program, registry, self.fixed, outcomes)
        for fixed in ({**defaults, **self.fixed}, self.fixed):
            search = Search(self.program, registry, fixed, outcomes, self.solvers, look)
            for trace in search.traces(pending.about, places, DEPTH, self.seconds):
                try:
                    found = refuter.from_trace(trace, pending.about)
                except OpaqueError:
                    return None
                if found is not None:
                    self.seen += refuter.replayed(found)
                    return found
        return None


def _is_walked(about: Property, walked: Walked) -> bool:
    """Return whether random walks have been where a property wants to be."""
    return about.name in (walked.fired if about.kind == "dead" else walked.reached)


def _without_errors(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Return the outcomes for which nothing must fail that may not: no bound function, and nothing for no reason."""
    plain = [
        each
        for each in outcomes
        if each.input != Input("engine", "error.execution") and not any(error.endswith(FAILS) for error in each.errors)
    ]
    reached, grown = {Control()}, True
    while grown:
        new = {each.target for each in plain if each.origin in reached} - reached
        reached |= new
        grown = bool(new)
    return [each for each in plain if each.origin in reached]


def _needs_nothing(outcome: Outcome) -> bool:
    """Return whether a machine comes there by starting, without an event and whatever its parameters are."""
    return outcome.input.kind == "advance" and not outcome.conditions and not outcome.errors


def _place(outcome: Outcome) -> str:
    fired = f", {' then '.join(outcome.fired)}" if outcome.fired else ""
    return f"{outcome.origin} on {outcome.input}{fired}"


def obligation(judged: Judged) -> Obligation:
    """Return what is told of a claim on one outcome."""
    question, answer = judged.question, judged.answer
    sha256 = "" if question is None else question.sha256
    return Obligation(_place(judged.claimed.outcome), sha256, answer.verdict, answer.solver, answer.seconds)


def _anything(cases: Sequence[tuple[Expr, ...]]) -> list[bool]:
    return [True] * len(cases)
