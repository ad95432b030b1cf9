"""Positions at average cost: what the fills of a run realised, and what is still open at the last mark.

Derived from the trace and the fills alone, at the marks: fees and slippage stand apart, so that
realised + unrealised − fees − slippage + flows is the P&L.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from .subject import LegShape
from .trace import Fill, Trace

__all__ = ["Position", "positions"]


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

    The opening quantity of a leg (an endowment, booked without fee at the first mark) is what the first line of the trace
    shows less the first line's own fills.

    Args:
        trace: at least one line, with columns `<leg>.quantity` and `<instrument>.price`.
    """
    return [_position(leg, trace, [fill for fill in trace.fills if fill.leg == leg.name]) for leg in legs]


def _position(leg: LegShape, trace: Trace, fills: list[Fill]) -> Position:
    quantities = trace.column(f"{leg.name}.quantity")
    marks = trace.column(f"{leg.instrument}.price")
    at_start = math.fsum(_signed(fill) for fill in fills if fill.index == 0)
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
    return Position(
        leg.name, quantity, average if quantity else None, math.fsum(gains), unrealised, len(fills)
    )


def _signed(fill: Fill) -> float:
    return fill.quantity if fill.side == "buy" else -fill.quantity
