"""Expressions with memory against pandas, NumPy and plain Python on random series, and `since` by its definition."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from twins import twins

SECOND = 10**9
FEW = settings(max_examples=40)  # each is up to 40 events through two backends

SERIES = """
hedgerow: 1
name: memory
events: {tick: {x: {range: [-1e6, 1e6]}}, other: {x: {}}}
params: {d: {default: 0.9, range: [0, 1]}, start: {default: 3, range: [-1e6, 1e6]}}
state: {first: {initial: tick.x}}
observe: {tick: {LINES}}
machine: {initial: a, states: {a: {}}}
"""

series = st.lists(st.integers(-1000, 1000).map(lambda n: n / 8), min_size=1, max_size=40)


def observed(lines: str, xs: list[float], times: list[int] | None = None, **parameters: float) -> pd.DataFrame:
    """Return the observed values after each tick, one column a name; an event of another name comes between."""
    machine = twins(SERIES.replace("{LINES}", "{" + lines + "}"), **parameters)
    rows = []
    for index, x in enumerate(xs):
        time = times[index] if times else index * SECOND
        machine.send("tick", time, x=x)
        if index:
            machine.send("other", time, x=-x)
        rows.append(dict(machine.snapshot.cells))
    return pd.DataFrame(rows)


@FEW
@given(series)
def test_previous_is_the_value_at_the_event_before_and_the_value_itself_at_the_first(xs: list[float]) -> None:
    found = observed("last: previous(tick.x)", xs)["last"]
    expected = pd.Series(xs).shift(1).fillna(xs[0])
    assert found.tolist() == expected.tolist()


@FEW
@given(series, st.sampled_from([0.0, 0.5, 0.97, 1.0]), st.integers(-50, 50))
def test_ewma_is_that_of_pandas_over_the_initial_value_and_the_series(
    xs: list[float], decay: float, start: int
) -> None:
    found = observed("mean: 'ewma(tick.x, decay=d, initial=start)'", xs, d=decay, start=float(start))["mean"]
    if decay == 1:
        expected = pd.Series([float(start)] * len(xs))
    else:
        expected = pd.Series([float(start), *xs]).ewm(alpha=1 - decay, adjust=False).mean()[1:]
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-10)


@FEW
@given(series)
def test_peak_is_the_running_maximum_of_what_has_come(xs: list[float]) -> None:
    assert observed("top: peak(tick.x)", xs)["top"].tolist() == np.maximum.accumulate(xs).tolist()


@FEW
@given(series, st.integers(-100, 100))
def test_peak_with_an_initial_value_is_never_below_it(xs: list[float], start: int) -> None:
    found = observed("top: 'peak(tick.x, initial=start)'", xs, start=float(start))["top"]
    assert found.tolist() == np.maximum.accumulate([float(start), *xs])[1:].tolist()


@FEW
@given(series, st.integers(1, 5))
def test_streak_counts_events_in_a_row_and_saturates(xs: list[float], most: int) -> None:
    found = observed(f"run: 'streak(tick.x > 0, max={most})'", xs)["run"]
    holds = pd.Series(xs) > 0
    expected = holds.groupby((~holds).cumsum()).cumsum().clip(upper=most)
    assert found.tolist() == expected.tolist()


@FEW
@given(st.lists(st.integers(0, 10**12), min_size=1, max_size=40))
def test_elapsed_is_the_time_between_two_events_of_the_name_and_0_at_the_first(gaps: list[int]) -> None:
    times = np.cumsum(gaps).tolist()
    found = observed("gap: elapsed(tick)", [0.0] * len(times), times)["gap"]
    assert found.tolist() == [0.0, *(gap / SECOND for gap in gaps[1:])]


@FEW
@given(series)
def test_a_memory_inside_a_memory_is_the_composition_of_both(xs: list[float]) -> None:
    rough = "rough: 'ewma(abs(previous(tick.x) - tick.x), decay=0.5, initial=1)'"
    found = observed(f"{rough}, worst: peak(previous(previous(tick.x)))", xs)
    moves = pd.Series(xs).diff().abs().fillna(0.0)
    np.testing.assert_array_equal(found["rough"], pd.Series([1.0, *moves]).ewm(alpha=0.5, adjust=False).mean()[1:])
    twice = pd.Series(xs).shift(1).fillna(xs[0]).shift(1).fillna(xs[0])
    assert found["worst"].tolist() == np.maximum.accumulate(twice).tolist()


@FEW
@given(series)
def test_a_memory_in_a_branch_not_taken_still_advances(xs: list[float]) -> None:
    found = observed(
        "top: peak(tick.x) if tick.x > 50 else 0, both: 'tick.x > 50 and streak(tick.x < 99, max=100) > 2'", xs
    )
    tops = np.maximum.accumulate(xs)
    assert found["top"].tolist() == [top if x > 50 else 0.0 for top, x in zip(tops, xs, strict=True)]
    below = pd.Series(xs) < 99
    run = below.groupby((~below).cumsum()).cumsum()
    assert found["both"].tolist() == [x > 50 and bool(n > 2) for n, x in zip(run, xs, strict=True)]


@FEW
@given(series)
def test_memory_of_a_line_above_is_of_its_value_now(xs: list[float]) -> None:
    found = observed("twice: 2 * tick.x, last: previous(twice), rise: twice - last", xs)
    assert found["rise"].tolist() == pd.Series(xs).mul(2).diff().fillna(0.0).tolist()


def test_two_spellings_of_one_memory_agree_and_a_let_is_one() -> None:
    text = SERIES.replace("{LINES}", "{one: previous(tick.x) + 0, two: before_x * 1}").replace(
        "observe:", "let: {before_x: previous(tick.x)}\nobserve:"
    )
    machine = twins(text)
    for time, x in enumerate((1.0, 4.0, 9.0)):
        machine.send("tick", time, x=x)
        assert machine.value("one") == machine.value("two")
    assert machine.value("one") == 4


def test_a_failing_observation_advances_no_memory_and_no_clock_of_elapsed() -> None:
    machine = twins(SERIES.replace("{LINES}", "{gap: elapsed(tick), last: previous(tick.x), inverse: 1 / tick.x}"))
    machine.send("tick", 0, x=2.0)
    machine.send("tick", 3 * SECOND, x=0.0)
    assert (machine.value("last"), machine.value("gap")) == (2, 0)
    machine.send("tick", 5 * SECOND, x=4.0)
    assert (machine.value("last"), machine.value("gap")) == (2, 5)


def test_an_observed_name_with_a_cell_of_its_own_reads_its_last_value() -> None:
    text = SERIES.replace("state: {", "state: {total: {initial: 10}, ").replace("{LINES}", "{total: total + tick.x}")
    machine = twins(text)
    for time, x in enumerate((1.0, 2.0, 3.0)):
        machine.send("tick", time, x=x)
    assert machine.value("total") == 16


# ---------------------------------------------------------------------------------------------------- since

SINCE = """
hedgerow: 1
name: since
events: {go: {}, read: {}, back: {}, away: {}}
state: {seen: {unit: s, initial: -1}, within: {unit: s, initial: -1}, at_entry: {unit: s, initial: -1}}
machine:
  initial: a
  states:
    a:
      entry: {set: {at_entry: since(fire)}}
      on:
        go: {name: fire, do: {set: {within: since(fire)}}}
        read: {name: look, do: {set: {seen: since(fire)}}}
        away: {to: b}
        back: {to: a}
    b: {on: {back: {to: a}, read: {do: {set: {seen: since(fire)}}}}}
"""


@pytest.mark.parametrize("start", [0, -5 * SECOND, 1_700_000_000 * SECOND])
def test_since_is_the_time_since_the_firing_or_the_entry_whichever_is_later(start: int) -> None:
    machine = twins(SINCE)

    def since(event: str, seconds: int, cell: str = "seen") -> object:
        machine.send(event, start + seconds * SECOND)
        return machine.value(cell)

    assert since("read", 0) == 0
    assert since("read", 10) == 10  # since the first entry
    assert since("go", 12, "within") == 12  # in its own action: the firing before, of which there is none
    assert since("read", 15) == 3
    assert since("go", 20, "within") == 8
    since("away", 30)
    assert since("read", 33) == 13  # outside of its state it goes on
    assert since("back", 40, "at_entry") == 0  # stamped before the entry steps
    assert since("read", 41) == 1
    since("back", 50)  # a self transition enters the state again
    assert since("read", 57) == 7


def test_a_transition_that_was_dropped_leaves_since_alone() -> None:
    machine = twins(SINCE.replace("{set: {within: since(fire)}}", "{set: {within: 1s * (1s / since(fire))}}"))
    machine.send("read", 0)
    assert machine.send("go", 0).errors  # since is 0
    machine.send("read", 4 * SECOND)
    assert machine.value("seen") == 4
