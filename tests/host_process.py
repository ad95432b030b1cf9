"""A host under load in a process of its own, to be killed: `python host_process.py PLACE VENUE MARK`.

It waits for a line of JSON on its standard input: the first tick that each machine is to be sent, after how many ticks of
each it closes its host, and a seed. Each machine has a thread that sends it ticks with ids, one by one or as a list, and
lets time pass; one thread hands orders to a venue, which is a file of ids, and one asks for snapshots. What is acknowledged
is told on standard output at once, by lines that are written whole, and what the process is about in one byte of the file
MARK, which is mapped: it stands there when the process is dead.
"""

from __future__ import annotations

import json
import mmap
import os
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from random import Random
from typing import Any

import hedgerow
from hedgerow.engine.host.host import Host, Sent
from hedgerow.engine.host.problem import HostError
from hedgerow.engine.journal.opening import open_store

__all__ = ["ABOUT", "MACHINES", "SPEC", "passed", "price"]

SPEC = Path(__file__).resolve().parent.parent / "specs" / "band_limited_hedge.yaml"
MACHINES = ("a", "b", "c")
ABOUT = ("nothing", "opening", "running", "committing", "keeping the state", "closing")
"""What the byte in MARK means."""
SECOND = 10**9


def price(machine: str, number: int) -> float:
    """Return the price of a tick, the same in every process."""
    return 5000.0 * (1 + 0.02 * (Random(f"{machine}{number}").random() - 0.5))


def passed(number: int) -> int | None:
    """Return the time to which a machine is let pass after a tick; None after most."""
    return number * SECOND + SECOND // 2 if number % 7 == 3 else None


def tell(*words: object) -> None:
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


def send(host: Host, machine: str, first: int, count: int, chance: Random) -> None:
    """Send ticks to a machine, and tell what was acknowledged; end where the host does."""
    waiting: list[tuple[str, Future[Any]]] = []
    number = first
    while number < first + count:
        if chance.random() < 0.3:
            many = range(number, number + chance.randrange(1, 12))
            sent = [Sent(machine, "tick", n * SECOND, {"price": price(machine, n)}, f"t-{n}") for n in many]
            waiting.append((" ".join(map(str, many)), host.submit_all(sent)))
            number = many[-1] + 1
        else:
            fields = {"price": price(machine, number)}
            waiting.append((str(number), host.submit(machine, "tick", number * SECOND, fields, id=f"t-{number}")))
            number += 1
        time_ns = passed(number - 1)
        if time_ns is not None:
            waiting.append((f"{time_ns}ns", host.advance(machine, time_ns)))
        if len(waiting) > 12:
            answer(machine, waiting)
    answer(machine, waiting)


def answer(machine: str, waiting: list[tuple[str, Future[Any]]]) -> None:
    for what, future in waiting:
        found = future.result()
        steps = found if isinstance(found, list) else [found]
        for each, step in zip(what.split(), steps, strict=True):
            tell("taken" if step.rejected is None else "refused", machine, each)
    waiting.clear()


def deliver(host: Host, venue: int, ended: threading.Event) -> None:
    """Hand orders to the venue, and then say so; some are handed over again by who comes after a kill."""
    while not ended.is_set():
        for order in host.outbox()[:8]:
            os.write(venue, f"{order.id} {order.order.leg} {order.order.quantity!r}\n".encode())
            if host.delivered(order.id).result():
                tell("delivered", order.id)
        ended.wait(0.001)


def look(host: Host, ended: threading.Event) -> None:
    while not ended.wait(0.01):
        for machine in MACHINES:
            host.snapshot(machine).result()


def main(place: str, venue: str, mark: str) -> None:
    with Path(mark).open("r+b") as file:
        about = mmap.mmap(file.fileno(), 1)
    specs = {machine: hedgerow.load(SPEC).compile() for machine in MACHINES}
    tell("ready")
    asked = json.loads(sys.stdin.readline())
    taken = os.open(venue, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    about[0] = 1
    tell("opening")
    began = time.perf_counter()
    store = open_store(place, write=True)
    write = store.write

    def marked(group: Any, state: Any = None) -> None:
        before, about[0] = about[0], 3 if state is None else 4
        write(group, state)
        about[0] = before

    store.write = marked  # type: ignore[method-assign]  # what a process dies of is seen from outside
    host = Host(store, specs, state_every=60, undelivered=10**6, group=16)
    tell("open", host.recovered.repeated, time.perf_counter() - began)
    about[0] = 2
    ended, chance = threading.Event(), Random(asked["seed"])
    senders = [
        threading.Thread(target=quietly, args=(send, host, name, first, asked["count"], Random(chance.random())))
        for name, first in asked["first"].items()
    ]
    others = [
        threading.Thread(target=quietly, args=(deliver, host, taken, ended)),
        threading.Thread(target=quietly, args=(look, host, ended)),
    ]
    for each in (*senders, *others):
        each.start()
    for each in senders:
        each.join()
    ended.set()
    for each in others:
        each.join()
    about[0] = 5
    tell("closing")
    host.close()
    about[0] = 0
    tell("closed")


def quietly(work: Callable[..., None], *arguments: Any) -> None:
    """Do something until the host stops, which is told by who closes it."""
    try:
        work(*arguments)
    except HostError as error:
        if error.code != "HR870":
            raise


if __name__ == "__main__":
    main(*sys.argv[1:])
