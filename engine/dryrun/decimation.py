"""Fewer points that draw the same picture.

A line over n rows is cut into buckets; each keeps its first, lowest, highest and last row, so that a
drawing as wide as the buckets cannot be told from the whole and no extreme is lost.

Source: Jugel, Jerzak, Hackenbroich, Markl (2014), M4: a visualization-oriented time series data
aggregation, VLDB 7(10).
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import numpy.typing as npt

__all__ = ["largest_by_bucket", "outline", "runs"]

Index = npt.NDArray[np.int64]


def outline(lines: list[npt.NDArray[np.float64]], buckets: int, whole: int) -> Index:
    """Return the rows to draw for lines over the same rows, ascending, with the first and the last row.

    Args:
        lines: (n,) each, without NaN, n ≥ 1.
        buckets: ≥ 1. At most 2 · buckets · (1 + number of lines) rows are kept.
        whole: up to this many rows all are kept.
    """
    size = len(lines[0])
    if size <= max(whole, buckets):
        return np.arange(size)
    edges = np.linspace(0, size, buckets + 1).astype(np.int64)
    kept = [edges[:-1], edges[1:] - 1]
    for line in lines:
        kept += [
            np.array([start + pick(line[start:end]) for start, end in pairwise(edges)])
            for pick in (np.argmin, np.argmax)
        ]
    return np.unique(np.concatenate(kept))


def largest_by_bucket(position: Index, weight: npt.NDArray[np.float64], size: int, buckets: int) -> Index:
    """Return which marks to draw, ascending: of the marks in each of `buckets` stretches of `size` rows the
    heaviest.

    Args:
        position: (m,) rows of the marks, ascending, in [0, size).
        weight: (m,) how much each counts; of equal ones the first stays.
        size: number of rows.
        buckets: at most so many marks are kept, ≥ 1.
    """
    if len(position) <= buckets:
        return np.arange(len(position))
    bucket = position * buckets // size
    order = np.lexsort((np.arange(len(position)), -weight, bucket))
    first = np.concatenate(([True], np.diff(bucket[order]) > 0))
    return np.sort(order[first])


def runs(values: npt.NDArray[np.int64], most: int) -> tuple[Index, npt.NDArray[np.int64]]:
    """Return where each run of equal values starts, and its value, in at most `most` runs.

    Where there are more, the rows are cut into `most` buckets, and each takes the value that most of its
    rows have.

    Args:
        values: (n,) small non-negative integers, n ≥ 1.
        most: ≥ 1.
    """
    starts = np.concatenate(([0], np.flatnonzero(np.diff(values)) + 1))
    if len(starts) <= most:
        return starts, values[starts]
    edges = np.linspace(0, len(values), most + 1).astype(np.int64)
    common = np.array([np.bincount(values[start:end]).argmax() for start, end in pairwise(edges)])
    kept = np.concatenate(([0], np.flatnonzero(np.diff(common)) + 1))
    return edges[kept], common[kept]
