"""What every checked expression obeys: conversion to real, int intervals, equal units, true or false against numbers."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Literal

from . import syntax
from .ir import Pool
from .symbols import INT_LIMIT, Scope, Typed
from .units import ONE, Unit

if TYPE_CHECKING:
    from .check import Checker, Location

__all__ = ["MAX_DEPTH", "MAX_SIZE", "TOO_LARGE", "Laws", "as_real", "unit_help"]

MAX_DEPTH = 150
MAX_SIZE = 4_000
TOO_LARGE = "compute parts of it once: in `observe`, or in a `let` of the action"


class Laws:
    """One expression in one scope, and what may be built from it."""

    def __init__(self, checker: Checker, loc: Location, scope: Scope, root: syntax.Node | None = None) -> None:
        self.checker = checker
        self.root = root
        self.loc = loc
        self.scope = scope
        self.pool = checker.pool
        self.symbols = checker.symbols

    def error(self, code: str, message: str, node: syntax.Node, help: str) -> bool:
        scalar = self.checker.scalar(self.loc)
        span = self.checker.document.span_in(scalar, node.start, node.end)
        return self.checker.findings.error(code, message, span, help)

    def _real(self, typed: Typed) -> Typed:
        return as_real(self.pool, typed)

    def _arithmetic(self, op: str, left: Typed, right: Typed, unit: Unit | None, node: syntax.Node) -> Typed | None:
        if left.type != "int" or right.type != "int":
            return Typed(self.pool.make(op, (self._real(left).expr, self._real(right).expr)), unit)
        if op == "add":
            low, high = left.low + right.low, left.high + right.high
        elif op == "sub":
            low, high = left.low - right.high, left.high - right.low
        else:
            corners = [a * b for a in (left.low, left.high) for b in (right.low, right.high)]
            low, high = min(corners), max(corners)
        if low < -INT_LIMIT or high > INT_LIMIT:
            self.error(
                "HR305",
                "this whole number can leave ±2^53",
                node,
                "give its parts a `range:`, or saturate it with `min(…, limit)`",
            )
            return None
        return Typed(self.pool.make(op, (left.expr, right.expr), "int"), unit, low, high)

    def _same_unit(self, left: Typed, right: Typed, node: syntax.Node, verb: str) -> Unit | Literal[False] | None:
        if left.unit is None or right.unit is None or left.unit == right.unit:
            return left.unit if left.unit is not None else right.unit
        waived = self.error(
            "HR302", f"this {verb} `{left.unit}` and `{right.unit}`", node, unit_help(left.unit, right.unit)
        )
        return left.unit if waived else False

    def _boolean(self, typed: Typed, node: syntax.Node, what: str) -> bool:
        if typed.type != "bool":
            self.error(
                "HR301",
                f"{what} takes true or false, this is a number",
                node,
                "write a comparison, e.g. `… > 0`",
            )
        return typed.type == "bool"

    def _number_like(self, typed: Typed, node: syntax.Node, what: str) -> bool:
        if typed.type == "bool":
            self.error("HR301", f"{what} takes numbers, this is true or false", node, "write `1 if … else 0`")
        return typed.type != "bool"

    def _node(self, node: syntax.Node) -> Typed | None:
        """Return the typed value of a syntax node; the last class of the chain knows them all."""
        raise NotImplementedError


def as_real(pool: Pool, typed: Typed) -> Typed:
    """Return an int as a real; a literal stays one."""
    if typed.type != "int":
        return typed
    if typed.expr.op == "const" and typed.expr.value is not None:
        return Typed(pool.constant(Fraction(typed.expr.value), "real"), typed.unit)
    return Typed(pool.make("real", (typed.expr,)), typed.unit)


def unit_help(left: Unit, right: Unit) -> str:
    """Return what to write where two units differ."""
    if left == ONE or right == ONE:
        other = right if left == ONE else left
        return f"a pure number has no unit: multiply or divide by something in `{other}`"
    return f"multiply or divide by something in `{right / left}` or `{left / right}`"
