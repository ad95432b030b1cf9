"""Kinds of days, from the price alone."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest

from hedgerow.models.regimes import day_labels


def walk(n: int, seed: int) -> np.ndarray:
    return 100 * np.exp(np.cumsum(np.random.default_rng(seed).normal(0, 0.01, n)))


def test_each_day_after_the_window_has_one_volatility_and_one_direction() -> None:
    labels = day_labels(walk(500, 0), window=20)
    volatility = np.stack([labels[name] for name in ("calm", "middle", "turbulent")])
    assert volatility.sum(axis=0).tolist() == [0] * 20 + [1] * 480
    assert (labels["rising"].astype(int) + labels["falling"]).tolist() == [0] * 20 + [1] * 480


def test_the_volatilities_are_terciles() -> None:
    labels = day_labels(walk(500, 1), window=20)
    assert [int(labels[name].sum()) for name in ("calm", "middle", "turbulent")] == [160, 160, 160]


def test_labels_are_what_a_look_at_each_day_says() -> None:
    price, window = walk(60, 2), 5
    labels = day_labels(price, window=window, stress=0.1)
    returns = [math.log(b / a) for a, b in pairwise(price)]
    past = {day: math.sqrt(math.fsum(r * r for r in returns[day - window : day]) / window) for day in range(window, 60)}
    order = sorted(past, key=lambda day: past[day])
    assert {int(day) for day in np.flatnonzero(labels["calm"])} <= set(order[:19])
    assert {int(day) for day in np.flatnonzero(labels["turbulent"])} <= set(order[-19:])
    assert np.flatnonzero(labels["rising"]).tolist() == [d for d in range(window, 60) if price[d] >= price[d - window]]
    worst = sorted(range(1, 60), key=lambda day: returns[day - 1])[:6]
    assert np.flatnonzero(labels["stress"]).tolist() == sorted(worst)


def test_a_rough_half_is_the_turbulent_one() -> None:
    shocks = np.random.default_rng(3).normal(size=400) * np.repeat([0.001, 0.02], 200)
    labels = day_labels(100 * np.exp(np.cumsum(shocks)), window=10)
    assert not labels["turbulent"][:200].any()
    assert not labels["calm"][210:].any()


def test_a_price_that_stands_still_is_calm_and_not_falling() -> None:
    labels = day_labels(np.full(30, 7.0), window=5)
    assert labels["calm"].tolist() == labels["rising"].tolist() == [False] * 5 + [True] * 25


@pytest.mark.parametrize("factor", [0.5, 8])
def test_labels_do_not_know_the_currency(factor: float) -> None:
    price = walk(100, 4)
    one, other = day_labels(price), day_labels(factor * price)
    assert {name: mask.tolist() for name, mask in one.items()} == {name: mask.tolist() for name, mask in other.items()}


def test_a_straight_line_is_rising_and_has_one_stress_day_at_least() -> None:
    labels = day_labels(np.arange(1.0, 31.0), window=5, stress=0.001)
    assert not labels["falling"].any()
    assert np.flatnonzero(labels["stress"]).tolist() == [29]  # the smallest gain


@pytest.mark.parametrize(
    ("price", "options", "message"),
    [
        (np.ones(10), {}, "price must hold at least 23 values, got 10"),
        (np.r_[np.ones(30), 0.0], {}, "price must be above 0, got 0.0"),
        (np.r_[np.ones(30), math.nan], {}, "price must be finite"),
        (np.ones(30), {"window": 1}, "window must be at least 2 days, got 1"),
        (np.ones(30), {"stress": 1.0}, r"stress must be in \(0, 1\), got 1.0"),
    ],
)
def test_bad_prices_are_refused(price: np.ndarray, options: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        day_labels(price, **options)
