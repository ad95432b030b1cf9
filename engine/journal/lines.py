"""Records as JSON lines, which can be verified without Hedgerow, and as lines for people."""

from __future__ import annotations

import json
import struct
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from ..diagnostics import reason_of
from ..script_time import TimeTextError, read_time, show_time
from .canonical import canonical, value_of
from .chain import records_since
from .kinds import Kind
from .problem import JournalError
from .records import FIELDS, FORMAT, Record, hash_of
from .store import Store

__all__ = ["ALWAYS", "When", "exported", "hashes_of", "read_when", "readable", "record_from", "selected", "shown"]

_MAX_LINE = 40 * 2**20
_HELP = "give lines that `hedgerow audit export` wrote"


class When(NamedTuple):
    """A bound: the number of a record, a time in UTC nanoseconds, or neither."""

    sequence: int | None = None
    time_ns: int | None = None


ALWAYS = When()


def read_when(option: str, text: str) -> When:
    """Return a bound from what somebody wrote: a record's number or an instant of UTC.

    Raises:
        JournalError: (HR807) it is neither.
    """
    if text.isascii() and text.isdigit() and len(text) < 19:
        return When(sequence=int(text))
    try:
        if text.endswith("Z"):
            return When(time_ns=read_time(text))
    except TimeTextError:
        pass
    help = "write a record's number, e.g. 1200, or an instant such as `2024-01-02T15:00:00Z`"
    raise JournalError("HR807", f"`{text[:60]}` is no place in a journal", option, help)


def selected(
    store: Store,
    *,
    kinds: frozenset[int] = frozenset(),
    since: When = ALWAYS,
    until: When = ALWAYS,
    tail: int | None = None,
) -> Iterator[Record]:
    """Yield the records of a journal between two bounds, both included, of some kinds or all; the last `tail` of those.

    The time of a record is when the host received it or, where it does not say, when it happened; a record without
    either has that of the one before.

    Raises:
        JournalError: (HR869) it is not what was written; or it cannot be read.
    """
    if tail is not None and not kinds and since.time_ns is None and until == ALWAYS:
        # The last of all records need not be looked for.
        last = store.last()
        since = When(max(since.sequence or 0, 0 if last is None else last.last + 1 - tail))
    found = (record for record in _between(store, since, until) if not kinds or record.kind in kinds)
    return found if tail is None else iter(deque(found, maxlen=tail))


def _between(store: Store, since: When, until: When) -> Iterator[Record]:
    timed = since.time_ns is not None or until.time_ns is not None
    at: int | None = None
    for record in records_since(store, since.sequence or 0):
        if until.sequence is not None and record.sequence > until.sequence:
            return
        if timed:
            at = _time_of(_body(record), at)
            if at is None or not _lies_between(at, since.time_ns, until.time_ns):
                continue
        yield record


def _lies_between(at: int, since: int | None, until: int | None) -> bool:
    return (since is None or since <= at) and (until is None or at <= until)


def _time_of(body: Any, otherwise: int | None) -> int | None:
    found = body.get("received_ns", body.get("time_ns", otherwise)) if isinstance(body, dict) else otherwise
    return found if isinstance(found, int) else otherwise


def _body(record: Record) -> Any:
    """Return the value of a payload; its text where it is no JSON that could be said again."""
    try:
        value = value_of(record.payload)
        canonical(value)
    except (ValueError, JournalError):
        return record.payload.decode("latin-1")
    return value


def exported(record: Record) -> dict[str, Any]:
    """Return a record as a JSON object.

    The payload is a text, so that its bytes survive every tool; its hash is SHA-256 of `records.DOMAIN`, the header
    without its checksum, and the payload.
    """
    return {
        "format": FORMAT,
        "kind": record.kind,
        "sequence": record.sequence,
        "previous": record.previous.hex(),
        "checksum": f"{record.checksum:08x}",
        "hash": record.hash.hex(),
        "payload": record.payload.decode("latin-1"),
    }


def record_from(document: Mapping[str, Any], place: str) -> Record:
    """Return the record that `exported` made an object of; its hash is computed anew, and must be the one that it
    states.

    Raises:
        JournalError: (HR867) it is none.
    """
    try:
        payload = document["payload"].encode("latin-1")
        link = bytes.fromhex(document["previous"])
        if len(link) != 32 or document["format"] != FORMAT:
            raise ValueError
        kind, sequence = document["kind"], document["sequence"]
        fields = FIELDS.pack(FORMAT, kind, sequence, len(payload), link)
        hash = hash_of(fields, payload)
        if document["hash"] != hash.hex():
            raise ValueError
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError, struct.error):
        raise JournalError("HR867", "this is no record as it was exported", place, _HELP) from None
    return Record(sequence, kind, fields, payload, hash)


def hashes_of(path: Path) -> dict[int, str]:
    """Return the hashes in hex of exported records, by their sequence, to be expected of a journal.

    Raises:
        JournalError: (HR867) the file cannot be read, or holds something else.
    """
    place = str(path)
    found: dict[int, str] = {}
    try:
        with path.open("rb") as file:
            while line := file.readline(_MAX_LINE):
                if line.strip():
                    document = json.loads(line)
                    if not isinstance(document, dict):
                        raise ValueError
                    record = record_from(document, place)
                    if found.setdefault(record.sequence, record.hash.hex()) != record.hash.hex():
                        what = f"the file holds two records {record.sequence:,}, of two journals"
                        raise JournalError("HR867", what, place, _HELP)
    except OSError as error:
        raise JournalError("HR867", f"the file cannot be read: {reason_of(error)}", place, _HELP) from None
    except (ValueError, RecursionError):
        raise JournalError("HR867", "this is no record as it was exported", place, _HELP) from None
    if not found:
        raise JournalError("HR867", "the file holds no record", place, _HELP)
    return found


def readable(record: Record) -> dict[str, Any]:
    """Return a record as a JSON object with its payload as a value, for programs that read and do not verify."""
    return {
        "sequence": record.sequence,
        "kind": _word(record.kind),
        "hash": record.hash.hex(),
        "payload": _body(record),
    }


def shown(records: Iterable[Record]) -> Iterator[str]:
    """Yield a line a record: sequence, kind, time, and what it says as JSON."""
    for record in records:
        body = _body(record)
        at = _time_of(body, None)
        when = "" if at is None else show_time(at)
        yield f"{record.sequence:>9}  {_word(record.kind):<10}  {when:<30}  {json.dumps(body, sort_keys=True)}"


def _word(kind: int) -> str:
    try:
        return Kind(kind).word
    except ValueError:  # of a later Hedgerow
        return f"kind {kind}"
