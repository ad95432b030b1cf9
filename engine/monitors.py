"""Invariants as they are monitored in floats: the same claim, with room for rounding.

A proof over the reals may make `gross <= before.gross` exactly true where doubles miss it by the last bit, so a monitor
gives each comparison of reals a relative tolerance of 1e-9:

    a <= b              ->      a - b <= 1e-9 * max(abs(a), abs(b))
    a - b == before.a   ->      abs((a - b) - before.a) <= 1e-9 * max(abs(a), abs(b), abs(before.a))

in the direction that lets the whole claim hold. A premise is tightened instead, so that it does not bind for a rounding.
The room of an equality is relative to the largest of the terms that its sides add up, because so is their rounding: where
large terms cancel, what is left may be no more than rounding.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction

from .ir import Expr, Pool

__all__ = ["TOLERANCE", "monitor"]

TOLERANCE = Fraction(1, 10**9)


def monitor(pool: Pool, claim: Expr) -> Expr:
    """Return the claim with room for rounding."""
    return _loosen(pool, claim, True)


def _loosen(pool: Pool, expr: Expr, holds: bool) -> Expr:
    """Return `expr` made easier to hold (`holds`), or easier to fail."""
    match expr.op:
        case "not":
            return pool.make("not", (_loosen(pool, expr.args[0], not holds),), "bool")
        case "and" | "or":
            return pool.make(expr.op, tuple(_loosen(pool, argument, holds) for argument in expr.args), "bool")
        case "select" if expr.type == "bool":
            condition, then, otherwise = expr.args
            return pool.make("select", (condition, _loosen(pool, then, holds), _loosen(pool, otherwise, holds)), "bool")
        case "lt" | "le" | "gt" | "ge" | "eq" | "ne" if expr.args[0].type == "real":
            return _compare(pool, expr, holds)
    return expr


def _compare(pool: Pool, expr: Expr, holds: bool) -> Expr:
    left, right = expr.args
    if any(side.op == "const" and side.value == 0 for side in expr.args):
        # A tolerance relative to what is compared with 0 changes nothing.
        return expr
    equality = expr.op in ("eq", "ne")
    terms = dict.fromkeys(term for side in expr.args for term in (_terms(side) if equality else (side,)))
    largest = _largest(pool, [pool.make("abs", (term,)) for term in terms])
    room = pool.make("mul", (pool.constant(TOLERANCE, "real"), largest))
    gap = pool.make("sub", (left, right))
    if equality:
        # Equality is loosened where it must hold; where it is a premise (or `ne` a claim) it stays exact.
        near = pool.make("le", (pool.make("abs", (gap,)), room), "bool")
        if expr.op == "eq":
            return near if holds else expr
        return expr if holds else pool.make("not", (near,), "bool")
    below = expr.op in ("lt", "le")
    edge = room if below == holds else pool.make("neg", (room,))
    return pool.make(expr.op, (gap, edge), "bool")


def _terms(expr: Expr) -> Iterator[Expr]:
    """Yield what a sum adds up; anything but a sum is one term."""
    if expr.op in ("add", "sub", "neg"):
        for argument in expr.args:
            yield from _terms(argument)
    else:
        yield expr


def _largest(pool: Pool, sizes: Sequence[Expr]) -> Expr:
    middle = len(sizes) // 2
    if not middle:
        return sizes[0]
    return pool.make("max", (_largest(pool, sizes[:middle]), _largest(pool, sizes[middle:])))
