"""A walk-forward over the table of a sweep: its days, what no edge earns on them, and what kind of days they were."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ...models.regimes import day_labels
from ..dryrun.problem import RunError
from ..ir import Assign, Event, Let, Program
from .judgement import WalkForward
from .naming import set_text
from .objective import SHARPE, Objective
from .path import EventPath
from .table import Days, SweepTable
from .walkforward import planned, walk_forward
from .walkforward_text import Row, conclusions, fold_rows, kind_rows, told

if TYPE_CHECKING:
    from .runner import Sweep

__all__ = ["Folds", "Judged", "check_folds", "closes", "day_costs", "judge"]

Json = dict[str, Any]
Values = npt.NDArray[np.float64]
PLACE = "--walk-forward"


@dataclass(frozen=True)
class Folds:
    """How a walk-forward is cut, and what it chooses by; as in `walk_forward`."""

    outer: int = 5
    inner: int = 4
    horizon: int = 1
    embargo: int = 1
    objective: Objective = SHARPE


@dataclass(frozen=True, eq=False)
class Judged:
    """A walk-forward with the names of its sets.

    Fields:
        found: the walk-forward.
        table: what it is of.
        note: what the kinds of days are made of, or why there are none.
    """

    found: WalkForward
    table: SweepTable
    note: str

    def values(self, index: int) -> dict[str, float | int | bool]:
        """Return the params of a row of the table."""
        return {name: self.table.column(name)[index].item() for name in self.table.params}

    def named(self, index: int, _: Mapping[str, float]) -> str:
        """Return what a row of the table is called."""
        return set_text(self.values(index), self.table.about["units"])

    def told(self) -> str:
        """Return the whole of it as text for a terminal."""
        return f"{told(self.found, self.table.about['money'], self.named)}\n\n{self.note[:1].upper()}{self.note[1:]}."

    def rows(self) -> tuple[list[Row], list[Row]]:
        """Return the table of the folds and that of the kinds of days, each with its head first."""
        return fold_rows(self.found, self.named), kind_rows(self.found)

    def conclusions(self) -> list[str]:
        """Return what to make of it."""
        return conclusions(self.found, self.table.about["money"], self.named)

    def to_json(self) -> Json:
        """Return it in plain values; params as they are, true and whole numbers too."""
        made: Json = {"format": "hedgerow.walk-forward/1", **self.found.to_json(), "day_kinds": self.note}
        for fold in made["folds"]:
            fold["parameters"] = self.values(fold["chosen"])
        made["luck"]["parameters"] = self.values(made["luck"]["best"])
        return made


def check_folds(sweep: Sweep, folds: Folds) -> None:
    """Refuse a walk-forward that cannot be, before anything is run.

    Raises:
        RunError: a spec without legs, less than two sets or two that are the same, or too few days for the folds.
    """
    if not sweep.spec.program(sweep.fill).legs:
        message = f"`{sweep.spec.name}` has no legs, and so no P&L that sets could be chosen by"
        raise RunError("HR807", message, PLACE, "leave --walk-forward out, or give the spec legs")
    planned(
        len(sweep.path.day_ns), sweep.sets.columns, outer=folds.outer, inner=folds.inner, horizon=folds.horizon,
        embargo=folds.embargo,
    )  # fmt: skip


def judge(table: SweepTable, sweep: Sweep, folds: Folds | None = None) -> Judged:
    """Return the walk-forward of a sweep that kept its days.

    Args:
        table: all sets of the sweep, with their days.
        sweep: what the table is of, for its prices.
        folds: None takes the usual ones.

    Raises:
        RunError: as `walk_forward`.
        ValueError: a table without days.
    """
    if table.days is None:
        raise ValueError("a walk-forward needs the days of each set: sweep with keep_days=True")
    asked = folds or Folds()
    labels, note = _kinds(sweep.spec.program(sweep.fill), sweep.path)
    capital = table.capital
    found = walk_forward(
        table.days.profit(capital),
        table.days.day_ns,
        day_costs(table, table.days),
        {name: table.column(name) for name in table.params},
        # Where sets start with different amounts, a P&L that several of them make up is no share of any.
        capital=float(capital[0]) if np.ptp(capital) == 0 else 0.0,
        labels=labels,
        objective=asked.objective,
        outer=asked.outer,
        inner=asked.inner,
        horizon=asked.horizon,
        embargo=asked.embargo,
    )
    return Judged(found, table, note)


def day_costs(table: SweepTable, days: Days) -> Values:
    """Return (S, D) money: what each day cost beyond its prices. Minus that is what no edge earns.

    The fees of a day are known. Slippage and flows (carry) are known for the whole run: slippage is shared out like the
    fees, which it follows where both are a share of the notional (evenly over the days of the run where no fee was paid),
    and flows evenly over these days. The days of a set add up to −`no_edge`.
    """
    fees = days.costs()
    there = np.isfinite(days.equity)
    many = np.maximum(there.sum(axis=1), 1)[:, None]
    even = there / many
    paid = fees.sum(axis=1)[:, None]
    like_fees = np.divide(fees, paid, out=even.copy(), where=paid != 0)
    slippage, flows = (np.nan_to_num(table.column(name))[:, None] for name in ("slippage", "flows"))
    costs: Values = fees + slippage * like_fees - flows * even
    return costs


def closes(path: EventPath, event: Event, field: int) -> Values:
    """Return (D,) the last value of a field of an accepted row on each UTC day of a path."""
    good = np.flatnonzero(~path.refused(event))
    last = np.searchsorted(good, path.stops) - 1
    return path.fields[field][good[last]]


def _kinds(program: Program, path: EventPath) -> tuple[dict[str, npt.NDArray[np.bool_]] | None, str]:
    """Return which days are of which kind, or None; and a sentence on it."""
    event = program.event(path.event)
    marked = _marked(program, event)
    if marked is None:
        return None, f"no kinds of days are told, because no field of `{event.name}` is the price of an instrument"
    instrument, field = marked
    try:
        labels = day_labels(closes(path, event, field))
    except ValueError as error:
        return None, f"no kinds of days are told: {error}"
    return labels, f"kinds of days are those of `{instrument}`, by its last price of each UTC day"


def _marked(program: Program, event: Event) -> tuple[str, int] | None:
    """Return the first instrument whose price a field of the event is, and the place of that field."""
    known = {("field", f"{event.name}.{field.name}"): place for place, field in enumerate(event.fields)}
    for step in event.marks:
        written = [("temp", step.temp, step.value)] if isinstance(step, Let) else []
        if isinstance(step, Assign):
            written = [("cell", cell, value) for cell, value in step.targets]
        known |= {
            (kind, name): known[value.op, value.name]
            for kind, name, value in written
            if (value.op, value.name) in known
        }
    return next(
        ((each.name, known["cell", each.price]) for each in program.instruments if ("cell", each.price) in known), None
    )
