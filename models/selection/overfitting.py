"""How often choosing the best of many sets picks one of the worse half: the probability of backtest overfitting.

The days are cut into S blocks. Each way of taking half of the blocks is a past, the rest its future: the best set of
that past is looked up in that future. By symmetry every past is also a future.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from itertools import combinations
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ..windows import Window
from .scores import Matrix, matrix, sharpe_of_sums

__all__ = ["MOST_BLOCKS", "MOST_READS", "Overfitting", "Score", "affordable_blocks", "overfitting"]

Score = Callable[[Matrix], Window]
"""Ranks sets: (sets, periods) P&L to (sets,) finite scores, higher is better."""

MOST_BLOCKS = 16
"""16 blocks make 12,870 pairs of past and future, 18 would make 48,620 and say hardly more."""
MOST_READS = 2**28
"""Limit on combinations × sets (× periods with a score of one's own): some seconds of work."""

_AT_ONCE = 1 << 20  # scores held at a time: 8 MB, whatever the number of sets


class Overfitting(NamedTuple):
    """What choosing by past score was worth over all pairs of past and future."""

    probability: float  # share of futures in which the chosen set was below the median
    loss: float  # share of futures in which the chosen set lost money
    inside: float  # mean score of the chosen set in its past
    outside: float  # its mean score in the future
    logits: Window  # (combinations,) ln(ω / (1 − ω)), ω its relative rank in the future, in (0, 1)
    blocks: int


def affordable_blocks(sets: int, periods: int, score: Score | None = None) -> int:
    """Return the largest even number of blocks within `MOST_BLOCKS` and `MOST_READS`, of two periods or more each.

    Raises:
        ValueError: not even two blocks are.
    """
    cost = sets if score is None else sets * periods
    for blocks in range(MOST_BLOCKS, 0, -2):
        if periods >= 2 * blocks and math.comb(blocks, blocks // 2) * cost <= MOST_READS:
            return blocks
    raise ValueError(
        f"{sets} sets of {periods} periods are out of reach: at least 4 periods are needed, and 2 combinations × "
        f"{cost} numbers may be at most {MOST_READS}"
    )


def overfitting(pnl: npt.ArrayLike, blocks: int = MOST_BLOCKS, score: Score | None = None) -> Overfitting:
    """Return the probability of backtest overfitting by combinatorially symmetric cross-validation.

    Near ½ the choice is worth no more than drawing lots (its mean over samples of exchangeable noise is ½ exactly,
    a single sample may well give .3 or .7); near 0 what was best stays good; near 1 it turns bad, as where all sets
    earned the same in the end. It judges the way of choosing among these sets, not the set: 0 may still be a loss.

    Departures from the paper, each so that nothing is thrown away and noise gives ½: blocks may differ in length
    by a period (the paper drops the rest); equal scores share their ranks; where several sets are best in a past
    each counts its part; and a future rank right at the median counts half (the paper: whole).

    Args:
        pnl: (sets, periods) money, in the order of time; sets ≥ 2, periods ≥ 2 · blocks.
        blocks: S, even, in [2, `MOST_BLOCKS`].
        score: what chooses, None for the Sharpe ratio. The ratio of any half comes from the sums of its blocks, and
            costs two reads a set and combination; another score reads all days each time.

    Raises:
        ValueError: bad P&L, as `scores.matrix`; blocks odd or outside their range; more than `MOST_READS`; a score
            that is not finite.

    Source: Bailey, Borwein, López de Prado, Zhu (2017), Journal of Computational Finance 20(4), section 2.2.
    """
    if not 2 <= blocks <= MOST_BLOCKS or blocks % 2:
        raise ValueError(f"blocks must be even and in [2, {MOST_BLOCKS}], got {blocks}")
    values = matrix(pnl, sets=2, periods=2 * blocks)
    sets, periods = values.shape
    reads = math.comb(blocks, blocks // 2) * sets * (1 if score is None else periods)
    if reads > MOST_READS:
        raise ValueError(f"{blocks} blocks would read {reads} numbers, at most {MOST_READS} are allowed: take fewer")
    parts = np.array_split(np.arange(periods), blocks)
    halves = _halves_by_sums(values, parts) if score is None else _halves_by_days(values, parts, score)
    below, lost, inside, outside, logits = [], [], [], [], []
    for one, other in halves:
        for past, future in ((one, other), (other, one)):
            chosen = past.scores == past.scores.max(axis=1, keepdims=True)
            count = chosen.sum(axis=1)
            ranks = _ranks_of_chosen(future.scores, chosen)
            below.append((chosen * _below(ranks, sets)).sum(axis=1) / count)
            logits.append((chosen * np.log(ranks / (sets + 1 - ranks))).sum(axis=1) / count)
            lost.append((chosen * (future.totals < 0)).sum(axis=1) / count)
            inside.append(past.scores.max(axis=1))
            outside.append((chosen * future.scores).sum(axis=1) / count)
    probability, loss, before, after = (
        math.fsum(np.concatenate(each)) / math.comb(blocks, blocks // 2) for each in (below, lost, inside, outside)
    )
    return Overfitting(probability, loss, before, after, np.concatenate(logits), blocks)


class _Half(NamedTuple):
    """Some halves of the days: (combinations, sets) scores and total P&L."""

    scores: Matrix
    totals: Matrix


def _below(ranks: Matrix, sets: int) -> Matrix:
    middle = (sets + 1) / 2
    below: Matrix = np.where(ranks < middle, 1.0, np.where(ranks == middle, 0.5, 0.0))
    return below


def _ranks_of_chosen(scores: Matrix, chosen: npt.NDArray[np.bool_]) -> Matrix:
    """Return the ranks (1 is worst, equals share theirs) of the sets in each row; right for the chosen ones only."""
    first = np.take_along_axis(scores, chosen.argmax(axis=1)[:, np.newaxis], axis=1)
    lower = (scores < first).sum(axis=1, keepdims=True)
    equal = (scores == first).sum(axis=1, keepdims=True)
    ranks = np.repeat(lower + (equal + 1) / 2, scores.shape[1], axis=1)
    for row in np.flatnonzero(chosen.sum(axis=1) > 1):
        _, place, count = np.unique(scores[row], return_inverse=True, return_counts=True)
        ranks[row] = (np.cumsum(count) - (count - 1) / 2)[place]
    return ranks


def _pasts(blocks: int) -> Iterator[tuple[int, ...]]:
    """Yield the halves that hold the first block; their complements are the others."""
    for rest in combinations(range(1, blocks), blocks // 2 - 1):
        yield 0, *rest


def _halves_by_days(values: Matrix, parts: list[npt.NDArray[np.int64]], score: Score) -> Iterator[tuple[_Half, _Half]]:
    for past in _pasts(len(parts)):
        future = [block for block in range(len(parts)) if block not in past]
        yield _scored(values, [parts[b] for b in past], score), _scored(values, [parts[b] for b in future], score)


def _scored(values: Matrix, parts: list[npt.NDArray[np.int64]], score: Score) -> _Half:
    half = values[:, np.concatenate(parts)]
    scores = np.asarray(score(half), dtype=np.float64)
    if scores.shape != (values.shape[0],) or not np.isfinite(scores).all():
        raise ValueError(f"a score must be one finite number a set, got {scores.shape} for {values.shape[0]} sets")
    return _Half(scores[np.newaxis], half.sum(axis=1)[np.newaxis])


def _halves_by_sums(values: Matrix, parts: list[npt.NDArray[np.int64]]) -> Iterator[tuple[_Half, _Half]]:
    """Score halves from sums of blocks; a half is a choice of early blocks and one of late ones, each summed once."""
    blocks, sets = len(parts), values.shape[0]
    split = blocks // 2
    squares = np.square(values)
    total = np.stack([values[:, part].sum(axis=1) for part in parts])
    square = np.stack([squares[:, part].sum(axis=1) for part in parts])
    length = np.array([[float(part.size)] for part in parts])
    tables = [(_subset_sums(each[:split]), _subset_sums(each[split:])) for each in (total, square, length)]
    masks = np.array([sum(1 << block for block in past) for past in _pasts(blocks)])

    def half(chosen: npt.NDArray[np.int64]) -> _Half:
        early, late = chosen & ((1 << split) - 1), chosen >> split
        totals, sums, periods = (first[early] + second[late] for first, second in tables)
        return _Half(sharpe_of_sums(totals, sums, periods), totals)

    rows = max(1, _AT_ONCE // sets)
    for first in range(0, masks.size, rows):
        past = masks[first : first + rows]
        yield half(past), half((1 << blocks) - 1 - past)


def _subset_sums(rows: Matrix) -> Matrix:
    """Return the sum of each subset of the rows, (2^rows, columns): bit i of the index takes row i."""
    sums = np.zeros((1, rows.shape[1]))
    for row in rows:
        sums = np.concatenate((sums, sums + row))
    return sums
