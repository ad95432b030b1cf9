"""Fills from outside (`fills: external`): what an order leaves to be filled, and the events that fill it.

A live order moves no money. Its booking block counts it and keeps what it is to reach, and `LEG.filled`, an ordinary
event with a block that observes it, books what a venue did of it with the arithmetic of every other fill:

    order to `after`       orders.count, LEG.order, LEG.working, LEG.target <- number, number, after - q, after
    LEG.filled(order, quantity, price, fee, total)
                           require order is LEG.order, and total the fills so far with this one, up to what was ordered
                           q, cash, average, realised, fees <- as ever; slippage <- slippage + delta * (price - mark)
                           LEG.working <- what is left of it
    LEG.rejected(order), LEG.cancelled(order)
                           LEG.working <- 0

`total`, the quantity that the venue has filled of the order so far (`CumQty` of FIX), makes each fill one of a kind: a
duplicate does not enlarge it, and it shows where one was lost. What does not fit books nothing and is an error of the
observation (rule 7), because the ledger then differs from the venue's and a person must reconcile the two.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fractions import Fraction

from . import ledger
from .diagnostics import Span
from .evaluate import LARGEST
from .ir import Assign, Block, Cell, Event, Expr, FillMode, Let, Pool, Program, Require, Type, Value
from .ledger import LegTerms

__all__ = ["COUNT", "FILLED", "KINDS", "booked", "cells", "fill_of", "outlook", "shown", "sized"]

COUNT = "orders.count"
"""The cell that counts the orders of a machine, of all its parts."""
FILLED = "filled"
"""The last part of the name of an event that books a fill; the others of a leg end its order."""
KINDS = (FILLED, "rejected", "cancelled")
"""The last parts of the names of all of them."""

# Sums of fills differ from what was ordered by roundings; a duplicate or a lost fill differs by a fill.
_SLACK = Fraction(1, 10**12)


def cells(legs: Iterable[LegTerms], quantities: Mapping[str, str], fill: FillMode) -> tuple[Cell, ...]:
    """Return the cells of working orders; `quantities` gives units by instrument. Where fills are simulated, `working`
    alone is there, and always 0.
    """

    def cell(name: str, type: Type, unit: str) -> Cell:
        return Cell(name, type, unit, None, None, Fraction(0) if type == "real" else 0, "ledger")

    legs = tuple(legs)
    found = [cell(COUNT, "int", "1")] if fill == "external" and legs else []
    for leg in legs:
        unit = quantities[leg.instrument.name]
        found.append(cell(leg.working, "real", unit))
        if fill == "external":
            found.append(cell(leg.order, "int", "1"))
            found += [cell(name, "real", unit) for name in (leg.target, leg.total)]
    return tuple(found)


def fill_of(pool: Pool, leg: LegTerms, fill: FillMode) -> tuple[Block, str, str]:
    """Return the block of an accepted order, and the cells of what is outstanding and of its number, if there are any."""
    if fill != "external":
        return ledger.fill(pool, leg, fill), "", ""
    return _ordered(pool, leg), leg.working, leg.order


def _ordered(pool: Pool, leg: LegTerms) -> Block:
    """Return the block that tells what an order would cost at the mark, and lets it work from now on."""
    after, zero = pool.temp("after"), pool.constant(Fraction(0), "real")
    number = pool.make("add", (pool.cell(COUNT, "int"), pool.constant(1, "int")), "int")
    working = (
        (COUNT, number),
        (leg.order, number),
        (leg.working, pool.temp("delta")),
        (leg.target, after),
        (leg.total, zero),
    )
    # No cell takes up what an order costs, so that no check of a cell sees it overflow.
    cost = pool.make("add", (pool.temp("notional"), pool.make("add", (pool.temp("fee"), pool.temp("slip")))))
    told = pool.make("le", (cost, pool.constant(Fraction(LARGEST), "real")), "bool")
    reason = f"the order for `{leg.name}` costs more than a float can hold"
    return (*ledger.costs(pool, leg), Require(told, reason), Assign(working))


def outlook(pool: Pool, legs: Iterable[LegTerms]) -> Block:
    """Return the block that fills every working order at the mark: what gates judge (rule 15)."""
    zero = pool.constant(Fraction(0), "real")
    block: Block = ()
    for leg in legs:
        idle = pool.make("eq", (pool.cell(leg.working), zero), "bool")
        after = pool.make("select", (idle, pool.cell(leg.quantity), pool.cell(leg.target)))
        block += (Let("after", after), *ledger.fill(pool, leg, "same"))
    return block


def sized(pool: Pool, name: str, span: Span) -> Block:
    """Return the block that refuses a fill of nothing, before anything sees it."""
    if not name.endswith(f".{FILLED}"):
        return ()
    zero, quantity = pool.constant(Fraction(0), "real"), _field(pool, name, "quantity")
    return (Require(pool.make("gt", (quantity, zero), "bool"), "the quantity of a fill is not above 0", span),)


def booked(pool: Pool, leg: LegTerms, name: str, span: Span) -> Block:
    """Return the block that books what an event of this name says of the leg's working order."""
    order = pool.make("eq", (_field(pool, name, "order", "int"), pool.cell(leg.order, "int")), "bool")
    known = Require(order, f"that is no working order of `{leg.name}`; nothing is booked", span)
    if not name.endswith(f".{FILLED}"):
        return (known, _worked(pool, leg))
    return (known, *_filled(pool, leg, name, span))


def _filled(pool: Pool, leg: LegTerms, name: str, span: Span) -> Block:
    make, cell = pool.make, pool.cell
    quantity, price, total = (_field(pool, name, each) for each in ("quantity", "price", "total"))
    working, size, done, delta = cell(leg.working), pool.temp("size"), pool.temp("done", "bool"), pool.temp("delta")
    slack = make("mul", (size, pool.constant(_SLACK, "real")))
    gap = make("abs", (make("sub", (make("sub", (total, cell(leg.total))), quantity)),))
    buys = make("gt", (working, pool.constant(Fraction(0), "real")), "bool")
    moved = make("select", (buys, *(make(op, (cell(leg.quantity), quantity)) for op in ("add", "sub"))))
    rest = make("select", (buys, make("sub", (size, total)), make("sub", (total, size))))
    slip = make("mul", (delta, make("sub", (price, cell(leg.instrument.price)))))

    def require(op: str, one: Expr, other: Expr, reason: str) -> Require:
        return Require(make(op, (one, other), "bool"), f"{reason}; nothing is booked", span)

    return (
        Let("size", make("add", (make("abs", (working,)), cell(leg.total)))),
        require("gt", total, cell(leg.total), "that fill is booked already"),
        require("le", total, make("add", (size, slack)), "that is more than was ordered"),
        require("le", gap, slack, "`total` is not the fills so far and this one together"),
        # The last fill reaches the target to the last bit, so that what is closed is exactly 0.
        Let("done", make("ge", (total, make("sub", (size, slack))), "bool")),
        Let("after", make("select", (done, cell(leg.target), moved))),
        Let("delta", make("sub", (pool.temp("after"), cell(leg.quantity)))),
        Let("fee", _field(pool, name, "fee")),
        Let("slip", make("neg", (slip,)) if leg.side == "short" else slip),
        Let("rest", rest),
        ledger.booking(pool, leg, "external"),
        _worked(pool, leg, done),
    )


def _worked(pool: Pool, leg: LegTerms, done: Expr | None = None) -> Assign:
    """Return the assignment after which no order works on the leg; unless it is `done`, what is left of it does."""

    def left(value: Expr) -> Expr:
        nothing = pool.constant(Fraction(0) if value.type == "real" else 0, value.type)
        return nothing if done is None else pool.make("select", (done, nothing, value), value.type)

    return Assign(
        (
            (leg.working, left(pool.temp("rest"))),
            (leg.order, left(pool.cell(leg.order, "int"))),
            (leg.target, left(pool.cell(leg.target))),
            (leg.total, left(_field(pool, f"{leg.name}.{FILLED}", "total"))),
        )
    )


def _field(pool: Pool, event: str, name: str, type: Type = "real") -> Expr:
    return pool.make("field", (), type, name=f"{event}.{name}")


def shown(program: Program, event: Event, fields: Mapping[str, Value], cells: Mapping[str, Value]) -> str:
    """Return what came in an event and what works on its leg, for a person who reconciles; nothing of other events."""
    if not event.leg:
        return ""
    leg = program.leg(event.leg)
    came = ", ".join(f"{each.name} {fields[f'{event.name}.{each.name}']}" for each in event.fields)
    rest = cells[leg.working]
    works = f"order {cells[leg.order]} has {rest} outstanding" if rest else "none is working"
    return f" ({came}; of `{leg.name}` {works})"
