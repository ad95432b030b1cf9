"""Parameter sets in native code: one compiled loop over the rows, one call a set, threads without the interpreter's lock.

The rows that the loop does not take (see `engine.backends.native`) go through a live machine, one at a time.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt

from ..backends.native.able import why_not
from ..backends.native.kernel import Options
from ..backends.native.machine import Kernel, Memory, Rows
from ..chart import FAIL_SAFE
from ..dryrun.trace import typed
from ..ir import FillMode, Value
from ..load import Spec
from .live import LiveRunner
from .path import EventPath
from .results import Results

__all__ = ["NativeRunner", "Outside", "SetRun", "native_runner"]

_LEAST_CAPITAL = 1e-250
"""Below it shares of the capital underflow on the way to the drawdown: no money of this world, left to the live backend."""


def native_runner(spec: Spec, fill: FillMode, event: str, workers: int) -> NativeRunner | str:
    """Return what runs sets of a spec in native code, or why it cannot."""
    if importlib.util.find_spec("llvmlite") is None:
        return "llvmlite is not installed (pip install 'hedgerow[sweep]')"
    program = spec.program(fill)
    reason = why_not(program)
    if reason is not None:
        return reason
    return NativeRunner(spec, Kernel(program, event, Options()), fill, workers)


class NativeRunner:
    """Runs sets in native code, on several threads."""

    backend = "native"

    def __init__(self, spec: Spec, kernel: Kernel, fill: FillMode, workers: int) -> None:
        self.spec, self.kernel, self.fill, self.workers = spec, kernel, fill, workers
        self._last: tuple[EventPath, Rows] | None = None

    def run(
        self,
        parameters: Sequence[Mapping[str, Value]],
        capitals: npt.NDArray[np.float64],
        path: EventPath,
        into: Results,
        first_row: int = 0,
        interrupted: Callable[[], bool] | None = None,
    ) -> int:
        """Run sets; see `live.Runner`."""
        self._check(path, into)
        self.rows(path, len(parameters))

        def run(index: int) -> bool:
            if interrupted is not None and interrupted():
                return False
            if 0 < capitals[index] < _LEAST_CAPITAL:
                alone = LiveRunner(self.spec, self.fill, path.event)
                return alone.run([parameters[index]], capitals[index : index + 1], path, into, first_row + index) == 1
            SetRun(self, parameters[index], float(capitals[index]), path, into, first_row + index).run()
            return True

        indices = iter(range(len(parameters)))
        if self.workers < 2 or len(parameters) < 2:
            return sum(map(run, indices))
        with ThreadPoolExecutor(self.workers) as pool:
            # Each thread takes the next set that none has taken; a task a set would cost as much as a short path does.
            threads = [pool.submit(lambda: sum(map(run, indices))) for _ in range(self.workers)]
            try:
                return sum(each.result() for each in threads)
            finally:
                list(indices)  # where one has failed, the others stop

    def rows(self, path: EventPath, sets: int = 1) -> Rows:
        """Return a path as a kernel reads it. The last one is kept, and so is what is made of it once for all sets.

        For one set alone the ranges of the rows would take as long to make as they save.
        """
        if self._last is None or self._last[0] is not path or (sets > 1 and self._last[1].ranges is None):
            ranges = self.kernel.ranges(path.times, path.fields) if sets > 1 else None
            fields = [column.ctypes.data for column in path.fields]
            self._last = path, Rows(path.times, fields, path.stops, ranges)
        return self._last[1]

    def _check(self, path: EventPath, into: Results) -> None:
        """Raise ValueError for arrays that native code, which trusts them, would read or write beyond their ends."""
        kernel, rows = self.kernel, len(path.times)
        if path.event != kernel.event:
            raise ValueError(f"the path is of `{path.event}`, and the native code for `{kernel.event}`")
        wanted = len(kernel.program.event(kernel.event).fields)
        if len(path.fields) != wanted:
            raise ValueError(f"the path has {len(path.fields)} fields, and `{path.event}` has {wanted}")
        columns: list[tuple[str, npt.NDArray[Any], type]] = [("times", path.times, np.int64)]
        columns.append(("stops", path.stops, np.int64))
        columns += [(f"field {index}", each, np.float64) for index, each in enumerate(path.fields)]
        for name, array, kind in columns:
            if array.dtype != kind or array.ndim != 1 or not array.flags.c_contiguous:
                raise ValueError(f"the {name} of a path must be one contiguous row of {np.dtype(kind)}")
            if name != "stops" and len(array) != rows:
                raise ValueError(f"the path has {rows} times, and {len(array)} values in {name}")
        ends = np.concatenate((path.stops[:1] * 0, path.stops, [rows])) if len(path.stops) else np.array([1, 0])
        if (np.diff(ends) < 0).any() or ends[-1] != ends[-2]:
            raise ValueError("the stops of a path must ascend, and the last of them be the number of its rows")
        for days in (into.days, into.day_fees):
            if days.dtype != np.float64 or days.shape[1:] != path.stops.shape or not days.flags.c_contiguous:
                raise ValueError("the results must be contiguous, with one day for each stop of the path")


class SetRun:
    """One set over the path; it writes one row of `into`."""

    def __init__(
        self,
        runner: NativeRunner,
        values: Mapping[str, Value],
        capital: float,
        path: EventPath,
        into: Results,
        into_row: int = 0,
    ) -> None:
        self.runner, self.kernel, self.values, self.path, self.into = runner, runner.kernel, values, path, into
        self.capital, self.into_row = capital, into_row
        self.memory: Memory = self.kernel.memory(capital)
        self.outside: Outside | None = None
        """What takes the rows that native code does not."""

    def run(self) -> None:
        kernel, path, into, here = self.kernel, self.path, self.into, self.into_row
        parameters, rows = kernel.parameters(self.values), self.runner.rows(path)
        days, fees = (each.ctypes.data + here * each.strides[0] for each in (into.days, into.day_fees))
        row = 0
        while True:
            row = kernel.run_over(rows, self.memory, parameters, row, days, fees)
            if row >= len(path):
                break
            if not self.memory.ended:
                if self.outside is None:
                    self.outside = Outside(self)
                self.outside.take(row)
                row += 1
            if self.memory.ended:
                self._end_day(into.days[here], into.day_fees[here])
                break
        self._write()

    def _end_day(self, days: npt.NDArray[np.float64], fees: npt.NDArray[np.float64]) -> None:
        """Keep what the day ends with on which the machine has ended."""
        memory = self.memory
        if self.kernel.program.legs and memory.get("accepted") > memory.get("marked"):
            day = int(memory.words[self.kernel.slots.stop])
            days[day], fees[day] = memory.shown[0], memory.shown[1]

    def _write(self) -> None:
        memory, into, row = self.memory, self.into, self.into_row
        slots, program = self.kernel.slots, self.kernel.program
        words, reals, shown = memory.words, memory.reals, memory.shown
        if memory.started:
            settle_time(memory, int(words[slots.index("clock")]))
        into.ended[row] = memory.ended
        into.accepted[row], into.orders[row] = words[slots.index("accepted")], words[slots.index("orders")]
        into.fired[row] = words[slots.fired : slots.broken]
        into.broken[row] = words[slots.broken : slots.leaves[0]]
        into.nanoseconds[row] = words[slots.leaves[0] :]
        first = 0
        if program.legs:
            into.equity[row], into.fees[row], into.slippage[row], into.flows[row] = shown[:4].tolist()
            into.turnover[row] = reals[slots.index("turnover")]
            if self.capital > 0:
                into.drawdown[row] = reals[slots.index("drawdown")]
                into.drawdown_amount[row] = reals[slots.index("drawdown_amount")]
            first = 4
        into.measures[row] = shown[first:-1]
        if self.outside is not None:
            into.refused[row], into.handed[row] = self.outside.refused, self.outside.handed
            into.fail_safe[row], into.stopped[row] = self.outside.fail_safe, self.outside.stopped
        into.done[row] = True


def settle_time(memory: Memory, now: int) -> None:
    """Add the time since each register last changed to the leaf it stands at."""
    slots, words = memory.kernel.slots, memory.words
    for register, since, first in zip(slots.registers, slots.since, slots.leaves, strict=True):
        leaf, began = int(words[slots.index(register)]), slots.index(since)
        if leaf >= 0:
            words[first + leaf] += now - int(words[began])
        words[began] = now


class Outside:
    """Takes rows through a live machine, and accounts for them as `live` does."""

    def __init__(self, run: SetRun) -> None:
        self.memory, self.kernel, self.path, self.capital = run.memory, run.kernel, run.path, run.capital
        compiled = run.runner.spec.bind_values(run.values, fill=run.runner.fill)
        self.machine: Any = compiled.machine()
        self.twin: Any = compiled.machine() if compiled.program.timers else None
        self.port = self.machine.port(self.path.event)
        self.registers = compiled.spec.live_source(compiled.program.fill).registers
        program = self.kernel.program
        self.rules = {rule.name: index for index, rule in enumerate(program.rules)}
        self.invariants = {name: index for index, (name, _) in enumerate(program.invariants)}
        self.columns = {name: index for index, name in enumerate(compiled.columns)}
        self.checks = {name: index for index, name in enumerate(program.check_names)}
        self.refused = self.handed = self.fail_safe = 0
        self.stopped = [0] * len(self.checks)
        """How often each check of a gate stopped orders: a kernel hands over every row at which one would."""

    def take(self, row: int) -> None:
        memory, path = self.memory, self.path
        self.handed += 1
        before = memory.snapshot(self.machine.snapshot())
        self.machine.restore(before)
        time = int(path.times[row])
        values = [typed(field[row : row + 1], kind)[0] for field, kind in zip(path.fields, path.kinds, strict=True)]
        step = self.port(time, *values)
        if step.timers and step.fired:
            self._between(before, step)
        after = self.machine.snapshot()
        self._move(self.machine, after)
        self._count(step)
        if step.rejected is not None:
            self.refused += 1
        else:
            self._show()

    def _between(self, before: Any, step: Any) -> None:
        """Go once more through what timers did before the row, and split the time where they changed the states."""
        self.twin.restore(before)
        for due in dict.fromkeys(due for _, due in step.timers):
            self.twin.advance(max(due, self.twin.time_ns))
            self._move(self.twin, self.twin.snapshot())

    def _move(self, machine: Any, snapshot: Any) -> None:
        """Take a machine's state up, and note how long each register stood where it was."""
        memory, slots = self.memory, self.kernel.slots
        if snapshot.time_ns is None:
            return
        if memory.started:
            settle_time(memory, snapshot.time_ns)
        else:
            for since in slots.since:
                memory.set(since, snapshot.time_ns)
        memory.take(snapshot, [getattr(machine, register) for register in self.registers])

    def _count(self, step: Any) -> None:
        memory, slots = self.memory, self.kernel.slots
        for rule in step.fired:
            if rule in self.rules:
                memory.words[slots.fired + self.rules[rule]] += 1
            self.fail_safe += rule == FAIL_SAFE
        for name in step.broken:
            memory.words[slots.broken + self.invariants[name]] += 1
        for verdict in step.verdicts:
            self.stopped[self.checks[verdict.name]] += 1
        memory.set("orders", memory.get("orders") + len(step.orders))
        turnover = memory.get("turnover")
        for order in step.orders:
            turnover += order.notional
        memory.set("turnover", turnover)

    def _show(self) -> None:
        """Count an accepted row, and keep what it shows."""
        memory, program, columns = self.memory, self.kernel.program, self.columns
        seen = self.machine.observation()
        memory.set("accepted", memory.get("accepted") + 1)
        measures = [seen[columns[f"report.{name}"]] for name, _ in program.report.measures]
        if not program.legs:
            memory.shown[: len(measures)] = measures
            return
        net = 0.0
        for leg in program.legs:
            sign = -1 if leg.side == "short" else 1
            net += sign * seen[columns[leg.quantity]] * seen[columns[f"{leg.instrument}.price"]]
        equity = seen[columns["cash"]] + net
        memory.shown[:-1] = [equity, *(seen[columns[name]] for name in ("fees", "slippage", "flows")), *measures]
        peak = memory.get("peak")
        if equity > peak:  # and no NaN, which `max` would keep
            peak = equity
        memory.set("peak", peak)
        if self.capital > 0 and (peak - equity) / peak > memory.get("drawdown"):
            memory.set("drawdown", (peak - equity) / peak)
            memory.set("drawdown_amount", peak - equity)
