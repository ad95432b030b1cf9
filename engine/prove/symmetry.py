"""Mirror symmetry: that a rule treats a rise as another one treats the fall that undoes it, with the legs exchanged.

A mirror turns every price p into c²/p, for any one c > 0, and exchanges cells, as the two legs. What is up by a factor is
then down by the same factor. Two transitions are mirrored where, for all values,

    guards      the one's guard holds exactly where the other's holds in the mirror, and the other way round
    what is     where both fire, the exchanged cells and the prices after the one are those after the other in the
    left        mirror

With c the anchor A, a price P has the image A²/P and the anchor has itself: what `up` does at P, `down` does at A²/P. With c
free, what holds of one trade holds of a sequence of them: books that are images of each other stay so, trade for trade.

It is a statement about these transitions, and not about what may come before them: candidates that stand first have guards
of their own. Neither is it one about money: a fee is a share of what is traded, whose worth the mirror does not keep.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import product

from ..evaluate import Environment
from ..ir import Expr, FillMode, Rule
from ..load import Spec
from .execution import Machine
from .facts import facts_of
from .induction import Induction
from .outcome import Input, Outcome
from .result import Verdict
from .smt import script, symbols_of
from .solvers import Question, Solvers

__all__ = ["Mirror", "Mirrored", "mirrored"]


@dataclass(frozen=True, slots=True)
class Mirror:
    """What a mirror does to names: `exchanged` are pairs of cells, `prices` cells and event fields that become c²/p.

    Everything else stays as it is.
    """

    exchanged: tuple[tuple[str, str], ...]
    prices: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Mirrored:
    """What came of two transitions.

    `parts` are the statements it consists of, each with its verdict: the guards, and every cell that the mirror knows. Of
    a refuted one `values` are an example: of symbols before the event that the facts of the proof allow, reachable or not.
    """

    first: str
    second: str
    parts: tuple[tuple[str, Verdict], ...]
    values: Mapping[str, Fraction | bool]

    @property
    def verdict(self) -> Verdict:
        found = {verdict for _, verdict in self.parts}
        return "refuted" if "refuted" in found else "not decided" if "not decided" in found else "proved"


def mirrored(
    spec: Spec,
    pairs: Sequence[tuple[str, str]],
    mirror: Mirror,
    *,
    fill: FillMode = "same",
    seconds: float = 5.0,
    workers: int | None = None,
) -> tuple[Mirrored, ...]:
    """Return which pairs of transitions are mirrored, for every parameter in its range.

    Args:
        spec: what is proved about.
        pairs: transitions by name; one may be its own image.
        mirror: what it does to names.
        fill: as in `Spec.compile`.
        seconds: limit of one question to the solver.
        workers: processes that ask; one a processor where it is left out.

    Raises:
        ValueError: a transition, a cell or a field that there is none of, or two transitions that cannot be compared:
            from different states or on different events.
        SolverError: the solver is not installed.
        TooManyError: the spec has more outcomes than are followed.
    """
    program = spec.program(fill)
    rules = {rule.name: rule for rule in program.rules}
    for first, second in pairs:
        for name in (first, second):
            if name not in rules:
                raise ValueError(f"there is no transition `{name}`")
        if (rules[first].source, rules[first].events) != (rules[second].source, rules[second].events):
            raise ValueError(f"`{first}` and `{second}` differ in their state or in their event")
    with Solvers(workers) as solvers:
        induction = Induction.of(program, spec.registry, solvers, seconds)
        image = _Image(induction.machine, mirror)
        induction.run(facts_of(program, induction.machine.algebra, bold=False))
        return tuple(_Pair(induction, image, rules[first], rules[second]).judged() for first, second in pairs)


class _Image:
    """Expressions as the mirror shows them."""

    def __init__(self, machine: Machine, mirror: Mirror) -> None:
        algebra, program = machine.algebra, machine.program
        self.algebra, self.mirror = algebra, mirror
        centre = algebra.symbol("temp", "centre of the mirror", "real")
        self.positive = algebra.make("gt", (centre, algebra.constant(0, "real")), "bool")
        self.square = algebra.make("mul", (centre, centre), "real")
        leaves = dict(machine.cells)
        for event in program.events:
            for field in event.fields:
                name = f"{event.name}.{field.name}"
                leaves[name] = algebra.symbol("field", name, field.type)
        unknown = {*mirror.prices, *(name for pair in mirror.exchanged for name in pair)} - set(leaves)
        if unknown:
            raise ValueError(f"there is no cell or field `{min(unknown)}`")
        self._images: dict[int, Expr] = {}
        for name in mirror.prices:
            self._images[id(leaves[name])] = algebra.make("div", (self.square, leaves[name]), "real")
        for one, other in mirror.exchanged:
            self._images |= {id(leaves[one]): leaves[other], id(leaves[other]): leaves[one]}

    def of(self, expr: Expr) -> Expr:
        # INVARIANT: the pool of the algebra keeps every expression, so an identity stays that of one expression.
        images = self._images
        for node in expr.walk():
            if id(node) not in images:
                args = tuple(images[id(argument)] for argument in node.args)
                images[id(node)] = self.algebra.make(node.op, args, node.type) if args else node
        return images[id(expr)]

    def same(self, first: Mapping[str, Expr], second: Mapping[str, Expr]) -> Iterator[tuple[str, Expr]]:
        """Yield, by name, that cells are the image of others."""
        partners = {one: other for pair in self.mirror.exchanged for one, other in (pair, pair[::-1])}
        for name, partner in partners.items():
            yield name, self.algebra.make("eq", (first[name], self.of(second[partner])), "bool")
        for name in self.mirror.prices:
            if name in first:
                # x = c²/y without the quotient
                whole = self.algebra.make("mul", (first[name], self.of(second[name])), "real")
                yield name, self.algebra.make("eq", (whole, self.square), "bool")


@dataclass(frozen=True, slots=True)
class _Claim:
    """A statement on one outcome of an event and one of its image."""

    part: str
    claim: Expr
    outcome: Outcome
    image: Outcome


@dataclass(slots=True)
class _Pair:
    induction: Induction
    image: _Image
    first: Rule
    second: Rule

    def judged(self) -> Mirrored:
        """Return what comes of every statement: first from what is nearest to it, then from all that is known."""
        claims = list(self._claims())
        verdicts: dict[str, Verdict] = {claim.part: "proved" for claim in claims}
        values: dict[str, Fraction | bool] = {}
        plain = {id(claim.claim): self._nearest(claim) for claim in claims}
        answers = self.induction.solvers.ask_all(list(plain.values()))
        known = {each for each, answer in zip(plain, answers, strict=True) if answer.verdict == "unsat"}
        for claim in claims:
            if id(claim.claim) not in known and verdicts[claim.part] != "refuted":
                answer = self.induction.solvers.ask(self._whole(claim))
                if answer.verdict == "sat":
                    verdicts[claim.part] = "refuted"
                    values = values or dict(answer.model or {})
                elif answer.verdict == "unknown":
                    verdicts[claim.part] = "not decided"
        if not any(part != "guards" for part in verdicts):
            raise ValueError(f"`{self.first.name}` and `{self.second.name}` do not fire")
        return Mirrored(self.first.name, self.second.name, tuple(verdicts.items()), values)

    def _claims(self) -> Iterator[_Claim]:
        pairs = dict.fromkeys(((self.first, self.second), (self.second, self.first)))
        places: dict[object, list[Outcome]] = {}
        for outcome in self.induction.outcomes:
            if self._is_asked(outcome):
                places.setdefault((outcome.origin, outcome.input), []).append(outcome)
        for outcomes in places.values():
            for one, other in pairs:
                for outcome, image in product(outcomes, repeat=2):
                    guards = self._guard(one, outcome), self.image.of(self._guard(other, image))
                    yield _Claim("guards", self._alike(*guards), outcome, image)
                    if one.name in outcome.fired and other.name in image.fired:
                        for name, same in self.image.same(outcome.cells, image.cells):
                            yield _Claim(name, same, outcome, image)

    def _is_asked(self, outcome: Outcome) -> bool:
        machine = self.induction.machine
        comes = outcome.input in [Input("event", event) for event in self.first.events]
        return comes and self.first.source in machine.active(outcome.origin)

    def _guard(self, rule: Rule, outcome: Outcome) -> Expr:
        """Return what the guard of a transition says in the selection that an outcome began with."""
        machine = self.induction.machine
        if rule.guard is None:
            return machine.algebra.true
        event = machine.reference.events[outcome.input.name]
        names = ((f"{event.name}.{field.name}", field.type) for field in event.fields)
        env = Environment(
            machine.reference.parameters,
            machine.reference.arithmetic,
            outcome.before,
            fields={name: machine.algebra.symbol("field", name, type) for name, type in names},
            now=outcome.time,
            active=machine.active(outcome.origin),
        )
        return machine.values.holding(rule.guard, env)

    def _alike(self, one: Expr, other: Expr) -> Expr:
        algebra = self.induction.machine.algebra
        return algebra.all_of(algebra.implies(one, other), algebra.implies(other, one))

    def _assumed(self, outcome: Outcome) -> list[Expr]:
        return list(self.induction.assumed(outcome.origin, outcome.input))

    def _nearest(self, claim: _Claim) -> Question:
        """Return the question with no more than what is assumed of the very symbols of the claim."""
        symbols = _symbols(claim.claim)
        assumed = self._assumed(claim.outcome)
        known = [*assumed, *map(self.image.of, assumed), self.image.positive]
        return self._question([each for each in known if _symbols(each) <= symbols], claim.claim)

    def _whole(self, claim: _Claim) -> Question:
        assumed = self._assumed(claim.outcome)
        shown = map(self.image.of, (*assumed, *claim.image.conditions))
        return self._question(
            [*assumed, *claim.outcome.conditions, *shown, self.image.positive], claim.claim, model=True
        )

    def _question(self, known: Sequence[Expr], claim: Expr, *, model: bool = False) -> Question:
        denied = self.induction.machine.algebra.negation(claim)
        return Question(script([*known, denied]), self.induction.seconds, model=model)


def _symbols(expr: Expr) -> frozenset[int]:
    return frozenset(id(each) for each in symbols_of(expr))
