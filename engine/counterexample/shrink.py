"""Shortening: fewer events, then rounder times and values, then parameters at their defaults, while it still breaks.

Events go in halves, quarters and so on down to single ones (Zeller, Hildebrandt (2002), IEEE TSE 28(2): `ddmin`). What is
left is 1-minimal, unless the work that was allowed ran out: without any one event nothing breaks.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from fractions import Fraction

from ..ir import Value
from ..units import TIME_SUFFIXES
from .replay import Holds, Play, first
from .sent import Sent

__all__ = ["WORK", "default_parameters", "shrink"]

WORK = 1_000_000
"""Events that a shrinking plays at most, all replays together."""
_DIGITS = (1, 2, 3, 4, 6)
"""Significant digits that a value is rounded to, the fewest first."""
_GAPS = tuple(round(TIME_SUFFIXES[unit] * 10**9) for unit in ("d", "h", "m", "s", "ms", "us", "ns"))


def shrink(events: Sequence[Sent], play: Play, holds: Holds, work: int = WORK) -> tuple[Sent, ...]:
    """Return a shorter and rounder list of events whose last step still holds.

    Args:
        events: a list some step of which holds.
        play: plays events from the start; it decides the arithmetic, and that of the values is kept.
        holds: what must stay true of a step.
        work: events that may be played, all replays together; what has been shortened by then is returned.

    Raises:
        ValueError: no step of `events` holds.
    """
    found = first(events, play, holds)
    if found is None:
        raise ValueError("no step of these events holds")
    shrinking = _Shrinking(tuple(events[: found + 1]), play, holds, work)
    shrinking.keep_what_acts()
    shrinking.drop()
    shrinking.round_times()
    shrinking.round_values()
    shrinking.drop()
    return shrinking.events


class _Shrinking:
    """The shortest list so far, and the work that is left."""

    def __init__(self, events: tuple[Sent, ...], play: Play, holds: Holds, work: int) -> None:
        self.events, self.play, self.holds, self.work = events, play, holds, work

    def attempt(self, events: Sequence[Sent]) -> bool:
        """Take events up to the first step that holds, if there is one, they fit the work and are no longer."""
        if not events or self.work < len(events):
            return False
        found = first(events, self.play, self.holds)
        self.work -= len(events) if found is None else found + 1
        if found is None:
            return False
        self.events = tuple(events[: found + 1])
        return True

    def keep_what_acts(self) -> None:
        """Keep the first event, the last one and those that did something: often that is all there is to it."""
        kept = [self.events[0]]
        last = len(self.events) - 1
        for index, step in enumerate(self.play(self.events)):
            if index and (index == last or step.fired or step.errors or step.timers or step.rejected is not None):
                kept.append(self.events[index])
        self.work -= len(self.events)
        if len(kept) < len(self.events):
            self.attempt(kept)

    def drop(self) -> None:
        """Leave out parts, ever smaller ones."""
        size = max(1, len(self.events) // 2)
        while True:
            at = 0
            while at < len(self.events):
                if not self.attempt(self.events[:at] + self.events[at + size :]):
                    at += size
            if size == 1:
                return
            size //= 2

    def round_times(self) -> None:
        """Begin at 0, and make each gap 0, or one or a round number of the largest unit that it holds."""
        start = self.events[0].time_ns
        self.attempt([sent._replace(time_ns=sent.time_ns - start) for sent in self.events])
        for index in range(1, len(self.events)):
            if index >= len(self.events):
                return
            gap = self.events[index].time_ns - self.events[index - 1].time_ns
            for rounder in _rounder_gaps(gap):
                if self._move(index, rounder - gap):
                    break

    def _move(self, index: int, by: int) -> bool:
        """Try later events at other times."""
        moved = [sent._replace(time_ns=sent.time_ns + by) for sent in self.events[index:]]
        return self.attempt((*self.events[:index], *moved))

    def round_values(self) -> None:
        """Take for each value one of few digits."""
        index = 0
        while index < len(self.events):
            for place in range(len(self.events[index].values)):
                for rounder in _rounder(self.events[index].values[place]):
                    if self._put(index, place, rounder) or index >= len(self.events):
                        break
            index += 1

    def _put(self, index: int, place: int, value: Value) -> bool:
        sent = self.events[index]
        values = (*sent.values[:place], value, *sent.values[place + 1 :])
        return self.attempt((*self.events[:index], sent._replace(values=values), *self.events[index + 1 :]))


def _rounder_gaps(gap: int) -> Iterator[int]:
    """Yield rounder gaps than this one, the roundest first."""
    if gap <= 0:
        return
    yield 0
    unit = next(each for each in _GAPS if each <= gap)
    count = gap // unit
    leading = 10 ** (len(str(count)) - 1)
    yield from dict.fromkeys(
        each for each in (10**9, unit, count // leading * leading * unit, count * unit) if each < gap
    )


def _rounder(value: Value) -> Iterator[Value]:
    """Yield values of fewer digits, the fewest first, of the same type."""
    if isinstance(value, bool) or not math.isfinite(value) or value == 0:
        return
    seen = {value}
    for digits in _DIGITS:
        text = f"{float(value):.{digits - 1}e}"
        rounder: Value
        if isinstance(value, Fraction):
            rounder = Fraction(text)
        elif isinstance(value, int):
            rounder = int(Fraction(text))
        else:
            rounder = float(text)
        if rounder not in seen:
            seen.add(rounder)
            yield rounder


def default_parameters(
    values: Mapping[str, Value], defaults: Mapping[str, Value], still: Callable[[Mapping[str, Value]], bool]
) -> dict[str, Value]:
    """Return the parameters with as many at their defaults as `still` allows: all of them, or one after the other.

    Args:
        values: the parameters that may be set, by name.
        defaults: their defaults.
        still: whether the counterexample is one with such parameters.
    """
    if still(defaults):
        return dict(defaults)
    chosen = dict(values)
    for name, default in defaults.items():
        if chosen[name] != default and still(changed := {**chosen, name: default}):
            chosen = changed
    return chosen
