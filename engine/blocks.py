"""Actions of a spec: from steps to blocks of instructions.

- let: {bite: beta * step * long.quantity}        let bite#1 = ...
- target: {long: long.quantity - bite}       ->   let long wanted = ...; require long wanted >= 0; target long to ...
- set: {anchor: price}                            set anchor = index.price
"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Mapping as MappingOf
from dataclasses import replace

from . import ledger
from .bind import bind_call, ensured
from .check import Checker, Location
from .delays import Delays, delay
from .diagnostics import suggestion
from .ir import Assign, Block, Expr, Instruction, Let, Propose, Raise
from .model import (
    CallStep,
    CancelStep,
    CloseStep,
    IncreaseStep,
    LetStep,
    RaiseStep,
    ReduceStep,
    SetStep,
    Spec,
    TargetStep,
)
from .registry import Registry
from .source import Mapping
from .symbols import RESERVED, Scope, Typed

__all__ = ["MAX_STEPS", "Blocks", "ordered_legs"]

MAX_STEPS = 20_000
"""The steps of a spec once its named actions are written out: actions that run others twice would double for ever."""


class Blocks:
    """Lowers the action lists of one spec."""

    def __init__(
        self,
        spec: Spec,
        checker: Checker,
        registry: Registry,
        legs: MappingOf[str, ledger.LegTerms],
        delays: Delays,
    ) -> None:
        self.spec = spec
        self.checker = checker
        self.registry = registry
        self.legs = legs
        self.delays = delays
        self._count = 0
        self._steps = 0

    def block(self, steps: object, loc: Location, scope: Scope) -> Block:
        """Return the block of an action by name, of one step, or of a list."""
        block: list[Instruction] = []
        self._list(steps, loc, scope, block, ())
        self._one_order_a_leg(block)
        return tuple(block)

    def _one_order_a_leg(self, block: Iterable[Instruction]) -> None:
        seen: dict[str, Propose] = {}
        for instruction in block:
            if isinstance(instruction, Propose):
                first = seen.setdefault(instruction.leg, instruction)
                if first is not instruction and instruction.span is not None:
                    self.checker.findings.error(
                        "HR403",
                        f"`{instruction.leg}` is ordered twice in one list",
                        instruction.span,
                        f"write one `target` that says where `{instruction.leg}` ends; the first order is at {first.span}",
                    )

    def _list(
        self, steps: object, loc: Location, scope: Scope, block: list[Instruction], open_: tuple[str, ...]
    ) -> None:
        temps: dict[str, Typed | None] = dict(scope.temps)
        items = steps if isinstance(steps, list) else [steps]
        for index, step in enumerate(items):
            at: Location = (*loc, index) if isinstance(steps, list) else loc
            self._step(step, at, replace(scope, temps=temps), block, temps, open_)

    def _step(
        self,
        step: object,
        loc: Location,
        scope: Scope,
        block: list[Instruction],
        temps: dict[str, Typed | None],
        open_: tuple[str, ...],
    ) -> None:
        self._steps += 1
        match step:
            case str():
                self._named(step, loc, scope, block, open_)
            case LetStep():
                for name in step.let:
                    self._let(name, (*loc, "let", name), replace(scope, temps=temps), block, temps)
            case SetStep():
                self._set(step, loc, scope, block)
            case IncreaseStep():
                self._orders("increase", step.increase, (*loc, "increase"), scope, block)
            case ReduceStep():
                self._orders("reduce", step.reduce, (*loc, "reduce"), scope, block)
            case TargetStep():
                self._orders("target", step.target, (*loc, "target"), scope, block)
            case CloseStep():
                listed = isinstance(step.close, list)
                for index, leg in enumerate(step.close if isinstance(step.close, list) else [step.close]):
                    at: Location = (*loc, "close", index) if listed else (*loc, "close")
                    if self._known_leg(leg, at, key=False):
                        block.extend(
                            ledger.propose(self.checker.pool, self.legs[leg], "close", None, self.checker.span(at))
                        )
            case RaiseStep():
                self._raise(step, loc, scope, block)
            case CancelStep():
                block.append(self.delays.cancel(step.cancel, (*loc, "cancel")))
            case CallStep():
                self._call(step, loc, scope, block)
            case _:
                raise AssertionError(step)

    def _named(self, name: str, loc: Location, scope: Scope, block: list[Instruction], open_: tuple[str, ...]) -> None:
        findings, span = self.checker.findings, self.checker.document.at(loc).span
        if name in self.checker.symbols.left_out:
            return
        if name not in self.spec.actions:
            findings.error(
                "HR207",
                f"unknown action `{name}`",
                span,
                suggestion(name, self.spec.actions, "declare it under `actions:`"),
            )
        elif name in open_:
            findings.error(
                "HR203",
                f"the action `{name}` runs itself: {' -> '.join((*open_, name))}"[:300],
                span,
                "break the cycle",
            )
        elif self._steps > MAX_STEPS:
            findings.error(
                "HR007",
                f"the actions have more than {MAX_STEPS:,} steps once named ones are written out",
                self.checker.document.key(("actions",)).span,
                "let fewer actions run other actions",
            )
        else:
            # A named action sees the event of its user, and none of the names bound around it.
            outer = replace(scope, temps={})
            self._list(self.spec.actions[name], ("actions", name), outer, block, (*open_, name))

    def _temp(self, name: str) -> str:
        self._count += 1
        return f"{name}#{self._count}"

    def _let(
        self, name: str, loc: Location, scope: Scope, block: list[Instruction], temps: dict[str, Typed | None]
    ) -> None:
        symbols, span = self.checker.symbols, self.checker.document.key(loc).span
        if name in RESERVED:
            self.checker.findings.error("HR211", f"`{name}` is a word of the language", span, "choose another name")
            return
        if name in temps or name in symbols.readable() or name in {*symbols.events, *symbols.windows, *symbols.legs}:
            self.checker.findings.error("HR202", f"`{name}` exists already", span, "rename it")
            return
        typed = self.checker.check(loc, scope)
        temps[name] = None
        if typed is not None:
            temp = self._temp(name)
            block.append(Let(temp, typed.expr, self.checker.span(loc)))
            temps[name] = replace(typed, expr=self.checker.pool.temp(temp, typed.type))

    def _set(self, step: SetStep, loc: Location, scope: Scope, block: list[Instruction]) -> None:
        checker, targets = self.checker, list[tuple[str, Expr]]()
        for name in step.set:
            at = (*loc, "set", name)
            if not self._settable(name, at):
                continue
            cell = checker.symbols.cells[name]
            typed = checker.value(at, scope, cell.type, cell.unit, f"`{name}`")
            if typed is not None:
                targets.append((name, typed.expr))
        if targets:
            block.append(Assign(tuple(targets), checker.document.at(loc).span))

    def _settable(self, name: str, at: Location) -> bool:
        if name in self.spec.state:
            return True
        checker = self.checker
        if name in checker.symbols.left_out:
            return False
        if name in checker.symbols.observed:
            why, help = f"`{name}` is observed, not set", "declare it under `state:` if actions set it"
        elif name in self.spec.params:
            why, help = f"`{name}` is a param and does not change", "make it a cell under `state:`"
        elif name in self.legs:
            why, help = f"`{name}` is a leg", "order it: increase, reduce, target or close"
        else:
            why, help = (
                f"unknown cell `{name}`",
                suggestion(name, self.spec.state, "declare it under `state:`"),
            )
        checker.findings.error("HR409", why, checker.document.key(at).span, help)
        return False

    def _known_leg(self, leg: str, at: Location, key: bool = True) -> bool:
        if leg in self.legs:
            return True
        if leg not in self.spec.legs and leg not in self.checker.symbols.left_out:
            document = self.checker.document
            span = document.key(at).span if key else document.at(at).span
            self.checker.findings.error(
                "HR208", f"unknown leg `{leg}`", span, suggestion(leg, self.spec.legs, "declare it under `legs:`")
            )
        return False

    def _orders(
        self, verb: ledger.Verb, orders: MappingOf[str, object], loc: Location, scope: Scope, block: list[Instruction]
    ) -> None:
        checker = self.checker
        # All amounts of one map are taken before any order of it: none sees another.
        for leg in orders:
            at = (*loc, leg)
            if not self._known_leg(leg, at):
                continue
            unit = checker.symbols.instruments[self.legs[leg].instrument.name][0]
            typed = checker.value(at, scope, "real", unit, f"the quantity of `{leg}`")
            if typed is not None:
                block.extend(ledger.propose(checker.pool, self.legs[leg], verb, typed.expr, checker.span(at)))

    def _raise(self, step: RaiseStep, loc: Location, scope: Scope, block: list[Instruction]) -> None:
        checker, raised = self.checker, step.raise_
        late = self._is_late(step, loc)
        seconds = None if step.after is None else delay(checker, (*loc, "after"), scope, "a delay")
        events = raised if isinstance(raised, dict) else {raised: {}}
        for event, fields in events.items():
            at: Location = (*loc, "raise", event) if isinstance(raised, dict) else (*loc, "raise")
            span = checker.document.key(at).span if isinstance(raised, dict) else checker.document.at(at).span
            known = checker.symbols.events
            if late:
                place = checker.document.at((*loc, "id")).span if step.id is not None else span
                self.delays.declare(step.id or event, event, place)
            if event in checker.symbols.fills:
                message, help = f"`{event}` tells of a fill and comes from outside", "raise an event of your own"
                checker.findings.error("HR419", message, span, help)
                continue
            if event not in known:
                if event not in checker.symbols.left_out:
                    checker.findings.error(
                        "HR206",
                        f"unknown event `{event}`",
                        span,
                        suggestion(event, known, "declare it under `events:`"),
                    )
                continue
            for name in fields:
                if name not in known[event]:
                    checker.findings.error(
                        "HR101",
                        f"`{event}` has no field `{name}`",
                        checker.document.key((*at, name)).span,
                        suggestion(name, known[event], "remove it"),
                    )
            missing = [name for name in known[event] if name not in fields]
            if missing:
                checker.findings.error(
                    "HR102",
                    f"`{missing[0]}` of `{event}` is missing",
                    span,
                    f"write `raise: {{{event}: {{{missing[0]}: …}}}}`",
                )
                continue
            if (person := next((name for name, field in known[event].items() if field.person), None)) is not None:
                message = f"`{event}` brings the person `{person}`, for whom no action speaks"
                help = f"raise an event without a person; `{event}` comes from outside"
                checker.findings.error("HR433", message, span, help)
                continue
            values = []
            for name, field in known[event].items():
                typed = checker.value((*at, name), scope, field.type, field.unit, f"`{event}.{name}`")
                if typed is not None:
                    values.append((name, typed.expr))
            if not late:
                block.append(Raise(event, tuple(values), span))
            elif seconds is not None:
                block.append(self.delays.arm(step.id or event, tuple(values), seconds, span))

    def _is_late(self, step: RaiseStep, loc: Location) -> bool:
        """Return whether an event comes later; tell an id of one that does not."""
        document = self.checker.document
        written = document.at(loc)
        if (
            step.after is None
            and isinstance(written, Mapping)
            and any(key.text == "after" for key, _ in written.entries)
        ):
            return True  # what it says did not fit the model, and was told
        if step.after is None and step.id is not None:
            message, help = "`after` is missing: only an event that comes later has an `id`", "add e.g. `after: 30m`"
            self.checker.findings.error("HR102", message, document.key((*loc, "id")).span, help)
        return step.after is not None

    def _call(self, step: CallStep, loc: Location, scope: Scope, block: list[Instruction]) -> None:
        checker = self.checker
        bound = bind_call(checker, self.registry, loc, step.with_, scope)
        if bound is None:
            return
        wanted = step.into if isinstance(step.into, dict) else {"": step.into}
        into: list[tuple[str, str]] = []
        fields = {result.name: (result, unit) for result, unit in zip(bound.results, bound.units, strict=True)}
        for field, cell in wanted.items():
            at: Location = (*loc, "into", field) if field else (*loc, "into")
            span = checker.document.at(at).span
            if field not in fields:
                names = ", ".join(f"`{name}`" for name in fields if name)
                help = f"write `into: {{field: cell}}` with a field of {names}" if names else f"write `into: {cell}`"
                checker.findings.error(
                    "HR505",
                    f"`{bound.function}` has no result `{field}`"
                    if field
                    else f"`{bound.function}` has several results",
                    span,
                    help,
                )
                continue
            if not self._settable(cell, at):
                continue
            result, unit = fields[field]
            declared = checker.symbols.cells[cell]
            if (result.type, unit) != (declared.type, declared.unit):
                checker.findings.error(
                    "HR505",
                    f"`{cell}` is {declared.type} in `{declared.unit}`, the result is {result.type} in `{unit}`",
                    span,
                    f"declare `{cell}` as {result.type} with unit `{unit}`",
                )
                continue
            into.append((field, cell))
        span = checker.document.at((*loc, "call")).span
        call = bound.instruction(tuple(into), waiting(self.spec, bound.windows), span)
        block += [call, *ensured(checker, call, loc, scope, step.ensures)]


def waiting(spec: Spec, windows: Iterable[str]) -> tuple[str, ...]:
    """Return those windows that must be full before a call reads them."""
    return tuple(name for name in windows if name in spec.windows and spec.windows[name].until_full == "skip")


def ordered_legs(block: Block) -> tuple[Propose, ...]:
    """Return the orders of a block."""
    return tuple(instruction for instruction in block if isinstance(instruction, Propose))
