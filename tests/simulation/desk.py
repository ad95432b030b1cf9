"""A process: it opens the host, gives it what comes, sends what it decides, dies, and comes back.

There is no thread. What is asked waits until the desk takes a turn, a virtual while later. Who asked is told the answer only
then, and only if the process has outlived the turn.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from functools import cache, partial
from random import Random
from typing import Any, NamedTuple
from unittest.mock import patch

from hedgerow.engine.host import journalled
from hedgerow.engine.host.encoding import encoder
from hedgerow.engine.host.host import Host
from hedgerow.engine.host.problem import Busy, HostError
from hedgerow.engine.journal import sqlite
from hedgerow.engine.journal.keys import Signer
from hedgerow.engine.journal.problem import JournalError
from hedgerow.engine.journal.sqlite import SqliteStore

from .auditor import Auditor, Lost
from .bus import Bus
from .clock import MINUTE, SECOND, Clock
from .disk import Disk
from .lane import StopLane
from .specs import COUNTING, MODELLED, SHADOW, WITH_PEOPLE, compiled, migration, version
from .trace import BrokenPromise, Trace
from .venue import Execution, Venue

__all__ = ["Desk", "Settings", "SimulatedHost"]

JOURNAL = "desk.journal"
_encoder = cache(encoder)
"""Made once for each event of a machine, where a process would make it at each start."""


class SimulatedHost(Host):
    """A host without a thread: who has it takes its turns."""

    def _start(self) -> None:
        pass

    def _finish(self) -> None:
        self._committing.stop()
        while self._committing.turn(0):
            pass


class Settings(NamedTuple):
    """How a host of this world is set up."""

    log_pages: int
    waiting: int
    undelivered: int
    group: int
    remembered: int
    state_every: int
    signer: Signer | None
    flatten: dict[str, str]
    synchronous: str = "FULL"


class Desk:
    """One host after another, on one disk.

    Attributes:
        host: the one that runs; None while there is none.
        suspect: whether the disk may have lied since all of it was read; what it says may then be wrong, and must not be
            believed.
        slow: nanoseconds that a commit takes besides.
        added: machines that it has been asked to take up.
        version: of the spec that `COUNTING` is given with.
        venue, lane, auditor: who belongs to the journal; with a new one, others do.
    """

    def __init__(
        self,
        clock: Clock,
        rng: Random,
        bus: Bus,
        trace: Trace,
        disk: Disk,
        settings: Settings,
        *,
        told: Callable[[str], None],
        proposed: Callable[[int], None],
    ) -> None:
        """Stand before the first process; `told` hears of damage, `proposed` the numbers of what waits for people."""
        self._clock, self._rng, self._bus, self._trace = clock, rng, bus, trace
        self.disk, self.settings = disk, settings
        self._told, self._proposed = told, proposed
        self.lane: StopLane
        self.venue: Venue
        self.auditor = Auditor(trace, settings.remembered)
        self.host: SimulatedHost | None = None
        self.suspect = False
        self.slow = 0.0
        self.added: list[str] = []
        self.version = 0
        self._life = 0
        """Which process it is, so that what was planned for one before is nobody's."""
        self._asked: list[tuple[Future[Any], Callable[[Any], None]]] = []
        self._turning = False
        self._sending: set[str] = set()
        self._expected: dict[str, int] = {}
        self._excuse = 0
        """How many faults there were when the process began."""

    @property
    def busy(self) -> bool:
        """Whether something was asked that is not answered."""
        return bool(self._asked)

    # -------------------------------------------------------------------------------------------------------- the life

    def begin(self) -> None:
        """Open the host; after a fault, try again."""
        if self.host is not None:
            return
        rebooted = self.disk.gone == "power"
        if self.disk.gone is not None:
            self._came_back()
        faults = self.disk.faults.total()
        try:
            host = self._opened()
        except (JournalError, HostError) as error:
            self._trace.add("not opened", error.code)
            if self.disk.gone is not None:
                self._trace.counts[self.disk.gone] += 1
                self._again()
            elif self.disk.faults.total() > faults or self.disk.full:
                self._again()
            elif self.suspect:
                self._trace.counts["damage told"] += 1
                self._told(f"{error.code}: {error.message}")
            else:
                raise BrokenPromise(f"the host does not come back: {error}") from error
            return
        if self.disk.gone is not None:
            # The power went with the last thing that opening has done, which nobody asked about.
            self._leave(host)
            self._again()
            return
        self._excuse, self._sending, self._expected = self.disk.faults.total(), set(), {}
        self.host = host
        self._trace.add("opened", f"{host.recovered.since} {host.recovered.repeated} {host._journal.head.hex()[:16]}")
        self.look(whole=self.suspect or self._rng.random() < 0.25)
        if self.host is None:
            return
        if rebooted:
            self.suspect = False  # all that the platter has was read, and is right
        self._soon()

    def _opened(self) -> SimulatedHost:
        settings = self.settings
        with patch.object(sqlite, "_LOG_PAGES", settings.log_pages):
            store = SqliteStore(self.disk.folder / JOURNAL, write=True, vfs=self.disk.vfs)
        store.place = JOURNAL  # the name of a folder is no part of a history
        store._connected.execute(f"PRAGMA wal_autocheckpoint={settings.log_pages}")
        store._connected.execute(f"PRAGMA synchronous={settings.synchronous}")
        known = compiled()
        names = ["desk", "lively", SHADOW, COUNTING, WITH_PEOPLE, MODELLED, *self.added]
        with patch.object(journalled, "encoder", _encoder):
            return SimulatedHost(
                store,
                {name: known[name] for name in names} | {COUNTING: version(self.version)},
                shadow={SHADOW},
                migrations=[migration(self.version)],
                before={COUNTING: version(1 - self.version)},
                signer=settings.signer,
                lane=self.lane,
                flatten=settings.flatten,
                waiting=settings.waiting,
                undelivered=settings.undelivered,
                group=settings.group,
                remembered=settings.remembered,
                state_every=settings.state_every,
                clock=self._clock,
            )

    def look(self, *, whole: bool) -> None:
        """Let the auditor look at a host that has just come, or that has nothing to do."""
        assert self.host is not None
        with self.disk.quiet():
            try:
                self.auditor.check(self.host, self.venue, whole=whole)
            except (JournalError, Lost) as error:
                # A disk that lies may lose what was acknowledged. What it may not do is to have something else believed.
                if not self.suspect:
                    raise BrokenPromise(str(error)) from error
                self._trace.counts["tails lost" if isinstance(error, Lost) else "damage told"] += 1
                self._told(str(error))
                return
        self._trace.add("looked", f"{self.auditor.seen} {self.auditor.head.hex()[:16]}")

    def abandon(self) -> None:
        """Let go of a host that nobody may believe any more."""
        host, self.host = self.host, None
        self._life += 1
        self._asked, self._turning = [], False
        self.disk.die("kill")
        if host is not None:
            self._leave(host)

    def ask_all(self) -> None:
        """Ask for the state of every machine, as anybody may, of a host that has nothing else to do."""
        host = self.host
        assert host is not None
        for name, twin in self.auditor.twins.items():
            state = host.snapshot(name)
            host._committing.turn(0)
            if state.result(0) != twin.snapshot():
                raise BrokenPromise(f"`{name}` is not where its uncrashed twin is")

    def kill(self, how: str) -> None:
        """End the process, at once."""
        self.disk.die("power" if how == "power" else "kill")
        self._die()

    def stop(self) -> None:
        """Close the host as its service does, and leave nobody behind."""
        host, self.host = self.host, None
        if host is None:
            return
        self._life += 1
        asked, self._asked = self._asked, []
        self._turning = False
        try:
            host.close()
        except HostError as error:
            self._trace.add("not closed", error.message)
        else:
            self._trace.add("closed")
        if self.disk.gone is None:
            self._settle(asked)

    def _die(self) -> None:
        host, self.host = self.host, None
        self._life += 1
        self._asked, self._turning = [], False
        if host is not None:
            self._leave(host)
        self._trace.add("died", self.disk.gone)
        self._again()

    def _leave(self, host: SimulatedHost) -> None:
        """Let go of what a dead process had, without a word to its disk."""
        host._journal.store.close()

    def _came_back(self) -> None:
        if self.disk.gone == "power":
            self.lane.forget(self._rng)
        self.disk.come_back()

    def _again(self) -> None:
        life = self._life
        self._clock.after(self._rng.choice((1, 5, 60, 1200)) * SECOND, lambda: life == self._life and self.begin())

    # ------------------------------------------------------------------------------------------------------- the turns

    def ask(self, ask: Callable[[SimulatedHost], Future[Any]], then: Callable[[Any], None]) -> None:
        """Ask the host for something; nothing comes of it where there is none, where it has too much to do, or dies."""
        host = self.host
        if host is None:
            return
        try:
            future = ask(host)
        except Busy as error:
            self._trace.counts["busy"] += 1
            many, orders = len(self._asked), len(host._machines.orders)
            if "may wait to be journalled" in error.message:
                true = many >= self.settings.waiting
            else:
                true = orders >= self.settings.undelivered
            if not true:
                raise BrokenPromise(f"it is busy with {many} asked and {orders} orders: {error.message}") from error
        except HostError as error:
            if error.code != "HR872":
                raise BrokenPromise(f"it takes no more, and nobody has stopped it: {error}") from error
            self._trace.counts["for nobody"] += 1
        else:
            if len(self._asked) >= self.settings.waiting:
                raise BrokenPromise(f"{len(self._asked) + 1} wait, and it takes {self.settings.waiting}")
            self._asked.append((future, then))
            self._soon()

    def submit(
        self,
        machine: str,
        event: str,
        time_ns: int | None,
        fields: dict[str, Any],
        id: str | None,
        then: Callable[[Any], None],
    ) -> None:
        """Give an event to a machine, at its time or at that of its arrival."""

        def settled(step: Any) -> None:
            if id is not None:
                self.auditor.acknowledged(machine, id, step)
            for each in step.approvals:
                if each.outcome == "asked":
                    self._proposed(each.number)
            then(step)

        at = self._clock.now if time_ns is None else time_ns
        self.ask(lambda host: host.submit(machine, event, at, fields, id=id), settled)

    def _soon(self) -> None:
        if not self._turning and self.host is not None:
            self._turning = True
            self._clock.after(self._rng.uniform(0.001, 0.05) * SECOND + self.slow, self._turn, self._life)

    def look_at_lane(self) -> None:
        self._soon()

    def _turn(self, life: int) -> None:
        host = self.host
        if life != self._life or host is None:
            return
        self._turning = False
        host._committing.turn(0)
        self._trace.counts["commits"] += 1
        if self.disk.gone is not None:
            self._die()
            return
        why = host._committing.failure
        if why is not None:
            self._failed(host, why)
            return
        answered = [each for each in self._asked if each[0].done()]
        self._asked = [each for each in self._asked if not each[0].done()]
        self._settle(answered)
        self._send()
        if self._asked:
            self._soon()

    def _settle(self, answered: list[tuple[Future[Any], Callable[[Any], None]]]) -> None:
        for future, then in answered:
            if future.exception() is None:
                then(future.result())

    def _failed(self, host: SimulatedHost, why: str) -> None:
        """Let a host that has stopped be opened again, if something was there to stop it."""
        self._trace.add("stopped", why)
        answered = self._asked
        self.host, self._asked = None, []
        self._life += 1
        self._settle([each for each in answered if each[0].done()])
        if host.outbox():
            raise BrokenPromise("a host that has stopped gives orders away")
        if self.disk.faults.total() == self._excuse and not self.disk.full and not self.suspect:
            raise BrokenPromise(f"the host has stopped, and nothing was wrong: {why}")
        if self._rng.random() < 0.3:
            self.disk.die(self._rng.choice(("kill", "power")))
        self._again()

    # ------------------------------------------------------------------------------------------------------ the orders

    def _send(self) -> None:
        """Send the orders that may leave, until somebody has them."""
        assert self.host is not None
        for each in self.host.outbox():
            if each.id not in self._sending:
                self._sending.add(each.id)
                self._send_one(each, self._life, 30 * SECOND)

    def _send_one(self, each: Any, life: int, wait: float) -> None:
        host = self.host
        if life != self._life or host is None:
            return
        if all(one.id != each.id for one in host.outbox()):
            self._sending.discard(each.id)
            return
        if self.lane.halted:
            raise BrokenPromise(f"{each.id} leaves while people have halted the machines")
        answer = partial(self._delivered, self.venue)
        self._bus.send("host to venue", self.venue.take, each.id, each.machine, each.order, answer)
        self._clock.after(wait, self._send_one, each, life, min(2 * wait, 20 * MINUTE))

    def _delivered(self, venue: Venue, order: str) -> None:
        if venue is not self.venue:
            return  # it has been closed since, and another order may have that id

        def noted(new: bool) -> None:
            self._sending.discard(order)
            self.auditor.noted(order)

        self.ask(lambda host: host.delivered(order), noted)

    def executed(self, said: Execution) -> None:
        """Take what became of an order, in the order in which it became so."""
        if self.host is None or said.venue is not self.venue:
            return
        expected = max(self._expected.get(said.order, 0), said.base)
        if said.number > expected:
            return  # something is missing before it, and is said again
        if said.number < expected:
            self.venue.heard(said.order, said.number)
            return

        def known(step: Any) -> None:
            if step.rejected is not None and not step.rejected.startswith("a duplicate"):
                raise BrokenPromise(f"what became of {said.order} is refused: {step.rejected}")
            self._expected[said.order] = max(self._expected.get(said.order, 0), said.number + 1)
            self._bus.send("host to venue", self.venue.heard, said.order, said.number)

        self.submit(said.machine, said.event, None, said.fields, f"{said.order}:{said.number}", known)
