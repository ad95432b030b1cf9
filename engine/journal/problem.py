"""What can be wrong with a journal: one error, with a code, a place and a help line."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Literal

from ..dryrun.problem import RunError

__all__ = ["DamageError", "Fault", "JournalError", "need"]

Fault = Literal["torn", "changed", "dropped", "swapped", "duplicated", "checkpoint", "unexpected"]
"""How a journal can differ from what was written.

    torn         a record ends before its header says that it does: a write that was cut off
    changed      bytes of a record, or what is kept beside it, are others
    dropped      records are missing
    swapped      records stand in another order
    duplicated   a record stands there twice
    checkpoint   a checkpoint does not say what its journal holds, or is not signed as it must be
    unexpected   the journal holds together, and is not the one that somebody has seen before
"""


class JournalError(RunError):
    """What keeps a journal from being opened, read or written."""


class DamageError(JournalError):
    """A journal that is not what was written.

    `sequence` is the first record that is not in its place or not as it was; None where the store cannot say. `last`
    says that nothing follows what is damaged.
    """

    def __init__(
        self, fault: Fault, message: str, place: str, sequence: int | None = None, *, last: bool = False
    ) -> None:
        help = "go back to a copy; `hedgerow audit verify` says up to where it holds"
        where = message if sequence is None else f"record {sequence:,}: {message}"
        super().__init__("HR869", where, place, help)
        self.fault: Fault = fault
        self.sequence = sequence
        self.last = last


def need(extra: str, *packages: str) -> None:
    """Refuse to go on without the packages of an extra, by the names that they are imported under.

    Raises:
        JournalError: (HR809) one is not installed.
    """
    for package in packages:
        try:
            found = find_spec(package) is not None
        except ValueError:  # it was struck from `sys.modules`
            found = False
        if not found:
            help = f"install the extra: pip install 'hedgerow[{extra}]'"
            raise JournalError("HR809", f"a journal needs `{package}`, which is not installed", "hedgerow audit", help)
