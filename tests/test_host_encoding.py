"""Events as they are journalled: what is written of them, and what is read."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import example, given, settings

from hedgerow.engine.diagnostics import Span
from hedgerow.engine.host.encoding import decoded, encoder
from hedgerow.engine.host.given import Numbered
from hedgerow.engine.ir import Event, Field
from hedgerow.engine.journal import kinds
from hedgerow.engine.journal.canonical import canonical, value_of
from hedgerow.engine.step import Step

QUIET = Step((), ("idle",), ("idle",))
FINITE = st.floats(allow_nan=False, allow_infinity=False)
FIELDS = {
    "Volume": Field("Volume", "real", "", None, None),
    "by": Field("by", "int", "", None, None, ("anna", "bert")),
    "lots": Field("lots", "int", "", None, None),
    "open": Field("open", "bool", "", None, None),
    "price": Field("price", "real", "USD", None, None),
}
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "Volume": FINITE,
    "by": st.sampled_from(("anna", "bert")) | st.text(),
    "lots": st.integers(),
    "open": st.booleans(),
    "price": FINITE,
}
TIMES = st.integers(-(2**63), 2**63 - 1)
COUNTED = st.builds(Numbered, st.text(min_size=1), st.integers(0, 2**63 - 1))


def accepted(*given: object) -> Step:
    """Stand for a machine that takes everything."""
    return QUIET


def written(
    fields: Mapping[str, object],
    time_ns: int,
    received_ns: int,
    id: str | None,
    machine: str = "desk",
    numbered: Numbered | None = None,
) -> bytes:
    # Declared in another order than that of their names, which is that of the text.
    event = Event("tick", tuple(FIELDS[name] for name in reversed(fields)), (), (), Span("", 1, 1, 1, 1))
    made = encoder(machine, event)
    arguments = accepted, time_ns, received_ns, fields
    plain = id is None and numbered is None
    step, payload = made.plain(*arguments) if plain else made.named(*arguments, id, numbered)
    assert step is QUIET
    return payload


@settings(max_examples=200, deadline=None)
@given(st.fixed_dictionaries({}, optional=VALUES), TIMES, TIMES, st.none() | st.text(min_size=1), st.none() | COUNTED)
def test_an_event_is_written_as_canonical_json_has_it(
    fields: Mapping[str, Any], time_ns: int, received_ns: int, id: str | None, numbered: Numbered | None
) -> None:
    entry = kinds.event("tick", fields, time_ns, received_ns, id, machine="desk", numbered=numbered)
    assert written(fields, time_ns, received_ns, id, numbered=numbered) == canonical(entry.payload)


@given(FINITE | st.floats(1e-5, 1e-3) | st.floats(1e14, 1e17) | st.integers(0, 2**53).map(float))
@example(1e-4)
@example(1e15)
@example(5e-324)
@example(-0.0)
def test_a_double_is_written_as_canonical_json_has_it(price: float) -> None:
    assert written({"price": price}, 0, 0, None) == canonical(
        kinds.event("tick", {"price": price}, 0, 0, machine="desk").payload
    )


def test_no_name_is_taken_for_a_place_where_a_value_goes() -> None:
    machine = "100 %b 'it''s' {fields} \"\\\" é"
    entry = kinds.event("tick", {"price": 0.5}, 1, 2, "%d", machine=machine)
    assert written({"price": 0.5}, 1, 2, "%d", machine) == canonical(entry.payload)


def outcome(read: Callable[[bytes], object], payload: bytes) -> str:
    """Return what was read, doubles to the last bit, or that nothing was."""
    try:
        return repr(read(payload))
    except ValueError:
        return "no JSON"


SCALARS = st.none() | st.booleans() | st.integers() | FINITE | st.text(max_size=8)
OBJECTS = st.dictionaries(
    st.text(max_size=8),
    SCALARS | st.lists(SCALARS, max_size=3) | st.dictionaries(st.text(max_size=8), SCALARS, max_size=3),
    max_size=4,
)


@settings(max_examples=100, deadline=None)
@given(OBJECTS)
def test_what_was_written_is_read(body: Mapping[str, object]) -> None:
    payload = canonical(body)
    assert outcome(decoded, payload) == outcome(value_of, payload)
    assert decoded(payload) == body


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"{",
        b"{}",
        b' {"a":1}',
        b'{"a":1} ',
        b'{"a":1}}',
        b'{"a":1}{"b":2}',
        b'{"a":1,}',
        b'{"a":01}',
        b'{"a":1.}',
        b'{"a":-0}',
        b'{"a":-0.0}',
        b'{"a":1e999}',
        b'{"a":NaN}',
        b'{"a":-Infinity}',
        b'{"a":1,"a":2}',
        b'{"a":"\\ud800"}',
        b'{"a":"\\ud83d\\ude00"}',
        b'{"a":"\x01"}',
        b'{"a":"\x7f"}',
        '{"a":"é"}'.encode(),
        b'{"a":18446744073709551616}',
        b'{"a":' + b"1" * 5_000 + b"}",
        b'{"a":' + b"[" * 300 + b"]" * 300 + b"}",
        b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"a":0.1000000000000000055511151231257827021181583404541015625}',
        b'{"a":9007199254740993.0}',
        b"[1]",
        b"5",
    ],
    ids=lambda payload: payload[:24].decode("latin-1"),
)
def test_a_payload_is_read_as_json_reads_it(payload: bytes) -> None:
    assert outcome(decoded, payload) == outcome(value_of, payload)


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=8), OBJECTS, st.data())
def test_a_damaged_payload_is_read_as_json_reads_it(
    scrap: bytes, body: Mapping[str, object], data: st.DataObject
) -> None:
    payload = json.dumps(body).encode("ascii")
    start = data.draw(st.integers(0, len(payload)))
    end = data.draw(st.integers(start, min(len(payload), start + 8)))
    changed = payload[:start] + scrap + payload[end:]
    assert outcome(decoded, changed) == outcome(value_of, changed)
