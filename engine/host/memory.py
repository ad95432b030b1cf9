"""Ids of what has come, as far back as a host promises to know them."""

from __future__ import annotations

from collections import deque

__all__ = ["Memory"]


class Memory:
    """The ids of events among the last so many records of a journal, by machine: rebuilt from these records alone."""

    def __init__(self, records: int) -> None:
        self.records = records
        self._seen: dict[str, dict[str, int]] = {}
        # A dict has an order too, but to find its oldest item takes longer the more before that were deleted.
        self._order: deque[tuple[int, str, str]] = deque()

    def __contains__(self, key: tuple[str, str]) -> bool:
        machine, id = key
        seen = self._seen.get(machine)
        return seen is not None and id in seen

    def __len__(self) -> int:
        return sum(map(len, self._seen.values()))

    def of(self, machine: str) -> list[str]:
        """Return the ids of a machine, oldest first."""
        seen = self._seen.get(machine, {})
        return sorted(seen, key=seen.__getitem__)

    def forget(self, machine: str) -> None:
        """Know no more ids of a machine."""
        self._seen.pop(machine, None)

    def add(self, machine: str, id: str, sequence: int) -> None:
        """Remember the id of record `sequence`, which is later than all before, and forget what lies too far back."""
        seen, order = self._seen.setdefault(machine, {}), self._order
        seen[id] = sequence
        order.append((sequence, machine, id))
        last = sequence - self.records
        while order[0][0] <= last:
            found, name, oldest = order.popleft()
            seen = self._seen.get(name, {})
            if seen.get(oldest) == found:  # it has not been forgotten, nor come again, as the id of a person's act may
                del seen[oldest]
