"""What an event selects, and what fires together: the microstep of several regions as one path.

    select:     s0 = s1 = -1
                switch r1: the transitions of the active state and of those around it, inner first   -> s1
                ...
    fire:       switch s1: measure, exit, act, enter                           the parts in the order of Appendix D
                switch s2: ...
                orders; checks

A transition stands once, and a number tells that it was selected. Those that move more than the register of their own
region are the reference's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from ...ir import Assign, Block, Rule
from ..layout import ENTRY, Firing, Layout, parts_of
from .blocks import Blocks
from .slots import RUNNING, STOPPED

__all__ = ["Chart"]


class Chart:
    """Writes selections and the microstep of a kernel."""

    def __init__(self, write: Blocks, layout: Layout) -> None:
        self.write, self.layout, self.code = write, layout, write.code
        self.rules = {rule.name: index for index, rule in enumerate(write.program.rules)}
        self.numbered: list[list[Firing]] = [[] for _ in layout.regions]
        """What each region may fire, by number."""
        self._numbers: dict[str, tuple[int, int] | None] = {}
        for region in range(len(layout.regions)):
            self.code.declare(f"s{region}", "i64")

    # ------------------------------------------------------------------------------------------------------- selections

    def select(self, rules: Mapping[str, Sequence[Rule]], fire: str, nothing: str) -> None:
        """Write a selection among transitions by their source: go on at `fire` with what was found, else at `nothing`."""
        code = self.code
        for region in range(len(self.layout.regions)):
            code.set(f"s{region}", "-1")
        asked = {
            region: leaves for region in range(len(self.layout.regions)) if (leaves := self._asking(region, rules))
        }
        if len(asked) == 1:
            [(region, leaves)] = asked.items()
            self._select(region, leaves, rules, fire, nothing)
            return
        found = "false"
        for region, leaves in asked.items():
            done = code.new_label("selected")
            self._select(region, leaves, rules, done, done)
            self.write.begin(done)
        for region in asked:
            found = code.either(found, code.op(f"icmp sge i64 {code.get(f's{region}')}, 0"))
        code.branch(found, fire, nothing, rarely=True)

    def _asking(self, region: int, rules: Mapping[str, Sequence[Rule]]) -> dict[int, list[str]]:
        """Return the leaves of a region that ask transitions, each with the states that do, inner first."""
        tree = self.layout.tree
        found = {}
        for index, leaf in enumerate(self.layout.regions[region].leaves):
            chain = [name for name in (leaf, *tree.ancestors[leaf]) if name in rules]
            if tree.is_atomic(leaf) and chain:
                found[index] = chain
        return found

    def _select(
        self,
        region: int,
        leaves: Mapping[int, list[str]],
        rules: Mapping[str, Sequence[Rule]],
        found: str,
        nothing: str,
    ) -> None:
        """Write the selection of one region: go on at `found` with a transition of it, else at `nothing`."""
        code, tree = self.code, self.layout.tree
        labels = {
            name: code.new_label("ask") for name in dict.fromkeys(each for chain in leaves.values() for each in chain)
        }
        cases = {index: labels[chain[0]] for index, chain in leaves.items()}
        if self.layout.is_constant(region):
            code.jump(cases[0])
        else:
            code.switch(code.get(f"r{region}"), nothing, cases)
        for name, label in labels.items():
            self.write.begin(label)
            above = next((each for each in tree.ancestors[name] if each in labels), None)
            self._ask(region, rules[name], found, nothing if above is None else labels[above])

    def _ask(self, region: int, rules: Sequence[Rule], found: str, above: str) -> None:
        """Ask the transitions of one active state in turn."""
        code = self.code
        for rule in rules:
            if rule.guard is None:
                self._choose(region, rule, found)
                return
            chosen, other = code.new_label("holds"), code.new_label("else")
            code.branch(self.write.checked(rule.guard), chosen, other, rarely=True)
            self.write.begin(chosen, keep=True)
            self._choose(region, rule, found)
            self.write.begin(other, keep=True)
        code.jump(above)

    def _choose(self, region: int, rule: Rule, found: str) -> None:
        code = self.code
        place = None if self.layout.homes[rule.source].region != region else self._number(region, rule)
        if place is None:
            code.jump("handover")
            return
        first, low = place
        number = str(first)
        if low >= 0:
            number = code.op(f"add i64 {code.get(f'r{region}')}, {first - low}")
        code.set(f"s{region}", number)
        code.jump(found)

    # --------------------------------------------------------------------------------------------------------- firings

    def _number(self, region: int, rule: Rule) -> tuple[int, int] | None:
        """Return the first number of a transition, and the leaf it is for, or −1 where all leaves share it.

        None where the reference fires it.
        """
        if rule.name not in self._numbers:
            firings = self._firings(region, rule)
            if firings is None:
                self._numbers[rule.name] = None
            else:
                low = self.layout.homes[rule.source].low if len(firings) > 1 else -1
                self._numbers[rule.name] = len(self.numbered[region]), low
                self.numbered[region] += firings
        return self._numbers[rule.name]

    def _firings(self, region: int, rule: Rule) -> list[Firing] | None:
        """Return how a transition fires from the leaves of its source; None where the reference fires it."""
        firings = self.layout.firings(rule)
        beside = {region, *self.layout.around(region)}
        fit = all(firing.inside and self.layout.asked(firing) <= beside for firing in firings)
        return firings if fit else None

    # ------------------------------------------------------------------------------------------------------- microsteps

    def fire(self, after: str, stopped: str) -> None:
        """Write the microstep of what was selected; go on at `after`, or at `stopped` in a final state of the chart."""
        code, write = self.code, self.write
        firings = {region: fired for region, fired in enumerate(self.numbered) if fired}
        for region, parts in parts_of(firings, moved=firings):
            self._switch(region, parts)
        if any(self.numbered):
            write.fills()
            self._pass_gates()
        if self.layout.finals and after != stopped:
            code.branch(code.op(f"icmp eq i64 {code.get('phase')}, {RUNNING}"), after, stopped)
        else:
            code.jump(after)

    def _pass_gates(self) -> None:
        """Leave orders that a check may stop to the reference, which tells why and knows what gives way."""
        write, code = self.write, self.code
        for number, panel in enumerate(write.panels):
            judged, passed = code.new_label("gates"), code.new_label("passed")
            code.branch(code.get(f"judged{number}"), "handover" if panel.bound else judged, passed)
            if not panel.bound:
                write.begin(judged)
                write.judging = "changed"
                for check in panel.conditions:
                    write.require(write.checked(check))
                write.judging = ""
                code.jump(passed)
            write.begin(passed)

    def _switch(self, region: int, parts: Sequence[int]) -> None:
        code = self.code
        done = code.new_label("part")
        chosen = {
            number: code.new_label("do")
            for number, firing in enumerate(self.numbered[region])
            if ENTRY in parts or any(firing.acts[part] for part in parts)
        }
        code.switch(code.get(f"s{region}"), done, chosen)
        for number, label in chosen.items():
            self.write.begin(label)
            self._do(region, self.numbered[region][number], parts)
            code.jump(done)
        self.write.begin(done)

    def _do(self, region: int, firing: Firing, parts: Sequence[int]) -> None:
        write = self.write
        acts = [act for part in parts for act in firing.acts[part]]
        write.temps, write.spans = {}, {}
        for block, active in acts:
            write.active = active
            write.forget()
            write.block(block)
        write.active = None
        write.forget()
        write.check(written(block for block, _ in acts))
        if ENTRY not in parts:
            return
        write.log(str(write.slots.fired + self.rules[firing.rule.name]), "1")
        if firing.after is not None:
            self.move(region, firing.after)

    def move(self, region: int, leaf: int) -> None:
        """Move a register, and note how long it stood where it was."""
        write, code = self.write, self.code
        now = code.get("clock")
        stood = code.op(f"sub i64 {now}, {code.get(f'since{region}')}")
        slot = code.op(f"add i64 {code.get(f'r{region}')}, {write.slots.leaves[region]}")
        write.log(slot, stood)
        code.set(f"since{region}", now)
        code.set(f"r{region}", str(leaf))
        write.forget()
        if self.layout.regions[region].leaves[leaf] in self.layout.finals:
            code.set("phase", str(STOPPED))


def written(blocks: Iterable[Block]) -> list[str]:
    """Return the cells that blocks assign, in order."""
    assigned = (each for block in blocks for each in block if isinstance(each, Assign))
    return [cell for each in assigned for cell, _ in each.targets]
