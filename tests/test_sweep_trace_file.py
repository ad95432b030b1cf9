"""The trace that native code writes is what a live machine shows, row for row and bit for bit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from generated import Sketch, sketches
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from random_charts import case
from sweep_market import GUARDED, SMALL, SPECS, assert_same, market, run_live, walk

import hedgerow
from hedgerow.engine.dryrun.problem import RunError
from hedgerow.engine.dryrun.trace import typed
from hedgerow.engine.load import Spec, loads
from hedgerow.engine.sweep import trace_file
from hedgerow.engine.sweep.path import EventPath, path_of
from hedgerow.engine.sweep.sets import parameter_sets
from hedgerow.engine.sweep.trace_file import TIME, TraceFile, write_trace

pytest.importorskip("llvmlite", reason="the native backend is in the extra `sweep`")
parquet = pytest.importorskip("pyarrow.parquet", reason="Parquet is in the extra `run`")

SECOND = 10**9


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("traces") / "trace.parquet"


def shown_live(spec: Spec, parameters: dict[str, Any], path: EventPath, fill: Any) -> tuple[list[int], list[list[Any]]]:
    """Return the times of the accepted rows, and what a live machine shows after each: states by name."""
    compiled = spec.bind_values(parameters, fill=fill)
    machine: Any = compiled.machine()
    port = machine.port(path.event)
    leaves = [
        None if column.region is None else compiled.program.regions[column.region].leaves
        for column in trace_file.Kernel(compiled.program, path.event, trace_file.Options(trace=True)).columns
    ]
    columns = [typed(values, kind) for values, kind in zip(path.fields, path.kinds, strict=True)]
    times, lines = [], []
    for time, *values in zip(path.times.tolist(), *columns, strict=True):
        if port(time, *values).rejected is None:
            times.append(time)
            lines.append(
                [
                    float(value) if names is None else names[value] if value >= 0 else None
                    for value, names in zip(machine.observation(), leaves, strict=True)
                ]
            )
        if machine.ended:
            break
    return times, lines


def same_as_live(spec: Spec, path: EventPath, file: Path, values: dict[str, Any], fill: Any, chunk: int) -> TraceFile:
    """Write a trace, and hold every line of it to a live machine's."""
    compiled = spec.bind(values, fill=fill)
    parameters = dict(compiled.parameters)
    found = write_trace(spec, parameters, path, file, fill=fill, chunk=chunk)
    table = parquet.read_table(file)
    times, lines = shown_live(spec, parameters, path, fill)
    assert tuple(table.column_names) == found.columns == (TIME, *compiled.columns)
    assert table.column(TIME).to_pylist() == times
    assert found.lines == len(times) == found.results.accepted[0]
    for index, name in enumerate(compiled.columns):
        here, there = table.column(index + 1).to_pylist(), [line[index] for line in lines]
        if here and isinstance(there[0], float):
            # The bits, so that 0.0 is not −0.0.
            assert np.array(here).tobytes() == np.array(there).tobytes(), name
        else:
            assert here == there, name
    return found


def hours(values: npt.ArrayLike) -> npt.NDArray[np.int64]:
    return 3600 * SECOND * np.asarray(values, np.int64)


def rough(spec: Spec, rows: int, chunk: int) -> EventPath:
    """Return hourly prices with rows that every machine refuses, two of them where chunks meet and end."""
    event = next(each for each in spec.program("same").events if each.fields)
    prices = walk(rows, 5, start=1000.0)
    prices[[0, chunk - 1, chunk, rows - 1]] = np.nan, -1.0, np.inf, np.nan
    times = hours(range(rows))
    times[rows // 2] -= 10 * 3600 * SECOND
    return path_of(event, times, [prices], skip_bad=True)


@pytest.mark.parametrize("fill", ["same", "next"])
@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("band_limited_hedge.yaml", {}),
        ("band_limited_hedge.yaml", {"net_max": 100}),
        ("band_limited_hedge.as_written.yaml", {}),
        ("drawdown_desk.yaml", {"max_drawdown": 0.01}),
        ("drawdown_breaker.yaml", {}),
    ],
)
def test_shipped_specs_show_what_a_live_machine_shows(name: str, values: dict[str, Any], fill: Any, file: Path) -> None:
    spec = hedgerow.load(SPECS / name, permit=("HR302",) if "as_written" in name else ())
    same_as_live(spec, rough(spec, 1500, 400), file, values, fill, 400)


@pytest.mark.parametrize("chunk", [1, 7, 5000])
def test_timers_regions_and_handed_rows_show_what_a_live_machine_shows_in_chunks_of_any_size(
    chunk: int, file: Path
) -> None:
    spec = loads(GUARDED, "guarded.yaml")
    prices = walk(400, 3, volatility=0.06)
    prices[[50, 51, 200]] = np.nan, -3.0, np.nan
    prices[120] = 130.0
    path = market(spec, np.clip(prices, 1.0, 450.0), skip_bad=True)
    found = same_as_live(spec, path, file, {}, "next", chunk)
    assert found.results.handed[0] >= 3
    assert len({*parquet.read_table(file).column("state trade").to_pylist()}) == 3  # two states, and not active


def test_a_machine_that_ends_shows_nothing_after_its_end(file: Path) -> None:
    spec = loads(GUARDED, "guarded.yaml")
    path = market(spec, [100.0, 80.0, 200.0, 600.0, 100.0, 100.0])
    found = same_as_live(spec, path, file, {}, "same", 3)
    assert found.lines == 4
    assert found.results.ended[0]
    assert_same(found.results, run_live(spec, parameter_sets(spec, grid={"lot": "0.5"}), path))


def test_a_path_of_which_no_row_is_accepted_before_the_end_is_a_file_without_lines_until_then(file: Path) -> None:
    spec = loads(SMALL, "small.yaml")
    path = market(spec, [np.nan, np.nan, np.nan, 100.0], skip_bad=True)
    assert same_as_live(spec, path, file, {}, "same", 2).lines == 1


@pytest.mark.parametrize("chunk", [5, 24, 1000])
def test_the_results_are_those_of_a_sweep_of_one_set(chunk: int, file: Path) -> None:
    spec = loads(SMALL, "small.yaml")
    prices = walk(500, 8, volatility=0.02)
    prices[[23, 24, 47, 48, 499]] = np.nan
    path = market(spec, prices, skip_bad=True)
    sets = parameter_sets(spec, grid={"stake": "300"})
    found = write_trace(spec, sets[0], path, file, fill="same", chunk=chunk)
    assert_same(found.results, run_live(spec, sets, path))
    assert found.results.handed[0] == 5


@settings(max_examples=10, phases=(Phase.explicit, Phase.generate), suppress_health_check=list(HealthCheck))
@given(sketch=sketches(), data=st.data())
def test_generated_specs_show_what_a_live_machine_shows(sketch: Sketch, data: st.DataObject, file: Path) -> None:
    spec = loads(sketch.text, "generated.yaml")
    count = data.draw(st.integers(1, 40))
    gaps = data.draw(
        st.lists(st.sampled_from((0, 1, SECOND, 3 * SECOND, 86400 * SECOND)), min_size=count, max_size=count)
    )
    values = data.draw(st.lists(st.floats(0.5, 1000), min_size=count, max_size=count))
    event = next(each for each in spec.program("same").events if each.name == "tick")
    path = path_of(event, np.cumsum(np.array(gaps, np.int64)), [values], skip_bad=True)
    fill = data.draw(st.sampled_from(("same", "next")))
    same_as_live(spec, path, file, {"a": 1, "b": -2}, fill, data.draw(st.integers(1, 50)))


@pytest.mark.parametrize("seed", [0, 1, 3])
def test_random_charts_show_what_a_live_machine_shows(seed: int, file: Path) -> None:
    spec = loads(case(seed).chart.text, "chart.json")
    source = np.random.Generator(np.random.PCG64(seed))
    values = source.choice(np.array([0.0, 1, 4, 6, 7.5, 10, 10.5]), 40)
    event = next(each for each in spec.program("same").events if each.name == "tick")
    same_as_live(spec, path_of(event, hours(range(40)) // 1200, [values], skip_bad=True), file, {}, "same", 16)


# ------------------------------------------------------------------------------------------------------------------- files


@pytest.fixture
def small() -> tuple[Spec, dict[str, Any], EventPath]:
    spec = loads(SMALL, "small.yaml")
    return spec, dict(spec.compile().parameters), market(spec, walk(3000, 1, volatility=0.02))


@contextmanager
def no_file_above(size: int) -> Iterator[None]:
    """Let the system refuse to make a file longer than so many bytes, as a full disk does."""
    resource = pytest.importorskip("resource", reason="Windows has no such limit")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_disk_that_fills_up_leaves_the_file_of_before(tmp_path: Path, small: Any) -> None:
    spec, parameters, path = small
    file = tmp_path / "trace.parquet"
    file.write_bytes(b"as it was")
    with no_file_above(20_000), pytest.raises(RunError, match="the trace cannot be written: file too large") as told:
        write_trace(spec, parameters, path, file, fill="same", chunk=100)
    assert told.value.code == "HR808"
    assert [(each.name, each.read_bytes()) for each in tmp_path.iterdir()] == [("trace.parquet", b"as it was")]


def test_what_stops_the_run_leaves_no_half_file(tmp_path: Path, small: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    spec, parameters, path = small

    def stop(_self: object, _times: object, _shown: Sequence[object]) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(trace_file._Writer, "write", stop)
    with pytest.raises(KeyboardInterrupt):
        write_trace(spec, parameters, path, tmp_path / "trace.parquet", fill="same")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("place", ["nowhere/trace.parquet", "file/trace.parquet", "folder"])
def test_a_place_that_cannot_be_written_is_an_error(place: str, tmp_path: Path, small: Any) -> None:
    spec, parameters, path = small
    (tmp_path / "file").write_text("")
    (tmp_path / "folder").mkdir()
    with pytest.raises(RunError, match="the trace cannot be written: ") as told:
        write_trace(spec, parameters, path, tmp_path / place, fill="same")
    assert (told.value.code, told.value.file) == ("HR808", str(tmp_path / place))
    assert sorted(each.name for each in tmp_path.iterdir()) == ["file", "folder"]


def test_a_spec_without_native_code_is_refused_with_the_reason(tmp_path: Path) -> None:
    spec = hedgerow.load(SPECS / "signal_hedge.yaml")
    event = next(each for each in spec.program("same").events if each.fields)
    path = path_of(event, hours([0]), [[100.0]] * len(event.fields))
    with pytest.raises(RunError, match="there is no native code to trace: it binds Python"):
        write_trace(spec, dict(spec.compile().parameters), path, tmp_path / "trace.parquet", fill="same")


def test_a_spec_with_a_column_of_times_of_its_own_is_refused(tmp_path: Path) -> None:
    spec = loads(SMALL.replace("bought", TIME), "small.yaml")
    with pytest.raises(RunError, match="a trace has a column `time_ns` of its own"):
        write_trace(spec, dict(spec.compile().parameters), market(spec, [100.0]), tmp_path / "t", fill="same")


def test_no_more_is_held_than_a_chunk(file: Path, small: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    spec, parameters, path = small
    sizes: list[int] = []
    write = trace_file._Writer.write

    def noted(self: Any, times: npt.NDArray[np.int64], shown: list[npt.NDArray[np.float64]]) -> None:
        sizes.append(max(len(each.base if each.base is not None else each) for each in (times, *shown)))
        write(self, times, shown)

    monkeypatch.setattr(trace_file._Writer, "write", noted)
    write_trace(spec, parameters, path, file, fill="same", chunk=256)
    assert sizes == [256] * 12
    groups = parquet.ParquetFile(file).metadata
    assert [groups.row_group(index).num_rows for index in range(groups.num_row_groups)] == [256] * 11 + [184]
