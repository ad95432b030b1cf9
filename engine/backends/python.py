"""From the IR to the Python source of a machine class: its slots, and one method an event.

A machine with one register gets a method that is a tree of branches (`single`); one with several selects in each region
and fires what was selected together (`joint`), and so does one whose branches would repeat the same transitions too often.
"""

from __future__ import annotations

import keyword
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import CodeType

from ..ir import NOBODY, Block, Call, Event, Program
from ..vocabulary import ANSWERS
from .columns import columns_of
from .expressions import Lines, Values
from .instructions import ALARM, BEFORE_START, Instructions, literal
from .joint import Joint
from .layout import Layout
from .single import Single, size

__all__ = ["BEFORE_START", "Source", "source_of"]

_REPEATED = 4
"""How often a transition may stand in the branches of one method, on average."""
_SMALL = 400
"""Transitions that a method may have without asking how often they are repeated."""


@dataclass(frozen=True, slots=True)
class Source:
    """The code of a machine class and where it keeps things."""

    text: str
    code: CodeType
    layout: Layout
    registers: tuple[str, ...]
    places: Mapping[str, tuple[tuple[str, int], ...]]
    """For each atomic state the registers that say that it is active, and what they hold then."""
    clock: str
    cells: Mapping[str, str]
    windows: Mapping[str, str]
    dues: tuple[str, ...]
    alarm: str
    """The slot of a time before which no timer is due, if there is one of its own."""
    quiet: str
    """The slot of the step of an event at which nothing fires, if it is kept."""
    history: str
    """The slot of what history states remember, if there are any."""
    methods: Mapping[str, str]
    by_name: frozenset[str]
    """Events whose method takes the fields under their own names."""
    columns: tuple[str, ...]
    calls: tuple[Call, ...]


def source_of(program: Program) -> Source:
    """Return the source of a program's machine class."""
    return _Generator(program).source()


class _Generator:
    def __init__(self, program: Program) -> None:
        self.program = program
        self.layout = Layout(program)
        self.joint = not self.layout.single or self._repeats()
        self.write = Instructions(program, self.layout, self.joint)

    def _repeats(self) -> bool:
        """Return whether branches would repeat the same transitions too often."""
        sizes = [size(self.layout, event.name) for event in self.program.events]
        judged = 1 + len(self.program.invariants)
        branches, rules = sum(branches for branches, _ in sizes), sum(rules for _, rules in sizes)
        return branches * judged > _SMALL and branches > _REPEATED * rules

    # -------------------------------------------------------------------------------------------------------- the class

    def source(self) -> Source:
        program, write, layout = self.program, self.write, self.layout
        body = Lines(depth=1)
        methods: dict[str, str] = {}
        by_name: set[str] = set()
        for index, event in enumerate(program.events):
            method = f"event{index}_"
            methods[event.name] = method
            if all(_argument(field.name) == field.name for field in event.fields):
                by_name.add(event.name)
            self._event(body, method, event)
        self._advance(body)
        columns = self._observation(body)
        remembered = {state.name: () for state in program.states if state.kind == "history"}
        history = write.constant(repr(remembered)) if remembered else ""
        code = Lines()
        # Names of the module: a function with hundreds of names around it would copy them all at each call.
        for name, local in write.parameters.items():
            code.add(f"{local} = parameters_[{name!r}]")
        if self.joint:
            code.add(f"shown_ = {self._shown()!r}")
        for line in (*write.hoisted_lines, *write.constants):
            code.add(line)
        with code.block("class Generated(Machine_):"):
            extra = [*([ALARM] if write.alarm == ALARM else []), *(["q_"] if self.joint else [])]
            slots = ("t_", *write.registers, *extra, *(["history_"] if history else []))
            code.add(f"__slots__ = {(*slots, *write.slots.values(), *write.windows.values())!r}")
            with code.block("def __init__(self):"):
                code.add(f"self.t_ = {BEFORE_START}")
                for register in write.registers:
                    code.add(f"self.{register} = -1")
                for slot in extra:
                    code.add(f"self.{slot} = {'None' if slot == 'q_' else BEFORE_START}")
                if history:
                    code.add(f"self.history_ = {history}")
                for cell in program.cells:
                    code.add(f"self.{write.slots[cell.name]} = {literal(cell.initial, cell)}")
                for window in program.windows:
                    code.add(f"self.{write.windows[window.name]} = Ring_({window.length})")
            code.lines += body.lines
        text = "\n".join(code.lines) + "\n"
        return Source(
            text=text,
            code=compile(text, f"<hedgerow {program.name}>", "exec"),
            layout=layout,
            registers=write.registers,
            places=self._places(),
            clock="t_",
            cells=write.slots,
            windows=write.windows,
            dues=tuple(write.slots[timer.due] for timer in program.timers),
            alarm=ALARM if write.alarm == ALARM else "",
            quiet="q_" if self.joint else "",
            history="history_" if history else "",
            methods=methods,
            by_name=frozenset(by_name),
            columns=columns,
            calls=tuple(write.calls),
        )

    def _places(self) -> dict[str, tuple[tuple[str, int], ...]]:
        layout = self.layout
        found: dict[str, tuple[tuple[str, int], ...]] = {}
        for name in filter(layout.tree.is_atomic, layout.chains):
            homes = [layout.homes[name], *layout.around(layout.homes[name].region).values()]
            found[name] = tuple((self.write.registers[home.region], home.low) for home in homes)
        return found

    def _shown(self) -> tuple[tuple[tuple[str, ...], ...], ...]:
        """Return what each register adds to the configuration; its last entry is that of a region that is not active."""
        return tuple(
            (*((leaf,) if self.layout.tree.is_atomic(leaf) else () for leaf in region.leaves), ())
            for region in self.program.regions
        )

    def _observation(self, body: Lines) -> tuple[str, ...]:
        columns, slots = columns_of(self.program), self.write.slots
        texts = [
            f"self.r{column.region}_"
            if column.region is not None
            else " + ".join(f"self.{slots[cell]}" for cell in column.cells)
            for column in columns
        ]
        with body.block("def observation(self):"):
            body.add(f"return ({', '.join(texts)},)")
        return tuple(column.name for column in columns)

    # --------------------------------------------------------------------------------------------------------- a method

    def _event(self, code: Lines, method: str, event: Event) -> None:
        write = self.write
        fields = {field.name: _argument(field.name) for field in event.fields}
        arguments = ", ".join(fields.values())
        values = f"({arguments},)" if fields else "()"
        write.fields = {f"{event.name}.{name}": local for name, local in fields.items()}
        write.person = str(NOBODY) if event.person is None else fields[event.person.name]
        calls = any(isinstance(i, Call) for b in self._blocks_of(event) for i in b)
        write.pushed = []
        write.results = "results_" if calls else "{}"
        write.defer = f"return self._defer({event.name!r}, time_, {values}, {write.results})"
        with code.block(f"def {method}(self, time_, {arguments}):" if fields else f"def {method}(self, time_):"):
            if self.program.approvals and event.name in ANSWERS:
                code.add(f"return self._defer({event.name!r}, time_, {values}, {{}})")
                return
            if calls:
                code.add("results_ = {}")
            with code.block("try:"):
                write.method(code, event, fields)
                held = Values(write.start())
                for region, register in enumerate(write.registers):
                    if not self.layout.is_constant(region):
                        code.add(f"{register} = self.{register}")
                for block in (self.program.accrue, event.marks, *event.observe):
                    write.block(code, held, block)
                    write.check(code, held, held.written)
                held.before = dict(held.cells)
                (Joint if self.joint else Single)(write, event).emit(code, held)
            with code.block("except Failures_:"):
                code.add(write.defer)

    def _blocks_of(self, event: Event) -> Iterable[Block]:
        yield from event.observe
        for rule in self.program.rules:
            yield rule.action
        for state in self.program.states:
            yield from (state.entry, state.initially, state.exit)

    def _advance(self, code: Lines) -> None:
        """Write `advance`: where no timer is due, time passes and nothing else does."""
        write, layout = self.write, self.layout
        upper = f"self.{write.alarm}" if write.alarm else str(BEFORE_START)
        conditions = ["type_(time_ns) is int_", "self.t_ <= time_ns", f"time_ns < {upper}"]
        finals = tuple(index for index, leaf in enumerate(layout.regions[0].leaves) if leaf in layout.finals)
        if finals and not self.joint:
            conditions.append(f"self.r0_ not in {finals!r}")
        with code.block("def advance(self, time_ns):"):
            with code.block(f"if {' and '.join(conditions)}:"):
                code.add("self.t_ = time_ns")
                leaves = layout.regions[0].leaves
                code.add("return self.q_" if self.joint else f"return {write.quiet_steps(leaves)}[self.r0_]")
            code.add("return self._advance(time_ns)")


def _argument(field: str) -> str:
    """Return the parameter that takes a field; the language has no name that ends in an underscore."""
    return f"{field}_" if keyword.iskeyword(field) or field == "self" else field
