"""Messages that are late, lost, doubled and out of order, and links that are down for a while."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

from .clock import MINUTE, SECOND, Clock
from .trace import Trace

__all__ = ["Bus"]


class Bus:
    """Links by their names.

    Attributes:
        calm: whether nothing is lost.
    """

    def __init__(self, clock: Clock, rng: Random, trace: Trace) -> None:
        self._clock, self._rng, self._trace = clock, rng, trace
        self._down: dict[str, int] = {}
        self.calm = False
        self.loss, self.doubled = rng.choice((0.0, 0.02, 0.1)), rng.choice((0.0, 0.02, 0.1))

    def send(self, link: str, receive: Callable[..., None], *message: Any) -> None:
        """Let somebody receive a message some time, once, twice or never."""
        rng = self._rng
        lost, doubled, late = rng.random() < self.loss, rng.random() < self.doubled, rng.random() < 0.03
        delay = rng.expovariate(1 / (0.2 * SECOND))
        if self.calm:
            self._clock.after(delay, receive, *message)
            return
        if self._down.get(link, 0) > self._clock.now or lost:
            self._trace.counts["dropped"] += 1
            return
        if late:
            delay += rng.uniform(0, 20 * MINUTE)
        self._clock.after(delay, receive, *message)
        if doubled:
            self._trace.counts["doubled"] += 1
            self._clock.after(delay + rng.expovariate(1 / (30 * SECOND)), receive, *message)

    def part(self, link: str, seconds: float) -> None:
        """Let a link be down for so many seconds."""
        self._down[link] = self._clock.now + int(seconds * SECOND)
        self._trace.add("partition", f"{link} for {seconds:.0f} s")
