"""Positions at average cost: what the fills of a run realised, and what is still open at the last mark.

Derived from the trace and the fills alone, at the marks: fees and slippage stand apart, so that
realised + unrealised − fees − slippage + flows is the P&L.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from .subject import LegShape, Subject
from .trace import Fill, Trace

__all__ = ["Position", "delays", "positions"]


@dataclass(frozen=True)
class Position:
    """A leg at the end of a run. `quantity` is signed (short < 0); money is in the spec's unit."""

    leg: str
    quantity: float
    average: float | None
    """Mean price paid for what is open; None for a flat leg."""
    realised: float
    unrealised: float
    fills: int


def positions(legs: Sequence[LegShape], trace: Trace) -> list[Position]:
    """Return each leg at the end of the run, at average cost.

    The opening quantity of a leg (an endowment, booked without fee at the first mark) is what the first
    line of the trace shows less the first line's own fills.

    Args:
        legs: of the spec.
        trace: at least one line, with columns `<leg>.quantity` and `<instrument>.price`.
    """
    return [_position(leg, trace, [fill for fill in trace.fills if fill.leg == leg.name]) for leg in legs]


def delays(subject: Subject, trace: Trace) -> list[float]:
    """Return what waiting for the next mark cost each fill of the trace; gains are negative.

    It is a part of the slippage that the machine books, and 0 for fills at the same mark and on the last
    line of a trace, after which no mark comes.
    """
    if subject.fill == "same":
        return [0.0] * len(trace.fills)
    prices = {instrument: trace.column(f"{instrument}.price") for instrument in subject.instruments}
    last = len(trace) - 1
    # The sum is for −0.0, which would be written as such.
    return [
        _signed(fill) * (float(prices[fill.instrument][min(_settled(fill), last)]) - fill.mark) + 0.0
        for fill in trace.fills
    ]


def _settled(fill: Fill) -> int:
    """Return the line of the first mark after an order was decided."""
    return fill.index if fill.when == "before" else fill.index + 1


def _position(leg: LegShape, trace: Trace, fills: list[Fill]) -> Position:
    quantities = trace.column(f"{leg.name}.quantity")
    marks = trace.column(f"{leg.instrument}.price")
    at_start = math.fsum(_signed(fill) for fill in fills if fill.index == 0 and fill.when == "at")
    held = leg.sign * float(quantities[0]) - at_start
    average = float(marks[0])
    gains: list[float] = []
    for fill in fills:
        change = _signed(fill)
        if held * change >= 0:
            average = (held * average + change * fill.mark) / (held + change) if held + change else fill.mark
            held += change
            continue
        closed = -change if abs(change) <= abs(held) else held
        gains.append(closed * (fill.mark - average))
        held += change
        if abs(change) > abs(closed):
            average = fill.mark
    # The trace is what the machine holds; the sum of fills differs from it by rounding only.
    quantity = leg.sign * float(quantities[-1])
    unrealised = quantity * (float(marks[-1]) - average) if quantity else 0.0
    return Position(leg.name, quantity, average if quantity else None, math.fsum(gains), unrealised, len(fills))


def _signed(fill: Fill) -> float:
    return fill.quantity if fill.side == "buy" else -fill.quantity
