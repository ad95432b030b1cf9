"""Slow studies: what the band-limited hedge earns and loses on simulated prices, against the figures of its design.

The figures (fee 5 bp, k = 8, β = 1, α = .05, 1 M USD a leg, no slippage, tau_max = 30 d, gamma1 = 1): Ornstein–Uhlenbeck
with a half-life of 20 days at 5-minute steps over a year, +7.6 k ± 0.2 k; a martingale, −2.2 k ± 1.0 k against fees of
3.2 k; +20 % a year for five years at daily steps with the exposure limits lifted, −200 k ± 25 k. A path's volatility is
20 % a year. CI runs them at a small size; HEDGEROW_STUDY_PATHS sets another.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from scipy.signal import lfilter

import hedgerow

SPEC = Path(__file__).parent.parent / "specs" / "band_limited_hedge.yaml"
PATHS = int(os.environ.get("HEDGEROW_STUDY_PATHS", "40"))
VOLATILITY = 0.2
FIVE_MINUTES, DAY = 300 * 10**9, 86_400 * 10**9

pytestmark = pytest.mark.slow


def study(logs: npt.NDArray[np.float64], step_ns: int, **parameters: float) -> tuple[float, float, float]:
    """Return the mean P&L over paths of log prices, its standard error, and the mean of the fees, in USD."""
    compiled = hedgerow.load(SPEC).compile(slippage=0, tau_max="30d", gamma1=1, **parameters)
    profits, fees = [], []
    for path in logs:
        machine = compiled.machine()
        tick = machine.port("tick")
        for index, price in enumerate((100 * np.exp(path)).tolist()):
            tick(index * step_ns, price)
        values = dict(zip(compiled.columns, machine.observation(), strict=True))
        net = float(values["long.quantity"]) - float(values["short.quantity"])
        profits.append(float(values["cash"]) + net * float(values["index.price"]) - 1e6)
        fees.append(float(values["fees"]))
    return float(np.mean(profits)), float(np.std(profits, ddof=1) / np.sqrt(len(profits))), float(np.mean(fees))


def shocks(seed: int, steps: int) -> npt.NDArray[np.float64]:
    return np.random.Generator(np.random.PCG64(seed)).standard_normal((PATHS, steps))


def test_mean_reversion_earns_what_the_design_says() -> None:
    steps = 252 * 78
    decay = 0.5 ** (1 / (20 * 78))
    scale = VOLATILITY / np.sqrt(steps) * np.sqrt((1 - decay**2) / (-2 * np.log(decay)))
    profit, error, _ = study(lfilter([scale], [1, -decay], shocks(1, steps), axis=1), FIVE_MINUTES)
    assert abs(profit - 7_600) <= 200 + 3 * error


def test_a_martingale_loses_its_fees() -> None:
    steps = 252 * 78
    moves = VOLATILITY / np.sqrt(steps) * shocks(2, steps) - VOLATILITY**2 / (2 * steps)
    profit, error, fees = study(np.cumsum(moves, axis=1), FIVE_MINUTES)
    assert abs(fees - 3_200) <= 320
    assert abs(profit - -2_200) <= 1_000 + 3 * error
    assert abs(profit - -fees) <= 3 * error


def test_a_trend_loses_about_with_the_square_of_the_move() -> None:
    years, steps = 5, 5 * 252
    moves = VOLATILITY / np.sqrt(252) * shocks(3, steps) + 0.2 * years / steps - VOLATILITY**2 / (2 * 252)
    profit, error, _ = study(np.cumsum(moves, axis=1), DAY, net_max=1e10, gross_max=1e10)
    assert abs(profit - -200_000) <= 25_000 + 3 * error
    assert profit + 3 * error < 0
