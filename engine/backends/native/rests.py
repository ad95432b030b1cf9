"""What a row leaves to the next one, where nothing fires.

last = tick.price                follows the row: when a row begins, it holds the field of the row before
high = max(high, tick.price)     rests, as long as no price is higher
cash = cash - unsettled * ...    rests, as long as nothing is unsettled
mean = 0.9 * mean + ...          neither: every row needs all those before it
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from ...ir import Assign, Event, Expr, Let, Program, Require

__all__ = ["Rests", "rests_of"]


@dataclass(frozen=True)
class Rests:
    """The cells that a row assigns before anything is selected."""

    moved: frozenset[str]
    """Those that hold something else after each row."""
    resting: frozenset[str]
    """Those that are read before they are assigned, and may be assigned what they hold."""
    followers: Mapping[str, int | None]
    """Those of the moved that are read before they are assigned, and take a field of each row, by its place, or its time."""
    lost: frozenset[str]
    """Those that are read before they are assigned, and depend on every row before."""


def rests_of(program: Program, event: Event, assigned: Collection[str]) -> Rests:
    """Return what becomes of the cells that a row of an event assigns before anything is selected."""
    temps: dict[str, Expr] = {}
    values: dict[str, list[Expr]] = {}
    early: set[str] = set()
    for block in (program.accrue, event.marks, *event.observe):
        for each in block:
            match each:
                case Let():
                    read = [each.value]
                    temps[each.temp] = _source(each.value, temps, values)
                case Assign():
                    read = [expr for _, expr in each.targets]
                case Require():
                    read = [each.condition]
                case _:
                    continue
            nodes = (node for expr in read for node in expr.walk() if node.op in ("cell", "before"))
            early |= {node.name for node in nodes if node.name in assigned and node.name not in values}
            if isinstance(each, Assign):
                made = [(cell, _source(expr, temps, values)) for cell, expr in each.targets]
                for cell, expr in made:
                    values.setdefault(cell, []).append(expr)
    fields = {f"{event.name}.{field.name}": index for index, field in enumerate(event.fields) if field.type == "real"}
    followers: dict[str, int | None] = {}
    resting: set[str] = set()
    for cell in sorted(early):
        last = values[cell][-1]
        if all(_may_rest(cell, expr) for expr in values[cell]):
            resting.add(cell)
        elif last.op == "now":
            followers[cell] = None
        elif last.op == "field" and last.name in fields:
            followers[cell] = fields[last.name]
    lost = early - resting - followers.keys()
    return Rests(frozenset(assigned) - resting, frozenset(resting), followers, frozenset(lost))


def _source(expr: Expr, temps: Mapping[str, Expr], values: Mapping[str, Sequence[Expr]]) -> Expr:
    """Return what a name stands for, or a cell that has been assigned; a cell in it is as the row before has left it."""
    if expr.op == "temp":
        return temps[expr.name]
    if expr.op == "cell" and expr.name in values:
        return values[expr.name][-1]
    return expr


def _may_rest(cell: str, expr: Expr) -> bool:
    """Return whether an expression may come to what a cell holds, row after row."""
    match expr.op:
        case "const":
            return True
        case "cell":
            return expr.name == cell
        case "add" | "sub":
            return _may_rest(cell, expr.args[0]) and expr.args[0].op != "const"
        case "min" | "max":
            return any(_may_rest(cell, each) for each in expr.args)
        case "select":
            return any(_may_rest(cell, each) for each in expr.args[1:])
    return False
