"""What a sweep keeps of its runs: arrays with one row a parameter set.

The definitions here are those of a dry run's summary, so that a sweep of one set tells what `hedgerow run` tells.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from ...models import risk
from ..ir import Program

__all__ = ["Results", "Shape", "conditional_loss", "daily_profit", "profit_of", "shape_of"]

Counts = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
Values = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Shape:
    """What the columns of the wide arrays are, in their order.

    `leaves` are the leaves of every region, region after region in the order of the program; `offsets` says at which of
    them each region begins. `checks` are those of gates, each with its gate. `books` is whether the spec has legs, and with
    them money to speak of.
    """

    measures: tuple[str, ...]
    leaves: tuple[str, ...]
    offsets: tuple[int, ...]
    rules: tuple[str, ...]
    invariants: tuple[str, ...]
    checks: tuple[str, ...]
    days: int
    books: bool


def shape_of(program: Program, days: int) -> Shape:
    """Return the columns of the results of a program over a path of so many UTC days."""
    leaves = [region.leaves for region in program.regions]
    ends = np.cumsum([0, *map(len, leaves)]).tolist()
    return Shape(
        measures=tuple(name for name, _ in program.report.measures),
        leaves=tuple(leaf for each in leaves for leaf in each),
        offsets=tuple(ends[:-1]),
        rules=tuple(rule.name for rule in program.rules),
        invariants=tuple(name for name, _ in program.invariants),
        checks=program.check_names,
        days=days,
        books=bool(program.legs),
    )


@dataclass(frozen=True, eq=False)
class Results:
    """Arrays with one row for each of S sets; every array is C-contiguous, and a runner writes whole rows.

    Counts are int64, (S,) unless said otherwise:
        accepted, refused: rows that the machine took, and that it refused. After it has ended nothing more is sent.
        handed: rows that native code gave to the reference; 0 on the live backend, and no part of what two backends are
            compared by.
        orders: released orders, those of timers and of refused rows among them.
        fail_safe: how often `fail_safe` was entered, in any part.
        fired (S, R): how often each rule fired, in the order of the program.
        broken (S, I): events after which each invariant did not hold.
        stopped (S, C): how often each check of a gate did not let the orders of a transition through; several checks may
            stop the same ones.
        nanoseconds (S, L): time in each leaf. The time between two accepted rows belongs to the leaves that are active
            when the second one comes; timers between them split it at the moments at which they are due. The clock begins
            at the first accepted row and ends with the last; over the leaves of one region that is always active they add
            up to it.

    Flags are bool, (S,):
        done: whether the row is whole.
        ended: whether the machine has ended.

    Money and shares are float64, (S,) unless said otherwise:
        equity, fees, slippage, flows: after the last accepted row. Equity is cash + (0.0 + sign · quantity · price + …)
            over the legs in the order of the program, each product from left to right. NaN where no row was accepted.
        measures (S, M): the cells `report.*` then.
        turnover: the notionals of all orders, added up one after the other from 0.0.
        drawdown: the largest share (peak − equity) / peak after an accepted row; the peak begins at the capital. NaN where
            the capital is not above 0.
        drawdown_amount: peak − equity at that row, the first of equals, in money.
        days (S, D): equity after the last accepted row of each UTC day of the path; NaN for a day without one, such as
            those before the start and after the end.
        day_fees (S, D): the fees paid until then; NaN likewise.

    A spec without legs has no money: all of that but the measures is NaN.
    """

    done: Flags
    ended: Flags
    accepted: Counts
    refused: Counts
    handed: Counts
    orders: Counts
    fail_safe: Counts
    fired: Counts
    broken: Counts
    stopped: Counts
    nanoseconds: Counts
    equity: Values
    fees: Values
    slippage: Values
    flows: Values
    turnover: Values
    drawdown: Values
    drawdown_amount: Values
    measures: Values
    days: Values
    day_fees: Values

    @classmethod
    def empty(cls, shape: Shape, sets: int) -> Results:
        """Return the results of so many sets that have not run: counts are 0, flags are unset and values are NaN."""
        wide = {
            "fired": len(shape.rules),
            "broken": len(shape.invariants),
            "stopped": len(shape.checks),
            "nanoseconds": len(shape.leaves),
            "measures": len(shape.measures),
            "days": shape.days,
            "day_fees": shape.days,
        }
        made: dict[str, npt.NDArray[np.generic]] = {}
        for each in fields(cls):
            size = (sets, wide[each.name]) if each.name in wide else (sets,)
            if each.type == "Values":
                made[each.name] = np.full(size, np.nan)
            else:
                made[each.name] = np.zeros(size, np.bool_ if each.type == "Flags" else np.int64)
        return cls(**made)  # type: ignore[arg-type]  # each by the type that its field declares

    def __len__(self) -> int:
        return len(self.done)

    def part(self, rows: slice | Counts) -> Results:
        """Return some rows; those of a slice share their memory with these."""
        return Results(*(getattr(self, name)[rows] for name in _NAMES))

    def put(self, first: int, other: Results) -> None:
        """Copy all rows of other results into these, from row `first` on."""
        for each in fields(self):
            getattr(self, each.name)[first : first + len(other)] = getattr(other, each.name)


_NAMES = tuple(each.name for each in fields(Results))


def daily_profit(days: Values, capital: Values) -> Values:
    """Return the P&L of each UTC day.

    Args:
        days: (S, D) equity at the end of each day, NaN where a day has none.
        capital: (S,) money before the first.

    Returns:
        (S, D) money; 0 on a day without equity, so that a row adds up to the final equity less the capital. What happens
        over a weekend belongs to Monday.
    """
    there = ~np.isnan(days)
    # The equity before each day is the last one that is there.
    last = np.maximum.accumulate(np.where(there, np.arange(days.shape[1]), -1), axis=1)
    held = np.concatenate((capital[:, None], days), axis=1)
    filled: Values = np.take_along_axis(held, np.concatenate((np.zeros_like(last[:, :1]), last + 1), axis=1), axis=1)
    return np.diff(filled, axis=1)


def conditional_loss(profit: Values, confidence: float = 0.95) -> float:
    """Return the conditional value at risk of the daily P&L of one set, as `hedgerow run` tells it; a loss is positive.

    Args:
        profit: (D,) P&L of the UTC days with an accepted row, see `profit_of`.
        confidence: in (0, 1).

    Returns:
        Money; NaN where there is no day.
    """
    return risk.conditional_value_at_risk(-profit, confidence) if profit.size else float("nan")


def profit_of(days: Values, capital: float) -> Values:
    """Return the P&L of the days of one set that have an equity.

    Args:
        days: (D,) equity at the end of each UTC day; days that are NaN are no periods.
        capital: money before the first day.
    """
    equity = days[~np.isnan(days)]
    profit: Values = np.empty_like(equity)
    if equity.size:
        profit[0] = equity[0] - capital
        np.subtract(equity[1:], equity[:-1], out=profit[1:])
    return profit
