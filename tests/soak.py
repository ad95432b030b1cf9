"""A host under load for as long as it takes: `python tests/soak.py --events 10000000` writes a table and a verdict.

Several machines, one journal in a file, and always as many events on their way as was asked for, half of them one by one
and half in lists; groups are as they come, orders are delivered as they come. Each line of the table is a hundredth of the
events. At the end the journal is verified from its first byte, and the machines are rebuilt from the last state and from
the first record, and held to those that ran.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from math import sin, tau
from pathlib import Path
from random import Random
from statistics import median
from typing import Any, NamedTuple

from pages import ROOT

import hedgerow
from hedgerow.engine.host.host import Host, Sent
from hedgerow.engine.host.machines import Machines
from hedgerow.engine.host.recovery import rebuild
from hedgerow.engine.host.replaying import replay
from hedgerow.engine.journal.chain import records_since
from hedgerow.engine.journal.records import Group, State
from hedgerow.engine.journal.sqlite import SqliteStore
from hedgerow.engine.journal.verify import verify

__all__ = ["Sample", "Soaked", "soak"]

SPEC = ROOT / "specs" / "band_limited_hedge.yaml"
MACHINES = tuple(f"desk{number}" for number in range(8))
LIST = 32
"""So many events are sent one by one, and then as many as a list."""
LOG_BYTES = 16 * 2**20
"""What the log may grow to: it is some 4 MB, and a commit that adds to a full one comes before it is reset."""
MEMORY_BYTES = 8_000_000
"""By so much the memory may have grown from the second tenth of the events to the last: a byte for each of ten millions."""
TAIL_TIMES = 2.0
"""By so many times the 99th percentile of the last tenth may exceed that of the first."""


class Sample(NamedTuple):
    """What was seen over one hundredth of the events.

    Fields:
        events: how many had been acknowledged by its end.
        rate: how many of them a second.
        group: the mean number of records in a commit.
        p50, p99, most: from `submit` to durable, in seconds, over the events that were sent one by one and the lists.
        memory: the bytes that the process held at its end.
        log: the most bytes that the `-wal` had.
        size: the bytes of the journal at its end.
    """

    events: int
    rate: float
    group: float
    p50: float
    p99: float
    most: float
    memory: int
    log: int
    size: int

    def __str__(self) -> str:
        return (
            f"{self.events:>12,} {self.rate:>9,.0f} {self.group:>7.1f} {self.p50 * 1e3:>8.2f} {self.p99 * 1e3:>8.2f} "
            f"{self.most * 1e3:>8.1f} {self.memory / 1e6:>9.1f} {self.log / 1e6:>7.2f} {self.size / 1e6:>10.1f}"
        )


HEADER = "      events  events/s   group   p50 ms   p99 ms   max ms memory MB  wal MB journal MB"


class Soaked(NamedTuple):
    """What a soak has shown.

    Fields:
        samples: one for each hundredth.
        taken: events that were acknowledged, and taken.
        delivered: orders that were.
        records: of the journal, each of which `verify` has read.
        events: in the journal, as a replay of all of it counts them.
        since_state: events that a recovery repeats from the last state before the host was closed.
        seconds: of the load, of verification, and of a replay from the first record.
        same: whether the machines that ran, those that came back from a state and those from the first record are one.
    """

    samples: list[Sample]
    taken: int
    delivered: int
    records: int
    events: int
    since_state: int
    seconds: tuple[float, float, float]
    same: bool

    @property
    def memory(self) -> tuple[float, float]:
        """The median bytes of memory over the second tenth of the events, and over the last."""
        tenth = max(1, len(self.samples) // 10)
        held = [each.memory for each in self.samples]
        return median(held[tenth : 2 * tenth]), median(held[-tenth:])

    @property
    def tails(self) -> tuple[float, float]:
        """The median 99th percentile over the first tenth of the events, and over the last, in seconds."""
        tenth = max(1, len(self.samples) // 10)
        tails = [each.p99 for each in self.samples]
        return median(tails[:tenth]), median(tails[-tenth:])

    @property
    def memory_is_flat(self) -> bool:
        early, late = self.memory
        return late - early <= MEMORY_BYTES

    @property
    def tail_is_stable(self) -> bool:
        early, late = self.tails
        return late <= early * TAIL_TIMES

    @property
    def log_is_bounded(self) -> bool:
        return max(each.log for each in self.samples) <= LOG_BYTES


class _Watched(SqliteStore):
    """A store that counts what it commits, and looks at its log."""

    commits = records = log = 0

    def write(self, group: Group, state: State | None = None) -> None:
        super().write(group, state)
        self.commits += 1
        self.records += group.last - group.first + 1
        self.log = max(self.log, Path(f"{self.place}-wal").stat().st_size)

    def seen(self) -> tuple[float, int]:
        """Return the mean number of records in a commit, and the most bytes of the log, since this was asked last."""
        found = self.records / max(1, self.commits), self.log
        self.commits = self.records = self.log = 0
        return found


def soak(
    folder: Path,
    events: int,
    *,
    on_their_way: int = 512,
    state_every: int = 262_144,
    remembered: int = 65_536,
    tell: Callable[[Sample], None] = lambda _: None,
) -> Soaked:
    """Send events to a host whose journal is in a folder, and return what was seen.

    Args:
        folder: where the journal is made.
        events: how many, a multiple of 64, in hundredths of at least 64.
        on_their_way: so many have been sent and not been acknowledged, at most, at all times.
        state_every: after so many records the state of all machines is kept.
        remembered: ids are known for so many records.
        tell: hears of each hundredth as it ends.
    """
    each = 2 * LIST
    rounds = events // each
    compiled = hedgerow.load(SPEC).compile()
    specs = dict.fromkeys(MACHINES, compiled)
    place, chance = folder / "soak.journal", Random(1)
    store = _Watched(place, write=True)
    samples, taken, delivered = list[Sample](), 0, 0
    waits = list[float]()
    waiting = deque[tuple[int, Future[Any]]]()
    left = 0  # events that are on their way
    handed = set[str]()  # orders that are, to be noted as delivered

    def done(sent_at: float, future: Future[Any]) -> None:
        waits.append(time.perf_counter() - sent_at)

    def send(count: int, future: Future[Any], sent_at: float) -> None:
        nonlocal left
        future.add_done_callback(partial(done, sent_at))
        waiting.append((count, future))
        left += count
        while left > on_their_way:
            wait()

    def wait() -> None:
        nonlocal left, taken
        count, future = waiting.popleft()
        found = future.result()
        left -= count
        taken += sum(step.rejected is None for step in (found if isinstance(found, list) else (found,)))

    def deliver(host: Host) -> None:
        nonlocal handed, delivered
        still = {order.id for order in host.outbox()}
        fresh = [id for id in still if id not in handed]
        for id in fresh:
            host.delivered(id)
        delivered += len(fresh)
        handed = handed & still | set(fresh)

    def event(number: int) -> Sent:
        turn = number // len(MACHINES)
        price = 5000.0 * (1 + 0.01 * sin(tau * turn / 200) + 0.0005 * (chance.random() - 0.5))
        return Sent(MACHINES[number % len(MACHINES)], "tick", turn * 10**9, {"price": price}, f"t-{number}")

    began = time.perf_counter()
    with Host(store, specs, state_every=state_every, remembered=remembered) as host:
        for hundredth in range(100):
            since, before = time.perf_counter(), taken
            for number in range(hundredth * rounds // 100 * each, (hundredth + 1) * rounds // 100 * each, each):
                for sent in map(event, range(number, number + LIST)):
                    now = time.perf_counter()
                    send(1, host.submit(sent.machine, sent.event, sent.time_ns, sent.fields, id=sent.id), now)
                many = list(map(event, range(number + LIST, number + 2 * LIST)))
                now = time.perf_counter()
                send(LIST, host.submit_all(many), now)
                deliver(host)
            while waiting:
                wait()
            deliver(host)
            host.snapshot(MACHINES[0]).result()  # what was said to be delivered is durable too
            rate = (taken - before) / (time.perf_counter() - since)
            group, log = store.seen()
            waits.sort()
            p50, p99, most = waits[len(waits) // 2], waits[len(waits) * 99 // 100], waits[-1]
            waits.clear()
            samples.append(Sample(taken, rate, group, p50, p99, most, _memory(), log, place.stat().st_size))
            tell(samples[-1])
        seconds = time.perf_counter() - began
        ran = [host.snapshot(name).result() for name in MACHINES]
        end = store.last()
    assert end is not None
    reader = SqliteStore(place)
    began = time.perf_counter()
    verified = verify(reader)
    assert verified.holds
    to_verify = time.perf_counter() - began
    # What closing has kept would leave nothing to repeat: both go to the last record before it.
    recovered = rebuild(reader, specs, until=end.last)
    began = time.perf_counter()
    machines = Machines(reader.place)
    repeated = replay(machines, records_since(reader), specs, until=end.last)
    to_replay = time.perf_counter() - began
    back = ([each.members[name].snapshot() for name in MACHINES] for each in (recovered.machines, machines))
    same = all(each == ran for each in back) and not recovered.machines.orders and not machines.orders
    reader.close()
    times = (seconds, to_verify, to_replay)
    return Soaked(samples, taken, delivered, verified.records, repeated, recovered.repeated, times, same)


def _memory() -> int:
    """Return the bytes of memory that this process holds."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _told(found: Soaked) -> str:
    (early, late), (first, last) = found.memory, found.tails
    log = max(each.log for each in found.samples)
    seconds, to_verify, to_replay = found.seconds
    return "\n".join(
        (
            f"{found.taken:,} events taken and {found.delivered:,} orders delivered in {seconds:,.0f} s",
            f"verified: {found.records:,} records in {to_verify:,.0f} s",
            f"replayed: {found.events:,} events in {to_replay:,.0f} s, {found.since_state:,} from the last state; "
            + ("the same machines" if found.same else "OTHER MACHINES"),
            f"memory:   {early / 1e6:.1f} MB over the second tenth, {late / 1e6:.1f} MB over the last: "
            + ("flat" if found.memory_is_flat else "IT GROWS"),
            f"log:      {log / 1e6:.2f} MB at most: " + ("bounded" if found.log_is_bounded else "IT GROWS"),
            f"p99:      {first * 1e3:.2f} ms over the first tenth, {last * 1e3:.2f} ms over the last: "
            + ("stable" if found.tail_is_stable else "IT GROWS"),
        )
    )


def main() -> int:
    parser = argparse.ArgumentParser(description="Put a host under load, and look at what grows.")
    parser.add_argument("--events", type=int, default=10_000_000, help="rounded up to a multiple of 64")
    parser.add_argument("--in-flight", type=int, default=512, help="so many events wait for their answer at most")
    parser.add_argument("--state-every", type=int, default=262_144, help="records between two kept states")
    parser.add_argument("--folder", type=Path, help="where the journal is made, and left; else in a folder that goes")
    asked = parser.parse_args()
    events = max(100, -(-asked.events // (2 * LIST))) * 2 * LIST

    def tell(line: object) -> None:
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()

    with tempfile.TemporaryDirectory() as folder:
        tell(HEADER)
        found = soak(
            asked.folder or Path(folder),
            events,
            on_their_way=asked.in_flight,
            state_every=asked.state_every,
            tell=tell,
        )
    tell(_told(found))
    whole = found.taken == found.events == events and found.same
    return 0 if whole and found.memory_is_flat and found.log_is_bounded and found.tail_is_stable else 1


if __name__ == "__main__":
    sys.exit(main())
