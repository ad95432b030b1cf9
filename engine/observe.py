"""Observations of a spec: windows, observed lines and observed calls, in an order in which every value is known.

calm: streak(out_of_band, max=9)       ->      set calm = (min((calm + 1), 9) if ... else 0)
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from .bind import bind_call, ensured
from .blocks import waiting
from .check import Checker, Location
from .diagnostics import suggestion
from .ir import ZERO, Assign, Block, Cell, Expr, Instruction, Push
from .memory import Memory
from .model import ObservedCall, Spec
from .registry import Registry
from .symbols import Scope
from .units import ONE

__all__ = ["MAX_HISTORY", "Observations"]

MAX_HISTORY = 10_000_000
"""Values in all windows of a spec: 160 MB in each of its machines."""


class Observations:
    """Lowers what a spec observes, event by event."""

    def __init__(self, spec: Spec, checker: Checker, registry: Registry) -> None:
        self.spec, self.checker, self.registry = spec, checker, registry
        self.pool, self.symbols = checker.pool, checker.symbols
        self.findings, self.document = checker.findings, checker.document
        self.cells: dict[str, Cell] = {}
        self.begin: list[Instruction] = []
        """What gives observed values their first value."""
        self.unset: list[tuple[str, str, Location, str]] = []
        """Observed names that have no value before their first event: (name, event, place, help)."""
        self._lines: dict[str, Block] = {}

    @property
    def blocks(self) -> tuple[Block, ...]:
        """The lowered lines of all events."""
        return tuple(self._lines.values())

    def declare_windows(self) -> None:
        room = MAX_HISTORY
        for name, shape in self.spec.windows.items():
            room, before = room - shape.length, room
            if room < 0 <= before:
                self.findings.error(
                    "HR007",
                    f"the windows hold more than {MAX_HISTORY:,} values together",
                    self.document.at(("windows", name, "length")).span,
                    "shorten the windows, or use `ewma` and `peak`, which need no history",
                )
            if shape.on not in self.checker.symbols.events:
                self.findings.error(
                    "HR206",
                    f"unknown event `{shape.on}`",
                    self.document.at(("windows", name, "on")).span,
                    suggestion(shape.on, self.checker.symbols.events, "declare it under `events:`"),
                )
                continue
            kept, self.checker.memory = self.checker.memory, Memory()
            typed = self.checker.check(("windows", name, "of"), Scope("a window", event=shape.on, observing=shape.on))
            self.checker.memory = kept
            if typed is not None:
                self.symbols.windows[name] = typed.unit or ONE

    def lower(self, event: str, late_marks: frozenset[str]) -> None:
        """Lower what is observed on an event: windows as early as their values are known, then line by line."""
        checker, spec = self.checker, self.spec
        lines = spec.observe.get(event, {})
        checker.memory.next_event()
        block: list[Instruction] = []
        unfed = [name for name, shape in spec.windows.items() if shape.on == event and name in self.symbols.windows]
        names = list(lines)

        def results(name: str) -> set[str]:
            return {
                name,
                *(observed for observed in self.symbols.observed if observed.startswith(f"{name}.")),
            }

        remaining = [results(name) for name in names]

        def push_ready() -> None:
            later = late_marks.union(*remaining)
            for window in [window for window in unfed if self._ready(window, event, later)]:
                unfed.remove(window)
                loc: Location = ("windows", window, "of")
                typed = checker.value(
                    loc, Scope("a window", event=event, observing=event), "real", None, "a window's value"
                )
                block.extend(checker.memory.drain())
                if typed is not None:
                    block.append(Push(window, typed.expr, checker.span(loc)))

        push_ready()
        for name, line in lines.items():
            own = remaining[0]
            below = late_marks.union(*remaining[1:])
            later = below if name in spec.state else below | own
            line_name = "" if name in spec.state else name
            scope = Scope("an observation", event=event, observing=event, later=later, line=line_name)
            loc: Location = ("observe", event, name)
            if isinstance(line, ObservedCall):
                self._observed_call(name, line, loc, scope, event, block)
            else:
                self._observed_line(name, loc, scope, event, block)
            remaining.pop(0)
            push_ready()
        for window in unfed:
            # What it reads is only set after the observations: say so where it stands.
            checker.check(("windows", window, "of"), Scope("a window", event=event, observing=event, later=late_marks))
        self._lines[event] = tuple(block)

    def _ready(self, window: str, event: str, later: frozenset[str]) -> bool:
        """Return whether a window's value needs nothing that is observed further down."""
        kept, self.checker.memory = self.checker.memory, Memory()
        probe = self.checker.check(("windows", window, "of"), Scope("a window", event=event, observing=event))
        self.checker.memory = kept
        return probe is not None and not any(node.op == "cell" and node.name in later for node in probe.expr.walk())

    def _observed_line(self, name: str, loc: Location, scope: Scope, event: str, block: list[Instruction]) -> None:
        checker = self.checker
        if name in self.spec.state:
            cell = self.symbols.cells[name]
            typed = checker.value(loc, scope, cell.type, cell.unit, f"`{name}`")
        else:
            typed = checker.check(loc, scope)
        block.extend(checker.memory.drain())
        if typed is None:
            return
        if name not in checker.memory.kept:
            block.append(Assign(((name, typed.expr),), checker.span(loc)))
        if name not in self.spec.state:
            if not checker.observed(name):
                return
            cell = self.symbols.cells[name]
            low, high = (Fraction(cell.low), Fraction(cell.high)) if cell.type == "int" else (None, None)
            self.cells[name] = Cell(name, cell.type, str(cell.unit), low, high, ZERO[cell.type], "observed")
            self._needs_initial(name, typed.expr, event, loc)

    def _needs_initial(self, name: str, expr: Expr, event: str, loc: Location) -> None:
        """Remember a value that could be read before its first event; a memory expression with `initial=` has one."""
        memory = self.checker.memory
        starts = memory.initial.keys() | memory.zeroed | {f"elapsed({event})" for event in memory.elapsed}
        if expr.op != "cell" or expr.name not in starts:
            self.unset.append((name, event, loc, f"declare `{name}` under `state:` with an initial value"))

    def _observed_call(
        self, name: str, line: ObservedCall, loc: Location, scope: Scope, event: str, block: list[Instruction]
    ) -> None:
        checker = self.checker
        bound = bind_call(checker, self.registry, loc, line.with_, scope)
        block.extend(checker.memory.drain())
        if bound is None:
            return
        into = []
        for result, unit in zip(bound.results, bound.units, strict=True):
            cell = f"{name}.{result.name}" if result.name else name
            into.append((result.name, cell))
            checker.observed(cell)
            self.cells[cell] = Cell(cell, result.type, str(unit), None, None, ZERO[result.type], "observed")
            initial_loc: Location = (*loc, "initial", result.name) if result.name else (*loc, "initial")
            given = (
                isinstance(line.initial, dict) and result.name in line.initial
                if result.name
                else (line.initial is not None and not isinstance(line.initial, dict))
            )
            if given:
                typed = checker.value(
                    initial_loc, Scope("an initial value", machine=False), result.type, unit, f"`{cell}`"
                )
                if typed is not None:
                    self.begin.append(Assign(((cell, typed.expr),), checker.span(initial_loc)))
                continue
            field = f"initial: {{{result.name}: …}}" if result.name else "initial: …"
            if waiting(self.spec, bound.windows):
                self.findings.error(
                    "HR407",
                    f"`{cell}` has no value until the window is full",
                    self.document.at((*loc, "call")).span,
                    f"add `{field}` to this call, on the safe side",
                )
            else:
                self.unset.append((cell, event, (*loc, "call"), f"add `{field}` to this call"))
        if isinstance(line.initial, dict):
            known = {result.name for result in bound.results}
            for field in line.initial:
                if field not in known:
                    self.findings.error(
                        "HR505",
                        f"`{line.call}` has no result `{field}`",
                        self.document.key((*loc, "initial", field)).span,
                        suggestion(field, known, "it returns one value: write `initial: VALUE`"),
                    )
        span = self.document.at((*loc, "call")).span
        call = bound.instruction(tuple(into), waiting(self.spec, bound.windows), span)
        # What is ensured is about the results, so these can be read there.
        later = scope.later - {cell for _, cell in into}
        block += [call, *ensured(checker, call, loc, replace(scope, later=later), line.ensures)]

    def memory_cells(self) -> list[Cell]:
        """Return the hidden cells of all memory expressions met so far."""
        memory = self.checker.memory
        found = [Cell(name, type, "1", None, None, ZERO[type], "memory") for name, type in memory.cells.items()]
        found += [Cell(f"since({name})", "int", "ns", None, None, 0, "memory") for name in sorted(memory.since)]
        for event in sorted(memory.elapsed | memory.stamped):
            if event in memory.elapsed:
                found.append(Cell(f"elapsed({event})", "real", "s", None, None, Fraction(0), "memory"))
            found.append(Cell(f"last({event})", "int", "ns", None, None, 0, "memory"))
        found += [
            Cell(f"observed({event})", "bool", "1", None, None, False, "memory")
            for event in sorted(memory.seen | memory.elapsed | memory.stamped)
        ]
        return found

    def block(self, event: str, late_marks: Block) -> Block:
        """Return the observations of an event: its clocks, its lines, the marks that read them, and that it happened."""
        memory, pool = self.checker.memory, self.pool
        block: list[Instruction] = []
        now = pool.make("now", (), "int")
        if event in memory.elapsed:
            last = pool.cell(f"last({event})", "int")
            gap = pool.make(
                "select",
                (
                    pool.cell(f"observed({event})", "bool"),
                    pool.make("seconds", (now, last)),
                    pool.constant(Fraction(0), "real"),
                ),
            )
            block.append(Assign(((f"elapsed({event})", gap), (f"last({event})", now))))
        elif event in memory.stamped:
            block.append(Assign(((f"last({event})", now),)))
        block += self._lines[event]
        block += late_marks
        if event in memory.seen | memory.elapsed | memory.stamped:
            block.append(Assign(((f"observed({event})", pool.constant(True, "bool")),)))
        return tuple(block)
