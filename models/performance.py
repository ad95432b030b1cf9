"""Performance of a run: what the report says about an equity curve, its trades and its states.

Money comes in and goes out in one unit, time as int64 nanoseconds, never decreasing. Totals are correctly
rounded (`math.fsum`), hence the same in any order and on any processor.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from .risk import conditional_value_at_risk, drawdowns, historical_value_at_risk
from .windows import Window, sample

__all__ = [
    "DAY_NS",
    "LEAST_PERIODS",
    "Drawdown",
    "Interval",
    "Periods",
    "Tail",
    "block_length",
    "bootstrap_total",
    "break_even_fee",
    "max_drawdown",
    "period_pnl",
    "state_shares",
    "state_times_ns",
    "tail",
    "turnover",
]

DAY_NS = 86_400 * 10**9
LEAST_PERIODS = 20
"""Fewer periods than this carry no interval: their dependence cannot be estimated."""

_DRAWS_AT_ONCE = 1 << 20  # 8 MB of block starts, whatever the length of the sample


class Drawdown(NamedTuple):
    """The deepest drawdown: rows `peak` → `trough` → `recovery` (None: not recovered by the end)."""

    depth: float  # share of the peak, ≥ 0
    amount: float  # money between peak and trough, ≥ 0
    peak: int
    trough: int
    recovery: int | None


class Periods(NamedTuple):
    """P&L by period, oldest first; periods without a row are left out."""

    start_ns: npt.NDArray[np.int64]  # (m,) start of each period
    pnl: Window  # (m,) money


class Tail(NamedTuple):
    """The worst periods. Losses are positive money, `worst` is a P&L."""

    worst: float
    worst_start_ns: int
    value_at_risk: float
    conditional_value_at_risk: float
    confidence: float


class Interval(NamedTuple):
    """A bootstrap interval of a total, with all that is needed to draw it again."""

    low: float
    high: float
    total: float
    confidence: float
    block: int
    replications: int
    seed: int

    def excludes(self, value: float) -> bool:
        """Whether `value` lies outside: the total is then distinguishable from it at this confidence."""
        return not self.low <= value <= self.high


def max_drawdown(equity: npt.ArrayLike) -> Drawdown:
    """Return the deepest fall from a running peak, as a share of that peak, and where it was.

    Of equally deep ones the first is named, with the latest row of its peak.

    Args:
        equity: (n,) money, n ≥ 1, first value > 0. Put the capital first if the first row may already be a
            loss.

    Raises:
        ValueError: an empty sample, a NaN or an infinity, or a first value that is not positive.
    """
    values = sample(equity, "equity")
    falls = drawdowns(values)
    trough = int(np.argmax(falls))
    peak = trough - int(np.argmax(values[trough::-1]))
    later = np.flatnonzero(values[trough:] >= values[peak])
    recovery = trough + int(later[0]) if later.size else None
    return Drawdown(float(falls[trough]), float(values[peak] - values[trough]), peak, trough, recovery)


def period_pnl(time_ns: npt.ArrayLike, equity: npt.ArrayLike, initial: float, period_ns: int = DAY_NS) -> Periods:
    """Return the change of equity in each period that has a row; with the default, in each UTC day.

    A period's P&L runs from the last row of the period before it to its own last row, so that the periods sum
    to `equity[-1] − initial`: what happens over a weekend belongs to Monday.

    Args:
        time_ns: (n,) nanoseconds since the epoch, never decreasing.
        equity: (n,) money after each row.
        initial: money before the first row (the capital).
        period_ns: length of a period, counted from the epoch.

    Raises:
        ValueError: no rows, unequal lengths, time that decreases, a NaN or an infinity, or period_ns below 1.
    """
    values = sample(equity, "equity")
    times = _times(time_ns, values.size)
    if period_ns < 1:
        raise ValueError(f"period_ns must be at least 1, got {period_ns}")
    if not math.isfinite(initial):
        raise ValueError(f"initial must be finite, got {initial}")
    periods = times // period_ns
    last = np.append(np.flatnonzero(np.diff(periods)), values.size - 1)
    return Periods(periods[last] * period_ns, np.diff(values[last], prepend=initial))


def tail(periods: Periods, confidence: float = 0.95) -> Tail:
    """Return the worst period (the first of equals), and the value at risk and its conditional mean.

    Raises:
        ValueError: no periods, a NaN or an infinity, or confidence outside (0, 1).

    Source: models/risk.py, with the loss of a period as the negative of its P&L.
    """
    pnl = sample(periods.pnl, "pnl")
    worst = int(np.argmin(pnl))
    return Tail(
        worst=float(pnl[worst]),
        worst_start_ns=int(periods.start_ns[worst]),
        value_at_risk=historical_value_at_risk(-pnl, confidence),
        conditional_value_at_risk=conditional_value_at_risk(-pnl, confidence),
        confidence=confidence,
    )


def block_length(pnl: npt.ArrayLike) -> int:
    """Return the block length that the sample's own autocorrelation asks for in a circular block bootstrap.

    The rule of Politis and White, as corrected: (3 g² n / (2 s²))^⅓ with s the long-run variance and g the
    first moment of the autocovariances, both under a flat-top window that reaches twice as far as the last
    significant autocorrelation; rounded up, between 1 and ⌈min(3√n, n/3)⌉. A constant sample gives 1.

    Args:
        pnl: (n,) P&L by period, n ≥ `LEAST_PERIODS`.

    Raises:
        ValueError: fewer than `LEAST_PERIODS` values, a NaN or an infinity.

    Source: Politis, White (2004), Econometric Reviews 23(1); Patton, Politis, White (2009), Econometric
        Reviews 28(4).
    """
    values = sample(pnl, "pnl", least=LEAST_PERIODS)
    n = values.size
    spread = values - values.mean()
    if not np.ptp(values):
        return 1
    run = max(5, int(math.log10(n)))  # this many insignificant autocorrelations in a row end the search
    reach = math.ceil(math.sqrt(n)) + run
    threshold = 2 * math.sqrt(math.log10(n) / n)
    covariance = np.array([spread[lag:] @ spread[: n - lag] for lag in range(reach + 1)]) / n
    significant = [
        abs(covariance[lag]) * n >= threshold * math.sqrt(_square(spread[lag + 1 :]) * _square(spread[: -(lag + 1)]))
        for lag in range(reach)
    ]
    # INVARIANT: lag 0 is significant (the threshold is below 1 from 20 values on), so a run begins at lag 1
    # or later.
    cut = next((lag for lag in range(reach - run + 1) if not any(significant[lag : lag + run])), None)
    width = reach if cut is None else min(2 * max(cut, 1), reach)
    lags = np.arange(1, width + 1)
    weighted = np.minimum(1.0, 2 * (1 - lags / width)) * covariance[1 : width + 1]
    moment = 2 * float(lags @ weighted)
    variance = float(covariance[0]) + 2 * float(weighted.sum())
    longest = math.ceil(min(3 * math.sqrt(n), n / 3))
    if 1.5 * n * moment**2 >= longest**3 * variance**2:  # so stated, a long-run variance of 0 is no special case
        return longest
    return max(1, math.ceil(math.cbrt(1.5 * n * (moment / variance) ** 2)))


def bootstrap_total(
    pnl: npt.ArrayLike,
    *,
    seed: int,
    confidence: float = 0.95,
    replications: int = 2000,
    block: int | None = None,
) -> Interval:
    """Return the percentile interval of the total P&L under a circular block bootstrap of its periods.

    It answers one question: how far would the total move if the same kinds of days had come in another draw?
    It keeps dependence within a block only, and it does not rerun the strategy: a run through one regime says
    nothing of another, and a strategy that stopped trading half way is not stationary. Read it as a lower
    bound of the doubt.

    Each replication joins n/b blocks of b consecutive periods, their starts drawn evenly from a circle of all
    n, the last block cut so that the length is n. A block's sum comes from cumulative sums, so a replication
    costs n/b reads.

    Args:
        pnl: (n,) P&L by period in money, n ≥ `LEAST_PERIODS`.
        seed: of a PCG64 generator; the same seed gives the same interval.
        confidence: in (0, 1), the interval's level.
        replications: ≥ 100.
        block: periods in a block, in [1, n]; None takes `block_length(pnl)`.

    Raises:
        ValueError: too few periods, a NaN or an infinity, or an argument outside its range.

    Source: Politis, Romano (1992), in Exploring the Limits of Bootstrap. `arch.bootstrap` draws the same law
        (the tests compare them), but importing it takes over a second, a third of what a million ticks may.
    """
    values = sample(pnl, "pnl", least=LEAST_PERIODS)
    n = values.size
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must be in (0, 1), got {confidence}")
    if replications < 100:
        raise ValueError(f"replications must be at least 100, got {replications}")
    length = block_length(values) if block is None else block
    if not 1 <= length <= n:
        raise ValueError(f"block must be in [1, {n}], got {length}")
    total = math.fsum(values)
    centred = values - total / n  # small sums, so that cumulative sums do not cancel
    circle = np.concatenate(([0.0], np.cumsum(np.concatenate((centred, centred[:length])))))
    blocks = math.ceil(n / length)
    lengths = np.full(blocks, length)
    lengths[-1] = n - (blocks - 1) * length
    generator = np.random.Generator(np.random.PCG64(seed))
    totals = np.empty(replications)
    rows = max(1, _DRAWS_AT_ONCE // blocks)
    for first in range(0, replications, rows):
        starts = generator.integers(0, n, size=(min(rows, replications - first), blocks))
        totals[first : first + rows] = (circle[starts + lengths] - circle[starts]).sum(axis=1)
    low, high = total + np.quantile(totals, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Interval(float(low), float(high), total, confidence, length, replications, seed)


def turnover(notionals: npt.ArrayLike) -> float:
    """Return the money traded, buys and sells alike: the sum of |notional| over the fills; 0 without fills.

    Raises:
        ValueError: not one-dimensional, a NaN or an infinity.
    """
    return math.fsum(np.abs(sample(notionals, "notionals", least=0)))


def break_even_fee(pnl_before_fees: float, traded: float) -> float | None:
    """Return the one-way fee, as a share of notional, at which these trades would have earned nothing.

    Below 0 when they lost money before any fee. The trades are held fixed: a strategy whose band depends on
    the fee would have made others.

    Args:
        pnl_before_fees: money, P&L plus the fees that it paid.
        traded: money ≥ 0, see `turnover`.

    Returns:
        A share, or None when nothing was traded.

    Raises:
        ValueError: a NaN, an infinity, or a negative turnover.
    """
    if not (math.isfinite(pnl_before_fees) and 0 <= traded < math.inf):
        raise ValueError(f"the P&L must be finite and the turnover at least 0, got {pnl_before_fees} and {traded}")
    return pnl_before_fees / traded if traded else None


def state_times_ns(time_ns: npt.ArrayLike, state: npt.ArrayLike, states: int) -> npt.NDArray[np.int64]:
    """Return how long each state lasted; a row's state lasts until the next row, the last row's not at all.

    Args:
        time_ns: (n,) nanoseconds, never decreasing.
        state: (n,) index of the state after each row, in [0, states).
        states: number of states of the region, ≥ 1.

    Returns:
        (states,) nanoseconds; they sum to the last time minus the first, exactly.

    Raises:
        ValueError: no rows, unequal lengths, time that decreases, or an index out of range.
    """
    indices = np.asarray(state)
    if indices.ndim != 1 or not np.issubdtype(indices.dtype, np.integer):
        raise ValueError("state must be a one-dimensional array of integers")
    times = _times(time_ns, indices.size)
    if indices.min() < 0 or indices.max() >= states:
        raise ValueError(f"state must be in [0, {states}), got {indices.min()} to {indices.max()}")
    lasted = np.diff(times)
    # Not `bincount` with weights: it adds floats, which stop being exact after 104 days of nanoseconds.
    return np.array([lasted[indices[:-1] == index].sum() for index in range(states)], dtype=np.int64)


def state_shares(time_ns: npt.ArrayLike, state: npt.ArrayLike, states: int) -> Window:
    """Return the share of the time spent in each state, (states,) in [0, 1] with sum 1; see `state_times_ns`.

    Raises:
        ValueError: as `state_times_ns`, and where the rows span no time.
    """
    lasted = state_times_ns(time_ns, state, states)
    span = int(lasted.sum())
    if not span:
        raise ValueError("the rows span no time, so that no share of it can be given")
    shares: Window = lasted / span
    return shares


def _times(time_ns: npt.ArrayLike, n: int) -> npt.NDArray[np.int64]:
    times = np.asarray(time_ns)
    if times.dtype != np.int64:
        raise ValueError(f"time_ns must be int64 nanoseconds, got {times.dtype}")
    if times.shape != (n,) or not n:
        raise ValueError(f"time_ns must have one value a row and at least one row, got {times.shape} for {n} rows")
    if (np.diff(times) < 0).any():
        raise ValueError("time_ns must not decrease")
    return times


def _square(values: Window) -> float:
    return float(values @ values)
