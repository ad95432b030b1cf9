"""The no-trade band in vectorbt: `Portfolio.from_order_func`, one column a parameter set.

vectorbt's licence (Apache 2.0 with the Commons Clause) is not a free one; it is installed for the benchmark alone, from
benchmarks/requirements.txt.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

__all__ = ["Peer", "vectorbt_band"]

Values = npt.NDArray[np.float64]


class Peer(NamedTuple):
    """What vectorbt came to: for each set, (S,), the net position, the number of orders, and the P&L in money."""

    position: Values
    orders: npt.NDArray[np.int64]
    profit: Values


def vectorbt_band() -> tuple[Callable[[Values, Values, float, float, float, int], Any], Callable[[Any], Peer]]:
    """Return what runs the simulation, and what reads its results; the first run compiles.

    The simulation takes (n,) prices, (S,) bands, the lot, the fee, the capital, and the most orders that it makes room for.
    """
    import numba
    import vectorbt
    from vectorbt.portfolio import nb
    from vectorbt.portfolio.enums import Direction, SizeType

    amount, both = int(SizeType.Amount), int(Direction.Both)

    @numba.njit
    def order(context, anchors, bands, lot, fee):  # type: ignore[no-untyped-def]  # numba infers them
        price, column = context.close[context.i, context.col], context.col
        if context.i == 0:
            anchors[column] = price
        anchor = anchors[column]
        edge = bands[column] * anchor
        if price - anchor >= edge:
            anchors[column] = price
            return nb.order_nb(size=-lot, price=price, size_type=amount, direction=both, fees=fee)
        if anchor - price >= edge:
            anchors[column] = price
            return nb.order_nb(size=lot, price=price, size_type=amount, direction=both, fees=fee)
        return nb.order_nothing_nb()

    def simulate(prices: Values, bands: Values, lot: float, fee: float, capital: float, most: int) -> Any:
        close = np.broadcast_to(prices[:, None], (len(prices), len(bands)))
        return vectorbt.Portfolio.from_order_func(
            close, order, np.empty(len(bands)), bands, lot, fee, init_cash=capital, max_orders=most, max_logs=1
        )

    def read(portfolio: Any) -> Peer:
        return Peer(
            portfolio.assets().to_numpy()[-1],
            portfolio.orders.count().to_numpy(),
            portfolio.total_profit().to_numpy(),
        )

    return simulate, read
