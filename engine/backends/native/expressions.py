"""From the expressions of the IR to LLVM.

Nothing traps and nothing has an effect, so an expression is computed without branches; whether it has a value is a
condition of its own, beside the value. Operators keep their order and their rounding: no fast-math, no contraction.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import inf
from typing import Literal

from ...evaluate import LARGEST
from ...ir import NEVER, Cell, Expr, Program
from ...monitors import TOLERANCE
from ..layout import Layout
from .bounds import ANY, Bounds, Interval, is_finite
from .slots import Slots, kind_of
from .text import Code, real

__all__ = ["Expressions"]

_REALS = {"add": "fadd", "sub": "fsub", "mul": "fmul", "div": "fdiv"}
_INTS = {"add": "add", "sub": "sub", "mul": "mul"}
_REAL_ORDER = {"lt": "olt", "le": "ole", "gt": "ogt", "ge": "oge", "eq": "oeq", "ne": "une"}
_INT_ORDER = {"lt": "slt", "le": "sle", "gt": "sgt", "ge": "sge", "eq": "eq", "ne": "ne"}
_WHOLE = 2.0**52
"""From here on every double is a whole number."""
_REACH = 2.0**62
"""A delay of so many nanoseconds, and more, is for the reference."""


class Expressions:
    """Writes expressions into a kernel; where one has no value, the label `handover` gives the row to the reference."""

    def __init__(self, program: Program, layout: Layout, slots: Slots) -> None:
        self.program, self.layout, self.slots = program, layout, slots
        self.types: dict[str, Cell] = {cell.name: cell for cell in program.cells}
        self.code = Code()
        self.prologue = Code("h")
        """What is computed once: the parameters, and what depends on them alone."""
        self.parameters = {each.name: (index, kind_of(each.type)) for index, each in enumerate(program.parameters)}
        self.fields: dict[str, str] = {}
        """The variables that hold fields of events, by qualified name."""
        self.temps: dict[str, str] = {}
        self.active: frozenset[str] | None = None
        """The active states of the region of a transition on its way, and those around it."""
        self.judging: Literal["", "changed", "quiet"] = ""
        """Whether invariants are being written, after something has fired or not."""
        self.doubtful: set[str] = set()
        """Cells that were written and may be out of range or infinite until they are checked."""
        self.bounds: Bounds | None = None
        """What values lie between, where the machine is known to have observed its event."""
        self.spans: dict[str, Interval | None] = {}
        """The intervals of temporary values."""
        self.assumed: dict[str, str] = {}
        """What cells are known to hold."""
        self._known: dict[int, str] = {}
        self._loaded: dict[str, str] = {}
        self._made: dict[str, str] = {}
        """The value of each instruction, so that what is written alike is known to be the same."""
        self._failures: dict[int, str] = {}
        self._fixed: dict[int, str] = {}
        self._steady: dict[int, bool] = {}

    # -------------------------------------------------------------------------------------------------------- the places

    def begin(self, label: str, *, keep: bool = False) -> None:
        """Begin a basic block; `keep` where it follows on the one before it alone, which knows what it has computed."""
        self.code.label(label)
        if not keep:
            self.forget()

    def forget(self) -> None:
        for cache in (self._known, self._failures, self._loaded, self._made):
            cache.clear()

    def op(self, text: str) -> str:
        """Write an instruction without an effect, if its value is not there already."""
        if self.code is self.prologue:
            return self.code.op(text)
        if text not in self._made:
            self._made[text] = self.code.op(text)
        return self._made[text]

    def variable(self, name: str) -> str:
        """Return what a variable holds."""
        if name not in self._loaded:
            self._loaded[name] = self.code.get(name)
        return self._loaded[name]

    def require(self, condition: str) -> None:
        """Give the row to the reference unless a condition holds."""
        if condition == "true":
            return
        going_on = self.code.new_label("on")
        self.code.branch(self.code.negate(condition), "handover", going_on, rarely=True)
        self.begin(going_on, keep=True)

    def checked(self, expr: Expr) -> str:
        """Return a value; where there is none, the row is the reference's."""
        value = self.value(expr)
        self.require(self.code.negate(self.failure(expr)))
        return value

    def write(self, cell: str, value: str) -> None:
        if self.assumed.get(cell) == value:
            return
        self.code.set(self.slots.cells[cell], value)
        self.forget()

    # ------------------------------------------------------------------------------------------------------- the values

    def value(self, expr: Expr) -> str:
        """Return the value of an expression; any value, where it has none."""
        if id(expr) in self._known:
            return self._known[id(expr)]
        for node in expr.walk(self._known):
            if not self._is_steady(node):
                self._known[id(node)] = self._node(node)
                continue
            if id(node) not in self._fixed:
                self._fixed[id(node)] = self._hoisted(node)
            self._known[id(node)] = self._fixed[id(node)]
        return self._text(expr)

    def _text(self, node: Expr) -> str:
        return self._fixed[id(node)] if id(node) in self._fixed else self._known[id(node)]

    def _is_steady(self, node: Expr) -> bool:
        """Return whether a node reads parameters alone."""
        if id(node) not in self._steady:
            leaf = node.op in ("const", "param")
            self._steady[id(node)] = leaf or (bool(node.args) and all(map(self._is_steady, node.args)))
        return self._steady[id(node)]

    def _hoisted(self, node: Expr) -> str:
        code, self.code = self.code, self.prologue
        try:
            return self._node(node)
        finally:
            self.code = code

    def _node(self, node: Expr) -> str:
        code = self.code
        match node.op:
            case "const":
                return _constant(node)
            case "param":
                index, kind = self.parameters[node.name]
                place = code.at("%params", index)
                if kind == "i1":
                    return self.op(f"icmp ne i64 {code.load('i64', place)}, 0")
                return code.load(kind, place)
            case "cell" | "before" if node.name in self.assumed:
                return self.assumed[node.name]
            case "cell":
                return self.variable(self.slots.cells[node.name])
            case "before":
                # Where nothing has fired, nothing has changed since the macrostep began.
                before = "" if self.judging == "quiet" else "before."
                return self.variable(f"{before}{self.slots.cells[node.name]}")
            case "field":
                return self.variable(self.fields[node.name])
            case "temp":
                return self.temps[node.name]
            case "now":
                return self.variable("clock")
            case "person":
                return self.variable("person")
            case "active":
                return self._is_active(node.name)
            case "was":
                return self.stands_in("r" if self.judging == "quiet" else "was.r", node.name)
            case "ordered":
                return self._has_ordered(node.name)
        return self._operator(node, [self._text(argument) for argument in node.args])

    def _is_active(self, state: str) -> str:
        if self.active is None:
            return self.stands_in("r", state)
        # INVARIANT: a firing that asks for states of a region beside its own is the reference's.
        return "true" if state in self.active else "false"

    def stands_in(self, register: str, state: str) -> str:
        """Return whether the register of a state's region, or a copy of it, says that the state is active."""
        region, low, high = self.layout.homes[state]
        here = self.variable(f"{register}{region}")
        if high - low == 1:
            return self.op(f"icmp eq i64 {here}, {low}")
        above = self.op(f"icmp sge i64 {here}, {low}")
        return self.code.both(above, self.op(f"icmp slt i64 {here}, {high}"))

    def _has_ordered(self, prefix: str) -> str:
        found = "false"
        if self.judging == "changed":
            for index, leg in enumerate(self.program.legs):
                if leg.name.startswith(prefix):
                    found = self.code.either(found, self.code.get(f"ordered{index}"))
        return found

    def _operator(self, node: Expr, arguments: list[str]) -> str:
        code, kind = self.code, kind_of(node.type)
        a = arguments[0]
        b = arguments[1] if len(arguments) > 1 else ""
        of = kind_of(node.args[0].type)
        match node.op:
            case "neg":
                return self.op(f"fneg double {a}" if kind == "double" else f"sub i64 0, {a}")
            case "not":
                return code.negate(a)
            case "abs" if kind == "double":
                return self.op(f"call double @llvm.fabs.f64(double {a})")
            case "abs":
                below = self.op(f"icmp slt i64 {a}, 0")
                return self.op(f"select i1 {below}, i64 {self.op(f'sub i64 0, {a}')}, i64 {a}")
            case "sqrt":
                return self.op(f"call double @llvm.sqrt.f64(double {a})")
            case "floor":
                return self.floored(a)
            case "real":
                return a if of == "double" else self.op(f"sitofp i64 {a} to double")
            case "seconds":
                gap = self.op(f"sitofp i64 {self.op(f'sub i64 {a}, {b}')} to double")
                return self.op(f"fdiv double {gap}, {real(1e9)}")
            case "due":
                return self._due(a, b)
            case "and":
                return code.both(a, b)
            case "or":
                return code.either(a, b)
            case "select":
                if a in ("true", "false"):
                    return b if a == "true" else arguments[2]
                return self.op(f"select i1 {a}, {kind} {b}, {kind} {arguments[2]}")
            case "given":
                return b
            case "min" | "max":
                sign = self.order("lt" if node.op == "min" else "gt", kind, b, a)
                return self.op(f"select i1 {sign}, {kind} {b}, {kind} {a}")
        if self._compares_with_itself(node):
            # INVARIANT: a - a is 0.0 and within any room where a is finite, and nowhere else.
            return "true" if self.is_finite(node.args[0].args[0]) else self.op(f"fcmp oeq double {a}, 0.0")
        if node.op in _REAL_ORDER:
            return self.order(node.op, of, a, b)
        return self.op(f"{(_REALS if kind == 'double' else _INTS)[node.op]} {kind} {a}, {b}")

    def _compares_with_itself(self, node: Expr) -> bool:
        """Return whether a node is `a - b <= room` or `a - b >= -room`, see monitors, of two sides with the same value."""
        if node.op not in ("le", "ge") or node.args[0].op != "sub":
            return False
        gap, room = node.args
        if node.op == "ge":
            room = room.args[0] if room.op == "neg" else gap
        if room.op != "mul" or room.args[0].value != TOLERANCE or room.args[1].op != "max":
            return False
        if any(size.op != "abs" for size in room.args[1].args):
            return False
        values = {self._text(each) for each in (*gap.args, *(size.args[0] for size in room.args[1].args))}
        return len(values) == 1

    def span(self, expr: Expr) -> Interval:
        """Return what the value of a real expression lies between, as far as that is known here."""
        return ANY if self.bounds is None else self.bounds.of(expr, self.spans) or ANY

    def is_finite(self, expr: Expr) -> bool:
        """Return whether a real expression is finite by what it is made of; a checked cell is, and so is a field."""
        if is_finite(self.span(expr)):
            return True
        match expr.op:
            case "const" | "param" | "before" | "field" | "seconds" | "real":
                return True
            case "cell":
                return expr.name not in self.doubtful
            case "neg" | "abs" | "min" | "max":
                return all(map(self.is_finite, expr.args))
            case "select":
                return all(map(self.is_finite, expr.args[1:]))
            case "given":
                return self.is_finite(expr.args[1])
        return False

    def fits(self, cell: Cell, expr: Expr) -> bool:
        """Return whether the value of an expression is in the range of a cell by what it is made of."""
        if cell.type == "bool" or (cell.type == "int" and cell.low is None and cell.high is None):
            return True
        if cell.type == "real":
            return cell.low is None and cell.high is None and self.is_finite(expr)
        low, high = self._interval(expr)
        return not (cell.low is not None and low < cell.low) and not (cell.high is not None and high > cell.high)

    def _interval(self, expr: Expr) -> tuple[float, float]:
        """Return what an int expression lies between."""
        inner = [self._interval(argument) for argument in expr.args if argument.type == "int"]
        match expr.op:
            case "const":
                return int(expr.value or 0), int(expr.value or 0)
            case "cell" | "before" if expr.op == "before" or expr.name not in self.doubtful:
                cell = self.types[expr.name]
                return (-inf if cell.low is None else int(cell.low)), (inf if cell.high is None else int(cell.high))
            case "add":
                return inner[0][0] + inner[1][0], inner[0][1] + inner[1][1]
            case "sub":
                return inner[0][0] - inner[1][1], inner[0][1] - inner[1][0]
            case "min":
                return min(inner[0][0], inner[1][0]), min(inner[0][1], inner[1][1])
            case "max":
                return max(inner[0][0], inner[1][0]), max(inner[0][1], inner[1][1])
            case "select":
                return min(inner[0][0], inner[1][0]), max(inner[0][1], inner[1][1])
        return -inf, inf

    def order(self, op: str, kind: str, a: str, b: str) -> str:
        if kind == "double":
            return self.op(f"fcmp {_REAL_ORDER[op]} double {a}, {b}")
        return self.op(f"icmp {_INT_ORDER[op]} {kind} {a}, {b}")

    def floored(self, a: str) -> str:
        size = self.op(f"call double @llvm.fabs.f64(double {a})")
        small = self.op(f"fcmp olt double {size}, {real(_WHOLE)}")
        # An int of a double out of reach would be poison.
        held = self.op(f"select i1 {small}, double {a}, double 0.0")
        cut = self.op(f"sitofp i64 {self.op(f'fptosi double {held} to i64')} to double")
        above = self.op(f"fcmp ogt double {cut}, {held}")
        lower = self.op(f"fsub double {cut}, {real(1.0)}")
        found = self.op(f"select i1 {above}, double {lower}, double {cut}")
        return self.op(f"select i1 {small}, double {found}, double {a}")

    def _due(self, then: str, delay: str) -> str:
        length = self.op(f"fmul double {delay}, {real(1e9)}")
        fits = self._reaches(delay)
        held = self.op(f"select i1 {fits}, double {length}, double 0.0")
        # Half to even: a sum with 2^52 leaves no room for a fraction.
        small = self.op(f"fcmp olt double {held}, {real(_WHOLE)}")
        rounded = self.op(f"fsub double {self.op(f'fadd double {held}, {real(_WHOLE)}')}, {real(_WHOLE)}")
        whole = self.op(f"select i1 {small}, double {rounded}, double {held}")
        return self.op(f"add i64 {then}, {self.op(f'fptosi double {whole} to i64')}")

    def _reaches(self, delay: str) -> str:
        code = self.code
        length = self.op(f"fmul double {delay}, {real(1e9)}")
        least = self.op(f"fcmp oge double {delay}, 0.0")
        return code.both(least, self.op(f"fcmp olt double {length}, {real(_REACH)}"))

    # ----------------------------------------------------------------------------------------------------- the failures

    def failure(self, expr: Expr) -> str:
        """Return the condition under which a computed expression has no value."""
        if id(expr) in self._failures:
            return self._failures[id(expr)]
        for node in expr.walk(self._failures):
            self._failures[id(node)] = self._failure(node)
        return self._failures[id(expr)]

    def _failure(self, node: Expr) -> str:
        code = self.code
        inner = [self._failures[id(argument)] for argument in node.args]
        match node.op:
            case "and" | "or":
                first = self._text(node.args[0])
                asked = first if node.op == "and" else code.negate(first) if inner[1] != "false" else "false"
                return code.either(inner[0], code.both(asked, inner[1]))
            case "select":
                condition = self._text(node.args[0])
                if inner[1] == inner[2] == "false":
                    return inner[0]
                if condition in ("true", "false"):
                    return self.code.either(inner[0], inner[1] if condition == "true" else inner[2])
                chosen = self.op(f"select i1 {condition}, i1 {inner[1]}, i1 {inner[2]}")
                return code.either(inner[0], chosen)
        found = "false"
        for each in inner:
            found = code.either(found, each)
        return code.either(found, self._own_failure(node))

    def _own_failure(self, node: Expr) -> str:
        code = self.code
        match node.op:
            case "div":
                divisor = node.args[1]
                if divisor.op == "const" and divisor.value is not None and float(divisor.value) != 0:
                    return "false"
                low, high = self.span(divisor)
                if low > 0 or high < 0:
                    return "false"
                return self.op(f"fcmp oeq double {self._text(divisor)}, 0.0")
            case "sqrt" if self.span(node.args[0])[0] >= 0:
                return "false"
            case "sqrt":
                return self.op(f"fcmp olt double {self._text(node.args[0])}, 0.0")
            case "floor":
                size = self.op(f"call double @llvm.fabs.f64(double {self._text(node.args[0])})")
                return code.negate(self.op(f"fcmp ole double {size}, {real(LARGEST)}"))
            case "given":
                return code.negate(self._text(node.args[0]))
            case "due":
                return code.negate(self._reaches(self._text(node.args[1])))
        return "false"

    # ------------------------------------------------------------------------------------------------- several conditions

    def all(self, conditions: Iterable[str]) -> str:
        found = "true"
        for each in conditions:
            found = self.code.both(found, each)
        return found


def _constant(node: Expr) -> str:
    value = node.value
    assert value is not None
    if node.type == "real":
        return real(float(value))
    if node.type == "bool":
        return "true" if value else "false"
    # INVARIANT: a literal delay that never comes is the largest int64, and no int of the language is larger.
    assert abs(int(value)) <= NEVER
    return str(int(value))
