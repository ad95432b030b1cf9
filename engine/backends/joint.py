"""A method of a machine with several registers: select in each region, then fire what was selected together.

while True:                                     # the region `strategy`, in document order with the others
    if r1_ == 0:
        if abs_(price - c5_) >= h2_ * ...:      # up
            s1_ = 3
            break
    break
...
if s1_ < 0 and s2_ < 0:
    return self.q_                              # nothing fires
...                                             # the microstep, see there

Every guard reads the state before the microstep. A transition stands once, and its number tells the rest of the method
that it was selected; so the code is as long as the transitions are many, and never as the regions multiplied. Only
transitions within one region are generated: where another one is selected, the reference fires it.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..ir import Event, Rule
from .expressions import Lines, Values
from .instructions import Instructions
from .layout import Firing
from .microstep import Microstep, Numbered

__all__ = ["Joint"]

_SPARE = 500
"""How many more firings than transitions a method may always have."""
_LEFT = -2
"""What stands for no transition around a region where its outer ones are asked next."""
_REFERENCE = -3
"""What stands for a transition that is left to the reference."""


class Joint:
    """Writes the part of an event's method that comes after the observation."""

    def __init__(self, write: Instructions, event: Event) -> None:
        self.write, self.layout = write, write.layout
        self.matched = self.layout.matched(event.name)
        self.own: list[dict[str, list[Rule]]] = [{} for _ in self.layout.regions]
        """Those of the states with atomic leaves, by region."""
        for state, rules in self.matched.items():
            if self._is_around_atoms(state):
                self.own[self.layout.homes[state].region][state] = rules
        self.numbered: list[list[Numbered]] = [[] for _ in self.layout.regions]
        """What each region may select, by number."""
        self.outer: dict[int, list[Rule]] = {}
        """The transitions around the regions inside a region, by the number under which they are selected there."""
        self.starts: dict[int, list[Values]] = {}
        self.handed: set[int] = set()
        """Regions with such a transition that is left to the reference."""
        self.budget = _SPARE + sum(map(len, self.matched.values()))
        """How many more firings than transitions there may still be: one for each leaf that a transition leaves."""

    def emit(self, code: Lines, values: Values) -> None:
        self.write.eventless_anywhere(code, values)
        selecting = [region for region in range(len(self.layout.regions)) if self._select(code, values, region)]
        firing = [region for region in selecting if self.numbered[region]]
        if not firing:
            self._finish_quietly(code, values)
            return
        with code.block(f"if {' and '.join(f's{region}_ < 0' for region in firing)}:"):
            self._finish_quietly(code, values.copy())
        Microstep(self.write, self.numbered, firing).emit(code, values)

    def _is_around_atoms(self, state: str) -> bool:
        """Return whether a state is an atomic leaf of its region, or around one."""
        region, low, high = self.layout.homes[state]
        return any(map(self.layout.tree.is_atomic, self.layout.regions[region].leaves[low:high]))

    # ---------------------------------------------------------------------------------------------------- the selection

    def _inside(self, values: Values, region: int) -> Values:
        """Return what is known where a region is active."""
        inner = values.copy()
        for outer, (_, low, high) in self.layout.around(region).items():
            inner.now = inner.now.narrowed(outer, low, high)
        inner.was = inner.now
        return inner

    def _select(self, code: Lines, values: Values, region: int) -> bool:
        """Write what selects the transition of a region, and of those around the regions inside it.

        Returns:
            Whether the region may select one.
        """
        self._select_around(code, values, region)
        around = self._chosen_outside(region)
        atomic = any(map(self.layout.tree.is_atomic, self.layout.regions[region].leaves))
        if not atomic or not (self.own[region] or around):
            return False
        name, register = f"s{region}_", self.write.registers[region]
        code.add(f"{name} = -1")
        with code.block("while True:"):
            inner = self._inside(values, region)
            aside = [*(() if self.layout.steady[region] else (-1,)), *self.layout.parallels(region)]
            if aside:
                with code.block(f"if {' or '.join(f'{register} == {index}' for index in aside)}:"):
                    code.add("break")
                low, high = inner.now.ranges[region]
                inner.now = inner.was = inner.now.narrowed(region, max(low, 0), high)

            def visit(code: Lines, values: Values, state: str) -> None:
                self._ask(code, values, region, state)

            self.write.walk(code, inner, region, self.own[region], visit)
            self._take_outer(code, region, around)
            code.add("break")
        return True

    def _ask(self, code: Lines, values: Values, region: int, state: str) -> None:
        """Ask the transitions of one active state in turn."""
        for rule in self.matched[state]:
            if rule.guard is None:
                self._choose(code, values, region, rule)
                return
            condition = self.write.expression(code, values, rule.guard)
            with code.block(f"if {condition}:"):
                self._choose(code, values.copy(), region, rule)

    def _choose(self, code: Lines, values: Values, region: int, rule: Rule) -> None:
        firings = self._firings(rule, region)
        if firings is None:
            code.add(self.write.defer)
            return
        first = len(self.numbered[region])
        self.numbered[region] += [Numbered(firing, values.copy()) for firing in firings]
        low = self.layout.homes[rule.source].low
        number = f"{self.write.registers[region]} + {first - low}" if len(firings) > 1 else str(first)
        code.add(f"s{region}_ = {number}")
        code.add("break")

    def _select_around(self, code: Lines, values: Values, region: int) -> None:
        """Select the transition of a parallel leaf and the states around it, for the regions inside that find none."""
        leaves = self.layout.regions[region].leaves
        asked = [
            index
            for index in self.layout.parallels(region)
            if any(name in self.matched for name in self.layout.chains[leaves[index]])
        ]
        if not asked:
            return
        self.outer[region], self.starts[region] = [], []
        local = f"u{region}_"
        code.add(f"{local} = {_LEFT if self._chosen_outside(region) else -1}")
        with code.block("while True:"):
            inner = self._inside(values, region)

            def emit(position: int) -> None:
                index = asked[position]
                here = inner.narrowed(region, index, index + 1)
                for state in self.layout.chains[leaves[index]]:
                    if state in self.matched:
                        self._ask_around(code, here, region, leaves[index], state)

            register, known = self.write.registers[region], values.now.ranges[region]
            self.write.dispatch(code, register, known, [(index, index + 1) for index in asked], emit)
            code.add("break")

    def _ask_around(self, code: Lines, values: Values, region: int, leaf: str, state: str) -> None:
        def choose(values: Values, rule: Rule) -> None:
            if rule.targets or not self._is_native(self.layout.firing(rule, leaf), region):
                code.add(f"u{region}_ = {_REFERENCE}")
                self.handed.add(region)
            else:
                code.add(f"u{region}_ = {len(self.outer[region])}")
                self.outer[region].append(rule)
                self.starts[region].append(values)
            code.add("break")

        for rule in self.matched[state]:
            if rule.guard is None:
                choose(values.copy(), rule)
                return
            condition = self.write.expression(code, values, rule.guard)
            with code.block(f"if {condition}:"):
                choose(values.copy(), rule)

    def _chosen_outside(self, region: int) -> list[int]:
        """Return the regions around a region where a transition of a state around it was selected, inner first."""
        return [outer for outer in self.layout.around(region) if outer in self.outer]

    def _take_outer(self, code: Lines, region: int, around: Sequence[int]) -> None:
        """Take the transition selected around a region that selects none of its own; it fires once for all of them."""
        for position, outer in enumerate(around):
            local, last = f"u{outer}_", position == len(around) - 1
            first = len(self.numbered[region])
            for rule, values in zip(self.outer[outer], self.starts[outer], strict=True):
                leaf = next(leaf for leaf in self.layout.regions[region].leaves if self.layout.tree.is_atomic(leaf))
                self.numbered[region].append(Numbered(self.layout.firing(rule, leaf), values.copy()))
            if outer in self.handed:
                with code.block(f"if {local} == {_REFERENCE}:"):
                    code.add(self.write.defer)
            if self.outer[outer]:
                with code.block(f"if {local} >= 0:"):
                    code.add(f"s{region}_ = {local} + {first}")
                    code.add(f"{local} = -1")
                    code.add("break")
            if not last:
                with code.block(f"if {local} == -1:"):
                    code.add("break")

    # ------------------------------------------------------------------------------------------------------ its firings

    def _firings(self, rule: Rule, region: int) -> list[Firing] | None:
        """Return how a transition fires from each leaf of its source, or once for all of them where that is the same.

        None where it is left to the reference.
        """
        firings = self.layout.firings(rule)
        if len(firings) - 1 > self.budget:
            return None
        self.budget -= len(firings) - 1
        return firings if all(self._is_native(firing, region) for firing in firings) else None

    def _is_native(self, firing: Firing, region: int) -> bool:
        """Return whether a firing asks for no states of regions beside its own."""
        if not firing.native or (firing.after is not None and self._is_final(region, firing.after)):
            return False
        return self.layout.asked(firing) <= {region, *self.layout.around(region)}

    def _is_final(self, region: int, leaf: int) -> bool:
        return self.layout.tree.kind(self.layout.regions[region].leaves[leaf]) == "final"

    def _finish_quietly(self, code: Lines, values: Values) -> None:
        write = self.write
        broken = write.judge(code, values)
        write.store(code, ((cell, values.cells[cell]) for cell in values.written))
        write.end(code)
        code.add(f"return told_(self.q_, (), {broken}) if {broken} else self.q_" if broken else "return self.q_")
