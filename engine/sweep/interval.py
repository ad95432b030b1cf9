"""The interval of a set's P&L: how far it would move if the same kinds of days had come in another draw.

For the sets of highest P&L whose days were kept it is a circular block bootstrap of their days
(`performance.bootstrap_total`), which keeps what hangs together from one day to the next. For all others it is ±1.96
standard deviations of the daily P&L times the root of the days, which takes the days as independent. Neither reruns the
strategy, and neither knows that the best of many was chosen. Over several paths of a scenario it is that of the mean, by
Student's t over the paths, each of which is a run of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ...models import performance
from ..dryrun.narrative import money
from .table import SweepTable

__all__ = ["DRAWN", "Intervals", "SetInterval"]

DRAWN = 20
"""Sets whose days are drawn again; a thousand of them would take longer than their runs."""
CONFIDENCE = 0.95
SEED = 0
NORMAL = 1.959963984540054
"""The quantile of the standard normal at (1 + `CONFIDENCE`) / 2."""


@dataclass(frozen=True)
class SetInterval:
    """An interval of a P&L, in money.

    `block` is the days in a block, None where days count as independent; over several `paths` it is of their mean.
    """

    low: float
    high: float
    block: int | None
    paths: int = 1

    @property
    def text(self) -> str:
        """The interval as it is told, `−7,231 to 8,291`."""
        return f"{money(self.low)} to {money(self.high)}"

    @property
    def method(self) -> str:
        """What it was made by."""
        if self.paths > 1:
            return f"of the mean, t over {self.paths:,} paths"
        if self.block is None:
            return "independent days"
        return "blocks of 1 day" if self.block == 1 else f"blocks of {self.block} days"

    def to_json(self) -> dict[str, Any]:
        method = "independent days" if self.block is None else "circular block bootstrap of the days"
        if self.paths > 1:
            method = "t over paths"
        return {
            "low": self.low,
            "high": self.high,
            "confidence": CONFIDENCE,
            "method": method,
            "block": self.block,
            "told": self.method,
        }


class Intervals:
    """The intervals of the sets of a table, each made when it is first asked for."""

    def __init__(self, table: SweepTable) -> None:
        self.table = table
        self.half = NORMAL * table.column("day_sd") * np.sqrt(table.column("days"))
        """(S,) half the width of the interval of each set, days taken as independent, or over paths of that of the mean."""
        if table.paths > 1:
            self.half = (table.column("profit.high") - table.column("profit.low")) / 2
        profit = table.column("profit")
        known = np.flatnonzero(np.isfinite(profit))
        best = known[np.argsort(-profit[known], kind="stable")][:DRAWN]
        self._drawn = set() if table.days is None else set(best.tolist())
        self._made: dict[int, SetInterval | None] = {}

    def of(self, row: int) -> SetInterval | None:
        """Return the interval of the set in a row, or None where it has fewer than `performance.LEAST_PERIODS` days."""
        if row not in self._made:
            self._made[row] = self._interval(row)
        return self._made[row]

    def _interval(self, row: int) -> SetInterval | None:
        if self.table.paths > 1:
            low, high = (float(self.table.column(f"profit.{end}")[row]) for end in ("low", "high"))
            return SetInterval(low, high, None, self.table.paths)
        if int(self.table.column("days")[row]) < performance.LEAST_PERIODS:
            return None
        if row in self._drawn:
            found = performance.bootstrap_total(self._days(row), seed=SEED, confidence=CONFIDENCE)
            return SetInterval(found.low, found.high, found.block)
        profit, half = float(self.table.column("profit")[row]), float(self.half[row])
        return SetInterval(profit - half, profit + half, None)

    def _days(self, row: int) -> npt.NDArray[np.float64]:
        """Return the P&L of the days on which a set has one."""
        assert self.table.days is not None
        equity = self.table.days.equity[row]
        return np.diff(equity[~np.isnan(equity)], prepend=self.table.capital[row])
