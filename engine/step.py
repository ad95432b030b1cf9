"""What one event did, and the orders in it: the values that every backend returns."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple, get_args

from .ir import Value

__all__ = ["OUTCOMES", "Order", "Outcome", "Ruling", "Step", "Verdict", "orders_of", "ruling_text"]

Outcome = Literal["asked", "noted", "granted", "refused", "denied", "lapsed", "expired"]
OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)
"""What can become of a proposal."""


class Order(NamedTuple):
    """An order that was accepted and released.

    `quantity` > 0 in the instrument's unit; `price` is the mark it was decided at; `notional`, `fee` and `slippage` are
    money ≥ 0. A leg with `side: both` that crosses zero gives two orders, one that closes and one that opens.

    Where fills come from outside, `number` > 0 is what they name it by, fee and slippage are as they would be at the mark,
    and an order that crosses zero is one. Elsewhere `number` is 0.
    """

    leg: str
    instrument: str
    rule: str
    side: Literal["buy", "sell"]
    quantity: Value
    price: Value
    notional: Value
    fee: Value
    slippage: Value
    number: int = 0

    def to_json(self) -> dict[str, Any]:
        """Return its parts by name; the number where it has one."""
        return {name: value for name, value in self._asdict().items() if name != "number" or value}


class Verdict(NamedTuple):
    """What a check of a gate said of the orders of a transition that it did not let through.

    `value` is what the orders would have made it, in `unit`, with the limits that it had to keep; all None where the check
    is a condition without them, or has no value. `reason` says it in words.
    """

    gate: str
    check: str
    rule: str
    value: Value | None
    least: Value | None
    most: Value | None
    unit: str
    reason: str

    @property
    def name(self) -> str:
        """What the check is called: `GATE.CHECK`."""
        return f"{self.gate}.{self.check}"


class Ruling(NamedTuple):
    """What became of a proposal that waits for people, or of what somebody said to it.

    `number` is that of the proposal, `rule` its transition (empty where no such proposal waits), `by` who proposed or
    answered, if a person did. `noted` is the first yes of two. `orders` are the signed changes of quantity that are shown
    to who is asked, by leg; those that are granted are no larger.
    """

    number: int
    rule: str
    outcome: Outcome
    by: str | None
    reason: str = ""
    orders: tuple[tuple[str, Value], ...] = ()

    @property
    def name(self) -> str:
        """What became of which transition, as reports call it: `asked reset`."""
        return f"{self.outcome} {self.rule}".rstrip()


class Step(NamedTuple):
    """What one event did.

    Fields:
        fired: names of the transitions that fired, in order.
        before, configuration: the active leaves, in document order, before and after; empty before the start.
        orders: what was released, in order.
        raised: names of the internal events that were queued, in order.
        rejected: why the event was refused, or None; a refused event moves no clock and no mark.
        errors: what went wrong inside transitions and observations, and was undone.
        broken: names of the invariants that do not hold now, or did not after a timer.
        timers: names and due times (ns) of the timers that fired before the event, in order; what they did is told with
            the rest.
        verdicts: of the checks of gates that did not let orders through, in order.
        approvals: what became of proposals that wait for people, in order.
        shadowed: what a machine in the shadow ordered and does not send, in order; its `orders` are none.
    """

    fired: tuple[str, ...]
    before: tuple[str, ...]
    configuration: tuple[str, ...]
    orders: tuple[Order, ...] = ()
    raised: tuple[str, ...] = ()
    rejected: str | None = None
    errors: tuple[str, ...] = ()
    broken: tuple[str, ...] = ()
    timers: tuple[tuple[str, int], ...] = ()
    verdicts: tuple[Verdict, ...] = ()
    approvals: tuple[Ruling, ...] = ()
    shadowed: tuple[Order, ...] = ()


def ruling_text(ruling: Ruling) -> str:
    """Return what became of a proposal as one line: `1 reset granted by anna`."""
    named = f" {ruling.rule}" if ruling.rule else ""
    by = "" if ruling.by is None else f" by {ruling.by}"
    orders = ", ".join(f"{leg} {float(change):+g}" for leg, change in ruling.orders)
    told = f"{ruling.number}{named} {ruling.outcome}{by}"
    return told + (f" ({orders})" if orders else "") + (f": {ruling.reason}" if ruling.reason else "")


def orders_of(
    leg: str,
    instrument: str,
    rule: str,
    short: bool,
    held: Any,
    delta: Any,
    price: Value,
    costs: tuple[Any, Any, Any],
    number: int = 0,
) -> tuple[Order, ...]:
    """Return the order for a signed change of a leg's quantity, or the two of one without a number that crosses zero.

    `costs` are notional, fee and slippage of the whole change; two orders share them by quantity.
    """
    sells = (delta < 0) != short
    side: Literal["buy", "sell"] = "sell" if sells else "buy"
    size = abs(delta)
    if number or held == 0 or (held < 0) == (delta < 0) or size <= abs(held):
        return (Order(leg, instrument, rule, side, size, price, *costs, number),)
    closing = abs(held)
    share = closing / size
    first = tuple(cost * share for cost in costs)
    rest = tuple(cost - part for cost, part in zip(costs, first, strict=True))
    return (
        Order(leg, instrument, rule, side, closing, price, *first),
        Order(leg, instrument, rule, side, size - closing, price, *rest),
    )
