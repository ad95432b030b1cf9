"""What the scenarios ask of their arguments."""

from __future__ import annotations

import math

__all__ = ["above", "count", "deviation", "rate", "within"]

_MOST = 1e3  # 100,000 % a year: no market, and far from where squares and exponentials leave the range of floats


def rate(name: str, value: float) -> None:
    """Refuse what is no rate of growth per year: a NaN, or beyond ±1,000.

    Raises:
        ValueError: with the name and the value.
    """
    within(name, value, -_MOST, _MOST)


def deviation(name: str, value: float, least: float = 0.0) -> None:
    """Refuse what is no volatility: a NaN, below `least` or above 1,000; raises as `rate`."""
    within(name, value, least, _MOST)


def above(name: str, value: float, bound: float = 0.0) -> None:
    """Refuse a NaN, an infinity or a value that is not above `bound`; raises as `rate`."""
    if not bound < value < math.inf:
        raise ValueError(f"{name} must be finite and above {bound:g}, got {value}")


def within(name: str, value: float, low: float, high: float) -> None:
    """Refuse a NaN or a value outside [low, high]; raises as `rate`."""
    if not low <= value <= high:
        raise ValueError(f"{name} must be in [{low:g}, {high:g}], got {value}")


def count(name: str, value: int, least: int = 1) -> None:
    """Refuse fewer than `least`; raises as `rate`."""
    if value < least:
        raise ValueError(f"{name} must be at least {least}, got {value}")
