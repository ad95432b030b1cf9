"""The journal: durable appends beside a plain loop of writes and fdatasync, on this disk and on one that is held to a slower
one's time; appends in memory beside SHA-256 alone; verification.
"""

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
from hedgerow.engine.journal.records import FIELD_BYTES, HEADER_BYTES, begin_hash
from hedgerow.engine.journal.sqlite import SqliteStore
from hedgerow.engine.journal.store import Store
from hedgerow.engine.journal.verify import verify

from .held_disk import held, sync
from .host import installed
from .page import Section, Size, Target, costs, unmeasured
from .rounds import interleave, rates, ratio, timed

__all__ = ["begun", "measure", "payload"]

GROUP = 64
SHARE = 0.7
HELD = GROUP / 95_000
"""The seconds of a sync with which a plain loop writes 95,000 records a second: the disk that the share was asked for on."""
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
    title, head = "A journal", ("", "records", "µs a record", "least", "records a second")
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
        slow = [_side_by_side(Path(folder), record, durable // 4, HELD) for _ in _told(size.rounds, progress)]
        runs = {
            "SHA-256 of their bytes, nothing else": partial(_hashed, record, many),
            "appends in memory": partial(_memory, record, many),
            "appends in memory, with commits and checkpoints": partial(_committed, record, many),
            "verification of a file": partial(_verified, file, many),
        }
        found = {
            "writes and fdatasync, 64 a time": [plain for plain, _ in pairs],
            "durable appends, 64 a commit": [journalled for _, journalled in pairs],
            "writes and fdatasync, each held": [plain for plain, _ in slow],
            "durable appends, each sync held": [journalled for _, journalled in slow],
            **interleave(runs, size.rounds, progress),
        }
    counts = dict(zip(found, (*[durable] * 2, *[durable // 4] * 2, *[many] * len(runs)), strict=True))
    rows = tuple((name, f"{counts[name]:,}", *costs(seconds)) for name, seconds in found.items())
    plain, journalled, *both = list(found)[:4]
    disk, commit = (GROUP * median(found[name]) for name in (plain, journalled))
    targets = (
        Target("share of a plain fdatasync loop, on this disk", ratio(found[plain], found[journalled]), SHARE, True),
        Target(
            f"the same where a sync takes {HELD * 1e6:,.0f} µs", ratio(*(found[name] for name in both)), SHARE, True
        ),
        Target.of("µs an append", [each * 1e6 for each in found["appends in memory"]], APPEND_US, at_least=False),
        Target.of(
            "records verified a second",
            rates(found["verification of a file"]),
            VERIFIED,
            at_least=True,
            shown="{:,.0f}",
        ),
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
            f"commit {(commit - disk) * 1e6:,.0f} µs more, for hashes, trees and SQLite. The bound is from a disk on which "
            "the plain loop writes 95,000 records a second. So both are measured a second time with every sync held to the "
            f"{HELD * 1e6:,.0f} µs of that one: the sync itself, and what is left of that time waited for."
        ),
        (
            "In memory the figure is the CPU time of the loop around `append`, with and without what commits do: groups of "
            "64, and the trees of checkpoints; and that of a loop which hashes the same bytes, for what this processor "
            "gives. Verification reads the file from its first byte to its last: headers, hashes, links, trees."
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


def _side_by_side(folder: Path, record: bytes, count: int, seconds: float = 0.0) -> tuple[float, float]:
    """Return the seconds a record of a loop that writes and waits for the disk, and those of a journal; a sync takes so many
    seconds at least.

    They take turns at every group, because what else a disk does comes and goes within milliseconds.
    """
    plain, text = folder / "plain", (bytes(HEADER_BYTES) + record) * GROUP
    with held(seconds) as disk:
        journal = begun(SqliteStore(folder / "durable.journal", write=True, vfs=disk if seconds else None))
        file = os.open(plain, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        written = journalled = 0.0
        for _ in range(count // GROUP):
            start = time.perf_counter()
            os.write(file, text)
            sync(file, seconds)
            between = time.perf_counter()
            _append(journal, record, GROUP)
            written, journalled = written + between - start, journalled + time.perf_counter() - between
        os.close(file)
        journal.close()
    for each in (plain, *folder.glob("durable.journal*")):
        each.unlink()
    return written / count, journalled / count


def _hashed(record: bytes, count: int) -> float:
    text = bytes(FIELD_BYTES) + record

    def run() -> None:
        for _ in range(count):
            hash = begin_hash()
            hash.update(text)
            hash.digest()

    return timed(run)[0] / count


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
