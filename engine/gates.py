"""Gates of a spec: what its orders must pass before they leave.

    gates:
      sanity:
        applies: increase
        checks:
          gross: {of: gross * index.price, most: gross_max}
          calm: calm < calm_checks
          rate: desk.orders(1m) <= 30
          risk: {call: risk.value_at_risk_within, with: {...}, deadline: 50ms, isolate: true, max_age: {tick: 1d}}

A check is evaluated on the machine as the orders of a microstep would leave it: legs, cash and fees after the fills. Here
its parts are read; who is judged when, and what a no does, is told in `work`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import reduce

from .bind import BoundCall, bind_call
from .blocks import waiting
from .check import Checker, Location
from .delays import NANOSECOND, delay
from .desk import DESK_OPS
from .diagnostics import suggestion
from .evaluate import EXACT, Environment, evaluate, nanoseconds
from .fills import KINDS
from .ir import BoundCheck, Check, Expr, Freshness, Gate, Parameter
from .model import CalledCheck, CheckShape, ConditionCheck, GateShape, Spec
from .registry import Registry
from .symbols import Scope, Typed
from .units import ONE, Unit

__all__ = ["read_gates"]


def read_gates(
    spec: Spec, checker: Checker, registry: Registry, parameters: Mapping[str, Parameter]
) -> tuple[Gate, ...]:
    """Return the gates of a spec; checks that are wrong have been told and are left out."""
    reader = _Reader(spec, checker, registry, parameters)
    return tuple(reader.gate(name, shape) for name, shape in spec.gates.items())


class _Reader:
    def __init__(self, spec: Spec, checker: Checker, registry: Registry, parameters: Mapping[str, Parameter]) -> None:
        self.spec, self.checker, self.registry, self.pool = spec, checker, registry, checker.pool
        self.parameters = parameters
        self.findings, self.document = checker.findings, checker.document

    def gate(self, name: str, shape: GateShape) -> Gate:
        checks = (self._check(("gates", name, "checks", each), each, asked) for each, asked in shape.checks.items())
        return Gate(name, shape.applies, tuple(check for check in checks if check is not None))

    def _check(self, loc: Location, name: str, asked: object) -> Check | None:
        match asked:
            case CheckShape():
                check = self._within(loc, name, asked)
            case CalledCheck():
                check = self._bound(loc, name, asked)
            case ConditionCheck():
                check = self._condition((*loc, "holds"), name)
            case _:
                return self._condition(loc, name)
        fresh = self._fresh((*loc, "max_age"), asked.max_age or {})
        if check is None or None in fresh:
            return None
        known = tuple(each for each in fresh if each is not None)
        return replace(check, condition=self._all([*(each.holds for each in known), check.condition]), fresh=known)

    def _condition(self, loc: Location, name: str) -> Check | None:
        condition = self.checker.boolean(loc, Scope("a check", history=True, desk=True))
        return None if condition is None or not self._has_periods(condition, loc) else Check(name, condition)

    # ------------------------------------------------------------------------------------------------ within its limits

    def _within(self, loc: Location, name: str, asked: CheckShape) -> Check | None:
        scope = Scope("a check", history=True, desk=True)
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
        condition = self._all(
            [self.pool.make(orders[key], (value.expr, limit), "bool") for key, limit in exprs.items()]
        )
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

    # ------------------------------------------------------------------------------------------------ by a bound function

    def _bound(self, loc: Location, name: str, asked: CalledCheck) -> Check | None:
        scope = Scope("an argument of a check", history=True)
        call = bind_call(self.checker, self.registry, loc, asked.with_, scope)
        deadline_ns = None if asked.deadline is None else self._deadline((*loc, "deadline"))
        good = asked.deadline is None or deadline_ns is not None
        if asked.isolate and asked.deadline is None:
            span = self.document.key((*loc, "isolate")).span
            help = "add `deadline: 50ms`, or what it may take"
            self.findings.error("HR418", "what is isolated is ended at its deadline, and this has none", span, help)
            good = False
        if call is None or not self._gives_verdict(loc, call) or not good:
            return None
        span = self.document.at((*loc, "call")).span
        instruction = call.instruction((), waiting(self.spec, call.windows), span)
        units = {result.name: unit for result, unit in zip(call.results, call.units, strict=True)}
        yes = self.pool.constant(True, "bool")
        unit = str(units.get("value", ONE))
        return Check(name, yes, unit=unit, bound=BoundCheck(instruction, deadline_ns, asked.isolate))

    def _gives_verdict(self, loc: Location, call: BoundCall) -> bool:
        """Tell a function that does not say yes or no."""
        if self.registry[call.function].signature().verdict():
            return True
        self.findings.error(
            "HR506",
            f"`{call.function}` gives no verdict: nothing that it returns is `ok`",
            self.document.at((*loc, "call")).span,
            "a check wants a function that returns a bool, or a named tuple with `ok: bool`",
        )
        return False

    def _deadline(self, loc: Location) -> int | None:
        """Return a deadline in nanoseconds; it is the same whatever the params are."""
        found = delay(self.checker, loc, Scope("a deadline", machine=False), "the deadline", NANOSECOND)
        if found is None:
            return None
        read = next((node.name for node in found.walk() if node.op == "param"), None)
        if read is None:
            return nanoseconds(evaluate(found, Environment({}, EXACT)))
        help = "write a constant, e.g. `50ms`"
        self.findings.error("HR210", f"the deadline reads `{read}`", self.checker.span(loc), help)
        return None

    # ---------------------------------------------------------------------------------------------------- what is fresh

    def _fresh(self, loc: Location, ages: dict[str, str]) -> list[Freshness | None]:
        return [self._freshness((*loc, event), event) for event in ages]

    def _freshness(self, loc: Location, event: str) -> Freshness | None:
        """Return that an event came within a time; from now on it is kept when it last did."""
        within = delay(self.checker, loc, Scope("an age", machine=False), "the age", NANOSECOND)
        symbols = self.checker.symbols
        if event not in symbols.events:
            if event not in symbols.left_out and not symbols.incomplete:
                help = suggestion(event, symbols.events, "declare it under `events:`")
                self.findings.error("HR206", f"unknown event `{event}`", self.document.key(loc).span, help)
            return None
        of_used = event.partition(".")[0] in symbols.used and event.rpartition(".")[2] in KINDS
        if event in symbols.fills or of_used:
            help = "keep it in a cell: `observe` it, or count it with a transition"
            message = f"`{event}` fills orders: where fills are simulated it never comes"
            self.findings.error("HR419", message, self.document.key(loc).span, help)
            return None
        if within is None:
            return None
        self.checker.memory.stamped.add(event)
        age = self.pool.make("seconds", (self.pool.make("now", (), "int"), self.pool.cell(f"last({event})", "int")))
        recent = self.pool.make("le", (age, within), "bool")
        return Freshness(event, within, self._all([self.pool.cell(f"observed({event})", "bool"), recent]))

    def _all(self, conditions: list[Expr]) -> Expr:
        """Return that conditions hold, asked in their order."""
        wanted = [each for each in conditions if each.value is not True] or conditions[:1]
        return reduce(lambda one, other: self.pool.make("and", (one, other), "bool"), wanted)
