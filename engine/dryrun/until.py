"""A run over recorded data up to one row: the machine as it was before it, and the event that the row is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from ..ir import FillMode
from ..load import Compiled, Spec
from .data import Batch, Data, Window
from .dry_run import bad_row, event_of
from .problem import RunError
from .stress import open_run
from .stress_told import StressTold
from .subject import compiled_for
from .trace import Trace, record

if TYPE_CHECKING:
    from ..backends.live import Machine
    from ..snapshot import Snapshot

__all__ = ["Before", "before_row"]


@dataclass(frozen=True)
class Before:
    """A machine before an event, and the event: what `explain` takes."""

    compiled: Compiled
    snapshot: Snapshot
    event: str
    time_ns: int
    values: tuple[object, ...]
    stress: StressTold | None
    """What was done to the prices of the data, if anything was."""


def before_row(
    spec: Spec,
    source: str | None,
    row: int,
    *,
    stress: str | None = None,
    event: str | None = None,
    mapping: Mapping[str, str] | None = None,
    time_column: str | None = None,
    window: Window | None = None,
    fill: FillMode | None = None,
    parameters: Mapping[str, str] | None = None,
    skip_bad: bool = False,
) -> Before:
    """Return the machine as `dry_run` has it when a row comes.

    Args:
        spec: a checked spec.
        source: as in `dry_run`, and so are the others.
        row: a data row of the file, counted from 1, as reports and traces count them.
        stress: as in `dry_run`.
        event: what a row is.
        mapping: field → column.
        time_column: None finds it.
        window: which times to keep.
        fill: None takes `next` for bars and `same` for ticks.
        parameters: name → a constant of its type, as text with units.
        skip_bad: go on after a bad row, and send the row if it is bad.

    Raises:
        RunError: options or data that do not fit, a row that is not there or is no event, a bad row before it, or a
            machine that has ended by then.
        ValueError: neither a source nor a stress.
    """
    fed = event_of(spec, event)
    found = open_run(source, stress, fed, spec.program(), mapping=mapping, time_column=time_column, window=window)
    compiled = compiled_for(spec, parameters or {}, fill or ("next" if found.kind == "bars" else "same"))
    data = _Until(**vars(found), row=row)
    kept = _Kept(compiled.machine(), data)
    types = [each.type for each in fed.fields]
    trace = record(kept, compiled.columns, fed.name, data, field_types=types, skip_bad=skip_bad)
    if kept.call is None:
        raise _not_sent(data, trace)
    snapshot, time_ns, values = kept.call
    return Before(compiled, snapshot, fed.name, time_ns, values, data.stress)


@dataclass
class _Until(Data):
    """Data that end with one row, which is a batch of its own."""

    row: int = 0
    reached: bool = False
    fault: str | None = field(default=None)
    """What is wrong with the row."""

    def batches(self) -> Iterator[Batch]:
        for batch in super().batches():
            faults = {row: reason for row, reason in batch.faults.items() if row < self.row}
            index = int(np.searchsorted(batch.rows, self.row))
            if index or faults:
                yield _part(batch, slice(0, index), faults)
            if index < len(batch.rows) or max(batch.faults, default=0) >= self.row:
                there = slice(index, index + int(index < len(batch.rows) and batch.rows[index] == self.row))
                self.fault = batch.faults.get(self.row)
                self.reached = True
                yield _part(batch, there, {} if self.fault is None else {self.row: self.fault})
                return


def _part(batch: Batch, rows: slice, faults: dict[int, str]) -> Batch:
    return Batch(batch.rows[rows], batch.times[rows], tuple(values[rows] for values in batch.fields), faults)


class _Kept:
    """A machine that `record` feeds, kept as it was before the row that the data end with."""

    def __init__(self, machine: Machine, data: _Until) -> None:
        self.machine, self.data = machine, data
        self.call: tuple[Snapshot, int, tuple[object, ...]] | None = None

    @property
    def ended(self) -> bool:
        return self.machine.ended

    def port(self, event: str) -> Callable[..., Any]:
        send = self.machine.port(event)

        def take(time_ns: int, *values: object) -> Any:
            if self.data.reached:
                self.call = self.machine.snapshot(), time_ns, values
            return send(time_ns, *values)

        return take

    def observation(self) -> Sequence[Any]:
        return self.machine.observation()


def _not_sent(data: _Until, trace: Trace) -> RunError:
    """Return why the row was not sent to the machine."""
    row, name = data.row, data.name
    if trace.ended:
        last = int(trace.rows[-1])
        message = f"the machine ended at row {last:,}, so that row {row:,} was no event"
        return RunError("HR807", message, "--row", f"ask for row {last} or one before it")
    if trace.stopped is not None:
        return bad_row(trace, name, "pass over bad rows with --skip-bad, as the run did")
    if data.fault is not None:
        help = "it has no time, so that it was not sent: ask for another row"
        return RunError("HR806", f"row {row} is bad: {data.fault}", name, help, data.line(row))
    if data.reached or (data.rows_in_window and row <= data.rows_read):
        help = "it lies outside of --from and --to (or the year of --stress), has no price, or nothing stands in it"
        return RunError("HR807", f"row {row:,} was left out of the run", "--row", help)
    if not data.rows_in_window:
        return data.nothing()
    many = "there is 1 row" if data.rows_read == 1 else f"there are {data.rows_read:,} rows"
    return RunError("HR807", f"there is no row {row:,}", "--row", f"{many} in {name}, counted from 1")
