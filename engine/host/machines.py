"""All machines of one journal, with what waits to be sent, and their state as one value.

Here everything happens in one thread, and nothing that has happened may be told before the journal's `commit` has returned:
that is for the host.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from ..ir import Value
from ..journal import kinds
from ..journal.canonical import canonical
from ..journal.journal import Journal
from ..journal.kinds import Entry
from ..load import Compiled
from ..snapshot import Snapshot, SnapshotError
from ..step import Order, Step
from .given import Numbered
from .journalled import Journalled
from .lane import Act
from .memory import Memory
from .migration import Migration, migrated
from .problem import HostError

__all__ = ["STATE_FORMAT", "Left", "Machines", "Outgoing"]

STATE_FORMAT = "hedgerow.host/1"
_REMEMBERED = 65_536
_ACTS = 64
"""So many acts are known again; a lane has fewer that were not taken."""
_DUPLICATE = "a duplicate: an event with this id has been taken"
_HALTED = "the machines are halted"
_LEFT = "the machine has left this host"


class Outgoing(NamedTuple):
    """An order on its way.

    `id` is MACHINE-RECORD-INDEX: the record of the event that led to it, and which of that step's orders it is. A machine
    that has moved to another journal says how often: MACHINE-RECORD-INDEX-MOVES, because records are counted from 0 in
    each. So it is the same however often the order is handed out, wherever, and never that of another one.

    `sequence` is the record of this journal with which it came to be here.
    """

    id: str
    machine: str
    sequence: int
    order: Order


class Left(NamedTuple):
    """A machine that is not here any more: the record with which it left, and how often it had moved before."""

    record: int
    moves: int


class Machines:
    """The machines of a host.

    Attributes:
        place: what messages call the journal.
        members: the machines by name.
        orders: what is not known to have been delivered, by id, in the order of decision.
        memory: the ids that have come.
        halted: whether orders are held and events refused.
        acts: the ids of the last acts from the stop lane.
        left: the machines that have left and are not back.
    """

    def __init__(self, place: str, remembered: int = _REMEMBERED) -> None:
        self.place = place
        self.members: dict[str, Journalled] = {}
        self.orders: dict[str, Outgoing] = {}
        self.memory = Memory(remembered)
        self.halted = False
        self.acts: list[str] = []
        self.left: dict[str, Left] = {}

    def __getitem__(self, name: str) -> Journalled:
        """Return a machine.

        Raises:
            HostError: (HR872) there is none of this name.
        """
        try:
            return self.members[name]
        except KeyError:
            gone = self.left.get(name)
            if gone is not None:
                what = f"`{name}` has left this host, at record {gone.record:,}"
                help = "send to where it is now; what left can be had again: `Host.departed(machine)`"
                raise HostError("HR872", what, self.place, help) from None
            known = ", ".join(f"`{each}`" for each in list(self.members)[:20]) or "none"
            raise HostError("HR872", f"no machine `{name}`", self.place, f"the machines are {known[:300]}") from None

    def taken(self, name: str) -> HostError:
        """Return the error of a name that no new machine can have."""
        return HostError("HR872", f"`{name[:80]}` is no name for a new machine", self.place, "choose another name")

    def orders_of(self, name: str) -> list[Outgoing]:
        """Return the orders of a machine that are not known to have been delivered, in the order of decision."""
        return [each for each in self.orders.values() if each.machine == name]

    # --------------------------------------------------------------------------------------------------------- inputs

    def join(
        self, journal: Journal, member: Journalled, time_ns: int, migration: Mapping[str, Any] | None = None
    ) -> int:
        """Take a machine up, or one that runs another program from here on; return the sequence of its record."""
        self.members[member.name] = member
        file = member.compiled.spec.file
        return journal.append(
            *kinds.machine(
                member.name,
                member.program,
                member.compiled.parameters,
                member.compiled.program.fill,
                file,
                time_ns,
                shadow=member.shadow,
                migration=migration,
                pinned=member.pinned,
            )
        )

    def take(
        self,
        journal: Journal,
        machine: str,
        event: str | None,
        time_ns: int,
        fields: Mapping[str, object],
        received_ns: int,
        id: str | None = None,
        numbered: Numbered | None = None,
    ) -> Step:
        """Give an event to a machine, or refuse it; see `Journalled.take`."""
        try:
            member = self.members[machine]
        except KeyError:
            return self._refuse_gone(journal, machine, event, received_ns, id, numbered)
        why = _DUPLICATE if id is not None and (machine, id) in self.memory else None
        if why is None and numbered is not None:
            why = member.disorder(numbered)
        if why is None and self.halted and not member.is_book_keeping(event or ""):
            why = _HALTED
        if why is not None:
            return _refused(journal, member, member.refusal(event, why, time_ns, received_ns, id, numbered))
        of, step = member.take(journal, event, time_ns, fields, received_ns, id, numbered)
        if id is not None:
            self.memory.add(machine, id, of)
        if step.orders:
            self.send(member, of, step)
        return step

    def _refuse_gone(
        self,
        journal: Journal,
        machine: str,
        event: str | None,
        received_ns: int,
        id: str | None,
        numbered: Numbered | None,
    ) -> Step:
        """Refuse what was on its way to a machine when that left."""
        journal.append(*kinds.refusal(event or "", _LEFT, received_ns, None, id, machine=machine, numbered=numbered))
        return Step((), (), (), rejected=_LEFT)

    def send(self, member: Journalled, of: int, step: Step) -> None:
        """Let the orders of a step wait for who takes orders."""
        moved = f"-{member.moves}" if member.moves else ""
        for index, order in enumerate(step.orders):
            id = f"{member.name}-{of}-{index}{moved}"
            self.orders[id] = Outgoing(id, member.name, of, order)

    def deliver(self, journal: Journal, order: str, time_ns: int) -> bool:
        """Note that who takes orders has one; return whether that was new."""
        if order not in self.orders:
            return False
        del self.orders[order]
        journal.append(*kinds.delivery(order, time_ns))
        return True

    def obey(self, journal: Journal, act: Act, flatten: Mapping[str, str], received_ns: int) -> None:
        """Journal what a person has said and put it into effect; an act that stands in the journal already is over."""
        if act.id and act.id in self.acts:
            return
        journal.append(
            *kinds.control(
                act.act,
                act.by,
                act.reason,
                act.time_ns,
                number=act.number,
                event=act.event,
                fields=act.fields,
                id=act.id,
            )
        )
        self.note(act.act, act.id)
        for name, member in self.members.items():
            # Machines of several specs are flattened by several events: each by the first that it has.
            named = (act.event, flatten.get(name, ""), "flatten") if act.act == "flatten" else (act.event,)
            known = member.is_bare if act.act == "flatten" else member.declares
            event = next((each for each in named if known(each)), None)
            if event is not None:
                # A person's act has no time of its own in a machine: it comes when it comes, at the machine's clock.
                clock = member.machine.time_ns
                fields: Mapping[str, Value] = act.fields
                of, step = member.take(
                    journal, event, act.time_ns if clock is None else clock, fields, received_ns, act.id or None
                )
                if act.id:
                    self.memory.add(name, act.id, of)
                self.send(member, of, step)

    def note(self, act: str, id: str) -> None:
        """Take a person's act up into the state."""
        self.acts = [*self.acts, id][-_ACTS:] if id else self.acts
        if act in ("halt", "release"):
            self.halted = act == "halt"

    # ---------------------------------------------------------------------------------------------------------- state

    def state(self) -> bytes:
        """Return the state of all machines, of what waits to be sent and of the stop lane as canonical JSON.

        It costs what those machines cost that took something since it was last asked for.
        """
        orders = {
            each.id: {"machine": each.machine, "sequence": each.sequence, "order": each.order.to_json()}
            for each in self.orders.values()
        }
        rest: dict[str, Any] = {"format": STATE_FORMAT, "orders": orders, "halted": self.halted, "acts": self.acts}
        if self.left:
            rest["left"] = {name: each._asdict() for name, each in self.left.items()}
        parts = {name: canonical(value) for name, value in rest.items()}
        parts["machines"] = _object({name: member.encoded() for name, member in self.members.items()})
        return _object(parts)

    def restore(
        self, state: bytes, compiled: Mapping[str, Compiled], migrations: Mapping[str, Migration] | None = None
    ) -> list[Journalled]:
        """Take up a state, and return the machines for which a migration made it that of another program.

        Raises:
            HostError: (HR872) nobody gives the spec of a machine; (HR873) it is another one; (HR875) a migration does
                not lead there.
            SnapshotError: the state is none of these programs.
        """
        body: Any = json.loads(state)
        if body.get("format") != STATE_FORMAT:
            raise SnapshotError("this is no state of a host")
        moved: list[Journalled] = []
        for name, found in body["machines"].items():
            snapshot = Snapshot.from_members(found)
            if migrations and name in migrations and name in compiled:
                member = Journalled(name, compiled[name], shadow=found["shadow"])
                migrated(migrations[name], snapshot, member, self.place)
                moved.append(member)
            else:
                member = self.member(name, compiled, snapshot.program, snapshot.parameters, shadow=found["shadow"])
                member.restore(snapshot)
            member.came(found.get("moves", 0), found.get("sequences", {}), pinned=found.get("pinned", False))
            self.members[name] = member
        self.orders = {
            id: Outgoing(id, found["machine"], found["sequence"], Order(**found["order"]))
            for id, found in sorted(body["orders"].items(), key=lambda each: _place(each[0], each[1]["sequence"]))
        }
        self.halted, self.acts = body["halted"], body["acts"]
        self.left = {name: Left(**each) for name, each in body.get("left", {}).items()}
        return moved

    def member(
        self,
        name: str,
        compiled: Mapping[str, Compiled],
        program: str,
        parameters: Mapping[str, Value],
        *,
        shadow: bool,
    ) -> Journalled:
        """Return a machine that was journalled with a program and parameters, not yet started.

        Raises:
            HostError: (HR872) nobody gives its spec; (HR873) it is another one.
        """
        if name not in compiled:
            what = f"the journal holds machine `{name}`, and nobody gives its spec"
            raise HostError("HR872", what, self.place, "give the spec of every machine that the journal holds")
        member = Journalled(name, compiled[name], shadow=shadow)
        if member.program != program:
            what = (
                f"`{name}` has run program {program[:16]}, its spec is now {member.program[:16]}: the spec, "
                "its fill mode or Hedgerow has changed"
            )
            raise HostError("HR873", what, self.place, _MIGRATE)
        now = member.compiled.parameters
        others = [f"`{each}` = {value}, now {now[each]}" for each, value in parameters.items() if now[each] != value]
        if others:
            what = f"`{name}` has run with other parameters: {', '.join(others)}"
            raise HostError("HR873", what, self.place, _MIGRATE)
        return member


def _object(members: Mapping[str, bytes]) -> bytes:
    """Return the canonical JSON of an object whose members are that already; their names need no escapes."""
    return b"{" + b",".join(b'"%s":%s' % (name.encode("ascii"), members[name]) for name in sorted(members)) + b"}"


def _refused(journal: Journal, member: Journalled, refusal: Entry) -> Step:
    """Keep something from a machine, which never learns of it."""
    journal.append(*refusal)
    where, reason = member.machine.configuration, refusal.payload["reason"]  # type: ignore[call-overload]
    return Step((), where, where, rejected=reason)


_MIGRATE = "give the spec and the parameters that it ran with, or a migration of its state to the new ones"


def _place(id: str, sequence: int) -> tuple[int, ...]:
    """Return where an order stands among others: by the record with which it came to be here, and by its id."""
    _, record, index, *moves = id.split("-")
    return sequence, int(moves[0]) if moves else 0, int(record), int(index)
