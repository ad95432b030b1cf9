"""Writes that were torn: a host comes back with whole commits, as it was after one of them, or says what is wrong."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import pytest

pytest.importorskip("apsw")  # the extra `journal`

from journals import HEADER, split
from pages import ROOT

import hedgerow
from hedgerow.engine.host.host import Host
from hedgerow.engine.journal import sqlite
from hedgerow.engine.journal.canonical import value_of
from hedgerow.engine.journal.chain import records_since
from hedgerow.engine.journal.kinds import Kind
from hedgerow.engine.journal.memory import MemoryStore
from hedgerow.engine.journal.problem import DamageError, JournalError
from hedgerow.engine.journal.records import Group, State
from hedgerow.engine.journal.sqlite import SqliteStore
from hedgerow.engine.journal.verify import verify
from hedgerow.engine.snapshot import Snapshot

COMPILED = hedgerow.load(ROOT / "specs" / "band_limited_hedge.yaml").compile()
SECOND = 10**9
LOG_HEADER, FRAME_HEADER, PAGE = 32, 24, 4096
FRAME = FRAME_HEADER + PAGE
Kept = tuple[tuple[Group, ...], tuple[State, ...]]
"""What a store holds: all that a host comes back from."""


@dataclass
class Killed:
    """What a killed host has left.

    Fields:
        file, log: the bytes of the journal and of its `-wal`.
        ends: after each commit, how many bytes of the log count.
        kept: after each commit, what the store holds; before the first of them what the file holds without its log.
        states: after each commit the machine, from a twin that was never journalled; None before it joined.
    """

    file: bytes
    log: bytes
    ends: list[int]
    kept: list[Kept]
    states: list[Snapshot | None]

    def before(self, at: int) -> int:
        """Return how many commits lie in the first bytes of the log."""
        return sum(end <= at for end in self.ends)


class Committing(SqliteStore):
    """A store that notes what it holds after each commit, and how long its log is then; nothing of it goes to the file."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, write=True)
        self.ends: list[int] = []
        self.kept: list[Kept] = [held(self)]
        self._connected.set_wal_hook(self._note)

    def _note(self, _: Any, __: str, pages: int) -> int:
        self.ends.append(LOG_HEADER + pages * FRAME)
        return 0

    def write(self, group: Group, state: State | None = None) -> None:
        super().write(group, state)
        self.kept.append(held(self))


def held(store: Any) -> Kept:
    return tuple(store.groups()), tuple(store.states())


def price(number: int) -> float:
    return 5000.0 + 200.0 * (number % 3)


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Killed:
    """Give what a host has left that went on after a restart, so that a part of its journal is in the file."""
    path = tmp_path_factory.mktemp("killed") / "desk.journal"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sqlite, "_LOG_PAGES", 90)
        with Host(path, {"desk": COMPILED}, state_every=10) as host:
            ticks(host, range(20))
        store = Committing(path)
        with Host(store, {"desk": COMPILED}, state_every=10) as host:
            ticks(host, range(20, 44))
            log = path.with_name(path.name + "-wal")
            whole, file = log.read_bytes(), path.read_bytes()
            ends, kept = list(store.ends), list(store.kept)
    assert len(ends) == len(kept) - 1 > 10
    assert len(whole) > ends[-1]  # and behind its end stands what was rolled back
    return Killed(file, whole, ends, kept, [twin(each) for each in kept])


def ticks(host: Host, numbers: Iterable[int]) -> None:
    for number in numbers:
        host.submit("desk", "tick", number * SECOND, {"price": price(number)}, id=f"t-{number}").result(10)


def twin(kept: Kept) -> Snapshot | None:
    """Return the state of a machine that was sent what a store holds."""
    store = kept_in_memory(kept)
    machine = COMPILED.machine()
    for record in records_since(store):
        if record.kind == Kind.EVENT:
            body = value_of(record.payload)
            machine.send(body["name"], body["time_ns"], **body["fields"])
    return machine.snapshot()


def kept_in_memory(kept: Kept) -> MemoryStore:
    store = MemoryStore("torn")
    store._groups, store._states = list(kept[0]), list(kept[1])
    return store


def left_by(path: Path, file: bytes, log: bytes | None, *, write: bool = True) -> Kept | JournalError:
    """Return what a writer, or who reads, finds where these files are, or why it does not open them."""
    for each in path.parent.glob(f"{path.name}-*"):
        each.unlink()
    path.write_bytes(file)
    if log is not None:
        path.with_name(path.name + "-wal").write_bytes(log)
    try:
        store = SqliteStore(path, write=write)
        try:
            return held(store)
        finally:
            store.close()
    except JournalError as error:
        return error


def check_host(killed: Killed, path: Path, commits: int) -> None:
    """Open a host on what was found, and hold its machine to the twin's after as many commits."""
    with Host(path, {"desk": COMPILED}) as host:
        found = host.snapshot("desk").result(10)
        assert found == killed.states[commits]
        ticks(host, (1_000_000,))
    store = SqliteStore(path)
    assert verify(store).holds
    store.close()


def check_logs(killed: Killed, logs: Iterable[tuple[int, bytes]], path: Path, *, write: bool = True) -> set[int]:
    """Hold journals with these logs to as many commits as each has whole; return the numbers of commits that were seen.

    Who writes syncs what it finds, which takes most of the time; who reads finds the same.
    """
    seen: set[int] = set()
    for commits, log in logs:
        assert left_by(path, killed.file, log, write=write) == killed.kept[commits]
        if commits not in seen:  # a host sees nothing but what its store holds
            check_host(killed, path, commits)
        seen.add(commits)
    return seen


def last_frames(killed: Killed, commits: int) -> range:
    """Return the places of the bytes that the last so many commits have written into the log."""
    return range(killed.ends[-commits - 1], killed.ends[-1])


def each_byte(killed: Killed) -> list[int]:
    """Return the places of all bytes of the last frames of three commits, and of the first frame of the last one."""
    before, last = killed.ends[-2], killed.ends[-1]
    return [*range(killed.ends[-4], before + FRAME), *range(last - 2 * FRAME, last)]


def some(places: range, step: int, seed: int) -> list[int]:
    """Return the places of all headers of frames, and some of those between."""
    headers = [at for at in places if (at - LOG_HEADER) % FRAME <= FRAME_HEADER]
    return sorted({*headers, *Random(seed).sample(places, len(places) // step), places[0], places[-1]})


@pytest.fixture(autouse=True)
def _a_short_log(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "_LOG_PAGES", 12)


def cut(killed: Killed, places: Iterable[int]) -> Iterator[tuple[int, bytes]]:
    return ((killed.before(at), killed.log[:at]) for at in places)


def flipped(killed: Killed, places: Iterable[int], seed: int) -> Iterator[tuple[int, bytes]]:
    chance = Random(seed)
    for at in places:
        log = bytearray(killed.log)
        log[at] ^= chance.randrange(1, 256)
        # A log counts up to the first frame that is not as it was written.
        yield killed.before(LOG_HEADER + (at - LOG_HEADER) // FRAME * FRAME), bytes(log)


def test_a_log_that_is_cut_off_anywhere_gives_the_commits_that_are_whole(killed: Killed, tmp_path: Path) -> None:
    seen = check_logs(killed, cut(killed, some(last_frames(killed, 3), 60, 1)), tmp_path / "desk.journal")
    assert len(seen) == 3


@pytest.mark.slow
def test_a_log_that_is_cut_off_at_every_byte_gives_the_commits_that_are_whole(killed: Killed, tmp_path: Path) -> None:
    seen = check_logs(killed, cut(killed, each_byte(killed)), tmp_path / "desk.journal", write=False)
    assert len(seen) == 3


def test_a_log_in_which_a_byte_is_flipped_gives_the_commits_before_it(killed: Killed, tmp_path: Path) -> None:
    seen = check_logs(killed, flipped(killed, some(last_frames(killed, 3), 60, 2), 3), tmp_path / "desk.journal")
    assert len(seen) == 3


@pytest.mark.slow
def test_a_log_in_which_any_byte_is_flipped_gives_the_commits_before_it(killed: Killed, tmp_path: Path) -> None:
    seen = check_logs(killed, flipped(killed, each_byte(killed), 4), tmp_path / "desk.journal", write=False)
    assert len(seen) == 3


def test_a_log_that_is_cut_off_or_damaged_far_before_its_end_gives_a_prefix_too(killed: Killed, tmp_path: Path) -> None:
    # What was synced is lost then, as with every database: a log ends where it is damaged.
    places = Random(5).sample(range(killed.ends[-1]), 60)
    logs = [*cut(killed, (0, 1, 31, 32, *places)), *flipped(killed, (*range(LOG_HEADER), *places), 6)]
    seen = check_logs(killed, logs, tmp_path / "desk.journal")
    assert len(seen) > 8


def test_what_stands_behind_the_end_of_a_log_means_nothing(killed: Killed, tmp_path: Path) -> None:
    whole = len(killed.ends)
    places = Random(7).sample(range(killed.ends[-1], len(killed.log)), 20)
    for log in (*(log for _, log in cut(killed, places)), *(log for _, log in flipped(killed, places, 8))):
        assert left_by(tmp_path / "desk.journal", killed.file, log) == killed.kept[whole]


# --- the file ---


def check_files(files: Iterable[bytes], log: bytes | None, whole: Kept, path: Path) -> tuple[int, int]:
    """Hold files to giving all that they held, or a refusal by who opens the journal or by its host; return how many did."""
    refused = gave = 0
    for file in files:
        found = left_by(path, file, log)
        if not isinstance(found, JournalError):
            if found == whole:
                gave += 1
                continue
            # What is damaged is found by a host, or by a verification where it lies far back.
            with pytest.raises(JournalError) as error:
                check_damaged(path)
            found = error.value
        assert found.code in ("HR860", "HR863", "HR869")
        refused += 1
    return gave, refused


def check_damaged(path: Path) -> None:
    Host(path, {"desk": COMPILED}).close()
    store = SqliteStore(path)
    damage = verify(store).damage
    store.close()
    if damage is not None:
        raise damage


def test_a_file_that_is_cut_off_anywhere_is_refused(killed: Killed, tmp_path: Path) -> None:
    path = tmp_path / "desk.journal"
    whole = left_by(path, killed.file, killed.log)
    closed = path.read_bytes()  # its log has gone into it
    places = sorted({1, 99, *range(PAGE, len(closed), PAGE), *Random(9).sample(range(1, len(closed)), 60)})
    assert not isinstance(whole, JournalError)
    gave, refused = check_files((closed[:at] for at in places), None, whole, path)
    assert (gave, refused) == (0, len(places))


def test_a_file_that_is_cut_off_beside_its_log_is_whole_or_refused(killed: Killed, tmp_path: Path) -> None:
    places = sorted({0, 1, 99, *range(PAGE, len(killed.file), PAGE), *Random(10).sample(range(len(killed.file)), 60)})
    files = (killed.file[:at] for at in places)
    path = tmp_path / "desk.journal"
    gave, refused = check_files(files, killed.log, killed.kept[-1], path)
    assert gave + refused == len(places)
    assert refused > 0


@pytest.mark.parametrize("there", [True, False])
def test_a_log_without_its_file_is_refused_and_left_alone(there: bool, killed: Killed, tmp_path: Path) -> None:
    path = tmp_path / "desk.journal"
    log = tmp_path / "desk.journal-wal"
    if there:
        path.write_bytes(b"")
    log.write_bytes(killed.log)
    with pytest.raises(DamageError) as error:
        Host(path, {"desk": COMPILED})
    assert error.value.message == "the file is empty or gone, and the log beside it is not"
    assert log.read_bytes() == killed.log
    # Where it comes back, so does the journal.
    path.write_bytes(killed.file)
    check_host(killed, path, len(killed.ends))


# --- rows ---


def refused(groups: list[Group], states: tuple[State, ...]) -> DamageError:
    with pytest.raises(DamageError) as error:
        Host(kept_in_memory((tuple(groups), states)), {"desk": COMPILED})
    assert error.value.code == "HR869"
    return error.value


def test_a_host_refuses_a_last_group_that_is_cut_off_at_any_byte_and_says_where(killed: Killed) -> None:
    groups, states = killed.kept[-1]
    last = groups[-1]
    records = split(last.records)
    for at in range(len(last.records)):
        sequence, end = last.first, 0
        for record in records:
            if end + len(record) > at:
                break
            sequence, end = sequence + 1, end + len(record)
        found = refused([*groups[:-1], last._replace(records=last.records[:at])], states)
        assert (found.fault, found.sequence) == ("torn" if at > end else "dropped", sequence)


def test_a_host_refuses_a_last_group_in_which_any_byte_is_flipped_and_says_where(killed: Killed) -> None:
    groups, states = killed.kept[-1]
    last, chance = groups[-1], Random(11)
    ends, end = [], 0
    for record in split(last.records):
        end += len(record)
        ends.append(end)
    for at in range(len(last.records)):
        body = bytearray(last.records)
        body[at] ^= chance.randrange(1, 256)
        found = refused([*groups[:-1], last._replace(records=bytes(body))], states)
        assert (found.fault, found.sequence) == ("changed", last.first + sum(each <= at for each in ends))
    assert len(ends) > 1 and last.records[HEADER.size : HEADER.size + 1] == b"{"
