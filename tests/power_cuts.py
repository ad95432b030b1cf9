"""Power cuts, as often as is asked: `python tests/power_cuts.py --cuts 500` tells what they left of what was acknowledged.

`--synchronous NORMAL` shows what they would leave where a commit does not wait for the disk.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from test_journal_power import cut, left, written


def main() -> None:
    parser = argparse.ArgumentParser(description="Cut the power under a journal, and find what it has acknowledged.")
    parser.add_argument("--cuts", type=int, default=500)
    parser.add_argument("--synchronous", choices=("FULL", "NORMAL"), default="FULL")
    asked = parser.parse_args()
    begun = acknowledged = found = lost = 0
    for seed in range(asked.cuts):
        with tempfile.TemporaryDirectory() as name:
            folder, disk = Path(name), cut(seed)
            sent, told, ends = written(folder / "desk.journal", disk, asked.synchronous)
            there = left(folder / "after", disk, folder / "desk.journal") or []
            begun += bool(sent)
            acknowledged, found = acknowledged + told, found + len(there)
            if there != sent[: len(there)] or len(there) not in (0, *ends):
                raise AssertionError(f"cut {seed} has left a part of a group, or another record")
            lost += len(there) < told
    rows = {
        "cuts": asked.cuts,
        "after the journal had begun": begun,
        "records acknowledged": acknowledged,
        "records found": found,
        "cuts that lost an acknowledged one": lost,
    }
    sys.stdout.write("".join(f"{what:<36}{many:>10,}\n" for what, many in rows.items()))


if __name__ == "__main__":
    main()
