"""One item of a script: from plain data to an `Item` whose every name a spec has.

    {"event": "tick", "with": {"x": 1}, "at": "30m"}   ->   Item(1, 1, "event", "tick", {"x": 1}, 1800000000000, ())

What is wrong comes back as `Mistake` values with paths; whoever has the text finds their places.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from pydantic import BaseModel, ValidationError

from .chart import FAIL_SAFE
from .diagnostics import suggestion
from .script_model import PLAIN, ExpectShape, ItemShape, OrderShape, ScriptShape, given
from .script_time import read_time
from .shape import EXPECTED
from .step import OUTCOMES
from .vocabulary import APPROVAL_EVENTS, BUILTIN_EVENTS

if TYPE_CHECKING:
    from .ir import Program
    from .load import Spec

__all__ = ["Expectation", "Item", "ItemReader", "Mistake", "Where"]

Where = tuple[str | int, ...]
"""A path of keys and indices, from an item down."""


@dataclass(frozen=True, slots=True)
class Expectation:
    """What must be true after an item.

    `key` is the key under `expect`; for a value, `name` is the name of the value. `wanted` is a tuple of names, a tuple of
    mappings (orders), a time in nanoseconds or None (`next_due`), or what stands there.
    """

    key: str
    wanted: Any
    where: Where
    name: str = ""


@dataclass(frozen=True, slots=True)
class Item:
    """One step of a script.

    Fields:
        index: its place among the items, from 1.
        line: the line of the file that it begins on, from 1.
        kind: an event is sent, time advances, or nothing happens and the last step is looked at again.
        event: the name of the event; empty for the other kinds.
        fields: the fields of the event, as they are written.
        time_ns: when, in nanoseconds; it need not fit a clock.
        expect: what must be true then.
    """

    index: int
    line: int
    kind: Literal["event", "advance", "expect"]
    event: str
    fields: Mapping[str, float | int | bool]
    time_ns: int
    expect: tuple[Expectation, ...]


class Mistake(NamedTuple):
    """A mistake that has not been looked for in the text; `at_key` says that it is about the key there."""

    code: str
    message: str
    where: Where
    help: str
    at_key: bool = False


class ItemReader:
    """Plain data → items, checked against the names of a spec; what is wrong comes back with paths for places."""

    def __init__(self, spec: Spec) -> None:
        self.items: list[Item] = []
        self._known = _Vocabulary(spec.program(spec.fill))
        self._before = 0

    def head(self, plain: object) -> list[Mistake]:
        """Return what is wrong with a script but for its items."""
        try:
            ScriptShape.model_validate(plain)
        except ValidationError as error:
            return [_shape_mistake(each, ScriptShape) for each in error.errors(include_url=False)]
        return []

    def settings(self, parameters: Mapping[str, Any], spec: Spec) -> list[Mistake]:
        """Return what is wrong with the params that a script sets."""
        names = [each.name for each in spec.program().parameters]
        found = [
            Mistake(
                "HR201",
                f"unknown param `{name[:60]}`",
                ("set", name),
                suggestion(name, names, _list_of("params", names)),
                True,
            )
            for name in parameters
            if name not in names
        ]
        known = {
            name: value
            for name, value in parameters.items()
            if name in names and isinstance(value, bool | int | float | str)
        }
        if (together := _refusal(spec, known)) is not None:
            # Each alone tells which one is wrong, unless only all of them are.
            alone = {name: told for name, value in known.items() if (told := _refusal(spec, {name: value})) is not None}
            help = "give a value that the declaration of the param allows"
            found += [Mistake("HR104", told, ("set", name), help) for name, told in alone.items()]
            if not alone:
                found.append(Mistake("HR104", together, ("set",), "give params that go together"))
        return found

    def item(self, plain: object, line: int) -> list[Mistake]:
        """Take an item up, or return what is wrong with it."""
        shape, mistakes = _item_shape(plain)
        if not isinstance(plain, dict) or shape is None:
            return mistakes
        mistakes += _together(plain, mistakes)
        kind: Literal["event", "advance", "expect"] = (
            "event" if "event" in plain else "advance" if "advance" in plain else "expect"
        )
        if "event" in shape.model_fields_set:
            written = plain.get("with")
            mistakes += self._known.event(shape.event, written if isinstance(written, dict) else {})
        moment = shape.at if "at" in shape.model_fields_set else shape.advance if kind == "advance" else None
        time_ns = self._before if moment is None else read_time(moment, self._before)
        self._before = time_ns
        expect: tuple[Expectation, ...] = ()
        if "expect" in shape.model_fields_set:
            expect = tuple(_expectations(plain["expect"], shape.expect, time_ns))
        for each in expect:
            mistakes += self._known.expectation(each)
        if not mistakes:
            event = shape.event if kind == "event" else ""
            fields = shape.with_ if "with_" in shape.model_fields_set else {}
            self.items.append(Item(len(self.items) + 1, line, kind, event, fields, time_ns, expect))
        return mistakes


def _refusal(spec: Spec, parameters: Mapping[str, str | float | int | bool]) -> str | None:
    """Return why a spec does not take parameters, or None where it does."""
    from .load import ParameterError

    try:
        spec.bind(parameters)
    except ParameterError as error:
        return str(error)
    return None


def _item_shape(plain: object) -> tuple[ItemShape | None, list[Mistake]]:
    """Return the shape of what fits of an item, and what is wrong with it as written."""
    try:
        return ItemShape.model_validate(plain), []
    except ValidationError as error:
        wrong = error.errors(include_url=False)
    mistakes = [_shape_mistake(each, ItemShape) for each in wrong]
    try:
        # Without what does not fit, the names in the rest can still be looked up.
        return ItemShape.model_validate(_without(plain, [each["loc"] for each in wrong])), mistakes
    except ValidationError:
        return None, mistakes


def _without(plain: object, paths: Iterable[Where]) -> object:
    """Return an item without the fields and expectations that the paths lead to."""
    if not isinstance(plain, dict):
        return plain
    left = {key: dict(value) if isinstance(value, dict) else value for key, value in plain.items()}
    for path in paths:
        inside = left.get(path[0]) if path else None
        if len(path) > 1 and isinstance(inside, dict):
            inside.pop(path[1], None)
        else:
            left.pop(path[0], None)
    return left


def _shape_mistake(detail: Any, root: type[BaseModel]) -> Mistake:
    where, kind = tuple(detail["loc"]), detail["type"]
    help = detail.get("ctx", {}).get("help") or _example(root, where)
    if kind == "extra_forbidden":
        keys = _keys(root, where[:-1])
        help = suggestion(str(where[-1]), keys, _list_of("keys here", keys))
        return Mistake("HR101", f"unknown key `{str(where[-1])[:60]}`", where, help, True)
    if kind == "missing":
        return Mistake("HR102", f"`{where[-1]}` is missing", where[:-1], _example(root, where), True)
    if kind == "time":
        return Mistake("HR820", detail["msg"], where, help)
    if kind == "shape":
        return Mistake("HR103", detail["msg"], where, help)
    if kind in EXPECTED:
        return Mistake("HR103", f"{EXPECTED[kind]} is expected here, this is {given(detail['input'])}", where, help)
    if kind == "literal_error":
        wanted = detail["ctx"]["expected"].replace("'", "`")
        return Mistake("HR104", f"{wanted} is expected here", where, f"write {wanted}")
    if kind in ("too_short", "string_too_short"):
        return Mistake("HR104", "this is empty", where, help)
    return Mistake("HR104", (detail["msg"][:1].lower() + detail["msg"][1:]).replace("'", "`"), where, help)


def _shape_at(root: type[BaseModel], where: Where) -> type[BaseModel]:
    """Return the shape of the mapping at a path."""
    return ExpectShape if where == ("expect",) else OrderShape if where[1:2] == ("orders",) else root


def _keys(root: type[BaseModel], where: Where) -> list[str]:
    return [each.alias or name for name, each in _shape_at(root, where).model_fields.items()]


def _example(root: type[BaseModel], where: Where) -> str:
    """Return a help line that shows what to write at a path, or at the nearest key above it."""
    while where:
        for name, each in _shape_at(root, where[:-1]).model_fields.items():
            if where[-1] in (name, each.alias) and each.examples:
                return f"write e.g. `{where[-1]}: {_flow(each.examples[0])}`"
        where = where[:-1]
    return "write e.g. `{event: tick, at: 30m}`"


def _flow(value: object) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_flow(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_flow, value)) + "]"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _together(plain: Mapping[str, object], mistakes: list[Mistake]) -> list[Mistake]:
    """Return what is wrong with the keys of an item taken together."""
    found: list[Mistake] = []
    if not plain.keys() & {"event", "advance", "expect", "with", "at"} and not mistakes:
        help = "an item has `event: NAME`, `advance: TIME` or `expect: {…}`"
        found.append(Mistake("HR102", "nothing happens here", (), help))
    if "event" in plain and "advance" in plain:
        help = "write two items: time passes until an event anyway, see `at`"
        found.append(Mistake("HR104", "an item has `event` or `advance`, not both", ("advance",), help, True))
    for key, help in (
        ("with", "write `event: NAME` beside it"),
        ("at", "write `event: NAME` beside it, or `advance: TIME` to let time pass"),
    ):
        if key in plain and "event" not in plain and not any(each.code == "HR101" for each in mistakes):
            found.append(Mistake("HR104", f"`{key}` belongs to an event", (key,), help, True))
    if plain.get("expect") == {}:
        found.append(Mistake("HR104", "nothing is expected", ("expect",), "write what, or leave it out"))
    return found


_EXPECTED = {each.alias or name: name for name, each in ExpectShape.model_fields.items()}


def _expectations(written: Iterable[str], shape: ExpectShape, time_ns: int) -> Iterator[Expectation]:
    """Yield what an item expects, in the order in which its keys are written."""
    for key in written:
        if _EXPECTED.get(key) not in shape.model_fields_set:
            continue
        wanted = getattr(shape, _EXPECTED[key])
        match key:
            case "values":
                for cell, value in wanted.items():
                    yield Expectation(key, value, ("expect", key, cell), cell)
            case "orders":
                orders = tuple({field: getattr(order, field) for field in order.model_fields_set} for order in wanted)
                yield Expectation(key, orders, ("expect", key))
            case "next_due":
                yield Expectation(key, None if wanted is None else read_time(wanted, time_ns), ("expect", key))
            case _:
                yield Expectation(key, tuple(wanted) if isinstance(wanted, list) else wanted, ("expect", key))


# ------------------------------------------------------------------------------------------------------------- names


def _rulings(program: Program) -> tuple[str, ...]:
    """Return what can become of proposals, as expectations write it."""
    waiting = (each.rule for each in program.approvals)
    return (*(f"{outcome} {rule}" for rule in waiting for outcome in OUTCOMES), "refused")


class _Vocabulary:
    """The names of a program that a script may use."""

    def __init__(self, program: Program) -> None:
        self._fields = {event.name: {field.name: field for field in event.fields} for event in program.events}
        self._states = {state.name: state.kind for state in program.states}
        self._types = {cell.name: cell.type for cell in program.cells}
        rules = tuple(rule.name for rule in program.rules)
        heard = (*BUILTIN_EVENTS, *(APPROVAL_EVENTS if program.approvals else ()))
        raised = (*self._fields, *heard, *(f"done.state.{state}" for state in self._states))
        timers = tuple(timer.name for timer in program.timers)
        invariants = tuple(name for name, _ in program.invariants)
        self._lists: dict[str, tuple[str, str, tuple[str, ...]]] = {
            "fired": ("HR209", "transition", (*rules, FAIL_SAFE)),
            "raised": ("HR206", "event", raised),
            "timers": ("HR201", "timer", timers),
            "broken": ("HR201", "invariant", invariants),
            "stopped": ("HR201", "check of a gate", program.check_names),
            "approvals": ("HR209", "outcome and transition", _rulings(program)),
        }
        self._orders: dict[str, tuple[str, tuple[str, ...]]] = {
            "leg": ("HR208", tuple(leg.name for leg in program.legs)),
            "instrument": ("HR208", tuple(each.name for each in program.instruments)),
            "rule": ("HR209", rules),
        }

    def event(self, event: str, fields: Mapping[str, object]) -> Iterator[Mistake]:
        """Tell an event that the spec does not declare, a field that it does not have, and one that is missing."""
        declared = self._fields.get(event)
        if declared is None:
            help = suggestion(event, self._fields, _list_of("events", self._fields))
            yield Mistake("HR206", f"unknown event `{event[:60]}`", ("event",), help)
            return
        for name in fields:
            if name not in declared:
                help = suggestion(name, declared, _list_of("fields", declared))
                yield Mistake("HR101", f"`{event}` has no field `{name[:60]}`", ("with", name), help, True)
            elif isinstance(fields[name], str) and declared[name].people is None:
                message = "a number, true or false is expected here, this is text"
                yield Mistake("HR103", message, ("with", name), PLAIN)
            elif not isinstance(fields[name], str) and (people := declared[name].people):
                yield Mistake("HR103", "a person is expected here", ("with", name), _list_of("people", people))
        if missing := [name for name in declared if name not in fields]:
            told = " and ".join(f"`{name}`" for name in missing)
            values = {name: field.people[0] if field.people else 1 for name, field in declared.items()}
            help = f"write e.g. `with: {_flow(values)}`"
            yield Mistake("HR102", f"`{event}` comes without {told}", ("event",), help)

    def expectation(self, each: Expectation) -> Iterator[Mistake]:
        """Tell every name in an expectation that the spec does not have."""
        match each.key:
            case "configuration" | "in" | "not_in":
                for index, state in enumerate(each.wanted):
                    yield from self._state(each.key, state, (*each.where, index))
            case "fired" | "raised" | "timers" | "broken" | "stopped" | "approvals":
                code, what, known = self._lists[each.key]
                for index, name in enumerate(each.wanted):
                    yield from _unknown(code, what, name, known, (*each.where, index))
            case "orders":
                for index, order in enumerate(each.wanted):
                    for key, (code, known) in self._orders.items():
                        if key in order:
                            what = "transition" if key == "rule" else key
                            yield from _unknown(code, what, order[key], known, (*each.where, index, key))
            case "values":
                yield from self._value(each)

    def _state(self, key: str, state: str, where: Where) -> Iterator[Mistake]:
        kind = self._states.get(state)
        if kind is None:
            yield from _unknown("HR205", "state", state, self._states, where)
        elif kind == "history":
            yield Mistake(
                "HR104", f"`{state}` is a history state and never active", where, "name the state it leads to"
            )
        elif key == "configuration" and kind not in ("atomic", "final"):
            help = f"name the innermost states, or write `in: {state}`"
            yield Mistake("HR104", f"`{state}` has states inside it", where, help)

    def _value(self, each: Expectation) -> Iterator[Mistake]:
        type = self._types.get(each.name)
        if type is None:
            yield from (
                mistake._replace(at_key=True)
                for mistake in _unknown("HR201", "value", each.name, self._types, each.where)
            )
        elif (type == "bool") != isinstance(each.wanted, bool):
            what = "true or false" if type == "bool" else "a number"
            yield Mistake("HR301", f"`{each.name}` is {what}", each.where, f"write {what}")


def _unknown(code: str, what: str, name: str, known: Iterable[str], where: Where) -> Iterator[Mistake]:
    names = tuple(known)
    if name not in names:
        help = suggestion(name, names, _list_of(f"{what}s", names))
        yield Mistake(code, f"unknown {what} `{name[:60]}`", where, help)


def _list_of(what: str, names: Iterable[str]) -> str:
    listed = list(names)
    shown = ", ".join(f"`{name}`" for name in listed[:10])
    return f"the {what} are {shown}{', …' if len(listed) > 10 else ''}" if listed else f"there are no {what}"
