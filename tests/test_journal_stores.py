"""One suite for every place that a journal can be kept in, and what only a file or only a server does."""

from __future__ import annotations

import contextlib
import gc
import hashlib
import os
import resource
import shutil
import socket
import sqlite3
import subprocess
import sys
import tempfile
import textwrap
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random
from typing import Any

import pytest
from journals import POSTGRES, beginning, drop, end_writer, filled, groups_of, seeded, wait_for_statement
from pages import ROOT

from hedgerow.engine.journal.canonical import value_of
from hedgerow.engine.journal.chain import records_since
from hedgerow.engine.journal.journal import Journal
from hedgerow.engine.journal.kinds import Kind
from hedgerow.engine.journal.memory import MemoryStore
from hedgerow.engine.journal.opening import open_store
from hedgerow.engine.journal.postgres import PostgresStore
from hedgerow.engine.journal.problem import JournalError
from hedgerow.engine.journal.records import Group, State
from hedgerow.engine.journal.sqlite import SqliteStore
from hedgerow.engine.journal.verify import verify

Opener = Callable[..., Any]
needs_server = pytest.mark.skipif(not POSTGRES, reason="HEDGEROW_POSTGRES_URL names no server")


@pytest.fixture
def server() -> Iterator[str]:
    """Yield the URL of a journal of its own, which is gone afterwards."""
    name = f"test_{uuid.uuid4().hex}"
    yield f"{POSTGRES}?journal={name}"
    drop(name)


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=needs_server)])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return a place for a journal that outlives its store."""
    return str(tmp_path / "desk.journal") if request.param == "sqlite" else str(request.getfixturevalue("server"))


@pytest.fixture(params=["memory", "sqlite", pytest.param("postgres", marks=needs_server)])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    if request.param == "memory":
        yield MemoryStore()
    elif request.param == "sqlite":
        found = open_store(str(tmp_path / "desk.journal"), write=True)
        yield found
        found.close()
    else:
        found = open_store(str(request.getfixturevalue("server")), write=True)
        yield found
        found.close()


def said(error: pytest.ExceptionInfo[JournalError]) -> tuple[str, str]:
    return error.value.code, error.value.message


# --- every store ---


def test_what_was_committed_is_read_back_byte_for_byte(store: Any) -> None:
    sizes = [3, 1, 70, 5]
    filled(store, sizes, signer=seeded(), every=20)
    twin = MemoryStore()
    filled(twin, sizes, signer=seeded(), every=20)
    assert list(store.groups()) == groups_of(twin)
    assert verify(store).holds


def test_more_groups_than_a_page_come_in_order(store: Any) -> None:
    filled(store, [1] * 200, every=7)
    numbers = [record.sequence for record in records_since(store)]
    assert numbers == list(range(len(numbers)))
    assert len(numbers) > 200


def test_groups_are_read_from_the_one_that_holds_a_record(store: Any) -> None:
    filled(store, [3, 4, 5], every=100)
    assert [group.first for group in store.groups(0)] == [0, 1, 4, 8]
    assert [group.first for group in store.groups(6)] == [4, 8]
    assert [group.first for group in store.groups(8)] == [8]
    assert [record.sequence for record in records_since(store, 6)] == list(range(6, 13))


def test_the_last_group_is_found_and_the_one_before_another(store: Any) -> None:
    assert store.last() is None
    filled(store, [3, 4], every=100)
    assert [store.last().first, store.last(before=4).first, store.last(before=1).first] == [4, 1, 0]
    assert store.last(before=0) is None


def test_nothing_is_kept_before_a_commit_and_all_of_it_after(store: Any) -> None:
    journal = Journal.begin(store, beginning())
    assert [journal.append(Kind.EVENT, {"name": "tick"}) for _ in range(3)] == [1, 2, 3]
    assert (journal.next, journal.durable, store.last().last) == (4, 0, 0)
    assert journal.commit() == 3
    assert (journal.durable, store.last().last, len(list(store.groups()))) == (3, 3, 2)


def test_a_commit_of_nothing_keeps_nothing(store: Any) -> None:
    journal = Journal.begin(store, beginning())
    assert journal.commit() == 0
    assert len(list(store.groups())) == 1


def test_a_journal_is_begun_once(store: Any) -> None:
    Journal.begin(store, beginning())
    with pytest.raises(JournalError) as error:
        Journal.begin(store, beginning())
    assert said(error) == ("HR868", "a journal has begun here already")


def test_a_store_without_records_is_no_journal_to_go_on_with(store: Any) -> None:
    with pytest.raises(JournalError) as error:
        Journal.resume(store)
    assert said(error) == ("HR860", "the journal holds no record")


@pytest.mark.parametrize("sizes", [[], [1], [4], [5], [3, 9, 2]])
def test_a_resumed_journal_goes_on_as_if_it_had_never_stopped(store: Any, sizes: list[int]) -> None:
    whole = MemoryStore()
    straight = filled(whole, [*sizes, 7, 2])
    filled(store, sizes)
    journal = Journal.resume(store, checkpoint_every=5, clock=lambda: straight_times.pop(0))
    straight_times = list(range(1 + sum(r.kind == Kind.CHECKPOINT for r in records_since(store)), 100))
    for size in (7, 2):
        for _ in range(size):
            at = journal.next
            body = {"name": "tick", "time_ns": at * 10**9, "fields": {"price": 100 + at / 7}}
            journal.append(Kind.EVENT, body)
        journal.commit()
    assert journal.head == straight.head
    assert list(store.groups()) == groups_of(whole)


# --- places that outlive their store ---


def test_a_journal_outlives_its_writer(place: str) -> None:
    with filled(open_store(place, write=True), [4]) as journal:
        head = journal.head
    store = open_store(place)
    hashes = [record.hash for record in records_since(store)]
    assert (len(hashes), hashes[4]) == (6, head)  # closing has added a checkpoint
    assert verify(store).head == hashes[5].hex()
    store.close()


def test_closing_leaves_a_checkpoint_at_the_end(place: str) -> None:
    filled(open_store(place, write=True), [4], every=100, signer=seeded()).close()
    store = open_store(place)
    found = verify(store)
    store.close()
    assert (found.records, found.checkpoints, found.signed_through) == (6, 1, 5)


def test_an_error_on_the_way_makes_nothing_durable(place: str) -> None:
    with pytest.raises(ZeroDivisionError), Journal.begin(open_store(place, write=True), beginning()) as journal:
        journal.append(Kind.EVENT, {"price": 1 / 0})
    store = open_store(place)
    assert verify(store).records == 1
    store.close()


def test_a_second_writer_is_refused_and_the_first_goes_on(place: str) -> None:
    journal = filled(open_store(place, write=True), [2])
    with pytest.raises(JournalError) as error:
        open_store(place, write=True)
    assert said(error) == ("HR861", "another process writes this journal")
    journal.append(Kind.EVENT, {"name": "tick"})
    assert journal.commit() == journal.next - 1
    journal.close()
    open_store(place, write=True).close()


def test_a_second_writer_in_another_process_is_refused(place: str) -> None:
    journal = filled(open_store(place, write=True), [2])
    code = f"from hedgerow.engine.journal.opening import open_store; open_store({place!r}, write=True)"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    journal.close()
    assert "error[HR861]: another process writes this journal" in answer.stderr


def test_a_journal_is_read_while_it_is_written(place: str) -> None:
    journal = filled(open_store(place, write=True), [2])
    reader = open_store(place)
    assert verify(reader).records == 3
    journal.append(Kind.EVENT, {"name": "tick"})
    journal.commit()
    assert verify(reader).records == 4
    reader.close()
    journal.close()


def test_who_lost_its_place_to_another_writer_keeps_nothing_more(place: str) -> None:
    journal = filled(open_store(place, write=True), [2], every=100)
    group = journal.store.last()
    journal.append(Kind.EVENT, {"name": "tick"})
    # As another writer would that had got past the lock.
    assert group is not None
    journal.store.write(Group(3, 3, b"other", bytes(32)))
    with pytest.raises(JournalError) as error:
        journal.commit()
    assert said(error) == ("HR861", "another process writes this journal")
    with pytest.raises(JournalError) as error:
        journal.commit()
    assert said(error) == ("HR868", "this journal takes no more: a commit has failed")
    journal.close()


def test_a_state_is_kept_with_its_group_and_the_one_before_too(store: Any) -> None:
    journal = filled(store, [2])
    assert store.states() == []
    kept = []
    for text in (b'{"a":1}', b'{"a":2}', b'{"a":3}'):
        of = journal.durable
        assert journal.keep(text) == of + 1
        assert store.states() == kept[::-1][:2]  # nothing is kept before the commit
        journal.commit()
        kept.append(State(of, text))
    assert store.states() == [kept[2], kept[1]]
    bodies = [value_of(record.payload) for record in records_since(store) if record.kind == Kind.SNAPSHOT]
    assert bodies == [{"of": each.of, "sha256": hashlib.sha256(each.text).hexdigest()} for each in kept]
    assert verify(store).holds


def test_a_group_whose_state_cannot_be_kept_is_not_kept(place: str) -> None:
    with contextlib.closing(open_store(place, write=True)) as store:
        first, state = Group(0, 0, b"one", bytes(32)), State(0, b"{}")
        store.write(first, state)
        with pytest.raises(JournalError) as error:
            store.write(Group(1, 1, b"two", bytes(32)), state)
        assert said(error) == ("HR861", "another process writes this journal")
        assert (list(store.groups()), store.states()) == ([first], [state])


def test_a_store_for_reading_takes_nothing(place: str) -> None:
    open_store(place, write=True).close()
    reader = open_store(place)
    if isinstance(reader, PostgresStore):
        reader._run("SET default_transaction_read_only = on")
    with pytest.raises(JournalError) as error:
        reader.write(Group(0, 0, b"", bytes(32)))
    assert error.value.code == "HR862"
    assert "read-only" in error.value.message
    reader.close()


def test_there_is_nothing_to_read_where_no_journal_is(place: str) -> None:
    with pytest.raises(JournalError) as error:
        open_store(place)
    assert said(error) == ("HR860", "there is no journal here")


# --- a file ---


def test_a_killed_writer_leaves_what_it_has_committed_and_no_lock(tmp_path: Path) -> None:
    path = tmp_path / "desk.journal"
    code = textwrap.dedent(f"""
        import os, signal, sys
        sys.path.insert(0, {str(ROOT / "tests")!r})
        from journals import filled
        from hedgerow.engine.journal.opening import open_store
        journal = filled(open_store({str(path)!r}, write=True), [4, 9])
        journal.append(2, b"{{}}")
        os.kill(os.getpid(), signal.SIGKILL)
    """)
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert answer.returncode == -9, answer.stderr
    whole = MemoryStore()
    filled(whole, [4, 9])
    store = SqliteStore(path, write=True)
    assert list(store.groups()) == groups_of(whole)
    assert Journal.resume(store).commit() == 14
    store.close()


def test_the_file_says_what_it_is_and_syncs_every_commit(tmp_path: Path) -> None:
    path = tmp_path / "desk.journal"
    store = SqliteStore(path, write=True)
    settings = [store._value(f"PRAGMA {name}") for name in ("journal_mode", "synchronous", "application_id")]
    filled(store, [2]).close()
    assert settings == ["wal", 2, 0x48524A31]
    assert path.read_bytes()[68:72] == b"HRJ1"
    assert sorted(each.name for each in tmp_path.iterdir()) == ["desk.journal", "desk.journal-writer"]
    assert (tmp_path / "desk.journal-writer").stat().st_size == 0


def test_who_reads_and_who_writes_trusts_no_schema_and_checks_each_page(tmp_path: Path) -> None:
    path = tmp_path / "desk.journal"
    names = ("trusted_schema", "cell_size_check", "fullfsync", "checkpoint_fullfsync")
    caches = []
    for write in (True, False):
        with contextlib.closing(SqliteStore(path, write=write)) as store:
            assert [store._value(f"PRAGMA {name}") for name in names] == [0, 1, 1, 1]
            caches.append(store._value("PRAGMA cache_size"))
    assert caches[0] == caches[1]  # that of a writer is small only while its log is made long


def test_a_commit_waits_for_readers_and_nobody_for_another_writer(tmp_path: Path) -> None:
    with contextlib.closing(SqliteStore(tmp_path / "desk.journal", write=True)) as store:
        waits = [each.execute("PRAGMA busy_timeout").fetchall() for each in (store._connected, store._lock)]
    assert waits == [[(2_000,)], [(0,)]]  # milliseconds


def test_nobody_else_gets_the_lock_before_a_writer_has_written_its_last(tmp_path: Path) -> None:
    path = tmp_path / "desk.journal"
    store = SqliteStore(path, write=True)
    connected, refused = store._connected, []

    class Closing:
        def close(self) -> None:
            with pytest.raises(JournalError) as error:
                SqliteStore(path, write=True)
            refused.append(said(error))
            connected.close()

    store._connected = Closing()
    store.close()
    assert refused == [("HR861", "another process writes this journal")]
    SqliteStore(path, write=True).close()


def test_the_log_has_its_length_before_the_first_commit_and_nothing_of_that_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "desk.journal"
    log = path.with_name("desk.journal-wal")
    for _ in range(2):
        store = SqliteStore(path, write=True)
        length = log.stat().st_size
        journal = Journal.begin(store, beginning()) if store.last() is None else Journal.resume(store)
        for _ in range(50):
            journal.append(Kind.EVENT, b'"' + b"x" * 20_000 + b'"')
            journal.commit()
        assert 4_000_000 < log.stat().st_size == length
        journal.close()
    assert path.stat().st_size < 3_000_000
    store = SqliteStore(path)
    assert (verify(store).records, store._value("PRAGMA freelist_count")) == (103, 0)
    store.close()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the file is empty"),
        (b"a cat\n" * 400, "this is no database"),
    ],
)
def test_a_file_that_is_no_database_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "photo"
    path.write_bytes(content)
    with pytest.raises(JournalError) as error:
        SqliteStore(path)
    assert said(error) == ("HR860", message)


def test_who_is_refused_a_file_keeps_no_lock_of_it(tmp_path: Path) -> None:
    path = tmp_path / "photo"
    path.write_bytes(b"a cat\n" * 400)
    refusals = []
    for _ in range(2):
        with pytest.raises(JournalError) as error:
            SqliteStore(path, write=True)
        refusals.append(error)  # with all that was at hand where it was raised
    assert [said(each) for each in refusals] == [("HR860", "this is no database")] * 2


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(JournalError) as error:
        SqliteStore(tmp_path)
    assert said(error) == ("HR860", "this is no file")


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("PRAGMA application_id = 7", "this is a database and no journal"),
        ("PRAGMA user_version = 9", "the journal is in version 9"),
        ("PRAGMA user_version = 0", "the journal is in version 0"),
        ("CREATE TABLE other (x)", "the database holds something else than a journal"),
        (
            "CREATE TRIGGER sly AFTER INSERT ON record_group BEGIN DELETE FROM record_group; END",
            "the database holds something else than a journal",
        ),
        ("DROP TABLE record_group", "the database holds something else than a journal"),
    ],
)
@pytest.mark.parametrize("write", [False, True])
def test_a_database_of_somebody_else_is_refused_and_left_alone(
    tmp_path: Path, statement: str, message: str, write: bool
) -> None:
    path = tmp_path / "desk.journal"
    filled(SqliteStore(path, write=True), [2]).close()
    with sqlite3.connect(path) as other:
        other.execute(statement)
    other.close()
    before = path.read_bytes()
    with pytest.raises(JournalError) as error:
        SqliteStore(path, write=write)
    assert said(error) == ("HR860", message)
    assert path.read_bytes() == before


def test_a_file_that_is_damaged_below_its_rows_is_found_as_damage(tmp_path: Path) -> None:
    path = tmp_path / "desk.journal"
    filled(SqliteStore(path, write=True), [50] * 20).close()
    body = bytearray(path.read_bytes())
    for page in range(2, len(body) // 4096):
        body[page * 4096 : page * 4096 + 16] = b"\xff" * 16
    path.write_bytes(body)
    store = SqliteStore(path)
    found = verify(store)
    store.close()
    assert found.damage is not None
    assert found.damage.code == "HR869"


def test_a_state_that_is_no_bytes_is_none(tmp_path: Path) -> None:
    path = tmp_path / "desk.journal"
    with filled(SqliteStore(path, write=True), [2]) as journal:
        for text in (b'{"a":1}', b'{"a":2}'):
            kept = State(journal.durable, text)
            journal.keep(text)
            journal.commit()
    # A table takes text for bytes only while it is said not to be strict; a damaged page holds anything.
    for statement in (
        "UPDATE sqlite_schema SET sql = replace(sql, ' STRICT', '') WHERE name = 'state'",
        f"UPDATE state SET text = 'words' WHERE of < {kept.of}",
        "UPDATE sqlite_schema SET sql = sql || ' STRICT' WHERE name = 'state'",
    ):
        with contextlib.closing(sqlite3.connect(path)) as other, other:
            other.execute("PRAGMA writable_schema = ON")
            assert other.execute(statement).rowcount == 1
    with contextlib.closing(SqliteStore(path)) as store:
        assert store.states() == [kept]


def test_a_byte_that_is_flipped_anywhere_in_the_file_is_seen_or_means_nothing(tmp_path: Path) -> None:
    path = tmp_path / "desk.journal"
    filled(SqliteStore(path, write=True), [40, 1, 60, 2, 30], every=30).close()
    whole = path.read_bytes()
    sound = SqliteStore(path)
    groups = list(sound.groups())
    sound.close()
    seen = 0
    random = Random(11)
    for at in [*range(100), *random.sample(range(100, len(whole)), 150)]:
        changed = bytearray(whole)
        changed[at] ^= 1 << random.randrange(8)
        path.write_bytes(changed)
        try:
            store = SqliteStore(path)
        except JournalError:
            seen += 1
            continue
        found = verify(store)
        if found.holds:
            assert list(store.groups()) == groups, at
        else:
            seen += 1
        store.close()
    assert seen > 120


def test_a_sqlite_that_may_lose_commits_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("apsw.sqlite_lib_version", lambda: "3.51.2")
    with pytest.raises(JournalError) as error:
        SqliteStore(tmp_path / "desk.journal", write=True)
    message = "SQLite 3.51.2 may lose what was committed; 3.51.3 is the first that does not"
    assert said(error) == ("HR864", message)
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setattr("apsw.sqlite_lib_version", lambda: "3.51.3")
    SqliteStore(tmp_path / "desk.journal", write=True).close()


def test_a_full_disk_keeps_nothing_of_the_group_and_all_before_it(tmp_path: Path) -> None:
    path = tmp_path / "desk.journal"
    journal = filled(SqliteStore(path, write=True), [4])
    journal.append(Kind.EVENT, b'"' + b"x" * 200_000 + b'"')
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    # A write beyond the limit fails as one to a full disk does, with another errno; Python ignores the signal.
    resource.setrlimit(resource.RLIMIT_FSIZE, (65_536, limits[1]))
    try:
        with pytest.raises(JournalError) as error:
            journal.commit()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert error.value.code == "HR862"
    journal.close()
    store = SqliteStore(path)
    found = verify(store)
    store.close()
    assert (found.holds, found.records) == (True, 5)


def test_a_database_that_may_not_grow_is_a_full_disk(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "desk.journal", write=True)
    journal = filled(store, [4])
    store._value("PRAGMA max_page_count = 1")
    journal.append(Kind.EVENT, b'"' + b"x" * 200_000 + b'"')
    with pytest.raises(JournalError) as error:
        journal.commit()
    assert said(error) == ("HR862", "the disk is full; the group is not journalled")
    assert not store._connected.in_transaction
    journal.close()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a file that its reader may not change, and be both")
def test_a_journal_in_a_folder_without_write_access_is_read() -> None:
    with tempfile.TemporaryDirectory() as folder:  # no folder above it is for its owner alone, as those of pytest are
        Path(folder).chmod(0o755)
        path = Path(folder) / "desk.journal"
        journal = filled(SqliteStore(path, write=True), [4])
        logged = Path(folder) / "logged.journal"  # as a process that was killed leaves it
        for end in ("", "-wal"):
            shutil.copyfile(f"{path}{end}", f"{logged}{end}")
        journal.close()
        code = textwrap.dedent(f"""
            import os
            from pathlib import Path
            import apsw
            from hedgerow.engine.journal.sqlite import SqliteStore
            from hedgerow.engine.journal.verify import verify
            verify(SqliteStore(Path({str(path)!r})))  # loads all that it needs
            os.setuid(65534)
            print(verify(SqliteStore(Path({str(path)!r}))).records)
            try:
                SqliteStore(Path({str(path)!r}), write=True)
            except Exception as error:
                print(error.code)
            try:
                print(verify(SqliteStore(Path({str(logged)!r}))).records)
            except Exception as error:
                print(error.code)
        """)
        answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    # Without its log, which nobody can read there, a journal would lack what was committed last.
    assert answer.stdout.splitlines() == ["6", "HR862", "HR863"]


# --- a server ---


@needs_server
def test_a_table_of_somebody_else_is_refused(server: str) -> None:
    store = PostgresStore(server, write=True)
    name = server.rpartition("=")[2]
    store._run(f"COMMENT ON TABLE hedgerow_journal.{name} IS 'else'")
    store.close()
    with pytest.raises(JournalError) as error:
        PostgresStore(server)
    assert said(error) == ("HR860", "the table of this name is no journal of this version")


@needs_server
def test_a_server_without_fsync_is_refused(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = PostgresStore._run
    monkeypatch.setattr(
        PostgresStore,
        "_run",
        lambda self, text, **values: [["off"]] if "fsync" in text else asked(self, text, **values),
    )
    with pytest.raises(JournalError) as error:
        PostgresStore(server, write=True)
    monkeypatch.undo()
    assert said(error) == ("HR864", "the server runs without fsync")


@needs_server
def test_a_lost_connection_is_told_and_its_lock_is_free(server: str) -> None:
    journal = filled(PostgresStore(server, write=True), [3])
    end_writer(server.rpartition("=")[2])
    journal.append(Kind.EVENT, {"name": "tick"})
    with pytest.raises(JournalError) as error:
        journal.commit()
    assert error.value.code == "HR862"
    journal.close()
    again = Journal.resume(PostgresStore(server, write=True))
    assert again.next == 4
    again.close()


@needs_server
@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("statement_timeout", "100ms"),
        ("idle_session_timeout", "100ms"),
        ("bytea_output", "escape"),
        ("quote_all_identifiers", "on"),
        ("synchronous_commit", "off"),
        ("standard_conforming_strings", "off"),
        ("default_transaction_isolation", "serializable"),
        ("search_path", "nowhere"),
    ],
)
def test_what_a_role_is_set_to_changes_nothing_for_its_journal(server: str, setting: str, value: str) -> None:
    role = f"role_{uuid.uuid4().hex[:12]}"
    own = server.replace("postgres@", f"{role}@", 1)
    other = PostgresStore(server, write=True)
    other.close()
    other = PostgresStore(server)
    other._run(f"CREATE ROLE {role} LOGIN SUPERUSER")
    other._run(f"ALTER ROLE {role} SET {setting} = '{value}'")
    try:
        journal = filled(PostgresStore(own, write=True), [3])
        journal.store._run("SELECT pg_sleep(0.2)")  # type: ignore[attr-defined]  # a store of a server
        other._run("SELECT pg_sleep(0.2)")
        journal.append(Kind.EVENT, {"name": "tick"})
        journal.close()
        with contextlib.closing(PostgresStore(own)) as store:
            assert verify(store).records == 6
    finally:
        other._run(f"DROP ROLE {role}")
        other.close()


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")  # pg8000 closes no socket on which it got lost
@pytest.mark.parametrize(
    "answer", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"R\0\0\0\x08\0\0\0c", b"\0" * 100, b"\xff" * 99, b""]
)
def test_what_is_no_server_of_a_database_is_told(answer: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening, ThreadPoolExecutor(1) as pool:

        def say() -> socket.socket:
            connection, _ = listening.accept()
            connection.recv(1000)
            connection.sendall(answer)
            connection.shutdown(socket.SHUT_WR)
            return connection

        told = pool.submit(say)
        with pytest.raises(JournalError) as error:
            PostgresStore(f"postgresql://postgres@127.0.0.1:{listening.getsockname()[1]}/books")
        told.result().close()
    assert error.value.code == "HR863"
    del error
    gc.collect()


@needs_server
def test_the_lock_of_a_process_that_was_killed_is_waited_for_while_its_server_ends_it(server: str) -> None:
    code = textwrap.dedent(f"""
        from hedgerow.engine.journal.postgres import PostgresStore
        PostgresStore({server!r}, write=True)._run("SELECT pg_sleep(0.7), {server.rpartition("=")[2]!r}")
    """)
    process = subprocess.Popen([sys.executable, "-c", code])
    wait_for_statement(f"SELECT pg_sleep(0.7), {server.rpartition('=')[2]!r}")
    process.kill()
    process.wait()
    # A server looks for its client only when a statement has ended; until then a commit is on its way.
    store = PostgresStore(server, write=True)
    assert store._run("SHOW lock_timeout") == [["0"]]
    store.close()


@needs_server
def test_a_writer_of_which_its_server_hears_nothing_is_given_up_soon(server: str) -> None:
    store = PostgresStore(server, write=True)
    names = ("tcp_keepalives_idle", "tcp_keepalives_interval", "tcp_keepalives_count")
    idle, interval, many = (int(store._run(f"SHOW {name}")[0][0]) for name in names)
    store.close()
    assert 0 < idle + interval * many <= 20


def test_a_server_that_is_not_there_is_told_without_its_password() -> None:
    with pytest.raises(JournalError) as error:
        PostgresStore("postgresql://anna:secret@127.0.0.1:1/none?journal=desk")
    assert error.value.code == "HR863"
    assert "secret" not in str(error.value)
    assert error.value.file == "postgresql://anna@127.0.0.1:1/none?journal=desk"


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("postgresql://", "this is no URL of a database"),
        ("postgresql://host", "this is no URL of a database"),
        ("postgresql://host:99999/db", "this is no URL of a database"),
        ("postgresql://a..b/db", "this is no URL of a database"),
        ("postgresql://[::1/db", "this is no URL of a database"),
        ("postgresql://host/db?journal=Desk;drop", "`Desk;drop` is no name of a journal"),
        ("postgresql://host/db?sslmode=off", "a URL of a journal says `journal=NAME` and `tls=yes` or `tls=no`"),
    ],
)
def test_a_url_that_names_no_journal_is_refused(url: str, message: str) -> None:
    with pytest.raises(JournalError) as error:
        PostgresStore(url)
    assert said(error) == ("HR860", message)


def test_a_row_that_stands_in_the_place_of_another_leads_nobody_round_in_a_circle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, rows, reads = tmp_path / "desk.journal", SqliteStore._rows, list[int]()
    filled(SqliteStore(path, write=True), [1] * 40, every=300).store.close()
    whole = path.read_bytes()

    def counted(self: SqliteStore, *arguments: Any) -> list[Group]:
        reads.append(1)
        assert len(reads) < 200, "it reads for ever"
        return rows(self, *arguments)

    monkeypatch.setattr(SqliteStore, "_rows", counted)
    tried = 0
    for page in range(4096, len(whole), 4096):
        if whole[page] != 13:  # a leaf of a table: its rows are found by offsets from byte 8 on
            continue
        count = int.from_bytes(whole[page + 3 : page + 5], "big")
        last = whole[page + 8 + 2 * (count - 1) :][:2]
        for at in range(page + 8, page + 8 + 2 * (count - 1), 2):
            path.write_bytes(whole[:at] + last + whole[at + 2 :])
            reads.clear()
            with contextlib.closing(SqliteStore(path)) as store:
                assert not verify(store).holds
                reads.clear()
                with pytest.raises(JournalError):
                    Journal.resume(store)
            tried += 1
    assert tried >= 30


def test_one_journal_by_two_names_has_one_writer(tmp_path: Path) -> None:
    path, link = tmp_path / "desk.journal", tmp_path / "link"
    link.symlink_to("desk.journal")
    journal = filled(SqliteStore(path, write=True), [2])
    with pytest.raises(JournalError) as error:
        SqliteStore(link, write=True)
    assert said(error) == ("HR861", "another process writes this journal")
    journal.close()
    Journal.resume(SqliteStore(link, write=True), checkpoint_every=5).close()
    assert sorted(each.name for each in tmp_path.iterdir()) == ["desk.journal", "desk.journal-writer", "link"]
    (tmp_path / "other").hardlink_to(path)
    for name in ("other", "desk.journal"):
        with pytest.raises(JournalError) as error:
            SqliteStore(tmp_path / name, write=True)
        assert said(error) == ("HR862", "the file has another name, a hard link")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("a\0b", "this is no name of a file"),
        ("\udcff.journal", "this is no name of a file"),
        (":memory:", "a journal in a file is not in memory"),
        ("folder", "this is no file"),
        ("pipe", "this is no file"),
    ],
)
@pytest.mark.parametrize("write", [False, True])
def test_a_name_that_no_journal_can_have_is_refused_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, message: str, write: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("folder").mkdir()
    os.mkfifo("pipe")
    with pytest.raises(JournalError) as error:
        open_store(name, write=write)
    assert said(error) == ("HR860", message)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["folder", "pipe"]


@pytest.mark.parametrize("name", ["a b", "a?b=1#c%20d", "file:x?mode=memory", "ümläut→", "-x", "two\nlines", "~"])
def test_a_journal_can_have_any_other_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    filled(open_store(name, write=True), [2]).close()
    with contextlib.closing(open_store(name)) as store:
        assert verify(store).records == 4
    assert (tmp_path / name).stat().st_size > 0


def test_a_copy_without_a_log_that_somebody_reads_is_not_said_to_have_a_writer(tmp_path: Path) -> None:
    path = tmp_path / "desk.journal"
    filled(SqliteStore(path, write=True), [2]).close()
    import apsw  # that of the store: the locks of two libraries are nothing to each other within a process

    with contextlib.closing(apsw.Connection(str(path))) as other:
        assert other.execute("PRAGMA journal_mode=DELETE").fetchall() == [("delete",)]
        other.execute("BEGIN").execute("SELECT * FROM record_group").fetchall()
        with pytest.raises(JournalError) as error:
            SqliteStore(path, write=True)
        assert said(error) == ("HR862", "somebody reads the journal, which has no log yet")
    Journal.resume(SqliteStore(path, write=True), checkpoint_every=5).close()
