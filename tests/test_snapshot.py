"""Snapshots: exact as JSON, refused where they do not belong, and nothing is half restored."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hedgerow.engine.backends.live import Machine
from hedgerow.engine.load import Compiled, loads
from hedgerow.engine.snapshot import Snapshot, SnapshotError

TEXT = """\
hedgerow: 1
name: kept
events: {tick: {x: {}}, go: {}}
params: {weight: {default: 2, range: [0, 10]}, odd_first: {type: bool, default: true}}
state:
  last: {initial: 0}
  count: {type: int, initial: 0, range: [0, 9]}
  odd: {type: bool, initial: odd_first}
  begun: {initial: tick.x}
windows: {recent: {of: weight * tick.x, on: tick, length: 3, until_full: partial}}
observe: {tick: {mean: 'ewma(tick.x, decay=0.5, initial=0)', gap: elapsed(tick)}}
machine:
  initial: a
  states:
    a:
      on: {tick: {name: take, do: {set: {last: tick.x, count: 'min(count + 1, 9)', odd: not odd}}}, go: {to: b}}
    b: {on: {go: {to: a}, tick: {to: z}}}
    z: {final: true}
"""


@cache
def compiled() -> Compiled:
    return loads(TEXT).compile()


def started(count: int = 4) -> Machine:
    machine = compiled().machine()
    for index in range(count):
        assert machine.send("tick", index * 10**9, x=index / 3).rejected is None
    return machine


@given(x=st.floats(-1e300, 1e300, allow_subnormal=True), time=st.integers(-(2**63), 2**63 - 1))
def test_every_double_and_every_time_survives_json_to_the_last_bit(x: float, time: int) -> None:
    machine = compiled().machine()
    machine.send("tick", time, x=x)
    text = machine.snapshot().to_json()
    again = Snapshot.from_json(text)
    assert again == machine.snapshot()
    assert again.to_json() == text
    assert again.cells["last"].hex() == x.hex()  # type: ignore[union-attr]  # a real cell
    other = compiled().machine()
    other.restore(text)
    assert other.snapshot().to_json() == text


def test_a_restored_machine_takes_over_exactly_and_the_first_goes_on_alone() -> None:
    first, second = started(), compiled().machine()
    second.restore(first.snapshot())
    assert second.send("tick", 10**10, x=5.0) == first.send("tick", 10**10, x=5.0)
    assert second.snapshot() == first.snapshot()
    first.send("tick", 10**11, x=6.0)
    assert second.value("last") == 5


def test_a_machine_that_has_not_started_and_one_that_has_ended_can_be_restored() -> None:
    fresh, ended = compiled().machine(), started()
    ended.send("go", 10**10)
    ended.send("tick", 10**10, x=1.0)
    assert ended.ended
    machine = started()
    machine.restore(fresh.snapshot().to_json())
    assert (machine.configuration, machine.time_ns) == ((), None)
    machine.restore(ended.snapshot().to_json())
    assert machine.ended
    assert machine.send("go", 10**11).rejected


def test_a_snapshot_does_not_change_when_its_machine_goes_on() -> None:
    machine = started()
    snapshot = machine.snapshot()
    text = snapshot.to_json()
    machine.send("tick", 10**10, x=9.0)
    assert snapshot.to_json() == text


def test_a_comment_and_a_line_break_invalidate_no_snapshot() -> None:
    text = started().snapshot().to_json()
    other = loads("# a comment\n" + TEXT.replace("name: kept\n", "name: kept   # another\n\n")).compile().machine()
    other.restore(text)
    assert other.value("last") == 1


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("min(count + 1, 9)", "min(count + 2, 9)"),
        ("length: 3", "length: 4"),
        ("decay=0.5", "decay=0.25"),
        ("go: {to: b}", "go: {to: z}"),
        ("default: 2", "default: 3"),
    ],
)
def test_a_snapshot_of_another_program_is_refused(old: str, new: str) -> None:
    other = loads(TEXT.replace(old, new)).compile().machine()
    with pytest.raises(SnapshotError, match="another program"):
        other.restore(started().snapshot().to_json())


@pytest.mark.parametrize("parameters", [{"weight": 3}, {"odd_first": False}])
def test_a_snapshot_taken_with_other_parameters_is_refused(parameters: dict[str, Any]) -> None:
    other = loads(TEXT).compile(**parameters).machine()
    with pytest.raises(SnapshotError, match="other parameters"):
        other.restore(started().snapshot())


def test_a_snapshot_of_the_other_fill_mode_is_refused() -> None:
    text = """\
hedgerow: 1
name: book
units: [USD, X]
capital: {USD: 1000}
events: {tick: {price: {unit: USD/X, range: [1, 100]}}}
instruments: {thing: {unit: X, price: tick.price}}
legs: {one: {instrument: thing, side: long, quantity: 1}}
machine: {initial: a, fail_safe: halted, states: {a: {}, halted: {}}}
"""
    same, later = (loads(text).compile(fill=fill).machine() for fill in ("same", "next"))
    with pytest.raises(SnapshotError, match="fill mode"):
        later.restore(same.snapshot())


GARBAGE = ["", "null", "[]", "{}", "1", '"text"', "{", "\x00", "[" * 100_000, '{"format": 1}', '{"format": 2}']


@pytest.mark.parametrize("text", GARBAGE, ids=range(len(GARBAGE)))
def test_a_text_that_is_no_snapshot_is_refused_and_changes_nothing(text: str) -> None:
    machine = started()
    before = machine.snapshot()
    with pytest.raises(SnapshotError):
        machine.restore(text)
    assert machine.snapshot() == before


DAMAGE: list[tuple[str, Any]] = [
    *(
        (key, junk)
        for key in ("format", "program", "parameters", "configuration", "cells", "windows", "ended")
        for junk in (None, "text", 3.5, [[1]], {"x": 1})
    ),
    *(("time_ns", junk) for junk in (None, "5", 1.5, True, 2**63, -(2**63) - 1, [1])),
    *(("configuration", junk) for junk in ([], ["a", "b"], ["c"], [1])),
    *(("windows", {"recent": junk}) for junk in ([1.0] * 4, ["1"], [True], 5, "ab", [float("nan")], [float("inf")])),
    *(("cells", {"last": junk}) for junk in ("1", True, None, 10**400, float("nan"), float("-inf"), [1.0])),
    *(("cells", {"count": junk}) for junk in (1.0, True, "1", 2**63)),
    *(("cells", {"odd": junk}) for junk in (1, 0.0, "true")),
    *(("cells", {"count": junk}) for junk in (-1, 10)),
    ("cells", {"more": 1.0}),
    ("windows", {"more": []}),
]


@pytest.mark.parametrize(("key", "junk"), DAMAGE)
def test_a_damaged_snapshot_is_refused_and_nothing_of_it_is_restored(key: str, junk: Any) -> None:
    body = json.loads(started().snapshot().to_json())
    body[key] = body[key] | junk if key in ("cells", "windows") and isinstance(junk, dict) and "x" not in junk else junk
    machine = started(2)
    before = machine.snapshot().to_json()
    with pytest.raises(SnapshotError):
        machine.restore(json.dumps(body))
    assert machine.snapshot().to_json() == before


@pytest.mark.parametrize(
    "key", ["format", "program", "parameters", "time_ns", "configuration", "cells", "windows", "ended"]
)
def test_a_snapshot_with_a_part_missing_is_refused(key: str) -> None:
    body = json.loads(started().snapshot().to_json())
    del body[key]
    with pytest.raises(SnapshotError):
        started().restore(json.dumps(body))


def test_a_whole_number_where_a_real_belongs_is_taken_as_one() -> None:
    body = json.loads(started().snapshot().to_json())
    body["cells"]["last"], body["windows"]["recent"] = 4, [1, 2]
    machine = started()
    machine.restore(json.dumps(body))
    found = machine.snapshot()
    assert [type(found.cells["last"]), *map(type, found.windows["recent"])] == [float] * 3
    assert (found.cells["last"], found.windows["recent"]) == (4, (1, 2))
