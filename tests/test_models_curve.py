"""The monotone curve and hedge sizing, with SciPy's `PchipInterpolator` as the independent reference."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.interpolate import PchipInterpolator

from hedgerow.models.curve import MonotoneCurve
from hedgerow.models.sizing import CURVES, hedge_share, liquidity_weight

hundredths = st.integers(0, 100)
knot_sets = st.lists(hundredths, min_size=2, max_size=12, unique=True).flatmap(
    lambda scores: st.lists(hundredths, min_size=len(scores), max_size=len(scores)).map(
        lambda hedges: [(score / 100, hedge / 100) for score, hedge in zip(sorted(scores), sorted(hedges), strict=True)]
    )
)


def grid(curve: MonotoneCurve, points: int = 257) -> np.ndarray:
    inner = np.linspace(curve.knots[0][0], curve.knots[-1][0], points)
    return np.union1d(inner, [score for score, _ in curve.knots])


@given(knot_sets)
def test_a_curve_equals_scipys_pchip(knots: list[tuple[float, float]]) -> None:
    curve = MonotoneCurve(knots)
    scores = grid(curve)
    expected = PchipInterpolator(*zip(*knots, strict=True))(scores)
    assert np.abs([curve(score) for score in scores] - expected).max() <= 1e-15


@pytest.mark.parametrize("name", CURVES)
def test_a_named_curve_equals_scipys_pchip_everywhere(name: str) -> None:
    scores = grid(CURVES[name], 5001)
    expected = PchipInterpolator(*zip(*CURVES[name].knots, strict=True))(scores)
    assert np.abs([CURVES[name](score) for score in scores] - expected).max() <= 1e-15


@given(knot_sets)
def test_a_curve_never_falls_and_stays_between_its_knots(knots: list[tuple[float, float]]) -> None:
    curve = MonotoneCurve(knots)
    hedges = np.array([curve(score) for score in grid(curve)])
    assert np.diff(hedges).min() >= -1e-15
    assert knots[0][1] - 1e-15 <= hedges.min()
    assert hedges.max() <= knots[-1][1] + 1e-15


@given(knot_sets)
def test_a_curve_passes_through_its_knots(knots: list[tuple[float, float]]) -> None:
    curve = MonotoneCurve(knots)
    assert [curve(score) for score, _ in knots] == pytest.approx([hedge for _, hedge in knots], abs=1e-15)


def test_two_knots_make_a_straight_line() -> None:
    curve = MonotoneCurve([(0.25, 0.5), (0.75, 1.0)])
    assert [curve(0.25), curve(0.5), curve(0.75)] == [0.5, 0.75, 1.0]


def test_the_knots_are_those_of_the_note() -> None:
    sentiment = ((0, 0.05), (0.3, 0.25), (0.7, 0.75), (1, 1))
    assert {name: curve.knots for name, curve in CURVES.items()} == {
        "default": sentiment,
        "sentiment": sentiment,
        "volatility": ((0, 0.10), (0.4, 0.30), (0.8, 0.80), (1, 1)),
        "momentum": ((0, 0), (0.5, 0.20), (0.9, 0.60), (1, 0.90)),
        "funding": ((0, 0.05), (0.3, 0.15), (0.6, 0.50), (1, 1)),
    }


@pytest.mark.parametrize(
    ("knots", "message"),
    [
        ([(0, 0)], "a curve needs at least 2 knots, got 1"),
        ([(0, 0), (0, 1)], "scores must strictly increase, got 0.0 then 0.0"),
        ([(0.5, 0), (0.2, 1)], "scores must strictly increase, got 0.5 then 0.2"),
        ([(0, 0.5), (1, 0.4)], "hedges must not decrease, got 0.5 then 0.4"),
        ([(0, 0), (1.5, 1)], r"knots must be in \[0, 1\], got \(1.5, 1.0\)"),
        ([(0, -0.1), (1, 1)], r"knots must be in \[0, 1\], got \(0.0, -0.1\)"),
        ([(0, 0), (math.nan, 1)], r"knots must be in \[0, 1\], got \(nan, 1.0\)"),
        ([(0, 0), (5e-324, 0.5), (1, 1)], "knots are too close for a slope, after score 0.0"),
    ],
)
def test_bad_knots_are_refused(knots: list[tuple[float, float]], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        MonotoneCurve(knots)


@pytest.mark.parametrize("score", [0.1999, 0.8001, math.nan, -math.inf])
def test_a_curve_does_not_extrapolate(score: float) -> None:
    curve = MonotoneCurve([(0.2, 0.1), (0.8, 0.9)])
    with pytest.raises(ValueError, match=r"score must be in \[0.2, 0.8\], got"):
        curve(score)


def test_the_liquidity_weight_is_nearly_inert() -> None:
    assert round(liquidity_weight(10_000, 10_000_000), 2) == 0.57
    assert round(liquidity_weight(100, 10_000_000), 2) == 0.29


@given(st.floats(0, 1e12), st.floats(0, 1e12), st.floats(1e-3, 1e12))
def test_the_liquidity_weight_rises_with_depth_from_zero_to_one(first: float, second: float, most: float) -> None:
    thin, deep = sorted((first, second))
    assert 0 == liquidity_weight(0, most) <= liquidity_weight(thin, most) <= liquidity_weight(deep, most) <= 1
    assert liquidity_weight(max(deep, most), most) == 1


@pytest.mark.parametrize("depth", [-1.0, -1e-300, math.nan, math.inf])
def test_a_bad_depth_is_refused(depth: float) -> None:
    with pytest.raises(ValueError, match="depth must be finite and at least 0, got"):
        liquidity_weight(depth, 1.0)


@pytest.mark.parametrize("most", [0.0, -1.0, math.nan, math.inf])
def test_a_bad_greatest_depth_is_refused(most: float) -> None:
    with pytest.raises(ValueError, match="max_depth must be finite and above 0, got"):
        liquidity_weight(1.0, most)


@pytest.mark.parametrize("name", CURVES)
@given(score=st.floats(0, 1), weight=st.floats(0, 1), maximum=st.floats(0, 1))
def test_a_hedge_is_the_curve_at_the_weighted_score_up_to_the_maximum(
    name: str, score: float, weight: float, maximum: float
) -> None:
    reference = PchipInterpolator(*zip(*CURVES[name].knots, strict=True))
    share = hedge_share(CURVES[name], score, weight, maximum)
    assert share == pytest.approx(min(float(reference(score * weight)), maximum), abs=1e-15)
    assert 0 <= share <= maximum


@pytest.mark.parametrize("bad", [1.01, -0.01, math.nan, math.inf])
@pytest.mark.parametrize("name", ["score", "weight", "maximum"])
def test_an_argument_outside_the_unit_interval_is_refused_and_not_clipped(name: str, bad: float) -> None:
    arguments = {"score": 0.5, "weight": 0.5, "maximum": 0.5} | {name: bad}
    with pytest.raises(ValueError, match=rf"{name} must be in \[0, 1\], got {bad}"):
        hedge_share(CURVES["default"], **arguments)
