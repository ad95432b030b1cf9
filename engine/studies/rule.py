"""The band-limited rule in NumPy, over many paths at once: written from the rule's text, apart from the engine.

It shares nothing with the spec, its compiler or its backends, so that a study can lay its results beside theirs. It
knows the rule of state `active` only, without limits, pauses and exits:

    trigger   |P − A| ≥ b·min(P, A)                        A the anchor, b the band
    bite      β·s·q_w,  s = |P − A|/max(P, A)              q_w the leg that gained
    legs      q_w ← q_w − (1+α)/2·bite,  q_l ← q_l + (1−3α)/2·bite,  A ← P
    fees      fee·P·(|Δq_w| + |Δq_l|), slippage likewise
    P&L       Σ net·ΔP − fees − slippage
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["Followed", "follow"]

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Followed:
    """One row a path, (paths,) each; money, quantities and counts as in `Outcomes`.

    Fields:
        compensator: Σ net·E[ΔP], what the net position was expected to earn, tick by tick; 0 where no drift was given.
        recentred: Σ ln(P/A)·shock over the ticks, of mean 0 for independent shocks of mean 0.
        distance: ln(P/A) at the end.
    """

    triggers: npt.NDArray[np.int64]
    profit: Array
    fees: Array
    slippage: Array
    harvest: Array
    long: Array
    short: Array
    compensator: Array
    recentred: Array
    distance: Array


def follow(
    prices: Array,
    *,
    band: float,
    alpha: float,
    beta: float,
    fee: float,
    slippage: float,
    stake: float,
    expected: Array | None = None,
    shocks: Array | None = None,
) -> Followed:
    """Return what the rule does on each path.

    Args:
        prices: (paths, n) marks > 0; both legs are opened at the first one.
        band: half-width as a share, > 0.
        alpha: share of the profit that repairs the losing leg.
        beta: share of the profit that is realised.
        fee: one-way, a share of the notional.
        slippage: likewise.
        stake: notional of each leg at the start, in money.
        expected: (paths, n − 1) expected change of the price from each tick to the next, given the tick.
        shocks: (paths, n − 1) what each change of the price was driven by.
    """
    count, size = prices.shape
    marks = np.ascontiguousarray(prices.T)
    anchor = marks[0].copy()
    long = stake / anchor
    short = stake / anchor
    triggers = np.zeros(count, np.int64)
    gained, fees, lost, harvest, compensator, recentred = (np.zeros(count) for _ in range(6))
    for index in range(size):
        price = marks[index]
        out = np.flatnonzero(np.abs(price - anchor) >= band * np.minimum(price, anchor))
        if out.size:
            mark, before = price[out], anchor[out]
            up = mark > before
            moved = np.abs(mark - before)
            step = moved / np.maximum(mark, before)
            bite = beta * step * np.where(up, long[out], short[out])
            closed, opened = (1 + alpha) / 2 * bite, (1 - 3 * alpha) / 2 * bite
            long[out] += np.where(up, -closed, opened)
            short[out] += np.where(up, opened, -closed)
            notional = (closed + np.abs(opened)) * mark
            fees[out] += fee * notional
            lost[out] += slippage * notional
            harvest[out] += (1 - alpha) / 2 * bite * moved
            triggers[out] += 1
            anchor[out] = mark
        if index + 1 < size:
            net = long - short
            gained += net * (marks[index + 1] - price)
            if expected is not None:
                compensator += net * expected[:, index]
            if shocks is not None:
                recentred += np.log(price / anchor) * shocks[:, index]
    return Followed(
        triggers,
        gained - fees - lost,
        fees,
        lost,
        harvest,
        long,
        short,
        compensator,
        recentred,
        np.log(marks[-1] / anchor),
    )
