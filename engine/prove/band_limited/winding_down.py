"""How long the exit is and what it costs: the formulas that the proofs give, beside exits that the engine has run."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

from ...studies.band_limited.winding_down import steps_of
from ...studies.report import Part, Table
from .setting import Setting

__all__ = ["Exit", "conduct"]

DAY_NS = 86_400 * 10**9
MONTH_NS = 30 * DAY_NS
"""The spec's own `exit_every`."""
START = 2000.0
"""Price at which the books open, USD; with the default stake Q₀ is 1,000 IDX."""
BOOKS = ((START, 0.2), (START, 0.3), (START, 0.4), (100.0, 0.3), (50.0, 0.2))
"""Opening prices, USD, and η."""
PATHS = (("flat", 1.0, MONTH_NS), ("rising by 1 % a day", 1.01, DAY_NS), ("falling by 1 % a day", 1 / 1.01, DAY_NS))
"""What a price does between two ticks, and how far apart they are."""
_MOST = 1000


class Exit(NamedTuple):
    """An exit that was run to its end.

    Fields:
        steps: firings of `exit_step`.
        closing: firings of `finish`.
        nanoseconds: from the exit's beginning to the last order.
        cost: fees and slippage, USD.
        quantity: gross at the beginning, IDX.
        highest: greatest mark from there on, USD.
    """

    steps: int
    closing: int
    nanoseconds: int
    cost: float
    quantity: float
    highest: float


def conduct(setting: Setting) -> Part:
    """Run exits over prices that are flat, rise and fall, with some books, and compare.

    Raises:
        ValueError: an exit that does not do what is proved of every exit.
    """
    defaults = setting.shipped.compile().parameters
    residue, fee, slippage, eta = (float(defaults[name]) for name in ("residue", "fee", "slippage", "eta"))
    tables = {"counts": _counts(setting, residue), "costs": _costs(setting, eta, fee + slippage)}
    quantity = _run(setting, START, eta, 1.0, MONTH_NS).quantity
    named = (("residue", residue), ("eta", eta), ("fee", fee), ("slippage", slippage), ("start", START))
    figures = {name: f"{value:,g}" for name, value in (*named, ("quantity", quantity))}
    figures["paper"] = f"{2 * fee * quantity / eta:.2f}"
    return Part("winding_down", (), tables, (), figures)


def _counts(setting: Setting, residue: float) -> Table:
    head = ("opens at, USD", "η", "Q₀, IDX", "log(ε/Q₀)/log(1 − η)", "N", "steps run", "closing orders", "took")
    rows = []
    for price, eta in BOOKS:
        found = _run(setting, price, eta, 1.0, MONTH_NS)
        exact, steps = math.log(residue / found.quantity) / math.log(1 - eta), steps_of(found.quantity, residue, eta)
        if (found.steps, found.closing) != (steps, 1):
            raise ValueError(f"an exit from {price:g} took {found.steps} steps and not {steps}")
        ran = f"{found.steps}", f"{found.closing}", f"{found.nanoseconds / DAY_NS:,.0f} days"
        rows.append((f"{price:,g}", f"{eta:g}", f"{found.quantity:,g}", f"{exact:.1f}", f"{steps}", *ran))
    return Table(head, tuple(rows))


def _costs(setting: Setting, eta: float, rate: float) -> Table:
    """Return what exits cost where a trade costs a share `rate` of its worth."""
    rows = []
    for name, factor, spacing in PATHS:
        found = _run(setting, START, eta, factor, spacing)
        bound = rate * found.quantity * found.highest
        # A flat exit costs exactly its bound, so rounding may take it past.
        if found.cost > bound * (1 + 1e-9):
            raise ValueError(f"an exit at a {name} price cost {found.cost:g} and not at most {bound:g}")
        money = f"{found.cost:,.2f}", f"{bound:,.2f}", f"{found.cost / bound:.3f}"
        rows.append((name, f"{found.quantity:,g}", f"{found.highest:,.0f}", *money))
    return Table(("price", "Q₀, IDX", "P_max, USD", "cost, USD", "bound, USD", "share"), tuple(rows))


def _run(setting: Setting, price: float, eta: float, factor: float, spacing: int) -> Exit:
    """Open books at a price, let a person end them, and send a tick each `spacing` until they are flat.

    Raises:
        ValueError: they never are.
    """
    machine = setting.shipped.compile(eta=eta).machine()
    tick = machine.port("tick")
    tick(0, price)
    quantity = float(machine.value("long.quantity")) + float(machine.value("short.quantity"))
    machine.port("manual_exit")(0)
    steps, highest = 0, price
    for time, mark in _ticks(price, factor, spacing):
        highest = max(highest, mark)
        fired = tick(time, mark).fired
        steps += fired.count("exit_step")
        if machine.ended:
            cost = float(machine.value("fees")) + float(machine.value("slippage"))
            return Exit(steps, fired.count("finish"), time, cost, quantity, highest)
    raise ValueError(f"the exit from {price:g} has not ended after {_MOST} ticks")


def _ticks(price: float, factor: float, spacing: int) -> Iterator[tuple[int, float]]:
    for number in range(1, _MOST + 1):
        yield number * spacing, price * factor**number
