"""What waits to be journalled: bounded, in the order in which it came."""

from __future__ import annotations

from collections import deque
from threading import Condition
from typing import Generic, TypeVar

__all__ = ["Waiting"]

T = TypeVar("T")


class Waiting(Generic[T]):
    """A queue from many threads to one, which says when it is full and never blocks who puts."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._items: deque[T] = deque()
        self._changed = Condition()
        self._closed = False

    def put(self, item: T) -> bool | None:
        """Add an item; return False where there is no room, and None once it is closed."""
        with self._changed:
            if self._closed:
                return None
            if len(self._items) >= self._most:
                return False
            self._items.append(item)
            if len(self._items) == 1:
                self._changed.notify()
            return True

    def take(self, most: int, seconds: float | None = None) -> list[T] | None:
        """Return what waits, up to so many; nothing after some seconds; None once it is closed and empty."""
        with self._changed:
            if not self._items and not self._closed:
                self._changed.wait(seconds)
            if not self._items:
                return None if self._closed else []
            pop = self._items.popleft
            return [pop() for _ in range(min(most, len(self._items)))]

    def close(self) -> None:
        """Take no more; what is in it can still be taken."""
        with self._changed:
            self._closed = True
            self._changed.notify()
