"""Which shards are opened: where the journal of each is, and that none is left out which has a machine."""

from __future__ import annotations

import gc
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("apsw")  # the extra `journal`

from hedgerow.engine.host.problem import HostError
from hedgerow.engine.host.shard_journals import journal_of, refuse_more
from hedgerow.engine.journal import kinds
from hedgerow.engine.journal.journal import Journal
from hedgerow.engine.journal.kinds import Entry
from hedgerow.engine.journal.problem import JournalError
from hedgerow.engine.journal.sqlite import SqliteStore


def began(name: str) -> Entry:
    return kinds.machine(name, "ab" * 32, {}, "next", "band.yaml", 1)


def went(name: str, to: str, moves: int = 0) -> Entry:
    return kinds.departure(name, {"moves": moves} if moves else {}, 2, to=to)


def shard(folder: Path, number: int, *entries: Entry) -> None:
    """Leave the journal of a shard in which these machines came and went."""
    with Journal.begin(SqliteStore(Path(journal_of(str(folder), number)), write=True), kinds.host("h", 0)) as journal:
        for entry in entries:
            journal.append(*entry)


def refused(folder: Path, homes: Mapping[str, int] | None = None, left: Any = None) -> str | None:
    """Return why one shard alone is not opened; None where it is."""
    try:
        refuse_more(str(folder), 1, homes or {}, left or {})
    except HostError as error:
        return f"{error.code}: {error.message}"
    return None


@pytest.mark.parametrize(
    ("place", "journal"),
    [
        ("desks", "desks/shard-3.journal"),
        ("postgresql://me@host:5432/books", "postgresql://me@host:5432/books?journal=journal_3"),
        ("postgres://host/books?journal=desk", "postgres://host/books?journal=desk_3"),
        ("postgres://host/books?user=a%26b&journal=desk", "postgres://host/books?user=a%26b&journal=desk_3"),
    ],
)
def test_each_shard_has_a_journal_of_its_own(place: str, journal: str) -> None:
    assert journal_of(place, 3) == journal


def test_shards_without_machines_are_left_out_and_those_after_them_looked_at(tmp_path: Path) -> None:
    assert refused(tmp_path) is None
    shard(tmp_path, 1)
    shard(tmp_path, 2, began("a"), went("a", "another service"))
    assert refused(tmp_path) is None
    shard(tmp_path, 3, began("b"), began("a"), went("b", "shard 0"))
    with pytest.raises(HostError) as error:
        refuse_more(str(tmp_path), 1, {"b": 0}, {})
    assert (error.value.message, error.value.file) == (
        "`a` is in shard 3, which is not among the 3 that are opened",
        str(tmp_path / "shard-3.journal"),
    )
    assert error.value.help == "open with processes=4 or more; `rebalance(3)` empties the others"


@pytest.mark.parametrize(
    ("moves", "homes", "left", "waits"),
    [
        (0, {}, {}, True),  # it has left for these and has not arrived
        (0, {"a": 0}, {}, False),  # it is here
        (2, {}, {"a": (1, 0)}, True),  # it had left here before, and came back there since
        (2, {}, {"a": (2, 0)}, False),
        (2, {}, {"a": (3, 0)}, False),  # it was here, and has gone on
        (0, {}, {"a": (0, 5)}, False),
        (1, {}, {"a": (0, 5)}, True),
        (1, {}, {"b": (7, 0)}, True),  # another one
    ],
)
def test_a_machine_that_was_on_its_way_to_these_shards_must_have_arrived(
    tmp_path: Path, moves: int, homes: dict[str, int], left: dict[str, tuple[int, int]], waits: bool
) -> None:
    shard(tmp_path, 1, began("a"), went("a", "shard 0", moves))
    told = "HR878: `a` is in shard 1, which is not among the 1 that are opened"
    assert refused(tmp_path, homes, left) == (told if waits else None)


def test_what_went_elsewhere_than_to_a_shard_keeps_nobody_waiting(tmp_path: Path) -> None:
    shard(tmp_path, 1, began("a"), went("a", ""), began("b"), went("b", "a shard 0"))
    assert refused(tmp_path) is None


def test_a_shard_that_cannot_be_read_is_not_taken_for_one_that_is_not_there(tmp_path: Path) -> None:
    shard(tmp_path, 1, began("a"))
    path = tmp_path / "shard-1.journal"
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(JournalError) as error:
        refused(tmp_path)
    assert error.value.code == "HR869"


def test_what_was_read_to_see_who_is_there_is_closed(tmp_path: Path) -> None:
    import apsw

    shard(tmp_path, 1)
    shard(tmp_path, 2, began("a"))
    gc.collect()
    before = len(apsw.connections())
    with pytest.raises(HostError) as error:
        refuse_more(str(tmp_path), 1, {}, {})
    # The error keeps all that was at hand where it was raised, and with it a store that nobody closes.
    assert error.tb is not None
    assert len(apsw.connections()) == before
