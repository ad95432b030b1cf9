"""Timing in interleaved rounds, so that what else the machine does meets every contender alike."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Mapping, Sequence
from statistics import median
from typing import TypeVar

__all__ = ["interleave", "pace", "rates", "ratio", "timed"]

T = TypeVar("T")


def timed(work: Callable[[], T]) -> tuple[float, T]:
    """Return the CPU seconds of this process that a call takes, after a garbage collection, and its result."""
    gc.collect()
    start = time.process_time()
    result = work()
    return time.process_time() - start, result


def pace() -> float:
    """Return the ns that a pass of an empty loop takes: how fast this machine is just now, for who compares two pages."""
    passes = 200_000

    def run() -> None:
        for _ in range(passes):
            pass

    return median(timed(run)[0] for _ in range(9)) / passes * 1e9


def interleave(
    contenders: Mapping[str, Callable[[], float]], rounds: int, progress: Callable[[str], None]
) -> dict[str, list[float]]:
    """Return `rounds` measurements of each contender; each is a call that measures itself.

    A round calls every contender once, and every second one in the opposite order.
    """
    found: dict[str, list[float]] = {name: [] for name in contenders}
    for number in range(rounds):
        names = list(contenders)
        for name in names if number % 2 == 0 else reversed(names):
            progress(f"round {number + 1} of {rounds}: {name}")
            found[name].append(contenders[name]())
    return found


def rates(taken: Sequence[float], count: float = 1.0) -> list[float]:
    """Return how many there were in one unit of time, of `count` that took so many units in each round."""
    return [count / each for each in taken]


def ratio(slow: list[float], fast: list[float]) -> float:
    """Return the median over the rounds of how many times `fast` fits in `slow`."""
    return median(a / b for a, b in zip(slow, fast, strict=True))
