"""Gates that are off in a mode, and gates that are shut for good.

A *mode* is what a check asks of the states: those that are active while it judges, and that were when the event came. In
each mode a check is taken by itself, over all values that its cells and the params may have, whatever the machine does:

- it is *off* there if it says yes to all of them: `In(winding_down) or gross <= most` while winding down;
- it is *shut* there if it says no to all of them: `not In(open)` while that is open.

Where a check limits something, which is off in no mode or is neither in some, being off where an order is judged is a
mistake, unless another check limits the same figures there: a tighter limit for one mode stands beside the one for all. A
check that knows nothing but modes is a lock; it is a mistake only if it is off in all of them. And a check that is shut in
all of them lets nothing through.

This is about how a check is written, not about what the machine orders: a limit that a strategy never comes near is no
mistake. What no solver answers counts as neither off nor shut.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence, Set
from functools import cached_property, partial
from typing import Literal, NamedTuple

from ..ir import Check, Expr, Gate
from ..work import is_judged
from .execution import Machine
from .kinds import KINDS, Kind, Property
from .outcome import Outcome, Passed

__all__ = ["Gates"]

_COMPARISONS = frozenset(("lt", "le", "gt", "ge", "eq", "ne"))
_LEAVES = frozenset(("cell", "before", "now"))


class Mode(NamedTuple):
    """The states that are active while a check judges, and that were when the event came, of those that it asks for."""

    active: frozenset[str]
    was: frozenset[str]


class Gates:
    """Makes the properties of the gates of a program, from all its outcomes."""

    def __init__(self, machine: Machine, outcomes: Sequence[Outcome]) -> None:
        self.machine, self.outcomes = machine, outcomes
        # What a bound function answers is not known: it is neither off nor shut.
        self.asked = [
            _Asked(machine, outcomes, gate, check)
            for gate in machine.program.gates
            for check in gate.checks
            if check.bound is None
        ]

    def all(self, traded: Set[str]) -> Iterator[Property]:
        """Yield the properties of the checks that judge a leg which something orders."""
        for each in self.asked:
            if not traded.isdisjoint(each.legs):
                yield self._property("gate", each.name, partial(self._on, each))
                yield self._property("passes", each.name, partial(self._open, each))

    def _property(self, kind: Kind, name: str, claims: Callable[[Outcome], Iterator[Expr]]) -> Property:
        return Property(kind, name, KINDS[kind].words.format(name), claims, portable=True)

    def _on(self, asked: _Asked, outcome: Outcome) -> Iterator[Expr]:
        """Yield that no order passes a check where it is off."""
        for passed in outcome.passed:
            judged = [change for change in passed.changes if is_judged(asked.gate, change)]
            if judged and asked.is_off(passed):
                beside = (
                    other
                    for other in self.asked
                    if other is not asked and all(is_judged(other.gate, change) for change in judged)
                )
                if not any(asked.is_within(other) and not other.is_off(passed) for other in beside):
                    yield self.machine.algebra.false

    def _open(self, asked: _Asked, outcome: Outcome) -> Iterator[Expr]:
        """Yield that a check which lets nothing through has stopped nothing."""
        if asked.name in outcome.stopped and asked.is_shut:
            yield self.machine.algebra.false


class _Asked:
    """One check, and what it says in each mode."""

    def __init__(self, machine: Machine, outcomes: Sequence[Outcome], gate: Gate, check: Check) -> None:
        self.machine, self.outcomes = machine, outcomes
        self.gate, self.condition = gate, check.condition
        self.name = gate.called(check)
        self.states = frozenset(node.name for node in check.condition.walk() if node.op in ("active", "was"))
        self.legs = gate.legs or tuple(leg.name for leg in machine.program.legs)

    @cached_property
    def figures(self) -> frozenset[int]:
        """What is compared, by the identity of the expressions; parameters and constants are no figures."""
        nodes = tuple(self.condition.walk())
        compared = {id(side): side for node in nodes if node.op in _COMPARISONS for side in node.args}
        flags = {id(node) for node in nodes if node.op in _LEAVES and node.type == "bool"}
        return frozenset(key for key, side in compared.items() if any(n.op in _LEAVES for n in side.walk())) | flags

    @cached_property
    def says(self) -> dict[Mode, Literal["off", "shut", "either"]]:
        """What the check says in each mode that an outcome leaves or passes."""
        modes = [self._mode(each.active, each.was) for outcome in self.outcomes for each in outcome.passed]
        modes += [self._mode(outcome.active, outcome.was) for outcome in self.outcomes]
        return {mode: self._said(mode) for mode in dict.fromkeys(modes)}

    def _mode(self, active: frozenset[str], was: frozenset[str]) -> Mode:
        return Mode(active & self.states, was & self.states)

    def _said(self, mode: Mode) -> Literal["off", "shut", "either"]:
        machine = self.machine
        possible, known = machine.explorer.possible, (*machine.parameters(), *machine.ranges())
        holds = machine.asked(self.condition, mode.active, mode.was, self.legs)
        no, yes = possible(((*known, machine.algebra.negation(holds)), (*known, holds)))
        return "off" if not no else "either" if yes else "shut"

    def is_within(self, other: _Asked) -> bool:
        """Return whether another check compares all figures that this one does, of which there are some."""
        return bool(self.figures) and self.figures <= other.figures

    def is_off(self, passed: Passed) -> bool:
        """Return whether the check cannot say no where orders have passed it, and could elsewhere or should somewhere."""
        said = set(self.says.values())
        is_lock = "shut" in said and "either" not in said
        return not is_lock and self.says.get(self._mode(passed.active, passed.was)) == "off"

    @cached_property
    def is_shut(self) -> bool:
        """Return whether the check says no in every mode."""
        return set(self.says.values()) == {"shut"}
