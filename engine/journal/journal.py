"""The one writer of a journal: entries are appended, a group of them is committed, checkpoints come in between."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any

from .canonical import canonical, value_of
from .chain import records_of, records_since
from .checkpoints import checkpoint_payload
from .keys import Signer
from .kinds import JOURNAL_FORMAT, Entry, Kind
from .kinds import snapshot as snapshot_entry
from .problem import DamageError, JournalError
from .records import (
    CHECKSUM_BYTES,
    FIELDS,
    FORMAT,
    MAX_PAYLOAD_BYTES,
    NOTHING,
    Group,
    Record,
    State,
    begin_hash,
    crc32c,
)
from .store import Store

__all__ = ["Journal"]

_PACK = FIELDS.pack
_CHECKPOINT_EVERY = 1024
_OPEN_AGAIN = "open the journal again and go on from what is durable"


class Journal:
    """A journal that is being written. Nothing is durable before `commit` has returned; one thread at a time.

    After an error of `commit` it takes no more: what of the group is durable is known only to the store, and
    `resume` finds out.
    """

    __slots__ = (
        "_clock",
        "_every",
        "_failed",
        "_first",
        "_from",
        "_genesis",
        "_leaves",
        "_pending",
        "_signer",
        "_state",
        "_store",
    )

    def __init__(self, store: Store, signer: Signer | None, checkpoint_every: int, clock: Callable[[], int]) -> None:
        """Stand before the first record; `begin` and `resume` give a journal that can be used."""
        if not 1 <= checkpoint_every <= 2**20:
            raise ValueError("a checkpoint is due every 1 to 1,048,576 records")
        self._store, self._signer, self._every, self._clock = store, signer, checkpoint_every, clock
        self._genesis = NOTHING
        self._from = 0
        """The first record that is not committed yet."""
        self._pending: list[bytes] = []
        """The records from that one on."""
        self._first = 0
        """The last checkpoint; record 0 before there is one."""
        self._leaves = [NOTHING]
        """The hashes of the records from that one on, and before record 0 what it is chained to."""
        self._state: State | None = None
        """What goes beside the group."""
        self._failed = False

    @staticmethod
    def begin(
        store: Store,
        genesis: Entry,
        *,
        signer: Signer | None = None,
        checkpoint_every: int = _CHECKPOINT_EVERY,
        clock: Callable[[], int] = time.time_ns,
    ) -> Journal:
        """Return a new journal whose first record is durable.

        Args:
            store: one that holds nothing.
            genesis: what `kinds.genesis` gives.
            signer: who signs its checkpoints, from now on to its end; None leaves them unsigned.
            checkpoint_every: after so many records a commit adds a checkpoint, 1 to 2²⁰.
            clock: gives UTC nanoseconds for checkpoints.

        Raises:
            JournalError: (HR868) the store holds a journal; or it cannot be written.
        """
        if store.last() is not None:
            raise JournalError(
                "HR868", "a journal has begun here already", store.place, "go on with it, or name another"
            )
        journal = Journal(store, signer, checkpoint_every, clock)
        body: Any = genesis.payload
        journal.append(Kind.GENESIS, {**body, "key": None if signer is None else signer.public})
        del journal._leaves[0]
        journal._genesis = journal.head
        journal.commit()
        return journal

    @staticmethod
    def resume(
        store: Store,
        *,
        signer: Signer | None = None,
        checkpoint_every: int = _CHECKPOINT_EVERY,
        clock: Callable[[], int] = time.time_ns,
    ) -> Journal:
        """Return the journal that a store holds, to go on with it.

        What came since its last checkpoint is checked; `verify` checks all of it.

        Raises:
            JournalError: (HR860) the store holds none; (HR865) its checkpoints are signed with another key, with one
                and none is given, or with none and one is given; (HR869) it is not what was written; or it cannot be read.
        """
        first = genesis_of(store)
        key = value_of(first.payload).get("key")
        if key != (None if signer is None else signer.public):
            if signer is None:
                help = "give its private key: a journal keeps the key that it began with"
                raise JournalError(
                    "HR865", "the checkpoints of this journal are signed, and there is no key", store.place, help
                )
            if key is None:
                help = "leave the key out, or begin a new journal with it"
                raise JournalError("HR865", "the checkpoints of this journal are not signed", store.place, help)
            help = "give the key that it began with, or begin a new journal"
            raise JournalError(
                "HR865", "the checkpoints of this journal are not signed with this key", store.place, help
            )
        journal = Journal(store, signer, checkpoint_every, clock)
        journal._genesis = first.hash
        journal._take_up(_since_last_checkpoint(store))
        return journal

    # -------------------------------------------------------------------------------------------------------- writing

    def append(self, kind: int, payload: bytes | Mapping[str, Any]) -> int:
        """Add a record to the group that the next commit makes durable, and return its sequence.

        Args:
            kind: one of `Kind`, as every kind but checkpoints is for others to write.
            payload: a value, or its canonical JSON in bytes, which is taken as it is.

        Raises:
            JournalError: (HR866) the payload is no JSON, or longer than 16 MiB; nothing was added.
        """
        if not isinstance(payload, bytes):
            payload = canonical(payload)
        size = len(payload)
        if size > MAX_PAYLOAD_BYTES:
            help = f"a payload has up to {MAX_PAYLOAD_BYTES:,} bytes"
            raise JournalError("HR866", f"the payload has {size:,} bytes", self._store.place, help)
        pending, leaves = self._pending, self._leaves
        sequence = self._from + len(pending)
        fields = _PACK(FORMAT, kind, sequence, size, leaves[-1])
        pending.append(fields + crc32c(fields).to_bytes(CHECKSUM_BYTES, "big") + payload)
        hash = begin_hash()
        hash.update(fields + payload)
        leaves.append(hash.digest())
        return sequence

    def keep(self, state: bytes) -> int:
        """Add the record of a state that all records so far have led to; the state itself goes beside the group with it.

        Args:
            state: canonical JSON.

        Returns:
            The sequence of the record.
        """
        of = self.next - 1
        self._state = State(of, state)
        return self.append(*snapshot_entry(of, state))

    def commit(self) -> int:
        """Make what was appended durable, all or nothing, and return the sequence of the last durable record.

        A checkpoint that is due goes with it.

        Raises:
            JournalError: (HR861, HR862) the store does not take it: acknowledge nothing of it; (HR868) an earlier
                commit has failed, or an append was interrupted.
        """
        return self._commit(checkpoint=len(self._leaves) > self._every)

    def checkpoint(self) -> int:
        """Commit, with a checkpoint at the end unless one stands there already; return its sequence.

        Raises:
            JournalError: as `commit`.
        """
        # The only record since a checkpoint is that checkpoint; the only one of all is none.
        return self._commit(checkpoint=len(self._leaves) > 1 or self.next == 1)

    def close(self) -> None:
        """Commit with a checkpoint at the end, unless a commit has failed, and let go of the store.

        Raises:
            JournalError: as `commit`; the store is closed nevertheless.
        """
        try:
            if not self._failed:
                self.checkpoint()
        finally:
            self._store.close()

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:  # what was appended on the way to an error is for nobody to make durable
            self._store.close()

    @property
    def next(self) -> int:
        """The sequence that the next record will have."""
        return self._from + len(self._pending)

    @property
    def durable(self) -> int:
        """The sequence of the last record that is durable; -1 before the first."""
        return self._from - 1

    @property
    def head(self) -> bytes:
        """The hash of the last record that was appended."""
        return self._leaves[-1]

    @property
    def genesis(self) -> bytes:
        """The hash of its first record, which names it."""
        return self._genesis

    @property
    def store(self) -> Store:
        """Where it is kept; `chain.records_since` reads it."""
        return self._store

    # --------------------------------------------------------------------------------------------------------- within

    def _commit(self, *, checkpoint: bool) -> int:
        place = self._store.place
        if self._failed:
            raise JournalError("HR868", "this journal takes no more: a commit has failed", place, _OPEN_AGAIN)
        if not (self._pending or checkpoint):
            return self.durable
        # Until the store has answered, and if it does not, nobody knows what is durable.
        self._failed = True
        # A signal within `append`, as that of Ctrl-C, leaves a record without its hash.
        if self._first + len(self._leaves) != self.next:
            raise JournalError("HR868", "an append was interrupted: its group cannot be kept", place, _OPEN_AGAIN)
        if checkpoint:
            self._add_checkpoint()
        self._store.write(Group(self._from, self.next - 1, b"".join(self._pending), self.head), self._state)
        self._state = None
        self._from = self.next
        self._pending.clear()
        self._failed = False
        return self.durable

    def _add_checkpoint(self) -> None:
        payload = checkpoint_payload(self._genesis, self._first, self._leaves, self._clock(), self._signer)
        self._first = self.append(Kind.CHECKPOINT, payload)
        del self._leaves[:-1]

    def _take_up(self, records: list[Record]) -> None:
        """Stand after records, which are all since the last checkpoint."""
        self._first, self._from = records[0].sequence, records[-1].sequence + 1
        self._leaves = [record.hash for record in records]


def genesis_of(store: Store) -> Record:
    """Return the first record of a journal.

    Raises:
        JournalError: (HR860) there is none; (HR869) it is not what was written.
    """
    first = next(records_since(store), None)
    if first is None:
        raise JournalError(
            "HR860", "the journal holds no record", store.place, "name the place of a journal that has begun"
        )
    try:
        body = value_of(first.payload)
        known = body["format"] == JOURNAL_FORMAT and canonical(body) == first.payload
    except (ValueError, KeyError, TypeError, JournalError):
        known = False
    if first.kind != Kind.GENESIS or not known:
        raise DamageError("changed", "it does not begin a journal", store.place, 0)
    return first


def _since_last_checkpoint(store: Store) -> list[Record]:
    """Return the last checkpoint and what came after it; all records where there is none."""
    group = store.last()
    while group is not None:
        # A group that is damaged is told by `records_since`, which knows what stands before it.
        found = records_of(store, group, group.first, None if group.first else NOTHING)
        if any(record.kind == Kind.CHECKPOINT for record in found):
            break
        group = store.last(before=group.first)
    records: list[Record] = []
    for record in records_since(store, 0 if group is None else group.first):
        if record.kind == Kind.CHECKPOINT:
            records.clear()
        records.append(record)
    return records
