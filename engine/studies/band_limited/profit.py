"""What the hedge earns: E[P&L] against its fees under a martingale, mean reversion and a trend."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ....models.scenarios.brownian import geometric_brownian_motion
from ....models.scenarios.grid import Grid
from ....models.scenarios.mean_reversion import ornstein_uhlenbeck
from ..estimates import mean, ratio, share, without_noise
from ..evidence import Claim, Finding, Interval, Region
from ..exits import expected_exits
from ..outcomes import outcomes
from ..report import Part, Picture, Table, figure, span
from ..rule import follow
from ..streams import stream
from ..svg import Chart
from ..walks import START, on_grid
from .setting import ACTIVE, STAKE, VOLATILITY, Setting, stayed_active

__all__ = ["MARKETS", "Market", "conduct"]

Array = npt.NDArray[np.float64]

DAYS, TICKS_A_DAY, TICK_NS = 252, 78, 300 * 10**9
GRID = Grid(DAYS * TICKS_A_DAY, TICK_NS, year_ns=DAYS * TICKS_A_DAY * TICK_NS)
"""A year of 252 days of 78 five-minute ticks, put end to end."""

HALF_LIFE_DAYS = 20
REVERSION = math.log(2) * DAYS / HALF_LIFE_DAYS
TREND = 0.2
BLOCK = 100
"""Paths that are held at a time."""

BAND, ALPHA, FEE = 0.004, 0.05, 0.0005
"""The spec's defaults, with k = 8."""

_TICK_DEVIATION = VOLATILITY * math.sqrt(GRID.step_years)
_TRIGGERS = expected_exits(VOLATILITY**2, math.log1p(BAND), _TICK_DEVIATION)
TURNING = VOLATILITY * math.sqrt(_TRIGGERS)
"""Triggers a year times their mean step: steps of σ²/_TRIGGERS in the square."""

ROOM = 0.125
"""Tolerance of a statement about E[P&L], in fees: half of a quarter of them."""

ALIKE = 1e-6
"""Money by which the engine and the simulation in NumPy may differ on a path of 1 M a leg: rounding, and no more."""


@dataclass(frozen=True)
class Market:
    """A price, with what is known of it exactly.

    Fields:
        name, short, label: of its random stream, in a picture, in a table.
        draw: generator, paths -> prices (paths, n).
        next_mean: prices -> E[next price] given each, same shape.
        normals: log prices (paths, n) relative to the start -> the standard normals (paths, n − 1) behind them.
        end_mean, end_variance: of the log price at the end, relative to the start.
    """

    name: str
    short: str
    label: str
    draw: Callable[[np.random.Generator, int], Array]
    next_mean: Callable[[Array], Array]
    normals: Callable[[Array], Array]
    end_mean: float
    end_variance: float

    def noise(self, prices: Array) -> list[Array]:
        """Return controls (paths,) of mean exactly 0: what positions earn from the price's noise, and where it ends.

        One position is against the whole move. The other is the rule's in the limit of a fine band: net/gross follows the
        move and is forgotten at ½·(1 − 3α)·step a trigger, the gross is liquidated at α·step a trigger. A position that
        looks at the past only, times what comes next, has mean 0, however rough the position.
        """
        from scipy.signal import lfilter

        logs = np.log(prices / START)
        normals = self.normals(logs)
        end = logs[:, -1] - self.end_mean
        time = GRID.years()[:-1]
        forgotten, liquidated = (TURNING * each for each in ((1 - 3 * ALPHA) / 2, ALPHA))
        recent = np.zeros_like(normals)
        recent[:, 1:] = lfilter([1.0], [1.0, -math.exp(-forgotten * GRID.step_years)], np.diff(logs, axis=1)[:, :-1])
        fine = (np.exp(-liquidated * time) * recent * prices[:, :-1] * normals).sum(axis=1)
        return [fine, (logs[:, :-1] * normals).sum(axis=1), end, end**2 - self.end_variance]


def _geometric(name: str, short: str, label: str, drift: float) -> Market:
    step = GRID.step_years
    rate = drift - VOLATILITY**2 / 2
    return Market(
        name,
        short,
        label,
        lambda generator, paths: geometric_brownian_motion(
            GRID, generator, start=START, volatility=VOLATILITY, drift=drift, paths=paths
        ),
        lambda prices: prices * math.exp(drift * step),
        lambda logs: (np.diff(logs, axis=1) - rate * step) / (VOLATILITY * math.sqrt(step)),
        rate,
        VOLATILITY**2,
    )


def _reverting() -> Market:
    decay = math.exp(-REVERSION * GRID.step_years)
    deviation = VOLATILITY * math.sqrt(-math.expm1(-2 * REVERSION * GRID.step_years) / (2 * REVERSION))
    return Market(
        "reverting",
        "mean reversion",
        f"mean reversion, half-life {HALF_LIFE_DAYS} days",
        lambda generator, paths: ornstein_uhlenbeck(
            GRID, generator, start=START, mean=START, volatility=VOLATILITY, reversion=REVERSION, paths=paths
        ),
        lambda prices: START * np.exp(decay * np.log(prices / START) + deviation**2 / 2),
        lambda logs: (logs[:, 1:] - decay * logs[:, :-1]) / deviation,
        0.0,
        VOLATILITY**2 * -math.expm1(-2 * REVERSION) / (2 * REVERSION),
    )


MARKETS = (
    _geometric("martingale", "martingale", "martingale", 0.0),
    _reverting(),
    _geometric("trend", "trend", f"trend of {TREND:.0%} a year", TREND),
)


@dataclass(frozen=True)
class _Sample:
    """One row a path, (paths,) each."""

    market: Market
    profit: Array
    fees: Array
    slippage: Array
    harvest: Array
    compensator: Array
    noise: list[Array]
    unlike: int

    def per_cost(self, money: Array) -> Interval:
        """Return the mean of money in units of the mean costs, less the noise that controls explain."""
        return ratio(without_noise(money, self.noise), self.fees + self.slippage)


def conduct(setting: Setting) -> Part:
    """Run the shipped rule over a year of each market."""
    samples = {market.name: _sample(setting, market, setting.paths, {}) for market in MARKETS}
    slipping = _sample(setting, MARKETS[0], setting.share(0.5), {"slippage": 0.0001})
    martingale, reverting, trend = (samples[market.name] for market in MARKETS)
    never_negative = "0 ≤ E[R_T]"
    claims = (
        Claim(
            "martingale",
            martingale.market.label,
            Finding(never_negative, "P&L / fees", Region(0, math.inf), martingale.per_cost(martingale.profit)),
            Finding("E[P&L] = −E[fees]", "P&L / fees", Region.about(-1, ROOM), martingale.per_cost(martingale.profit)),
        ),
        Claim(
            "slippage",
            f"{slipping.market.label}, slippage 1 bp",
            Finding(never_negative, "P&L / costs", Region(0, math.inf), slipping.per_cost(slipping.profit)),
            Finding(
                "E[P&L] = −E[fees + slippage]",
                "P&L / costs",
                Region.about(-1, ROOM),
                slipping.per_cost(slipping.profit),
            ),
        ),
        Claim(
            "reverting",
            reverting.market.label,
            Finding(never_negative, "P&L / fees", Region(0, math.inf), reverting.per_cost(reverting.profit)),
        ),
        Claim(
            "trend",
            trend.market.label,
            Finding(never_negative, "P&L / fees", Region(0, math.inf), trend.per_cost(trend.profit)),
            Finding(
                "E[P&L] = E[Σ net·E[ΔP]] − E[fees]",
                "(P&L − Σ net·E[ΔP]) / fees",
                Region.about(-1, ROOM),
                trend.per_cost(trend.profit - trend.compensator),
            ),
        ),
        _alike([*samples.values(), slipping]),
    )
    table = Table(
        ("market", "P&L", "95 % interval", "fees", "harvest", "inventory", "width / fees", "without controls", "paths"),
        tuple(_row(sample) for sample in samples.values()),
    )
    figures = {
        "volatility": f"{100 * VOLATILITY:g} %",
        "stake": f"{STAKE / 1e6:g} M USD",
        "start": f"{START:g}",
        "fee": f"{1e4 * FEE:g} bp",
        "k": f"{BAND / FEE:g}",
    }
    return Part("profit", claims, {"profit": table}, (_picture(list(samples.values())),), figures)


def _sample(setting: Setting, market: Market, paths: int, others: Mapping[str, float]) -> _Sample:
    generator = stream(setting.seed, "market", market.name)
    slippage = others.get("slippage", 0.0)
    blocks = []
    unlike = 0
    for first in range(0, paths, BLOCK):
        prices = market.draw(generator, min(BLOCK, paths - first))
        found = stayed_active(outcomes(setting.spec, {**ACTIVE, **others}, on_grid(GRID, prices)))
        expected = (market.next_mean(prices) - prices)[:, :-1]
        rule = follow(
            prices,
            band=BAND,
            alpha=ALPHA,
            beta=1,
            fee=FEE,
            slippage=slippage,
            stake=STAKE,
            expected=expected,
        )
        differs = (found.triggers != rule.triggers) | (np.abs(found.profit - rule.profit) > ALIKE)
        unlike += int(differs.sum())
        money = (found.profit, found.fees, found.slippage, found.harvest, rule.compensator)
        blocks.append((*money, *market.noise(prices)))
    profit, fees, lost, harvest, compensator, *noise = (np.concatenate(column) for column in zip(*blocks, strict=True))
    return _Sample(market, profit, fees, lost, harvest, compensator, list(noise), unlike)


def _alike(samples: list[_Sample]) -> Claim:
    runs = sum(sample.profit.size for sample in samples)
    return Claim(
        "money",
        "the same paths",
        Finding(
            "the engine's P&L is that of a simulation in NumPy",
            f"share of paths that differ by over {ALIKE:g} USD",
            Region(0, 0.03),
            share(sum(sample.unlike for sample in samples), runs),
        ),
    )


def _row(sample: _Sample) -> tuple[str, ...]:
    profit = mean(without_noise(sample.profit, sample.noise))
    fees, harvest = float(sample.fees.mean()), float(sample.harvest.mean())
    return (
        sample.market.label,
        figure(profit.value),
        span(profit),
        figure(fees),
        figure(harvest),
        figure(profit.value + fees - harvest),
        f"{profit.width / fees:.2f}",
        f"{mean(sample.profit).width / fees:.2f}",
        f"{profit.runs:,}",
    )


def _picture(samples: list[_Sample]) -> Picture:
    chart = Chart("A year of the hedge, 1 M USD a leg", "", "mean, USD", categories=[s.market.short for s in samples])
    places = list(range(len(samples)))
    chart.line("0", [-0.5, len(samples) - 0.5], [0, 0], dashed=True)
    chart.points("harvest", [place - 0.2 for place in places], [mean(s.harvest) for s in samples])
    chart.points("−fees", [float(place) for place in places], [mean(-s.fees) for s in samples])
    chart.points("P&L", [place + 0.2 for place in places], [mean(without_noise(s.profit, s.noise)) for s in samples])
    return Picture(
        "profit",
        "Harvest, fees and P&L in three markets: the harvest is much the same in all, the P&L is minus the fees for the "
        "martingale, above 0 for mean reversion and far below for the trend",
        chart.svg(),
    )
