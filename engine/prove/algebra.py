"""Expressions over symbols, built with what is known folded away.

A symbol is a leaf of the IR: a cell before the macrostep (`cell`), a parameter (`param`), a field of the event (`field`), or
a value of which nothing more is known (`temp`). What a machine computes on symbols is then an expression of the IR again,
over the values before the macrostep, in exact arithmetic.
"""

from __future__ import annotations

from fractions import Fraction

from ..evaluate import EXACT, Environment, Failure, evaluate
from ..ir import Exact, Expr, Pool, Type

__all__ = ["Algebra"]

_COMPARISONS = frozenset(("lt", "le", "gt", "ge", "eq", "ne"))
_OPPOSITE = {"lt": "ge", "le": "gt", "gt": "le", "ge": "lt", "eq": "ne", "ne": "eq"}
_NOTHING = Environment({}, EXACT)


class Algebra:
    """Builds expressions; the same expression is the same object."""

    def __init__(self) -> None:
        self.pool = Pool()
        self.true = self.constant(True, "bool")
        self.false = self.constant(False, "bool")

    def constant(self, value: Exact, type: Type) -> Expr:
        return self.pool.constant(value, type)

    def symbol(self, op: str, name: str, type: Type) -> Expr:
        return self.pool.make(op, (), type, name=name)

    def make(self, op: str, args: tuple[Expr, ...], type: Type) -> Expr:
        """Return an operation on expressions, folded where its value is known; one that has no value stays as it is."""
        if op == "not":
            return self.negation(args[0])
        if op in ("and", "or"):
            return self.junction(op, args)
        if op == "select":
            return self.choice(*args)
        if op == "real":
            # Over the reals an int is a number like any other.
            return (
                self.constant(Fraction(_value(args[0])), "real")
                if args[0].op == "const"
                else self._made(op, args, type)
            )
        if all(argument.op == "const" for argument in args):
            whole = self.pool.make(op, args, type)
            try:
                return self.constant(evaluate(whole, _NOTHING), type)
            except Failure:
                return whole
        return self._simplified(op, args, type) or self._made(op, args, type)

    def _made(self, op: str, args: tuple[Expr, ...], type: Type) -> Expr:
        return self.pool.make(op, args, type)

    def _simplified(self, op: str, args: tuple[Expr, ...], type: Type) -> Expr | None:
        a = args[0]
        b = args[-1]
        if op in _COMPARISONS and a is b:
            return self.true if op in ("le", "ge", "eq") else self.false
        if op in ("min", "max") and a is b:
            return a
        if op == "sub" and a is b:
            return self.constant(0, type)
        if op in ("add", "sub") and _is(b, 0):
            return a
        if op == "add" and _is(a, 0):
            return b
        if op == "mul" and (_is(a, 0) or _is(b, 0)):
            return self.constant(0, type)
        if op in ("mul", "div") and _is(b, 1):
            return a
        if op == "mul" and _is(a, 1):
            return b
        if op == "neg" and a.op == "neg":
            return a.args[0]
        if op == "abs" and a.op == "abs":
            return a
        return None

    # ------------------------------------------------------------------------------------------------------- conditions

    def negation(self, a: Expr) -> Expr:
        if a.op == "const":
            return self.false if a.value else self.true
        if a.op == "not":
            return a.args[0]
        if a.op in _OPPOSITE:
            return self.pool.make(_OPPOSITE[a.op], a.args, "bool")
        return self.pool.make("not", (a,), "bool")

    def junction(self, op: str, args: tuple[Expr, ...]) -> Expr:
        """Return `and` or `or` of any number of conditions."""
        neutral, absorbing = (self.true, self.false) if op == "and" else (self.false, self.true)
        kept: dict[int, Expr] = {}
        for argument in args:
            if argument is absorbing:
                return absorbing
            if argument is not neutral:
                kept[id(argument)] = argument
        if any(id(self.negation(each)) in kept for each in kept.values()):
            return absorbing
        result = neutral
        for each in kept.values():
            result = each if result is neutral else self.pool.make(op, (result, each), "bool")
        return result

    def all_of(self, *args: Expr) -> Expr:
        return self.junction("and", args)

    def any_of(self, *args: Expr) -> Expr:
        return self.junction("or", args)

    def implies(self, premise: Expr, conclusion: Expr) -> Expr:
        return self.any_of(self.negation(premise), conclusion)

    def choice(self, condition: Expr, then: Expr, otherwise: Expr) -> Expr:
        if condition.op == "const":
            return then if condition.value else otherwise
        if then is otherwise:
            return then
        if then.type == "bool":
            return self.all_of(self.implies(condition, then), self.any_of(condition, otherwise))
        return self.pool.make("select", (condition, then, otherwise), then.type)


def _value(expr: Expr) -> Exact:
    assert expr.value is not None
    return expr.value


def _is(expr: Expr, number: int) -> bool:
    return expr.op == "const" and expr.type != "bool" and expr.value == number
