"""Where each value of a machine stands in the memory of a kernel: one 8-byte slot each.

A slot holds a double or an int64; a bool is 0 or 1. After what a snapshot has come the tallies of a run.
"""

from __future__ import annotations

from dataclasses import dataclass

from ...ir import Program, Type
from .text import Kind

__all__ = ["BEFORE", "FAR", "REACH", "RUNNING", "STOPPED", "Slot", "Slots", "kind_of"]

REACH = 2**62
"""Times are within so many nanoseconds of 1970; what is beyond is the reference's."""
BEFORE, RUNNING, STOPPED, FAR = range(4)
"""Phases of a machine: not started; running, having observed the event of the kernel; in a final state of its chart; and
running, but for the reference alone, at a time beyond `REACH` or before it has observed the event."""


@dataclass(frozen=True, slots=True)
class Slot:
    """A value that the loop keeps in a variable of this name."""

    index: int
    kind: Kind


class Slots:
    """The memory of one program."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.variables: dict[str, Slot] = {}
        """What the loop reads at its start and writes at its end, by the name of its variable."""
        for name in ("clock", "phase", "settled"):
            self._add(name, "i64")
        self.registers = tuple(self._add(f"r{index}", "i64") for index in range(len(program.regions)))
        self.cells = {cell.name: self._add(f"c{i}", kind_of(cell.type)) for i, cell in enumerate(program.cells)}
        """The variable of each cell."""
        self.since = tuple(self._add(f"since{index}", "i64") for index in range(len(program.regions)))
        """When each register last changed."""
        for name in ("accepted", "marked", "orders"):
            self._add(name, "i64")
        for name in ("turnover", "peak", "drawdown", "drawdown_amount"):
            self._add(name, "double")
        size = len(self.variables)
        self.own = size
        """How many slots a row may change before it is done."""
        self.stop = size
        """How many ends of days have been reached."""
        self.fired = size + 1
        """The first of the counts of each rule."""
        self.broken = self.fired + len(program.rules)
        """The first of the counts of each invariant."""
        self.leaves: list[int] = []
        """For each region the first of the nanoseconds in each of its leaves."""
        size = self.broken + len(program.invariants)
        for region in program.regions:
            self.leaves.append(size)
            size += len(region.leaves)
        self.last = size
        """The number of the transition that fired last, see `pairs`; only a kernel that follows pairs uses it."""
        self.pairs = size + 1
        """The first of the flags of each pair: row b and column a are set once a has fired with b the last before it.

        Rows and columns are numbered as the rules; `len(rules)` stands for the way to a fail-safe state, and one row more
        for nothing yet.
        """
        self.size = size
        self.size_with_pairs = self.pairs + (len(program.rules) + 2) * (len(program.rules) + 1)

    def _add(self, name: str, kind: Kind) -> str:
        self.variables[name] = Slot(len(self.variables), kind)
        return name

    def index(self, variable: str) -> int:
        return self.variables[variable].index


def kind_of(type: Type) -> Kind:
    """Return what LLVM keeps a value of the language in."""
    return "double" if type == "real" else "i1" if type == "bool" else "i64"
