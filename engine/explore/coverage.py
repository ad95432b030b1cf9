"""What walks have reached: states, transitions, and pairs of transitions.

A pair (b, a) is reached when a has fired and b was the last transition before it, in whatever region. One register for the
whole machine, and not one a region: what people get wrong is how regions meet, and a pair of one region alone would not
see a breaker trip right after the strategy beside it has traded.

The chart alone says that some pairs cannot be: a cannot fire next where its source cannot be active once b has fired.
What is left is an upper bound; guards may rule out more.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from ..chart import FAIL_SAFE
from ..ir import Program, Rule
from ..statechart import ROOT, Tree

__all__ = ["Chart", "Coverage"]

Counts = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


class Chart:
    """What a program's chart says before anything is run."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.tree = Tree(program.states)
        self.states = tuple(state.name for state in program.states if state.kind in ("atomic", "final"))
        self.rules = tuple(rule.name for rule in program.rules)
        self.numbers = {name: number for number, name in enumerate((*self.rules, FAIL_SAFE))}
        """The number of each transition; the way to a fail-safe state comes after all rules."""
        self.places = {name: place for place, name in enumerate(self.states)}
        self.begun = self._flags(self.tree.entry_set(program.initial, ROOT, {}).states)
        """The states that a machine starts in."""
        self.entered = np.zeros((len(self.rules), len(self.states)), np.bool_)
        """The states that each transition enters whenever it fires; what a history state enters is not known here."""
        self._active: list[frozenset[str] | None] = []
        """The states that are active for sure once each rule has fired; None where that is not known."""
        for number, rule in enumerate(program.rules):
            self._active.append(self._after(number, rule))
        self.possible = self._possible()

    def _flags(self, names: Collection[str]) -> Flags:
        return np.array([name in names for name in self.states], np.bool_)

    def _after(self, number: int, rule: Rule) -> frozenset[str] | None:
        tree = self.tree
        around = (rule.source, *tree.ancestors[rule.source])
        if not rule.targets:
            # What fires beside it may leave its source, where there is another region to fire in.
            return None if any(state.kind == "parallel" for state in self.program.states) else frozenset(around)
        domain = tree.domain(rule, {})
        entry = tree.entry_set(rule.targets, ROOT if domain is None else domain, {})
        if entry.history:
            return None
        self.entered[number] = self._flags(entry.states)
        above = () if domain in (None, ROOT) else (domain, *tree.ancestors[domain])
        return frozenset((*entry.states, *above))

    def _possible(self) -> Flags:
        """Return (R, R): whether the chart allows each pair."""
        found = np.ones((len(self.rules), len(self.rules)), np.bool_)
        for b, active in enumerate(self._active):
            if active is None:
                continue
            ended = any(self.tree.kind(state) == "final" and self.tree.parent(state) == ROOT for state in active)
            for a, rule in enumerate(self.program.rules):
                follows = not ended and all(self._together(rule.source, state) for state in active)
                found[b, a] = follows or self._in_one_microstep(self.program.rules[b], rule)
        return found

    def _in_one_microstep(self, first: Rule, second: Rule) -> bool:
        """Return whether two leaves may select two transitions that fire together, whatever the first of them leaves.

        With targets both leave states, and fire together in different regions only; one without a target leaves none.
        """
        if second.targets:
            return self._beside(first.source, second.source)
        for state, kind in ((state.name, state.kind) for state in self.program.states):
            if kind == "parallel":
                one, other = self._regions(first.source, state), self._regions(second.source, state)
                if one and other and len(one | other) > 1:
                    return True
        return False

    def _regions(self, source: str, parallel: str) -> frozenset[str]:
        """Return the regions of a parallel state in which leaves of a source may be."""
        tree = self.tree
        around = (source, *tree.ancestors[source])
        children = tree.children[parallel]
        if source == parallel or source in tree.ancestors[parallel]:
            return frozenset(children)
        return frozenset(name for name in children if name in around)

    def _together(self, one: str, other: str) -> bool:
        """Return whether two states can be active at once."""
        tree = self.tree
        if one == other or one in tree.ancestors[other]:
            return True
        return other in tree.ancestors[one] or self._beside(one, other)

    def _beside(self, one: str, other: str) -> bool:
        """Return whether two states are in two regions of one parallel state."""
        tree = self.tree
        if one == other or one in tree.ancestors[other] or other in tree.ancestors[one]:
            return False
        beside = next(name for name in (*tree.ancestors[one], ROOT) if name == ROOT or name in tree.ancestors[other])
        return beside != ROOT and tree.kind(beside) == "parallel"


@dataclass(eq=False)
class Coverage:
    """What was reached, and how often.

    `steps` counts events sent, `refused` those that the machine did not take, `handed` those that native code gave to the
    reference. `fired` is (R + 1,), how often each transition fired, and last how often an error led to a fail-safe state.
    `pairs` is (R + 1, R + 1), whether the second fired right after the first. `states` is (L,), whether each atomic or
    final state was entered. `broken` is (I,), after how many events each invariant did not hold.
    """

    chart: Chart
    steps: int = 0
    refused: int = 0
    handed: int = 0
    fired: Counts = field(init=False)
    pairs: Flags = field(init=False)
    states: Flags = field(init=False)
    broken: Counts = field(init=False)

    def __post_init__(self) -> None:
        many = len(self.chart.rules) + 1
        self.fired = np.zeros(many, np.int64)
        self.pairs = np.zeros((many, many), np.bool_)
        self.states = np.zeros(len(self.chart.states), np.bool_)
        self.broken = np.zeros(len(self.chart.program.invariants), np.int64)

    def add(self, other: Coverage) -> None:
        """Take in what another one has reached."""
        self.steps, self.refused, self.handed = (
            self.steps + other.steps, self.refused + other.refused, self.handed + other.handed,
        )  # fmt: skip
        self.fired += other.fired
        self.pairs |= other.pairs
        self.states |= other.states
        self.broken += other.broken
