"""Where the journals of shards are, and whether there are more of them than are opened."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from ..journal.canonical import value_of
from ..journal.chain import records_since
from ..journal.kinds import Kind
from ..journal.opening import is_url, open_store
from ..journal.problem import JournalError
from .problem import HostError

__all__ = ["TO_SHARD", "journal_of", "refuse_more"]

TO_SHARD = "shard "
"""What a departure says before the number of the shard that its machine goes to."""


def journal_of(place: str, number: int) -> str:
    """Return the place of the journal of a shard."""
    if not is_url(place):
        return str(Path(place, f"shard-{number}.journal"))
    parts = urlsplit(place)
    query = dict(parse_qsl(parts.query))
    query["journal"] = f"{query.get('journal', 'journal')}_{number}"
    return urlunsplit(parts._replace(query=urlencode(query)))


def refuse_more(place: str, processes: int, homes: Mapping[str, int], left: Mapping[str, tuple[int, int]]) -> None:
    """Refuse to open fewer shards than have machines, or than have let one go that is in none of these.

    Args:
        place: of all shards.
        processes: how many are opened.
        homes: the machines of these, and where they are.
        left: the machines that have left these: how often they had moved, and from where.

    Raises:
        HostError: (HR878) another shard has such a machine.
        JournalError: its journal cannot be read.
    """
    while True:
        journal = journal_of(place, processes)
        try:
            store = open_store(journal)
        except JournalError as error:
            if error.code == "HR860":
                return
            raise
        last: dict[str, tuple[int, dict[str, Any]]] = {}
        try:
            for record in records_since(store):
                if record.kind in (Kind.MACHINE, Kind.DEPARTURE):
                    body = value_of(record.payload)
                    last[body["machine"]] = record.kind, body
        finally:
            store.close()
        for name, (kind, body) in last.items():
            # One that has left for these may have arrived, or have gone on since.
            waits = body.get("to", "").startswith(TO_SHARD) and name not in homes
            if kind == Kind.MACHINE or (waits and body["state"].get("moves", 0) > left.get(name, (-1, -1))[0]):
                help = f"open with processes={processes + 1} or more; `rebalance({processes})` empties the others"
                what = f"`{name}` is in shard {processes}, which is not among the {processes} that are opened"
                raise HostError("HR878", what, journal, help)
        processes += 1
