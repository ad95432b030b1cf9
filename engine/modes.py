"""The statechart as IR: its states with what they do, its transitions, and the timers of `after` and `every`.

a: {after: {30m: {to: b}}}      ->      state a  stamp: set due(after.a.1) = due(now, 1800)
                                                 leave: set due(after.a.1) = 9223372036854775807
                                        rule a.after.1: on after.a.1, from a to b
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fractions import Fraction
from functools import cached_property

from .blocks import Blocks
from .chart import Chart, Edge, Node
from .check import KEY, Checker, Location
from .delays import NANOSECOND, armed, delay, disarmed, due_cell
from .ir import Assign, Block, Cell, Expr, Program, Region, Rule, State, Timer
from .model import DefaultShape
from .symbols import Scope

__all__ = ["Modes", "timer_delays"]


class Modes:
    """Lowers the states and the transitions of one spec."""

    def __init__(self, checker: Checker, chart: Chart, blocks: Blocks) -> None:
        self.checker, self.chart, self.pool = checker, chart, checker.pool
        self.entry: dict[str, Block] = {}
        self.exit: dict[str, Block] = {}
        self.initially: dict[str, Block] = {}
        self.guards: dict[str, Expr | None] = {}
        self.actions: dict[str, Block] = {}
        self._timers: dict[str, list[tuple[Timer, Expr]]] = {}
        """The timers of each state, with the seconds that they are armed for."""
        self._own_rules: dict[str, list[str]] = {}
        for edge in chart.edges:
            self._own_rules.setdefault(edge.source, []).append(edge.name)
        for node in chart.nodes.values():
            self._state_blocks(node, blocks)
            self._state_timers(node)
        for edge in chart.edges:
            self._edge_blocks(edge, blocks)

    @property
    def blocks(self) -> tuple[Block, ...]:
        """All that states and transitions do."""
        tables = (self.entry, self.exit, self.initially, self.actions)
        return tuple(block for table in tables for block in table.values())

    # -------------------------------------------------------------------------------------------------------- lowering

    def _state_blocks(self, node: Node, blocks: Blocks) -> None:
        shape, loc = node.shape, node.loc
        entry, leave = Scope("an entry action"), Scope("an exit action")
        self.entry[node.name] = () if shape.entry is None else blocks.block(shape.entry, (*loc, "entry"), entry)
        self.exit[node.name] = () if shape.exit is None else blocks.block(shape.exit, (*loc, "exit"), leave)
        key = "default" if node.kind == "history" else "initial"
        default = shape.default if node.kind == "history" else shape.initial
        self.initially[node.name] = ()
        if isinstance(default, DefaultShape) and default.do is not None:
            scope = Scope(f"the action of `{key}`")
            self.initially[node.name] = blocks.block(default.do, (*loc, key, "do"), scope)

    def _state_timers(self, node: Node) -> None:
        found = self._timers[node.name] = []
        for kind, least in (("after", Fraction(0)), ("every", NANOSECOND)):
            for index, key in enumerate(getattr(node.shape, kind)):
                loc: Location = (*node.loc, kind, key, KEY)
                name = f"{kind}.{node.name}.{index + 1}"
                seconds = delay(self.checker, loc, Scope("a delay", machine=False), "a delay", least)
                if seconds is not None:
                    period = seconds if kind == "every" else None
                    span = self.checker.span(loc)
                    found.append((Timer(name, name, f"due({name})", period, (), span), seconds))

    def _edge_blocks(self, edge: Edge, blocks: Blocks) -> None:
        shape, guard, action = edge.shape, Scope("a guard", event=edge.event), Scope("an action", event=edge.event)
        self.guards[edge.name] = None if shape.if_ is None else self.checker.boolean((*edge.loc, "if"), guard)
        self.actions[edge.name] = () if shape.do is None else blocks.block(shape.do, (*edge.loc, "do"), action)

    # -------------------------------------------------------------------------------------------------------------- IR

    def stamp(self, rules: Iterable[str]) -> Block:
        """Return the block that notes the time for those rules that `since` asks for."""
        now = self.pool.make("now", (), "int")
        stamped = sorted(set(rules) & self.checker.memory.since)
        return (Assign(tuple((f"since({name})", now) for name in stamped)),) if stamped else ()

    def states(self) -> tuple[State, ...]:
        return tuple(self._state(node) for node in self.chart.nodes.values())

    def _state(self, node: Node) -> State:
        shape, timers = node.shape, self._timers[node.name]
        arm = tuple(armed(self.pool, timer.name, seconds) for timer, seconds in timers)
        disarm = tuple(disarmed(self.pool, timer.name) for timer, _ in timers)
        return State(
            name=node.name,
            parent=node.parent,
            kind=node.kind,
            initial=node.initial,
            initially=self.initially[node.name],
            deep=node.deep,
            stamp=self.stamp(self._own_rules.get(node.name, ())) + ((Assign(arm),) if arm else ()),
            entry=self.entry[node.name],
            exit=self.exit[node.name],
            leave=(Assign(disarm),) if disarm else (),
            fail_safe=shape.fail_safe,
            tags=tuple(shape.tags),
            about=shape.about or "",
            span=self.checker.document.key(node.loc).span,
        )

    @cached_property
    def regions(self) -> tuple[Region, ...]:
        """The parts of the chart that have a register."""
        tree = self.chart.tree
        return tuple(Region(root, tree.leaves(root)) for root in tree.roots())

    def rules(self, measures: Mapping[str, Mapping[str, Expr]]) -> tuple[Rule, ...]:
        """Return the transitions; `measures` are what a report sums over firings, by measure and rule."""
        return tuple(self._rule(edge, measures) for edge in self.chart.edges)

    def _rule(self, edge: Edge, measures: Mapping[str, Mapping[str, Expr]]) -> Rule:
        booked = tuple(
            Assign(((cell, self.pool.make("add", (self.pool.cell(cell), rules[edge.name]))),))
            for cell, rules in ((f"report.{measure}", rules) for measure, rules in measures.items())
            if edge.name in rules
        )
        return Rule(
            name=edge.name,
            source=edge.source,
            events=edge.events,
            guard=self.guards[edge.name],
            targets=edge.targets,
            internal=edge.internal,
            measure=booked,
            # Stamped last: in its own actions `since` still speaks of the firing before.
            action=self.actions[edge.name] + self.stamp((edge.name,)),
            span=self.checker.document.key(edge.loc).span,
            approval=edge.shape.approval,
        )

    def timers(self) -> tuple[Timer, ...]:
        """Return the timers of `after` and `every`."""
        return tuple(timer for timers in self._timers.values() for timer, _ in timers)

    def cells(self) -> tuple[Cell, ...]:
        return tuple(due_cell(timer.name) for timer in self.timers())


def timer_delays(program: Program) -> tuple[tuple[str, Expr, Fraction], ...]:
    """Return the delays of a program over its parameters: what each is called, its seconds, and the least allowed."""
    timers = {timer.due: timer for timer in program.timers}
    waits = ((each.timer, each.within, NANOSECOND) for each in program.approvals)
    again = ((each.timer, each.again, Fraction(0)) for each in program.approvals)
    armed_on_entry = (
        (timers[cell].name, node.args[1], Fraction(0) if timers[cell].period is None else NANOSECOND)
        for state in program.states
        for instruction in state.stamp
        if isinstance(instruction, Assign)
        for cell, node in instruction.targets
        if node.op == "due"
    )
    return (*armed_on_entry, *waits, *again)
