"""The band-limited spec as a person writes it by hand for numba: one loop, every value a local, the same results.

It keeps what a kernel keeps: the ledger with averages and realised P&L, orders, turnover, what fired, the time in each
state, equity and fees at the end of each UTC day; and when it watches, the drawdown and how often each invariant was broken.
It refuses what the spec refuses by returning early. It checks no result for finiteness and restores nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

__all__ = ["BROKEN", "COUNTS", "MONEY", "Given", "given", "hand_written"]

CAPITAL = 1_000_000.0
ROOM = 1e-9
DEEPER = 1 - 2.0**-50

BROKEN = (
    "in_band", "not_positive", "grew", "with_the_move", "not_reduced", "beyond_gross", "overexposed", "unpaid", "returned",
    "exit_in_band", "exit_cost_more",
)  # fmt: skip
"""How often each invariant of the spec was broken, in its order."""
COUNTS = (
    "rows", "state", "orders", "calm", "since", "give_up", "freeze", "up", "down", "gave_up_paused", "thaw", "finish",
    "exit_step", "active", "paused", "winding_down", *BROKEN,
)  # fmt: skip
MONEY = (
    "cash", "fees", "slippage", "long", "long_average", "long_realised", "short", "short_average", "short_realised",
    "squared", "spacing", "anchor", "harvest", "overshoot", "turnover", "drawdown", "drawdown_amount",
)  # fmt: skip


class Given(NamedTuple):
    """The parameters of the spec, by their names; times in seconds."""

    stake: float
    slippage: float
    fee: float
    k: float
    alpha: float
    beta: float
    delta: float
    eta: float
    timed_exit: bool
    exit_every: float
    horizon: float
    gamma1: float
    calm_checks: int
    tau_max: float
    net_max: float
    gross_max: float
    residue: float


def given(parameters: Mapping[str, Any]) -> Given:
    """Return the parameters of a compiled spec for the loop."""
    return Given(**{name: parameters[name] for name in Given._fields})


@cache
def hand_written(
    watch: bool,
) -> Callable[
    [npt.NDArray[np.int64], npt.NDArray[np.float64], npt.NDArray[np.int64], Given, npt.NDArray[Any], npt.NDArray[Any]],
    tuple[tuple[int, ...], tuple[float, ...]],
]:
    """Return the loop; its first call compiles it.

    It takes (n,) times in ns, (n,) prices, (d,) ends of days, the parameters, and (d,) equity and (d,) fees to write, and
    returns the values of `COUNTS` and `MONEY`.
    """
    import numba

    jit = numba.njit(error_model="numpy")

    @jit
    def above(one, other):  # type: ignore[no-untyped-def]
        """Return whether one number is above the other by more than rounding."""
        return one - other > ROOM * max(abs(one), abs(other))

    @jit
    def loop(times, prices, stops, p, days, day_fees):  # type: ignore[no-untyped-def]  # numba infers them
        alpha, beta, eta, fee, slippage = p.alpha, p.beta, p.eta, p.fee, p.slippage
        horizon, tau_max, net_max, gross_max = p.horizon, p.tau_max, p.net_max, p.gross_max
        calm_checks, residue, timed_exit, exit_every = p.calm_checks, p.residue, p.timed_exit, p.exit_every
        band = p.k * fee
        exit_band, square, friction = p.delta * band, band * band, p.gamma1 * band * fee
        share, win, lose = beta * (1 - alpha) / 2, (1 + alpha) / 2, (1 - 3 * alpha) / 2
        exposure, harvested, pays = beta * (1 - alpha), (1 + band) * beta * (1 - alpha), 3 * alpha <= 1

        price = anchor = previous = prices[0]
        long = short = p.stake / price
        long_average = short_average = price
        long_realised = short_realised = 0.0
        cash = CAPITAL - long * price + short * price
        fees = slipped = turnover = harvest = overshoot = 0.0
        squared, spacing, calm = 0.0001, 86400.0, 0
        state = orders = 0
        give_up = freeze = up = down = gave_up_paused = thaw = finish = exit_step = 0
        active = paused = winding_down = 0
        in_band = not_positive = grew = with_the_move = not_reduced = 0
        beyond_gross = overexposed = unpaid = returned = exit_in_band = exit_cost_more = 0
        peak, drawdown, amount = CAPITAL, 0.0, 0.0
        clock = since = entered = times[0]

        row = 0
        for day in range(len(stops)):
            while row < stops[day]:
                price, now = prices[row], times[row]
                if not (0.01 <= price <= 1e7) or now < clock:
                    break
                elapsed = (now - clock) / 1e9
                clock = now
                change = price / previous - 1
                previous = price
                squared = 0.97 * squared + (1 - 0.97) * (change * change)
                spacing = 0.97 * spacing + (1 - 0.97) * elapsed
                if squared * horizon < friction * spacing:
                    calm = calm + 1 if calm + 1 < 1_000_000 else 1_000_000
                else:
                    calm = 0
                distance = abs(price - anchor)
                lower = price if price < anchor else anchor
                target_long, target_short = long, short
                was, before_anchor, fired = state, anchor, False
                if state < 2:
                    fails = (
                        calm >= calm_checks or abs(long - short) * price > net_max or (long + short) * price > gross_max
                    )
                    if fails:
                        if state == 0:
                            give_up += 1
                            active += now - entered
                        else:
                            gave_up_paused += 1
                            paused += now - entered
                        state, entered, since, anchor, fired = 2, now, now, price, True
                    elif state == 0:
                        if square * spacing > tau_max * squared:
                            freeze += 1
                            active += now - entered
                            state, entered, fired = 1, now, True
                        elif distance >= band * lower:
                            step = distance / (price if anchor < price else anchor)
                            if price > anchor:
                                up += 1
                                harvest += share * step * long * distance
                                bite = beta * step * long
                                target_long, target_short = long - win * bite, short + lose * bite
                            else:
                                down += 1
                                harvest += share * step * short * distance
                                bite = beta * step * short
                                target_long, target_short = long + lose * bite, short - win * bite
                            overshoot += distance / (band * lower) - 1
                            anchor, fired = price, True
                    elif not square * spacing > tau_max * squared:
                        thaw += 1
                        paused += now - entered
                        state, entered, anchor, fired = 0, now, price, True
                elif state == 2:
                    if long + short < residue:
                        finish += 1
                        winding_down += now - entered
                        target_long = target_short = 0.0
                        state, entered, fired = 3, now, True
                    elif distance >= exit_band * lower or (timed_exit and (now - since) / 1e9 >= exit_every):
                        exit_step += 1
                        target_long, target_short = long - eta * long, short - eta * short
                        anchor, since, fired = price, now, True
                if fired:
                    before_long, before_short, before_cash, before_fees = long, short, cash, fees
                    if target_long != long:
                        delta = target_long - long
                        notional = abs(delta * price)
                        cost, slip = fee * notional, slippage * notional
                        cash = cash - delta * price - cost - slip
                        fees += cost
                        slipped += slip
                        if delta > 0:
                            long_average = (long_average * long + price * delta) / target_long
                        else:
                            long_realised += (price - long_average) * -delta
                            if target_long == 0:
                                long_average = 0.0
                        long = target_long
                        turnover += notional
                        orders += 1
                    if target_short != short:
                        delta = target_short - short
                        notional = abs(delta * price)
                        cost, slip = fee * notional, slippage * notional
                        cash = cash + delta * price - cost - slip
                        fees += cost
                        slipped += slip
                        if delta > 0:
                            short_average = (short_average * short + price * delta) / target_short
                        else:
                            short_realised += (short_average - price) * -delta
                            if target_short == 0:
                                short_average = 0.0
                        short = target_short
                        turnover += notional
                        orders += 1
                    if watch:
                        gross, before_gross = long + short, before_long + before_short
                        net, before_net = long - short, before_long - before_short
                        ordered = long != before_long or short != before_short
                        moved = abs(price - before_anchor)
                        lower, higher = min(price, before_anchor), max(price, before_anchor)
                        grew += above(gross, before_gross)
                        beyond_gross += above(abs(net), gross)
                        if was == 0:
                            winner = before_long if price > before_anchor else before_short
                            in_band += ordered and above(band * lower, moved)
                            with_the_move += (net - before_net) * (price - before_anchor) > 0
                            allowed = exposure * moved / higher * winner
                            overexposed += above(before_gross + abs(net - before_net), before_gross + allowed)
                            harvest_fees = harvested * moved**2 / higher * winner + before_fees * p.k
                            unpaid += pays and ordered and above(fees * p.k, harvest_fees)
                        elif was == 2:
                            not_reduced += above(long, before_long) or above(short, before_short)
                            returned += state < 2
                            exit_in_band += (
                                state == 2 and ordered and not timed_exit and above(exit_band * lower, moved)
                            )
                            before_equity = before_cash + before_long * price - before_short * price
                            equity = cash + long * price - short * price
                            cost = ((fee + slippage) * (before_gross - gross) + before_gross / 1e9) * price
                            exit_cost_more += above(before_equity, equity + cost)
                if watch:
                    not_positive += state != 3 and not (long > 0 and short > 0)
                    equity = cash + (long * price + -short * price)
                    peak = equity if equity > peak else peak
                    gap = peak - equity
                    if gap > drawdown * DEEPER * peak:
                        deep = gap / peak
                        if deep > drawdown:
                            drawdown, amount = deep, gap
                row += 1
                if state == 3:
                    break
            days[day] = cash + (long * price + -short * price)
            day_fees[day] = fees
            if row < stops[day]:
                break
        if state == 0:
            active += clock - entered
        elif state == 1:
            paused += clock - entered
        elif state == 2:
            winding_down += clock - entered
        counts = (
            row, state, orders, calm, since, give_up, freeze, up, down, gave_up_paused, thaw, finish, exit_step, active,
            paused, winding_down, in_band, not_positive, grew, with_the_move, not_reduced,
            beyond_gross, overexposed, unpaid, returned, exit_in_band, exit_cost_more,
        )  # fmt: skip
        money = (
            cash, fees, slipped, long, long_average, long_realised, short, short_average, short_realised, squared, spacing,
            anchor, harvest, overshoot, turnover, drawdown, amount,
        )  # fmt: skip
        return counts, money

    return loop
