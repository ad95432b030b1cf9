"""What many paths of a scenario come to: the mean of every result of a set, and how far its profit scatters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ..dryrun.problem import missing_extra
from .table import Columns

__all__ = ["Means"]

CONFIDENCE = 0.95


class Means:
    """The columns of a table over paths, from one path after another."""

    def __init__(self, names: Sequence[str]) -> None:
        """Take the params that vary, under their own names."""
        self._kept = {"set", "capital", *names, *(f"param.{name}" for name in names)}
        self._sums: Columns = {}
        self._same: Columns = {}
        self._worst: npt.NDArray[np.float64] | None = None
        self._profits: list[npt.NDArray[np.float64]] = []
        self._ahead: list[npt.NDArray[np.bool_]] = []

    @property
    def paths(self) -> int:
        """How many paths were added."""
        return len(self._profits)

    def add(self, columns: Mapping[str, npt.NDArray[Any]]) -> None:
        """Add a path: the columns of all sets, in order."""
        for name, values in columns.items():
            # A param that varies has its number in the column `param.NAME` where a result has its name.
            if name in self._kept and not (f"param.{name}" in columns and name not in ("set", "capital")):
                self._same[name] = values
            else:
                self._sums[name] = self._sums[name] + values if name in self._sums else values.astype(np.float64)
        fall = columns["drawdown"]
        self._worst = fall.copy() if self._worst is None else np.maximum(self._worst, fall)
        self._profits.append(columns["profit"].copy())
        self._ahead.append(columns["profit"] > columns["no_edge"])

    def columns(self) -> Columns:
        """Return the columns of the table: the mean of every result over the paths, and of profit what they scatter.

        `profit.low` and `profit.high` are the 95 % interval of the mean by Student's t over the paths, which are
        independent; `profit.sd` the standard deviation over paths, dividing by paths − 1; `profit.median` and `profit.worst`
        the median and the worst path; `profit.above_costs` the share of paths with a profit above `no_edge`;
        `drawdown.worst` the deepest of any path.
        What is NaN on one path is NaN. Of one path alone there is no interval.

        Raises:
            RunError: HR809, scipy is not installed.
        """
        try:
            from scipy.special import stdtrit
        except ImportError:
            raise missing_extra("scipy", "the interval of a mean") from None

        profits = np.stack(self._profits)
        many = len(profits)
        made: Columns = dict(self._same)
        for name, values in self._sums.items():
            made[name] = values / many
            if name == "profit":
                deviation = profits.std(axis=0, ddof=1) if many > 1 else np.full(profits.shape[1], np.nan)
                half = stdtrit(many - 1, (1 + CONFIDENCE) / 2) * deviation / np.sqrt(many) if many > 1 else deviation
                made |= {
                    "profit.low": made[name] - half,
                    "profit.high": made[name] + half,
                    "profit.sd": deviation,
                    "profit.median": np.median(profits, axis=0),
                    "profit.worst": profits.min(axis=0),
                    "profit.above_costs": np.mean(self._ahead, axis=0),
                }
            if name == "drawdown" and self._worst is not None:
                made["drawdown.worst"] = self._worst
        return made
