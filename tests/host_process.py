"""A host in a process of its own, to be killed: `python host_process.py JOURNAL SPEC TOLD SEED COUNT`.

It sends ticks with ids, from where the journal stands on, and hands orders to a venue: a file of ids. What is acknowledged
and what is handed over is told on standard output and in that file, at once and without a buffer.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from random import Random

from hedgerow.engine.host.host import Host
from hedgerow.engine.load import load

__all__ = ["price"]


def price(number: int) -> float:
    """Return the price of a tick, the same in every process."""
    return 5000.0 * (1 + 0.02 * (Random(number).random() - 0.5))


def main(journal: str, spec: str, venue: str, first: int, count: int) -> None:
    taken = os.open(venue, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    with Host(Path(journal), {"desk": load(spec)}, state_every=200, undelivered=10**6, group=16) as host:
        waiting = []
        for number in range(first, first + count):
            sent = host.submit("desk", "tick", number * 10**9, {"price": price(number)}, id=f"t-{number}")
            waiting.append((number, sent))
            if len(waiting) < 20:
                continue
            for told, future in waiting:
                os.write(1, f"{told} {future.result().rejected or 'taken'}\n".encode())
            waiting.clear()
            for order in host.outbox()[:8]:
                os.write(taken, f"{order.id} {order.order.leg} {order.order.quantity!r}\n".encode())
                host.delivered(order.id)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5]))
