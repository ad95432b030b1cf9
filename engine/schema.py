"""The JSON Schema of specs, generated from the typed model: for editors, and to hold the model to in tests.

pydantic writes what the model accepts; what follows makes it readable for people and for editors' error messages:

    anyOf: [{type: string}, {type: null}]               ->  type: string     (an empty value is no value: HR103)
    patternProperties: {NAME: V}                        ->  additionalProperties: V, propertyNames: {pattern: NAME}
    oneOf: [oneOf: [name, {set}, ...], array of ...]    ->  $ref: "#/$defs/Steps"

It says what shape a spec has. Names, units and what an expression says are the loader's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .model import Spec

__all__ = ["ID", "json_schema"]

ID = "urn:hedgerow:schema:spec:v1"
DIALECT = "https://json-schema.org/draft/2020-12/schema"

Schema = dict[str, Any]


def json_schema() -> Schema:
    """Return the schema as a JSON-able dictionary, its keys in the order of the model."""
    made: Schema = Spec.model_json_schema(by_alias=True)
    parts: Mapping[str, Schema] = made.pop("$defs")
    definitions = {_part(name): _object(schema) for name, schema in parts.items()} | {"": _object(made)}
    step: Schema = {}
    for name in definitions:
        definitions[name] = _hoisted(definitions[name], step)
    body = definitions.pop("")
    definitions |= {
        "Step": step,
        "Steps": {"description": _STEPS, "oneOf": [_STEP, {"type": "array", "items": _STEP}]},
    }
    return {
        "$schema": DIALECT,
        "$id": ID,
        "title": "A Hedgerow spec",
        "description": body.pop("description"),
        **{key: value for key, value in body.items() if key not in ("title", "description")},
        "$defs": dict(sorted(definitions.items())),
    }


def _part(name: str) -> str:
    return name.removesuffix("Shape")


def _object(schema: Schema) -> Schema:
    """Return the schema of one class of the model."""
    changed = {key: value for key, value in _plain(schema).items() if key != "title"}
    properties: Mapping[str, Schema] = schema.get("properties", {})
    changed["properties"] = {key: _plain(value) for key, value in properties.items()}
    return changed


def _plain(schema: Schema) -> Schema:
    """Return a schema without pydantic's titles, empty defaults and detours."""
    found: Schema = {}
    for key, value in schema.items():
        match key:
            case "title" | "discriminator":
                continue
            case "default" if value is None or value in ({}, []):
                continue
            case "properties":
                continue  # `_object` does these
            case "$ref":
                found["$ref"] = "#/$defs/" + _part(value.rsplit("/", 1)[1])
            case "patternProperties":
                ((pattern, item),) = value.items()
                found["additionalProperties"] = _plain(item)
                found["propertyNames"] = {**schema.get("propertyNames", {}), "pattern": pattern}
            case "propertyNames":
                found.setdefault(key, value)
            case "additionalProperties" | "items" if isinstance(value, dict):
                found[key] = _plain(value)
            case "anyOf" | "oneOf":
                found = _alternatives([_plain(each) for each in value]) | found
            case _:
                found[key] = value
    return found


def _alternatives(options: list[Schema]) -> Schema:
    """Return alternatives as one schema: flat, and without the null that stands for a key left out."""
    flat: list[Schema] = []
    for option in options:
        flat += option.get("oneOf", [option])
    kept = [option for option in flat if option != {"type": "null"}]
    return kept[0] if len(kept) == 1 else {"oneOf": kept}


def _hoisted(schema: Any, step: Schema) -> Any:
    """Return the schema with a reference wherever the steps of an action stand; what one is goes into `step`."""
    if isinstance(schema, list):
        return [_hoisted(each, step) for each in schema]
    if not isinstance(schema, dict):
        return schema
    options = schema.get("oneOf", [])
    if {"$ref": "#/$defs/SetStep"} not in options:
        return {key: _hoisted(value, step) for key, value in schema.items()}
    step.update(next(option["items"] for option in options if option.get("type") == "array"))
    return {key: value for key, value in schema.items() if key != "oneOf"} | _ALL_STEPS


_STEPS = "an action by name, one step, or a list that runs in order"
_STEP: Schema = {"$ref": "#/$defs/Step"}
_ALL_STEPS: Schema = {"$ref": "#/$defs/Steps"}
