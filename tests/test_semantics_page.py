"""What docs/semantics.md says of errors, refusals and the start, tried on small specs."""

from __future__ import annotations

from itertools import pairwise

import pytest
from pages import ROOT, fences

from hedgerow.engine.backends.live import Machine
from hedgerow.engine.load import load, loads

BOOK = """
hedgerow: 1
name: book
units: [USD, IDX]
capital: {USD: 1000}
events: {tick: {x: {range: [-10, 10]}}, go: {}}
instruments: {index: {unit: IDX, price: 100 USD / 1 IDX / tick.x}}
legs: {one: {instrument: index, side: long, quantity: 2}, two: {instrument: index, side: long, quantity: 2}}
state: {n: {initial: 0, range: [0, 1]}}
machine:
  initial: open
  fail_safe: halted
  states: {STATES}
"""


def book(states: str) -> Machine:
    return loads(BOOK.replace("{STATES}", states)).compile().machine()


def test_the_example_of_the_page_does_what_the_page_says() -> None:
    (careful,) = (fence.text for fence in fences(ROOT / "docs" / "semantics.md") if fence.language == "yaml")
    machine = loads(careful).compile().machine()
    assert machine.send("tick", 0, x=1.0).fired == ("count",)
    step = machine.send("tick", 1, x=1.0)
    assert step.fired == ("fail_safe",)
    assert step.errors == ("`count`: `count` becomes 2.0, above 1",)
    assert machine.value("count") == 1


def test_an_event_whose_mark_has_no_value_moves_neither_clock_nor_mark() -> None:
    machine = book("{open: {}, halted: {}}")
    machine.send("tick", 5, x=1.0)
    before = machine.snapshot()
    step = machine.send("tick", 9, x=0.0)
    assert step.rejected == "the marks cannot be set: division by zero"
    assert step.raised == ("input.rejected",)
    assert machine.snapshot() == before
    assert machine.send("tick", 7, x=1.0).rejected is None


def test_orders_on_a_way_to_fail_safe_that_fails_are_not_released_later() -> None:
    # Leaving `open` sells both legs and entering `halted` fails; `rest`, which then fires, must not tell those orders.
    machine = book(
        "{open: {exit: {close: [one, two]}, on: {go: {if: 1 / n > 0}}}, "
        "halted: {entry: {set: {n: 2}}, always: {name: rest, if: n == 0, do: {set: {n: 1}}}}}"
    )
    machine.send("tick", 0, x=1.0)
    step = machine.send("go", 1)
    assert step.fired == ("fail_safe", "rest")
    assert step.configuration == ("halted",)
    assert step.orders == ()
    assert machine.value("one.quantity") == 2


def test_a_failing_entry_at_the_start_is_undone_and_told_by_its_state() -> None:
    machine = book("{open: {entry: [{set: {n: 1}}, {set: {n: 1 / (n - 1)}}]}, halted: {}}")
    step = machine.send("tick", 0, x=1.0)
    assert step.errors == ("entering `open`: division by zero",)
    assert step.configuration == ("halted",)
    assert machine.value("n") == 0


@pytest.mark.parametrize("path", sorted((ROOT / "specs").rglob("*.yaml")), ids=lambda path: path.stem)
def test_a_comment_in_a_spec_changes_no_hash(path) -> None:
    permit = ["HR302", "HR401"]
    text = path.read_text("utf-8")
    digests = [
        loads(each, folder=path.parent, permit=permit).compile().digest for each in (text, "# a comment\n\n" + text)
    ]
    assert all(first == second for first, second in pairwise([load(path, permit=permit).compile().digest, *digests]))
