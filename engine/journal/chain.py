"""Groups to records that are as they were written; the first that is not is found, and named for what was done to it.

Each record has two witnesses: the header of the next one, or what is kept beside its group, holds its hash. So what
a flipped bit has changed is told from what points to it.
"""

from __future__ import annotations

from collections.abc import Iterator

from .problem import DamageError
from .records import (
    FIELD_BYTES,
    FIELDS,
    FORMAT,
    HEADER,
    HEADER_BYTES,
    Group,
    Record,
    begin_hash,
    crc32c,
)
from .store import Store

__all__ = ["records_of", "records_since"]


def records_since(store: Store, since: int = 0) -> Iterator[Record]:
    """Yield the records of a journal from one on, each checked together with its group before the first of that is
    yielded.

    Raises:
        DamageError: (HR869) what comes next is not what was written.
        JournalError: the store cannot be read.
    """
    expected: int | None = None
    previous: bytes | None = None
    for group in store.groups(since):
        if expected is None:
            # A group that begins further on is not the one asked for: some before it are gone.
            expected = group.first if 0 <= group.first <= since else 0
            previous = None if expected else bytes(32)
        records = records_of(store, group, expected, previous)
        expected, previous = records[-1].sequence + 1, records[-1].hash
        if records[0].sequence < since:
            records = [record for record in records if record.sequence >= since]
        yield from records


def records_of(store: Store, group: Group, expected: int, previous: bytes | None) -> list[Record]:
    """Return the records of a group, at least one.

    Args:
        store: where it is from; what else it holds says what happened, if something did.
        group: as it was read.
        expected: the sequence that its first record must have.
        previous: the hash of the record before, None where that was not read.

    Raises:
        DamageError: (HR869) it is not what was written.
    """
    text, place = group.records, store.place
    found: list[Record] = []
    add, unpack, size = found.append, HEADER.unpack_from, len(text)
    # A record is made past the Python function that a named tuple is made by, which takes as long as unpacking one.
    new = tuple.__new__
    at, sequence, before = 0, expected, previous
    while at < size:
        body = at + HEADER_BYTES
        if body > size:
            raise _cut(store, group, sequence, "the header is cut off")
        version, kind, stated, length, link, checksum = unpack(text, at)
        fields = text[at : at + FIELD_BYTES]
        if crc32c(fields) != checksum:
            raise DamageError("changed", "its header was changed", place, sequence)
        if stated != sequence:
            raise _misplaced(store, sequence, stated)
        if version != FORMAT:
            raise DamageError("changed", f"it is in format {version}, which is not known here", place, sequence)
        end = body + length
        if end > size:
            raise _cut(store, group, sequence, "the payload is cut off")
        if link != before and before is not None:
            raise _unlinked(place, sequence, confirmed=not found)
        payload = text[body:end]
        hash = begin_hash()
        hash.update(fields + payload)
        before = hash.digest()
        add(new(Record, (sequence, kind, fields, payload, before)))
        at, sequence = end, sequence + 1
    if not found or group.first != expected or group.last != sequence - 1 or group.head != before:
        raise _beside(store, group, expected, sequence, before)
    return found


# ------------------------------------------------------------------------------------------------------ what happened


def _unlinked(place: str, sequence: int, *, confirmed: bool) -> DamageError:
    """Return what is wrong where a header does not hold the hash of the record before.

    At the beginning of a group that record is `confirmed`: what was kept beside its own group holds its hash.
    """
    if confirmed:
        return DamageError("changed", "its header does not hold the hash of the record before", place, sequence)
    return DamageError("changed", "it is not what the next record was chained to", place, sequence - 1)


def _cut(store: Store, group: Group, sequence: int, what: str) -> DamageError:
    last = store.last()
    if last is not None and last.first == group.first:
        return DamageError("torn", f"{what}: nothing follows it", store.place, sequence, last=True)
    return DamageError("torn", f"{what}, and others follow it", store.place, sequence)


def _misplaced(store: Store, expected: int, stated: int) -> DamageError:
    """Return what is wrong where record `stated` stands in the place of another."""
    if stated < expected:
        return DamageError("duplicated", f"in its place record {stated:,} stands a second time", store.place, expected)
    if _stands(store, expected):
        what = f"it stands further on, and record {stated:,} in its place"
        return DamageError("swapped", what, store.place, expected)
    return _dropped(store, expected, stated - 1)


def _dropped(store: Store, first: int, last: int) -> DamageError:
    many = "it is missing" if first == last else f"it is missing, and all to record {last:,}"
    return DamageError("dropped", many, store.place, first)


def _stands(store: Store, sequence: int) -> bool:
    """Return whether a record stands anywhere in a store, among those whose headers can be read."""
    for group in store.groups(-(2**63)):
        at = 0
        while at + HEADER_BYTES <= len(group.records):
            _, _, found, length, _, checksum = HEADER.unpack_from(group.records, at)
            if crc32c(group.records[at : at + FIELD_BYTES]) != checksum:
                break
            if found == sequence:
                return True
            at += HEADER_BYTES + length
    return False


def _beside(store: Store, group: Group, expected: int, after: int, hash: bytes | None) -> DamageError:
    """Return what is wrong where a group does not hold what is kept beside it; its records hold together.

    `after` is the sequence that a next record must have, `hash` what it must be chained to.
    """
    place = store.place
    following = _following(store, group)
    if after == expected or (group.last >= after and hash not in (group.head, following and following[1])):
        # Further records were committed with these, and the head is that of the last of them.
        return _dropped(store, after, max(after, group.last))
    if group.first != expected:
        return DamageError("changed", "the number that its group is kept under was changed", place, expected)
    if group.head == hash:
        return DamageError(
            "changed", "the number of the last record, kept beside its group, was changed", place, after - 1
        )
    if following == (after, hash):
        return DamageError("changed", "the hash that is kept beside its group was changed", place, after - 1)
    if following is None:
        what = "it, or the hash that is kept beside its group, was changed"
        return DamageError("changed", what, place, after - 1, last=True)
    return DamageError("changed", "it is not what its group was committed with", place, after - 1)


def _following(store: Store, group: Group) -> tuple[int, bytes] | None:
    """Return sequence and link of the first record of the next group, as they stand there."""
    groups = store.groups(group.first)
    next(groups, None)
    following = next(groups, None)
    if following is None or len(following.records) < HEADER_BYTES:
        return None
    _, _, sequence, _, link = FIELDS.unpack(following.records[:FIELD_BYTES])
    return sequence, link
