"""From nodes to the typed model, with every wrong shape told at its place.

What does not fit is reported and left out, so that the stages behind still see the rest: a file's mistakes come out
together. The names of what was left out are remembered; using them is not a second mistake.
"""

from __future__ import annotations

import types
import typing
from typing import Any

from pydantic import BaseModel, ValidationError

from .diagnostics import Findings, suggestion
from .model import STEPS, Spec
from .source import Document, Mapping, Node, Scalar

__all__ = ["EXPECTED", "read_shape"]

_NAMED = frozenset(("params", "state", "let", "legs", "instruments", "events", "windows", "actions"))
_ACTING = frozenset(("machine", "actions"))
_PLACED = _ACTING | {"observe", "unchanged", "claims"}
"""Sections with lists whose items are found again by their places in the file."""
_ROUNDS = 8
_STAND_INS: dict[tuple[str | int, ...], object] = {("hedgerow",): 1, ("name",): "unnamed"}
"""What takes the place of a wrong value that every spec must have, so that the rest is still looked at."""


def read_shape(document: Document, findings: Findings) -> tuple[Spec | None, frozenset[str]]:
    """Return the model of what fits, and the names whose declarations were left out."""
    data = document.plain()
    broken: set[str] = set()
    for attempt in range(_ROUNDS):
        details: list[Any] = []
        spec: Spec | None = None
        try:
            spec = Spec.model_validate(data)
        except ValidationError as error:
            details = list(error.errors(include_url=False, include_input=True))
        if attempt == 0:
            # Only what is wrong as written is told; what is missing later was left out here.
            written = document.plain()
            for detail in details:
                _report(document, findings, detail, _path(written, detail["loc"]))
            _report_empty(document, findings, {_path(data, detail["loc"]) for detail in details})
        if spec is not None:
            return spec, frozenset(broken)
        # Deepest first, so that removing a list item does not move the others.
        wrong = (loc if (loc := detail["loc"]) in _STAND_INS else _path(data, loc) for detail in details)
        for path in sorted(wrong, key=_removal_key, reverse=True):
            _leave_out(data, path, broken)
    return None, frozenset(broken)


def _path(data: Any, loc: tuple[Any, ...]) -> tuple[str | int, ...]:
    """Return the place of an error in plain data: pydantic's path without its union tags."""
    path: list[str | int] = []
    for index, part in enumerate(loc):
        if isinstance(data, dict):
            # The tag of a step is the name of a key beside the next part, or of the next part itself.
            tag = part in STEPS and bool(path) and loc[index + 1 : index + 2]
            if part not in data or (tag and (tag[0] == part or tag[0] in data)):
                continue
        elif not (isinstance(data, list) and isinstance(part, int) and part < len(data)):
            continue
        data = data[part]
        path.append(part)
    return tuple(path)


def _removal_key(path: tuple[str | int, ...]) -> tuple[int, tuple[tuple[int, str], ...]]:
    return len(path), tuple((part, "") if isinstance(part, int) else (0, part) for part in path)


def _report_empty(document: Document, findings: Findings, told: set[tuple[str | int, ...]]) -> None:
    """Tell every key without a value: an empty guard must not read as none."""
    stack: list[tuple[tuple[str | int, ...], Node]] = [((), document.root)]
    while stack:
        path, node = stack.pop()
        if isinstance(node, Mapping):
            stack.extend(((*path, key.text), value) for key, value in node.entries)
        elif not isinstance(node, Scalar):
            stack.extend(((*path, index), item) for index, item in enumerate(node.items))
        elif node.value is None and path not in told:
            what = f"`{path[-1]}` is empty" if isinstance(path[-1], str) else "this item is empty"
            findings.error("HR103", what, document.key(path).span, "write its value, or remove it")


def _leave_out(data: Any, path: tuple[str | int, ...], broken: set[str]) -> None:
    if len(path) >= 2 and path[0] in _NAMED:
        broken.add(str(path[1]))
    if len(path) >= 3 and path[0] == "observe":
        broken.add(str(path[2]))
    if not path:
        return
    for part in path[:-1]:
        try:
            data = data[part]
        except (KeyError, IndexError, TypeError):
            return
    if isinstance(data, dict) and path[0] in _ACTING:
        broken |= _texts(data.get(path[-1]))
    if isinstance(data, dict) and path in _STAND_INS and data.get(path[-1]) != _STAND_INS[path]:
        data[path[-1]] = _STAND_INS[path]
    elif isinstance(data, dict) and len(path) >= 2 and path[-2] == "states" and data.get(path[-1]) != {}:
        # A state that says nothing can still be gone to.
        data[path[-1]] = {}
    elif isinstance(data, dict):
        data.pop(path[-1], None)
    elif isinstance(data, list) and isinstance(path[-1], int) and path[0] in _PLACED:
        # Steps, transitions and conditions keep their places in the file: what stands behind a wrong one is left out too.
        broken |= _texts(data[path[-1] :]) if path[0] in _ACTING else set()
        del data[path[-1] :]
    elif isinstance(data, list) and isinstance(path[-1], int) and path[-1] < len(data):
        del data[path[-1]]


def _texts(value: Any) -> set[str]:
    """Return all names in what is left out: states, transitions and delayed events are not declared in one place."""
    if isinstance(value, dict):
        return set(map(str, value)).union(*map(_texts, value.values()))
    if isinstance(value, list):
        return set().union(*map(_texts, value))
    return {value} if isinstance(value, str) else set()


def _report(document: Document, findings: Findings, detail: Any, path: tuple[str | int, ...]) -> None:
    loc, kind = detail["loc"], detail["type"]
    last = loc[-1] if loc else ""
    span = document.at(path).span
    if kind == "extra_forbidden" and len(loc) > 1 and last in STEPS and loc[-2] in STEPS:
        findings.error(
            "HR101",
            f"a step does one thing, and this one has `{loc[-2]}` and `{last}`",
            document.key(path).span,
            f"write a list of two steps: `{loc[-2]}: …` and `{last}: …`, each after a `-`",
        )
    elif kind == "extra_forbidden":
        help = suggestion(str(last), _keys(loc[:-1]), _list_of(_keys(loc[:-1])))
        if last == "ensures":
            help = "only a `call` ensures something: write it beside one, or claim it under `invariants:`"
        findings.error("HR101", f"unknown key `{last}`", document.key(path).span, help)
    elif kind == "missing":
        where = document.key(path).span if path else document.root.span
        findings.error("HR102", f"`{last}` is missing", where, f"add `{last}: {_example(loc)}`")
    elif last == "[key]":
        findings.error(
            "HR104",
            f"`{loc[-2]}` is not a name",
            document.key(path).span,
            "a name starts with a letter and has letters, digits and single underscores",
        )
    elif kind == "string_pattern_mismatch":
        findings.error(
            "HR104",
            f"`{str(detail['input'])[:60]}` is not a name",
            span,
            "a name starts with a letter and has letters, digits and single underscores",
        )
    elif kind in EXPECTED:
        given = _given(detail["input"])
        findings.error("HR103", f"{EXPECTED[kind]} is expected here, this is {given}", span, _help(loc))
    elif kind == "step":
        given = next(iter(detail["input"]), "") if isinstance(detail["input"], dict) else ""
        findings.error(
            "HR103", detail["msg"], span, suggestion(str(given), STEPS, "write e.g. `{set: {anchor: price}}`")
        )
    elif kind == "backing":
        help = "write one pair, e.g. `{invariant: gross_never_grows}`, or a list of such"
        findings.error("HR103", detail["msg"], span, help)
    elif kind == "expression":
        findings.error("HR103", detail["msg"], span, _help(loc))
    elif kind == "too_short":
        findings.error("HR104", f"at least {detail['ctx']['min_length']} is expected here", span, _help(loc))
    elif kind == "literal_error":
        wanted = detail["ctx"]["expected"].replace("'", "`")
        findings.error(
            "HR104",
            f"{wanted} is expected here",
            span,
            suggestion(str(detail["input"]), wanted.replace("`", "").split(" or "), f"write {wanted}"),
        )
    else:
        message = detail["msg"][:1].lower() + detail["msg"][1:]
        findings.error("HR104", message.replace("'", "`"), span, _help(loc))


EXPECTED = {
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
    "list_type": "a list",
    "string_type": "text",
    "bool_type": "true or false",
    "int_type": "a whole number",
    "tuple_type": "a list",
    "int_from_float": "a whole number",
}
"""What pydantic calls a value of another type -> what is expected instead."""


_TAGS = frozenset(("one", "list", "mapping"))
"""What pydantic writes into a path for the form that a value takes; it names no place in the file."""


def _given(value: object) -> str:
    if value is None:
        return "empty"
    names = {
        dict: "a mapping",
        list: "a list",
        str: "text",
        bool: "true or false",
        int: "a number",
        float: "a number",
    }
    return names.get(type(value), "something else")


def _help(loc: tuple[Any, ...]) -> str:
    while loc and loc[-1] in _TAGS:
        loc = loc[:-1]
    example = _example(loc)
    return f"write e.g. `{example}`" if example != "…" else "see docs/language.md for its shape"


def _options(annotation: Any) -> list[Any]:
    """Return the plain types that an annotation allows."""
    origin = typing.get_origin(annotation)
    if origin is typing.Annotated:
        return _options(typing.get_args(annotation)[0])
    if origin in (typing.Union, types.UnionType):
        return [option for part in typing.get_args(annotation) for option in _options(part)]
    return [annotation]


def _step(annotation: Any, part: str | int) -> list[Any]:
    found: list[Any] = []
    for option in _options(annotation):
        origin, arguments = typing.get_origin(option), typing.get_args(option)
        if isinstance(option, type) and issubclass(option, BaseModel):
            found += [f.annotation for name, f in option.model_fields.items() if part in (name, f.alias)]
        elif origin is dict and isinstance(part, str):
            found.append(arguments[1])
        elif origin is list and isinstance(part, int):
            found.append(arguments[0])
    # A union tag: it names no place in the file.
    return found or [annotation]


def _shapes(loc: tuple[Any, ...]) -> list[type[BaseModel]]:
    reached: list[Any] = [Spec]
    for part in loc:
        reached = [found for annotation in reached for found in _step(annotation, part)]
    shapes = [option for annotation in reached for option in _options(annotation)]
    models = [shape for shape in shapes if isinstance(shape, type) and issubclass(shape, BaseModel)]
    tagged = [shape for shape in models if loc and loc[-1] in {f.alias or n for n, f in shape.model_fields.items()}]
    return tagged or models


def _keys(loc: tuple[Any, ...]) -> list[str]:
    return [field.alias or name for shape in _shapes(loc) for name, field in shape.model_fields.items()]


def _list_of(keys: list[str]) -> str:
    return "the keys here are " + ", ".join(f"`{key}`" for key in keys) if keys else "remove it"


def _example(loc: tuple[Any, ...]) -> str:
    for shape in _shapes(loc[:-1]):
        for name, field in shape.model_fields.items():
            if loc and loc[-1] in (name, field.alias) and field.examples:
                return _yaml(field.examples[0])
    # An entry of a mapping by name: what the example of the mapping holds.
    for shape in _shapes(loc[:-2]) if len(loc) > 1 else ():
        for name, field in shape.model_fields.items():
            if loc[-2] in (name, field.alias) and field.examples and isinstance(field.examples[0], dict):
                return _yaml(next(iter(field.examples[0].values())))
    return "…"


def _yaml(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_yaml(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_yaml, value)) + "]"
    return str(value)
