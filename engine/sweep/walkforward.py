"""Walk-forward: parameters chosen on earlier days, judged once on later ones, beside what a search finds by luck.

One run of each set over the whole path gives its daily P&L; a fold is a slice of these days. So a position that is
open when a judged span begins was opened by the same set before it, as in an account that had traded that set all
along, and its P&L inside the span counts. Nothing leaks by that: which set is judged is decided on earlier days
only, and a set's own past trades knew no later price. What a slice does leave out is the cost of changing from one
chosen set to the next at a border: closing one book and opening the other. And a strategy that halts for good is
judged as halted in all later folds.

The days just before a judged span are purged all the same: what is held on them is part of the P&L there, so that a
choice made on them would be made partly on the trades that are judged.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ...models import performance
from ...models.selection.neighbours import Neighbourhood
from ...models.selection.scores import Matrix, sharpe_ratios
from ...models.splits import Days, OuterFold, least_days, nested_folds
from ..dryrun.problem import RunError
from ..dryrun.times import iso
from .judgement import Cell, FoldResult, Luck, Nearby, Span, WalkForward
from .luck import luck
from .objective import SHARPE, Objective

__all__ = ["Objective", "planned", "walk_forward"]

PLACE = "walk-forward"

Values = npt.NDArray[np.float64]
Masks = Mapping[str, npt.NDArray[np.bool_]]


def walk_forward(
    pnl: npt.ArrayLike,
    days: npt.ArrayLike,
    fees: npt.ArrayLike,
    parameters: Mapping[str, npt.ArrayLike],
    *,
    capital: float,
    labels: Masks | None = None,
    objective: Objective = SHARPE,
    outer: int = 5,
    inner: int = 4,
    horizon: int = 1,
    embargo: int = 1,
    window: int | None = None,
    confidence: float = 0.95,
    seed: int = 0,
) -> WalkForward:
    """Choose on inner folds, judge on outer ones, and say what luck alone would have found.

    In each outer fold the set with the highest mean score over the inner judged spans is chosen (the first of
    equals) and judged on the outer days. A set that never trades has score 0 and is chosen where all others lose.

    Args:
        pnl: (sets, days) money, float64; a day on which a machine had ended is 0.
        days: (days,) int64 nanoseconds since 1970, when each day begins, ascending.
        fees: (sets, days) money paid on each day; what has no edge earns −fees. Where spread and carry matter, give
            fees + spread − carry.
        parameters: name → (sets,) values, to know which sets are neighbours.
        capital: money at the start; tells the P&L as a share of it where it is above 0.
        labels: name → (days,) mask: kinds of days to split the judged P&L by, as `models.regimes.day_labels`. They
            may look at the whole path, for nothing is chosen by them.
        objective: what is maximised. The probability of overfitting is of choosing by it, too.
        outer: folds that are judged, ≥ 1.
        inner: folds to choose on inside each, ≥ 2.
        horizon: days that a position is held; so many are purged before (and between) judged spans.
        embargo: further days left out after an inner judged span.
        window: choose on the last so many days only; None on all earlier ones.
        confidence: of the intervals, which need `performance.LEAST_PERIODS` days.
        seed: of the bootstrap; every interval is drawn with it.

    Raises:
        RunError: too few days or sets, sets that do not differ, a NaN or an infinity, a P&L that never varies, folds
            that cannot be; the help says how many are needed.
        ValueError: arrays that do not belong together, a capital that is not finite, or an argument of the
            objective, the bootstrap or the labels outside its range.

    Source: Bailey, López de Prado (2014); Bailey, Borwein, López de Prado, Zhu (2017); López de Prado (2018), chapter 7.
        The intervals are a circular block bootstrap, see `performance.bootstrap_total`.
    """
    values, costs, stamps, columns = _checked(pnl, days, fees, parameters, capital, labels or {})
    neighbourhood, folds = planned(
        stamps.size, columns, outer=outer, inner=inner, horizon=horizon, embargo=embargo, window=window
    )
    _enough(values, costs, stamps)
    judge = _Judge(values, costs, stamps, columns, neighbourhood, objective, labels or {}, confidence, seed)
    found = tuple(judge.fold(fold) for fold in folds)
    judged = np.concatenate([fold.test for fold in folds])
    chosen = np.concatenate([np.full(len(fold.test), one.chosen) for fold, one in zip(folds, found, strict=True)])
    earned = values[chosen, judged]
    profits = values[:, judged].sum(axis=1)
    varying = np.ptp(values, axis=1) > 0
    return WalkForward(
        sets=values.shape[0],
        still=int((~varying).sum()),
        span=judge.span(np.arange(stamps.size)),
        capital=float(capital),
        grid=neighbourhood.grid,
        folds=found,
        outer=judge.cell(chosen, judged),
        outer_sharpe=float(sharpe_ratios(earned[np.newaxis])[0]),
        hindsight=int(profits.argmax()),
        hindsight_profit=math.fsum(values[profits.argmax(), judged]),
        median_profit=float(np.median(profits)),
        kinds=judge.kinds(chosen, judged),
        luck=_luck(values, stamps, columns, objective),
        settings={
            "objective": str(objective),
            "outer": outer,
            "inner": inner,
            "horizon": horizon,
            "embargo": embargo,
            "window": window,
            "confidence": confidence,
            "seed": seed,
        },
    )


def planned(
    days: int,
    parameters: Mapping[str, npt.ArrayLike],
    *,
    outer: int,
    inner: int,
    horizon: int,
    embargo: int,
    window: int | None = None,
) -> tuple[Neighbourhood, tuple[OuterFold, ...]]:
    """Return which sets are neighbours and which days are judged: all that can be refused before a set is run.

    `days` is how many there are; the other arguments are those of `walk_forward`.

    Raises:
        RunError: less than two sets, sets that do not differ, too few days, or folds that cannot be.
    """
    columns = {name: np.asarray(column, dtype=np.float64) for name, column in parameters.items()}
    sets = next((column.size for column in columns.values()), 0)
    if sets < 2:
        message = f"there is nothing to choose from: {'1 set' if sets else 'no set'}"
        raise RunError("HR807", message, PLACE, "sweep at least 2 sets, e.g. `--grid k=6:10:1`")
    try:
        neighbourhood = Neighbourhood(columns)
    except ValueError as error:
        raise RunError("HR807", str(error), PLACE, "sweep sets that differ, each of them once") from None
    try:
        folds = nested_folds(days, outer=outer, inner=inner, horizon=horizon, embargo=embargo, window=window)
    except ValueError as error:
        least = least_days(1, 2, 0)
        help = f"take more days, fewer folds or a shorter horizon; 1 outer and 2 inner folds need {least} days at least"
        raise RunError("HR807", str(error), PLACE, help) from None
    return neighbourhood, folds


@dataclass(frozen=True)
class _Judge:
    """The P&L of all sets, and how a part of it is told."""

    pnl: Matrix
    fees: Matrix
    days: Days
    parameters: Mapping[str, Values]
    neighbourhood: Neighbourhood
    objective: Objective
    labels: Masks
    confidence: float
    seed: int

    def fold(self, fold: OuterFold) -> FoldResult:
        # INVARIANT: whatever is read before `chosen` is known lies in `fold.train`.
        by_span = np.stack([self.objective.scores(self.pnl[:, one.test]) for one in fold.inner])
        inner_scores = by_span.mean(axis=0)
        chosen = int(inner_scores.argmax())
        rule = [
            float(scores[self.objective.scores(self.pnl[:, one.train]).argmax()])
            for scores, one in zip(by_span, fold.inner, strict=True)
            if one.train.size >= 2
        ]
        profits = self.pnl[:, fold.test].sum(axis=1)
        here = np.full(fold.test.size, chosen)
        return FoldResult(
            train=self.span(fold.train),
            test=self.span(fold.test),
            chosen=chosen,
            parameters={name: float(column[chosen]) for name, column in self.parameters.items()},
            inner_score=float(inner_scores[chosen]),
            rule_score=math.fsum(rule) / len(rule) if rule else None,
            outer_score=float(self.objective.scores(self.pnl[chosen : chosen + 1, fold.test])[0]),
            outer=self.cell(here, fold.test),
            hindsight=int(profits.argmax()),
            hindsight_profit=math.fsum(self.pnl[profits.argmax(), fold.test]),
            median_profit=float(np.median(profits)),
            nearby=self.nearby(chosen, inner_scores, profits),
            kinds=self.kinds(here, fold.test),
        )

    def nearby(self, chosen: int, scores: Values, profits: Values) -> Nearby | None:
        near = self.neighbourhood.of(chosen)
        if not near.size:
            return None
        return Nearby(
            count=int(near.size),
            inner_median=float(np.median(scores[near])),
            inner_worst=float(scores[near].min()),
            outer_median=float(np.median(profits[near])),
            outer_worst=float(profits[near].min()),
        )

    def cell(self, chosen: Days, days: Days) -> Cell:
        """Return the P&L of the set that was chosen for each of the days."""
        earned = self.pnl[chosen, days]
        interval = None
        if days.size >= performance.LEAST_PERIODS:
            interval = performance.bootstrap_total(earned, seed=self.seed, confidence=self.confidence)
        no_edge = 0.0 - math.fsum(self.fees[chosen, days])
        return Cell(int(days.size), math.fsum(earned), no_edge, interval)

    def kinds(self, chosen: Days, days: Days) -> dict[str, Cell]:
        return {name: self.cell(chosen[mask[days]], days[mask[days]]) for name, mask in self.labels.items()}

    def span(self, days: Days) -> Span:
        return Span(int(self.days[days[0]]), int(self.days[days[-1]]), int(days.size))


def _checked(
    pnl: npt.ArrayLike,
    days: npt.ArrayLike,
    fees: npt.ArrayLike,
    parameters: Mapping[str, npt.ArrayLike],
    capital: float,
    labels: Masks,
) -> tuple[Matrix, Matrix, Days, dict[str, Values]]:
    values, costs = np.ascontiguousarray(pnl, dtype=np.float64), np.asarray(fees, dtype=np.float64)
    stamps = np.asarray(days)
    if values.ndim != 2 or costs.shape != values.shape or stamps.shape != values.shape[1:]:
        raise ValueError(f"pnl, fees and days do not fit: {values.shape}, {costs.shape} and {stamps.shape}")
    if stamps.dtype != np.int64 or (np.diff(stamps) <= 0).any():
        raise ValueError("days must be ascending int64 nanoseconds")
    columns = {name: np.asarray(column, dtype=np.float64) for name, column in parameters.items()}
    for name, column in columns.items():
        if column.shape != values.shape[:1]:
            raise ValueError(f"`{name}` must have one value for each of {len(values)} sets, got {column.shape}")
    for name, mask in labels.items():
        if mask.shape != stamps.shape or mask.dtype != np.bool_:
            raise ValueError(f"`{name}` must be a mask of {stamps.size} days, got {mask.dtype} of {mask.shape}")
    if not math.isfinite(capital):
        raise ValueError(f"capital must be finite, got {capital}")
    return values, costs, stamps, columns


def _enough(values: Matrix, costs: Matrix, stamps: Days) -> None:
    """Refuse what is no number, and sets that do the same every day."""
    for name, each in (("P&L", values), ("fees", costs)):
        bad = np.argwhere(~np.isfinite(each))
        if bad.size:
            row, day = bad[0].tolist()
            message = f"set {row} has the {name} {each[row, day]} on {iso(int(stamps[day]))}, which is no number"
            help = f"{len(bad):,} of {each.size:,} values are bad; a day without a row earns and costs 0"
            raise RunError("HR807", message, PLACE, help)
    varying = int((np.ptp(values, axis=1) > 0).sum())
    if varying < 2:
        message = f"{varying} of {values.shape[0]} sets has a P&L that varies from day to day"
        help = "at least 2 are needed; where sets never trade, widen their ranges or see what `hedgerow run` says"
        raise RunError("HR807", message, PLACE, help)


def _luck(pnl: Matrix, days: Days, parameters: Mapping[str, Values], objective: Objective) -> Luck:
    try:
        # The Sharpe ratio of any half of the days comes from sums, another score does not.
        return luck(pnl, days, parameters, None if objective.name == "sharpe" else objective.scores)
    except ValueError as error:
        help = "choose by the Sharpe ratio, which needs no second look at the days, or sweep fewer sets"
        raise RunError("HR807", str(error), PLACE, help) from None
