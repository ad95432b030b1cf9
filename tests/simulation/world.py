"""All of it for so many virtual hours: what comes, what breaks, and every few days a quiet time in which all must agree.

A world is one seed. Most worlds have an honest disk, which forgets, fails and fills up. In the others it lies too: writes
land elsewhere, and bits flip. There the promise is another, that nothing wrong is ever believed: either the journal is as it
was acknowledged, or it is told that it is not. Then who runs the desk goes back to a copy, or begins a new journal.
"""

from __future__ import annotations

import time
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hedgerow.engine.control.acts import Act
from hedgerow.engine.journal.keys import Signer

from .auditor import Auditor
from .bus import Bus
from .chance import stream
from .clock import HOUR, MINUTE, SECOND, Clock
from .desk import Desk, Settings
from .disk import Disk
from .lane import StopLane
from .models import draw_from
from .sender import Sender
from .specs import COUNTING, FILLED, LATER, MODELLED, SHADOW, WITH_PEOPLE, compiled
from .trace import BrokenPromise, Trace
from .venue import Venue

__all__ = ["Outcome", "World", "run"]

TICKED = (*FILLED, SHADOW, WITH_PEOPLE)
_WRONG = (("tick", {"price": float("nan")}), ("tick", {"price": -1.0}), ("tick", {}))
LIVE_WITHIN = 8
"""Hours within which all that is under way must have come to its end, once nothing breaks any more."""


@dataclass(frozen=True)
class Outcome:
    """What became of a world.

    Fields:
        seed, asked, lies: what it was, for how many hours it was to run, and whether its disk lies.
        hours: how many it has run.
        broken: the promise that was; None where all were kept.
        trace: the hash of its history.
        counts: how often what has happened.
        seconds: real ones, of one core.
    """

    seed: int
    asked: float
    lies: bool
    hours: float
    broken: str | None
    trace: str
    counts: Counter[str]
    seconds: float

    def __str__(self) -> str:
        if self.broken is None:
            return f"seed {self.seed}: {self.hours:,.0f} hours, every promise kept"
        disk = "lies" if self.lies else "honest"
        again = f"python tests/simulate.py --seed {self.seed} --hours {self.asked:g} --{disk} --trace"
        return f"seed {self.seed}, after {self.hours:,.1f} hours: {self.broken}\nagain, and told: {again}"


class World:
    """Everything that a seed decides."""

    def __init__(
        self,
        seed: int,
        *,
        tell: Callable[[str], None] | None = None,
        synchronous: str = "FULL",
        lies: bool | None = None,
    ) -> None:
        self.seed = seed
        self.clock = Clock()
        self.trace = Trace(self.clock, tell)
        draws = stream(seed, "world")
        self.lies = draws.random() < 0.3 if lies is None else lies
        settings = Settings(
            log_pages=draws.choice((16, 48, 128, 1000)),
            waiting=draws.choice((4, 16, 1000)),
            undelivered=draws.choice((4, 10_000)),
            group=draws.choice((1, 3, 1024)),
            remembered=draws.choice((2_000, 65_536)),
            state_every=draws.choice((10, 100, 1_000)),
            signer=Signer(Ed25519PrivateKey.from_private_bytes(bytes([7]) * 32)) if draws.random() < 0.5 else None,
            flatten={"desk": "manual_exit"} if draws.random() < 0.2 else {},
            synchronous=synchronous,
        )
        self.trace.add("world", f"lies {self.lies} {settings._replace(signer=None)}")
        self.disk = Disk(stream(seed, "disk"))
        self.bus = Bus(self.clock, stream(seed, "bus"), self.trace)
        self.desk = Desk(
            self.clock,
            stream(seed, "desk"),
            self.bus,
            self.trace,
            self.disk,
            settings,
            told=self._told,
            proposed=self._propose,
        )
        self.lane = self.desk.lane = StopLane()
        self._sessions = 0
        self._open_venue()
        self.sender = Sender(self.clock, stream(seed, "sender"))
        self._feed, self._trouble, self._people = (stream(seed, name) for name in ("feed", "trouble", "people"))
        self._troubled = stream(seed, "lies")
        self._versions = stream(seed, "versions")
        draw_from(stream(seed, "models"))
        self._prices = dict.fromkeys(TICKED, 0.0)
        self._numbers: Counter[str] = Counter()
        self._notes: list[tuple[str, int, dict[str, Any], str]] = []
        self._later: list[str] = list(LATER)
        self._joined: list[str] = [COUNTING, MODELLED]
        self._resting = False
        self._backup: tuple[dict[str, bytes], list[str], list[str]] | None = None

    # --------------------------------------------------------------------------------------------------------- running

    def run(self, hours: float) -> None:
        """Go on for so many hours.

        Raises:
            BrokenPromise: a host has not kept its word.
        """
        end = self.clock.now + int(hours * HOUR)
        self.desk.begin()
        self._plan()
        while self.clock.now < end:
            self.clock.run(min(end, self.clock.now + int(self._trouble.uniform(30, 90) * HOUR)))
            self._rest()
        self.trace.add("platter", self.disk.hash)
        self.desk.stop()
        self.trace.add("end", self.disk.faults.total())

    def _plan(self) -> None:
        def again(rng: Random, hours: float, action: Callable[[], None]) -> None:
            def act() -> None:
                if not self._resting:
                    action()
                self.clock.after(rng.expovariate(1 / hours) * HOUR, act)

            self.clock.after(rng.expovariate(1 / hours) * HOUR, act)

        for machine in TICKED:
            again(self._feed, 0.8, lambda machine=machine: self._tick(machine))
        again(self._feed, 0.5, self._note)
        again(self._feed, 3.0, self._pass_time)
        again(self._people, 15.0, self._say)
        again(self._people, 60.0, self._add)
        again(self._people, 20.0, self._resume)
        again(self._trouble, 8.0, self._break)
        if self.lies:
            again(self._troubled, 12.0, self._lie)

    def _rest(self) -> None:
        """Let nothing break until all that is under way has come to its end, and hold everything to everything."""
        self._resting = self.bus.calm = True
        self.disk.calm()
        self.desk.slow = 0.0
        if self.desk.suspect:
            self.desk.kill("power")  # so that what the platter has is what is read
        if self.lane.halted:
            self._act("release")
        if not self.clock.run(self.clock.now + LIVE_WITHIN * HOUR, self._is_quiet):
            raise BrokenPromise(f"after {LIVE_WITHIN} hours in which nothing broke, {self._unquiet()}")
        self.desk.look(whole=True)
        if self.desk.host is not None:
            self.desk.ask_all()
            self.desk.auditor.check_quiet(self.desk.venue, self.lane)
            self.trace.add("quiet", f"{self.desk.venue.books.get(('lively', 'long'))}")
            if self._trouble.random() < 0.4:
                self.desk.stop()
                self._backup = self.disk.copy(), list(self.desk.added), list(self._joined)
                self.desk.begin()
        self._resting = self.bus.calm = False

    def _is_quiet(self) -> bool:
        return self._unquiet() is None

    def _unquiet(self) -> str | None:
        desk = self.desk
        if desk.host is None:
            return "the host has not come back"
        if desk.busy:
            return "what was asked is not answered"
        if self.sender.waiting or desk.venue.sender.waiting or desk.venue.working:
            return f"not everything is acknowledged: {[*self.sender.waiting, *desk.venue.sender.waiting]}"
        if self.lane.pending() is not None or desk.host._machines.orders:
            return f"{[*desk.host._machines.orders]} wait to be sent"
        return None

    # ------------------------------------------------------------------------------------------------------ what comes

    def _tell(self, machine: str, event: str, time_ns: int | None, fields: dict[str, Any], id: str) -> None:
        """Say something to a machine until it is acknowledged."""

        def then(step: Any) -> None:
            if step.rejected != "the machines are halted":
                self.bus.send("host to feed", self.sender.heard, id)

        def send() -> None:
            self.bus.send("feed to host", self.desk.submit, machine, event, time_ns, fields, id, then)

        self.sender.say(id, send)

    def _tick(self, machine: str) -> None:
        rng = self._feed
        at = self._prices[machine] = 0.97 * self._prices[machine] + rng.gauss(0, 0.005)
        self._numbers[machine] += 1
        id, fields = f"{machine}:{self._numbers[machine]}", {"price": round(5000.0 * (1 + at), 2)}
        self._tell(machine, "tick", self.clock.now, fields, id)
        self._notes = [*self._notes[-40:], (machine, self.clock.now, fields, id)]
        chance = rng.random()
        if chance < 0.04:  # what came long ago comes again
            again = rng.choice(self._notes)
            self.desk.submit(again[0], "tick", again[1], again[2], again[3], _unheard)
        elif chance < 0.06:  # what nobody can use
            event, wrong = rng.choice((*_WRONG, ("tock", fields)))
            self.desk.submit(machine, event, self.clock.now, wrong, f"{id}:wrong", _unheard)

    def _note(self) -> None:
        machine = self._feed.choice(self._joined)
        self._numbers["note"] += 1
        self._tell(
            machine, "note", None, {"amount": float(self._feed.randrange(1001))}, f"note:{self._numbers['note']}"
        )

    def _pass_time(self) -> None:
        machine = self._feed.choice((*TICKED, *self._joined))
        self.desk.ask(lambda host: host.advance(machine, self.clock.now), _unheard)

    # ---------------------------------------------------------------------------------------------------------- people

    def _act(self, act: str, event: str = "", fields: dict[str, Any] | None = None) -> None:
        self._numbers["act"] += 1
        id, lane = f"act:{self._numbers['act']}", self.lane
        said = Act(self._numbers["act"], act, "anna", "because", self.clock.now, id, event, fields or {})

        def post() -> None:
            if lane is self.lane and lane.post(said):
                self.trace.add("act", f"{id} {act} {event}")
                if self._people.random() < 0.3 and not self._resting:
                    self.disk.arm(self._people.choice(("kill", "power")), self._people.randrange(1, 8), after=False)
                self.desk.look_at_lane()
            self.bus.send("lane to people", self.sender.heard, id)

        self.sender.say(id, lambda: self.bus.send("people to lane", post))

    def _say(self) -> None:
        rng = self._people
        match rng.choice(("halt", "halt", "flatten", "override")):
            case "halt":
                self._act("halt")
                if rng.random() < 0.4:
                    self._act("flatten")
                self.clock.after(rng.choice((0.1, 1.0, 5.0)) * HOUR, self._act, "release")
            case "flatten":
                self._act("flatten")
            case _:
                event, fields = rng.choice((("reset", {}), ("note", {"amount": 950.0}), ("unheard_of", {})))
                self._act("override", event, fields)

    def _resume(self) -> None:
        self._numbers["resume"] += 1
        self._tell("lively", "resume", None, {}, f"resume:{self._numbers['resume']}")

    def _propose(self, number: int) -> None:
        rng = self._people
        by, event = rng.choice(("anna", "ben")), rng.choice(("approve", "approve", "deny"))
        self._numbers["answer"] += 1
        id = f"answer:{self._numbers['answer']}"
        delay = rng.choice((rng.uniform(0, 0.5), rng.uniform(0, 8))) * HOUR
        self.clock.after(delay, self._tell, WITH_PEOPLE, event, None, {"number": number, "by": by}, id)

    def _add(self) -> None:
        if not self._later or self.desk.host is None:
            return
        name = self._later[0]

        def then(record: int) -> None:
            self._joined.append(name)
            self._later.remove(name)
            self.trace.add("added", name)

        def add(host: Any) -> Any:
            future = host.add(name, compiled()[name])
            if name not in self.desk.added:
                self.desk.added.append(name)
            return future

        if name in self.desk.added:  # it was asked for, and the process died: it has come with the next one
            then(0)
        else:
            self.desk.ask(add, then)

    # ----------------------------------------------------------------------------------------------------- what breaks

    def _break(self) -> None:
        rng, desk, disk = self._trouble, self.desk, self.disk
        what = rng.choices(
            ("kill", "power", "armed", "burst", "relapse", "write", "sync", "read", "full", "slow", "part", "restart"),
            (3, 3, 7, 3, 5, 2, 3, 1, 3, 4, 5, 2),
        )[0]
        self.trace.add("trouble", what)
        match what:
            case "kill" | "power":
                desk.kill(what)
                self._change(0.2)
            case "armed":
                self._arm(rng.choice(("kill", "power")), 60)
            case "burst":
                for _ in range(rng.randrange(2, 5)):
                    self._arm(rng.choice(("kill", "power", "kill", "sync")), 40)
                if rng.random() < 0.5:
                    desk.kill(rng.choice(("kill", "power")))
            case "relapse":  # what a dead process left is not what a disk has, and then the power goes
                if rng.random() < 0.5:
                    disk.arm("sync", 1, after=False)
                disk.arm("kill", rng.randrange(1, 12), after=rng.random() < 0.5)
                self.clock.after(rng.uniform(0.5, 2.5) * HOUR, self._reboot)
            case "write" | "sync" | "read":
                self._arm(what, 20)
                if rng.random() < 0.5:
                    self._arm(rng.choice(("kill", "power")), 25)
            case "full":
                disk.full = True
                self.clock.after(rng.uniform(1, 90) * MINUTE, self._make_room)
            case "slow":
                desk.slow = rng.choice((1, 30, 300)) * SECOND
                self.clock.after(rng.uniform(1, 60) * MINUTE, self._be_quick)
            case "part":
                links = ("feed to host", "host to feed", "host to venue", "venue to host", "people to lane")
                self.bus.part(rng.choice(links), rng.choice((60, 1_800, 14_000)))
            case _:
                desk.stop()
                self._change(0.5)
                desk.begin()

    def _change(self, chance: float) -> None:
        """Let the next process come with the other version of a spec, perhaps."""
        if self._versions.random() < chance:
            self.desk.version = 1 - self.desk.version
            self.trace.add("version", self.desk.version)

    def _arm(self, fault: Any, operations: int) -> None:
        self.disk.arm(fault, self._trouble.randrange(1, operations), after=self._trouble.random() < 0.5)

    def _make_room(self) -> None:
        self.disk.full = False

    def _be_quick(self) -> None:
        self.desk.slow = 0.0

    def _lie(self) -> None:
        rng = self._troubled
        self.desk.suspect = True
        if rng.random() < 0.5:
            self.disk.misdirect(rng.randrange(1, 30))
            self.trace.add("trouble", "misdirect")
        else:
            self.trace.add("trouble", f"flip {self.disk.flip()}")
        if rng.random() < 0.7:
            self.clock.after(rng.uniform(0.1, 4) * HOUR, self._reboot)

    def _reboot(self) -> None:
        if not self._resting:
            self.desk.kill("power")

    def _told(self, why: str) -> None:
        """Go back to a copy, or begin a new journal: a venue and a lane begin with it that know nothing of before."""
        self.trace.add("damaged", why)
        self.desk.abandon()
        self.desk.suspect = False
        auditor = Auditor(self.trace, self.desk.settings.remembered)
        back = self._backup if self._trouble.random() < 0.6 else None
        if back is None:
            self.disk.restore({})
            self.desk.added, self._joined, self._later, self._backup = [], [COUNTING, MODELLED], list(LATER), None
        else:
            files, added, joined = back
            self.disk.restore(files)
            self.desk.added, self._joined = list(added), list(joined)
            self._later = [name for name in LATER if name not in joined]
            auditor.begins = True
        self.trace.add("restored", "a copy" if back is not None else "a new journal")
        self.desk.auditor = auditor
        self._open_venue()
        self.lane = self.desk.lane = StopLane()
        self.sender.waiting.clear()  # it may be for machines that there are no more
        self.clock.after(10 * MINUTE, self.desk.begin)

    def _open_venue(self) -> None:
        if self._sessions:
            self.desk.venue.close()
        self._sessions += 1
        rng = stream(self.seed, f"venue {self._sessions}")
        self.desk.venue = Venue(self.clock, rng, self.bus, self.trace, self.desk.executed)


def _unheard(answer: object) -> None:
    """Wait for no answer."""


def _where(error: Exception) -> str:
    place = traceback.extract_tb(error.__traceback__)[-1]
    return f"{Path(place.filename).name}:{place.lineno}"


def run(
    seed: int,
    hours: float,
    *,
    tell: Callable[[str], None] | None = None,
    synchronous: str = "FULL",
    lies: bool | None = None,
) -> Outcome:
    """Run a world and say what became of it."""
    began = time.process_time()
    world = World(seed, tell=tell, synchronous=synchronous, lies=lies)
    broken = None
    try:
        world.run(hours)
    except BrokenPromise as error:
        broken = str(error)
    except Exception as error:  # noqa: BLE001  # whatever leaves a host, its seed must be told
        broken = f"{type(error).__name__} leaves the host: {error}, at {_where(error)}"
    finally:
        world.disk.close()
    if broken is not None:
        world.trace.add("broken", broken)
    counts = world.trace.counts + Counter({f"fault {name}": many for name, many in world.disk.faults.items()})
    return Outcome(
        seed, hours, world.lies, world.clock.hours, broken, world.trace.hash, counts, time.process_time() - began
    )
