"""What the generated code does by itself, and that it does what the reference does: charts with one and several registers.

An event that the generated code hands to the reference is seen in `deferred`; the event that starts a machine always is.
"""

from __future__ import annotations

import random

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from twins import Twins, twins

from hedgerow import Step
from hedgerow.engine.backends import live
from hedgerow.engine.backends.live import Machine
from hedgerow.engine.load import loads
from hedgerow.engine.semantics import Reference

HEAD = """hedgerow: 1
name: chart
events: {begin: {}, go: {}, stop: {}, tick: {x: {range: [-100, 100]}}}
params: {wait: {default: 3, unit: s, range: [0s, 9s]}}
state: {log: {initial: 0}, left: {initial: 0}, right: {initial: 0}, n: {type: int, range: [0, 2], initial: 0}}
"""


@pytest.fixture
def deferred(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The events that were left to the reference."""
    events: list[str] = []
    original = Machine._defer

    def counting(self: Machine, event: str, *rest: object) -> object:
        events.append(event)
        return original(self, event, *rest)  # type: ignore[arg-type]  # handed on as it came

    monkeypatch.setattr(Machine, "_defer", counting)
    return events


def started(machine: str, rest: str = "") -> Twins:
    """Return both backends of a chart after its first event, which nothing takes."""
    made = twins(f"{HEAD}{rest}machine: {machine}\n")
    made.send("begin", 0)
    return made


def mark(digit: int) -> str:
    """Return a step that adds a digit to `log`, so that its digits tell what ran in which order."""
    return f"{{set: {{log: 10 * log + {digit}}}}}"


# --- one register ---


def test_exits_and_entries_run_inner_first_and_outer_first(deferred: list[str]) -> None:
    machine = started(f"""
  initial: a
  states:
    a:
      initial: {{to: b, do: {mark(9)}}}
      exit: {mark(2)}
      states: {{b: {{exit: {mark(1)}, on: {{go: {{name: over, to: d, do: {mark(3)}}}}}}}}}
    c:
      initial: d
      entry: {mark(4)}
      states: {{d: {{entry: {mark(5)}}}}}
""")
    assert machine.send("go", 1).configuration == ("d",)
    assert machine.value("log") == 912345
    assert deferred == ["begin"]


def test_an_initial_transition_acts_after_the_entry_of_its_state(deferred: list[str]) -> None:
    machine = started(f"""
  initial: a
  states:
    a: {{on: {{go: {{to: b}}, stop: {{to: d}}}}}}
    b:
      initial: {{to: c, do: {mark(2)}}}
      entry: {mark(1)}
      on: {{go: {{to: a}}, stop: {{to: d}}}}
      states: {{c: {{entry: {mark(3)}}}, d: {{entry: {mark(4)}}}}}
""")
    machine.send("go", 1)
    assert machine.value("log") == 123
    machine.send("go", 2)
    machine.send("stop", 3)  # names a child: the initial transition is not taken
    assert machine.value("log") == 12314
    assert deferred == ["begin"]


def test_an_internal_transition_does_not_leave_its_source(deferred: list[str]) -> None:
    machine = started(f"""
  initial: a
  states:
    a:
      initial: b
      exit: {mark(9)}
      entry: {mark(1)}
      on: {{go: {{to: c, internal: true, do: {mark(3)}}}, stop: {{to: c, do: {mark(4)}}}}}
      states: {{b: {{exit: {mark(2)}}}, c: {{}}}}
""")
    machine.send("go", 1)
    assert machine.value("log") == 123
    machine.send("stop", 2)
    assert machine.value("log") == 123941
    assert deferred == ["begin"]


def test_a_block_sees_the_states_that_are_active_at_that_moment(deferred: list[str]) -> None:
    seen = "{set: {log: '10 * log + (1 if In(a) else 0) + (2 if In(b) else 0) + (4 if In(c) else 0)'}}"
    machine = started(f"""
  initial: b
  states:
    a: {{initial: b, exit: {seen}, states: {{b: {{exit: {seen}, on: {{go: {{to: c, do: {seen}}}}}}}}}}}
    c: {{initial: d, entry: {seen}, states: {{d: {{entry: {seen}}}}}}}
""")
    machine.send("go", 1)
    # b and a; a alone; none; c; c.
    assert machine.value("log") == 31044
    assert deferred == ["begin"]


def test_an_event_that_nothing_in_a_leaf_takes_leaves_it_where_it_is(deferred: list[str]) -> None:
    states = ", ".join(f"s{index}: {{on: {{go: {{to: s{index + 1}}}}}}}" for index in range(5))
    machine = started(f"{{initial: s0, states: {{{states}, s5: {{}}}}}}", "invariants: {low: not In(s3)}\n")
    for time in range(1, 6):
        machine.send("go", time)
        step = machine.send("stop", time)
        assert (step.before, step.configuration) == ((f"s{time}",), (f"s{time}",))
        assert step.broken == (("low",) if time == 3 else ())
    assert deferred == ["begin"]


def test_a_chart_whose_outer_transitions_hold_in_many_states_is_not_repeated_in_each() -> None:
    def size(states: int) -> int:
        inner = ", ".join(f"s{i}: {{on: {{go: {{to: s{(i + 1) % states}}}}}}}" for i in range(states))
        outer = ", ".join(f"{{if: tick.x > {i}, to: s{i}, do: {mark(i % 9)}}}" for i in range(states))
        text = f"{HEAD}machine: {{initial: a, states: {{a: {{initial: s0, on: {{tick: [{outer}]}}, states: {{{inner}}}}}}}}}"
        return len(loads(text).live_source("same").text)

    assert size(80) < 2.5 * size(40)


def crowd(states: int) -> Twins:
    """Return a started chart of states with exit steps, and as many transitions around all of them."""
    inner = ", ".join(f"s{i}: {{exit: {mark(i % 7)}, on: {{go: {{to: s{(i + 1) % states}}}}}}}" for i in range(states))
    outer = ", ".join(f"{{if: tick.x == {i} and In(s{i % 5}), to: s{i}, do: {mark(8)}}}" for i in range(states))
    return started(
        f"{{initial: a, states: {{a: {{initial: s0, on: {{tick: [{outer}]}}, states: {{{inner}}}}}}}}}",
        "invariants: {not_three: 'implies(was(s2), not In(s3))'}\n",
    )


def test_a_chart_too_large_for_a_tree_of_branches_does_the_same(deferred: list[str]) -> None:
    machine = crowd(15)
    assert machine.machine._source.quiet  # or else it is a tree of branches
    assert machine.send("tick", 1, x=0).configuration == ("s0",)
    assert machine.value("log") == 8
    assert machine.send("tick", 2, x=1).fired == ()
    machine.send("go", 3)
    assert machine.send("tick", 4, x=1).configuration == ("s1",)
    machine.send("go", 5)
    assert machine.send("go", 6).broken == ("not_three",)
    assert machine.value("log") == 801812  # s0 by tick, s0 by go, s1 by tick, s1 and s2 by go
    assert deferred == ["begin"]


def test_a_transition_around_very_many_states_with_exit_steps_is_the_references(deferred: list[str]) -> None:
    machine = crowd(40)
    assert machine.send("tick", 1, x=0).configuration == ("s0",)
    assert deferred == ["begin"]
    assert machine.send("tick", 2, x=30).configuration == ("s30",)
    assert machine.value("log") == 8 * 100 + 8
    assert deferred == ["begin", "tick"]


# --- several registers ---

CELLS = ("p_left", "p_did", "p_came", "q_left", "q_did", "q_came")


def note(cell: str) -> str:
    """Return a step that gives a cell the next number, so that the cells tell what ran in which order."""
    last = "0"
    for each in CELLS:
        last = f"max({last}, {each})"
    return f"{{set: {{{cell}: '{last} + 1'}}}}"


BOTH = f"""
  parallel: true
  states:
    p:
      initial: a
      states:
        a: {{exit: {note("p_left")}, on: {{go: {{name: up, to: b, do: {note("p_did")}}}}}}}
        b: {{entry: {note("p_came")}, on: {{go: {{name: down, to: a}}}}}}
    q:
      initial: c
      states:
        c: {{exit: {note("q_left")}, on: {{go: {{name: over, to: d, do: {note("q_did")}}}}}}}
        d: {{entry: {note("q_came")}, on: {{stop: {{name: back, to: c}}}}}}
state: {{{", ".join(f"{cell}: {{initial: 0}}" for cell in CELLS)}}}
"""


def both(rest: str = "") -> Twins:
    """Return a started chart of two regions."""
    made = twins(f"{HEAD.split('state:')[0]}machine: {BOTH}{rest}")
    made.send("begin", 0)
    return made


def test_two_regions_exit_in_reverse_order_then_act_then_enter(deferred: list[str]) -> None:
    machine = both()
    step = machine.send("go", 1)
    assert (step.fired, step.before, step.configuration) == (("up", "over"), ("a", "c"), ("b", "d"))
    order = ["q_left", "p_left", "p_did", "q_did", "p_came", "q_came"]
    assert [machine.value(cell) for cell in order] == [1, 2, 3, 4, 5, 6]
    assert deferred == ["begin"]


def test_a_region_fires_beside_one_that_does_not(deferred: list[str]) -> None:
    machine = both()
    machine.send("go", 1)
    assert machine.send("go", 2).fired == ("down",)
    assert machine.send("stop", 3).fired == ("back",)
    assert machine.send("stop", 4).fired == ()
    assert machine.send("tick", 5, x=1).configuration == ("a", "c")
    assert deferred == ["begin"]


def test_a_guard_in_one_region_reads_the_state_before_the_other_one_fires(deferred: list[str]) -> None:
    machine = started("""
  parallel: true
  states:
    p: {initial: a, states: {a: {on: {go: {name: up, to: b, do: {set: {left: 1}}}}}, b: {}}}
    q: {initial: c, states: {c: {on: {go: {name: over, if: In(a) and left == 0, to: d}}}, d: {}}}
""")
    assert machine.send("go", 1).fired == ("up", "over")
    assert machine.send("go", 2).fired == ()
    assert deferred == ["begin"]


def test_a_step_reads_what_the_region_before_it_wrote(deferred: list[str]) -> None:
    machine = started("""
  parallel: true
  states:
    p: {on: {go: {do: {set: {left: left + 1}}}}}
    q: {on: {go: {do: {set: {right: 10 * left}}}}}
""")
    machine.send("go", 1)
    machine.send("go", 2)
    assert (machine.value("left"), machine.value("right")) == (2, 20)
    assert deferred == ["begin"]


def test_a_step_computes_again_what_another_region_has_changed_since(deferred: list[str]) -> None:
    value = "(right + 1) * (right + 2)"
    machine = started(f"""
  parallel: true
  states:
    p:
      initial: a
      states:
        a: {{on: {{go: {{name: up, if: {value} > 1, to: b, do: {{set: {{left: {value}}}}}}}}}}}
        b: {{entry: {{set: {{log: {value}}}}}}}
    q:
      initial: c
      states:
        c: {{exit: {{set: {{right: 1}}}}, on: {{go: {{name: over, to: d, do: {{set: {{right: 3}}}}}}}}}}
        d: {{}}
""")
    machine.send("go", 1)
    assert (machine.value("left"), machine.value("log")) == (6, 20)
    assert deferred == ["begin"]


def test_cells_that_every_region_knows_are_swapped_at_once(deferred: list[str]) -> None:
    machine = started("""
  parallel: true
  states:
    p: {on: {go: {do: {set: {left: right, right: left}}}, tick: {do: {set: {left: tick.x}}}}}
    q: {on: {go: {do: {set: {log: left - right}}}}}
""")
    machine.send("tick", 1, x=3)
    machine.send("go", 2)
    assert [machine.value(cell) for cell in ("left", "right", "log")] == [0, 3, -3]
    assert deferred == ["begin"]


NESTED = f"""
  initial: p
  states:
    p:
      parallel: true
      on:
        go: {{name: outer, do: {mark(7)}}}
        stop: {{name: leave, if: log > 0, to: done}}
      states:
        q: {{initial: a, states: {{a: {{on: {{go: {{name: up, to: b}}}}}}, b: {{}}}}}}
        r:
          initial: s
          on: {{tick: {{name: inner, if: tick.x > 0, to: t}}}}
          states:
            s:
              parallel: true
              states:
                u: {{initial: c, states: {{c: {{on: {{tick: {{name: move, if: tick.x > 1, to: d}}}}}}, d: {{}}}}}}
                v: {{}}
            t: {{}}
    done: {{on: {{go: {{to: p}}}}}}
"""


def test_what_several_regions_take_from_around_them_fires_once(deferred: list[str]) -> None:
    machine = started(NESTED)
    # `up` in q, `outer` for both regions in r.
    assert machine.send("go", 1).fired == ("up", "outer")
    assert machine.value("log") == 7
    assert machine.send("go", 2).fired == ("outer",)
    assert machine.value("log") == 77
    assert deferred == ["begin"]


def test_of_two_states_around_several_regions_the_inner_one_goes_first_for_all_of_them(deferred: list[str]) -> None:
    machine = started("""
  parallel: true
  states:
    p:
      initial: o
      states:
        o:
          parallel: true
          on: {go: {name: outer}, stop: {name: once}}
          states:
            q:
              initial: i
              states:
                i:
                  parallel: true
                  on: {go: {name: inner}, tick: {name: more, if: tick.x > 0}}
                  states: {u: {}, v: {}}
            r: {on: {go: {name: beside}}}
""")
    assert machine.send("go", 1).fired == ("inner", "beside")
    assert machine.send("stop", 2).fired == ("once",)
    assert machine.send("tick", 3, x=1).fired == ("more",)
    assert machine.send("tick", 4, x=0).fired == ()
    assert deferred == ["begin"]


def test_an_inner_region_fires_by_itself_and_the_transition_around_it_does_not(deferred: list[str]) -> None:
    machine = started(NESTED)
    step = machine.send("tick", 1, x=0)
    assert (step.fired, step.configuration) == ((), ("a", "c", "v"))
    assert deferred == ["begin"]
    # v selects `inner`, which leaves what `move` of c would leave: the inner source goes first.
    assert machine.send("tick", 2, x=2).fired == ("move",)
    assert machine.send("tick", 3, x=2).fired == ("inner",)
    assert deferred == ["begin", "tick", "tick"]


def test_a_transition_that_leaves_its_region_is_the_references(deferred: list[str]) -> None:
    machine = started(NESTED)
    assert machine.send("stop", 1).fired == ()
    machine.send("go", 2)
    assert deferred == ["begin"]
    assert machine.send("stop", 3).configuration == ("done",)
    assert machine.send("tick", 4, x=2).fired == ()
    assert deferred == ["begin", "stop"]
    assert machine.send("go", 5).configuration == ("a", "c", "v")
    assert deferred == ["begin", "stop", "go"]


def test_a_transition_of_a_compound_state_leaves_the_leaf_that_is_active(deferred: list[str]) -> None:
    machine = started(f"""
  parallel: true
  states:
    p:
      initial: o
      states:
        o:
          initial: a
          on: {{stop: {{name: home, to: a, do: {mark(7)}}}}}
          states:
            a: {{exit: {mark(1)}, on: {{go: {{to: b}}}}}}
            b: {{exit: {mark(2)}, on: {{go: {{to: c}}}}}}
            c: {{exit: {mark(3)}}}
    q: {{}}
""")
    machine.send("stop", 1)
    assert machine.value("log") == 17
    machine.send("go", 2)
    machine.send("go", 3)
    machine.send("stop", 4)
    assert (machine.value("log"), machine.machine.configuration) == (171237, ("a", "q"))
    assert deferred == ["begin"]


def test_invariants_ask_for_states_of_every_region_now_and_before(deferred: list[str]) -> None:
    machine = both(
        "invariants: {still: 'implies(was(a), p_did == before.p_did)', both: not (In(b) and In(d)), few: q_came < 5.5}\n"
    )
    assert machine.send("go", 1).broken == ("still", "both", "few")
    assert machine.send("go", 2).broken == ("few",)
    assert machine.send("begin", 3).broken == ("few",)
    assert deferred == ["begin"]


MANY = """hedgerow: 1
name: many
events: {tick: {x: {}}}
state: {other: {initial: 0}, CELLS}
machine:
  parallel: true
  states:
    p: {on: {tick: [RULES], error.execution: {name: failed}}}
    q: {on: {tick: {name: beside, do: {set: {other: other + 1}}}}}
invariants: {low: k3 < 7}
"""


def test_a_region_with_many_cells_of_its_own_keeps_and_checks_them(deferred: list[str]) -> None:
    cells = ", ".join(f"k{index}: {{initial: 0, range: [0, 9]}}" for index in range(9))
    rules = ", ".join(
        f"{{name: set{i}, if: tick.x == {i}, do: [{{set: {{k{i}: k{i} + 4}}}}, {{set: {{k{(i + 1) % 9}: k{i}}}}}]}}"
        for i in range(9)
    )
    rules += ", {name: set9, if: tick.x == 9, do: {set: {k6: other}}}"
    machine = twins(MANY.replace("CELLS", cells).replace("RULES", rules))
    machine.send("tick", 0, x=-1)
    steps = [machine.send("tick", 1, x=x) for x in (3, 3, 8, 0)]
    assert [step.fired for step in steps] == [(f"set{x}", "beside") for x in (3, 3, 8, 0)]
    assert [step.broken for step in steps] == [(), ("low",), ("low",), ("low",)]
    assert [machine.value(f"k{index}") for index in range(9)] == [8, 8, 0, 8, 8, 0, 0, 0, 4]
    assert deferred == ["tick"]
    # The copy is of the value before the other region writes it, though it is stored later.
    assert (machine.send("tick", 1, x=9).fired, machine.value("k6"), machine.value("other")) == (
        ("set9", "beside"),
        5,
        6,
    )
    assert deferred == ["tick"]
    # 8 + 4 is out of range: the transition is dropped, the one beside it stands.
    step = machine.send("tick", 2, x=3)
    assert (step.fired, machine.value("k3"), machine.value("other")) == (("beside", "failed"), 8, 7)
    assert deferred == ["tick", "tick"]


# --- orders ---

BOOK = """hedgerow: 1
name: book
units: [USD, IDX]
capital: {USD: 1000}
events: {tick: {price: {unit: USD/IDX, range: [1, 1000]}}, both: {}, one: {}, resize: {}}
instruments: {index: {unit: IDX, price: tick.price, fee: 0.01}}
state: {size: {unit: IDX, initial: 3 IDX}}
legs:
  long: {instrument: index, side: long, quantity: 2 IDX}
  short: {instrument: index, side: short, quantity: 1 IDX}
machine:
  parallel: true
  states:
    p:
      on:
        both: {name: sell, do: {reduce: {long: 1 IDX}}}
        one: {name: take, do: {increase: {long: 1 IDX}}}
        resize: {do: [{target: {long: size}}, {set: {size: 1 IDX}}]}
    q: {on: {both: {name: cover, do: {close: short}}, one: {name: drop, do: {close: long}}}}
invariants: {quiet: not ordered() or short.quantity > 0 IDX}
"""


def test_orders_of_two_regions_are_booked_together_in_the_order_of_the_legs(deferred: list[str]) -> None:
    machine = Twins(loads(BOOK, permit=("HR401",)).compile())
    machine.send("tick", 0, price=10)
    assert machine.send("tick", 1, price=20).orders == ()
    step = machine.send("both", 2)
    assert [(order.leg, order.rule, order.side, order.quantity) for order in step.orders] == [
        ("long", "sell", "sell", 1.0),
        ("short", "cover", "buy", 1.0),
    ]
    # 1000 - 2 * 10 + 10 at the start, then + 20 - 20 and two fees of 0.2.
    assert machine.value("cash") == pytest.approx(989.6)
    assert step.broken == ("quiet",)
    assert deferred == ["tick"]
    step = machine.send("both", 3)  # the short leg is closed already: no order of it
    assert [order.leg for order in step.orders] == ["long"]
    assert deferred == ["tick"]


def test_an_order_is_decided_where_it_stands(deferred: list[str]) -> None:
    machine = Twins(loads(BOOK, permit=("HR401",)).compile())
    machine.send("tick", 0, price=10)
    machine.send("resize", 1)
    assert (machine.value("long.quantity"), machine.value("size")) == (3, 1)
    machine.send("resize", 2)
    assert (machine.value("long.quantity"), machine.value("size")) == (1, 1)
    assert deferred == ["tick"]


def test_two_regions_that_order_the_same_leg_are_the_references(deferred: list[str]) -> None:
    machine = Twins(loads(BOOK, permit=("HR401",)).compile())
    machine.send("tick", 0, price=10)
    step = machine.send("one", 1)
    assert (step.fired, machine.value("long.quantity")) == (("drop",), 0)
    assert deferred == ["tick", "one"]


# --- what is left to the reference ---

HISTORY = """
  initial: a
  states:
    a:
      initial: b
      on: {stop: {to: d}}
      states:
        h: {history: shallow, default: {to: b}}
        b: {on: {go: {name: on, to: c}}}
        c: {on: {go: {name: off, to: b}}}
    d: {on: {go: {name: again, to: h}}}
"""


def test_leaving_a_state_with_history_and_entering_it_are_the_references(deferred: list[str]) -> None:
    machine = started(HISTORY)
    machine.send("go", 1)
    assert deferred == ["begin"]
    machine.send("stop", 2)
    assert machine.machine.snapshot().history == {"h": ("c",)}
    assert machine.send("go", 3).configuration == ("c",)
    assert machine.send("go", 4).fired == ("off",)
    assert deferred == ["begin", "stop", "go"]


def test_history_outlives_a_restart_from_a_snapshot() -> None:
    machine = started(HISTORY)
    machine.send("go", 1)
    machine.send("stop", 2)
    kept = machine.machine.snapshot().to_json()
    other = loads(f"{HEAD}machine: {HISTORY}\n").compile().machine()
    other.restore(kept)
    assert other.snapshot().to_json() == kept
    assert other.send("go", 3).configuration == ("c",)


@pytest.mark.parametrize(
    ("states", "fired"),
    [
        ("a: {on: {go: {name: say, do: {raise: stop}}, stop: {name: heard}}}", ("say", "heard")),
        ("a: {on: {go: {name: on, to: b}}}, b: {always: {name: off, to: a}}", ("on", "off")),
        (
            "a: {always: {name: soon, if: log > 0, to: b}, on: {go: {name: on, do: {set: {log: 1}}}}}, b: {}",
            ("on", "soon"),
        ),
        ("a: {on: {go: {name: on, to: b}}}, b: {initial: c, states: {c: {final: true}}}", ("on",)),
        ("a: {on: {go: {name: bad, do: {set: {log: 1 / log}}}, error.execution: {name: failed}}}", ("failed",)),
        ("a: {on: {go: {name: bad, if: 1 / log > 0}, error.execution: {name: failed}}}", ("failed",)),
        ("a: {on: {go: {name: bad, do: {set: {n: n + 3}}}, error.execution: {name: failed}}}", ("failed",)),
    ],
)
@pytest.mark.parametrize("regions", [1, 2])
def test_an_event_that_is_more_than_one_step_is_the_references(
    deferred: list[str], states: str, fired: tuple[str, ...], regions: int
) -> None:
    one = f"initial: a, states: {{{states}}}"
    chart = f"{{{one}}}" if regions == 1 else f"{{parallel: true, states: {{p: {{{one}}}, q: {{}}}}}}"
    machine = started(chart)
    assert machine.send("go", 1).fired == fired
    assert deferred == ["begin", "go"]


WATCHES = "a: {always: {name: soon, if: log > 3, to: b}}, b: {on: {tick: {name: on}}}"


@pytest.mark.parametrize("regions", [1, 2])
def test_what_was_observed_may_enable_an_eventless_transition(deferred: list[str], regions: int) -> None:
    one = f"{{initial: a, states: {{{WATCHES}}}}}"
    chart = one if regions == 1 else f"{{parallel: true, states: {{p: {one}, q: {{}}}}}}"
    machine = started(chart, "observe: {tick: {log: tick.x}}\n")
    machine.send("tick", 1, x=3)
    assert deferred == ["begin"]
    assert machine.send("tick", 2, x=4).fired == ("soon", "on")
    assert deferred == ["begin", "tick"]


# --- time ---

TIMED = """
  initial: a
  states:
    a:
      after: {2s: {name: late, to: b}, wait: {name: later}}
      on: {go: {name: again, to: a}, tick: {name: soon, do: {raise: stop, after: tick.x * 1s, id: call}}}
    b: {every: {4s: {name: beat}}, on: {stop: {name: heard, to: a}, go: {name: quiet, do: {cancel: call}}}}
"""
SECOND = 10**9


def test_events_before_a_timer_is_due_arm_and_disarm_it_by_themselves(deferred: list[str]) -> None:
    machine = started(TIMED)
    assert machine.machine.next_due == 2 * SECOND
    assert machine.send("go", SECOND).fired == ("again",)
    assert machine.machine.next_due == 3 * SECOND
    machine.send("tick", SECOND, x=0.5)
    assert machine.machine.next_due == SECOND + SECOND // 2
    machine.send("tick", SECOND, x=50)
    assert machine.machine.next_due == 3 * SECOND
    assert machine.send("begin", 3 * SECOND - 1).timers == ()
    assert deferred == ["begin"]


def test_a_timer_that_is_armed_before_the_next_due_one_fires_first(deferred: list[str]) -> None:
    machine = started(TIMED)
    machine.send("tick", SECOND, x=0.25)
    step = machine.send("begin", SECOND + SECOND // 2)
    assert step.timers == (("call", SECOND + SECOND // 4),)
    assert deferred == ["begin", "begin"]


def test_an_event_when_a_timer_is_due_lets_it_fire_first(deferred: list[str]) -> None:
    machine = started(TIMED)
    step = machine.send("go", 2 * SECOND)
    assert (step.timers, step.fired) == ((("after.a.1", 2 * SECOND),), ("late", "quiet"))
    assert machine.machine.next_due == 6 * SECOND
    assert machine.send("go", 6 * SECOND - 1).timers == ()
    assert deferred == ["begin", "go"]


def test_a_delay_below_zero_fails_its_transition(deferred: list[str]) -> None:
    machine = started(TIMED)
    step = machine.send("tick", 1, x=-1)
    assert (step.fired, len(step.errors)) == ((), 1)
    assert deferred == ["begin", "tick"]


def test_a_delay_that_no_clock_reaches_is_never_due(deferred: list[str]) -> None:
    machine = started("{initial: a, states: {a: {on: {tick: {do: {raise: stop, after: tick.x * 1e10s}}}}}}")
    machine.send("tick", 1, x=1)
    assert machine.machine.next_due is None
    machine.send("tick", 2**63 - 2, x=0.5)
    assert deferred == ["begin"]


def test_time_alone_moves_the_clock_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    def unexpected(*_: object) -> None:
        raise AssertionError("the reference was asked")

    for machine in (started(TIMED), both()):
        before = machine.machine.snapshot()
        with monkeypatch.context() as patch:
            patch.setattr(Machine, "_advance", unexpected)
            step = machine.machine.advance(SECOND)
        assert (step.fired, step.before, step.configuration) == ((), before.configuration, before.configuration)
        after = machine.machine.snapshot()
        assert (after.time_ns, after.cells, after.configuration) == (SECOND, before.cells, before.configuration)
        assert (after, step) == machine.reference.advance(machine.snapshot, SECOND)


def test_time_that_a_timer_waited_for_fires_it() -> None:
    machine = started(TIMED)
    reference = machine.reference.advance(machine.snapshot, 11 * SECOND)
    step = machine.machine.advance(11 * SECOND)
    assert (machine.machine.snapshot(), step) == reference
    assert step.timers == (("after.a.1", 2 * SECOND), ("every.b.1", 6 * SECOND), ("every.b.1", 10 * SECOND))
    assert machine.machine.next_due == 14 * SECOND


@pytest.mark.parametrize("time", [-1, 1.5, "1", None, True, 2**63])
@pytest.mark.parametrize("regions", [1, 2])
def test_a_time_that_is_none_is_refused_and_moves_nothing(regions: int, time: object) -> None:
    machine = started(TIMED) if regions == 1 else both()
    expected = machine.reference.advance(machine.snapshot, time)
    step = machine.machine.advance(time)  # type: ignore[arg-type]  # a wrong time is the test
    assert step.rejected is not None
    assert (machine.machine.snapshot(), step) == expected
    assert machine.machine.time_ns == 0


ENDS = "after: {5s: {}}, on: {go: {to: f, do: {raise: stop, after: 7s}}}"
ENDINGS = {
    "one register": "{initial: a, states: {a: {ENDS}, f: {final: true}}}",
    "beside a parallel state": "{initial: a, states: {a: {ENDS}, p: {parallel: true, states: {q: {}}}, f: {final: true}}}",
    "parallel as a whole": "{parallel: true, states: {p: {initial: a, states: {a: {ENDS}, f: {final: true}}}}}",
}


@pytest.mark.parametrize("chart", ENDINGS.values(), ids=ENDINGS)
def test_a_machine_that_has_ended_refuses_time_and_has_nothing_due(chart: str) -> None:
    machine = started(chart.replace("ENDS", ENDS))
    assert machine.machine.next_due == 5 * SECOND
    assert not machine.machine.ended
    assert machine.send("go", 1).configuration == ("f",)
    assert machine.machine.ended
    assert machine.machine.next_due is None
    assert machine.machine.advance(2).rejected == "the machine has ended"
    assert machine.send("go", 2).rejected == "the machine has ended"
    assert machine.machine.time_ns == 1


def test_a_machine_that_needs_no_event_starts_with_time_alone() -> None:
    machine = loads(f"{HEAD}machine: {NESTED}\n").compile().machine()
    assert machine.advance(7).configuration == ("a", "c", "v")
    assert machine.time_ns == 7


# --- the record of a run ---


def test_an_observation_has_the_register_of_every_region() -> None:
    compiled = loads(f"{HEAD}machine: {NESTED}\n").compile()
    machine = compiled.machine()
    assert compiled.columns[:6] == ("state", "state q", "state r", "state u", "state v", "log")
    assert machine.observation()[:5] == (-1, -1, -1, -1, -1)
    machine.send("begin", 0)
    assert machine.observation()[:5] == (0, 0, 0, 0, 0)
    for time, event in enumerate(("go", "stop")):
        machine.send(event, time)
    assert machine.observation()[:5] == (1, -1, -1, -1, -1)


def test_steps_are_kept_only_up_to_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "KEPT", 1)
    up, down, shown = ("up", 1), ("down", 0), ((("a",), ("b",), ()), (("c",), ()))
    steps = live.Steps((0,), ((up, down),), (0,), shown)
    for _ in range(2):
        assert steps[0, 0] == (Step(("up",), ("a", "c"), ("b", "c")), Step((), ("b", "c"), ("b", "c")))
        assert steps[1, 1] == (Step(("down",), ("b", "c"), ("a", "c")), Step((), ("a", "c"), ("a", "c")))
        assert len(steps) == 1


# --- random charts of regions ---


class Sketch:
    """A chart of nested regions in which every transition stays in its region, and so is generated."""

    def __init__(self, source: random.Random) -> None:
        self.source = source
        self.names: list[str] = []
        self.cells: list[str] = []

    def text(self) -> str:
        source = self.source
        body = [line for _ in range(source.randint(2, 3)) for line in self._region(1)]
        claims = [
            f"kept: {source.choice(self.cells)} <= before.{source.choice(self.cells)} + 1",
            f"there: implies(was({source.choice(self.names)}), not In({source.choice(self.names)}))",
        ]
        lines = [
            "hedgerow: 1",
            "name: regions",
            "events: {go: {}, stop: {}, tick: {x: {}}}",
            "state:",
            "  seen: {initial: 0}",
            *(f"  {cell}: {{initial: {source.randint(0, 3)}}}" for cell in self.cells),
            "observe: {tick: {seen: tick.x / 2}}",
            "machine:",
            "  parallel: true",
            "  states:",
            *(f"    {line}" for line in body),
            "invariants:",
            *(f"  {claim}" for claim in claims),
        ]
        return "\n".join(lines) + "\n"

    def _name(self) -> str:
        self.names.append(f"s{len(self.names)}")
        return self.names[-1]

    def _region(self, depth: int) -> list[str]:
        """Return a region: leaves, a state around two more, and perhaps a state of regions."""
        source, root = self.source, self._name()
        own = [f"c{len(self.cells) + index}" for index in range(source.choice((1, 2, 6)))]
        self.cells += own
        leaves = [self._name() for _ in range(source.randint(1, 3))]
        group, inner = self._name(), [self._name() for _ in range(2)]
        targets = [*leaves, group, *inner]
        states = [line for leaf in leaves for line in self._state(leaf, own, targets, [])]
        inside = [line for leaf in inner for line in self._state(leaf, own, targets, [])]
        states += self._state(group, own, targets, [f"initial: {inner[0]}", "states:", *self._indented(inside)])
        first = source.choice((leaves[0], group))
        if depth and source.random() < 0.5:
            first = self._name()
            nested = [line for _ in range(2) for line in self._region(depth - 1)]
            states += self._state(first, own, [], ["parallel: true", "states:", *self._indented(nested)])
        return [f"{root}:", *self._indented([f"initial: {first}", "states:", *self._indented(states)])]

    @staticmethod
    def _indented(lines: list[str]) -> list[str]:
        return [f"  {line}" for line in lines]

    def _state(self, name: str, own: list[str], targets: list[str], rest: list[str]) -> list[str]:
        source = self.source
        found = [*rest, "on:"]
        for event in source.sample(("tick", "go", "stop"), source.randint(1, 3)):
            many = ", ".join(self._transition(own, targets, event) for _ in range(source.randint(1, 2)))
            found.append(f"  {event}: [{many}]")
        found += [f"{part}: {self._steps(own, '')}" for part in ("entry", "exit") if source.random() < 0.4]
        return [f"{name}:", *self._indented(found)]

    def _transition(self, own: list[str], targets: list[str], event: str) -> str:
        source = self.source
        state = source.choice(self.names)
        guard = source.choice(
            (f"{self._value(own, event)} > {self._value(own, event)}", f"In({state})", f"not In({state})")
        )
        condition = f"if: '{guard}', " if source.random() < 0.7 else ""
        to = f"to: {source.choice(targets)}, " if targets and source.random() < 0.7 else ""
        return f"{{{condition}{to}do: {self._steps(own, event)}}}"

    def _steps(self, own: list[str], event: str) -> str:
        source = self.source
        sets = [f"{{set: {{{source.choice(own)}: '{self._value(own, event)}'}}}}" for _ in range(source.randint(0, 2))]
        return f"[{', '.join(sets)}]"

    def _value(self, own: list[str], event: str) -> str:
        atoms = [*own, *own, *self.cells, "seen", "1", "0.5", *(["tick.x"] * 2 if event == "tick" else [])]
        a, b = self.source.choice(atoms), self.source.choice(atoms)
        return self.source.choice((a, f"{a} + {b}", f"{a} - {b}", f"min({a}, {b})", f"max({a}, {b} / 2)"))


@settings(max_examples=40, phases=(Phase.explicit, Phase.generate), deadline=None)
@given(seed=st.integers(0, 10**6))
def test_regions_that_fire_together_do_what_the_reference_does(seed: int) -> None:
    source = random.Random(seed)
    compiled = loads(Sketch(source).text()).compile()
    machine, reference = compiled.machine(), Reference(compiled.program, compiled.parameters, compiled.registry)
    machine.advance(0)
    snapshot, _ = reference.advance(reference.initial(), 0)
    for time in range(1, 25):
        event = source.choice(("tick", "tick", "go", "stop"))
        values = (source.choice((-2.0, 0.0, 1.0, 3.0, source.uniform(-9, 9))),) if event == "tick" else ()
        step = machine.port(event)(time, *values)
        snapshot, expected = reference.step(snapshot, event, time, values)
        assert step == expected
        assert machine.snapshot().to_json() == snapshot.to_json()


def test_random_charts_of_regions_are_generated(deferred: list[str]) -> None:
    fired = [0] * 100
    for seed in range(12):
        source = random.Random(seed)
        machine = loads(Sketch(source).text()).compile().machine()
        machine.advance(0)
        for time in range(1, 30):
            event = source.choice(("go", "stop"))
            before = len(deferred)
            step = machine.send(event, time)
            if len(deferred) == before:
                fired[len(step.fired)] += 1
    assert deferred == []
    assert min(fired[1:5]) > 20


# --- the size of the code ---


@pytest.mark.parametrize("count", [1, 4])
def test_code_is_as_long_as_transitions_are_many(count: int) -> None:
    def size(states: int) -> int:
        def region(name: str) -> str:
            inner = ", ".join(
                f"{name}{i}: {{on: {{tick: {{if: tick.x > {i}, to: {name}{(i + 1) % states}}}}}}}"
                for i in range(states)
            )
            return f"{name}: {{initial: {name}0, states: {{{inner}}}}}"

        inside = ", ".join(region(name) for name in "abcd"[:count])
        text = f"{HEAD}machine: {{initial: p, states: {{p: {{parallel: true, states: {{{inside}, z: {{}}}}}}}}}}"
        return len(loads(text).live_source("same").text)

    sizes = [size(states) for states in (5, 10, 20)]
    assert sizes[2] - sizes[1] < 2.6 * (sizes[1] - sizes[0])
