"""Ids of what has come, as far back as a host promises to know them."""

from __future__ import annotations

from collections import deque

__all__ = ["Memory"]


class Memory:
    """The ids of events among the last so many records of a journal, by machine: rebuilt from these records alone."""

    def __init__(self, records: int) -> None:
        self.records = records
        self._seen: dict[tuple[str, str], int] = {}
        # The dict has an order too, but to find its oldest item takes longer the more before that were deleted.
        self._order: deque[tuple[int, tuple[str, str]]] = deque()

    def __contains__(self, key: tuple[str, str]) -> bool:
        return key in self._seen

    def __len__(self) -> int:
        return len(self._seen)

    def of(self, machine: str) -> list[str]:
        """Return the ids of a machine, oldest first."""
        seen = self._seen
        return [id for _, id in sorted((key for key in seen if key[0] == machine), key=seen.__getitem__)]

    def forget(self, machine: str) -> None:
        """Know no more ids of a machine."""
        for id in self.of(machine):
            del self._seen[machine, id]

    def add(self, machine: str, id: str, sequence: int) -> None:
        """Remember the id of record `sequence`, which is later than all before, and forget what lies too far back."""
        key, seen, order = (machine, id), self._seen, self._order
        seen[key] = sequence
        order.append((sequence, key))
        last = sequence - self.records
        while order[0][0] <= last:
            found, oldest = order.popleft()
            if seen.get(oldest) == found:  # it has not been forgotten, nor come again, as the id of a person's act may
                del seen[oldest]
