"""The cone of influence: which regions of a chart can have to do with one another, and a program of some of them alone.

Control states are followed one by one, and their number is the product over the regions. Regions that share nothing are
therefore proved apart: two are tied where one writes a cell or holds a state that the other, or what is observed, reads. In
the program of a group every other region is a single state in which nothing happens, which changes nothing that the group
or its claims can see.

A chart in which some region orders, raises an event, has an eventless transition or answers to errors is left whole: a
macrostep that does not settle is undone for all regions, and a guard that fails bars the orders of all. So is one with a
fail-safe state of its own, to which an error of any region leads.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from ..ir import Assign, Block, Call, Expr, Let, Program, Propose, Push, Raise, Require, Rule
from ..statechart import Tree
from ..vocabulary import matches

__all__ = ["Cone", "cones"]


@dataclass(slots=True)
class _Touch:
    """What a region, or what is shared, reads, writes, raises and listens to."""

    reads: set[str] = field(default_factory=set)
    writes: set[str] = field(default_factory=set)
    states: set[str] = field(default_factory=set)
    """The states that it asks for."""
    orders: bool = False
    raises: set[str] = field(default_factory=set)
    listens: list[tuple[str, ...]] = field(default_factory=list)

    def block(self, block: Block, program: Program) -> None:
        for each in block:
            match each:
                case Let():
                    self.expr(each.value)
                case Assign():
                    for cell, value in each.targets:
                        self.writes.add(cell)
                        self.expr(value)
                case Require():
                    self.expr(each.condition)
                case Propose():
                    self.orders = True
                    leg = program.leg(each.leg)
                    self.reads.add(leg.quantity)
                    self.reads.add(f"{leg.instrument}.price")
                    self.expr(each.after)
                    self.block(leg.fill, program)
                case Raise():
                    self.raises.add(each.event)
                    for _, value in each.fields:
                        self.expr(value)
                case Push():
                    self.expr(each.value)
                case Call():
                    self.writes.update(cell for _, cell in each.into)
                    for _, argument in each.arguments:
                        if isinstance(argument, Expr):
                            self.expr(argument)

    def expr(self, expr: Expr) -> None:
        for node in expr.walk():
            if node.op in ("cell", "before"):
                self.reads.add(node.name)
            elif node.op in ("active", "was"):
                self.states.add(node.name)


@dataclass(frozen=True, slots=True)
class Cone:
    """Regions that have to do with one another, by the names of their roots, and the program of them alone."""

    program: Program
    rules: frozenset[str]
    states: frozenset[str]


def cones(program: Program) -> tuple[Cone, ...]:
    """Return the groups of regions of a program, in document order; one where it is of one piece."""
    tree = Tree(program.states)
    top = [state for state in program.states if state.parent is None]
    whole = Cone(program, frozenset(rule.name for rule in program.rules), frozenset(tree.states))
    if len(top) != 1 or top[0].kind != "parallel" or program.fail_safe is not None:
        return (whole,)
    roots = tree.children[top[0].name]
    if any(_root(tree, name, roots) is None for rule in program.rules for name in (rule.source, *rule.targets)):
        return (whole,)
    touches = {root: _touch(program, tree, root) for root in roots}
    if any(touch.orders or touch.raises or any(map(_may_loop, touch.listens)) for touch in touches.values()):
        return (whole,)
    groups = _groups(program, tree, touches)
    if len(groups) == 1:
        return (whole,)
    return tuple(_cone(program, tree, [root for root in roots if root not in group]) for group in groups)


def _may_loop(events: tuple[str, ...]) -> bool:
    """Return whether a transition may lead to itself: an eventless one, or one for errors that fails."""
    return not events or matches(events, "error.execution")


def _root(tree: Tree, state: str, roots: Iterable[str]) -> str | None:
    return next((root for root in roots if state == root or tree.is_descendant(state, root)), None)


def _groups(program: Program, tree: Tree, touches: Mapping[str, _Touch]) -> list[list[str]]:
    """Return the roots of regions that are tied, by claims too."""
    roots = tuple(touches)
    shared = _shared(program)
    for touch in _claimed(program):
        tied = [root for root in roots if _is_read(tree, touches[root], touch, root)]
        for root in tied[1:]:
            touches[root].states.add(tied[0])
    group = {root: root for root in roots}

    def find(root: str) -> str:
        while group[root] != root:
            root = group[root]
        return root

    read_by_all = [root for root in roots if _is_read(tree, touches[root], shared, root)]
    pairs = [(read_by_all[0], other) for other in read_by_all[1:]]
    for one in roots:
        for other in roots:
            mine, theirs = touches[one], touches[other]
            if one != other and (mine.writes & theirs.writes or _is_read(tree, mine, theirs, one)):
                pairs.append((one, other))
    for one, other in pairs:
        group[find(other)] = find(one)
    found: dict[str, list[str]] = {}
    for root in roots:
        found.setdefault(find(root), []).append(root)
    return list(found.values())


def _is_read(tree: Tree, mine: _Touch, theirs: _Touch, root: str) -> bool:
    """Return whether others read what a region writes, or ask for a state of it."""
    asked = any(state == root or tree.is_descendant(state, root) for state in theirs.states)
    return asked or bool(mine.writes & theirs.reads)


def _touch(program: Program, tree: Tree, root: str) -> _Touch:
    touch = _Touch()
    for state in program.states:
        if state.name == root or tree.is_descendant(state.name, root):
            for block in (state.stamp, state.entry, state.initially, state.exit, state.leave):
                touch.block(block, program)
            if state.kind == "final":
                touch.raises.update(f"done.state.{name}" for name in tree.ancestors[state.name])
    for rule in program.rules:
        if rule.source == root or tree.is_descendant(rule.source, root):
            touch.listens.append(rule.events)
            for block in (rule.measure, rule.action):
                touch.block(block, program)
            if rule.guard is not None:
                touch.expr(rule.guard)
    # A delayed event is raised by whoever arms its timer.
    touch.raises.update(timer.event for timer in program.timers if timer.due in touch.writes)
    return touch


def _shared(program: Program) -> _Touch:
    """Return what every event reads, whatever the states."""
    touch = _Touch()
    touch.block(program.accrue, program)
    for event in program.events:
        for block in (event.marks, *event.observe):
            touch.block(block, program)
    return touch


def _claimed(program: Program) -> Iterator[_Touch]:
    """Yield what each claim reads."""
    sources = {rule.name: rule.source for rule in program.rules}
    for _, claim in (*program.invariants, *program.helpers):
        touch = _Touch()
        touch.expr(claim)
        yield touch
    for ranking in program.rankings:
        touch = _Touch(states={ranking.state, sources[ranking.rule]})
        touch.expr(ranking.measure)
        yield touch


def _cone(program: Program, tree: Tree, others: list[str]) -> Cone:
    """Return the program in which some regions are states where nothing happens."""
    gone = {name for name in tree.states if any(tree.is_descendant(name, root) for root in others)}
    quiet = set(others)
    states = tuple(
        replace(
            state,
            kind="atomic",
            initial=(),
            initially=(),
            stamp=(),
            entry=(),
            exit=(),
            leave=(),
            fail_safe=None,
            tags=(),
        )
        if state.name in quiet
        else state
        for state in program.states
        if state.name not in gone
    )
    missing = gone | quiet

    def is_ours(rule: Rule) -> bool:
        return rule.source not in missing

    def is_about(claim: Expr) -> bool:
        touch = _Touch()
        touch.expr(claim)
        return not touch.states & missing and not touch.reads & written

    written = set().union(*(_touch(program, tree, root).writes for root in others))
    rules = tuple(filter(is_ours, program.rules))
    sliced = replace(
        program,
        states=states,
        rules=rules,
        regions=tuple(region for region in program.regions if region.root not in missing),
        timers=tuple(timer for timer in program.timers if timer.due not in written),
        parts=tuple(
            replace(part, region=_root(tree, part.region, others)) if part.region in gone else part
            for part in program.parts
        ),
        invariants=tuple(each for each in program.invariants if is_about(each[1])),
        helpers=tuple(each for each in program.helpers if is_about(each[1])),
        rankings=tuple(each for each in program.rankings if each.state not in missing),
    )
    names = frozenset(state.name for state in states if state.name not in quiet)
    return Cone(sliced, frozenset(rule.name for rule in rules), names)
