"""Claims of a spec: what holds after every event, what an event leaves as it was, and what comes to an end.

    invariants: {covered: hedge.quantity <= size}      ->      covered: hedge.quantity <= size
    conserved: {money: equity + fees}                          money: equity + fees == before.equity + before.fees
    unchanged: {kept: {while: selling, of: strike}}            kept: implies(was(selling) and In(selling),
                                                                             strike == before.strike)

All become invariants of the program, but for what comes to an end.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import reduce

from .check import Checker, Location, places
from .diagnostics import suggestion
from .ir import Expr, Ranking
from .laws import MAX_DEPTH, MAX_SIZE
from .model import RankingShape, Spec, UnchangedShape
from .record import Record
from .symbols import Scope
from .units import ONE, SECOND

__all__ = ["Claims", "Named", "read_claims", "texts_of"]

Named = tuple[tuple[str, Expr], ...]
"""Conditions by name, in the order of the file."""


class Claims(Record):
    """What a spec claims; those that are wrong have been told and are left out."""

    invariants: Named
    helpers: Named
    rankings: tuple[Ranking, ...]


def read_claims(spec: Spec, checker: Checker) -> Claims:
    """Return the claims of a spec, its states and transitions being known."""
    reader = _Reader(checker)
    sections = (("invariants", spec.invariants), ("conserved", spec.conserved), ("unchanged", spec.unchanged))
    reader.names_are_unique(sections)
    invariants = (
        *reader.conditions("invariants", spec.invariants),
        *reader.conserved(spec.conserved),
        *reader.unchanged(spec.unchanged),
    )
    rankings = (reader.ranking(name, shape) for name, shape in spec.decreases.items())
    return Claims(
        invariants,
        reader.conditions("helpers", spec.helpers),
        tuple(ranking for ranking in rankings if ranking is not None),
    )


class _Reader:
    """Reads the claims of one document."""

    def __init__(self, checker: Checker) -> None:
        self.checker, self.symbols = checker, checker.symbols
        self.findings, self.document, self.pool = checker.findings, checker.document, checker.pool

    def names_are_unique(self, sections: Iterable[tuple[str, Iterable[str]]]) -> None:
        """Tell a name of two claims: both are told as invariants."""
        taken: dict[str, Location] = {}
        for loc in ((section, name) for section, names in sections for name in names):
            first = taken.setdefault(loc[1], loc)
            if first != loc:
                message = f"`{loc[1]}` exists already, at {self.document.key(first).span}"
                self.findings.error("HR202", message, self.document.key(loc).span, "rename one of them")

    def conditions(self, section: str, names: Iterable[str]) -> Named:
        scope = Scope("an invariant", history=True)
        found = ((name, self.checker.boolean((section, name), scope)) for name in names)
        return tuple((name, expr) for name, expr in found if expr is not None)

    def conserved(self, names: Iterable[str]) -> Named:
        """Return as invariants that expressions are what they were when the event came."""
        scope = Scope("a conserved value")
        found = ((name, self._same(("conserved", name), scope)) for name in names)
        return tuple((name, expr) for name, expr in found if expr is not None)

    def unchanged(self, claims: Mapping[str, UnchangedShape]) -> Named:
        """Return as invariants that expressions are what they were, where the machine stayed in a state."""
        found = ((name, self._stays(("unchanged", name), shape)) for name, shape in claims.items())
        return tuple((name, expr) for name, expr in found if expr is not None)

    def _stays(self, loc: Location, shape: UnchangedShape) -> Expr | None:
        scope = Scope("what stays unchanged")
        same = [self._same(at, scope) for at in places((*loc, "of"), shape.of)]
        known = shape.while_ is None or self._state(shape.while_, (*loc, "while"))
        told = [each for each in same if each is not None]
        if not known or len(told) < len(same):
            return None
        claim = reduce(lambda one, other: self.pool.make("and", (one, other), "bool"), told)
        if claim.depth > MAX_DEPTH or claim.size > MAX_SIZE:
            help = "claim some of them under another name"
            self.findings.error("HR111", "these are too many values for one claim", self.document.at(loc).span, help)
            return None
        if shape.while_ is None:
            return claim
        now = self.pool.make("active", (), "bool", name=shape.while_)
        stayed = self.pool.make("and", (self.checker.before(now), now), "bool")
        return self.pool.make("or", (self.pool.make("not", (stayed,), "bool"), claim), "bool")

    def _same(self, loc: Location, scope: Scope) -> Expr | None:
        """Return that the expression at a place has the value that it had when the event came."""
        typed = self.checker.check(loc, scope)
        if typed is None:
            return None
        return self.pool.make("eq", (typed.expr, self.checker.before(typed.expr)), "bool")

    def ranking(self, name: str, shape: RankingShape) -> Ranking | None:
        """Return the claim that something ends."""
        checker, loc = self.checker, ("decreases", name)
        self._state(shape.while_, (*loc, "while"))
        if shape.by not in self.symbols.rules | self.symbols.left_out:
            self.findings.error(
                "HR209",
                f"unknown transition `{shape.by}`",
                self.document.at((*loc, "by")).span,
                suggestion(shape.by, self.symbols.rules, "give a transition a `name:` and write it here"),
            )
        measure = checker.value((*loc, "measure"), Scope("a measure"), "real", None, "the measure")
        unit = measure.unit if measure is not None else None
        factor = checker.value((*loc, "factor"), Scope("a factor", machine=False), "real", ONE, "the factor")
        until = checker.value((*loc, "until"), Scope("a bound", machine=False), "real", unit, "the bound")
        within = checker.value((*loc, "within"), Scope("a time", machine=False), "real", SECOND, "the time")
        provided = None
        if shape.if_ is not None:
            provided = checker.boolean((*loc, "if"), Scope("a condition", machine=False))
        if not (measure and factor and until and within) or (shape.if_ is not None and provided is None):
            return None
        exprs = measure.expr, factor.expr, until.expr, within.expr, provided
        return Ranking(name, shape.while_, shape.by, *exprs, self.document.key(loc).span)

    def _state(self, state: str, loc: Location) -> bool:
        """Return whether there is such a state; tell one that is not."""
        symbols = self.symbols
        if state in symbols.states:
            return True
        if symbols.left_out.isdisjoint((state, state.partition(".")[0])):
            help = suggestion(state, symbols.states, "name a state under `machine:`")
            self.findings.error("HR205", f"unknown state `{state}`", self.document.at(loc).span, help)
        return False


def texts_of(document: Mapping[str, object]) -> dict[str, str]:
    """Return the claims of a spec, given as plain values, as they are written, by name."""
    found: dict[str, str] = {}
    for section in ("invariants", "helpers", "conserved", "unchanged"):
        claims = document.get(section)
        for name, claim in claims.items() if isinstance(claims, dict) else ():
            if section == "conserved":
                found[str(name)] = f"{_line(claim)} is what it was before"
            elif section == "unchanged" and isinstance(claim, dict):
                of = claim.get("of")
                what = ", ".join(map(_line, of)) if isinstance(of, list) else _line(of)
                inside = f", in {claim['while']}" if claim.get("while") else ""
                found[str(name)] = f"{what} unchanged{inside}"
            else:
                found[str(name)] = _line(claim)
    return found


def _line(text: object) -> str:
    return " ".join(str(text).split())
