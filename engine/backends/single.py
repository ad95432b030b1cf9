"""A method of a machine with one register: a tree of branches by the active leaf, and in each all that may happen there.

if r0_ < 1:                                 # active
    if abs_(price - c5_) >= h2_ * ...:      # up
        ...
        self.c5_ = price
        self.t_ = time_
        return k1_
    return k0_
"""

from __future__ import annotations

from ..ir import Event, Rule
from ..step import Step
from .expressions import Lines, Values
from .instructions import Instructions
from .layout import Layout

__all__ = ["Single", "size"]


class Single:
    """Writes the part of an event's method that comes after the observation."""

    def __init__(self, write: Instructions, event: Event) -> None:
        self.write, self.layout = write, write.layout
        self.leaves = self.layout.regions[0].leaves
        self.matched = self.layout.matched(event.name)

    def emit(self, code: Lines, values: Values) -> None:
        entries = self._entries()

        def emit(index: int) -> None:
            low, high = entries[index]
            inner = values.narrowed(0, low, high)
            if high - low == 1:
                self._leaf(code, inner, low)
            else:
                self._finish(code, inner, None, [])

        self.write.dispatch(code, "r0_", (0, len(self.leaves)), entries, emit)

    def _entries(self) -> list[tuple[int, int]]:
        """Return the leaves by what is written for them: those in which nothing can happen are taken together."""
        entries: list[tuple[int, int]] = []
        dull = False
        for index, leaf in enumerate(self.leaves):
            chain = self.layout.chains[leaf]
            after_dull = dull
            dull = leaf not in self.layout.finals and not any(map(self._may_act, chain))
            if dull and after_dull:
                entries[-1] = (entries[-1][0], index + 1)
            else:
                entries.append((index, index + 1))
        return entries

    def _may_act(self, state: str) -> bool:
        return state in self.matched or state in self.layout.always

    def _leaf(self, code: Lines, values: Values, index: int) -> None:
        write, leaf = self.write, self.leaves[index]
        if leaf in self.layout.finals:
            code.add(write.defer)
            return
        chain = self.layout.chains[leaf]
        write.eventless(code, values, chain)
        for rule in (rule for name in chain for rule in self.matched.get(name, ())):
            if rule.guard is None:
                self._fire(code, values, rule, leaf)
                return
            condition = write.expression(code, values, rule.guard)
            with code.block(f"if {condition}:"):
                self._fire(code, values.copy(), rule, leaf)
        self._finish(code, values, None, [])

    def _fire(self, code: Lines, values: Values, rule: Rule, leaf: str) -> None:
        write, firing = self.write, self.layout.firing(rule, leaf)
        if not firing.native:
            code.add(write.defer)
            return
        observed, values.written = values.written, {}
        proposals = [proposal for acts in firing.acts for proposal in write.acts(code, values, acts, rule.name)]
        after = self.layout.homes[leaf].low if firing.after is None else firing.after
        write.move(values, values.was.narrowed(0, after, after + 1))
        placed = write.fills(code, values, proposals)
        orders = [each.records for each in placed]
        write.check(code, values, values.written)
        values.written = {**observed, **values.written}
        values.ordered = " or ".join(orders) if orders else "False"
        write.pass_gates(code, values, placed)
        if self.leaves[after] not in self.layout.finals:
            write.eventless(code, values, self.layout.chains[self.leaves[after]])
        self._finish(code, values, rule, orders)

    def _finish(self, code: Lines, values: Values, rule: Rule | None, orders: list[str]) -> None:
        """Judge the invariants, store what was written, and return the step."""
        write = self.write
        broken = write.judge(code, values)
        write.store(code, ((cell, values.cells[cell]) for cell in values.written))
        (before, end), (after, _) = values.was.ranges[0], values.now.ranges[0]
        if after != before:
            code.add(f"self.r0_ = {after}")
        write.end(code)
        if end - before > 1:
            step = f"{write.quiet_steps(self.leaves)}[r0_]"
            told = f"told_({step}, (), {broken})"
        else:
            did = f"{() if rule is None else (rule.name,)!r}, {(self.leaves[before],)!r}, {(self.leaves[after],)!r}"
            step = write.constant(f"Step_({did})")
            rest = ", ()" * (len(Step._fields) - 8)  # what no generated method does
            told = f"new_(Step_, ({did}, {' + '.join(orders) or '()'}, (), None, (), {broken or '()'}{rest}))"
        if orders:
            code.add(f"return {told}")
        else:
            code.add(f"return {told} if {broken} else {step}" if broken else f"return {step}")


def size(layout: Layout, event: str) -> tuple[int, int]:
    """Return of how many transitions such a method consists, and how many there are of them.

    A transition of a state around many leaves stands once in each of their branches.
    """
    matched = layout.matched(event)
    branches = sum(len(matched.get(name, ())) for leaf in layout.regions[0].leaves for name in layout.chains[leaf])
    return branches, sum(map(len, matched.values()))
