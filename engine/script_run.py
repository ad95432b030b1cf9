"""A script played on a machine: one step an item, and what was expected of it and is not so."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any, NamedTuple

from .diagnostics import Diagnostic, Span
from .script import Expectation, Item, Script
from .script_time import show_time
from .step import Order, Step

if TYPE_CHECKING:
    from .backends.live import Machine
    from .ir import Program
    from .load import Compiled

__all__ = ["Failure", "Played", "play"]

_TOLERANCE = Fraction(1, 10**9)


@dataclass(frozen=True, slots=True)
class Failure:
    """An expectation that does not hold; `expected` and `found` are written as in a script."""

    key: str
    expected: str
    found: str
    diagnostic: Diagnostic
    """HR821, with its place in the script."""

    @property
    def span(self) -> Span:
        return self.diagnostic.span


@dataclass(frozen=True, slots=True)
class Played:
    """An item that has been played.

    `step` is what it did; for an item that only expects something it is the step before, and at the beginning an empty
    one. `configuration` is the active innermost states now; it is empty before the start.
    """

    item: Item
    step: Step
    configuration: tuple[str, ...]
    failures: tuple[Failure, ...]


def play(compiled: Compiled, script: Script, machine: Machine | None = None) -> Iterator[Played]:
    """Send the items of a script to a machine, each when its result is asked for.

    A refused event, an error and a broken invariant are results like others: they are failures only where the script
    expects something else.

    Args:
        compiled: the spec that the script was read for, with its parameters. Those of the script are
            `script.parameters`; whoever compiles binds them.
        script: what `read_script` returned.
        machine: one of the spec; a new one if not given.
    """
    machine = machine or compiled.machine()
    judge = _Judge(machine, compiled.program)
    step = Step((), (), ())
    after = "before any event"
    for item in script.items:
        if item.kind == "event":
            step = machine.send(item.event, item.time_ns, **item.fields)
            after = f"after `{item.event}` at {show_time(item.time_ns)}"
        elif item.kind == "advance":
            step = machine.advance(item.time_ns)
            after = f"after the advance to {show_time(item.time_ns)}"
        failures: list[Failure] = []
        for each in item.expect:
            if (wrong := judge.wrong(each, step)) is not None:
                span = script.place(item, wrong.where or each.where)
                told = Diagnostic("HR821", wrong.message, span, f"{after}; if that is right, write `{wrong.instead}`")
                failures.append(Failure(each.key, wrong.expected, wrong.found, told))
        yield Played(item, step, machine.configuration, tuple(failures))


class _Wrong(NamedTuple):
    """An expectation that does not hold; `where` is its place if it is a part of the expectation only."""

    message: str
    expected: str
    found: str
    instead: str
    where: tuple[str | int, ...] = ()


class _Judge:
    """Looks at a machine and its last step."""

    def __init__(self, machine: Machine, program: Program) -> None:
        self._machine = machine
        self._parents = {state.name: state.parent for state in program.states}

    def wrong(self, each: Expectation, step: Step) -> _Wrong | None:
        """Return what is wrong with an expectation, or None where it holds."""
        key, wanted, machine = each.key, each.wanted, self._machine
        match key:
            case "configuration":
                found = machine.configuration
                return None if set(wanted) == set(found) else _differs(key, _flow(wanted), _flow(found))
            case "broken":
                return None if set(wanted) == set(step.broken) else _differs(key, _flow(wanted), _flow(step.broken))
            case "in" | "not_in":
                return self._activity(key, wanted)
            case "fired" | "raised":
                done = step.fired if key == "fired" else step.raised
                return None if wanted == done else _differs(key, _flow(wanted), _flow(done))
            case "stopped":
                checks = tuple(verdict.name for verdict in step.verdicts)
                return None if wanted == checks else _differs(key, _flow(wanted), _flow(checks))
            case "approvals":
                rulings = tuple(f"{each.outcome} {each.rule}".rstrip() for each in step.approvals)
                return None if wanted == rulings else _differs(key, _flow(wanted), _flow(rulings))
            case "timers":
                names = tuple(name for name, _ in step.timers)
                return None if wanted == names else _differs(key, _flow(wanted), _flow(names))
            case "orders":
                return _orders(each, step.orders)
            case "rejected":
                return _rejected(wanted, step.rejected)
            case "errors":
                return _errors(wanted, step.errors)
            case "values":
                value = machine.value(each.name)
                return None if _equal(wanted, value) else _differs(each.name, _flow(wanted), _flow(value))
            case "ended":
                return None if wanted == machine.ended else _differs(key, _flow(wanted), _flow(machine.ended))
            case _:
                due = machine.next_due
                return None if wanted == due else _differs(key, _moment(wanted), _moment(due))

    def _activity(self, key: str, wanted: tuple[str, ...]) -> _Wrong | None:
        inside: set[str] = set()
        for leaf in self._machine.configuration:
            state: str | None = leaf
            while state is not None:
                inside.add(state)
                state = self._parents[state]
        active = tuple(state for state in self._parents if state in inside)
        told = f"what is active is {_flow(active)}" if active else "nothing is active"
        if key == "in":
            missing = tuple(state for state in wanted if state not in active)
            if not missing:
                return None
            message = f"{_ticked(missing)} expected to be active, and {told}"
            return _Wrong(message, _flow(wanted), _flow(active), f"not_in: {_flow(missing)}")
        there = tuple(state for state in wanted if state in active)
        if not there:
            return None
        message = f"{_ticked(there)} expected not to be active, and {told}"
        return _Wrong(message, _flow(wanted), _flow(active), f"in: {_flow(there)}")


def _differs(what: str, expected: str, found: str, where: tuple[str | int, ...] = ()) -> _Wrong:
    return _Wrong(f"`{what}` is expected to be {expected}, and is {found}", expected, found, f"{what}: {found}", where)


def _ticked(names: tuple[str, ...]) -> str:
    return " and ".join(f"`{name}`" for name in names) + (" is" if len(names) == 1 else " are")


def _rejected(wanted: bool | str, reason: str | None) -> _Wrong | None:
    if wanted == (reason is not None) if isinstance(wanted, bool) else reason is not None and wanted in reason:
        return None
    return _differs("rejected", _flow(wanted), "false" if reason is None else _flow(reason))


def _errors(wanted: bool | int | str, told: tuple[str, ...]) -> _Wrong | None:
    if isinstance(wanted, bool):
        holds = wanted == bool(told)
    elif isinstance(wanted, int):
        holds = wanted == len(told)
    else:
        holds = any(wanted in each for each in told)
    if holds:
        return None
    found = "[" + ", ".join(map(_flow, told)) + "]"
    message = f"`errors` is expected to be {_flow(wanted)}, and {len(told)} came: {found}"
    return _Wrong(message if told else message.removesuffix(": []"), _flow(wanted), found, f"errors: {len(told)}")


def _orders(each: Expectation, orders: tuple[Order, ...]) -> _Wrong | None:
    wanted: tuple[dict[str, Any], ...] = each.wanted
    if len(wanted) != len(orders):
        expected, found = (_flow(tuple(map(_short, listed))) for listed in (wanted, map(Order._asdict, orders)))
        return _differs("orders", expected, found)
    for index, (order, released) in enumerate(zip(wanted, orders, strict=True)):
        for key, value in order.items():
            there = getattr(released, key)
            if isinstance(value, str):
                same, shown = value == there, (value, there)
            else:
                same, shown = _equal(value, there), (_flow(value), _flow(there))
            if not same:
                wrong = _differs(key, shown[0], shown[1], (*each.where, index, key))
                return wrong._replace(message=wrong.message.replace(f"`{key}`", f"`{key}` of order {index + 1}", 1))
    return None


def _short(order: dict[str, Any]) -> dict[str, Any]:
    return {key: order[key] for key in ("leg", "side", "quantity")}


def _equal(wanted: Any, found: Any) -> bool:
    """Return whether two values are equal; numbers that are not both whole to a relative 1e-9."""
    if isinstance(wanted, bool) or (isinstance(wanted, int) and isinstance(found, int)):
        return bool(wanted == found)
    a, b = Fraction(wanted), Fraction(found)
    return abs(a - b) <= _TOLERANCE * max(abs(a), abs(b))


def _moment(time_ns: int | None) -> str:
    return "null" if time_ns is None else show_time(time_ns)


def _flow(value: object) -> str:
    """Return a value as a script writes it; names of a spec need no quotes."""
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return json.dumps(value, ensure_ascii=False)
        case tuple():
            return "[" + ", ".join(each if isinstance(each, str) else _flow(each) for each in value) + "]"
        case dict():
            parts = (f"{key}: {each if isinstance(each, str) else _flow(each)}" for key, each in value.items())
            return "{" + ", ".join(parts) + "}"
        case _:
            return str(value)
