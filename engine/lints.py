"""What is allowed and hardly meant: states and transitions that do nothing, and an order that decides unseen.

Every finding is a warning or a note with a code of the 700s, because the program runs; but a breaker that nothing leads out
of is refused (HR460). A guard is looked at as a conjunction, and what it compares is not computed with, so much that is
dead is not found here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations

from .diagnostics import Diagnostic
from .halts import closed_groups, leads_beyond, listed
from .ir import Event, Expr, Program, Rule, State
from .statechart import ROOT, Tree
from .vocabulary import BUILTIN_EVENTS, Vocabulary

__all__ = ["lints"]

MOST_COMPARED = 500
"""Transitions of one state that are looked through for one that always goes first."""
MOST_RULES = 40
"""Transitions of one state for one event that are compared with each other; more are a table, not a mistake."""


def lints(program: Program, handled: Iterable[str] = (), promised: Iterable[str] = ()) -> Iterator[Diagnostic]:
    """Yield what is hardly meant in one spec, before it is linked with others.

    Args:
        program: the spec by itself.
        handled: events that other parts of a composition take.
        promised: events that the spec says it raises.
    """
    return _Lints(program, frozenset(handled), frozenset(promised)).findings()


class _Lints:
    def __init__(self, program: Program, handled: frozenset[str], promised: frozenset[str]) -> None:
        self.program, self.handled, self.promised = program, handled, promised
        self.tree = Tree(program.states)
        self.states = {state.name: state for state in program.states}
        self.rules: dict[str, list[Rule]] = {state.name: [] for state in program.states}
        for rule in program.rules:
            self.rules[rule.source].append(rule)
        done = (f"done.state.{s.name}" for s in program.states if s.kind in ("compound", "parallel"))
        timers = (timer.name for timer in program.timers)
        self.events = (*(event.name for event in program.events), *BUILTIN_EVENTS, *done, *timers)
        vocabulary = Vocabulary(self.events)
        self.taken = {rule.name: vocabulary.matching(rule.events) for rule in program.rules}
        self.dead = {rule.name: why for rule in program.rules if (why := self._why_dead(rule))}
        self.reached = self._reached()
        self.never = [rule for rule in program.rules if rule.name in self.dead or rule.source not in self.reached]
        silent = {rule.name for rule in self.never}
        self.live = [rule for rule in program.rules if rule.name not in silent]
        safe = [program.fail_safe, *(state.fail_safe for state in program.states)]
        self.fail_safes = frozenset(name for name in safe if name is not None)
        self.sealed = tuple(self._sealed())

    def findings(self) -> Iterator[Diagnostic]:
        yield from self._unreachable()
        yield from self._dead_rules()
        yield from self._no_way_out()
        yield from self._no_reset()
        yield from self._unhandled()
        yield from self._overlaps()
        yield from self._hidden()

    # ------------------------------------------------------------------------------------------------------ reachability

    def _reached(self) -> frozenset[str]:
        """Return the states that transitions lead to, whatever their guards say."""
        program, tree = self.program, self.tree
        reached: set[str] = set()
        waiting = list(tree.entry_set(program.initial, ROOT, {}).states)
        # An error can come at any time.
        for scope, target in [(ROOT, program.fail_safe), *((s.name, s.fail_safe) for s in program.states)]:
            if target is not None and scope == ROOT:
                waiting += tree.entry_set((target,), ROOT, {}).states
        while waiting:
            name = waiting.pop()
            if name in reached:
                continue
            reached.add(name)
            state = self.states[name]
            if state.fail_safe is not None:
                waiting += tree.entry_set((state.fail_safe,), name, {}).states
            for rule in self.rules[name]:
                if rule.name not in self.dead:
                    waiting += tree.entered(rule)
        return frozenset(reached)

    def _unreachable(self) -> Iterator[Diagnostic]:
        for state in self.program.states:
            inside = state.parent is not None and state.parent not in self.reached
            if state.kind != "history" and state.name not in self.reached and not inside:
                help = "let a transition lead to it, or remove it"
                yield _warning("HR701", f"no transition leads to `{state.name}`", state, help)

    def _no_way_out(self) -> Iterator[Diagnostic]:
        for state in self.program.states:
            if state.kind != "atomic" or state.name not in self.reached or any(self._ways_out(state.name)):
                continue
            region = self.tree.region(state.name)
            if set(self.tree.leaves(region)) - self.fail_safes == {state.name}:
                continue  # a region of one state has nowhere to go, but where errors lead
            if any(name in group for group in self.sealed for name in (state.name, *self.tree.ancestors[state.name])):
                continue  # told as a breaker without a reset
            message = f"`{state.name}` cannot be left"
            if state.name in self.fail_safes:
                help = "let an event that a person sends lead from it; else only a snapshot helps after an error"
                yield Diagnostic("HR703", message, state.span, help, "note")
            else:
                help = "let a transition lead from it, or say that it ends something: `final: true`"
                yield _warning("HR703", message, state, help)

    def _no_reset(self) -> Iterator[Diagnostic]:
        for group in self.sealed:
            if len(group) > 1:
                why, it = "and have no reset: they lead only to each other", "one of them"
            else:
                why, it = "and has no reset: no transition leads out of it", "it"
            never = [rule.name for rule in self.never if self._would_free(rule, group)]
            if never:
                why += f", as {listed(never)} never {'fires' if len(never) == 1 else 'fire'}"
            help = (
                f"let a time lead from {it} (`after:`), a condition, or an event that a person sends, such as `release`; "
                f"or let {it} end the machine: `final: true`"
            )
            halts = "halts" if len(group) == 1 else "halt"
            yield Diagnostic("HR460", f"{listed(group)} {halts} {why}", self.states[group[0]].span, help)

    def _would_free(self, rule: Rule, group: Sequence[str]) -> bool:
        return any(leads_beyond(self.tree, rule, state, group) for state in group)

    def _sealed(self) -> Iterator[tuple[str, ...]]:
        """Yield the halted states, and groups of them, that errors at most lead out of."""
        halted = [s.name for s in self.program.states if "halted" in s.tags and s.kind != "final"]
        for group in closed_groups(self.tree, [name for name in halted if name in self.reached], self.live):
            # A single state to which only errors lead is told as one that cannot be left.
            if len(group) > 1 or self.tree.children[group[0]] or self._is_tripped(group[0]):
                yield group

    def _is_tripped(self, state: str) -> bool:
        """Return whether a transition leads to a state."""
        return any(rule.source != state and state in self.tree.entered(rule) for rule in self.live)

    def _ways_out(self, state: str) -> Iterator[Rule]:
        return (rule for rule in self.live if self.tree.leads_out(rule, state))

    # --------------------------------------------------------------------------------------------------- dead transitions

    def _why_dead(self, rule: Rule) -> tuple[str, str] | None:
        """Return why a transition never fires, and what to do; None of one that may."""
        if rule.guard is not None and _never(rule.guard):
            return "its guard is never true", "mend its `if:`, or remove it"
        if rule.events and not self.taken[rule.name]:
            return None  # told as an unknown event
        beside = self.rules[rule.source]
        for earlier in beside if len(beside) <= MOST_COMPARED else ():
            if earlier is rule:
                break
            if self._covers(earlier, rule) and _implies(rule.guard, earlier.guard):
                return f"`{earlier.name}` above it always goes first", f"move it above `{earlier.name}`"
        if self.tree.children[rule.source] and rule.events and self._is_hidden_everywhere(rule):
            return "in each state inside its own a transition goes first", "give those an `if:`, or move it into them"
        never = [state for state in self._done_of(rule) if not self._can_be_done(state)]
        if never and len(never) == len(self.taken[rule.name]):
            return f"`{never[0]}` reaches no final state", f"add a state with `final: true` to `{never[0]}`"
        return None

    def _done_of(self, rule: Rule) -> list[str]:
        prefix = "done.state."
        return [event.removeprefix(prefix) for event in sorted(self.taken[rule.name]) if event.startswith(prefix)]

    def _can_be_done(self, state: str) -> bool:
        inner = self.tree.children[state]
        if self.tree.kind(state) == "parallel":
            return all(self._can_be_done(child) for child in inner)
        return any(self.tree.kind(child) == "final" for child in inner)

    def _covers(self, earlier: Rule, later: Rule) -> bool:
        """Return whether a transition is asked on every event on which a later one would be."""
        if not earlier.events or not later.events:
            return not earlier.events and not later.events
        return self.taken[later.name] <= self.taken[earlier.name]

    def _is_hidden_everywhere(self, rule: Rule) -> bool:
        inside = [name for name in self.states if self.tree.is_descendant(name, rule.source)]
        leaves = [name for name in inside if self.tree.is_atomic(name)]
        return all(self._goes_first_in(leaf, rule) for leaf in leaves)

    def _goes_first_in(self, leaf: str, outer: Rule) -> bool:
        chain = (leaf, *self.tree.ancestors[leaf])
        for name in chain[: chain.index(outer.source)]:
            if any(rule.guard is None and self._covers(rule, outer) for rule in self.rules[name]):
                return True
        return False

    def _dead_rules(self) -> Iterator[Diagnostic]:
        for rule in self.program.rules:
            if rule.name in self.dead and rule.source in self.reached:
                why, help = self.dead[rule.name]
                yield _warning("HR702", f"`{rule.name}` never fires: {why}", rule, help)

    # -------------------------------------------------------------------------------------------------------------- events

    def _unhandled(self) -> Iterator[Diagnostic]:
        taken = frozenset(self.handled).union(*self.taken.values()) if self.taken else self.handled
        for event in self.program.events:
            if event.name in taken or event.marks or any(event.observe) or event.name in self.promised or event.leg:
                continue
            if event.name == self.program.start_event:
                continue  # initial values read it
            help = "write a transition `on:` it, or remove it"
            yield _warning("HR704", f"nothing takes the event `{event.name}`", event, help)

    def _overlaps(self) -> Iterator[Diagnostic]:
        for state in self.program.states:
            told: set[frozenset[str]] = set()
            asked = dict.fromkeys(event for rule in self.rules[state.name] for event in sorted(self.taken[rule.name]))
            for event in (None, *asked):
                rules = [
                    rule
                    for rule in self.rules[state.name]
                    if rule.guard is not None
                    and rule.name not in self.dead
                    and (not rule.events if event is None else event in self.taken[rule.name])
                ]
                if not 1 < len(rules) <= MOST_RULES:
                    continue
                pairs = [pair for pair in combinations(rules, 2) if _may_both_hold(pair[0].guard, pair[1].guard)]
                names = frozenset(rule.name for pair in pairs for rule in pair)
                if not pairs or names in told:
                    continue
                told.add(names)
                listed = ", ".join(f"`{rule.name}`" for rule in rules if rule.name in names)
                yield Diagnostic(
                    "HR705",
                    f"where several of {listed} hold in `{state.name}`, the first in the file fires",
                    pairs[0][1].span,
                    "nothing to do if that is the order of their weight; else move them",
                    "note",
                )

    def _hidden(self) -> Iterator[Diagnostic]:
        """Tell ways to safety that an inner transition keeps from being asked (inner states go first)."""
        for outer in self.program.rules:
            if not outer.events or outer.name in self.dead or not any(map(self._is_safe, outer.targets)):
                continue
            for inner in self.program.rules:
                if not self.tree.is_descendant(inner.source, outer.source) or inner.source not in self.reached:
                    continue
                if not self.taken[inner.name] & self.taken[outer.name] or self.tree.leads_out(inner, outer.source):
                    continue
                if inner.name in self.dead or not _may_both_hold(inner.guard, outer.guard):
                    continue
                if not inner.targets and self.tree.region(inner.source) != self.tree.region(outer.source):
                    continue  # another region asks for the outer one, and both fire
                if self._is_repeated(outer, inner):
                    continue
                yield _warning(
                    "HR706",
                    f"where `{inner.name}` fires, `{outer.name}` around it is not asked, which leads to safety",
                    inner,
                    f"put what `{outer.name}` watches into a region of its own, or repeat it above `{inner.name}`",
                )

    def _is_safe(self, target: str) -> bool:
        around = (target, *self.tree.ancestors[target])
        if target in self.fail_safes or self.tree.kind(target) == "final":
            return True
        return any("halted" in self.states[name].tags for name in around)

    def _is_repeated(self, outer: Rule, inner: Rule) -> bool:
        """Return whether a transition like the outer one is asked before the inner one, in its own state."""
        for rule in self.rules[inner.source]:
            if rule is inner:
                return False
            if self._covers(rule, inner) and rule.targets == outer.targets and _implies(outer.guard, rule.guard):
                return True
        return False


def _warning(code: str, message: str, at: State | Rule | Event, help: str) -> Diagnostic:
    return Diagnostic(code, message, at.span, help, "warning")


# --------------------------------------------------------------------------------------------------------------- guards


def _conjuncts(guard: Expr | None) -> frozenset[Expr]:
    """Return what must hold for a guard; expressions of one program are equal where they are the same object."""
    if guard is None:
        return frozenset()
    found: set[Expr] = set()
    stack = [guard]
    while stack:
        node = stack.pop()
        if node.op == "and":
            stack += node.args
        else:
            found.add(node)
    return frozenset(found)


def _implies(guard: Expr | None, other: Expr | None) -> bool:
    """Return whether a guard surely holds only where another one does."""
    return _conjuncts(other) <= _conjuncts(guard) or (other is not None and other.op == "const" and bool(other.value))


def _never(guard: Expr) -> bool:
    """Return whether a guard surely never holds."""
    parts = _conjuncts(guard)
    return any(p.op == "const" and not p.value for p in parts) or any(
        _excludes(a, b) for a, b in combinations(parts, 2)
    )


def _may_both_hold(one: Expr | None, other: Expr | None) -> bool:
    """Return whether two guards could hold together, as far as can be seen."""
    if one is None or other is None:
        return True
    for first, second in ((one, other), (other, one)):
        if first.op == "or":
            return any(_may_both_hold(part, second) for part in first.args)
    return not any(_excludes(a, b) for a in _conjuncts(one) for b in _conjuncts(other))


# By operator, what it says of `a - b`: whether below 0, 0 and above 0 are possible.
_SIGNS = {"lt": (1, 0, 0), "le": (1, 1, 0), "eq": (0, 1, 0), "ne": (1, 0, 1), "ge": (0, 1, 1), "gt": (0, 0, 1)}


def _excludes(one: Expr, other: Expr) -> bool:
    """Return whether two conditions surely never hold together."""
    if (one.op == "not" and one.args[0] is other) or (other.op == "not" and other.args[0] is one):
        return True
    first, second = _comparison(one), _comparison(other)
    if first is None or second is None:
        return False
    (op, a, b), (op2, c, d) = first, second
    signs, signs2 = _SIGNS[op], _SIGNS[op2]
    if (a, b) == (d, c):
        signs2, (c, d) = signs2[::-1], (d, c)
    if (a, b) == (c, d):
        return not any(x and y for x, y in zip(signs, signs2, strict=True))
    return _ranges_exclude(signs, a, b, signs2, c, d)


def _comparison(node: Expr) -> tuple[str, Expr, Expr] | None:
    negated = {"lt": "ge", "le": "gt", "eq": "ne", "ne": "eq", "ge": "lt", "gt": "le"}
    if node.op == "not" and node.args[0].op in negated:
        inner = node.args[0]
        return negated[inner.op], inner.args[0], inner.args[1]
    return (node.op, node.args[0], node.args[1]) if node.op in _SIGNS else None


def _ranges_exclude(signs: Sequence[int], a: Expr, b: Expr, signs2: Sequence[int], c: Expr, d: Expr) -> bool:
    """Return whether `a` against a constant and the same `a` against another one cannot both hold."""
    if a.op == "const" and b.op != "const":
        a, b, signs = b, a, signs[::-1]
    if c.op == "const" and d.op != "const":
        c, d, signs2 = d, c, signs2[::-1]
    if a is not c or b.op != "const" or d.op != "const" or b.type == "bool" or d.type == "bool":
        return False
    assert b.value is not None and d.value is not None
    if b.value > d.value:
        b, d, signs, signs2 = d, b, signs2, signs
    assert b.value is not None and d.value is not None
    # Below b, at b, between, at d, above d: where does each of the two conditions hold?
    low = (signs[0], signs[1], signs[2], signs[2], signs[2])
    high = (signs2[0], signs2[0], signs2[0], signs2[1], signs2[2])
    return b.value < d.value and not any(x and y for x, y in zip(low, high, strict=True))
