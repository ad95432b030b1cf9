"""The journal: durable appends beside a plain loop of writes and fdatasync, appends in memory, verification."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from statistics import median

from hedgerow.engine.journal.journal import Journal
from hedgerow.engine.journal.kinds import Kind, event, genesis
from hedgerow.engine.journal.memory import MemoryStore
from hedgerow.engine.journal.opening import open_store
from hedgerow.engine.journal.records import HEADER_BYTES
from hedgerow.engine.journal.store import Store
from hedgerow.engine.journal.verify import verify

from .host import installed
from .page import Section, Size, Target, unmeasured
from .rounds import interleave, ratio, timed

__all__ = ["begun", "measure", "payload"]

GROUP = 64
SHARE = 0.7
RAW = 95_000.0
"""Records a second of the plain loop, on a disk that the share is asked of."""
BESIDE_US = GROUP / RAW * (1 / SHARE - 1) * 1e6
"""What a commit may take beside the disk for that, whatever the disk."""
APPEND_US = 1.5
VERIFIED = 200_000.0
FOLDER = Path(__file__).parent
"""The disk that is measured is that of the repository: a folder for temporary files may be in memory."""


def payload() -> bytes:
    """Return an event as it is journalled, with the fields of a quote."""
    from hedgerow.engine.journal.canonical import canonical

    fields = {"price": 5012.3718, "bid": 5012.25, "ask": 5012.5, "volume": 12_345_678.0, "implied": 0.1834421}
    return canonical(
        event("tick", fields, 1_700_000_000_000_000_000, 1_700_000_000_000_123_456, "feed-1:123456789").payload
    )


def begun(store: Store) -> Journal:
    """Return a new journal in a store."""
    return Journal.begin(store, genesis("desk", "ab" * 32, {"k": 8.0}, 1_700_000_000_000_000_000))


def measure(size: Size, progress: Callable[[str], None]) -> Section:
    """Measure a file and the memory, with records of one size."""
    title, head = "A journal", ("", "records", "µs a record", "records a second")
    for package in ("apsw", "google-crc32c", "cryptography"):
        if installed(package) is None:
            return unmeasured(title, head, package)
    record = payload()
    durable, many = max(GROUP, size.slow_events * 4 // GROUP * GROUP), size.events
    with tempfile.TemporaryDirectory(dir=FOLDER, prefix=".journal-") as folder:
        file = Path(folder) / "verified.journal"
        with begun(open_store(str(file), write=True)) as journal:
            _append(journal, record, many)
        pairs = [_side_by_side(Path(folder), record, durable) for _ in _told(size.rounds, progress)]
        runs = {
            "appends in memory": partial(_memory, record, many),
            "appends in memory, with commits and checkpoints": partial(_committed, record, many),
            "verification of a file": partial(_verified, file, many),
        }
        found = {
            "writes and fdatasync, 64 a time": [plain for plain, _ in pairs],
            "durable appends, 64 a commit": [journalled for _, journalled in pairs],
            **interleave(runs, size.rounds, progress),
        }
    rows = tuple(
        (name, f"{many if name in runs else durable:,}", f"{median(seconds) * 1e6:.2f}", f"{1 / median(seconds):,.0f}")
        for name, seconds in found.items()
    )
    share = ratio(found["writes and fdatasync, 64 a time"], found["durable appends, 64 a commit"])
    disk, commit = (
        GROUP * median(found[name]) for name in ("writes and fdatasync, 64 a time", "durable appends, 64 a commit")
    )
    targets = (
        Target("share of a plain fdatasync loop, on this disk", share, SHARE, True),
        Target("µs of a commit of 64 beside the disk", (commit - disk) * 1e6, BESIDE_US, False, "{:,.0f}"),
        Target("µs an append", median(found["appends in memory"]) * 1e6, APPEND_US, False),
        Target("records verified a second", 1 / median(found["verification of a file"]), VERIFIED, True, "{:,.0f}"),
    )
    return Section(title, _words(size, len(record), disk, commit), head, rows, targets)


def _words(size: Size, length: int, disk: float, commit: float) -> tuple[str, ...]:
    """Say what was measured; `disk` and `commit` are the seconds of a group."""
    return (
        (
            f"Events of {length} bytes, encoded before the clock starts, and {HEADER_BYTES} bytes of header each. The plain "
            "loop appends 64 records of that size to a file of its own with one write and waits for `fdatasync`; the "
            "journal commits groups of 64 to a SQLite file on the same disk, hashing, trees and checkpoints (unsigned, "
            f"every 1,024 records) among it. They take turns at every group; wall time, summed (rounds: {size.rounds})."
        ),
        (
            f"So the share is a matter of the disk: here a write of 64 and its `fdatasync` take {disk * 1e6:,.0f} µs, and a "
            f"commit {(commit - disk) * 1e6:,.0f} µs more, for hashes, trees and SQLite. On a disk that gives the plain "
            f"loop {RAW:,.0f} records a second, as where the bound is from, that is "
            f"{GROUP / RAW / (GROUP / RAW + commit - disk):.0%} of its rate."
        ),
        (
            "In memory the figure is the CPU time of the loop around `append`, with and without what commits do: groups of "
            "64, and the trees of checkpoints. Verification reads the file from its first byte to its last: headers, "
            "hashes, links, trees."
        ),
    )


def _append(journal: Journal, record: bytes, count: int) -> None:
    append, commit = journal.append, journal.commit
    for _ in range(count // GROUP):
        for _ in range(GROUP):
            append(Kind.EVENT, record)
        commit()


def _told(rounds: int, progress: Callable[[str], None]) -> Iterator[int]:
    for number in range(rounds):
        progress(f"round {number + 1} of {rounds}: durable appends")
        yield number


def _side_by_side(folder: Path, record: bytes, count: int) -> tuple[float, float]:
    """Return the seconds a record of a loop that writes and waits for the disk, and those of a journal.

    They take turns at every group, because what else a disk does comes and goes within milliseconds.
    """
    plain, text = folder / "plain", (bytes(HEADER_BYTES) + record) * GROUP
    journal = begun(open_store(str(folder / "durable.journal"), write=True))
    file = os.open(plain, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    # Not every system has it; where it is missing, the stronger call is what there is.
    sync = getattr(os, "fdatasync", os.fsync)
    written = journalled = 0.0
    for _ in range(count // GROUP):
        start = time.perf_counter()
        os.write(file, text)
        sync(file)
        between = time.perf_counter()
        _append(journal, record, GROUP)
        written, journalled = written + between - start, journalled + time.perf_counter() - between
    os.close(file)
    journal.close()
    for each in (plain, *folder.glob("durable.journal*")):
        each.unlink()
    return written / count, journalled / count


def _memory(record: bytes, count: int) -> float:
    append = begun(MemoryStore()).append

    def run() -> None:
        for _ in range(count):
            append(Kind.EVENT, record)

    return timed(run)[0] / count


def _committed(record: bytes, count: int) -> float:
    return timed(partial(_append, begun(MemoryStore()), record, count))[0] / count


def _verified(file: Path, count: int) -> float:
    store = open_store(str(file))
    seconds, found = timed(partial(verify, store))
    store.close()
    if found.damage is not None:
        raise found.damage
    if found.records < count // GROUP * GROUP:
        raise RuntimeError(f"{found.records} of {count} records were verified")
    return seconds / found.records
