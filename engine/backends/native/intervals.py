"""Expressions over several rows at once: what their values lie between, and what conditions surely hold.

    tick.price in [low, high]                the least and the greatest price of the rows
    tick.price - anchor                  ->  [low - anchor, high - anchor]
    tick.price - anchor >= band * anchor ->  surely where low - anchor is, surely not where high - anchor is not

Operators round to nearest, and that rounding is monotone: what an operator makes of a value between two others lies, to the
last bit, between what it makes of them. So an interval holds the floats that each row would come to, and not only the reals,
as long as no end is infinite or undefined. Of one row, both ends are one value, and all of this is the expression itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from typing import NamedTuple

from ...evaluate import LARGEST
from ...ir import Expr
from .blocks import Blocks
from .slots import kind_of
from .text import Kind, real

__all__ = ["Intervals", "Known", "NotProvable", "Range", "Truth"]


class NotProvable(Exception):  # it is no error, but an answer
    """What an expression comes to over several rows is not known."""


class Range(NamedTuple):
    """A number of which the least and the greatest value are known; of one value they have one name."""

    low: str
    high: str

    @property
    def is_one(self) -> bool:
        return self.low == self.high


class Truth(NamedTuple):
    """A condition: when it holds in all rows, and when it holds in none."""

    always: str
    never: str


Known = Range | Truth


class Intervals:
    """Writes expressions over rows into a kernel.

    What does not depend on the row is one value, computed as ever.
    """

    def __init__(
        self, write: Blocks, moved: Set[str], fields: Mapping[str, Range], now: Range, before: Mapping[str, Range]
    ) -> None:
        """Begin with what is known of some rows.

        Args:
            write: into what, and how single values are written.
            moved: cells that hold something else after each row.
            fields: the real fields of the event, by qualified name.
            now: the times of the rows.
            before: of cells that are moved, what they hold when a row begins, where that is known.
        """
        self.write, self.code, self.moved = write, write.code, moved
        self.fields, self.now, self.before = fields, now, before
        self.cells: dict[str, Known] = {}
        """What rows have assigned to cells so far."""
        self.temps: dict[str, Known] = {}
        self.needs: list[str] = []
        """What must hold for the intervals to be right and for no expression to be without a value."""
        self._found: dict[int, Known] = {}
        self._moves: dict[int, bool] = {}

    def forget(self) -> None:
        """Forget what expressions come to: a name has another meaning, or another basic block begins."""
        self._found.clear()
        self._moves.clear()

    def bind(self, temp: str, expr: Expr) -> None:
        """Give an expression a name, as `Let` does."""
        value, bounds = self.of(expr), self.write.span(expr) if expr.type == "real" else None
        moves = self.moves(expr)
        self.forget()
        self.write.forget()
        self.write.spans[temp] = bounds
        self.temps.pop(temp, None)
        if moves:
            self.temps[temp] = value
        else:
            self.write.temps[temp] = value[0]

    def assign(self, cell: str, value: Known) -> None:
        self.cells[cell] = value
        self.forget()

    def stays(self, cell: str, expr: Expr) -> str:
        """Return whether each row assigns to a cell what it holds, to the last bit."""
        write, slot = self.write, self.write.slots.variables[self.write.slots.cells[cell]]
        held, value = write.variable(write.slots.cells[cell]), self.of(expr)
        if isinstance(value, Truth):
            return self.code.either(
                self.code.both(held, value.always), self.code.both(self.code.negate(held), value.never)
            )
        if slot.kind != "double":
            return write.all(write.order("eq", "i64", end, held) for end in dict.fromkeys(value))
        if value.is_one and not self.moves(expr):
            return write.op(f"icmp eq i64 {self._bits(held)}, {self._bits(value.low)}")
        # A sum with +0.0 that is zero is +0.0; of another zero the sign is not known.
        zero = write.op(f"icmp eq i64 {self._bits(held)}, 0") if expr.op in ("add", "sub") else "false"
        signed = self.code.either(write.op(f"fcmp une double {held}, 0.0"), zero)
        return write.all((signed, *(write.order("eq", "double", end, held) for end in dict.fromkeys(value))))

    def _bits(self, value: str) -> str:
        return self.write.op(f"bitcast double {value} to i64")

    def cell(self, name: str) -> Range:
        """Return what a real cell holds after the rows."""
        if name in self.cells:
            found = self.cells[name]
            assert isinstance(found, Range)
            return found
        value = self.write.variable(self.write.slots.cells[name])
        return Range(value, value)

    def take_needs(self) -> str:
        """Return whether all holds that has been needed since this was last asked."""
        held = self.write.all(self.needs)
        self.needs = []
        return held

    def truth(self, expr: Expr) -> Truth:
        found = self.of(expr)
        assert isinstance(found, Truth)
        return found

    def of(self, expr: Expr) -> Known:
        """Return what an expression comes to.

        Raises:
            NotProvable: it has an operator that is not followed over rows, or reads what the row before has left.
        """
        for node in expr.walk(self._found):
            if self.moves(node):
                self._found[id(node)] = self._node(node)
        return self._of(expr)

    def moves(self, expr: Expr) -> bool:
        """Return whether an expression depends on the row."""
        for node in expr.walk(self._moves):
            self._moves[id(node)] = (
                node.op in ("field", "now")
                or (node.op == "temp" and node.name in self.temps)
                or (node.op in ("cell", "before") and node.name in self.moved)
                or any(self._moves[id(argument)] for argument in node.args)
            )
        return self._moves[id(expr)]

    def _of(self, node: Expr) -> Known:
        """Return what is known of a node whose arguments have been followed."""
        if id(node) in self._found:
            return self._found[id(node)]
        value = self.write.value(node)
        self.needs.append(self.code.negate(self.write.failure(node)))
        return Truth(value, self.code.negate(value)) if node.type == "bool" else Range(value, value)

    def _node(self, node: Expr) -> Known:
        match node.op:
            case "cell" | "before":
                if node.name in self.cells:
                    return self.cells[node.name]
                if node.name not in self.before:
                    raise NotProvable(f"`{node.name}` is read as the row before has left it")
                return self.before[node.name]
            case "temp":
                return self.temps[node.name]
            case "now":
                return self.now
            case "field":
                if node.name not in self.fields:
                    raise NotProvable(f"`{node.name}` is not a real number")
                return self.fields[node.name]
        inner = [self._of(argument) for argument in node.args]
        if node.type == "bool":
            return self._condition(node, inner)
        made = self._number(node, inner)
        if node.type == "real" and not self.write.is_finite(node):
            self._need_finite(made)
        return made

    # ------------------------------------------------------------------------------------------------------ conditions

    def _condition(self, node: Expr, inner: list[Known]) -> Truth:
        code = self.code
        if node.op == "select":
            chosen, one, other = _truths(inner)
            return Truth(*(self._selected(chosen, *ends) for ends in zip(one, other, strict=True)))
        if node.op in ("not", "and", "or"):
            a, *rest = _truths(inner)
            if node.op == "not":
                return Truth(a.never, a.always)
            b = rest[0]
            if node.op == "and":
                return Truth(code.both(a.always, b.always), code.either(a.never, b.never))
            return Truth(code.either(a.always, b.always), code.both(a.never, b.never))
        if node.op in ("lt", "le", "gt", "ge", "eq", "ne") and node.args[0].type != "bool":
            return self._compared(node.op, kind_of(node.args[0].type), *_ranges(inner))
        raise NotProvable(f"`{node.op}`")

    def _selected(self, chosen: Truth, one: str, other: str) -> str:
        """Return whether what is sure of one or the other, as it is chosen, is sure."""
        code = self.code
        sure = code.either(code.both(chosen.always, one), code.both(chosen.never, other))
        return code.either(sure, code.both(one, other))

    def _compared(self, op: str, kind: Kind, a: Range, b: Range) -> Truth:
        code, order = self.code, self.write.order
        if a.is_one and b.is_one:
            held = order(op, kind, a.low, b.low)
            return Truth(held, code.negate(held))
        match op:
            case "lt" | "le":
                return Truth(order(op, kind, a.high, b.low), order("ge" if op == "lt" else "gt", kind, a.low, b.high))
            case "gt" | "ge":
                return Truth(order(op, kind, a.low, b.high), order("le" if op == "gt" else "lt", kind, a.high, b.low))
        apart = code.either(order("lt", kind, a.high, b.low), order("gt", kind, a.low, b.high))
        return Truth("false", apart) if op == "eq" else Truth(apart, "false")

    # --------------------------------------------------------------------------------------------------------- numbers

    def _number(self, node: Expr, inner: list[Known]) -> Range:
        if node.op == "select":
            return self._hull(kind_of(node.type), *inner)
        if node.type != "real":
            raise NotProvable(f"`{node.op}` of whole numbers")
        if node.op == "given":
            condition, held = inner
            assert isinstance(condition, Truth)
            assert isinstance(held, Range)
            self.needs.append(condition.always)
            return held
        spans = _ranges(inner)
        a, b = spans[0], spans[-1]
        op = self.write.op
        match node.op:
            case "seconds":
                # INVARIANT: both are times within REACH, so that their difference is an int64.
                gaps = op(f"sub i64 {a.low}, {b.high}"), op(f"sub i64 {a.high}, {b.low}")
                return Range(*(op(f"fdiv double {op(f'sitofp i64 {gap} to double')}, {real(1e9)}") for gap in gaps))
            case "neg":
                return Range(op(f"fneg double {a.high}"), op(f"fneg double {a.low}"))
            case "abs":
                return self._size(a)
            case "sqrt":
                self.needs.append(op(f"fcmp oge double {a.low}, 0.0"))
                return Range(*(op(f"call double @llvm.sqrt.f64(double {end})") for end in a))
            case "floor":
                self._need_finite(a)
                return Range(*(self.write.floored(end) for end in a))
            case "min" | "max":
                return Range(*(self._extreme(node.op, *ends) for ends in zip(a, b, strict=True)))
            case "add":
                return Range(*(op(f"fadd double {one}, {other}") for one, other in zip(a, b, strict=True)))
            case "sub":
                return Range(op(f"fsub double {a.low}, {b.high}"), op(f"fsub double {a.high}, {b.low}"))
            case "mul" if node.args[0] is node.args[1]:
                return Range(*(op(f"fmul double {end}, {end}") for end in self._size(a)))
            case "mul":
                return self.product(a, b)
            case "div":
                apart = (op(f"fcmp ogt double {b.low}, 0.0"), op(f"fcmp olt double {b.high}, 0.0"))
                self.needs.append(self.code.either(*apart))
                return self._corners("fdiv", a, b)
        raise NotProvable(f"`{node.op}`")

    def _need_finite(self, a: Range) -> None:
        """Ask that both ends be finite; of two, each need be compared on its own side alone."""
        self.needs.append(self.write.op(f"fcmp oge double {a.low}, {real(-LARGEST)}"))
        self.needs.append(self.write.op(f"fcmp ole double {a.high}, {real(LARGEST)}"))

    def _size(self, a: Range) -> Range:
        op = self.write.op
        sizes = [op(f"call double @llvm.fabs.f64(double {end})") for end in dict.fromkeys(a)]
        if a.is_one:
            return Range(sizes[0], sizes[0])
        # 0 where it is between them.
        inner = self._extreme("max", a.low, op(f"fneg double {a.high}"))
        return Range(self._extreme("max", inner, real(0.0)), self._extreme("max", sizes[0], sizes[1]))

    def product(self, a: Range, b: Range) -> Range:
        return self._corners("fmul", a, b)

    def _corners(self, operator: str, a: Range, b: Range) -> Range:
        pairs = dict.fromkeys((one, other) for one in a for other in b)
        found = [self.write.op(f"{operator} double {one}, {other}") for one, other in pairs]
        low = high = found[0]
        for each in found[1:]:
            low, high = self._extreme("min", low, each), self._extreme("max", high, each)
        return Range(low, high)

    def _extreme(self, op: str, a: str, b: str, kind: Kind = "double") -> str:
        if a == b:
            return a
        closer = self.write.order("lt" if op == "min" else "gt", kind, b, a)
        return self.write.op(f"select i1 {closer}, {kind} {b}, {kind} {a}")

    def _hull(self, kind: Kind, chosen: Known, one: Known, other: Known) -> Range:
        """Return what is chosen, where that is the same in all rows; else what either lies between."""
        assert isinstance(chosen, Truth)
        a, b = _ranges([one, other])
        if "true" in chosen:
            return a if chosen.always == "true" else b
        if a.is_one and b.is_one and self.now.is_one:
            # INVARIANT: of one row a condition is known: where it does not hold always, it never does.
            value = self.write.op(f"select i1 {chosen.always}, {kind} {a.low}, {kind} {b.low}")
            return Range(value, value)
        found = []
        for op, first, second in (("min", a.low, b.low), ("max", a.high, b.high)):
            either = self._extreme(op, first, second, kind)
            unless = self.write.op(f"select i1 {chosen.never}, {kind} {second}, {kind} {either}")
            found.append(self.write.op(f"select i1 {chosen.always}, {kind} {first}, {kind} {unless}"))
        return Range(*found)


def _ranges(inner: list[Known]) -> list[Range]:
    return [each for each in inner if isinstance(each, Range)]


def _truths(inner: list[Known]) -> list[Truth]:
    return [each for each in inner if isinstance(each, Truth)]
