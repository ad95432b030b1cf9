"""Breakers that wait for each other: halted states that nothing leads out of but what would have to come from them.

    one:   open: {on: {other.closed: {to: closed, do: {raise: one.closed}}}}
    other: open: {on: {one.closed: {to: closed, do: {raise: other.closed}}}}

An event that the specs raise themselves is taken to come only from there. What can happen then is a least fixed point: a
state is reached by transitions that can fire; a transition can fire in a state that is reached, on an event that can come;
an event that is raised can come if something that can happen raises it. Guards are taken to hold, time to pass and errors to
come, so that what is told is certain.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from .diagnostics import Diagnostic, Span
from .halts import closed_groups, leads_beyond, listed
from .ir import Block, Program, Raise, Rule
from .statechart import ROOT, Tree
from .vocabulary import APPROVAL_EVENTS, BUILTIN_EVENTS, DONE, Vocabulary

__all__ = ["mutual_resets"]


def mutual_resets(program: Program, used: Mapping[str, Span]) -> Iterator[Diagnostic]:
    """Yield the halted states that are left only on events which would come from leaving them.

    `used` says where each used spec is named; its own file is not the one to change.
    """
    halted = [state.name for state in program.states if "halted" in state.tags and state.kind != "final"]
    if not halted:
        return
    happening = _Happening(program)
    for group, rule in happening.waiting(halted):
        events = " or ".join(f"`{name}`" for name in sorted(happening.taken[rule.name]))
        subject, they = ("is", f"`{group[0]}` is") if len(group) == 1 else ("are", "one of them is")
        why = f"`{rule.name}` waits for {events}, which nothing raises before {they} left"
        help = "let a time (`after:`), a condition, or an event of its own that a person sends lead out of one of them"
        place = used.get(group[0].partition(".")[0], happening.states[group[0]].span)
        yield Diagnostic("HR461", f"{listed(group)} {subject} halted for ever: {why}", place, help)


class _Happening:
    """What can happen in a program."""

    def __init__(self, program: Program) -> None:
        self.program, self.tree = program, Tree(program.states)
        self.states = {state.name: state for state in program.states}
        blocks = [rule.action for rule in program.rules]
        blocks += [block for s in program.states for block in (s.initially, s.entry, s.exit)]
        raised = frozenset(name for block in blocks for name in _raised(block))
        timed = {timer.event for timer in program.timers}
        done = (f"{DONE}{state.name}" for state in program.states)
        events = dict.fromkeys(
            (*(event.name for event in program.events), *BUILTIN_EVENTS, *APPROVAL_EVENTS, *done, *timed)
        )
        vocabulary = Vocabulary(events)
        self.taken = {rule.name: vocabulary.matching(rule.events) for rule in program.rules}
        self.coming = {name for name in events if name not in raised or name in timed}
        self.on_exit = {state.name: raised for state in program.states if (raised := _raised(state.exit))}
        self.reached: set[str] = set()
        self.firing: dict[str, Rule] = {}
        self._settle()

    def _settle(self) -> None:
        self._enter(self.tree.entry_set(self.program.initial, ROOT, {}).states)
        known = -1
        while known != (known := len(self.coming) + len(self.reached) + len(self.firing)):
            scopes = ((name, self.states[name].fail_safe) for name in list(self.reached))
            for scope, target in ((ROOT, self.program.fail_safe), *scopes):
                if target is not None:
                    self._enter(self.tree.entry_set((target,), scope, {}).states)
            for rule in self.program.rules:
                if rule.source in self.reached and self._comes(rule):
                    self._fire(rule)

    def _comes(self, rule: Rule) -> bool:
        return not rule.events or not self.taken[rule.name].isdisjoint(self.coming)

    def _fire(self, rule: Rule) -> None:
        self.firing[rule.name] = rule
        self.coming |= _raised(rule.action)
        for name, raised in self.on_exit.items():
            if name in self.reached and self.tree.may_exit(rule, name):
                self.coming |= raised
        self._enter(self.tree.entered(rule))

    def _enter(self, states: Iterable[str]) -> None:
        for name in states:
            self.reached.add(name)
            self.coming |= _raised((*self.states[name].initially, *self.states[name].entry))

    def waiting(self, halted: Sequence[str]) -> Iterator[tuple[tuple[str, ...], Rule]]:
        """Yield the groups of halted states that are reached and never left, each with the transition that waits."""
        reached = [state for state in halted if state in self.reached]
        for group in closed_groups(self.tree, reached, list(self.firing.values())):
            rule = self._waits(group)
            if rule is not None:
                yield group, rule

    def _waits(self, group: Sequence[str]) -> Rule | None:
        """Return the transition that keeps a group from being left, or None where none leads out of it.

        What leads out of it may start where nothing has led yet; then one waits that would lead there.
        """
        rules, seen = self.program.rules, set[str]()
        ways = [rule for rule in rules if any(leads_beyond(self.tree, rule, state, group) for state in group)]
        while ways:
            for rule in ways:
                if rule.source in self.reached:
                    return rule
            sources = {rule.source for rule in ways} - seen
            seen |= sources
            ways = [rule for rule in rules if not sources.isdisjoint(self.tree.entered(rule))]
        return None


def _raised(block: Block) -> frozenset[str]:
    return frozenset(instruction.event for instruction in block if isinstance(instruction, Raise))
