"""Ids of what has come, as far back as a host promises to know them."""

from __future__ import annotations

__all__ = ["Memory"]


class Memory:
    """The ids of events among the last so many records of a journal, by machine: rebuilt from these records alone."""

    def __init__(self, records: int) -> None:
        self.records = records
        self._seen: dict[tuple[str, str], int] = {}

    def __contains__(self, key: tuple[str, str]) -> bool:
        return key in self._seen

    def __len__(self) -> int:
        return len(self._seen)

    def of(self, machine: str) -> list[str]:
        """Return the ids of a machine, oldest first."""
        return [id for name, id in self._seen if name == machine]

    def forget(self, machine: str) -> None:
        """Know no more ids of a machine."""
        for id in self.of(machine):
            del self._seen[machine, id]

    def add(self, machine: str, id: str, sequence: int) -> None:
        """Remember the id of record `sequence`, which is later than all before, and forget what lies too far back."""
        seen = self._seen
        seen[machine, id] = sequence
        last = sequence - self.records
        while True:
            # INVARIANT: an id that is known is never added again, so that the order is that of the records. This one
            # stands, so that there is an oldest.
            oldest = next(iter(seen))
            if seen[oldest] > last:
                return
            del seen[oldest]
