"""Stressed replay: the crash over data, alone, and cut out of them; that it is told, and what is refused."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pages import ROOT

import hedgerow
from hedgerow.cli.main import main
from hedgerow.engine.dryrun.data import Data, Window, open_data, parse_bound
from hedgerow.engine.dryrun.dry_run import dry_run, event_of
from hedgerow.engine.dryrun.narrative import narrate
from hedgerow.engine.dryrun.page import page
from hedgerow.engine.dryrun.problem import RunError
from hedgerow.engine.dryrun.scenario import read_scenario
from hedgerow.engine.dryrun.stress import moved_fields, open_stressed, read_stress
from hedgerow.engine.dryrun.times import iso
from hedgerow.engine.load import Spec, loads
from hedgerow.engine.sweep.path import path_of
from hedgerow.engine.sweep.paths import prepare_paths
from hedgerow.engine.sweep.runner import sweep
from hedgerow.engine.sweep.sets import parameter_sets
from hedgerow.engine.sweep.summary import summarise
from hedgerow.models.scenarios.crashes import CRASHES

HOLDER = """
hedgerow: 1
name: holder
units: [USD, IDX]
capital: {USD: 1000}
events: {tick: {FIELDS}, rate: {level: {}}, go: {}}
instruments: {index: {unit: IDX, price: PRICE}}
legs: {long: {instrument: index, side: long, quantity: 500 USD / index.price}}
machine: {initial: holding, fail_safe: halted, states: {holding: {}, halted: {}}}
"""
NINETEEN, TWENTY = CRASHES["1987"], CRASHES["2020"]


def holder(fields: str = "price: {unit: USD/IDX}", price: str = "tick.price") -> Spec:
    return loads(HOLDER.replace("FIELDS", fields).replace("PRICE", price), "holder.yaml")


def opened(text: str, source: str | None, spec: Spec | None = None, **reading: Any) -> Data:
    spec = spec or holder()
    return open_stressed(text, source, event_of(spec, "tick"), spec.program(), **reading)


def rows(data: Data) -> tuple[np.ndarray, ...]:
    """Return times, row numbers and fields."""
    batches = list(data.batches())
    fields = zip(*(batch.fields for batch in batches), strict=True)
    parts = ([batch.times for batch in batches], [batch.rows for batch in batches], *map(list, fields))
    return tuple(np.concatenate(part) for part in parts)


def refusal(text: str, source: str | None, spec: Spec | None = None, **reading: Any) -> RunError:
    with pytest.raises(RunError) as found:
        opened(text, source, spec, **reading)
    return found.value


def write(path: Path, lines: list[str], header: str = "time,price") -> str:
    path.write_text("\n".join([header, *lines]) + "\n", "utf-8")
    return str(path)


# Over data


@pytest.mark.parametrize("crash", [NINETEEN, TWENTY], ids=lambda crash: crash.name)
def test_over_daily_data_each_session_makes_the_published_move_and_the_rest_moves_as_it_did(crash: Any) -> None:
    data = opened(f"{crash.name}:at=2006-05-10", "sp500")
    times, numbers, prices = rows(data)
    old_times, old_numbers, old = rows(open_data("sp500", ["price"]))
    assert times.tolist() == old_times.tolist()
    assert numbers.tolist() == old_numbers.tolist()
    first = int(np.flatnonzero(times == parse_bound("2006-05-10", ""))[0])
    after = first + len(crash.sessions)
    assert prices[:first].tolist() == old[:first].tolist()
    for index, (close, move) in enumerate(zip(crash.sessions, crash.moves(), strict=True), first):
        if close.level is not None:
            assert prices[index] == old[first - 1] * (close.level / crash.before.level)
        if move is not None:
            assert prices[index] / prices[index - 1] - 1 == pytest.approx(move, abs=1e-14)
    assert prices[after:] / prices[after - 1] == pytest.approx(old[after:] / old[after - 1], rel=1e-13)


@given(st.sampled_from([NINETEEN, TWENTY]), st.integers(0, 2**63 - 1), st.integers(1, 28))
def test_within_days_every_published_close_is_the_last_price_of_its_day(crash: Any, seed: int, day: int) -> None:
    source = "gbm:seed=3,length=60d,step=7h"
    data = opened(f"{crash.name}:at=2000-01-{day + 1:02},seed={seed}", source)
    times, _, prices = rows(data)
    days = times // (86_400 * 10**9)
    lasts = np.flatnonzero(np.diff(days, append=days[-1] + 1))
    before = prices[lasts[day - 1]]
    for end, close in zip(lasts[day:], crash.sessions, strict=False):
        if close.level is not None:
            assert prices[end] == before * (close.level / crash.before.level)


def test_batches_of_any_size_give_one_path(tmp_path: Path) -> None:
    # A scenario comes in batches of 65,536 rows and a CSV file in other ones.
    source = "gbm:seed=3,length=70d,step=1m"
    path = read_scenario(source).path()
    lines = [f"{time},{price!r}" for time, price in zip(path.times.tolist(), path.prices.tolist(), strict=True)]
    one = rows(opened("2020:seed=5", source))
    two = rows(opened("2020:seed=5", write(tmp_path / "ticks.csv", lines)))
    assert [part.tolist() for part in one] == [part.tolist() for part in two]


def test_the_seed_and_the_volatility_change_what_is_synthetic_alone() -> None:
    at = "at=2006-05-10"
    one, two, wide = (rows(opened(f"1987:{at}{more}", "sp500"))[2] for more in ("", ",seed=1", ",volatility=0.1"))
    again = rows(opened(f"1987:{at},seed=0,volatility=0.02", "sp500"))[2]
    assert one.tolist() == again.tolist()
    thursday = int(np.flatnonzero(one != two)[0])
    assert np.flatnonzero(one != two).tolist() == np.flatnonzero(one != wide).tolist() == [thursday]


def test_without_a_day_the_crash_lies_a_quarter_of_the_way_in_and_always_has_a_session_before() -> None:
    told = opened("1987", "sp500").stress
    times = rows(open_data("sp500", ["price"]))[0]
    assert told is not None
    assert told.first == iso(int(times[(times.size - 6) // 4]))
    short = opened("1987", "gbm:length=6d,step=1d").stress  # seven days, of which the crash takes six
    assert short is not None
    assert (short.first, short.last) == ("2000-01-02", "2000-01-07")


def test_a_day_without_a_session_gives_way_to_the_next_one() -> None:
    told = opened("1987:at=2006-05-13", "sp500").stress  # a Saturday
    assert told is not None
    assert [one["session"] for one in told.sessions[:2]] == ["2006-05-15", "2006-05-16"]
    assert told.text == "1987:at=2006-05-15,seed=0,volatility=0.02"


def test_bid_and_ask_keep_their_spread_and_what_is_no_price_is_left_alone(tmp_path: Path) -> None:
    fields = "bid: {unit: USD/IDX}, ask: {unit: USD/IDX}, size: {unit: IDX}"
    spec = holder(fields, "(tick.bid + tick.ask) / 2")
    lines = [f"2024-01-{day:02},{100 + day},{101 + day},{day}" for day in range(1, 13)]
    source = write(tmp_path / "quotes.csv", lines, "time,bid,ask,size")
    _, _, bid, ask, size = rows(opened("1987:at=2024-01-04", source, spec))
    old = np.arange(1, 13)
    assert bid[3] == 103 * (224.84 / 282.70)
    assert ask / bid == pytest.approx((101 + old) / (100 + old), rel=1e-14)
    assert size.tolist() == old.tolist()


def test_of_a_bar_the_close_takes_the_published_move(tmp_path: Path) -> None:
    fields = ", ".join(f"{name}: {{unit: USD/IDX}}" for name in ("open", "high", "low", "close"))
    lines = [f"2024-01-{day:02},{100 + day},130,90,{105 + 2 * day}" for day in range(1, 13)]
    source = write(tmp_path / "bars.csv", lines, "time,open,high,low,close")
    _, _, first, high, low, close = rows(opened("1987:at=2024-01-04", source, holder(fields, "tick.close")))
    assert close[3] == 111 * (224.84 / 282.70)
    assert high / close == pytest.approx(130 / (105 + 2 * np.arange(1, 13)), rel=1e-14)
    assert (low < first).all()


def test_a_bad_row_stays_bad_and_takes_no_close(tmp_path: Path) -> None:
    lines = [f"2024-01-{day:02}T15:00Z,{100 + day}" for day in range(1, 13)]
    # After the close of the first day of the crash: no number, nothing paid, a time before.
    lines[4:4] = ["2024-01-04T20:00Z,none", "2024-01-04T20:00Z,0", "2024-01-04T01:00Z,50"]
    source = write(tmp_path / "bad.csv", lines)
    data = opened("1987:at=2024-01-04", source)
    prices = rows(data)[2]
    assert prices[3] == 103 * (224.84 / 282.70)
    assert np.isnan(prices[4])
    assert prices[5:7].tolist() == [0, 50]
    assert prices[7] == 103 * (236.83 / 282.70)


def test_a_window_is_cut_before_the_crash_is_laid_over_it() -> None:
    window = Window(parse_bound("2006-05-09", ""), parse_bound("2006-06-01", ""))
    data = opened("1987:at=2006-05-10", "sp500", window=window)
    prices = rows(data)[2]
    assert prices[1] == prices[0] * (224.84 / 282.70)
    assert data.rows_in_window == prices.size == np.busday_count("2006-05-09", "2006-06-01", holidays=["2006-05-29"])


# Alone


def test_alone_it_is_the_scenario_of_its_name_on_the_days_that_were() -> None:
    data = opened("1987:seed=4,start=282.7,step=30m,volatility=0.03", None)
    times, _, prices = rows(data)
    path = read_scenario("crash_1987:seed=4,start=282.7,step=30m,volatility=0.03").path()
    assert prices.tolist() == path.prices.tolist()
    closes = {iso(int(time)): price for time, price in zip(times, prices, strict=True)}
    assert closes["1987-10-16T20:00:00Z"] == 282.7
    assert closes["1987-10-19T20:00:00Z"] == pytest.approx(224.84, rel=1e-15)
    assert closes["1987-10-26T21:00:00Z"] == pytest.approx(227.67, rel=1e-15)
    assert len(closes) == 1 + 6 * 13


def test_a_path_of_a_crash_has_its_own_bridge_and_the_same_closes() -> None:
    family = read_scenario("crash_2020:step=195m")
    one, two = family.path(0).prices, family.path(1).prices
    assert (one[2::2] == two[2::2]).all()
    assert (one[1::2] != two[1::2]).all()


def test_a_window_of_a_crash_tells_of_the_sessions_in_it() -> None:
    window = Window(parse_bound("1987-10-20", ""), parse_bound("1987-10-23", ""))
    told = open_data("crash_1987", ["price"], window=window).stress
    assert told is not None
    assert [one["day"] for one in told.sessions] == ["1987-10-20", "1987-10-21", "1987-10-22"]
    assert (told.first, told.last, told.synthetic) == ("1987-10-20", "1987-10-22", ("1987-10-22",))
    outside = Window(parse_bound("1990-01-01", ""))
    assert open_data("crash_1987", ["price"], window=outside).stress is None


# Recorded


@pytest.mark.parametrize("source", ["sp500", None])
def test_2008_is_the_year_as_it_was_recorded(source: str | None) -> None:
    data = opened("2008", source)
    times, _, prices = rows(data)
    window = Window(parse_bound("2008-01-01", ""), parse_bound("2009-01-01", ""))
    assert prices.tolist() == rows(open_data("sp500", ["price"], window=window))[2].tolist()
    assert (iso(int(times[0])), iso(int(times[-1])), times.size) == ("2008-01-02", "2008-12-31", 253)
    moves = dict(zip(map(iso, times[1:].tolist()), (new / old - 1 for old, new in pairwise(prices)), strict=True))
    # Wikipedia, List of largest daily changes in the S&P 500 Index.
    for day, percent in {"2008-10-13": 11.58, "2008-10-28": 10.79, "2008-10-15": -9.04, "2008-12-01": -8.93}.items():
        assert 100 * moves[day] == pytest.approx(percent, abs=0.006), day


# What is refused


def test_an_unknown_stress_names_the_known_ones() -> None:
    error = refusal("1929", "sp500")
    assert (error.code, error.file) == ("HR816", "--stress")
    assert (error.message, error.help) == ("there is no stress `1929`", "the stresses are `1987`, `2008`, `2020`")


REFUSED = {
    ("1987:sed=1", "sp500"): ("there is no key `sed`", "did you mean `seed`?"),
    ("1987:seed", "sp500"): ("`seed` is no pair of a key and a value", "write e.g. 1987:at=2008-09-15,seed=7"),
    ("1987:seed=-1", "sp500"): (
        "`seed` = -1 is outside its range [0, 9.22337e+18]",
        "choose a whole number inside",
    ),
    ("1987:volatility=21", "sp500"): (
        "`volatility` = 21 is outside its range [0, 20] per √session",
        "choose one inside",
    ),
    ("1987:at=soon", "sp500"): (
        "`at=soon` cannot be read",
        "`at` is a date or time, such as 2008-09-15 or 2008-09-15T14:30Z",
    ),
    ("1987:at=1999-01-04", "sp500"): (
        "from 1999-01-04 on the stress `1987` has no session before it, or fewer than its 6",
        "choose a day from 1999-01-05 to 2018-12-21",
    ),
    ("1987:at=2018-12-24", "sp500"): (
        "from 2018-12-24 on the stress `1987` has no session before it, or fewer than its 6",
        "choose a day from 1999-01-05 to 2018-12-21",
    ),
    ("2020", "gbm:length=23d,step=1h"): (
        "the data hold 24 sessions, and the stress `2020` takes 24 after the first",
        "give longer data, or leave out --data to run `2020` alone",
    ),
    ("1987:step=1m", "sp500"): (
        "`step` has no meaning here: the data say where and how it runs",
        "leave out `step`, or leave out --data",
    ),
    ("1987:at=2000-01-01", None): (
        "`at` has no meaning here: there are no data to lay the crash over",
        "leave out `at`, or give --data",
    ),
    ("2008:seed=1", "sp500"): (
        "the stress `2008` has no keys",
        "write the year alone: nothing of it is drawn or moved",
    ),
    ("2008", "gbm:begin=2007-01-01,years=3,step=1d"): (
        "`gbm:begin=2007-01-01,years=3,step=1d` is simulated, and `2008` is a stretch of recorded data",
        "give recorded data, or leave out --data for `sp500`",
    ),
}


@pytest.mark.parametrize(("text", "source"), REFUSED)
def test_a_stress_that_cannot_be_is_refused(text: str, source: str | None) -> None:
    error = refusal(text, source)
    assert (error.code, error.message, error.help) == ("HR816", *REFUSED[text, source])


@pytest.mark.parametrize(
    ("first", "last", "holds"),
    [
        ("2008-01-03", "2008-12-30", True),
        ("2008-01-08", "2008-12-25", True),
        ("2008-01-09", "2008-12-31", False),
        ("2008-01-02", "2008-12-24", False),
        ("2010-01-01", "2011-01-01", False),
    ],
)
def test_data_hold_2008_if_they_begin_and_end_within_a_week_of_it(
    tmp_path: Path, first: str, last: str, holds: bool
) -> None:
    source = write(tmp_path / "prices.csv", [f"{first},100", f"{last},90"])
    if holds:
        assert rows(opened("2008", source))[2].tolist() == [100, 90]
    else:
        error = refusal("2008", source)
        assert error.code == "HR816"
        assert error.message == f"the data do not hold the year 2008: they run from {first} to {last}"
        assert error.help.startswith("leave out --data for `sp500`")


def test_2008_takes_no_window() -> None:
    error = refusal("2008", "sp500", window=Window(None, parse_bound("2008-06-01", "")))
    assert (error.code, error.message) == ("HR816", "the stress `2008` is a window of its own")


def test_an_event_without_a_price_is_refused_and_so_are_data_without_one(tmp_path: Path) -> None:
    spec = holder()
    with pytest.raises(RunError) as found:
        open_stressed("1987", "sp500", event_of(spec, "rate"), spec.program())
    assert (found.value.code, found.value.message) == ("HR816", "no field of event `rate` is a price")
    assert found.value.help == "a crash moves fields in `USD/IDX`; see --event"
    error = refusal("1987", write(tmp_path / "zeros.csv", ["2024-01-01,0", "2024-01-02,0"]))
    assert (error.code, error.message) == ("HR816", "no row of the data has a price above 0")
    window = Window(parse_bound("2030-01-01", ""))
    assert refusal("1987", "sp500", window=window).code == "HR805"


def test_a_spec_without_instruments_is_moved_by_its_price_or_its_only_field() -> None:
    text = "hedgerow: 1\nname: watch\nevents: {tick: {FIELDS}}\nmachine: {initial: on, states: {on: {}}}\n"

    def moved(fields: str) -> tuple[str, ...]:
        spec = loads(text.replace("FIELDS", fields), "watch.yaml")
        return moved_fields(event_of(spec, "tick"), spec.program())

    assert moved("level: {}") == ("level",)
    assert moved("price: {}, level: {}") == ("price",)
    with pytest.raises(RunError) as found:
        moved("level: {}, other: {}")
    assert (found.value.code, found.value.help) == ("HR816", "name the field of the price `price`; see --event")
    with pytest.raises(RunError):
        moved("on: {type: bool}")


def test_a_composed_desk_is_moved_by_the_price_of_its_tick() -> None:
    spec = hedgerow.load(ROOT / "specs" / "drawdown_desk.yaml")
    assert moved_fields(event_of(spec, None), spec.program()) == ("price",)


# What is told


def test_a_run_without_data_and_stress_is_no_run() -> None:
    with pytest.raises(ValueError, match="a run needs data or a stress"):
        dry_run(holder(), None, event="tick")


def test_a_summary_says_what_is_published_and_what_is_synthetic() -> None:
    run = dry_run(holder(), "sp500", stress="1987:at=2006-05-10", event="tick")
    told = run.summary["stress"]
    assert run.summary["fingerprint"]["stress"] == told["text"] == "1987:at=2006-05-10,seed=0,volatility=0.02"
    assert (told["form"], told["history"], told["published"]) == ("spliced", False, 5)
    assert (told["synthetic"], told["seed"], told["volatility"]) == (["1987-10-22"], 0, 0.02)
    assert told["fields"] == ["price"]
    assert (told["first"], told["last"]) == ("2006-05-10", "2006-05-17")
    assert told["sessions"][0] == {
        "session": "2006-05-10",
        "day": "1987-10-19",
        "move": 224.84 / 282.70 - 1,
        "close": 224.84,
        "source": "Wikipedia, List of largest daily changes in the S&P 500 Index (close and net change of the day)",
    }
    # The leg is 500 USD at the first price, bought and held.
    _, _, old = rows(open_data("sp500", ["price"]))
    held = 500 / old[0]
    base = float(old[list(run.trace.times).index(parse_bound("2006-05-10", "")) - 1])
    assert told["books"]["gross_before"] == pytest.approx(held * base)
    assert told["books"]["profit"] == pytest.approx(held * base * (227.67 / 282.70 - 1))
    assert told["books"]["worst"] == pytest.approx(held * base * (224.84 / 282.70 - 1))
    assert told["books"]["orders"] == 0


@pytest.mark.parametrize(
    ("source", "stress", "form"),
    [("sp500", "2020", "spliced"), (None, "2020:step=1d", "alone"), ("crash_2020:step=1d", None, "alone")],
)
def test_no_stressed_report_can_be_taken_for_history(source: str | None, stress: str | None, form: str) -> None:
    run = dry_run(holder(), source, stress=stress, event="tick")
    assert (run.summary["stress"]["form"], run.summary["stress"]["history"]) == (form, False)
    warning = narrate(run.summary)[1]
    assert (warning.heading, warning.tone) == ("Not history: stressed by 2020", "warn")
    assert warning.text.endswith("No result of this run is history.")
    assert "24 closes are published levels of the S&P 500, rescaled; no close is synthetic" in warning.text
    text = page(run.subject, run.trace, run.summary)
    assert "not history: stressed by 2020" in text
    assert "Stress 2020: closes of the S&amp;P 500" in text
    # The price and the equity carry the name of the stretch in their legends, where it is a part of the time.
    assert text.count("not history: stress 2020") == (2 if form == "spliced" else 0)


def test_a_stress_on_flat_books_is_told_to_say_nothing() -> None:
    spec = hedgerow.load(ROOT / "specs" / "drawdown_desk.yaml")
    run = dry_run(spec, "sp500", stress="1987:at=2010-05-06")
    assert "it says nothing about this strategy" in narrate(run.summary)[1].text


def test_a_recorded_stress_is_told_as_recorded_and_an_ordinary_run_as_none() -> None:
    run = dry_run(holder(), None, stress="2008", event="tick")
    assert run.summary["stress"]["history"] is True
    told = narrate(run.summary)[1]
    assert (told.heading, told.tone) == ("Stress: 2008", "plain")
    assert "No price was changed." in told.text
    ordinary = dry_run(holder(), "gbm:length=1d", event="tick")
    assert ordinary.summary["stress"] is None
    assert ordinary.summary["fingerprint"]["stress"] is None


def test_two_stressed_runs_are_the_same_and_another_seed_is_another() -> None:
    first, second, third = (
        dry_run(holder(), "gbm:length=20d,step=1h", stress=f"1987:seed={seed}", event="tick").summary
        for seed in (1, 1, 2)
    )
    assert first == second
    assert first != third
    assert first["fingerprint"]["data"]["sha256"] == third["fingerprint"]["data"]["sha256"]


def test_every_text_with_every_value_is_read_back_as_itself() -> None:
    stress = read_stress("1987:volatility=3e-2,seed=7.0")
    at = parse_bound("2006-05-10", "")
    assert at is not None
    assert stress.text(at) == "1987:at=2006-05-10,seed=7,volatility=0.03"
    assert read_stress(stress.text(at)).text(at) == stress.text(at)
    assert stress.scenario() == "crash_1987:seed=7,volatility=0.03,start=100.0,step=5m"


# The command


def test_the_command_lays_the_crash_over_the_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    desk = str(ROOT / "specs" / "drawdown_desk.yaml")
    assert main(["run", desk, "--data", "sp500", "--stress", "1987", "--no-report"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "stress not history: stressed by 1987; 1987:at=2004-01-02,seed=0,volatility=0.02" in shown
    assert "No result of this run is history." in shown
    told = json.loads((tmp_path / "drawdown_desk-stress" / "summary.json").read_text("utf-8"))
    assert told["stress"]["name"] == "1987"
    assert main(["run", desk, "--stress", "2008", "--no-report", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["stress"]["history"] is True


def test_the_command_refuses_as_bad_input(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    desk = str(ROOT / "specs" / "drawdown_desk.yaml")
    assert main(["run", desk, "--stress", "1988", "--out", str(tmp_path / "run")]) == 2
    assert capsys.readouterr().err == (
        "--stress: error[HR816]: there is no stress `1988`\n   help: the stresses are `1987`, `2008`, `2020`\n"
    )
    assert not (tmp_path / "run").exists()
    assert main(["run", desk]) == 2


# Sweeps


@pytest.mark.parametrize(
    ("stress", "name"), [("1987:at=2006-05-10", "sp500 (not history: stressed by 1987)"), ("2008", None)]
)
def test_each_set_of_a_stressed_sweep_earns_what_its_stressed_run_does(stress: str, name: str | None) -> None:
    spec = hedgerow.load(ROOT / "specs" / "band_limited_hedge.yaml")
    sets = parameter_sets(spec, grid={"k": "6:10:4"})
    table = sweep(spec, "sp500", sets, stress=stress)
    runs = [dry_run(spec, "sp500", stress=stress, parameters={"k": k}) for k in ("6", "10")]
    assert table.columns["profit"].tolist() == [run.summary["money"]["profit"] for run in runs]
    told = summarise(table)["data"]
    assert told["stress"] == runs[0].summary["fingerprint"]["stress"]
    assert told["name"] == (name or "sp500 (the stress of 2008 as recorded)")


def test_a_sweep_over_paths_or_arrays_takes_no_stress() -> None:
    spec = hedgerow.load(ROOT / "specs" / "band_limited_hedge.yaml")
    sets = parameter_sets(spec, grid={"k": "6:10:4"})
    with pytest.raises(RunError) as found:
        prepare_paths(spec, "gbm", sets, 2, stress="1987")
    assert (found.value.code, found.value.message) == ("HR807", "a stress is laid over one path")
    path = path_of(event_of(spec, None), [0, 1], [[1.0, 2.0]])
    with pytest.raises(ValueError, match="takes no stress"):
        sweep(spec, path, sets, stress="1987")


def test_the_command_sweeps_over_a_crash(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spec = str(ROOT / "specs" / "band_limited_hedge.yaml")
    grid = ["--grid", "k=6:10:4", "--no-report", "--out"]
    assert main(["sweep", spec, "--data", "sp500", "--stress", "2020", *grid, str(tmp_path / "over")]) == 0
    assert "not history: stressed by 2020" in " ".join(capsys.readouterr().out.split())
    assert main(["sweep", spec, "--data", "crash_2020:step=1h", "--paths", "3", *grid, str(tmp_path / "alone")]) == 0
    assert "crash_2020:step=1h, 145 rows a path, 3 paths" in " ".join(capsys.readouterr().out.split())
