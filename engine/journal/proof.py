"""One record and the checkpoint after it: all that somebody needs who has the key and no journal.

A hash chain alone would need every record in between. The checkpoint states the root of a tree over them instead, and
the way from one record to the root is one hash a level: 11 hashes of 32 bytes at a checkpoint every 1,024 records,
whatever the journal's length. See RFC 6962, 2.1.1.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..diagnostics import reason_of
from .canonical import value_of
from .chain import records_of, records_since
from .checkpoints import claims, trouble_with
from .journal import genesis_of
from .kinds import Kind
from .lines import exported, record_from
from .merkle import inclusion_path, root_through
from .problem import DamageError, JournalError
from .records import Record
from .store import Store

__all__ = ["FORMAT", "check_proof", "proof_of", "read_proof"]

FORMAT = "hedgerow.journal.proof/1"
_MAX_BYTES = 40 * 2**20
_HELP = "ask for it again: `hedgerow audit prove-record JOURNAL N`"


def proof_of(store: Store, sequence: int) -> dict[str, Any]:
    """Return as a JSON object what shows that a record is in a journal up to the next checkpoint.

    Raises:
        JournalError: (HR867) there is no such record, or no checkpoint after it; (HR869) the journal is not what was
            written.
    """
    genesis = genesis_of(store)
    last = store.last()
    count = 0 if last is None else last.last + 1
    if not 0 <= sequence < count:
        raise JournalError(
            "HR867", f"there is no record {sequence:,}", store.place, f"name one from 0 to {count - 1:,}"
        )
    covered, checkpoint = _interval(store, sequence)
    leaves, first = [record.hash for record in covered], covered[0].sequence
    key = value_of(genesis.payload).get("key")
    trouble = trouble_with(checkpoint.payload, key, claims(genesis.hash, first, leaves))
    if trouble is not None:
        raise DamageError("checkpoint", trouble, store.place, checkpoint.sequence)
    return {
        "format": FORMAT,
        "record": exported(covered[sequence - first]),
        "checkpoint": exported(checkpoint),
        "path": [each.hex() for each in inclusion_path(leaves, sequence - first)],
    }


def _interval(store: Store, sequence: int) -> tuple[list[Record], Record]:
    """Return the records that the next checkpoint after one covers, and that checkpoint."""
    covered: list[Record] = []
    for record in records_since(store, _last_checkpoint(store, sequence)):
        if record.kind == Kind.CHECKPOINT and record.sequence > sequence:
            return covered, record
        covered.append(record)
    help = "a journal gets one when it is closed, and every so many records; `hedgerow audit checkpoint` adds one"
    raise JournalError("HR867", f"no checkpoint follows record {sequence:,} yet", store.place, help)


def _last_checkpoint(store: Store, sequence: int) -> int:
    """Return the sequence of the last checkpoint up to a record, that one included; 0 where there is none."""
    group = store.last(before=sequence + 1)
    while group is not None:
        for record in reversed(records_of(store, group, group.first, None)):
            if record.kind == Kind.CHECKPOINT and record.sequence <= sequence:
                return record.sequence
        group = store.last(before=group.first)
    return 0


def read_proof(path: Path, keys: frozenset[str]) -> tuple[Record, str | None]:
    """Return what `check_proof` returns, of a file.

    Raises:
        JournalError: (HR867) it cannot be read; or as `check_proof`.
    """
    try:
        with path.open("rb") as file:
            document = json.loads(file.read(_MAX_BYTES))
    except OSError as error:
        raise JournalError("HR867", f"the proof cannot be read: {reason_of(error)}", str(path), _HELP) from None
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise JournalError("HR867", "this is no proof of a record", str(path), _HELP)
    return check_proof(document, keys, str(path))


def check_proof(document: Mapping[str, Any], keys: frozenset[str], place: str) -> tuple[Record, str | None]:
    """Return the record that a proof is of, and the public key in hex that vouches for it; None where nobody does.

    Args:
        document: what `proof_of` returned.
        keys: public keys in hex, one of which must have signed the checkpoint; any or none, where none is given.
        place: what messages call it.

    Raises:
        JournalError: (HR867) this is no proof, or it does not hold.
    """
    try:
        if document["format"] != FORMAT:
            raise ValueError
        record, checkpoint = (record_from(document[name], place) for name in ("record", "checkpoint"))
        path = [bytes.fromhex(each) for each in document["path"]]
        body = value_of(checkpoint.payload)
        first, last, root, key = body["first"], body["last"], body["root"], body["key"]
        inside = 0 <= first <= record.sequence <= last < 2**64
        if not (type(first) is type(last) is int and (key is None or isinstance(key, str))):
            raise ValueError
    except (KeyError, TypeError, ValueError):
        raise JournalError("HR867", "this is no proof of a record", place, _HELP) from None
    if keys and key not in keys:
        raise JournalError("HR867", "the proof does not hold: its checkpoint is not signed with this key", place, _HELP)
    found = root_through(record.hash, record.sequence - first, last - first + 1, path) if inside else None
    if checkpoint.kind != Kind.CHECKPOINT or found is None or found.hex() != root:
        why = "the proof does not hold: the way from its record does not lead to its checkpoint"
        raise JournalError("HR867", why, place, _HELP)
    trouble = trouble_with(
        checkpoint.payload, key, {"head": checkpoint.previous.hex(), "last": checkpoint.sequence - 1}
    )
    if trouble is not None:
        raise JournalError("HR867", f"the proof does not hold: {trouble}", place, _HELP)
    return record, key
