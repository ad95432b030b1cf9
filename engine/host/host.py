"""The host: many journalled machines in one process, one thread that steps and commits them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from types import TracebackType
from typing import Any

from ..forks import left_in_forks
from ..journal.keys import Signer
from ..journal.opening import open_store
from ..journal.store import Store
from ..load import Compiled, Spec
from ..snapshot import Snapshot
from ..step import Step
from .arguments import check_limits, check_machine_names, check_names, check_types, compiled_of, not_in_the_shadow
from .committing import Committing
from .departure import Departed, immovable
from .given import MACHINE_NAME, Numbered, Sent, plain, plain_sent, plain_text
from .journalled import Journalled
from .lane import Lane
from .machines import Outgoing
from .migration import Migration
from .moving import arrival, arrive
from .problem import Busy, HostError
from .recovery import Recovered
from .taking_up import take_up

__all__ = ["Host", "Sent"]

_LANES: list[Lane] = []
"""Those that a host looks at. Of two hosts with one lane, only one would see each act."""


class Host:
    """Journalled machines that come back exactly.

    An event is acknowledged, by its future, when it is durable with all that it led to; orders leave no earlier. A host
    whose journal fails stops, and says so to whoever asks it for anything.
    """

    def __init__(
        self,
        place: str | Path | Store,
        machines: Mapping[str, Compiled | Spec],
        *,
        known: Mapping[str, Compiled | Spec] | None = None,
        name: str = "host",
        shadow: Collection[str] = (),
        signer: Signer | None = None,
        lane: Lane | None = None,
        flatten: Mapping[str, str] | None = None,
        migrations: Collection[Migration] = (),
        before: Mapping[str, Compiled | Spec] | None = None,
        waiting: int = 10_000,
        undelivered: int = 10_000,
        group: int = 1_024,
        remembered: int = 65_536,
        state_every: int = 262_144,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        """Open a journal, bring back the machines that it holds, take up those that it does not, and run them.

        Args:
            place: a file, a PostgreSQL URL, or a store that is open for writing.
            machines: the specs by the names of their machines; every machine that the journal holds must be there. One
                that has left is not begun anew: give what left to `add`.
            known: specs of machines that the journal may hold, and that are not begun if it does not.
            name: of the host, in the first record of a new journal.
            shadow: the machines that send nothing.
            signer: who signs checkpoints; a journal keeps the one that it began with.
            lane: the stop lane.
            flatten: the event by which a machine flattens its legs, where that is not `flatten`.
            migrations: how states of other programs become those of these specs.
            before: the specs that machines with a migration had: what came after the last state, they repeat first.
            waiting: how much may wait to be journalled; more is refused with `Busy`.
            undelivered: how many orders may wait to be delivered; while there are more, events are refused with `Busy`.
            group: how much is committed together at most.
            remembered: an id is known for so many records at least.
            state_every: after so many records the state of all machines is kept: what a recovery repeats at most.
            clock: gives UTC nanoseconds for what the host stamps.

        Raises:
            JournalError: the journal cannot be opened, or is not what was written.
            HostError: (HR872 to HR876) the machines cannot be brought back, or one is named that is not there;
                (HR882) another host looks at this lane; (HR885) a machine has no event that is to flatten it.
            TypeError: something is given as something else than it is, such as a spec by its file.
            ValueError: a limit is below 1.
        """
        check_types(
            place,
            specs={"machines": machines, "known": known or {}, "before": before or {}},
            shadow=shadow,
            flatten=flatten,
            migrations=migrations,
            signer=signer,
            lane=lane,
        )
        check_limits(
            waiting=waiting, undelivered=undelivered, group=group, remembered=remembered, state_every=state_every
        )
        if any(each is lane for each in _LANES):
            help = "make a lane for each host: an act is for the one that takes it"
            raise HostError("HR882", "another host looks at this lane", str(place), help)
        self._lane = lane
        compiled = _Compiled(machines, known or {})
        check_machine_names(machines, str(place))
        for each in machines:
            compiled[each]
        check_names(compiled, shadow, flatten or {}, str(place))
        store = open_store(str(place), write=True) if isinstance(place, (str, Path)) else place
        self._clock, self._undelivered = clock, undelivered
        try:
            self._journal, self._recovered = take_up(
                store,
                compiled,
                begin=tuple(machines),
                name=name,
                shadow=frozenset(shadow),
                signer=signer,
                migrations=migrations,
                before=_Compiled(before or {}),
                remembered=remembered,
                clock=clock,
            )
            for each in shadow:
                member = self._recovered.machines.members.get(each)
                if member is not None and not member.shadow:
                    raise not_in_the_shadow(each, store.place)
        except BaseException:
            store.close()
            raise
        self._machines = self._recovered.machines
        self._committing = Committing(
            self._journal,
            self._machines,
            kept=self._recovered.since or 0,
            lane=lane,
            flatten=dict(flatten or {}),
            waiting=waiting,
            group=group,
            state_every=state_every,
            clock=clock,
        )
        self._coming: set[str] = set()
        self._adding = threading.Lock()
        self._start()

    def _start(self) -> None:
        """Let a thread do what is asked from here on."""
        if self._lane is not None:
            _LANES.append(self._lane)
        self._thread = threading.Thread(target=self._run, name=f"hedgerow {self._machines.place}", daemon=True)
        self._thread.start()
        _OPEN.add(self)

    def _run(self) -> None:
        try:
            self._committing.run()
        finally:
            if self._lane is not None:
                _LANES.remove(self._lane)

    def _finish(self) -> None:
        """Take no more, and wait until all that was asked is done."""
        self._committing.stop()
        self._thread.join()

    def submit(
        self,
        machine: str,
        event: str,
        time_ns: int,
        fields: Mapping[str, object] | None = None,
        *,
        id: str | None = None,
        source: str | None = None,
        sequence: int | None = None,
    ) -> Future[Step]:
        """Give an event to a machine; the future has its step once that is durable.

        Args:
            machine: its name.
            event: that of the event.
            time_ns: when it happened, in nanoseconds; not before the machine's last event.
            fields: its values by name.
            id: what its sender calls it; one that was taken before is refused, and changes nothing.
            source: who counts its events for this machine, by `sequence`.
            sequence: the number of this one, from 0 on, with gaps or without; one that is not above the last of its source
                that was taken is refused, and changes nothing.

        Raises:
            Busy: (HR871) too much waits; nothing was taken.
            HostError: (HR870) the host has stopped; (HR872) there is no such machine.
            TypeError: an argument is of a type that no event has.
        """
        given = self._event(Sent(machine, event, time_ns, fields or {}, id, source, sequence))
        return self._committing.ask(self._machines.take, self._journal, *given)

    def submit_all(self, events: Sequence[Sent]) -> Future[list[Step]]:
        """Give many events to machines at once; the future has their steps, in the same order, once all are durable.

        They wait as one, and cost less than each by itself; otherwise as `submit`.
        """
        return self._committing.ask(self._committing.take_all, [self._event(each) for each in events])

    def advance(self, machine: str, time_ns: int) -> Future[Step]:
        """Let time pass for a machine without an event: due timers fire; otherwise as `submit`."""
        name, at = self._with_room(machine, "").name, plain(time_ns)
        return self._committing.ask(self._machines.take, self._journal, name, None, at, {}, self._clock())

    def _event(self, sent: object) -> tuple[Any, ...]:
        """Return what the committing thread gives to a machine; refuse what it must not see.

        INVARIANT: all of it is plain. What is no text or number of Python's own may do anything there, and stop the host.
        """
        machine, event, time_ns, fields, id, source, sequence = plain_sent(sent)
        numbered = None if source is None or sequence is None else Numbered(source, sequence)
        return self._with_room(machine, event).name, event, time_ns, fields, self._clock(), id, numbered

    def _with_room(self, machine: str, event: str) -> Journalled:
        """Return a machine, if there is room for the orders to which an event may lead."""
        machines = self._machines
        member = machines[machine]
        if len(machines.orders) >= self._undelivered and not member.is_book_keeping(event):
            what = f"{len(machines.orders):,} orders wait to be delivered"
            raise Busy(machines.place, what, "send what `outbox()` has, and say so with `delivered(id)`")
        return member

    def delivered(self, order: str) -> Future[bool]:
        """Note that an order of `outbox()` has reached who takes orders; the future says whether that was new.

        Raises:
            Busy, HostError: as `submit`.
        """
        known = plain_text("the id of an order", order)
        return self._committing.ask(self._machines.deliver, self._journal, known, self._clock())

    def snapshot(self, machine: str) -> Future[Snapshot]:
        """Return the state of a machine after all that was submitted before, once that is durable.

        Raises:
            Busy, HostError: as `submit`.
        """
        return self._committing.ask(self._snapshot, self._machines[machine].name)

    def _snapshot(self, machine: str) -> Snapshot:
        return self._machines[machine].snapshot()  # one that has left since is refused

    def add(
        self,
        machine: str,
        compiled: Compiled | Spec,
        *,
        shadow: bool = False,
        pinned: bool = False,
        moved: Departed | None = None,
        migration: Migration | None = None,
    ) -> Future[int]:
        """Take up a new machine, or one that has left a host; the future has the number of its record.

        Args:
            machine: its name; one that comes keeps its own.
            compiled: its spec.
            shadow: whether it sends nothing; one that comes is what it was.
            pinned: whether somebody chose this host for it; of one that comes, its departure says so, and one that comes
                back is what it was here.
            moved: what `remove` gave on the host that it left. Its orders come with their ids, and the ids that it knows.
            migration: how its state becomes that of another program.

        Raises:
            Busy, HostError: as `submit`; (HR872) there is one of this name, it is no name, or one of this name has left
                and this is not it; of one that comes also (HR873) it ran another program, (HR875) the migration does not
                lead there, (HR877) it has been here since, or left another host halted and this one is not. The last may
                be in the future.
        """
        compiled = compiled_of(compiled)
        machines, committing = self._machines, self._committing
        if moved is None:
            member = Journalled(machine, compiled, shadow=bool(shadow))
            member.pinned = bool(pinned)
        elif moved.machine != machine:
            help = "give it the name that it had: its orders have ids with that"
            raise immovable(machines.place, f"`{machine[:80]}` is not `{moved.machine}`, which left", help)
        else:
            member = arrival(machines, machine, compiled, moved.state, migration)
        with self._adding:  # two threads may choose one name
            if machine in machines.members or machine in self._coming or not MACHINE_NAME.fullmatch(machine):
                raise machines.taken(machine)
            if moved is None and machine in machines.left:
                what = f"a machine `{machine}` has left this host, at record {machines.left[machine].record:,}"
                help = "give what left, `moved=host.departed(machine).result()`, or choose another name"
                raise HostError("HR872", what, machines.place, help)
            coming = committing.ask(self._take_up, member, moved, migration)
            self._coming.add(machine)
        coming.add_done_callback(lambda future: self._coming.discard(machine) if future.cancelled() else None)
        return coming

    def _take_up(self, member: Journalled, moved: Departed | None, migration: Migration | None) -> int:
        machines, journal, now = self._machines, self._journal, self._clock()
        try:
            if moved is None:
                return machines.join(journal, member, now)
            return arrive(machines, journal, member, moved, now, migration)
        finally:
            with self._adding:  # who added it holds this until the name is noted
                self._coming.discard(member.name)

    def remove(self, machine: str, *, to: str = "", pinned: bool = False) -> Future[Departed]:
        """Let a machine leave after all that was submitted before; the future has all that another host needs of it.

        From then on it takes nothing here and its orders are not in `outbox()`. What was on its way to it is refused, and
        may be sent to where it is next, with its id.

        Args:
            machine: its name.
            to: where it is said to go, for who reads the journal.
            pinned: whether somebody chose that place for it.

        Raises:
            Busy, HostError: as `submit`; (HR877) in the future: more leaves with it than a record holds, and it stays.
        """
        name, where = self._machines[machine].name, plain_text("a place to go to", to) if to else ""
        return self._committing.ask(self._committing.depart, name, self._clock(), where, bool(pinned))

    def departed(self, machine: str) -> Future[Departed]:
        """Return again what `remove` gave of a machine that has left and is not back, from the journal.

        Raises:
            Busy, HostError: as `submit`; (HR877) in the future: it has not left.
        """
        return self._committing.ask(self._committing.departed, plain_text("the name of a machine", machine))

    def outbox(self) -> tuple[Outgoing, ...]:
        """Return the orders that may leave and are not known to have been delivered, in the order of decision.

        They are durable. One is there until `delivered` is durable too, over restarts: who takes orders must know them by
        their ids, and take each once. While a person holds the orders there are none.
        """
        if self._committing.holds_orders():
            return ()
        # INVARIANT: what is durable only grows, and a dict is copied at once.
        durable = self._journal.durable
        return tuple(each for each in list(self._machines.orders.values()) if each.sequence <= durable)

    @property
    def halted(self) -> bool:
        """Whether a person has halted the machines."""
        return self._machines.halted

    @property
    def recovered(self) -> Recovered:
        """How the machines came back when the host began."""
        return self._recovered

    def close(self) -> None:
        """Finish what waits, keep the state of all machines, add a checkpoint and let go of the journal.

        Raises:
            HostError: (HR870) the host has stopped before, because something failed.
        """
        self._finish()
        if self._committing.failure is not None:
            raise self._committing.stopped()

    def __enter__(self) -> Host:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:  # the error on its way says more than that of closing
            self._finish()


def _leave(host: Host) -> None:
    host._committing.leave()


_OPEN = left_in_forks(_leave)


class _Compiled(Mapping[str, Compiled]):
    """Specs by the names of machines, compiled when they are first asked for."""

    def __init__(self, *given: Mapping[str, Compiled | Spec]) -> None:
        self._given = given
        self._found: dict[str, Compiled] = {}

    def __contains__(self, name: object) -> bool:
        return any(name in each for each in self._given)

    def __getitem__(self, name: str) -> Compiled:
        if name not in self._found:
            spec = next((each[name] for each in self._given if name in each), None)
            if spec is None:
                raise KeyError(name)
            self._found[name] = compiled_of(spec)
        return self._found[name]

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys(name for each in self._given for name in each))

    def __len__(self) -> int:
        return sum(1 for _ in self)
