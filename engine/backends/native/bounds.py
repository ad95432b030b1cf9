"""What the values of a program lie between, by what it is made of: which checks of a row can never fail.

An interval a cell, from the ranges of fields and parameters through every assignment of the program, whatever the order in
which they run, up to a fixed point:

    tick.price in [0.01, 1e7]   ->   previous price in [0.01, 1e7], its ratio in [1e-9, 1e9], an ewma of that below 1e10

Intervals are widened to powers of ten on the way, so that the fixed point comes soon, and by a part in 10^12 at each
operation, which covers its rounding.

A cell that an observation assigns holds its initial value until the first time. The same observation sets a flag then (see
`kernel.sticky_cells`), and expressions that read such a cell ask for it: `select(seen, cell, other)`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from fractions import Fraction

from ...evaluate import LARGEST
from ...ir import Assign, Block, Event, Expr, Let, Program

__all__ = ["ANY", "Bounds", "Interval", "is_finite"]

Interval = tuple[float, float]
_Pair = tuple[Interval | None, Interval | None]
ANY: Interval = (-math.inf, math.inf)
_WHOLE: Interval = (-(2.0**64), 2.0**64)
_SECONDS: Interval = (-(2.0**65) / 1e9, 2.0**65 / 1e9)
_ROUNDS = 40
_SLACK = 1e-12
_FINITE = 1e300


class Bounds:
    """Intervals of the real values of one program."""

    def __init__(self, program: Program, event: Event, sticky: Iterable[str]) -> None:
        """Find the fixed point.

        Args:
            program: any that runs in native code.
            event: the event of the kernel.
            sticky: flags that are set the first time that it is observed, and never unset.
        """
        self.sticky = frozenset(sticky)
        blocks = [block for block in event.observe if self.sticky & _assigned(block)]
        self.late: frozenset[str] = frozenset().union(*map(_assigned, blocks))
        """Cells that have been assigned once the flags are set."""
        if self.sticky:
            self.late |= _assigned(event.marks)
        self.parameters = {each.name: _range(each.low, each.high) for each in program.parameters}
        self.fields = {
            f"{event.name}.{field.name}": _range(field.low, field.high)
            for event in program.events
            for field in event.fields
        }
        self.initial: dict[str, Interval] = {
            cell.name: (float(cell.initial), float(cell.initial)) for cell in program.cells if cell.type == "real"
        }
        self.after: dict[str, Interval | None] = dict.fromkeys(self.initial)
        """What is assigned to each cell, anywhere; None until something is."""
        self._lasting: dict[int, _Pair] = {}
        self._find(_blocks(program))

    def _find(self, blocks: list[tuple[Block, frozenset[str]]]) -> None:
        for _ in range(_ROUNDS):
            known = dict(self.after)
            for block, late in blocks:
                self._run(block, late)
            if self.after == known:
                return
        self.after = dict.fromkeys(self.after, ANY)

    def _run(self, block: Block, late: frozenset[str]) -> None:
        temps: dict[str, Interval | None] = {}
        for each in block:
            if isinstance(each, Let):
                temps[each.temp] = self.of(each.value, temps, late)
            elif isinstance(each, Assign):
                for cell, expr in each.targets:
                    found = self.of(expr, temps, late)
                    if cell in self.after and found is not None:
                        self.after[cell] = _widened(self.after[cell], found)

    # ----------------------------------------------------------------------------------------------------- expressions

    def of(
        self, expr: Expr, temps: Mapping[str, Interval | None], late: frozenset[str] | None = None
    ) -> Interval | None:
        """Return what the value of an expression lies between, if it has one; None while nothing is known to be assigned.

        Args:
            expr: any; only reals are followed.
            temps: intervals of temporary values.
            late: cells that are known to have been assigned; None where the flags are known to be set.
        """
        if late is not None:
            return self._follow(expr, temps, late, {})[0]
        return self._follow(expr, temps, self.late, self._lasting)[1]

    def _follow(
        self, expr: Expr, temps: Mapping[str, Interval | None], late: frozenset[str], lasting: dict[int, _Pair]
    ) -> _Pair:
        """Return the intervals of an expression; `lasting` has those of nodes without temporary values, and is added to."""
        passing: dict[int, _Pair] = {}
        for node in expr.walk(lasting):
            inner = [lasting.get(id(each)) or passing[id(each)] for each in node.args]
            lasts = node.op != "temp" and all(id(each) in lasting for each in node.args)
            (lasting if lasts else passing)[id(node)] = self._node(node, inner, temps, late)
        return lasting.get(id(expr)) or passing[id(expr)]

    def _node(
        self, node: Expr, inner: list[_Pair], temps: Mapping[str, Interval | None], late: frozenset[str]
    ) -> _Pair:
        """Return the interval of a node in any case, and that where the flags are set."""
        if node.type != "real":
            return _WHOLE, _WHOLE
        match node.op:
            case "const":
                return (_exactly(node.value),) * 2
            case "param":
                return (self.parameters[node.name],) * 2
            case "field":
                return (self.fields.get(node.name, ANY),) * 2
            case "temp":
                return (temps.get(node.name, ANY),) * 2
            case "cell" | "before":
                return self._cell(node.name, late), self._cell(node.name, late | self.late)
            case "seconds":
                return _SECONDS, _SECONDS
            case "real":
                return _WHOLE, _WHOLE
            case "given":
                return inner[1]
            case "select" if node.args[0].op == "cell" and node.args[0].name in self.sticky:
                return _join(inner[1][1], inner[2][0]), inner[1][1]
            case "select":
                return _join(inner[1][0], inner[2][0]), _join(inner[1][1], inner[2][1])
        return _operator(node, [each[0] for each in inner]), _operator(node, [each[1] for each in inner])

    def _cell(self, cell: str, late: frozenset[str]) -> Interval | None:
        after = self.after[cell]
        return after if cell in late else _join(self.initial[cell], after)


def is_finite(interval: Interval) -> bool:
    """Return whether no value in an interval is infinite, or is by a rounding."""
    return interval[0] > -_FINITE and interval[1] < _FINITE


def _exactly(value: Fraction | int | bool | None) -> Interval:
    return float(value or 0), float(value or 0)


def _operator(expr: Expr, intervals: list[Interval | None]) -> Interval | None:
    inner = [each for each in intervals if each is not None]
    if len(inner) < len(intervals):
        return None
    # What may be infinite may make a NaN, which no comparison keeps out.
    if not all(map(is_finite, inner)):
        return ANY
    (low, high), other = inner[0], inner[-1]
    match expr.op:
        case "neg":
            return -high, -low
        case "abs":
            return (0.0 if low <= 0 <= high else min(abs(low), abs(high))), max(abs(low), abs(high))
        case "sqrt":
            return _spread(math.sqrt(max(low, 0.0)), math.sqrt(max(high, 0.0)))
        case "floor":
            return _spread(low - 1, high)
        case "min":
            return min(low, other[0]), min(high, other[1])
        case "max":
            return max(low, other[0]), max(high, other[1])
        case "add":
            return _spread(low + other[0], high + other[1])
        case "sub":
            return _spread(low - other[1], high - other[0])
        case "mul" if expr.args[0] is expr.args[1]:
            size = max(abs(low), abs(high))
            return _spread(0.0 if low <= 0 <= high else min(low * low, high * high), size * size)
        case "mul":
            return _corners(a * b for a in inner[0] for b in other)
        case "div" if other[0] > 0 or other[1] < 0:
            return _corners(a / b for a in inner[0] for b in other)
    return ANY


def _corners(values: Iterable[float]) -> Interval:
    found = list(values)
    return ANY if any(map(math.isnan, found)) else _spread(min(found), max(found))


def _spread(low: float, high: float) -> Interval:
    """Return an interval with room for a rounding."""
    if math.isnan(low) or math.isnan(high):
        return ANY
    return low - abs(low) * _SLACK - 5e-324, high + abs(high) * _SLACK + 5e-324


def _join(one: Interval | None, other: Interval | None) -> Interval | None:
    if one is None or other is None:
        return one or other
    return min(one[0], other[0]), max(one[1], other[1])


def _widened(known: Interval | None, found: Interval) -> Interval:
    """Return an interval with a new one in it; an end that moves goes to the next power of ten on its way, or to 0."""
    if known is None:
        return found
    low = known[0] if found[0] >= known[0] else 0.0 if found[0] >= 0 else -_next(-found[0])
    high = known[1] if found[1] <= known[1] else 0.0 if found[1] <= 0 else _next(found[1])
    return low, high


def _next(size: float) -> float:
    """Return one of a few powers of ten that is not less."""
    return next((10.0**power for power in (0, 5, 10, 20, 40, 80, 160, 290) if size <= 10.0**power), math.inf)


def _range(low: Fraction | None, high: Fraction | None) -> Interval:
    return -LARGEST if low is None else float(low), LARGEST if high is None else float(high)


def _assigned(block: Block) -> frozenset[str]:
    return frozenset(cell for each in block if isinstance(each, Assign) for cell, _ in each.targets)


def _blocks(program: Program) -> list[tuple[Block, frozenset[str]]]:
    """Return every block, with the cells that have been assigned when it runs: marks come before what is observed."""
    none: frozenset[str] = frozenset()
    blocks = [(program.accrue, none), *((event.marks, none) for event in program.events)]
    blocks += [(block, _assigned(event.marks)) for event in program.events for block in event.observe]
    others = [block for part in program.parts for block in (part.begin, part.endow, part.endow_late)]
    for state in program.states:
        others += [state.stamp, state.entry, state.initially, state.exit, state.leave]
    for rule in program.rules:
        others += [rule.measure, rule.action]
    others += [leg.fill for leg in program.legs]
    return blocks + [(block, none) for block in others]
