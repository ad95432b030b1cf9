"""A walk: from a point, some events by hand, then a stretch of a book; and what came of it.

What runs walks knows programs and machines; what chooses them knows neither. A point is where a machine stood, with the
walk that led there, so that all events from the start can be told again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from ..counterexample.sent import Sent
from ..ir import Program
from ..step import Step
from ..vocabulary import matches
from .streams import Book

__all__ = [
    "BEGIN_NS",
    "Errors",
    "Outcome",
    "Part",
    "Point",
    "Runner",
    "Sight",
    "Track",
    "Walk",
    "events_of",
    "typed",
    "way_of",
]

BEGIN_NS = 0
"""The time of the first event."""


@dataclass(eq=False, slots=True)
class Point:
    """Where a machine stood: `state` is the runner's own, `clock` its time in ns, `sent` the events since the start."""

    state: Any
    clock: int
    sent: int
    path: tuple[Walk, int] | None
    """The walk that led here, and how many of its events had been sent; None before the start."""
    row: int
    """The row of the book that would come next."""
    chosen: int = 0
    """How many walks have begun here since something new was last found on one."""


@dataclass(frozen=True, eq=False, slots=True)
class Walk:
    """Events by hand, then `rows` rows of the book from `row` on, `gap_ns` after what came before."""

    point: Point
    opening: tuple[Sent, ...]
    row: int
    rows: int
    gap_ns: int

    @property
    def first_ns(self) -> int:
        """The time of the first row."""
        clock = self.point.clock
        for sent in self.opening:
            clock = max(clock, sent.time_ns)
        return clock + self.gap_ns


@dataclass(frozen=True, slots=True)
class Sight:
    """Something that a person should see: an invariant that broke (`kind` is "invariant", `name` its name), or an error
    that nothing in the spec takes ("error", the beginning of its message).
    """

    kind: str
    name: str


class Track:
    """Which machines the rows of a walk went to: where one ends or is given up, a new one takes the rows that are left."""

    def __init__(self, walk: Walk, start: Point, book: Book) -> None:
        self.walk, self._start, self._book = walk, start, book
        self.by_hand = 0
        """Events of the opening that were sent."""
        self.stretches: list[tuple[int, int]] = []
        """From which row to before which one each machine went."""
        self.renewed: int | None = None
        """The row from which on rows go to the last new machine; None while it is the one that began the walk."""

    @property
    def sent(self) -> int:
        return self.by_hand + sum(end - begin for begin, end in self.stretches)

    def last(self) -> tuple[Walk, int]:
        """Return the part of the walk of the last machine, and the events that it was sent."""
        if self.renewed is None:
            return self.walk, self.sent
        begin, end = self.stretches[-1]
        return self._part(self.renewed, end - begin if begin == self.renewed else 0)

    def walks(self) -> tuple[tuple[Walk, int], ...]:
        """Return the part of each machine, with the events that it was sent."""
        if self.renewed is None:
            return (self.last(),)
        return tuple(
            (self.walk, self.by_hand + end - begin) if begin == self.walk.row else self._part(begin, end - begin)
            for begin, end in self.stretches
        )

    def _part(self, row: int, sent: int) -> tuple[Walk, int]:
        walk = self.walk
        # The clock of a new machine begins where the walk's stands.
        time = walk.first_ns + int(self._book.gaps[walk.row + 1 : row + 1].sum())
        return Walk(self._start, (), row, walk.row + walk.rows - row, time - self._start.clock), sent


@dataclass(eq=False, slots=True)
class Outcome:
    """What a walk did.

    `sent` counts its events, opening included; `track` tells its parts: where a machine ends, the rows that are
    left go to a new one. `point` is where the last part stopped.
    `fired` is (R + 1,) and `pairs` is
    (R + 1, R + 1), see `Coverage`; `entered` names states that are not known from `fired`; `broken` is (I,) counts.
    `registers` tells configurations apart. `opened` is the point after the opening, where there was one.
    """

    sent: int
    refused: int
    handed: int
    fired: npt.NDArray[np.int64]
    pairs: npt.NDArray[np.bool_]
    broken: npt.NDArray[np.int64]
    entered: frozenset[str]
    sights: tuple[Sight, ...]
    registers: tuple[Any, ...]
    ended: bool
    point: Point
    track: Track
    opened: Point | None = None


class Runner(Protocol):
    """Runs walks of one parameter set over one book."""

    def start(self) -> Point:
        """Return the point before the start."""
        ...

    def run(self, walks: Sequence[Walk]) -> list[Outcome]:
        """Run walks, each from its point."""
        ...


class Part(NamedTuple):
    """A part of the way from the start: events by hand, then rows of the book from `row` on, the first at `first_ns`."""

    opening: tuple[Sent, ...]
    row: int
    rows: int
    first_ns: int


def way_of(walk: Walk, sent: int) -> tuple[Part, ...]:
    """Return the way from the start to the point at which a walk has sent so many events."""
    parts: list[Part] = []
    while True:
        opening = walk.opening[:sent]
        parts.append(Part(opening, walk.row, min(walk.rows, sent - len(opening)), walk.first_ns))
        if walk.point.path is None:
            return tuple(reversed(parts))
        walk, sent = walk.point.path


def events_of(way: Sequence[Part], book: Book) -> list[Sent]:
    """Return the events of a way over a book."""
    found: list[Sent] = []
    for part in way:
        found += part.opening
        times = book.times(part.row, part.rows, part.first_ns) if part.rows else ()
        for row, time in enumerate(times, start=part.row):
            number = int(book.which[row])
            event = book.events[number]
            columns = zip(book.fields[number], event.fields, strict=True)
            values = tuple(typed(float(column[row]), field.type) for column, field in columns)
            found.append(Sent(event.name, int(time), values))
    return found


def typed(value: float, kind: str) -> float | int | bool:
    """Return a value of a column as its field has it."""
    return value if kind == "real" else bool(value) if kind == "bool" else int(value)


class Errors:
    """Knows which errors of a program nothing takes."""

    def __init__(self, program: Program) -> None:
        takes = ("error", "error.execution", "error.divergence")
        self.takers = frozenset(
            rule.name for rule in program.rules if any(matches(rule.events, name) for name in takes)
        )

    def sights(self, step: Step) -> list[Sight]:
        """Return what a step shows besides broken invariants."""
        raised = [name for name in step.raised if name.startswith("error.")]
        if not raised or not self.takers.isdisjoint(step.fired):
            return []
        found = [Sight("error", text.partition(":")[0]) for text in step.errors]
        return found or [Sight("error", raised[0])]
