"""What a macrostep on symbols begins with and comes to: control states, inputs, outcomes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from ..ir import Expr
from ..work import Change

__all__ = ["Control", "Input", "Moved", "Outcome", "Overlap", "Passed", "Standing"]


@dataclass(frozen=True, slots=True)
class Control:
    """What of a machine is not symbolic: the active leaves, and what history states remember."""

    leaves: tuple[str, ...] = ()
    history: tuple[tuple[str, tuple[str, ...]], ...] = ()

    def __str__(self) -> str:
        return ", ".join(self.leaves) or "the start"


@dataclass(frozen=True, slots=True)
class Input:
    """What a macrostep is about: an event from outside, a timer that is due, or an event of the engine's own."""

    kind: Literal["event", "timer", "engine", "advance"]
    name: str

    def __str__(self) -> str:
        return {"event": "", "timer": "timer ", "engine": "", "advance": "time"}[self.kind] + self.name


@dataclass(frozen=True, slots=True)
class Standing:
    """A machine between two events: its control state, and cells and clock as expressions.

    `number` tells the symbols of the event that comes next from those of others.
    """

    control: Control
    cells: Mapping[str, Expr]
    clock: Expr
    number: int = 0


@dataclass(frozen=True, slots=True)
class Moved:
    """An order that was released: of which leg, from what quantity to what, at which mark, at what cost."""

    leg: str
    rule: str
    held: Expr
    after: Expr
    price: Expr
    fee: Expr
    slippage: Expr


@dataclass(frozen=True, slots=True)
class Overlap:
    """A transition that fired and one after it in order that would have fired too, where `condition` holds."""

    first: str
    second: str
    condition: Expr


@dataclass(frozen=True, slots=True)
class Passed:
    """Orders of one microstep that no gate has stopped, and the states that were active then and before the macrostep."""

    changes: tuple[Change, ...]
    active: frozenset[str]
    was: frozenset[str]


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """One way that an input can go.

    `cells` are those after the macrostep and `before` those at its start, which come after marks and observations; `start`
    are those before the event, of a machine that it starts those after the opening of its books. `conditions` hold on this
    way besides what was assumed; `time` is when the event comes.
    """

    origin: Control
    input: Input
    target: Control
    conditions: tuple[Expr, ...]
    was: frozenset[str]
    active: frozenset[str]
    start: Mapping[str, Expr]
    before: Mapping[str, Expr]
    cells: Mapping[str, Expr]
    clock: Expr
    time: Expr
    fired: tuple[str, ...]
    orders: tuple[Moved, ...]
    raised: tuple[str, ...]
    errors: tuple[str, ...]
    finished: bool
    overlaps: tuple[Overlap, ...] = ()
    passed: tuple[Passed, ...] = ()
    stopped: tuple[str, ...] = ()
    """The checks, as `GATE.CHECK`, that may have said no: those of the gates that did."""
    implied: tuple[Expr, ...] = ()
    """What follows on this way from what was assumed, and need not without it."""

    def with_implied(self) -> Outcome:
        """Return this way with what followed from assumptions as conditions: without them it is a part of one."""
        return replace(self, conditions=(*self.conditions, *self.implied), implied=())

    @property
    def ordered(self) -> frozenset[str]:
        return frozenset(order.leg for order in self.orders)
