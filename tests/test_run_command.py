"""`hedgerow run` and `hedgerow compare`, from a spec and a file to a folder and an exit code."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from band_machine import COLUMNS, BandMachine

from hedgerow.cli.main import main
from hedgerow.engine.dryrun.data import open_data
from hedgerow.engine.dryrun.folder import FILES
from hedgerow.engine.dryrun.trace import record

SPECS = Path(__file__).parents[1] / "specs"
BAND = str(SPECS / "band_limited_hedge.yaml")
# DESIGN §4: the settings of the reference figures.
REFERENCE = ["--fill", "same", "--set", "slippage=0", "--set", "tau_max=30d", "--set", "gamma1=1"]

SMALL = """
hedgerow: 1
name: small
about: Buys one unit when the price has risen by a tenth.
units: [USD, IDX]
capital: {USD: 1000}
events:
  tick: {price: {unit: USD/IDX, range: [1, 1000]}}
  news: {score: {range: [0, 1]}}
params:
  fee: {default: 0.001, range: [0, 0.1]}
instruments:
  index: {unit: IDX, price: tick.price, fee: fee}
legs:
  long: {instrument: index, side: long}
state:
  reference: {unit: USD/IDX, initial: index.price}
machine:
  initial: waiting
  fail_safe: halted
  states:
    waiting:
      on:
        tick: {name: rise, if: index.price > 1.1 * reference, do: buy, to: holding}
    holding: {}
    halted: {}
actions:
  buy: [{increase: {long: 1 IDX}}]
invariants:
  stays_above_ninety: index.price * 1 IDX >= 90 USD
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in an empty folder that holds the small spec and a way to write data."""
    monkeypatch.chdir(tmp_path)
    Path("small.yaml").write_text(SMALL)
    return tmp_path


def ticks(*prices: object, name: str = "ticks.csv", column: str = "price") -> str:
    lines = [f"2020-01-01T00:00:{second:02d}Z,{price}" for second, price in enumerate(prices)]
    Path(name).write_text(f"time,{column}\n" + "\n".join(lines) + "\n")
    return name


def small(*options: str) -> int:
    return main(["run", "small.yaml", "--event", "tick", *options])


def summary(folder: str = "small-run") -> dict[str, Any]:
    read: dict[str, Any] = json.loads(Path(folder, "summary.json").read_text())
    return read


def trades(folder: str) -> list[dict[str, str]]:
    with Path(folder, "trades.csv").open() as file:
        return list(csv.DictReader(file))


def test_a_run_writes_its_five_files_and_tells_its_result(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert small("--data", ticks(100, 105, 111, 120)) == 0
    assert sorted(path.name for path in Path("small-run").iterdir()) == sorted(FILES)
    out, err = capsys.readouterr()
    assert "small: profit 8.89 USD" in out  # one unit from 111 to 120, less a fee of 0.111
    assert "states never reached" in out
    assert err == ""
    (trade,) = trades("small-run")
    assert (trade["row"], trade["rule"], trade["side"], trade["quantity"]) == ("3", "rise", "buy", "1.0")


def test_the_reference_figures_come_out_of_the_shipped_spec(place: Path) -> None:
    assert main(["run", BAND, "--data", "sp500", *REFERENCE, "--out", "run", "--no-report"]) == 0
    found = summary("run")
    assert found["triggers"]["up"] + found["triggers"]["down"] == 3055
    assert found["money"]["fees"] == pytest.approx(8190, abs=5)
    assert found["money"]["profit"] == pytest.approx(-1100, abs=50)
    assert found["exposure"]["net_to_gross"]["max"] == pytest.approx(0.181, abs=5e-4)


def test_the_shipped_spec_trades_as_the_same_strategy_written_by_hand(place: Path) -> None:
    assert main(["run", BAND, "--data", "sp500", *REFERENCE, "--out", "run", "--no-report"]) == 0
    by_hand = record(BandMachine(), COLUMNS, "tick", open_data("sp500", ["price"]))
    found = trades("run")
    assert [(int(one["row"]), one["leg"], one["side"]) for one in found] == [
        (fill.index + 1, fill.leg, fill.side) for fill in by_hand.fills
    ]
    quantities = [float(one["quantity"]) for one in found]
    assert quantities == pytest.approx([fill.quantity for fill in by_hand.fills], rel=1e-9)
    assert summary("run")["split"]["harvest"] == pytest.approx(by_hand.column("report.harvest")[-1], rel=1e-9)


def test_two_runs_give_the_same_bytes(place: Path) -> None:
    data = ticks(*(100 + 7 * (index % 5) for index in range(50)))
    for folder in ("a", "b"):
        assert small("--data", data, "--out", folder) == 0
    for file in FILES:
        assert Path("a", file).read_bytes() == Path("b", file).read_bytes()


def test_bars_fill_at_the_next_mark_and_ticks_at_the_same_unless_told_otherwise(place: Path) -> None:
    prices = (100, 111, 114, 120)
    small("--data", ticks(*prices), "--out", "ticks")
    small("--data", ticks(*prices, column="close"), "--out", "bars")
    small("--data", ticks(*prices, column="close"), "--out", "told", "--fill", "same")
    made = {name: summary(name)["fingerprint"]["fill"] for name in ("ticks", "bars", "told")}
    assert made == {"ticks": "same", "bars": "next", "told": "same"}
    # Bought at 114 instead of 111: three lost by waiting, and the same fee.
    profits = {name: summary(name)["money"]["profit"] for name in made}
    assert profits["ticks"] - profits["bars"] == pytest.approx(3)
    assert profits["told"] == profits["ticks"]
    assert summary("bars")["money"]["delay"] == pytest.approx(3)
    (trade,) = trades("bars")
    assert (float(trade["mark"]), float(trade["price"])) == (111, 114)
    assert "On bars this flatters" in Path("told", "report.html").read_text()


def test_an_order_of_the_last_bar_is_said_to_fill_at_its_own_mark(place: Path) -> None:
    small("--data", ticks(100, 111, column="close"))
    assert (
        summary()["notes"][-1] == "the orders of the last event are filled at its own mark, because no later one came"
    )


def test_params_are_set_from_text_with_units_and_are_in_the_fingerprint(place: Path) -> None:
    arguments = ["run", BAND, "--data", "vix", "--set", "k=9", "--set", "tau_max=30d", "--set", "timed_exit=false"]
    assert main([*arguments, "--no-report"]) == 0
    made = summary("band_limited_hedge-run")["fingerprint"]["parameters"]
    assert (made["k"], made["tau_max"], made["timed_exit"]) == (9, 30 * 86_400, False)


def test_a_broken_invariant_is_exit_code_1_with_the_first_event(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert small("--data", ticks(100, 95, 89, 88)) == 1
    first = summary()["invariants"]["stays_above_ninety"]["first"]
    assert first == {"row": 3, "time": "2020-01-01T00:00:02Z", "rules": []}
    assert "stays_above_ninety (row 3)" in capsys.readouterr().out


@pytest.mark.parametrize("bad", ["?", "", "nan", "inf", "-5", "0", "2000"])
def test_a_bad_row_stops_the_run_with_what_was_done_kept(
    place: Path, capsys: pytest.CaptureFixture[str], bad: str
) -> None:
    assert small("--data", ticks(100, 105, bad, 120)) == 2
    found = summary()
    assert found["rows"]["accepted"] == 2
    assert (found["stopped_at"]["row"], found["stopped_at"]["line"]) == (3, 4)
    assert capsys.readouterr().err.startswith("ticks.csv:4: error[HR806]: row 3 is bad: ")


def test_bad_rows_are_passed_over_when_asked_for(place: Path) -> None:
    assert small("--data", ticks(100, "?", 111, -1, 120), "--skip-bad") == 0
    found = summary()
    assert (found["rows"]["accepted"], found["rows"]["rejected"]) == (3, 2)
    assert [one["row"] for one in found["rejections"]] == [2, 4]
    assert [trade["row"] for trade in trades("small-run")] == ["3"]


def test_a_window_starts_a_fresh_machine_inside_the_data(place: Path) -> None:
    data = ticks(100, 111, 112, 113)
    window = ("--from", "2020-01-01T00:00:01", "--to", "2020-01-01T00:00:03")
    assert small("--data", data, *window) == 0
    assert summary()["rows"] == {"read": 4, "in_window": 2, "accepted": 2, "rejected": 0, "without_price": 0}
    assert summary()["triggers"]["rise"] == 0


BAD_INPUT = {
    "missing file": (["--data", "no.csv"], "HR801"),
    "directory": (["--data", "."], "HR801"),
    "empty file": (["--data", "empty.csv"], "HR805"),
    "no rows": (["--data", "header.csv"], "HR805"),
    "empty window": (["--data", "ticks.csv", "--from", "2030-01-01"], "HR805"),
    "first row bad": (["--data", "bad.csv"], "HR806"),
    "all rows bad": (["--data", "bad.csv", "--skip-bad"], "HR806"),
    "unknown column": (["--data", "ticks.csv", "--map", "price=last"], "HR803"),
    "unknown field": (["--data", "ticks.csv", "--map", "prize=price"], "HR807"),
    "unknown time column": (["--data", "ticks.csv", "--time", "when"], "HR804"),
    "unknown param": (["--data", "ticks.csv", "--set", "fees=1"], "HR807"),
    "param out of range": (["--data", "ticks.csv", "--set", "fee=1"], "HR807"),
    "param is no number": (["--data", "ticks.csv", "--set", "fee=__import__('os')"], "HR807"),
    "no pair": (["--data", "ticks.csv", "--set", "fee"], "HR807"),
    "param twice": (["--data", "ticks.csv", "--set", "fee=0", "--set", "fee=0.01"], "HR807"),
    "no time": (["--data", "ticks.csv", "--from", "yesterday"], "HR807"),
    "unknown event": (["--data", "ticks.csv", "--event", "tock"], "HR807"),
    "folder in use": (["--data", "ticks.csv", "--out", "full"], "HR808"),
}


@pytest.mark.parametrize("case", BAD_INPUT)
def test_bad_input_is_one_error_exit_code_2_and_nothing_written(
    place: Path, capsys: pytest.CaptureFixture[str], case: str
) -> None:
    options, code = BAD_INPUT[case]
    ticks(100, 101)
    ticks("?", name="bad.csv")
    Path("empty.csv").write_text("")
    Path("header.csv").write_text("time,price\n")
    Path("full").mkdir()
    Path("full", "thesis.txt").write_text("mine")
    before = sorted(place.rglob("*"))
    assert small(*options) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("error[") == 1
    assert f"error[{code}]" in err
    assert "\n   help: " in err
    assert sorted(place.rglob("*")) == before


def test_an_event_must_be_chosen_where_there_are_several(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "small.yaml", "--data", ticks(100)]) == 2
    assert "write --event with one of `tick`, `news`" in capsys.readouterr().err


def test_a_refused_spec_writes_nothing_and_a_waived_finding_lets_it_run(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    literal = str(SPECS / "band_limited_hedge.as_written.yaml")
    before = sorted(place.rglob("*"))
    assert main(["run", literal, "--data", "sp500", "--out", "run"]) == 2
    assert "this compares `USD/IDX` and `1`" in capsys.readouterr().err
    assert sorted(place.rglob("*")) == before
    assert main(["run", literal, "--data", "sp500", "--out", "run", "--permit", "HR302"]) in (0, 1)
    found = summary("run")
    assert found["fingerprint"]["permitted"] == ["HR302"]
    # The legs collapse, as DESIGN §4 says: the first move of a dollar closes a whole leg.
    cell = found["cells"]["long_quantity"]
    assert cell["min"] < cell["first"] / 100


def test_json_is_the_summary_and_errors_are_json_too(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert small("--data", ticks(100, 101), "--json") == 0
    assert json.loads(capsys.readouterr().out) == summary()
    assert small("--data", "no.csv", "--json") == 2
    (found,) = json.loads(capsys.readouterr().out)["diagnostics"]
    assert (found["code"], found["file"], found["severity"]) == ("HR801", "no.csv", "error")


def test_no_report_writes_no_page_and_removes_an_old_one(place: Path) -> None:
    data = ticks(100, 101)
    small("--data", data)
    assert Path("small-run", "report.html").exists()
    small("--data", data, "--no-report")
    assert not Path("small-run", "report.html").exists()


@pytest.mark.parametrize(("module", "wanted_for"), [("pyarrow", "reading data"), ("bokeh.layouts", "the report")])
def test_a_missing_extra_says_how_to_install_it(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], module: str, wanted_for: str
) -> None:
    data = ticks(100, 101)
    monkeypatch.setitem(sys.modules, module, None)
    assert small("--data", data) == 2
    err = capsys.readouterr().err
    assert f"{wanted_for} needs `{module.split('.')[0]}`" in err
    assert "pip install 'hedgerow[run]'" in err
    assert not Path("small-run").exists()


def test_a_run_without_a_report_imports_neither_pandas_nor_bokeh(place: Path) -> None:
    ticks(100, 101)
    code = (
        "import sys; from hedgerow.cli.main import main;"
        "main(['run', 'small.yaml', '--event', 'tick', '--data', 'ticks.csv', '--no-report', '--json']);"
        "assert not {'pandas', 'bokeh', 'arch', 'scipy'} & set(sys.modules), 'heavy'"
    )
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL, timeout=60)


def test_compare_lays_two_runs_side_by_side(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = ticks(100, 111, 120)
    small("--data", data, "--out", "a")
    small("--data", data, "--out", "b", "--set", "fee=0.01")
    capsys.readouterr()
    assert main(["compare", "a", "b", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [one["name"] for one in found["inputs"]] == ["parameters.fee"]
    changes = {one["name"]: one["change"] for one in found["results"]}
    assert changes["money.fees"] == pytest.approx(111 * 0.009)
    assert main(["compare", "a", "b/summary.json"]) == 0
    out = capsys.readouterr().out
    assert "parameters.fee" in out
    assert "money.profit" in out


def test_compare_refuses_what_is_no_run(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", "small.yaml", "nowhere"]) == 2
    assert "error[HR802]" in capsys.readouterr().err
