"""A kernel as Python sees it: its function, and the memory that it works on."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from ...ir import Program, Value
from ...snapshot import Snapshot
from ..columns import columns_of
from ..layout import Layout
from .kernel import Options, kernel_text, sticky_cells
from .object_code import ObjectCode, machine_code
from .origin import origin_of
from .ranges import ranges_of
from .slots import BEFORE, FAR, REACH, RUNNING, STOPPED, Slots

__all__ = ["Kernel", "Memory", "Rows"]

Words = npt.NDArray[np.int64]
Values = npt.NDArray[np.float64]
_SIGNATURE = ctypes.CFUNCTYPE(
    ctypes.c_int64,  # the row that is the reference's, or that after the last one
    *(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p),  # state, parameters, times, fields
    *(ctypes.c_int64, ctypes.c_void_p, ctypes.c_int64),  # the first row, stops and how many
    *(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p),  # days, their fees, shown, trace
    ctypes.c_void_p,  # ranges
)
_RELAY = ctypes.CFUNCTYPE(
    ctypes.c_int64,  # the row that is the reference's, or that after the last one
    *(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p),  # state, parameters, times, fields
    *(ctypes.c_int64, ctypes.c_void_p),  # the first row, where to stop
    *(ctypes.c_void_p, ctypes.c_void_p),  # books, shown
    *(ctypes.c_void_p, ctypes.c_void_p),  # a new machine, which machines have begun
)
_SCANS = ctypes.CFUNCTYPE(ctypes.c_bool)


class Kernel:
    """The compiled loop of a program for one event. It keeps no state, and threads may share it."""

    def __init__(self, program: Program, event: str, options: Options) -> None:
        self.program, self.event = program, event
        self.slots = Slots(program)
        self.size = self.slots.size_with_pairs if options.pairs else self.slots.size
        """The slots of a memory."""
        self.layout, self.pairs = Layout(program), options.pairs
        self.use(machine_code(lambda: kernel_text(program, event, options), origin_of(program, event, options)))
        self.columns = columns_of(program)
        self.sticky = sticky_cells(program, program.event(event))
        self.reals = tuple(parameter.type == "real" for parameter in program.parameters)
        self._names = tuple(parameter.name for parameter in program.parameters)
        self._template = self._new()

    def use(self, code: ObjectCode) -> None:
        """Run this code from now on."""
        self.code = code
        self.function: Callable[..., int] = _SIGNATURE(code.address("run"))
        self.relay: Callable[..., int] | None = _RELAY(code.address("relay")) if self.pairs else None
        """The functions themselves, for who calls them often: they take addresses, and trust them."""
        self.scans: bool = _SCANS(code.address("scans"))()
        """Whether it leaves out rows at which nothing happens, if it is given their ranges."""

    def parameters(self, values: Mapping[str, Value]) -> Words:
        """Return the parameters of one run, one slot each."""
        words = np.empty(max(1, len(self._names)), np.int64)
        reals = words.view(np.float64)
        for index, (name, real) in enumerate(zip(self._names, self.reals, strict=True)):
            if real:
                reals[index] = values[name]
            else:
                words[index] = int(values[name])
        return words

    def _new(self) -> Words:
        program, size = self.program, self.size
        shown = (4 if program.legs else 0) + len(program.report.measures) + 1
        words = np.zeros(size + shown, np.int64)
        reals = words.view(np.float64)
        reals[size:] = np.nan
        for register in self.slots.registers:
            words[self.slots.index(register)] = -1
        for cell in program.cells:
            slot = self.slots.variables[self.slots.cells[cell.name]]
            if slot.kind == "double":
                reals[slot.index] = float(cell.initial)
            else:
                words[slot.index] = int(cell.initial)
        if self.size > self.slots.size:
            words[self.slots.last] = len(self.program.rules) + 1
        return words

    def memory(self, capital: float) -> Memory:
        """Return the memory of a machine that has not started."""
        return Memory(self, self._template.copy(), capital)

    def ranges(self, times: Words, fields: Sequence[Values]) -> Words | None:
        """Return the ranges of rows for `Rows`, see `ranges_of`; None where they are of no use."""
        return ranges_of(self.program.event(self.event), times, fields) if self.scans and len(times) else None

    def run(
        self,
        memory: Memory,
        parameters: Words,
        times: Words,
        fields: Sequence[int],
        first: int,
        stops: Words,
        days: Values | None,
        day_fees: Values | None,
        trace: Sequence[Values] = (),
        ranges: Words | None = None,
    ) -> int:
        """Run rows from `first` on; return the row that is the reference's, or that after the last stop."""
        traced = (ctypes.c_void_p * max(1, len(trace)))(*(column.ctypes.data for column in trace))
        return self.run_over(
            Rows(times, fields, stops, ranges),
            memory,
            parameters,
            first,
            None if days is None else days.ctypes.data,
            None if day_fees is None else day_fees.ctypes.data,
            ctypes.addressof(traced),
        )

    def run_over(
        self,
        rows: Rows,
        memory: Memory,
        parameters: Words,
        first: int,
        days: int | None,
        day_fees: int | None,
        trace: int | None = None,
    ) -> int:
        """Do what `run` does, with rows that many sets share; `days`, `day_fees` and `trace` are addresses."""
        return self.function(
            memory.address,
            parameters.ctypes.data,
            rows.times,
            rows.fields,
            first,
            rows.stops,
            rows.days,
            days,
            day_fees,
            memory.shown_address,
            trace,
            rows.ranges,
        )


class Rows:
    """Where the arrays of rows stand; it keeps those that it was given alive, but for the columns of the fields."""

    def __init__(self, times: Words, fields: Sequence[int], stops: Words, ranges: Words | None = None) -> None:
        """Take rows up.

        Args:
            times: (n,) nanoseconds.
            fields: of each field the address of its (n,) float64.
            stops: (d,) one past the last row of each day.
            ranges: what `Kernel.ranges` makes of all rows; it may make runs faster, and changes no result.
        """
        self._kept = times, stops, ranges, (ctypes.c_void_p * max(1, len(fields)))(*fields)
        self.times, self.stops, self.days = times.ctypes.data, stops.ctypes.data, len(stops)
        self.ranges = None if ranges is None else ranges.ctypes.data
        self.fields = ctypes.addressof(self._kept[-1])


class Memory:
    """The state of one machine, and the tallies of its run.

    `shown` holds what the last accepted row showed: equity, fees, slippage and flows, if there are legs, and the measures.
    """

    def __init__(self, kernel: Kernel, words: Words, capital: float) -> None:
        """Begin with what a kernel's template holds: the words of a machine that has not started, and what it has shown."""
        self.kernel = kernel
        size = kernel.size
        reals = words.view(np.float64)
        self.words, self.reals, self.shown = words[:size], reals[:size], reals[size:]
        self.address: int = words.ctypes.data
        self.shown_address = self.address + words.itemsize * size
        self.set("peak", capital)

    def get(self, variable: str) -> float | int | bool:
        slot = self.kernel.slots.variables[variable]
        if slot.kind == "double":
            return float(self.reals[slot.index])
        word = int(self.words[slot.index])
        return bool(word) if slot.kind == "i1" else word

    def set(self, variable: str, value: Value) -> None:
        slot = self.kernel.slots.variables[variable]
        if slot.kind == "double":
            self.reals[slot.index] = value
        else:
            self.words[slot.index] = int(value)

    # ------------------------------------------------------------------------------------------------------- snapshots

    def snapshot(self, known: Snapshot) -> Snapshot:
        """Return the state as a snapshot, like one that is known of the same program and parameters.

        What history states remember is taken from there: native code never changes it.
        """
        kernel = self.kernel
        configuration = []
        for register, region in zip(kernel.slots.registers, kernel.program.regions, strict=True):
            leaf = self.get(register)
            if leaf >= 0 and kernel.layout.tree.is_atomic(region.leaves[int(leaf)]):
                configuration.append(region.leaves[int(leaf)])
        return Snapshot(
            program=known.program,
            parameters=known.parameters,
            time_ns=int(self.get("clock")) if self.started else None,
            configuration=tuple(configuration),
            cells={name: self.get(variable) for name, variable in kernel.slots.cells.items()},
            windows=known.windows,
            history=known.history,
            ended=self.ended,
        )

    @property
    def started(self) -> bool:
        return self.get("phase") != BEFORE

    @property
    def ended(self) -> bool:
        """Whether the chart has reached a final state of its own level and every fill is settled."""
        cells = self.kernel.slots.cells
        return self.get("phase") == STOPPED and not any(self.get(cells[cell]) for cell in self.kernel.program.unsettled)

    def take(self, snapshot: Snapshot, registers: Sequence[int]) -> None:
        """Take a snapshot's state up, with the registers that its configuration has."""
        kernel = self.kernel
        clock, phase = snapshot.time_ns, BEFORE
        if clock is not None:
            stopped = kernel.layout.has_stopped(snapshot.configuration)
            near = abs(clock) < REACH and all(snapshot.cells[cell] for cell in kernel.sticky)
            phase = STOPPED if stopped else RUNNING if near else FAR
            self.set("clock", clock)
        self.set("phase", phase)
        self.set("settled", 0)
        for variable, register in zip(kernel.slots.registers, registers, strict=True):
            self.set(variable, register)
        for name, value in snapshot.cells.items():
            self.set(kernel.slots.cells[name], value)
