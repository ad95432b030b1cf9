"""The path of a sweep: recorded data read once, checked once, as arrays that every set is run over.

Whatever can be known to be wrong with a row without running a machine is known here: a value that is missing or outside
the range of its field, and a time before that of an earlier row. The first such row is an error, or with `skip_bad` is sent
to every machine all the same, so that each refuses it and its breakers can count it, as in a dry run.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ...models.performance import DAY_NS
from ..dryrun.data import Data, Window
from ..dryrun.narrative import stressed
from ..dryrun.problem import RunError
from ..dryrun.stress import open_run
from ..dryrun.trace import dated, typed
from ..evaluate import FLOAT
from ..intake import Refusal, accept_fields, accept_time
from ..ir import Event, Program

__all__ = ["EventPath", "path_of", "read_path"]

Times = npt.NDArray[np.int64]
Values = npt.NDArray[np.float64]
_EARLIEST = -(2**63)


@dataclass(frozen=True, eq=False)
class EventPath:
    """Rows of one event, in the order in which they are sent.

    `times` is (n,) int64, ns of UTC; `fields` has (n,) float64 for each field, in declared order; all are contiguous and
    not to be written to. `kinds` are the types of the fields. `stops` is (d,) int64: for each UTC day that has a row the
    index one past its last row, ascending, the last of them n. `day_ns` is (d,) int64, when each of these days begins. A
    row that no machine accepts for its value or its time counts to the day of the rows before it.
    """

    event: str
    times: Times
    fields: tuple[Values, ...]
    kinds: tuple[str, ...]
    stops: Times
    day_ns: Times
    name: str
    bars: bool
    bad: int = 0
    """Rows that every machine refuses."""
    unsent: int = 0
    """Rows of the file that have no time, and are not among these."""
    source: Mapping[str, Any] = field(default_factory=dict)
    """What the rows were read from, for the fingerprint."""
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.times)

    def head(self, rows: int) -> EventPath:
        """Return the path of the first rows, of as many as there are at most."""
        many = min(rows, len(self))
        days = int(np.searchsorted(self.stops, many)) + 1
        stops = np.minimum(self.stops[:days], many)
        fields = tuple(values[:many] for values in self.fields)
        return replace(self, times=self.times[:many], fields=fields, stops=stops, day_ns=self.day_ns[:days])

    def refused(self, event: Event) -> npt.NDArray[np.bool_]:
        """Return (n,) which rows every machine refuses, for a value or a time; `event` is the one of the path."""
        return _checked(event, self.times, self.fields)[0]

    @property
    def sha256(self) -> str:
        """The hash of the event's name and of every time and value."""
        found = hashlib.sha256(self.event.encode())
        for values in (self.times, *self.fields):
            found.update(np.ascontiguousarray(values, dtype=values.dtype.newbyteorder("<")).view(np.uint8).data)
        return found.hexdigest()


def read_path(
    event: Event,
    source: str,
    *,
    mapping: Mapping[str, str] | None = None,
    time_column: str | None = None,
    window: Window | None = None,
    skip_bad: bool = False,
    stress: str | None = None,
    program: Program | None = None,
    progress: Callable[[float], None] | None = None,
    interrupted: Callable[[], bool] | None = None,
) -> EventPath:
    """Read recorded data into arrays.

    Args:
        event: what a row is.
        source: as in `open_data`, and so are the others.
        mapping: field → column.
        time_column: None finds it.
        window: which times to keep.
        skip_bad: keep bad rows, to be sent and refused.
        stress: laid over the data, or cut out of them; see `stress.read_stress`.
        program: with a stress: says which fields are prices.
        progress: called with the share of the data read.
        interrupted: asked now and then whether to stop.

    Raises:
        RunError: data that do not fit the event, no row at all, or a bad row.
        KeyboardInterrupt: `interrupted` said so.
    """
    data = open_run(source, stress, event, program, mapping=mapping, time_column=time_column, window=window)
    rows: list[Times] = []
    times: list[Times] = []
    fields: list[tuple[Values, ...]] = []
    faults: dict[int, str] = {}
    for batch in data.batches():
        rows.append(batch.rows)
        times.append(batch.times)
        fields.append(batch.fields)
        faults |= batch.faults
        if progress is not None:
            progress(data.reader.progress())
        if interrupted is not None and interrupted():
            raise KeyboardInterrupt
    sent = np.concatenate(rows) if rows else np.zeros(0, np.int64)
    if not len(sent) and not faults:
        raise data.nothing()
    unsent = len(set(faults) - set(sent[np.isin(sent, list(faults))].tolist())) if faults else 0
    moments = np.concatenate(times) if times else sent
    values = tuple(np.concatenate([each[index] for each in fields]) for index in range(len(event.fields)))
    wrong, clock = _checked(event, moments, values)
    if faults or wrong.any():
        first = _first(event, sent, moments, values, wrong, clock, faults)
        if wrong.all():
            message = f"all {len(sent) + unsent:,} rows are bad; row {first[0]} is the first: {first[1]}"
            help = "is this the right column? see --map and --time"
            raise RunError("HR806", message, data.name, help, data.line(first[0]))
        if not skip_bad:
            raise _bad_row(data, *first)
    stops, day_ns = _days(clock, data.name)
    made = {
        "name": _told(data),
        "sha256": data.sha256(),
        "stress": data.stress.text if data.stress else None,
        "kind": data.kind,
        "columns": dict(data.mapping),
        "time": data.time_column,
        "window": str(data.window),
    }
    kinds = tuple(each.type for each in event.fields)
    return EventPath(
        event.name, moments, values, kinds, stops, day_ns, data.name, data.kind == "bars", int(wrong.sum()), unsent,
        made, tuple(data.notes),
    )  # fmt: skip


def _told(data: Data) -> str:
    """Return the name of data for people; of stressed data it says so wherever it is shown."""
    return data.name if data.stress is None else f"{data.name} ({stressed(data.stress.to_json())})"


def path_of(
    event: Event,
    times: npt.ArrayLike,
    fields: Sequence[npt.ArrayLike],
    *,
    name: str = "arrays",
    kind: Literal["bars", "ticks"] = "ticks",
    skip_bad: bool = False,
) -> EventPath:
    """Return the path of arrays that are in memory already.

    Args:
        event: what a row is.
        times: (n,) int64, ns of UTC, never decreasing; n ≥ 1.
        fields: (n,) float64 for each field of the event, in declared order.
        name: what to call the data.
        kind: bars are filled at the next mark unless told otherwise, ticks at the same.
        skip_bad: keep bad rows, to be sent and refused.

    Raises:
        ValueError: arrays of other types or lengths.
        RunError: no row, or a bad row; rows are counted from 1.
    """
    moments = np.ascontiguousarray(times)
    if moments.dtype != np.int64 or moments.ndim != 1:
        raise ValueError(f"times must be (n,) int64 nanoseconds, got {moments.dtype} of shape {moments.shape}")
    if len(fields) != len(event.fields):
        raise ValueError(f"`{event.name}` has {len(event.fields)} fields, {len(fields)} came")
    values = tuple(np.ascontiguousarray(each, dtype=np.float64) for each in fields)
    if any(each.shape != moments.shape for each in values):
        raise ValueError("every field must have one value for each time")
    if not len(moments):
        raise RunError("HR805", "there is no row", name, "give at least one")
    wrong, clock = _checked(event, moments, values)
    if wrong.all() or (wrong.any() and not skip_bad):
        row, reason = _first(event, np.arange(1, len(moments) + 1), moments, values, wrong, clock, {})
        raise RunError("HR806", f"row {row} is bad: {reason}", name, "mend the row, or keep it to be refused")
    stops, day_ns = _days(clock, name)
    kinds = tuple(each.type for each in event.fields)
    made = {"name": name, "kind": kind, "rows": len(moments)}
    return EventPath(
        event.name, moments, values, kinds, stops, day_ns, name, kind == "bars", int(wrong.sum()), 0, made
    )  # fmt: skip


def _checked(event: Event, times: Times, fields: Sequence[Values]) -> tuple[npt.NDArray[np.bool_], Times]:
    """Return (n,) which rows every machine refuses, and (n,) the latest time of a good row up to each row."""
    wrong = np.zeros(len(times), np.bool_)
    for each, values in zip(event.fields, fields, strict=True):
        wrong |= ~np.isfinite(values)
        if each.type == "bool":
            wrong |= (values != 0.0) & (values != 1.0)
            continue
        if each.type == "int":
            wrong |= values != np.floor(values)
        # Where a bound is no float, the machine compares with the float next to it as well.
        if each.low is not None:
            wrong |= values < (math.ceil(each.low) if each.type == "int" else float(each.low))
        if each.high is not None:
            wrong |= values > (math.floor(each.high) if each.type == "int" else float(each.high))
    clock = np.maximum.accumulate(np.where(wrong, _EARLIEST, times)) if len(times) else times
    # A late row is below the maximum and does not move it.
    return wrong | (times < clock), clock


def _first(
    event: Event,
    rows: Times,
    times: Times,
    fields: Sequence[Values],
    wrong: npt.NDArray[np.bool_],
    clock: Times,
    faults: Mapping[int, str],
) -> tuple[int, str]:
    """Return the number of the first bad row, and what is wrong with it in the machine's own words."""
    if not wrong.any():
        return min(faults.items())
    index = int(np.argmax(wrong))
    row = int(rows[index])
    if faults and min(faults) <= row:
        return min(faults.items())
    values = [typed(each[index : index + 1], kind.type)[0] for each, kind in zip(fields, event.fields, strict=True)]
    try:
        accept_fields(event, values, FLOAT)
        accept_time(int(times[index]), int(clock[index]))
    except Refusal as refusal:
        return row, dated(str(refusal))
    raise AssertionError(f"row {row} is bad for no reason")


def _bad_row(data: Data, row: int, reason: str) -> RunError:
    help = "nothing was run; mend the row, or pass over bad rows with --skip-bad"
    if reason.startswith("the time "):
        help = f"sort the rows by time, and split a file of several series; {help}"
    return RunError("HR806", f"row {row} is bad: {reason}", data.name, help, data.line(row))


def _days(clock: Times, name: str) -> tuple[Times, Times]:
    """Return (d,) the index one past the last row of each UTC day, and (d,) when each of the days begins, in ns.

    Raises:
        RunError: the times span more nanoseconds than an int64 counts.
    """
    # Bad rows before the first good one count to its day.
    good = clock[clock != _EARLIEST]
    if int(clock[-1]) - int(good[0]) >= 2**63:
        raise RunError("HR806", "the times span more than 292 years", name, "is this the right column? see --time")
    days = np.maximum(clock, good[0]) // DAY_NS
    stops = np.append(np.flatnonzero(np.diff(days)) + 1, len(days))
    return stops, days[stops - 1] * DAY_NS
