"""The acts of a lane in a journal of their own, and the state that follows from them.

Beside each act stands, as a record of its own, that the engine has taken it. So what is halted, and what is still to be
done, is known after any crash from the log alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from ..journal.chain import records_since
from ..journal.opening import open_store
from ..journal.records import Record as Written
from ..record import Record
from .acts import Act, act_of

__all__ = ["LOG", "History", "history_of", "is_halted", "read_history"]

LOG = "control.journal"


class History(Record):
    """What a log says.

    Fields:
        acts: all of them, by their numbers.
        taken: the number of the last act that the engine is known to have taken; 0 before the first.
    """

    acts: tuple[Act, ...]
    taken: int

    @property
    def last(self) -> int:
        """The number of the last act; 0 before the first."""
        return self.acts[-1].number if self.acts else 0

    def since(self, number: int) -> tuple[Act, ...]:
        """Return the acts after that of a number."""
        return tuple(act for act in self.acts if act.number > number)


def is_halted(acts: Iterable[Act], until: int | None = None) -> bool:
    """Return whether acts, up to that of a number, leave a machine halted: a halt stays until a release."""
    halted = False
    for act in acts:
        if (until is None or act.number <= until) and act.act in ("halt", "release"):
            halted = act.act == "halt"
    return halted


def history_of(records: Iterable[Written]) -> History:
    """Return what the records of a log say."""
    acts: list[Act] = []
    taken = 0
    for record in records:
        match act_of(record):
            case Act() as act:
                acts.append(act)
            case int(number):
                taken = max(taken, number)
    return History(tuple(acts), taken)


def read_history(folder: Path) -> History:
    """Return what the log of a lane says; nothing where it has none yet.

    Raises:
        JournalError: it cannot be read, or is not what was written.
    """
    path = folder / LOG
    if not path.exists():
        return History((), 0)
    store = open_store(str(path))
    try:
        return history_of(records_since(store))
    finally:
        store.close()
