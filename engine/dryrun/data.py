"""Recorded data as batches of one event: columns chosen, times in ns, numbers in float64, bad rows named.

`open_data` settles every choice (which column feeds which field, which one is the time, bars or ticks)
before a row is read, and says each choice that nobody made in `notes`, for the report.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ..diagnostics import suggestion
from .arrow import valid_of, values_of
from .problem import RunError
from .readers import BUILT_IN, Reader, open_reader
from .stress_told import StressTold
from .times import Stamps, iso, parse_time

__all__ = ["Batch", "Data", "Window", "open_data", "parse_bound"]

PRICE_COLUMNS = ("price", "close", "Price", "Close", "CLOSE", "Adj Close")
TIME_COLUMNS = (
    "time",
    "timestamp",
    "datetime",
    "date",
    "ts",
    "time_ns",
    "time_us",
    "time_ms",
    "open_time",
    "t",
)
BAR_WORDS = frozenset(("open", "high", "low", "close"))


@dataclass(frozen=True)
class Window:
    """Rows from `start_ns` (included) to `end_ns` (not included); None is no bound."""

    start_ns: int | None = None
    end_ns: int | None = None

    def __str__(self) -> str:
        start = "the first row" if self.start_ns is None else iso(self.start_ns)
        end = "the last row" if self.end_ns is None else f"before {iso(self.end_ns)}"
        return f"from {start} to {end}"


@dataclass(frozen=True)
class Batch:
    """Rows of one event, in file order.

    `rows` (n,) counts data rows from 1, `times` (n,) is ns of UTC, `fields` are (n,) each with NaN where a
    value could not be read. `faults` says why, by row; a fault whose row is not in `rows` has no time and
    cannot be an event.
    """

    rows: npt.NDArray[np.int64]
    times: npt.NDArray[np.int64]
    fields: tuple[npt.NDArray[np.float64], ...]
    faults: dict[int, str] = field(default_factory=dict)


@dataclass
class Data:
    """One opened source. `batches()` is read once; the counts are whole when it is."""

    reader: Reader
    mapping: dict[str, str]
    time_column: str
    window: Window
    kind: Literal["bars", "ticks"]
    notes: list[str]
    rows_read: int = 0
    rows_in_window: int = 0
    rows_missing: int = 0
    """Rows without a price that the built-in set has by design (holidays); left out and counted."""
    first_ns: int | None = None
    last_ns: int | None = None
    alter: Callable[[Batch], Batch] | None = None
    """What is done to each batch after it was read, in order."""
    stress: StressTold | None = None
    """What a report tells of stressed prices."""

    @property
    def name(self) -> str:
        return self.reader.name

    def line(self, row: int) -> int | None:
        """Return the line of a data row in a file of lines, or None."""
        first = self.reader.first_line
        return None if first is None else first + row - 1

    def sha256(self) -> str:
        """Return the hash of the file, of the columns used of a built-in set, or of a scenario's text."""
        return self.reader.sha256((self.time_column, *self.mapping.values()))

    def batches(self) -> Iterator[Batch]:
        """Yield the rows of the window.

        Raises:
            RunError: the file breaks off, or its first batch holds no time at all.
        """
        alter = self.alter
        return self._batches() if alter is None else (alter(batch) for batch in self._batches())

    def _batches(self) -> Iterator[Batch]:
        stamps = Stamps()
        names = list(self.mapping)
        for raw in self.reader.batches((self.time_column, *self.mapping.values())):
            self.rows_read += len(raw.rows) + len(raw.ragged)
            faults = dict(raw.ragged)
            times, timed = stamps.parse(raw.columns[0])
            there = valid_of(raw.columns[0])
            if there.any() and not timed.any() and self.first_ns is None:
                raise self._no_times(raw.columns[0])
            columns = [_numbers(column) for column in raw.columns[1:]]
            blank = ~timed & ~there
            for values, _ in columns:
                blank &= np.isnan(values)
            inside = timed.copy()
            if timed.any():
                seen = times[timed]
                self.first_ns = int(seen[0]) if self.first_ns is None else self.first_ns
                self.last_ns = int(seen[-1])
            if self.window.start_ns is not None:
                inside &= times >= self.window.start_ns
            if self.window.end_ns is not None:
                inside &= times < self.window.end_ns
            if self.reader.daily:
                missing = np.zeros(len(times), np.bool_)
                for values, _ in columns:
                    missing |= np.isnan(values)
                self.rows_missing += int((missing & inside).sum())
                inside &= ~missing
            for index in np.flatnonzero(~timed & ~blank).tolist():
                faults[int(raw.rows[index])] = _unread(self.time_column, _value_at(raw.columns[0], index), "a time")
            for name, (values, reasons), column in zip(names, columns, raw.columns[1:], strict=True):
                for index in np.flatnonzero(inside & ~np.isfinite(values)).tolist():
                    shown = reasons.get(index) or _value_at(column, index)
                    faults.setdefault(int(raw.rows[index]), _unread(self.mapping[name], shown, "a finite number"))
            self.rows_in_window += int(inside.sum())
            if inside.all():
                yield Batch(raw.rows, times, tuple(values for values, _ in columns), faults)
            elif inside.any() or faults:
                kept = tuple(values[inside] for values, _ in columns)
                yield Batch(raw.rows[inside], times[inside], kept, faults)
        if stamps.said and not self.reader.daily and f"times: {stamps.said}" not in self.notes:
            self.notes.append(f"times: {stamps.said}")
        if self.rows_missing:
            self.notes.append(f"{self.rows_missing:,} rows without a price left out (market holidays)")

    def nothing(self) -> RunError:
        """Return the error for a source, read to its end, that held no row of the window."""
        if self.first_ns is None or self.last_ns is None:
            return RunError("HR805", "the data have a header and no row", self.name, "give a file with rows")
        return RunError(
            "HR805",
            f"no row lies in the window {self.window}",
            self.name,
            f"the data run from {iso(self.first_ns)} to {iso(self.last_ns)}",
        )

    def _no_times(self, column: Any) -> RunError:
        there = np.flatnonzero(valid_of(column))
        shown = _value_at(column, int(there[0])) if len(there) else None
        return RunError(
            "HR804",
            f"column `{self.time_column}` holds no time: {_short(shown)}",
            self.name,
            "name the column of times with --time; ISO 8601 text or a number since 1970 is read",
        )


def parse_bound(text: str | None, option: str) -> int | None:
    """Return `--from` or `--to` in ns of UTC.

    Raises:
        RunError: no ISO 8601 date or time.
    """
    if text is None:
        return None
    stamp = parse_time(text)
    if stamp is None:
        raise RunError("HR807", f"{_short(text)} is no date or time", option, "write 2008-09-15 or 2008-09-15T14:30Z")
    return stamp


def open_data(
    source: str,
    fields: Sequence[str],
    *,
    mapping: Mapping[str, str] | None = None,
    time_column: str | None = None,
    window: Window | None = None,
) -> Data:
    """Open recorded data for one event.

    Args:
        source: `sp500`, `nasdaq`, `wti`, `vix`, a scenario such as `gbm:seed=7`, or a CSV or Parquet file.
        fields: the event's fields, in declared order.
        mapping: field → column, where they were given; the rest are found by name.
        time_column: the column of times, or None to find it.
        window: which times to keep.

    Raises:
        RunError: see `CODES`, HR801–HR807, and HR815 for a scenario.
    """
    reader = open_reader(source)
    notes = list(reader.notes)
    given = dict(mapping or {})
    for name in given:
        if name not in fields:
            help = suggestion(name, fields, f"the event has {_names(fields)}")
            raise RunError("HR807", f"the event has no field `{name}`", "--map", help)
    found = {name: _column_of(reader, name, given.get(name), len(fields) == 1, notes) for name in fields}
    times = _time_column(reader, time_column, notes)
    bars = reader.bars or any(_is_bar(column) for column in found.values())
    data = Data(reader, found, times, window or Window(), "bars" if bars else "ticks", notes)
    if reader.stress is not None:
        data.stress = reader.stress.within(data.window.start_ns, data.window.end_ns)
    return data


def _column_of(reader: Reader, name: str, given: str | None, alone: bool, notes: list[str]) -> str:
    columns = reader.columns
    if given is not None:
        if given not in columns:
            help = suggestion(given, columns, f"the columns are {_names(columns)}")
            raise RunError("HR803", f"there is no column `{given}` for field `{name}`", reader.name, help)
        return _once(reader, given)
    wanted: tuple[str, ...] = (name,)
    if alone:
        wanted = (BUILT_IN[reader.name],) if reader.daily else (name, *PRICE_COLUMNS)
    for column in wanted:
        if column in columns:
            notes.append(f"field `{name}` is read from column `{column}`")
            return _once(reader, column)
    raise RunError(
        "HR803",
        f"no column is named like field `{name}`",
        reader.name,
        f"write --map {name}=COLUMN; the columns are {_names(columns)}",
    )


def _once(reader: Reader, column: str) -> str:
    if reader.columns.count(column) > 1:
        raise RunError("HR803", f"column `{column}` stands in the header twice", reader.name, "rename one of them")
    return column


def _time_column(reader: Reader, given: str | None, notes: list[str]) -> str:
    columns = reader.columns
    if given is not None:
        if given not in columns:
            help = suggestion(given, columns, f"the columns are {_names(columns)}")
            raise RunError("HR804", f"there is no column `{given}`", reader.name, help)
        return _once(reader, given)
    if reader.daily:
        return columns[0]
    lowered = {column.strip().lower(): column for column in reversed(columns)}
    by_name = next((lowered[name] for name in TIME_COLUMNS if name in lowered), None)
    column = by_name or next(iter(reader.time_columns()), None)
    if column is None:
        raise RunError(
            "HR804",
            "no column of times was found",
            reader.name,
            f"write --time COLUMN; the columns are {_names(columns)}",
        )
    notes.append(f"time is read from column `{column}`")
    return _once(reader, column)


def _is_bar(column: str) -> bool:
    words = set(re.split(r"[^a-z]+", column.lower()))
    return bool(words & BAR_WORDS) and "interest" not in words


def _numbers(column: Any) -> tuple[npt.NDArray[np.float64], dict[int, str]]:
    """Return (n,) floats, NaN where there is no number, and the text of the values that are none, by
    index.
    """
    import pyarrow as pa

    kind = column.type
    if pa.types.is_dictionary(kind):
        column = column.cast(kind.value_type)
    try:
        numbers = column.cast(pa.float64(), safe=pa.types.is_string(column.type))
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        values = np.full(len(column), np.nan)
        reasons: dict[int, str] = {}
        for index in range(len(column)):
            value = _value_at(column, index)
            try:
                values[index] = np.nan if value is None else _number(value)
            except (TypeError, ValueError):
                reasons[index] = str(value)
        return values, reasons
    floats: npt.NDArray[np.float64] = values_of(numbers, np.float64)
    valid = valid_of(numbers)
    return (floats if valid.all() else np.where(valid, floats, np.nan)), {}


def _value_at(column: Any, index: int) -> Any:
    """Return one value of an Arrow array, or what to say of a date that Python's calendar does not reach."""
    try:
        return column[index].as_py()
    except (OverflowError, ValueError):
        return "a time out of reach"


def _number(value: Any) -> float:
    if isinstance(value, str) and "_" in value:
        raise ValueError("an underscore is Python's, not a number's")
    return float(value)


def _unread(column: str, value: Any, wanted: str) -> str:
    if value is None:
        return f"`{column}` is missing"
    return f"`{column}` is {_short(value)}, not {wanted}"


def _short(value: Any) -> str:
    text = str(value)
    text = "".join(char if char.isprintable() else "�" for char in text)
    return f"`{text[:40]}…`" if len(text) > 40 else f"`{text}`"


def _names(names: Sequence[str]) -> str:
    shown = ", ".join(f"`{name}`" for name in names[:12])
    return shown + (f" and {len(names) - 12} more" if len(names) > 12 else "") if names else "no names"
