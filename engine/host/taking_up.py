"""A journal to a host: its machines as they were, those that changed their program, and those that are new."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Callable, Collection, Mapping
from typing import Any

from ..journal import kinds
from ..journal.canonical import value_of
from ..journal.chain import records_since
from ..journal.journal import Journal
from ..journal.keys import Signer
from ..journal.kinds import Kind
from ..journal.records import State
from ..journal.store import Store
from ..load import Compiled
from .journalled import Journalled
from .machines import Machines
from .migration import Migration
from .problem import HostError
from .recovery import Recovered, proven_states, rebuild, remember

__all__ = ["take_up"]


def take_up(
    store: Store,
    compiled: Mapping[str, Compiled],
    *,
    begin: Collection[str],
    name: str,
    shadow: Collection[str],
    signer: Signer | None,
    migrations: Collection[Migration],
    before: Mapping[str, Compiled],
    remembered: int,
    clock: Callable[[], int],
) -> tuple[Journal, Recovered]:
    """Return the journal of a host, to go on with it, and its machines.

    Those of `begin` that the journal does not hold are begun, unless they have left it: what has left is elsewhere.

    Raises:
        JournalError: the journal cannot be opened, or is not what was written.
        HostError: the machines cannot be brought back.
    """
    if store.last() is None:
        journal = Journal.begin(store, kinds.host(name, clock()), signer=signer, clock=clock)
        recovered = Recovered(Machines(store.place, remembered), None, 0)
    else:
        journal = Journal.resume(store, signer=signer, clock=clock)
        carried = None
        if migrations:
            carried = _carried_over(store, journal, compiled, migrations, before, remembered, clock)
        recovered = rebuild(store, compiled, remembered=remembered) if carried is None else carried
    machines = recovered.machines
    for each in begin:
        if each not in machines.members and each not in machines.left:
            machines.join(journal, Journalled(each, compiled[each], shadow=each in shadow), clock())
    journal.commit()
    return journal, recovered


def _carried_over(
    store: Store,
    journal: Journal,
    compiled: Mapping[str, Compiled],
    migrations: Collection[Migration],
    before: Mapping[str, Compiled],
    remembered: int,
    clock: Callable[[], int],
) -> Recovered | None:
    """Return machines of which some go over to other programs; None where none has to.

    Records after the last state need the old program, from `before`, to be repeated. A host that was closed has left none.
    """
    declared = {each.machine: each for each in migrations}
    state = next(proven_states(store), None)
    going = _going(_run(store, state), compiled, declared)
    if not going:
        return None
    if state is None or any(record.kind != Kind.CHECKPOINT for record in records_since(store, state.of + 2)):
        if not all(name in before for name in going):
            help = "give the specs that it had, `before={...}`, or open the host once with them, close it, and migrate then"
            raise HostError(
                "HR873", "something came after the last state, which the old spec has to repeat", store.place, help
            )
        # The state that they led to is kept first, so that the journal holds what goes over.
        old = ChainMap({name: before[name] for name in going}, compiled)  # type: ignore[arg-type]  # it is only read
        journal.keep(rebuild(store, old).machines.state())
        journal.commit()
        state = next(proven_states(store))
    machines = Machines(store.place, remembered)
    moved = machines.restore(state.text, compiled, {name: declared[name] for name in going})
    remember(machines, store)
    for member in moved:
        machines.join(journal, member, clock(), declared[member.name].to_json())
    journal.keep(machines.state())
    return Recovered(machines, state.of, 0)


def _run(store: Store, state: State | None) -> Mapping[str, Mapping[str, Any]]:
    """Return program, parameters and shadow of the machines of a journal: of its last state, and of the records since."""
    found: dict[str, Any] = {} if state is None else value_of(state.text)["machines"]
    for record in records_since(store, 0 if state is None else state.of + 1):
        if record.kind == Kind.MACHINE:
            body = value_of(record.payload)
            found[body["machine"]] = body
        elif record.kind == Kind.DEPARTURE:
            found.pop(value_of(record.payload)["machine"], None)
    return found


def _going(
    run: Mapping[str, Mapping[str, Any]], compiled: Mapping[str, Compiled], declared: Mapping[str, Migration]
) -> list[str]:
    """Return the machines for which a migration is declared and that have not run what their spec is."""
    going = []
    for name, found in run.items():
        if name in declared and name in compiled:
            member = Journalled(name, compiled[name], shadow=found.get("shadow", False))
            if member.program != found["program"] or dict(compiled[name].parameters) != found["parameters"]:
                going.append(name)
    return going
