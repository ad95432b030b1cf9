"""Where groups of records are kept: what a journal and its auditors ask of a file, a database or the memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from .records import Group, State

__all__ = ["Store"]


class Store(Protocol):
    """Groups in the order of their first records. What is read is as it is kept, right or wrong: to judge it is for
    `chain`.
    """

    place: str
    """What messages call it: a path, or a URL without its password."""

    def groups(self, since: int = 0) -> Iterator[Group]:
        """Yield the groups from the one that holds record `since` on.

        Raises:
            JournalError: it cannot be read.
        """
        ...

    def last(self, before: int | None = None) -> Group | None:
        """Return the last group, or the last of those whose first record is before another; None where there is none.

        Raises:
            JournalError: it cannot be read.
        """
        ...

    def write(self, group: Group, state: State | None = None) -> None:
        """Keep a group, and with it a state; once this returns, both are there after a crash too, all of them; after an
        error they may be or not. The last two states are kept.

        Raises:
            JournalError: it cannot be kept.
        """
        ...

    def states(self) -> list[State]:
        """Return the states that are kept, the last one first.

        Raises:
            JournalError: they cannot be read.
        """
        ...

    def check(self) -> None:
        """Refuse a place whose own structure is damaged, so that rows may be hidden which no group could tell of.

        Raises:
            DamageError: (HR869) it is.
        """
        ...

    def close(self) -> None:
        """Let go of the place, so that another writer may have it."""
        ...
