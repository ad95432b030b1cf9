"""Walks on a live machine: for specs that have no native form, and for those whose streams are of several events."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from ..load import Compiled
from ..snapshot import Snapshot
from ..step import Step
from .coverage import Chart
from .streams import Book
from .walk import BEGIN_NS, Errors, Outcome, Point, Sight, Track, Walk, typed

__all__ = ["LiveRunner"]


class _State(NamedTuple):
    """A machine at rest, and the number of the transition that fired last; -1 for none."""

    snapshot: Snapshot
    last: int


class LiveRunner:
    """Runs walks of one parameter set over one book."""

    def __init__(self, compiled: Compiled, chart: Chart, errors: Errors, book: Book) -> None:
        self.chart, self.errors, self.book = chart, errors, book
        self.machine: Any = compiled.machine()
        self.unstarted: Snapshot = self.machine.snapshot()
        self.begin = Point(_State(self.unstarted, -1), BEGIN_NS, 0, None, 0)
        starts = compiled.program.start_event
        self.starts = starts is None or starts in {event.name for event in book.events}
        """Whether rows start a machine."""
        self.ports = {event.name: self.machine.port(event.name) for event in compiled.program.events}
        self.streamed = [self.ports[event.name] for event in book.events]
        self.invariants = {name: place for place, (name, _) in enumerate(compiled.program.invariants)}

    def start(self) -> Point:
        return self.begin

    def run(self, walks: Sequence[Walk]) -> list[Outcome]:
        """Run walks, each from its point; see `Runner`."""
        return [self._run(walk) for walk in walks]

    def _run(self, walk: Walk) -> Outcome:
        machine = self.machine
        # Not `restore`, which would check once more what this machine itself has said.
        machine._load(walk.point.state.snapshot)
        run = _Run(self, walk)
        for sent in walk.opening:
            run.note(self.ports[sent.event](sent.time_ns, *sent.values))
            run.track.by_hand += 1
            if machine.ended:
                return run.outcome(walk.row, None)
        opened = run.point(walk, run.track.by_hand, walk.row) if walk.opening else None
        row = self._send(run, walk) if walk.rows else walk.row
        return run.outcome(row, opened)

    def _send(self, run: _Run, walk: Walk) -> int:
        """Send the rows of a walk, and return the row after the last one."""
        machine, book, track = self.machine, self.book, run.track
        part = slice(walk.row, walk.row + walk.rows)
        times = book.times(walk.row, walk.rows, walk.first_ns).tolist()
        values = [self._values(number, part) for number in range(len(book.events))]
        quiet = None
        begin = index = 0
        for index, (number, time) in enumerate(zip(book.which[part].tolist(), times, strict=True)):
            step = self.streamed[number](time, *values[number][index])
            # A step in which nothing happened is one shared object, as long as the configuration stays.
            if step is quiet:
                continue
            if not (step.fired or step.broken or step.raised or step.rejected is not None or not step.before):
                quiet = step
                continue
            run.note(step)
            if machine.ended:
                track.stretches.append((walk.row + begin, walk.row + index + 1))
                begin = index + 1
                if not self.starts or begin == walk.rows:
                    return walk.row + begin
                track.renewed = walk.row + begin
                machine._load(self.unstarted)
                run.last = -1
        track.stretches.append((walk.row + begin, walk.row + index + 1))
        return walk.row + index + 1

    def _values(self, number: int, part: slice) -> list[tuple[float | int | bool, ...]]:
        """Return the values of an event in each of some rows."""
        event, columns = self.book.events[number], self.book.fields[number]
        lists = [
            column[part].tolist() if field.type == "real" else [typed(each, field.type) for each in column[part]]
            for column, field in zip(columns, event.fields, strict=True)
        ]
        return list(zip(*lists, strict=True)) if lists else [()] * (part.stop - part.start)


class _Run:
    """One walk under way."""

    def __init__(self, runner: LiveRunner, walk: Walk) -> None:
        self.runner, self.walk = runner, walk
        many = len(runner.chart.rules) + 1
        self.track = Track(walk, runner.begin, runner.book)
        self.refused = 0
        self.fired = np.zeros(many, np.int64)
        self.pairs = np.zeros((many, many), np.bool_)
        self.broken = np.zeros(len(runner.invariants), np.int64)
        self.entered: set[str] = set()
        self.sights: dict[Sight, None] = {}
        self.last: int = walk.point.state.last

    def note(self, step: Step) -> None:
        """Count what a step did."""
        numbers = self.runner.chart.numbers
        for name in step.fired:
            number = numbers[name]
            self.fired[number] += 1
            if self.last >= 0:
                self.pairs[self.last, number] = True
            self.last = number
        for name in step.broken:
            self.broken[self.runner.invariants[name]] += 1
            self.sights[Sight("invariant", name)] = None
        self.refused += step.rejected is not None
        self.entered.update(step.configuration)
        if step.raised:
            self.sights |= dict.fromkeys(self.runner.errors.sights(step))

    def point(self, walk: Walk, sent: int, row: int) -> Point:
        """Return where the machine stands, when it has been sent so many events of a walk."""
        machine = self.runner.machine
        clock = walk.point.clock if machine.time_ns is None else machine.time_ns
        return Point(_State(machine.snapshot(), self.last), clock, walk.point.sent + sent, (walk, sent), row)

    def outcome(self, row: int, opened: Point | None) -> Outcome:
        """Return what the walk did; `row` is the one after the last."""
        machine, track = self.runner.machine, self.track
        point = self.point(*track.last(), row % len(self.runner.book))
        return Outcome(
            track.sent, self.refused, 0, self.fired, self.pairs, self.broken, frozenset(self.entered),
            tuple(self.sights), machine.configuration, machine.ended, point, track, opened,
        )  # fmt: skip
