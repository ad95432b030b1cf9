"""Streams of events in bulk: times and fields of many rows, made to be hard on a hedge.

A stream is stretches of some ten to some hundred rows, each of one kind, so that a walk over a part of it meets several:

    wander     small random steps, of 0.001 % to 3 %
    trend      steps of one size in one direction
    flat       one value, for a long time
    returns    exactly two to four values, in any order: prices come back to where they were, to the last bit
    swing      two values in turn
    jumps      decades up and down
    extremes   the ends of the range, their neighbours, and what lies in its middle

Gaps between times are of one scale for a stretch, from 0 and 1 ns to a day; now and then one is a month to three years.
Rows are generated once and walked over by many parameter sets, each from other rows on and from other states.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..approvals import MOST_PROPOSALS
from ..ir import Event, Field

__all__ = ["LONGEST_GAP", "Book", "book_of", "odd_values", "some_values"]

Times = npt.NDArray[np.int64]
Values = npt.NDArray[np.float64]

_WIDE = 1e6
"""Fields without an end of their range are drawn up to here, and as far below 0."""
_PROPOSALS = 8
"""People answer the first few proposals, the first one most often: a number at random would be none."""
_KINDS = ("wander", "trend", "flat", "returns", "swing", "jumps", "extremes")
_SHARES = (0.3, 0.15, 0.12, 0.18, 0.1, 0.1, 0.05)
_SHORTEST, _LONGEST = 12, 400
"""Rows of a stretch."""
_SECOND, _DAY = 10**9, 86_400 * 10**9
_SCALES = np.array([0, 1, 1_000, 10**6, _SECOND, 60 * _SECOND, 3_600 * _SECOND, _DAY], np.int64)
_LONG_GAPS = np.array([30 * _DAY, 365 * _DAY, 3 * 365 * _DAY], np.int64)
LONGEST_GAP = int(_LONG_GAPS[-1])
_LONG_EVERY = 2_000
"""One gap in about so many is long."""


@dataclass(frozen=True, eq=False)
class Book:
    """Rows of streams, n of them.

    `which` is (n,) the number of each row's event among `events`; `gaps` is (n,) int64 ns, the time since the row before;
    `fields` has for each event and each of its fields (n,) float64, meant where a row is of that event.
    All are contiguous and not to be written to.
    """

    events: tuple[Event, ...]
    which: npt.NDArray[np.int64]
    gaps: Times
    fields: tuple[tuple[Values, ...], ...]

    def __len__(self) -> int:
        return len(self.gaps)

    def times(self, row: int, rows: int, first_ns: int, into: Times | None = None) -> Times:
        """Return (rows,) the times of a stretch whose first row comes at `first_ns`; written `into` an array, if given."""
        times = np.cumsum(self.gaps[row : row + rows], out=None if into is None else into[:rows])
        times += first_ns - int(self.gaps[row])
        return times


def book_of(events: Sequence[Event], others: Sequence[Event], rows: int, seed: Sequence[int]) -> Book:
    """Return rows of `events` in any order, and in one of about 500 an event of `others`.

    Args:
        events: what streams are made of.
        others: what comes between; empty where a book has to be of one event alone.
        rows: how many, ≥ 1.
        seed: whole numbers ≥ 0; the same ones make the same book.
    """
    source = np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed)))
    which = source.integers(0, len(events), rows)
    if others:
        rare = np.flatnonzero(source.random(rows) < 0.002)
        which[rare] = len(events) + source.integers(0, len(others), len(rare))
    fields = tuple(tuple(_column(field, rows, source) for field in event.fields) for event in (*events, *others))
    return Book((*events, *others), which, _gaps(rows, source), fields)


def _gaps(rows: int, source: np.random.Generator) -> Times:
    gaps = np.empty(rows, np.int64)
    for begin, end in _stretches(rows, source):
        scale = _SCALES[source.integers(len(_SCALES))]
        # Half of the stretches have one gap throughout, as bars have.
        spread = source.integers(1, 4, end - begin) if source.random() < 0.5 else 1
        gaps[begin:end] = scale * spread
    long = np.flatnonzero(source.random(rows) < 1 / _LONG_EVERY)
    gaps[long] = _LONG_GAPS[source.integers(0, len(_LONG_GAPS), len(long))]
    return gaps


def _stretches(rows: int, source: np.random.Generator) -> list[tuple[int, int]]:
    ends = np.cumsum(source.integers(_SHORTEST, _LONGEST, rows // _SHORTEST + 2))
    ends = np.append(ends[ends < rows], rows)
    return list(zip([0, *ends[:-1].tolist()], ends.tolist(), strict=True))


def _column(field: Field, rows: int, source: np.random.Generator) -> Values:
    """Return (n,) values of a field, all within its range."""
    if field.type == "bool":
        return source.integers(0, 2, rows).astype(np.float64)
    low = -_WIDE if field.low is None else float(field.low)
    if field.name == "number" and field.high == MOST_PROPOSALS:
        return np.minimum(source.geometric(0.5, rows), _PROPOSALS).astype(np.float64)
    if field.people:
        return source.integers(0, len(field.people), rows).astype(np.float64)
    high = max(_WIDE, low + _WIDE) if field.high is None else float(field.high)
    low = min(low, high - _WIDE) if field.low is None else low
    column = _Column(low, high, source)
    values = np.empty(rows)
    stretches = _stretches(rows, source)
    kinds = source.choice(_KINDS, len(stretches), p=_SHARES).tolist()
    for (begin, end), kind in zip(stretches, kinds, strict=True):
        values[begin:end] = column.stretch(kind, end - begin)
    if field.type == "int":
        values = np.rint(values)
        low, high = float(np.ceil(low)), float(np.floor(high))
    return np.clip(values, low, high)


class _Column:
    """Draws stretches of one field, each from where the one before it ended."""

    def __init__(self, low: float, high: float, source: np.random.Generator) -> None:
        self.low, self.high, self.source = low, high, source
        span = high - low
        self.step = 1e-3 * span if span < np.inf else 1e-3 * high - 1e-3 * low
        self.scaled = low >= 0
        """Whether values are multiplied by steps, as prices are, or steps are added to them."""
        self.level = self._anywhere()
        self.kinds: dict[str, Callable[[int], Values]] = {
            "wander": self._wander,
            "trend": self._trend,
            "flat": self._flat,
            "returns": self._returns,
            "swing": self._swing,
            "jumps": self._jumps,
            "extremes": self._extremes,
        }

    def stretch(self, kind: str, rows: int) -> Values:
        if not self.low <= self.level <= self.high or self.source.random() < 0.1:
            self.level = self._anywhere()
        with np.errstate(over="ignore"):  # what goes beyond all numbers goes to the end of the range
            values = np.clip(self.kinds[kind](rows), self.low, self.high)
        if kind not in ("jumps", "extremes"):
            self.level = float(values[-1])
        return values

    def _anywhere(self) -> float:
        least = max(self.low, self.high * 1e-9)
        if self.scaled and least > 0 and self.high > 100 * least:
            # The outer decades are left to jumps and extremes.
            share = self.source.uniform(0.2, 0.8)
            return float(f"{least * (self.high / least) ** share:.3g}")
        share = self.source.random()
        span = self.high - self.low
        return float(self.low + share * span if span < np.inf else (1 - share) * self.low + share * self.high)

    def _stepped(self, steps: Values) -> Values:
        moved: Values
        if self.scaled:
            moved = self.level * np.exp(np.clip(np.cumsum(steps), -40, 40))
        else:
            moved = self.level + self.step * np.cumsum(steps)
        return moved

    def _size(self) -> float:
        return float(10 ** self.source.uniform(-5, -1.5))

    def _wander(self, rows: int) -> Values:
        return self._stepped(self.source.normal(0, self._size(), rows))

    def _trend(self, rows: int) -> Values:
        return self._stepped(np.full(rows, self._size() * self.source.choice((-1, 1))))

    def _flat(self, rows: int) -> Values:
        return np.full(rows, self.level)

    def _palette(self, colours: int) -> Values:
        found: Values = np.concatenate(([self.level], self._stepped(self.source.normal(0, self._size(), colours - 1))))
        return found

    def _returns(self, rows: int) -> Values:
        colours = int(self.source.integers(2, 5))
        return self._palette(colours)[self.source.integers(0, colours, rows)]

    def _swing(self, rows: int) -> Values:
        return np.resize(self._palette(2), rows)

    def _jumps(self, rows: int) -> Values:
        every = int(self.source.integers(1, 12))
        decades = np.repeat(self.source.integers(-3, 4, rows // every + 1), every)[:rows]
        jumped: Values = np.float64(self.level) * np.power(10.0, decades, dtype=np.float64)
        return jumped

    def _extremes(self, rows: int) -> Values:
        low, high = self.low, self.high
        ends = [low, high, np.nextafter(low, high), np.nextafter(high, low), (low + high) / 2, self.level]
        if low < 0 < high:
            ends += [0.0, -0.0, 5e-324]
        return self.source.choice(np.array(ends), rows)


def odd_values(event: Event, source: np.random.Generator) -> tuple[float | int | bool, ...]:
    """Return values of an event's fields of which one, where it has any, is none that a machine takes."""
    values: list[float | int | bool] = [_some(field, source) for field in event.fields]
    if values:
        place = int(source.integers(len(values)))
        values[place] = _odd(event.fields[place], source)
    return tuple(values)


def _some(field: Field, source: np.random.Generator) -> float | int | bool:
    value = float(_column(field, 1, source)[0])
    return bool(value) if field.type == "bool" else int(value) if field.type == "int" else value


def _odd(field: Field, source: np.random.Generator) -> float | int | bool:
    wrong = [float("nan"), float("inf"), float("-inf")]
    if field.low is not None:
        wrong.append(float(field.low) - max(1.0, abs(float(field.low))))
    if field.high is not None:
        wrong.append(float(field.high) + max(1.0, abs(float(field.high))))
    return wrong[int(source.integers(len(wrong)))]


def some_values(event: Event, source: np.random.Generator) -> tuple[float | int | bool, ...]:
    """Return values in range of an event's fields."""
    return tuple(_some(field, source) for field in event.fields)
