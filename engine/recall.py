"""Expressions with memory: `previous`, `ewma`, `peak` and `streak` as cells, and the instructions that advance them."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from . import syntax
from .calls import USAGE, Calls
from .ir import Assign, Expr, Let, Type
from .printer import expression_text
from .symbols import INT_LIMIT, Scope, Typed
from .units import ONE

__all__ = ["Recall"]


class Recall(Calls):
    """Checks calls of functions that remember."""

    def _remembers(self, node: syntax.Call) -> str | None:
        if self.scope.observing is None:
            self.error(
                "HR210",
                f"`{node.function}` remembers, and can stand in `observe` and `windows` only",
                node,
                "compute it under `observe:` and use its name here",
            )
        return self.scope.observing

    def _keyword(self, node: syntax.Call, keyword: str) -> Typed | None:
        value = dict(node.keywords).get(keyword)
        if value is None:
            self.error("HR213", f"`{node.function}` needs `{keyword}=`", node, USAGE[node.function])
            return None
        scope = Scope(f"`{keyword}=`", machine=False)
        return type(self)(self.checker, self.loc, scope)._node(value)

    def _keep(self, node: syntax.Call, key: str, type: Type) -> str:
        """Return the cell that keeps a memory expression: the observed name whose whole value it is, or a hidden one."""
        if self.scope.line and node is self.root:
            self.checker.memory.kept.add(self.scope.line)
            return self.scope.line
        self.checker.memory.cells[key] = type
        return key

    def _observed_once(self, event: str) -> Expr:
        self.checker.memory.seen.add(event)
        return self.pool.cell(f"observed({event})", "bool")

    def _call_previous(self, node: syntax.Call) -> Typed | None:
        event, x = self._remembers(node), self._node(node.arguments[0])
        if event is None or x is None:
            return None
        memory, key = self.checker.memory, f"previous({event}, {expression_text(x.expr)})"
        cell, temp = self.pool.cell(key, x.type), self.pool.temp(f"{key} before", x.type)
        memory.cells[key] = x.type
        value = self.pool.make("select", (self._observed_once(event), cell, x.expr), x.type)
        memory.advance(key, (Let(temp.name, value), Assign(((key, x.expr),))))
        return Typed(temp, x.unit, x.low, x.high)

    def _call_ewma(self, node: syntax.Call) -> Typed | None:
        event, arguments = self._remembers(node), self._arguments(node)
        decay, initial = self._keyword(node, "decay"), self._keyword(node, "initial")
        if event is None or arguments is None or decay is None or initial is None:
            return None
        x = self._real(arguments[0])
        if self._same_unit(x, initial, node, "averages") is False:
            return None
        if decay.unit is not None and decay.unit != ONE:
            self.error(
                "HR302",
                f"`decay=` is a pure number, this is in `{decay.unit}`",
                node,
                "write e.g. `decay=0.97`",
            )
            return None
        if decay.type == "bool" or initial.type == "bool":
            self.error("HR301", "`decay=` and `initial=` are numbers", node, USAGE["ewma"])
            return None
        rate = self._real(decay).expr
        if rate.op == "const" and rate.value is not None and not 0 <= rate.value <= 1:
            self.error("HR304", "`decay=` is a share in [0, 1]", node, "write e.g. `decay=0.97`")
            return None
        pool, memory = self.pool, self.checker.memory
        start = self._real(initial).expr
        key = f"ewma({event}, {expression_text(x.expr)}, {expression_text(rate)}, {expression_text(start)})"
        key = self._keep(node, key, "real")
        cell, one = pool.cell(key), pool.constant(Fraction(1), "real")
        kept = pool.make("mul", (rate, cell))
        added = pool.make("mul", (pool.make("sub", (one, rate)), x.expr))
        memory.initial[key] = start
        memory.advance(key, (Assign(((key, pool.make("add", (kept, added))),)),))
        return Typed(cell, x.unit if x.unit is not None else initial.unit)

    def _call_peak(self, node: syntax.Call) -> Typed | None:
        event, arguments = self._remembers(node), self._arguments(node)
        initial = self._keyword(node, "initial") if node.keywords else None
        if event is None or arguments is None or (node.keywords and initial is None):
            return None
        pool, memory = self.pool, self.checker.memory
        (x,) = arguments
        if initial is not None:
            if initial.type == "bool" or self._same_unit(x, initial, node, "compares") is False:
                return None
            if x.type != initial.type:
                x, initial = self._real(x), self._real(initial)
            key = f"peak({event}, {expression_text(x.expr)}, {expression_text(initial.expr)})"
            key = self._keep(node, key, x.type)
            memory.initial[key] = initial.expr
            value = pool.make("max", (pool.cell(key, x.type), x.expr), x.type)
            x = replace(x, low=max(x.low, initial.low), high=max(x.high, initial.high))
        else:
            key = self._keep(node, f"peak({event}, {expression_text(x.expr)})", x.type)
            highest = pool.make("max", (pool.cell(key, x.type), x.expr), x.type)
            value = pool.make("select", (self._observed_once(event), highest, x.expr), x.type)
        memory.advance(key, (Assign(((key, value),)),))
        return Typed(pool.cell(key, x.type), x.unit, x.low, x.high)

    def _call_streak(self, node: syntax.Call) -> Typed | None:
        event, condition, most = (
            self._remembers(node),
            self._node(node.arguments[0]),
            self._keyword(node, "max"),
        )
        if condition is not None and not self._boolean(condition, node.arguments[0], "`streak`"):
            condition = None
        if event is None or condition is None or most is None:
            return None
        if most.type != "int" or most.low < 1 or most.high >= INT_LIMIT:
            self.error(
                "HR301",
                "`max=` is a whole number from 1 to 2^53 − 1, or an int param with such a range",
                node,
                "write e.g. `max=1000`",
            )
            return None
        pool, memory = self.pool, self.checker.memory
        key = f"streak({event}, {expression_text(condition.expr)}, {expression_text(most.expr)})"
        key = self._keep(node, key, "int")
        memory.zeroed.add(key)
        cell, one = pool.cell(key, "int"), pool.constant(1, "int")
        longer = pool.make("min", (pool.make("add", (cell, one), "int"), most.expr), "int")
        value = pool.make("select", (condition.expr, longer, pool.constant(0, "int")), "int")
        memory.advance(key, (Assign(((key, value),)),))
        return Typed(cell, ONE, 0, most.high)
