"""A power cut: what a journal has acknowledged is there afterwards, whole and in order; what it has not may be missing."""

from __future__ import annotations

import contextlib
import random
import tempfile
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

apsw = pytest.importorskip("apsw")  # the extra `journal`

from journals import beginning  # noqa: E402
from lossy_disk import LossyDisk  # noqa: E402

from hedgerow.engine.journal.chain import records_since  # noqa: E402
from hedgerow.engine.journal.journal import Journal  # noqa: E402
from hedgerow.engine.journal.kinds import Kind  # noqa: E402
from hedgerow.engine.journal.problem import JournalError  # noqa: E402
from hedgerow.engine.journal.sqlite import SqliteStore  # noqa: E402
from hedgerow.engine.journal.verify import verify  # noqa: E402

FEW, MANY, GROUPS = 25, 125, 60
"""Cuts in a default run, and with the slow ones."""


def written(path: Path, disk: LossyDisk, synchronous: str, groups: int = GROUPS) -> tuple[list[bytes], int, list[int]]:
    """Write groups until the power goes; return the payloads, how many were acknowledged and where each group ended."""
    rng = random.Random(0)  # the same records each time, so that it is known how many operations they take
    sent, acknowledged, ends = list[bytes](), 0, list[int]()
    with disk.mounted() as name:
        store = None
        try:
            store = SqliteStore(path, write=True, vfs=name)
            store._connected.execute(f"PRAGMA synchronous={synchronous}")
            journal = Journal.begin(store, beginning(), checkpoint_every=2**20)
            for number in range(groups):
                for record in range(rng.randrange(1, 8)):
                    sent.append(b'{"n":%d,"of":%d,"pad":"%s"}' % (number, record, b"x" * rng.randrange(6_000)))
                    journal.append(Kind.EVENT, sent[-1])
                ends.append(len(sent))
                journal.commit()
                acknowledged = len(sent)
        except JournalError:
            assert disk.left < 0
        finally:
            if store is not None:
                with contextlib.suppress(apsw.Error):
                    store.close()
    return sent, acknowledged, ends


def left(folder: Path, disk: LossyDisk, path: Path) -> list[bytes] | None:
    """Return the payloads that a journal holds after the power came back; None where it has not begun."""
    folder.mkdir()
    disk.leave(folder)
    place = folder / path.name
    try:
        store = SqliteStore(place, write=True)
        journal = Journal.resume(store)
    except JournalError as error:
        if error.code != "HR860":
            raise
        return None
    found = [record.payload for record in records_since(store, 0) if record.kind == Kind.EVENT]
    journal.append(Kind.EVENT, b'{"back":1}')
    journal.close()
    assert verify(SqliteStore(place)).records == len(found) + 3  # with the first, that one and a checkpoint
    return found


@cache
def operations(groups: int) -> int:
    """Return how many writes and syncs it takes to begin a journal and commit groups to it."""
    disk = LossyDisk(0, 10**9)
    with tempfile.TemporaryDirectory() as folder:
        written(Path(folder) / "desk.journal", disk, "FULL", groups)
    return disk.done


def cut(seed: int) -> LossyDisk:
    """Return a disk whose power goes at some time, mostly after the journal has begun."""
    rng, begun = random.Random(seed), operations(0)
    return LossyDisk(seed, rng.randrange(begun) if seed % 5 == 0 else rng.randrange(begun, operations(GROUPS)))


@pytest.mark.parametrize("seed", [*range(FEW), *(pytest.param(s, marks=pytest.mark.slow) for s in range(FEW, MANY))])
def test_what_was_acknowledged_outlives_a_power_cut(seed: int, tmp_path: Path) -> None:
    disk = cut(seed)
    sent, acknowledged, ends = written(tmp_path / "desk.journal", disk, "FULL")
    assert disk.left < 0
    found = left(tmp_path / "after", disk, tmp_path / "desk.journal")
    if found is None:
        assert acknowledged == 0
        return
    assert len(found) >= acknowledged
    assert len(found) in (0, *ends)  # a group is there as a whole or not at all
    assert found == sent[: len(found)]


@pytest.mark.parametrize("read", [False, True], ids=["nobody reads", "while somebody reads"])
@pytest.mark.parametrize("believed", [False, True], ids=["not synced", "after a sync that failed"])
def test_what_a_killed_writer_has_not_synced_is_synced_before_the_next_one_tells_of_it(
    believed: bool, read: bool, tmp_path: Path, impatient: None
) -> None:
    found = []
    for operations in range(8):
        path = tmp_path / str(operations) / "desk.journal"
        path.parent.mkdir()
        disk = LossyDisk(operations, 10**9)
        with disk.mounted() as name, contextlib.ExitStack() as ending:
            journal = Journal.begin(SqliteStore(path, write=True, vfs=name), beginning())
            if read:
                ending.enter_context(reading(path))
            journal.append(Kind.EVENT, b'{"n":1}')
            disk.left = operations
            with contextlib.suppress(JournalError):
                journal.commit()
            disk.left = -1  # the process is gone; its system has what it has written
            journal.store.close()
            disk.left = 10**9
            if believed:  # and takes that for synced, as some do once they have said that it could not be
                disk.pending.clear()
            store = ending.enter_context(contextlib.closing(SqliteStore(path, write=True, vfs=name)))
            found.append(len(list(records_since(store))))
            (path.parent / "after").mkdir()
            disk.leave(path.parent / "after")
        with contextlib.closing(SqliteStore(path.parent / "after" / path.name)) as store:
            assert len(list(records_since(store))) == found[-1]
    assert set(found) == {1, 2}  # without the commit, and with it


def test_a_log_that_a_reader_keeps_is_written_over_from_its_first_byte_to_its_last(
    tmp_path: Path, impatient: None
) -> None:
    path = tmp_path / "desk.journal"
    disk = LossyDisk(0, 10**9)
    with disk.mounted() as name:
        journal = Journal.begin(SqliteStore(path, write=True, vfs=name), beginning())
        with reading(path):
            journal.append(Kind.EVENT, b'{"n":1}')
            journal.commit()
            journal.store.close()
            whole = path.with_name("desk.journal-wal").read_bytes()
            (log,) = (each for each in disk.synced if each.endswith("-wal"))
            disk.synced[log] = bytearray(len(whole))  # as if none of it had come to the disk
            disk.pending.clear()
            with contextlib.closing(SqliteStore(path, write=True, vfs=name)):
                assert disk.synced[log][: len(whole)] == whole


def test_who_reads_without_end_keeps_no_writer_out(tmp_path: Path, impatient: None) -> None:
    path = tmp_path / "desk.journal"
    journal = Journal.begin(SqliteStore(path, write=True), beginning())
    with reading(path) as seen:
        for each in range(3):
            journal.append(Kind.EVENT, b"{}")
            journal.commit()
            journal.store.close()
            journal = Journal.resume(SqliteStore(path, write=True))
            assert journal.next == each + 2
        assert seen() == 1
        assert path.with_name("desk.journal-wal").stat().st_size < 6_000_000  # it is made long once
    journal.close()
    with contextlib.closing(SqliteStore(path)) as store:
        assert [record.sequence for record in records_since(store)] == list(range(5))


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a writer wait for no reader."""
    connection = SqliteStore._connection

    def found(self: SqliteStore, *arguments: Any) -> Any:
        made = connection(self, *arguments)
        made.set_busy_timeout(0)
        return made

    monkeypatch.setattr(SqliteStore, "_connection", found)


@contextlib.contextmanager
def reading(path: Path) -> Iterator[Callable[[], int]]:
    """Read a journal in one transaction until the end, and give what counts the groups that are seen there."""
    with contextlib.closing(apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)) as reader:
        reader.execute("BEGIN").execute("SELECT * FROM record_group").fetchall()
        yield lambda: len(reader.execute("SELECT first FROM record_group").fetchall())


def test_without_a_sync_at_each_commit_these_cuts_lose_what_was_acknowledged(tmp_path: Path) -> None:
    lost = 0
    for seed in range(FEW):
        disk = cut(seed)
        folder = tmp_path / str(seed)
        folder.mkdir()
        _, acknowledged, _ = written(folder / "desk.journal", disk, "NORMAL")
        found = left(folder / "after", disk, folder / "desk.journal")
        lost += len(found or ()) < acknowledged
    assert lost > FEW // 3
