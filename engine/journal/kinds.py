"""What is journalled: the kinds of records, and an entry of each as the journal takes it.

All times are UTC nanoseconds, int64. A member that would be empty is left out, unless it is named as always there.

    genesis     format, machine (its name; or host, where many write one journal), program (digest of the IR), engine
                (version), parameters, time_ns; key (the public key that signs checkpoints, in hex, or null)
    event       name (none where time alone passes), time_ns (of the event), received_ns (by the host); machine (its
                name, where many write one journal), fields, id (that of whoever sent it), source and sequence (where
                who sent it counts its events)
    step        of (sequence of the record that led to it), configuration; results (of bound functions, in the order in
                which they were asked, for replays), rejected, timers, fired, raised, verdicts, approvals (proposals and
                rulings), orders, shadowed, errors, broken (invariants). A host leaves out that of a quiet event: one
                that did nothing of this and left the configuration as it was
    approval    as an event: what somebody says to a proposal
    fill        as an event: what became of an order
    refusal     name, reason, received_ns; machine, time_ns, id, source, sequence (of what was refused, where it has
                them), told (true where the machine heard of it, as `input.rejected`)
    snapshot    of (sequence of the last record that went into it), sha256 (of the state's canonical JSON, in hex)
    checkpoint  see checkpoints.py; the journal writes these itself
    control     act (e.g. `flatten`), by, reason, time_ns; number (of the act, in its lane), id (that of the act), event
                and fields (what the machine is sent)
    machine     machine (its name), program, engine, parameters, fill, file (of its spec), time_ns; shadow, migration,
                pinned (somebody chose its host): from here on a machine of that name runs that program. Of one that comes
                from another host also from (journal, record, previous and hash: that of its departure) and state (what
                stands there)
    delivery    order (its id), time_ns: who takes orders has it
    departure   machine (its name), engine, time_ns, state: snapshot, fill, file; shadow, moves (how often it has moved),
                orders (not known to have been delivered), halted, ids (that it knows); to (where it is said to go),
                pinned: from here on no machine of that name is here
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import IntEnum
from hashlib import sha256
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from ..ir import FillMode, Value
    from ..step import Step

__all__ = [
    "JOURNAL_FORMAT",
    "Entry",
    "Kind",
    "control",
    "delivery",
    "departure",
    "event",
    "genesis",
    "host",
    "machine",
    "refusal",
    "snapshot",
    "step",
]

JOURNAL_FORMAT = "hedgerow.journal/1"


class Kind(IntEnum):
    """What a record is; the numbers stand in headers and keep their meaning for ever."""

    GENESIS = 1
    EVENT = 2
    STEP = 3
    APPROVAL = 4
    FILL = 5
    REFUSAL = 6
    SNAPSHOT = 7
    CHECKPOINT = 8
    CONTROL = 9
    MACHINE = 10
    DELIVERY = 11
    DEPARTURE = 12

    @property
    def word(self) -> str:
        """What it is called on the command line."""
        return self.name.lower()


class Entry(NamedTuple):
    """What is to be journalled: `journal.append(*entry)`; a payload in bytes is canonical JSON already."""

    kind: Kind
    payload: Mapping[str, Any] | bytes


def genesis(machine: str, program: str, parameters: Mapping[str, Value], time_ns: int) -> Entry:
    """Return the first entry of a journal; the journal adds the key that it was given.

    Args:
        machine: the name of the machine.
        program: the digest of its IR (`printer.digest`).
        parameters: what it is bound to.
        time_ns: when it begins.
    """
    from hedgerow import __version__

    body = {
        "format": JOURNAL_FORMAT,
        "machine": machine,
        "program": program,
        "engine": __version__,
        "parameters": dict(parameters),
        "time_ns": time_ns,
    }
    return Entry(Kind.GENESIS, body)


def host(name: str, time_ns: int) -> Entry:
    """Return the first entry of a journal that many machines write; each of them has a `machine` entry of its own."""
    from hedgerow import __version__

    return Entry(Kind.GENESIS, {"format": JOURNAL_FORMAT, "host": name, "engine": __version__, "time_ns": time_ns})


def machine(
    name: str,
    program: str,
    parameters: Mapping[str, Value],
    fill: FillMode,
    file: str,
    time_ns: int,
    *,
    shadow: bool = False,
    migration: Mapping[str, Any] | None = None,
    pinned: bool = False,
    came: Mapping[str, Any] | None = None,
    state: Mapping[str, Any] | None = None,
) -> Entry:
    """Return the entry that lets a machine run a program from here on.

    Args:
        name: of the machine.
        program: the digest of its IR.
        parameters: what it is bound to.
        fill: how its orders are filled.
        file: of the spec, as it was given.
        time_ns: when.
        shadow: whether it sends no orders.
        migration: how its state came from that of another program, see host/migration.py.
        pinned: whether somebody chose its host.
        came: where it comes from, if from another host: `Departed.source`.
        state: what came with it.
    """
    from hedgerow import __version__

    body = {
        "machine": name,
        "program": program,
        "engine": __version__,
        "parameters": dict(parameters),
        "fill": fill,
        "file": file,
        "time_ns": time_ns,
    }
    more = {"migration": migration, "from": came, "state": state}
    said = {member: value for member, value in more.items() if value is not None}
    return Entry(Kind.MACHINE, body | _said(shadow=shadow, pinned=pinned) | said)


def event(
    name: str,
    fields: Mapping[str, Value],
    time_ns: int,
    received_ns: int,
    id: str | None = None,
    *,
    machine: str = "",
    kind: Kind = Kind.EVENT,
    numbered: tuple[str, int] | None = None,
) -> Entry:
    """Return the entry of an event that a machine is about to take.

    Args:
        name: that of the event.
        fields: its values by name.
        time_ns: when it happened.
        received_ns: when it came.
        id: what its sender calls it.
        machine: which one takes it, where many write one journal.
        kind: FILL or APPROVAL where it is one.
        numbered: its source and its number there.
    """
    body = {"time_ns": time_ns, "received_ns": received_ns} | _counted(numbered)
    return Entry(kind, body | _said(name=name, fields=dict(fields), id=id, machine=machine))


def step(of: int, step: Step, results: Sequence[Any]) -> Entry:
    """Return the entry of what a machine did with record `of`; `results` are those of bound functions, as asked."""
    return Entry(Kind.STEP, step_body(of, step, results))


def step_body(of: int, step: Step, results: Sequence[Any]) -> dict[str, Any]:
    """Return the members of a step's entry, from values that JSON may not have in this form, such as tuples."""
    said = _said(
        results=list(results),
        rejected=step.rejected,
        timers=step.timers,
        fired=step.fired,
        raised=step.raised,
        verdicts=[each._asdict() for each in step.verdicts],
        approvals=[each._asdict() for each in step.approvals],
        orders=[each.to_json() for each in step.orders],
        shadowed=[each.to_json() for each in step.shadowed],
        errors=step.errors,
        broken=step.broken,
    )
    return {"of": of, "configuration": step.configuration} | said


def refusal(
    name: str,
    reason: str,
    received_ns: int,
    time_ns: int | None = None,
    id: str | None = None,
    *,
    machine: str = "",
    told: bool = False,
    numbered: tuple[str, int] | None = None,
) -> Entry:
    """Return the entry of something that a machine did not take: late, a duplicate, out of order, malformed."""
    body = {"name": name, "reason": reason, "received_ns": received_ns}
    at = {} if time_ns is None else {"time_ns": time_ns}
    return Entry(Kind.REFUSAL, body | at | _counted(numbered) | _said(id=id, machine=machine, told=told))


def snapshot(of: int, state: bytes) -> Entry:
    """Return the entry that says what state, in canonical JSON, record `of` has led to."""
    return Entry(Kind.SNAPSHOT, {"of": of, "sha256": sha256(state).hexdigest()})


def control(
    act: str,
    by: str,
    reason: str,
    time_ns: int,
    *,
    number: int | None = None,
    event: str = "",
    fields: Mapping[str, Value] | None = None,
    id: str = "",
) -> Entry:
    """Return the entry of a person's act on the machines as a whole, with who and why.

    Args:
        act: `halt`, `flatten`, `release` or `override`.
        by: who.
        reason: why.
        time_ns: when it was said.
        number: of the act, in its lane.
        event: what the machines are sent.
        fields: those of that event.
        id: of the act, given by who said it.
    """
    body = {"act": act, "by": by, "reason": reason, "time_ns": time_ns}
    return Entry(Kind.CONTROL, body | _said(number=number, event=event, fields=dict(fields or {}), id=id))


def delivery(order: str, time_ns: int) -> Entry:
    """Return the entry that says that who takes orders has one."""
    return Entry(Kind.DELIVERY, {"order": order, "time_ns": time_ns})


def departure(name: str, state: Mapping[str, Any], time_ns: int, *, to: str = "", pinned: bool = False) -> Entry:
    """Return the entry with which a machine leaves its host.

    Args:
        name: of the machine.
        state: all that leaves, see host/moving.py.
        time_ns: when.
        to: where it is said to go.
        pinned: whether somebody chose that place for it.
    """
    from hedgerow import __version__

    body = {"machine": name, "engine": __version__, "time_ns": time_ns, "state": state}
    return Entry(Kind.DEPARTURE, body | _said(to=to, pinned=pinned))


def _counted(numbered: tuple[str, int] | None) -> dict[str, Any]:
    return {} if numbered is None else {"source": numbered[0], "sequence": numbered[1]}


def _said(**members: Any) -> dict[str, Any]:
    """Return the members that are not empty."""
    return {name: value for name, value in members.items() if value}
