"""The typed model of an event script: its shape, before any name in it is looked up in a spec.

The published JSON Schema (`schemas/events.v1.schema.json`) is generated from these classes, so each field carries the
description and the example that an editor shows.
"""

from __future__ import annotations

import math
import re
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from .script_time import TIME_PATTERN, TimeTextError, read_time

__all__ = ["ID", "PLAIN", "ExpectShape", "ItemShape", "OrderShape", "ScriptShape", "given", "json_schema"]

NAME = re.compile(r"[A-Za-z][A-Za-z0-9]*(_[A-Za-z0-9]+)*")
"""A person is called so, and nothing else that an event brings."""
PLAIN = "a script holds plain values, e.g. `101.5`; nothing is computed"
ID = "urn:hedgerow:schema:events:v1"
DIALECT = "https://json-schema.org/draft/2020-12/schema"

Schema = dict[str, Any]


def given(value: object) -> str:
    """Return what kind of value this is, in words."""
    if value is None:
        return "empty"
    words = {dict: "a mapping", list: "a list", str: "text", bool: "true or false", int: "a number", float: "a number"}
    return words.get(type(value), "something else")


def _wrong(what: str, value: object, help: str) -> PydanticCustomError:
    return PydanticCustomError("shape", "{what} is expected here, this is {given}", {
        "what": what, "given": given(value), "help": help,
    })  # fmt: skip


def _time(value: Any) -> Any:
    try:
        read_time(value)
    except TimeTextError as error:
        raise PydanticCustomError("time", "{message}", {"message": error.message, "help": error.help}) from None
    return value


def _due(value: Any) -> Any:
    return None if value is None else _time(value)


def _literal(value: Any) -> Any:
    if isinstance(value, bool | int | float) or (isinstance(value, str) and NAME.fullmatch(value)):
        return value
    raise _wrong("a number, true or false", value, PLAIN)


def _setting(value: Any) -> Any:
    if isinstance(value, bool | int | float | str):
        return value
    raise _wrong("a value", value, "write e.g. `9`, `30d` or `true`")


def _number(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _wrong("a number", value, "write e.g. `12.5`")
    if isinstance(value, float) and not math.isfinite(value):
        raise PydanticCustomError("value", "a machine holds finite numbers only", {"help": "write e.g. `12.5`"})
    return value


def _held(value: Any) -> Any:
    return value if isinstance(value, bool) else _number(value)


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _refused(value: Any) -> Any:
    if isinstance(value, bool) or (isinstance(value, str) and value):
        return value
    raise _wrong("true, false or text", value, "write `true`, `false`, or a part of the reason")


def _failed(value: Any) -> Any:
    if isinstance(value, bool) or (isinstance(value, int) and value >= 0) or (isinstance(value, str) and value):
        return value
    raise _wrong("true, false, a count or text", value, "write `true`, `false`, how many, or a part of one")


def _version(value: Any) -> Any:
    # `true` equals 1 in Python, and a version it is not.
    if isinstance(value, bool):
        raise PydanticCustomError("literal_error", "1 is expected here", {"expected": "1"})
    return value


_TIME_TEXT: Schema = {"type": "string", "pattern": TIME_PATTERN}
Time = Annotated[Any, BeforeValidator(_time), WithJsonSchema({"oneOf": [{"type": "integer"}, _TIME_TEXT]})]
Due = Annotated[
    Any, BeforeValidator(_due), WithJsonSchema({"oneOf": [{"type": "integer"}, _TIME_TEXT, {"type": "null"}]})
]
Literally = Annotated[
    Any,
    BeforeValidator(_literal),
    WithJsonSchema(
        {
            "oneOf": [
                {"type": ["number", "boolean"]},
                {"type": "string", "pattern": f"^{NAME.pattern}$", "maxLength": 64},
            ]
        }
    ),
]
Setting = Annotated[Any, BeforeValidator(_setting), WithJsonSchema({"type": ["string", "number", "boolean"]})]
Number = Annotated[Any, BeforeValidator(_number), WithJsonSchema({"type": "number"})]
Held = Annotated[Any, BeforeValidator(_held), WithJsonSchema({"type": ["number", "boolean"]})]
Refused = Annotated[
    Any,
    BeforeValidator(_refused),
    WithJsonSchema({"oneOf": [{"type": "boolean"}, {"type": "string", "minLength": 1}]}),
]
Failed = Annotated[
    Any,
    BeforeValidator(_failed),
    WithJsonSchema(
        {"oneOf": [{"type": "boolean"}, {"type": "integer", "minimum": 0}, {"type": "string", "minLength": 1}]}
    ),
]
Word = Annotated[str, Field(min_length=1, max_length=500)]
Words = Annotated[
    list[Word],
    BeforeValidator(_listed),
    WithJsonSchema(
        {
            "oneOf": [
                {"type": "string", "minLength": 1, "maxLength": 500},
                {"type": "array", "items": {"type": "string", "minLength": 1, "maxLength": 500}},
            ]
        }
    ),
]


_ABSENT: Any = None
"""Stands for a key that is not written; `model_fields_set` tells it from one that is."""


class _Shape(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, defer_build=True)


class OrderShape(_Shape):
    """An order that an event is expected to release; what is left out may be anything."""

    leg: Word = Field(description="its leg", examples=["stock"])
    side: Literal["buy", "sell"] = Field(description="what it does", examples=["sell"])
    quantity: Number = Field(description="how much, above 0", examples=[12.5])
    price: Number = Field(_ABSENT, description="the mark that it was decided at", examples=[101.5])
    rule: Word = Field(_ABSENT, description="the transition that proposed it", examples=["trim"])
    instrument: Word = Field(_ABSENT, description="what is traded", examples=["index"])
    notional: Number = Field(_ABSENT, description="quantity times price", examples=[1268.75])
    fee: Number = Field(_ABSENT, description="the fee, in money", examples=[0.63])
    slippage: Number = Field(_ABSENT, description="the slippage, in money", examples=[0])
    number: Number = Field(_ABSENT, description="its number, where fills come from outside", examples=[1])


class ExpectShape(_Shape):
    """What must be true now of the machine, and of what the last event did; each key may be left out."""

    configuration: list[Word] = Field(
        _ABSENT, description="the active innermost states, all of them, in any order", examples=[["watching"]]
    )
    in_: Words = Field(_ABSENT, alias="in", description="states that are active, outer ones too", examples=["open"])
    not_in: Words = Field(_ABSENT, description="states that are not active", examples=[["halted"]])
    fired: list[Word] = Field(
        _ABSENT, description="the transitions that fired, all of them, in order", examples=[["trim"]]
    )
    raised: list[Word] = Field(_ABSENT, description="the internal events, all of them, in order", examples=[["alarm"]])
    orders: list[OrderShape] = Field(
        _ABSENT,
        description="the orders, all of them, in order; numbers hold to a relative 1e-9",
        examples=[[{"leg": "stock", "side": "sell", "quantity": 12.5}]],
    )
    timers: list[Word] = Field(
        _ABSENT, description="the timers that fired, all of them, in order", examples=[["after.open.1"]]
    )
    rejected: Refused = Field(_ABSENT, description="whether it was refused, or a part of the reason", examples=[True])
    errors: Failed = Field(
        _ABSENT, description="whether something failed, how many times, or a part of what is told", examples=[False]
    )
    broken: list[Word] = Field(
        _ABSENT, description="the invariants that do not hold, all of them, in any order", examples=[["never_buys"]]
    )
    stopped: list[Word] = Field(
        _ABSENT,
        description="the checks of gates that did not let orders through, all of them, in order",
        examples=[["sanity.gross"]],
    )
    approvals: list[Word] = Field(
        _ABSENT,
        description="what became of proposals that wait for people, each with its transition, all of them, in order",
        examples=[["asked reset"], ["granted reset"], ["refused"]],
    )
    values: dict[str, Held] = Field(
        _ABSENT, min_length=1, description="values by name; numbers hold to a relative 1e-9", examples=[{"count": 2}]
    )
    ended: bool = Field(_ABSENT, description="whether the machine has ended", examples=[False])
    next_due: Due = Field(
        _ABSENT, description="when the next timer is due; `+` counts from this event, null is never", examples=["2h"]
    )


class ItemShape(_Shape):
    """One step of a script: an event, or time that passes; and what must be true then."""

    event: Word = Field(_ABSENT, description="an event of the spec", examples=["tick"])
    with_: dict[str, Literally] = Field(
        _ABSENT, alias="with", description="the fields of the event", examples=[{"price": 101.5}]
    )
    at: Time = Field(
        _ABSENT,
        description="the time of the event: `30m` from 0, `+30m` from the item before, an instant, or nanoseconds; "
        "the time of the item before where it is left out",
        examples=["30m", "+1s", "2024-01-02T15:00:00Z", 1500],
    )
    advance: Time = Field(_ABSENT, description="no event: time passes until then", examples=["1d"])
    expect: ExpectShape = Field(
        _ABSENT,
        description="what must be true after it",
        examples=[{"configuration": ["watching"], "rejected": False}],
    )


class ScriptShape(_Shape):
    """Events with their times, sent to a machine one by one."""

    hedgerow_events: Annotated[Literal[1], BeforeValidator(_version)] = Field(
        description="the version of the form of scripts", examples=[1]
    )
    about: Annotated[str, Field(max_length=4000)] = Field(
        _ABSENT, description="what it shows or tests", examples=["Three losses open the breaker."]
    )
    set: dict[str, Setting] = Field(
        _ABSENT, description="params of this run, as `--set` gives them", examples=[{"k": 9}]
    )
    events: list[ItemShape] = Field(min_length=1, description="what happens, in order", examples=[[{"event": "tick"}]])


_ITEM: Schema = {
    "anyOf": [{"required": ["event"]}, {"required": ["advance"]}, {"required": ["expect"]}],
    "not": {"required": ["event", "advance"]},
    "dependentRequired": {"with": ["event"], "at": ["event"]},
}
"""What `script.read_script` asks of the keys of an item together."""


def json_schema() -> Schema:
    """Return the JSON Schema of scripts (draft 2020-12), its keys in the order of the model."""
    made: Schema = ScriptShape.model_json_schema(by_alias=True)
    parts: dict[str, Schema] = made.pop("$defs")
    definitions = {_part(name): _plain(schema) for name, schema in sorted((parts | {"ScriptShape": made}).items())}
    definitions["Item"] |= _ITEM
    definitions["Expect"]["minProperties"] = 1
    return {
        "$schema": DIALECT,
        "$id": ID,
        "title": "A Hedgerow event script",
        "description": "Events with their times: a mapping with a version, or a list of items.",
        "oneOf": [
            {"$ref": "#/$defs/Script"},
            {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/Item"}},
        ],
        "$defs": definitions,
    }


def _part(name: str) -> str:
    return name.removesuffix("Shape")


def _plain(schema: Any) -> Any:
    """Return a schema without pydantic's titles and defaults, its references to the names published here."""
    if isinstance(schema, list):
        return [_plain(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    found: Schema = {}
    for key, value in schema.items():
        if key in ("title", "default"):
            continue
        if key == "properties":
            found[key] = {name: _plain(each) for name, each in value.items()}
        else:
            found[key] = "#/$defs/" + _part(value.rsplit("/", 1)[1]) if key == "$ref" else _plain(value)
    return found
