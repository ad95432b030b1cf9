"""Nested walk-forward folds: laws over all numbers of days, folds and gaps."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hedgerow.models.splits import LEAST_SPAN, least_days, nested_folds, purged_folds


@st.composite
def plans(draw: st.DrawFn) -> dict[str, int]:
    plan = {
        "outer": draw(st.integers(1, 6)),
        "inner": draw(st.integers(2, 5)),
        "horizon": draw(st.integers(0, 7)),
        "embargo": draw(st.integers(0, 7)),
    }
    least = least_days(plan["outer"], plan["inner"], plan["horizon"])
    if draw(st.booleans()):
        plan["window"] = plan["inner"] * LEAST_SPAN + plan["horizon"] + draw(st.integers(0, 60))
    return plan | {"days": least + draw(st.integers(0, 200))}


@given(plans())
def test_every_day_after_the_first_span_is_judged_once_and_in_order(plan: dict[str, int]) -> None:
    folds = nested_folds(**plan)
    judged = np.concatenate([fold.test for fold in folds])
    assert len(folds) == plan["outer"]
    assert judged.tolist() == list(range(int(judged[0]), plan["days"]))
    spans = [int(judged[0]), *(fold.test.size for fold in folds)]
    assert max(spans) - min(spans) <= 1
    assert min(spans) >= LEAST_SPAN


@given(plans())
def test_no_training_day_reaches_into_the_judged_span(plan: dict[str, int]) -> None:
    for fold in nested_folds(**plan):
        # A position of day t is held on t, …, t + horizon.
        assert fold.train[-1] + plan["horizon"] < fold.test[0]
        assert fold.train[-1] + plan["horizon"] + 1 == fold.test[0]  # and not a day more is lost
        assert (np.diff(fold.train) == 1).all()


@given(plans())
def test_training_grows_from_the_first_day_or_keeps_to_its_window(plan: dict[str, int]) -> None:
    folds = nested_folds(**plan)
    window = plan.get("window")
    for fold in folds:
        start = int(fold.test[0])
        assert fold.train[0] == (0 if window is None else max(0, start - window))
        assert fold.train.size >= plan["inner"] * LEAST_SPAN


@given(plans())
def test_inner_folds_judge_each_training_day_once_and_touch_no_other(plan: dict[str, int]) -> None:
    for fold in nested_folds(**plan):
        assert len(fold.inner) == plan["inner"]
        assert np.concatenate([one.test for one in fold.inner]).tolist() == fold.train.tolist()
        for one in fold.inner:
            assert one.test.size >= LEAST_SPAN
            assert set(one.train) <= set(fold.train.tolist())


@given(plans())
def test_inner_training_keeps_its_gaps_and_loses_no_other_day(plan: dict[str, int]) -> None:
    for fold in nested_folds(**plan):
        for one in fold.inner:
            first, last = int(one.test[0]), int(one.test[-1])
            gap = range(first - plan["horizon"], last + plan["horizon"] + plan["embargo"] + 1)
            assert one.train.tolist() == [day for day in fold.train.tolist() if day not in gap]


def test_folds_of_thirteen_days_by_hand() -> None:
    found = purged_folds(np.arange(3, 16), folds=2, horizon=1, embargo=2)
    assert [(fold.train.tolist(), fold.test.tolist()) for fold in found] == [
        ([13, 14, 15], [3, 4, 5, 6, 7, 8, 9]),  # 10 is purged, 11 and 12 are embargoed
        ([3, 4, 5, 6, 7, 8], [10, 11, 12, 13, 14, 15]),  # 9 is purged
    ]


def test_a_gap_that_takes_all_days_leaves_nothing_to_train_on() -> None:
    found = purged_folds(np.arange(10), folds=2, horizon=5, embargo=0)
    assert [fold.train.size for fold in found] == [0, 0]


@pytest.mark.parametrize(("outer", "inner", "horizon"), [(1, 2, 0), (5, 4, 1), (3, 2, 30)])
def test_the_least_number_of_days_is_enough_and_one_less_is_not(outer: int, inner: int, horizon: int) -> None:
    least = least_days(outer, inner, horizon)
    assert len(nested_folds(least, outer=outer, inner=inner, horizon=horizon)) == outer
    with pytest.raises(ValueError, match=f"need at least {least} days, got {least - 1}"):
        nested_folds(least - 1, outer=outer, inner=inner, horizon=horizon)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"outer": 0}, "outer must be at least 1, got 0"),
        ({"inner": 1}, "inner must be at least 2, got 1"),
        ({"horizon": -1}, "horizon must be at least 0, got -1"),
        ({"embargo": -1}, "embargo must be at least 0, got -1"),
        ({"window": 20}, "window must be at least 21 days, got 20"),
    ],
)
def test_a_bad_plan_is_refused(options: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        nested_folds(500, **options)


def test_days_with_holes_are_refused() -> None:
    with pytest.raises(ValueError, match="days must be consecutive"):
        purged_folds(np.array([0, 1, 3, 4, 5, 6, 7, 8, 9, 10]), folds=2, horizon=0, embargo=0)


def test_too_few_days_for_the_inner_folds_are_refused() -> None:
    with pytest.raises(ValueError, match="2 folds need at least 10 days, got 9"):
        purged_folds(np.arange(9), folds=2, horizon=0, embargo=0)
