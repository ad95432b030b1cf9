"""Halted states that are entered and never left: one by itself, or several that lead only to each other.

    cooling: {tags: [halted], after: {1h: {to: waiting}}}
    waiting: {tags: [halted], on: {release: {to: cooling}}}

Which transitions may fire is for who asks: `lints` leave out those that never do, `resets` those that wait for each other.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from .ir import Rule
from .statechart import Tree

__all__ = ["closed_groups", "leads_beyond", "listed"]


def closed_groups(tree: Tree, halted: Sequence[str], rules: Sequence[Rule]) -> list[tuple[str, ...]]:
    """Return the smallest groups of halted states that no transition leads out of.

    Of a group inside a state of another one nothing is said: the other one is to be mended first.

    Args:
        tree: all states.
        halted: those of them that halt, in document order, without what is meant to be the end.
        rules: the transitions that may fire.
    """
    ways = {s: [_instead(tree, rule, s, halted) for rule in rules if tree.leads_out(rule, s)] for s in halted}
    held, before = set(halted), -1
    while before != (before := len(held)):
        held = {state for state in held if all(way & held for way in ways[state])}
    next_to = {state: held & set[str]().union(*ways[state]) for state in held}
    onwards = {state: _onwards(state, next_to) for state in held}
    groups = dict.fromkeys(
        tuple(each for each in halted if each in onwards[state])
        for state in halted
        if state in held and all(state in onwards[each] for each in onwards[state])
    )
    return [group for group in groups if held.isdisjoint(each for state in group for each in tree.ancestors[state])]


def leads_beyond(tree: Tree, rule: Rule, state: str, group: Collection[str]) -> bool:
    """Return whether a transition may leave a state of a group without entering another one in its place."""
    return tree.leads_out(rule, state) and not _instead(tree, rule, state, group)


def _instead(tree: Tree, rule: Rule, state: str, group: Collection[str]) -> set[str]:
    """Return the states of a group that a transition surely enters, each in place of the one that it leaves."""
    entered = () if tree.recalls(rule) else tree.entered(rule)
    return {each for each in entered if each in group and not tree.may_be_together(each, state)}


def _onwards(state: str, next_to: dict[str, set[str]]) -> set[str]:
    """Return a state and all that lead on from it."""
    found, waiting = {state}, [state]
    while waiting:
        new = next_to[waiting.pop()] - found
        found |= new
        waiting += new
    return found


def listed(names: Sequence[str]) -> str:
    """Return names as a sentence has them: `a`, `b` and `c`."""
    *first, last = (f"`{name}`" for name in names)
    return f"{', '.join(first)} and {last}" if first else last
