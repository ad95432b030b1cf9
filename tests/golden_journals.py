"""The journals of `golden/journals`: histories of shipped specs, as `hedgerow audit export` prints them.

`python tests/golden_journals.py` writes them anew: where a change is meant to change what machines do.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from itertools import count, groupby
from pathlib import Path

from hedgerow.engine.host.host import Host, Sent
from hedgerow.engine.journal.chain import records_since
from hedgerow.engine.journal.lines import exported, record_from
from hedgerow.engine.journal.memory import MemoryStore
from hedgerow.engine.journal.records import CHECKSUM_BYTES, Group
from hedgerow.engine.load import load

__all__ = ["FOLDER", "HISTORIES", "read"]

FOLDER = Path(__file__).parent / "golden" / "journals"
ROOT = Path(__file__).parent.parent
DAY = 86_400 * 10**9


def _band() -> Iterator[Sent]:
    """Yield a market that swings out of the band, stands still for days, and is left by hand."""
    prices = (5000, 5001, 5060, 5010, 4930, 4931, 5090, 5200, 5200.5, 5199, 5050, 4900, 4901, 5000)
    for number, price in enumerate(prices):
        yield Sent("desk", "tick", number * DAY // 4, {"price": float(price)}, f"feed:{number}")
    yield Sent("desk", "tick", 0, {"price": 5000.0}, "feed:late")
    yield Sent("desk", "tick", 4 * DAY, {"price": 5000.0}, "feed:3")
    yield Sent("desk", "tick", 4 * DAY, {"price": -1.0}, "feed:wrong")
    yield Sent("desk", "manual_exit", 4 * DAY, {}, "anna:1")
    for number, price in enumerate((5000.0, 4900.0, 5100.0, 4700.0, 5300.0)):
        yield Sent("desk", "tick", 5 * DAY + number * DAY, {"price": price}, f"after:{number}")


def _desk() -> Iterator[Sent]:
    """Yield a crash that trips breakers, and people who answer what waits for them."""
    for number in range(12):
        yield Sent("desk", "tick", number * DAY, {"price": 5000.0 + 40 * (-1) ** number * number}, f"feed:{number}")
    for number, price in enumerate((4500.0, 3900.0, 3200.0, 2600.0, 2500.0, 2550.0)):
        yield Sent("desk", "tick", (20 + number) * DAY, {"price": price}, f"crash:{number}")
    for number in range(6):
        yield Sent("desk", "tick", (60 + 30 * number) * DAY, {"price": 2600.0 + 30 * number}, f"later:{number}")
        yield Sent("desk", "approve", (60 + 30 * number) * DAY, {"number": 1, "by": "anna"}, f"anna:{number}")
        yield Sent("desk", "approve", (60 + 30 * number) * DAY, {"number": 1, "by": "ben"}, f"ben:{number}")


HISTORIES = {"band": ("specs/band_limited_hedge.yaml", _band), "desk": ("specs/desk.yaml", _desk)}


def read(name: str) -> MemoryStore:
    """Return a journal as it was written, each record as a group of its own."""
    store = MemoryStore(f"{name}.jsonl")
    lines = (FOLDER / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
    for line in lines:
        record = record_from(json.loads(line), name)
        text = record.fields + record.checksum.to_bytes(CHECKSUM_BYTES, "big") + record.payload
        store.write(Group(record.sequence, record.sequence, text, record.hash))
    return store


def _write() -> None:
    os.chdir(ROOT)  # a journal names the file of its spec as it was given
    for name, (spec, sent) in HISTORIES.items():
        clock = count(1_700_000_000_000_000_000, 1000)
        store = MemoryStore()
        with Host(store, {"desk": load(spec)}, name=name, clock=lambda clock=clock: next(clock)) as host:
            for _, events in groupby(enumerate(sent()), key=lambda each: each[0] // 4):
                host.submit_all([each for _, each in events]).result()
                for order in host.outbox()[:1]:
                    host.delivered(order.id).result()
        lines = [json.dumps(exported(record), sort_keys=True) for record in records_since(store)]
        (FOLDER / f"{name}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    _write()
