"""Recorded data: which column feeds what, what a time is, and which rows are bad."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hedgerow.engine.dryrun.arrow import array_of, valid_of, values_of
from hedgerow.engine.dryrun.data import Data, Window, open_data, parse_bound
from hedgerow.engine.dryrun.problem import CODES, RunError
from hedgerow.engine.dryrun.times import Stamps, iso, parse_time

Write = Callable[..., str]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def make(text: str, name: str = "ticks.csv") -> str:
        (tmp_path / name).write_text(text, encoding="utf-8")
        return str(tmp_path / name)

    return make


def rows(data: Data) -> list[tuple[int, int, tuple[float, ...]]]:
    found = []
    for batch in data.batches():
        for index, row in enumerate(batch.rows.tolist()):
            values = tuple(float(values[index]) for values in batch.fields)
            found.append((row, int(batch.times[index]), values))
    return found


def faults(data: Data) -> dict[int, str]:
    return {row: reason for batch in data.batches() for row, reason in batch.faults.items()}


def stamps(values: list[object], kind: pa.DataType | None = None) -> tuple[list[int], list[bool], str]:
    reader = Stamps()
    times, valid = reader.parse(pa.array(values, kind))
    return times.tolist(), valid.tolist(), reader.said


SECOND = 10**9
MOMENT = 1_600_000_000  # 2020-09-13T12:26:40Z


@pytest.mark.parametrize("scale", [1, 10**3, 10**6, 10**9])
@pytest.mark.parametrize("kind", [pa.int64(), pa.string()])
def test_the_unit_of_an_epoch_is_taken_from_its_size(scale: int, kind: pa.DataType) -> None:
    value = MOMENT * scale
    times, valid, said = stamps([value if kind == pa.int64() else str(value)], kind)
    assert times == [MOMENT * SECOND]
    assert valid == [True]
    assert said.startswith("numbers read as ")


@pytest.mark.parametrize(
    "text",
    ["2020-09-13T12:26:40Z", "2020-09-13 12:26:40", "2020-09-13T14:26:40+02:00", "2020-09-13T12:26:40.000000Z"],
)
def test_iso_text_is_read_as_utc_unless_it_names_a_zone(text: str) -> None:
    assert stamps([text])[0] == [MOMENT * SECOND]
    assert parse_time(text) == MOMENT * SECOND


def test_a_fraction_of_an_epoch_second_keeps_its_microseconds() -> None:
    assert stamps([1_600_000_000.25], pa.float64())[0] == [1_600_000_000_250_000_000]


def test_eight_digits_are_a_date_and_a_wrong_day_is_no_time() -> None:
    times, valid, said = stamps([20200228, 20200229, 20210229, 20200431, 20201301])
    assert valid == [True, True, False, False, False]
    assert times[1] - times[0] == 86_400 * SECOND
    assert iso(times[1]) == "2020-02-29"
    assert said == "eight digits read as dates, YYYYMMDD"


def test_one_unreadable_time_does_not_change_how_the_others_are_read() -> None:
    assert stamps(["1600000000000", "x", "1600000000001"])[:2] == (
        [MOMENT * SECOND, 0, MOMENT * SECOND + 1_000_000],
        [True, False, True],
    )
    assert stamps(["2020-09-13", None, "later"])[1] == [True, False, False]


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_arrow_time_stamps_of_any_unit_are_the_same_moment(unit: str) -> None:
    moment = datetime.fromtimestamp(MOMENT, UTC)
    assert stamps([moment], pa.timestamp(unit, "UTC"))[0] == [MOMENT * SECOND]


@given(st.integers(-(2**62), 2**62))
def test_a_time_written_as_iso_is_read_back_to_the_nanosecond(time_ns: int) -> None:
    assert parse_time(iso(time_ns)) == time_ns


def test_a_lone_field_is_read_from_a_column_of_prices_and_that_is_said(write: Write) -> None:
    data = open_data(write("Date,Open,Close\n2020-01-01,1,2\n2020-01-02,3,4\n"), ["level"])
    assert data.mapping == {"level": "Close"}
    assert data.time_column == "Date"
    assert data.kind == "bars"
    assert data.notes == ["field `level` is read from column `Close`", "time is read from column `Date`"]
    assert [values for _, _, values in rows(data)] == [(2.0,), (4.0,)]


def test_several_fields_are_read_from_columns_of_their_own_names_or_mapped(write: Write) -> None:
    source = write("time,bid,offer\n1600000000,9,11\n")
    data = open_data(source, ["ask", "bid"], mapping={"ask": "offer"})
    assert rows(data) == [(1, MOMENT * SECOND, (11.0, 9.0))]
    with pytest.raises(RunError) as refusal:
        open_data(source, ["ask", "bid"])
    assert refusal.value.code == "HR803"
    assert refusal.value.help == "write --map ask=COLUMN; the columns are `time`, `bid`, `offer`"


@pytest.mark.parametrize(
    ("column", "kind"),
    [("close", "bars"), ("Adj Close", "bars"), ("ask_high", "bars"), ("price", "ticks"), ("open_interest", "ticks")],
)
def test_a_column_of_a_bar_makes_bars(write: Write, column: str, kind: str) -> None:
    data = open_data(write(f"time,{column}\n1600000000,9\n"), ["price"], mapping={"price": column})
    assert data.kind == kind


def test_the_window_holds_its_start_and_not_its_end(write: Write) -> None:
    source = write("date,price\n2020-01-01,1\n2020-01-02,2\n2020-01-03,3\n")
    window = Window(parse_bound("2020-01-02", "--from"), parse_bound("2020-01-03", "--to"))
    data = open_data(source, ["price"], window=window)
    assert [row for row, _, _ in rows(data)] == [2]
    assert (data.rows_read, data.rows_in_window) == (3, 1)


def test_bad_rows_are_named_by_row_and_line_wherever_they_stand(write: Write) -> None:
    text = "\ntime,price\n1600000000,1\n\n1600000001,2,3\n1600000002,abc\n1600000003,\nxx,5\n1600000004\n1600000005,6\n"
    data = open_data(write(text), ["price"])
    found = faults(data)
    assert found == {
        3: "3 values where the header has 2",
        4: "`price` is `abc`, not a finite number",
        5: "`price` is missing",
        6: "`time` is `xx`, not a time",
        7: "1 values where the header has 2",
    }
    lines = text.splitlines()
    assert [lines[(data.line(row) or 0) - 1] for row in sorted(found)] == lines[4:9]


@given(st.lists(st.sampled_from(["good", "ragged", "blank", "text"]), min_size=1, max_size=40))
def test_every_good_row_keeps_its_number_among_any_bad_ones(
    tmp_path_factory: pytest.TempPathFactory, kinds: list[str]
) -> None:
    written = {"good": "160000{0:04d},{0}", "ragged": "1,2,3", "blank": "", "text": "160000{0:04d},?"}
    lines = [written[kind].format(row) for row, kind in enumerate(kinds, 1)]
    path = tmp_path_factory.mktemp("rows") / "ticks.csv"
    path.write_text("time,price\n" + "\n".join(lines) + "\n")
    data = open_data(str(path), ["price"])
    good, bad = [], set()
    for batch in data.batches():
        bad |= set(batch.faults)
        good += [
            (row, price)
            for row, price in zip(batch.rows.tolist(), batch.fields[0].tolist(), strict=True)
            if row not in batch.faults
        ]
    assert good == [(row, float(row)) for row, kind in enumerate(kinds, 1) if kind == "good"]
    assert bad == {row for row, kind in enumerate(kinds, 1) if kind in ("ragged", "text")}


def test_a_ragged_row_beyond_the_first_block_keeps_its_number(write: Write) -> None:
    size = 120_000  # more than one block of a megabyte
    lines = [f"{MOMENT + row},{row}.25" for row in range(1, size + 1)]
    lines[size - 10] = "1,2,3"
    data = open_data(write("time,price\n" + "\n".join(lines) + "\n"), ["price"])
    found = rows(data)
    assert len(found) == size - 1
    assert all(price == (row + 0.25,) for row, _, price in found)


@pytest.mark.parametrize("text", ["inf", "-inf", "nan", "1_000", "1,000", "0x10", "", "?"])
def test_what_is_no_finite_number_is_a_fault(write: Write, text: str) -> None:
    data = open_data(write(f'time,price\n1600000000,1\n1600000001,"{text}"\n'), ["price"])
    assert list(faults(data)) == [2]


def test_parquet_compressed_and_plain_files_give_the_same_rows(tmp_path: Path, write: Write) -> None:
    times = [MOMENT, MOMENT + 1]
    plain = write("time,price\n" + "".join(f"{time},{time % 7}.5\n" for time in times))
    packed = tmp_path / "ticks.csv.gz"
    packed.write_bytes(gzip.compress(Path(plain).read_bytes()))
    table = pa.table({"time": pa.array(times, pa.timestamp("s")), "price": [time % 7 + 0.5 for time in times]})
    parquet.write_table(table, tmp_path / "ticks.parquet")
    expected = rows(open_data(plain, ["price"]))
    assert rows(open_data(str(packed), ["price"])) == expected
    assert rows(open_data(str(tmp_path / "ticks.parquet"), ["price"])) == expected


def test_nulls_of_a_parquet_file_are_missing_values(tmp_path: Path) -> None:
    table = pa.table({"time": pa.array([1, 2, None], pa.timestamp("s")), "price": [1.0, None, 3.0]})
    parquet.write_table(table, tmp_path / "t.parquet")
    data = open_data(str(tmp_path / "t.parquet"), ["price"])
    assert faults(data) == {2: "`price` is missing", 3: "`time` is missing"}


@given(st.lists(st.one_of(st.none(), st.floats(-1e9, 1e9)), min_size=1, max_size=40), st.data())
def test_a_slice_of_an_arrow_array_is_read_like_the_whole(values: list[float | None], drawn: st.DataObject) -> None:
    start = drawn.draw(st.integers(0, len(values)))
    part = pa.array(values, pa.float64())[start:]
    there = valid_of(part)
    assert there.tolist() == [value is not None for value in values[start:]]
    assert values_of(part, np.float64)[there].tolist() == [value for value in values[start:] if value is not None]
    back = array_of(values_of(part, np.float64), pa.float64(), there)
    assert back.to_pylist() == values[start:]


@pytest.mark.parametrize("delimiter", [";", "\t"])
def test_other_delimiters_and_a_byte_order_mark_are_read(write: Write, delimiter: str) -> None:
    text = f"\ufefftime{delimiter}price\n1600000000{delimiter}5\n"
    assert rows(open_data(write(text), ["price"])) == [(1, MOMENT * SECOND, (5.0,))]


def test_the_built_in_sets_are_daily_bars_and_their_holidays_are_counted() -> None:
    data = open_data("wti", ["price"])
    found = rows(data)
    assert data.kind == "bars"
    assert data.mapping == {"price": "DCOILWTICO"}
    assert (len(found), data.rows_missing, data.rows_read) == (8321, 290, 8611)
    assert all(np.isfinite(price) for _, _, (price,) in found)


def test_the_hash_of_a_built_in_set_depends_on_the_columns_used() -> None:
    close, opening = (open_data("sp500", ["price"], mapping={"price": name}) for name in ("Close", "Open"))
    assert close.sha256() == open_data("sp500", ["price"], mapping={"price": "Close"}).sha256()
    assert close.sha256() != opening.sha256()


BAD_SOURCES = {
    "empty": ("", "HR805"),
    "blank lines": ("\n\n", "HR805"),
    "no time column": ("a,price\n1,2\n", "HR804"),
    "no price column": ("time,size\n1600000000,2\n", "HR803"),
    "a column twice": ("time,price,price\n1600000000,2,3\n", "HR803"),
    "binary": ("\0\1", "HR802"),
}


@pytest.mark.parametrize("case", BAD_SOURCES)
def test_a_source_that_cannot_feed_the_event_is_refused_before_a_row_is_read(write: Write, case: str) -> None:
    text, code = BAD_SOURCES[case]
    with pytest.raises(RunError) as refusal:
        open_data(write(text), ["price"])
    assert refusal.value.code == code
    assert refusal.value.help


def test_a_missing_file_a_directory_and_a_broken_parquet_file_are_refused(tmp_path: Path, write: Write) -> None:
    sources = {
        str(tmp_path / "no.csv"): "HR801",
        str(tmp_path): "HR801",
        write("no parquet", "x.parquet"): "HR802",
    }
    for source, code in sources.items():
        with pytest.raises(RunError) as refusal:
            open_data(source, ["price"])
        assert refusal.value.code == code


def test_a_column_that_holds_no_time_is_refused(write: Write) -> None:
    data = open_data(write("time,price\nsoon,1\nlater,2\n"), ["price"])
    with pytest.raises(RunError, match="HR804") as refusal:
        rows(data)
    assert refusal.value.message == "column `time` holds no time: `soon`"


def test_a_near_miss_of_a_column_or_a_field_is_suggested(write: Write) -> None:
    source = write("time,price\n1600000000,1\n")
    for arguments in ({"mapping": {"price": "prise"}}, {"mapping": {"prise": "price"}}):
        with pytest.raises(RunError) as refusal:
            open_data(source, ["price"], **arguments)
        assert refusal.value.help == "did you mean `price`?"


def test_every_code_has_its_meaning_and_errors_name_file_and_line() -> None:
    error = RunError("HR806", "row 3 is bad: `price` is missing", "ticks.csv", "mend it", 4)
    assert str(error) == "ticks.csv:4: error[HR806]: row 3 is bad: `price` is missing\n   help: mend it"
    assert error.code in CODES
    assert error.to_json()["line"] == 4
