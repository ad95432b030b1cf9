"""The widest range of a parameter in which claims still hold, by proving them for one range after another."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction

from ..ir import FillMode, Parameter, Program
from ..load import ParameterError, Spec
from .clocks import with_clocks
from .execution import Machine
from .facts import Fact, facts_of
from .induction import Claimed, Induction
from .kinds import Property
from .properties import properties_of
from .solvers import Solvers

__all__ = ["End", "NotProvedError", "Widest", "simplest", "widest"]

_KINDS = frozenset(("invariant", "ends", "conserved", "divides", "fails", "orders", "trips"))
"""What is asked of every outcome; whether transitions can fire is not."""
_DOUBLINGS = 40
"""How often a range is doubled before its end counts as not found."""
_HALVINGS = 12
"""How often the gap between a bound that holds and one that does not is halved."""


class NotProvedError(Exception):
    """A claim is not proved at the default of a parameter, and so in no range around it."""


@dataclass(frozen=True, slots=True)
class End:
    """One end of a range: `bound` is the last value for which all is proved, None where there is no end.

    `beyond` is a value past it for which the claims `broken` are not proved.
    """

    bound: Fraction | None
    beyond: Fraction | None = None
    broken: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Widest:
    """The widest range of a parameter that was found, both ends included, and how many ranges were tried."""

    parameter: str
    unit: str
    low: End
    high: End
    claims: tuple[str, ...]
    tried: int


def widest(
    spec: Spec,
    parameter: str,
    *,
    fill: FillMode = "same",
    only: Collection[str] = (),
    seconds: float = 5.0,
    workers: int | None = None,
    progress: Callable[[str], None] | None = None,
) -> Widest:
    """Return the widest range of a parameter in which the claims of a spec are proved.

    The range contains the default. Each end is found by doubling and halving, and is then a value of few digits where one
    lies in the gap that is left. Beyond an end a claim is *not proved*; whether it breaks there a run of `prove` tells.

    Args:
        spec: what is proved about.
        parameter: a real or an int that no other spec gives.
        fill: as in `Spec.compile`.
        only: names of claims; every claim where it is empty.
        seconds: limit of one question to the solver.
        workers: processes that ask; one a processor where it is left out.
        progress: is told each range.

    Raises:
        ParameterError: there is no such parameter, or it has no range; or fills from outside.
        NotProvedError: at its default a claim is not proved.
        SolverError: the solver is not installed.
        TooManyError: the spec has more outcomes than are followed.
    """
    if fill == "external":
        raise ParameterError("a proof simulates fills: `fill` is `same` or `next`")
    program = with_clocks(spec.program(fill))
    found = next((each for each in program.parameters if each.name == parameter), None)
    if found is None or found.given is not None or found.type == "bool":
        known = ", ".join(f"`{p.name}`" for p in program.parameters if p.given is None and p.type != "bool")
        raise ParameterError(f"`{parameter}` is no param with a range: there are {known or 'none'}")
    with Solvers(workers) as solvers:
        return _Widening(spec, program, found, frozenset(only), solvers, seconds, progress).widest()


class _Widening:
    def __init__(
        self,
        spec: Spec,
        program: Program,
        parameter: Parameter,
        only: frozenset[str],
        solvers: Solvers,
        seconds: float,
        progress: Callable[[str], None] | None,
    ) -> None:
        self.spec, self.program, self.parameter, self.only = spec, program, parameter, only
        self.solvers, self.seconds, self.progress = solvers, seconds, progress
        self.tried = 0
        self.claims: tuple[str, ...] = ()
        self.default = Fraction(parameter.default)
        self.facts: tuple[Fact, ...] = ()
        """Those that hold at the default: others hold in no range around it."""

    def widest(self) -> Widest:
        broken = self._broken(self.default, self.default)
        if broken:
            name = self.parameter.name
            raise NotProvedError(f"at `{name}` = {float(self.default):g}: {', '.join(broken)}")
        low = self._end(-1)
        high = self._end(1, low.bound)
        return Widest(self.parameter.name, self.parameter.unit, low, high, self.claims, self.tried)

    def _end(self, sign: int, other: Fraction | None = None) -> End:
        """Return one end, `sign` below or above the default, with the other one where it is known."""
        fixed = self.default if sign < 0 else other
        broken = self._at(sign, None, fixed)
        if not broken:
            return End(None)
        good, bad = self.default, None
        declared = self.parameter.low if sign < 0 else self.parameter.high
        step = (
            abs(declared - self.default)
            if declared not in (None, self.default)
            else max(abs(self.default), Fraction(1))
        )
        for _ in range(_DOUBLINGS):
            next_ = self.default + sign * step
            found = self._at(sign, next_, fixed)
            if found:
                bad, broken = next_, found
                break
            good, step = next_, 2 * step
        if bad is None:
            return End(good)
        for _ in range(_HALVINGS):
            middle = self._middle(good, bad)
            if middle in (good, bad):
                break
            found = self._at(sign, middle, fixed)
            if found:
                bad, broken = middle, found
            else:
                good = middle
        round_ = simplest(min(good, bad), max(good, bad))
        if round_ not in (good, bad):
            found = self._at(sign, round_, fixed)
            if found:
                bad, broken = round_, found
            else:
                good = round_
        return End(good, bad, broken)

    def _middle(self, good: Fraction, bad: Fraction) -> Fraction:
        middle = (good + bad) / 2
        return Fraction(round(middle)) if self.parameter.type == "int" else middle

    def _at(self, sign: int, bound: Fraction | None, fixed: Fraction | None) -> tuple[str, ...]:
        return self._broken(bound, self.default) if sign < 0 else self._broken(fixed, bound)

    def _broken(self, low: Fraction | None, high: Fraction | None) -> tuple[str, ...]:
        """Return the claims that are not proved where the parameter is between two bounds."""
        self.tried += 1
        if self.progress is not None:
            self.progress(f"{self.parameter.name} from {_shown(low, '-∞')} to {_shown(high, '∞')}")
        changed = replace(self.parameter, low=low, high=high)
        program = replace(
            self.program,
            parameters=tuple(changed if each is self.parameter else each for each in self.program.parameters),
        )
        induction = Induction.of(program, self.spec.registry, self.solvers, self.seconds)
        machine = induction.machine
        induction.run(self.facts or facts_of(program, machine.algebra, bold=True))
        if not self.facts:
            self.facts = induction.facts
        broken: dict[str, None] = {}
        for each in self._properties(machine, induction):
            claims = [Claimed(outcome, claim) for outcome in induction.outcomes for claim in each.claims(outcome)]
            if not all(judged.holds for judged in induction.judge(claims)):
                broken[each.name] = None
        return tuple(broken)

    def _properties(self, machine: Machine, induction: Induction) -> Iterator[Property]:
        every = [each for each in properties_of(machine, induction.outcomes, {}) if each.kind in _KINDS]
        chosen = [each for each in every if not self.only or each.name in self.only]
        self.claims = tuple(dict.fromkeys(each.name for each in chosen))
        return iter(chosen)


def simplest(low: Fraction, high: Fraction) -> Fraction:
    """Return the fraction of the smallest denominator in [low, high] (Stern and Brocot)."""
    if low <= 0 <= high:
        return Fraction(0)
    if high < 0:
        return -simplest(-high, -low)
    whole = -(-low.numerator // low.denominator)
    if whole <= high:
        return Fraction(whole)
    floor = low.numerator // low.denominator
    return floor + 1 / simplest(1 / (high - floor), 1 / (low - floor))


def _shown(bound: Fraction | None, without: str) -> str:
    return without if bound is None else f"{float(bound):g}"
