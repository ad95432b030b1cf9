"""What a machine of a world asks: a function whose answers nobody can compute again, and that fails now and then."""

from __future__ import annotations

from random import Random

__all__ = ["draw_from", "measured"]

_DRAWS = [Random(0)]


def draw_from(draws: Random) -> None:
    """Let the answers be those of a world."""
    _DRAWS[0] = draws


def measured(*, amount: float) -> float:
    """Return some part of an amount."""
    share = _DRAWS[0].random()
    if share < 0.1:
        raise ValueError("nobody answers")
    return amount * share
