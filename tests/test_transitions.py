"""The `transitions` adapter: the statechart run by another package does what `step` does."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest
from generated import Event, Sketch, events, sketches
from hypothesis import HealthCheck, Phase, event, given, settings
from hypothesis import strategies as st
from transitions.extensions.nesting import HierarchicalMachine

import hedgerow
from hedgerow.engine.backends.transitions import UnsupportedChart, to_transitions
from hedgerow.engine.load import Compiled, loads
from hedgerow.engine.semantics import Reference

SPECS = Path(__file__).parent.parent / "specs"
PHASES = (Phase.explicit, Phase.generate, Phase.target)
MANY = settings(
    max_examples=40, phases=PHASES, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
DAY = 86_400 * 10**9


def agree(compiled: Compiled, happened: Iterable[Event]) -> list[hedgerow.Step]:
    """Run the adapter and the reference side by side, hold them equal after every event, and return the steps."""
    adapter = to_transitions(compiled)
    reference = Reference(compiled.program, compiled.parameters, compiled.registry)
    snapshot, steps = reference.initial(), []
    for each in happened:
        names = [field.name for field in compiled.program.event(each.name).fields]
        step = adapter.send(each.name, each.time_ns, **dict(zip(names, each.values, strict=True)))
        snapshot, expected = reference.step(snapshot, each.name, each.time_ns, each.values)
        assert step == expected, each
        assert repr(adapter.snapshot()) == repr(snapshot), each  # repr: NaN equals itself, -0.0 is not 0.0
        assert adapter.configuration == snapshot.configuration
        steps.append(step)
    return steps


@given(
    moves=st.lists(st.floats(-0.03, 0.03), min_size=1, max_size=60),
    leaves=st.one_of(st.none(), st.integers(0, 60)),
)
def test_the_adapter_equals_step_on_the_band_limited_hedge(moves: list[float], leaves: int | None) -> None:
    compiled = hedgerow.load(SPECS / "band_limited_hedge.yaml").compile(k=6)
    price, happened = 1000.0, []
    for index, move in enumerate(moves):
        happened.append(Event("tick", index * DAY, (price,)))
        if index == leaves:
            happened.append(Event("manual_exit", index * DAY, ()))
        price *= 1 + move
    agree(compiled, happened)


def test_the_adapter_takes_the_band_limited_hedge_through_all_that_a_day_can_bring() -> None:
    compiled = hedgerow.load(SPECS / "band_limited_hedge.yaml").compile(residue=10)
    prices = [1000.0, 1020.0, 990.0, -1.0, 1010.0] + [1000.0 + 60 * (index % 2) for index in range(40)]
    ticks = [Event("tick", index * DAY, (price,)) for index, price in enumerate(prices)]
    steps = agree(compiled, [*ticks[:10], Event("manual_exit", 10 * DAY, ()), *ticks[10:]])
    fired = {name for step in steps for name in step.fired}
    assert {"up", "down", "active.manual_exit", "exit_step", "finish"} <= fired
    assert steps[-1].rejected == "the machine has ended"


@MANY
@given(sketch=sketches(), happened=events())
def test_the_adapter_equals_step_on_generated_nested_specs(sketch: Sketch, happened: list[Event]) -> None:
    steps = agree(loads(sketch.text).compile(), happened)
    event(f"fired: {min(sum(len(step.fired) for step in steps), 10)}")
    event(f"errors: {any(step.errors for step in steps)}")


NESTED = """
hedgerow: 1
name: nested
events: {go: {}, up: {}, stop: {}, spin: {}, fail: {}, again: {}}
state: {log: {initial: 0, range: [0, 1e9]}, zero: {initial: 0}, spins: {initial: 0}}
machine:
  initial: a
  fail_safe: safe
  states:
    a:
      initial: a1
      entry: [{set: {log: log * 10 + 1}}]
      exit: [{set: {log: log * 10 + 2}}]
      on:
        up: {name: reenter, to: a, do: [{set: {log: log * 10 + 3}}]}
        stop: {name: out, to: b}
      states:
        a1:
          entry: [{set: {log: log * 10 + 4}}]
          exit: [{set: {log: log * 10 + 5}}]
          on:
            go: {name: deeper, to: a2, do: [{set: {log: log * 10 + 6}}]}
            fail: {name: half, to: b, do: [{set: {log: log * 10 + 7}}, {set: {log: 1 / zero}}]}
        a2:
          initial: deep
          states:
            deep:
              exit: [{set: {log: log * 10 + 8}}]
              on: {up: {name: parent, to: a}, go: {name: sibling, to: last}}
            last: {final: true}
      always: {name: never, if: log > 1e8, to: b}
    b:
      entry: [{set: {log: 0}}]
      on:
        go: {to: a}
        spin: {name: spin, do: [{raise: again}]}
        again: {name: again, do: [{raise: again}, {set: {spins: spins + 1}}]}
        "done.state.*": {name: was_done, to: b}
    safe: {on: {go: {to: a}}}
"""


def nested() -> Compiled:
    return loads(NESTED).compile()


def test_exits_action_and_entries_run_in_the_order_of_scxml() -> None:
    adapter = to_transitions(nested())
    logs = []
    for name in ("go", "up"):
        adapter.send(name, 0)
        logs.append(adapter.snapshot().cells["log"])
    # a and a1 entered (1, 4), a1 left, `deeper` (5, 6); deep left (8), a left (2), a and a1 entered again (1, 4).
    assert logs == [1456, 14568214]


@settings(phases=PHASES)
@given(names=st.lists(st.sampled_from(("go", "up", "stop", "fail")), max_size=12))
def test_the_adapter_equals_step_where_states_are_left_reentered_and_failed_out_of(names: list[str]) -> None:
    agree(nested(), [Event(name, index, ()) for index, name in enumerate(names)])


def test_a_failed_transition_leaves_the_machine_where_it_stood_and_fail_safe_takes_over() -> None:
    (step,) = agree(nested(), [Event("fail", 0, ())])
    assert step.fired == ("fail_safe",)
    assert step.configuration == ("safe",)


def test_gates_judge_the_orders_of_the_adapter() -> None:
    text = """
hedgerow: 1
name: small
units: [USD, X]
capital: {USD: 1000}
events: {tick: {price: {unit: USD/X, range: [1, 1000]}}}
instruments: {thing: {unit: X, price: tick.price}}
legs: {leg: {instrument: thing, side: long}}
gates: {size: {checks: {most: leg.quantity <= 3 X}}}
machine:
  initial: on
  fail_safe: off
  states: {on: {on: {tick: {do: [{increase: {leg: 2}}]}}}, off: {}}
"""
    steps = agree(loads(text).compile(), [Event("tick", n, (10.0,)) for n in range(3)])
    assert [(len(step.orders), step.raised) for step in steps] == [
        (1, ()),
        (0, ("gate.rejected",)),
        (0, ("gate.rejected",)),
    ]


def test_a_macrostep_that_never_settles_is_undone_in_both() -> None:
    steps = agree(nested(), [Event("stop", 0, ()), Event("spin", 1, ())])
    assert steps[-1].raised == ("error.divergence",)
    assert steps[-1].configuration == ("safe",)


def test_the_machine_shows_states_and_triggers_of_the_spec() -> None:
    machine = to_transitions(nested()).machine
    assert isinstance(machine, HierarchicalMachine)
    assert machine.get_nested_state_names() == ["a", "a.a1", "a.a2", "a.a2.deep", "a.a2.last", "b", "safe"]
    assert set(machine.get_triggers("a.a1")) == {"go", "fail", "up", "stop", "(always)", "(fail_safe)"}
    assert set(machine.get_triggers("safe")) == {"go"}
    assert machine.models[0].state == "a.a1"


def test_a_trigger_past_the_adapter_is_refused() -> None:
    adapter = to_transitions(nested())
    with pytest.raises(RuntimeError, match=r"^send events through `Adapter\.send`"):
        adapter.machine.models[0].trigger("go")
    assert adapter.snapshot().configuration == ()


REFUSED = {
    "a transition from a state into itself": (
        "a: {initial: x, on: {go: {name: inward, to: y}}, states: {x: {}, y: {}}}",
        "`inward` leads from `a` to `y` inside it: W3C SCXML leaves and enters `a`, `transitions` does not",
    ),
    "an internal transition": (
        "a: {initial: x, on: {go: {name: inward, to: y, internal: true}}, states: {x: {}, y: {}}}",
        "`inward` is internal",
    ),
    "regions": ("a: {parallel: true, states: {x: {}, y: {}}}", "`a` is a parallel state"),
    "several targets": (
        "a: {on: {go: {name: both, to: [x, y]}}}, p: {parallel: true, states: {x: {}, y: {}}}",
        "`both` has 2 targets; `p` is a parallel state",
    ),
    "history": ("a: {initial: x, states: {x: {}, h: {history: deep, default: x}}}", "`h` is a history state"),
    "steps on the way in": (
        "a: {initial: {to: x, do: {set: {n: 1}}}, states: {x: {}}}",
        "the initial transition of `a` has steps",
    ),
    "an initial state further in": (
        "a: {initial: z, states: {x: {initial: y, states: {y: {}, z: {}}}}}",
        "the initial transition of `a` leads to more than a state directly inside it",
    ),
    "a fail_safe of a state": (
        "a: {initial: x, fail_safe: x, states: {x: {}}}",
        "`a` has a fail_safe of its own",
    ),
    "a timer": ("a: {after: {30m: {do: {set: {n: 1}}}}}", "`after.a.1` is a timer"),
    "a delayed event": ("a: {on: {go: {do: {raise: late, after: 1s}}}}", "`late` is a timer"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_transitions_cannot_hold_is_refused_by_name(case: str) -> None:
    states, told = REFUSED[case]
    text = f"""
hedgerow: 1
name: refused
events: {{go: {{}}, late: {{}}}}
state: {{n: {{initial: 0}}}}
machine: {{initial: a, states: {{{states}}}}}
"""
    with pytest.raises(UnsupportedChart) as refusal:
        to_transitions(loads(text).compile())
    assert sorted(str(refusal.value).split("; ")) == sorted(told.split("; "))


def test_time_that_passes_moves_the_clock_of_the_adapter_as_of_the_reference() -> None:
    compiled = nested()
    adapter, reference = to_transitions(compiled), Reference(compiled.program, compiled.parameters, compiled.registry)
    snapshot = reference.initial()
    for time in (5, 7, 6):
        step = adapter.advance(time)
        snapshot, expected = reference.advance(snapshot, time)
        assert step == expected
        assert adapter.snapshot() == snapshot
    assert step.rejected is not None
    assert adapter.snapshot().time_ns == 7


def test_one_transition_on_several_events_and_prefixes_is_taken_on_each() -> None:
    text = """
hedgerow: 1
name: prefixes
events: {key.up: {}, key.down: {}, off: {}, other: {}}
state: {n: {initial: 0}}
machine:
  initial: a
  states: {a: {on: {"key.* off": {name: count, do: {set: {n: n + 1}}}}}}
"""
    names = ("key.up", "other", "off", "key.down")
    steps = agree(loads(text).compile(), [Event(name, index, ()) for index, name in enumerate(names)])
    assert [step.fired for step in steps] == [("count",), (), ("count",), ("count",)]


def test_the_adapter_leaves_a_nested_final_state_for_fail_safe_as_step_does() -> None:
    text = """\
hedgerow: 1
name: nested_final
events: {tick: {x: {}}}
state: {n: {initial: 0}}
machine:
  initial: open
  fail_safe: halted
  states:
    open: {initial: done, on: {tick: {do: {set: {n: 1 / n}}}}, states: {done: {final: true}}}
    halted: {entry: {set: {n: 7}}}
"""
    (step,) = agree(loads(text).compile(), [Event("tick", 0, (1.0,))])
    assert step.configuration == ("halted",)
    assert len(step.errors) == 1
