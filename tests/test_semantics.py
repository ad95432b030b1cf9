"""What one event does: the order of the statechart, refusals, observation and the start (DESIGN rules 5 to 7 and 12)."""

from __future__ import annotations

import math

import numpy as np
import pytest
from charts import CHART, chart, logged, mark
from twins import twins

from hedgerow import Step

# ---------------------------------------------------------------------------------------------------- the statechart


def test_states_are_left_inner_first_then_the_action_runs_then_states_are_entered_outer_first() -> None:
    machine = chart(
        f"a: {{exit: {mark(2)}, initial: a1, on: {{go: {{to: b, do: {mark(3)}}}}}, states: {{a1: {{exit: {mark(1)}}}}}}},"
        f"b: {{entry: {mark(4)}, initial: b1, states: {{b1: {{entry: {mark(5)}}}}}}}"
    )
    step = machine.send("go", 1)
    assert machine.value("log") == 12345
    assert (step.before, step.configuration) == (("a1",), ("b1",))


def test_the_first_states_are_entered_outer_first() -> None:
    machine = chart(f"a: {{entry: {mark(1)}, initial: a1, states: {{a1: {{entry: {mark(2)}}}}}}}")
    assert machine.value("log") == 12


def test_a_transition_inside_a_state_neither_leaves_nor_enters_it() -> None:
    machine = chart(
        f"a: {{{logged(8)}, initial: a1, states: {{"
        f"a1: {{exit: {mark(1)}, on: {{go: {{to: a2}}}}}}, a2: {{entry: {mark(2)}}}}}}}"
    )
    machine.send("go", 1)
    assert machine.value("log") == 812


def test_a_transition_to_its_own_state_leaves_it_and_enters_its_initial_state() -> None:
    machine = chart(
        f"a: {{{logged(1)}, initial: a1, on: {{go: {{to: a}}}}, states: {{"
        f"a1: {{{logged(3)}, on: {{tick: {{to: a2}}}}}}, a2: {{{logged(5)}}}}}}}"
    )
    machine.send("tick", 1, x=0.0)
    assert machine.send("go", 2).configuration == ("a1",)
    assert machine.value("log") == 1345 * 10**4 + 6213


def test_a_transition_from_a_state_to_one_inside_it_leaves_it_too() -> None:
    machine = chart(
        f"a: {{{logged(1)}, initial: a1, on: {{go: {{to: a2}}}}, states: {{a1: {{{logged(3)}}}, a2: {{{logged(5)}}}}}}}"
    )
    machine.send("go", 1)
    assert machine.value("log") == 134215


def test_a_transition_from_inside_to_its_own_parent_leaves_and_enters_the_parent() -> None:
    machine = chart(f"a: {{{logged(1)}, initial: a1, states: {{a1: {{{logged(3)}, on: {{go: {{to: a}}}}}}}}}}")
    machine.send("go", 1)
    assert machine.value("log") == 134213


def test_a_transition_without_target_leaves_and_enters_nothing() -> None:
    machine = chart(f"a: {{{logged(1)}, initial: a1, on: {{go: {{do: {mark(7)}}}}}, states: {{a1: {{{logged(3)}}}}}}}")
    assert machine.send("go", 1).configuration == ("a1",)
    assert machine.value("log") == 137


def test_the_inner_state_is_asked_before_the_outer_one_and_hides_it() -> None:
    states = "a: {{initial: a1, on: {{go: {{name: outer}}}}, states: {{a1: {{on: {{go: {{name: inner, if: {}}}}}}}}}}}"
    assert chart(states.format("log == 0")).send("go", 1).fired == ("inner",)
    assert chart(states.format("log == 1")).send("go", 1).fired == ("outer",)


def test_of_several_candidates_the_first_in_the_file_whose_guard_holds_fires_alone() -> None:
    machine = chart("a: {on: {tick: [{name: first, if: tick.x > 2}, {name: second, if: tick.x > 1}, {name: last}]}}")
    fired = [machine.send("tick", index, x=float(x)).fired for index, x in enumerate((3, 2, 1))]
    assert fired == [("first",), ("second",), ("last",)]


def test_an_event_that_nothing_takes_changes_the_clock_alone() -> None:
    machine = chart("a: {}")
    before = machine.snapshot
    step = machine.send("go", 7)
    assert (step.fired, step.raised, step.errors, step.rejected) == ((), (), (), None)
    assert machine.snapshot.time_ns == 7
    assert machine.snapshot.cells == before.cells


def test_eventless_transitions_come_before_internal_events_and_those_before_the_event_from_outside() -> None:
    machine = chart(
        "a: {on: {go: [{name: outside, if: n == 0, do: [{raise: {note: {digit: 1}}}, {set: {n: 1}}]}], "
        f"note: {{name: inside, if: n == 2, do: {mark(2)}}}}}, "
        f"always: {{name: eventless, if: n == 1, do: [{mark(1)}, {{set: {{n: 2}}}}]}}}}"
    )
    assert machine.send("go", 1).fired == ("outside", "eventless", "inside")
    assert machine.value("log") == 12


def test_raised_events_are_taken_oldest_first_and_before_those_they_raise() -> None:
    take = "set: {log: 10 * log + note.digit}"
    machine = chart(
        "a: {exit: {raise: {note: {digit: 1}}}, on: {go: {to: b, do: [{raise: {note: {digit: 2}}}, "
        "{raise: {note: {digit: 3}}}]}}}, "
        "b: {entry: {raise: {note: {digit: 4}}}, on: {note: "
        f"[{{if: note.digit == 1, do: [{{{take}}}, {{raise: {{note: {{digit: 5}}}}}}]}}, {{do: {{{take}}}}}]}}}}"
    )
    assert machine.send("go", 1).raised == ("note",) * 5
    assert machine.value("log") == 12345


def test_a_raised_event_is_not_observed_and_sets_no_mark() -> None:
    text = CHART.replace(
        "machine:",
        "units: [USD, X]\ncapital: {USD: 1000}\n"
        "instruments: {thing: {unit: X, price: tick.x * 1 USD / 1 X}}\n"
        "observe: {tick: {n: n + 1}}\nmachine:",
    )
    states = "{a: {on: {go: {do: {raise: {tick: {x: 50}}}}, tick: {name: took, if: tick.x == 50}}}, halted: {}}"
    machine = twins(text.replace("{STATES}", states).replace("START", "a"))
    machine.send("tick", 0, x=20.0)
    assert machine.send("go", 1).fired[-1] == "took"
    assert machine.value("n") == 1
    assert machine.value("thing.price") == 20


def test_a_raised_value_outside_its_range_drops_the_transition() -> None:
    machine = chart("a: {on: {go: {name: shout, do: {raise: {tick: {x: 101}}}}}}")
    step = machine.send("go", 1)
    assert step.raised == ("error.execution",)
    assert step.fired == ("fail_safe",)


@pytest.mark.parametrize("order", ["tick: {to: done}", "go: {to: done}"])
def test_a_final_state_inside_another_raises_its_done_event(order: str) -> None:
    machine = chart(
        f"a: {{initial: a1, on: {{done.state.a: {{name: next, to: b}}}}, states: "
        f"{{a1: {{on: {{{order}}}}}, done: {{final: true}}}}}}, b: {{}}"
    )
    step = machine.send("tick", 1, x=0.0) if order.startswith("tick") else machine.send("go", 1)
    assert step.raised == ("done.state.a",)
    assert step.configuration == ("b",)


def test_a_machine_that_starts_in_a_nested_final_state_raises_its_done_event() -> None:
    machine = chart("a: {initial: done, on: {done.state.a: {to: b}}, states: {done: {final: true}}}, b: {}")
    assert machine.snapshot.configuration == ("b",)


def test_entering_a_state_whose_initial_state_is_final_raises_its_done_event() -> None:
    machine = chart("a: {on: {go: {to: b}}}, b: {initial: done, states: {done: {final: true}}}")
    assert machine.send("go", 1).raised == ("done.state.b",)


def test_a_final_state_of_the_outermost_level_ends_the_machine_and_drops_what_is_queued() -> None:
    machine = chart("a: {on: {go: {name: stop, to: z, do: {raise: {note: {digit: 1}}}}}}, z: {final: true}")
    assert machine.send("go", 1).fired == ("stop",)
    assert machine.snapshot.ended
    at_the_end = machine.snapshot.to_json()
    for step in (machine.send("go", 2), machine.send("go", 0), machine.send("tick", 3, x=math.nan)):
        assert step.rejected is not None
        assert (step.raised, step.fired) == ((), ())
    assert machine.snapshot.to_json() == at_the_end


def test_entry_steps_of_the_last_final_state_still_run() -> None:
    machine = chart(f"a: {{on: {{go: {{to: z}}}}}}, z: {{final: true, entry: {mark(9)}}}")
    machine.send("go", 1)
    assert machine.value("log") == 9


@pytest.mark.parametrize("descriptor", ["error.execution", "error.*", "error", '"*"'])
def test_an_error_is_caught_by_its_name_its_prefix_and_the_star(descriptor: str) -> None:
    machine = chart(f"a: {{on: {{go: {{do: {{set: {{n: 1 / n}}}}}}, {descriptor}: {{name: caught}}}}}}")
    assert machine.send("go", 1).fired == ("caught",)
    assert machine.snapshot.configuration == ("a",)


def test_a_descriptor_matches_by_whole_words() -> None:
    text = CHART.replace("events: {", "events: {gone: {}, ").replace("START", "a")
    machine = twins(text.replace("{STATES}", "{a: {on: {go: {name: went}}}, halted: {}}"))
    assert machine.send("gone", 0).fired == ()
    assert machine.send("go", 1).fired == ("went",)


def test_the_star_takes_every_event_that_nothing_above_it_takes() -> None:
    machine = chart('a: {on: {go: {name: known}, "*": {name: any}}}')
    assert machine.send("go", 1).fired == ("known",)
    assert machine.send("tick", 2, x=1.0).fired == ("any",)
    assert machine.send("tick", 3, x=math.inf).fired == ("any",)  # input.rejected


def test_values_of_one_set_are_from_before_it_and_steps_see_each_other() -> None:
    machine = chart("a: {on: {go: {do: [{set: {n: 3}}, {set: {n: log + 1, log: n}}]}}}")
    machine.send("go", 1)
    assert (machine.value("n"), machine.value("log")) == (1, 3)


def test_a_let_step_is_computed_once_and_a_let_of_the_file_wherever_it_stands() -> None:
    text = CHART.replace("machine:", "let: {twice: 2 * n}\nmachine:").replace("START", "a")
    states = (
        "{a: {on: {go: {do: [{let: {kept: twice}}, {set: {n: 5}}, {set: {log: 100 * kept + twice}}]}}}, halted: {}}"
    )
    machine = twins(text.replace("{STATES}", states))
    machine.send("go", 0)
    assert machine.value("log") == 10


def test_in_tells_the_state_that_an_entry_step_is_in_and_an_exit_step_was_in() -> None:
    seen = "{{set: {{log: 10 * log + (1 if In(a) else 0) + (2 if In(b) else 0)}}}}"
    machine = chart(
        f"a: {{exit: {seen.format()}, on: {{go: {{to: b1}}}}}}, "
        f"b: {{entry: {seen.format()}, initial: b1, states: {{b1: {{}}}}}}"
    )
    machine.send("go", 1)
    assert machine.value("log") == 12


# ---------------------------------------------------------------------------------------------------- bad input

BAD_INPUT = [
    ("tick", 6, {"x": math.nan}),
    ("tick", 6, {"x": math.inf}),
    ("tick", 6, {"x": 100.5}),
    ("tick", 6, {"x": "1"}),
    ("tick", 6, {"x": None}),
    ("tick", 6, {"x": True}),
    ("tick", 6, {"x": 10**400}),
    ("tick", 6, {}),
    ("tick", 6, {"x": 1.0, "y": 2.0}),
    ("tock", 6, {}),
    ("tick", 4, {"x": 1.0}),
    ("tick", 6.0, {"x": 1.0}),
    ("tick", True, {"x": 1.0}),
    ("tick", None, {"x": 1.0}),
    ("tick", 2**63, {"x": 1.0}),
]


@pytest.mark.parametrize(("event", "time", "fields"), BAD_INPUT)
def test_bad_input_moves_no_clock_and_no_value_and_raises_input_rejected(
    event: str, time: object, fields: dict[str, object]
) -> None:
    machine = chart("a: {on: {tick: {name: took}}}")
    machine.send("tick", 5, x=1.0)
    before = machine.snapshot.to_json()
    step = machine.send(event, time, **fields)
    assert step.rejected
    assert (step.raised, step.fired, step.errors) == (("input.rejected",), (), ())
    assert machine.snapshot.to_json() == before
    assert machine.send("tick", 5, x=1.0).fired == ("took",)


@pytest.mark.parametrize(("event", "time", "fields"), [bad for bad in BAD_INPUT if bad[1] != 4])
def test_bad_input_does_not_start_a_machine(event: str, time: object, fields: dict[str, object]) -> None:
    machine = twins(CHART.replace("{STATES}", "{a: {}, halted: {}}").replace("START", "a"))
    step = machine.send(event, time, **fields)
    assert step.rejected
    assert step == Step((), (), (), rejected=step.rejected)
    assert machine.snapshot.configuration == ()
    assert machine.snapshot.time_ns is None


@pytest.mark.parametrize("x", [np.float64(2), np.float32(2), np.int64(2), 2])
def test_a_number_of_another_kind_becomes_a_plain_double(x: object) -> None:
    machine = chart("a: {on: {tick: {do: {set: {n: tick.x}}}}}")
    machine.send("tick", np.int64(5), x=x)
    assert [type(machine.machine.value("n")), type(machine.machine.time_ns)] == [float, int]
    assert machine.value("n") == 2


def test_bad_input_can_be_counted_and_trip_a_breaker() -> None:
    machine = chart("a: {on: {input.rejected: {do: {set: {n: n + 1}}}}, always: {name: trip, if: n >= 3, to: halted}}")
    fired = [machine.send("tick", 1, x=bad).fired for bad in (math.nan, 1.0, "1", 1e9)]
    assert [bool(each) for each in fired] == [True, False, True, True]
    assert fired[-1][-1] == "trip"
    assert machine.snapshot.time_ns == 1


# ---------------------------------------------------------------------------------------------------- observation

OBSERVED = """
hedgerow: 1
name: observed
events: {tick: {x: {}}, go: {}}
state: {count: {initial: 0}, inverse: {initial: 0}, log: {initial: 0}}
observe: {tick: {count: count + 1, inverse: 1 / tick.x}}
machine:
  initial: a
  fail_safe: halted
  states:
    a:
      on:
        tick: {name: took, do: {set: {log: count}}}
        error.execution: {name: caught, if: log < 100, do: {set: {log: 10 * log + count}}}
      always: {name: loop, if: log > 0 and log < 4, do: {set: {log: log + 1}}}
    halted: {}
"""


def test_an_event_is_observed_once_however_many_transitions_it_fires_and_before_any_guard() -> None:
    machine = twins(OBSERVED)
    assert machine.send("tick", 0, x=2.0).fired == ("took", "loop", "loop", "loop")
    assert (machine.value("count"), machine.value("inverse")) == (1, 0.5)


def test_a_failing_observation_commits_nothing_and_only_the_error_is_processed() -> None:
    machine = twins(OBSERVED)
    machine.send("tick", 0, x=2.0)
    step = machine.send("tick", 9, x=0.0)
    assert step.raised == ("error.execution",)
    assert step.fired == ("caught",)
    assert (machine.value("count"), machine.value("inverse")) == (1, 0.5)
    assert machine.snapshot.time_ns == 9


def test_an_observation_outlives_the_transition_that_fails_on_it() -> None:
    machine = twins(OBSERVED.replace("do: {set: {log: count}}", "do: {set: {log: 1 / (count - 1)}}"))
    machine.send("tick", 0, x=2.0)
    assert machine.value("count") == 1


# ---------------------------------------------------------------------------------------------------- the start

START = """
hedgerow: 1
name: start
units: [USD, X]
capital: {USD: 1000}
events: {tick: {price: {unit: USD/X, range: [1, 100]}}, go: {}}
state: {anchor: {unit: USD/X, initial: 2 * tick.price}, seen: {unit: USD/X, initial: 0}, here: {initial: 0}}
instruments: {thing: {unit: X, price: tick.price, fee: 0.01}}
legs: {one: {instrument: thing, side: long, quantity: 100 USD / tick.price}}
observe:
  tick:
    last: previous(tick.price)
    gap:  elapsed(tick)
    mean: ewma(tick.price / (1 USD / 1 X), decay=0.5, initial=8)
machine:
  initial: a
  fail_safe: halted
  states:
    a: {entry: {set: {seen: last, anchor: anchor + last}}, on: {tick: {name: took, do: {set: {here: here + 1}}}, go: {}}}
    halted: {}
invariants: {kept: anchor == before.anchor, here_stays: here == before.here}
"""


def test_a_machine_whose_values_read_an_event_refuses_others_until_it_comes() -> None:
    machine = twins(START)
    step = machine.send("go", 5)
    assert step.rejected
    assert step.raised == ()
    assert machine.send("tick", 1, price=4.0).fired == ("took",)  # no clock ran before


def test_the_first_event_sets_marks_and_values_runs_the_entries_and_is_then_an_ordinary_event() -> None:
    machine = twins(START)
    step = machine.send("tick", 7, price=4.0)
    assert (step.before, step.configuration, step.fired) == ((), ("a",), ("took",))
    cells = machine.snapshot.cells
    assert (cells["last"], cells["gap"], cells["mean"]) == (4, 0, 6)
    assert (cells["seen"], cells["anchor"]) == (4, 12)
    assert (cells["one.quantity"], cells["cash"], cells["fees"]) == (25, 900, 0)
    # `before` is the machine after the initial entries: they moved the anchor, and the transition moved `here`.
    assert step.broken == ("here_stays",)


def test_a_first_event_that_cannot_open_the_books_is_refused_and_another_may() -> None:
    machine = twins(START.replace("quantity: 100 USD / tick.price", "quantity: 100 USD / (tick.price - 4 USD / 1 X)"))
    assert machine.send("tick", 7, price=4.0).rejected
    assert machine.send("tick", 8, price=2.0).rejected  # a long leg of −50
    assert machine.snapshot.configuration == ()
    assert machine.send("tick", 3, price=5.0).rejected is None


# ---------------------------------------------------------------------------------------------------- invariants


def test_an_invariant_is_judged_when_all_is_done_against_the_values_before_and_without_value_it_is_broken() -> None:
    text = CHART.replace(
        "machine:",
        "invariants: {grows: n >= before.n, settled: n != 1, known: 1 / n > -10, was_a: was(a), moved: changed(n)}\n"
        "machine:",
    ).replace("START", "a")
    states = (
        "{a: {on: {tick: {do: {set: {n: tick.x}}}, go: {to: b}}, "
        "always: {if: n == 1, do: {set: {n: 2}}}}, b: {}, halted: {}}"
    )
    machine = twins(text.replace("{STATES}", states))
    assert machine.send("tick", 0, x=1.0).broken == ()
    assert machine.send("tick", 1, x=0.0).broken == ("grows", "known")
    assert machine.send("go", 2).broken == ("known", "moved")
    assert machine.send("tick", 3, x=math.nan).broken == ("known", "was_a", "moved")
