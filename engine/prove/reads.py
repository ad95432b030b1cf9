"""What a guard depends on: the cells and fields that it reads, what those are made of, and so on to the end.

    exit_step  reads  anchor, which is  index.price, which is  tick.price

A cell depends on every expression that is written to it, and on the guard of the transition that writes it. A quantity
depends on the orders for its leg, the books on what fills write, the result of a bound function on its arguments and the
windows among them, a raised field on what it was raised with, and `In(s)` on the guards that lead into `s` or out of it.

Left out is what is not read: which candidate came first, and that something else in the same list has failed.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from ..ir import Assign, Block, Call, Expr, Let, Program, Propose, Push, Raise, Require, Source

__all__ = ["Reads", "books", "books_read", "reads"]

_READ = frozenset(("cell", "before", "field"))


@dataclass(frozen=True, slots=True)
class Reads:
    """What a guard depends on; `readers` maps each name to the one it is read for, "" where that is the guard itself."""

    rule: str
    readers: Mapping[str, str]

    @property
    def names(self) -> frozenset[str]:
        return frozenset(self.readers)

    def way(self, name: str) -> tuple[str, ...]:
        """Return how the guard comes to depend on a name: what it reads itself first, the name last.

        Raises:
            KeyError: it does not depend on it.
        """
        way = [name]
        while reader := self.readers[way[-1]]:
            way.append(reader)
        return tuple(reversed(way))


def reads(program: Program, rule: str, *, up_to: Collection[str] = ()) -> Reads:
    """Return what the guard of a transition depends on.

    Args:
        program: what runs.
        rule: the name of the transition.
        up_to: names whose own making is not looked into.

    Raises:
        KeyError: there is no such transition.
    """
    guards = {each.name: each.guard for each in program.rules}
    guard, made_of = guards[rule], _Makings(program).made_of
    readers: dict[str, str] = {}
    waiting: deque[tuple[str, str]] = deque((name, "") for name in _leaves(guard))
    while waiting:
        name, reader = waiting.popleft()
        if name not in readers:
            readers[name] = reader
            if name not in up_to:
                waiting += ((each, name) for each in made_of.get(name, ()))
    # INVARIANT: breadth first, so every way is as short as can be.
    return Reads(rule, readers)


def books(program: Program) -> frozenset[str]:
    """Return the cells that say what a strategy has gained or lost: cash, costs, averages, realised P&L, measures.

    The equity, a profit and a drawdown are computed from them, so that who reads one of those reads one of these.
    """
    positions = {leg.quantity for leg in program.legs} | {instrument.price for instrument in program.instruments}
    return frozenset(cell.name for cell in program.cells if cell.kind in ("ledger", "measure")) - positions


def books_read(program: Program, rule: str, *, through_quantities: bool = False) -> tuple[tuple[str, ...], ...]:
    """Return every way in which the guard of a transition depends on the books; none is what "no price stop" means.

    A quantity is what past orders made of it, and those may have looked at anything. So quantities are not looked into, but
    for `through_quantities`: then nothing that the guard knows, however it came about, may rest on the books.

    Raises:
        KeyError: there is no such transition.
    """
    quantities = () if through_quantities else {leg.quantity for leg in program.legs}
    found = reads(program, rule, up_to=quantities)
    return tuple(found.way(name) for name in found.readers if name in books(program))


def _leaves(*exprs: Expr | None) -> dict[str, None]:
    """Return the names that expressions read, in their order; `In(s)` and `was(s)` as such."""
    found: dict[str, None] = {}
    for expr in exprs:
        for node in () if expr is None else expr.walk():
            if node.op in _READ:
                found[node.name] = None
            elif node.op in ("active", "was"):
                found[f"In({node.name})"] = None
    return found


class _Makings:
    """What every cell, field, window and state of a program is made of, one step back."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.made_of: dict[str, dict[str, None]] = {}
        self.parents = {state.name: state.parent for state in program.states}
        self._transitions()
        self._outside_transitions()
        for timer in program.timers:
            for name, cell in timer.fields:
                self._made(name, (cell,))

    def _made(self, name: str, of: Iterable[str]) -> None:
        self.made_of.setdefault(name, {}).update(dict.fromkeys(of))

    def _transitions(self) -> None:
        """Note what transitions write: what they compute with, and their guards."""
        for rule in self.program.rules:
            for block in (rule.measure, rule.action):
                self._block(block, _leaves(rule.guard))
        for state in self.program.states:
            into = _leaves(*(rule.guard for rule in self.program.rules if self._leads(rule.targets, state.name)))
            out = _leaves(*(rule.guard for rule in self.program.rules if self._leads((rule.source,), state.name)))
            for block in (state.stamp, state.entry, state.initially):
                self._block(block, into)
            for block in (state.exit, state.leave):
                self._block(block, out)
            self._made(f"In({state.name})", into | out)

    def _leads(self, ends: Iterable[str], state: str) -> bool:
        """Return whether a transition with such an end may enter or leave a state: one is around the other."""
        return any(state in self._around(end) or end in self._around(state) for end in ends)

    def _around(self, state: str) -> Iterator[str]:
        found: str | None = state
        while found is not None:
            yield found
            found = self.parents[found]

    def _outside_transitions(self) -> None:
        for event in self.program.events:
            for block in (event.marks, *event.observe):
                self._block(block, {})
        for part in self.program.parts:
            for block in (part.begin, part.endow, part.endow_late):
                self._block(block, {})
        self._block(self.program.accrue, {})
        for leg in self.program.legs:
            # The quantity to reach is what orders ask for, see `Propose`.
            self._block(leg.fill, {}, {"after": {_target(leg.name): None}})

    def _block(
        self, block: Block, condition: Mapping[str, None], temps: Mapping[str, Mapping[str, None]] | None = None
    ) -> None:
        known = dict(temps or {})
        condition = dict(condition)

        def of(*exprs: Expr) -> dict[str, None]:
            found = _leaves(*exprs)
            for expr in exprs:
                for node in expr.walk():
                    if node.op == "temp":
                        found.update(known.get(node.name, {}))
            return found

        for instruction in block:
            match instruction:
                case Let(temp, value):
                    known[temp] = of(value)
                case Assign(targets):
                    for cell, value in targets:
                        self._made(cell, of(value) | condition)
                case Require(required):
                    condition.update(of(required))
                case Propose(leg=leg, after=after):
                    self._made(_target(leg), of(after) | condition)
                case Raise(event, pairs):
                    for field, value in pairs:
                        self._made(f"{event}.{field}", of(value) | condition)
                case Push(window, value):
                    self._made(_window(window), of(value) | condition)
                case Call():
                    self._call(instruction, condition, of(*_expressions(instruction)))

    def _call(self, call: Call, condition: Mapping[str, None], arguments: Mapping[str, None]) -> None:
        views = (each.text for _, each in call.arguments if isinstance(each, Source) and each.kind == "window")
        windows = dict.fromkeys(map(_window, (*views, *call.waits)))
        for _, cell in call.into:
            self._made(cell, {**arguments, **windows, **condition})


def _expressions(call: Call) -> tuple[Expr, ...]:
    return tuple(each for _, each in call.arguments if isinstance(each, Expr))


def _target(leg: str) -> str:
    return f"orders for {leg}"


def _window(window: str) -> str:
    return f"window {window}"
