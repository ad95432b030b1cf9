"""A sweep seen from its params: which of them matter, medians over the others, and where a small step changes the answer."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from .naming import param_text
from .table import SweepTable

__all__ = ["BINS", "FRAGILE", "Axis", "Heat", "Line", "axis_of", "fragile", "heat", "influence", "line", "middles"]

BINS = 12
"""Stretches, at most, that the values of a param are put into where it was drawn, or has many values on its grid."""
EACH = 5
"""Sets of a sample that a cell of a map should have."""
SHOWN = 40
FRAGILE = 0.25
"""The share of the range of a map that a step may cost before the cell counts as fragile."""

Values = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


class Axis(NamedTuple):
    """The values of a param in a few places: what each is called, where it stands, and (S,) which one each set has."""

    param: str
    labels: tuple[str, ...]
    centres: Values
    places: npt.NDArray[np.int64]


class Heat(NamedTuple):
    """The medians of a column over the sets in each cell, (y, x), NaN where no set is; and (y, x) how many there are."""

    x: Axis
    y: Axis
    column: str
    median: Values
    sets: npt.NDArray[np.int64]


class Line(NamedTuple):
    """A column along one param: (p,) median, and the values that a tenth of the sets lie below and above."""

    x: Axis
    column: str
    median: Values
    low: Values
    high: Values
    sets: npt.NDArray[np.int64]


def axis_of(table: SweepTable, param: str, params: int = 1) -> Axis:
    """Return the places of a param: the values that it takes, or where these are many, stretches of equal width.

    There are so many stretches that cells over so many `params` have `EACH` sets each, but no less than 3 and no more than
    `BINS`; each is called by its middle.
    """
    values = table.column(param)
    seconds = table.about["units"].get(param.removeprefix("param.")) == "s"
    named = partial(param_text, unit="s") if seconds else _label
    distinct = np.unique(values)
    if len(distinct) <= SHOWN and (param in table.axes or len(distinct) <= BINS):
        labels = tuple(named(value) for value in distinct.tolist())
        return Axis(param, labels, distinct.astype(np.float64), np.searchsorted(distinct, values))
    numbers = values.astype(np.float64)
    room = len(values) // EACH
    bins = min(BINS, max(3, room if params == 1 else math.isqrt(room)))
    edges = np.linspace(numbers.min(), numbers.max(), bins + 1)
    places = np.clip(np.searchsorted(edges, numbers, side="right") - 1, 0, bins - 1)
    centres = (edges[:-1] + edges[1:]) / 2
    return Axis(param, tuple(named(centre) for centre in centres.tolist()), centres, places)


def influence(table: SweepTable, column: str) -> dict[str, float]:
    """Return the share of a column's variance that each param explains by itself, the largest first.

    It is the correlation ratio η²: the variance of the means at the values of the param (in stretches, where there are too
    many), weighted by sets, over the variance of all sets; in [0, 1]. What only two params together explain is in neither.
    0 where the column does not vary.

    Source: Pearson (1905), On the General Theory of Skew Correlation; the first-order index of Sobol' (1993) in a full grid.
    """
    values = table.column(column).astype(np.float64)
    there = np.isfinite(values)
    found: dict[str, float] = {}
    for param in table.params:
        places = axis_of(table, param).places[there]
        known = values[there]
        total = float(known.var()) if known.size else 0.0
        if not total:
            found[param] = 0.0
            continue
        counts = np.bincount(places)
        means = np.bincount(places, known - known.mean()) / np.maximum(counts, 1)
        found[param] = min(1.0, float((counts * means**2).sum() / known.size / total))
    return dict(sorted(found.items(), key=lambda each: -each[1]))


def heat(table: SweepTable, x: str, y: str, column: str) -> Heat:
    """Return the medians of a column over two params; the others, where there are any, are what the medians are over."""
    across, up = axis_of(table, x, 2), axis_of(table, y, 2)
    values = table.column(column).astype(np.float64)
    size = (len(up.labels), len(across.labels))
    median = np.full(size, np.nan)
    sets = np.zeros(size, np.int64)
    cell = up.places * size[1] + across.places
    for index, members in _groups(cell, values):
        place = divmod(index, size[1])
        median[place], sets[place] = np.median(members), len(members)
    return Heat(across, up, column, median, sets)


def middles(found: Heat, values: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """Return (y, x) the row of the set in each cell that is nearest to its median, the first of equals; −1 where none is.

    Args:
        found: the map.
        values: (S,) the column that it is over.
    """
    rows = np.full(found.median.shape, -1)
    there = np.flatnonzero(np.isfinite(values))
    cells = (found.y.places[there], found.x.places[there])
    away = np.abs(values[there] - found.median[cells])
    # The farthest first, so that the nearest is written last.
    order = np.lexsort((-there, -away))
    rows[cells[0][order], cells[1][order]] = there[order]
    return rows


def line(table: SweepTable, param: str, column: str) -> Line:
    """Return a column along one param: the median over the others, and the middle 80 % of the sets."""
    axis = axis_of(table, param)
    size = len(axis.labels)
    made = {name: np.full(size, np.nan) for name in ("median", "low", "high")}
    sets = np.zeros(size, np.int64)
    for index, members in _groups(axis.places, table.column(column).astype(np.float64)):
        made["low"][index], made["median"][index], made["high"][index] = np.quantile(members, [0.1, 0.5, 0.9])
        sets[index] = len(members)
    return Line(axis, column, made["median"], made["low"], made["high"], sets)


def fragile(median: Values) -> Flags:
    """Return which cells of a map are fragile.

    A cell is fragile where one step along an axis, to one of its two to four neighbours, changes the sign of the median, or
    costs more than `FRAGILE` of the range of all cells. A cell without sets is not, and is no neighbour.

    Args:
        median: (y, x), NaN where no set is.
    """
    known = median[np.isfinite(median)]
    most = FRAGILE * float(np.ptp(known)) if known.size else 0.0
    found = np.zeros(median.shape, np.bool_)
    for axis in (0, 1):
        for one, other in ((slice(None, -1), slice(1, None)), (slice(1, None), slice(None, -1))):
            here, there = [slice(None)] * 2, [slice(None)] * 2
            here[axis], there[axis] = one, other
            mine, near = median[tuple(here)], median[tuple(there)]
            with np.errstate(invalid="ignore"):
                found[tuple(here)] |= (np.sign(mine) * np.sign(near) < 0) | (mine - near > most)
    return found


def _groups(places: npt.NDArray[np.int64], values: Values) -> Sequence[tuple[int, Values]]:
    """Return the finite values of each place that has one."""
    there = np.isfinite(values)
    order = np.argsort(places[there], kind="stable")
    sorted_places, sorted_values = places[there][order], values[there][order]
    found, starts = np.unique(sorted_places, return_index=True)
    parts = np.split(sorted_values, starts[1:])
    return list(zip(found.tolist(), parts, strict=False))


def _label(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int) or (math.isfinite(value) and value == int(value) and abs(value) < 1e15):
        return f"{int(value):,}" if abs(value) >= 10_000 else str(int(value))
    return f"{value:.4g}"
