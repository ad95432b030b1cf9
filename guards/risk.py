"""Risk limits."""

from __future__ import annotations

import math
from typing import Annotated, Literal, NamedTuple

from ..models.risk import historical_value_at_risk, normal_value_at_risk
from ..models.windows import Window

__all__ = ["Method", "ValueAtRisk", "value_at_risk_within"]

Method = Literal["historical", "normal"]


class ValueAtRisk(NamedTuple):
    """Whether the value at risk is within its limit, and what it is; a loss is positive."""

    ok: bool
    value: Annotated[float, "M"]


def value_at_risk_within(
    *,
    returns: Window,
    equity: Annotated[float, "M"],
    limit: Annotated[float, "M"],
    confidence: float = 0.99,
    horizon: int = 1,
    method: Method = "historical",
) -> ValueAtRisk:
    """Check that the equity's value at risk over the horizon is at most the limit.

    `historical` takes the ⌈confidence · n⌉-th smallest loss of the window, always one that happened. `normal`
    takes the normal law with the window's mean and standard deviation (n − 1), which understates fat tails.
    Both assume that the book earns the window's returns on all its equity: feed returns of the equity, not of
    the underlying.

    Args:
        returns: (n,) returns of one period each as shares, n ≥ 1 (`normal`: n ≥ 2). With n < 1 / (1 −
            confidence) `historical` is the worst return: 250 values say little about 0.999.
        equity: money > 0.
        limit: money ≥ 0.
        confidence: in (0, 1).
        horizon: periods, ≥ 1; `normal` scales the mean by it and the deviation by its root, as for
            independent returns. `historical` has no honest scaling and refuses more than 1.
        method: `historical` or `normal`.

    Returns:
        ok, whether value ≤ limit; value, the loss in money, negative where even this quantile is a gain.

    Raises:
        ValueError: a NaN, an argument outside its range, or `historical` with a horizon above 1.

    Source: McNeil, Frey, Embrechts (2015), Quantitative Risk Management, chapter 2.
    """
    if not 0 < equity < math.inf:
        raise ValueError(f"equity must be finite and above 0, got {equity}")
    if not 0 <= limit < math.inf:
        raise ValueError(f"limit must be finite and at least 0, got {limit}")
    match method:
        case "historical":
            if horizon != 1:
                raise ValueError(f"historical value at risk has no scaling over periods, got horizon {horizon}")
            share = historical_value_at_risk(-returns, confidence)
        case "normal":
            share = normal_value_at_risk(-returns, confidence, horizon)
        case _:
            raise ValueError(f"unknown method `{method}`, expected historical or normal")
    value = share * equity
    return ValueAtRisk(value <= limit, value)
