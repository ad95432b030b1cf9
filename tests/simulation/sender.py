"""Who says something again until it is acknowledged."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from .clock import MINUTE, SECOND, Clock

__all__ = ["Sender"]


class Sender:
    """What is to be said, by its id."""

    def __init__(self, clock: Clock, rng: Random) -> None:
        self._clock, self._rng = clock, rng
        self.waiting: dict[str, Callable[[], None]] = {}

    def say(self, id: str, send: Callable[[], None]) -> None:
        self.waiting[id] = send
        self._say(id, 20 * SECOND)

    def _say(self, id: str, wait: float) -> None:
        send = self.waiting.get(id)
        if send is not None:
            send()
            self._clock.after(wait * self._rng.uniform(0.8, 1.2), self._say, id, min(2 * wait, 20 * MINUTE))

    def heard(self, id: str) -> None:
        """Learn that somebody has it."""
        self.waiting.pop(id, None)
