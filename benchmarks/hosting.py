"""A host: events that are stepped and journalled, in memory and durable, and how fast they come back."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from hashlib import sha256
from pathlib import Path
from random import Random

from hedgerow import load
from hedgerow.engine.host.host import Host, Sent
from hedgerow.engine.host.journalled import Journalled
from hedgerow.engine.host.machines import Machines
from hedgerow.engine.host.recovery import rebuild
from hedgerow.engine.journal import kinds
from hedgerow.engine.journal.chain import records_since
from hedgerow.engine.journal.journal import Journal
from hedgerow.engine.journal.memory import MemoryStore
from hedgerow.engine.journal.opening import open_store
from hedgerow.engine.journal.store import Store
from hedgerow.engine.load import Compiled

from .contenders import HandWritten
from .host import installed
from .page import Section, Size, Target, costs, unmeasured
from .rounds import interleave, rates, ratio, timed

__all__ = ["measure"]

GROUP = 64
AUDITED = 300_000.0
BY_HAND = 1.0
REPLAYED = 200_000.0
RECOVERED_S = 10.0
ROOT = Path(__file__).parent.parent
NOW = 1_700_000_000_000_000_000


def measure(size: Size, progress: Callable[[str], None]) -> Section:
    """Measure the shipped hedge in a host over a market that stays within its band most of the time."""
    title, head = "A host", ("", "events", "µs an event", "least", "events a second")
    for package in ("apsw", "google-crc32c", "cryptography"):
        if installed(package) is None:
            return unmeasured(title, head, package)
    compiled = load(ROOT / "specs" / "band_limited_hedge.yaml").compile(tau_max="30d")
    compiled.machine()  # its code is generated before the clock starts
    band = load(Path(__file__).parent / "band.yaml").compile(band=5)
    prices, few = _prices(size.events), max(GROUP, size.slow_events * 4 // GROUP * GROUP)
    store = MemoryStore()
    small = MemoryStore()
    _audited(store, compiled, prices)
    _audited(small, band, prices)
    runs = {
        "band by hand: a class, `json.dumps`, a chain of SHA-256": partial(_by_hand, prices),
        "band: stepped and journalled in memory": partial(_timed_audit, band, prices),
        "band: verified and repeated from the first record": partial(_recovered, small, band, len(prices)),
        "hedge: stepped and journalled in memory": partial(_timed_audit, compiled, prices),
        "hedge: verified and repeated from the first record": partial(_recovered, store, compiled, len(prices)),
        "hedge: given to a host in memory, 64 at once": partial(_hosted, compiled, prices[: size.events // 4]),
    }
    found = interleave(runs, size.rounds, progress)
    with tempfile.TemporaryDirectory(dir=Path(__file__).parent, prefix=".host-") as folder:
        pairs = []
        for number in range(size.rounds):
            progress(f"round {number + 1} of {size.rounds}: durable")
            pairs.append(_side_by_side(Path(folder), compiled, prices[:few]))
    alone, durable = ([pair[which] for pair in pairs] for which in (0, 1))
    found |= {"records alone, durable, 64 a commit": alone, "hedge: stepped and durable, 64 a commit": durable}
    counts = dict(zip(found, (*[len(prices)] * 5, size.events // 4, few, few), strict=True))
    rows = tuple((name, f"{counts[name]:,}", *costs(taken)) for name, taken in found.items())
    by_hand, stepped = list(runs)[:2]
    audited, repeated, _, recovered = (found[name] for name in list(runs)[1:5])
    million = [each * 1e6 for each in recovered]
    targets = (
        Target.of("events a second, audited in memory", rates(audited), AUDITED, at_least=True, shown="{:,.0f}"),
        Target("the same: times the time of that by hand", ratio(found[stepped], found[by_hand]), BY_HAND, False),
        Target.of("events verified and repeated a second", rates(repeated), REPLAYED, at_least=True, shown="{:,.0f}"),
        Target.of("s to recover 10⁶ events since the last state", million, RECOVERED_S, at_least=False),
    )
    words = (
        (
            "`benchmarks/band.yaml` (band) and `specs/band_limited_hedge.yaml` (hedge) over a random walk, at which "
            f"{_fired(band, prices):,} and {_fired(compiled, prices):,} events fire. In memory, the CPU time of the "
            "machine, its records, hashes and groups of 64; by hand, that of the same rule in a class, its event as JSON "
            "with sorted keys, and a hash with the one before, without headers, groups, checkpoints, refusals or ids. "
            "Repeating reads every byte, recomputes every hash, steps the machine and compares. "
            "Through `Host.submit_all`, threads and futures are in it."
        ),
        (
            "Durable figures are wall time on the disk of the repository, taking turns at every group with a journal that "
            "is given the same payloads already encoded: stepping and encoding leave "
            f"{ratio(alone, durable):.0%} of its rate (rounds: {size.rounds})."
        ),
    )
    return Section(title, words, head, rows, targets)


def _prices(count: int) -> list[float]:
    chance, price, found = Random(7), 5000.0, []
    for _ in range(count):
        price *= 1 + chance.gauss(0, 4e-5)
        found.append(price)
    return found


def _begun(store: Store, compiled: Compiled) -> tuple[Journal, Machines]:
    journal, machines = Journal.begin(store, kinds.host("benchmark", NOW)), Machines(store.place)
    machines.join(journal, Journalled("desk", compiled), NOW)
    journal.commit()
    return journal, machines


def _audited(store: Store, compiled: Compiled, prices: Sequence[float]) -> None:
    journal, machines = _begun(store, compiled)
    take, commit = machines.take, journal.commit
    for number, price in enumerate(prices):
        take(journal, "desk", "tick", number * 10**9, {"price": price}, NOW)
        if number % GROUP == 0:
            commit()
    commit()


def _by_hand(prices: Sequence[float]) -> float:
    """Return the seconds of an event of somebody who needs nothing of a journal but that it cannot be changed unnoticed."""
    encode = json.JSONEncoder(separators=(",", ":"), sort_keys=True, allow_nan=False).encode

    def run() -> None:
        tick, kept, last = HandWritten(prices[0], 5.0).tick, [], bytes(32)
        for number, price in enumerate(prices):
            tick(price)
            body = {"fields": {"price": price}, "machine": "desk", "name": "tick", "received_ns": NOW}
            record = last + encode({**body, "time_ns": number * 10**9}).encode("ascii")
            last = sha256(record).digest()
            kept.append(record)

    return timed(run)[0] / len(prices)


def _timed_audit(compiled: Compiled, prices: Sequence[float]) -> float:
    return timed(partial(_audited, MemoryStore(), compiled, prices))[0] / len(prices)


def _recovered(store: Store, compiled: Compiled, count: int) -> float:
    seconds, found = timed(partial(rebuild, store, {"desk": compiled}))
    if found.repeated != count:
        raise RuntimeError(f"{found.repeated} of {count} events were repeated")
    return seconds / count


def _hosted(compiled: Compiled, prices: Sequence[float]) -> float:
    def run() -> None:
        with Host(MemoryStore(), {"desk": compiled}, waiting=len(prices), undelivered=len(prices)) as host:
            for first in range(0, len(prices), GROUP):
                batch = enumerate(prices[first : first + GROUP], first)
                host.submit_all([Sent("desk", "tick", at * 10**9, {"price": price}) for at, price in batch])

    return timed(run)[0] / len(prices)


def _side_by_side(folder: Path, compiled: Compiled, prices: Sequence[float]) -> tuple[float, float]:
    """Return the wall seconds a record of a journal alone, and an event of one that machines write."""
    memory = MemoryStore()
    _audited(memory, compiled, prices)
    payloads = [(each.kind, each.payload) for each in records_since(memory) if each.kind == kinds.Kind.EVENT]
    places = [folder / "alone.journal", folder / "host.journal"]
    alone = Journal.begin(open_store(str(places[0]), write=True), kinds.host("alone", NOW))
    journal, machines = _begun(open_store(str(places[1]), write=True), compiled)
    spent = [0.0, 0.0]
    for first in range(0, len(prices), GROUP):
        start = time.perf_counter()
        for each in payloads[first : first + GROUP]:
            alone.append(*each)
        alone.commit()
        between = time.perf_counter()
        for number, price in enumerate(prices[first : first + GROUP], first):
            machines.take(journal, "desk", "tick", number * 10**9, {"price": price}, NOW)
        journal.commit()
        end = time.perf_counter()
        spent = [spent[0] + between - start, spent[1] + end - between]
    alone.close()
    journal.close()
    for place in places:
        for each in folder.glob(f"{place.name}*"):
            each.unlink()
    return spent[0] / len(prices), spent[1] / len(prices)


def _fired(compiled: Compiled, prices: Sequence[float]) -> int:
    tick = compiled.machine().port("tick")
    return sum(bool(tick(number * 10**9, price).fired) for number, price in enumerate(prices))
