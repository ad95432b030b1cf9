"""A journal to its machines: the last state that it proves, and the records after that.

A state stands beside the chain, and the record after what it was taken of holds its hash. One that the chain does not
prove is passed over for the one before it, and that for the first record: all that a state saves is time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256

from ..journal.canonical import value_of
from ..journal.chain import records_since
from ..journal.kinds import Kind
from ..journal.records import Record, State
from ..journal.store import Store
from ..load import Compiled
from ..snapshot import SnapshotError
from .machines import Machines
from .problem import HostError
from .replaying import replay

__all__ = ["Recovered", "proven_states", "rebuild", "remember"]


@dataclass(frozen=True, slots=True)
class Recovered:
    """Machines as a journal has them.

    Fields:
        machines: themselves.
        since: the record that their state was taken of; None where all was repeated from the first record on.
        repeated: how many events were repeated.
    """

    machines: Machines
    since: int | None
    repeated: int


def proven_states(store: Store, before: int | None = None) -> Iterator[State]:
    """Yield the states of a journal that it proves, the last one first, of those whose record is up to `before`."""
    for state in store.states():
        if before is not None and state.of + 1 > before:
            continue
        record = next(records_since(store, state.of + 1), None)
        if record is None or record.sequence != state.of + 1 or record.kind != Kind.SNAPSHOT:
            continue
        if value_of(record.payload) == {"of": state.of, "sha256": sha256(state.text).hexdigest()}:
            yield state


def rebuild(
    store: Store, compiled: Mapping[str, Compiled], *, until: int | None = None, remembered: int | None = None
) -> Recovered:
    """Return the machines of a journal, bit for bit as they were after its last record or after `until`.

    Args:
        store: the journal.
        compiled: the specs of its machines by name, with their parameters.
        until: the last record that counts; None is the last one.
        remembered: as far back as ids are known, in records; None needs none.

    Raises:
        Divergence: (HR874) a machine does not do what it did.
        HostError: (HR872, HR873, HR876) a spec is missing or another; no host wrote this.
        JournalError: the journal cannot be read, or is not what was written.
    """
    machines = Machines(store.place, remembered or 1)
    since: int | None = None
    for state in proven_states(store, until):
        try:
            machines.restore(state.text, compiled)
        except SnapshotError as error:
            raise HostError(
                "HR874", f"the state after record {state.of:,} is none: {error}", store.place, _SAME
            ) from None
        since = state.of
        break
    first = 0 if since is None else since + 1
    repeated = replay(machines, records_since(store, first), compiled, until=until)
    if remembered is not None:
        remember(machines, store)
    return Recovered(machines, since, repeated)


_SAME = "run the Hedgerow that wrote the journal"
_NAMED = frozenset((Kind.EVENT, Kind.FILL, Kind.APPROVAL, Kind.REFUSAL))


def remember(machines: Machines, store: Store) -> None:
    """Take up the ids that a journal holds, as far back as the machines' memory goes."""
    last = store.last()
    if last is None:
        return
    for record in records_since(store, max(0, last.last + 1 - machines.memory.records)):
        if record.kind in _NAMED and b'"id":"' in record.payload:
            _remember_one(machines, record)
        elif record.kind == Kind.DEPARTURE:
            machines.memory.forget(value_of(record.payload)["machine"])
        elif record.kind == Kind.MACHINE and b'"from":' in record.payload:
            body = value_of(record.payload)
            for id in body.get("state", {}).get("ids", ()):
                machines.memory.add(body["machine"], id, record.sequence)


def _remember_one(machines: Machines, record: Record) -> None:
    body = value_of(record.payload)
    # What a host kept from a machine may come again, and is then taken.
    if record.kind != Kind.REFUSAL or body.get("told"):
        machines.memory.add(body["machine"], body["id"], record.sequence)
