"""The statechart algorithm of W3C SCXML, Appendix D: which states a set of transitions exits and enters.

Pure functions over a tree of states, for whoever holds one: the reference, the checks of a spec, the code generator. The
names are those of the appendix; a configuration is the set of all active states, with those around the leaves.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

__all__ = ["MACHINE", "ROOT", "Entry", "History", "Transition", "Tree", "Vertex"]

ROOT = ""
"""The `<scxml>` element: the state around all states."""
MACHINE = "machine"
"""The parallel state around the regions of a chart that is parallel as a whole; with a part's name in front, of a part."""

History = Mapping[str, tuple[str, ...]]
"""What each history state remembers; nothing of one whose parent was never left."""


class Vertex(Protocol):
    """What a tree needs to know of a state; parents stand before their children."""

    @property
    def name(self) -> str: ...
    @property
    def parent(self) -> str | None: ...
    @property
    def kind(self) -> str: ...
    @property
    def initial(self) -> tuple[str, ...]: ...
    @property
    def deep(self) -> bool: ...


class Transition(Protocol):
    """What the algorithm needs to know of a transition."""

    @property
    def source(self) -> str: ...
    @property
    def targets(self) -> tuple[str, ...]: ...
    @property
    def internal(self) -> bool: ...


T = TypeVar("T", bound=Transition)


@dataclass(slots=True)
class Entry:
    """What is entered: `states`, in document order once `Tree.entry_set` returns."""

    states: list[str] = field(default_factory=list)
    by_default: set[str] = field(default_factory=set)
    """Compound states whose initial transition is taken."""
    history: dict[str, str] = field(default_factory=dict)
    """The history state whose default transition is taken, by its parent."""
    covered: set[str] = field(default_factory=set)
    """The states that are entered and those around them: no region among them is entered by default."""
    filled: set[str] = field(default_factory=set)
    """Parallel states all of whose regions are covered."""


class Tree:
    """States in document order, and how they lie in one another."""

    def __init__(self, states: Sequence[Vertex]) -> None:
        self.states: dict[str, Vertex] = {state.name: state for state in states}
        self.order: dict[str, int] = {state.name: index for index, state in enumerate(states)}
        self.children: dict[str, tuple[str, ...]] = {}
        """The child states of each state, without its history states."""
        self.histories: dict[str, tuple[str, ...]] = {}
        """The history states of each state."""
        self.ancestors: dict[str, tuple[str, ...]] = {}
        """The proper ancestors of each state, inner first, without the root."""
        children: dict[str, list[str]] = {name: [] for name in (ROOT, *self.states)}
        histories: dict[str, list[str]] = {name: [] for name in (ROOT, *self.states)}
        for state in states:
            parent = state.parent
            self.ancestors[state.name] = () if parent is None else (parent, *self.ancestors[parent])
            (histories if state.kind == "history" else children)[parent or ROOT].append(state.name)
        self.children = {name: tuple(inner) for name, inner in children.items()}
        self.histories = {name: tuple(inner) for name, inner in histories.items()}
        self._regions: dict[str, str | None] = {}
        self._leaves: dict[str | None, list[str]] = {None: []}
        for state in states:
            self._place(state)

    # ------------------------------------------------------------------------------------------------------- the tree

    def kind(self, state: str) -> str:
        return "compound" if state == ROOT else self.states[state].kind

    def parent(self, state: str) -> str:
        return self.states[state].parent or ROOT

    def is_descendant(self, state: str, ancestor: str) -> bool:
        """Return whether a state lies inside another one."""
        return ancestor == ROOT or ancestor in self.ancestors[state]

    def is_atomic(self, state: str) -> bool:
        return self.kind(state) in ("atomic", "final")

    def _place(self, state: Vertex) -> None:
        """Note the region of a state, after those of the states around it."""
        begins = state.kind != "history" and self.kind(self.parent(state.name)) == "parallel"
        region = state.name if begins else self._regions.get(self.parent(state.name))
        self._regions[state.name] = region
        leaves = self._leaves.setdefault(region, [])
        if state.kind in ("atomic", "final", "parallel"):
            leaves.append(state.name)

    def region(self, state: str) -> str | None:
        """Return the innermost region that a state is in or begins: a child of a parallel state; None is the chart."""
        return self._regions[state]

    def roots(self) -> tuple[str | None, ...]:
        """Return the roots of all regions, in document order, the chart itself first."""
        return tuple(self._leaves)

    def leaves(self, root: str | None) -> tuple[str, ...]:
        """Return the atomic, final and parallel states of a region that are in no inner one, in document order."""
        return tuple(self._leaves[root])

    def with_ancestors(self, leaves: Iterable[str]) -> frozenset[str]:
        """Return the configuration of its leaves."""
        return frozenset(name for leaf in leaves for name in (leaf, *self.ancestors[leaf]))

    def atoms(self, configuration: Collection[str]) -> tuple[str, ...]:
        """Return the atomic states of a configuration, in document order."""
        return tuple(sorted(filter(self.is_atomic, configuration), key=self.order.__getitem__))

    def is_in_final_state(self, state: str, configuration: Collection[str]) -> bool:
        """Return whether a compound state has reached a final child, or a parallel one in all its regions."""
        if self.kind(state) == "compound":
            whole = f"{state}.{MACHINE}"
            if whole in self.states:
                return self.is_in_final_state(whole, configuration)
            return any(self.kind(child) == "final" and child in configuration for child in self.children[state])
        if self.kind(state) == "parallel":
            return all(self.is_in_final_state(child, configuration) for child in self.children[state])
        return False

    def is_finished(self, configuration: Collection[str]) -> bool:
        """Return whether a chart has reached a final state of its own level, after which no transition follows.

        One that is parallel as a whole has no such level: it is finished with its regions.
        """
        outer = next((name for name in self.children[ROOT] if name in configuration), None)
        if outer is None:
            return False
        return self.kind(outer) == "final" or (outer == MACHINE and self.is_in_final_state(outer, configuration))

    # ------------------------------------------------------------------------------------- what any configuration allows

    def may_be_together(self, state: str, other: str) -> bool:
        """Return whether two states can be active at once: one inside the other, or in regions side by side."""
        inner, around = (state, *self.ancestors[state]), (other, *self.ancestors[other])
        common = next((name for name in inner if name in around), ROOT)
        return common in (state, other) or self.kind(common) == "parallel"

    def reach(self, transition: Transition) -> str | None:
        """Return the widest domain that a transition can have, whatever is remembered; None of one without targets.

        What a history state remembers lies beside it, so that one stands for all of it.
        """
        return self._domain(transition, transition.targets) if transition.targets else None

    def may_exit(self, transition: Transition, state: str) -> bool:
        """Return whether a transition may be taken while a state is active, and exit it, to enter it again or not."""
        reach = self.reach(transition)
        return reach is not None and self.is_descendant(state, reach) and self.may_be_together(transition.source, state)

    def leads_out(self, transition: Transition, state: str) -> bool:
        """Return whether a transition may be taken while a state is active, and leave it inactive.

        What a history state stands for may lie elsewhere than its default.
        """
        if not self.may_exit(transition, state):
            return False
        return self.recalls(transition) or state not in self.entered(transition)

    def recalls(self, transition: Transition) -> bool:
        """Return whether a transition leads to a history state."""
        return any(self.kind(target) == "history" for target in transition.targets)

    def entered(self, transition: Transition) -> list[str]:
        """Return what a transition enters while nothing is remembered, in document order."""
        domain = self.domain(transition, {})
        return [] if domain is None else self.entry_set(transition.targets, domain, {}).states

    # --------------------------------------------------------------------------------------------------------- Appendix D

    def effective_targets(self, targets: Iterable[str], history: History) -> list[str]:
        """Return targets with history states replaced by what they remember, or by their defaults."""
        found: dict[str, None] = {}
        for target in targets:
            if self.kind(target) != "history":
                found[target] = None
            elif history.get(target):
                found |= dict.fromkeys(history[target])
            else:
                found |= dict.fromkeys(self.effective_targets(self.states[target].initial, history))
        return list(found)

    def domain(self, transition: Transition, history: History) -> str | None:
        """Return the state within which a transition exits and enters; None of one without targets."""
        targets = self.effective_targets(transition.targets, history)
        return self._domain(transition, targets) if targets else None

    def _domain(self, transition: Transition, targets: Sequence[str]) -> str:
        source = transition.source
        if (
            transition.internal
            and self.kind(source) == "compound"
            and all(self.is_descendant(target, source) for target in targets)
        ):
            return source
        return self.common_ancestor((source, *targets))

    def common_ancestor(self, states: Sequence[str]) -> str:
        """Return the innermost compound state (or the root) that all states are inside of (LCCA)."""
        first, *others = states
        for ancestor in self.ancestors[first]:
            if self.kind(ancestor) == "compound" and all(self.is_descendant(other, ancestor) for other in others):
                return ancestor
        return ROOT

    def exit_set(self, transition: Transition, configuration: Iterable[str], history: History) -> list[str]:
        """Return the states that a transition exits, in exit order: inner first, then later in the document first."""
        domain = self.domain(transition, history)
        if domain is None:
            return []
        left = [state for state in configuration if self.is_descendant(state, domain)]
        return sorted(left, key=self.order.__getitem__, reverse=True)

    def without_conflicts(self, enabled: Sequence[T], configuration: Collection[str], history: History) -> list[T]:
        """Return the transitions that can fire together; the one that an inner or earlier state selected goes first."""
        filtered: list[T] = []
        exits = {id(each): set(self.exit_set(each, configuration, history)) for each in enabled}
        for first in enabled:
            preempted: list[T] = []
            for second in filtered:
                if exits[id(first)] & exits[id(second)]:
                    if not self.is_descendant(first.source, second.source):
                        break
                    preempted.append(second)
            else:
                filtered = [each for each in filtered if each not in preempted]
                filtered.append(first)
        return filtered

    def entry_set(self, targets: Sequence[str], domain: str, history: History) -> Entry:
        """Return what is entered within a domain on the way to the targets."""
        entry = Entry()
        for target in targets:
            self._add_descendants(target, entry, history)
        for target in self.effective_targets(targets, history):
            self._add_ancestors(target, domain, entry, history)
        entry.states = sorted(dict.fromkeys(entry.states), key=self.order.__getitem__)
        return entry

    def _add_descendants(self, state: str, entry: Entry, history: History) -> None:
        kind = self.kind(state)
        if kind == "history":
            parent, targets = self.parent(state), history.get(state) or ()
            if not targets:
                entry.history[parent] = state
                targets = self.states[state].initial
            self._add_all(targets, parent, entry, history)
            return
        self._add(state, entry)
        if kind == "compound":
            entry.by_default.add(state)
            self._add_all(self.states[state].initial, state, entry, history)
        elif kind == "parallel":
            self._add_regions(state, entry, history)

    def _add_all(self, states: Iterable[str], around: str, entry: Entry, history: History) -> None:
        for state in states:
            self._add_descendants(state, entry, history)
        for state in states:
            self._add_ancestors(state, around, entry, history)

    def _add_ancestors(self, state: str, around: str, entry: Entry, history: History) -> None:
        for ancestor in self.ancestors[state]:
            if ancestor == around:
                return
            self._add(ancestor, entry)
            if self.kind(ancestor) == "parallel":
                self._add_regions(ancestor, entry, history)

    def _add_regions(self, parallel: str, entry: Entry, history: History) -> None:
        if parallel in entry.filled:
            return
        entry.filled.add(parallel)
        for child in self.children[parallel]:
            if child not in entry.covered:
                self._add_descendants(child, entry, history)

    def _add(self, state: str, entry: Entry) -> None:
        entry.states.append(state)
        if state not in entry.covered:
            entry.covered.update((state, *self.ancestors[state]))

    def recorded(self, state: str, configuration: Collection[str]) -> dict[str, tuple[str, ...]]:
        """Return what the history states of a state that is left remember of a configuration, in document order."""
        found: dict[str, tuple[str, ...]] = {}
        for name in self.histories[state]:
            if self.states[name].deep:
                kept = [each for each in configuration if self.is_atomic(each) and self.is_descendant(each, state)]
            else:
                kept = [each for each in configuration if self.parent(each) == state]
            found[name] = tuple(sorted(kept, key=self.order.__getitem__))
        return found
