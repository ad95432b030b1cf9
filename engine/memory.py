"""Memory expressions of a spec: their hidden cells, and the instructions that advance them."""

from __future__ import annotations

from collections.abc import Iterable

from .ir import Expr, Instruction, Type

__all__ = ["Memory"]


class Memory:
    """Hidden cells of memory expressions, and the instructions that advance them in the order of their first use."""

    def __init__(self) -> None:
        self.cells: dict[str, Type] = {}
        self.initial: dict[str, Expr] = {}
        self.kept: set[str] = set()
        """Observed names that are themselves the cell of a memory expression."""
        self.zeroed: set[str] = set()
        """Cells that rightly start at 0."""
        self.elapsed: set[str] = set()
        self.since: set[str] = set()
        self.seen: set[str] = set()
        self.stamped: set[str] = set()
        """Events of which the time of the last one is kept, whoever asks for it."""
        self.pending: list[Instruction] = []
        self._advanced: set[str] = set()

    def advance(self, key: str, instructions: Iterable[Instruction]) -> None:
        if key not in self._advanced:
            self._advanced.add(key)
            self.pending.extend(instructions)

    def drain(self) -> tuple[Instruction, ...]:
        """Return the instructions collected since the last call."""
        drained, self.pending = tuple(self.pending), []
        return drained

    def next_event(self) -> None:
        """Begin another event's observations."""
        self._advanced = set()
