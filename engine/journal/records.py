"""A record in bytes, and the groups of records that a store keeps.

    header     50 bytes, big-endian
                 format    1   1
                 kind      1   of `kinds.Kind`
                 sequence  8   from 0, without a gap
                 length    4   of the payload, in bytes
                 previous 32   the hash of the record before; zeros before the first
                 checksum  4   CRC32C (RFC 3720, B.4) of the 46 bytes before it
    payload    canonical JSON

The hash of a record is SHA-256 of `DOMAIN`, the header without its checksum, and the payload. It stands in the
header of the next record, so that one hash vouches for all that came before it.

The checksum is against accidents and not against people. It tells a length that was written from one that has
changed since: a record whose header is whole and whose payload ends too early was cut off, one whose header is
damaged was not.

What was committed together is a group: the records one after another, the sequences of the first and the last, and
the hash of the last, which no next record holds yet.
"""

from __future__ import annotations

from hashlib import sha256
from struct import Struct
from typing import NamedTuple

from google_crc32c import value as crc32c

__all__ = [
    "CHECKSUM_BYTES",
    "DOMAIN",
    "FIELDS",
    "FIELD_BYTES",
    "FORMAT",
    "HEADER",
    "HEADER_BYTES",
    "MAX_PAYLOAD_BYTES",
    "NOTHING",
    "Group",
    "Record",
    "State",
    "begin_hash",
    "crc32c",
    "hash_of",
]

FORMAT = 1
DOMAIN = b"hedgerow.journal.record.v1\0"
"""What the hash of a record begins with, so that it is the hash of nothing else."""
begin_hash = sha256(DOMAIN).copy
"""Return the hash of a record before its header and payload; OpenSSL copies a hash sooner than it begins one."""
FIELDS = Struct(">BBQI32s")
"""The header without its checksum: format, kind, sequence, length, previous."""
HEADER = Struct(FIELDS.format + "I")
"""All of the header."""
FIELD_BYTES = FIELDS.size
CHECKSUM_BYTES = 4
HEADER_BYTES = HEADER.size
MAX_PAYLOAD_BYTES = 16 * 2**20
NOTHING = bytes(32)
"""What stands for the hash of the record before the first."""


def hash_of(fields: bytes, payload: bytes) -> bytes:
    """Return the hash of a record; who makes many of them does this by itself, to save the call."""
    hash = begin_hash()
    hash.update(fields + payload)
    return hash.digest()


class Group(NamedTuple):
    """What was committed together: records `first` to `last` in bytes, and the hash of the last one, `head`."""

    first: int
    last: int
    records: bytes
    head: bytes


class State(NamedTuple):
    """What records up to `of` have led to, as canonical JSON: a shorter way than all of them.

    It stands beside the chain, because the next one takes its place; the record after `of` holds its hash.
    """

    of: int
    text: bytes


class Record(NamedTuple):
    """One record whose bytes were checked; `fields` is its header without the checksum, `hash` its own."""

    sequence: int
    kind: int
    fields: bytes
    payload: bytes
    hash: bytes

    @property
    def previous(self) -> bytes:
        """The hash of the record before."""
        return self.fields[-32:]

    @property
    def checksum(self) -> int:
        """The checksum of the header."""
        return int(crc32c(self.fields))
