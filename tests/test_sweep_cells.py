"""A sweep seen from its params: influence, medians, fragile cells, neighbours, and what luck finds."""

from __future__ import annotations

import itertools
import json
import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from hedgerow.engine.sweep.cells import BINS, FRAGILE, axis_of, fragile, heat, influence, line
from hedgerow.engine.sweep.summary import neighbours_of, objective_of, summarise
from hedgerow.engine.sweep.table import Days, SweepTable
from hedgerow.engine.sweep.told import luck_told, rows

Array = npt.NDArray[Any]
X, Y = np.arange(5.0), np.array([1.0, 2.0, 4.0])
XS, YS = np.repeat(X, len(Y)), np.tile(Y, len(X))


def table(
    params: dict[str, Array],
    profit: Array,
    *,
    axes: bool = True,
    books: bool = True,
    days: Days | None = None,
    **columns: Array,
) -> SweepTable:
    """Return a table of made-up results, with what a summary reads."""
    many = len(profit)
    zeros = np.zeros(many)
    made = {
        "set": np.arange(many),
        **params,
        "capital": np.full(many, 1000.0),
        "profit": profit,
        "no_edge": zeros - 1,
        **dict.fromkeys(("fees", "turnover", "drawdown", "cvar"), zeros),
        "day_sd": zeros + 2,
        **{name: np.zeros(many, np.int64) for name in ("orders", "accepted", "refused", "fail_safe", "ended")},
        "days": np.full(many, 100),
        "broken.claim": np.zeros(many, np.int64),
        "fired.up": np.arange(many),
        **columns,
    }
    made["accepted"] = made["accepted"] + 1
    about = {
        "name": "made",
        "about": "",
        "money": "USD",
        "units": {},
        "books": books,
        "data": {"name": "made", "rows": 7, "events": "0", "days": 100},
        "time": {"first_ns": 0, "last_ns": 10**18},
        "sets": {
            "count": many,
            "method": "grid" if axes else "random",
            "seed": None if axes else 0,
            "params": list(params),
        },
        "backend": "live",
        "backend_reason": "",
        "notes": [],
    }
    about["sets"]["grid"] = {name: np.unique(values).tolist() for name, values in params.items()} if axes else {}
    grid = {name: tuple(np.unique(values).tolist()) for name, values in params.items()} if axes else {}
    return SweepTable(made, tuple(params), grid, about, many, False, days)


def on_grid(profit: Array, **columns: Any) -> SweepTable:
    """Return a table over the grid of `XS` and `YS`."""
    return table({"x": XS, "y": YS}, np.asarray(profit, np.float64), **columns)


# --- influence ---


def test_a_param_that_decides_all_explains_all_and_the_other_nothing() -> None:
    assert influence(on_grid(3 * XS), "profit") == {"x": pytest.approx(1.0), "y": pytest.approx(0.0)}


@given(st.floats(-5, 5), st.floats(-5, 5))
def test_the_shares_of_a_sum_add_up_to_one_and_are_its_variances(a: float, b: float) -> None:
    found = influence(on_grid(a * XS + b * YS), "profit")
    variance = {"x": a * a * X.var(), "y": b * b * Y.var()}
    total = sum(variance.values())
    for name, share in found.items():
        assert share == pytest.approx(variance[name] / total if total > 1e-300 else 0.0, abs=1e-9)
    assert list(found.values()) == sorted(found.values(), reverse=True)


def test_what_only_two_params_together_explain_is_in_neither() -> None:
    found = influence(on_grid((XS - X.mean()) * (YS - Y.mean())), "profit")
    assert found == {"x": pytest.approx(0.0), "y": pytest.approx(0.0)}


def test_a_column_that_does_not_vary_is_explained_by_nothing() -> None:
    assert influence(on_grid(np.full(15, 7.0)), "profit") == {"x": 0.0, "y": 0.0}


def test_sets_without_a_result_are_left_out() -> None:
    made = on_grid(XS.copy())
    made.columns["profit"][[0, 5]] = np.nan
    assert influence(made, "profit")["x"] == pytest.approx(1.0)


# --- places and medians ---


def test_a_param_on_a_grid_has_its_values_as_places() -> None:
    axis = axis_of(on_grid(XS.copy()), "y")
    assert axis.labels == ("1", "2", "4")
    assert axis.centres.tolist() == [1.0, 2.0, 4.0]
    assert axis.places.tolist() == [0, 1, 2] * 5


@pytest.mark.parametrize(
    ("many", "params", "bins"), [(14, 1, 3), (30, 2, 3), (40, 1, 8), (245, 2, 7), (245, 1, BINS), (100_000, 2, BINS)]
)
def test_a_param_that_was_drawn_has_stretches_of_equal_width_that_hold_all_sets(
    many: int, params: int, bins: int
) -> None:
    values = np.random.Generator(np.random.PCG64(1)).random(many)
    axis = axis_of(table({"x": values}, values, axes=False), "x", params)
    assert len(axis.labels) == bins
    low, width = values.min(), np.ptp(values) / bins
    assert (axis.places == np.clip((values - low) // width, 0, bins - 1)).mean() > 0.9  # but for rounding at an edge
    np.testing.assert_allclose(np.diff(axis.centres), width)


def test_flags_and_large_numbers_have_names_that_read() -> None:
    made = table({"up": np.array([True, False]), "size": np.array([1_000_000.0, 0.00012345])}, np.arange(2.0))
    assert axis_of(made, "up").labels == ("false", "true")
    assert axis_of(made, "size").labels == ("0.0001234", "1,000,000")


def test_a_map_holds_the_median_of_the_sets_in_each_cell() -> None:
    points = list(itertools.product(X, Y, range(3)))
    xs, ys, zs = (np.array(column, float) for column in zip(*points, strict=True))
    profit = 10 * xs + ys + np.array([0.0, 1.0, 100.0])[zs.astype(int)]
    found = heat(table({"x": xs, "y": ys, "z": zs}, profit), "x", "y", "profit")
    np.testing.assert_array_equal(found.median, 10 * X[None, :] + Y[:, None] + 1)
    assert (found.sets == 3).all()


def test_a_cell_without_sets_is_empty() -> None:
    made = table({"x": np.array([0.0, 1.0]), "y": np.array([0.0, 1.0])}, np.array([5.0, 6.0]))
    found = heat(made, "x", "y", "profit")
    np.testing.assert_array_equal(found.median, [[5, np.nan], [np.nan, 6]])
    assert found.sets.tolist() == [[1, 0], [0, 1]]


def test_a_line_has_the_median_and_the_middle_of_the_sets() -> None:
    points = list(itertools.product([0.0, 1.0], range(11)))
    xs, zs = (np.array(column, float) for column in zip(*points, strict=True))
    found = line(table({"x": xs, "z": zs}, 100 * xs + zs), "x", "profit")
    assert found.median.tolist() == [5, 105]
    assert found.low.tolist() == pytest.approx([1, 101])
    assert found.high.tolist() == pytest.approx([9, 109])


# --- fragile cells ---


def test_a_plain_is_not_fragile_and_a_cliff_is_on_its_upper_side() -> None:
    plain = np.full((3, 4), 5.0)
    assert not fragile(plain).any()
    cliff = np.tile([10.0, 10.0, 1.0, 1.0], (3, 1))
    assert fragile(cliff).tolist() == [[False, True, False, False]] * 3


def test_a_change_of_sign_is_fragile_on_both_sides() -> None:
    assert fragile(np.array([[100.0, 1.0, -1.0, -2.0]])).tolist() == [[True, True, True, False]]


def test_an_empty_cell_is_no_neighbour() -> None:
    assert not fragile(np.array([[1.0, np.nan, -1.0]])).any()
    assert not fragile(np.full((2, 2), np.nan)).any()


@given(
    arrays.arrays(
        np.float64, st.tuples(st.integers(1, 5), st.integers(1, 5)), elements=st.floats(-100, 100) | st.just(math.nan)
    )
)
def test_fragile_cells_are_those_of_the_definition(median: Array) -> None:
    known = median[np.isfinite(median)]
    most = FRAGILE * np.ptp(known) if known.size else 0
    wanted = np.zeros(median.shape, bool)
    for y, x in np.ndindex(median.shape):
        for near in ((y, x - 1), (y, x + 1), (y - 1, x), (y + 1, x)):
            if (
                0 <= near[0] < median.shape[0]
                and 0 <= near[1] < median.shape[1]
                and np.isfinite([median[near], median[y, x]]).all()
            ):
                mine, other = median[y, x], median[near]
                wanted[y, x] |= (mine > 0 > other) or (mine < 0 < other) or mine - other > most
    np.testing.assert_array_equal(fragile(median), wanted)


@given(arrays.arrays(np.float64, (4, 5), elements=st.integers(-50, 50).map(float)), st.sampled_from([0.5, 2.0, 1024.0]))
def test_fragility_does_not_depend_on_the_unit_of_money_or_on_the_way_round(median: Array, scale: float) -> None:
    np.testing.assert_array_equal(fragile(median * scale), fragile(median))
    np.testing.assert_array_equal(fragile(median.T), fragile(median).T)
    np.testing.assert_array_equal(fragile(median[::-1]), fragile(median)[::-1])


# --- the summary ---


def test_the_best_stands_beside_the_median_and_the_worst_of_its_neighbours() -> None:
    made = on_grid(100 - 10 * np.abs(XS - 2) - 7 * np.abs(YS - 2))
    found = summarise(made)
    assert found["best"]["params"] == {"x": 2.0, "y": 2.0}
    assert found["best"]["profit"] == 100
    assert found["best"]["neighbours"] == {"count": 4, "median": 90.0, "worst": 86.0}
    assert (found["worst"]["params"], found["worst"]["profit"]) == ({"x": 0.0, "y": 4.0}, 66)
    assert found["median"] == float(np.median(made.column("profit")))
    json.dumps(found, allow_nan=False)


def test_sets_without_a_result_are_counted_and_are_neither_best_nor_worst() -> None:
    made = on_grid(XS.copy(), accepted=np.array([-1, *[0] * 14]))
    made.columns["profit"][0] = np.nan
    found = summarise(made)
    assert found["accepted_none"] == 1
    assert (found["best"]["profit"], found["worst"]["profit"]) == (4, 0)
    assert neighbours_of(made, 1, made.column("profit")) == {"count": 2, "median": 0.5, "worst": 0.0}


def test_a_sweep_without_any_result_has_a_summary() -> None:
    made = on_grid(np.full(15, math.nan))
    found = summarise(made)
    assert found["best"] is None
    assert found["median"] is None
    assert rows(found)
    json.dumps(found, allow_nan=False)


def test_sets_that_beat_their_costs_are_counted() -> None:
    found = summarise(on_grid(XS - 2, no_edge=np.full(15, -0.5)))
    assert found["beat_no_edge"] == 9


def test_one_set_alone_has_no_neighbours_and_no_luck() -> None:
    found = summarise(table({"x": np.array([1.0])}, np.array([5.0])))
    assert found["best"]["neighbours"] is None
    assert found["luck"] is None
    assert luck_told(found) == ""
    assert ("its neighbours", "none") in rows(found)


def test_sets_drawn_twice_have_no_neighbours() -> None:
    found = summarise(table({"x": np.array([1.0, 1.0, 2.0])}, np.array([5.0, 5.0, 4.0]), axes=False))
    assert found["best"]["neighbours"] is None


def test_a_spec_without_money_is_judged_by_what_varies_first() -> None:
    made = on_grid(np.full(15, math.nan), books=False)
    assert objective_of(made) == "fired.up"
    found = summarise(made)
    assert (found["objective"], found["best"]["fired.up"]) == ("fired.up", 14.0)
    assert found["beat_no_edge"] is None


def test_luck_is_what_the_best_of_so_many_coin_tossers_finds() -> None:
    # Independent sets of 100 days, each day ±2 without an edge: the mean of the best of 15 over many such sweeps.
    generator = np.random.Generator(np.random.PCG64(7))
    totals = (2 * generator.standard_normal((4000, 15, 100))).sum(axis=2)
    luck = summarise(on_grid(XS.copy()))["luck"]
    assert luck["spread"] == 20.0
    assert luck["expected"]["all"] == pytest.approx(totals.max(axis=1).mean(), rel=0.03)
    assert luck["ahead"] == 5.0


def test_sets_that_trade_alike_count_once() -> None:
    generator = np.random.Generator(np.random.PCG64(8))
    common = generator.standard_normal(100)
    apart = generator.standard_normal((15, 100))
    for pnl, least, most in ((np.tile(common, (15, 1)), 1, 1.01), (apart, 14, 15.5)):
        books = 1000 + np.cumsum(pnl, axis=1)
        luck = summarise(on_grid(XS.copy(), days=Days(np.arange(100), books, np.zeros((15, 100)))))["luck"]
        assert least <= luck["effective"] <= most
        assert luck["expected"]["effective"] <= luck["expected"]["all"] * 1.01


def test_broken_invariants_are_told_by_the_number_of_sets() -> None:
    made = on_grid(XS.copy(), **{"broken.claim": np.array([3, 0, 1, *[0] * 12])})
    assert made.broken == {"claim": 2}
    assert not made.held
    assert ("invariants", "broken: claim in 2 sets") in rows(summarise(made))
