"""One parameter set after another on the live backend: the definition that every other runner is held to, bit for bit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from operator import attrgetter
from struct import Struct
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from ..chart import FAIL_SAFE
from ..dryrun.subject import subject_of
from ..dryrun.trace import typed
from ..ir import NEVER, FillMode, Value
from ..load import Compiled, Spec
from .path import EventPath
from .results import Results, Shape, shape_of

__all__ = ["LiveRunner", "Runner"]

CHUNK = 1 << 16
"""Rows that are held as Python numbers at a time."""


class Runner(Protocol):
    """What runs parameter sets over a path."""

    backend: str

    def run(
        self,
        parameters: Sequence[Mapping[str, Value]],
        capitals: npt.NDArray[np.float64],
        path: EventPath,
        into: Results,
        first_row: int = 0,
        interrupted: Callable[[], bool] | None = None,
    ) -> int:
        """Run sets and write set i to row `first_row` + i of `into`.

        Args:
            parameters: for each set the values of all parameters of the program, as in `Compiled.parameters`.
            capitals: (sets,) what each starts with, in money.
            path: the rows; all of the runner's event.
            into: results of `shape_of(program, len(path.stops))`, at least first_row + sets rows.
            first_row: of `into`.
            interrupted: asked now and then; when it says so, sets that run are finished or given up and no other begins.

        Returns:
            How many sets were done. `into.done` is set for their rows, and for no other; which ones they are does not
            matter where the runner was interrupted.
        """
        ...


class LiveRunner:
    """Runs one set after another on the live backend."""

    backend = "live"

    def __init__(self, spec: Spec, fill: FillMode, event: str) -> None:
        self.spec, self.fill, self.event = spec, fill, event

    def run(
        self,
        parameters: Sequence[Mapping[str, Value]],
        capitals: npt.NDArray[np.float64],
        path: EventPath,
        into: Results,
        first_row: int = 0,
        interrupted: Callable[[], bool] | None = None,
    ) -> int:
        """Run sets; see `Runner`."""
        shape = shape_of(self.spec.program(self.fill), len(path.stops))
        for index, values in enumerate(parameters):
            if interrupted is not None and interrupted():
                return index
            compiled = self.spec.bind_values(values, fill=self.fill)
            _Run(compiled, float(capitals[index]), path, shape, into.part(slice(first_row + index, None))).run()
        return len(parameters)


class _Run:
    """One set over the path; it writes to the first row of `into`."""

    def __init__(self, compiled: Compiled, capital: float, path: EventPath, shape: Shape, into: Results) -> None:
        self.path, self.shape, self.into, self.capital = path, shape, into, capital
        subject = subject_of(compiled)
        self.columns = {name: index for index, name in enumerate(compiled.columns)}
        self.legs = [
            (leg.sign, self.columns[f"{leg.name}.quantity"], self.columns[f"{leg.instrument}.price"])
            for leg in subject.legs
        ]
        self.machine: Any = compiled.machine()
        self.twin: Any = compiled.machine() if subject.timers else None
        source = compiled.spec.live_source(compiled.program.fill)
        self.read: Callable[[Any], Any] = attrgetter(*source.registers)
        self.alone = len(shape.offsets) == 1
        self.held = self._registers(self.machine)
        self.clock: int | None = None
        self.due = NEVER
        self.quiet: Any = None
        self.lasted = [0] * len(shape.leaves)
        self.fired: Counter[str] = Counter()
        self.broken: Counter[str] = Counter()
        self.stopped: Counter[str] = Counter()
        self.accepted = self.refused = self.orders = 0
        self.turnover = 0.0
        self.peak, self.drawdown, self.amount = capital, 0.0, 0.0

    def _registers(self, machine: Any) -> tuple[int, ...]:
        """Return the index of the active leaf of each region, -1 where none is."""
        return (self.read(machine),) if self.alone else self.read(machine)

    def run(self) -> None:
        for first in range(0, len(self.path), CHUNK):
            self._send(first, min(first + CHUNK, len(self.path)))
            if self.machine.ended:
                break
        self._write()

    def _send(self, first: int, last: int) -> None:
        """Send the rows from `first` to before `last`; the loop that all the time goes into."""
        port, observe = self.machine.port(self.path.event), self.machine.observation
        pack = Struct(f"={len(self.columns)}d").pack
        packed = bytearray()
        refused: list[int] = []
        index = -1
        for index, values in enumerate(self._rows(first, last)):
            waiting = self.machine.snapshot() if self.due <= values[0] else None
            step = port(*values)
            # A step in which nothing happened is one shared object: known again by identity, it costs nothing to read.
            if step is self.quiet:
                packed += pack(*observe())
                continue
            self._note(step, values[0], waiting)
            if step.rejected is None:
                packed += pack(*observe())
            else:
                refused.append(index)
            if self.machine.ended:
                break
        kept = np.ones(index + 1, np.bool_)
        kept[refused] = False
        self.accepted += len(kept) - len(refused)
        self.refused += len(refused)
        if len(kept) > len(refused):
            table = np.frombuffer(packed, np.float64).reshape(-1, len(self.columns)).T
            self._measure(table)
            if self.shape.books:
                self._account(table, first + np.flatnonzero(kept))

    def _rows(self, first: int, last: int) -> Iterator[tuple[Any, ...]]:
        path = self.path
        columns = [typed(each[first:last], kind) for each, kind in zip(path.fields, path.kinds, strict=True)]
        return zip(path.times[first:last].tolist(), *columns, strict=True)

    def _note(self, step: Any, time_ns: int, waiting: Any) -> None:
        """Keep what a step did that is not known to be quiet; `waiting` is the machine before timers fired."""
        if step.timers and step.fired:
            self._between(waiting, step)
        # A refused row moves no clock; what a breaker makes of it happens when the machine's clock stands.
        now = self.machine.time_ns if step.rejected is not None else time_ns
        if now is not None:
            self._until(now)
        self.held = self._registers(self.machine)
        self.fired.update(step.fired)
        self.broken.update(step.broken)
        for verdict in step.verdicts:
            self.stopped[verdict.name] += 1
        self.orders += len(step.orders)
        for order in step.orders:
            self.turnover += order.notional
        if self.twin is not None:
            due = self.machine.next_due
            self.due = NEVER if due is None else due
        happened = step.fired or step.orders or step.errors or step.raised or step.broken or step.timers
        if not happened and step.rejected is None:
            self.quiet = step

    def _between(self, waiting: Any, step: Any) -> None:
        """Go once more through what timers did before a row, and split the time where they changed the states."""
        self.twin.restore(waiting)
        for due in dict.fromkeys(due for _, due in step.timers):
            # What was left over when too many were due comes late, and no clock goes back.
            self.twin.advance(max(due, self.twin.time_ns))
            self._until(self.twin.time_ns)
            self.held = self._registers(self.twin)

    def _until(self, time_ns: int) -> None:
        if self.clock is not None:
            for offset, leaf in zip(self.shape.offsets, self.held, strict=True):
                if leaf >= 0:
                    self.lasted[offset + leaf] += time_ns - self.clock
        self.clock = time_ns

    def _measure(self, table: npt.NDArray[np.float64]) -> None:
        for index, name in enumerate(self.shape.measures):
            self.into.measures[0, index] = table[self.columns[f"report.{name}"], -1]

    @np.errstate(over="ignore", invalid="ignore")
    def _account(self, table: npt.NDArray[np.float64], rows: npt.NDArray[np.int64]) -> None:
        """Keep the money of some accepted rows: (columns, m) values, and (m,) their places in the path."""
        into, net = self.into, np.zeros(len(rows))
        for sign, quantity, price in self.legs:
            net += sign * table[quantity] * table[price]
        equity = table[self.columns["cash"]] + net
        fees = table[self.columns["fees"]]
        into.equity[0] = equity[-1]
        for name in ("fees", "slippage", "flows"):
            getattr(into, name)[0] = table[self.columns[name], -1]
        if self.capital > 0:
            # What no float can hold has no share, see `_Outside._show`.
            peaks = np.fmax.accumulate(np.fmax(equity, self.peak))
            shares = np.fmax((peaks - equity) / peaks, 0.0)
            worst = int(np.argmax(shares))
            if shares[worst] > self.drawdown:
                self.drawdown, self.amount = float(shares[worst]), float(peaks[worst] - equity[worst])
            self.peak = float(peaks[-1])
        days = np.searchsorted(self.path.stops, rows, side="right")
        ends = np.flatnonzero(np.diff(days, append=-1))
        into.days[0, days[ends]] = equity[ends]
        into.day_fees[0, days[ends]] = fees[ends]

    def _write(self) -> None:
        into, shape = self.into, self.shape
        if self.clock is not None:
            self._until(self.machine.time_ns)
        into.ended[0] = self.machine.ended
        into.accepted[0], into.refused[0], into.orders[0] = self.accepted, self.refused, self.orders
        into.fail_safe[0] = self.fired[FAIL_SAFE]
        into.fired[0] = [self.fired[rule] for rule in shape.rules]
        into.broken[0] = [self.broken[name] for name in shape.invariants]
        into.stopped[0] = [self.stopped[name] for name in shape.checks]
        into.nanoseconds[0] = self.lasted
        if shape.books:
            into.turnover[0] = self.turnover
            if self.capital > 0:
                into.drawdown[0], into.drawdown_amount[0] = self.drawdown, self.amount
        into.done[0] = True
