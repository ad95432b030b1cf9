"""What leaves a host with a machine, as one value that stands in the journal which it leaves.

It is the record of the departure with its place in its journal: whoever has it can compute the record's hash again, so a
text that was cut or changed on the way is refused. It is not signed; the journal that it is from is.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ..ir import Value
from ..journal.canonical import canonical, value_of
from ..journal.chain import records_since
from ..journal.journal import genesis_of
from ..journal.kinds import Kind
from ..journal.problem import JournalError
from ..journal.records import FIELDS, Record, hash_of
from ..journal.records import FORMAT as RECORD_FORMAT
from ..journal.store import Store
from ..snapshot import Snapshot, SnapshotError
from ..step import Order
from .given import MACHINE_NAME
from .problem import HostError

__all__ = ["DEPARTED_FORMAT", "Departed", "departed_of", "departure_at", "immovable"]

DEPARTED_FORMAT = "hedgerow.departed/1"
_ID = re.compile(r"[^-]+-\d+-\d+(-\d+)?", re.ASCII)
_PLACE = "departed"


@dataclass(frozen=True)
class Departed:
    """A machine that has left a host: all that another host needs to go on with it.

    Fields:
        journal: the hash of record 0 of the journal that it left, in hex.
        record: the number of the record of its departure there.
        previous: the hash of the record before, in hex.
        hash: that of the record, in hex.
        payload: what the record holds, as canonical JSON.
    """

    journal: str
    record: int
    previous: str
    hash: str
    payload: bytes

    @cached_property
    def body(self) -> dict[str, Any]:
        """What the record holds, which nobody changes; `kinds.departure` names it."""
        body: dict[str, Any] = value_of(self.payload)
        return body

    @property
    def state(self) -> dict[str, Any]:
        """What leaves."""
        state: dict[str, Any] = self.body["state"]
        return state

    @property
    def machine(self) -> str:
        """Its name."""
        name: str = self.body["machine"]
        return name

    @property
    def snapshot(self) -> Snapshot:
        """The machine itself, with the digest of its program and its parameters."""
        return Snapshot.from_members(self.state["snapshot"])

    @property
    def program(self) -> str:
        """The digest of the IR that it runs."""
        return self.snapshot.program

    @property
    def parameters(self) -> Mapping[str, Value]:
        return self.snapshot.parameters

    @property
    def fill(self) -> str:
        fill: str = self.state["fill"]
        return fill

    @property
    def shadow(self) -> bool:
        return bool(self.state.get("shadow"))

    @property
    def halted(self) -> bool:
        """Whether a person had halted the machines of the host: then only a halted host takes it up."""
        return bool(self.state.get("halted"))

    @property
    def moves(self) -> int:
        """How often it will have moved when it is taken up."""
        return int(self.state.get("moves", 0)) + 1

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids of events that it has taken and still knows, oldest first."""
        return tuple(self.state.get("ids", ()))

    @property
    def orders(self) -> tuple[tuple[str, Order], ...]:
        """The orders that are not known to have been delivered, with their ids, in the order of decision."""
        return tuple((each["id"], Order(**each["order"])) for each in self.state.get("orders", ()))

    def source(self) -> dict[str, Any]:
        """Return where it comes from, as it is journalled where it arrives."""
        return {"journal": self.journal, "record": self.record, "previous": self.previous, "hash": self.hash}

    def to_json(self) -> str:
        """Return the value as canonical JSON text; doubles survive to the last bit."""
        return canonical({"format": DEPARTED_FORMAT, **self.source(), "departure": self.body}).decode("ascii")

    @staticmethod
    def from_json(text: str) -> Departed:
        """Return the value of a text.

        Raises:
            HostError: (HR877) it is none, or not as it left.
        """
        try:
            return _from_members(value_of(text.encode("ascii")))
        except (
            ValueError,
            KeyError,
            TypeError,
            AttributeError,
            OverflowError,
            struct.error,
            JournalError,
            SnapshotError,
        ):
            raise immovable(_PLACE, "this is no machine that has left a host", _AS_IT_WAS) from None


def _from_members(body: Mapping[str, Any]) -> Departed:
    if body["format"] != DEPARTED_FORMAT:
        raise ValueError
    payload = canonical(body["departure"])
    fields = FIELDS.pack(
        RECORD_FORMAT, Kind.DEPARTURE, body["record"], len(payload), bytes.fromhex(body["previous"]).ljust(32, b"\0")
    )
    found = Departed(body["journal"], body["record"], body["previous"], body["hash"], payload)
    if hash_of(fields, payload).hex() != found.hash or len(bytes.fromhex(found.journal)) != 32:
        raise ValueError
    # What can be asked of it is there.
    _ = found.snapshot, found.orders
    if not _is_whole(found.body):
        raise ValueError
    return found


def _is_whole(body: Mapping[str, Any]) -> bool:
    """Return whether all but the machine itself is what it is to be: a host takes it as it comes."""
    state, name = body["state"], body["machine"]
    ids, sequences = state.get("ids", []), state.get("sequences", {})
    flags = body.get("pinned", True), *(state.get(each, True) for each in ("pinned", "shadow", "halted"))
    return (
        MACHINE_NAME.fullmatch(name) is not None
        and isinstance(ids, list)
        and all(isinstance(each, str) for each in (state["fill"], state["file"], body.get("to", ""), *ids, *sequences))
        and all(each is True for each in flags)
        and all(type(each) is int and each >= 0 for each in (state.get("moves", 0), *sequences.values()))
        and all(_ID.fullmatch(each["id"]) and each["id"].startswith(f"{name}-") for each in state.get("orders", ()))
    )


def departure_at(store: Store, number: int) -> Departed:
    """Return what left with a record of a journal.

    Raises:
        HostError: (HR877) nothing left with it.
        JournalError: the journal cannot be read, or is not what was written.
    """
    record = next(records_since(store, number), None)
    if record is None or record.kind != Kind.DEPARTURE:
        raise immovable(store.place, f"no machine left with record {number:,}", _SHOW)
    return _of(store, record)


def departed_of(store: Store, machine: str) -> Departed:
    """Return what left with the last departure of a machine, from a journal that no host need have open.

    Raises:
        HostError: (HR877) it has not left since it last came.
        JournalError: the journal cannot be read, or is not what was written.
    """
    found: Record | None = None
    for record in records_since(store):
        if record.kind in (Kind.DEPARTURE, Kind.MACHINE) and value_of(record.payload)["machine"] == machine:
            found = record
    if found is None or found.kind != Kind.DEPARTURE:
        raise immovable(store.place, f"`{machine[:80]}` has not left this journal", _SHOW)
    return _of(store, found)


def _of(store: Store, record: Record) -> Departed:
    journal = genesis_of(store).hash
    return Departed(journal.hex(), record.sequence, record.previous.hex(), record.hash.hex(), record.payload)


def immovable(place: str, what: str, help: str) -> HostError:
    """Return what is wrong with a move."""
    return HostError("HR877", what, place, help)


_AS_IT_WAS = "give the text that `Departed.to_json()` gave, whole"
_SHOW = "`hedgerow audit show JOURNAL --kind departure` has those that left"
