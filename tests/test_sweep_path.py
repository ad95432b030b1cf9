"""The path of a sweep: read once, in the machine's own words about bad rows, split where UTC days end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sweep_market import BAND, SMALL, market, walk, write_csv

from hedgerow.engine.dryrun.data import Window
from hedgerow.engine.dryrun.dry_run import event_of
from hedgerow.engine.dryrun.problem import RunError
from hedgerow.engine.dryrun.trace import record
from hedgerow.engine.ir import Event
from hedgerow.engine.load import Spec, load, loads
from hedgerow.engine.sweep.path import path_of, read_path

DAY = 86_400 * 10**9


@pytest.fixture(scope="module")
def spec() -> Spec:
    return loads(SMALL)


@pytest.fixture(scope="module")
def tick(spec: Spec) -> Event:
    return event_of(spec, "tick")


def test_a_file_read_is_the_arrays_that_were_written(spec: Spec, tick: Event, tmp_path: Path) -> None:
    path = market(spec, walk(500, 1))
    read = read_path(tick, write_csv(tmp_path, path))
    np.testing.assert_array_equal(read.times, path.times)
    np.testing.assert_array_equal(read.fields[0], path.fields[0])
    np.testing.assert_array_equal(read.stops, path.stops)
    assert read.sha256 == path.sha256
    assert (read.bad, read.unsent, read.bars, len(read)) == (0, 0, False, 500)
    assert read.source["columns"] == {"price": "price"}


def test_a_built_in_set_of_days_is_bars_with_a_day_a_row() -> None:
    path = read_path(event_of(load(BAND), None), "vix")
    assert path.bars
    assert path.stops.tolist() == list(range(1, len(path) + 1))
    np.testing.assert_array_equal(path.day_ns, path.times)


@given(st.lists(st.integers(0, 5 * DAY), min_size=1, max_size=60), st.integers(-3, 3))
def test_every_row_is_in_the_one_utc_day_that_it_belongs_to(tick: Event, gaps: list[int], start: int) -> None:
    times = np.cumsum(np.array([start * DAY, *gaps], np.int64))
    path = path_of(tick, times, [np.full(len(times), 100.0)])
    assert path.stops[-1] == len(path)
    first = 0
    for stop, day in zip(path.stops.tolist(), path.day_ns.tolist(), strict=True):
        assert stop > first
        assert day % DAY == 0
        assert all(day <= time < day + DAY for time in times[first:stop].tolist())
        first = stop
    assert (np.diff(path.day_ns) > 0).all()


def test_a_bad_row_counts_to_the_day_of_the_rows_before_it_and_the_first_ones_to_the_first_day(tick: Event) -> None:
    times = np.array([9 * DAY, 2 * DAY, 2 * DAY + 1, 7 * DAY, 3 * DAY], np.int64)
    path = path_of(tick, times, [[np.nan, 100.0, 100.0, np.nan, 100.0]], skip_bad=True)
    assert (path.stops.tolist(), path.day_ns.tolist()) == ([4, 5], [2 * DAY, 3 * DAY])


@pytest.mark.parametrize("rows", [1, 23, 24, 25, 60, 100, 1000])
def test_the_head_of_a_path_is_the_path_of_its_first_rows(spec: Spec, rows: int) -> None:
    path = market(spec, walk(100, 2))
    head, made = path.head(rows), market(spec, walk(100, 2)[:rows])
    np.testing.assert_array_equal(head.times, made.times)
    np.testing.assert_array_equal(head.stops, made.stops)
    np.testing.assert_array_equal(head.day_ns, made.day_ns)


def test_the_hash_tells_every_bit_of_the_rows(spec: Spec) -> None:
    prices = walk(50, 3)
    other = prices.copy()
    other[49] = np.nextafter(other[49], 0)
    paths = [market(spec, prices), market(spec, other), market(spec, prices, every_ns=10**9), market(spec, prices[:49])]
    assert len({path.sha256 for path in paths}) == 4
    assert market(spec, prices, name="another name").sha256 == paths[0].sha256


# --- bad rows ---

CASES = {
    "empty": (["100", "", "101"], "row 2 is bad: `price` is missing"),
    "text": (["100", "x", "101"], "row 2 is bad: `price` is `x`, not a finite number"),
    "nan": (["100", "nan", "101"], "row 2 is bad: `price` is missing"),
    "low": (["100", "0.5", "101"], "row 2 is bad: `price` = 0.5 is below 1"),
    "high": (["100", "101", "1e9"], "row 3 is bad: `price` = 1000000000.0 is above 1000"),
}


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_bad_row_is_named_in_the_words_of_a_dry_run(spec: Spec, tick: Event, tmp_path: Path, case: str) -> None:
    values, message = CASES[case]
    file = tmp_path / "ticks.csv"
    file.write_text("time,price\n" + "".join(f"2020-01-01T00:00:0{i}Z,{v}\n" for i, v in enumerate(values)))
    with pytest.raises(RunError) as error:
        read_path(tick, str(file))
    assert (error.value.code, error.value.message) == ("HR806", message)
    assert error.value.line == int(message.split()[1]) + 1
    read = read_path(tick, str(file), skip_bad=True)
    assert (len(read), read.bad) == (3, 1)


def test_a_row_before_the_one_above_it_is_named_with_its_date(tick: Event, tmp_path: Path) -> None:
    file = tmp_path / "ticks.csv"
    file.write_text("time,price\n2020-01-02,100\n2020-01-01,100\n2020-01-03,100\n")
    with pytest.raises(RunError) as error:
        read_path(tick, str(file))
    assert error.value.message == "row 2 is bad: the time 2020-01-01 is before the last event at 2020-01-02"
    assert error.value.help.startswith("sort the rows by time")
    read = read_path(tick, str(file), skip_bad=True)
    assert (read.bad, read.stops.tolist()) == (1, [2, 3])


def test_the_first_of_several_bad_rows_is_named_whatever_is_wrong_with_it(tick: Event, tmp_path: Path) -> None:
    file = tmp_path / "ticks.csv"
    for rows, found in (
        (["2020-01-01,100", "oops,100", "2020-01-02,nan"], "row 2 is bad: `time` is `oops`, not a time"),
        (["2020-01-01,100", "2020-01-02,-1", "oops,100"], "row 2 is bad: `price` = -1.0 is below 1"),
    ):
        file.write_text("time,price\n" + "\n".join(rows) + "\n")
        with pytest.raises(RunError) as error:
            read_path(tick, str(file))
        assert error.value.message == found
    read = read_path(tick, str(file), skip_bad=True)
    assert (len(read), read.bad, read.unsent) == (2, 1, 1)


def test_data_of_bad_rows_only_cannot_be_swept_even_when_they_are_skipped(tick: Event, tmp_path: Path) -> None:
    file = tmp_path / "ticks.csv"
    file.write_text("time,price\n2020-01-01,0\n2020-01-02,0\n")
    with pytest.raises(RunError) as error:
        read_path(tick, str(file), skip_bad=True)
    assert error.value.message == "all 2 rows are bad; row 1 is the first: `price` = 0.0 is below 1"


def test_no_row_in_the_window_is_told_as_in_a_dry_run(tick: Event, tmp_path: Path) -> None:
    file = tmp_path / "ticks.csv"
    file.write_text("time,price\n2020-01-01,100\n")
    with pytest.raises(RunError) as error:
        read_path(tick, str(file), window=Window(start_ns=2**62))
    assert error.value.code == "HR805"


values = st.one_of(
    st.floats(1, 1000), st.sampled_from([np.nan, np.inf, -np.inf, 0.5, 1000.0000000001, 1.0, 1000.0, -0.0])
)
stamps = st.integers(0, 20)


@given(st.lists(st.tuples(stamps, values), min_size=1, max_size=40))
def test_the_rows_known_to_be_bad_are_those_that_a_machine_refuses(
    spec: Spec, tick: Event, rows: list[tuple[int, float]]
) -> None:
    port = spec.compile().machine().port("tick")
    refused = [port(time, price).rejected is not None for time, price in rows]
    times, prices = (np.array(column) for column in zip(*rows, strict=True))
    if all(refused):
        with pytest.raises(RunError):
            path_of(tick, times, [prices], skip_bad=True)
    else:
        assert path_of(tick, times, [prices], skip_bad=True).bad == sum(refused)


TYPED = """
hedgerow: 1
name: typed
events: {note: {count: {type: int, range: [-3, 9007199254740992]}, up: {type: bool}, size: {}}}
state: {seen: {type: int, range: [0, 1000000], initial: 0}}
machine: {initial: on, states: {on: {on: {note: {name: see, if: note.up, do: {set: {seen: "min(seen + 1, 1000000)"}}}}}}}
"""


whole = st.one_of(st.integers(-5, 5).map(float), st.sampled_from([0.5, 2.0**53, 2.0**53 + 2, np.nan]))
flag = st.sampled_from([0.0, 1.0, 2.0, 0.5, np.nan])


@settings(max_examples=40)
@given(st.lists(st.tuples(whole, flag, st.sampled_from([1.0, np.inf])), min_size=1, max_size=20))
def test_whole_numbers_and_flags_are_told_from_others_as_a_machine_does(rows: list[tuple[float, float, float]]) -> None:
    spec = loads(TYPED)
    event = event_of(spec, "note")
    columns = [np.array(column) for column in zip(*rows, strict=True)]
    times = np.arange(len(rows), dtype=np.int64)

    class Rows:
        def batches(self) -> Any:
            from hedgerow.engine.dryrun.data import Batch

            yield Batch(times + 1, times, tuple(columns))

        def line(self, row: int) -> None: ...

        class reader:  # noqa: N801 - what the recorder asks for progress
            progress = staticmethod(lambda: 1.0)

    types = [field.type for field in event.fields]
    machine = spec.compile().machine()
    data: Any = Rows()
    trace = record(machine, spec.compile().columns, "note", data, field_types=types, skip_bad=True)
    if trace.rejected == len(rows):
        with pytest.raises(RunError):
            path_of(event, times, columns, skip_bad=True)
    else:
        assert path_of(event, times, columns, skip_bad=True).bad == trace.rejected


# --- arrays ---


def test_arrays_of_other_types_or_lengths_are_refused(tick: Event) -> None:
    times = np.arange(3, dtype=np.int64)
    with pytest.raises(ValueError, match="int64"):
        path_of(tick, times.astype(float), [np.full(3, 100.0)])
    with pytest.raises(ValueError, match="one value for each time"):
        path_of(tick, times, [np.full(4, 100.0)])
    with pytest.raises(ValueError, match="1 fields, 0 came"):
        path_of(tick, times, [])
    with pytest.raises(RunError, match="there is no row"):
        path_of(tick, times[:0], [np.zeros(0)])
    with pytest.raises(RunError, match="row 2 is bad: `price` = nan is not a finite number"):
        path_of(tick, times, [[100.0, np.nan, 100.0]])


def test_reading_can_be_interrupted(tick: Event, tmp_path: Path) -> None:
    file = tmp_path / "ticks.csv"
    file.write_text("time,price\n2020-01-01,100\n")
    with pytest.raises(KeyboardInterrupt):
        read_path(tick, str(file), interrupted=lambda: True)


def test_times_that_no_clock_of_nanoseconds_spans_are_refused(tick: Event) -> None:
    times = np.array([-(2**62) - 1, 2**62], dtype=np.int64)
    with pytest.raises(RunError, match="the times span more than 292 years"):
        path_of(tick, times, [np.full(2, 100.0)])
