"""Windows and the functions that read them: the ring against a list, waiting, read-only views, failures, call counts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from probes import CALLS, REGISTRY, SEEN
from twins import Twins, twins

from hedgerow.engine.window import Ring

TEXT = """
hedgerow: 1
name: windows
events: {tick: {x: {}}, go: {x: {}}}
state: {kept: {initial: 7}, n: {initial: 0}, begun: {initial: tick.x}}
windows: {last: {of: tick.x, on: tick, length: 3, until_full: UNTIL}}
observe: {tick: {OBSERVE}}
machine:
  initial: a
  fail_safe: halted
  states:
    a: {on: {ON}}
    halted: {}
"""


@pytest.fixture(autouse=True)
def fresh() -> None:
    CALLS.clear()
    SEEN.clear()


def machine(observe: str = "", on: str = "", until: str = "partial") -> Twins:
    text = TEXT.replace("{OBSERVE}", "{" + observe + "}").replace("{ON}", "{" + on + "}").replace("UNTIL", until)
    return twins(text if observe else text.replace("observe: {tick: {}}\n", ""), registry=REGISTRY)


# ---------------------------------------------------------------------------------------------------- the ring

moves = st.lists(st.one_of(st.floats(allow_nan=False), st.sampled_from(["commit", "drop"])), max_size=40)


@given(length=st.integers(1, 6), moves=moves)
def test_a_ring_is_a_list_of_its_last_values_of_which_a_staged_one_can_be_dropped(
    length: int, moves: list[float | str]
) -> None:
    ring, kept, staged = Ring(length), list[float](), list[float]()
    for move in moves:
        if move == "commit":
            ring.commit()
            kept, staged = (kept + staged)[-length:], []
        elif move == "drop":
            ring.drop()
            staged = []
        else:
            ring.stage(float(move))
            staged = [float(move)]
        shown = (kept + staged)[-length:]
        assert ring.view().tolist() == shown
        assert ring.values() == tuple(kept)
        assert ring.full() == (len(shown) == length)
        assert ring.view().flags.c_contiguous
        assert not ring.view().flags.writeable


@given(length=st.integers(1, 6), values=st.lists(st.floats(allow_nan=False), max_size=15))
def test_a_ring_filled_with_values_holds_the_last_of_them(length: int, values: list[float]) -> None:
    ring = Ring(length)
    ring.stage(1.0)
    ring.fill(values)
    assert ring.values() == tuple(values[-length:])


# ---------------------------------------------------------------------------------------------------- filling

SIZE = "seen: {{call: probe.first_and_size, with: {{values: last}}{initial}}}"


def test_with_until_full_partial_a_call_reads_what_there_is_with_the_newest_value() -> None:
    both = machine(SIZE.format(initial=""))
    found = []
    for time, x in enumerate((5.0, 6.0, 7.0, 8.0, 9.0)):
        both.send("tick", time, x=x)
        found.append((both.value("seen.first"), both.value("seen.second")))
    assert found == [(5, 1), (5, 2), (5, 3), (6, 3), (7, 3)]
    assert both.snapshot.windows["last"] == (7, 8, 9)


def test_with_until_full_skip_a_call_waits_and_its_results_keep_their_initial_values() -> None:
    both = machine(SIZE.format(initial=", initial: {first: -1, second: 0}"), until="skip")
    found = []
    for time, x in enumerate((5.0, 6.0, 7.0, 8.0)):
        both.send("tick", time, x=x)
        found.append((both.value("seen.first"), both.value("seen.second")))
    assert found == [(-1, 0), (-1, 0), (5, 3), (6, 3)]
    assert len(SEEN) == 2 * 2  # twice in each backend


def test_an_action_that_reads_a_window_waits_for_it_too() -> None:
    both = machine(on="go: {name: sum, do: {call: probe.total, with: {values: last}, into: kept}}", until="skip")
    for time, x in enumerate((1.0, 2.0)):
        both.send("tick", time, x=x)
    both.send("go", 2, x=0.0)
    assert both.value("kept") == 7
    both.send("tick", 3, x=4.0)
    both.send("go", 4, x=0.0)
    assert both.value("kept") == 7  # 1 + 2 + 4
    both.send("tick", 5, x=8.0)
    both.send("go", 6, x=0.0)
    assert both.value("kept") == 14


def test_a_function_sees_a_read_only_array_of_doubles() -> None:
    both = machine(SIZE.format(initial=""))
    both.send("tick", 0, x=5.0)
    for view in SEEN:
        assert (view.dtype, view.ndim, view.flags.writeable, view.flags.c_contiguous) == (np.float64, 1, False, True)


def test_a_window_of_an_observation_that_fails_forgets_its_value() -> None:
    both = machine("inverse: 1 / tick.x")
    for time, x in enumerate((5.0, 0.0, 7.0)):
        both.send("tick", time, x=x)
    assert both.snapshot.windows["last"] == (5, 7)


def test_a_refused_event_feeds_no_window() -> None:
    both = machine("same: tick.x")
    for time, x in enumerate((5.0, float("nan"), 7.0)):
        both.send("tick", time, x=x)
    assert both.snapshot.windows["last"] == (5, 7)


# ---------------------------------------------------------------------------------------------------- failures

FAILING = ["raises", "nothing", "not_a_number", "infinite", "truth"]


@pytest.mark.parametrize("function", FAILING)
def test_a_function_that_fails_in_an_observation_undoes_it_and_leads_to_fail_safe(function: str) -> None:
    both = machine(f"n: n + 1, bad: {{call: probe.{function}, with: {{x: tick.x}}}}", "tick: {name: took}")
    assert both.send("tick", 0, x=0.0).fired == ("took",)
    step = both.send("tick", 1, x=1.0)
    assert (step.raised, step.fired) == (("error.execution",), ("fail_safe",))
    assert f"probe.{function}" in step.errors[0]
    assert (both.value("n"), both.snapshot.windows["last"]) == (1, (0,))


@pytest.mark.parametrize("function", FAILING)
def test_a_function_that_fails_on_the_first_event_refuses_it(function: str) -> None:
    both = machine(f"bad: {{call: probe.{function}, with: {{x: tick.x}}}}")
    assert f"probe.{function}" in str(both.send("tick", 0, x=1.0).rejected)
    assert both.snapshot.configuration == ()
    assert both.send("tick", 0, x=0.0).rejected is None


@pytest.mark.parametrize("function", FAILING)
def test_a_function_that_fails_in_an_action_drops_the_transition(function: str) -> None:
    both = machine(on=f"go: {{do: [{{set: {{n: 1}}}}, {{call: probe.{function}, with: {{x: go.x}}, into: kept}}]}}")
    both.send("tick", 0, x=1.0)
    step = both.send("go", 1, x=1.0)
    assert step.raised == ("error.execution",)
    assert f"probe.{function}" in step.errors[0]
    assert step.configuration == ("halted",)
    assert (both.value("kept"), both.value("n")) == (7, 0)


@pytest.mark.parametrize("function", ["writes", "sorts"])
def test_a_function_that_writes_to_its_window_fails_and_the_window_stands(function: str) -> None:
    both = machine(on=f"go: {{do: {{call: probe.{function}, with: {{values: last}}, into: kept}}}}")
    for time, x in enumerate((3.0, 2.0, 1.0)):
        both.send("tick", time, x=x)
    step = both.send("go", 3, x=1.0)
    assert step.raised == ("error.execution",)
    assert both.snapshot.windows["last"] == (3, 2, 1)


def test_a_function_with_a_result_for_every_event_but_one_errs_on_that_one_alone() -> None:
    both = machine("half: {call: probe.double, with: {x: 1 / tick.x}}", "error.execution: {name: caught}")
    for time, x in enumerate((1.0, 0.0, 4.0)):
        step = both.send("tick", time, x=x)
        assert step.fired == (("caught",) if x == 0 else ())
    assert both.value("half") == 0.5


# ---------------------------------------------------------------------------------------------------- how often


def calls_of_live(observe: str, on: str, events: list[tuple[str, float]]) -> list[float]:
    """Return the arguments of the calls that the live machine alone makes after its start."""
    both = machine(observe, on)
    live = both.machine
    live.send("tick", 0, x=1.0)
    CALLS.clear()
    for time, (event, x) in enumerate(events, 1):
        live.send(event, time, x=x)
    return list(CALLS)


def test_an_observed_function_is_called_once_an_event() -> None:
    observe = "twice: {call: probe.double, with: {x: tick.x}}"
    assert calls_of_live(observe, "", [("tick", 3.0), ("go", 1.0), ("tick", 4.0)]) == [3, 4]


@pytest.mark.parametrize(
    "on",
    [
        "tick: [{if: 1 / n > 0}, {name: other, do: {set: {n: 0}}}], error.execution: {name: caught}",
        "tick: {name: shout, do: {raise: {go: {x: 1}}}}, go: {name: heard, do: {set: {n: 0}}}",
        "tick: {name: fails, do: {set: {n: 1 / n}}}",
        "tick: {name: leave, to: halted}",
    ],
)
def test_a_function_is_called_once_also_where_the_reference_finishes_the_event(on: str) -> None:
    observe = "twice: {call: probe.double, with: {x: tick.x}}"
    assert calls_of_live(observe, on, [("tick", 3.0)]) == [3]


def test_a_function_of_an_action_is_called_once_where_its_transition_then_fails() -> None:
    on = "go: {do: [{call: probe.double, with: {x: go.x}, into: kept}, {set: {n: 1 / n}}]}"
    assert calls_of_live("", on, [("go", 3.0)]) == [3]


def test_a_function_that_fails_is_not_called_again_in_the_event() -> None:
    assert calls_of_live("", "go: {do: {call: probe.refuses, with: {x: go.x}, into: kept}}", [("go", 3.0)]) == [3]


@pytest.mark.parametrize(("argument", "fired"), [("go.x", ("work", "work")), ("n + 1", ("work", "fail_safe"))])
def test_a_call_repeated_in_an_event_returns_the_same_result_or_fails_on_other_arguments(
    argument: str, fired: tuple[str, ...]
) -> None:
    both = machine(
        on=f"go: {{name: work, if: n < 2, do: [{{call: probe.double, with: {{x: {argument}}}, into: kept}}, "
        "{set: {n: n + 1}}, {raise: {go: {x: 1}}}]}"
    )
    both.send("tick", 0, x=1.0)
    assert both.send("go", 1, x=1.0).fired == fired
    assert both.value("kept") == 2
    assert CALLS == [1, 1]  # once in each backend


# ---------------------------------------------------------------------------------------------------- finiteness


def test_a_window_is_fed_no_number_that_is_not_finite() -> None:
    text = TEXT.replace("of: tick.x,", "of: tick.x * tick.x,").replace("{ON}", "{}").replace("UNTIL", "partial")
    both = twins(text.replace("observe: {tick: {OBSERVE}}\n", ""))
    both.send("tick", 0, x=3.0)
    step = both.send("tick", 1, x=1e200)
    assert step.raised == ("error.execution",)
    assert both.snapshot.windows["last"] == (9,)
