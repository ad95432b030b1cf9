"""What is journalled: the kinds of records, and an entry of each as the journal takes it.

All times are UTC nanoseconds, int64. A member that would be empty is left out, unless it is named as always there.

    genesis     format, machine (its name), program (digest of the IR), engine (version), parameters, time_ns; key
                (the public key that signs checkpoints, in hex, or null)
    event       name, time_ns (of the event), received_ns (by the host); fields, id (that of whoever sent it)
    step        of (sequence of the event or fill that led to it), configuration; results (of bound functions, by the
                name of the call, for replays), rejected, timers, fired, raised, verdicts, approvals (proposals and
                rulings), orders, shadowed, errors, broken (invariants)
    approval    number (of the proposal), by, answer (`approve` or `deny`), time_ns
    fill        order (the number of the order), filled (so far), price, time_ns; id
    refusal     name, reason, received_ns; time_ns, id (of what was refused, where it has them)
    snapshot    of (sequence of the last record that went into it), sha256 (of the snapshot's canonical JSON, in hex)
    checkpoint  see checkpoints.py; the journal writes these itself
    control     act (e.g. `flatten`), by, reason, time_ns; number (of the act, in its lane), id (that of the act), event
                and fields (what the machine is sent)
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

if TYPE_CHECKING:
    from ..ir import Value
    from ..snapshot import Snapshot
    from ..step import Step

__all__ = [
    "JOURNAL_FORMAT",
    "Entry",
    "Kind",
    "approval",
    "control",
    "event",
    "fill",
    "genesis",
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


def event(name: str, fields: Mapping[str, Value], time_ns: int, received_ns: int, id: str | None = None) -> Entry:
    """Return the entry of an event that a machine is about to take."""
    body = {"name": name, "time_ns": time_ns, "received_ns": received_ns}
    return Entry(Kind.EVENT, body | _said(fields=dict(fields), id=id))


def step(of: int, step: Step, results: Mapping[str, Any]) -> Entry:
    """Return the entry of what a machine did with the event or fill of record `of`; `results` are those of bound
    functions.
    """
    said = _said(
        results=dict(results),
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
    return Entry(Kind.STEP, {"of": of, "configuration": step.configuration} | said)


def approval(number: int, by: str, answer: Literal["approve", "deny"], time_ns: int) -> Entry:
    """Return the entry of what somebody says to a proposal."""
    return Entry(Kind.APPROVAL, {"number": number, "by": by, "answer": answer, "time_ns": time_ns})


def fill(order: int, filled: float, price: float, time_ns: int, id: str | None = None) -> Entry:
    """Return the entry of a fill: how much of an order has been filled so far, and at what price."""
    return Entry(Kind.FILL, {"order": order, "filled": filled, "price": price, "time_ns": time_ns} | _said(id=id))


def refusal(name: str, reason: str, received_ns: int, time_ns: int | None = None, id: str | None = None) -> Entry:
    """Return the entry of something that was not given to the machine: late, a duplicate, out of order, malformed."""
    body = {"name": name, "reason": reason, "received_ns": received_ns}
    return Entry(Kind.REFUSAL, body | ({} if time_ns is None else {"time_ns": time_ns}) | _said(id=id))


def snapshot(of: int, taken: Snapshot) -> Entry:
    """Return the entry that says what state a machine is in after record `of`."""
    return Entry(Kind.SNAPSHOT, {"of": of, "sha256": sha256(taken.to_json().encode("ascii")).hexdigest()})


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
    """Return the entry of a person's act on the machine as a whole, with who and why."""
    body = {"act": act, "by": by, "reason": reason, "time_ns": time_ns}
    return Entry(Kind.CONTROL, body | _said(number=number, event=event, fields=dict(fields or {}), id=id))


def _said(**members: Any) -> dict[str, Any]:
    """Return the members that are not empty."""
    return {name: value for name, value in members.items() if value}
