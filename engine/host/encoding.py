"""An event to a machine and to the canonical JSON that is journalled, by functions that are generated for it.

    def plain(port_, time_, received_, fields_):
        try: a0 = fields_['price']
        except KeyError: return None, b''
        step_ = port_(time_, a0)
        if step_.rejected is not None: return step_, b''
        return step_, f'{{"fields":{{"price":{float_(a0)!r}}},"machine":"desk","name":"tick",...'.encode()

They encode what the machine has accepted, and so write what `canonical` would write of the same values; a test holds the two
together.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from json.encoder import encode_basestring_ascii
from typing import Any, NamedTuple

from ..ir import Event, Field
from ..step import Step

__all__ = ["Encoder", "encoder"]

_AGAIN = """
def again(port_, time_, fields_):
    try: {locals}
    except KeyError: return None
    return port_(time_{values})
"""
_METHOD = """
def {name}(port_, time_, received_, fields_{id}):
    try: {locals}
    except KeyError: return None, b""
    step_ = port_(time_{values})
    if step_.rejected is not None: return step_, b""
    return step_, f'''{text}'''.encode()
"""


class Encoder(NamedTuple):
    """Functions that send an event to a machine; the step is None where a field is missing, and nothing was sent.

    `plain(port, time_ns, received_ns, fields)`, and `named` with its id besides, encode it too: they return the step and
    the payload, which is empty where the machine refused. `again(port, time_ns, fields)` returns the step alone.
    """

    plain: Callable[..., tuple[Step | None, bytes]]
    named: Callable[..., tuple[Step | None, bytes]]
    again: Callable[..., Step | None]


def encoder(machine: str, event: Event | None) -> Encoder:
    """Return what sends and encodes an event of a machine; None is the passing of time."""
    fields = () if event is None else event.fields
    written = {field.name: _written(field, f"a{index}") for index, field in enumerate(fields)}
    members = ",".join(f"{_quoted(name)}:{{{written[name]}}}" for name in sorted(written))
    head = f'"fields":{{{{{members}}}}},' if members else ""
    name = "" if event is None else f'"name":{_quoted(event.name)},'
    rest = f'"machine":{_quoted(machine)},{name}"received_ns":{{received_}},"time_ns":{{time_}}}}}}'
    parts = {
        "locals": "; ".join(f"a{index} = fields_[{field.name!r}]" for index, field in enumerate(fields)) or "pass",
        "values": "".join(f", a{index}" for index in range(len(fields))),
    }
    scope: dict[str, Any] = {"float_": float, "int_": int, "word_": _word, "text_": _text}
    plain = _METHOD.format(name="plain", id="", text=f"{{{{{head}{rest}", **parts)
    named = _METHOD.format(name="named", id=", id_", text=f'{{{{{head}"id":{{text_(id_)}},{rest}', **parts)
    exec(plain + named + _AGAIN.format(**parts), scope)  # noqa: S102  # our own generated code: names of specs and machines only as literals
    return Encoder(scope["plain"], scope["named"], scope["again"])


def _written(field: Field, local: str) -> str:
    if field.people is not None:
        return f"text_({local})"
    if field.type == "bool":
        return f"word_({local})"
    return f"int_({local})" if field.type == "int" else f"float_({local})!r"


def _quoted(name: str) -> str:
    """Return a name as JSON, for the text of an f-string in triple quotes."""
    return json.dumps(name).replace("\\", "\\\\").replace("{", "{{").replace("}", "}}").replace("'", "\\'")


def _word(value: object) -> str:
    return "true" if value else "false"


def _text(value: object) -> str:
    return encode_basestring_ascii(value) if isinstance(value, str) else str(value)
