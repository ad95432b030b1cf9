"""The reference interpreter with symbols for values.

It computes with Python's operators and asks with `if`; given symbols it computes expressions, and each `if` is a decision of
the explorer. What is unknown to a proof, such as the result of a bound function, is a fresh symbol.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ..bind import is_contract
from ..evaluate import Environment, Failure
from ..ir import (
    BoundCheck,
    Call,
    Exact,
    Expr,
    Gate,
    Instruction,
    Leg,
    Parameter,
    Program,
    Raise,
    Require,
    Rule,
    Value,
)
from ..registry import Registry
from ..semantics import Reference, Run
from ..step import Verdict
from ..work import Context, Occurrence, Proposal, Work
from .outcome import Moved, Passed
from .symbols import Explorer, Symbolic
from .values import Values

__all__ = ["FAILS", "SymbolicReference", "SymbolicRun"]

FAILS = " fails"
"""How the error of a bound function ends that returns nothing."""


class _SymbolicWork(Work):
    """The state of a machine on symbols."""

    __slots__ = ()

    def value_in(self, expr: Expr, env: Environment) -> Any:
        reference = self.context.reference
        assert isinstance(reference, SymbolicReference)
        return reference.explorer.symbol(reference.values.of(expr, env))

    def _says_yes(self, question: BoundCheck, _: Environment) -> bool:
        """Let a check that asks a bound function say anything, each time that it is asked: nothing is proved by it."""
        explorer = _explorer(self.context)
        return explorer.decide(explorer.fresh(f"{question.call.function} says yes", "bool"))

    def _refusals(self, gate: Gate, rule: str, env: Environment) -> list[Verdict]:
        """Return the checks of a gate that has said no: it is asked as one, for it matters to nobody which of them did."""
        reference = self.context.reference
        assert isinstance(reference, SymbolicReference)
        algebra, values = reference.explorer.algebra, reference.values
        holding = algebra.all_of(*(values.holding(check.condition, env) for check in gate.checks))
        bound = (check.bound for check in gate.checks if check.bound is not None)
        if reference.explorer.decide(holding) and all(self._says_yes(each, env) for each in bound):
            return []
        return [Verdict(gate.name, check.name, rule, None, None, None, check.unit, "") for check in gate.checks]

    def _run(self, instruction: Instruction, rule: Rule | None) -> None:
        """Run an instruction; a call that does not keep its contract is one that fails, see `_call`."""
        if isinstance(instruction, Require) and is_contract(instruction):
            if self._are_full(instruction.waits):
                _explorer(self.context).assume(self.value(instruction.condition).expr)
        else:
            super()._run(instruction, rule)

    def _are_full(self, windows: Iterable[str]) -> bool:
        """Return whether windows hold all that they can; of each event that is open by itself."""
        explorer, waited = _explorer(self.context), ", ".join(windows)
        full = explorer.algebra.symbol("temp", f"{waited} full@{explorer.number}", "bool")
        return not waited or explorer.decide(full)

    def _push(self, window: str, value: Any) -> None:
        """Leave windows alone: nothing is known of what they hold."""

    def _queue(self, instruction: Raise) -> None:
        reference = self.context.reference
        event = reference.events[instruction.event]
        fields: dict[str, Any] = {}
        for field_, (_, expr) in zip(event.fields, instruction.fields, strict=True):
            value = self.value(expr)
            for bound, outside in ((field_.low, "lt"), (field_.high, "gt")):
                if bound is not None and bool(value < bound if outside == "lt" else value > bound):
                    raise Failure(f"raising `{event.name}`: `{field_.name}` is out of range")
            fields[f"{event.name}.{field_.name}"] = value
        self.queue.append(Occurrence(instruction.event, fields))

    def _call(self, instruction: Call, rule: Any) -> None:
        """Let the function return anything, or fail: its contract is what the spec requires of its results."""
        reference = self.context.reference
        assert isinstance(reference, SymbolicReference)
        explorer = reference.explorer
        if not self._are_full(instruction.waits):
            return
        arguments = {name: self.value(value).expr for name, value in instruction.arguments if isinstance(value, Expr)}
        kept: dict[tuple[object, ...], Any] = self.context.results
        key = id(instruction), self.context.macrostep
        if key not in kept:
            failed = explorer.decide(explorer.fresh(f"{instruction.function} fails", "bool"))
            found = {
                result: explorer.symbol(explorer.fresh(cell, reference.cells[cell].type))
                for result, cell in instruction.into
            }
            kept[key] = arguments, Failure(f"`{instruction.function}`{FAILS}") if failed else found
        given, outcome = kept[key]
        same = (explorer.algebra.make("eq", (given[name], value), "bool") for name, value in arguments.items())
        if not explorer.decide(explorer.algebra.all_of(*same)):
            raise Failure(f"`{instruction.function}` is called twice in one event, with other arguments")
        if isinstance(outcome, Failure):
            raise outcome
        for result, cell in instruction.into:
            self.cells[cell] = outcome[result]
            self.written[cell] = rule

    def _book(self, leg: Leg, proposal: Proposal, held: Any, price: Value) -> None:
        explorer = _explorer(self.context)
        rule = "" if proposal.rule is None else proposal.rule.name
        values = held, proposal.after, price, self.temps["fee"], self.temps["slip"]
        order: Any = Moved(leg.name, rule, *(explorer.lift(each, "real") for each in values))
        self.orders.append(order)


def _explorer(context: Context) -> Explorer:
    assert isinstance(context.reference, SymbolicReference)
    return context.reference.explorer


class SymbolicRun(Run):
    """A run that keeps what a macrostep began with, for what is claimed of it."""

    work_type = _SymbolicWork
    judged: tuple[dict[str, Any], frozenset[str], int]

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.passed: list[Passed] = []

    def _macrostep(self, external: Occurrence | None) -> None:
        self.judged = dict(self.state.cells), frozenset(self.state.active), len(self.orders)
        super()._macrostep(external)

    def _commit(self, work: Work) -> None:
        if work.changes:
            self.passed.append(Passed(tuple(work.changes), frozenset(work.active), self.context.was))
        super()._commit(work)


class SymbolicReference(Reference):
    """A reference whose parameters are symbols, or constants where they are `fixed`."""

    def __init__(self, program: Program, registry: Registry, explorer: Explorer, fixed: Mapping[str, Exact]) -> None:
        self.explorer = explorer
        self.fixed = fixed
        given = {p.name: p.default for p in program.parameters}
        super().__init__(program, given, registry, Symbolic(explorer))
        self.values = Values(explorer)
        self.parameters = {}
        for parameter in sorted(program.parameters, key=lambda each: each.given is not None):
            self.parameters[parameter.name] = explorer.symbol(self._parameter(parameter))
        # Claims are judged on what comes out, by the solver.
        self.monitors = ()

    def _parameter(self, parameter: Parameter) -> Expr:
        """Return a parameter as a symbol, or what another spec gives it; the given come in the order of their needs."""
        if parameter.name in self.fixed:
            return self.explorer.algebra.constant(self.fixed[parameter.name], parameter.type)
        if parameter.given is None:
            return self.explorer.algebra.symbol("param", parameter.name, parameter.type)
        known = {each.name: each for each in self.program.parameters}
        needed = {node.name for node in parameter.given.walk() if node.op == "param"} - set(self.parameters)
        for name in sorted(needed):
            self.parameters[name] = self.explorer.symbol(self._parameter(known[name]))
        return self.values.both(parameter.given, Environment(self.parameters, self.arithmetic))[0]
