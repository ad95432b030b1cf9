"""What goes wrong inside an event, and what is undone: transitions, guards, fail_safe (DESIGN rules 8 to 10)."""

from __future__ import annotations

import pytest
from charts import CHART, chart, mark
from twins import Twins, twins

from hedgerow.engine.semantics import MICROSTEPS

# ---------------------------------------------------------------------------------------------------- errors

FAULTS = ["1 / (n - n)", "sqrt(-1 - n * n)", "1e200 * (n + 1) * 1e200"]


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("place", ["exit", "action", "entry"])
def test_a_failing_step_undoes_the_whole_transition_with_what_it_raised(place: str, fault: str) -> None:
    def steps(here: str) -> str:
        fails = f", {{set: {{n: {fault}}}}}" if here == place else ""
        return f"[{mark(1)}, {{raise: {{note: {{digit: 1}}}}}}{fails}]"

    machine = chart(
        f"a: {{exit: {steps('exit')}, on: {{error.execution: {{name: caught}}, note: {{name: heard}}, "
        f"go: [{{name: first, to: b, do: {steps('action')}}}, {{name: lower}}]}}}}, b: {{entry: {steps('entry')}}}"
    )
    step = machine.send("go", 1)
    assert step.fired == ("caught",)
    assert step.raised == ("error.execution",)
    assert len(step.errors) == 1
    assert step.configuration == ("a",)
    assert (machine.value("log"), machine.value("n")) == (0, 0)


def test_microsteps_before_a_failing_one_stand() -> None:
    machine = chart(
        f"a: {{on: {{go: {{name: good, do: [{mark(1)}, {{raise: {{note: {{digit: 0}}}}}}]}}, "
        f"note: {{name: bad, do: {{set: {{log: 1 / note.digit}}}}}}}}}}"
    )
    step = machine.send("go", 1)
    assert step.fired == ("good", "fail_safe")
    assert machine.value("log") == 1


def test_an_event_queued_before_an_error_is_processed_before_it() -> None:
    machine = chart(
        f"a: {{on: {{go: {{do: [{{raise: {{note: {{digit: 0}}}}}}, {{raise: {{note: {{digit: 5}}}}}}]}}, "
        f"note: [{{if: note.digit == 0, do: {{set: {{n: 1 / n}}}}}}, {{name: later, do: {mark(5)}}}]}}}}"
    )
    step = machine.send("go", 1)
    assert step.fired == ("a.go", "later", "fail_safe")
    assert machine.value("log") == 5


def test_a_failing_guard_is_false_and_the_candidates_below_it_are_tried() -> None:
    machine = chart("a: {on: {error.execution: {name: caught}, go: [{name: broken, if: 1 / n > 0}, {name: lower}]}}")
    step = machine.send("go", 1)
    assert step.fired == ("lower", "caught")
    assert step.raised == ("error.execution",)


def test_a_guard_stops_computing_where_its_value_is_settled() -> None:
    machine = chart(
        "a: {on: {go: [{name: one, if: n != 0 and 1 / n > 0}, {name: two, if: not (n == 0 or 1 / n > 0)}, "
        "{name: three, if: (1 / n if n != 0 else 0) > 0}, {name: four, if: 'implies(n != 0, 1 / n > 0)'}]}}"
    )
    step = machine.send("go", 1)
    assert step.fired == ("four",)
    assert step.errors == ()


def test_an_eventless_guard_that_always_fails_is_told_once_an_event() -> None:
    machine = chart("a: {always: {name: broken, if: 1 / n > 0, to: halted}, on: {error.execution: {name: caught}}}")
    step = machine.send("go", 1)
    assert step.raised == ("error.execution",)
    assert step.fired == ("caught",)


BOOK = """
hedgerow: 1
name: book
units: [USD, X]
capital: {USD: 1000}
events: {tick: {x: {range: [0, 100]}}, grow: {}, shrink: {}, flip: {}, loop: {}}
state: {n: {initial: 0}, count: {initial: 0, range: [0, 10000]}}
instruments: {thing: {unit: X, price: 10 USD / 1 X + tick.x * 1 USD / 1 X}}
legs: {one: {instrument: thing, side: both, quantity: -2}}
machine:
  initial: a
  fail_safe: halted
  states:
    a:
      on:
        error.execution: {name: caught}
        grow: [{name: protective, if: 1 / n > 0, to: halted}, {name: buy, do: {target: {one: -3}}}]
        shrink: [{name: watchful, if: 1 / n > 0, to: halted}, {name: sell, do: {target: {one: 1}}}]
        flip: [{name: careful, if: 1 / n > 0, to: halted}, {name: turn, do: {target: {one: 2.5}}}]
        loop: {name: turns, to: b, do: {target: {one: 5}}}
        tick: {name: healed, if: tick.x == 1, do: {set: {n: -1}}}
    b: {always: {name: forth, to: c, do: {target: {one: 6}}}}
    c: {always: {name: back, to: b, do: {set: {count: "min(count + 1, 10000)"}}}, on: {error.divergence: {to: a}}}
    halted: {}
"""


@pytest.fixture
def book() -> Twins:
    machine = twins(BOOK)
    machine.send("tick", 0, x=0.0)
    return machine


@pytest.mark.parametrize("event", ["grow", "flip"])
def test_after_a_failing_guard_no_order_of_that_event_enlarges_a_leg(book: Twins, event: str) -> None:
    step = book.send(event, 1)
    assert step.orders == ()
    assert step.fired == ("caught", "caught")
    assert book.value("one.quantity") == -2


def test_after_a_failing_guard_an_order_may_still_shrink_a_leg(book: Twins) -> None:
    assert book.send("shrink", 1).fired == ("sell", "caught")
    assert book.value("one.quantity") == 1


def test_the_next_event_may_enlarge_a_leg_again(book: Twins) -> None:
    book.send("grow", 1)
    book.send("tick", 2, x=1.0)
    assert book.send("grow", 3).fired == ("buy",)


def test_a_macrostep_that_never_settles_is_undone_whole_with_its_orders(book: Twins) -> None:
    before = book.snapshot.cells
    step = book.send("loop", 1)
    assert step.orders == ()
    assert step.raised[0] == "error.divergence"
    assert step.configuration == ("halted",)
    assert book.snapshot.cells == before
    assert str(MICROSTEPS) in step.errors[0]


def test_divergence_can_be_handled_where_the_event_came() -> None:
    machine = chart(
        "a: {on: {go: {to: b}, error.divergence: {name: caught, to: c}}}, b: {always: {to: d}}, d: {always: {to: b}}, c: {}"
    )
    step = machine.send("go", 1)
    assert step.fired == ("caught",)
    assert step.configuration == ("c",)


def test_where_the_answer_to_divergence_fails_the_machine_goes_to_fail_safe() -> None:
    machine = chart(
        "a: {on: {go: {to: b}, error.divergence: {to: c, do: {set: {n: 1 / n}}}}}, "
        "b: {always: {to: d}}, d: {always: {to: b}}, c: {}"
    )
    assert machine.send("go", 1).configuration == ("halted",)


def test_a_long_macrostep_that_settles_is_no_divergence() -> None:
    machine = chart(
        "a: {on: {go: {do: {set: {n: 1}}}}, always: {name: up, if: n > 0 and n < 900, do: {set: {n: n + 1}}}}"
    )
    step = machine.send("go", 1)
    assert machine.value("n") == 900
    assert step.errors == ()


# ---------------------------------------------------------------------------------------------------- fail_safe


def test_an_error_that_nothing_takes_leads_to_fail_safe_through_its_exits_and_entries() -> None:
    machine = chart(
        f"a: {{exit: {mark(2)}, initial: a1, on: {{go: {{do: {{set: {{n: 1 / n}}}}}}}}, "
        f"states: {{a1: {{exit: {mark(1)}}}}}}}, "
        f"halted: {{entry: {mark(3)}}}"
    )
    step = machine.send("go", 1)
    assert step.fired == ("fail_safe",)
    assert machine.value("log") == 123


def test_an_error_in_fail_safe_stays_there() -> None:
    machine = chart("a: {on: {go: {to: halted}}}, halted: {on: {tick: {do: {set: {n: 1 / n}}}}}")
    machine.send("go", 1)
    step = machine.send("tick", 2, x=1.0)
    assert step.configuration == ("halted",)
    assert step.fired == ()
    assert step.raised == ("error.execution",)


@pytest.mark.parametrize("place", ["exit of a", "entry of halted"])
def test_entering_fail_safe_cannot_fail(place: str) -> None:
    fails = f"[{mark(1)}, {{set: {{n: 1 / n}}}}]"
    left = f"exit: {fails}, " if place == "exit of a" else ""
    entered = f"entry: {fails}" if place == "entry of halted" else ""
    machine = chart(f"a: {{{left}on: {{go: {{do: {{set: {{n: 1 / n}}}}}}}}}}, halted: {{{entered}}}")
    step = machine.send("go", 1)
    assert step.configuration == ("halted",)
    assert machine.value("log") == 0
    assert len(step.errors) == 2


def test_an_error_queued_on_the_way_to_the_end_leads_nowhere() -> None:
    machine = chart(
        "a: {on: {go: [{name: broken, if: 1 / n > 0}, {to: z}]}}, z: {final: true}",
    )
    step = machine.send("go", 1)
    assert step.configuration == ("z",)
    assert machine.snapshot.ended


def test_without_fail_safe_an_error_that_nothing_takes_is_told_and_changes_nothing() -> None:
    text = CHART.replace("fail_safe: halted, ", "").replace("START", "a")
    machine = twins(text.replace("{STATES}", "{a: {on: {go: {do: {set: {n: 1 / n}}}}}}"))
    step = machine.send("go", 0)
    assert step.configuration == ("a",)
    assert len(step.errors) == 1
