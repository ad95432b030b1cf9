"""Hosts that are killed: `python tests/crashes.py --kills 500 --seed 1 [--url postgresql://…]` tells what it saw.

A process runs a host under load (host_process.py) and is killed with SIGKILL at a random moment: while it opens its journal
and its machines come back, while it takes events, or while it closes. After each kill the journal is verified, held to all
that was acknowledged by any process so far, and to machines that were never killed. A verification reads all of a journal,
so that many kills go to several journals.
"""

from __future__ import annotations

import argparse
import json
import mmap
import subprocess
import sys
import tempfile
import uuid
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import count
from pathlib import Path
from random import Random
from statistics import median
from threading import Timer
from typing import Any

from host_process import ABOUT, MACHINES, SECOND, SPEC, passed, price

import hedgerow
from hedgerow.engine.host.host import Host
from hedgerow.engine.host.machines import Machines
from hedgerow.engine.host.recovery import rebuild
from hedgerow.engine.host.replaying import replay
from hedgerow.engine.journal.canonical import canonical, value_of
from hedgerow.engine.journal.chain import records_since
from hedgerow.engine.journal.kinds import Kind
from hedgerow.engine.journal.opening import open_store
from hedgerow.engine.journal.problem import JournalError
from hedgerow.engine.journal.store import Store
from hedgerow.engine.journal.verify import verify

__all__ = ["Figures", "kill_hosts"]

PER_JOURNAL = 20
"""So many kills go to one journal."""
WHEN = {"opening": 0.06, "open": 0.3, "commit": 0.3, "closing": 0.01}
"""What a process tells before the time until its kill begins to run, and how many seconds that is at most. For `commit` it
tells `open`, and is then killed in the next commit.
"""
LOOKS = 1_000_000
"""So often it is looked whether a process is in a commit, at most."""


@dataclass
class Figures:
    """What was seen of processes that were killed.

    Fields:
        kills: how many were.
        about: what each was about, by `host_process.ABOUT`.
        events: how many events, and passings of time, were acknowledged and found again.
        refused: how many that had been sent before were acknowledged as refused.
        orders: how many were decided, each of which the venue knows once.
        again: how many of these were handed to the venue more than once, under the same id.
        records: of all journals in the end.
        repeated: of each host that opened a journal that held something, the events that it repeated.
        seconds: of each of these, how long it took to open.
    """

    kills: int = 0
    about: Counter[str] = field(default_factory=Counter)
    events: int = 0
    refused: int = 0
    orders: int = 0
    again: int = 0
    records: int = 0
    repeated: list[int] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    def __str__(self) -> str:
        rows = [
            ("kills", f"{self.kills:,}"),
            *(
                (f"while {each}" if each != "nothing" else "after it had closed", f"{self.about[each]:,}")
                for each in ABOUT[1:] + ABOUT[:1]
            ),
            ("events acknowledged, all found again", f"{self.events:,}"),
            ("events sent again, refused as duplicates", f"{self.refused:,}"),
            ("orders, each at the venue once by its id", f"{self.orders:,}"),
            ("orders handed over again under the same id", f"{self.again:,}"),
            ("records verified", f"{self.records:,}"),
            ("events repeated at recovery, median and most", f"{median(self.repeated):,.0f}, {max(self.repeated):,}"),
            (
                "seconds to open, median and most",
                f"{median(self.seconds):.3f}, {max(self.seconds):.3f}",
            ),
        ]
        return "\n".join(f"{what:<46}{found:>16}" for what, found in rows)


@dataclass
class Acknowledged:
    """What the processes of a journal were told: the ticks of each machine, the times it was let pass to, deliveries."""

    ticks: dict[str, set[int]] = field(default_factory=lambda: defaultdict(set))
    times: dict[str, set[int]] = field(default_factory=lambda: defaultdict(set))
    delivered: set[str] = field(default_factory=set)


class Processes:
    """Host processes on one journal after the other; the next one gets ready while one runs."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._number = folder, count()
        self._spare: tuple[subprocess.Popen[str], Path] | None = None

    def __enter__(self) -> Processes:
        return self

    def __exit__(self, *_: object) -> None:
        if self._spare is not None:
            self._spare[0].kill()
            self._spare[0].communicate()

    def start(self, place: str, venue: Path) -> tuple[subprocess.Popen[str], Path]:
        mark = self._folder / f"mark-{next(self._number)}"
        mark.write_bytes(b"\0")
        command = [sys.executable, str(Path(__file__).with_name("host_process.py")), place, str(venue), str(mark)]
        pipe = subprocess.PIPE
        return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True), mark

    def next(self, place: str, venue: Path, *, last: bool) -> tuple[subprocess.Popen[str], Path]:
        process = self._spare or self.start(place, venue)
        self._spare = None if last else self.start(place, venue)
        return process


def kill_hosts(folder: Path, kills: int, seed: int, url: str | None = None) -> Figures:
    """Kill so many hosts, and hold what they leave to what they promised.

    Args:
        folder: where journals and venues are made.
        kills: how many.
        seed: of the moments, and of what the processes send.
        url: a PostgreSQL server; None is files.
    """
    figures, chance = Figures(), Random(seed)
    for first in range(0, kills, PER_JOURNAL):
        here = folder / f"{first}"
        here.mkdir()
        with _Place(here, url) as place:
            _kill_at(place, here, min(PER_JOURNAL, kills - first), chance, figures)
    return figures


class _Place:
    """The place of a new journal; on a server it is taken away again."""

    def __init__(self, folder: Path, url: str | None) -> None:
        self._table = None if url is None else f"crash_{uuid.uuid4().hex}"
        self._place = str(folder / "desk.journal") if url is None else f"{url}?journal={self._table}"
        self._url = url

    def __enter__(self) -> str:
        return self._place

    def __exit__(self, *_: object) -> None:
        if self._table is not None and self._url is not None:
            from journals import drop

            drop(self._table, self._url)


def _kill_at(place: str, folder: Path, kills: int, chance: Random, figures: Figures) -> None:
    venue, told = folder / "venue", Acknowledged()
    venue.touch()
    following = dict.fromkeys(MACHINES, 0)
    with Processes(folder) as processes:
        for kill in range(kills):
            process, mark = processes.next(place, venue, last=kill + 1 == kills)
            # Some of what is durable is sent again, as a sender does that has had no answer.
            first = {machine: max(0, number - chance.randrange(30)) for machine, number in following.items()}
            when = chance.choices(tuple(WHEN), (2, 3, 3, 2))[0]
            many = chance.randrange(20, 120) if when == "closing" else 10**9
            asked = json.dumps({"first": first, "count": many, "seed": chance.randrange(2**32)})
            _take_up(_killed(process, mark, asked, when, WHEN[when] * chance.random()), told, figures)
            figures.kills += 1
            figures.about[ABOUT[mark.read_bytes()[0]]] += 1
            mark.unlink()
            following = _check(place, told)
    _check_orders(place, venue, told, figures)
    figures.events += sum(map(len, (*told.ticks.values(), *told.times.values())))


def _killed(process: subprocess.Popen[str], mark: Path, asked: str, when: str, seconds: float) -> list[str]:
    """Let a process do what is asked, kill it so long after it has told something, and return all that it told."""
    assert process.stdin is not None and process.stdout is not None
    lines = [process.stdout.readline()]
    process.stdin.write(asked + "\n")
    process.stdin.flush()
    word = "open" if when == "commit" else when
    while lines[-1] and lines[-1].split()[0] != word:
        lines.append(process.stdout.readline())
    timer = Timer(seconds, _kill, (process, mark if when == "commit" else None))
    timer.start()
    rest, errors = process.communicate()
    timer.join()
    assert errors == "", errors
    # The last line is whole: a process writes each by one call.
    return [*(line.rstrip("\n") for line in lines), *rest.splitlines()]


def _kill(process: subprocess.Popen[str], mark: Path | None) -> None:
    """Kill a process, where it has a mark as soon as it is in a commit."""
    if mark is not None:
        with mark.open("rb") as file, mmap.mmap(file.fileno(), 1, access=mmap.ACCESS_READ) as about:
            any(ABOUT[about[0]] in ("committing", "keeping the state") for _ in range(LOOKS))
    process.kill()


def _take_up(lines: list[str], told: Acknowledged, figures: Figures) -> None:
    for line in lines:
        match line.split():
            case ["open", repeated, seconds]:
                figures.repeated.append(int(repeated))
                figures.seconds.append(float(seconds))
            case ["taken", machine, what] if what.endswith("ns"):
                told.times[machine].add(int(what.removesuffix("ns")))
            case ["taken", machine, what]:
                told.ticks[machine].add(int(what))
            case ["refused", machine, what]:
                figures.refused += 1
                if not what.endswith("ns"):  # it is there, from another process that had no time to tell
                    told.ticks[machine].add(int(what))
            case ["delivered", order]:
                told.delivered.add(order)


def _bodies(store: Store, *kinds: Kind) -> Iterator[tuple[int, Any]]:
    return ((each.sequence, value_of(each.payload)) for each in records_since(store) if each.kind in kinds)


def _check(place: str, told: Acknowledged) -> dict[str, int]:
    """Hold a journal to what was acknowledged and to machines that were never killed; return what comes next for each."""
    try:
        store = open_store(place)
    except JournalError as error:
        if error.code != "HR860" or told.ticks:
            raise
        # A process that was killed before it had made a journal has acknowledged nothing.
        return dict.fromkeys(MACHINES, 0)
    try:
        if store.last() is None:
            assert not told.ticks
            return dict.fromkeys(MACHINES, 0)
        assert verify(store).holds
        compiled = hedgerow.load(SPEC).compile()
        twins = {machine: compiled.machine() for machine in MACHINES}
        ticks: dict[str, list[int]] = {machine: [] for machine in MACHINES}
        times: dict[str, set[int]] = defaultdict(set)
        for _, body in _bodies(store, Kind.EVENT, Kind.REFUSAL):
            machine = body["machine"]
            if "reason" in body:
                # What was sent twice is known by its id, or a passing of time by its time: it lies before the last event.
                if body.get("told"):
                    twins[machine].refuse(body["reason"])
            elif "name" in body:
                number = int(body["id"].removeprefix("t-"))
                assert body["fields"] == {"price": price(machine, number)}
                assert body["time_ns"] == number * SECOND
                ticks[machine].append(number)
                twins[machine].send("tick", body["time_ns"], **body["fields"])
            else:
                assert body["time_ns"] == passed(body["time_ns"] // SECOND)
                times[machine].add(body["time_ns"])
                twins[machine].advance(body["time_ns"])
        for machine in MACHINES:
            # Each once, in the order in which it was sent, and none is missing between two others.
            assert ticks[machine] == list(range(len(ticks[machine])))
            assert told.ticks[machine] <= set(ticks[machine])
            assert told.times[machine] <= times[machine]
        delivered = [body["order"] for _, body in _bodies(store, Kind.DELIVERY)]
        assert len(delivered) == len(set(delivered))
        assert told.delivered <= set(delivered)
        _check_states(store, compiled, twins)
        return {machine: len(numbers) for machine, numbers in ticks.items()}
    finally:
        store.close()


def _check_states(store: Store, compiled: Any, twins: dict[str, Any]) -> None:
    """Hold machines that come back, from the last state and from the first record, to those that were never killed."""
    specs = dict.fromkeys(MACHINES, compiled)
    fresh = Machines(store.place)
    replay(fresh, records_since(store), specs)
    for found in (rebuild(store, specs).machines, fresh):
        for machine, member in found.members.items():
            assert _hash(member.snapshot()) == _hash(twins[machine].snapshot())


def _hash(snapshot: Any) -> str:
    return sha256(canonical(snapshot.members())).hexdigest()


def _check_orders(place: str, venue: Path, told: Acknowledged, figures: Figures) -> None:
    """Hold the venue to the orders that were decided: none is lost, none made up, and each id is one order."""
    compiled = hedgerow.load(SPEC).compile()
    with Host(place, dict.fromkeys(MACHINES, compiled)) as host:
        left = {each.id: (each.order.leg, repr(each.order.quantity)) for each in host.outbox()}
    handed = [line.split() for line in venue.read_text().splitlines()]
    once = {id: (leg, quantity) for id, leg, quantity in handed}
    # What came more than once is the same order each time: a venue that knows it by its id takes it once.
    assert all(once[id] == (leg, quantity) for id, leg, quantity in handed)
    store = open_store(place)
    machine_of = {sequence: body["machine"] for sequence, body in _bodies(store, Kind.EVENT)}
    decided = {
        f"{machine_of[body['of']]}-{body['of']}-{index}": (order["leg"], repr(order["quantity"]))
        for _, body in _bodies(store, Kind.STEP)
        for index, order in enumerate(body.get("orders", ()))
    }
    delivered = {body["order"] for _, body in _bodies(store, Kind.DELIVERY)}
    figures.records += verify(store).records
    store.close()
    # Neither lost nor made up: every order was handed over or is there to be, and what is noted was handed over.
    assert decided.keys() == once.keys() | left.keys()
    assert once.items() | left.items() == decided.items()
    assert told.delivered <= delivered == decided.keys() - left.keys() <= once.keys()
    figures.orders += len(decided)
    figures.again += len(handed) - len(once)


def main() -> None:
    parser = argparse.ArgumentParser(description="Kill hosts, and hold what they leave to what they promised.")
    parser.add_argument("--kills", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--url", help="a PostgreSQL server, as in postgresql://postgres@127.0.0.1:5432/postgres")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        figures = kill_hosts(Path(folder), asked.kills, asked.seed, asked.url)
    sys.stdout.write(f"{figures}\n")


if __name__ == "__main__":
    main()
