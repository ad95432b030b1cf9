"""The intermediate representation: what every backend runs, sweeps or proves.

A `Program` is a flat, closed description of one spec: cells (named values that a snapshot carries), blocks of
instructions over them, a tree of states in regions, and rules (transitions). Names, types and units have been checked
before; macros are expanded, memory expressions are cells, and the ledger is ordinary arithmetic over ordinary cells, so
a backend needs to know expressions, assignments and the statechart, and nothing of finance.

Expressions are shared: one `Pool` builds all nodes of a program and returns the same object for the same expression, so
identity is structural equality and a value that is used a hundred times is one node.

This module imports no other stage. `engine.printer` shows a program as text, `engine.verify` checks its rules.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Literal

from .diagnostics import Span

__all__ = [
    "INFIX",
    "ZERO",
    "Assign",
    "Block",
    "Call",
    "Cell",
    "Event",
    "Exact",
    "Expr",
    "Field",
    "FillMode",
    "Instruction",
    "Instrument",
    "Leg",
    "Let",
    "Parameter",
    "Pool",
    "Program",
    "Propose",
    "Push",
    "Raise",
    "Ranking",
    "Region",
    "Report",
    "Require",
    "Rule",
    "Source",
    "State",
    "Type",
    "Value",
    "Window",
]

Type = Literal["real", "int", "bool"]
FillMode = Literal["same", "next"]
"""Whether an order is priced at the mark it was decided at, or at the next one."""
Value = float | int | bool | Fraction
Exact = Fraction | int | bool
ZERO: Mapping[Type, Exact] = {"real": Fraction(0), "int": 0, "bool": False}
"""What a cell holds before the start."""

# Leaves: const(value) param(name) cell(name) before(name) field(name) temp(name) now active(states) was(states) ordered
# Operators take converted arguments only: there is no mixed arithmetic.
LEAVES = frozenset(("const", "param", "cell", "before", "field", "temp", "now", "active", "was", "ordered"))
INFIX: Mapping[str, str] = {
    "add": "+",
    "sub": "-",
    "mul": "*",
    "div": "/",
    "lt": "<",
    "le": "<=",
    "gt": ">",
    "ge": ">=",
    "eq": "==",
    "ne": "!=",
    "and": "and",
    "or": "or",
}
"""Operators that the language and Python write between their arguments."""


@dataclass(frozen=True, slots=True, eq=False)
class Expr:
    """One typed expression node, made by a `Pool`.

    `real(x)` converts an int; `seconds(now, then)` is the real difference of two int64 nanosecond stamps;
    `select(c, a, b)` evaluates only the branch it takes, as `and` and `or` do; `given(c, a)` is `a` where `c` holds and
    an error named `name` elsewhere; `min(a, b)` is `b if b < a else a` and `max(a, b)` is `b if b > a else a`.
    """

    op: str
    args: tuple[Expr, ...]
    type: Type
    name: str = ""
    value: Fraction | int | bool | None = None
    states: tuple[str, ...] = ()
    depth: int = 1
    size: int = 1
    """Nodes of the tree that this node stands for, sharing undone."""

    def walk(self) -> Iterator[Expr]:
        """Yield every distinct node below and including this one, arguments first."""
        seen: set[int] = set()
        stack: list[tuple[Expr, bool]] = [(self, False)]
        while stack:
            node, done = stack.pop()
            if done:
                yield node
            elif id(node) not in seen:
                seen.add(id(node))
                stack.append((node, True))
                stack.extend((argument, False) for argument in reversed(node.args))


class Pool:
    """Builds expressions; the same expression is the same object."""

    def __init__(self) -> None:
        self._nodes: dict[tuple[object, ...], Expr] = {}

    def make(
        self,
        op: str,
        args: tuple[Expr, ...] = (),
        type: Type = "real",
        *,
        name: str = "",
        value: Fraction | int | bool | None = None,
        states: tuple[str, ...] = (),
    ) -> Expr:
        key = (op, tuple(map(id, args)), type, name, value.__class__, value, states)
        node = self._nodes.get(key)
        if node is None:
            depth = 1 + max((argument.depth for argument in args), default=0)
            size = 1 + sum(argument.size for argument in args)
            node = self._nodes[key] = Expr(op, args, type, name, value, states, depth, size)
        return node

    def constant(self, value: Fraction | int | bool, type: Type) -> Expr:
        if type == "real":
            value = Fraction(value)
        return self.make("const", (), type, value=value)

    def cell(self, cell: str, type: Type = "real") -> Expr:
        return self.make("cell", (), type, name=cell)

    def temp(self, temp: str, type: Type = "real") -> Expr:
        return self.make("temp", (), type, name=temp)

    def substitute(self, expr: Expr, replace: Mapping[str, str]) -> Expr:
        """Return `expr` with every leaf of an op in `replace` turned into the op it maps to."""
        made: dict[int, Expr] = {}
        for node in expr.walk():
            args = tuple(made[id(argument)] for argument in node.args)
            made[id(node)] = self.make(
                replace.get(node.op, node.op),
                args,
                node.type,
                name=node.name,
                value=node.value,
                states=node.states,
            )
        return made[id(expr)]


# ---------------------------------------------------------------------------------------------------- instructions


@dataclass(frozen=True, slots=True)
class Let:
    """Bind a name for the rest of the block."""

    temp: str
    value: Expr
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class Assign:
    """Write cells, all from the values before the instruction."""

    targets: tuple[tuple[str, Expr], ...]
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class Require:
    """Fail the transition (or the observation) with `reason` unless the condition holds."""

    condition: Expr
    reason: str
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class Propose:
    """Propose that a leg's quantity become `after`; the gates and the leg's fill block decide the rest."""

    leg: str
    verb: Literal["increase", "reduce", "target", "close"]
    after: Expr
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class Raise:
    """Queue an internal event with its fields."""

    event: str
    fields: tuple[tuple[str, Expr], ...]
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class Push:
    """Append a value to a window, dropping the oldest one when it is full."""

    window: str
    value: Expr
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class Call:
    """Call a bound function once and keep its results in cells.

    `arguments` maps parameter names to an expression, to the name of a window, or to a literal string. `into` maps a
    result field (or "" for a plain result) to a cell. The call is skipped while a window in `waits` is not full.
    """

    function: str
    arguments: tuple[tuple[str, Expr | Source], ...]
    into: tuple[tuple[str, str], ...]
    waits: tuple[str, ...]
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class Source:
    """An argument that is no expression: the view of a window, or a literal."""

    kind: Literal["window", "literal"]
    text: str


Instruction = Let | Assign | Require | Propose | Raise | Push | Call
Block = tuple[Instruction, ...]


# ---------------------------------------------------------------------------------------------------- declarations


@dataclass(frozen=True, slots=True)
class Parameter:
    """A constant of one run. `low` and `high` are inclusive; None is unbounded."""

    name: str
    type: Type
    unit: str
    default: Exact
    low: Fraction | None
    high: Fraction | None
    about: str
    span: Span


@dataclass(frozen=True, slots=True)
class Field:
    """A field of an event; `low` and `high` are inclusive; None is unbounded."""

    name: str
    type: Type
    unit: str
    low: Fraction | None
    high: Fraction | None


@dataclass(frozen=True, slots=True)
class Event:
    """An external or raised event, and what it does before any transition is selected."""

    name: str
    fields: tuple[Field, ...]
    marks: Block
    """Funding, then marks of the instruments that this event prices; cannot be undone by a failing observation."""
    observe: Block
    span: Span


@dataclass(frozen=True, slots=True)
class Cell:
    """A named value in the snapshot. `initial` is None where the start blocks write it."""

    name: str
    type: Type
    unit: str
    low: Fraction | None
    high: Fraction | None
    initial: Exact
    kind: Literal["state", "observed", "memory", "ledger", "measure"]


@dataclass(frozen=True, slots=True)
class Window:
    """The last `length` values that were pushed, oldest first."""

    name: str
    length: int
    waits: bool
    """Whether calls that read it are skipped until it is full."""


@dataclass(frozen=True, slots=True)
class Instrument:
    """Something that can be held."""

    name: str
    unit: str
    price: str
    """The cell that holds its last mark."""


@dataclass(frozen=True, slots=True)
class Leg:
    """A position in one instrument.

    `fill` books an accepted order: it reads the temp `after` (the quantity to reach) and binds `delta` (signed change of
    quantity), `notional`, `fee` and `slip` (money ≥ 0) for the order record.
    """

    name: str
    instrument: str
    side: Literal["long", "short", "both"]
    quantity: str
    fill: Block


@dataclass(frozen=True, slots=True)
class State:
    """A node of the statechart, in document order; `name` is unique in the program."""

    name: str
    parent: str | None
    region: int
    kind: Literal["atomic", "compound", "final"]
    initial: str | None
    stamp: Block
    """What notes the time of entry; it cannot fail."""
    entry: Block
    exit: Block
    tags: tuple[str, ...]
    about: str
    span: Span


@dataclass(frozen=True, slots=True)
class Region:
    """A part of the chart with one active leaf: its register."""

    name: str
    initial: str
    leaves: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Rule:
    """A transition. `event` is an event descriptor as written (`tick`, `error.*`), or None for an eventless one.

    `domain` is the state whose descendants are exited (None: the whole chart); `entered` are the states entered, outer
    first; both are empty without a target. Exits are the active descendants of the domain, inner first.
    """

    name: str
    source: str
    event: str | None
    guard: Expr | None
    target: str | None
    domain: str | None
    entered: tuple[str, ...]
    measure: Block
    """What the report books for a firing, from the values before it: it comes before the exits."""
    action: Block
    span: Span


@dataclass(frozen=True, slots=True)
class Ranking:
    """A termination claim: while in `state`, each firing of `rule` multiplies `measure` by at most `factor`."""

    name: str
    state: str
    rule: str
    measure: Expr
    factor: Expr
    until: Expr
    within: Expr
    span: Span


@dataclass(frozen=True, slots=True)
class Report:
    """What the report of a run declares: measure cells by rule, and limits over the parameters."""

    measures: tuple[tuple[str, tuple[str, ...]], ...] = ()
    limits: tuple[tuple[str, Expr], ...] = ()


@dataclass(frozen=True, slots=True)
class Program:
    """One compiled spec."""

    name: str
    about: str
    fill: FillMode
    money: str
    parameters: tuple[Parameter, ...]
    events: tuple[Event, ...]
    cells: tuple[Cell, ...]
    windows: tuple[Window, ...]
    instruments: tuple[Instrument, ...]
    legs: tuple[Leg, ...]
    regions: tuple[Region, ...]
    states: tuple[State, ...]
    rules: tuple[Rule, ...]
    start_event: str | None
    """The only event that can start the machine; None where any accepted one does."""
    begin: Block
    """Initial values that read the marks of the start event."""
    endow: Block
    """The capital, and opening quantities at the mark: cash moves, no fee."""
    endow_late: Block
    """The same for legs whose instrument is marked by what the event observes."""
    accrue: Block
    """Carry over the temp `dt` (seconds since the last event), at the marks before the event."""
    fail_safe: str | None
    invariants: tuple[tuple[str, Expr], ...]
    helpers: tuple[tuple[str, Expr], ...]
    rankings: tuple[Ranking, ...]
    report: Report = field(default_factory=Report)

    @property
    def calls(self) -> tuple[Call, ...]:
        """Every call of a bound function."""
        blocks = [event.observe for event in self.events]
        blocks += [block for state in self.states for block in (state.entry, state.exit)]
        blocks += [rule.action for rule in self.rules]
        return tuple(each for block in blocks for each in block if isinstance(each, Call))

    @property
    def unsettled(self) -> tuple[str, ...]:
        """The cells of what was filled since the last mark; none where fills settle at once."""
        suffix = ".unsettled"
        return tuple(cell.name for cell in self.cells if cell.kind == "ledger" and cell.name.endswith(suffix))

    def event(self, name: str) -> Event:
        return next(event for event in self.events if event.name == name)

    def state(self, name: str) -> State:
        return next(state for state in self.states if state.name == name)

    def leg(self, name: str) -> Leg:
        return next(leg for leg in self.legs if leg.name == name)

    def lineage(self) -> dict[str, tuple[str, ...]]:
        """Return the proper ancestors of every state, inner first."""
        found: dict[str, tuple[str, ...]] = {}
        for state in self.states:  # parents stand before their children
            found[state.name] = () if state.parent is None else (state.parent, *found[state.parent])
        return found
