"""Random expressions of the IR over a few symbols, and random exact values for those."""

from __future__ import annotations

import random
from fractions import Fraction

from hedgerow.engine.evaluate import EXACT, Environment
from hedgerow.engine.ir import NEVER, Exact, Expr, Pool, Type

__all__ = ["Terms", "values"]

REALS = ("x", "y", "z")
INTS = ("i", "j")
BOOLS = ("p", "q")
STAMPS = ("now", "then")
"""Times in nanoseconds."""
NUMBERS: tuple[Fraction, ...] = tuple(map(Fraction, (0, 1, -1, 2, "1/2", "-3/2", 4, "1/9", 10)))
COMPARISONS = ("lt", "le", "gt", "ge", "eq", "ne")


class Terms:
    """Draws expressions; the same seed draws the same ones. Plain ones are of what a solver is asked: no `given`."""

    def __init__(self, source: random.Random, pool: Pool, *, plain: bool = False) -> None:
        self.source, self.pool = source, pool
        self.others = ("seconds", "select") if plain else ("seconds", "select", "given")

    def _make(self, op: str, type: Type, *args: Expr, name: str = "") -> Expr:
        return self.pool.make(op, args, type, name=name)

    def any(self, type: Type, depth: int) -> Expr:
        return {"real": self.real, "int": self.int, "bool": self.bool}[type](depth)

    def real(self, depth: int) -> Expr:
        draw, source = self.real, self.source
        if depth == 0 or source.random() < 0.1:
            if source.random() < 0.4:
                return self.pool.constant(source.choice(NUMBERS), "real")
            return self.pool.make("cell", (), "real", name=source.choice(REALS))
        below = depth - 1
        match source.choice(
            ("add", "sub", "mul", "div", "min", "max", "neg", "abs", "sqrt", "floor", "real", *self.others)
        ):
            case "add" | "sub" | "mul" | "div" | "min" | "max" as op:
                return self._make(op, "real", draw(below), draw(below))
            case "neg" | "abs" | "floor" | "sqrt" as op:
                return self._make(op, "real", draw(below))
            case "real":
                return self._make("real", "real", self.int(below))
            case "seconds":
                return self._make("seconds", "real", self.stamp(below), self.stamp(below))
            case "given":
                return self._make("given", "real", self.bool(below), draw(below), name="it has no value")
            case _:
                return self._make("select", "real", self.bool(below), draw(below), draw(below))

    def int(self, depth: int) -> Expr:
        source = self.source
        if depth == 0 or source.random() < 0.2:
            if source.random() < 0.4:
                return self.pool.constant(source.randint(-2, 3), "int")
            return self.pool.make("cell", (), "int", name=source.choice(INTS))
        below = depth - 1
        match source.choice(("add", "sub", "mul", "min", "max", "neg", "abs", "select")):
            case "neg" | "abs" as op:
                return self._make(op, "int", self.int(below))
            case "select":
                return self._make("select", "int", self.bool(below), self.int(below), self.int(below))
            case op:
                return self._make(op, "int", self.int(below), self.int(below))

    def stamp(self, depth: int) -> Expr:
        """Draw a time in nanoseconds."""
        source = self.source
        if depth <= 0 or source.random() < 0.5:
            return self.pool.make("cell", (), "int", name=source.choice(STAMPS))
        return self._make("due", "int", self.stamp(depth - 1), self.real(depth - 1))

    def bool(self, depth: int) -> Expr:
        draw, source = self.bool, self.source
        if depth == 0 or source.random() < 0.1:
            if source.random() < 0.2:
                return self.pool.constant(source.random() < 0.5, "bool")
            return self.pool.make("cell", (), "bool", name=source.choice(BOOLS))
        below = depth - 1
        match source.choice(("and", "or", "not", "select", "real", "real", "int", "stamp", "same")):
            case "and" | "or" as op:
                return self._make(op, "bool", draw(below), draw(below))
            case "not":
                return self._make("not", "bool", draw(below))
            case "select":
                return self._make("select", "bool", draw(below), draw(below), draw(below))
            case "int":
                return self._make(source.choice(COMPARISONS), "bool", self.int(below), self.int(below))
            case "stamp":
                return self._make(source.choice(COMPARISONS), "bool", self.stamp(below), self.stamp(below))
            case "same":
                return self._make(source.choice(("eq", "ne")), "bool", draw(below), draw(below))
            case _:
                return self._make(source.choice(COMPARISONS), "bool", self.real(below), self.real(below))


def values(source: random.Random) -> Environment:
    """Draw a value for each symbol; small ones, so that divisors are 0 and comparisons ties now and then."""
    cells: dict[str, Exact] = {name: source.choice(NUMBERS) for name in REALS}
    cells |= {name: source.randint(-2, 3) for name in INTS}
    cells |= {name: source.random() < 0.5 for name in BOOLS}
    cells |= {name: source.choice((0, 1, 10**9, 10**18 + 1, NEVER - 10**9, NEVER)) for name in STAMPS}
    return Environment({}, EXACT, cells)
