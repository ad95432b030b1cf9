"""The crashes: published moves against published levels, the exchange's calendar, and the law of the bridge between."""

from __future__ import annotations

from datetime import date, datetime
from itertools import pairwise
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hedgerow.models.scenarios.crash_path import crash_path
from hedgerow.models.scenarios.crashes import CRASHES, SOURCES, Close, Crash
from hedgerow.models.scenarios.sessions import SESSION_NS, sessions_of
from hedgerow.models.scenarios.streams import stream

# Net change in points and in per cent, from Wikipedia's List of largest daily changes in the S&P 500 Index: its tables of
# percentages, and of intraday swings (which has no percentages). 27 February 2020 as MarketWatch told it on the day.
PUBLISHED = {
    "1987-10-19": (-57.86, -20.47),
    "1987-10-21": (21.55, 9.10),
    "1987-10-26": (-20.55, -8.28),
    "2020-02-27": (-137.63, None),
    "2020-03-02": (136.01, None),
    "2020-03-03": (-86.86, None),
    "2020-03-09": (-225.81, -7.60),
    "2020-03-10": (135.67, None),
    "2020-03-12": (-260.74, -9.51),
    "2020-03-13": (230.38, 9.29),
    "2020-03-16": (-324.89, -11.98),
    "2020-03-17": (143.06, None),
    "2020-03-18": (-131.09, None),
    "2020-03-19": (11.29, None),
    "2020-03-24": (209.93, 9.38),
}
EACH = list(CRASHES.values())


def days_of(crash: Crash) -> list[Close]:
    return [crash.before, *crash.sessions]


def test_the_levels_move_by_what_was_published_of_the_moves() -> None:
    found = {
        new.day.isoformat(): (new.level - old.level, move)
        for crash in EACH
        for (old, new), move in zip(pairwise(days_of(crash)), crash.moves(), strict=True)
        if old.level is not None and new.level is not None
    }
    for day, (points, percent) in PUBLISHED.items():
        assert found[day][0] == pytest.approx(points, abs=1e-9), day
        if percent is not None:
            assert round(100 * (found[day][1] or 0), 2) == percent, day


def test_the_record_and_the_low_of_2020_are_those_that_were_published() -> None:
    # The record close of 19 February, the year's low of 23 March: Wikipedia, Closing milestones; macrotrends, annual data.
    levels = {each.day: each.level for each in days_of(CRASHES["2020"])}
    assert max(levels, key=lambda day: levels[day] or 0) == date(2020, 2, 19)
    assert min(levels.values(), key=lambda level: level or 0) == levels[date(2020, 3, 23)] == 2237.40


@pytest.mark.parametrize("crash", EACH, ids=lambda crash: crash.name)
def test_every_weekday_is_a_session_and_closes_at_four_in_new_york(crash: Crash) -> None:
    days = np.array([each.day for each in days_of(crash)], "datetime64[D]")
    # The exchange had no holiday in these weeks.
    assert np.busday_count(days[:-1], days[1:]).tolist() == [1] * len(crash.sessions)
    assert np.is_busday(days).all()
    zone = ZoneInfo("America/New_York")
    for each in days_of(crash):
        closed = datetime.fromtimestamp(each.time_ns // 10**9, zone)
        assert (closed.date(), closed.hour, closed.minute) == (each.day, 16, 0)


def test_each_published_close_has_a_source_and_no_other() -> None:
    for crash in EACH:
        for each in days_of(crash):
            assert (each.source in SOURCES) == (each.level is not None), each.day
    assert [each.day for each in CRASHES["1987"].sessions if each.level is None] == [date(1987, 10, 22)]
    assert all(each.level is not None for each in CRASHES["2020"].sessions)


def test_moves_are_published_only_where_both_closes_are() -> None:
    moves = CRASHES["1987"].moves()
    assert [move is None for move in moves] == [False, False, False, True, True, False]
    assert moves[0] == 224.84 / 282.70 - 1


def test_a_crash_needs_sessions_in_order_and_published_ends() -> None:
    one, two, three = (Close(date(2000, 1, day), 21, 100.0, "list") for day in (3, 4, 5))
    unknown = Close(date(2000, 1, 6), 21)
    assert Crash("x", "x", one, (two, three)).ratios() == (1.0, 1.0)
    for before, sessions in ((one, ()), (two, (one,)), (one, (three, two)), (one, (one,))):
        with pytest.raises(ValueError, match="a crash needs sessions in order of time"):
            Crash("x", "x", before, sessions)
    for before, sessions in ((one, (two, unknown)), (Close(date(2000, 1, 2), 21), (two,))):
        with pytest.raises(ValueError, match="must be published"):
            Crash("x", "x", before, sessions)


# The path


@given(st.data(), st.sampled_from(EACH), st.integers(0, 2**63 - 1), st.floats(0, 2))
def test_published_closes_are_hit_to_the_last_bit_by_any_path(
    data: st.DataObject, crash: Crash, seed: int, volatility: float
) -> None:
    many = len(crash.sessions)
    sizes = data.draw(st.lists(st.integers(1, 9), min_size=many, max_size=many))
    path = crash_path(crash, sizes, stream(seed), volatility=volatility)
    assert path.shape == (sum(sizes),)
    assert np.isfinite(path).all()
    assert (path > 0).all()
    for end, close in zip(np.cumsum(sizes) - 1, crash.sessions, strict=True):
        if close.level is not None:
            assert path[end] == close.level / crash.before.level


def test_days_with_one_price_depend_on_the_seed_only_where_nothing_is_published() -> None:
    for crash in EACH:
        one, two = (crash_path(crash, [1] * len(crash.sessions), stream(seed), volatility=0.02) for seed in (1, 2))
        assert (one != two).tolist() == [each.level is None for each in crash.sessions]


def test_without_volatility_the_log_price_goes_in_a_line_from_close_to_close() -> None:
    crash = CRASHES["1987"]
    path = crash_path(crash, [4, 1, 1, 2, 2, 1], stream(0), volatility=0)
    first = [(224.84 / 282.70) ** (quarter / 4) for quarter in (1, 2, 3, 4)]
    assert path[:4] == pytest.approx(first, rel=1e-12)
    # Two sessions from 258.38 to 248.22, two prices each, through a day of which nothing is published.
    across = [258.38 / 282.70 * (248.22 / 258.38) ** (quarter / 4) for quarter in (1, 2, 3, 4)]
    assert path[6:10] == pytest.approx(across, rel=1e-12)


def test_between_closes_it_is_a_brownian_bridge() -> None:
    # Var of a bridge over [0, T] at t is σ² t (T − t) / T; its covariance at s ≤ t is σ² s (T − t) / T.
    crash, volatility, many = CRASHES["1987"], 0.05, 4000
    paths = np.log(
        [crash_path(crash, [4, 1, 1, 1, 1, 1], stream(7, path), volatility=volatility) for path in range(many)]
    )
    line = np.log(224.84 / 282.70) * np.array([0.25, 0.5, 0.75])
    error = volatility / np.sqrt(many)
    assert paths[:, :3].mean(axis=0) == pytest.approx(line, abs=4 * error)
    spread = np.cov(paths[:, :3].T) / volatility**2
    # 4,000 paths: a standard error of √(2 / 4,000) = 2.2 % of a variance.
    expected = np.array([[3, 2, 1], [2, 4, 2], [1, 2, 3]]) / 16
    assert spread == pytest.approx(expected, abs=0.025)
    thursday = paths[:, 6]
    assert thursday.var(ddof=1) / volatility**2 == pytest.approx(1 / 2, rel=0.1)
    assert thursday.mean() == pytest.approx(np.log(258.38 * 248.22) / 2 - np.log(282.70), abs=4 * error)
    assert abs(np.corrcoef(paths[:, 1], thursday)[0, 1]) < 0.06  # two bridges know nothing of each other


@pytest.mark.parametrize(
    ("sizes", "volatility", "message"),
    [
        ([1] * 5, 0.02, "the crash has 6 sessions, got sizes of 5"),
        ([1, 1, 0, 1, 1, 1], 0.02, "size must be at least 1, got 0"),
        ([1] * 6, -0.1, "volatility must be in"),
        ([1] * 6, float("nan"), "volatility must be in"),
    ],
)
def test_what_is_no_path_of_a_crash_is_refused(sizes: list[int], volatility: float, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        crash_path(CRASHES["1987"], sizes, stream(0), volatility=volatility)


# The times


@pytest.mark.parametrize("crash", EACH, ids=lambda crash: crash.name)
@given(st.integers(60 * 10**9, 2 * SESSION_NS))
def test_every_session_has_the_same_number_of_prices_and_ends_at_its_close(crash: Crash, step_ns: int) -> None:
    grid = sessions_of(crash, step_ns)
    times = grid.times()
    assert times.size == grid.steps + 1 == 1 + grid.each * len(crash.sessions)
    assert (np.diff(times) > 0).all()
    assert times[0] == crash.before.time_ns
    rows = times[1:].reshape(len(crash.sessions), grid.each)
    assert rows[:, -1].tolist() == [each.time_ns for each in crash.sessions]
    assert (rows[:, -1] - rows[:, 0] < SESSION_NS).all()
    assert grid.span_ns == times[-1] - times[0]
