"""Nested walk-forward folds: on which days parameters are chosen, and on which later days the choice is judged.

    outer fold 1   [ chosen on       ]-[ judged ]
    outer fold 2   [ chosen on                  ]-[ judged ]
    outer fold 3   [ chosen on                             ]-[ judged ]

    inner folds of one of them, all within `chosen on`:
                   [ judged ]--[ trained on     ]
                   [      ]-[ judged ]--[       ]
                   [ trained on   ]-[ judged    ]

`-` before a judged span are purged days: what is held on them may reach into it. `--` after it are purged and
embargoed days. Days are counted 0, 1, 2, … as they come in the data, weekends without a row not at all.

Source: López de Prado (2018), Advances in Financial Machine Learning, chapters 7 and 12.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

__all__ = ["LEAST_SPAN", "Days", "Fold", "OuterFold", "least_days", "nested_folds", "purged_folds"]

Days = npt.NDArray[np.int64]

LEAST_SPAN = 5
"""A judged span has at least so many days: over fewer, a mean and a deviation mean nothing."""


class Fold(NamedTuple):
    """Day numbers, ascending: `train` (n,) and `test` (m,) have none in common."""

    train: Days
    test: Days


class OuterFold(NamedTuple):
    """An outer fold with the inner folds of its training days; inner day numbers count in all days, too."""

    train: Days
    test: Days
    inner: tuple[Fold, ...]


def least_days(outer: int, inner: int, horizon: int) -> int:
    """Return the number of days below which `nested_folds` refuses."""
    # The first outer fold has the shortest training part: one share of the days less the purged ones.
    return (outer + 1) * max(inner * LEAST_SPAN + horizon, LEAST_SPAN)


def nested_folds(
    days: int, *, outer: int = 5, inner: int = 4, horizon: int = 1, embargo: int = 1, window: int | None = None
) -> tuple[OuterFold, ...]:
    """Return outer folds in the order of time, each with inner folds inside its training days.

    The days are cut into `outer` + 1 spans whose lengths differ by a day at most, longer ones first. The first is
    for training only, each other is judged once. Outer training ends `horizon` days before the judged span; there
    is nothing after it to embargo, because no later day is ever trained on. Inner folds are `purged_folds`.

    Args:
        days: number of days, at least `least_days(outer, inner, horizon)`.
        outer: number of outer folds, ≥ 1.
        inner: number of inner folds in each, ≥ 2.
        horizon: days for which a position is held, or a label looks ahead, ≥ 0: so many are purged.
        embargo: further days left out after an inner judged span, ≥ 0, for what fades slowly.
        window: train on the last so many days only, before purging; None trains on all earlier ones.

    Raises:
        ValueError: an argument outside its range, or too few days.
    """
    for name, value, least in (("outer", outer, 1), ("inner", inner, 2), ("horizon", horizon, 0)):
        if value < least:
            raise ValueError(f"{name} must be at least {least}, got {value}")
    needed = least_days(outer, inner, horizon)
    if days < needed:
        raise ValueError(
            f"{outer} outer and {inner} inner folds with a horizon of {horizon} need at least {needed} days, got {days}"
        )
    if window is not None and window - horizon < inner * LEAST_SPAN:
        raise ValueError(f"window must be at least {inner * LEAST_SPAN + horizon} days, got {window}")
    folds = []
    for test in np.array_split(np.arange(days), outer + 1)[1:]:
        start = int(test[0])
        train = np.arange(0 if window is None else max(0, start - window), start - horizon)
        folds.append(OuterFold(train, test, purged_folds(train, inner, horizon, embargo)))
    return tuple(folds)


def purged_folds(days: Days, folds: int, horizon: int, embargo: int) -> tuple[Fold, ...]:
    """Return folds that judge each day once and train on the days before and after, but for a gap.

    A training day whose position may reach into the judged span is purged: the `horizon` days before it. After it
    `horizon` days are purged, because positions of the judged days reach into them, and `embargo` more left out.

    Args:
        days: (n,) consecutive day numbers, n ≥ folds · `LEAST_SPAN`.
        folds: ≥ 2.
        horizon: days, ≥ 0.
        embargo: days, ≥ 0.

    Returns:
        Folds in the order of their judged spans. One whose gap takes all other days has nothing to train on.

    Raises:
        ValueError: an argument outside its range, days that are not consecutive, or too few.
    """
    for name, value, least in (("folds", folds, 2), ("horizon", horizon, 0), ("embargo", embargo, 0)):
        if value < least:
            raise ValueError(f"{name} must be at least {least}, got {value}")
    if (np.diff(days) != 1).any():
        raise ValueError("days must be consecutive")
    if days.size < folds * LEAST_SPAN:
        raise ValueError(f"{folds} folds need at least {folds * LEAST_SPAN} days, got {days.size}")
    found = []
    for test in np.array_split(days, folds):
        before = days < test[0] - horizon
        after = days > test[-1] + horizon + embargo
        found.append(Fold(days[before | after], test))
    return tuple(found)
