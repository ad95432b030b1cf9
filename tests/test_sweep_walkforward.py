"""`hedgerow sweep --walk-forward`: days, what no edge earns, kinds of days, intervals, the text, the page, bad input."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sweep_market import MINUTE_NS, SMALL, START_NS, market, walk, write_csv

from hedgerow.cli.main import main
from hedgerow.engine.dryrun.dry_run import event_of
from hedgerow.engine.dryrun.problem import RunError
from hedgerow.engine.load import Spec, loads
from hedgerow.engine.sweep.cells import heat, middles
from hedgerow.engine.sweep.interval import DRAWN, NORMAL, Intervals
from hedgerow.engine.sweep.naming import param_text, set_text
from hedgerow.engine.sweep.objective import Objective, read_objective
from hedgerow.engine.sweep.page import page
from hedgerow.engine.sweep.path import path_of
from hedgerow.engine.sweep.runner import Sweep, prepare
from hedgerow.engine.sweep.sets import parameter_sets
from hedgerow.engine.sweep.summary import summarise
from hedgerow.engine.sweep.table import SweepTable
from hedgerow.engine.sweep.walkforward import walk_forward
from hedgerow.engine.sweep.walkforward_table import Folds, Judged, check_folds, closes, day_costs, judge
from hedgerow.engine.sweep.walkforward_text import told
from hedgerow.models.performance import DAY_NS, bootstrap_total
from hedgerow.models.regimes import day_labels

TAME = SMALL.replace("<= 350 USD", "<= 3500 USD")
GRID = {"step": "0.01:0.04:0.01", "stake": "100,200", "patient": "false,true"}
FOLDS = Folds(outer=3, inner=2)


def made(spec: Spec, rows: int = 200, *, prices: Any = None, **options: Any) -> Sweep:
    """Return a sweep over a price every eight hours."""
    path = market(spec, walk(rows, 41) if prices is None else prices, every_ns=8 * 60 * MINUTE_NS)
    return prepare(spec, path, parameter_sets(spec, grid=GRID), backend="live", keep_days=True, **options)


@pytest.fixture(scope="module")
def swept() -> Sweep:
    return made(loads(TAME))


@pytest.fixture(scope="module")
def table(swept: Sweep) -> SweepTable:
    return swept.run()


@pytest.fixture(scope="module")
def judged(swept: Sweep, table: SweepTable) -> Judged:
    return judge(table, swept, FOLDS)


@pytest.fixture(scope="module")
def shown(table: SweepTable, judged: Judged) -> str:
    return page(table, summarise(table, judged.to_json()), judged)


@pytest.fixture(scope="module")
def plain(table: SweepTable) -> str:
    return page(table, summarise(table))


# --- the table as a walk-forward sees it ---


def test_a_walk_forward_is_of_the_days_of_the_table_and_of_its_params(table: SweepTable, judged: Judged) -> None:
    assert table.days is not None
    params = {name: table.column(name).astype(float) for name in table.params}
    wanted = walk_forward(
        table.days.profit(table.capital), table.days.day_ns, day_costs(table, table.days), params, capital=1000.0,
        outer=3, inner=2,
    )  # fmt: skip
    found = judged.found
    assert [(one.chosen, one.inner_score, one.outer) for one in found.folds] == [
        (one.chosen, one.inner_score, one.outer) for one in wanted.folds
    ]
    assert found.luck == wanted.luck


def test_the_costs_of_the_days_add_up_to_what_no_edge_earns(table: SweepTable) -> None:
    assert table.days is not None
    costs = day_costs(table, table.days)
    np.testing.assert_allclose(costs.sum(axis=1), -table.column("no_edge"))
    # Fees and slippage are both shares of the notional here, 0.1 % and 0.05 %.
    np.testing.assert_allclose(costs, 1.5 * table.days.costs(), rtol=1e-9, atol=1e-12)


def test_carry_is_shared_out_over_the_days_of_the_run() -> None:
    spec = loads(TAME.replace("fee: 0.001, slippage: 0.0005", "slippage: 0.0005, funding: {tick: 0.0001}"))
    table = made(spec).run()
    assert table.days is not None
    assert table.column("flows").all()
    costs = day_costs(table, table.days)
    np.testing.assert_allclose(costs.sum(axis=1), -table.column("no_edge"))
    np.testing.assert_allclose(costs, costs[:, :1] * np.ones(costs.shape[1]))  # no fees: all of it evenly


def test_the_close_of_a_day_is_its_last_accepted_price() -> None:
    spec = loads(TAME)
    event = event_of(spec, "tick")
    first = START_NS - START_NS % DAY_NS
    hours = np.array([1, 5, 9, 25, 26, 26, 60])
    prices = np.array([10.0, 11.0, np.nan, 20.0, 21.0, 5000.0, 30.0])  # no number, and above the range
    path = path_of(event, first + hours * 60 * MINUTE_NS, [prices], skip_bad=True)
    assert closes(path, event, 0).tolist() == [11.0, 21.0, 30.0]


def test_kinds_of_days_are_those_of_the_closes(swept: Sweep, judged: Judged) -> None:
    labels = day_labels(closes(swept.path, event_of(swept.spec, "tick"), 0))
    found = judged.found
    first = swept.path.day_ns.tolist().index(found.folds[0].test.first_ns)
    assert {name: cell.days for name, cell in found.kinds.items()} == {
        name: int(mask[first:].sum()) for name, mask in labels.items()
    }
    assert judged.note == "kinds of days are those of `index`, by its last price of each UTC day"


@pytest.mark.parametrize("fill", ["same", "next"])
def test_kinds_of_days_do_not_depend_on_the_fill(fill: Any) -> None:
    sweep = made(loads(TAME), fill=fill)
    assert set(judge(sweep.run(), sweep, FOLDS).found.kinds) == {
        "calm", "middle", "turbulent", "rising", "falling", "stress",
    }  # fmt: skip


def test_why_there_are_no_kinds_of_days_is_told() -> None:
    spec = loads(TAME)
    few = judge((sweep := made(spec, 64)).run(), sweep, Folds(outer=1, inner=2))
    assert few.found.kinds == {}
    assert few.note.startswith("no kinds of days are told: price must hold at least 23")
    marked = TAME.replace("{price: {unit: USD/IDX, range: [1, 1000]}}", "{price: {unit: USD/IDX, range: [1, 1000]}}")
    other = loads(marked.replace("price: tick.price", "price: tick.price * 2"))
    none = judge((sweep := made(other)).run(), sweep, FOLDS)
    assert none.note == "no kinds of days are told, because no field of `tick` is the price of an instrument"
    assert none.told().endswith("\n\nN" + none.note[1:] + ".")


# --- what is told ---


def test_no_line_is_longer_than_a_hundred_columns(judged: Judged) -> None:
    def long(index: int, _: Any) -> str:
        return ", ".join(f"a_param_with_a_long_name_{place}={index * 1000 + place}" for place in range(9))

    for text in (judged.told(), told(judged.found, "USD", long)):
        assert max(map(len, text.splitlines())) <= 100
    assert "a_param_with_a_long_name_8" in told(judged.found, "USD", long)


def test_many_folds_are_told_in_several_parts_of_a_table(swept: Sweep, table: SweepTable) -> None:
    text = judge(table, swept, Folds(outer=5, inner=2, horizon=0)).told()
    assert max(map(len, text.splitlines())) <= 100
    assert re.findall(r"fold \d+", text) == [f"fold {place}" for place in range(1, 6)]


def test_a_chosen_set_is_told_as_its_author_writes_it(table: SweepTable, judged: Judged, shown: str) -> None:
    chosen = judged.found.folds[0].chosen
    step, stake, patient = (table.column(name)[chosen] for name in ("step", "stake", "patient"))
    wanted = f"step={step:g}, stake={stake:g} USD, patient={str(bool(patient)).lower()}"
    assert wanted in judged.told()
    assert wanted in shown


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (True, "1", "true"),
        (8, "1", "8"),
        (100_000, "1", "100000"),
        (1e6, "USD", "1000000 USD"),
        (0.05, "1", "0.05"),
        (0.123456789, "1", "0.123457"),
        (2_592_000.0, "s", "30d"),
        (5400.0, "s", "90m"),
        (0.5, "s", "0.5s"),
        (0.0, "s", "0s"),
        (-3.0, "USD/IDX", "-3 USD/IDX"),
    ],
)
def test_a_param_is_written_as_it_can_be_read_again(value: Any, unit: str, text: str) -> None:
    assert param_text(value, unit) == text


def test_a_column_with_the_name_of_a_result_keeps_the_unit_of_its_param() -> None:
    assert set_text({"param.profit": 5.0, "k": 2}, {"profit": "USD"}) == "param.profit=5 USD, k=2"


def test_the_document_has_params_of_their_own_types(judged: Judged, table: SweepTable) -> None:
    made = json.loads(json.dumps(judged.to_json(), allow_nan=False))
    assert made["format"] == "hedgerow.walk-forward/1"
    for one in (*made["folds"], made["luck"]):
        row = one["chosen" if "chosen" in one else "best"]
        assert one["parameters"] == {name: table.column(name)[row].item() for name in table.params}
        assert isinstance(one["parameters"]["patient"], bool)


def test_the_page_has_the_folds_the_kinds_and_the_conclusions(judged: Judged, shown: str, plain: str) -> None:
    for wanted in (
        "Walk-forward: chosen on earlier days",
        "<svg role",
        "Judged days by kind",
        "Deflated by luck",
        ">all<",
    ):
        assert wanted in shown
        assert wanted not in plain
    for conclusion in judged.conclusions():
        assert conclusion.split("; ")[0].replace("&", "&amp;") in shown
    section = shown[shown.index("Walk-forward: chosen on") :]
    # For each of three folds and for all of them: a disc of the P&L and a ring of the best in hindsight; and two in the key.
    assert section.count("<circle") == 2 * 4 + 2


def test_a_search_that_was_judged_needs_no_advice_to_judge_it(shown: str, plain: str) -> None:
    assert "before believing it" in plain
    assert "before believing it" not in shown


# --- the interval of each set ---


def test_the_best_sets_have_an_interval_of_their_days_drawn_in_blocks(table: SweepTable) -> None:
    assert table.days is not None
    best = int(np.argmax(table.column("profit")))
    found = Intervals(table).of(best)
    wanted = bootstrap_total(table.days.profit(table.capital)[best], seed=0)
    assert found is not None
    assert (found.low, found.high, found.block) == (wanted.low, wanted.high, wanted.block)
    assert summarise(table)["best"]["interval"] == found.to_json()


def test_without_days_the_interval_takes_them_as_independent(table: SweepTable) -> None:
    bare = SweepTable(table.columns, table.params, table.axes, table.about, table.total, False)
    found = Intervals(bare).of(3)
    half = NORMAL * table.column("day_sd")[3] * np.sqrt(table.column("days")[3])
    assert found is not None
    assert (found.high - found.low, found.block) == (pytest.approx(2 * half), None)
    assert (found.high + found.low) / 2 == pytest.approx(table.column("profit")[3])
    assert "each taken as independent of the last" in page(bare, summarise(bare))


def test_only_so_many_sets_are_drawn_again() -> None:
    spec = loads(TAME)
    path = market(spec, walk(90, 3), every_ns=8 * 60 * MINUTE_NS)
    sets = parameter_sets(spec, grid={"step": "0.005:0.2:0.005"})
    table = prepare(spec, path, sets, backend="live", keep_days=True).run()
    found = [Intervals(table).of(row) for row in range(len(table))]
    order = np.argsort(-table.column("profit"), kind="stable")
    assert [found[row] is not None and found[row].block is not None for row in order] == [  # type: ignore[union-attr]
        place < DRAWN for place in range(40)
    ]


def test_a_run_of_few_days_has_no_interval() -> None:
    table = made(loads(TAME), 50).run()
    assert table.column("days").max() < 20
    assert summarise(table)["best"]["interval"] is None
    assert "too few days" in page(table, summarise(table))


def test_the_middle_set_of_a_cell_is_the_one_nearest_to_its_median(table: SweepTable) -> None:
    values = table.column("profit")
    found = heat(table, "step", "stake", "profit")
    rows = middles(found, values)
    for place in np.ndindex(rows.shape):
        mine = np.flatnonzero((found.y.places == place[0]) & (found.x.places == place[1]))
        away = np.abs(values[mine] - np.median(values[mine]))
        assert rows[place] == mine[np.argmin(away)]
    assert (middles(found, np.full(len(values), np.nan)) == -1).all()


# --- the command ---


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    spec = loads(TAME)
    Path("small.yaml").write_text(TAME)
    write_csv(Path(), market(spec, walk(200, 41), every_ns=8 * 60 * MINUTE_NS))
    return tmp_path


def run(*options: str, grid: str = "step=0.01:0.03:0.01", spec: str = "small.yaml") -> int:
    given = ["sweep", spec, "--data", "ticks.csv", "--backend", "live", "--workers", "1", "--grid", grid]
    return main([*given, *options])


def test_the_command_prints_writes_and_summarises_the_same_walk_forward(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ("--walk-forward", "--outer", "3", "--inner", "2", "--horizon", "2")
    assert run(*options) == 0
    out = capsys.readouterr().out
    folder = Path("small-sweep")
    assert sorted(each.name for each in folder.iterdir()) == [
        "days.parquet", "report.html", "results.parquet", "summary.json", "sweep.json", "walkforward.json",
    ]  # fmt: skip
    written = json.loads((folder / "walkforward.json").read_text())
    assert json.loads((folder / "summary.json").read_text())["walk_forward"] == written
    assert len(written["folds"]) == written["settings"]["outer"] == 3
    assert written["settings"]["horizon"] == 2
    assert re.search(r"^fold +judged from", out, re.MULTILINE)
    assert "Distinguishable from −fees: " in out
    assert "Walk-forward: chosen on earlier days" in (folder / "report.html").read_text()
    # Judged anew with other folds, without a set being run again.
    assert run("--walk-forward", "--outer", "2", "--inner", "2", "--resume", "--json") == 0
    summary = json.loads(capsys.readouterr().out)
    assert len(summary["walk_forward"]["folds"]) == 2
    assert json.loads((folder / "walkforward.json").read_text()) == summary["walk_forward"]


def test_two_walk_forwards_give_the_same_bytes(place: Path) -> None:
    for folder in ("a", "b"):
        assert run("--walk-forward", "--outer", "2", "--inner", "2", "--objective", "tail:0.5", "--out", folder) == 0
    for file in ("walkforward.json", "summary.json", "report.html"):
        assert Path("a", file).read_bytes() == Path("b", file).read_bytes(), file


def test_a_sweep_without_a_walk_forward_has_none(place: Path) -> None:
    assert run() == 0
    assert json.loads(Path("small-sweep/summary.json").read_text())["walk_forward"] is None
    assert not Path("small-sweep/walkforward.json").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--walk-forward",), "5 outer and 4 inner folds with a horizon of 1 need at least 126 days, got 67"),
        (("--outer", "3"), "`--outer` belongs to a walk-forward, and none is asked for"),
        (("--objective", "tail"), "`--objective` belongs to a walk-forward, and none is asked for"),
        (("--walk-forward", "--objective", "profit"), "`profit` is no objective"),
        (("--walk-forward", "--objective", "tail:-1"), "the weight of the tail, -1, is below 0"),
        (("--walk-forward", "--objective", "tail:1:1"), "the confidence of the tail, 1, is outside [0, 1)"),
        (("--walk-forward", "--objective", "tail:x"), "`tail:x` is no objective"),
    ],
)
def test_what_cannot_be_judged_is_refused_before_anything_runs(
    place: Path, capsys: pytest.CaptureFixture[str], options: tuple[str, ...], message: str
) -> None:
    assert run(*options) == 2
    assert f"error[HR807]: {message}" in capsys.readouterr().err
    assert not Path("small-sweep").exists()


def test_one_set_is_nothing_to_choose_from(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--walk-forward", grid="step=0.01") == 2
    assert capsys.readouterr().err.startswith("walk-forward: error[HR807]: there is nothing to choose from: 1 set")


def test_a_spec_without_legs_has_nothing_to_be_judged_by() -> None:
    spec = loads(
        "hedgerow: 1\nname: counter\nevents: {tick: {price: {}}}\nparams: {edge: {default: 100, range: [0, 1000]}}\n"
        "machine: {initial: a, states: {a: {on: {tick: {name: up, if: tick.price > edge, to: a}}}}}\n"
    )
    sets = parameter_sets(spec, grid={"edge": "90:110:5"})
    with pytest.raises(RunError, match="`counter` has no legs, and so no P&L that sets could be chosen by"):
        check_folds(prepare(spec, market(spec, walk(50, 3)), sets, backend="live"), Folds())


def test_a_sweep_that_turns_out_to_have_nothing_to_judge_is_kept(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # No price falls by so much, so that no set trades.
    assert run("--walk-forward", "--outer", "2", "--inner", "2", grid="step=0.45,0.5") == 2
    err = capsys.readouterr().err
    assert "error[HR807]: 0 of 2 sets has a P&L that varies from day to day" in err
    assert "; the sweep itself is done and kept" in err
    folder = Path("small-sweep")
    assert (folder / "results.parquet").exists()
    assert (folder / "report.html").exists()
    assert json.loads((folder / "summary.json").read_text())["walk_forward"] is None
    assert not (folder / "walkforward.json").exists()


def test_a_table_without_days_cannot_be_judged(swept: Sweep, table: SweepTable) -> None:
    bare = SweepTable(table.columns, table.params, table.axes, table.about, table.total, False)
    with pytest.raises(ValueError, match="needs the days of each set"):
        judge(bare, swept)


@pytest.mark.parametrize(
    ("text", "objective"),
    [
        ("sharpe", Objective()),
        ("tail", Objective("tail")),
        ("tail:2", Objective("tail", 2.0)),
        ("tail:0.5:0.9", Objective("tail", 0.5, 0.9)),
    ],
)
def test_an_objective_is_read(text: str, objective: Objective) -> None:
    assert read_objective(text) == objective
