"""Groups in a table of a PostgreSQL database, through pg8000: for services whose disks are elsewhere.

pg8000 (BSD) is in Python, and psycopg (LGPL) in C. Here that makes little difference: a group is two whole numbers
and two byte strings, and written as literals it is one round trip. A commit of 64 records took 0.5 ms so, most of which
is the server's, and 0.4 ms with psycopg; with parameters, which pg8000 prepares anew each time, it took
0.9 ms.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from ..diagnostics import reason_of
from .problem import DamageError, JournalError, need
from .records import Group, State

__all__ = ["PostgresStore"]

_SCHEMA = "hedgerow_journal"
_VERSION = "hedgerow.journal/1"
_COLUMNS = [
    ("first", "bigint", "NO"),
    ("last", "bigint", "NO"),
    ("records", "bytea", "NO"),
    ("head", "bytea", "NO"),
]
_PAGE = 64
_NAME = re.compile(r"[a-z][a-z0-9_]{0,47}")
_EXAMPLE = "write postgresql://user@host:5432/database?journal=desk"
_SECONDS = 20
"""So long a server may say nothing, and after so long it gives up a writer of which it hears nothing."""
_ENDING_SECONDS = 2
"""So long a server may take to end the session of a process that was killed, and with it its lock."""
_SETTINGS = {
    # A server that answers before its disk has keeps no promise.
    "synchronous_commit": "on",
    # A backslash in a literal is a backslash, bytes are shown in hex, and names in no quotes.
    "standard_conforming_strings": "on",
    "bytea_output": "hex",
    "quote_all_identifiers": "off",
    # Limits that a role may have for people and their queries: a host that is quiet for an hour has done nothing wrong.
    "statement_timeout": "0",
    "transaction_timeout": "0",
    "idle_session_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
}
"""What a session is set to, of what its server knows."""
_READ_ONLY, _DISK_FULL, _TAKEN, _LOCKED = "25006", "53100", "23505", "55P03"  # SQLSTATE


class PostgresStore:
    """A journal in the table `hedgerow_journal.NAME`, with an advisory lock for its one writer.

    The lock is the connection's: a writer that has lost it has lost the connection too, and can write nothing.
    """

    def __init__(self, url: str, *, write: bool = False) -> None:
        """Open a journal; with `write` as its one writer, making it where there is nothing yet.

        Args:
            url: `postgresql://user:password@host:port/database?journal=NAME`, where the journal is called `journal`
                unless it is named; with `&tls=yes` the server must prove who it is.
            write: whether it is to be written.

        Raises:
            JournalError: (HR860) there is none, or something else; (HR861) it has a writer; (HR863) the server
                cannot be reached; (HR864) it does not keep what it has committed.
        """
        need("postgres", "pg8000")
        from pg8000.exceptions import DatabaseError, InterfaceError

        self._errors = (DatabaseError, InterfaceError, OSError)
        self._connected: Any = None
        parts, journal, tls = _read(url)
        user = parts.username or "postgres"
        self.place = f"postgresql://{user}@{parts.hostname}:{parts.port or 5432}{parts.path}?journal={journal}"
        self._table = f"{_SCHEMA}.{journal}"
        self._state = f"{_SCHEMA}.{journal}$state"  # no journal can have this name
        try:
            self._connect(parts, user, tls)
            if write:
                self._lock()
                self._make()
            self._check()
        except self._errors as error:
            self.close()
            raise self._refusal(error, writing=False) from None
        except JournalError:
            self.close()
            raise

    # -------------------------------------------------------------------------------------------------------- opening

    def _connect(self, parts: SplitResult, user: str, tls: bool) -> None:
        import ssl
        import struct

        from pg8000.native import Connection, InterfaceError

        try:
            self._connected = Connection(
                unquote(user),
                host=parts.hostname or "localhost",
                port=parts.port or 5432,
                database=unquote(parts.path.lstrip("/")),
                password=None if parts.password is None else unquote(parts.password),
                ssl_context=ssl.create_default_context() if tls else None,
                timeout=_SECONDS,
                application_name="hedgerow journal",
            )
        except InterfaceError as error:
            reason = reason_of(error.__cause__ if isinstance(error.__cause__, OSError) else error)
            help = "look at its address, and whether it runs"
            raise JournalError("HR863", f"the server cannot be reached: {reason}", self.place, help) from None
        except (LookupError, ValueError, struct.error):  # what pg8000 makes of any other protocol
            help = "look at its address and its port"
            raise JournalError("HR863", "what answers there is no PostgreSQL server", self.place, help) from None
        wanted = ", ".join(f"('{name}', '{value}')" for name, value in _SETTINGS.items())
        wanted = f"(VALUES {wanted}) wanted (name, value)"
        self._run(f"SELECT set_config(name, value, false) FROM {wanted} JOIN pg_settings USING (name)")
        if self._run("SHOW fsync") != [["on"]]:
            raise JournalError(
                "HR864", "the server runs without fsync", self.place, "set `fsync = on` in its configuration"
            )

    def _lock(self) -> None:
        # A host that was cut off from its server cannot say so: who comes after it would be locked out for hours.
        for name, value in (("idle", _SECONDS // 2), ("interval", _SECONDS // 4), ("count", 2)):
            self._run(f"SET tcp_keepalives_{name} = {value}")
        self._run(f"SET lock_timeout = '{_ENDING_SECONDS}s'")
        self._run("SELECT pg_advisory_lock(hashtextextended(:name, 0))", name=self._table)
        self._run("SET lock_timeout = 0")

    def _make(self) -> None:
        if self._run("SELECT to_regclass(:name)::text", name=self._table) != [[None]]:
            return
        # What is sent as one text is one transaction; two that make the schema at once would be in each other's way.
        self._run(
            f"SELECT pg_advisory_xact_lock(hashtextextended('{_SCHEMA}', 0)); "
            f"CREATE SCHEMA IF NOT EXISTS {_SCHEMA}; "
            f"CREATE TABLE {self._table} (first bigint PRIMARY KEY, last bigint NOT NULL, records bytea NOT NULL, "
            f"head bytea NOT NULL); "
            f"CREATE TABLE {self._state} (at bigint PRIMARY KEY, text bytea NOT NULL); "
            # What is compressed already costs time, and JSON of a few events shrinks little.
            f"ALTER TABLE {self._table} ALTER records SET STORAGE EXTERNAL; "
            f"COMMENT ON TABLE {self._table} IS '{_VERSION}'"
        )

    def _check(self) -> None:
        found = self._run("SELECT to_regclass(:name)::text, obj_description(to_regclass(:name))", name=self._table)
        help = _EXAMPLE
        if found[0][0] is None:
            raise JournalError("HR860", "there is no journal here", self.place, help)
        columns = self._run(
            "SELECT column_name, data_type, is_nullable FROM information_schema.columns "
            "WHERE table_schema = :schema AND table_name = :name ORDER BY ordinal_position",
            schema=_SCHEMA,
            name=self._table.partition(".")[2],
        )
        if found[0][1] != _VERSION or [tuple(column) for column in columns] != _COLUMNS:
            raise JournalError("HR860", "the table of this name is no journal of this version", self.place, help)

    # ------------------------------------------------------------------------------------------------------ the store

    def groups(self, since: int = 0) -> Iterator[Group]:
        start = self._rows("WHERE first <= :at ORDER BY first DESC LIMIT 1", since)
        page = self._rows(f"WHERE first >= :at ORDER BY first LIMIT {_PAGE}", start[0].first if start else -(2**63))
        while page:
            yield from page
            page = self._rows(f"WHERE first > :at ORDER BY first LIMIT {_PAGE}", page[-1].first)

    def last(self, before: int | None = None) -> Group | None:
        rows = self._rows("WHERE first <= :at ORDER BY first DESC LIMIT 1", 2**63 - 1 if before is None else before - 1)
        return rows[0] if rows else None

    def _rows(self, condition: str, at: int) -> list[Group]:
        try:
            rows = self._run(f"SELECT first, last, records, head FROM {self._table} {condition}", at=at)
        except self._errors as error:
            raise self._refusal(error, writing=False) from None
        return [Group(*row) for row in rows]

    def write(self, group: Group, state: State | None = None) -> None:
        numbers = f"{group.first:d}, {group.last:d}"  # nothing but digits can come of these, or of hex
        insert = f"INSERT INTO {self._table} VALUES ({numbers}, '\\x{group.records.hex()}', '\\x{group.head.hex()}')"
        if state is not None:
            insert += (
                f"; DELETE FROM {self._state} WHERE at < (SELECT max(at) FROM {self._state})"
                f"; INSERT INTO {self._state} VALUES ({state.of:d}, '\\x{state.text.hex()}')"
            )
        try:
            # What is sent as one text is one transaction.
            self._run(insert)
        except self._errors as error:
            raise self._refusal(error, writing=True) from None

    def states(self) -> list[State]:
        try:
            rows = self._run(f"SELECT at, text FROM {self._state} ORDER BY at DESC")
        except self._errors as error:
            raise self._refusal(error, writing=False) from None
        return [State(of, bytes(text)) for of, text in rows]

    def check(self) -> None:
        """Do nothing: the pages of a table are for the server to look after (`initdb --data-checksums`, amcheck)."""

    def close(self) -> None:
        if self._connected is not None:
            with contextlib.suppress(*self._errors):  # it may be gone already
                self._connected.close()
            self._connected = None

    def _run(self, statement: str, **values: Any) -> Any:
        return self._connected.run(statement, **values)

    def _refusal(self, error: Exception, *, writing: bool) -> JournalError:
        told = error.args[0] if error.args else ""
        state, reason = (told.get("C"), told.get("M", "")) if isinstance(told, dict) else (None, _cut_off(error))
        reason = " ".join(reason.lower().split())[:300]
        if state in (_TAKEN, _LOCKED):
            help = "a journal has one writer at a time: stop the other, or name another journal"
            return JournalError("HR861", "another process writes this journal", self.place, help)
        if state == _DISK_FULL:
            help = "make room, and start again from what is durable"
            return JournalError("HR862", "the disk is full; the group is not journalled", self.place, help)
        if state == _READ_ONLY:
            help = "name the server that takes writes"
            return JournalError("HR862", "the journal cannot be written: the server is read-only", self.place, help)
        if state is not None and state.startswith("XX"):
            return DamageError("changed", f"the server cannot read it: {reason}", self.place)
        if writing:
            return JournalError("HR862", f"the journal cannot be written: {reason}", self.place, "look at the server")
        return JournalError(
            "HR863", f"the journal cannot be read: {reason}", self.place, "look at the server and its rights"
        )


def _cut_off(error: Exception) -> str:
    """Return what keeps a server from answering, of which pg8000 says `network error`."""
    cause = error if isinstance(error, OSError) else error.__cause__
    if isinstance(cause, OSError):
        return f"the server has ended the session, or is cut off: {reason_of(cause)}"
    return "the server has ended the session" if str(error) == "network error" else str(error)


def _read(url: str) -> tuple[SplitResult, str, bool]:
    """Return the parts of a URL, the name of its journal and whether it asks for TLS."""
    shown = url.rpartition("@")[2][:80]
    try:
        parts = urlsplit(url)
        options = dict(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=True)) if parts.query else {}
        whole = parts.port != 0 and bool((parts.hostname or "").encode("idna")) and len(parts.path) > 1
    except ValueError:
        raise JournalError("HR860", "this is no URL of a database", shown, _EXAMPLE) from None
    journal, tls = options.pop("journal", "journal"), options.pop("tls", "no")
    if not whole or parts.fragment:
        raise JournalError("HR860", "this is no URL of a database", shown, _EXAMPLE)
    if not _NAME.fullmatch(journal):
        help = "a journal is called by lower-case letters, digits and `_`, a letter first, 48 at most"
        raise JournalError("HR860", f"`{journal[:60]}` is no name of a journal", shown, help)
    if options or tls not in ("yes", "no"):
        raise JournalError("HR860", "a URL of a journal says `journal=NAME` and `tls=yes` or `tls=no`", shown, _EXAMPLE)
    return parts, journal, tls == "yes"
