"""The value of an expression: the definition that every backend is held to.

Two arithmetics share it: IEEE 754 doubles, one rounding an operation, and exact fractions, in which laws hold to the
letter and counterexamples are replayed.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Protocol

from .ir import NEVER, NOBODY, Expr, Value

__all__ = ["EXACT", "FLOAT", "LARGEST", "Arithmetic", "Environment", "Failure", "due", "evaluate", "nanoseconds"]

LARGEST = 1.7976931348623157e308
"""The largest finite double."""


class Failure(Exception):
    """An expression has no value: a division by zero, the root of a negative number, an empty leg's average."""


class Arithmetic(Protocol):
    """How real numbers are kept."""

    exact: bool

    def real(self, value: Value) -> Value: ...
    def sqrt(self, value: Value) -> Value: ...
    def seconds(self, nanoseconds: int) -> Value: ...
    def due(self, then: int, delay: Value) -> int: ...
    def floor(self, value: Value) -> Value: ...
    def finite(self, value: Value) -> bool: ...


def due(then: int, delay: Value) -> int:
    """Return the time `delay` seconds after another, in nanoseconds; `NEVER` where no clock reaches it.

    Raises:
        Failure: a delay below 0, or one that is no number.
    """
    return min(then + nanoseconds(delay), NEVER)


def nanoseconds(delay: Value) -> int:
    """Return a delay in seconds as nanoseconds, half to even; one that no clock can wait for as any such number.

    Raises:
        Failure: it is below 0, or no number.
    """
    if not delay >= 0:
        raise Failure(f"a delay of {float(delay):g} s")
    return 2**94 if delay >= 2**63 else round(delay * 10**9)


class _Float:
    exact = False

    def real(self, value: Value) -> Value:
        return float(value)

    def sqrt(self, value: Value) -> Value:
        return math.sqrt(value)

    def seconds(self, nanoseconds: int) -> Value:
        return nanoseconds / 1e9

    def due(self, then: int, delay: Value) -> int:
        return due(then, delay)

    def floor(self, value: Value) -> Value:
        return float(math.floor(value))

    def finite(self, value: Value) -> bool:
        return -LARGEST <= value <= LARGEST


class _Exact:
    exact = True

    def real(self, value: Value) -> Value:
        return Fraction(value)

    def sqrt(self, value: Value) -> Value:
        """Return the exact root where it is rational, else the nearest double of it."""
        fraction = Fraction(value)
        if fraction < 0:
            raise ValueError("root of a negative number")
        top, bottom = math.isqrt(fraction.numerator), math.isqrt(fraction.denominator)
        if top * top == fraction.numerator and bottom * bottom == fraction.denominator:
            return Fraction(top, bottom)
        return Fraction(math.sqrt(fraction))

    def seconds(self, nanoseconds: int) -> Value:
        return Fraction(nanoseconds, 10**9)

    def due(self, then: int, delay: Value) -> int:
        return due(then, delay)

    def floor(self, value: Value) -> Value:
        return Fraction(math.floor(value))

    def finite(self, value: Value) -> bool:
        return True


FLOAT: Arithmetic = _Float()
EXACT: Arithmetic = _Exact()


@dataclass(slots=True)
class Environment:
    """What the leaves of an expression read; the arithmetic decides what a number is."""

    parameters: Mapping[str, Any]
    arithmetic: Arithmetic
    cells: Mapping[str, Any] = field(default_factory=dict)
    before: Mapping[str, Any] = field(default_factory=dict)
    fields: Mapping[str, Any] = field(default_factory=dict)
    temps: Mapping[str, Any] = field(default_factory=dict)
    now: Any = 0
    active: Collection[str] = ()
    """Every active state, with those around the leaves."""
    was: Collection[str] = ()
    ordered: Collection[str] = ()
    """Legs of which orders were released."""
    person: Any = NOBODY
    """Who brought the event of the macrostep, by index."""


def evaluate(expr: Expr, env: Environment) -> Any:
    """Return the value of `expr`.

    Raises:
        Failure: it has none.
    """
    try:
        return _value(expr, env, {})
    except ZeroDivisionError:
        raise Failure("division by zero") from None
    except OverflowError:
        raise Failure("a number too large for a float") from None
    except ValueError:
        raise Failure("the square root of a negative number, or a number that is none") from None


def _value(expr: Expr, env: Environment, known: dict[int, Value]) -> Any:
    if id(expr) not in known:
        known[id(expr)] = _compute(expr, env, known)
    return known[id(expr)]


def _compute(expr: Expr, env: Environment, known: dict[int, Value]) -> Any:
    match expr.op:
        case "const":
            assert expr.value is not None
            return env.arithmetic.real(expr.value) if expr.type == "real" else expr.value
        case "param":
            return env.parameters[expr.name]
        case "cell":
            return env.cells[expr.name]
        case "before":
            return env.before[expr.name]
        case "field":
            return env.fields[expr.name]
        case "temp":
            return env.temps[expr.name]
        case "now":
            return env.now
        case "active":
            return expr.name in env.active
        case "was":
            return expr.name in env.was
        case "ordered":
            return any(leg.startswith(expr.name) for leg in env.ordered)
        case "person":
            return env.person
        case "and":
            return _value(expr.args[0], env, known) and _value(expr.args[1], env, known)
        case "or":
            return _value(expr.args[0], env, known) or _value(expr.args[1], env, known)
        case "select":
            return _value(expr.args[1] if _value(expr.args[0], env, known) else expr.args[2], env, known)
        case "given":
            if not _value(expr.args[0], env, known):
                raise Failure(expr.name)
            return _value(expr.args[1], env, known)
        case "min":
            a, b = (_value(argument, env, known) for argument in expr.args)
            return b if b < a else a
        case "max":
            a, b = (_value(argument, env, known) for argument in expr.args)
            return b if b > a else a
    a = _value(expr.args[0], env, known)
    match expr.op:
        case "neg":
            return -a
        case "not":
            return not a
        case "abs":
            return abs(a)
        case "sqrt":
            return env.arithmetic.sqrt(a)
        case "floor":
            return env.arithmetic.floor(a)
        case "real":
            return env.arithmetic.real(a)
    b = _value(expr.args[1], env, known)
    match expr.op:
        case "seconds":
            return env.arithmetic.seconds(int(a) - int(b))
        case "due":
            return env.arithmetic.due(int(a), b)
        case "add":
            return a + b
        case "sub":
            return a - b
        case "mul":
            return a * b
        case "div":
            return a / b
        case "lt":
            return a < b
        case "le":
            return a <= b
        case "gt":
            return a > b
        case "ge":
            return a >= b
        case "eq":
            return a == b
        case "ne":
            return a != b
    raise AssertionError(expr.op)
