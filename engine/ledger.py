"""The ledger as IR: cash, signed quantities, fees, slippage and carry, in arithmetic that every backend already has.

An accepted order that takes a leg to the quantity `after` becomes

    let delta    = after - q                         let notional = abs(delta * mark)
    let fee      = fee rate * notional               let slip     = slippage * notional + half_spread * abs(delta)
    cash     <- cash - side * delta * mark - fee - slip         q <- after
    average  <- unchanged, or weighted by volume when the leg grows        realised <- realised + gain on what was closed

so that, after every event (DESIGN rule 14),

    Δequity          = Σ position · Δmark − fees − slippage + flows
    equity − capital = Σ realised + Σ profit − fees − slippage + flows.

With `fill="next"` the slippage to the next mark is booked when that mark comes: `unsettled` is the signed quantity that
was filled since the last one. Fills from outside are in `engine.fills`.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Literal

from .diagnostics import Span
from .ir import Assign, Block, Cell, Expr, FillMode, Instruction, Let, Pool, Propose, Require
from .record import Record

__all__ = [
    "ACCRUED",
    "InstrumentTerms",
    "LegTerms",
    "accrual",
    "accrual_begins",
    "booking",
    "capital",
    "cells",
    "costs",
    "endowment",
    "fill",
    "funding",
    "mark",
    "propose",
]

Verb = Literal["increase", "reduce", "target", "close"]

ACCRUED = "accrued"
"""The cell that holds the time up to which borrow has been charged, in int64 nanoseconds."""


class InstrumentTerms(Record):
    """What trading an instrument costs; every expression is over the parameters."""

    name: str
    fee: Expr
    slippage: Expr
    half_spread: Expr
    borrow: Expr | None
    lot: Expr | None
    minimum_notional: Expr | None

    @property
    def price(self) -> str:
        return f"{self.name}.price"

    @property
    def unsettled(self) -> str:
        return f"{self.name}.unsettled"


class LegTerms(Record):
    """A position as its spec declares it."""

    name: str
    instrument: InstrumentTerms
    side: Literal["long", "short", "both"]
    opening: Expr

    @property
    def quantity(self) -> str:
        return f"{self.name}.quantity"

    @property
    def average(self) -> str:
        return f"{self.name}.average"

    @property
    def realised(self) -> str:
        return f"{self.name}.realised"

    @property
    def working(self) -> str:
        return f"{self.name}.working"

    @property
    def order(self) -> str:
        return f"{self.name}.order"

    @property
    def target(self) -> str:
        return f"{self.name}.target"

    @property
    def total(self) -> str:
        return f"{self.name}.total"


def cells(
    instruments: tuple[InstrumentTerms, ...],
    legs: tuple[LegTerms, ...],
    units: dict[str, tuple[str, str]],
    money: str,
    fill: FillMode,
) -> tuple[Cell, ...]:
    """Return the ledger's cells; `units` gives (quantity, price) units by instrument."""

    def ledger(name: str, unit: str, low: Fraction | None = None) -> Cell:
        return Cell(name, "real", unit, low, None, Fraction(0), "ledger")

    found = [ledger(instrument.price, units[instrument.name][1]) for instrument in instruments]
    if fill == "next":
        found += [ledger(instrument.unsettled, units[instrument.name][0]) for instrument in instruments]
    if legs:
        found += [ledger(name, money) for name in ("cash", "fees", "slippage", "flows")]
    for leg in legs:
        quantity, price = units[leg.instrument.name]
        found.append(ledger(leg.quantity, quantity, None if leg.side == "both" else Fraction(0)))
        found += [ledger(leg.average, price), ledger(leg.realised, money)]
    if _borrowers(legs):
        found.append(Cell(ACCRUED, "int", "ns", None, None, 0, "ledger"))
    return tuple(found)


def _signed(pool: Pool, leg: LegTerms, quantity: Expr) -> Expr:
    return pool.make("neg", (quantity,)) if leg.side == "short" else quantity


def _position(pool: Pool, instrument: InstrumentTerms, legs: tuple[LegTerms, ...]) -> Expr | None:
    """Return the signed quantity of an instrument over all its legs."""
    total: Expr | None = None
    for leg in legs:
        if leg.instrument is instrument:
            quantity = pool.cell(leg.quantity)
            if total is None:
                total = _signed(pool, leg, quantity)
            else:
                total = pool.make("sub" if leg.side == "short" else "add", (total, quantity))
    return total


def mark(
    pool: Pool,
    instrument: InstrumentTerms,
    price: Expr,
    span: Span,
    fill: FillMode,
    legs: tuple[LegTerms, ...],
) -> Block:
    """Return the block that moves a mark to `price`, settling what was filled since the last one."""
    if fill != "next" or not legs:
        return (Assign(((instrument.price, price),), span),)
    new, moved = pool.temp(f"{instrument.name} mark"), pool.temp(f"{instrument.name} moved")
    drift = pool.make("mul", (pool.cell(instrument.unsettled), pool.make("sub", (new, pool.cell(instrument.price)))))
    return (
        Let(new.name, price, span),
        Let(moved.name, drift, span),
        Assign(
            (
                ("cash", pool.make("sub", (pool.cell("cash"), moved))),
                ("slippage", pool.make("add", (pool.cell("slippage"), moved))),
                (instrument.unsettled, pool.constant(Fraction(0), "real")),
                (instrument.price, new),
            ),
            span,
        ),
    )


def _flow(pool: Pool, amount: Expr, span: Span | None) -> Assign:
    """Return the payment of `amount` out of the cash."""
    return Assign(
        (
            ("cash", pool.make("sub", (pool.cell("cash"), amount))),
            ("flows", pool.make("sub", (pool.cell("flows"), amount))),
        ),
        span,
    )


def funding(pool: Pool, instrument: InstrumentTerms, rate: Expr, span: Span, legs: tuple[LegTerms, ...]) -> Block:
    """Return the block in which longs pay `rate` of their position's value, and shorts receive it."""
    position = _position(pool, instrument, legs)
    if position is None:
        return ()
    value = pool.make("mul", (position, pool.cell(instrument.price)))
    return (_flow(pool, pool.make("mul", (value, rate)), span),)


def _borrowers(legs: tuple[LegTerms, ...]) -> tuple[LegTerms, ...]:
    """Return the legs that can be charged borrow."""
    return tuple(leg for leg in legs if leg.instrument.borrow is not None and leg.side != "long")


def accrual(pool: Pool, legs: tuple[LegTerms, ...]) -> Block:
    """Return the block that charges borrow from where it was last charged up to now, at the marks so far.

    Each leg that is short pays for its own quantity: a long leg in the same instrument does not lend to it.
    """
    now, dt = pool.make("now", (), "int"), pool.temp("dt")
    block: list[Instruction] = []
    zero = pool.constant(Fraction(0), "real")
    for leg in _borrowers(legs):
        borrow, quantity = leg.instrument.borrow, pool.cell(leg.quantity)
        assert borrow is not None
        short = quantity if leg.side == "short" else pool.make("max", (pool.make("neg", (quantity,)), zero))
        value = pool.make("mul", (short, pool.cell(leg.instrument.price)))
        charge = pool.make("mul", (pool.make("mul", (value, borrow)), dt))
        block.append(_flow(pool, charge, None))
    if not block:
        return ()
    passed = pool.make("seconds", (now, pool.cell(ACCRUED, "int")))
    return (Let(dt.name, passed), *block, Assign(((ACCRUED, now),)))


def accrual_begins(pool: Pool, legs: tuple[LegTerms, ...]) -> Block:
    """Return the block that starts the time for which borrow is charged."""
    return (Assign(((ACCRUED, pool.make("now", (), "int")),)),) if _borrowers(legs) else ()


def capital(amount: Expr, span: Span) -> Block:
    """Return the block that puts the capital into the cash."""
    return (Assign((("cash", amount),), span),)


def endowment(pool: Pool, legs: tuple[LegTerms, ...], span: Span) -> Block:
    """Return the block that opens positions at the mark: the cash falls by what they are worth."""
    block: list[Instruction] = []
    for leg in legs:
        quantity, price = pool.temp(f"{leg.name} opening"), pool.cell(leg.instrument.price)
        worth = pool.make("mul", (quantity, price))
        block.append(Let(quantity.name, leg.opening, span))
        zero = pool.constant(Fraction(0), "real")
        empty = pool.make("eq", (quantity, zero), "bool")
        if leg.side != "both":
            block.append(Require(pool.make("ge", (quantity, zero), "bool"), f"`{leg.name}` opens below 0", span))
        block.append(
            Assign(
                (
                    (leg.quantity, quantity),
                    (leg.average, pool.make("select", (empty, zero, price))),
                    ("cash", pool.make("add" if leg.side == "short" else "sub", (pool.cell("cash"), worth))),
                ),
                span,
            )
        )
    return tuple(block)


def propose(pool: Pool, leg: LegTerms, verb: Verb, amount: Expr | None, span: Span) -> Block:
    """Return the block that proposes an order: checks, then the quantity to reach in whole lots.

    `increase` and `reduce` enlarge and shrink |quantity| by an amount ≥ 0; `target` names the quantity; `close` is 0.
    """
    zero = pool.constant(Fraction(0), "real")
    if verb == "close":
        return (Propose(leg.name, verb, zero, span),)
    assert amount is not None
    quantity = pool.cell(leg.quantity)
    wanted, block = pool.temp(f"{leg.name} wanted"), list[Instruction]()
    if verb == "target":
        block.append(Let(wanted.name, amount, span))
    else:
        size = pool.temp(f"{leg.name} amount")
        block.append(Let(size.name, amount, span))
        block.append(
            Require(
                pool.make("ge", (size, zero), "bool"),
                f"the amount to {verb} `{leg.name}` by is below 0",
                span,
            )
        )
        grown, shrunk = pool.make("add", (quantity, size)), pool.make("sub", (quantity, size))
        up, down = (grown, shrunk) if verb == "increase" else (shrunk, grown)
        if leg.side == "both" and verb == "reduce":
            fits = pool.make("le", (size, pool.make("abs", (quantity,))), "bool")
            block.append(Require(fits, f"the amount to reduce `{leg.name}` by is more than it holds", span))
        if leg.side == "both":
            negative = pool.make("lt", (quantity, zero), "bool")
            block.append(Let(wanted.name, pool.make("select", (negative, down, up)), span))
        else:
            block.append(Let(wanted.name, up, span))
    if leg.side != "both":
        block.append(Require(pool.make("ge", (wanted, zero), "bool"), f"the order takes `{leg.name}` below 0", span))
    lot = leg.instrument.lot
    if lot is not None and lot.op != "const":
        above = pool.make("gt", (lot, zero), "bool")
        block.append(Require(above, f"the lot of `{leg.instrument.name}` is not above 0", span))
    after = _in_lots(pool, leg, wanted)
    return (*block, Propose(leg.name, verb, after, span))


# Room for the rounding of a quotient: 0.3 / 0.1 is three lots, not two.
_LOT_SLACK = Fraction(1, 10**9)


def _in_lots(pool: Pool, leg: LegTerms, wanted: Expr) -> Expr:
    """Return `wanted` with its change from today cut to whole lots, and no change where that is too small to send."""
    instrument, quantity = leg.instrument, pool.cell(leg.quantity)
    after = wanted
    if instrument.lot is not None:
        change = pool.make("sub", (wanted, quantity))
        slack = pool.constant(_LOT_SLACK, "real")
        lots = pool.make(
            "floor",
            (pool.make("add", (pool.make("div", (pool.make("abs", (change,)), instrument.lot)), slack)),),
        )
        size = pool.make("mul", (lots, instrument.lot))
        zero = pool.constant(Fraction(0), "real")
        falls = pool.make("lt", (change, zero), "bool")
        after = pool.make("select", (falls, pool.make("sub", (quantity, size)), pool.make("add", (quantity, size))))
        if leg.side != "both":
            # Closing a last odd lot must not overshoot zero by a rounding.
            after = pool.make("max", (after, zero))
    if instrument.minimum_notional is not None:
        change = pool.make("sub", (after, quantity))
        notional = pool.make("abs", (pool.make("mul", (change, pool.cell(instrument.price))),))
        small = pool.make("lt", (notional, instrument.minimum_notional), "bool")
        after = pool.make("select", (small, quantity, after))
    return after


def _either(pool: Pool, *pairs: tuple[str, Expr, str, Expr]) -> Expr:
    """Return whether, in one of the pairs, both values compare with 0 as their operators say."""
    zero = pool.constant(Fraction(0), "real")
    both = [
        pool.make("and", (pool.make(op, (a, zero), "bool"), pool.make(other, (b, zero), "bool")), "bool")
        for op, a, other, b in pairs
    ]
    return pool.make("or", (both[0], both[1]), "bool")


def fill(pool: Pool, leg: LegTerms, mode: FillMode) -> Block:
    """Return the block that books an accepted order which takes the leg to the temp `after`."""
    return (*costs(pool, leg), booking(pool, leg, mode))


def costs(pool: Pool, leg: LegTerms) -> Block:
    """Return the block that binds `delta`, `notional`, `fee` and `slip` of an order which takes the leg to `after`."""
    make, terms = pool.make, leg.instrument
    delta, notional = pool.temp("delta"), pool.temp("notional")
    spread = make("mul", (terms.half_spread, make("abs", (delta,))))
    return (
        Let("delta", make("sub", (pool.temp("after"), pool.cell(leg.quantity)))),
        Let("notional", make("abs", (make("mul", (delta, pool.cell(terms.price))),))),
        Let("fee", make("mul", (terms.fee, notional))),
        Let("slip", make("add", (make("mul", (terms.slippage, notional)), spread))),
    )


def booking(pool: Pool, leg: LegTerms, mode: FillMode) -> Assign:
    """Return the assignment that books `delta` at the mark, which takes the leg to `after`, with its `fee` and `slip`."""
    make, cell = pool.make, pool.cell
    terms = leg.instrument
    after, delta, fee, slip = (pool.temp(name) for name in ("after", "delta", "fee", "slip"))
    quantity, average, price = cell(leg.quantity), cell(leg.average), cell(terms.price)
    zero = pool.constant(Fraction(0), "real")
    paid = make("add" if leg.side == "short" else "sub", (cell("cash"), make("mul", (delta, price))))
    weighted = make("add", (make("mul", (average, quantity)), make("mul", (price, delta))))
    volume_weighted = make("div", (weighted, after))
    gain = make("sub", (average, price) if leg.side == "short" else (price, average))
    if leg.side == "both":
        # Signs are compared, not multiplied: a product of small quantities rounds to 0.
        same_side = _either(pool, ("ge", quantity, "ge", delta), ("le", quantity, "le", delta))
        crosses = _either(pool, ("gt", quantity, "lt", after), ("lt", quantity, "gt", after))
        new_average = make("select", (same_side, volume_weighted, make("select", (crosses, price, average))))
        closed = make("select", (same_side, zero, make("select", (crosses, quantity, make("neg", (delta,))))))
    else:
        grows = make("gt", (delta, zero), "bool")
        new_average = make("select", (grows, volume_weighted, average))
        closed = make("select", (grows, zero, make("neg", (delta,))))
    empty = make("eq", (after, zero), "bool")
    targets = [
        ("cash", make("sub", (make("sub", (paid, fee)), slip))),
        ("fees", make("add", (cell("fees"), fee))),
        ("slippage", make("add", (cell("slippage"), slip))),
        (leg.realised, make("add", (cell(leg.realised), make("mul", (gain, closed))))),
        (leg.average, make("select", (empty, zero, new_average))),
        (leg.quantity, after),
    ]
    if mode == "next":
        traded = make("sub" if leg.side == "short" else "add", (cell(terms.unsettled), delta))
        targets.append((terms.unsettled, traded))
    return Assign(tuple(targets))
