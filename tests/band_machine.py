"""The band-limited hedge by hand, with the face of a machine: an independent reference for the dry run.

It follows DESIGN §4 (harvest on leaving the band, both legs netted to one order each), has the modes
`active`, `tired` (after a given number of triggers) and the final `flat`, and knows nothing of the engine.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any, NamedTuple

from hedgerow.engine.dryrun.subject import LegShape, RegionShape, Subject

COLUMNS = (
    "state",
    "index.price",
    "long.quantity",
    "short.quantity",
    "cash",
    "fees",
    "slippage",
    "flows",
    "report.harvest",
    "report.overshoot",
)
LEAVES = ("active", "tired", "flat")


class Order(NamedTuple):
    leg: str
    instrument: str
    rule: str
    side: str
    quantity: float
    price: float
    notional: float
    fee: float
    slippage: float


class Step(NamedTuple):
    fired: tuple[str, ...] = ()
    before: tuple[str, ...] = ("active",)
    configuration: tuple[str, ...] = ("active",)
    orders: tuple[Order, ...] = ()
    raised: tuple[str, ...] = ()
    rejected: str | None = None
    errors: tuple[str, ...] = ()
    broken: tuple[str, ...] = ()
    timers: tuple[tuple[str, int], ...] = ()
    verdicts: tuple[Any, ...] = ()
    approvals: tuple[Any, ...] = ()


class BandMachine:
    """Stake in money a leg; `tired_after` triggers it stops trading, at `flat_after` rows it closes and
    ends."""

    def __init__(
        self,
        *,
        stake: float = 1e6,
        capital: float = 1e6,
        fee: float = 0.0005,
        slip: float = 0.0,
        k: float = 8,
        alpha: float = 0.05,
        tired_after: float = math.inf,
        flat_after: float = math.inf,
        breaks_below: float = 0.0,
        carry: float = 0.0,
    ) -> None:
        self.stake, self.fee, self.slip, self.band, self.alpha = stake, fee, slip, k * fee, alpha
        self.tired_after, self.flat_after, self.breaks_below, self.carry = (
            tired_after,
            flat_after,
            breaks_below,
            carry,
        )
        self.cash, self.fees, self.slippage, self.flows = capital, 0.0, 0.0, 0.0
        self.harvest = self.overshoot = 0.0
        self.long = self.short = self.anchor = self.price = 0.0
        self.state, self.triggers, self.rows, self.time = 0, 0, 0, -(2**62)
        self.ended = False
        self._quiet = {leaf: Step(before=(leaf,), configuration=(leaf,)) for leaf in LEAVES}

    def port(self, event: str):
        assert event == "tick"
        return self._tick

    def observation(self) -> tuple[float, ...]:
        return (
            self.state, self.price, self.long, self.short, self.cash, self.fees, self.slippage, self.flows,
            self.harvest, self.overshoot,
        )  # fmt: skip

    def _tick(self, time_ns: int, price: float) -> Step:
        if not (math.isfinite(price) and price > 0):
            return self._quiet[LEAVES[self.state]]._replace(rejected=f"`price` is {price}")
        if time_ns < self.time:
            return self._quiet[LEAVES[self.state]]._replace(rejected="time runs backwards")
        self.time, self.price, self.rows = time_ns, price, self.rows + 1
        if self.rows == 1:
            self.long = self.short = self.stake / price
            self.anchor = price
        self.cash += self.carry
        self.flows += self.carry
        broken = ("price_stays_up",) if price < self.breaks_below else ()
        before = (LEAVES[self.state],)
        if self.rows >= self.flat_after:
            orders = [self._order("long", "finish", -self.long), self._order("short", "finish", -self.short)]
            self.long = self.short = 0.0
            self.state, self.ended = 2, True
            return Step(("finish",), before, ("flat",), tuple(orders), broken=broken)
        move = abs(price - self.anchor)
        if self.state == 1 or move < self.band * min(price, self.anchor):
            quiet = self._quiet[LEAVES[self.state]]
            return quiet._replace(broken=broken) if broken else quiet
        up = price > self.anchor
        step = move / max(price, self.anchor)
        bite = step * (self.long if up else self.short)
        gain, other = -(1 + self.alpha) / 2 * bite, (1 - 3 * self.alpha) / 2 * bite
        self.harvest += (1 - self.alpha) / 2 * bite * move
        self.overshoot += move / (self.band * min(price, self.anchor)) - 1
        rule = "up" if up else "down"
        orders = [
            self._order("long", rule, gain if up else other),
            self._order("short", rule, other if up else gain),
        ]
        self.long += gain if up else other
        self.short += other if up else gain
        self.anchor = price
        self.triggers += 1
        if self.triggers >= self.tired_after:
            self.state = 1
            return Step((rule, "rest"), before, ("tired",), tuple(orders), broken=broken)
        return Step((rule,), before, before, tuple(orders), broken=broken)

    def _order(self, leg: str, rule: str, change: float) -> Order:
        bought = change if leg == "long" else -change
        notional = abs(change) * self.price
        fee, slip = self.fee * notional, self.slip * notional
        self.cash -= bought * self.price + fee + slip
        self.fees += fee
        self.slippage += slip
        return Order(leg, "index", rule, "buy" if bought > 0 else "sell", abs(change), self.price, notional, fee, slip)


def subject(**changes: Any) -> Subject:
    """Return what the machine above is, for the stages after the trace."""
    made = Subject(
        name="band_by_hand",
        about="Two legs & <one> index.",
        digest="0" * 64,
        columns=COLUMNS,
        fill="same",
        money="USD",
        capital=1e6,
        parameters={"k": 8.0, "fee": 0.0005},
        instruments=("index",),
        legs=(LegShape("long", "index", 1), LegShape("short", "index", -1)),
        regions=(RegionShape("state", LEAVES),),
        states=LEAVES,
        rules=("up", "down", "rest", "finish"),
        invariants=("price_stays_up",),
        measures={"harvest": True, "overshoot": False},
        limits={"net": 5e5, "gross": 3e6},
    )
    return replace(made, **changes)
