"""Counterexamples: shorter, rounder, still one, and the same when a script of them is played."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hedgerow import Step
from hedgerow.engine.counterexample.replay import by_machine, by_reference, first, replay
from hedgerow.engine.counterexample.script_text import number_text, script_text
from hedgerow.engine.counterexample.sent import Sent
from hedgerow.engine.counterexample.shrink import default_parameters, shrink
from hedgerow.engine.counterexample.table import table_text
from hedgerow.engine.evaluate import EXACT
from hedgerow.engine.ir import Value
from hedgerow.engine.load import loads
from hedgerow.engine.script import parse_script
from hedgerow.engine.semantics import Reference

TEXT = """
hedgerow: 1
name: sums
about: Adds what comes, as long as it was opened by hand.
events:
  add: {x: {range: [0, 100]}}
  open: {}
params:
  most: {default: 10, range: [1, 1000]}
state:
  total: {initial: 0}
machine:
  initial: closed
  states:
    closed: {on: {open: {name: opened, to: adding}}}
    adding: {on: {add: {name: added, do: {set: {total: total + add.x}}}}}
invariants:
  bounded: total <= most
"""
SPEC = loads(TEXT)
SECOND = 10**9


def broken(step: Step) -> bool:
    return "bounded" in step.broken


def reference(exact: bool = False, **parameters: float) -> Reference:
    compiled = SPEC.compile(**parameters)
    if exact:
        return Reference(compiled.program, compiled.parameters, compiled.registry, EXACT)
    return Reference(compiled.program, compiled.parameters, compiled.registry)


LONG = [
    Sent("add", 17, (3.25,)),
    Sent("add", 23, (math.nan,)),
    Sent("open", 61 * SECOND + 5),
    Sent("add", 95 * SECOND, (2.718281828,)),
    Sent("open", 95 * SECOND),
    Sent("add", 7_300 * SECOND + 1, (3.1415926,)),
    Sent("add", 7_300 * SECOND + 1, (1.4142135,)),
    Sent("add", 7_400 * SECOND, (2.2360679,)),
    Sent("add", 7_500 * SECOND, (1.7320508,)),
]


def test_a_list_is_shortened_to_what_breaks_with_round_times_and_values() -> None:
    assert shrink(LONG, by_machine(SPEC.compile()), broken) == (
        Sent("open", 0),
        Sent("add", 0, (3.0,)),
        Sent("add", 0, (3.0,)),
        Sent("add", 0, (1.0,)),
        Sent("add", 0, (2.0,)),
        Sent("add", 0, (2.0,)),
    )


def test_both_ways_to_play_shorten_alike() -> None:
    assert shrink(LONG, by_reference(reference()), broken) == shrink(LONG, by_machine(SPEC.compile()), broken)


def test_exact_values_stay_exact() -> None:
    events = [Sent("open", 0), Sent("add", 1, (Fraction(10),)), Sent("add", 2, (Fraction(1, 3 * 10**30),))]
    play = by_reference(reference(exact=True))
    # A float monitor would not see it; rounding to fewer digits keeps it.
    assert first(events, play, broken) == 2
    assert first(events, by_reference(reference()), broken) is None
    shrunk = shrink(events, play, broken)
    assert shrunk == (Sent("open", 0), Sent("add", 0, (Fraction(10),)), Sent("add", 0, (Fraction(3, 10**31),)))
    assert all(isinstance(value, Fraction) for sent in shrunk for value in sent.values)


def test_a_list_that_breaks_nothing_cannot_be_shortened() -> None:
    with pytest.raises(ValueError, match="no step of these events holds"):
        shrink(LONG[:3], by_machine(SPEC.compile()), broken)


def test_what_was_shortened_when_the_work_ran_out_still_breaks() -> None:
    for work in range(0, 60, 3):
        shrunk = shrink(LONG, by_machine(SPEC.compile()), broken, work)
        assert first(shrunk, by_machine(SPEC.compile()), broken) == len(shrunk) - 1


sent = st.one_of(
    st.just(Sent("open", 0)),
    st.builds(Sent, st.just("add"), st.just(0), st.tuples(st.floats(0, 100, allow_nan=False))),
)


@given(st.lists(sent, max_size=25), st.lists(st.integers(0, 10**13), min_size=25, max_size=25))
def test_without_any_one_event_a_shortened_list_breaks_nothing(events: list[Sent], gaps: list[int]) -> None:
    timed, clock = [], 0
    for each, gap in zip(events, gaps, strict=False):
        clock += gap
        timed.append(each._replace(time_ns=clock))
    play = by_machine(SPEC.compile())
    if first(timed, play, broken) is None:
        return
    shrunk = shrink(timed, play, broken)
    assert len(shrunk) <= len(timed)
    assert first(shrunk, play, broken) == len(shrunk) - 1
    for index in range(len(shrunk)):
        assert first(shrunk[:index] + shrunk[index + 1 :], play, broken) is None


def test_parameters_go_to_their_defaults_where_they_may() -> None:
    asked: list[dict[str, Value]] = []

    def still(values: Mapping[str, Value]) -> bool:
        asked.append(dict(values))
        return values["a"] == 7

    assert default_parameters({"a": 7, "b": 8, "c": 9}, {"a": 1, "b": 2, "c": 9}, still) == {"a": 7, "b": 2, "c": 9}
    assert asked == [{"a": 1, "b": 2, "c": 9}, {"a": 1, "b": 8, "c": 9}, {"a": 7, "b": 2, "c": 9}]
    assert default_parameters({"a": 7, "b": 8}, {"a": 7, "b": 2}, lambda _: True) == {"a": 7, "b": 2}


def played(events: Sequence[Sent], exact: bool = False) -> str:
    return table_text(SPEC.program(), list(replay(reference(exact), events)), ["total"])


def test_a_table_has_a_line_an_event() -> None:
    events = [
        Sent("open", 0),
        Sent("add", 60 * SECOND, (7.5,)),
        Sent("open", 0),
        Sent("add", 120 * SECOND, (7.5,)),
    ]
    assert played(events).split("\n") == [
        "   time  event      fired   states  total",
        "1  0     open       opened  adding  0",
        "2  1m    add x=7.5  added   adding  7.5",
        "3  0     open               adding  7.5    refused: the time 0 is before the last event at 60000000000",
        "4  2m    add x=7.5  added   adding  15     broken: bounded",
    ]


def test_a_table_shows_fractions_as_they_are_and_leaves_out_the_middle_of_many_rows() -> None:
    assert "add x=1/3" in played([Sent("open", 0), Sent("add", 0, (Fraction(1, 3),))], exact=True)
    lines = played([Sent("open", 0), *(Sent("add", n, (0.0,)) for n in range(99))]).split("\n")
    assert len(lines) == 42
    assert lines[21].split() == ["…", "60", "more", "…"]
    assert lines[-1].startswith("100")


@given(st.lists(sent, min_size=1, max_size=6), st.integers(-(2**63), 2**63 - 1))
def test_a_script_has_the_events_to_the_last_bit(events: list[Sent], time: int) -> None:
    timed = [each._replace(time_ns=time) for each in events]
    text = script_text(
        SPEC.program(), timed, about='it says "no": #1', parameters={"most": 1 / 3 + 1}, expect={"broken": "[]"}
    )
    script = parse_script(text, "script.yaml", SPEC)
    assert script.parameters == {"most": 1 / 3 + 1}
    found = [Sent(item.event, item.time_ns, tuple(map(float, item.fields.values()))) for item in script.items]
    assert found == timed
    assert [expectation.key for expectation in script.items[-1].expect] == ["broken"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "true"),
        (7, "7"),
        (0.1, "0.1"),
        (1e-7, "1e-07"),
        (math.nan, ".nan"),
        (-math.inf, "-.inf"),
        (Fraction(5), "5"),
        (Fraction(1, 3), "0.3333333333333333"),
    ],
)
def test_numbers_are_written_as_yaml_reads_them(value: Value, text: str) -> None:
    assert number_text(value) == text
