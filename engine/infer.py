"""Types and units of an expression, from its syntax tree to an IR node."""

from __future__ import annotations

from fractions import Fraction

from . import syntax
from .diagnostics import suggestion
from .ir import Expr
from .laws import MAX_DEPTH, MAX_SIZE, TOO_LARGE
from .recall import Recall
from .symbols import INT_LIMIT, Typed
from .units import ONE, SECOND, TIME_SUFFIXES, Unit

__all__ = ["Inference"]


class Inference(Recall):
    """Checks one expression in one scope."""

    def check(self, node: syntax.Node) -> Typed | None:
        typed = self._node(node)
        if typed is not None and (typed.expr.depth > MAX_DEPTH or typed.expr.size > MAX_SIZE):
            self.error(
                "HR111",
                "the expression is too large once its lets are expanded",
                node,
                TOO_LARGE,
            )
            return None
        return typed

    def _node(self, node: syntax.Node) -> Typed | None:
        match node:
            case syntax.Number():
                return self._number(node)
            case syntax.Truth():
                return Typed(self.pool.constant(node.value, "bool"), ONE)
            case syntax.Name():
                return self._name(node, node.path)
            case syntax.Unary():
                return self._unary(node)
            case syntax.Binary():
                return self._binary(node)
            case syntax.Power():
                return self._power(node)
            case syntax.Compare():
                return self._compare(node)
            case syntax.Logic():
                return self._logic(node)
            case syntax.Choice():
                return self._choice(node)
            case syntax.Call():
                return self._call(node)
        raise AssertionError(node)

    def _number(self, node: syntax.Number) -> Typed | None:
        value = node.value
        if abs(value) > _LARGEST:
            self.error(
                "HR304",
                f"`{node.text[:40]}` is larger than a float can hold",
                node,
                "use a number below 1.8e308",
            )
            return None
        if node.unit is not None:
            if node.unit != "s" and node.unit not in self.symbols.bases:
                help = suggestion(node.unit, ("s", *self.symbols.bases), "declare it under `units:`")
                if node.unit in TIME_SUFFIXES:
                    help = f"a time is written without a blank: `{node.text.split()[0]}{node.unit}`"
                self.error("HR302", f"unknown unit `{node.unit}`", node, help)
                return None
            unit = SECOND if node.unit == "s" else Unit(((node.unit, 1),))
            return Typed(self.pool.constant(value, "real"), unit)
        unit_or_any = None if value == 0 else ONE
        if value.denominator == 1 and abs(value) <= INT_LIMIT and not _is_decimal(node.text):
            return Typed(self.pool.constant(int(value), "int"), unit_or_any, int(value), int(value))
        return Typed(self.pool.constant(value, "real"), unit_or_any)

    def _unary(self, node: syntax.Unary) -> Typed | None:
        operand = self._node(node.operand)
        if node.op == "not":
            if operand is None or not self._boolean(operand, node.operand, "`not`"):
                return None
            return Typed(self.pool.make("not", (operand.expr,), "bool"), ONE)
        if operand is None or not self._number_like(operand, node.operand, "`-`"):
            return None
        return Typed(self.pool.make("neg", (operand.expr,), operand.type), operand.unit, -operand.high, -operand.low)

    def _binary(self, node: syntax.Binary) -> Typed | None:
        left, right = self._node(node.left), self._node(node.right)
        if left is None or right is None:
            return None
        if not self._number_like(left, node.left, f"`{node.op}`") or not self._number_like(
            right, node.right, f"`{node.op}`"
        ):
            return None
        if node.op in "+-":
            unit = self._same_unit(left, right, node, "adds" if node.op == "+" else "subtracts")
            if unit is False:
                return None
            return self._arithmetic("add" if node.op == "+" else "sub", left, right, unit, node)
        if node.op == "*":
            # The literal 0 fits any unit; as a factor it is a pure number.
            unit = (left.unit or ONE) * (right.unit or ONE)
            return self._arithmetic("mul", left, right, unit, node)
        if right.expr.op == "const" and right.expr.value == 0:
            self.error("HR304", "division by zero", node, "divide by something that is not 0")
            return None
        unit = (left.unit or ONE) / (right.unit or ONE)
        return Typed(self.pool.make("div", (self._real(left).expr, self._real(right).expr)), unit)

    def _power(self, node: syntax.Power) -> Typed | None:
        base = self._node(node.base)
        if base is None or not self._number_like(base, node.base, "`**`"):
            return None
        result: Typed | None = base
        for _ in range(node.exponent - 1):
            if result is None:
                return None
            unit = (result.unit or ONE) * (base.unit or ONE)
            result = self._arithmetic("mul", result, base, unit, node)
        return result

    def _compare(self, node: syntax.Compare) -> Typed | None:
        operands = [self._node(operand) for operand in node.operands]
        if any(operand is None for operand in operands):
            return None
        known = [operand for operand in operands if operand is not None]
        parts: list[Expr] = []
        for index, op in enumerate(node.ops):
            left, right = known[index], known[index + 1]
            first, second = node.operands[index], node.operands[index + 1]
            pair = syntax.Compare((first, second), (op,), first.start, second.end)
            if left.type == "bool" or right.type == "bool":
                if left.type != right.type or op not in ("==", "!="):
                    self.error(
                        "HR301",
                        f"`{op}` compares a number with true or false"
                        if left.type != right.type
                        else f"`{op}` orders true and false",
                        pair,
                        "use `and`, `or`, `not`",
                    )
                    return None
            elif self._same_unit(left, right, pair, "compares") is False:
                return None
            elif left.type != right.type:
                left, right = self._real(left), self._real(right)
            parts.append(self.pool.make(_COMPARISONS[op], (left.expr, right.expr), "bool"))
        result = parts[0]
        for part in parts[1:]:
            result = self.pool.make("and", (result, part), "bool")
        return Typed(result, ONE)

    def _logic(self, node: syntax.Logic) -> Typed | None:
        operands = [(operand, self._node(operand)) for operand in node.operands]
        good = [
            typed for operand, typed in operands if typed is not None and self._boolean(typed, operand, f"`{node.op}`")
        ]
        if len(good) < len(operands):
            return None
        result = good[0].expr
        for typed in good[1:]:
            result = self.pool.make(node.op, (result, typed.expr), "bool")
        return Typed(result, ONE)

    def _choice(self, node: syntax.Choice) -> Typed | None:
        then, condition, otherwise = (
            self._node(node.then),
            self._node(node.condition),
            self._node(node.otherwise),
        )
        if condition is not None and not self._boolean(condition, node.condition, "the condition of `if`"):
            condition = None
        if then is None or condition is None or otherwise is None:
            return None
        if (then.type == "bool") != (otherwise.type == "bool"):
            self.error(
                "HR301",
                "one branch is a number, the other is true or false",
                node,
                "give both branches one type",
            )
            return None
        unit = self._same_unit(then, otherwise, node, "chooses between") if then.type != "bool" else ONE
        if unit is False:
            return None
        if then.type != otherwise.type:
            then, otherwise = self._real(then), self._real(otherwise)
        expr = self.pool.make("select", (condition.expr, then.expr, otherwise.expr), then.type)
        return Typed(expr, unit, min(then.low, otherwise.low), max(then.high, otherwise.high))


def _is_decimal(text: str) -> bool:
    return any(char in text for char in ".eE")


_LARGEST = Fraction(1.7976931348623157e308)

_COMPARISONS = {"<": "lt", "<=": "le", ">": "gt", ">=": "ge", "==": "eq", "!=": "ne"}
