"""Expressions over symbols as SMT-LIB 2: what solvers are asked, and what a certificate hashes.

Everything is over the reals: a whole number is a real of which less is known, and a time in nanoseconds too; that one whole
number is less than another says that it is less by 1 at least. So what has no
solution has none in machines either. A quotient, a root, a floor and a due time are constants of their own with what defines
them, because solvers of polynomials know no other operations:

    a / b  ->  q  with  b = 0 or q * b = a

Where there is no quotient it is anything: a definition must never rule out the values for which it defines nothing, or what
happens with them would count as impossible.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from fractions import Fraction

from ..ir import NEVER, Expr

__all__ = ["Script", "number", "script", "symbols_of"]

_INFIX = {
    "add": "+", "sub": "-", "mul": "*", "lt": "<", "le": "<=", "gt": ">", "ge": ">=", "eq": "=", "and": "and", "or": "or",
    "not": "not", "select": "ite",
}  # fmt: skip
_SORT = {"real": "Real", "int": "Real", "bool": "Bool"}
_APART: Mapping[str, Callable[[Fraction | int], bool]] = {
    "ne": lambda bound: bound == 0,
    "eq": lambda bound: bound != 0,
    "gt": lambda bound: bound >= 0,
    "ge": lambda bound: bound > 0,
    "lt": lambda bound: bound <= 0,
    "le": lambda bound: bound < 0,
}
"""Whether what is compared with a bound so is not 0."""
LEAVES = frozenset(("cell", "param", "field", "temp"))


class Script:
    """A script that is being written: declarations first, each shared term named once."""

    def __init__(self, conditions: Iterable[Expr] = ()) -> None:
        """Begin a script that will assert `conditions`: what they keep from 0 has quotients without a case for it."""
        self.lines: list[str] = []
        self._apart = frozenset(_apart_from_zero(conditions))
        self._terms: dict[int, str] = {}
        self._kept: list[Expr] = []
        """Keeps the nodes alive whose identities are known."""

    def term(self, expr: Expr) -> str:
        """Return an expression as a term, with what it needs declared before."""
        terms, waiting = self._terms, [expr]
        while waiting:
            node = waiting[-1]
            unknown = [argument for argument in node.args if id(argument) not in terms]
            if unknown:
                waiting += reversed(unknown)
                continue
            waiting.pop()
            if id(node) not in terms:
                self._kept.append(node)
                terms[id(node)] = self._made(node)
        return terms[id(expr)]

    def demand(self, expr: Expr) -> None:
        """Assert a condition."""
        term = self.term(expr)
        self.lines.append(f"(assert {term})")

    def _made(self, node: Expr) -> str:
        if node.op == "const":
            return ("true" if node.value else "false") if node.type == "bool" else number(node.value)
        if node.op in LEAVES:
            name = f"|{node.op} {node.name}|"
            self.lines.append(f"(declare-const {name} {_SORT[node.type]})")
            return name
        args = [self._terms[id(argument)] for argument in node.args]
        match node.op:
            case "real":
                return args[0]
            case "neg":
                return f"(- {args[0]})"
            case "ne":
                return f"(not (= {args[0]} {args[1]}))"
            case "lt" | "gt" if node.args[0].type == "int":
                # Between whole numbers, so that what lies between two of them counts for less.
                return f"(<= (+ {args[0]} 1.0) {args[1]})" if node.op == "lt" else f"(>= {args[0]} (+ {args[1]} 1.0))"
            case "abs":
                return self._named(node, f"(ite (< {args[0]} 0.0) (- {args[0]}) {args[0]})")
            case "min" | "max":
                sign = "<" if node.op == "min" else ">"
                return self._named(node, f"(ite ({sign} {args[1]} {args[0]}) {args[1]} {args[0]})")
            case "seconds":
                return self._named(node, f"(* {number(Fraction(1, 10**9))} (- {args[0]} {args[1]}))")
            case "div":
                defined = "(= (* {0} {2}) {1})"
                return self._defined(defined if self._is_apart(node.args[1]) else f"(or (= {{2}} 0.0) {defined})", args)
            case "sqrt":
                return self._defined("(or (< {1} 0.0) (and (>= {0} 0.0) (= (* {0} {0}) {1})))", args)
            case "floor":
                return self._defined("(and (<= {0} {1}) (< {1} (+ {0} 1.0)))", args)
            case "due":
                return self._due(*args)
        return self._named(node, f"({_INFIX[node.op]} {' '.join(args)})")

    def _is_apart(self, divisor: Expr) -> bool:
        return bool(divisor.value) if divisor.op == "const" else id(divisor) in self._apart

    def _named(self, node: Expr, term: str) -> str:
        if node.type == "bool":
            return term
        name = f"t{len(self._kept)}"
        self.lines.append(f"(define-fun {name} () {_SORT[node.type]} {term})")
        return name

    def _defined(self, by: str, args: Sequence[str]) -> str:
        name = f"d{len(self._kept)}"
        self.lines.append(f"(declare-const {name} Real)")
        self.lines.append(f"(assert {by.format(name, *args)})")
        return name

    def _due(self, then: str, delay: str) -> str:
        """Return when a timer is due: rounded to the nanosecond, or never."""
        never, when = number(NEVER), f"(+ {then} (* 1000000000.0 {delay}))"
        near = f"(and (<= (- {{0}} {when}) 0.5) (>= (- {{0}} {when}) (- 0.5)) (<= {{0}} {never}))"
        return self._defined(f"(ite (>= {when} {never}) (= {{0}} {never}) {near})", ())


def script(conditions: Iterable[Expr]) -> str:
    """Return a script that asserts conditions, in their order."""
    conditions = tuple(conditions)
    made = Script(conditions)
    for each in conditions:
        made.demand(each)
    return "\n".join(made.lines) + "\n"


def _apart_from_zero(conditions: Iterable[Expr]) -> Iterator[int]:
    """Yield the identities of expressions that are not 0 where all conditions hold."""
    for each in conditions:
        if each.op == "and":
            yield from _apart_from_zero(each.args)
        elif each.op in _APART and each.args[1].op == "const" and each.args[1].type != "bool":
            bound = each.args[1].value
            assert bound is not None
            if _APART[each.op](bound):
                yield id(each.args[0])


def number(value: Fraction | int | bool | None) -> str:
    """Return an exact number as a term."""
    assert value is not None
    fraction = Fraction(value)
    size = f"{abs(fraction.numerator)}.0"
    if fraction.denominator != 1:
        size = f"(/ {size} {fraction.denominator}.0)"
    return f"(- {size})" if fraction < 0 else size


def symbols_of(expr: Expr) -> Iterator[Expr]:
    """Yield the symbols that an expression reads."""
    return (node for node in expr.walk() if node.op in LEAVES)
