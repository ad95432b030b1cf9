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

from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from .diagnostics import Span
from .record import Record

__all__ = [
    "INFIX",
    "NEVER",
    "NOBODY",
    "PROPOSALS",
    "ZERO",
    "Approval",
    "Assign",
    "Block",
    "BoundCheck",
    "Call",
    "Cell",
    "Check",
    "Event",
    "Exact",
    "Expr",
    "Field",
    "FillMode",
    "Freshness",
    "Gate",
    "Instruction",
    "Instrument",
    "Leg",
    "Let",
    "Oversight",
    "Parameter",
    "Part",
    "Person",
    "Policy",
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
    "Timer",
    "Type",
    "Value",
    "Window",
    "expressions",
]

Type = Literal["real", "int", "bool"]
Oversight = Literal["autonomous", "collaborative", "supervised"]
"""What waits for a person: nothing, what says so, or besides it what enlarges a leg."""
FillMode = Literal["same", "next", "external"]
"""Whether an order is filled at the mark it was decided at, at the next one, or by events from outside."""
Value = float | int | bool | Fraction
Exact = Fraction | int | bool
ZERO: Mapping[Type, Exact] = {"real": Fraction(0), "int": 0, "bool": False}
"""What a cell holds before the start."""

NEVER = 2**63 - 1
"""The due time of a timer that is not armed."""
NOBODY = -1
"""Stands where the index of a person would, and none is known."""
PROPOSALS = "approval()"
"""The cell that counts what is proposed to people: it holds the number of the last proposal."""

# Leaves: const(value) param(name) cell(name) before(name) field(name) temp(name) now active(name) was(name) ordered person
# In checks of gates also desk(name) and desk_before(name), with a period or none, until `engine.desk` has resolved them.
# Operators take converted arguments only: there is no mixed arithmetic.
LEAVES = frozenset(("const", "param", "cell", "before", "field", "temp", "now", "active", "was", "ordered", "person"))
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
    `due(then, delay)` is the stamp `delay` seconds after another, rounded to the nanosecond (half to even), `NEVER` where
    no clock reaches it, and an error for a delay below 0; `active(s)` and `was(s)` ask for a state, by its name, and
    `ordered` for orders of legs whose names begin with its name; `person` is who brought the event of the macrostep, by
    index, or `NOBODY` (the language has no word for it, `engine.approvals` alone writes it); `select(c, a, b)` evaluates
    only the branch it takes, as `and` and `or` do; `given(c, a)` is `a` where `c` holds and an error named `name`
    elsewhere; `min(a, b)` is `b if b < a else a` and `max(a, b)` is `b if b > a else a`.
    """

    op: str
    args: tuple[Expr, ...]
    type: Type
    name: str = ""
    value: Fraction | int | bool | None = None
    depth: int = 1
    size: int = 1
    """Nodes of the tree that this node stands for, sharing undone."""

    def walk(self, known: Container[int] = ()) -> Iterator[Expr]:
        """Yield every distinct node below and including this one, arguments first.

        A node whose `id` is in `known` is left out, and so is what stands below it alone; `known` may grow on the way.
        """
        seen: set[int] = set()
        stack: list[tuple[Expr, bool]] = [(self, False)]
        while stack:
            node, done = stack.pop()
            if done:
                yield node
            elif id(node) not in seen and id(node) not in known:
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
    ) -> Expr:
        key = (op, tuple(map(id, args)), type, name, value.__class__, value)
        node = self._nodes.get(key)
        if node is None:
            depth = 1 + max((argument.depth for argument in args), default=0)
            size = 1 + sum(argument.size for argument in args)
            node = self._nodes[key] = Expr(op, args, type, name, value, depth, size)
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
            made[id(node)] = self.make(replace.get(node.op, node.op), args, node.type, name=node.name, value=node.value)
        return made[id(expr)]


# ---------------------------------------------------------------------------------------------------- instructions


class Let(Record):
    """Bind a name for the rest of the block."""

    temp: str
    value: Expr
    span: Span | None = None


class Assign(Record):
    """Write cells, all from the values before the instruction."""

    targets: tuple[tuple[str, Expr], ...]
    span: Span | None = None


class Require(Record):
    """Fail the transition (or the observation) with `reason` unless the condition holds.

    It is skipped while a window in `waits` is not full, as the call is whose results it is about.
    """

    condition: Expr
    reason: str
    span: Span | None = None
    waits: tuple[str, ...] = ()


class Propose(Record):
    """Propose that a leg's quantity become `after`; the gates and the leg's fill block decide the rest."""

    leg: str
    verb: Literal["increase", "reduce", "target", "close"]
    after: Expr
    span: Span | None = None


class Raise(Record):
    """Queue an internal event with its fields."""

    event: str
    fields: tuple[tuple[str, Expr], ...]
    span: Span | None = None


class Push(Record):
    """Append a value to a window, dropping the oldest one when it is full."""

    window: str
    value: Expr
    span: Span | None = None


class Call(Record):
    """Call a bound function once and keep its results in cells.

    `arguments` maps parameter names to an expression, to the name of a window, or to a literal string. `into` maps a
    result field (or "" for a plain result) to a cell. The call is skipped while a window in `waits` is not full.
    """

    function: str
    arguments: tuple[tuple[str, Expr | Source], ...]
    into: tuple[tuple[str, str], ...]
    waits: tuple[str, ...]
    span: Span | None = None


class Source(Record):
    """An argument that is no expression: the view of a window, or a literal."""

    kind: Literal["window", "literal"]
    text: str


Instruction = Let | Assign | Require | Propose | Raise | Push | Call
Block = tuple[Instruction, ...]


def expressions(instruction: Instruction) -> Iterator[Expr]:
    """Yield the expressions of an instruction."""
    match instruction:
        case Let() | Push():
            yield instruction.value
        case Assign():
            yield from (expr for _, expr in instruction.targets)
        case Require():
            yield instruction.condition
        case Propose():
            yield instruction.after
        case Raise():
            yield from (expr for _, expr in instruction.fields)
        case Call():
            yield from (value for _, value in instruction.arguments if isinstance(value, Expr))


# ---------------------------------------------------------------------------------------------------- declarations


class Parameter(Record):
    """A constant of one run. `low` and `high` are inclusive; None is unbounded."""

    name: str
    type: Type
    unit: str
    default: Exact
    low: Fraction | None
    high: Fraction | None
    about: str
    span: Span
    given: Expr | None = None
    """Its value over other parameters, where the spec that uses this one gives it; it cannot be set then."""


class Field(Record):
    """A field of an event; `low` and `high` are inclusive; None is unbounded.

    One that is a person holds the index of one of `people`; these are empty until `engine.approvals` has set them.
    """

    name: str
    type: Type
    unit: str
    low: Fraction | None
    high: Fraction | None
    people: tuple[str, ...] | None = None


class Event(Record):
    """An external or raised event, and what it does before any transition is selected."""

    name: str
    fields: tuple[Field, ...]
    marks: Block
    """Funding, then marks of the instruments that this event prices; cannot be undone by a failing observation."""
    observe: tuple[Block, ...]
    """What each part of the program observes; each commits by itself."""
    span: Span
    leg: str = ""
    """The leg whose working order it tells of, if it does."""

    @property
    def person(self) -> Field | None:
        """The field that is a person, if it has one."""
        return next((field for field in self.fields if field.people is not None), None)


class Cell(Record):
    """A named value in the snapshot. `initial` is None where the start blocks write it."""

    name: str
    type: Type
    unit: str
    low: Fraction | None
    high: Fraction | None
    initial: Exact
    kind: Literal["state", "observed", "memory", "ledger", "measure", "timer", "approval"]


class Window(Record):
    """The last `length` values that were pushed, oldest first."""

    name: str
    length: int
    waits: bool
    """Whether calls that read it are skipped until it is full."""


class Instrument(Record):
    """Something that can be held."""

    name: str
    unit: str
    price: str
    """The cell that holds its last mark."""


class Leg(Record):
    """A position in one instrument.

    `fill` books an accepted order: it reads the temp `after` (the quantity to reach) and binds `delta` (signed change of
    quantity), `notional`, `fee` and `slip` (money ≥ 0) for the order record.
    """

    name: str
    instrument: str
    side: Literal["long", "short", "both"]
    quantity: str
    fill: Block
    working: str = ""
    """Where fills come from outside, the cell of what is outstanding, and that of the number of its order."""
    order: str = ""


class State(Record):
    """A node of the statechart, in document order; `name` is unique in the program."""

    name: str
    parent: str | None
    kind: Literal["atomic", "compound", "parallel", "final", "history"]
    initial: tuple[str, ...]
    """Targets of the initial transition of a compound state, of the default transition of a history state."""
    initially: Block
    """What that transition does."""
    deep: bool
    """Whether a history state remembers leaves, not children."""
    stamp: Block
    """Notes the time of entry and arms the timers of the state; it cannot fail."""
    entry: Block
    exit: Block
    leave: Block
    """Disarms the timers of the state; it cannot fail."""
    fail_safe: str | None
    """Where an error in the state leads that nothing in it takes; None leaves it to the states around."""
    tags: tuple[str, ...]
    about: str
    span: Span


class Region(Record):
    """A part of the chart with a register: which of its `leaves` is active, if any.

    The outermost region is the whole chart; each child of a parallel state begins another. Leaves are the atomic, final
    and parallel states that are in no inner region, in document order.
    """

    root: str | None
    leaves: tuple[str, ...]


class Rule(Record):
    """A transition. `events` are event descriptors as written (`tick`, `error.*`); an eventless one has none.

    Without targets it exits and enters nothing. An internal one, from a compound state into it, does not leave its source.
    `approval` names the policy under which it waits for people; `oversight` is what a used spec says of its own.
    `engine.approvals` makes an `Approval` of them, which alone decides.
    """

    name: str
    source: str
    events: tuple[str, ...]
    guard: Expr | None
    targets: tuple[str, ...]
    internal: bool
    measure: Block
    """What the report books for a firing, from the values before it: it comes before the exits."""
    action: Block
    span: Span
    approval: str | None = None
    oversight: Oversight | None = None


class Timer(Record):
    """An event that comes at a time: of an `after` or `every`, or of a delayed `raise`.

    It is armed while its cell `due` (int64 nanoseconds) is not `NEVER`. Timers are declared in document order.
    """

    name: str
    event: str
    due: str
    period: Expr | None
    """Seconds after which it is due again, over the parameters; None of one that comes once."""
    fields: tuple[tuple[str, str], ...]
    """The cells that hold the fields of the event, by their qualified names."""
    span: Span
    person: str = ""
    """The cell that holds who brought the event that armed it, by index, if it keeps that; see `engine.approvals`."""


class Part(Record):
    """What belongs to one spec of a composition; a spec that uses no other is one part.

    `name` stands before the names of its cells, states and so on; it is empty for the spec itself.
    """

    name: str
    region: str | None
    """The state that its statechart is in: where its errors are seen. None is the whole chart, empty is no state."""
    begin: Block
    """Initial values that read the marks of the start event."""
    endow: Block
    """The capital, and opening quantities at the mark: cash moves, no fee."""
    endow_late: Block
    """The same for legs whose instrument is marked by what the event observes."""


class Ranking(Record):
    """A termination claim: while in `state`, each firing of `rule` multiplies `measure` by at most `factor`."""

    name: str
    state: str
    rule: str
    measure: Expr
    factor: Expr
    until: Expr
    within: Expr
    provided: Expr | None
    """Without this condition on the parameters `within` is not claimed."""
    span: Span


class Freshness(Record):
    """That an event came at most `within` seconds before now: `holds` is true then."""

    event: str
    within: Expr
    holds: Expr


class BoundCheck(Record):
    """A bound function that is asked for a verdict: it lets orders through where its `ok` is true.

    The call has no cells to keep results in. Later than `deadline_ns` (of the wall clock) no answer is a yes; with `isolate`
    the function runs in a process of its own, which is ended then.
    """

    call: Call
    deadline_ns: int | None
    isolate: bool


class Check(Record):
    """What a gate asks: it lets orders through where `condition` is true and what is bound says yes.

    Where the condition is `least <= value <= most`, these are given with their unit, to be told; a limit may be missing. It
    includes what `fresh` lists.
    """

    name: str
    condition: Expr
    value: Expr | None = None
    least: Expr | None = None
    most: Expr | None = None
    unit: str = ""
    fresh: tuple[Freshness, ...] = ()
    bound: BoundCheck | None = None


class Gate(Record):
    """Checks that orders must pass, evaluated on the machine as the orders of a microstep would leave it.

    `before` in them is the start of the macrostep. `legs` are those whose orders it judges; none stands for all.
    """

    name: str
    applies: Literal["increase", "reduce", "all"]
    checks: tuple[Check, ...]
    legs: tuple[str, ...] = ()

    def called(self, check: Check) -> str:
        """Return what one of its checks is called: `GATE.CHECK`."""
        return f"{self.name}.{check.name}"


class Person(Record):
    """Somebody who may approve, and the roles that he or she holds. In events and cells a person is an index."""

    name: str
    roles: tuple[str, ...]


class Policy(Record):
    """Under what a transition waits: whose approval it needs, of how many persons, and how long it waits for it."""

    name: str
    role: str
    persons: Literal[1, 2]
    within: Expr
    """Seconds, over the parameters."""
    again: Expr
    """Seconds after a no in which it is not asked again, over the parameters."""
    span: Span


class Approval(Record):
    """A transition that waits for people, and the cells of its proposal.

    A proposal waits while the cell `number` is not 0. `who` are the people who may approve it, by index.
    """

    rule: str
    source: str
    guard: Expr | None
    """The guard as it is written; that of the rule asks besides whether it may be proposed now."""
    always: bool
    """Whether it waits in any case, or only where it enlarges a leg."""
    role: str
    persons: Literal[1, 2]
    who: tuple[int, ...]
    within: Expr
    again: Expr
    timer: str
    number: str
    due: str
    proposer: str
    """Holds an index, or −1 where no person brought the event."""
    approver: str
    """Holds the first of two who approve, or −1."""
    free: str
    """Holds from when on it may be proposed again, in nanoseconds."""
    shown: tuple[tuple[str, str], ...]
    """By leg the cell of the signed change that was shown."""
    evidence: tuple[tuple[str, str], ...]
    """By cell that the guard reads the cell that keeps what it was."""


class Report(Record):
    """What the report of a run declares: measure cells by rule, and limits over the parameters."""

    measures: tuple[tuple[str, tuple[str, ...]], ...] = ()
    limits: tuple[tuple[str, Expr], ...] = ()


class Program(Record):
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
    initial: tuple[str, ...]
    """The states that are entered first."""
    regions: tuple[Region, ...]
    states: tuple[State, ...]
    rules: tuple[Rule, ...]
    timers: tuple[Timer, ...]
    parts: tuple[Part, ...]
    start_event: str | None
    """The only event that can start the machine; None where any accepted one does."""
    accrue: Block
    """Carry up to now, at the marks before the event."""
    fail_safe: str | None
    invariants: tuple[tuple[str, Expr], ...]
    helpers: tuple[tuple[str, Expr], ...]
    rankings: tuple[Ranking, ...]
    report: Report = Report()
    gates: tuple[Gate, ...] = ()
    people: tuple[Person, ...] = ()
    oversight: Oversight | None = None
    policies: tuple[Policy, ...] = ()
    approvals: tuple[Approval, ...] = ()
    """Made of the four before and of the rules, once the program is of one piece."""
    outlook: Block = ()
    """Fills working orders on a copy of the machine, for gates to judge."""

    @property
    def check_names(self) -> tuple[str, ...]:
        """What the checks of all gates are called, in order; that a leg has no working order counts as one."""
        checks = (gate.called(check) for gate in self.gates for check in gate.checks)
        return (*checks, *(leg.working for leg in self.legs if leg.working))

    @property
    def conditions(self) -> tuple[Expr, ...]:
        """What the checks of all gates ask, in order."""
        return tuple(check.condition for gate in self.gates for check in gate.checks)

    @property
    def calls(self) -> tuple[Call, ...]:
        """Every call of a bound function whose results are kept."""
        blocks = [block for event in self.events for block in event.observe]
        blocks += [block for state in self.states for block in (state.initially, state.entry, state.exit)]
        blocks += [rule.action for rule in self.rules]
        return tuple(each for block in blocks for each in block if isinstance(each, Call))

    @property
    def questions(self) -> tuple[BoundCheck, ...]:
        """Every check that asks a bound function."""
        checks = (check.bound for gate in self.gates for check in gate.checks)
        return tuple(bound for bound in checks if bound is not None)

    @property
    def functions(self) -> tuple[str, ...]:
        """The bound functions that it calls or asks, each once."""
        calls = (*self.calls, *(question.call for question in self.questions))
        return tuple(dict.fromkeys(call.function for call in calls))

    @property
    def unsettled(self) -> tuple[str, ...]:
        """The cells of what was filled since the last mark, or is not filled yet; none where fills settle at once."""
        suffix = ".working" if self.fill == "external" else ".unsettled"
        return tuple(cell.name for cell in self.cells if cell.kind == "ledger" and cell.name.endswith(suffix))

    def event(self, name: str) -> Event:
        return next(event for event in self.events if event.name == name)

    def state(self, name: str) -> State:
        return next(state for state in self.states if state.name == name)

    def leg(self, name: str) -> Leg:
        return next(leg for leg in self.legs if leg.name == name)
