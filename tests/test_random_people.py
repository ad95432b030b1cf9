"""Random specs with people: no order leaves without the approvals that it needs, whoever tries."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
from random_people import BROUGHT, NAMES, SECOND, UNKNOWN, Clerk, made
from twins import Twins

from hedgerow.engine.load import loads
from hedgerow.engine.snapshot import Snapshot
from hedgerow.engine.step import Order, Step

SPECS, MANY, EVENTS = 14, 80, 100
"""The slow tests take the specs up to `MANY`."""


class Play:
    """A machine among people who answer at random and a venue that fills in parts, and the clerk who watches."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.made = made(seed)
        self.both = Twins(loads(self.made.text, "governed.yaml").compile())
        self.clerk = Clerk(self.made)
        self.now, self.working = 0, dict[str, Order]()
        self.orders = 0
        self.send("tick", price=50.0)

    def over(self, events: int) -> Clerk:
        for _ in range(events):
            if self.both.machine.ended:
                break
            self.pass_time(self.now + self.rng.choice((0, 0, 1, 1, 2, 5, 20, 4000)) * SECOND)
            self.one()
            if self.rng.random() < 0.1:
                self.both.restore(Snapshot.from_json(self.both.snapshot.to_json()))
        return self.clerk

    def pass_time(self, until: int) -> None:
        """Let time pass from timer to timer, so that a step is one macrostep."""
        for _ in range(50):
            due = self.both.machine.next_due
            if due is None or due > until:
                self.now = until
                return
            self.now = max(due, self.now)
            late = [each for each in self.both.program.timers if self.both.value(each.due) <= self.now]
            who = int(self.both.value(late[0].fields[0][1])) if late[0].fields else -1
            brought = UNKNOWN if len(late) > 1 else None if who < 0 else NAMES[who]
            self.judge(lambda: self.both.advance(self.now), "advance", {}, brought)

    def one(self) -> None:
        kind = self.rng.choice(("tick", "tick", "beat", "brought", "brought", *["answer"] * 6, "venue", "venue"))
        if kind == "tick":
            self.send("tick", price=float(self.rng.choice((30, 45, 55, 70))))
        elif kind == "beat":
            self.send("beat")
        elif kind == "brought":
            by = self.rng.choice(NAMES)
            self.send(self.rng.choice(BROUGHT), by=by, who=NAMES.index(by))
        elif kind == "answer" and self.clerk.known:
            number = self.rng.choice((*self.clerk.known, max(self.clerk.known) + 1))
            answer = self.rng.choice(("approve", "approve", "approve", "deny"))
            self.send(answer, number=number, by=self.rng.choice(NAMES))
        elif kind == "venue" and self.working:
            self.fill(self.rng.choice(sorted(self.working)))

    def fill(self, leg: str) -> None:
        order, left = self.working[leg], abs(float(self.both.value(f"{leg}.working")))
        kind = self.rng.choice(("filled", "filled", "filled", "part", "cancelled", "rejected"))
        if kind != "part":
            del self.working[leg]
        if kind in ("cancelled", "rejected"):
            self.send(f"{leg}.{kind}", order=order.number)
            return
        size = left / 2 if kind == "part" else left
        total = float(self.both.value(f"{leg}.total")) + size
        self.send(f"{leg}.filled", order=order.number, quantity=size, price=50.0, fee=0.0, total=total)

    def send(self, event: str, **fields: Any) -> None:
        self.judge(lambda: self.both.send(event, self.now, **fields), event, fields, fields.get("by"))

    def judge(self, happen: Callable[[], Step], event: str, fields: dict[str, Any], brought: str | None) -> None:
        started = bool(self.both.snapshot.configuration)
        legs = self.made.legs.items()
        held = {leg: float(self.both.value(f"{leg}.quantity")) if started else opening for leg, opening in legs}
        step = happen()
        assert step.rejected is None
        self.clerk.take(step, self.now, event, fields, brought, held)
        self.orders += len(step.orders)
        self.working |= {order.leg: order for order in step.orders} if self.made.external else {}


@cache
def played(seed: int) -> tuple[Play, Clerk]:
    play = Play(seed)
    return play, play.over(EVENTS)


@pytest.mark.parametrize(
    "seed", [*range(SPECS), *(pytest.param(s, marks=pytest.mark.slow) for s in range(SPECS, MANY))]
)
def test_no_order_leaves_without_the_approvals_that_it_needs(seed: int) -> None:
    assert played(seed)[1].wrong == []


def test_the_specs_order_and_are_approved_and_propose_late() -> None:
    plays = [played(seed) for seed in range(SPECS)]
    assert sum(play.orders for play, _ in plays) > 20
    assert sum(clerk.granted for _, clerk in plays) > 15
    assert sum(clerk.late for _, clerk in plays) > 100
