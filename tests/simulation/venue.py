"""A venue: it takes each order once, by the id that its client gave it, and says in order what becomes of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from random import Random
from typing import Any, NamedTuple

from .bus import Bus
from .clock import MINUTE, SECOND, Clock
from .sender import Sender
from .specs import FILLED
from .trace import BrokenPromise, Trace

__all__ = ["Execution", "Venue"]


class Execution(NamedTuple):
    """What became of an order: the `number`-th thing, from 0; those before `base` are known to the client."""

    venue: Any
    order: str
    number: int
    base: int
    machine: str
    event: str
    fields: dict[str, Any]


class Venue:
    """Orders and books.

    Attributes:
        orders: what was taken, by id: machine, and the order as it came.
        books: of each machine and leg what it holds since the venue began, and the fees for it.
    """

    def __init__(self, clock: Clock, rng: Random, bus: Bus, trace: Trace, client: Callable[[Execution], None]) -> None:
        self._clock, self._rng, self._bus, self._trace, self._client = clock, rng, bus, trace, client
        self.orders: dict[str, tuple[str, Any]] = {}
        self.books: defaultdict[tuple[str, str], list[float]] = defaultdict(lambda: [0.0, 0.0])
        self.sender = Sender(clock, rng)
        self._said: defaultdict[str, int] = defaultdict(int)
        self._known: defaultdict[str, int] = defaultdict(int)
        self.working = 0
        """Orders of which more is to come."""
        self._closed = False

    def close(self) -> None:
        """Say no more of anything."""
        self._closed = True
        self.sender.waiting.clear()

    def take(self, id: str, machine: str, order: Any, answer: Callable[[str], None]) -> None:
        """Take an order, if it is new, and say that it is here."""
        known = self.orders.get(id)
        if known is None:
            self.orders[id] = machine, order
            self._trace.add("order", f"{id} {order.side} {order.leg} {order.quantity!r}")
            if machine in FILLED:
                self.working += 1
                self._plan(id, machine, order)
        elif known != (machine, order):
            raise BrokenPromise(f"two orders have the id {id}: {known[1]} and {order}")
        else:
            self._trace.counts["order again"] += 1
        self._bus.send("venue to host", answer, id)

    def _plan(self, id: str, machine: str, order: Any) -> None:
        """Decide what becomes of an order."""
        rng, at = self._rng, rng_delay(self._rng)
        fate = rng.random()
        if fate < 0.06 or not order.quantity:
            self._clock.after(at, self._execute, id, machine, order, "rejected", 0.0, 0.0)
            return
        pieces = rng.choice((1, 1, 2, 3))
        bounds = sorted(rng.random() for _ in range(pieces - 1))
        totals = [order.quantity * bound for bound in bounds] + [order.quantity]
        if fate < 0.15:
            totals = totals[: rng.randrange(pieces)]
        before = 0.0
        for total in totals:
            self._clock.after(at, self._execute, id, machine, order, "filled", total - before, total)
            before = total
            at += rng_delay(rng)
        if fate < 0.15:
            self._clock.after(at, self._execute, id, machine, order, "cancelled", 0.0, 0.0)

    def _execute(self, id: str, machine: str, order: Any, kind: str, quantity: float, total: float) -> None:
        if self._closed:
            return
        fields: dict[str, Any] = {"order": order.number}
        if kind == "filled":
            price = order.price * self._rng.uniform(0.999, 1.001)
            fee = quantity * price * 0.0005
            fields |= {"quantity": quantity, "price": price, "fee": fee, "total": total}
            book = self.books[machine, order.leg]
            book[0] += quantity if order.side == "buy" else -quantity
            book[1] += fee
        if kind != "filled" or total == order.quantity:
            self.working -= 1
        number = self._said[id]
        self._said[id] += 1
        self._trace.counts[kind] += 1

        def send() -> None:
            said = Execution(self, id, number, self._known[id], machine, f"{order.leg}.{kind}", fields)
            self._bus.send("venue to host", self._client, said)

        self.sender.say(f"{id}:{number}", send)

    def heard(self, id: str, number: int) -> None:
        """Learn that the client has something; what came before it is known to it too."""
        self.sender.heard(f"{id}:{number}")
        self._known[id] = max(self._known[id], number + 1)


def rng_delay(rng: Random) -> float:
    """Return how long something takes at a venue."""
    return rng.choice((rng.uniform(0.001, 2) * SECOND, rng.uniform(0, 40) * MINUTE))
