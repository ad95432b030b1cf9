"""From the expressions of the IR to LLVM.

Nothing traps and nothing has an effect, so an expression is computed without branches; whether it has a value is a
condition of its own, beside the value. Operators keep their order and their rounding: no fast-math, no contraction.
"""

from __future__ import annotations

from collections.abc import Iterable

from ...evaluate import LARGEST
from ...ir import NEVER, Expr, Program
from ..layout import Layout
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
        self.code = Code()
        self.prologue = Code("h")
        """What is computed once: the parameters, and what depends on them alone."""
        self.parameters = {each.name: (index, kind_of(each.type)) for index, each in enumerate(program.parameters)}
        self.fields: dict[str, str] = {}
        """The variables that hold fields of events, by qualified name."""
        self.temps: dict[str, str] = {}
        self.active: frozenset[str] | None = None
        """The active states of the region of a transition on its way, and those around it."""
        self.watching = False
        """Whether invariants are being written, which may ask for orders."""
        self._known: dict[int, str] = {}
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
        self._known.clear()
        self._failures.clear()

    def require(self, condition: str) -> None:
        """Give the row to the reference unless a condition holds."""
        if condition == "true":
            return
        going_on = self.code.new_label("on")
        self.code.branch(condition, going_on, "handover")
        self.begin(going_on, keep=True)

    def checked(self, expr: Expr) -> str:
        """Return a value; where there is none, the row is the reference's."""
        value = self.value(expr)
        failure = self.failure(expr)
        if failure != "false":
            self.require(self.code.negate(failure))
        return value

    def write(self, cell: str, value: str) -> None:
        self.code.set(self.slots.cells[cell], value)
        self.forget()

    # ------------------------------------------------------------------------------------------------------- the values

    def value(self, expr: Expr) -> str:
        """Return the value of an expression; any value, where it has none."""
        if id(expr) in self._known:
            return self._known[id(expr)]
        for node in expr.walk():
            if id(node) in self._known or id(node) in self._fixed:
                continue
            if self._is_steady(node):
                self._fixed[id(node)] = self._hoisted(node)
            else:
                self._known[id(node)] = self._node(node)
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
                    return code.op(f"icmp ne i64 {code.load('i64', place)}, 0")
                return code.load(kind, place)
            case "cell":
                return code.get(self.slots.cells[node.name])
            case "before":
                return code.get(f"before.{self.slots.cells[node.name]}")
            case "field":
                return code.get(self.fields[node.name])
            case "temp":
                return self.temps[node.name]
            case "now":
                return code.get("clock")
            case "active":
                return self._is_active(node.name)
            case "was":
                return self.stands_in("was.r", node.name)
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
        here = self.code.get(f"{register}{region}")
        if high - low == 1:
            return self.code.op(f"icmp eq i64 {here}, {low}")
        above = self.code.op(f"icmp sge i64 {here}, {low}")
        return self.code.both(above, self.code.op(f"icmp slt i64 {here}, {high}"))

    def _has_ordered(self, prefix: str) -> str:
        found = "false"
        if self.watching:
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
                return code.op(f"fneg double {a}" if kind == "double" else f"sub i64 0, {a}")
            case "not":
                return code.negate(a)
            case "abs" if kind == "double":
                return code.op(f"call double @llvm.fabs.f64(double {a})")
            case "abs":
                below = code.op(f"icmp slt i64 {a}, 0")
                return code.op(f"select i1 {below}, i64 {code.op(f'sub i64 0, {a}')}, i64 {a}")
            case "sqrt":
                return code.op(f"call double @llvm.sqrt.f64(double {a})")
            case "floor":
                return self._floor(a)
            case "real":
                return a if of == "double" else code.op(f"sitofp i64 {a} to double")
            case "seconds":
                gap = code.op(f"sitofp i64 {code.op(f'sub i64 {a}, {b}')} to double")
                return code.op(f"fdiv double {gap}, {real(1e9)}")
            case "due":
                return self._due(a, b)
            case "and":
                return code.both(a, b)
            case "or":
                return code.either(a, b)
            case "select":
                return code.op(f"select i1 {a}, {kind} {b}, {kind} {arguments[2]}")
            case "given":
                return b
            case "min" | "max":
                sign = self._order("lt" if node.op == "min" else "gt", kind, b, a)
                return code.op(f"select i1 {sign}, {kind} {b}, {kind} {a}")
        if node.op in _REAL_ORDER:
            return self._order(node.op, of, a, b)
        return code.op(f"{(_REALS if kind == 'double' else _INTS)[node.op]} {kind} {a}, {b}")

    def _order(self, op: str, kind: str, a: str, b: str) -> str:
        if kind == "double":
            return self.code.op(f"fcmp {_REAL_ORDER[op]} double {a}, {b}")
        return self.code.op(f"icmp {_INT_ORDER[op]} {kind} {a}, {b}")

    def _floor(self, a: str) -> str:
        code = self.code
        size = code.op(f"call double @llvm.fabs.f64(double {a})")
        small = code.op(f"fcmp olt double {size}, {real(_WHOLE)}")
        # An int of a double out of reach would be poison.
        held = code.op(f"select i1 {small}, double {a}, double 0.0")
        cut = code.op(f"sitofp i64 {code.op(f'fptosi double {held} to i64')} to double")
        above = code.op(f"fcmp ogt double {cut}, {held}")
        lower = code.op(f"fsub double {cut}, {real(1.0)}")
        found = code.op(f"select i1 {above}, double {lower}, double {cut}")
        return code.op(f"select i1 {small}, double {found}, double {a}")

    def _due(self, then: str, delay: str) -> str:
        code = self.code
        length = code.op(f"fmul double {delay}, {real(1e9)}")
        fits = self._reaches(delay)
        held = code.op(f"select i1 {fits}, double {length}, double 0.0")
        # Half to even: a sum with 2^52 leaves no room for a fraction.
        small = code.op(f"fcmp olt double {held}, {real(_WHOLE)}")
        rounded = code.op(f"fsub double {code.op(f'fadd double {held}, {real(_WHOLE)}')}, {real(_WHOLE)}")
        whole = code.op(f"select i1 {small}, double {rounded}, double {held}")
        return code.op(f"add i64 {then}, {code.op(f'fptosi double {whole} to i64')}")

    def _reaches(self, delay: str) -> str:
        code = self.code
        length = code.op(f"fmul double {delay}, {real(1e9)}")
        least = code.op(f"fcmp oge double {delay}, 0.0")
        return code.both(least, code.op(f"fcmp olt double {length}, {real(_REACH)}"))

    # ----------------------------------------------------------------------------------------------------- the failures

    def failure(self, expr: Expr) -> str:
        """Return the condition under which a computed expression has no value."""
        if id(expr) in self._failures:
            return self._failures[id(expr)]
        for node in expr.walk():
            if id(node) not in self._failures:
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
                chosen = code.op(f"select i1 {condition}, i1 {inner[1]}, i1 {inner[2]}")
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
                return code.op(f"fcmp oeq double {self._text(divisor)}, 0.0")
            case "sqrt":
                return code.op(f"fcmp olt double {self._text(node.args[0])}, 0.0")
            case "floor":
                size = code.op(f"call double @llvm.fabs.f64(double {self._text(node.args[0])})")
                return code.negate(code.op(f"fcmp ole double {size}, {real(LARGEST)}"))
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
