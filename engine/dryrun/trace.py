"""The machine, row by row: events in, and what each of them changed out.

The trace holds one line per accepted event. It is kept in memory (8 bytes a column and row, 16 for row and
time): a million rows of the band-limited spec take about 100 MB, and four times that at the peak of a run.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from struct import Struct
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from ..step import Ruling, Verdict
from .beside import NEVER_NS, Beside
from .data import Batch, Data
from .times import iso

__all__ = [
    "Between",
    "Broken",
    "Fill",
    "MachineLike",
    "Rejection",
    "TimedMachine",
    "Trace",
    "dated",
    "record",
    "typed",
]

SHOWN = 100
"""Rejections kept with their reason; the rest are counted."""
When = Literal["before", "at", "after"]
_STAMP = re.compile(r"\b\d{15,19}\b")


@dataclass(frozen=True, slots=True)
class Fill:
    """One released order, at line `index` of the trace. Money and quantities ≥ 0.

    `when` tells an order that a timer decided `before` the line, at the marks of the line before it, and one that a
    refused row brought `after` its line. `time_ns` is when a timer decided it; None is the time of the line.
    """

    index: int
    leg: str
    instrument: str
    rule: str
    side: Literal["buy", "sell"]
    quantity: float
    mark: float
    notional: float
    fee: float
    slippage: float
    when: When = "at"
    time_ns: int | None = None


class Between(NamedTuple):
    """What a machine showed after timers had fired, before line `line` of the trace."""

    line: int
    time_ns: int
    values: tuple[float, ...]


class Rejection(NamedTuple):
    """A row that was no event."""

    row: int
    line: int | None
    reason: str


class Broken(NamedTuple):
    """The first event that broke an invariant, and how many did."""

    row: int
    time_ns: int
    rules: tuple[str, ...]
    events: int


class MachineLike(Protocol):
    """What `record` needs of a machine."""

    @property
    def ended(self) -> bool: ...
    def port(self, event: str) -> Callable[..., Any]: ...
    def observation(self) -> Sequence[Any]: ...


class TimedMachine(MachineLike, Protocol):
    """What it needs of one with timers, or with events between the rows."""

    @property
    def next_due(self) -> int | None: ...
    def advance(self, time_ns: int) -> Any: ...
    def send(self, event: str, time_ns: int, /, **fields: object) -> Any: ...
    def snapshot(self) -> Any: ...
    def restore(self, snapshot: Any) -> None: ...


@dataclass
class Trace:
    """What a run did. `rows`, `times` are (n,) int64; `values` is (columns, n) float64, read with
    `column`.
    """

    columns: tuple[str, ...]
    rows: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    times: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    values: npt.NDArray[np.float64] = field(default_factory=lambda: np.zeros((0, 0)))
    fills: list[Fill] = field(default_factory=list)
    fired: list[tuple[int, tuple[str, ...]]] = field(default_factory=list)
    """Lines at which rules fired, and which; a line may stand twice, its own event after a rejected one."""
    visited: set[str] = field(default_factory=set)
    timers: Counter[str] = field(default_factory=Counter)
    """How often each timer fired."""
    between: list[Between] = field(default_factory=list)
    """Where timers changed the states, at the moment at which they did."""
    errors: Counter[str] = field(default_factory=Counter)
    verdicts: list[tuple[int, Verdict]] = field(default_factory=list)
    """Each no of a check of a gate, with the line at which it was said, in order."""
    rulings: list[tuple[int, Ruling]] = field(default_factory=list)
    """What became of proposals that wait for people, likewise."""
    raised: Counter[str] = field(default_factory=Counter)
    broken: dict[str, Broken] = field(default_factory=dict)
    rejected: int = 0
    rejections: list[Rejection] = field(default_factory=list)
    stopped: Rejection | None = None
    """The bad row that stopped the run, where bad rows are not skipped."""
    ended: bool = False
    """Whether the machine reached a top-level final state, before or at the last row."""
    interrupted: bool = False
    """Whether a person stopped the run between two batches."""

    def __len__(self) -> int:
        return len(self.rows)

    def column(self, name: str) -> npt.NDArray[np.float64]:
        """Return one column, (n,)."""
        column: npt.NDArray[np.float64] = self.values[self.columns.index(name)]
        return column

    def register(self, name: str) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Return the times at which a register was looked at, at every line and when timers changed a state, and what it
        held, (m,) each with m ≥ n.
        """
        held = self.column(name).astype(np.int64)
        if not self.between:
            return self.times, held
        lines = [one.line for one in self.between]
        position = self.columns.index(name)
        return (
            np.insert(self.times, lines, [one.time_ns for one in self.between]),
            np.insert(held, lines, [int(one.values[position]) for one in self.between]),
        )


def record(
    machine: MachineLike,
    columns: tuple[str, ...],
    event: str,
    data: Data,
    *,
    field_types: Sequence[str] = (),
    skip_bad: bool = False,
    twin: TimedMachine | None = None,
    beside: Beside | None = None,
    progress: Callable[[float], None] | None = None,
    interrupted: Callable[[], bool] | None = None,
) -> Trace:
    """Send every row of `data` to the machine as `event` and keep what it did.

    Timers fire with the row that comes after they are due. What they did is told apart with a second machine.

    Args:
        machine: a new one.
        columns: names of the values of `machine.observation()`.
        event: what a row is.
        data: opened and not yet read.
        field_types: `real`, `int` or `bool` for each field; all real when empty.
        skip_bad: send bad rows too, so that the machine refuses them and its breakers can count them (a row
            without a time cannot be sent and is only counted); otherwise the first one stops the run.
        twin: another machine of the same kind, for one with timers.
        beside: events that come between the rows.
        progress: called with the share read after each batch.
        interrupted: asked after each batch whether to stop there.
    """
    recording = _Recording(machine, columns, event, data, field_types, skip_bad, twin, beside)
    return recording.run(progress, interrupted)


class _Recording:
    def __init__(
        self,
        machine: MachineLike,
        columns: tuple[str, ...],
        event: str,
        data: Data,
        field_types: Sequence[str],
        skip_bad: bool,
        twin: TimedMachine | None,
        beside: Beside | None,
    ) -> None:
        self.machine = machine
        self.twin = twin
        self.beside = beside
        self.port = machine.port(event)
        self.data = data
        self.field_types = field_types
        self.skip_bad = skip_bad
        self.trace = Trace(columns)
        self.done = False
        self._length = 0
        self._waiting: Any = None
        """The machine before the timers that fired with the last row; None where none was due."""
        self._refused: list[Rejection] = []
        """Of the batch at hand: rows that cannot be sent are known before the others."""
        self._rows: list[npt.NDArray[np.int64]] = []
        self._times: list[npt.NDArray[np.int64]] = []
        self._values: list[npt.NDArray[np.float64]] = []

    def run(self, progress: Callable[[float], None] | None, interrupted: Callable[[], bool] | None) -> Trace:
        for batch in self.data.batches():
            self._batch(batch)
            if progress is not None:
                progress(self.data.reader.progress())
            if self.done:
                break
            if interrupted is not None and interrupted():
                self.trace.interrupted = True
                break
        trace = self.trace
        if self._rows:
            trace.rows = np.concatenate(self._rows)
            trace.times = np.concatenate(self._times)
            trace.values = np.concatenate(self._values, axis=1)
        return trace

    def _batch(self, batch: Batch) -> None:
        stop = None
        if batch.faults and not self.skip_bad:
            row = min(batch.faults)
            stop = Rejection(row, self.data.line(row), batch.faults[row])
            size = int(np.searchsorted(batch.rows, row))
            batch = Batch(batch.rows[:size], batch.times[:size], tuple(values[:size] for values in batch.fields))
        for row in sorted(set(batch.faults) - set(batch.rows.tolist())) if batch.faults else ():
            self._reject(row, batch.faults[row])
        self._send(batch)
        if stop is not None and not self.done:
            self._stop(stop)
        self._refused.sort(key=lambda one: one.row)
        self.trace.rejections += self._refused[: SHOWN - len(self.trace.rejections)]
        self._refused.clear()

    def _send(self, batch: Batch) -> None:
        """Send the rows of a batch; the loop that all the time goes into."""
        observe = self.machine.observation
        pack = Struct(f"={len(self.trace.columns)}d").pack
        packed = bytearray()
        refused: list[int] = []
        quiet: Any = None
        index = -1
        for index, step in enumerate(self._steps(batch, refused)):
            # A step in which nothing happened is one shared object: known again by identity, it costs
            # nothing to read.
            if step is not quiet:
                line = self._length + index - len(refused)
                early = () if self._waiting is None else self._told_apart(self._waiting, step, line)
                if self._step(step, batch, index, line, early):
                    quiet = step
                if step.rejected is not None:
                    refused.append(index)
                else:
                    packed += pack(*observe())
                if self.done:
                    break
                continue
            packed += pack(*observe())
        kept = np.ones(index + 1, np.bool_)
        kept[refused] = False
        self._rows.append(batch.rows[: index + 1][kept])
        self._times.append(batch.times[: index + 1][kept])
        lines = np.frombuffer(packed, np.float64).reshape(-1, len(self.trace.columns))
        # What comes after reads column by column.
        self._values.append(np.ascontiguousarray(lines.T))
        self._length += int(kept.sum())

    def _steps(self, batch: Batch, refused: list[int]) -> Iterator[Any]:
        """Yield what each row did, in order; `refused` are the rows of the batch that did nothing."""
        columns: list[list[Any]] = [batch.times.tolist()]
        for position, values in enumerate(batch.fields):
            kind = self.field_types[position] if self.field_types else "real"
            columns.append(typed(values, kind))
        if self.twin is None and self.beside is None:
            return map(self.port, *columns)
        return self._timed_steps(batch, zip(*columns, strict=True), refused)

    def _timed_steps(self, batch: Batch, events: Iterable[tuple[Any, ...]], refused: list[int]) -> Iterator[Any]:
        """Yield what each row did, having sent what comes before it and kept how timers found the machine."""
        next_ns = NEVER_NS if self.beside is None else self.beside.next_ns
        for index, values in enumerate(events):
            if values[0] >= next_ns:
                next_ns = self._send_beside(values[0], batch, index, self._length + index - len(refused))
                if self.done:
                    return
            self._waiting = self._before_timers(values[0]) if self.twin is not None else None
            yield self.port(*values)

    def _send_beside(self, until: int, batch: Batch, index: int, line: int) -> int:
        """Send what comes up to the time of a row, before it; return when the next one comes."""
        assert self.beside is not None
        machine: Any = self.machine
        for item in self.beside.until(until):
            waiting = machine.snapshot()
            step = machine.send(item.event, item.time_ns, **item.fields)
            early = self._told_apart(waiting, step, line)
            early += (item.time_ns,) * (len(step.orders) - len(early))
            if step.rejected is not None:
                self.beside.refuse(item, dated(step.rejected))
            self._step(step._replace(rejected=None), batch, index, line, early)
            if step.configuration != step.before:
                self.trace.between.append(Between(line, item.time_ns, tuple(machine.observation())))
            if self.done:
                break
        return self.beside.next_ns

    def _before_timers(self, time_ns: int) -> Any:
        """Return the machine as it is before timers fire, or None where none is due."""
        machine: Any = self.machine
        due = machine.next_due
        return None if due is None or due > time_ns else machine.snapshot()

    def _told_apart(self, waiting: Any, step: Any, line: int) -> tuple[int, ...]:
        """Go once more through what timers did before a row, moment by moment; return when each order was decided."""
        if not (step.timers and step.fired) or self.twin is None:
            return ()
        self.twin.restore(waiting)
        decided: list[int] = []
        for due in dict.fromkeys(due for _, due in step.timers):
            part = self.twin.advance(due)
            decided += [due] * len(part.orders)
            if part.configuration != part.before:
                self.trace.visited.update(part.configuration)
                self.trace.between.append(Between(line, due, tuple(self.twin.observation())))
        return tuple(decided)

    def _step(self, step: Any, batch: Batch, index: int, line: int, early: tuple[int, ...]) -> bool:
        """Keep what a step did; return whether it was the quiet one.

        Args:
            step: what a row did.
            batch: the rows.
            index: of the row in the batch.
            line: of the trace, for the row.
            early: when timers decided the first orders of the step.
        """
        trace = self.trace
        if step.rejected is not None:
            row, reason = int(batch.rows[index]), dated(step.rejected)
            if self.skip_bad:
                self._reject(row, batch.faults.get(row, reason))
            else:
                self._stop(Rejection(row, self.data.line(row), reason))
            line = max(0, line - 1)
        if step.fired:
            trace.fired.append((line, step.fired))
            trace.visited.update(step.before)
        if self.machine.ended:
            trace.ended = self.done = True
        trace.visited.update(step.configuration)
        for order, due in zip_longest(step.orders, early[: len(step.orders)]):
            when: When = "before" if due is not None else "at" if step.rejected is None else "after"
            trace.fills.append(
                Fill(
                    line, order.leg, order.instrument, order.rule, order.side, order.quantity, order.price,
                    order.notional, order.fee, order.slippage, when, due,
                )
            )  # fmt: skip
        if step.timers:
            trace.timers.update(name for name, _ in step.timers)
        if step.errors:
            trace.errors.update(step.errors)
        if step.verdicts:
            trace.verdicts += [(line, verdict) for verdict in step.verdicts]
        if step.approvals:
            trace.rulings += [(line, ruling) for ruling in step.approvals]
        if step.raised:
            trace.raised.update(step.raised)
        for name in step.broken:
            first = trace.broken.get(name)
            if first is None:
                first = Broken(int(batch.rows[index]), int(batch.times[index]), step.fired, 0)
            trace.broken[name] = first._replace(events=first.events + 1)
        # A step of timers alone is told apart from the next one by its times, if by nothing else.
        happened = step.fired or step.orders or step.errors or step.raised or step.broken or step.timers
        return not happened and step.rejected is None

    def _reject(self, row: int, reason: str) -> None:
        self.trace.rejected += 1
        self._refused.append(Rejection(row, self.data.line(row), reason))

    def _stop(self, rejection: Rejection) -> None:
        self._reject(rejection.row, rejection.reason)
        self.trace.stopped = rejection
        self.done = True


def dated(reason: str) -> str:
    """Return a machine's reason to refuse an event with its times, in ns, as dates."""
    return _STAMP.sub(lambda stamp: iso(int(stamp[0])), reason) if reason.startswith("the time ") else reason


def typed(values: npt.NDArray[np.float64], kind: str) -> list[Any]:
    """Return the values of a field as a machine takes them; `kind` is `real`, `int` or `bool`."""
    if kind == "real":
        return list(values.tolist())
    # A value that is no int or bool goes to the machine as it stands: refusing it is the machine's part.
    if kind == "int":
        return [int(value) if value == value // 1 else value for value in values.tolist()]
    return [bool(value) if value in (0.0, 1.0) else value for value in values.tolist()]
