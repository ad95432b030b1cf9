"""What the machine of a lane takes: the events that a person may bring, and the one that flattens.

It stands in `lane.json`, because the control process has no machine: an act that the machine could only refuse is told
to whom it concerns, and not logged.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any, cast, get_args

from ..diagnostics import reason_of, suggestion
from ..evaluate import FLOAT
from ..intake import Refusal, accept_fields, in_order
from ..ir import Field, Program, Type
from ..printer import digest
from ..record import Record
from .acts import Asked
from .problem import ControlError

__all__ = ["FORMAT", "Takes", "Terms", "check", "make_lane", "read_terms", "terms_of"]

FORMAT = "hedgerow.lane/1"
_NAME = "lane.json"
_MAX_BYTES = 1_000_000


class Takes(Record):
    """An event that a person may bring."""

    name: str
    fields: tuple[Field, ...]


class Terms(Record):
    """What a lane is for.

    Fields:
        machine: the name of the machine, or of the host of several.
        program: the digest of its IR, that of the first machine of a host.
        flatten: the event that winds the machine down; None where it has none.
        events: what may be brought by `override`.
    """

    machine: str
    program: str
    flatten: str | None
    events: tuple[Takes, ...]


def terms_of(*programs: Program, machine: str | None = None, flatten: str | None = None) -> Terms:
    """Return the terms of a lane for a machine, or for all of a host.

    Args:
        programs: at least one; an event of any of them may be brought.
        machine: what messages and the log call it; the name of the first program if it is not given.
        flatten: the event that winds a machine down.

    Raises:
        ControlError: (HR885) no program has an event `flatten`, or it brings fields.
    """
    first = programs[0]
    name = machine or first.name
    events = tuple(dict.fromkeys(Takes(event.name, event.fields) for each in programs for event in each.events))
    if flatten is not None:
        names = list(dict.fromkeys(event.name for event in events if not event.fields))
        if flatten not in names:
            known = "it has " + (", ".join(f"`{name}`" for name in names) or "none: leave `flatten` out")
            message = f"`{name}` has no event `{flatten[:64]}` without fields"
            raise ControlError("HR885", message, "flatten", suggestion(flatten[:64], names, known))
    return Terms(name, digest(first), flatten, events)


def check(terms: Terms, asked: Asked, place: str) -> Asked:
    """Return an act with the event that the machine is to be sent, and who brings it where that is a field.

    Raises:
        ControlError: (HR884) the machine takes no such event, or not like that; (HR885) the lane cannot flatten.
    """
    if asked.act == "flatten":
        if terms.flatten is None:
            help = "use `hedgerow control halt`; `hedgerow control serve LANE --flatten EVENT` names the event for it"
            raise ControlError("HR885", f"`{terms.machine}` has no event that flattens it", place, help)
        return replace(asked, event=terms.flatten)
    if not asked.event:
        return asked
    takers = [event for event in terms.events if event.name == asked.event]
    refusals = []
    # Machines of one host may have events of one name and different fields.
    for event in takers:
        try:
            return replace(asked, fields=_accepted(replace(terms, events=(event,)), asked))
        except Refusal as refusal:
            refusals.append(str(refusal))
    if not takers:
        known = [event.name for event in terms.events]
        otherwise = "the events are " + (", ".join(f"`{name}`" for name in known) or "none")
        help = suggestion(asked.event[:64], known, otherwise)
        raise ControlError("HR884", f"unknown event `{asked.event[:64]}`", place, help)
    message, _, help = refusals[0].partition(": ")
    raise ControlError("HR884", message, place, help or "look at the event in the spec")


def _accepted(terms: Terms, asked: Asked) -> dict[str, Any]:
    """Return the fields of an override, as the machine is sent them that takes the one event of these terms.

    Raises:
        Refusal: it takes no such fields.
    """
    (event,) = terms.events
    fields = dict(asked.fields)
    for field in event.fields:
        # What somebody says, nobody else says for him: an approval of two persons would be one's.
        if field.people is not None and fields.setdefault(field.name, asked.by) != asked.by:
            given = str(fields[field.name])[:64]
            raise Refusal(f"`{field.name}` = {given} is not who acts, `{asked.by}`: leave `{field.name}` out")
    accept_fields(event, in_order(terms, event.name, fields), FLOAT)
    return fields


# ------------------------------------------------------------------------------------------------------------ the file


def make_lane(folder: Path, terms: Terms) -> None:
    """Make a lane in a folder that only its owner can look into, or give the lane there other terms.

    Who reads them meanwhile sees those before, or these; a control process keeps to those that it began with.

    Raises:
        ControlError: (HR880) it cannot be made.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _write(folder, terms)
    except OSError as error:
        message = f"the lane cannot be made: {reason_of(error)}"
        raise ControlError("HR880", message, str(folder), "name a folder that can be written") from None


def _write(folder: Path, terms: Terms) -> None:
    document = {
        "format": FORMAT,
        "machine": terms.machine,
        "program": terms.program,
        "flatten": terms.flatten,
        "events": [{"name": event.name, "fields": [_shown(each) for each in event.fields]} for event in terms.events],
    }
    beside = folder / f"{_NAME}.{os.getpid()}"
    with beside.open("w", encoding="utf-8") as file:
        json.dump(document, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(folder / _NAME)


def read_terms(folder: Path) -> Terms:
    """Return the terms of the lane in a folder.

    Raises:
        ControlError: (HR880) there is none, or none that can be read.
    """
    path = folder / _NAME
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise ValueError
        document = json.loads(path.read_text("utf-8"))
        if document["format"] != FORMAT:
            raise ValueError
        events = tuple(Takes(each["name"], _fields(each["fields"])) for each in document["events"])
        return Terms(document["machine"], document["program"], document["flatten"], events)
    except (FileNotFoundError, NotADirectoryError):
        help = "make one: `hedgerow control serve LANE --spec SPEC`"
        raise ControlError("HR880", "there is no lane here", str(folder), help) from None
    except OSError as error:
        message = f"the lane cannot be read: {reason_of(error)}"
        raise ControlError("HR880", message, str(folder), "look at the rights of its folder") from None
    except (ValueError, KeyError, TypeError, AttributeError, ZeroDivisionError, RecursionError):
        help = "make it anew: `hedgerow control serve LANE --spec SPEC`; its log stays"
        raise ControlError("HR880", f"`{_NAME}` is not that of a lane", str(folder), help) from None


def _shown(field: Field) -> dict[str, Any]:
    low, high = (None if bound is None else str(bound) for bound in (field.low, field.high))
    people = None if field.people is None else list(field.people)
    return {"name": field.name, "type": field.type, "unit": field.unit, "low": low, "high": high, "people": people}


def _fields(documents: Sequence[Mapping[str, Any]]) -> tuple[Field, ...]:
    return tuple(
        Field(
            each["name"],
            _type(each["type"]),
            each["unit"],
            None if each["low"] is None else Fraction(each["low"]),
            None if each["high"] is None else Fraction(each["high"]),
            None if each["people"] is None else tuple(each["people"]),
        )
        for each in documents
    )


def _type(text: str) -> Type:
    if text not in get_args(Type):
        raise ValueError(text)
    return cast(Type, text)
