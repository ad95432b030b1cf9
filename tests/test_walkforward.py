"""Walk-forward over a sweep: nothing leaks, money adds up, skill is found, luck is not, and bad input is told."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hedgerow.engine.dryrun.problem import RunError
from hedgerow.engine.sweep.judgement import WalkForward
from hedgerow.engine.sweep.walkforward import Objective, walk_forward
from hedgerow.engine.sweep.walkforward_text import told
from hedgerow.models.performance import DAY_NS, bootstrap_total
from hedgerow.models.regimes import day_labels
from hedgerow.models.risk import conditional_value_at_risk
from hedgerow.models.selection import overfitting as cscv
from hedgerow.models.selection.overfitting import overfitting
from hedgerow.models.selection.sharpe import deflated_sharpe, moments
from hedgerow.models.selection.trials import average_trials, spectral_trials
from hedgerow.models.splits import nested_folds

FIRST_DAY = 19_000 * DAY_NS


def grid(k: int = 4, alpha: int = 3) -> dict[str, np.ndarray]:
    columns = np.meshgrid(np.arange(6.0, 6 + k), 0.1 * np.arange(alpha), indexing="ij")
    return {"k": columns[0].ravel(), "alpha": columns[1].ravel()}


def noise(days: int = 300, seed: int = 0, sets: int = 12) -> np.ndarray:
    """Return P&L without an edge in whole cents of a thousand: each set pays 2 a day."""
    return np.round(np.random.default_rng(seed).normal(-2, 50, (sets, days)), 2)


def judged(pnl: np.ndarray, **options: Any) -> WalkForward:
    options = {"parameters": grid(), "capital": 10_000.0, "fees": np.full(pnl.shape, 2.0)} | options
    return walk_forward(pnl, FIRST_DAY + DAY_NS * np.arange(pnl.shape[1]), **options)


# Nothing leaks


@settings(max_examples=30)  # each runs two walk-forwards
@given(st.integers(0, 4), st.integers(0, 100), st.integers(0, 3))
def test_a_choice_does_not_know_the_purged_the_judged_and_the_later_days(fold: int, seed: int, horizon: int) -> None:
    pnl = noise(seed=seed, days=180)
    plan = nested_folds(180, horizon=horizon)[fold]
    other = pnl.copy()
    other[:, plan.train[-1] + 1 :] = noise(seed=seed + 1000, days=180)[:, plan.train[-1] + 1 :] * 3
    before, after = judged(pnl, horizon=horizon).folds, judged(other, horizon=horizon).folds
    told_of = [(one.chosen, one.inner_score, one.rule_score) for one in before[: fold + 1]]
    assert [(one.chosen, one.inner_score, one.rule_score) for one in after[: fold + 1]] == told_of


def test_a_choice_does_know_the_days_before() -> None:
    pnl = noise()
    other, last = pnl.copy(), int(nested_folds(300)[2].train[-1])
    other[8, last - 60 : last + 1] += 500
    assert judged(pnl).folds[2].chosen != 8
    assert judged(other).folds[2].chosen == 8


def test_the_kinds_of_days_choose_nothing() -> None:
    mask = np.random.default_rng(1).random(300) < 0.3
    plain, split = judged(noise()), judged(noise(), labels={"odd": mask})
    assert [fold.chosen for fold in split.folds] == [fold.chosen for fold in plain.folds]
    assert split.outer == plain.outer


# What is chosen and what is judged


@pytest.mark.parametrize("objective", [Objective(), Objective("tail", 0.5, 0.9)], ids=str)
def test_the_chosen_set_is_the_best_on_the_inner_spans(objective: Objective) -> None:
    pnl = noise(seed=3)

    def score(row: np.ndarray) -> float:
        if objective.name == "sharpe":
            return float(row.mean() / row.std(ddof=1))
        return float(row.mean()) - 0.5 * conditional_value_at_risk(-row, 0.9)

    found = judged(pnl, objective=objective)
    for fold, plan in zip(found.folds, nested_folds(300), strict=True):
        means = [np.mean([score(row[inner.test]) for inner in plan.inner]) for row in pnl]
        assert fold.chosen == int(np.argmax(means))
        assert fold.inner_score == pytest.approx(max(means))
        picks = [max(range(12), key=lambda one, days=inner.train: score(pnl[one, days])) for inner in plan.inner]
        rule = [score(pnl[pick, inner.test]) for pick, inner in zip(picks, plan.inner, strict=True)]
        assert fold.rule_score == pytest.approx(np.mean(rule))
        assert fold.outer_score == pytest.approx(score(pnl[fold.chosen, plan.test]))
        assert fold.parameters == {name: column[fold.chosen] for name, column in grid().items()}


def test_a_fold_tells_the_pnl_of_its_set_beside_hindsight_costs_and_neighbours() -> None:
    pnl, fees = noise(seed=4), np.round(np.random.default_rng(5).random((12, 300)), 2)
    found = judged(pnl, fees=fees, seed=9)
    for fold, plan in zip(found.folds, nested_folds(300), strict=True):
        profits = pnl[:, plan.test].sum(axis=1)
        own = pnl[fold.chosen, plan.test]
        assert fold.outer.total == pytest.approx(own.sum())
        assert fold.outer.no_edge == pytest.approx(-fees[fold.chosen, plan.test].sum())
        assert fold.outer.interval == bootstrap_total(own, seed=9)
        assert fold.outer.distinguishable == fold.outer.interval.excludes(fold.outer.no_edge)
        assert fold.hindsight == profits.argmax()
        assert fold.hindsight_profit == pytest.approx(profits.max())
        assert fold.hindsight_profit >= fold.outer.total
        assert fold.median_profit == pytest.approx(np.median(profits))
        row, column = divmod(fold.chosen, 3)
        near = [3 * r + c for r in range(4) for c in range(3) if abs(r - row) + abs(c - column) == 1]
        assert fold.nearby is not None
        assert fold.nearby.count == len(near)
        assert fold.nearby.outer_worst == pytest.approx(profits[near].min())
        assert fold.nearby.outer_median == pytest.approx(np.median(profits[near]))
        assert fold.nearby.inner_worst <= fold.nearby.inner_median <= fold.inner_score
        assert fold.train.last_ns + 2 * DAY_NS == fold.test.first_ns  # one day is purged


def test_the_judged_days_of_all_folds_are_one_pnl() -> None:
    pnl = noise(seed=6)
    found = judged(pnl)
    days = np.concatenate([plan.test for plan in nested_folds(300)])
    joined = np.concatenate([pnl[f.chosen, p.test] for f, p in zip(found.folds, nested_folds(300), strict=True)])
    assert found.outer.total == pytest.approx(sum(fold.outer.total for fold in found.folds))
    assert found.outer.days == days.size == sum(fold.test.days for fold in found.folds)
    assert found.outer.interval == bootstrap_total(joined, seed=0)
    assert found.outer.no_edge == -2.0 * days.size
    assert found.hindsight_profit == pytest.approx(pnl[:, days].sum(axis=1).max())
    assert found.outer_sharpe == pytest.approx(joined.mean() / joined.std(ddof=1))


def test_kinds_of_days_that_share_out_all_days_share_out_the_pnl() -> None:
    price = 100 * np.exp(np.cumsum(np.random.default_rng(2).normal(0, 0.01, 300)))
    found = judged(noise(seed=7), labels=day_labels(price))
    for names in (("calm", "middle", "turbulent"), ("rising", "falling")):
        for kinds, whole in ((found.kinds, found.outer), *((fold.kinds, fold.outer) for fold in found.folds)):
            assert sum(kinds[name].days for name in names) == whole.days
            assert sum(kinds[name].total for name in names) == pytest.approx(whole.total)
            assert sum(kinds[name].no_edge for name in names) == pytest.approx(whole.no_edge)
    assert found.kinds["stress"].days < found.outer.days / 10


def test_the_luck_of_the_best_is_told_as_the_models_have_it() -> None:
    pnl = noise(seed=8) + noise(seed=80, sets=1)  # what all have in common makes them fewer trials
    found = judged(pnl).luck
    ratios = pnl.mean(axis=1) / pnl.std(axis=1, ddof=1)
    variance = float(ratios.var(ddof=1))
    assert found.best == ratios.argmax()
    assert (found.trials, found.effective, found.kinds) == (12, average_trials(pnl), spectral_trials(pnl))
    assert found.deflated == pytest.approx(
        tuple(deflated_sharpe(moments(pnl[found.best]), count, variance) for count in (average_trials(pnl), 12))
    )
    assert found.overfitting == overfitting(pnl, 16).probability
    assert found.annual == pytest.approx(ratios.max() * math.sqrt(365.25))
    assert found.effective < 7
    assert found.single > found.deflated[0] > found.deflated[1]


def test_overfitting_is_of_the_objective_that_chooses() -> None:
    pnl, objective = noise(seed=8), Objective("tail")
    found = judged(pnl, objective=objective).luck
    assert found.overfitting == overfitting(pnl, found.blocks, objective.scores).probability
    assert found.overfitting != judged(pnl).luck.overfitting


# Skill and luck


def test_a_set_that_is_truly_better_is_chosen_throughout_and_told_from_costs() -> None:
    pnl = noise(seed=9, days=600)
    pnl[7] += 25
    found = judged(pnl)
    assert {fold.chosen for fold in found.folds} == {7}
    assert found.distinguishable
    assert found.luck.best == 7
    assert found.luck.deflated[1] > 0.99
    assert found.luck.overfitting < 0.01


def test_sets_that_only_pay_costs_are_rarely_told_from_costs() -> None:
    found = [judged(noise(seed=seed, days=240)) for seed in range(60)]
    assert sum(bool(one.distinguishable) for one in found) <= 9  # 5 % is what is said; four errors more is 16 %
    assert np.mean([one.luck.overfitting for one in found]) == pytest.approx(0.5, abs=0.08)
    flattered = [fold.inner_score - fold.outer_score for one in found for fold in one.folds]
    assert np.mean(flattered) > 4 * np.std(flattered) / math.sqrt(len(flattered))  # the best of twelve looks good
    honest = [fold.rule_score - fold.outer_score for one in found for fold in one.folds if fold.rule_score is not None]
    assert abs(np.mean(honest)) < 4 * np.std(honest) / math.sqrt(len(honest))


def test_where_all_others_lose_the_set_that_never_trades_is_chosen() -> None:
    pnl = noise(seed=1) - 30
    pnl[3] = 0
    found = judged(pnl)
    assert {fold.chosen for fold in found.folds} == {3}
    assert (found.outer.total, found.still, found.luck.trials) == (0, 1, 11)


# Laws


@settings(max_examples=20)
@given(st.integers(0, 100), st.permutations(range(12)), st.sampled_from([0.25, 8.0]))
def test_neither_the_order_of_the_sets_nor_the_currency_matters(seed: int, order: list[int], size: float) -> None:
    pnl = noise(seed=seed, days=150)
    plain = judged(pnl)
    columns = {name: column[order] for name, column in grid().items()}
    other = judged(size * pnl[order], fees=np.full(pnl.shape, 2 * size), parameters=columns)
    assert [order[fold.chosen] for fold in other.folds] == [fold.chosen for fold in plain.folds]
    assert other.outer.total == pytest.approx(size * plain.outer.total)
    assert other.outer.interval is not None
    assert plain.outer.interval is not None
    assert other.outer.interval.low == pytest.approx(size * plain.outer.interval.low)
    assert other.luck.deflated == pytest.approx(plain.luck.deflated)
    assert other.luck.overfitting == plain.luck.overfitting


def test_the_same_input_gives_the_same_result_and_another_seed_another_interval() -> None:
    assert judged(noise(), seed=1) == judged(noise(), seed=1)
    assert judged(noise(), seed=1).outer.interval != judged(noise(), seed=2).outer.interval


def test_days_too_few_for_an_interval_are_too_short() -> None:
    found = judged(noise(days=66), outer=5, inner=2)
    assert [fold.outer.distinguishable for fold in found.folds] == [None] * 5
    assert found.distinguishable is not None  # 55 days in all
    short = judged(noise(days=22), outer=1, inner=2)
    assert short.distinguishable is None
    assert "Distinguishable from −fees: too short." in told(short)


def test_a_window_chooses_on_recent_days_only() -> None:
    pnl = noise(seed=2)
    pnl[4, :100] += 200  # long ago
    assert judged(pnl).folds[-1].chosen == 4
    found = judged(pnl, window=60)
    assert found.folds[-1].chosen != 4
    assert found.folds[-1].train.days == 59


# What is written


def test_the_result_is_plain_json_and_says_how_to_do_it_again() -> None:
    price = 100 * np.exp(np.cumsum(np.random.default_rng(2).normal(0, 0.01, 300)))
    found = judged(noise(), labels=day_labels(price), seed=3)
    read = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert read == found.to_json()
    assert read["settings"] == {
        "objective": "mean / standard deviation of the daily P&L",
        "outer": 5,
        "inner": 4,
        "horizon": 1,
        "embargo": 1,
        "window": None,
        "confidence": 0.95,
        "seed": 3,
    }
    assert read["folds"][0]["test"] == {"first": "2022-02-27", "last": "2022-04-17", "days": 50}
    assert read["outer"]["distinguishable"] is found.distinguishable
    assert len(read["folds"]) == 5


def test_the_text_has_a_line_a_fold_and_all_that_luck_says() -> None:
    labels = {"odd": np.arange(300) % 2 == 1}
    text = told(judged(noise(), labels=labels), "USD")
    lines = text.splitlines()
    assert [line.split()[0] for line in lines[2:8]] == ["1", "2", "3", "4", "5", "all"]
    for word in ("deflated Sharpe ratio", "backtest overfitting", "Distinguishable from −fees: ", "kind of day", "USD"):
        assert word in text
    assert "never" not in text
    assert "set 3 has" not in text


def test_a_result_better_than_costs_and_one_worse_are_told_apart() -> None:
    loss = noise(seed=9) - 30
    assert "yes. Better than costs alone." in told(judged(loss, fees=np.full(loss.shape, 60.0)))
    assert "yes. Worse than costs alone." in told(judged(loss, fees=np.full(loss.shape, 2.0)))


# Bad input


def with_nan(pnl: np.ndarray) -> np.ndarray:
    pnl[2, 5] = math.nan
    return pnl


@pytest.mark.parametrize(
    ("pnl", "options", "message", "help"),
    [
        (
            noise(days=100),
            {},
            "5 outer and 4 inner folds with a horizon of 1 need at least 126 days, got 100",
            "take more days, fewer folds or a shorter horizon; 1 outer and 2 inner folds need 20 days at least",
        ),
        (
            noise(),
            {"outer": 0},
            "outer must be at least 1, got 0",
            "take more days, fewer folds or a shorter horizon; 1 outer and 2 inner folds need 20 days at least",
        ),
        (
            noise(sets=1),
            {"parameters": {"k": [6.0]}},
            "there is nothing to choose from: 1 set",
            "sweep at least 2 sets, e.g. `--grid k=6:10:1`",
        ),
        (
            with_nan(noise()),
            {},
            "set 2 has the P&L nan on 2022-01-13, which is no number",
            "1 of 3,600 values are bad; a day without a row earns and costs 0",
        ),
        (
            noise(),
            {"fees": with_nan(np.zeros((12, 300)))},
            "set 2 has the fees nan on 2022-01-13, which is no number",
            "1 of 3,600 values are bad; a day without a row earns and costs 0",
        ),
        (
            np.zeros((12, 300)),
            {},
            "0 of 12 sets has a P&L that varies from day to day",
            "at least 2 are needed; where sets never trade, widen their ranges or see what `hedgerow run` says",
        ),
        (
            noise(),
            {"parameters": {"k": [6.0] * 12}},
            "at least one parameter must differ between sets",
            "sweep sets that differ, each of them once",
        ),
    ],
)
def test_bad_input_says_what_is_wrong_and_what_is_needed(
    pnl: np.ndarray, options: dict[str, Any], message: str, help: str
) -> None:
    with pytest.raises(RunError) as raised:
        judged(pnl, **options)
    assert (raised.value.code, raised.value.message, raised.value.help) == ("HR807", message, help)


def test_more_work_than_is_reasonable_is_refused_with_a_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cscv, "MOST_READS", 5000)
    with pytest.raises(RunError, match="12 sets of 300 periods are out of reach") as raised:
        judged(noise(), objective=Objective("tail"))
    assert raised.value.help.startswith("choose by the Sharpe ratio")
    assert judged(noise()).luck.blocks == 10  # 252 combinations of 12 sets


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"fees": np.zeros((12, 299))}, r"pnl, fees and days do not fit: \(12, 300\), \(12, 299\) and \(300,\)"),
        ({"parameters": {"k": np.arange(11.0)}}, "`k` must have one value for each of 12 sets"),
        ({"labels": {"calm": np.ones(300)}}, "`calm` must be a mask of 300 days, got float64"),
        ({"capital": math.nan}, "capital must be finite, got nan"),
        ({"confidence": 1.0}, r"confidence must be in \(0, 1\)"),
        ({"objective": Objective("tail", -1.0)}, "weight must be finite and at least 0"),
    ],
)
def test_arguments_that_do_not_belong_together_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        judged(noise(), **options)


@pytest.mark.parametrize("days", [np.arange(300)[::-1], np.arange(300.0), np.zeros(300, dtype=np.int64)])
def test_days_out_of_order_are_refused(days: np.ndarray) -> None:
    with pytest.raises(ValueError, match="days must be ascending int64 nanoseconds"):
        walk_forward(noise(), days, np.zeros((12, 300)), grid(), capital=1.0)
