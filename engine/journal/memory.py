"""Groups in memory: a journal for tests and for runs that are audited and need not outlive their process."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from operator import itemgetter

from .records import Group, State

__all__ = ["MemoryStore"]

_first = itemgetter(0)


class MemoryStore:
    """Groups in a list, which grows with the journal and is gone with its process."""

    def __init__(self, place: str = "memory") -> None:
        self.place = place
        self._groups: list[Group] = []
        self._states: list[State] = []

    def groups(self, since: int = 0) -> Iterator[Group]:
        at = max(0, bisect_right(self._groups, since, key=_first) - 1)
        while at < len(self._groups):
            yield self._groups[at]
            at += 1

    def last(self, before: int | None = None) -> Group | None:
        at = len(self._groups) if before is None else bisect_left(self._groups, before, key=_first)
        return self._groups[at - 1] if at else None

    def write(self, group: Group, state: State | None = None) -> None:
        self._groups.append(group)
        if state is not None:
            self._states = [state, *self._states[:1]]

    def states(self) -> list[State]:
        return list(self._states)

    def check(self) -> None:
        """Do nothing: a list has no structure that could be damaged."""

    def close(self) -> None:
        """Do nothing: what was journalled can still be read."""
