"""What the chart alone says of a program's generated code: registers, and what each transition runs.

Each region has a register: the index of its active leaf among `Region.leaves`, or -1. A state is active while the
register of its region stands in one stretch of indices, since the leaves are in document order.

A `Firing` is a transition as it runs from one active leaf: every block, in the order of Appendix D, each with the states
that are active while it runs. Where the chart alone does not decide that (a history state, a state in another region),
or something internal is raised, the firing is left to the reference.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from ..ir import Block, Program, Propose, Raise, Rule, State, expressions
from ..statechart import MACHINE, ROOT, Entry, Tree
from ..vocabulary import matches

__all__ = ["ACTION", "ENTRY", "EXIT", "MEASURE", "Act", "Firing", "Home", "Layout", "parts_of"]

MEASURE, EXIT, ACTION, ENTRY = range(4)
"""The parts of a microstep, in their order."""

Act = tuple[Block, frozenset[str]]
"""A block, and the active states while it runs."""


class Home(NamedTuple):
    """Where to see whether a state is active: the register of `region` is at least `low` and below `high`."""

    region: int
    low: int
    high: int


@dataclass(frozen=True, slots=True)
class Firing:
    """A transition that fires from an active leaf; `acts` holds what each part of the microstep runs."""

    rule: Rule
    acts: tuple[tuple[Act, ...], ...]
    after: int | None
    """The index of the leaf that is active then; None where no state is left."""
    inside: bool
    """Whether it moves the register of its own region alone, to where the chart says, and orders no leg twice, nor any where
    a gate asks what was ordered; and waits for nobody."""

    @property
    def native(self) -> bool:
        """Whether Python is generated for it; the reference fires any other."""
        return self.inside and not any(isinstance(each, Raise) for block in self.blocks for each in block)

    @property
    def blocks(self) -> Iterator[Block]:
        return (block for acts in self.acts for block, _ in acts)


class Layout:
    """The registers of a program and its transitions, by state."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.regions = program.regions
        self.tree = Tree(program.states)
        self.states: dict[str, State] = {state.name: state for state in program.states}
        self.homes: dict[str, Home] = {}
        self.chains: dict[str, tuple[str, ...]] = {}
        """Each leaf and the states around it in its own region, inner first."""
        for index, region in enumerate(program.regions):
            for place, leaf in enumerate(region.leaves):
                self.chains[leaf] = self._chain(leaf, region.root)
                for name in self.chains[leaf]:
                    low = self.homes[name].low if name in self.homes else place
                    self.homes[name] = Home(index, low, place + 1)
        self.owners = tuple(self._owner(region.root) for region in program.regions)
        """For each region the home of the parallel state that it is a part of; None of the whole chart."""
        self.steady = self._always_active()
        self.finals = frozenset(name for name in self.tree.children[ROOT] if self.tree.kind(name) == "final")
        """The final states of the outermost level."""
        self.whole = MACHINE if MACHINE in self.tree.states else None
        """The state that is the whole chart, if that is parallel."""
        self.rules: dict[str, list[Rule]] = {}
        self.always: dict[str, list[Rule]] = {}
        for rule in program.rules:
            (self.rules if rule.events else self.always).setdefault(rule.source, []).append(rule)
        self._asks_orders = any(node.op == "ordered" for asked in program.conditions for node in asked.walk())
        self._waiting = frozenset(each.rule for each in program.approvals)
        self._entries: dict[str, tuple[str, Entry]] = {}
        self._asked: dict[int, frozenset[int]] = {}

    def _chain(self, leaf: str, root: str | None) -> tuple[str, ...]:
        around = (leaf, *self.tree.ancestors[leaf])
        return around if root is None else around[: around.index(root) + 1]

    def _owner(self, root: str | None) -> Home | None:
        return None if root is None else self.homes[self.tree.parent(root)]

    def _always_active(self) -> tuple[bool, ...]:
        """Return which regions a started machine is always in."""
        found: list[bool] = []
        for owner in self.owners:  # outer regions stand before inner ones
            found.append(owner is None or (found[owner.region] and len(self.regions[owner.region].leaves) == 1))
        return tuple(found)

    # ------------------------------------------------------------------------------------------------- configurations

    @property
    def single(self) -> bool:
        return len(self.regions) == 1

    def is_constant(self, region: int) -> bool:
        """Return whether a region's register never changes after the start."""
        return self.steady[region] and len(self.regions[region].leaves) == 1

    def around(self, region: int) -> dict[int, Home]:
        """Return the regions outside of a region, each with the stretch that its register stands in meanwhile."""
        found: dict[int, Home] = {}
        owner = self.owners[region]
        while owner is not None:
            found[owner.region] = owner
            owner = self.owners[owner.region]
        return found

    def parallels(self, region: int) -> tuple[int, ...]:
        """Return the leaves of a region that are parallel states."""
        leaves = self.regions[region].leaves
        return tuple(index for index, leaf in enumerate(leaves) if self.tree.kind(leaf) == "parallel")

    def tops(self, region: int) -> tuple[str, ...]:
        """Return the outermost states of a region."""
        root = self.regions[region].root
        return self.tree.children[ROOT] if root is None else (root,)

    def has_stopped(self, configuration: Sequence[str]) -> bool:
        """Return whether the chart is finished in a configuration."""
        return self.tree.is_finished(self.tree.with_ancestors(configuration))

    @property
    def can_stop(self) -> bool:
        """Return whether the chart has final states that stop it."""
        finals = {name for name, state in self.states.items() if state.kind == "final"}
        return bool(self.finals) or (self.whole is not None and self.tree.is_in_final_state(self.whole, finals))

    # --------------------------------------------------------------------------------------------------- transitions

    def matched(self, event: str) -> dict[str, list[Rule]]:
        """Return the transitions that an event may fire, by their source."""
        found: dict[str, list[Rule]] = {}
        for source, rules in self.rules.items():
            if chosen := [rule for rule in rules if matches(rule.events, event)]:
                found[source] = chosen
        return found

    def firing(self, rule: Rule, leaf: str) -> Firing:
        """Return a transition as it fires from a leaf of the region of its source, or of one inside it."""
        chain = (leaf, *self.tree.ancestors[leaf])
        around = frozenset(chain)
        measures, exits, entries = ((rule.measure, around),), [], []
        inside, after, active = True, None, around
        if rule.targets:
            domain, entry = self._entry(rule)
            left = chain if domain == ROOT else chain[: chain.index(domain)]
            for index, name in enumerate(left):
                active = frozenset(chain[index:])
                exits += [(self.states[name].exit, active), (self.states[name].leave, active)]
            inside = self._stays_inside(leaf, left, entry)
            active = frozenset(chain[len(left) :])
            reached = active
            for name in entry.states:
                reached |= {name}
                entries += [(self.states[name].stamp, reached), (self.states[name].entry, reached)]
                if name in entry.by_default:
                    entries.append((self.states[name].initially, reached))
            after = self.homes[entry.states[-1]].low if inside else None
        acts = tuple(
            tuple(act for act in part if act[0]) for part in (measures, exits, ((rule.action, active),), entries)
        )
        firing = Firing(rule, acts, after, inside)
        fires = rule.name not in self._waiting and _orders_once(firing.blocks) and not self._is_judged(firing)
        return replace(firing, inside=inside and fires)

    def _is_judged(self, firing: Firing) -> bool:
        """Return whether a transition orders, and a gate asks what was ordered in the microstep: the reference knows."""
        return self._asks_orders and any(isinstance(each, Propose) for block in firing.blocks for each in block)

    def firings(self, rule: Rule) -> list[Firing]:
        """Return how a transition fires from each leaf of its source, or once where that is the same for all of them."""
        region, low, high = self.homes[rule.source]
        leaves = self.regions[region].leaves[low:high]
        atomic = [leaf for leaf in leaves if self.tree.is_atomic(leaf)]
        first = self.firing(rule, atomic[0])
        below = {name for leaf in atomic for name in self.chains[leaf] if self.tree.is_descendant(name, rule.source)}
        differ = rule.targets and any(
            self.states[name].exit or self.states[name].leave or self.tree.histories[name] for name in below
        )
        if not differ and region not in self.asked(first):
            return [first]
        return [self.firing(rule, leaf if self.tree.is_atomic(leaf) else atomic[0]) for leaf in leaves]

    def asked(self, firing: Firing) -> frozenset[int]:
        """Return the regions whose states the blocks of a firing ask for."""
        return frozenset().union(*map(self._asked_by, firing.blocks))

    def _asked_by(self, block: Block) -> frozenset[int]:
        if id(block) not in self._asked:
            nodes = (node for each in block for expr in expressions(each) for node in expr.walk())
            self._asked[id(block)] = frozenset(self.homes[node.name].region for node in nodes if node.op == "active")
        return self._asked[id(block)]

    def _entry(self, rule: Rule) -> tuple[str, Entry]:
        if rule.name not in self._entries:
            domain = self.tree.domain(rule, {})
            assert domain is not None
            self._entries[rule.name] = domain, self.tree.entry_set(rule.targets, domain, {})
        return self._entries[rule.name]

    def _stays_inside(self, leaf: str, left: Sequence[str], entry: Entry) -> bool:
        """Return whether a transition moves the register of the leaf's region alone, to a leaf that the chart decides."""
        tree, region = self.tree, self.homes[leaf].region
        if entry.history or any(tree.histories[name] for name in left):
            return False
        if any(self.homes[name].region != region for name in (*left, *entry.states)):
            return False
        last = self.states[entry.states[-1]]
        # A final state inside another one raises `done.state`.
        return tree.is_atomic(last.name) and (last.kind != "final" or last.parent is None)


def parts_of(firings: Mapping[int, Sequence[Firing]], moved: Collection[int]) -> list[tuple[int, list[int]]]:
    """Return the parts of a microstep in the order of Appendix D, by region; what follows on itself is taken together.

    Args:
        firings: what may fire in each region.
        moved: the regions that have an entry even where no block runs in it.
    """
    found: list[tuple[int, list[int]]] = []
    for part in (MEASURE, EXIT, ACTION, ENTRY):
        # What is later in the document is left first.
        for region in sorted(firings, reverse=part == EXIT):
            if not (any(firing.acts[part] for firing in firings[region]) or (part == ENTRY and region in moved)):
                continue
            if found and found[-1][0] == region:
                found[-1][1].append(part)
            else:
                found.append((region, [part]))
    return found


def _orders_once(blocks: Iterable[Block]) -> bool:
    """Return whether blocks order no leg twice, which fails."""
    legs = [each.leg for block in blocks for each in block if isinstance(each, Propose)]
    return len(legs) == len(set(legs))
