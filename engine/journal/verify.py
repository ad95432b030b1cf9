"""All of a journal, from its first byte to its last: records, links, checkpoints, signatures, and what somebody
expects of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .canonical import value_of
from .chain import records_since
from .checkpoints import claims, trouble_with
from .journal import genesis_of
from .kinds import Kind
from .problem import DamageError
from .records import NOTHING, Record
from .store import Store

__all__ = ["Verification", "verify"]

_CHECKPOINT = int(Kind.CHECKPOINT)  # a plain number: an enum's members are slow to compare


@dataclass(frozen=True, slots=True)
class Verification:
    """What a journal was found to be.

    Fields:
        place: where it is kept.
        records: how many stand as they were written, before the first that does not.
        genesis: what its first record says; empty where that does not stand.
        head: the hash of the last of them, in hex.
        checkpoints: how many of them are checkpoints.
        last_checkpoint: the sequence of the last one; None where there is none.
        signed_through: the sequence up to which a signature vouches for the records; None where none does.
        expected: how many records that somebody has seen before are still the same.
        damage: what is wrong, if something is.
    """

    place: str
    records: int
    genesis: Mapping[str, Any]
    head: str
    checkpoints: int
    last_checkpoint: int | None
    signed_through: int | None
    expected: int
    damage: DamageError | None

    @property
    def holds(self) -> bool:
        """Whether the journal is what was written, as far as it can show that itself."""
        return self.damage is None

    @property
    def key(self) -> str | None:
        """The public key that its first record binds it to, in hex."""
        key = self.genesis.get("key")
        return key if isinstance(key, str) else None

    def to_json(self) -> dict[str, Any]:
        damage = self.damage
        return {
            "journal": self.place,
            "holds": self.holds,
            "records": self.records,
            "genesis": dict(self.genesis),
            "head": self.head,
            "checkpoints": self.checkpoints,
            "last_checkpoint": self.last_checkpoint,
            "signed_through": self.signed_through,
            "expected": self.expected,
            "damage": damage
            and {**damage.to_json(), "fault": damage.fault, "sequence": damage.sequence, "last": damage.last},
        }


def verify(
    store: Store, *, keys: frozenset[str] = frozenset(), expected: Mapping[int, str] | None = None
) -> Verification:
    """Read all of a journal and say whether it is what was written.

    Args:
        store: where it is.
        keys: public keys in hex, one of which must have signed its checkpoints; any, where none is given.
        expected: hashes in hex of records that somebody has seen, by their sequence, as `lines.hashes_of` reads them.

    Raises:
        JournalError: there is no journal, or it cannot be read.
    """
    auditor = _Auditor(store, keys, dict(expected or {}))
    damage = None
    try:
        auditor.begin(genesis_of(store))
        for record in records_since(store):
            auditor.take(record)
        # Only now: damage that has a record is told with it.
        store.check()
        auditor.end()
    except DamageError as found:
        damage = (
            found
            if found.sequence is not None
            else DamageError(found.fault, found.message, found.file, auditor.records)
        )
    return auditor.verification(damage)


class _Auditor:
    """What has been seen of a journal so far."""

    def __init__(self, store: Store, keys: frozenset[str], expected: dict[int, str]) -> None:
        self._place, self._keys, self._expected = store.place, keys, expected
        self._seen = 0
        self._genesis: Mapping[str, Any] = {}
        self._journal = self._head = NOTHING
        self._first = 0
        """The last checkpoint; record 0 before there is one."""
        self._leaves: list[bytes] = []
        """The hashes of the records from that one on."""
        self._checkpoints = 0
        self._last_checkpoint: int | None = None

    @property
    def records(self) -> int:
        """How many records have been taken."""
        return self._first + len(self._leaves)

    def begin(self, genesis: Record) -> None:
        """Take what the first record says of all of them."""
        self._genesis, self._journal = value_of(genesis.payload), genesis.hash
        key = self._genesis.get("key")
        if not (key is None or isinstance(key, str)):
            raise DamageError("changed", "what it calls a key is none", self._place, 0)
        if self._keys and key not in self._keys:
            what = (
                "no key signs its checkpoints" if key is None else "another key signs its checkpoints than was expected"
            )
            raise DamageError("unexpected", what, self._place, 0)

    def take(self, record: Record) -> None:
        if record.kind == _CHECKPOINT:
            self._take_checkpoint(record)
        if self._expected:
            self._compare(record)
        self._leaves.append(record.hash)
        self._head = record.hash

    def end(self) -> None:
        """Refuse a journal that ends before what was expected of it."""
        if self._expected:
            last = max(self._expected)
            what = f"the journal ends here; it has gone on to record {last:,} at least"
            raise DamageError("unexpected", what, self._place, self.records, last=True)

    def _take_checkpoint(self, record: Record) -> None:
        wanted = claims(self._journal, self._first, self._leaves)
        trouble = trouble_with(record.payload, self._genesis.get("key"), wanted)
        if trouble is not None:
            raise DamageError("checkpoint", trouble, self._place, record.sequence)
        self._first = record.sequence
        self._leaves.clear()
        self._checkpoints += 1
        self._last_checkpoint = record.sequence

    def _compare(self, record: Record) -> None:
        hash = self._expected.pop(record.sequence, None)
        if hash is None:
            return
        if hash != record.hash.hex():
            what = "it is another one than was seen before: the journal was written anew, here or earlier"
            raise DamageError("unexpected", what, self._place, record.sequence)
        self._seen += 1

    def verification(self, damage: DamageError | None) -> Verification:
        return Verification(
            place=self._place,
            records=self.records,
            genesis=self._genesis,
            head=self._head.hex(),
            checkpoints=self._checkpoints,
            last_checkpoint=self._last_checkpoint,
            signed_through=None if self._genesis.get("key") is None else self._last_checkpoint,
            expected=self._seen,
            damage=damage,
        )
