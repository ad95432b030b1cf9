"""The steps of several shards, on their way to one future."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any

from ..step import Step
from .resolving import answer, fail

__all__ = ["Gathered"]


class Gathered:
    """Who waits until all of them are there."""

    def __init__(self, steps: Future[list[Step]], count: int, parts: int) -> None:
        self._steps, self._parts = steps, parts
        self._found: list[Any] = [None] * count
        self._wrong: BaseException | None = None
        self._lock = threading.Lock()

    def taker(self, places: Sequence[int]) -> Callable[[Future[list[Step]]], None]:
        """Return what takes the steps of one shard, which belong in these places."""

        def take(future: Future[list[Step]]) -> None:
            error = future.exception()
            if error is not None:
                self.failed(error)
                return
            for place, step in zip(places, future.result(), strict=True):
                self._found[place] = step
            self._done()

        return take

    def failed(self, error: BaseException) -> None:
        with self._lock:
            self._wrong = self._wrong or error
        self._done()

    def _done(self) -> None:
        with self._lock:
            self._parts -= 1
            if self._parts:
                return
        if self._wrong is None:
            answer(self._steps, self._found)
        else:
            fail(self._steps, self._wrong)
