"""Scenarios as data: what a text means, what it refuses, and that a path is the same however it is asked for."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pages import ROOT, fences

import hedgerow
from hedgerow.cli.main import main
from hedgerow.engine.dryrun.data import Window, open_data, parse_bound
from hedgerow.engine.dryrun.dry_run import dry_run
from hedgerow.engine.dryrun.problem import RunError
from hedgerow.engine.dryrun.scenario import is_scenario, read_scenario, scenario
from hedgerow.engine.dryrun.scenario_keys import AUTO
from hedgerow.engine.dryrun.scenario_kinds import KINDS, SHARED
from hedgerow.models.scenarios.bootstrap import usual_block
from hedgerow.models.scenarios.brownian import geometric_brownian_motion
from hedgerow.models.scenarios.flash_crash import flash_crash
from hedgerow.models.scenarios.grid import DAY_NS, YEAR_NS, Grid
from hedgerow.models.scenarios.heston import heston
from hedgerow.models.scenarios.jumps import merton_jumps
from hedgerow.models.scenarios.mean_reversion import ornstein_uhlenbeck
from hedgerow.models.scenarios.order_flow import order_flow_shocks
from hedgerow.models.scenarios.quote_stuffing import quote_stuffing
from hedgerow.models.scenarios.regimes import Regime, regime_flip
from hedgerow.models.scenarios.rough_bergomi import rough_bergomi
from hedgerow.models.scenarios.streams import stream

SHORT = "length=2h,step=1m"
MINUTE = 60 * 10**9
SMALL = {name: f"{name}:{SHORT}" for name in KINDS} | {
    "bootstrap": "bootstrap:of=sp500,length=60d",
    "flash_crash": f"flash_crash:{SHORT},fall=5m",
    "quote_stuffing": f"quote_stuffing:{SHORT},bursts=2,messages=30",
    "crash_1987": "crash_1987:step=2h",
    "crash_2020": "crash_2020:step=3h",
}
PAGE = ROOT / "docs" / "scenarios.md"
BAND = ROOT / "specs" / "band_limited_hedge.yaml"


def refusal(text: str) -> RunError:
    with pytest.raises(RunError) as found:
        read_scenario(text)
    return found.value


# What a text means


def test_a_text_says_which_path_is_drawn_at_which_times() -> None:
    found = read_scenario("gbm:seed=7,years=1,step=5m,volatility=0.3,drift=0.1,start=50,begin=2020-01-01T12:00Z,path=3")
    grid = Grid(365 * 288, 300 * 10**9, 1_577_880_000 * 10**9)
    assert found.grid == grid
    path = found.path()
    assert path.times.tolist() == grid.times().tolist()
    expected = geometric_brownian_motion(grid, stream(7, 3), start=50, volatility=0.3, drift=0.1)[0]
    assert path.prices.tolist() == expected.tolist()
    assert path.flow is None


def test_a_half_life_and_a_stay_are_times_on_the_clock() -> None:
    found = read_scenario("ou:half_life=10d,length=40d,step=1d,volatility=0.4,start=120,mean=100,year=252d")
    grid = Grid(40, DAY_NS, found.grid.begin_ns, 252 * DAY_NS)
    law = {"start": 120.0, "mean": 100.0, "volatility": 0.4, "reversion": np.log(2) * 25.2}
    assert found.path().prices == pytest.approx(ornstein_uhlenbeck(grid, stream(0), **law)[0])


GRID = Grid(120, 60 * 10**9, 946_684_800 * 10**9, 300 * DAY_NS)
DRAWN: dict[str, Callable[[np.random.Generator], np.ndarray]] = {
    "merton:volatility=0.1,drift=0.2,jumps=900,jump_mean=-0.01,jump_deviation=0.03": lambda random: merton_jumps(
        GRID, random, start=9, volatility=0.1, intensity=900, jump_mean=-0.01, jump_deviation=0.03, drift=0.2
    ),
    "heston:volatility=0.3,drift=0.2,long_volatility=0.4,half_life=3h,vol_of_vol=2,correlation=0.1": lambda random: (
        heston(
            GRID,
            random,
            start=9,
            volatility=0.3,
            long_volatility=0.4,
            reversion=np.log(2) * 2_400,
            vol_of_vol=2,
            correlation=0.1,
            drift=0.2,
        )
    ),
    "rough_bergomi:volatility=0.3,drift=0.2,vol_of_vol=1.5,hurst=0.2,correlation=0.4": lambda random: rough_bergomi(
        GRID, random, start=9, volatility=0.3, vol_of_vol=1.5, hurst=0.2, correlation=0.4, drift=0.2
    ),
    "regimes:calm_volatility=0.1,calm_drift=1,calm_stay=30m,stormy_volatility=0.5,stormy_drift=2,stormy_stay=15m": (
        lambda random: regime_flip(
            GRID, random, start=9, calm=Regime(0.1, 1, 1 / 14_400), stormy=Regime(0.5, 2, 1 / 28_800)
        )
    ),
    "flash_crash:volatility=0.3,drift=0.2,at=0.25,depth=0.2,fall=9m,trough=2m,recovery=20m,recovered=0.7": (
        lambda random: flash_crash(
            GRID,
            random,
            start=9,
            volatility=0.3,
            at_ns=30 * MINUTE,
            depth=0.2,
            fall_ns=9 * MINUTE,
            trough_ns=2 * MINUTE,
            recovery_ns=20 * MINUTE,
            recovered=0.7,
            drift=0.2,
        )
    ),
    "quote_stuffing:volatility=0.3,drift=0.2,bursts=3,messages=20,gap=5us,flicker=0.01": lambda random: quote_stuffing(
        GRID, random, start=9, volatility=0.3, bursts=3, messages=20, gap_ns=5_000, flicker=0.01, drift=0.2
    ).prices[np.newaxis],
    "order_flow:volatility=0.3,drift=0.2,flow_volatility=50,correlation=0.4": lambda random: (
        order_flow_shocks(GRID, random, start=9, volatility=0.3, flow_volatility=50, correlation=0.4, drift=0.2).prices
    ),
}


@pytest.mark.parametrize("text", DRAWN)
def test_each_key_is_the_argument_of_its_model(text: str) -> None:
    found = read_scenario(f"{text},start=9,length=2h,step=1m,year=300d,seed=4,path=2")
    assert found.grid == GRID
    assert set(text.partition(":")[2].replace("=", ",").split(",")[::2]) == {key.name for key in KINDS[found.kind].keys}
    assert found.path().prices == pytest.approx(DRAWN[text](stream(4, 2))[0], rel=1e-12)


def test_the_keys_of_the_flow_are_those_of_its_model() -> None:
    found = read_scenario("order_flow:flow_volatility=50,correlation=0.4,start=9,length=2h,step=1m,year=300d").path()
    law = {"volatility": 0.2, "flow_volatility": 50.0, "correlation": 0.4}
    assert found.flow == pytest.approx(order_flow_shocks(GRID, stream(0), start=9, **law).flow[0], rel=1e-12)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("gbm", "gbm:seed=0,path=0,years=1,step=5m,start=100,volatility=0.2,drift=0,year=365d,begin=2000-01-01"),
        ("gbm:step=300s", "gbm:step=5m"),
        ("gbm:years=0.1", "gbm:length=36.5d"),
        ("gbm: seed = 7 , volatility = .2", "gbm:volatility=2e-1,seed=7.0"),
        ("ou:start=30", "ou:mean=30,start=30"),
        ("heston:volatility=0.3", "heston:long_volatility=0.3,volatility=0.3"),
        ("gbm:begin=2020-01-01", "gbm:begin=2020-01-01T01:00+01:00"),
    ],
)
def test_what_means_the_same_has_the_same_hash_and_path(one: str, other: str) -> None:
    first, second = read_scenario(one), read_scenario(other)
    assert first.text == second.text
    assert first.sha256() == second.sha256()
    assert (first.seed, first.number, first.grid) == (second.seed, second.number, second.grid)


@pytest.mark.parametrize("name", SMALL)
def test_every_value_that_is_given_otherwise_makes_another_hash(name: str) -> None:
    base = read_scenario(SMALL[name])
    given = SMALL[name].partition(":")[2]
    others = {"seed": "1", "path": "1", "start": "99"}
    others |= {"step": "1h"} if KINDS[name].crash else {"begin": "2001-01-01", "year": "300d"}
    if name == "bootstrap":
        others |= {"block": "3", "blocks": "moving", "column": "Close", "of": "nasdaq", "step": "2d"}
    else:
        for key in KINDS[name].keys:
            if key.name not in given:
                others[key.name] = "7m" if key.form == "time" else "3" if key.form == "whole" else "0.3125"
    texts = []
    for key, value in others.items():
        rest = re.sub(rf"\b{key}=[^,]*,?", "", given).strip(",")
        pairs = ",".join(filter(None, (rest, f"{key}={value}")))
        texts.append(read_scenario(f"{name}:{pairs}"))
    assert len({base.sha256(), *(each.sha256() for each in texts)}) == len(others) + 1


def test_values_may_be_given_in_python() -> None:
    made = scenario("gbm", seed=7, step="1h", volatility=0.25)
    assert made.text == read_scenario("gbm:seed=7,step=1h,volatility=0.25").text
    assert scenario("gbm").text == read_scenario("gbm").text


def test_the_text_with_every_value_is_read_back_as_itself() -> None:
    for name, text in SMALL.items():
        found = read_scenario(text)
        again = read_scenario(found.text)
        assert again.text == found.text, name
        assert again.path().prices.tolist() == found.path().prices.tolist()


def test_the_text_has_every_value_in_its_largest_unit() -> None:
    text = (
        "ou:length=90000ms,step=0.5s,half_life=260000h,year=1638h,seed=4,begin=2020-01-01T00:00:00.5Z,volatility=3e-1"
    )
    assert read_scenario(text).text == (
        "ou:seed=4,path=0,begin=2020-01-01T00:00:00.5Z,length=90s,step=500ms,year=1638h,"
        "start=100.0,mean=100.0,volatility=0.3,half_life=260000h"
    )


# Families


@pytest.mark.parametrize("name", SMALL)
def test_a_path_does_not_depend_on_which_others_are_drawn(name: str) -> None:
    family = read_scenario(SMALL[name])
    alone = family.path(3)
    paths = [family.path(number) for number in range(5)]
    assert paths[3].prices.tolist() == alone.prices.tolist()
    assert paths[3].times.tolist() == alone.times.tolist()
    named = read_scenario(f"{SMALL[name]},path=3").path()
    assert named.prices.tolist() == alone.prices.tolist()
    assert len({path.prices.tobytes() for path in paths}) == 5


@pytest.mark.parametrize("name", SMALL)
def test_a_path_is_positive_in_order_of_time_and_as_long_as_it_says(name: str) -> None:
    family = read_scenario(f"{SMALL[name]},start=42,seed=5")
    path = family.path()
    assert path.times.shape == path.prices.shape == (family.rows,)
    assert path.times.dtype == np.int64
    assert (np.diff(path.times) >= 0).all()
    assert path.times[0] == family.grid.begin_ns
    assert path.times[-1] == family.grid.begin_ns + family.grid.span_ns
    assert np.isfinite(path.prices).all()
    assert (path.prices > 0).all()
    assert path.prices[0] == pytest.approx(42, rel=1e-12)


@given(st.integers(0, 2**63 - 1), st.integers(0, 2**40))
def test_any_seed_and_any_number_of_a_path_are_drawn(seed: int, number: int) -> None:
    family = read_scenario(f"gbm:seed={seed},path={number},{SHORT}")
    assert (family.seed, family.number) == (seed, number)
    assert family.path().prices.tolist() == read_scenario(f"gbm:seed={seed},{SHORT}").path(number).prices.tolist()


# As data


def test_a_scenario_is_read_like_a_file_of_ticks() -> None:
    data = open_data("gbm:seed=1,years=1,step=5m", ["price"])
    batches = list(data.batches())
    path = read_scenario("gbm:seed=1,years=1,step=5m").path()
    assert len(batches) == 2
    assert np.concatenate([batch.times for batch in batches]).tolist() == path.times.tolist()
    assert np.concatenate([batch.fields[0] for batch in batches]).tolist() == path.prices.tolist()
    assert np.concatenate([batch.rows for batch in batches]).tolist() == list(range(1, path.times.size + 1))
    assert (data.kind, data.time_column, data.mapping) == ("ticks", "time", {"price": "price"})
    assert (data.rows_read, data.name) == (path.times.size, "gbm:seed=1,years=1,step=5m")
    assert data.reader.progress() == 1
    assert data.notes == [
        "simulated, not recorded: geometric Brownian motion, seed 1, path 0, one price every 5m, years of 365d",
        "scenario: start 100.0, volatility 0.2, drift 0.0",
        "field `price` is read from column `price`",
        "time is read from column `time`",
    ]


def test_the_only_field_of_an_event_is_fed_the_price_and_others_by_name() -> None:
    assert open_data("gbm", ["level"]).mapping == {"level": "price"}
    both = open_data(f"order_flow:{SHORT}", ["flow", "price"])
    (batch,) = both.batches()
    path = read_scenario(f"order_flow:{SHORT}").path()
    assert path.flow is not None
    assert [field.tolist() for field in batch.fields] == [path.flow.tolist(), path.prices.tolist()]
    with pytest.raises(RunError, match="HR803"):
        open_data("gbm", ["price", "flow"])
    assert open_data("order_flow", ["signed"], mapping={"signed": "flow"}).mapping == {"signed": "flow"}


def test_a_window_cuts_a_scenario() -> None:
    window = Window(parse_bound("2000-01-01T00:10Z", "--from"), parse_bound("2000-01-01T00:20Z", "--to"))
    (batch,) = open_data(f"gbm:{SHORT}", ["price"], window=window).batches()
    assert batch.rows.tolist() == list(range(11, 21))


def test_a_file_of_the_name_wins_over_a_scenario(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert is_scenario("gbm")
    (tmp_path / "gbm").write_text("time,price\n2020-01-01,5\n")
    assert not is_scenario("gbm")
    assert open_data("gbm", ["price"]).name == "gbm"


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("gbm", True),
        ("gbm:seed=1", True),
        ("gmb:seed=1", True),
        (f"gbm:{'x' * 5000}=1", True),
        ("sp500", False),
        ("prices.csv", False),
        ("s3://bucket/day=1/x.csv", False),
        (r"C:\data\a=b.csv", False),
        ("folder/gbm:seed=1", False),
        ("lse:prices.csv", False),
        ("gbm\0", False),
    ],
)
def test_what_is_written_as_a_scenario_is_told_from_a_path(source: str, expected: bool) -> None:
    assert is_scenario(source) is expected


# The bootstrap


def test_a_bootstrap_draws_from_the_returns_of_its_series() -> None:
    found = read_scenario("bootstrap:of=sp500,seed=3")
    (real,) = open_data("sp500", ["price"]).batches()
    returns = np.diff(np.log(real.fields[0]))
    assert found.series is not None
    assert found.series.log_returns.tolist() == returns.tolist()
    # Without more said: as many steps as the series has returns, each as long as the usual time between two.
    assert (found.grid.steps, found.grid.step_ns) == (returns.size, DAY_NS)
    assert found.values["block"] == usual_block(returns)
    drawn = np.diff(np.log(found.path().prices))
    nearest = np.sort(returns)[np.clip(np.searchsorted(np.sort(returns), drawn), 1, returns.size - 1)]
    below = np.sort(returns)[np.clip(np.searchsorted(np.sort(returns), drawn) - 1, 0, returns.size - 1)]
    assert np.minimum(np.abs(drawn - nearest), np.abs(drawn - below)).max() < 1e-12


def test_a_bootstrap_of_bars_is_bars_and_of_ticks_ticks(tmp_path: Path) -> None:
    assert open_data("bootstrap:of=sp500,length=30d", ["price"]).kind == "bars"
    assert open_data(f"bootstrap:of={write(tmp_path)},block=4", ["price"]).kind == "ticks"


def write(folder: Path, text: str = "", name: str = "ticks.csv") -> Path:
    walk = np.exp(np.cumsum(np.random.default_rng(1).normal(size=60) / 100))
    rows = "".join(f"{1_600_000_000 + 15 * row},{price:.6f}\n" for row, price in enumerate(walk))
    (folder / name).write_text(text or f"time,price\n{rows}")
    return folder / name


def test_a_bootstrap_of_a_file_is_named_without_its_folder_and_hashed_with_its_content(tmp_path: Path) -> None:
    first = open_data(f"bootstrap:of={write(tmp_path)},seed=1", ["price"])
    assert first.name == "bootstrap:of=ticks.csv,seed=1"
    assert not any(str(tmp_path) in note for note in first.notes)
    assert any(note.startswith("drawn from 59 returns of ticks.csv, sha256 ") for note in first.notes)
    before = first.sha256()
    other = tmp_path / "other"
    other.mkdir()
    moved = open_data(f"bootstrap:of={write(other)},seed=1", ["price"])
    assert moved.sha256() == before
    lines = (tmp_path / "ticks.csv").read_text().splitlines()
    lines[30] = lines[30][:-1] + ("1" if lines[30][-1] == "0" else "0")
    write(tmp_path, "\n".join(lines))
    changed = [open_data(f"bootstrap:of={folder}/ticks.csv,seed=1,block=4", ["price"]) for folder in (tmp_path, other)]
    assert changed[0].sha256() != changed[1].sha256()
    assert changed[0].notes[0] == changed[1].notes[0]


BAD_SERIES = {
    "a price of nothing": (
        "time,price\n1600000000,1\n1600000001,0\n",
        "HR806",
        "row 2 is bad: the price 0.0 is not above 0",
    ),
    "no price": (
        "time,price\n1600000000,1\n1600000001,x\n",
        "HR806",
        "row 2 is bad: `price` is `x`, not a finite number",
    ),
    "one price": ("time,price\n1600000000,1\n", "HR815", "`ticks.csv` holds 1 prices"),
    "a clock that stands": (
        "time,price\n" + "1600000000,1\n" * 9,
        "HR815",
        "the times of `ticks.csv` do not go forward",
    ),
    "too few for a block": (
        "time,price\n" + "".join(f"160000000{i},{i + 1}\n" for i in range(9)),
        "HR815",
        "no length of blocks can be found: log_returns must hold at least 20 values, got 8",
    ),
}


@pytest.mark.parametrize("case", BAD_SERIES)
def test_a_series_that_cannot_be_resampled_is_refused(tmp_path: Path, case: str) -> None:
    text, code, message = BAD_SERIES[case]
    error = refusal(f"bootstrap:of={write(tmp_path, text)}")
    assert (error.code, error.message) == (code, message)
    assert error.help


def test_a_block_longer_than_the_series_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunError) as found:
        read_scenario(f"bootstrap:of={write(tmp_path)},block=60").path()
    assert (found.value.code, found.value.message) == ("HR815", "block must be in [1, 59], got 60.0")


# What is refused

REFUSED = {
    "gmb:seed=7": ("there is no scenario `gmb`", "did you mean `gbm`?"),
    "gbm:sed=7": ("there is no key `sed`", "did you mean `seed`?"),
    "ou:drift=1": (
        "there is no key `drift`",
        "the keys are `seed`, `path`, `start`, `begin`, `years`, `length`, `step`, `year`, `mean`, `volatility`, `half_life`",  # noqa: E501 - one message
    ),
    "gbm:seed": ("`seed` is no pair of a key and a value", "write e.g. gbm:seed=7,volatility=0.3"),
    "gbm:seed=1,,path=1": ("`` is no pair of a key and a value", "write e.g. gbm:seed=7,volatility=0.3"),
    "gbm:seed=1,seed=1": ("`seed` is given twice", "give it once"),
    "gbm:seed=1.5": ("`seed=1.5` cannot be read", "`seed` is a whole number"),
    "gbm:seed=-1": ("`seed` = -1 is outside its range [0, 9.22337e+18]", "choose a whole number inside"),
    "gbm:volatility=-0.1": ("`volatility` = -0.1 is outside its range [0, 20] per √year", "choose one inside"),
    "gbm:volatility=nan": ("`volatility=nan` cannot be read", "`volatility` is a number"),
    "gbm:volatility=1_0": ("`volatility=1_0` cannot be read", "`volatility` is a number"),
    "gbm:volatility=1e999": ("`volatility` = 1e999 is outside its range [0, 20] per √year", "choose one inside"),
    "gbm:step=5": (
        "`step=5` cannot be read",
        "`step` is a time above 0 with a unit, such as `5m` (ns, us, ms, s, m, h, d, w)",
    ),
    "gbm:step=-5m": (
        "`step=-5m` cannot be read",
        "`step` is a time above 0 with a unit, such as `5m` (ns, us, ms, s, m, h, d, w)",
    ),
    "gbm:begin=soon": (
        "`begin=soon` cannot be read",
        "`begin` is a date or time, such as 2008-09-15 or 2008-09-15T14:30Z",
    ),
    "gbm:years=1,length=1d": ("`years` and `length` are both given", "give one of them"),
    "gbm:length=4m": ("the path is shorter than a step", "choose a step below 5m, or a longer path"),
    "gbm:step=1s,years=1": (
        "a path of 31,536,001 rows is longer than 20,000,000",
        "choose a longer step, or a shorter path",
    ),
    "quote_stuffing:messages=1e7": (
        "a path of 100,086,401 rows is longer than 20,000,000",
        "choose a longer step, or a shorter path",
    ),
    "gbm:years=300,step=1d": (
        "the path ends after the year 2262, where nanoseconds end",
        "choose an earlier begin, or a shorter path",
    ),
    "bootstrap": ("`of` is missing", "write of=… for the series: sp500, nasdaq, wti, vix, or a CSV or Parquet file"),
    "bootstrap:of=sp500,blocks=movin": ("`blocks=movin` cannot be read", "did you mean `moving`?"),
}


@pytest.mark.parametrize("text", REFUSED)
def test_a_scenario_that_cannot_be_is_refused_before_anything_is_drawn(text: str) -> None:
    error = refusal(text)
    assert (error.code, error.message, error.help) == ("HR815", *REFUSED[text])
    assert error.file == text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("flash_crash:at=1", "the fall must end within the path of 86400000000000 ns, got 86700000000000 ns"),
        ("gbm:drift=20,years=60,step=1d", "the prices leave the range of floats"),
        ("quote_stuffing:length=1s,step=1ms,gap=2ms", "a burst must fit in the path of 1000000000 ns"),
    ],
)
def test_values_that_do_not_fit_together_are_refused_when_the_path_is_drawn(text: str, message: str) -> None:
    with pytest.raises(RunError, match="HR815") as found:
        open_data(text, ["price"]).batches().__next__()
    assert found.value.message.startswith(message)


# The command, and the page


def test_a_spec_runs_over_a_scenario_and_the_report_tells_how_to_draw_it_again(tmp_path: Path) -> None:
    source = "ou:seed=7,length=10d,half_life=1d"
    command = ["run", str(BAND), "--data", source, "--out", str(tmp_path / "run"), "--no-report"]
    assert main(command) == 0
    told = json.loads((tmp_path / "run" / "summary.json").read_text("utf-8"))
    data = told["fingerprint"]["data"]
    assert (data["name"], data["kind"], data["sha256"]) == (source, "ticks", read_scenario(source).sha256())
    assert told["rows"]["accepted"] == 2_881
    assert any(note.startswith("simulated, not recorded: ") for note in told["notes"])
    assert told["money"]["fees"] > 0


def test_two_runs_over_one_scenario_are_the_same_run() -> None:
    spec = hedgerow.load(BAND)
    first, second = (dry_run(spec, f"heston:seed=2,{SHORT}").summary for _ in range(2))
    assert first == second
    assert first != dry_run(spec, f"heston:seed=3,{SHORT}").summary


def tables() -> dict[str, list[list[str]]]:
    """Return the rows of the tables of keys of the page, by heading."""
    found: dict[str, list[list[str]]] = {}
    heading = ""
    for line in PAGE.read_text("utf-8").splitlines():
        if line.startswith("#"):
            heading = line.strip("# ").split()[0].strip("`")
        elif re.match(r"\| `\w+` \|", line):
            found.setdefault(heading, []).append([cell.strip().strip("`") for cell in line.strip("|").split("|")])
    return found


def test_the_page_lists_every_key_of_every_kind_with_its_default() -> None:
    page = tables()
    for name, kind in KINDS.items():
        assert [row[:2] for row in page[name]] == [[key.name, told(key.default)] for key in kind.keys], name
    assert [row[:2] for row in page["Keys"]] == [[key.name, told(key.default)] for key in SHARED]


def told(default: str | None) -> str:
    if default is None or default == AUTO:
        return "–"
    return f"as {default[1:]}" if default.startswith("=") else default


COMMANDS = [line for fence in fences(PAGE) if fence.language == "sh" for line in fence.text.splitlines()]


@pytest.mark.parametrize("command", COMMANDS)
def test_the_commands_of_the_page_run(command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "specs").symlink_to(ROOT / "specs")
    monkeypatch.chdir(tmp_path)
    arguments = shlex.split(command)
    assert arguments[:2] == ["hedgerow", "run"]
    assert main([*arguments[1:], "--no-report"]) == 0


def test_the_page_has_commands() -> None:
    assert len(COMMANDS) >= 4


def test_a_year_is_as_long_as_the_page_says() -> None:
    assert YEAR_NS == 365 * DAY_NS
    assert f"`{read_scenario('gbm').grid.year_ns // DAY_NS}d`" in PAGE.read_text("utf-8")
