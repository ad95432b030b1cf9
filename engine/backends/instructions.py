"""From the blocks of the IR to Python: assignments, orders, calls, range checks, and the end of a method.

Nothing here stores anything before the end: what fails on the way returns `self._defer(...)`, and the reference decides.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from fractions import Fraction
from typing import NamedTuple

from ..evaluate import LARGEST
from ..ir import (
    NEVER,
    Assign,
    Block,
    Call,
    Cell,
    Event,
    Expr,
    Field,
    Let,
    Program,
    Propose,
    Push,
    Raise,
    Require,
    Type,
    Value,
)
from ..ir import Source as CallSource
from .expressions import Expressions, Lines, Place, Values
from .layout import Act, Layout
from .panels import Panel, panels

__all__ = ["ALARM", "BEFORE_START", "Instructions", "Placed", "Proposal"]

BEFORE_START = 2**63
"""The clock of a machine that has not started: later than any time, so that every event takes the slow way."""
ALARM = "next_"
"""The slot of a time before which no timer is due: some time up to the earliest due one."""


class Proposal(NamedTuple):
    """An order that waits for the end of its microstep: the locals or literals that say what, and for which rule."""

    leg: str
    after: str
    rule: str
    always: bool
    """Whether it was made in any case; else `after` may be None."""


class Placed(NamedTuple):
    """An order that may have been placed: the local that holds the records of it, and the quantities around it.

    `after` is a number where there are records.
    """

    leg: str
    records: str
    held: str
    after: str


class Instructions(Expressions):
    """Writes blocks into the methods of one program's class."""

    def __init__(self, program: Program, layout: Layout, joint: bool) -> None:
        super().__init__(program, layout)
        self.types = {cell.name: cell for cell in program.cells}
        self.legs = {leg.name: index for index, leg in enumerate(program.legs)}
        self.panels = panels(program)
        self.timers = frozenset(timer.due for timer in program.timers)
        self.alarm = self._alarm(joint)
        """The slot of a time before which no timer is due to a machine that has not stopped; empty if it needs none."""
        self.registers = tuple(f"r{index}_" for index in range(len(program.regions)))
        self.calls: list[Call] = []
        self.constants: list[str] = []
        self._shared: dict[str, str] = {}
        self.defer = ""
        """The statement that hands the event at hand to the reference."""
        self.results = "{}"
        self.pushed: list[str] = []
        """Windows that the event at hand has staged a value for."""

    def _alarm(self, joint: bool) -> str:
        # A joint method does not see by its registers that the machine has stopped.
        stops = joint and self.layout.can_stop
        if len(self.program.timers) == 1 and not stops:
            return self.slots[self.program.timers[0].due]
        return ALARM if self.program.timers or stops else ""

    # -------------------------------------------------------------------------------------------------------- constants

    def constant(self, expression: str) -> str:
        """Return the name of what is computed once, when the class is made."""
        if expression not in self._shared:
            name = self._shared[expression] = f"k{len(self.constants)}_"
            self.constants.append(f"{name} = {expression}")
        return self._shared[expression]

    def quiet_steps(self, leaves: tuple[str, ...]) -> str:
        """Return the name of the steps at which nothing happens, by the index of the active leaf."""
        return self.constant(f"[Step_((), (leaf,), (leaf,)) for leaf in {leaves!r}]")

    # ------------------------------------------------------------------------------------------------------ the chart

    def start(self) -> Place:
        """Return what is known of the configuration of any started machine."""
        ranges = tuple(
            (0 if steady else -1, len(region.leaves))
            for region, steady in zip(self.program.regions, self.layout.steady, strict=True)
        )
        return Place(ranges, self.registers)

    def dispatch(
        self,
        code: Lines,
        local: str,
        known: tuple[int, int],
        entries: Sequence[tuple[int, int]],
        emit: Callable[[int], None],
    ) -> None:
        """Choose among disjoint stretches of a number by halving; `emit` writes the code of the n-th one."""
        self._dispatch(code, local, known, entries, (0, len(entries)), emit)

    def _dispatch(
        self,
        code: Lines,
        local: str,
        known: tuple[int, int],
        entries: Sequence[tuple[int, int]],
        these: tuple[int, int],
        emit: Callable[[int], None],
    ) -> None:
        first, last = these
        low, high = known
        if last - first > 1:
            middle = (first + last) // 2
            border = entries[middle][0]
            with code.block(f"if {local} < {border}:"):
                self._dispatch(code, local, (low, border), entries, (first, middle), emit)
            with code.block("else:"):
                self._dispatch(code, local, (border, high), entries, (middle, last), emit)
        elif last > first:
            condition = _stretch(local, entries[first], known)
            if not condition:
                emit(first)
                return
            with code.block(f"if {condition}:"):
                emit(first)

    def eventless(self, code: Lines, values: Values, names: Iterable[str]) -> None:
        """Hand over where an eventless transition of one of these states, all active, would fire."""
        for name in names:
            for rule in self.layout.always.get(name, ()):
                if rule.guard is None:
                    code.add(self.defer)
                    return
                condition = self.expression(code, values, rule.guard)
                with code.block(f"if {condition}:"):
                    code.add(self.defer)

    def walk(
        self,
        code: Lines,
        values: Values,
        region: int,
        marked: Mapping[str, object],
        visit: Callable[[Lines, Values, str], None],
    ) -> None:
        """Visit those active states of a region that are marked, inner ones first."""
        busy = {name for state in marked if self.layout.homes[state].region == region for name in self._upward(state)}
        self._nodes(code, values, region, self.layout.tops(region), busy, marked, visit)

    def _upward(self, state: str) -> Iterable[str]:
        home = self.layout.homes[state].region
        yield state
        for name in self.layout.tree.ancestors[state]:
            if self.layout.homes[name].region != home:
                return
            yield name

    def _nodes(
        self,
        code: Lines,
        values: Values,
        region: int,
        names: Iterable[str],
        busy: Collection[str],
        marked: Mapping[str, object],
        visit: Callable[[Lines, Values, str], None],
    ) -> None:
        nodes = [name for name in names if name in busy]
        known = values.now.ranges[region]
        stretches = [self.layout.homes[name][1:] for name in nodes]

        def emit(index: int) -> None:
            name, stretch = nodes[index], stretches[index]
            inner = values if stretch == known else values.narrowed(region, *stretch)
            if self.layout.tree.kind(name) == "compound":
                self._nodes(code, inner, region, self.layout.tree.children[name], busy, marked, visit)
            if name in marked:
                visit(code, inner, name)

        self.dispatch(code, values.now.registers[region], known, stretches, emit)

    def eventless_anywhere(self, code: Lines, values: Values) -> None:
        """Hand over where an eventless transition of any active state would fire."""

        def visit(code: Lines, values: Values, name: str) -> None:
            self.eventless(code, values, (name,))

        for region in range(len(self.layout.regions)):
            self.walk(code, values, region, self.layout.always, visit)

    # ----------------------------------------------------------------------------------------------------------- blocks

    def acts(self, code: Lines, values: Values, acts: Iterable[Act], rule: str) -> list[Proposal]:
        """Write what a part of a microstep runs; return the orders that it proposes."""
        proposals: list[Proposal] = []
        region = values.now.region
        for block, active in acts:
            if self.asking and values.now.active != active:
                self.move(values, Place(values.now.ranges, values.now.registers, active, region))
            self.block(code, values, block, proposals, rule)
        return proposals

    def block(
        self, code: Lines, values: Values, block: Block, proposals: list[Proposal] | None = None, rule: str = ""
    ) -> None:
        for instruction in block:
            match instruction:
                case Let():
                    local = self.named(code, values, instruction.value)
                    values.temps[instruction.temp] = local
                    self.forget(values, (f"temp {instruction.temp}",))
                case Assign():
                    self._assign(code, values, instruction.targets)
                case Require() if instruction.waits:
                    with code.block(f"if {self._are_full(instruction.waits)}:"):
                        self._require(code, values.copy(), instruction.condition)
                case Require():
                    self._require(code, values, instruction.condition)
                case Propose():
                    assert proposals is not None
                    after = self.named(code, values, instruction.after)
                    proposals.append(Proposal(instruction.leg, after, repr(rule), always=True))
                case Raise():
                    raise AssertionError(f"`{instruction.event}` is raised in generated code")
                case Push():
                    self._push(code, values, self.windows[instruction.window], instruction.value)
                case Call():
                    self._call(code, values, instruction)

    def _assign(self, code: Lines, values: Values, targets: tuple[tuple[str, Expr], ...]) -> None:
        new = [(cell, self.named(code, values, expr)) for cell, expr in targets]
        self._write(values, new)

    def _write(self, values: Values, new: Iterable[tuple[str, str]]) -> None:
        written = dict(new)
        values.cells.update(written)
        values.written.update(dict.fromkeys(written))
        self.forget(values, written)

    def _require(self, code: Lines, values: Values, expr: Expr) -> None:
        condition = self.expression(code, values, expr)
        with code.block(f"if not {condition}:"):
            code.add(self.defer)

    def _are_full(self, windows: Iterable[str]) -> str:
        return " and ".join(f"self.{self.windows[name]}.full()" for name in windows) or "True"

    def _push(self, code: Lines, values: Values, window: str, expr: Expr) -> None:
        value = self.named(code, values, expr)
        if value not in self.finite:
            with code.block(f"if not {within(repr(-LARGEST), value, repr(LARGEST))}:"):
                code.add(self.defer)
        code.add(f"self.{window}.stage({value})")
        self.pushed.append(window)

    def _call(self, code: Lines, values: Values, instruction: Call) -> None:
        index = len(self.calls)
        self.calls.append(instruction)
        locals_ = {cell: self.local() for _, cell in instruction.into}
        for cell, local in locals_.items():
            if instruction.waits:
                code.add(f"{local} = {self.cell(code, values, cell)}")
        arguments = []
        with code.block(f"if {self._are_full(instruction.waits)}:"):
            inner = values.copy()
            for _, value in instruction.arguments:
                if isinstance(value, CallSource):
                    text = repr(value.text) if value.kind == "literal" else f"self.{self.windows[value.text]}.view()"
                else:
                    text = self.expression(code, inner, value)
                arguments.append(text)
            targets = ", ".join(locals_.values())
            given = f"({', '.join(arguments)},)" if arguments else "()"
            code.add(f"{targets}, = invoke_({index}, {given}, {self.results})")
        self._write(values, locals_.items())

    def fills(self, code: Lines, values: Values, proposals: Iterable[Proposal]) -> list[Placed]:
        """Book the proposals of a microstep in the order of the legs; return what they may have placed."""
        made: list[Placed] = []
        for name, after, rule, always in sorted(proposals, key=lambda each: self.legs[each.leg]):
            leg = self.program.legs[self.legs[name]]
            held = self.cell(code, values, leg.quantity)
            price = self.cell(code, values, f"{leg.instrument}.price")
            changed = [cell for each in leg.fill if isinstance(each, Assign) for cell, _ in each.targets]
            joined = {cell: self.local() for cell in changed}
            orders = self.local()
            for cell in changed:
                self.cell(code, values, cell)
            given = "" if always else f"{after} is not None and "
            if leg.working:
                # A leg that is to end where it stands is ordered too while an order works on it; the reference tells.
                with code.block(f"if {given}{self.cell(code, values, leg.working)} != 0.0:"):
                    code.add(self.defer)
            with code.block(f"if {given}{after} != {held}:"):
                inner = values.copy()
                inner.temps = {"after": after}
                inner.known = {
                    key: local
                    for key, local in inner.known.items()
                    if not any(read.startswith("temp ") for read in self.reads[key])
                }
                self.block(code, inner, leg.fill)
                for cell in changed:
                    code.add(f"{joined[cell]} = {inner.cells[cell]}")
                temps = inner.temps
                number = f", {inner.cells[leg.order]}" if leg.order else ""
                code.add(
                    f"{orders} = orders_of_({leg.name!r}, {leg.instrument!r}, {rule}, {leg.side == 'short'}, {held}, "
                    f"{temps['delta']}, {price}, ({temps['notional']}, {temps['fee']}, {temps['slip']}){number})"
                )
            with code.block("else:"):
                for cell in changed:
                    code.add(f"{joined[cell]} = {values.cells[cell]}")
                code.add(f"{orders} = ()")
            self._write(values, joined.items())
            made.append(Placed(name, orders, held, after))
        return made

    def pass_gates(self, code: Lines, values: Values, placed: Iterable[Placed]) -> None:
        """Leave orders that a check may stop to the reference, which tells why and knows what gives way."""
        for panel in self.panels:
            judged = [_judged(panel, each) for each in placed if each.leg in panel.legs]
            if not judged:
                continue
            with code.block(f"if {' or '.join(judged)}:"):
                if panel.bound:
                    code.add(self.defer)
                    continue
                inner = values.copy()
                inner.written = {}
                self.block(code, inner, self.program.outlook)
                self.check(code, inner, inner.written)
                for check in panel.conditions:
                    condition = self.expression(code, inner, check)
                    if condition != "True":
                        with code.block(f"if not {condition}:"):
                            code.add(self.defer)

    # ----------------------------------------------------------------------------------------------------------- checks

    def take(self, code: Lines, field: Field, local: str) -> None:
        """Check one field; what does not fit is told by the reference."""
        type, low, high = field.type, field.low, field.high
        if field.people is not None:
            people = self.constant(repr({name: index for index, name in enumerate(field.people)}))
            with code.block(f"if type_({local}) is not str_ or {local} not in {people}:"):
                code.add(self.defer)
            code.add(f"{local} = {people}[{local}]")
            return
        if type == "bool":
            with code.block(f"if {local} is not True and {local} is not False:"):
                code.add(self.defer)
            return
        kind, plain = ("int_", "whole_") if type == "int" else ("float_", "number_")
        with code.block(f"if type_({local}) is not {kind}:"):
            # The reference shows a value as it came.
            made = self.local()
            code.add(f"{made} = {plain}({local})")
            with code.block(f"if not {_range(type, made, low, high)}:"):
                code.add(self.defer)
            code.add(f"{local} = {made}")
        with code.block(f"if not {_range(type, local, low, high)}:"):
            code.add(self.defer)

    def check(self, code: Lines, values: Values, written: Iterable[str]) -> None:
        """Check range and finiteness of written cells, but for copies of what was checked before."""
        for cell in sorted(written):
            declared, local = self.types[cell], values.cells[cell]
            if declared.type == "bool" or (cell, local) in values.checked:
                continue
            values.checked.add((cell, local))
            if declared.low is None and declared.high is None and (declared.type == "int" or local in self.finite):
                continue
            with code.block(f"if not {_range(declared.type, local, declared.low, declared.high)}:"):
                code.add(self.defer)

    # ----------------------------------------------------------------------------------------------- the end of a method

    def judge(self, code: Lines, values: Values) -> str | None:
        """Judge the invariants; return the local that holds the names of the broken ones, if any can be."""
        broken = None
        for name, claim in self.monitors:
            condition = self.expression(code, values, claim)
            if condition == "True":
                continue
            if broken is None:
                broken = self.local()
                code.add(f"{broken} = ()")
            with code.block(f"if not {condition}:"):
                code.add(f"{broken} += {(name,)!r}")
        return broken

    def store(self, code: Lines, cells: Iterable[tuple[str, str]]) -> None:
        """Store cells; a timer that is armed before the alarm moves it there."""
        for cell, local in cells:
            code.add(f"self.{self.slots[cell]} = {local}")
            if self.alarm == ALARM and cell in self.timers and local != str(NEVER):
                with code.block(f"if {local} < self.{ALARM}:"):
                    code.add(f"self.{ALARM} = {local}")

    def end(self, code: Lines) -> None:
        """Move the clock and keep what windows were fed."""
        code.add("self.t_ = time_")
        for window in self.pushed:
            code.add(f"self.{window}.commit()")

    def method(self, code: Lines, event: Event, names: dict[str, str]) -> None:
        """Write the head of an event's method: nothing but an accepted event at its time goes on."""
        with code.block("if type_(time_) is not int_:"):
            code.add("time_ = whole_(time_)")
        upper = f"self.{self.alarm}" if self.alarm else str(BEFORE_START)
        with code.block(f"if not (self.t_ <= time_ and time_ < {upper}):"):
            if self.alarm == ALARM:
                with code.block("if self._is_late(time_):"):
                    code.add(self.defer)
            else:
                code.add(self.defer)
        for field in event.fields:
            self.take(code, field, names[field.name])


def _judged(panel: Panel, placed: Placed) -> str:
    """Return the condition that a panel judges an order of one of its legs, see `work.Change`."""
    _, records, held, after = placed
    if panel.applies == "all":
        return records
    grows = f"(abs_({after}) > abs_({held}) or {after} < 0.0 < {held} or {held} < 0.0 < {after})"
    return f"({records} and {'' if panel.applies == 'increase' else 'not '}{grows})"


def within(low: str, local: str, high: str) -> str:
    """Return a range check that NaN fails; CPython 3.11 runs it faster than the chained comparison."""
    return f"({low} <= {local} and {local} <= {high})"


def _range(type: Type, local: str, low: Fraction | None, high: Fraction | None) -> str:
    if type == "int":
        # INVARIANT: an int has both bounds or none.
        assert low is not None and high is not None
        return within(str(int(low)), local, str(int(high)))
    return within(repr(-LARGEST if low is None else float(low)), local, repr(LARGEST if high is None else float(high)))


def _stretch(local: str, wanted: tuple[int, int], known: tuple[int, int]) -> str:
    """Return the condition that a number is in a stretch, of which another one is known."""
    (low, high), (least, end) = wanted, known
    if low <= least and end <= high:
        return ""
    if high - low == 1:
        return f"{local} == {low}"
    if low <= least:
        return f"{local} < {high}"
    return f"{local} >= {low}" if high >= end else f"{low} <= {local} < {high}"


def literal(value: Value, cell: Cell) -> str:
    """Return what a cell holds before the start."""
    return repr(float(value)) if cell.type == "real" else repr(value)
