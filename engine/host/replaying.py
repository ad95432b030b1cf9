"""Records to the machines that wrote them: every step is done again and held to what stands in the journal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from hashlib import sha256
from itertools import chain, pairwise
from typing import Any

from ..journal.canonical import canonical, value_of
from ..journal.kinds import Kind
from ..journal.records import Record
from ..load import Compiled
from ..snapshot import Snapshot, SnapshotError
from ..step import Step
from .encoding import decoded
from .journalled import Journalled
from .machines import Machines
from .migration import Migration
from .moving import arrival, leave, leaving, settle
from .problem import Divergence, HostError

__all__ = ["replay"]

# Plain numbers: an enum's members are slow to compare.
_INPUTS = frozenset(map(int, (Kind.EVENT, Kind.FILL, Kind.APPROVAL)))
_STEP = int(Kind.STEP)


def replay(
    machines: Machines,
    records: Iterable[Record],
    compiled: Mapping[str, Compiled],
    *,
    until: int | None = None,
    changed: bool = False,
) -> int:
    """Repeat records that follow the state of machines, and return how many events were repeated.

    Args:
        machines: in the state that the records begin with; they are moved to that after the last one.
        records: those of a journal in order, without a gap.
        compiled: the specs of the machines by name.
        until: the last record that is repeated; None is all of them.
        changed: whether the specs may be others than those that wrote the journal: then only what they do is compared,
            and not what state they are in.

    Raises:
        Divergence: (HR874) a machine does not do what it did.
        HostError: (HR872, HR873, HR876) a machine or its spec is missing, or is another; no host wrote this.
    """
    repeated, members = 0, machines.members
    end: list[Record | None] = [None]
    for record, following in pairwise(chain(records, end)):
        assert record is not None
        sequence, kind, _, payload, _ = record
        if until is not None and sequence > until:
            break
        if kind in _INPUTS:
            body = decoded(payload)
            try:
                member = members[body["machine"]]
            except KeyError:
                raise _not_a_host(machines, sequence) from None
            repeated += 1
            if following is None or following.kind != _STEP:
                step = member.repeat(kind, body, ())
                done = member.step_payload(sequence, step)
                if done is not None:
                    raise _divergence(machines, member, sequence, None, done)
            else:
                _repeat_step(machines, member, record, body, following)
        elif kind != _STEP:
            _repeat_other(machines, record, following, compiled, changed=changed)
    return repeated


def _repeat_step(
    machines: Machines, member: Journalled, record: Record, body: Mapping[str, Any], following: Record
) -> None:
    results = value_of(following.payload).get("results", ()) if b'"results":' in following.payload else ()
    step = member.repeat(record.kind, body, results)
    if record.kind == Kind.REFUSAL:
        done: bytes | None = member.refusal_payload(record.sequence, step, results)
    else:
        done = member.step_payload(record.sequence, step)
    if done != following.payload:
        raise _divergence(machines, member, record.sequence, following.payload, done)
    if step.orders:
        machines.send(member, record.sequence, step)


def _repeat_other(
    machines: Machines, record: Record, following: Record | None, compiled: Mapping[str, Compiled], *, changed: bool
) -> None:
    match record.kind:
        case Kind.GENESIS:
            if "host" not in value_of(record.payload):
                raise _not_a_host(machines, record.sequence)
        case Kind.MACHINE:
            _repeat_join(machines, record, compiled, changed=changed)
        case Kind.REFUSAL:
            body = value_of(record.payload)
            if body.get("told"):
                member = machines[body["machine"]]
                stands = following is not None and following.kind == Kind.STEP
                if not stands:
                    raise _divergence(machines, member, record.sequence, None, _refused_again(member, record, body))
                assert following is not None
                _repeat_step(machines, member, record, body, following)
        case Kind.CONTROL:
            body = value_of(record.payload)
            machines.note(body["act"], body.get("id", ""))
        case Kind.DEPARTURE:
            _repeat_departure(machines, record, changed=changed)
        case Kind.DELIVERY:
            machines.orders.pop(value_of(record.payload)["order"], None)
        case Kind.SNAPSHOT if not changed:
            body, found = value_of(record.payload), machines.state()
            if body["sha256"] != sha256(found).hexdigest():
                everything = ", ".join(machines.members)
                raise Divergence(
                    machines.place, record.sequence, everything, "sha256", body["sha256"], sha256(found).hexdigest()
                )


def _refused_again(member: Journalled, record: Record, body: Mapping[str, Any]) -> bytes:
    step: Step = member.repeat(record.kind, body, ())
    return member.step_payload(record.sequence, step) or b"{}"


def _repeat_join(machines: Machines, record: Record, compiled: Mapping[str, Compiled], *, changed: bool) -> None:
    body = value_of(record.payload)
    name, shadow = body["machine"], body.get("shadow", False)
    if "from" in body:
        _repeat_arrival(machines, record, body, compiled, changed=changed)
        return
    if "migration" in body and not changed:
        what = f"record {record.sequence:,}: `{name}` goes over to another program here"
        help = f"replay up to record {record.sequence - 1:,} with the spec before, or from the state after it"
        raise HostError("HR873", what, machines.place, help)
    if changed:
        if name not in compiled:
            raise HostError("HR872", f"nobody gives a spec for `{name}`", machines.place, "give one for every machine")
        member = Journalled(name, compiled[name], shadow=shadow)
    else:
        member = machines.member(name, compiled, body["program"], body["parameters"], shadow=shadow)
    known = machines.members.get(name)
    if known is None:
        member.pinned = body.get("pinned", False)
        machines.members[name] = member


def _repeat_arrival(
    machines: Machines, record: Record, body: Mapping[str, Any], compiled: Mapping[str, Compiled], *, changed: bool
) -> None:
    name, state = body["machine"], body["state"]
    if name not in compiled:
        what = f"the journal holds machine `{name}`, and nobody gives its spec"
        raise HostError("HR872", what, machines.place, "give the spec of every machine that the journal holds")
    if changed:
        # What it was elsewhere another program did; this one goes on from there, where its state has the same form.
        member = Journalled(name, compiled[name], shadow=state.get("shadow", False))
        found = Snapshot.from_members(state["snapshot"])
        try:
            member.restore(replace(found, program=member.program, parameters=member.compiled.parameters))
        except SnapshotError as error:
            what = f"record {record.sequence:,}: `{name}` came from elsewhere, in no state of this spec: {error}"
            raise HostError(
                "HR873", what, machines.place, "replay the journal that it left against this spec"
            ) from None
    else:
        declared = body.get("migration")
        migration = None if declared is None else Migration.model_validate(declared)
        member = arrival(machines, name, compiled[name], state, migration)
    settle(machines, member, state, record.sequence, pinned=body.get("pinned", False))


def _repeat_departure(machines: Machines, record: Record, *, changed: bool) -> None:
    body = value_of(record.payload)
    member, state = machines[body["machine"]], body["state"]
    if not changed:
        found = leaving(machines, member)
        for name in dict.fromkeys((*state, *found)):
            # Which ids it knew is no state of a machine; what those of this journal are, its records say.
            if name != "ids" and canonical(state.get(name)) != canonical(found.get(name)):
                raise Divergence(machines.place, record.sequence, member.name, name, state.get(name), found.get(name))
    leave(machines, member.name, record.sequence)


def _not_a_host(machines: Machines, sequence: int) -> HostError:
    what = f"record {sequence:,}: no machine of a host wrote this"
    return HostError("HR876", what, machines.place, "name the journal of a host, see docs/host.md")


def _divergence(
    machines: Machines, member: Journalled, sequence: int, journalled: bytes | None, found: bytes | None
) -> Divergence:
    """Return the first member in which two steps differ; one that is not there is a quiet one."""
    before: dict[str, Any] = {} if journalled is None else value_of(journalled)
    now: dict[str, Any] = {} if found is None else value_of(found)
    quiet = list(member.machine.configuration)
    for body in (before, now):
        if not body:
            body["configuration"] = quiet
    for name in dict.fromkeys((*before, *now)):
        if name != "of" and canonical(before.get(name)) != canonical(now.get(name)):
            return Divergence(machines.place, sequence, member.name, name, before.get(name), now.get(name))
    return Divergence(machines.place, sequence, member.name, "step", before or None, now or None)
