"""An engine under full load, for `control`: a machine that is sent ticks flat out, beside busy threads.

Reads nothing; at the end, when its input is closed, it prints as JSON how many events it took, and when each act had its
effect, by the clock that all processes of a machine share.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from itertools import cycle

import hedgerow
from hedgerow.engine.control.lane import Lane

__all__: list[str] = []

PRICES = [100.0 + 0.001 * ((each * 7919) % 101) for each in range(1_000)]


def _busy(ended: threading.Event) -> None:
    total = 0
    while not ended.is_set():
        for each in range(10_000):
            total += each * each


def _run(spec: str, folder: str, busy: int) -> None:
    machine = hedgerow.load(spec).compile().machine()
    tick, effects, events, now = machine.port("tick"), {}, 0, 0
    ended = threading.Event()
    waiting = threading.Thread(target=lambda: (sys.stdin.read(), ended.set()))
    threads = [waiting, *(threading.Thread(target=_busy, args=(ended,)) for _ in range(busy))]
    with Lane.open(folder) as lane:
        pending, is_set = lane.pending, ended.is_set
        for thread in threads:
            thread.start()
        print("ready", flush=True)
        prices = cycle(PRICES)
        while True:
            last = is_set()  # asked before the look, so that no act is left behind
            if (act := pending()) is not None:
                if act.event:
                    machine.send(act.event, now, **act.fields)
                lane.taken(act)
                effects[act.number] = time.monotonic_ns()
            elif last:
                break
            # A halted machine is told of prices too here: the load is to stay what it is.
            now += 1_000_000
            tick(now, next(prices))
            events += 1
    for thread in threads:
        thread.join()
    print(json.dumps({"events": events, "effects": effects}))


if __name__ == "__main__":
    _run(sys.argv[1], sys.argv[2], int(sys.argv[3]))
