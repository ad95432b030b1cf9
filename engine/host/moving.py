"""A machine that leaves a host, and one that comes from another.

    source   ... event, step, departure (all that leaves)          from here on it takes nothing here
    target       machine (from which record, all that came) ...    from here on it takes events here

Each is one record in one commit, so there is no state between them in either journal: before the first the machine is at
the source, after the second at the target, and between them it stands in the source's journal, from which it can be had
again as often as wanted.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..journal import kinds
from ..journal.canonical import canonical
from ..journal.journal import Journal
from ..journal.records import MAX_PAYLOAD_BYTES
from ..load import Compiled
from ..snapshot import Snapshot, SnapshotError
from ..step import Order
from .departure import Departed, immovable
from .journalled import Journalled
from .machines import Left, Machines, Outgoing
from .migration import Migration, migrated

__all__ = ["arrival", "arrive", "depart", "leave", "leaving", "settle"]

_ROOM = 2**20
"""Bytes of a record that are for what the target says besides."""


def leaving(machines: Machines, member: Journalled) -> dict[str, Any]:
    """Return what leaves with a machine, but for the ids that it knows: a replay does not know them."""
    orders = [{"id": each.id, "order": each.order.to_json()} for each in machines.orders_of(member.name)]
    said = {
        "shadow": member.shadow,
        "moves": member.moves,
        "pinned": member.pinned,
        "orders": orders,
        "halted": machines.halted,
        "sequences": dict(member.sequences),
    }
    return {
        "snapshot": member.snapshot().members(),
        "fill": member.compiled.program.fill,
        "file": member.compiled.spec.file,
        **{name: value for name, value in said.items() if value},
    }


def depart(
    machines: Machines, journal: Journal, name: str, time_ns: int, *, to: str = "", pinned: bool = False
) -> Departed:
    """Let a machine leave: journal all of it, and forget it.

    Args:
        machines: among which it is.
        journal: theirs.
        name: that of the machine.
        time_ns: when.
        to: where it is said to go.
        pinned: whether somebody chose that place for it.

    Raises:
        HostError: (HR872) it is not here; (HR877) it does not fit into a record. It stays, and nothing was journalled.
    """
    state = leaving(machines, machines[name])
    ids = machines.memory.of(name)
    kind, body = kinds.departure(name, state | ({"ids": ids} if ids else {}), time_ns, to=to, pinned=pinned)
    payload = canonical(body)
    if len(payload) > MAX_PAYLOAD_BYTES - _ROOM:
        help = "deliver its orders, and let it remember fewer ids (`remembered=`)"
        what = f"what would leave with `{name}` has {len(payload):,} bytes, more than a record"
        raise immovable(machines.place, what, help)
    previous = journal.head
    record = journal.append(kind, payload)
    leave(machines, name, record)
    return Departed(journal.genesis.hex(), record, previous.hex(), journal.head.hex(), payload)


def leave(machines: Machines, name: str, record: int) -> None:
    """Forget a machine that has left, but for the record with which it did."""
    member = machines.members.pop(name)
    for each in machines.orders_of(name):
        del machines.orders[each.id]
    machines.memory.forget(name)
    machines.left[name] = Left(record, member.moves)


def arrival(
    machines: Machines,
    name: str,
    compiled: Compiled,
    state: Mapping[str, Any],
    migration: Migration | None,
) -> Journalled:
    """Return a machine that has come, in the state in which it came or which a migration makes of that.

    Raises:
        HostError: (HR873) it ran another program, or with other parameters; (HR875) the migration does not lead there;
            (HR877) the state is none of its program.
    """
    snapshot, shadow = Snapshot.from_members(state["snapshot"]), bool(state.get("shadow"))
    if migration is not None:
        member = Journalled(name, compiled, shadow=shadow)
        migrated(migration, snapshot, member, machines.place)
    else:
        member = machines.member(name, {name: compiled}, snapshot.program, snapshot.parameters, shadow=shadow)
        try:
            member.restore(snapshot)
        except SnapshotError as error:
            raise immovable(machines.place, f"`{name}` did not come whole: {error}", _AGAIN) from None
    return member


def arrive(
    machines: Machines,
    journal: Journal,
    member: Journalled,
    departed: Departed,
    time_ns: int,
    migration: Migration | None = None,
) -> int:
    """Take a machine up that has left another host; return the sequence of its record.

    Args:
        machines: among which it will be.
        journal: theirs.
        member: what `arrival` gave.
        departed: what left.
        time_ns: when.
        migration: how its state became that of another program, if it did.

    Raises:
        HostError: (HR877) it left a halted host and this is another one that is not; it has been here since, or does
            not fit into a record. Nothing was journalled.
    """
    refuse_again(machines, departed)
    # Who halted it where it left has spoken there since, if these are not halted.
    left = machines.left.get(member.name)
    comes_back = left is not None and (departed.journal, departed.record) == (journal.genesis.hex(), left.record)
    if departed.halted and not machines.halted and not comes_back:
        what = f"`{member.name}` left a host whose machines were halted, and these are not"
        help = "halt this host too, or bring it back and release it there: its orders are held until a person says so"
        raise immovable(machines.place, what, help)
    # Nobody has chosen the place that did not take it.
    pinned = departed.state.get("pinned", False) if comes_back else departed.body.get("pinned", False)
    kind, said = kinds.machine(
        member.name,
        member.program,
        member.compiled.parameters,
        member.compiled.program.fill,
        member.compiled.spec.file,
        time_ns,
        shadow=member.shadow,
        migration=None if migration is None else migration.to_json(),
        pinned=pinned,
        came=departed.source(),
        state=departed.state,
    )
    payload = canonical(said)
    if len(payload) > MAX_PAYLOAD_BYTES:
        raise immovable(machines.place, f"what comes with `{member.name}` is more than a record holds", _AGAIN)
    record = journal.append(kind, payload)
    settle(machines, member, departed.state, record, pinned=pinned)
    for id in departed.ids:
        machines.memory.add(member.name, id, record)
    return record


def settle(machines: Machines, member: Journalled, state: Mapping[str, Any], record: int, *, pinned: bool) -> None:
    """Let a machine that has come be one of these, with the orders that came with it."""
    name = member.name
    member.came(state.get("moves", 0) + 1, state.get("sequences", {}), pinned=pinned)
    machines.members[name] = member
    machines.left.pop(name, None)
    for each in state.get("orders", ()):
        machines.orders[each["id"]] = Outgoing(each["id"], name, record, Order(**each["order"]))


def refuse_again(machines: Machines, departed: Departed) -> None:
    """Refuse what has been taken up here before, or a machine of this name that has.

    Raises:
        HostError: (HR872) a machine of this name is here; (HR877) it was here since it left there.
    """
    name, left = departed.machine, machines.left.get(departed.machine)
    if name in machines.members:
        raise machines.taken(name)
    if left is not None and left.moves >= departed.moves:
        what = f"`{name}` has been here since, and left at record {left.record:,}"
        raise immovable(machines.place, what, "give what left with its last departure")


_AGAIN = "get it again from the journal that it left: `departed_of(store, machine)`, `Host.departed(machine)`"
