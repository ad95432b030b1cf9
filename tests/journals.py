"""Journals for tests, and the layout of a record read by hand, so that the code under test is not its own witness."""

from __future__ import annotations

import hashlib
import os
import struct
from collections.abc import Sequence
from itertools import count
from threading import Event
from typing import Any
from urllib.parse import urlsplit

from hedgerow.engine.journal.journal import Journal
from hedgerow.engine.journal.keys import Signer
from hedgerow.engine.journal.kinds import Entry, Kind, genesis
from hedgerow.engine.journal.memory import MemoryStore
from hedgerow.engine.journal.records import Group

HEADER = struct.Struct(">BBQI32s4s")
POSTGRES = os.environ.get("HEDGEROW_POSTGRES_URL", "")
"""A server that the tests may write to, as in `postgresql://postgres@127.0.0.1:5432/postgres`."""


def beginning(machine: str = "desk") -> Entry:
    return genesis(machine, "ab" * 32, {"k": 8.0}, 1_700_000_000_000_000_000)


def seeded(number: int = 1) -> Signer:
    """Return the same signer each time."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    return Signer(Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32))


def filled(
    store: Any, groups: Sequence[int], *, signer: Signer | None = None, every: int = 5, machine: str = "desk"
) -> Journal:
    """Return a journal with events committed in groups of these sizes, with a clock that ticks once a look."""
    ticks = count(1)
    begin = beginning(machine)
    journal = Journal.begin(store, begin, signer=signer, checkpoint_every=every, clock=lambda: next(ticks))
    for size in groups:
        for _ in range(size):
            body = {"name": "tick", "time_ns": journal.next * 10**9, "fields": {"price": 100 + journal.next / 7}}
            journal.append(Kind.EVENT, body)
        journal.commit()
    return journal


def _connected(url: str) -> Any:
    from pg8000.native import Connection

    parts = urlsplit(url)
    return Connection(
        parts.username or "postgres",
        host=parts.hostname or "localhost",
        port=parts.port or 5432,
        database=parts.path.lstrip("/"),
        password=parts.password,
    )


def drop(name: str, url: str = POSTGRES) -> None:
    """Take a journal away from a server."""
    connection = _connected(url)
    connection.run(f"DROP TABLE IF EXISTS hedgerow_journal.{name}, hedgerow_journal.{name}$state")
    connection.close()


def end_writer(name: str, url: str = POSTGRES) -> None:
    """End the session that writes a journal of a server, as who looks after the server can."""
    connection = _connected(url)
    connection.run(
        "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' "
        "AND ((classid::bigint << 32) | objid::bigint) = hashtextextended(:name, 0)",
        name=f"hedgerow_journal.{name}",
    )
    connection.close()


def wait_for_statement(text: str, url: str = POSTGRES) -> None:
    """Return when a server runs a statement that begins so."""
    connection = _connected(url)
    running = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND starts_with(query, :text)"
    runs = any(connection.run(running, text=text) != [[0]] for _ in range(100_000))
    connection.close()
    assert runs


def held_back(store: Any) -> tuple[Event, Event]:
    """Let each write of a store wait; return what is set once one does, and what lets it and all after it go."""
    writing, go, write = Event(), Event(), store.write

    def wait(*given: Any) -> None:
        writing.set()
        assert go.wait(10)
        write(*given)

    store.write = wait
    return writing, go


def groups_of(store: MemoryStore) -> list[Group]:
    return list(store.groups())


def kept(groups: Sequence[Group]) -> MemoryStore:
    """Return a store with groups in the order of their numbers, as a database has them that somebody laid hands on."""
    store = MemoryStore("tampered")
    for group in sorted(groups):
        store.write(group)
    return store


def split(records: bytes) -> list[bytes]:
    """Return the records of a group, one by one."""
    found = []
    while records:
        length = HEADER.unpack_from(records)[3]
        found.append(records[: HEADER.size + length])
        records = records[HEADER.size + length :]
    return found


def hash_of(record: bytes) -> bytes:
    """Return the hash of a record, from its description."""
    return hashlib.sha256(b"hedgerow.journal.record.v1\0" + record[:46] + record[50:]).digest()


def chained_anew(groups: Sequence[Group], sequence: int, payload: bytes) -> list[Group]:
    """Return what a forger makes of a journal: another payload in one record, and all after it chained to that."""
    import google_crc32c

    previous, written = bytes(32), []
    for group in groups:
        records = []
        for record in split(group.records):
            version, kind, number, _, _, _ = HEADER.unpack_from(record)
            body = payload if number == sequence else record[HEADER.size :]
            fields = struct.pack(">BBQI32s", version, kind, number, len(body), previous)
            records.append(fields + google_crc32c.value(fields).to_bytes(4, "big") + body)
            previous = hash_of(records[-1])
        written.append(Group(group.first, group.last, b"".join(records), previous))
    return written
