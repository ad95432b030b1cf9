"""Windows: the last values of an expression as one contiguous, read-only array.

A mirrored ring: each value is written twice, a length apart, so that the values in order are always one slice.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy
import numpy.typing

__all__ = ["Ring"]


class Ring:
    """The last `length` values. A value is first staged, so that it can be seen and still be dropped."""

    __slots__ = ("_buffer", "_count", "_next", "_readable", "_staged", "length")

    def __init__(self, length: int) -> None:
        self.length = length
        self._buffer = numpy.zeros(2 * length)
        self._readable = self._buffer.view()
        self._readable.setflags(write=False)
        self._next = 0
        self._count = 0
        self._staged = False

    def stage(self, value: float) -> None:
        """Add a value that `commit` keeps and `drop` forgets."""
        if self._count == self.length:
            # The oldest value lies where the new one goes: it is kept in the mirror until the commit.
            self._buffer[self._next + self.length] = value
        else:
            self._buffer[self._next] = self._buffer[self._next + self.length] = value
        self._staged = True

    def commit(self) -> None:
        """Keep what was staged."""
        if self._staged:
            self._buffer[self._next] = self._buffer[self._next + self.length]
            self._next = (self._next + 1) % self.length
            self._count = min(self._count + 1, self.length)
            self._staged = False

    def drop(self) -> None:
        """Forget what was staged."""
        if self._staged:
            self._buffer[self._next + self.length] = self._buffer[self._next]
            self._staged = False

    def full(self) -> bool:
        """Return whether the window has all its values, a staged one included."""
        return self._count + self._staged >= self.length

    def view(self) -> numpy.typing.NDArray[numpy.float64]:
        """Return the values, oldest first, a staged one included: (n,) float64, read-only, n ≤ length."""
        count = min(self._count + self._staged, self.length)
        end = self._next + self.length + (1 if self._staged else 0)
        return self._readable[end - count : end]

    def values(self) -> tuple[float, ...]:
        """Return the committed values, oldest first."""
        end = self._next + self.length
        return tuple(self._readable[end - self._count : end].tolist())

    def fill(self, values: Iterable[float]) -> None:
        """Replace everything by these values, oldest first."""
        self._next = self._count = 0
        self._staged = False
        for value in values:
            self.stage(value)
            self.commit()
