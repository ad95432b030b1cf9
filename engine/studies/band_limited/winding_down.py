"""The exit: what it costs against the bound, and how many steps it takes."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from ....models.scenarios.brownian import geometric_brownian_motion
from ....models.scenarios.grid import DAY_NS, Grid
from ..estimates import share
from ..evidence import Claim, Finding, Interval, Region
from ..outcomes import Outcomes, outcomes
from ..report import Part, Picture, Table
from ..streams import stream
from ..svg import Chart
from ..walks import START, on_grid
from .setting import STAKE, Setting

__all__ = ["conduct", "steps_of"]

Array = npt.NDArray[np.float64]

FEE, SLIPPAGE, ETA, RESIDUE = 0.0005, 0.0001, 0.3, 0.5
EXIT: Mapping[str, str | float] = {
    "stake": STAKE,
    "fee": FEE,
    "slippage": SLIPPAGE,
    "eta": ETA,
    "residue": RESIDUE,
    "gross_max": 1,
}
"""The spec's defaults, but for a limit of gross that the opening book is above: the exit begins at the first tick."""

DAILY = 0.4
"""Volatility per √year of the daily prices of an exit: a day's move is nearly always a step's."""

DAYS = Grid(400, DAY_NS)
LEAP = (2.0, 20.0)
"""By what factor a rising price has leapt after the first tick."""

RARE = Region(0.0, 0.005)
"""What "never" is tested to: a share of runs."""

LEAST = 1_000
"""Runs with which a share of none can be told to be below that."""

STAKES, RESIDUES, ETAS = (1e4, 1e7), (1e-3, 10.0), (0.2, 0.4)
RUNS_A_SET = 25


def steps_of(quantity: float, residue: float, eta: float) -> int:
    """Return in how many steps, each leaving a share 1 − eta, a quantity falls below the residue; 0 < residue < quantity.

    The least N with (1 − eta)^N · quantity < residue.
    """
    return math.floor(math.log(residue / quantity) / math.log(1 - eta)) + 1


def conduct(setting: Setting) -> Part:
    """Wind books down over prices that wander, and over prices that leap, and with many parameters."""
    wandering = _costs(setting, leaping=False)
    rising = _costs(setting, leaping=True)
    quantity = 2 * STAKE / START
    as_quantity = 2 * FEE * quantity / ETA
    as_money = as_quantity * START
    claims = (
        Claim(
            "cost-quantity",
            "wandering price",
            Finding("fees ≤ 2fQ₀/η, Q₀ a quantity", "share of runs above", RARE, _above(wandering.fees, as_quantity)),
            _bounded(wandering),
        ),
        Claim(
            "cost-money",
            "wandering price",
            Finding(
                "fees ≤ 2fQ₀P₀/η, P₀ the first price", "share of runs above", RARE, _above(wandering.fees, as_money)
            ),
        ),
        Claim(
            "cost-rising",
            f"price that leaps by {LEAP[0]:g} to {LEAP[1]:g} times",
            Finding("fees ≤ 2fQ₀P₀/η, P₀ the first price", "share of runs above", RARE, _above(rising.fees, as_money)),
            _bounded(rising),
        ),
        _steps(setting),
    )
    table = Table(
        ("price", "fees, USD, greatest", "2fQ₀/η", "2fQ₀P₀/η", "costs / repaired bound, mean", "greatest", "runs"),
        tuple(
            (
                name,
                f"{found.fees.max():,.0f}",
                f"{as_quantity:,.1f}",
                f"{as_money:,.0f}",
                f"{found.of_bound.mean():.3f}",
                f"{found.of_bound.max():.3f}",
                f"{found.fees.size:,}",
            )
            for name, found in (("wandering", wandering), ("leaping", rising))
        ),
    )
    return Part("exit", claims, {"exit": table}, (_picture(wandering, rising),), {"daily": f"{100 * DAILY:g} %"})


class _Costs:
    """What exits cost, (runs,) each."""

    def __init__(self, found: Outcomes, highest: Array) -> None:
        self.fees = found.fees
        self.rise = highest / START
        self.of_bound: Array = (found.fees + found.slippage) / ((FEE + SLIPPAGE) * 2 * STAKE / START * highest)


def _costs(setting: Setting, *, leaping: bool) -> _Costs:
    runs = setting.share(2, LEAST)
    prices = _prices(setting, "leaping" if leaping else "wandering", runs)
    if leaping:
        prices[:, 1:] *= stream(setting.seed, "leaps").uniform(*LEAP, runs)[:, None]
    found = _ended(outcomes(setting.spec, EXIT, on_grid(DAYS, prices)))
    highest = np.array([row[:count].max() for row, count in zip(prices, found.rows, strict=True)])
    return _Costs(found, highest)


def _prices(setting: Setting, name: str, runs: int) -> Array:
    return geometric_brownian_motion(
        DAYS, stream(setting.seed, "exit", name), start=START, volatility=DAILY, paths=runs
    )


def _ended(found: Outcomes) -> Outcomes:
    if not found.ended.all():
        raise ValueError(f"{int((~found.ended).sum())} of {len(found)} exits did not end within {DAYS.steps} days")
    return found


def _above(costs: Array, bound: float | Array) -> Interval:
    # Rounding alone is not above.
    return share(int((costs > bound * (1 + 1e-12) if isinstance(bound, float) else costs > bound).sum()), costs.size)


def _bounded(found: _Costs) -> Finding:
    return Finding(
        "fees + slippage ≤ (f + half-spread + slippage)·Q₀·P_max",
        "share of runs above",
        RARE,
        share(int((found.of_bound > 1 + 1e-12).sum()), found.of_bound.size),
    )


def _steps(setting: Setting) -> Claim:
    """Compare the number of exit steps with the paper's bound and the exact number, over random parameters."""
    generator = stream(setting.seed, "steps of the exit")
    sets = setting.share(0.2, LEAST // RUNS_A_SET)
    above = unlike = 0
    for number in range(sets):
        stake, residue = (10 ** generator.uniform(*np.log10(ends)) for ends in (STAKES, RESIDUES))
        eta = float(generator.uniform(*ETAS))
        quantity = 2 * stake / START
        parameters = {**EXIT, "stake": float(stake), "residue": float(residue), "eta": eta}
        prices = _prices(setting, f"steps {number}", RUNS_A_SET)
        counted = _ended(outcomes(setting.spec, parameters, on_grid(DAYS, prices))).fired["exit_step"]
        above += int((counted > math.log(residue / quantity) / math.log(1 - eta)).sum())
        unlike += int((counted != steps_of(quantity, residue, eta)).sum())
    runs = sets * RUNS_A_SET
    return Claim(
        "steps",
        f"{sets} random sets of stake, η and ε",
        Finding("N ≤ log(ε/Q₀)/log(1 − η)", "share of runs above", RARE, share(above, runs)),
        Finding("N = ⌊log(ε/Q₀)/log(1 − η)⌋ + 1", "share of runs unlike that", RARE, share(unlike, runs)),
    )


def _picture(wandering: _Costs, rising: _Costs) -> Picture:
    shown = 150
    chart = Chart("Fees of an exit", "highest price during the exit, in first prices", "fees / (f·Q₀·P₀)", log=True)
    ends = [1.0, float(max(wandering.rise.max(), rising.rise.max()))]
    chart.line("2/η, as money", ends, [2 / ETA, 2 / ETA], dashed=True)
    chart.line("P_max/P₀, repaired", ends, ends)
    scale = FEE * 2 * STAKE
    for name, found in (("wandering price", wandering), ("leaping price", rising)):
        fees = found.fees[:shown] / scale
        chart.points(name, found.rise[:shown].tolist(), [Interval(fee, fee, fee, 1) for fee in fees.tolist()])
    return Picture(
        "exit",
        "Fees of an exit against the highest price: all lie under the repaired bound, and those of prices that leapt over "
        "six-fold lie above the paper's",
        chart.svg(),
    )
