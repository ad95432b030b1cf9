"""Resampling: blocks of a real series' log returns, joined to a new path."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
import numpy.typing as npt

from ..performance import block_length
from ..windows import sample
from .arguments import above, count, within
from .brownian import prices_of
from .grid import Grid

__all__ = ["Blocks", "block_bootstrap", "rows_of_blocks", "usual_block"]

Blocks = Literal["stationary", "moving"]


def usual_block(log_returns: npt.ArrayLike, blocks: Blocks = "stationary") -> float:
    """Return the block length that the dependence of the absolute returns asks for, ≥ 1.

    The rule of Politis and White on |returns|: returns themselves hardly depend on each other, and a rule that looked at
    them would cut the clusters of volatility to pieces. For stationary blocks it is (2/3)^⅓ of that for blocks of a fixed
    length.

    Args:
        log_returns: (m,) of the series, m ≥ 20.
        blocks: which bootstrap it is for.

    Raises:
        ValueError: fewer returns, a NaN or an infinity.

    Source: Politis, White (2004), Econometric Reviews 23(1); Patton, Politis, White (2009), Econometric Reviews 28(4).
    """
    longest = block_length(np.abs(sample(log_returns, "log_returns", least=20)))
    return max(1.0, longest * math.cbrt(2 / 3)) if blocks == "stationary" else float(longest)


def rows_of_blocks(
    size: int, steps: int, block: float, generator: np.random.Generator, blocks: Blocks = "stationary"
) -> npt.NDArray[np.int64]:
    """Return (steps,) row numbers in [0, size) that a block bootstrap takes, in its order.

    Stationary: from each row the next one follows, on a circle, but with the chance 1/L a new row is drawn evenly, so that
    block lengths are geometric with mean L and the result is stationary. Moving: blocks of L consecutive rows whose first is
    drawn evenly from those where L rows follow; the last one is cut.

    Draws (steps,) uniforms and the first row of each block; for moving blocks those rows alone.

    Args:
        size: rows of the series, ≥ 1.
        steps: rows to take, ≥ 1.
        block: L in [1, size], the mean length of stationary blocks, the length of moving ones, which is whole.
        generator: of `streams.stream`, or any other.
        blocks: which of the two.

    Raises:
        ValueError: an argument outside its range.

    Source: Politis, Romano (1994), Journal of the American Statistical Association 89(428); Künsch (1989), Annals of
        Statistics 17(3).
    """
    count("size", size)
    count("steps", steps)
    within("block", block, 1, size)
    if blocks == "moving":
        if block != int(block):
            raise ValueError(f"block must be whole for moving blocks, got {block}")
        length = int(block)
        first = generator.integers(0, size - length + 1, -(-steps // length))
        return (first[:, np.newaxis] + np.arange(length)).ravel()[:steps]
    fresh = generator.random(steps) < 1 / block
    fresh[0] = True
    begins = np.flatnonzero(fresh)
    first = generator.integers(0, size, begins.size)
    lengths = np.diff(begins, append=steps)
    rows: npt.NDArray[np.int64] = (np.arange(steps) + np.repeat(first - begins, lengths)) % size
    return rows


def block_bootstrap(
    grid: Grid,
    generator: np.random.Generator,
    log_returns: npt.ArrayLike,
    *,
    start: float,
    block: float,
    blocks: Blocks = "stationary",
    paths: int = 1,
) -> npt.NDArray[np.float64]:
    """Return prices (paths, n) whose log returns are those of a real series, in blocks drawn anew.

    Every return is one that was; dependence is kept within a block and lost between blocks; the mean return stays. A
    return is put on a step of the grid whatever time it took in the series.

    Draws, path by path, as `rows_of_blocks`.

    Args:
        grid: the times.
        generator: of `streams.stream`, or any other.
        log_returns: (m,) of the series, m ≥ 1.
        start: the first price, > 0.
        block: in [1, m]; see `rows_of_blocks`, and `usual_block` for a length.
        blocks: stationary or moving.
        paths: ≥ 1.

    Raises:
        ValueError: an argument outside its range, or a price that leaves the range of floats.

    Source: as `rows_of_blocks`.
    """
    returns = sample(log_returns, "log_returns")
    above("start", start)
    count("paths", paths)
    logs = np.zeros((paths, grid.steps + 1))
    for path in range(paths):
        np.cumsum(returns[rows_of_blocks(returns.size, grid.steps, block, generator, blocks)], out=logs[path, 1:])
    return prices_of(start, logs)
