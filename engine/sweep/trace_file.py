"""The whole trace of one parameter set as a Parquet file, written while native code runs over the rows.

One line an accepted row: `time_ns`, then every column of `backends.columns.columns_of`. A state is a name, or null where its
region is not active; everything else is float64, to the last bit what `observation()` of a live machine shows after the row.
Native code fills the columns of some rows at a time, so that memory does not grow with the path; the rows that it does not
take go through a live machine, as in `native_runner`.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..backends.native.able import why_not
from ..backends.native.kernel import Options
from ..backends.native.machine import Kernel
from ..dryrun.arrow import array_of, names_of
from ..dryrun.problem import RunError, missing_extra
from ..dryrun.subject import capital_of
from ..ir import FillMode, Value
from ..load import Spec
from .native_runner import NativeRunner, Outside, SetRun
from .path import EventPath
from .results import Results, shape_of

__all__ = ["CHUNK", "FORMAT", "TIME", "TraceFile", "write_trace"]

FORMAT = "hedgerow.trace/1"
TIME = "time_ns"
CHUNK = 1 << 17
"""Rows that are run and written at a time; a row group of the file has no more. 8 bytes a column and row are held."""


@dataclass(frozen=True, eq=False)
class TraceFile:
    """A trace that was written: its file, its number of lines, the names of its columns, and the results of the run, which
    are the one row that a sweep of the set has.
    """

    file: Path
    lines: int
    columns: tuple[str, ...]
    results: Results


def write_trace(
    spec: Spec, parameters: Mapping[str, Value], path: EventPath, file: Path, *, fill: FillMode, chunk: int = CHUNK
) -> TraceFile:
    """Run one parameter set in native code and write what the machine shows after every accepted row.

    Args:
        spec: one that has a native form.
        parameters: the values of all parameters of the program, as in `Compiled.parameters`.
        path: the rows.
        file: where to write; a file that is there is replaced once the new one is whole, and never by a part of it.
        fill: at which mark orders are filled.
        chunk: rows held at a time, ≥ 1.

    Raises:
        RunError: the spec has no native form, a package is missing, or the file cannot be written; then there is none.
        ValueError: a chunk without a row.
    """
    if chunk < 1:
        raise ValueError(f"a chunk has at least one row, got {chunk}")
    runner = _runner(spec, path.event, fill)
    names = tuple(column.name for column in runner.kernel.columns)
    if TIME in names:
        help = f"rename `{TIME}` in the spec"
        raise RunError("HR807", f"a trace has a column `{TIME}` of its own, and the spec one too", str(file), help)
    program = runner.kernel.program
    results = Results.empty(shape_of(program, len(path.stops)), 1)
    run = _Traced(runner, parameters, capital_of(program, parameters), path, results)
    draft = file.with_name(f".{file.name}.tmp")
    try:
        with _Writer(draft, runner, fill) as writer:
            lines = run.write(writer, min(chunk, len(path)))
        draft.replace(file)
    except OSError as error:
        # Arrow's errors have a text of their own.
        reason = (os.strerror(error.errno) if error.errno else str(error) or "unknown reason").lower()
        help = "make room or mend the rights of its folder, or name another file"
        raise RunError("HR808", f"the trace cannot be written: {reason}", str(file), help) from None
    finally:
        # Where the folder is none, there is no draft either.
        if draft.parent.is_dir():
            draft.unlink(missing_ok=True)
    return TraceFile(file, lines, (TIME, *names), results)


def _runner(spec: Spec, event: str, fill: FillMode) -> NativeRunner:
    """Return what runs the set; its loop keeps a trace."""
    if importlib.util.find_spec("pyarrow") is None:
        raise missing_extra("pyarrow", "writing a trace")
    program = spec.program(fill)
    reason = why_not(program)
    if importlib.util.find_spec("llvmlite") is None:
        reason = "llvmlite is not installed"
    if reason is not None:
        help = "`hedgerow run` writes the trace of any spec"
        raise RunError("HR807", f"there is no native code to trace: {reason}", program.name, help)
    return NativeRunner(spec, Kernel(program, event, Options(trace=True)), fill, 1)


class _Traced(SetRun):
    """One set over the path, with what it shows after each row."""

    def write(self, writer: _Writer, chunk: int) -> int:
        """Run to the end, write every accepted row, and return how many there were."""
        times = np.empty(chunk, np.int64)
        shown = [np.empty(chunk) for _ in self.kernel.columns]
        lines = first = 0
        while first < len(self.path) and not self.memory.ended:
            last = min(first + chunk, len(self.path))
            many = self._fill(first, last, times, shown)
            writer.write(times[:many], [column[:many] for column in shown])
            lines, first = lines + many, last
        if self.memory.ended:
            self._end_day(self.into.days[0], self.into.day_fees[0])
        self._write()
        return lines

    def _fill(self, first: int, last: int, times: npt.NDArray[np.int64], shown: list[npt.NDArray[np.float64]]) -> int:
        """Run rows from `first` to before `last`, and return how many lines of the columns they filled."""
        path, memory, stop = self.path, self.memory, self.kernel.slots.stop
        parameters = self.kernel.parameters(self.values)
        fields = [column.ctypes.data for column in path.fields]
        # The chunk ends within a day: that day ends here for now, and is taken up again by the next chunk.
        stops = path.stops[: int(np.searchsorted(path.stops, last)) + 1].copy()
        whole, stops[-1] = stops[-1] == last, last
        line, row = 0, first
        while True:
            there = [column[line:] for column in shown]
            days, fees = self.into.days[0], self.into.day_fees[0]
            done = self.kernel.run(memory, parameters, path.times, fields, row, stops, days, fees, there)
            times[line : line + done - row] = path.times[row:done]
            line += done - row
            if done >= last:
                break
            if not memory.ended:
                line += self._hand_over(done, line, times, shown)
            if memory.ended:
                return line
            row = done + 1
        memory.words[stop] -= not whole
        return line

    def _hand_over(
        self, row: int, line: int, times: npt.NDArray[np.int64], shown: list[npt.NDArray[np.float64]]
    ) -> int:
        """Give a row to a live machine, and return how many lines it filled: one, or none if it was refused."""
        if self.outside is None:
            self.outside = Outside(self)
        refused = self.outside.refused
        self.outside.take(row)
        if self.outside.refused > refused:
            return 0
        times[line] = self.path.times[row]
        for column, value in zip(shown, self.outside.machine.observation(), strict=True):
            column[line] = value
        return 1


class _Writer:
    """Writes columns of NumPy arrays as row groups."""

    def __init__(self, file: Path, runner: NativeRunner, fill: FillMode) -> None:
        import pyarrow as pa
        import pyarrow.parquet as parquet

        kernel = runner.kernel
        self.regions = [
            None if column.region is None else kernel.program.regions[column.region].leaves for column in kernel.columns
        ]
        names = [column.name for column in kernel.columns]
        kinds = [pa.float64() if leaves is None else pa.dictionary(pa.int32(), pa.string()) for leaves in self.regions]
        about = {"hedgerow": FORMAT, "spec": kernel.program.name, "event": kernel.event, "fill": fill}
        schema = pa.schema([(TIME, pa.int64()), *zip(names, kinds, strict=True)], about)
        # Times differ by about the same, and what a machine holds seldom changes: both are packed small in no time. A
        # dictionary of floats would tell 0.0 and −0.0 no longer apart.
        states = [name for name, leaves in zip(names, self.regions, strict=True) if leaves is not None]
        self._schema = schema
        self._file: Any = parquet.ParquetWriter(
            file, schema, compression="zstd", compression_level=1, use_dictionary=states,
            column_encoding={TIME: "DELTA_BINARY_PACKED"}, write_statistics=[TIME],
        )  # fmt: skip

    def __enter__(self) -> _Writer:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def write(self, times: npt.NDArray[np.int64], shown: list[npt.NDArray[np.float64]]) -> None:
        """Write (m,) times and (m,) values of each column."""
        import pyarrow as pa

        arrays = [array_of(times, pa.int64())]
        for values, leaves in zip(shown, self.regions, strict=True):
            if leaves is None:
                arrays.append(array_of(values, pa.float64()))
            else:
                codes = values.astype(np.int32)
                there = codes >= 0
                arrays.append(names_of(codes, leaves, None if there.all() else there))
        if len(times):
            self._file.write_table(pa.Table.from_arrays(arrays, schema=self._schema), len(times))
