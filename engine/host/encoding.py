"""An event to a machine and to the canonical JSON that is journalled, by functions that are generated for it; and back.

    def plain(port_, time_, received_, fields_):
        try: a0 = fields_['price']
        except KeyError: return None, b''
        step_ = port_(time_, a0)
        if step_.rejected is not None: return step_, b''
        return step_, b'{"fields":{"price":%b},"machine":"desk","name":"tick",...' % (double_(float_(a0)), ...)

They encode what the machine has accepted, and so write what `canonical` would write of the same values; a test holds the two
together.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from json.encoder import encode_basestring_ascii
from typing import Any, NamedTuple

from pydantic_core import from_json, to_json

from ..ir import Event, Field
from ..journal.canonical import value_of
from ..step import Step
from .given import Numbered

__all__ = ["Encoder", "decoded", "encoder"]

_AGAIN = """
def again(port_, time_, fields_):
    try: {locals}
    except KeyError: return None
    return port_(time_{values})
"""
_METHOD = """
def {name}(port_, time_, received_, fields_{more}):
    try: {locals}
    except KeyError: return None, b""
    step_ = port_(time_{values})
    if step_.rejected is not None: return step_, b""
    return step_, {text!r} % ({written})
"""


class Encoder(NamedTuple):
    """Functions that send an event to a machine; the step is None where a field is missing, and nothing was sent.

    `plain(port, time_ns, received_ns, fields)`, and `named` with its id and its `Numbered` or None besides, encode it too:
    they return the step and the payload, which is empty where the machine refused. `again(port, time_ns, fields)` returns
    the step alone.
    """

    plain: Callable[..., tuple[Step | None, bytes]]
    named: Callable[..., tuple[Step | None, bytes]]
    again: Callable[..., Step | None]


def encoder(machine: str, event: Event | None) -> Encoder:
    """Return what sends and encodes an event of a machine; None is the passing of time."""
    fields = () if event is None else event.fields
    parts = {
        "locals": "; ".join(f"a{index} = fields_[{field.name!r}]" for index, field in enumerate(fields)) or "pass",
        "values": "".join(f", a{index}" for index in range(len(fields))),
    }
    written = sorted((field.name, *_written(field, f"a{index}")) for index, field in enumerate(fields))
    members = ",".join(f"{_quoted(name)}:{place}" for name, place, _ in written)
    head = f'"fields":{{{members}}},' if members else ""
    name = "" if event is None else f'"name":{_quoted(event.name)},'
    whose = f'"machine":{_quoted(machine)},{name}"received_ns":%d,'
    values = "".join(f"{each}, " for _, _, each in written)

    def method(name: str, more: str, text: str, said: str) -> str:
        whole = f'{{{head}{text}"time_ns":%d}}'.encode("ascii")
        return _METHOD.format(name=name, more=more, text=whole, written=f"{values}{said}, time_", **parts)

    plain = method("plain", "", whose, "received_")
    named = method("named", ", id_, numbered_", f"%b{whose}%b", "named_(id_), received_, counted_(numbered_)")
    scope: dict[str, Any] = {"float_": float, "int_": int, "double_": _double, "word_": _word, "text_": _text}
    scope |= {"named_": _named, "counted_": _counted}
    exec(plain + named + _AGAIN.format(**parts), scope)  # noqa: S102  # our own generated code: names of specs and machines only as literals
    return Encoder(scope["plain"], scope["named"], scope["again"])


def decoded(payload: bytes) -> Any:
    """Return what `value_of` does, for a payload like those that are written here in half of its time."""
    # Pydantic's reader has got texts with escapes wrong in some versions, and takes white space around a value.
    if payload[:1] == b"{" and payload[-1:] == b"}" and payload.isascii() and b"\\" not in payload:
        try:
            return from_json(payload, allow_inf_nan=False)
        except ValueError:
            # It is no JSON, or nested deeper than this reader goes.
            pass
    return value_of(payload)


def _written(field: Field, local: str) -> tuple[str, str]:
    """Return what stands for a field in the text, and the value that is put there."""
    if field.people is not None:
        return "%b", f"text_({local})"
    if field.type == "bool":
        return "%b", f"word_({local})"
    return ("%d", f"int_({local})") if field.type == "int" else ("%b", f"double_(float_({local}))")


def _quoted(name: str) -> str:
    """Return a name as JSON, for a text that values are put into."""
    return json.dumps(name).replace("%", "%%")


def _double(value: float) -> bytes:
    """Return a finite double as `repr` writes it, in a third of its time where neither writes an exponent."""
    return to_json(value) if 1e-4 <= value < 1e15 else repr(value).encode("ascii")


def _named(id: str | None) -> bytes:
    return b"" if id is None else b'"id":%b,' % _text(id)


def _counted(numbered: Numbered | None) -> bytes:
    return b"" if numbered is None else b'"sequence":%d,"source":%b,' % (numbered.sequence, _text(numbered.source))


def _word(value: object) -> bytes:
    return b"true" if value else b"false"


def _text(value: object) -> bytes:
    return (encode_basestring_ascii(value) if isinstance(value, str) else str(value)).encode("ascii")
