"""`hedgerow sweep --paths N`: many paths are single paths put together, and what is told of them is their mean."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as parquet
import pytest
from scipy import stats
from sweep_market import SMALL

from hedgerow.cli.main import main
from hedgerow.engine.dryrun.problem import RunError
from hedgerow.engine.load import Spec, loads
from hedgerow.engine.sweep import paths as paths_module
from hedgerow.engine.sweep import runner
from hedgerow.engine.sweep.page import page
from hedgerow.engine.sweep.paths import PathSweep, path_text, prepare_paths
from hedgerow.engine.sweep.runner import Progress, sweep
from hedgerow.engine.sweep.sets import ParameterSets, parameter_sets
from hedgerow.engine.sweep.summary import summarise
from hedgerow.engine.sweep.table import SweepTable

TAME = SMALL.replace("<= 350 USD", "<= 3500 USD")
SOURCE = "gbm:seed=7,length=30d,step=4h,volatility=0.6,start=100"
OTHER = "gbm:seed=7,length=30d,step=4h,volatility=0.6,start=100,path=2"
COUNT = 4


@pytest.fixture(scope="module")
def spec() -> Spec:
    return loads(TAME)


@pytest.fixture(scope="module")
def sets(spec: Spec) -> ParameterSets:
    return parameter_sets(spec, grid={"step": "0.01:0.03:0.01", "patient": "false,true"})


@pytest.fixture(scope="module")
def singles(spec: Spec, sets: ParameterSets) -> list[SweepTable]:
    """Return the sweeps over each path by itself, as a user would write them."""
    return [sweep(spec, f"{SOURCE},path={number}", sets, backend="live") for number in range(COUNT)]


def over(spec: Spec, sets: ParameterSets, count: int = COUNT, source: str = SOURCE, **options: Any) -> PathSweep:
    found = prepare_paths(spec, source, sets, count, backend="live", **options)
    assert isinstance(found, PathSweep)
    return found


@pytest.fixture(scope="module")
def table(spec: Spec, sets: ParameterSets) -> SweepTable:
    return over(spec, sets).run()


def same(one: SweepTable, other: SweepTable) -> None:
    assert list(one.columns) == list(other.columns)
    for name, values in one.columns.items():
        np.testing.assert_array_equal(values, other.columns[name], err_msg=name)
    assert (one.params, one.axes, one.total, one.paths, one.interrupted) == (
        other.params, other.axes, other.total, other.paths, other.interrupted,
    )  # fmt: skip
    assert one.about == other.about


def after(many: int) -> Callable[[], bool]:
    left = [many]

    def ask() -> bool:
        left[0] -= 1
        return left[0] < 0

    return ask


# --- laws ---


def test_a_row_is_the_mean_of_the_paths_by_themselves(table: SweepTable, singles: list[SweepTable]) -> None:
    for name, values in singles[0].columns.items():
        mine = table.column(name)
        if name in ("set", "capital", *table.params):
            np.testing.assert_array_equal(mine, values)
        else:
            wanted = np.mean([one.column(name).astype(float) for one in singles], axis=0)
            np.testing.assert_allclose(mine, wanted, rtol=1e-12, err_msg=name)
    profits = np.stack([one.column("profit") for one in singles])
    assert np.ptp(profits, axis=0).all()  # the paths differ
    np.testing.assert_allclose(table.column("profit.median"), np.median(profits, axis=0))
    np.testing.assert_allclose(table.column("profit.worst"), profits.min(axis=0))
    np.testing.assert_allclose(table.column("profit.sd"), profits.std(axis=0, ddof=1))
    above = np.mean([one.column("profit") > one.column("no_edge") for one in singles], axis=0)
    np.testing.assert_allclose(table.column("profit.above_costs"), above)
    falls = np.max([one.column("drawdown") for one in singles], axis=0)
    np.testing.assert_array_equal(table.column("drawdown.worst"), falls)


def test_the_interval_of_the_mean_is_students(table: SweepTable, singles: list[SweepTable]) -> None:
    for row in range(len(table)):
        profits = [one.column("profit")[row] for one in singles]
        low, high = stats.t.interval(0.95, COUNT - 1, np.mean(profits), stats.sem(profits))
        assert table.column("profit.low")[row] == pytest.approx(low)
        assert table.column("profit.high")[row] == pytest.approx(high)


def test_the_paths_are_kept_one_under_another_as_they_are_by_themselves(
    spec: Spec, sets: ParameterSets, table: SweepTable, singles: list[SweepTable], tmp_path: Path
) -> None:
    folder = tmp_path / "out"
    same(over(spec, sets).kept_in(folder).run(), table)
    assert sorted(each.name for each in folder.iterdir()) == ["paths.parquet", "results.parquet", "sweep.json"]
    kept = parquet.read_table(folder / "paths.parquet")
    assert kept.column_names == ["path", *singles[0].columns]
    for number, one in enumerate(singles):
        mine = kept.slice(number * len(one), len(one))
        assert mine.column("path").to_pylist() == [number] * len(one)
        for name, values in one.columns.items():
            np.testing.assert_array_equal(mine.column(name).to_numpy(), values, err_msg=name)
    results = parquet.read_table(folder / "results.parquet")
    assert results.column_names == list(table.columns)


def test_paths_begin_where_the_scenario_says(spec: Spec, sets: ParameterSets, singles: list[SweepTable]) -> None:
    found = over(spec, sets, 2, OTHER).run()
    wanted = (singles[2].column("profit") + singles[3].column("profit")) / 2
    np.testing.assert_allclose(found.column("profit"), wanted)
    assert found.about["data"]["paths"] == {"count": 2, "first": 2}


def test_one_path_is_an_ordinary_sweep(spec: Spec, sets: ParameterSets, singles: list[SweepTable]) -> None:
    found = prepare_paths(spec, SOURCE, sets, 1, backend="live")
    assert not isinstance(found, PathSweep)
    table = found.run()
    np.testing.assert_array_equal(table.column("profit"), singles[0].column("profit"))
    assert list(table.columns) == list(singles[0].columns)
    assert table.paths == 1


def test_native_code_gives_the_means_of_the_live_backend(spec: Spec, sets: ParameterSets, table: SweepTable) -> None:
    pytest.importorskip("llvmlite")
    found = prepare_paths(spec, SOURCE, sets, COUNT, backend="native", workers=2).run()
    assert found.about["backend"] == "native"
    for name in set(table.columns) - {"handed"}:
        np.testing.assert_array_equal(found.column(name), table.column(name), err_msg=name)


def test_a_param_with_the_name_of_a_result_keeps_both_apart() -> None:
    other = loads(TAME.replace("stake", "profit"))
    grid = parameter_sets(other, grid={"profit": "100,200"})
    found = over(other, grid, 2).run()
    assert found.column("param.profit").tolist() == [100, 200]
    assert (np.abs(found.column("profit")) < 100).all()


@pytest.mark.parametrize(
    ("source", "number", "text"),
    [
        ("gbm", 3, "gbm:path=3"),
        ("gbm:seed=7", 0, "gbm:seed=7,path=0"),
        ("gbm:path=2,seed=7", 5, "gbm:path=5,seed=7"),
    ],
)
def test_a_path_is_written_into_the_scenario(source: str, number: int, text: str) -> None:
    assert path_text(source, number) == text


# --- interrupted ---


def test_an_interrupted_sweep_goes_on_inside_a_path_to_the_same_table(
    spec: Spec, sets: ParameterSets, table: SweepTable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "BLOCK_SECONDS", 0.0)
    folder = tmp_path / "out"
    first = over(spec, sets).kept_in(folder).run(interrupted=after(33))
    assert first.interrupted
    assert 1 <= first.paths < COUNT
    parts = sorted((folder / "parts").glob("path-*"))
    assert len(parts) == first.paths + 1
    told: list[Progress] = []
    second = over(spec, sets).kept_in(folder, resume=True).run(progress=told.append)
    same(second, table)
    whole = 6 * COUNT
    assert (told[-1].done, told[-1].total) == (whole, whole)
    rows = 181  # of a path
    assert told[-1].events < (whole - 6 * first.paths) * rows  # some sets of the next path were there, too
    assert [each.done for each in told] == sorted(each.done for each in told)
    same(over(spec, sets).kept_in(folder, resume=True).run(interrupted=lambda: True), table)
    assert not (folder / "parts").exists()


def test_a_sweep_that_is_interrupted_in_its_first_path_can_go_on(
    spec: Spec, sets: ParameterSets, table: SweepTable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "BLOCK_SECONDS", 0.0)
    folder = tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        over(spec, sets).kept_in(folder).run(interrupted=after(3))
    assert list((folder / "parts" / "path-000000" / "parts").glob("part-*.parquet"))
    same(over(spec, sets).kept_in(folder, resume=True).run(), table)


def test_a_path_is_dropped_before_the_next_is_made(
    spec: Spec, sets: ParameterSets, monkeypatch: pytest.MonkeyPatch
) -> None:
    import gc
    import weakref

    held: list[weakref.ref[Any]] = []
    most = 0
    read = paths_module.read_path

    def watched(*given: Any, **options: Any) -> Any:
        nonlocal most
        gc.collect()
        most = max(most, sum(each() is not None for each in held))
        found = read(*given, **options)
        held.append(weakref.ref(found))
        return found

    monkeypatch.setattr(paths_module, "read_path", watched)
    over(spec, sets, 6).run()
    assert len(held) == 5
    assert most <= 1  # the one that is handed over to be dropped


def test_a_sweep_over_other_paths_is_another_one(spec: Spec, sets: ParameterSets, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    over(spec, sets, 3).kept_in(folder).run(interrupted=after(8))
    for count, source, what in (
        (4, SOURCE, "--paths (3 before, 4 now)"),
        (3, SOURCE.replace("seed=7", "seed=8"), "the data"),
    ):
        with pytest.raises(RunError) as error:
            over(spec, sets, count, source).kept_in(folder, resume=True)
        assert error.value.message == f"this sweep is another one: it differs in {what}"


# --- what is told ---


def test_the_summary_and_the_page_tell_means_and_say_so(table: SweepTable) -> None:
    summary = json.loads(json.dumps(summarise(table), allow_nan=False))
    best = summary["best"]
    row = best["set"]
    assert best["profit"] == table.column("profit").max()
    assert best["interval"]["low"] == table.column("profit.low")[row]
    assert best["interval"]["method"] == "t over paths"
    assert best["paths"] == {
        "count": COUNT,
        "median": table.column("profit.median")[row],
        "worst": table.column("profit.worst")[row],
        "above_costs": table.column("profit.above_costs")[row],
    }
    text = page(table, summarise(table))
    assert f"Profits are means over {COUNT} paths" in text
    assert "worst path" in text
    assert "181 rows a path, 4 paths" in text
    assert "with another seed" in text
    assert "walk-forward" not in text


def test_luck_is_judged_by_how_far_means_scatter(table: SweepTable) -> None:
    luck = summarise(table)["luck"]
    assert luck["spread"] == pytest.approx(np.median(table.column("profit.sd")) / np.sqrt(COUNT))


# --- the command ---


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("small.yaml").write_text(TAME)
    return tmp_path


def run(*options: str, data: str = SOURCE) -> int:
    given = ["sweep", "small.yaml", "--data", data, "--backend", "live", "--workers", "1", "--no-report"]
    return main([*given, "--grid", "step=0.01:0.03:0.01", *options])


def test_the_command_tells_and_writes_means(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--paths", "3") == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "181 rows a path, 3 paths" in out
    assert "of the mean, t over 3 paths" in out
    assert sorted(each.name for each in Path("small-sweep").iterdir()) == [
        "paths.parquet", "results.parquet", "summary.json", "sweep.json",
    ]  # fmt: skip
    assert run("--paths", "3", "--out", "b") == 0
    for name in ("paths.parquet", "results.parquet", "summary.json", "sweep.json"):
        assert Path("b", name).read_bytes() == Path("small-sweep", name).read_bytes(), name


def test_one_path_gives_the_bytes_of_none_asked_for(place: Path) -> None:
    assert run("--out", "a") == run("--paths", "1", "--out", "b") == 0
    for each in Path("a").iterdir():
        assert each.read_bytes() == Path("b", each.name).read_bytes(), each.name


def test_ctrl_c_keeps_whole_paths_and_resume_goes_on_to_the_same_bytes(
    place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from hedgerow.engine.sweep import live

    assert run("--paths", "3", "--out", "whole") == 0
    done, ran = live._Run.run, []
    for presses, told in ((4, "1 of 3 paths are done and kept in"), (1, "what is done is kept in")):
        ran.clear()

        def press(self: Any, presses: int = presses) -> None:
            done(self)
            ran.append(1)
            if len(ran) == presses:
                signal.raise_signal(signal.SIGINT)

        folder = f"out{presses}"
        with monkeypatch.context() as pressed:
            pressed.setattr(live._Run, "run", press)
            assert run("--paths", "3", "--out", folder) == 130
        assert f"{told} {folder}; the same command with --resume goes on" in capsys.readouterr().err
        assert run("--paths", "3", "--out", folder, "--resume") == 0
        for each in Path("whole").iterdir():
            assert each.read_bytes() == Path(folder, each.name).read_bytes(), each.name


@pytest.mark.parametrize(
    ("options", "data", "message"),
    [
        (("--paths", "3"), "sp500", "--paths: error[HR807]: `sp500` is recorded data, and there is one path of it"),
        (("--paths", "0"), SOURCE, "--paths: error[HR807]: 0 paths cannot be drawn"),
        (("--paths", "2000000"), SOURCE, "--paths: error[HR807]: 2,000,000 paths cannot be drawn"),
        (
            ("--paths", "2", "--days"),
            SOURCE,
            "--paths: error[HR807]: days are kept, and sets judged on them, over one path",
        ),
        (
            ("--paths", "2", "--walk-forward"),
            SOURCE,
            "--paths: error[HR807]: days are kept, and sets judged on them, over one path",
        ),
        (("--paths", "2"), "gbm:sed=7", "gbm:sed=7,path=0: error[HR815]: there is no key `sed`"),
    ],
)
def test_bad_input_is_told_and_writes_nothing(
    place: Path, capsys: pytest.CaptureFixture[str], options: tuple[str, ...], data: str, message: str
) -> None:
    assert run(*options, data=data) == 2
    assert capsys.readouterr().err.splitlines()[0].replace(",path=0", "") == message.replace(",path=0", "")
    assert not Path("small-sweep").exists()


def test_how_to_draw_paths_from_recorded_data_is_told(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--paths", "2", data="sp500") == 2
    help = capsys.readouterr().err.splitlines()[1]
    assert "--data bootstrap:of=sp500,seed=1 --paths 2" in help
    assert run("--paths", "2", data="bootstrap:of=sp500,seed=1") == 0


def test_many_runs_are_asked_for_first(
    place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hedgerow.cli.sweep.ASKED", 5)
    assert run("--paths", "2") == 2
    told = capsys.readouterr().err
    assert told.startswith("--yes: error[HR831]: 3 sets over 181 rows and 2 paths take about ")
