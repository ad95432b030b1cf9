"""A sweep from end to end: the same table in memory and on disk, interrupted or not, in one process or in several."""

from __future__ import annotations

import errno
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as parquet
import pytest
import sweep_market
from sweep_market import BAND, GUARDED, SMALL, assert_same, market, run_live, walk, write_csv

from hedgerow.engine.dryrun.dry_run import dry_run
from hedgerow.engine.dryrun.problem import RunError
from hedgerow.engine.load import Spec, load, loads
from hedgerow.engine.sweep import choice, pool, runner, store
from hedgerow.engine.sweep.path import EventPath
from hedgerow.engine.sweep.pool import LivePool
from hedgerow.engine.sweep.results import Results, shape_of
from hedgerow.engine.sweep.runner import Progress, prepare, sweep
from hedgerow.engine.sweep.sets import ParameterSets, parameter_sets
from hedgerow.engine.sweep.table import Days, SweepTable


@pytest.fixture(scope="module")
def spec() -> Spec:
    return loads(SMALL)


@pytest.fixture(scope="module")
def sets(spec: Spec) -> ParameterSets:
    return parameter_sets(spec, grid={"step": "0.01:0.05:0.01", "stake": "100,200", "patient": "false,true"})


@pytest.fixture(scope="module")
def path(spec: Spec) -> EventPath:
    return market(spec, walk(300, 21))


@pytest.fixture(scope="module")
def whole(spec: Spec, sets: ParameterSets, path: EventPath) -> SweepTable:
    return sweep(spec, path, sets, backend="live", keep_days=True)


def assert_equal(one: SweepTable, other: SweepTable) -> None:
    assert list(one.columns) == list(other.columns)
    for name, values in one.columns.items():
        if name != "handed":
            assert values.dtype == other.columns[name].dtype, name
            np.testing.assert_array_equal(values, other.columns[name], err_msg=name)
    assert (one.params, one.axes, one.total, one.interrupted) == (
        other.params,
        other.axes,
        other.total,
        other.interrupted,
    )
    assert (one.days is None) == (other.days is None)
    if one.days is not None and other.days is not None:
        for name, books in vars(one.days).items():
            np.testing.assert_array_equal(books, getattr(other.days, name), err_msg=name)


def after(many: int) -> Callable[[], bool]:
    """Return what asks to stop once it has been asked so many times."""
    left = [many]

    def ask() -> bool:
        left[0] -= 1
        return left[0] < 0

    return ask


def refused(call: Callable[[], object]) -> RunError:
    with pytest.raises(RunError) as error:
        call()
    return error.value


# --- the table ---


def test_the_table_has_the_params_the_results_and_what_follows_from_them(
    spec: Spec, sets: ParameterSets, path: EventPath, whole: SweepTable
) -> None:
    results = run_live(spec, sets, path)
    assert list(whole.columns)[:6] == ["set", "step", "stake", "patient", "capital", "profit"]
    assert whole.column("set").tolist() == list(range(20))
    assert whole.column("step").tolist() == [each["step"] for each in sets]
    np.testing.assert_array_equal(whole.column("profit"), results.equity - 1000)
    np.testing.assert_array_equal(whole.column("no_edge"), results.flows - results.fees - results.slippage)
    np.testing.assert_array_equal(whole.column("fired.buy"), results.fired[:, 0])
    np.testing.assert_array_equal(whole.column("broken.small_enough"), results.broken[:, 0])
    np.testing.assert_array_equal(whole.column("time.waiting"), results.nanoseconds[:, 0] / 1e9)
    np.testing.assert_array_equal(whole.column("report.harvest"), results.measures[:, 0])
    assert whole.days is not None
    np.testing.assert_array_equal(whole.days.equity, results.days)
    np.testing.assert_allclose(whole.days.profit(whole.capital).sum(axis=1), whole.column("profit"))
    np.testing.assert_allclose(whole.days.costs().sum(axis=1), whole.column("fees"))
    assert whole.broken == {"small_enough": int((results.broken > 0).sum())}
    assert whole.held == (not whole.broken["small_enough"])
    assert 0 < whole.broken["small_enough"] < 20
    with pytest.raises(KeyError, match="no column `profits`"):
        whole.column("profits")


def test_daily_deviation_is_that_of_the_days(whole: SweepTable) -> None:
    assert whole.days is not None
    np.testing.assert_allclose(whole.column("day_sd"), whole.days.profit(whole.capital).std(axis=1, ddof=1))
    assert set(whole.column("days").tolist()) == {len(whole.days.day_ns)}


def test_a_row_of_the_table_is_a_dry_run_with_its_params(
    spec: Spec, path: EventPath, whole: SweepTable, tmp_path: Path
) -> None:
    file = write_csv(tmp_path, path)
    for row in (0, 7, 19):
        params = {name: str(whole.column(name)[row]).lower() for name in whole.params}
        told = dry_run(spec, file, parameters=params).summary
        assert whole.column("equity")[row] == told["money"]["equity"]
        assert whole.column("cvar")[row] == told["risk"]["cvar"]["loss"]


def test_a_param_with_the_name_of_a_result_keeps_both_apart(path: EventPath) -> None:
    other = loads(SMALL.replace("stake", "profit"))
    table = sweep(other, path, parameter_sets(other, grid={"profit": "100,200"}))
    assert table.params == ("param.profit",)
    assert table.column("param.profit").tolist() == [100, 200]
    assert (table.column("profit") < 100).all()


def test_the_table_is_a_data_frame(whole: SweepTable) -> None:
    frame = whole.to_pandas()
    assert list(frame.columns) == list(whole.columns)
    assert frame["profit"].tolist() == whole.column("profit").tolist()


def test_what_a_sweep_is_of_is_plain(whole: SweepTable, path: EventPath) -> None:
    about = json.loads(json.dumps(dict(whole.about), allow_nan=False))
    assert about["sets"]["grid"]["step"] == [0.01, 0.02, 0.03, 0.04, 0.05]
    assert about["data"]["events"] == path.sha256
    assert about["backend"] == "live"
    assert about["defaults"] == {"most": 3}


def test_bars_are_filled_at_the_next_mark_and_ticks_at_the_same(spec: Spec) -> None:
    sets = parameter_sets(spec, grid={"step": "0.01,0.02"})
    prices = walk(100, 3)
    bars, ticks = market(spec, prices, kind="bars"), market(spec, prices)
    found = {name: sweep(spec, path, sets, backend="live") for name, path in (("next", bars), ("same", ticks))}
    for name, table in found.items():
        assert table.about["fill"] == name
        assert any(note.startswith(f"fills at the {name} mark (the default for") for note in table.about["notes"])
    given = sweep(spec, ticks, sets, backend="live", fill="next")
    np.testing.assert_array_equal(given.column("equity"), found["next"].column("equity"))
    assert given.about["notes"][-1] == "fills at the next mark (given)"


# --- runners ---


def test_the_size_of_blocks_changes_nothing(
    spec: Spec, sets: ParameterSets, path: EventPath, whole: SweepTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "BLOCK_SECONDS", 0.0)
    assert_equal(sweep(spec, path, sets, backend="live", keep_days=True), whole)
    monkeypatch.setattr(runner, "BLOCK_SECONDS", 1e9)
    assert_equal(sweep(spec, path, sets, backend="live", keep_days=True), whole)


def test_several_processes_give_the_table_of_one(
    spec: Spec, sets: ParameterSets, path: EventPath, whole: SweepTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(choice, "FEW", 0)
    table = sweep(spec, path, sets, backend="live", keep_days=True, workers=2)
    assert_equal(table, whole)
    assert not any("died" in note for note in table.about["notes"])


@pytest.mark.parametrize(
    ("many", "workers", "size"), [(1, 4, 1), (10, 4, 3), (200, 4, 50), (201, 4, 50), (1000, 4, 63), (40, 1, 40)]
)
def test_a_task_has_fifty_sets_where_each_worker_gets_as_many(many: int, workers: int, size: int) -> None:
    assert pool.task_size(many, workers) == size


def test_the_sets_of_a_worker_that_dies_are_run_all_the_same(
    spec: Spec, sets: ParameterSets, path: EventPath, whole: SweepTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(choice, "FEW", 0)
    monkeypatch.setattr(pool, "_run_task", sweep_market.die)
    table = sweep(spec, path, sets, backend="live", keep_days=True, workers=2)
    assert_equal(table, whole)
    assert any("a worker process died" in note for note in table.about["notes"])


def test_an_interrupted_pool_keeps_whole_sets_only(spec: Spec, path: EventPath) -> None:
    many = parameter_sets(spec, grid={"step": "0.001:0.4:0.001"})
    results = Results.empty(shape_of(spec.program(), len(path.stops)), len(many))
    workers = LivePool(spec, "same", "tick", 2)
    try:
        done = workers.run(many, np.full(len(many), 1000.0), path, results, interrupted=lambda: True)
        # It can be asked again, and does the rest.
        again = Results.empty(shape_of(spec.program(), len(path.stops)), 4)
        assert workers.run(many[:4], np.full(4, 1000.0), path, again) == 4
    finally:
        workers.close()
    assert done == results.done.sum() < len(many)
    rows = np.flatnonzero(results.done)
    assert_same(results.part(rows), run_live(spec, many.take(rows), path))


def test_native_code_gives_the_table_of_the_live_backend(
    spec: Spec, sets: ParameterSets, path: EventPath, whole: SweepTable
) -> None:
    pytest.importorskip("llvmlite")
    for workers in (1, 2):
        table = sweep(spec, path, sets, backend="native", keep_days=True, workers=workers)
        assert table.about["backend"] == "native"
        assert_equal(table, whole)


def test_a_backend_that_cannot_run_a_spec_is_told_where_it_was_asked_for(
    spec: Spec, sets: ParameterSets, path: EventPath, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(choice, "_native", lambda *_: "it binds the Python function `garch`")
    table = sweep(spec, path, sets)
    assert (table.about["backend"], table.about["backend_reason"]) == ("live", "it binds the Python function `garch`")
    error = refused(lambda: sweep(spec, path, sets, backend="native"))
    assert (error.code, error.message) == ("HR807", "there is no native code: it binds the Python function `garch`")


def test_sets_of_another_spec_are_refused(sets: ParameterSets, path: EventPath) -> None:
    other = loads(SMALL.replace("1 - step", "1 - 2 * step"))
    with pytest.raises(ValueError, match="not of this spec"):
        prepare(other, path, sets)


def test_no_workers_are_refused(spec: Spec, sets: ParameterSets, path: EventPath) -> None:
    assert refused(lambda: prepare(spec, path, sets, workers=0)).message == "there are no 0 workers"


def test_progress_grows_to_the_end(spec: Spec, sets: ParameterSets, path: EventPath) -> None:
    told: list[Progress] = []
    sweep(spec, path, sets, backend="live", progress=told.append)
    assert [each.done for each in told] == sorted(each.done for each in told)
    assert told[-1] == Progress(20, 20, 20 * 300)


def test_the_time_that_a_sweep_takes_is_estimated_without_running_it(
    spec: Spec, sets: ParameterSets, path: EventPath
) -> None:
    assert 0 < prepare(spec, path, sets, backend="live").seconds() < 600


# --- on disk ---


def test_a_sweep_in_a_folder_is_the_sweep_in_memory(
    spec: Spec, sets: ParameterSets, path: EventPath, whole: SweepTable, tmp_path: Path
) -> None:
    folder = tmp_path / "out"
    assert_equal(sweep(spec, path, sets, backend="live", keep_days=True, folder=folder), whole)
    assert sorted(each.name for each in folder.iterdir()) == ["days.parquet", "results.parquet", "sweep.json"]
    table = parquet.read_table(folder / "results.parquet")
    assert table.column_names == list(whole.columns)
    for name, values in whole.columns.items():
        np.testing.assert_array_equal(table.column(name).to_numpy(), values)
    days = parquet.read_table(folder / "days.parquet").to_pandas()
    assert whole.days is not None
    np.testing.assert_array_equal(days["equity"].to_numpy().reshape(whole.days.equity.shape), whole.days.equity)
    assert days["day"].iloc[0].value == whole.days.day_ns[0]


@pytest.mark.parametrize("save", [0.0, 1e9], ids=["a part a block", "one part"])
@pytest.mark.parametrize("keep_days", [False, True])
def test_an_interrupted_sweep_goes_on_where_it_was_to_the_same_table(
    spec: Spec,
    sets: ParameterSets,
    path: EventPath,
    whole: SweepTable,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    save: float,
    keep_days: bool,
) -> None:
    monkeypatch.setattr(store, "SAVE_SECONDS", save)
    monkeypatch.setattr(runner, "BLOCK_SECONDS", 0.01)
    options: dict[str, Any] = {"backend": "live", "folder": tmp_path / "out", "keep_days": keep_days}
    first = sweep(spec, path, sets, interrupted=after(9), **options)
    assert first.interrupted
    assert 0 < len(first) < 20
    second = sweep(spec, path, sets, interrupted=after(6), resume=True, **options)
    assert len(first) < len(second) < 20
    ran: list[Progress] = []
    third = sweep(spec, path, sets, resume=True, progress=ran.append, **options)
    assert ran[-1].events == (20 - len(second)) * 300
    wanted = whole if keep_days else sweep(spec, path, sets, backend="live")
    assert_equal(third, wanted)
    assert not (tmp_path / "out" / "parts").exists()
    ran.clear()
    assert_equal(sweep(spec, path, sets, resume=True, progress=ran.append, **options), wanted)
    assert ran == []


def test_a_sweep_that_is_interrupted_before_its_first_set_can_go_on_too(
    spec: Spec, sets: ParameterSets, path: EventPath, whole: SweepTable, tmp_path: Path
) -> None:
    folder = tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        sweep(spec, path, sets, backend="live", keep_days=True, folder=folder, interrupted=lambda: True)
    assert_equal(sweep(spec, path, sets, backend="live", keep_days=True, folder=folder, resume=True), whole)


def test_a_sweep_goes_on_with_the_same_one_only(
    spec: Spec, sets: ParameterSets, path: EventPath, tmp_path: Path
) -> None:
    folder = tmp_path / "out"
    sweep(spec, path, sets, backend="live", folder=folder, interrupted=after(3))
    kept = sorted((folder / "parts").iterdir())
    other = loads(SMALL.replace("1 - step", "1 - 2 * step"))
    anew = parameter_sets(other, grid={"step": "0.01:0.05:0.01", "stake": "100,200", "patient": "false,true"})
    cases: list[tuple[str, Callable[[], object]]] = [
        ("the spec", lambda: sweep(other, path, anew, folder=folder, resume=True)),
        ("the data", lambda: sweep(spec, market(spec, walk(300, 22)), sets, folder=folder, resume=True)),
        (
            "the parameter sets",
            lambda: sweep(spec, path, parameter_sets(spec, grid={"step": "0.01"}), folder=folder, resume=True),
        ),
        (
            "--days (false before, true now)",
            lambda: sweep(spec, path, sets, folder=folder, keep_days=True, resume=True),
        ),
    ]
    for what, again in cases:
        error = refused(again)
        assert (error.code, error.message) == ("HR832", f"this sweep is another one: it differs in {what}")
    error = refused(lambda: sweep(spec, path, sets, folder=folder, fill="next", resume=True))
    assert error.message.endswith('differs in the spec, --fill ("same" before, "next" now)')
    assert sorted((folder / "parts").iterdir()) == kept


def test_a_comment_in_the_spec_makes_no_other_sweep(
    sets: ParameterSets, path: EventPath, whole: SweepTable, tmp_path: Path, spec: Spec
) -> None:
    folder = tmp_path / "out"
    sweep(spec, path, sets, backend="live", folder=folder, keep_days=True, interrupted=after(3))
    told = loads(SMALL + "# said better\n")
    same = parameter_sets(told, grid={"step": "0.01:0.05:0.01", "stake": "100,200", "patient": "false,true"})
    assert_equal(sweep(told, path, same, backend="live", folder=folder, keep_days=True, resume=True), whole)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"format": "other/1"}', '{"format": "hedgerow.sweep/1"}', "[" * 100_000]
)
def test_what_is_no_sweep_cannot_go_on(
    spec: Spec, sets: ParameterSets, path: EventPath, tmp_path: Path, text: str
) -> None:
    (tmp_path / "sweep.json").write_text(text)
    error = refused(lambda: sweep(spec, path, sets, folder=tmp_path, resume=True))
    assert (error.code, error.message) == ("HR832", "`sweep.json` is no sweep in the format `hedgerow.sweep/2`")


def test_a_part_that_cannot_be_read_is_named(spec: Spec, sets: ParameterSets, path: EventPath, tmp_path: Path) -> None:
    sweep(spec, path, sets, backend="live", folder=tmp_path / "out", interrupted=after(3))
    (part,) = (tmp_path / "out" / "parts").iterdir()
    part.write_bytes(part.read_bytes()[:100])
    error = refused(lambda: sweep(spec, path, sets, folder=tmp_path / "out", resume=True))
    assert (error.code, error.message) == ("HR832", f"`{part.name}` cannot be read")
    part.unlink()
    assert len(sweep(spec, path, sets, folder=tmp_path / "out", resume=True)) == 20


def test_a_folder_that_holds_something_is_refused_unless_forced(
    spec: Spec, sets: ParameterSets, path: EventPath, tmp_path: Path
) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    sweep(spec, path, sets, folder=folder)
    assert refused(lambda: sweep(spec, path, sets, folder=folder)).message == "the folder holds a sweep"
    (folder / "notes.txt").write_text("mine")
    few = parameter_sets(spec, grid={"step": "0.01"})
    assert len(sweep(spec, path, few, folder=folder, force=True)) == 1
    assert (folder / "notes.txt").read_text() == "mine"
    other = tmp_path / "other"
    other.mkdir()
    (other / "cat.txt").write_text("a cat")
    error = refused(lambda: sweep(spec, path, sets, folder=other))
    assert (error.code, error.message) == ("HR808", "the folder holds files that are no sweep's")
    assert refused(lambda: sweep(spec, path, sets, folder=other / "cat.txt")).message == "this is a file, not a folder"
    missing = refused(lambda: sweep(spec, path, sets, folder=tmp_path / "no" / "out"))
    assert missing.message == "there is no folder to make it in"
    assert refused(lambda: sweep(spec, path, sets, folder=other, resume=True)).code == "HR832"


def test_a_full_disk_is_told_and_what_was_written_stays(
    spec: Spec, sets: ParameterSets, path: EventPath, whole: SweepTable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "SAVE_SECONDS", 0.0)
    monkeypatch.setattr(runner, "BLOCK_SECONDS", 0.01)
    write, written = parquet.write_table, []

    def fills_up(table: Any, where: Any, **options: Any) -> None:
        if len(written) >= 4:
            Path(where).write_bytes(b"half")
            raise OSError(errno.ENOSPC, "No space left on device")
        written.append(where)
        write(table, where, **options)

    with monkeypatch.context() as full:
        full.setattr(parquet, "write_table", fills_up)
        error = refused(lambda: sweep(spec, path, sets, backend="live", keep_days=True, folder=tmp_path / "out"))
    assert (error.code, error.message) == ("HR808", "the folder cannot be written: no space left on device")
    assert "--resume" in error.help
    left = sorted(each.name for each in (tmp_path / "out" / "parts").iterdir())
    assert left == [
        "days-part-000000.parquet",
        "days-part-000001.parquet",
        "part-000000.parquet",
        "part-000001.parquet",
    ]
    again = sweep(spec, path, sets, backend="live", keep_days=True, folder=tmp_path / "out", resume=True)
    assert_equal(again, whole)


def test_sets_that_were_done_in_another_order_come_out_in_their_own(tmp_path: Path) -> None:
    day_ns = np.arange(2)
    kept = store.Store(tmp_path / "out", {}, day_ns, keep_days=True, resume=False)
    for number in (3, 1, 2):
        books = np.full((1, 2), float(number))
        kept.add({"set": np.array([number]), "x": np.array([10.0 * number])}, Days(day_ns, books, -books))
    kept.flush()
    again = store.Store(tmp_path / "out", {}, day_ns, keep_days=True, resume=True)
    for each in (kept, again):
        columns, days = each.table()
        assert (columns["set"].tolist(), columns["x"].tolist()) == ([1, 2, 3], [10.0, 20.0, 30.0])
        assert days is not None
        assert (days.equity[:, 0].tolist(), days.fees[:, 1].tolist()) == ([1, 2, 3], [-1, -2, -3])


def test_memory_holds_the_days_of_one_block_unless_they_are_kept(
    spec: Spec, sets: ParameterSets, path: EventPath, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    empty = Results.empty

    def counted(shape: Any, rows: int) -> Results:
        sizes.append(rows)
        return empty(shape, rows)

    monkeypatch.setattr(Results, "empty", counted)
    monkeypatch.setattr(runner, "BLOCK_SECONDS", 1e9)
    monkeypatch.setattr(runner, "BLOCK_BYTES", 3 * 16 * len(path.stops))
    sweep(spec, path, sets, backend="live")
    assert max(sizes) == 3


# --- other specs ---


def test_capitals_may_depend_on_params() -> None:
    spec = loads(SMALL.replace("capital: {USD: 1000}", "capital: {USD: 10 * stake}"))
    path = market(spec, walk(50, 2))
    table = sweep(spec, path, parameter_sets(spec, grid={"stake": "50,100"}), backend="live")
    assert table.capital.tolist() == [500.0, 1000.0]
    np.testing.assert_allclose(table.column("profit")[1], 2 * table.column("profit")[0])


def test_timers_regions_and_bad_rows_go_through_a_folder_and_back(tmp_path: Path) -> None:
    spec = loads(GUARDED)
    path = market(spec, [*walk(60, 6, volatility=0.05), float("nan"), *walk(40, 7)], skip_bad=True)
    sets = parameter_sets(spec, sample="sobol", n=6, ranges={"lot": None, "wait": "60:9000"})
    table = sweep(spec, path, sets, folder=tmp_path / "out", backend="live")
    assert_equal(sweep(spec, path, sets, folder=tmp_path / "out", resume=True), table)
    assert set(table.column("refused").tolist()) == {1}
    assert "1 bad row was sent to every machine, and refused" in table.about["notes"]


def test_the_shipped_hedge_can_be_swept_over_a_built_in_set() -> None:
    spec = load(BAND)
    table = sweep(spec, "vix", parameter_sets(spec, grid={"k": "6,8"}), backend="live")
    assert (table.column("accepted") > 200).all()
    assert table.held
