"""A condition taken apart: each comparison with the values of both sides, as far as the machine evaluates it.

calm >= calm_checks or abs(net) * price > net_max or gross * price > gross_max
    ->  any of: calm >= calm_checks, 3 and 100, false; abs(net) * price > net_max, 512000 and 500000, true;
        gross * price > gross_max, not evaluated
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from .evaluate import Environment, Failure, evaluate
from .ir import INFIX, Expr, Program, Value
from .readable import memory_of, readable

__all__ = ["Condition", "Examination", "Reading", "Said", "Side", "Units"]

_LARGEST_GUARD = 2_000
"""Nodes up to which a guard, its shared parts counted each time, is taken apart."""

Said = Literal["true", "false", "failed", "not evaluated"]


@dataclass(frozen=True, slots=True)
class Reading:
    """A name and its value; `unit` is empty for a pure number, `ns` for a time on the machine's clock.

    What came with a refused event and is no number is text.
    """

    name: str
    value: Value | str
    unit: str


@dataclass(frozen=True, slots=True)
class Side:
    """One side of a comparison; `value` is None where it has none or was not evaluated."""

    text: str
    value: Value | None
    unit: str
    """The unit of a side that is a name; empty for others."""


@dataclass(frozen=True, slots=True)
class Condition:
    """A part of a guard, and what it said."""

    kind: Literal["all", "any", "not", "choice", "comparison", "other"]
    """`all`, `any` and `not` have parts; a choice has its condition and both branches; a comparison has two sides."""
    text: str
    said: Said
    reason: str = ""
    """Why it failed."""
    parts: tuple[Condition, ...] = ()
    operator: str = ""
    sides: tuple[Side, ...] = ()


class Units:
    """The units of the names of a program."""

    def __init__(self, program: Program) -> None:
        self.cells = {cell.name: cell.unit for cell in program.cells}
        self.parameters = {parameter.name: parameter.unit for parameter in program.parameters}
        self.fields = {f"{event.name}.{each.name}": each.unit for event in program.events for each in event.fields}

        self.people = {f"{event.name}.{each.name}": each.people for event in program.events for each in event.fields}

    def of(self, expr: Expr) -> str:
        """Return the unit of a name; nothing for what is none, or a pure number."""
        if memory_of(expr) is not None:
            return "s"
        tables = {"cell": self.cells, "param": self.parameters, "field": self.fields}
        unit = tables.get(expr.op, {}).get(expr.name, "")
        return "" if unit == "1" else unit

    def reading(self, field: str, value: Value) -> Reading:
        unit, people = self.fields.get(field, ""), self.people.get(field)
        if people:
            return Reading(field, people[int(value)], "")
        return Reading(field, value, "" if unit == "1" else unit)

    def readings(self, expr: Expr, env: Environment) -> Iterator[Reading]:
        """Yield what an expression reads, in the order of its text."""
        inside = {id(node.args[1]) for node in expr.walk() if memory_of(node) is not None}
        for node in expr.walk():
            memory = memory_of(node)
            if memory is not None:
                yield Reading(memory, evaluate(node, env), "s")
            elif node.op in ("param", "cell", "field") and id(node) not in inside:
                yield Reading(node.name, evaluate(node, env), self.of(node))
            elif node.op == "active":
                yield Reading(f"In({node.name})", evaluate(node, env), "")


_OPPOSITE: Mapping[Said, Said] = {
    "true": "false",
    "false": "true",
    "failed": "failed",
    "not evaluated": "not evaluated",
}


def _said(value: object) -> Said:
    return "true" if value else "false"


class Examination:
    """Evaluates a condition part by part, as far as the machine does."""

    def __init__(self, env: Environment, units: Units, part: str) -> None:
        self.env, self.units, self.part = env, units, part

    def of(self, expr: Expr) -> Condition:
        """Return what a condition said."""
        text = self._text(expr)
        if expr.size <= _LARGEST_GUARD:
            match expr.op:
                case "and" | "or":
                    return self._joined(expr, text)
                case "not":
                    inner = self.of(expr.args[0])
                    return Condition("not", text, _OPPOSITE[inner.said], inner.reason, (inner,))
                case "select":
                    return self._choice(expr, text)
                case "lt" | "le" | "gt" | "ge" | "eq" | "ne":
                    return self._comparison(expr, text)
        try:
            return Condition("other", text, _said(evaluate(expr, self.env)))
        except Failure as failure:
            return Condition("other", text, "failed", str(failure))

    def _text(self, expr: Expr) -> str:
        return readable(expr, inside=self.part)

    def _left_out(self, expr: Expr) -> Condition:
        return Condition("other", self._text(expr), "not evaluated")

    def _joined(self, expr: Expr, text: str) -> Condition:
        """Return an `and` or `or` with its parts; nothing is evaluated behind the one that decides, or fails."""
        neutral: Said = "true" if expr.op == "and" else "false"
        said, reason = neutral, ""
        parts: list[Condition] = []
        for operand in _operands(expr):
            if said == neutral:
                parts.append(self.of(operand))
                said, reason = parts[-1].said, parts[-1].reason
            else:
                parts.append(self._left_out(operand))
        return Condition("all" if expr.op == "and" else "any", text, said, reason, tuple(parts))

    def _choice(self, expr: Expr, text: str) -> Condition:
        condition = self.of(expr.args[0])
        parts = [condition]
        said, reason = condition.said, condition.reason
        for wanted, branch in (("true", expr.args[1]), ("false", expr.args[2])):
            if condition.said == wanted:
                parts.append(self.of(branch))
                said, reason = parts[-1].said, parts[-1].reason
            else:
                parts.append(self._left_out(branch))
        return Condition("choice", text, said, reason, tuple(parts))

    def _comparison(self, expr: Expr, text: str) -> Condition:
        values: list[Value | None] = [None, None]
        try:
            for index, argument in enumerate(expr.args):
                values[index] = evaluate(argument, self.env)
            said, reason = _said(evaluate(expr, self.env)), ""
        except Failure as failure:
            said, reason = "failed", str(failure)
        sides = tuple(
            Side(self._text(argument), value, self.units.of(_bare(argument)))
            for argument, value in zip(expr.args, values, strict=True)
        )
        return Condition("comparison", text, said, reason, (), INFIX[expr.op], sides)


def _operands(expr: Expr) -> Iterator[Expr]:
    """Yield what a chain of one word joins, in order; `a and (b and c)` says what `a and b and c` does."""
    for argument in expr.args:
        if argument.op == expr.op:
            yield from _operands(argument)
        else:
            yield argument


def _bare(expr: Expr) -> Expr:
    return expr.args[0] if expr.op == "real" else expr
