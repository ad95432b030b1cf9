"""The table of a sweep: one row a parameter set, its params first, and what its run came to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .results import Results, Shape, conditional_loss, daily_profit, profit_of
from .sets import ParameterSets

__all__ = ["Columns", "Days", "SweepTable", "columns_of", "joined", "joined_days", "param_columns"]

Columns = dict[str, npt.NDArray[Any]]
CONFIDENCE = 0.95
MONEY = (
    "profit", "no_edge", "equity", "fees", "slippage", "flows", "turnover", "drawdown", "drawdown_amount", "cvar",
    "day_sd", "days",
)  # fmt: skip
COUNTS = ("orders", "accepted", "refused", "handed", "fail_safe", "ended")


@dataclass(frozen=True, eq=False)
class Days:
    """The books of each set at the end of each UTC day.

    `day_ns` is (D,) int64, when each day begins; `equity` and `fees` are (S, D) money, NaN on a day without an accepted row.
    """

    day_ns: npt.NDArray[np.int64]
    equity: npt.NDArray[np.float64]
    fees: npt.NDArray[np.float64]

    def costs(self) -> npt.NDArray[np.float64]:
        """Return (S, D) the fees of each day; 0 on a day without an accepted row."""
        return daily_profit(self.fees, np.zeros(len(self.fees)))

    def profit(self, capital: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Return (S, D) the P&L of each day, from a capital of (S,); see `results.daily_profit`."""
        return daily_profit(self.equity, capital)


@dataclass(frozen=True, eq=False)
class SweepTable:
    """The sets that are done, in the order of their numbers.

    Fields:
        columns: name → (S,) values: `set`, the number of the set; the params that vary; then as `columns_of` says.
        params: the columns that are params.
        axes: for each param on a grid its values.
        about: what the sweep was of, and how it was run: plain values, for JSON.
        total: how many sets the sweep has.
        interrupted: whether a person stopped it before all were done.
        days: the books by day, where they were asked for.
        paths: how many paths of a scenario each row is the mean over; see `means.Means` for its further columns.
    """

    columns: Mapping[str, npt.NDArray[Any]]
    params: tuple[str, ...]
    axes: Mapping[str, tuple[float | int | bool, ...]]
    about: Mapping[str, Any]
    total: int
    interrupted: bool
    days: Days | None = None
    paths: int = 1

    def __len__(self) -> int:
        return len(self.columns["set"])

    def column(self, name: str) -> npt.NDArray[Any]:
        """Return a column, (S,).

        Raises:
            KeyError: there is none of that name.
        """
        if name not in self.columns:
            raise KeyError(f"no column `{name}`; there is {', '.join(self.columns)}")
        return self.columns[name]

    @property
    def capital(self) -> npt.NDArray[np.float64]:
        """What each set started with, (S,) money."""
        capital: npt.NDArray[np.float64] = self.columns["capital"]
        return capital

    @property
    def broken(self) -> dict[str, int]:
        """For each invariant the number of sets that broke it."""
        return self._sets_with("broken.")

    @property
    def stopped(self) -> dict[str, int]:
        """For each check of a gate the number of sets in which it stopped orders."""
        return self._sets_with("stopped.")

    def _sets_with(self, prefix: str) -> dict[str, int]:
        return {
            name.removeprefix(prefix): int((values > 0).sum())
            for name, values in self.columns.items()
            if name.startswith(prefix)
        }

    @property
    def held(self) -> bool:
        """Whether every invariant held on every event of every set that is done."""
        return not any(self.broken.values())

    def to_pandas(self) -> Any:
        """Return the table as a `pandas.DataFrame`."""
        import pandas as pd

        return pd.DataFrame(dict(self.columns))


def param_columns(sets: ParameterSets, shape: Shape) -> dict[str, str]:
    """Return the column of each param that varies: its name, or `param.NAME` where a result has that name."""
    taken = {"set", "capital", *MONEY, *COUNTS, *_wide(shape)}
    return {name: f"param.{name}" if name in taken else name for name in sets.names}


def columns_of(
    shape: Shape,
    sets: ParameterSets,
    rows: npt.NDArray[np.int64],
    results: Results,
    capitals: npt.NDArray[np.float64],
) -> Columns:
    """Return the columns of some sets that are done.

    The results are those of `Results` under their own names, and:
        profit: equity − capital, in money.
        no_edge: flows − fees − slippage, what the same trades come to where prices go nowhere on average.
        cvar: mean loss of the worst 5 % of the days, in money, as a positive number.
        days: UTC days with an accepted row; day_sd: the standard deviation of their P&L, in money, dividing by days − 1.
        time.STATE: seconds in each leaf; fired.RULE, broken.INVARIANT, stopped.GATE.CHECK: counts; report.MEASURE: totals of
            the spec's report.

    Args:
        shape: of the results.
        sets: all sets of the sweep.
        rows: (s,) the numbers of those that are done, ascending.
        results: theirs, in that order.
        capitals: (s,) theirs.
    """
    named = param_columns(sets, shape)
    found: Columns = {"set": rows}
    for name in sets.names:
        found[named[name]] = sets.columns[name][rows]
    found["capital"] = capitals
    found["profit"] = results.equity - capitals
    found["no_edge"] = results.flows - results.fees - results.slippage
    for name in ("equity", "fees", "slippage", "flows", "turnover", "drawdown", "drawdown_amount"):
        found[name] = getattr(results, name)
    profits = [profit_of(days, capital) for days, capital in zip(results.days, capitals.tolist(), strict=True)]
    found["cvar"] = np.array([conditional_loss(profit, CONFIDENCE) for profit in profits], np.float64)
    found["day_sd"] = np.array([profit.std(ddof=1) if profit.size > 1 else np.nan for profit in profits], np.float64)
    found["days"] = np.array([profit.size for profit in profits], np.int64)
    for name in COUNTS:
        found[name] = getattr(results, name)
    found |= dict(zip(_wide(shape), _wide_values(results), strict=True))
    return found


def joined(parts: Sequence[Columns]) -> Columns:
    """Return the columns of several parts under one another; none of no parts."""
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]} if parts else {}


def joined_days(parts: Sequence[Days]) -> Days | None:
    """Return the days of several parts under one another; None of no parts."""
    if not parts:
        return None
    equity, fees = (np.concatenate([getattr(part, name) for part in parts]) for name in ("equity", "fees"))
    return Days(parts[0].day_ns, equity, fees)


def _wide(shape: Shape) -> list[str]:
    return [
        *(f"time.{leaf}" for leaf in shape.leaves),
        *(f"fired.{rule}" for rule in shape.rules),
        *(f"broken.{name}" for name in shape.invariants),
        *(f"stopped.{name}" for name in shape.checks),
        *(f"report.{name}" for name in shape.measures),
    ]


def _wide_values(results: Results) -> Sequence[npt.NDArray[Any]]:
    blocks = (results.nanoseconds / 1e9, results.fired, results.broken, results.stopped, results.measures)
    return [column.copy() for block in blocks for column in block.T]
