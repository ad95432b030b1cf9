"""A recorded journal, repeated: with the specs that it names, with others, up to some record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..dryrun.problem import RunError
from ..journal.canonical import value_of
from ..journal.chain import records_since
from ..journal.kinds import Kind
from ..journal.lines import ALWAYS, When, selected
from ..journal.store import Store
from ..load import Compiled, ParameterError, Spec, load
from .machines import Machines
from .problem import HostError
from .recovery import rebuild
from .replaying import replay

if TYPE_CHECKING:
    from ..explain import Explanation

__all__ = ["Replayed", "explained", "repeat"]


@dataclass(frozen=True, slots=True)
class Replayed:
    """What a journal has led to.

    Fields:
        machines: as they are after `record`.
        record: the last record that was repeated.
        repeated: how many events were.
    """

    machines: Machines
    record: int
    repeated: int

    def to_json(self) -> dict[str, Any]:
        machines = self.machines
        return {
            "journal": machines.place,
            "record": self.record,
            "repeated": self.repeated,
            "machines": {name: member.snapshot().members() for name, member in machines.members.items()},
            "orders": [{"id": each.id, **each.order.to_json()} for each in machines.orders.values()],
            "halted": machines.halted,
            "left": {name: each.record for name, each in machines.left.items()},
        }


def repeat(store: Store, specs: Mapping[str, Spec], *, until: When = ALWAYS, against: bool = False) -> Replayed:
    """Repeat a journal, every event of it, and hold each step to what stands there.

    Args:
        store: the journal.
        specs: those of its machines by name; one that is not here is read from the file that the journal names.
        until: the last record, or the last time, that counts.
        against: whether these specs may be others than those that wrote the journal; its parameters are theirs then too,
            where they have them.

    Raises:
        Divergence: (HR874) a machine does not do what it did.
        HostError: (HR872, HR873, HR876) a spec is missing or another; no host wrote this.
        JournalError: the journal cannot be read, or is not what was written.
        SpecError: a spec that the journal names is wrong.
    """
    last = _last(store, until)
    joins, later, changes = _joins(store, last)
    for name in specs:
        if name not in joins and name not in later:
            known = ", ".join(f"`{each}`" for each in joins) or "none"
            raise HostError("HR872", f"the journal holds no machine `{name}`", store.place, f"its machines are {known}")
    compiled = {name: _compiled(store.place, name, specs.get(name), body) for name, body in joins.items()}
    if changes and not against:
        # What came before was another program's; the state after it is proved.
        found = rebuild(store, compiled, until=last)
        return Replayed(found.machines, last, found.repeated)
    machines = Machines(store.place)
    repeated = replay(machines, records_since(store), compiled, until=last, changed=against)
    return Replayed(machines, last, repeated)


def explained(store: Store, spec: Spec, number: int) -> Explanation:
    """Return why a machine did what it did with an event that was journalled.

    Args:
        store: the journal.
        spec: that of the machine; those of others are read from the files that the journal names.
        number: the record of the event, or of its step.

    Raises:
        RunError: (HR807) no event has this record; otherwise as `repeat`.
    """
    record = next(records_since(store, number), None)
    if record is not None and record.kind == Kind.STEP:
        number = value_of(record.payload)["of"]
        record = next(records_since(store, number), None)
    if record is None or record.kind not in (Kind.EVENT, Kind.FILL, Kind.APPROVAL):
        help = "name the record of an event or of its step: `hedgerow audit show JOURNAL --kind event`"
        raise RunError("HR807", f"record {number:,} is no event that a machine took", "--record", help)
    body = value_of(record.payload)
    following = next(records_since(store, number + 1), None)
    results = []
    if following is not None and following.kind == Kind.STEP:
        results = value_of(following.payload).get("results", [])
    before = repeat(store, {body["machine"]: spec}, until=When(sequence=number - 1))
    return before.machines[body["machine"]].explain(body, results)


def _last(store: Store, until: When) -> int:
    end = store.last()
    last = -1 if end is None else end.last
    if until.time_ns is not None:
        return max((record.sequence for record in selected(store, until=until)), default=0)
    return last if until.sequence is None else min(last, until.sequence)


def _joins(store: Store, last: int) -> tuple[dict[str, Any], frozenset[str], bool]:
    """Return what the last record of each machine, up to one, says that it runs; the machines that came after that; and
    whether any of them ran something else before, here: what it did elsewhere, nobody repeats.
    """
    found: dict[str, Any] = {}
    later: set[str] = set()
    changes = False
    for record in records_since(store):
        if record.kind == Kind.MACHINE:
            body = value_of(record.payload)
            if record.sequence <= last:
                before = found.get(body["machine"], body)
                changes = changes or any(before[each] != body[each] for each in ("program", "parameters"))
                found[body["machine"]] = body
            else:
                later.add(body["machine"])
    return found, frozenset(later), changes


def _compiled(place: str, name: str, spec: Spec | None, body: Mapping[str, Any]) -> Compiled:
    if spec is None:
        if not Path(body["file"]).is_file():
            what = f"the spec of `{name}` was `{body['file']}`, which is not here"
            raise HostError("HR872", what, place, f"give it: --spec {name}=FILE")
        spec = load(body["file"])
    fill = body["fill"] if body["fill"] != "external" or spec.fill == "external" else spec.fill
    free = {each.name for each in spec.program(fill).parameters if each.given is None}
    try:
        return spec.bind({each: value for each, value in body["parameters"].items() if each in free}, fill=fill)
    except ParameterError as error:
        what = f"`{name}` cannot have the parameters that it ran with: {error}"
        raise HostError("HR873", what, place, "give the spec that it ran") from None
