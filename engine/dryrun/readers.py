"""Where rows come from: a built-in daily set, a scenario, a CSV or Parquet file, as raw columns, batch by batch.

A reader knows columns and rows; what a value means (a time, a number, a bad row) is `data`'s business.
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from ..diagnostics import reason_of
from .problem import RunError, missing_extra
from .stress_told import StressTold
from .times import looks_like_time

__all__ = ["BUILT_IN", "BuiltIn", "CsvFile", "ParquetFile", "RawBatch", "Reader", "open_reader"]

BUILT_IN = {"sp500": "Adj Close", "nasdaq": "Adj Close", "wti": "DCOILWTICO", "vix": "vix"}
"""The daily sets of `arch.data`, and the column that is their price."""

BLOCK_BYTES = 1 << 20
HEAD_BYTES = 1 << 20


@dataclass(frozen=True)
class RawBatch:
    """Rows as they stand: `rows` (n,) counts data rows from 1; `columns` are Arrow arrays of length n.

    `ragged` holds the rows that do not have as many columns as the header; they are not in `columns`.
    """

    rows: npt.NDArray[np.int64]
    columns: tuple[Any, ...]
    ragged: dict[int, str] = field(default_factory=dict)


class Reader(Protocol):
    """A table of named columns, read once from the start."""

    name: str
    daily: bool
    """Whether it is a built-in set, whose columns are known and whose holidays are left out."""
    bars: bool
    """Whether its rows are bars, whatever its columns are called."""
    first_line: int | None
    """Line of data row 1, in a file of lines."""
    notes: Sequence[str]
    """What a report says of where the rows come from."""
    stress: StressTold | None
    """What it tells of a crash, where the rows are one."""

    @property
    def columns(self) -> tuple[str, ...]: ...
    def time_columns(self) -> tuple[str, ...]:
        """Return the columns whose values are times by their type or their first value, in order."""
        ...

    def batches(self, columns: Sequence[str]) -> Iterator[RawBatch]: ...
    def progress(self) -> float:
        """Return the share read so far, in [0, 1]."""
        ...

    def sha256(self, columns: Sequence[str]) -> str: ...


def open_reader(source: str) -> Reader:
    """Return the reader of a built-in name, a scenario or a path; a file's suffix says its form.

    Raises:
        RunError: no such name or file, a scenario that cannot be read, a directory, an empty or unreadable file, or a
            missing extra.
    """
    from .scenario import ScenarioReader, is_scenario

    if is_scenario(source):
        _arrow()
        return ScenarioReader(source)
    path = Path(source)
    try:
        path.stat()
    except FileNotFoundError:
        pass
    except (OSError, ValueError) as error:
        raise _unreadable(source, error) from None
    if source in BUILT_IN and not path.exists():
        return BuiltIn(source)
    if path.is_dir():
        raise RunError("HR801", "this is a directory, not a file of data", source, "name one CSV or Parquet file in it")
    if path.exists() and not path.is_file():
        raise RunError("HR801", "this is a pipe or a device, not a file of data", source, "name a CSV or Parquet file")
    if not path.is_file():
        names = ", ".join(f"`{name}`" for name in BUILT_IN)
        help = f"give a CSV or Parquet file, one of {names}, or a scenario such as `gbm:seed=7`"
        raise RunError("HR801", "there is no such file", source, help)
    try:
        if path.stat().st_size == 0:
            raise RunError("HR805", "the file is empty", source, "a header line and rows are expected")
        suffixes = [suffix.lower() for suffix in path.suffixes]
        if suffixes and suffixes[-1] in (".parquet", ".pq"):
            return ParquetFile(source)
        return CsvFile(source)
    except OSError as error:
        raise _unreadable(source, error) from None


def _unreadable(source: str, error: OSError | ValueError) -> RunError:
    return RunError("HR802", f"the file cannot be read: {reason_of(error)}", source, "check its path and its rights")


def _arrow() -> Any:
    try:
        import pyarrow
    except ImportError:
        raise missing_extra("pyarrow", "reading data") from None
    return pyarrow


class BuiltIn:
    """A daily set that `arch` ships; real prices, no network."""

    daily = True
    bars = True
    first_line: int | None = None
    notes: Sequence[str] = ()
    stress: StressTold | None = None

    def __init__(self, name: str) -> None:
        _arrow()
        try:
            from importlib import import_module

            module = import_module(f"arch.data.{name}")
        except ImportError:
            raise missing_extra("arch", f"the data set `{name}`") from None
        self.name = name
        self._frame = module.load()
        self._done = False

    @property
    def columns(self) -> tuple[str, ...]:
        return (self._frame.index.name, *map(str, self._frame.columns))

    def time_columns(self) -> tuple[str, ...]:
        return (self._frame.index.name,)

    def batches(self, columns: Sequence[str]) -> Iterator[RawBatch]:
        import pyarrow as pa

        table = pa.Table.from_pandas(self._frame.reset_index()[list(columns)], preserve_index=False).combine_chunks()
        rows = np.arange(1, table.num_rows + 1)
        self._done = True
        yield RawBatch(rows, tuple(table.column(i).combine_chunks() for i in range(table.num_columns)))

    def progress(self) -> float:
        return float(self._done)

    def sha256(self, columns: Sequence[str]) -> str:
        digest = hashlib.sha256()
        frame = self._frame.reset_index()
        for column in columns:
            values = frame[column].to_numpy()
            if values.dtype.kind == "M":
                values = values.astype("datetime64[ns]").astype(np.int64)
            digest.update(np.ascontiguousarray(values, dtype=values.dtype.newbyteorder("<")).tobytes())
        return digest.hexdigest()


class _File:
    daily = False
    bars = False
    first_line: int | None = None
    notes: Sequence[str] = ()
    stress: StressTold | None = None

    def __init__(self, source: str) -> None:
        self.name = Path(source).name
        self._source = source

    def sha256(self, columns: Sequence[str]) -> str:
        with Path(self._source).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()


class ParquetFile(_File):
    """A Parquet file, by row group."""

    def __init__(self, source: str) -> None:
        super().__init__(source)
        pa = _arrow()
        import pyarrow.parquet as parquet

        try:
            self._file = parquet.ParquetFile(source)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError, OSError):
            raise RunError("HR802", "this is no readable Parquet file", source, "is it whole? write it again") from None
        self._read = 0

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(self._file.schema_arrow.names)

    def time_columns(self) -> tuple[str, ...]:
        import pyarrow as pa

        def is_time(kind: Any) -> bool:
            return bool(pa.types.is_timestamp(kind) or pa.types.is_date(kind))

        return tuple(column.name for column in self._file.schema_arrow if is_time(column.type))

    def batches(self, columns: Sequence[str]) -> Iterator[RawBatch]:
        import pyarrow as pa

        try:
            for batch in self._file.iter_batches(batch_size=65_536, columns=list(dict.fromkeys(columns))):
                rows = np.arange(self._read + 1, self._read + batch.num_rows + 1)
                self._read += batch.num_rows
                yield RawBatch(rows, tuple(batch.column(column) for column in columns))
        except (pa.ArrowInvalid, OSError):
            raise RunError(
                "HR802",
                f"the file breaks off or is damaged after row {self._read}",
                self._source,
                "write it again",
            ) from None

    def progress(self) -> float:
        return float(self._read / max(1, self._file.metadata.num_rows))


class CsvFile(_File):
    """A file of lines with a header; `,`, `;` or a tab between the values; `.gz` and `.bz2` are unpacked."""

    def __init__(self, source: str) -> None:
        super().__init__(source)
        pa = _arrow()
        try:
            with pa.input_stream(source) as stream:
                head = bytes(stream.read(HEAD_BYTES))
        except (OSError, pa.ArrowInvalid):
            raise RunError("HR802", "the file cannot be unpacked", source, "is it whole?") from None
        try:
            # A cut may split a character, so the last few bytes may be wrong and nothing else.
            text = head.decode("utf-8-sig", errors="strict" if len(head) < HEAD_BYTES else "ignore")
        except UnicodeDecodeError:
            text = "\0"
        if "\0" in text:
            raise RunError(
                "HR802", "this is no text in UTF-8", source, "give a CSV file in UTF-8, or a `.parquet` file"
            )
        lines = text.splitlines()
        header = next((index for index, line in enumerate(lines) if line.strip()), None)
        if header is None:
            raise RunError("HR805", "the file holds no line", source, "a header line and rows are expected")
        self._skip = header
        self._delimiter = max(",;\t", key=lines[header].count)
        self._columns = tuple(_cells(lines[header], self._delimiter))
        if not self._columns:
            raise RunError("HR802", "the header line cannot be read", source, "a line of short names is expected")
        self._first = _cells(next((line for line in lines[header + 1 :] if line.strip()), ""), self._delimiter)
        self.first_line = header + 2
        self._size = Path(source).stat().st_size
        self._position = 0

    @property
    def columns(self) -> tuple[str, ...]:
        return self._columns

    def time_columns(self) -> tuple[str, ...]:
        pairs = zip(self._columns, self._first, strict=False)
        return tuple(name for name, value in pairs if looks_like_time(value))

    def batches(self, columns: Sequence[str]) -> Iterator[RawBatch]:
        import pyarrow as pa
        import pyarrow.csv as arrow_csv

        # Text first, numbers later: Arrow's own conversion stops the stream at the first bad value, without
        # its row.
        text = {column: pa.string() for column in columns}
        bad: dict[int, str] = {}

        def keep(row: Any) -> str:
            bad[row.number - 1 - self._skip] = (
                f"{row.actual_columns} values where the header has {row.expected_columns}"
            )
            return "skip"

        base = pa.OSFile(self._source)
        compression = {".gz": "gzip", ".bz2": "bz2"}.get(Path(self._source).suffix.lower())
        stream = pa.CompressedInputStream(base, compression) if compression else base
        following = 1
        try:
            reader = arrow_csv.open_csv(
                stream,
                # One thread: only then does Arrow know the number of a ragged row.
                read_options=arrow_csv.ReadOptions(use_threads=False, block_size=BLOCK_BYTES, skip_rows=self._skip),
                parse_options=arrow_csv.ParseOptions(
                    delimiter=self._delimiter, invalid_row_handler=keep, ignore_empty_lines=False
                ),
                convert_options=arrow_csv.ConvertOptions(
                    include_columns=list(text), column_types=text, strings_can_be_null=True
                ),
            )
            for batch in reader:
                self._position = base.tell()
                rows, following = _numbered(following, batch.num_rows, bad)
                gone = {row: bad.pop(row) for row in sorted(bad) if row < following}
                yield RawBatch(rows, tuple(batch.column(column) for column in columns), gone)
            if bad:
                empty = pa.array([], pa.string())
                yield RawBatch(np.zeros(0, np.int64), tuple(empty for _ in columns), dict(sorted(bad.items())))
        except (pa.ArrowInvalid, pa.ArrowKeyError, OSError) as error:
            reason = (str(error).splitlines() or [""])[0].lower()[:200]
            if following == 1 and "empty csv" in reason:
                return  # a header line and nothing after it, not even a line feed
            raise RunError("HR802", f"the file cannot be read as CSV: {reason}", self._source, "mend it") from None

    def progress(self) -> float:
        return min(1.0, self._position / self._size)


def _cells(line: str, delimiter: str) -> list[str]:
    try:
        return next(csv.reader(io.StringIO(line), delimiter=delimiter), [])
    except csv.Error:  # a value of over 128 KiB: no name and no time
        return []


def _numbered(first: int, size: int, gone: dict[int, str]) -> tuple[npt.NDArray[np.int64], int]:
    """Return the numbers of `size` rows from `first` on, leaving out the ones in `gone`, and the number
    after them.
    """
    missing = sorted(row for row in gone if row >= first)
    rows = np.arange(first, first + size + len(missing))
    if missing:
        rows = np.setdiff1d(rows, missing, assume_unique=True)[:size]
    return rows, int(rows[-1]) + 1 if size else first
