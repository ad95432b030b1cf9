"""The points that are worth starting from again, and the next walks.

A point is kept where a walk reached something new: a pair of transitions, a transition, a configuration. The point before
that walk is worth another try as well, since what is new may have happened long before its end. A point is chosen the more
often the less it has been chosen since something new came of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from ..counterexample.sent import Sent
from ..vocabulary import ANSWERS
from .events import Outside
from .streams import Book, odd_values, some_values
from .walk import Outcome, Point, Walk

__all__ = ["LIVE", "NATIVE", "Corpus", "Habits"]

_FRESH, _GO_ON = 0.2, 0.3
"""Shares of walks that begin with a new machine, and that go on where one of the last walks stopped; others take a point."""
_SAME_STREAM = 0.5
"""Share of those that go on which stay in their stream; others meet another part of the book."""
_MOST_SENT = 1 << 15
"""A point further than so many events from the start is let go, so that what is found stays short enough to play again."""
_MOST_CLOCK = 80 * 365 * 86_400 * 10**9
"""A point later than this, in ns, is let go: native code counts to 146 years."""
_MOST_POINTS = 400
_BY_HAND = 3
"""Walks that begin by hand in each configuration when it is first seen."""
_ANSWERS, _YES = 6, 0.8
"""Answers by hand to what people may have proposed, and the share of them that say yes: one no ends what waits for two."""
_GAPS = (0, 1, 1_000, 10**9, 60 * 10**9, 3_600 * 10**9, 86_400 * 10**9, 30 * 86_400 * 10**9)


class Habits:
    """How walks of a runner are: how many at a time, how long, and how many of them begin with events by hand."""

    def __init__(self, batch: int, lengths: tuple[int, ...], shares: tuple[float, ...], by_hand: float) -> None:
        self.batch, self.lengths, self.shares, self.by_hand = batch, np.array(lengths), shares, by_hand


NATIVE = Habits(16, (128, 1024, 4096), (0.3, 0.4, 0.3), 1 / 32)
"""A walk and an event by hand have their price there: few of them, and long walks."""
LIVE = Habits(4, (32, 128, 512), (0.3, 0.4, 0.3), 1 / 8)


class Corpus:
    """Points of one parameter set."""

    def __init__(self, start: Point, outside: Outside, book: Book, habits: Habits, source: np.random.Generator) -> None:
        self.start, self.outside, self.book, self.habits, self.source = start, outside, book, habits, source
        self.points: list[Point] = []
        self.ends: list[Point] = []
        """Where the last walks stopped."""
        self.untried: list[Point] = []
        """Points in configurations that were new, for which events by hand are still to come."""
        self.pairs: Any = None
        self.configurations: set[tuple[Any, ...]] = set()
        self.batches = 0

    def walks(self, budget: int) -> list[Walk]:
        """Return the next walks, of no more than `budget` ≥ 1 events together."""
        habits, source, book = self.habits, self.source, self.book
        lengths = source.choice(habits.lengths, habits.batch, p=habits.shares).tolist()
        luck = source.random((4, habits.batch)).tolist()
        weights = np.cumsum([1 / (1 + point.chosen) for point in self.points])
        # At first most walks begin by hand: what events by hand reach is soon known.
        by_hand = 0.5 if self.batches == 0 else habits.by_hand
        found: list[Walk] = []
        for index in range(habits.batch):
            rows = min(lengths[index], budget, len(book))
            if rows < 1:
                break
            tried = bool(self.untried)
            if tried:
                point, stay = self.untried.pop(), False
            else:
                point, stay = self._point(luck[0][index], luck[1][index], weights)
            point.chosen += 1
            opened = tried or luck[2][index] < by_hand or self._must(point)
            opening = self._opening(point, budget - rows) if opened else ()
            row = point.row if stay else int(luck[3][index] * (len(book) - rows + 1))
            row = min(row, len(book) - rows)
            found.append(Walk(point, opening, row, rows, int(book.gaps[row])))
            budget -= rows + len(opening)
        self.batches += 1
        return found

    def _point(self, which: float, place: float, weights: Any) -> tuple[Point, bool]:
        """Return where to begin, and whether to stay in the stream."""
        if which < _FRESH or not (self.ends or self.points):
            return self.start, False
        if self.ends and (which < _FRESH + _GO_ON or not self.points):
            return self.ends[int(place * len(self.ends))], (which - _FRESH) < _SAME_STREAM * _GO_ON
        return self.points[int(np.searchsorted(weights, place * weights[-1], side="right"))], False

    def _must(self, point: Point) -> bool:
        """Return whether a machine needs an event by hand to start."""
        start = self.outside.start
        return point is self.start and start is not None and start not in self.outside.streamed

    def _opening(self, point: Point, most: int) -> tuple[Sent, ...]:
        """Return up to three events by hand: such as streams do not have, now and then one that is refused.

        What people bring is followed by answers, which come too late by themselves.
        """
        source, clock = self.source, point.clock
        found: list[Sent] = []
        if self._must(point):
            start = self.outside.start
            assert start is not None
            found.append(Sent(start.name, clock, some_values(start, source)))
        for _ in range(int(source.integers(1, 4))):
            clock += _GAPS[int(source.integers(len(_GAPS)))]
            if self.outside.others and source.random() < 0.8:
                event = self.outside.others[int(source.integers(len(self.outside.others)))]
                found.append(Sent(event.name, clock, some_values(event, source)))
                found += self._hearing(clock)
                continue
            event = self.outside.streamed[int(source.integers(len(self.outside.streamed)))]
            if event.fields and source.random() < 0.7:
                found.append(Sent(event.name, clock, odd_values(event, source)))
            else:  # refused for its time, where the machine has started after it
                found.append(Sent(event.name, clock - 10**9, some_values(event, source)))
        return tuple(found[: max(most, 0)])

    def _hearing(self, clock: int) -> Iterator[Sent]:
        """Yield what people answer at once, where anything waits for them."""
        answers = {event.name: event for event in self.outside.others if event.name in ANSWERS}
        for _ in range(_ANSWERS if answers.keys() >= {*ANSWERS} else 0):
            answer = answers["approve" if self.source.random() < _YES else "deny"]
            yield Sent(answer.name, clock, some_values(answer, self.source))

    def keep(self, outcomes: Sequence[Outcome]) -> None:
        """Keep the points of walks on which something new was reached, and where all of them stopped."""
        if self.pairs is None:
            self.pairs = np.zeros_like(outcomes[0].pairs)
        self.ends = []
        for outcome in outcomes:
            point = outcome.point
            going = not outcome.ended and point.sent < _MOST_SENT and point.clock < _MOST_CLOCK
            if going:
                self.ends.append(point)
            unknown = going and outcome.registers not in self.configurations
            new = unknown or bool((outcome.pairs & ~self.pairs).any())
            if not new:
                continue
            if unknown:
                self.untried += [point] * _BY_HAND
                self.configurations.add(outcome.registers)
            self.pairs |= outcome.pairs
            assert point.path is not None
            point.path[0].point.chosen = 0
            self.points += [each for each in (outcome.opened, point if going else None) if each is not None]
        if len(self.points) > _MOST_POINTS:
            self.points.sort(key=_often)
            del self.points[_MOST_POINTS // 2 :]


def _often(point: Point) -> int:
    return point.chosen
