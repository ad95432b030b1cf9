"""Bound functions for tests: they count their calls, keep what they saw, and go wrong for any x but 0."""

from __future__ import annotations

from typing import NamedTuple

from hedgerow.engine.registry import Binding, Registry
from hedgerow.models.windows import Window

__all__ = ["CALLS", "REGISTRY", "SEEN"]

CALLS: list[float] = []
SEEN: list[Window] = []


class Pair(NamedTuple):
    first: float
    second: float


def double(*, x: float) -> float:
    CALLS.append(x)
    return 2 * x


def refuses(*, x: float) -> float:
    CALLS.append(x)
    raise ValueError("never")


def first_and_size(*, values: Window) -> Pair:
    SEEN.append(values)
    return Pair(float(values[0]), float(len(values)))


def total(*, values: Window) -> float:
    return float(sum(values.tolist()))


def raises(*, x: float) -> float:
    return {0.0: 0.0}[x]


def nothing(*, x: float) -> float:
    return 0.0 if x == 0 else None  # type: ignore[return-value]  # the wrong type is what it is for


def not_a_number(*, x: float) -> float:
    return 0.0 if x == 0 else float("nan")


def infinite(*, x: float) -> float:
    return 0.0 if x == 0 else float("inf")


def truth(*, x: float) -> float:
    return 0.0 if x == 0 else True


def writes(*, values: Window) -> float:
    values[0] = 99.0
    return 0.0


def sorts(*, values: Window) -> float:
    values.sort()
    return 0.0


_NAMES = (
    "double",
    "refuses",
    "first_and_size",
    "total",
    "raises",
    "nothing",
    "not_a_number",
    "infinite",
    "truth",
    "writes",
    "sorts",
)
REGISTRY = Registry({f"probe.{name}": Binding(f"probe.{name}", "action", f"{__name__}:{name}") for name in _NAMES})
