"""What kind of day it was, from the price alone: calm or turbulent, rising or falling, or one of the worst.

For splitting a P&L by kind of day after the fact. The thresholds come from the whole path, so nothing that
decides may read them.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .windows import sample

__all__ = ["day_labels"]

Mask = npt.NDArray[np.bool_]


def day_labels(price: npt.ArrayLike, window: int = 20, stress: float = 0.05) -> dict[str, Mask]:
    """Return which days are of which kind.

    `calm`, `middle` and `turbulent` are the terciles of the realised volatility √(mean of squared log returns) of
    the `window` days up to and including the day; `rising` and `falling` say whether the price is at or above what
    it was `window` days before. The first `window` days are of none of these kinds. `stress` are the days of the
    lowest log returns, one at least; the first of equals.

    Args:
        price: (days,) the last price of each day, > 0; days ≥ window + 3.
        window: days, ≥ 2.
        stress: share of the days, in (0, 1).

    Returns:
        Name → (days,) mask.

    Raises:
        ValueError: too few prices, one that is not positive and finite, or an argument outside its range.
    """
    if window < 2:
        raise ValueError(f"window must be at least 2 days, got {window}")
    if not 0 < stress < 1:
        raise ValueError(f"stress must be in (0, 1), got {stress}")
    values = sample(price, "price", least=window + 3)
    if values.min() <= 0:
        raise ValueError(f"price must be above 0, got {values.min()}")
    returns = np.diff(np.log(values))
    squares = np.lib.stride_tricks.sliding_window_view(returns**2, window)
    volatility = np.sqrt(squares.mean(axis=1))  # of days window, window + 1, …
    low, high = np.quantile(volatility, [1 / 3, 2 / 3])
    calm, turbulent = volatility <= low, volatility > high
    rising = values[window:] >= values[:-window]
    worst = np.zeros(values.size, dtype=np.bool_)
    worst[1 + np.argsort(returns, kind="stable")[: max(1, round(stress * returns.size))]] = True
    early = np.zeros(window, dtype=np.bool_)
    labels = {
        "calm": calm,
        "middle": ~calm & ~turbulent,
        "turbulent": turbulent,
        "rising": rising,
        "falling": ~rising,
    }
    return {name: np.concatenate((early, mask)) for name, mask in labels.items()} | {"stress": worst}
