"""Gates of a spec: what its orders must pass before they leave.

    gates:
      sanity:
        applies: increase
        checks:
          gross: {of: gross * index.price, most: gross_max}
          calm: calm < calm_checks
          rate: desk.orders(1m) <= 30

A check is evaluated on the machine as the orders of a microstep would leave it: legs, cash and fees after the fills. Here
its parts are read; who is judged when, and what a no does, is told in `work`.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce

from .check import Checker, Location
from .desk import DESK_OPS
from .ir import Check, Expr, Gate, Parameter
from .model import CheckShape, GateShape, Spec
from .symbols import Scope, Typed
from .units import ONE, Unit

__all__ = ["read_gates"]


def read_gates(spec: Spec, checker: Checker, parameters: Mapping[str, Parameter]) -> tuple[Gate, ...]:
    """Return the gates of a spec; checks that are wrong have been told and are left out."""
    reader = _Reader(checker, parameters)
    return tuple(reader.gate(name, shape) for name, shape in spec.gates.items())


class _Reader:
    def __init__(self, checker: Checker, parameters: Mapping[str, Parameter]) -> None:
        self.parameters = parameters
        self.checker, self.pool = checker, checker.pool
        self.findings, self.document = checker.findings, checker.document

    def gate(self, name: str, shape: GateShape) -> Gate:
        checks = (self._check(name, each, asked) for each, asked in shape.checks.items())
        return Gate(name, shape.applies, tuple(check for check in checks if check is not None))

    def _check(self, gate: str, name: str, asked: str | CheckShape) -> Check | None:
        loc: Location = ("gates", gate, "checks", name)
        scope = Scope("a check", history=True, desk=True)
        if isinstance(asked, str):
            condition = self.checker.boolean(loc, scope)
            return None if condition is None or not self._has_periods(condition, loc) else Check(name, condition)
        value = self.checker.value((*loc, "of"), scope, "real", None, "what is checked")
        unit = None if value is None else value.unit
        limits = {key: self._limit((*loc, key), unit) for key in ("least", "most") if getattr(asked, key) is not None}
        if not limits:
            help = "add `most:` or `least:`, or write a condition in place of the braces"
            self.findings.error("HR417", "this check has no limit", self.document.key(loc).span, help)
        if value is None or not limits or None in limits.values():
            return None
        exprs = {key: limit.expr for key, limit in limits.items() if limit is not None}
        orders = {"least": "ge", "most": "le"}
        parts = [self.pool.make(orders[key], (value.expr, limit), "bool") for key, limit in exprs.items()]
        condition = reduce(lambda one, other: self.pool.make("and", (one, other), "bool"), parts)
        if not self._has_periods(condition, loc):
            return None
        return Check(name, condition, value.expr, exprs.get("least"), exprs.get("most"), str(value.unit or ONE))

    def _limit(self, loc: Location, unit: Unit | None) -> Typed | None:
        """Return a limit; it may be an expression over the machine as well."""
        return self.checker.value(loc, Scope("a limit", history=True, desk=True), "real", unit, "the limit")

    def _has_periods(self, condition: Expr, loc: Location) -> bool:
        """Tell periods over which nothing can be counted; return whether there are none."""
        periods = {node.args[0] for node in condition.walk() if node.op in DESK_OPS and node.args}
        wrong = [period for period in periods if not self._is_above_zero(period)]
        for period in wrong:
            shown = f"`{period.name}`" if period.name else "the period"
            help = "give it a `range:` that begins above 0" if period.name else "write e.g. `desk.orders(1m)`"
            self.findings.error("HR304", f"{shown} may be 0, and counts nothing then", self.checker.span(loc), help)
        return not wrong

    def _is_above_zero(self, period: Expr) -> bool:
        if period.op == "const":
            return period.value is not None and period.value > 0
        parameter = self.parameters.get(period.name)
        return parameter is None or (parameter.low is not None and parameter.low > 0)
