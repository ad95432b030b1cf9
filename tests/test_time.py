"""Time is the time of events, in whole nanoseconds: timers, `advance` and their snapshots (DESIGN rules 7 and 11)."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from twins import Twins, spec

from hedgerow import SpecError, Step
from hedgerow.engine.load import loads
from hedgerow.engine.semantics import TIMERS
from hedgerow.engine.snapshot import Snapshot

SECOND = 10**9
DAY = 86_400 * SECOND


class Clocked(Twins):
    """Both backends in step, whose time may pass without an event."""

    def advance(self, time_ns: object) -> Step:
        live = self.machine.advance(time_ns)  # type: ignore[arg-type]  # a wrong time is a test
        self.snapshot, expected = self.reference.advance(self.snapshot, time_ns)
        assert live == expected
        assert self.machine.snapshot().to_json() == self.snapshot.to_json()
        return live

    @property
    def next_due(self) -> int | None:
        return self.machine.next_due


def clocked(text: str, fill: str = "same") -> Clocked:
    return Clocked(spec(text).compile(fill=fill))  # type: ignore[arg-type]  # same or next


def machine(states: str, more: str = "", start: str = "a") -> Clocked:
    """Return a machine of some states that has not started; it has the cell `n` and the events `go` and `tick`."""
    return clocked(
        "{hedgerow: 1, name: timed, events: {go: {}, tick: {x: {range: [0, 100]}}, alarm: {}},\n"
        f"state: {{n: {{type: int, initial: 0, range: [0, 1000000]}}}}, {more}\n"
        f"machine: {{initial: {start}, fail_safe: halted, states: {{{states}, halted: {{}}}}}}}}"
    )


# ------------------------------------------------------------------------------------------------------- advance adds up

CLOCKWORK = """
hedgerow: 1
name: clockwork
events: {go: {}, low: {}, high: {}}
state:
  n: {type: int, initial: 0, range: [0, 100000]}
  m: {type: int, initial: 0, range: [0, 100000]}
  age: {unit: s, initial: 0}
machine:
  parallel: true
  states:
    left:
      initial: a
      states:
        a:
          after: {7s: {name: to_b, to: b, do: {raise: low, after: 4s}}}
          every: {2s: {name: beat, do: {set: {n: "min(n * 2 + 1, 90000)"}}}}
        b:
          after: {3s: {name: to_a, to: a}, 0s: {name: at_once, do: {raise: high, after: 1500ms, id: later}}}
    right:
      initial: x
      states:
        x:
          on: {low: {name: heard, to: y, do: {set: {age: since(heard)}}}, high: {name: cancels, do: {cancel: low}}}
          every: {5s: {name: count, do: {set: {m: "min(m + n, 90000)"}}}}
        y: {after: {6s: {name: back, to: x}}}
"""


@settings(max_examples=40)
@given(cuts=st.lists(st.integers(0, 60 * SECOND), max_size=5))
def test_advancing_in_parts_is_advancing_at_once(cuts: list[int]) -> None:
    whole, parts = clocked(CLOCKWORK), clocked(CLOCKWORK)
    whole.advance(0)
    parts.advance(0)
    end = whole.advance(60 * SECOND)
    steps = [parts.advance(cut) for cut in (*sorted(cuts), 60 * SECOND)]
    assert parts.snapshot.to_json() == whole.snapshot.to_json()
    assert sum((step.timers for step in steps), ()) == end.timers
    assert sum((step.fired for step in steps), ()) == end.fired
    assert sum((step.raised for step in steps), ()) == end.raised


def test_timers_are_told_with_their_due_times_in_order() -> None:
    clock = clocked(CLOCKWORK)
    clock.advance(0)
    timers = clock.advance(60 * SECOND).timers
    assert len(timers) > 30
    assert all(first[1] <= second[1] for first, second in pairwise(timers))
    # By hand: `left` is in `a` from 0 to 7 s, in `b` to 10 s, in `a` again to 17 s; `low` is due 4 s after 7 s, but
    # `high`, due 1.5 s after 7 s, cancels it.
    assert [timer for timer in timers if timer[1] <= 12 * SECOND] == [
        ("every.a.1", 2 * SECOND),
        ("every.a.1", 4 * SECOND),
        ("every.x.1", 5 * SECOND),
        ("every.a.1", 6 * SECOND),
        ("after.a.1", 7 * SECOND),
        ("after.b.2", 7 * SECOND),
        ("later", 8_500_000_000),
        ("after.b.1", 10 * SECOND),
        ("every.x.1", 10 * SECOND),
        ("every.a.1", 12 * SECOND),
    ]


def test_an_event_does_after_its_timers_what_it_does_after_an_advance() -> None:
    by_event, by_hand = machine(A_LATE), machine(A_LATE)
    for each in (by_event, by_hand):
        each.advance(0)
    step, way, last = by_event.send("go", DAY), by_hand.advance(DAY), by_hand.send("go", DAY)
    assert step.fired == way.fired + last.fired == ("late", "took")
    assert step.timers == way.timers
    assert by_event.snapshot == by_hand.snapshot


A_LATE = "a: {after: {5s: {name: late, to: b}}}, b: {on: {go: {name: took, to: c}}}, c: {}"


# ------------------------------------------------------------------------------------------------------ when it is due


def test_next_due_is_none_before_the_start_and_where_nothing_is_armed() -> None:
    clock = machine(A_LATE)
    assert clock.next_due is None
    clock.advance(3)
    assert clock.next_due == 3 + 5 * SECOND
    clock.advance(3 + 5 * SECOND)
    assert clock.next_due is None


def test_next_due_is_the_first_of_all_timers() -> None:
    clock = machine(
        "a: {after: {9s: {to: b}, 4s: {}}, every: {5s: {}}, on: {go: {do: {raise: alarm, after: 1s}}}}, b: {}"
    )
    clock.advance(0)
    assert clock.next_due == 4 * SECOND
    clock.send("go", 2 * SECOND)
    assert clock.next_due == 3 * SECOND
    clock.advance(4 * SECOND)
    assert clock.next_due == 5 * SECOND
    clock.advance(8 * SECOND)
    assert clock.next_due == 9 * SECOND


def test_a_machine_that_has_ended_has_nothing_due() -> None:
    clock = machine("a: {on: {go: {to: z, do: {raise: alarm, after: 5s}}}}, z: {final: true}")
    clock.send("go", 1)
    assert clock.snapshot.ended
    assert clock.next_due is None
    assert clock.advance(DAY).timers == ()


@pytest.mark.parametrize(
    ("delay", "nanoseconds"),
    [
        ("1ns", 1),
        ("0.1s", 10**8),
        ("0.1s + 0.2s", 3 * 10**8),
        ("1us", 1000),
        ("365d", 365 * DAY),
        ("1s / 3", 333_333_333),
        ("2s / 3", 666_666_667),
        ("10d + 1ns", 10 * DAY + 1),
    ],
)
def test_a_delay_is_rounded_to_whole_nanoseconds(delay: str, nanoseconds: int) -> None:
    clock = machine(f'a: {{after: {{"{delay}": {{name: late, to: b}}}}}}, b: {{}}')
    clock.advance(7)
    assert clock.next_due == 7 + nanoseconds
    assert clock.advance(7 + nanoseconds - 1).fired == ()
    assert clock.advance(7 + nanoseconds).fired == ("late",)


def test_a_delay_that_no_clock_reaches_never_ends() -> None:
    clock = machine("a: {after: {1000000d * 1000000: {to: b}}}, b: {}")
    clock.advance(0)
    assert clock.next_due is None
    clock.advance(2**63 - 1)
    assert clock.snapshot.configuration == ("a",)


def test_a_timer_that_would_be_due_behind_the_last_time_never_ends() -> None:
    clock = machine(A_LATE)
    clock.advance(2**63 - 10)
    assert clock.next_due is None
    assert clock.advance(2**63 - 1).fired == ()


def test_time_may_begin_before_zero() -> None:
    clock = machine(A_LATE)
    clock.advance(-8 * SECOND)
    assert clock.next_due == -3 * SECOND
    assert clock.advance(-4 * SECOND).fired == ()
    assert clock.send("go", 0).fired == ("late", "took")


@pytest.mark.parametrize("time", [4, 6.0, True, None, "6", 2**63, -(2**63) - 1, float("nan")])
def test_an_advance_to_no_time_is_refused_and_changes_nothing(time: object) -> None:
    clock = machine("a: {after: {9ns: {name: late}}, on: {input.rejected: {name: refused}}}")
    clock.advance(5)
    before = clock.snapshot.to_json()
    step = clock.advance(time)
    assert step.rejected
    assert (step.fired, step.raised, step.timers) == (("refused",), ("input.rejected",), ())
    assert clock.snapshot.to_json() == before


def test_a_time_of_another_whole_number_type_is_taken() -> None:
    clock = machine(A_LATE)
    assert clock.advance(np.int64(3)).rejected is None
    assert type(clock.machine.time_ns) is int


# ------------------------------------------------------------------------------------------------------------ snapshots


@pytest.mark.parametrize("cut", [0, 1, 6 * SECOND, 7 * SECOND, 8 * SECOND, 8_500_000_000, 11 * SECOND, 31 * SECOND])
def test_timers_survive_a_restore_to_the_nanosecond(cut: int) -> None:
    first, second = clocked(CLOCKWORK), clocked(CLOCKWORK)
    first.advance(0)
    first.advance(cut)
    second.restore(Snapshot.from_json(first.snapshot.to_json()))
    assert second.next_due == first.next_due
    assert first.next_due is not None
    for time in (first.next_due - 1, first.next_due, first.next_due + 1, 60 * SECOND):
        assert second.advance(time) == first.advance(time)
    assert second.snapshot == first.snapshot


def test_the_values_of_a_delayed_event_are_in_the_snapshot() -> None:
    took = "[{name: took, if: tick.x == 42}, {name: other}]"
    states = f"a: {{on: {{go: {{do: {{raise: {{tick: {{x: n + 42}}}}, after: 5s}}}}, tick: {took}}}}}"
    first, second = machine(states), machine(states)
    first.send("go", SECOND)
    second.restore(Snapshot.from_json(first.snapshot.to_json()))
    assert second.advance(6 * SECOND).fired == ("took",)


# ------------------------------------------------------------------------------------------------------------ the limit

BEAT = "a: {every: {1s: {if: In(b)}}, on: {error.divergence: {name: diverged, to: b}}}, b: {}"


def test_ten_thousand_timers_may_fire_in_one_event() -> None:
    clock = machine(BEAT)
    clock.advance(0)
    step = clock.advance(10_000 * SECOND)
    assert TIMERS == 10_000 == len(step.timers)
    assert (step.raised, step.errors, clock.next_due) == ((), (), 10_001 * SECOND)


def test_one_timer_more_is_a_divergence() -> None:
    clock = machine(BEAT)
    clock.advance(0)
    step = clock.advance(10_001 * SECOND)
    assert (step.fired, step.raised, len(step.errors)) == (("diverged",), ("error.divergence",), 1)
    assert clock.snapshot.configuration == ("b",)
    assert clock.snapshot.time_ns == 10_001 * SECOND


def test_what_is_due_every_so_often_goes_on_after_a_divergence() -> None:
    clock = machine("a: {every: {1s: {if: In(b)}}, on: {error.divergence: {name: told}}}, b: {}")
    clock.advance(0)
    assert clock.advance(10**6 * SECOND).fired == ("told",)
    assert clock.next_due == (10**6 + 1) * SECOND


# ------------------------------------------------------------------------------------------- money, claims, observations

BOOK = """
hedgerow: 1
name: book
units: [USD, X]
capital: {USD: 1000}
events: {tick: {price: {unit: USD/X, range: [1, 1000]}}}
instruments: {thing: {unit: X, price: tick.price, borrow: 0.01 / 1d}}
legs: {one: {instrument: thing, side: short, quantity: 1}}
machine:
  initial: a
  fail_safe: halted
  states:
    a: {after: {1d: {name: out, to: b, do: {close: one}}}}
    b: {}
    halted: {}
"""


def test_a_timer_trades_at_the_last_mark_and_borrow_is_charged_up_to_it() -> None:
    clock = clocked(BOOK)
    clock.send("tick", 0, price=100.0)
    step = clock.send("tick", 2 * DAY, price=200.0)
    (order,) = step.orders
    assert (order.rule, order.side, order.quantity, order.price) == ("out", "buy", 1, 100)
    # A day of 1 % on 100, and nothing of the second day: the leg was closed before.
    assert clock.value("cash") == 999


@pytest.mark.parametrize("fill", ["same", "next"])
def test_advancing_in_parts_costs_what_advancing_at_once_costs(fill: str) -> None:
    whole, parts = clocked(BOOK, fill), clocked(BOOK, fill)
    for each in (whole, parts):
        each.send("tick", 0, price=100.0)
    whole.advance(3 * DAY)
    for time in (1, DAY // 3, DAY, DAY + 1, 3 * DAY):
        parts.advance(time)
    assert parts.snapshot.to_json() == whole.snapshot.to_json()
    for each in (whole, parts):
        each.send("tick", 3 * DAY, price=120.0)
    assert parts.snapshot.to_json() == whole.snapshot.to_json()


def test_invariants_are_judged_after_each_timer() -> None:
    states = "a: {after: {1s: {do: {set: {n: 1}}}, 2s: {do: {set: {n: 0}}}}}"
    clock = machine(states, "invariants: {zero: n == 0},")
    clock.advance(0)
    assert clock.advance(3 * SECOND).broken == ("zero",)
    assert clock.value("n") == 0
    assert clock.advance(4 * SECOND).broken == ()


def test_an_advance_observes_nothing() -> None:
    clock = machine("a: {}", "observe: {tick: {n: n + 1}},")
    clock.send("tick", 0, x=1.0)
    clock.advance(DAY)
    assert clock.value("n") == 1


def test_a_failing_guard_restrains_the_macrostep_of_its_timer_only() -> None:
    text = BOOK.replace(
        "    a: {after: {1d: {name: out, to: b, do: {close: one}}}}\n",
        "    a:\n"
        "      after:\n"
        "        1d: [{name: broken, if: 1 / (one.quantity / 1 X - 1) > 0}, {name: more, do: {increase: {one: 1}}}]\n"
        "        2d: {name: later, do: {increase: {one: 2}}}\n"
        "      on: {error.execution: {name: caught}}\n",
    )
    clock = clocked(text)
    clock.send("tick", 0, price=100.0)
    step = clock.advance(3 * DAY)
    assert step.fired == ("caught", "caught", "later")
    assert clock.value("one.quantity") == 3


def test_timers_that_never_settle_are_given_up_before_they_cost_hours() -> None:
    text = """
hedgerow: 1
name: restless
events: {go: {}}
machine: {initial: a, states: {a: {every: {1s: {do: {raise: go}}}, on: {go: {do: {raise: go}}}}}}
"""
    machine = loads(text).compile().machine()
    machine.advance(0)
    step = machine.advance(10**15)
    assert len(step.timers) == 10
    assert step.errors[-1] == "timers do not settle"
    assert machine.next_due == 10**15 + 10**9


def test_a_delay_that_the_default_params_do_not_allow_is_told_at_load() -> None:
    text = """
hedgerow: 1
name: undelayed
events: {go: {}}
params: {z: {default: 0, range: [0, 1]}}
machine: {initial: a, states: {a: {on: {go: {to: a}}, after: {1s / z: {to: a}}}}}
"""
    with pytest.raises(SpecError) as caught:
        loads(text)
    assert [(found.code, found.span.line) for found in caught.value.diagnostics] == [("HR304", 5)]
