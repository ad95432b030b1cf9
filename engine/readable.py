"""Expressions and values of the IR as a person reads them: the fewest brackets, no conversions, and never too long.

    (mul (mul (param k) (param fee)) (min (cell index.price) (cell anchor)))   ->   k * fee * min(index.price, anchor)

`printer` writes expressions for golden tests and digests, whole and unambiguous; this text may leave parts out as `…`.
"""

from __future__ import annotations

from fractions import Fraction
from typing import cast

from . import syntax
from .ir import INFIX, NEVER, Expr, Value

__all__ = ["memory_of", "readable", "value_text"]

_DEPTH = 12
"""Levels of an expression that are written at most."""
_LONGEST_NAME = 48
_GONE = syntax.Name(("…",), 0, 0)


def readable(expr: Expr, width: int = 64, inside: str = "") -> str:
    """Return the expression in the language's spelling, in at most `width` characters: inner parts become `…`.

    `inside` is the region of a used spec whose names are written as in that spec's own file.
    """
    for depth in range(min(expr.depth, _DEPTH), 0, -1):
        text = syntax.to_text(_Writer(inside).node(expr, depth))
        if len(text) <= width:
            return text
    return text if len(text) <= width else text[: width - 1] + "…"


def memory_of(expr: Expr) -> str | None:
    """Return the name of the cell whose age an expression is, such as `since(calm)`; None of any other."""
    if expr.op == "seconds" and expr.args[0].op == "now" and expr.args[1].op == "cell":
        return expr.args[1].name
    return None


def value_text(value: Value) -> str:
    """Return a value to twelve significant digits."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int) else f"{float(value):.12g}"


class _Writer:
    """Makes a syntax tree of an expression; a part that occurs twice is made once."""

    def __init__(self, inside: str) -> None:
        self.prefix = f"{inside}." if inside else ""
        self.made: dict[tuple[int, int], syntax.Node] = {}

    def node(self, expr: Expr, depth: int) -> syntax.Node:
        """Return an expression with so many levels of operators."""
        key = id(expr), depth
        if key not in self.made:
            self.made[key] = self._node(expr, depth)
        return self.made[key]

    def _node(self, expr: Expr, depth: int) -> syntax.Node:
        memory = memory_of(expr)
        if memory is not None:
            return self._name(memory)
        if expr.op in ("real", "given"):  # a conversion; and what stands where there is a value
            return self.node(expr.args[-1], depth)
        if not expr.args:
            return self._leaf(expr)
        if depth <= 1:
            return _GONE
        args = tuple(self.node(argument, depth - 1) for argument in expr.args)
        match expr.op:
            case "neg":
                return syntax.Unary("-", args[0], 0, 0)
            case "not":
                return syntax.Unary("not", args[0], 0, 0)
            case "and" | "or":
                return syntax.Logic("and" if expr.op == "and" else "or", args, 0, 0)
            case "lt" | "le" | "gt" | "ge" | "eq" | "ne":
                return syntax.Compare(args, (cast(syntax.CompareOperator, INFIX[expr.op]),), 0, 0)
            case "mul" if expr.args[0] is expr.args[1]:
                return syntax.Power(args[0], 2, 0, 0)
            case "add" | "sub" | "mul" | "div":
                return syntax.Binary(cast(syntax.ArithmeticOperator, INFIX[expr.op]), args[0], args[1], 0, 0)
            case "select":
                return syntax.Choice(args[1], args[0], args[2], 0, 0)
            case "seconds":
                return syntax.Call("seconds", (syntax.Binary("-", args[0], args[1], 0, 0),), (), 0, 0, 0)
        return syntax.Call(expr.op, args, (), 0, 0, 0)

    def _leaf(self, expr: Expr) -> syntax.Node:
        match expr.op:
            case "const" if isinstance(expr.value, bool):
                return syntax.Truth(expr.value, 0, 0)
            case "const":
                value = Fraction(expr.value or 0)
                if value == NEVER:
                    return self._name("never")
                number = syntax.Number(abs(value), None, value_text(abs(value)), 0, 0)
                return syntax.Unary("-", number, 0, 0) if value < 0 else number
            case "active" | "was":
                asked = "In" if expr.op == "active" else "was"
                return syntax.Call(asked, (self._name(expr.name),), (), 0, 0, 0)
            case "before":
                return syntax.Name(("before", *self._name(expr.name).path), 0, 0)
            case "now" | "ordered":
                return self._name("now" if expr.op == "now" else "ordered()")
        return self._name(expr.name)

    def _name(self, name: str) -> syntax.Name:
        name = name.removeprefix(self.prefix)
        return syntax.Name((name if len(name) <= _LONGEST_NAME else name[: _LONGEST_NAME - 1] + "…",), 0, 0)
