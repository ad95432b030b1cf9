"""Whatever is done to a journal is seen, and found where it was done."""

from __future__ import annotations

import struct
from typing import NamedTuple

import google_crc32c
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from journals import HEADER, chained_anew, filled, groups_of, hash_of, kept, seeded, split

from hedgerow.engine.journal.canonical import canonical
from hedgerow.engine.journal.kinds import Kind
from hedgerow.engine.journal.memory import MemoryStore
from hedgerow.engine.journal.problem import DamageError
from hedgerow.engine.journal.records import Group
from hedgerow.engine.journal.verify import verify

SIZES = st.lists(st.integers(1, 9), min_size=1, max_size=6)
WHICH = st.integers(0, 10**6)


class Written(NamedTuple):
    """A journal as it was written, and where each of its records stands: group and position in it."""

    groups: list[Group]
    places: list[tuple[int, int]]

    def record(self, sequence: int) -> bytes:
        group, position = self.places[sequence]
        return split(self.groups[group].records)[position]


def written(sizes: list[int], every: int = 5) -> Written:
    store = MemoryStore()
    filled(store, sizes, every=every)
    groups = groups_of(store)
    places = [(number, at) for number, group in enumerate(groups) for at in range(len(split(group.records)))]
    return Written(groups, places)


def damage_of(groups: list[Group]) -> DamageError:
    found = verify(kept(groups))
    assert found.damage is not None
    # What is told as whole is what stands before the damage, or less: nothing damaged is counted as good.
    assert found.damage.sequence is not None
    assert found.records <= found.damage.sequence
    return found.damage


def with_records(groups: list[Group], number: int, records: list[bytes]) -> list[Group]:
    return [group._replace(records=b"".join(records)) if at == number else group for at, group in enumerate(groups)]


def test_an_untouched_journal_holds() -> None:
    journal = written([3, 1, 9])
    found = verify(kept(journal.groups))
    assert (found.holds, found.records) == (True, len(journal.places))


@given(SIZES, WHICH, st.integers(1, 255))
def test_a_flipped_byte_of_a_record_is_found_in_that_record(sizes: list[int], which: int, mask: int) -> None:
    journal = written(sizes)
    whole = b"".join(group.records for group in journal.groups)
    at = which % len(whole)
    changed, end = [], 0
    for group in journal.groups:
        start, end = end, end + len(group.records)
        body = bytearray(group.records)
        if start <= at < end:
            body[at - start] ^= mask
        changed.append(group._replace(records=bytes(body)))
    ends, sequence = 0, 0
    while ends + len(journal.record(sequence)) <= at:
        ends += len(journal.record(sequence))
        sequence += 1
    found = damage_of(changed)
    assert (found.fault, found.sequence) == ("changed", sequence)


@given(SIZES, WHICH, st.integers(0, 31), st.integers(1, 255))
def test_a_flipped_byte_of_the_hash_beside_a_group_is_found_at_its_last_record(
    sizes: list[int], which: int, at: int, mask: int
) -> None:
    groups = written(sizes).groups
    number = which % len(groups)
    head = bytearray(groups[number].head)
    head[at] ^= mask
    groups[number] = groups[number]._replace(head=bytes(head))
    found = damage_of(groups)
    assert (found.fault, found.sequence) == ("changed", groups[number].last)
    is_last = number == len(groups) - 1
    who = "it, or the hash that is kept beside its group," if is_last else "the hash that is kept beside its group"
    assert found.message == f"record {found.sequence}: {who} was changed"
    assert found.last is is_last


@given(SIZES, WHICH, st.integers(0, 63))
def test_a_flipped_bit_of_the_last_number_of_a_group_is_found_at_its_last_record(
    sizes: list[int], which: int, bit: int
) -> None:
    groups = written(sizes).groups
    number = which % len(groups)
    true = groups[number].last
    groups[number] = groups[number]._replace(last=signed(true ^ (1 << bit)))
    found = damage_of(groups)
    assert (found.fault, found.sequence) == ("changed", true)


@given(SIZES, WHICH, st.integers(0, 63))
@example([3], 0, 63)  # below nothing
def test_a_flipped_bit_of_the_number_that_a_group_is_kept_under_is_found_where_the_order_breaks(
    sizes: list[int], which: int, bit: int
) -> None:
    groups = written(sizes).groups
    number = which % len(groups)
    true = [group.first for group in groups]
    flipped = signed(true[number] ^ (1 << bit))
    assume(flipped not in true)  # two groups under one number are what no database takes
    order = sorted(range(len(groups)), key=lambda each: flipped if each == number else true[each])
    misplaced = next((true[at] for at, each in enumerate(order) if at != each), true[number])
    groups[number] = groups[number]._replace(first=flipped)
    found = damage_of(groups)
    assert found.sequence == misplaced
    assert found.fault in ("changed", "swapped")


def signed(number: int) -> int:
    """Return 64 bits as the number that they are in a column."""
    return number - 2**64 if number >= 2**63 else number


@given(SIZES, WHICH)
def test_a_dropped_record_is_found_where_it_stood(sizes: list[int], which: int) -> None:
    journal = written(sizes)
    sequence = which % len(journal.places)
    group, position = journal.places[sequence]
    records = split(journal.groups[group].records)
    del records[position]
    found = damage_of(with_records(journal.groups, group, records))
    assert (found.fault, found.sequence) == ("dropped", sequence)


@given(SIZES, WHICH, WHICH)
def test_dropped_groups_are_found_where_the_first_stood(sizes: list[int], start: int, many: int) -> None:
    groups = written(sizes).groups
    first = start % (len(groups) - 1)
    after = first + 1 + many % (len(groups) - 1 - first)
    found = damage_of([*groups[:first], *groups[after:]])
    assert (found.fault, found.sequence) == ("dropped", groups[first].first)
    if groups[after].first - groups[first].first > 1:
        assert f"all to record {groups[after].first - 1}" in found.message


@given(SIZES, WHICH, WHICH)
def test_swapped_records_are_found_where_the_first_stood(sizes: list[int], one: int, other: int) -> None:
    journal = written(sizes)
    early, late = sorted((one % len(journal.places), other % len(journal.places)))
    assume(early != late)
    groups = journal.groups
    for here, there in ((early, late), (late, early)):
        group, position = journal.places[here]
        records = split(groups[group].records)
        records[position] = journal.record(there)
        groups = with_records(groups, group, records)
    found = damage_of(groups)
    assert (found.fault, found.sequence) == ("swapped", early)


@given(SIZES, WHICH, WHICH)
def test_a_record_that_stands_twice_is_found_where_it_stands_again(sizes: list[int], one: int, other: int) -> None:
    journal = written(sizes)
    early, late = sorted((one % len(journal.places), other % len(journal.places)))
    group, position = journal.places[late]
    records = split(journal.groups[group].records)
    records.insert(position + 1, journal.record(early))
    found = damage_of(with_records(journal.groups, group, records))
    assert (found.fault, found.sequence) == ("duplicated", late + 1)
    assert f"record {early} stands a second time" in found.message


@given(SIZES, WHICH)
def test_a_group_that_stands_twice_is_found_where_it_stands_again(sizes: list[int], which: int) -> None:
    groups = written(sizes).groups
    copy, end = groups[which % len(groups)], groups[-1].last + 1
    found = damage_of([*groups, copy._replace(first=end, last=end + copy.last - copy.first)])
    assert (found.fault, found.sequence) == ("duplicated", end)


@given(SIZES, WHICH, WHICH)
@example([3], 0, 0)
@example([3], 0, HEADER.size)
def test_a_group_that_is_cut_off_anywhere_is_torn_or_lacks_records(sizes: list[int], which: int, cut: int) -> None:
    groups = written(sizes).groups
    number = which % len(groups)
    group = groups[number]
    at = cut % len(group.records)
    sequence, end = group.first, 0
    for record in split(group.records):
        if end + len(record) > at:
            break
        sequence, end = sequence + 1, end + len(record)
    groups[number] = group._replace(records=group.records[:at])
    found = damage_of(groups)
    assert (found.fault, found.sequence) == ("torn" if at > end else "dropped", sequence)
    assert found.last is (at > end and number == len(groups) - 1)
    if at > end:
        assert f"the {'header' if at - end < HEADER.size else 'payload'} is cut off" in found.message


def test_a_torn_tail_and_a_flipped_length_are_told_apart() -> None:
    groups = written([4]).groups
    tail = groups[-1]
    torn = damage_of([*groups[:-1], tail._replace(records=tail.records[:-3])])
    last = split(tail.records)[-1]
    length = len(tail.records) - len(last) + 13  # the last byte of the length, in the header of the last record
    longer = bytearray(tail.records)
    longer[length] += 3
    flipped = damage_of([*groups[:-1], tail._replace(records=bytes(longer))])
    assert (torn.fault, torn.sequence, torn.last) == ("torn", tail.last, True)
    assert (flipped.fault, flipped.sequence) == ("changed", tail.last)
    assert HEADER.unpack_from(last)[3] + 3 == HEADER.unpack_from(longer, len(tail.records) - len(last))[3]


# --- who chains everything anew ---


@given(SIZES, WHICH)
def test_who_chains_a_signed_journal_anew_is_found_at_the_next_checkpoint(sizes: list[int], which: int) -> None:
    store = MemoryStore()
    journal = filled(store, sizes, signer=seeded())
    journal.checkpoint()
    groups = groups_of(store)
    sequence = 1 + which % (journal.durable - 1)
    forged = chained_anew(groups, sequence, canonical({"name": "tick", "time_ns": 0}))
    found = damage_of(forged)
    assert found.fault == "checkpoint"
    assert found.sequence is not None
    assert found.sequence >= sequence


def test_who_chains_an_unsigned_journal_anew_is_not_found_by_the_journal_alone() -> None:
    store = MemoryStore()
    filled(store, [3, 3], every=100)
    forged = chained_anew(groups_of(store), 2, canonical({"name": "tick", "time_ns": 0}))
    assert verify(kept(forged)).holds


@pytest.mark.parametrize(
    ("version", "kind", "link", "what"),
    [
        (2, Kind.GENESIS, bytes(32), "it is in format 2, which is not known here"),
        (1, Kind.EVENT, bytes(32), "it does not begin a journal"),
        (1, Kind.GENESIS, b"\1" * 32, "its header does not hold the hash of the record before"),
    ],
)
def test_a_first_record_that_somebody_has_made_is_one_of_this_format(
    version: int, kind: int, link: bytes, what: str
) -> None:
    (record,) = split(written([1]).groups[0].records)
    fields = struct.pack(">BBQI32s", version, kind, 0, len(record) - HEADER.size, link)
    made = fields + google_crc32c.value(fields).to_bytes(4, "big") + record[HEADER.size :]
    found = damage_of([Group(0, 0, made, hash_of(made))])
    assert (found.fault, found.message) == ("changed", f"record 0: {what}")


def test_a_last_record_that_was_written_anew_is_not_what_its_group_was_committed_with() -> None:
    groups = written([3, 2]).groups
    last = groups[1].last
    forged = chained_anew(groups, last, canonical({"name": "tick", "time_ns": 0}))[1]
    found = damage_of([groups[0], forged._replace(head=groups[1].head), *groups[2:]])
    assert (found.fault, found.message) == ("changed", f"record {last}: it is not what its group was committed with")


def test_the_forger_of_these_tests_changes_nothing_else() -> None:
    groups = written([3, 9]).groups
    assert chained_anew(groups, 2, split(groups[1].records)[1][HEADER.size :]) == groups


@pytest.mark.parametrize("every", [1, 2, 100])
def test_an_untouched_journal_holds_however_often_it_has_checkpoints(every: int) -> None:
    assert verify(kept(written([1, 2, 5], every).groups)).holds
