"""The names of one spec and what each of them means to an expression."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

from .ir import Expr, Pool, Type
from .record import Record
from .syntax import DESK
from .units import Unit

__all__ = [
    "DESK_VALUES",
    "DESK_WITHIN",
    "FUNCTIONS",
    "KEYWORDS",
    "LEDGER",
    "CellType",
    "Readable",
    "Scope",
    "Symbols",
    "Typed",
]

LEDGER = ("cash", "equity", "fees")
KEYWORDS = frozenset(("and", "or", "not", "if", "else", "true", "false", "True", "False", "before", "time"))
FUNCTIONS = frozenset(
    ("min", "max", "abs", "clip", "implies", "sqrt", "In", "was", "changed", "ordered", "since", "elapsed",
     "previous", "ewma", "peak", "streak")
)  # fmt: skip

DESK_VALUES: Mapping[str, bool] = {
    "gross": True, "net": True, "equity": True, "traded": True, "orders": False, "jump": False,
}  # fmt: skip
"""Names behind `desk.`, and whether they are money; other ones are pure numbers."""
DESK_WITHIN: Mapping[str, bool] = {"traded": True, "orders": False, "repeats": False}
"""Those that take a period: `desk.orders(1m)`."""

RESERVED = frozenset((*KEYWORDS, *FUNCTIONS, *LEDGER, DESK, "s"))
"""Words that no declaration may take as its name."""

INT_LIMIT = 2**53


@dataclass(frozen=True, slots=True)
class Typed:
    """A checked expression: its node, its unit (None: the literal 0, which fits any) and, for an int, its interval."""

    expr: Expr
    unit: Unit | None
    low: int = -INT_LIMIT
    high: int = INT_LIMIT

    @property
    def type(self) -> Type:
        return self.expr.type


class CellType(Record):
    """What an expression needs to know of a cell, a parameter or a field."""

    type: Type
    unit: Unit
    low: int = -INT_LIMIT
    high: int = INT_LIMIT
    person: bool = False
    """Whether it is one of the people, which no expression can read or make up."""


class LegNames(Record):
    """What a leg holds, and on which side."""

    instrument: str
    side: Literal["long", "short", "both"]


Resolve = Callable[[tuple[str | int, ...], "Scope"], Mapping[str, CellType]]


class Readable(Protocol):
    """A used spec, whose names can be read with its own in front."""

    def read(self, path: tuple[str, ...], pool: Pool) -> Typed | None:
        """Return what a name of it stands for, or None where it has none."""
        ...

    def readable(self) -> set[str]:
        """Return its names, with its own in front."""
        ...


@dataclass(slots=True)
class Symbols:
    """Every name that a spec declares, by kind. Filled by `engine.lower` before any expression is checked."""

    bases: tuple[str, ...] = ()
    money: Unit | None = None
    currency: Unit | None = None
    """What checks count the orders of a desk in; a spec without legs need not be used where money is another one."""
    parameters: dict[str, CellType] = field(default_factory=dict)
    cells: dict[str, CellType] = field(default_factory=dict)
    lets: dict[str, tuple[str | int, ...]] = field(default_factory=dict)
    """Where the text of each let stands."""
    events: dict[str, dict[str, CellType]] = field(default_factory=dict)
    instruments: dict[str, tuple[Unit, Unit]] = field(default_factory=dict)
    """(unit of a quantity, unit of a price)."""
    legs: dict[str, LegNames] = field(default_factory=dict)
    observed: dict[str, tuple[str, tuple[str | int, ...], Resolve]] = field(default_factory=dict)
    """Undeclared names under `observe`: their event, where they stand, and how to find their types."""
    states: frozenset[str] = frozenset()
    """The states that `In` can ask for."""
    rules: frozenset[str] = frozenset()
    windows: dict[str, Unit] = field(default_factory=dict)
    used: Mapping[str, Readable] = field(default_factory=dict)
    """The specs that this one uses, by the names of their regions."""
    ranges: dict[str, dict[str, tuple[object, object]]] = field(default_factory=dict)
    """The ranges of the fields of the spec's own events."""
    incomplete: bool = False
    """Whether a used spec does not hold, so that its events are unknown."""
    fills: tuple[str, ...] = ()
    """The events that fill orders, where fills come from outside."""
    left_out: frozenset[str] = frozenset()
    """Names whose declarations did not fit the model and were told."""

    def readable(self) -> set[str]:
        """Return what an expression may write, for suggestions."""
        names = {*self.parameters, *self.cells, *self.lets, *self.observed}
        names |= {f"{leg}.{part}" for leg in self.legs for part in ("quantity", "average", "realised", "profit")}
        names |= {f"{leg}.working" for leg in self.legs if self.fills}
        names |= {f"{instrument}.price" for instrument in self.instruments}
        names |= {f"{event}.{name}" for event, fields in self.events.items() for name in fields}
        names |= {name for used in self.used.values() for name in used.readable()}
        return names | (set(LEDGER) if self.legs else set())


@dataclass(frozen=True, slots=True)
class Scope:
    """What is in reach where an expression stands."""

    place: str
    """For messages: `a guard`, `an initial value`, …"""
    machine: bool = True
    """Whether state, ledger, marks and `In` can be read."""
    event: str | None = None
    """The event whose fields can be read; `*` for any (they are collected)."""
    observing: str | None = None
    """The event that is being observed: memory expressions are allowed; `*` to check a let by itself."""
    history: bool = False
    """Whether `before`, `was`, `changed` and `ordered` are allowed."""
    desk: bool = False
    """Whether `desk.…` is allowed."""
    temps: Mapping[str, Typed | None] = field(default_factory=dict)
    """Names bound in the action so far; None where a mistake in the value has been told."""
    later: frozenset[str] = frozenset()
    """Names observed on the same event, at or below this line."""
    line: str = ""
    """The observed name whose whole value this expression is: a memory expression is then kept under that name."""
