"""Regimes: a market that flips between calm and storm, each with its own volatility and drift."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from .arguments import above, count, deviation, rate
from .brownian import prices_of
from .grid import Grid

__all__ = ["Regime", "regime_flip", "stormy_steps"]


class Regime(NamedTuple):
    """One of the two: σ per √year, ≥ 0; μ per year; the mean time that it lasts, in years, > 0."""

    volatility: float
    drift: float
    stay: float


def stormy_steps(
    grid: Grid, generator: np.random.Generator, *, calm_stay: float, stormy_stay: float, paths: int = 1
) -> npt.NDArray[np.bool_]:
    """Return (paths, steps) whether each step is stormy: a two-state Markov chain in continuous time, seen at the grid.

    With λ_c = 1 / calm_stay and λ_s = 1 / stormy_stay, the state at the beginning of a step is stormy with the chance
    π = λ_c / (λ_c + λ_s), and calm turns stormy over a step with the chance π (1 − e^(−(λ_c + λ_s) Δ)), stormy calm with
    (1 − π) (1 − e^(−(λ_c + λ_s) Δ)). Seen at the grid the chain is exact; a step belongs to the state that it begins in,
    so flips within a step are not seen.

    Draws, path by path, a uniform for the first state and pairs of geometric numbers of steps until the path is full.

    Args:
        grid: the times.
        generator: of `streams.stream`, or any other.
        calm_stay: years that calm lasts on average, > 0.
        stormy_stay: years that a storm lasts on average, > 0.
        paths: ≥ 1.

    Raises:
        ValueError: an argument outside its range.

    Source: Hamilton (1989), Econometrica 57(2), for regimes in discrete time; Norris (1997), Markov Chains, example 2.1.1,
        for the chances of a two-state chain.
    """
    above("calm_stay", calm_stay)
    above("stormy_stay", stormy_stay)
    count("paths", paths)
    share = stormy_stay / (calm_stay + stormy_stay)
    mixing = -math.expm1(-(1 / calm_stay + 1 / stormy_stay) * grid.step_years)
    leave = np.array([share * mixing, (1 - share) * mixing])  # calm, stormy
    above("the chance of a flip", float(leave.min()))
    flags = np.empty((paths, grid.steps), dtype=np.bool_)
    for path in range(paths):
        first = int(generator.random() < share)
        chances = leave[[first, 1 - first]]
        lengths = np.zeros(0, dtype=np.int64)
        while (left := grid.steps - int(lengths.sum())) > 0:
            pairs = math.ceil(left / float((1 / chances).sum())) + 16
            drawn = generator.geometric(chances, (pairs, 2)).ravel()
            lengths = np.concatenate((lengths, np.minimum(drawn, grid.steps)))
        states = (first + np.arange(lengths.size)) % 2 == 1
        flags[path] = np.repeat(states, lengths)[: grid.steps]
    return flags


def regime_flip(
    grid: Grid, generator: np.random.Generator, *, start: float, calm: Regime, stormy: Regime, paths: int = 1
) -> npt.NDArray[np.float64]:
    """Return prices (paths, n) whose log moves by (μ − σ²/2) Δ + σ √Δ Z with μ and σ of the step's regime.

    Draws as `stormy_steps`, then (paths, steps) normals.

    Args:
        grid: the times.
        generator: of `streams.stream`, or any other.
        start: the first price, > 0.
        calm: the one regime.
        stormy: the other; nothing asks that it be the wilder one.
        paths: ≥ 1.

    Raises:
        ValueError: an argument outside its range, or a price that leaves the range of floats.

    Source: as `stormy_steps`.
    """
    for name, regime in (("calm", calm), ("stormy", stormy)):
        deviation(f"the volatility of {name}", regime.volatility)
        rate(f"the drift of {name}", regime.drift)
    step = grid.step_years
    in_storm = stormy_steps(grid, generator, calm_stay=calm.stay, stormy_stay=stormy.stay, paths=paths)
    volatility = np.where(in_storm, stormy.volatility, calm.volatility)
    drift = np.where(in_storm, stormy.drift, calm.drift)
    shocks = generator.standard_normal(in_storm.shape)
    logs = np.zeros((paths, grid.steps + 1))
    np.cumsum((drift - volatility**2 / 2) * step + volatility * math.sqrt(step) * shocks, axis=1, out=logs[:, 1:])
    return prices_of(start, logs)
