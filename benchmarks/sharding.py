"""Machines over processes: durable events through the pipes of one shard and of two, and in a host without any."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from statistics import median

from hedgerow import Host, Shards, load
from hedgerow.engine.host.given import Sent
from hedgerow.engine.load import Compiled

from .host import installed
from .page import Section, Size, unmeasured
from .rounds import interleave

__all__ = ["measure"]

ROOT = Path(__file__).parent.parent
MACHINES = 64
MOST = 10_000_000


def measure(size: Size, progress: Callable[[str], None]) -> Section:
    """Measure 64 machines that take events in turn, each durable before it counts."""
    title, head = "Shards", ("", "events", "µs an event", "events a second")
    for package in ("apsw", "google-crc32c", "cryptography"):
        if installed(package) is None:
            return unmeasured(title, head, package)
    compiled = load(ROOT / "specs" / "band_limited_hedge.yaml").compile(tau_max="30d")
    count = max(10, size.slow_events // 64) * MACHINES
    names = [f"machine_{number}" for number in range(MACHINES)]
    groups = [
        [
            Sent(name, "tick", at * 10**9, {"price": 5000.0 + (at * 7 + number) % 40 / 10})
            for number, name in enumerate(names)
        ]
        for at in range(count // MACHINES)
    ]
    with tempfile.TemporaryDirectory(dir=Path(__file__).parent, prefix=".shards-") as folder:
        contenders = {
            f"{where}, {how}": partial(_timed, Path(folder), compiled, groups, processes, together=together)
            for how, together in (("64 at once", True), ("one by one", False))
            for where, processes in (("a host", 0), ("1 shard", 1), ("2 shards", 2))
        }
        found = interleave(contenders, size.rounds, progress)
    rows = tuple(
        (name, f"{count:,}", f"{median(taken) * 1e6:.1f}", f"{1 / median(taken):,.0f}") for name, taken in found.items()
    )
    words = (
        (
            f"{MACHINES} machines of `specs/band_limited_hedge.yaml`, wall time from the first event that is sent until the "
            f"last is durable, on the disk of the repository (rounds: {size.rounds}). A process of its own has to be told "
            "of each event and to tell of its step, which are encoded and decoded at either end; the front end is one more "
            "process. What is won depends on how many processors there are beside it, and on how much a machine computes."
        ),
    )
    return Section(title, words, head, rows, ())


def _timed(
    folder: Path, compiled: Compiled, groups: Sequence[Sequence[Sent]], processes: int, *, together: bool
) -> float:
    machines = {each.machine: compiled for each in groups[0]}
    with tempfile.TemporaryDirectory(dir=folder) as own:
        running = (
            Shards(own, machines, processes=processes, waiting=MOST, undelivered=MOST)
            if processes
            else Host(Path(own, "host.journal"), machines, waiting=MOST, undelivered=MOST)
        )
        with running:
            start = time.perf_counter()
            if together:
                futures = [running.submit_all(group) for group in groups]
            else:
                futures = [
                    running.submit(each.machine, each.event, each.time_ns, each.fields)
                    for group in groups
                    for each in group
                ]
            for future in futures:
                future.result()
            return (time.perf_counter() - start) / sum(map(len, groups))
