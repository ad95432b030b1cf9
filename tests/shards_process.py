"""Shards in a process of their own, to be killed or interrupted: `python shards_process.py FOLDER SPEC`.

It tells on standard output that it has begun and what is acknowledged, and goes on until something ends it.
"""

from __future__ import annotations

import os
import sys
from itertools import count

from hedgerow import Shards, load

__all__: list[str] = []


def main(folder: str, spec: str) -> None:
    with Shards(folder, {name: load(spec) for name in ("a", "c", "f", "h")}, processes=2) as shards:
        os.write(1, f"begun {' '.join(map(str, shards.processes))}\n".encode())
        for number in count():
            sent = [shards.submit(name, "tick", number, {"price": 5000.0}, id=f"t-{number}") for name in "acfh"]
            assert all(each.result().rejected is None for each in sent)
            os.write(1, f"taken {number}\n".encode())


if __name__ == "__main__":
    try:
        main(sys.argv[1], sys.argv[2])
    except KeyboardInterrupt:
        os.write(1, b"closed\n")
