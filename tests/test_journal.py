"""Records, entries, checkpoints and proofs, held to what they are described as."""

from __future__ import annotations

import contextlib
import copy
import hashlib
import json
import math
import os
import stat
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from journals import HEADER, beginning, chained_anew, filled, groups_of, hash_of, kept, seeded, split
from pages import ROOT

import hedgerow
from hedgerow.cli.audit import _KINDS
from hedgerow.engine.journal import kinds
from hedgerow.engine.journal.canonical import canonical, value_of
from hedgerow.engine.journal.chain import records_since
from hedgerow.engine.journal.journal import Journal
from hedgerow.engine.journal.keys import Signer, is_signed, make_key, public_key
from hedgerow.engine.journal.kinds import Kind, step_body
from hedgerow.engine.journal.lines import exported, hashes_of, record_from
from hedgerow.engine.journal.memory import MemoryStore
from hedgerow.engine.journal.merkle import inclusion_path, root_of, root_through
from hedgerow.engine.journal.problem import DamageError, JournalError
from hedgerow.engine.journal.proof import check_proof, proof_of
from hedgerow.engine.journal.records import MAX_PAYLOAD_BYTES, Group, Record, State
from hedgerow.engine.journal.verify import verify
from hedgerow.engine.printer import digest
from hedgerow.engine.step import Order, Ruling, Step, Verdict

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20)


def said(error: pytest.ExceptionInfo[JournalError]) -> tuple[str, str]:
    return error.value.code, error.value.message


# --- canonical JSON ---


@given(VALUES)
def test_canonical_json_is_ascii_and_gives_the_value_back(value: Any) -> None:
    text = canonical(value)
    assert text.isascii()
    assert value_of(text) == value
    assert canonical(value_of(text)) == text


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_double_survives_to_the_last_bit(value: float) -> None:
    assert struct.pack("<d", value_of(canonical(value))) == struct.pack("<d", value)


@given(st.integers(-(2**63), 2**63 - 1))
def test_nanoseconds_are_json_integers(time_ns: int) -> None:
    assert canonical({"time_ns": time_ns}) == b'{"time_ns":%d}' % time_ns
    assert type(value_of(canonical(time_ns))) is int


# The rules of its docstring, one after another.
@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"b": 1, "a": 2, "B": 3, "é": 4, "aa": 5}, rb'{"B":3,"a":2,"aa":5,"b":1,"\u00e9":4}'),
        ("€\U0001f600/\x7f\\\"\b\t\n\f\r\x01", rb'"\u20ac\ud83d\ude00/\u007f\\\"\b\t\n\f\r\u0001"'),
        ([1.0, -0.0, 1e22, 5e-324, 1e16, 1e15], b"[1.0,-0.0,1e+22,5e-324,1e+16,1000000000000000.0]"),
        ([0.0001, 0.00001, 2**63, True, None], b"[0.0001,1e-05,9223372036854775808,true,null]"),
    ],
)  # fmt: skip
def test_a_value_has_one_text(value: Any, text: bytes) -> None:
    assert canonical(value) == text
    rules: dict[str, Any] = {"sort_keys": True, "separators": (",", ":"), "ensure_ascii": True, "allow_nan": False}
    assert json.dumps(value, **rules).encode() == text


def endless() -> list[Any]:
    inner: list[Any] = []
    inner.append(inner)
    return inner


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, {1, 2}, b"bytes", 1j, endless()])
def test_what_is_no_json_is_refused(value: Any) -> None:
    with pytest.raises(JournalError) as error:
        canonical({"x": value})
    assert error.value.code == "HR866"
    assert error.value.message.startswith("the value is no JSON: ")


# --- records ---


def test_a_record_is_laid_out_as_it_is_described() -> None:
    import google_crc32c

    store = MemoryStore()
    filled(store, [2], every=100)
    records = [record for group in groups_of(store) for record in split(group.records)]
    previous = bytes(32)
    for sequence, record in enumerate(records):
        version, kind, number, length, link, checksum = HEADER.unpack_from(record)
        assert (version, kind, number, link) == (1, 2 if sequence else 1, sequence, previous)
        assert length == len(record) - 50
        assert checksum == google_crc32c.value(record[:46]).to_bytes(4, "big")
        previous = hash_of(record)
    assert [group.head for group in groups_of(store)] == [hash_of(records[0]), previous]


def test_the_checksum_of_headers_is_crc32c() -> None:
    import google_crc32c

    # RFC 3720, B.4: 32 bytes of zeros, and 0 to 31.
    assert google_crc32c.value(bytes(32)) == 0x8A9136AA
    assert google_crc32c.value(bytes(range(32))) == 0x46DD794E


def test_bytes_are_journalled_as_they_are_and_values_as_their_text() -> None:
    heads = []
    for payload in ({"b": 1, "a": [1.5]}, b'{"a":[1.5],"b":1}'):
        journal = Journal.begin(MemoryStore(), beginning())
        journal.append(Kind.EVENT, payload)
        heads.append(journal.head)
    assert heads[0] == heads[1]


def test_a_payload_that_is_too_long_is_refused_and_nothing_of_it_stays() -> None:
    journal = Journal.begin(MemoryStore(), beginning())
    head = journal.head
    with pytest.raises(JournalError) as error:
        journal.append(Kind.EVENT, b"x" * (MAX_PAYLOAD_BYTES + 1))
    assert said(error) == ("HR866", "the payload has 16,777,217 bytes")
    with pytest.raises(JournalError):
        journal.append(Kind.EVENT, {"price": math.nan})
    assert (journal.next, journal.head) == (1, head)
    assert journal.append(Kind.EVENT, b"x" * MAX_PAYLOAD_BYTES) == 1


@pytest.mark.parametrize(("every", "taken"), [(-1, False), (0, False), (1, True), (2**20, True), (2**20 + 1, False)])
def test_a_checkpoint_is_due_every_record_at_most_and_every_so_many_at_least(every: int, taken: bool) -> None:
    store = MemoryStore()
    with contextlib.nullcontext() if taken else pytest.raises(ValueError, match="every 1 to 1,048,576 records"):
        Journal.begin(store, beginning(), checkpoint_every=every)
    assert (store.last() is not None) is taken


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"machine": "other"}, "machine"),
        ({"program": "cd" * 32}, "program"),
        ({"engine": "0.0.0"}, "engine"),
        ({"parameters": {"k": 8.000000000000002}}, "parameters"),
    ],
)
def test_the_first_record_binds_machine_program_engine_and_parameters(change: dict[str, Any], what: str) -> None:
    kind, payload = beginning()
    assert isinstance(payload, dict)
    assert payload[what] != change[what]
    changed = Journal.begin(MemoryStore(), kinds.Entry(kind, payload | change))
    assert changed.head != Journal.begin(MemoryStore(), beginning()).head


# --- entries ---


def test_a_step_is_journalled_whole_and_without_what_is_empty() -> None:
    spec = hedgerow.load(ROOT / "specs" / "band_limited_hedge.yaml")
    compiled = spec.compile()
    machine = compiled.machine()
    steps = [machine.send("tick", 10**9 * second, price=price) for second, price in enumerate((5000.0, 5001.0, 5200.0))]
    _, _, last = steps
    assert last.orders
    entry = kinds.step(7, last, [{"function": "volatility", "returned": {"": 0.25}}])
    body = value_of(canonical(entry.payload))
    assert entry.kind is Kind.STEP
    assert body["of"] == 7
    assert body["results"] == [{"function": "volatility", "returned": {"": 0.25}}]
    assert body["fired"] == list(last.fired)
    assert body["configuration"] == list(last.configuration)
    assert body["orders"] == [order.to_json() for order in last.orders]
    quiet = value_of(canonical(kinds.step(3, steps[1], []).payload))
    assert set(quiet) == {"of", "configuration"}
    state = machine.snapshot().to_json().encode()
    assert kinds.snapshot(9, state).payload == {"of": 9, "sha256": hashlib.sha256(state).hexdigest()}
    assert (
        kinds.genesis("desk", digest(spec.program()), compiled.parameters, 5).payload["engine"] == hedgerow.__version__
    )  # type: ignore[index]


def test_a_step_is_journalled_with_each_of_its_members_by_its_name() -> None:
    order, shadow = (Order("o", "long", leg, "buy", 1.0, 2.0, 3.0, 4.0, 5.0, 6) for leg in ("sent", "kept"))
    verdict = Verdict("spread", "check", "long", 1.0, 2.0, 3.0, "held", "wide")
    ruling = Ruling(3, "reset", "granted", "anna", "", (("long", 2.0),))
    whole = Step(
        fired=("up",),
        before=("flat",),
        configuration=("long",),
        orders=(order,),
        raised=("hedged",),
        rejected="late",
        errors=("no price",),
        broken=("small",),
        timers=(("close", 5),),
        verdicts=(verdict,),
        approvals=(ruling,),
        shadowed=(shadow,),
    )
    assert step_body(7, whole, ["found"]) == {
        "of": 7,
        "configuration": ("long",),
        "results": ["found"],
        "rejected": "late",
        "timers": (("close", 5),),
        "fired": ("up",),
        "raised": ("hedged",),
        "verdicts": [verdict._asdict()],
        "approvals": [ruling._asdict()],
        "orders": [order.to_json()],
        "shadowed": [shadow.to_json()],
        "errors": ("no price",),
        "broken": ("small",),
    }


def test_every_other_entry_says_what_its_kind_holds() -> None:
    entries = [
        kinds.event("tick", {"price": 1.5}, 5, 6, "m-1"),
        kinds.event("stop", {}, 5, 6),
        kinds.event("", {}, 5, 6, machine="desk"),
        kinds.event("approve", {"number": 3, "by": "anna"}, 7, 8, machine="desk", kind=Kind.APPROVAL),
        kinds.event("long.cancelled", {"order": 4}, 8, 9, "f-1", machine="desk", kind=Kind.FILL),
        kinds.refusal("tick", "late", 9, 5, machine="desk", told=True),
        kinds.control("override", "ben", "a wrong price", 10, number=2, event="stop", fields={"hard": True}),
        kinds.machine("desk", "ab", {"k": 8.0}, "next", "desk.yaml", 1, shadow=True),
        kinds.delivery("desk-4-0", 11),
        kinds.departure("desk", {"fill": "same"}, 12, to="1", pinned=True),
        kinds.machine("desk", "ab", {}, "same", "d", 1, pinned=True, came={"record": 7}, state={"fill": "same"}),
        kinds.refusal("tick", "a duplicate", 9, 5, "m-1"),
        kinds.refusal("tick", "no JSON", 9),
        kinds.control("flatten", "ben", "the venue is down", 10),
        kinds.event("tick", {}, 0, 6, numbered=("feed", 0)),
        kinds.refusal("tick", "late", 9, 0, numbered=("feed", 0)),
        kinds.control("halt", "ben", "", 10, id="h-1"),
        kinds.machine("desk", "ab", {}, "same", "d", 1, migration={}),
    ]
    assert [(kind.word, dict(payload)) for kind, payload in entries] == [  # type: ignore[call-overload]
        ("event", {"name": "tick", "fields": {"price": 1.5}, "time_ns": 5, "received_ns": 6, "id": "m-1"}),
        ("event", {"name": "stop", "time_ns": 5, "received_ns": 6}),
        ("event", {"time_ns": 5, "received_ns": 6, "machine": "desk"}),
        (
            "approval",
            {
                "name": "approve",
                "fields": {"number": 3, "by": "anna"},
                "time_ns": 7,
                "received_ns": 8,
                "machine": "desk",
            },
        ),
        (
            "fill",
            {
                "name": "long.cancelled",
                "fields": {"order": 4},
                "time_ns": 8,
                "received_ns": 9,
                "id": "f-1",
                "machine": "desk",
            },
        ),
        (
            "refusal",
            {"name": "tick", "reason": "late", "received_ns": 9, "time_ns": 5, "machine": "desk", "told": True},
        ),
        (
            "control",
            {
                "act": "override",
                "by": "ben",
                "reason": "a wrong price",
                "time_ns": 10,
                "number": 2,
                "event": "stop",
                "fields": {"hard": True},
            },
        ),
        (
            "machine",
            {
                "machine": "desk",
                "program": "ab",
                "engine": hedgerow.__version__,
                "parameters": {"k": 8.0},
                "fill": "next",
                "file": "desk.yaml",
                "time_ns": 1,
                "shadow": True,
            },
        ),
        ("delivery", {"order": "desk-4-0", "time_ns": 11}),
        (
            "departure",
            {
                "machine": "desk",
                "engine": hedgerow.__version__,
                "time_ns": 12,
                "state": {"fill": "same"},
                "to": "1",
                "pinned": True,
            },
        ),
        (
            "machine",
            {
                "machine": "desk",
                "program": "ab",
                "engine": hedgerow.__version__,
                "parameters": {},
                "fill": "same",
                "file": "d",
                "time_ns": 1,
                "pinned": True,
                "from": {"record": 7},
                "state": {"fill": "same"},
            },
        ),
        ("refusal", {"name": "tick", "reason": "a duplicate", "received_ns": 9, "time_ns": 5, "id": "m-1"}),
        ("refusal", {"name": "tick", "reason": "no JSON", "received_ns": 9}),
        ("control", {"act": "flatten", "by": "ben", "reason": "the venue is down", "time_ns": 10}),
        ("event", {"name": "tick", "time_ns": 0, "received_ns": 6, "source": "feed", "sequence": 0}),
        (
            "refusal",
            {"name": "tick", "reason": "late", "received_ns": 9, "time_ns": 0, "source": "feed", "sequence": 0},
        ),
        ("control", {"act": "halt", "by": "ben", "reason": "", "time_ns": 10, "id": "h-1"}),
        (
            "machine",
            {
                "machine": "desk",
                "program": "ab",
                "engine": hedgerow.__version__,
                "parameters": {},
                "fill": "same",
                "file": "d",
                "time_ns": 1,
                "migration": {},
            },
        ),
    ]
    journal = Journal.begin(MemoryStore(), beginning())
    assert [journal.append(*entry) for entry in entries] == list(range(1, len(entries) + 1))


def test_the_command_line_knows_every_kind() -> None:
    assert tuple(kind.word for kind in Kind) == _KINDS


# --- the tree ---


def slow_root(leaves: list[bytes]) -> bytes:
    """Return the Merkle tree hash as RFC 6962, 2.1 writes it down, over leaves that are hashed already."""
    if len(leaves) == 1:
        return leaves[0]
    split_at = 1
    while split_at * 2 < len(leaves):
        split_at *= 2
    return hashlib.sha256(b"\x01" + slow_root(leaves[:split_at]) + slow_root(leaves[split_at:])).digest()


LEAVES = [hashlib.sha256(bytes([number])).digest() for number in range(70)]


@pytest.mark.parametrize("size", range(1, 71))
def test_the_root_is_that_of_rfc_6962_and_every_leaf_is_proved_in_it(size: int) -> None:
    leaves = LEAVES[:size]
    root = root_of(leaves)
    assert root == slow_root(leaves)
    for index, leaf in enumerate(leaves):
        path = inclusion_path(leaves, index)
        assert root_through(leaf, index, size, path) == root
        assert len(path) <= math.ceil(math.log2(size)) if size > 1 else path == []
        assert root_through(leaf, index, size, [*path, leaf]) is None
        assert root_through(leaf, (index + 1) % size, size, path) != root or size == 1
        if path:
            assert root_through(leaf, index, size, path[:-1]) is None


def test_the_roots_of_rfc_6962_tests_are_found() -> None:
    # The test vectors of the reference implementation, github.com/google/certificate-transparency,
    # merkletree/merkle_tree_test.cc: their leaves are hashed with a zero byte in front.
    inputs = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
    leaves = [hashlib.sha256(b"\x00" + bytes.fromhex(each)).digest() for each in inputs]
    assert root_of(leaves[:1]).hex() == "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
    assert root_of(leaves[:2]).hex() == "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"
    assert root_of(leaves).hex() == "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"


# --- checkpoints ---


def checkpoints(store: MemoryStore) -> list[dict[str, Any]]:
    return [value_of(record.payload) for record in records_since(store) if record.kind == Kind.CHECKPOINT]


@pytest.mark.parametrize("every", [1, 3, 1024])
def test_checkpoints_cover_every_record_once(every: int) -> None:
    store = MemoryStore()
    journal = filled(store, [1, 4, 2, 9], every=every)
    journal.checkpoint()
    assert journal.checkpoint() == journal.durable  # one is enough
    spans = [(each["first"], each["last"]) for each in checkpoints(store)]
    assert spans[0][0] == 0
    assert [first for first, _ in spans[1:]] == [last + 1 for _, last in spans[:-1]]
    assert spans[-1][1] == journal.durable - 1


def test_a_new_journal_can_be_closed_with_a_checkpoint() -> None:
    store = MemoryStore()
    Journal.begin(store, beginning()).close()
    assert [(each["first"], each["last"]) for each in checkpoints(store)] == [(0, 0)]


def test_a_checkpoint_is_signed_over_its_domain_and_its_text() -> None:
    store = MemoryStore()
    filled(store, [7], signer=seeded())
    (body,) = checkpoints(store)
    signature = bytes.fromhex(body.pop("signature"))
    message = b"hedgerow.journal.checkpoint.v1\0" + canonical(body)
    key = bytes.fromhex(seeded().public)
    assert is_signed(message, signature, key)
    assert not is_signed(message[1:], signature, key)
    assert not is_signed(message, signature, bytes.fromhex(seeded(2).public))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"journal": "00" * 32}, "the checkpoint says of `journal` what its journal does not hold"),
        ({"first": 1}, "the checkpoint says of `first` what its journal does not hold"),
        ({"last": 6}, "the checkpoint says of `last` what its journal does not hold"),
        ({"head": "00" * 32}, "the checkpoint says of `head` what its journal does not hold"),
        ({"root": "00" * 32}, "the checkpoint says of `root` what its journal does not hold"),
        ({"first": False}, "the checkpoint says of `first` what its journal does not hold"),
        ({"key": None}, "the checkpoint is not signed"),
        ({"key": "00" * 32}, "the checkpoint is signed with another key"),
        ({"time_ns": 0}, "the signature of the checkpoint is not that of its key"),
        ({"time_ns": math.inf}, "the signature of the checkpoint is not that of its key"),
        ({"signature": None}, "the signature of the checkpoint is not that of its key"),
        ({"signature": "00"}, "the signature of the checkpoint is not that of its key"),
        ({"signature": "a signature"}, "the signature of the checkpoint is not that of its key"),
        ({"more": 1}, "the signature of the checkpoint is not that of its key"),
    ],
)
def test_a_checkpoint_that_says_something_else_is_found(change: dict[str, Any], message: str) -> None:
    store = MemoryStore()
    filled(store, [7], signer=seeded())
    (body,) = checkpoints(store)
    forged = json.dumps({**body, **change}, sort_keys=True, separators=(",", ":")).encode()
    found = verify(kept(chained_anew(groups_of(store), 8, forged))).damage
    assert found is not None
    assert (found.fault, found.sequence, found.message) == ("checkpoint", 8, f"record 8: {message}")


@pytest.mark.parametrize("key", [b"[]", b"{}", b"7", b"true"])
def test_a_key_that_is_none_is_found(key: bytes) -> None:
    store = MemoryStore()
    filled(store, [7])
    first = split(groups_of(store)[0].records)[0][HEADER.size :].replace(b'"key":null', b'"key":' + key)
    for keys in (frozenset[str](), frozenset([seeded().public])):
        found = verify(kept(chained_anew(groups_of(store), 0, first)), keys=keys).damage
        assert found is not None
        assert found.message == "record 0: what it calls a key is none"


@pytest.mark.parametrize("payload", [b"[]", b"{}", b"7", b"{", b"[" * 100_000])
def test_a_checkpoint_that_is_none_is_found(payload: bytes) -> None:
    store = MemoryStore()
    filled(store, [7])
    found = verify(kept(chained_anew(groups_of(store), 8, payload))).damage
    assert found is not None
    assert found.message == "record 8: this is no checkpoint"


# --- keys ---


def test_a_journal_keeps_the_key_that_it_began_with() -> None:
    signed, unsigned = MemoryStore(), MemoryStore()
    filled(signed, [3], signer=seeded())
    filled(unsigned, [3])
    assert Journal.resume(signed, signer=seeded()).next == 4
    for store, signer, message in (
        (signed, None, "the checkpoints of this journal are signed, and there is no key"),
        (signed, seeded(2), "the checkpoints of this journal are not signed with this key"),
        (unsigned, seeded(), "the checkpoints of this journal are not signed"),
    ):
        with pytest.raises(JournalError) as error:
            Journal.resume(store, signer=signer)
        assert said(error) == ("HR865", message)


def test_a_key_is_for_its_owner_alone_and_its_public_half_for_all(tmp_path: Path) -> None:
    path = tmp_path / "desk.pem"
    public = make_key(path)
    umask = os.umask(0)
    os.umask(umask)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "desk.pem.pub").stat().st_mode) == 0o644 & ~umask
    assert Signer.read(path).public == public_key(path) == public_key(tmp_path / "desk.pem.pub") == public
    with pytest.raises(JournalError) as error:
        make_key(path)
    assert said(error) == ("HR865", "the file is there already")


def test_half_a_pair_is_not_left(tmp_path: Path) -> None:
    (tmp_path / "desk.pem.pub").write_text("mine")
    with pytest.raises(JournalError):
        make_key(tmp_path / "desk.pem")
    assert [each.name for each in tmp_path.iterdir()] == ["desk.pem.pub"]


def test_what_is_no_key_is_refused(tmp_path: Path) -> None:
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
    from cryptography.hazmat.primitives.serialization import (
        BestAvailableEncryption,
        Encoding,
        NoEncryption,
        PrivateFormat,
        PublicFormat,
        load_pem_private_key,
    )

    other, locked = tmp_path / "other.pem", tmp_path / "locked.pem"
    key = X25519PrivateKey.generate()
    other.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    beside = tmp_path / "other.pem.pub"
    beside.write_bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    make_key(tmp_path / "desk.pem")
    mine = load_pem_private_key((tmp_path / "desk.pem").read_bytes(), None)
    locked.write_bytes(mine.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret")))
    for path in (other, locked, tmp_path / "none.pem", tmp_path / "desk.pem.pub", tmp_path):
        with pytest.raises(JournalError) as error:
            Signer.read(path)
        assert error.value.code == "HR865"
    (tmp_path / "cat").write_text("a cat")
    for path in (other, beside, locked, tmp_path / "cat"):
        with pytest.raises(JournalError) as error:
            public_key(path)
        assert error.value.code == "HR865"
    assert not is_signed(b"", bytes(64), b"no key")


# --- what is expected of a journal ---


def test_a_journal_that_lost_its_tail_holds_until_a_later_checkpoint_is_expected() -> None:
    store = MemoryStore()
    filled(store, [7, 7, 7], signer=seeded())
    groups = groups_of(store)
    last = [record for record in records_since(store) if record.kind == Kind.CHECKPOINT][-1]
    cut = kept([group for group in groups if group.last < last.sequence])
    expected = {last.sequence: last.hash.hex()}
    assert verify(cut).holds
    assert verify(store, expected=expected).expected == 1
    found = verify(cut, expected=expected).damage
    assert found is not None
    assert (found.fault, found.sequence, found.last) == ("unexpected", groups[-2].last + 1, True)
    # Of all that is missing the last says how far it has gone.
    lost = verify(cut, expected={record.sequence: record.hash.hex() for record in records_since(store)})
    assert (lost.expected, lost.records, lost.damage is None) == (groups[-2].last + 1, groups[-2].last + 1, False)
    assert f"it has gone on to record {groups[-1].last} at least" in str(lost.damage)


def test_a_journal_that_was_written_anew_is_not_the_one_that_is_expected() -> None:
    store, other = MemoryStore(), MemoryStore()
    filled(store, [7])
    filled(other, [7], machine="other")
    expected = {record.sequence: record.hash.hex() for record in records_since(store) if record.kind == Kind.CHECKPOINT}
    found = verify(other, expected=expected).damage
    assert found is not None
    assert (found.fault, found.sequence) == ("unexpected", 8)


def test_the_key_of_a_journal_can_be_expected() -> None:
    store, bare = MemoryStore(), MemoryStore()
    filled(store, [7], signer=seeded())
    filled(bare, [7])
    assert verify(store, keys=frozenset([seeded().public, seeded(2).public])).holds
    for journal, message in (
        (store, "record 0: another key signs its checkpoints than was expected"),
        (bare, "record 0: no key signs its checkpoints"),
    ):
        found = verify(journal, keys=frozenset([seeded(2).public])).damage
        assert found is not None
        assert (found.fault, found.message) == ("unexpected", message)


def test_what_a_signature_vouches_for_is_told() -> None:
    store = MemoryStore()
    journal = filled(store, [7, 2], signer=seeded())
    found = verify(store)
    assert (found.records, found.last_checkpoint, found.signed_through) == (journal.durable + 1, 8, 8)
    assert found.head == journal.head.hex()
    bare = MemoryStore()
    filled(bare, [7, 2])
    assert (verify(bare).last_checkpoint, verify(bare).signed_through) == (8, None)


def test_a_first_record_that_begins_no_journal_is_found() -> None:
    store = MemoryStore()
    filled(store, [2])
    odd = b'{"format":"hedgerow.journal/1","parameters":{"k":NaN}}', b'{"format": "hedgerow.journal/1"}'
    for payload in (b"{}", b'{"format":"hedgerow.journal/9"}', b"[]", b"x", *odd):
        found = verify(kept(chained_anew(groups_of(store), 0, payload))).damage
        assert found is not None
        assert (found.sequence, found.message) == (0, "record 0: it does not begin a journal")


def test_a_damaged_tail_is_no_journal_to_go_on_with() -> None:
    store = MemoryStore()
    filled(store, [7, 3])
    groups = groups_of(store)
    torn = groups[-1]._replace(records=groups[-1].records[:-1])
    with pytest.raises(JournalError) as error:
        Journal.resume(kept([*groups[:-1], torn]))
    assert error.value.code == "HR869"


def test_a_failed_commit_is_the_last() -> None:
    class Full(MemoryStore):
        def write(self, group: Group, state: State | None = None) -> None:
            if group.first > 3:
                raise JournalError("HR862", "the disk is full; the group is not journalled", self.place, "make room")
            super().write(group, state)

    store = Full()
    journal = filled(store, [3])
    journal.append(Kind.EVENT, {})
    for code in ("HR862", "HR868", "HR868"):
        with pytest.raises(JournalError) as error:
            journal.commit()
        assert error.value.code == code
    journal.close()
    assert [group.last for group in groups_of(store)] == [0, 3]
    assert journal.durable == 3


# --- exports and proofs ---


def test_every_record_before_the_last_checkpoint_is_proved_also_one_that_is_a_checkpoint() -> None:
    store = MemoryStore()
    journal = filled(store, [2, 6, 1], every=5)
    for _ in range(3):
        journal.checkpoint()  # by itself, in a group of its own
        journal.append(Kind.EVENT, {})
        journal.commit()
    journal.checkpoint()
    for record in records_since(store):
        if record.sequence < journal.durable:
            assert check_proof(proof_of(store, record.sequence), frozenset(), "proof") == (record, None)


@pytest.mark.parametrize(
    ("kind", "first", "last", "index"),
    [(Kind.EVENT, 0, 3, 2), (Kind.CHECKPOINT, 0, 0, 0), (Kind.CHECKPOINT, 3, 3, 0), (Kind.CHECKPOINT, -1, 2, 3)],
)
def test_a_proof_that_somebody_has_made_is_one_of_a_checkpoint_that_covers_its_record(
    kind: int, first: int, last: int, index: int
) -> None:
    store = MemoryStore()
    filled(store, [3]).checkpoint()
    record = next(records_since(store, 2))
    leaves = [bytes([number]) * 32 for number in range(last - first + 1)]
    leaves[index] = record.hash
    body: dict[str, Any] = {"journal": "ab" * 32, "first": first, "last": last, "head": leaves[-1].hex(), "time_ns": 1}
    payload = canonical(body | {"root": root_of(leaves).hex(), "key": None, "signature": None})
    fields = struct.pack(">BBQI32s", 1, kind, last + 1, len(payload), leaves[-1])
    made = Record(
        last + 1, kind, fields, payload, hashlib.sha256(b"hedgerow.journal.record.v1\0" + fields + payload).digest()
    )
    path = [each.hex() for each in inclusion_path(leaves, index)]
    proof = proof_of(store, 2) | {"checkpoint": exported(made), "path": path}
    with pytest.raises(JournalError, match="does not lead to its checkpoint"):
        check_proof(proof, frozenset(), "proof")


@pytest.mark.parametrize("sequence", [-1, 4, 2**64])
def test_a_record_that_is_not_there_is_not_proved(sequence: int) -> None:
    store = MemoryStore()
    journal = filled(store, [2])
    journal.checkpoint()
    with pytest.raises(JournalError) as error:
        proof_of(store, sequence)
    assert said(error) == ("HR867", f"there is no record {sequence:,}")


def test_damage_that_no_record_is_named_for_is_told_with_what_was_read() -> None:
    class Malformed(MemoryStore):
        def check(self) -> None:
            raise DamageError("changed", "the database is malformed", self.place)

    store = Malformed()
    filled(store, [3])
    found = verify(store)
    assert found.damage is not None
    assert (found.damage.sequence, found.records) == (4, 4)


def test_an_exported_record_comes_back_and_a_changed_one_does_not(tmp_path: Path) -> None:
    store = MemoryStore()
    filled(store, [3])
    for record in records_since(store):
        document = json.loads(json.dumps(exported(record)))
        assert record_from(document, "lines") == record
        for name in ("format", "kind", "sequence", "previous", "hash", "payload"):
            changed = {
                **document,
                name: document[name] + 1 if isinstance(document[name], int) else document[name] + "0",
            }
            with pytest.raises(JournalError) as error:
                record_from(changed, "lines")
            assert said(error) == ("HR867", "this is no record as it was exported")


@pytest.mark.parametrize("text", ["", "\n", "[]\n", "{}\n", "{", '{"payload": 7}\n', "\udcff"])
def test_a_file_that_holds_no_records_is_nothing_to_expect(tmp_path: Path, text: str) -> None:
    path = tmp_path / "lines.jsonl"
    path.write_text(text, "utf-8", "surrogateescape")
    with pytest.raises(JournalError) as error:
        hashes_of(path)
    assert error.value.code == "HR867"


def test_records_of_two_journals_are_not_expected_of_one(tmp_path: Path) -> None:
    lines = []
    for machine in ("desk", "other"):
        store = MemoryStore()
        filled(store, [2], machine=machine)
        lines += [json.dumps(exported(record)) for record in records_since(store, 1)]
    path = tmp_path / "lines.jsonl"
    path.write_text("\n".join(lines), "utf-8")
    with pytest.raises(JournalError) as error:
        hashes_of(path)
    assert said(error) == ("HR867", "the file holds two records 1, of two journals")


@pytest.mark.parametrize("every", [1, 4, 1024])
def test_every_record_up_to_the_last_checkpoint_is_proved(every: int) -> None:
    store = MemoryStore()
    journal = filled(store, [2, 9, 4], signer=seeded(), every=every)
    last = journal.checkpoint()
    records = list(records_since(store))
    for sequence in range(last):
        document = json.loads(json.dumps(proof_of(store, sequence)))
        record, key = check_proof(document, frozenset([seeded().public]), "proof")
        assert (record, key) == (records[sequence], seeded().public)
    with pytest.raises(JournalError) as error:
        proof_of(store, last)
    assert said(error) == ("HR867", f"no checkpoint follows record {last} yet")
    with pytest.raises(JournalError) as error:
        proof_of(store, last + 1)
    assert said(error) == ("HR867", f"there is no record {last + 1}")


def test_a_proof_that_was_changed_does_not_hold() -> None:
    store = MemoryStore()
    filled(store, [9], signer=seeded()).checkpoint()
    document = proof_of(store, 4)
    other = proof_of(store, 5)
    unsigned = MemoryStore()
    filled(unsigned, [9]).checkpoint()
    keys = frozenset([seeded().public])
    changes: list[tuple[dict[str, Any], str]] = [
        ({"record": other["record"]}, "the way from its record does not lead to its checkpoint"),
        ({"path": document["path"][:-1]}, "the way from its record does not lead to its checkpoint"),
        ({"checkpoint": document["record"]}, ""),
        ({"checkpoint": proof_of(unsigned, 4)["checkpoint"]}, "its checkpoint is not signed with this key"),
        ({"format": "hedgerow.journal.proof/2"}, "this is no proof of a record"),
        ({"path": None}, "this is no proof of a record"),
    ]
    assert check_proof(document, keys, "proof")[1] == seeded().public
    for change, message in changes:
        with pytest.raises(JournalError) as error:
            check_proof({**copy.deepcopy(document), **change}, keys, "proof")
        assert error.value.code == "HR867"
        assert error.value.message.endswith(message)


@pytest.mark.parametrize(
    "change",
    [
        {"first": 0.0},
        {"last": 8.0},
        {"last": 8},  # a tree of one leaf less, in which the way from this record is the same
        {"last": 2**64},
        {"head": "00" * 32},
        {"key": []},
        {"key": {}},
        {"first": "0"},
        {"first": True},
    ],
)
def test_a_proof_made_up_by_hand_is_refused_and_breaks_nothing(change: dict[str, Any]) -> None:
    store = MemoryStore()
    filled(store, [9]).checkpoint()
    document = proof_of(store, 4)
    body = json.loads(document["checkpoint"]["payload"])
    forged = kept(chained_anew(groups_of(store), 10, canonical({**body, **change})))
    (record,) = [record for record in records_since(forged) if record.sequence == 10]
    for keys in (frozenset[str](), frozenset([seeded().public])):
        with pytest.raises(JournalError) as error:
            check_proof({**document, "checkpoint": exported(record)}, keys, "proof")
        assert error.value.code == "HR867"
    with pytest.raises(JournalError) as error:
        proof_of(forged, 4)
    assert error.value.code == "HR869"


def test_a_proof_with_a_checkpoint_that_nobody_signed_is_not_taken_for_a_signed_one() -> None:
    store = MemoryStore()
    filled(store, [9]).checkpoint()
    assert check_proof(proof_of(store, 4), frozenset(), "proof")[1] is None
    document = proof_of(store, 4)
    body = json.loads(document["checkpoint"]["payload"])
    signed = canonical({**body, "key": seeded().public, "signature": "00" * 64})
    forged = [r for r in records_since(kept(chained_anew(groups_of(store), 10, signed))) if r.sequence == 10]
    with pytest.raises(JournalError) as error:
        check_proof({**document, "checkpoint": exported(forged[0])}, frozenset(), "proof")
    assert error.value.message == "the proof does not hold: the signature of the checkpoint is not that of its key"


@pytest.mark.parametrize("finish", [Journal.commit, Journal.checkpoint, Journal.close])
def test_an_append_that_was_interrupted_is_not_committed(
    monkeypatch: pytest.MonkeyPatch, finish: Callable[[Journal], object]
) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    store = MemoryStore()
    journal = filled(store, [3])
    journal.append(Kind.EVENT, {})
    monkeypatch.setattr("hedgerow.engine.journal.journal.begin_hash", interrupted)
    with pytest.raises(KeyboardInterrupt):
        journal.append(Kind.EVENT, {})
    monkeypatch.undo()
    journal.append(Kind.EVENT, {})
    with pytest.raises(JournalError) as error:
        finish(journal)
    assert said(error) == ("HR868", "an append was interrupted: its group cannot be kept")
    with pytest.raises(JournalError) as error:
        journal.commit()
    assert said(error) == ("HR868", "this journal takes no more: a commit has failed")
    journal.close()
    assert verify(store).records == 4
