"""What one step, or two regions, would do to the same thing: a leg ordered twice (HR403), a cell written by both (HR413).

A step exits states, acts and enters states. Which states it exits depends on the configuration, so what could be exited
is gathered over the tree: the states of a compound state exclude one another, the regions of a parallel one do not. The
product of regions is never formed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from .blocks import ordered_legs
from .chart import Chart, Edge
from .check import Location
from .diagnostics import Findings, Span
from .ir import Assign, Block, Call
from .modes import Modes
from .source import Document
from .statechart import ROOT

__all__ = ["Conflicts"]

Orders = Mapping[str, Span]
"""The legs that may be ordered, each with a place where it is."""


class Conflicts:
    """Checks a chart whose blocks are lowered."""

    def __init__(self, chart: Chart, modes: Modes, document: Document, findings: Findings) -> None:
        self.chart, self.tree, self.modes = chart, chart.tree, modes
        self.document, self.findings = document, findings
        self._left: dict[str, Orders] = {}
        self._restored: dict[str, Orders] = {}
        self._told: set[frozenset[Span]] = set()
        """Places of two orders in one step: many a step may take both."""

    # ------------------------------------------------------------------------------------------------ orders of a step

    def one_order_a_leg(self, fail_safe: str | None) -> None:
        """Tell where leaving, acting and entering together would order one leg twice in one step."""
        self._entered("the start", self.chart.initial, ROOT)
        for edge in self.chart.edges:
            self._edge(edge)
        self._fail_safe(fail_safe, ROOT)
        for node in self.chart.nodes.values():
            self._fail_safe(node.shape.fail_safe, node.name)

    def _edge(self, edge: Edge) -> None:
        what, targets = edge.name, edge.targets
        domain = self.tree.reach(edge)
        if domain is None:
            return
        orders = self._exits(what, edge.source, domain)
        orders = self._both(what, orders, _orders(self.modes.actions[edge.name]))
        self._both(what, orders, self._entered(what, targets, domain))

    def _fail_safe(self, target: str | None, scope: str) -> None:
        """Check the ways to a fail-safe state: what is active beside its path, within the innermost state that is on it."""
        if target not in self.chart.nodes or not self.tree.is_descendant(target, scope):
            return  # wrong, and told
        what, path = "the way to fail_safe", target
        while path != scope:
            around = self.tree.parent(path)
            if self.tree.kind(around) == "compound":
                entered = self._entered(what, (target,), around)
                for child in self.tree.children[around]:
                    if child != path:
                        self._both(what, self._leaving(child), entered)
            path = around

    def _exits(self, what: str, source: str, domain: str) -> Orders:
        """Return what may be ordered where all active states within a domain are exited, the source among them."""
        if source == domain:
            return _either(self._leaving(child) for child in self.tree.children[source])
        path, orders = source, self._leaving(source)
        while self.tree.parent(path) != domain:
            around = self.tree.parent(path)
            if self.tree.kind(around) == "parallel":
                for region in self.tree.children[around]:
                    if region != path:
                        orders = self._both(what, orders, self._leaving(region))
            orders = self._both(what, orders, _orders(self.modes.exit[around]))
            path = around
        return orders

    def _leaving(self, state: str) -> Orders:
        """Return what may be ordered where an active state is exited, with whatever is active in it."""
        if state not in self._left:
            what = f"leaving {state}"
            inside = self._within(what, state, self._leaving)
            self._left[state] = self._both(what, inside, _orders(self.modes.exit[state]))
        return self._left[state]

    def _entered(self, what: str, targets: Sequence[str], domain: str) -> Orders:
        """Return what may be ordered where targets are entered, by default and by what history states remember."""
        entry = self.tree.entry_set(targets, domain, {})
        orders: Orders = {}
        beside: Orders = {}
        """The same but for what history states decide."""
        for state in entry.states:
            blocks = [self.modes.entry[state]]
            if state in entry.by_default:
                blocks.append(self.modes.initially[state])
            own = self._fold(what, map(_orders, blocks))
            if not any(self.tree.is_descendant(state, parent) for parent in entry.history):
                beside = {**own, **beside}
            if state in entry.history:
                own = self._both(what, own, _orders(self.modes.initially[entry.history[state]]))
            orders = self._both(what, orders, own)
        restored = [self._within(what, parent, self._restoring) for parent in entry.history]
        return _either((orders, self._fold(what, (beside, *restored))))

    def _within(self, what: str, state: str, part: Callable[[str], Orders]) -> Orders:
        """Return what may be ordered in what is active in a state: all of its regions, or one of its states."""
        inside = (part(child) for child in self.tree.children[state])
        return self._fold(what, inside) if self.tree.kind(state) == "parallel" else _either(inside)

    def _restoring(self, state: str) -> Orders:
        """Return what may be ordered where history brings a state back, with anything in it."""
        if state not in self._restored:
            what = f"restoring {state}"
            by_default = self._entered(what, (state,), self.tree.parent(state))
            inside = self._within(what, state, self._restoring)
            self._restored[state] = _either((by_default, self._both(what, _orders(self.modes.entry[state]), inside)))
        return self._restored[state]

    def _fold(self, what: str, parts: Iterable[Orders]) -> Orders:
        orders: Orders = {}
        for part in parts:
            orders = self._both(what, orders, part)
        return orders

    def _both(self, what: str, first: Orders, second: Orders) -> Orders:
        """Return the orders of two parts of one step, after telling what both order."""
        for leg in first.keys() & second.keys():
            pair = frozenset((first[leg], second[leg]))
            if pair in self._told:
                continue
            self._told.add(pair)
            self.findings.error(
                "HR403",
                f"`{what}` orders `{leg}` twice: here and at {first[leg]}",
                second[leg],
                "exit, action and entry make one step: order a leg in one of them",
            )
        return {**second, **first} if first and second else first or second

    # ------------------------------------------------------------------------------------------------- cells of regions

    def one_region_a_cell(self, cells: Iterable[str]) -> None:
        """Tell where two regions of a parallel state write the same cell."""
        writes = self._own_writes(frozenset(cells))
        for name, node in reversed(self.chart.nodes.items()):  # children stand behind their parents
            regions: dict[str, tuple[str, Span]] = {}
            for child in self.tree.children[name]:
                for cell, span in writes[child].items():
                    region, first = regions.setdefault(cell, (child, span))
                    if node.kind == "parallel" and region != child:
                        self.findings.error(
                            "HR413",
                            f"the regions `{region}` and `{child}` both write `{cell}`: here and at {first}",
                            span,
                            f"let `{region}` alone write it, on an event that `{child}` raises",
                        )
            for cell, (_, span) in regions.items():
                writes[name].setdefault(cell, span)

    def _own_writes(self, cells: frozenset[str]) -> dict[str, dict[str, Span]]:
        """Return the cells that each state writes by itself or in a transition from it, with the first place."""
        modes, writes = self.modes, dict[str, dict[str, Span]]()
        for name, node in self.chart.nodes.items():
            key = "default" if node.kind == "history" else "initial"
            # What leads to a history's default is done by the state whose history it is.
            own = writes.setdefault(name, writes[str(node.parent)] if node.kind == "history" and node.parent else {})
            self._writes(modes.entry[name], (*node.loc, "entry"), cells, own)
            self._writes(modes.exit[name], (*node.loc, "exit"), cells, own)
            self._writes(modes.initially[name], (*node.loc, key, "do"), cells, own)
        for edge in self.chart.edges:
            self._writes(modes.actions[edge.name], (*edge.loc, "do"), cells, writes[edge.source])
        return writes

    def _writes(self, block: Block, loc: Location, cells: frozenset[str], found: dict[str, Span]) -> None:
        for instruction in block:
            if isinstance(instruction, Assign):
                written = [name for name, _ in instruction.targets]
            elif isinstance(instruction, Call):
                written = [name for _, name in instruction.into]
            else:
                continue
            for name in cells.intersection(written):
                # A step of a named action is shown where the action is run: several states may run it.
                around = self.document.at(loc).span
                span = instruction.span
                found.setdefault(name, span if span is not None and _lies_in(span, around) else around)


def _lies_in(span: Span, around: Span) -> bool:
    start, end = (around.line, around.column), (around.end_line, around.end_column)
    return start <= (span.line, span.column) < end


def _orders(block: Block) -> Orders:
    """Return the legs that a block orders, each with the first place; that it orders one twice is told elsewhere."""
    found: dict[str, Span] = {}
    for order in ordered_legs(block):
        if order.span is not None:
            found.setdefault(order.leg, order.span)
    return found


def _either(alternatives: Iterable[Orders]) -> Orders:
    """Return the orders of parts of which one step runs one."""
    found: dict[str, Span] = {}
    for orders in alternatives:
        for leg, span in orders.items():
            found.setdefault(leg, span)
    return found
