"""Walks in native code: the kernel runs a stretch of rows at a time, and the reference takes what the kernel does not.

Events by hand go to the reference too. A walk costs some microseconds besides its rows, since walks are prepared and read
together; an event that goes to the reference costs some 0.1 ms, so streams for native code have few of them.
"""

from __future__ import annotations

import ctypes
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ..backends.native.machine import Kernel, Memory
from ..backends.native.slots import BEFORE, STOPPED
from ..dryrun.subject import capital_of
from ..ir import Value
from ..semantics import Reference
from ..snapshot import Snapshot
from ..statechart import History
from ..step import Step
from .coverage import Chart
from .streams import Book
from .walk import BEGIN_NS, Errors, Outcome, Point, Sight, Track, Walk, typed

__all__ = ["NativeRunner"]

Words = npt.NDArray[np.int64]


_PATIENCE, _SELDOM = 64, 2048
"""Rows that are handed over without more ado: so many, and one in so many of all that are sent."""
_TRIED = 16


class _State(NamedTuple):
    """A machine at rest: (size,) its memory, all tallies 0, and what its history states remember."""

    words: Words
    history: History


class NativeRunner:
    """Runs walks of one parameter set over one book, all of whose rows are of the kernel's event."""

    def __init__(
        self,
        kernel: Kernel,
        chart: Chart,
        errors: Errors,
        reference: Reference,
        values: Mapping[str, Value],
        book: Book,
    ) -> None:
        """Keep a kernel that follows pairs; `reference` may have any parameters."""
        self.kernel, self.chart, self.errors, self.book = kernel, chart, errors, book
        self.reference = reference.with_parameters(values)
        self.capital = capital_of(kernel.program, values)
        self.parameters = kernel.parameters(values)
        self.invariants = tuple(name for name, _ in kernel.program.invariants)
        self.unstarted = self.reference.initial()
        self.clock = kernel.slots.index("clock")
        self.phase = kernel.slots.index("phase")
        self.unsettled = [kernel.slots.index(kernel.slots.cells[name]) for name in kernel.program.unsettled]
        self.own, self.last = kernel.slots.own, kernel.slots.last
        self.nothing = len(chart.rules) + 1
        self.new = _State(kernel.memory(self.capital).words, self.unstarted.history)
        self.starts = kernel.program.start_event in (None, kernel.event)
        """Whether rows start a machine."""
        self.sent = self.handed = self.given_up = 0
        self.begin = Point(self.new, BEGIN_NS, 0, None, 0)
        self.registers = [kernel.slots.index(name) for name in kernel.slots.registers]
        self.kinds = tuple(field.type for field in book.events[0].fields)
        self.columns = (ctypes.c_void_p * max(1, len(book.fields[0])))(*(each.ctypes.data for each in book.fields[0]))
        self.times, self.begun = np.empty(0, np.int64), np.empty(0, np.int64)
        self.stops = np.zeros(1, np.int64)
        self.books = np.zeros((2, 1))
        self.shown = kernel.memory(self.capital).shown

    def start(self) -> Point:
        return self.begin

    def run(self, walks: Sequence[Walk]) -> list[Outcome]:
        """Run walks, each from its point; see `Runner`."""
        longest = max(walk.rows for walk in walks)
        if len(self.times) < longest:
            self.times, self.begun = np.empty(longest, np.int64), np.empty(longest + 1, np.int64)
        words = np.stack([walk.point.state.words for walk in walks])
        runs = [_Run(self, walk, words[index]) for index, walk in enumerate(walks)]
        address, step = words.ctypes.data, words.strides[0]
        for index, run in enumerate(runs):
            self._go(run, address + index * step)
        return self._read(runs, words)

    def _go(self, run: _Run, state: int) -> None:
        """Run one walk; `state` is the address of its memory."""
        walk, book = run.walk, self.book
        for sent in walk.opening:
            run.take(sent.event, sent.time_ns, sent.values)
            run.track.by_hand += 1
            if self.has_ended(run.words):
                return
        if walk.opening:
            run.opened = _State(self._clean(run.words), run.history)
        row, end = walk.row, walk.row + walk.rows
        times = book.times(row, walk.rows, walk.first_ns, self.times)
        self.stops[0] = end
        # Rows are numbered as in the book, and the times are those of this walk alone.
        clocks, stops, books = times.ctypes.data - 8 * row, self.stops.ctypes.data, self.books.ctypes.data
        relay, begun = self.kernel.relay, self.begun
        assert relay is not None  # of a kernel that follows pairs
        parameters, columns = self.parameters.ctypes.data, ctypes.addressof(self.columns)
        shown, begun_at = self.shown.ctypes.data, begun.ctypes.data
        new = self.new.words.ctypes.data if self.starts else None
        begin = row
        while True:
            row = relay(state, parameters, clocks, columns, row, stops, books, shown, new, begun_at)
            if many := int(begun[0]):
                for after in begun[1 : many + 1].tolist():
                    run.track.stretches.append((begin, after))
                    begin = after
                run.history = self.new.history
                run.track.renewed = begin
            if row >= end:
                break
            skipped = 0
            if not self.has_ended(run.words):
                if self._is_given_up(run.words):
                    skipped = 1
                else:
                    self._hand_over(run, row, int(times[row - walk.row]))
                    row += 1
                    if not self.has_ended(run.words):
                        if row < end:
                            continue
                        break
            run.track.stretches.append((begin, row))
            begin = row = row + skipped
            if row >= end or not self.starts:
                break
            # A new machine takes the rows that are left.
            run.words[: self.own] = self.new.words[: self.own]
            run.words[self.last] = self.nothing
            run.history = self.new.history
            run.track.renewed = row
        if row > begin:
            run.track.stretches.append((begin, row))
        run.row = row
        self.sent += row - walk.row

    def _is_given_up(self, words: Words) -> bool:
        """Return whether a machine is given up at a row that native code does not take, instead of handing it over.

        A spec that fails on every other row would otherwise be explored at the speed of the reference, to learn the same
        thing again and again. One such row of `_TRIED` is handed over all the same, and every one that starts a machine.
        """
        if self.handed < _PATIENCE + self.sent // _SELDOM or words[self.phase] == BEFORE:
            return False
        self.given_up += 1
        return bool(self.given_up % _TRIED)

    def has_ended(self, words: Words) -> bool:
        """Return whether the machine of a memory has ended."""
        return bool(words[self.phase] == STOPPED) and not (self.unsettled and words[self.unsettled].any())

    def _hand_over(self, run: _Run, row: int, time_ns: int) -> None:
        values = [typed(float(column[row]), kind) for column, kind in zip(self.book.fields[0], self.kinds, strict=True)]
        run.take(self.kernel.event, time_ns, values)

    def _clean(self, words: Words) -> Words:
        """Return memories with all tallies at 0."""
        slots, clean = self.kernel.slots, words.copy()
        clean[..., slots.stop : slots.last] = 0
        clean[..., slots.pairs :] = 0
        return clean

    def _read(self, runs: Sequence[_Run], words: Words) -> list[Outcome]:
        """Return what walks did, read from their memories."""
        slots, many = self.kernel.slots, len(self.chart.rules) + 1
        clean = self._clean(words)
        fired = words[:, slots.fired : slots.broken]
        broken = words[:, slots.broken : slots.broken + len(self.chart.program.invariants)].copy()
        fired = np.concatenate((fired, [[run.fail_safe] for run in runs]), axis=1)
        pairs = words[:, slots.pairs :].reshape(len(runs), many + 1, many)[:, :-1] != 0
        registers, clocks = words[:, self.registers].tolist(), words[:, self.clock].tolist()
        breaks: dict[int, list[int]] = {}
        for index, place in np.argwhere(broken).tolist():
            breaks.setdefault(index, []).append(place)
        found = []
        for index, run in enumerate(runs):
            walk = run.walk
            last, sent = run.track.last()
            point = Point(
                _State(clean[index], run.history),
                max(clocks[index], last.point.clock),
                last.point.sent + sent,
                (last, sent),
                run.row % len(self.book),
            )
            opened = None
            if run.opened is not None:
                many = run.track.by_hand
                clock = walk.first_ns - walk.gap_ns
                opened = Point(run.opened, clock, walk.point.sent + many, (walk, many), walk.row)
            sights = tuple(dict.fromkeys(run.sights))
            sights += tuple(Sight("invariant", self.invariants[place]) for place in breaks.get(index, ()))
            found.append(
                Outcome(
                    run.track.sent, run.refused, run.handed, fired[index], pairs[index],
                    broken[index], frozenset(run.entered), sights, tuple(registers[index]),
                    self.has_ended(words[index]), point, run.track, opened,
                )
            )  # fmt: skip
        return found


class _Run:
    """One walk under way."""

    def __init__(self, runner: NativeRunner, walk: Walk, words: Words) -> None:
        self.runner, self.walk, self.words = runner, walk, words
        self.track = Track(walk, runner.begin, runner.book)
        self.history: History = walk.point.state.history
        self.refused = self.handed = self.fail_safe = 0
        self.row = walk.row
        """The row after the last one."""
        self.entered: set[str] = set()
        self.sights: list[Sight] = []
        self.opened: _State | None = None

    def take(self, event: str, time_ns: int, values: Sequence[object]) -> None:
        """Give an event to the reference, and take up what it makes of the machine."""
        runner = self.runner
        memory = _Row(runner.kernel, self.words)
        before = memory.snapshot(replace(runner.unstarted, history=self.history))
        after, step = runner.reference.step(before, event, time_ns, values)
        self.handed += 1
        runner.handed += 1
        self.refused += step.rejected is not None
        self.history = after.history
        memory.take(after, self._registers(after))
        self._count(step)
        self.entered.update(step.configuration)
        self.sights += runner.errors.sights(step)

    def _registers(self, snapshot: Snapshot) -> list[int]:
        """Return for each region the index of the leaf that is active in it, or -1."""
        program, tree = self.runner.chart.program, self.runner.chart.tree
        active = tree.with_ancestors(snapshot.configuration)
        return [
            next((place for place, leaf in enumerate(region.leaves) if leaf in active), -1)
            for region in program.regions
        ]

    def _count(self, step: Step) -> None:
        """Count what a step fired and broke, as native code does."""
        chart, words, slots = self.runner.chart, self.words, self.runner.kernel.slots
        many = len(chart.rules) + 1
        for name in step.fired:
            number = chart.numbers[name]
            if number < many - 1:
                words[slots.fired + number] += 1
            else:
                self.fail_safe += 1
            words[slots.pairs + int(words[slots.last]) * many + number] = 1
            words[slots.last] = number
        for place, (name, _) in enumerate(chart.program.invariants):
            words[slots.broken + place] += name in step.broken


class _Row(Memory):
    """The memory of one walk, a row of those of all walks."""

    def __init__(self, kernel: Kernel, words: Words) -> None:
        # Not `Memory.__init__`: it begins a run, and this goes on with one.
        self.kernel, self.words, self.reals = kernel, words, words.view(np.float64)
