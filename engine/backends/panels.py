"""The gates of a program by the orders that they judge: those that judge the same orders are one panel.

    applies increase, legs a.book          sanity.gross, breaker.closed          asked where `a.book` grows
    applies all, all legs                  desk.rate                             asked where anything is ordered

Generated code asks a panel only where it judges an order. A panel with a bound function is the reference's to ask.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ..ir import Expr, Program

__all__ = ["Panel", "panels"]


@dataclass(frozen=True, slots=True)
class Panel:
    """What must be true of some orders, in the order in which it is asked; `bound` where a function is asked too."""

    applies: Literal["increase", "reduce", "all"]
    legs: frozenset[str]
    conditions: tuple[Expr, ...]
    bound: bool


def panels(program: Program) -> tuple[Panel, ...]:
    """Return the panels of a program, in the order of their first gates."""
    every = tuple(leg.name for leg in program.legs)
    found: dict[tuple[str, frozenset[str]], Panel] = {}
    for gate in program.gates:
        legs = frozenset(gate.legs or every)
        panel = found.get((gate.applies, legs), Panel(gate.applies, legs, (), False))
        conditions = tuple(dict.fromkeys((*panel.conditions, *(check.condition for check in gate.checks))))
        bound = panel.bound or any(check.bound is not None for check in gate.checks)
        found[gate.applies, legs] = Panel(gate.applies, legs, conditions, bound)
    return tuple(found.values())
