"""Virtual time: what is to be done stands in a heap, by its time and then in the order in which it was planned."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import Any

__all__ = ["HOUR", "MINUTE", "SECOND", "Clock"]

SECOND = 10**9
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
BEGAN = 1_700_000_000 * SECOND


class Clock:
    """A time in UTC nanoseconds that moves when something is done."""

    def __init__(self) -> None:
        self.now = BEGAN
        self._planned: list[tuple[int, int, Callable[..., None], tuple[Any, ...]]] = []
        self._count = 0

    def __call__(self) -> int:
        return self.now

    @property
    def hours(self) -> float:
        return (self.now - BEGAN) / HOUR

    def after(self, delay: float, action: Callable[..., None], *arguments: Any) -> None:
        """Plan an action after so many nanoseconds."""
        self._count += 1
        heapq.heappush(self._planned, (self.now + int(delay), self._count, action, arguments))

    def run(self, until: int, enough: Callable[[], bool] = lambda: False) -> bool:
        """Do what is planned up to a time, or until there is enough of it; return whether that came."""
        while not enough():
            if not self._planned or self._planned[0][0] > until:
                self.now = max(self.now, until)
                return False
            self.now, _, action, arguments = heapq.heappop(self._planned)
            action(*arguments)
        return True
