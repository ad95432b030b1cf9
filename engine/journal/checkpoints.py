"""Checkpoints: what a journal holds up to some record, signed.

A checkpoint is a record like any other, with this payload:

    journal     the hash of record 0, in hex: of which journal
    first, last the records since the checkpoint before, that one included; `last` is the record before this one
    head        the hash of record `last`, in hex, which vouches for all records up to there
    root        the root of the tree over the hashes of records `first` to `last`, in hex (merkle.py)
    time_ns     when, in UTC nanoseconds
    key         the public key in hex, or null
    signature   Ed25519, in hex, over `DOMAIN` and the canonical JSON of all the rest; or null

What it shows: who cannot sign cannot change a record before it and give the journal a new checkpoint. What it cannot
show: that nothing came after it. Who holds the journal can drop its tail, and the checkpoints in that tail with it.
So checkpoints have to be kept elsewhere too (`hedgerow audit export --kind checkpoint`), and be expected when the
journal is verified (`--expect`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from .canonical import canonical, value_of
from .keys import Signer, is_signed
from .merkle import root_of
from .problem import JournalError

__all__ = ["DOMAIN", "checkpoint_payload", "claims", "trouble_with"]

DOMAIN = b"hedgerow.journal.checkpoint.v1\0"
"""What is signed begins with this, so that the signature is one of nothing else."""


def claims(journal: bytes, first: int, leaves: Sequence[bytes]) -> dict[str, object]:
    """Return what a checkpoint says of its journal.

    Args:
        journal: the hash of record 0.
        first: the first record that it covers.
        leaves: the hashes of all that it covers, at least one.
    """
    return {
        "journal": journal.hex(),
        "first": first,
        "last": first + len(leaves) - 1,
        "head": leaves[-1].hex(),
        "root": root_of(leaves).hex(),
    }


def checkpoint_payload(
    journal: bytes, first: int, leaves: Sequence[bytes], time_ns: int, signer: Signer | None
) -> bytes:
    """Return the payload of a checkpoint; `journal`, `first` and `leaves` as in `claims`."""
    body = {**claims(journal, first, leaves), "time_ns": time_ns, "key": None if signer is None else signer.public}
    signature = None if signer is None else signer.sign(DOMAIN + canonical(body)).hex()
    return canonical({**body, "signature": signature})


def trouble_with(payload: bytes, key: str | None, wanted: Mapping[str, object]) -> str | None:
    """Return what is wrong with a checkpoint, or None.

    Args:
        payload: its bytes.
        key: the public key in hex that must have signed it; None where nobody had to.
        wanted: members and the values that they must have.
    """
    try:
        body = value_of(payload)
        signature = body.pop("signature")
        stated = {name: body[name] for name in wanted}
        signer = body["key"]
    except (ValueError, KeyError, TypeError, AttributeError):
        return "this is no checkpoint"
    for name, value in wanted.items():
        if stated[name] != value or type(stated[name]) is not type(value):
            return f"the checkpoint says of `{name}` what its journal does not hold"
    if signer != key:
        return "the checkpoint is not signed" if signer is None else "the checkpoint is signed with another key"
    if key is not None:
        try:
            signed = is_signed(DOMAIN + canonical(body), bytes.fromhex(signature), bytes.fromhex(key))
        except (TypeError, ValueError, JournalError):
            signed = False
        if not signed:
            return "the signature of the checkpoint is not that of its key"
    return None
