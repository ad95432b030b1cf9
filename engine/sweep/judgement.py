"""What a walk-forward finds: frozen values, and the same as plain dicts for JSON."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ...models.performance import Interval
from ..dryrun.times import iso

__all__ = ["Cell", "FoldResult", "Luck", "Nearby", "Span", "WalkForward"]

Json = dict[str, Any]


@dataclass(frozen=True)
class Cell:
    """A P&L over some days, with its interval where there are enough of them, beside what no edge earns on them.

    `no_edge` is minus the fees. `distinguishable` is whether the interval leaves it out; None is too short to say.
    """

    days: int
    total: float
    no_edge: float
    interval: Interval | None

    @property
    def distinguishable(self) -> bool | None:
        return None if self.interval is None else self.interval.excludes(self.no_edge)

    def to_json(self) -> Json:
        return {
            "days": self.days,
            "profit": self.total,
            "interval": None if self.interval is None else [self.interval.low, self.interval.high],
            "block": None if self.interval is None else self.interval.block,
            "no_edge": self.no_edge,
            "distinguishable": self.distinguishable,
        }


@dataclass(frozen=True)
class Span:
    """Days from `first_ns` to `last_ns`, both included; `days` of them have a row."""

    first_ns: int
    last_ns: int
    days: int

    def to_json(self) -> Json:
        return {"first": iso(self.first_ns), "last": iso(self.last_ns), "days": self.days}


@dataclass(frozen=True)
class Nearby:
    """The neighbours of a set: their scores on the inner folds and their P&L on the outer one; NaN-free."""

    count: int
    inner_median: float
    inner_worst: float
    outer_median: float
    outer_worst: float

    def to_json(self) -> Json:
        return {
            "count": self.count,
            "inner_score": {"median": self.inner_median, "worst": self.inner_worst},
            "profit": {"median": self.outer_median, "worst": self.outer_worst},
        }


@dataclass(frozen=True)
class FoldResult:
    """One outer fold: what was chosen on the inner folds, and what became of it.

    `inner_score` is the chosen set's mean score over the inner judged spans, the best of all sets' and so flattered.
    `rule_score` is what the same choosing earned where it had not looked: the best set of each inner training part,
    scored on the inner judged span; None where the gaps leave nothing to train on. `outer_score` is the chosen set's
    score on the outer days. `hindsight` is the set that earned most on them, known only afterwards. `nearby` is None
    where the chosen set has no neighbour.
    """

    train: Span
    test: Span
    chosen: int
    parameters: dict[str, float]
    inner_score: float
    rule_score: float | None
    outer_score: float
    outer: Cell
    hindsight: int
    hindsight_profit: float
    median_profit: float
    nearby: Nearby | None
    kinds: dict[str, Cell]

    def to_json(self) -> Json:
        return {
            "train": self.train.to_json(),
            "test": self.test.to_json(),
            "chosen": self.chosen,
            "parameters": dict(self.parameters),
            "inner_score": self.inner_score,
            "rule_score": self.rule_score,
            "outer_score": self.outer_score,
            "outer": self.outer.to_json(),
            "hindsight": {"set": self.hindsight, "profit": self.hindsight_profit},
            "median_profit": self.median_profit,
            "neighbours": None if self.nearby is None else self.nearby.to_json(),
            "kinds": {name: cell.to_json() for name, cell in self.kinds.items()},
        }


@dataclass(frozen=True)
class Luck:
    """The best of all sets over all days, and how much of that a search finds by luck.

    Sharpe ratios are of one day; `year` days make a year in these data. `trials` are the sets whose P&L varies;
    `effective` and `kinds` are `average_trials` and `spectral_trials` of them. `expected` is the best Sharpe ratio that
    so many trials without any edge are expected to show, `deflated` the probability that the best one's true ratio is
    above it: each for `effective` trials and for all of `trials`, the stricter one. `single` is the probability that it
    is above 0 if no other set had been tried.
    """

    best: int
    parameters: dict[str, float]
    profit: float
    sharpe: float
    year: float
    skewness: float
    kurtosis: float
    variance: float
    trials: int
    effective: float
    kinds: float
    single: float
    expected: tuple[float, float]
    deflated: tuple[float, float]
    overfitting: float
    overfitting_loss: float
    blocks: int

    @property
    def annual(self) -> float:
        return float(self.sharpe * self.year**0.5)

    def to_json(self) -> Json:
        return {
            "best": self.best,
            "parameters": dict(self.parameters),
            "profit": self.profit,
            "sharpe": {"daily": self.sharpe, "annual": self.annual, "days_a_year": self.year},
            "skewness": self.skewness,
            "kurtosis": self.kurtosis,
            "variance_of_sharpe": self.variance,
            "trials": {"all": self.trials, "effective": self.effective, "spectral": self.kinds},
            "probabilistic_sharpe": self.single,
            "expected_maximum": {"effective": self.expected[0], "all": self.expected[1]},
            "deflated_sharpe": {"effective": self.deflated[0], "all": self.deflated[1]},
            "overfitting": {
                "probability": self.overfitting,
                "loss": self.overfitting_loss,
                "blocks": self.blocks,
            },
        }


@dataclass(frozen=True)
class WalkForward:
    """All of it. `sets` were tried, of which `still` have the same P&L every day, as one that never trades.

    `outer` joins the judged days of all folds, each with the set that was chosen for it. `hindsight` is the one set
    that earned most on them, `median_profit` the middle one's. `settings` say all that is needed to do it again.
    """

    sets: int
    still: int
    span: Span
    capital: float
    grid: bool
    folds: tuple[FoldResult, ...]
    outer: Cell
    outer_sharpe: float
    hindsight: int
    hindsight_profit: float
    median_profit: float
    kinds: dict[str, Cell]
    luck: Luck
    settings: Json

    @property
    def distinguishable(self) -> bool | None:
        """Whether the P&L of the judged days differs from −fees; None is too short to say."""
        return self.outer.distinguishable

    def to_json(self) -> Json:
        return {
            "sets": self.sets,
            "still": self.still,
            "span": self.span.to_json(),
            "capital": self.capital,
            "neighbourhood": "grid" if self.grid else "nearest",
            "outer": self.outer.to_json() | {"sharpe": {"daily": self.outer_sharpe}},
            "hindsight": {"set": self.hindsight, "profit": self.hindsight_profit},
            "median_profit": self.median_profit,
            "kinds": {name: cell.to_json() for name, cell in self.kinds.items()},
            "luck": self.luck.to_json(),
            "folds": [fold.to_json() for fold in self.folds],
            "settings": self.settings,
        }
