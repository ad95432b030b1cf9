"""Groups in one SQLite file, through apsw: WAL, `synchronous=FULL`, one writer, any number of readers beside it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from ..diagnostics import reason_of
from .problem import DamageError, JournalError, need
from .records import Group, State

__all__ = ["APPLICATION_ID", "LEAST_SQLITE", "SqliteStore"]

APPLICATION_ID = 0x4852_4A31
"""`HRJ1`, which `file` and others read in the header of the file."""
VERSION = 1
LEAST_SQLITE = (3, 51, 3)
"""Older ones can corrupt a database when a write-ahead log is reset while another connection writes."""

_TABLE = (
    "CREATE TABLE record_group ("
    "first INTEGER PRIMARY KEY, last INTEGER NOT NULL, records BLOB NOT NULL, head BLOB NOT NULL) STRICT"
)
_STATES = "CREATE TABLE state (of INTEGER PRIMARY KEY, text BLOB NOT NULL) STRICT"
_COLUMNS = "SELECT first, last, records, head FROM record_group"
_INSERT = "INSERT INTO record_group VALUES (?, ?, ?, ?)"
_PAGE = 64
"""So many groups are read at once; between two reads nothing is held that would keep the log from being reset."""
_LOG_PAGES = 1000
"""SQLite moves its log into the file whenever the log has so many pages, unless it is told otherwise."""
_LOG_BYTES = 2**16
"""So much of a log is written again at once; SQLite takes less than 128 KB."""
_WRITER = "-writer"


class SqliteStore:
    """A journal in a file, with `-wal` and `-shm` beside it while it is open, as SQLite has it.

    Who writes holds a lock on the file of that name with `-writer` at its end, which stays and is empty: SQLite's
    own lock is free between two commits, and its exclusive mode would keep readers out.
    """

    def __init__(self, path: Path, *, write: bool = False, vfs: str | None = None) -> None:
        """Open a journal; with `write` as its one writer, making it where there is nothing yet.

        Raises:
            JournalError: (HR860) there is none, or something else; (HR861) it has a writer; (HR862, HR863) it cannot
                be opened; (HR864) the SQLite that apsw brings is too old.
        """
        need("journal", "apsw")
        import apsw

        self.place = str(path)
        path = _file_of(path)
        self._vfs = vfs
        self._connected: Any = None
        self._lock: Any = None
        if _numbers(apsw.sqlite_lib_version()) < LEAST_SQLITE:
            least = ".".join(map(str, LEAST_SQLITE))
            why = f"SQLite {apsw.sqlite_lib_version()} may lose what was committed; {least} is the first that does not"
            raise JournalError("HR864", why, self.place, "install a newer apsw: pip install -U apsw")
        try:
            if path.exists() and not path.is_file():
                raise JournalError("HR860", "this is no file", self.place, "name the file of a journal")
            if write:
                self._lock = self._connection(
                    apsw, f"{path}{_WRITER}", apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE
                )
                self._lock.execute("BEGIN EXCLUSIVE")
            self._open(apsw, path, write)
        except (apsw.Error, OSError) as error:
            self.close()
            raise self._refusal(error, writing=write) from None
        except JournalError:
            self.close()
            raise

    # -------------------------------------------------------------------------------------------------------- opening

    def _open(self, apsw: Any, path: Path, write: bool) -> None:
        about = path.stat() if path.exists() else None
        size = None if about is None else about.st_size
        if not size and not write:
            why = "there is no journal here" if size is None else "the file is empty"
            raise JournalError("HR860", why, self.place, "name the file of a journal")
        log = Path(f"{path}-wal")
        if write and not size and log.exists() and log.stat().st_size:
            # SQLite takes such a log for one that was left over, and deletes it. A journal is whole before it has a log.
            raise DamageError("changed", "the file is empty or gone, and the log beside it is not", self.place)
        if write and about is not None and about.st_nlink > 1:
            # Each name has a log of its own, and all of them are moved into the one file.
            help = "copy the file, and name the copy: two who write it by two names destroy it"
            raise JournalError("HR862", "the file has another name, a hard link", self.place, help)
        if write:
            self._connected = self._connection(apsw, str(path), apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE)
        else:
            self._connected = self._reading(apsw, path)
        for setting in ("trusted_schema=OFF", "cell_size_check=ON", "fullfsync=ON", "checkpoint_fullfsync=ON"):
            self._connected.execute(f"PRAGMA {setting}")
        if write:
            # A file whose making was cut off holds what SQLite takes back when it reads it for the first time. That leaves
            # nothing, where a journal that was cut off by somebody else is still some bytes.
            self._value("PRAGMA schema_version")
            if not path.stat().st_size:
                self._make()
        self._check_schema()
        if write:
            self._connected.execute("PRAGMA synchronous=FULL")
            if self._log_mode(apsw) != "wal":
                help = "put the journal on a local disk: a write-ahead log needs shared memory"
                raise JournalError("HR862", "this file system takes no write-ahead log", self.place, help)
            if not self._empty_log():
                self._write_log_again(apsw, log)
            self._lengthen_log()

    def _connection(self, apsw: Any, name: str, flags: int) -> Any:
        connection = apsw.Connection(name, flags=flags, vfs=self._vfs)
        # A commit waits for nobody but readers that look at the log for the first time, which takes them microseconds.
        connection.set_busy_timeout(0 if name.endswith(_WRITER) else 2_000)
        return connection

    def _reading(self, apsw: Any, path: Path) -> Any:
        """Return a connection that changes nothing, if need be to a file that nobody can change."""
        connection = self._connection(apsw, str(path), apsw.SQLITE_OPEN_READONLY)
        try:
            connection.execute("PRAGMA schema_version").fetchall()
        except (apsw.CantOpenError, apsw.ReadOnlyError):
            # A database in WAL mode wants files beside it, which a folder without write access does not take. Where no
            # log is left there, nothing is missing without it.
            log = Path(f"{path}-wal")
            if log.exists() and log.stat().st_size:
                raise
            flags = apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI
            connection = self._connection(apsw, f"{path.resolve().as_uri()}?immutable=1", flags)
        return connection

    def _make(self) -> None:
        # One transaction, so that a crash leaves a journal or nothing.
        self._connected.execute("PRAGMA synchronous=FULL")
        with self._transaction():
            self._connected.execute(f"PRAGMA application_id={APPLICATION_ID}")
            self._connected.execute(f"PRAGMA user_version={VERSION}")
            self._connected.execute(_TABLE)
            self._connected.execute(_STATES)

    def _log_mode(self, apsw: Any) -> Any:
        """Give the file a log, if it has none: it is new, or a copy that was made without one."""
        try:
            return self._value("PRAGMA journal_mode=WAL")
        except (apsw.BusyError, apsw.LockedError):
            help = "end what reads it, and try again; once it has a log, readers are in nobody's way"
            raise JournalError("HR862", "somebody reads the journal, which has no log yet", self.place, help) from None

    def _empty_log(self) -> bool:
        """Move what the log holds into the file, and sync that, before anybody hears of it; return whether that could be.

        The writer before may have been killed between a write and its sync, or after a sync that failed: its system then has
        what the disk has not, and takes it for written. What came after it in the log would be lost with it.
        """
        busy, _, _ = self._connected.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()[0]
        return not busy

    def _write_log_again(self, apsw: Any, log: Path) -> None:
        """Write the log over itself, and sync that, where it cannot be emptied because somebody still reads the journal.

        A reader, however long it takes, must not keep a machine from coming back. It sees the same bytes all the time, and
        the system has to write them, whatever it believes of the disk.
        """
        with self._transaction(keep=False):  # so that nobody else can begin the log anew meanwhile
            flags = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE | apsw.SQLITE_OPEN_WAL
            file = apsw.VFSFile(self._vfs or "", str(log), [flags, 0])
            try:
                size = file.xFileSize()
                for at in range(0, size, _LOG_BYTES):
                    file.xWrite(file.xRead(min(_LOG_BYTES, size - at), at), at)
                file.xSync(apsw.SQLITE_SYNC_FULL)
            finally:
                file.xClose()

    def _lengthen_log(self) -> None:
        """Make the log as long as it gets before it is reset, so that no commit has to wait for new blocks of its file.

        What is rolled back has been written there, where the cache is too small for it, and counts for nothing.
        """
        execute, size = self._connected.execute, self._value("PRAGMA cache_size")
        execute("PRAGMA cache_size=10")
        with self._transaction(keep=False):
            execute("CREATE TABLE room (taken BLOB)")
            execute("INSERT INTO room VALUES (zeroblob(?))", (_LOG_PAGES * self._value("PRAGMA page_size"),))
        execute(f"PRAGMA cache_size={size}")

    @contextmanager
    def _transaction(self, *, keep: bool = True) -> Iterator[None]:
        """Run statements as one, and keep what they did unless one of them fails."""
        self._connected.execute("BEGIN IMMEDIATE")
        try:
            yield
            if keep:
                self._connected.execute("COMMIT")
        finally:
            # Some errors have rolled back by themselves, and to do it again would be an error that hides them.
            if self._connected.in_transaction:
                self._connected.execute("ROLLBACK")

    def _check_schema(self) -> None:
        """Refuse a database that is no journal, or has something in it, such as a trigger, that a journal has not."""
        found, version = self._value("PRAGMA application_id"), self._value("PRAGMA user_version")
        texts = [text for (text,) in self._connected.execute("SELECT sql FROM sqlite_schema")]
        help = "name the file of a journal"
        if found != APPLICATION_ID:
            raise JournalError("HR860", "this is a database and no journal", self.place, help)
        if version != VERSION:
            help = f"this Hedgerow reads version {VERSION}; use the one that wrote it"
            raise JournalError("HR860", f"the journal is in version {version}", self.place, help)
        if texts != [_TABLE, _STATES]:
            raise JournalError("HR860", "the database holds something else than a journal", self.place, help)

    def _value(self, statement: str) -> Any:
        return self._connected.execute(statement).fetchall()[0][0]

    # ------------------------------------------------------------------------------------------------------ the store

    def groups(self, since: int = 0) -> Iterator[Group]:
        start = self._rows(" WHERE first <= ? ORDER BY first DESC LIMIT 1", (since,))
        page = self._rows(f" WHERE first >= ? ORDER BY first LIMIT {_PAGE}", (start[0].first if start else -(2**63),))
        before = -(2**63) - 1
        while page:
            for group in page:
                if group.first <= before:
                    raise self._out_of_order()
                before = group.first
                yield group
            page = self._rows(f" WHERE first > ? ORDER BY first LIMIT {_PAGE}", (page[-1].first,))

    def last(self, before: int | None = None) -> Group | None:
        # An unbounded one looks no later than the greatest number that a row can have.
        rows = self._rows(
            " WHERE first <= ? ORDER BY first DESC LIMIT 1", (2**63 - 1 if before is None else before - 1,)
        )
        if rows and before is not None and rows[0].first >= before:
            raise self._out_of_order()
        return rows[0] if rows else None

    def _out_of_order(self) -> DamageError:
        """Return what is wrong where a damaged tree leads back to rows that were read: who follows it never ends."""
        return DamageError("changed", "the database cannot be read: its rows are out of order", self.place)

    def _rows(self, condition: str, values: tuple[int, ...]) -> list[Group]:
        import apsw

        try:
            rows = self._connected.execute(_COLUMNS + condition, values).fetchall()
        except apsw.Error as error:
            raise self._refusal(error, writing=False) from None
        for row in rows:
            # Where a damaged schema leads to the pages of another table, their rows have other types.
            if tuple(map(type, row)) != (int, int, bytes, bytes):
                raise DamageError("changed", "the database cannot be read: a row of it is no group", self.place)
        return [Group(*row) for row in rows]

    def write(self, group: Group, state: State | None = None) -> None:
        import apsw

        try:
            if state is None:  # one statement is one transaction
                self._connected.execute(_INSERT, group)
                return
            with self._transaction():
                self._connected.execute(_INSERT, group)
                self._connected.execute("DELETE FROM state WHERE of < (SELECT max(of) FROM state)")
                self._connected.execute("INSERT INTO state VALUES (?, ?)", state)
        except (apsw.Error, OSError) as error:
            raise self._refusal(error, writing=True) from None

    def states(self) -> list[State]:
        import apsw

        try:
            rows = self._connected.execute("SELECT of, text FROM state ORDER BY of DESC").fetchall()
        except apsw.Error as error:
            raise self._refusal(error, writing=False) from None
        return [State(of, bytes(text)) for of, text in rows if isinstance(text, bytes)]

    def check(self) -> None:
        import apsw

        try:
            (found,) = self._connected.execute("PRAGMA integrity_check(1)").fetchall()[0]
        except apsw.Error as error:
            raise self._refusal(error, writing=False) from None
        if found != "ok":
            raise DamageError("changed", f"the database is malformed: {found.lower()[:200]}", self.place)

    def close(self) -> None:
        import apsw

        # The lock goes last: closing moves the log into the file, and that is writing too. Where a disk takes no writes the
        # log stays beside the file, with all that was committed; the lock must be let go nevertheless.
        for connection in (self._connected, self._lock):
            if connection is not None:
                with suppress(apsw.Error):
                    connection.close()

    # --------------------------------------------------------------------------------------------------------- errors

    def _refusal(self, error: Exception, *, writing: bool) -> JournalError:
        import apsw

        reason = reason_of(error)
        match error:
            case apsw.NotADBError():
                return JournalError("HR860", "this is no database", self.place, "name the file of a journal")
            case apsw.CorruptError():
                return DamageError("changed", "the database cannot be read: it is malformed", self.place)
            case apsw.BusyError() | apsw.LockedError() | apsw.ConstraintError() if writing:
                help = "a journal has one writer at a time: stop the other, or name another journal"
                return JournalError("HR861", "another process writes this journal", self.place, help)
            case apsw.FullError() if writing:
                help = "make room, and start again from what is durable"
                return JournalError("HR862", "the disk is full; the group is not journalled", self.place, help)
            case apsw.ReadOnlyError() if writing:
                return JournalError("HR862", "the journal cannot be written: it is read-only", self.place, _RIGHTS)
            case apsw.IOError() if writing:
                return JournalError("HR862", f"the journal cannot be written: {reason}", self.place, "look at its disk")
        if writing:
            return JournalError("HR862", f"the journal cannot be written: {reason}", self.place, _RIGHTS)
        help = "look at its disk, its rights and those of its folder"
        return JournalError("HR863", f"the journal cannot be read: {reason}", self.place, help)


_RIGHTS = "choose a file in a folder that exists and may be written"


def _file_of(path: Path) -> Path:
    """Return where a journal is, whichever way leads there: by two names of one file, two would write it.

    Raises:
        JournalError: (HR860) this is no name of a file.
    """
    name = str(path)
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        name = "\0"
    if "\0" in name:
        help = "name a file in UTF-8, without a zero byte"
        raise JournalError("HR860", "this is no name of a file", repr(str(path)), help)
    if name == ":memory:":
        help = "give a `MemoryStore()` of `hedgerow.engine.journal.memory`, or name a file"
        raise JournalError("HR860", "a journal in a file is not in memory", name, help)
    return Path(os.path.realpath(path))


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))
