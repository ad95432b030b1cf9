"""What has happened in a world: counted, hashed, and told to whoever wants to read it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from hashlib import sha256

from .clock import Clock

__all__ = ["BrokenPromise", "Trace"]


class BrokenPromise(AssertionError):
    """What a host has promised is not so."""


class Trace:
    """A virtual history; two runs of one seed have the same hash."""

    def __init__(self, clock: Clock, tell: Callable[[str], None] | None = None) -> None:
        self.counts: Counter[str] = Counter()
        self._clock, self._tell, self._hash = clock, tell, sha256()

    def add(self, what: str, told: object = "") -> None:
        self.counts[what] += 1
        line = f"{self._clock.hours:14.6f} {what:<12} {told}"
        self._hash.update(line.encode())
        if self._tell is not None:
            self._tell(line)

    @property
    def hash(self) -> str:
        return self._hash.hexdigest()
