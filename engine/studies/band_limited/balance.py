"""Which share α of a profit may go to the losing leg: the book returns to balance for α < 1/3 only."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from ....models.scenarios.brownian import prices_of
from ....models.scenarios.grid import DAY_NS
from ..estimates import line_root, mean
from ..evidence import Claim, Finding, Interval, Region
from ..outcomes import Path, outcomes
from ..report import Part, Picture, Table, figure, span
from ..streams import stream
from ..svg import Chart
from ..walks import EDGE, START, signs
from .scaling import step_of
from .setting import ACTIVE, Setting, stayed_active

__all__ = ["conduct", "restoring_rate"]

BAND = 0.02
PARAMETERS = {**ACTIVE, "k": 10, "fee": BAND / 10}
ALPHAS = (0.05, 0.2, 0.3, 1 / 3, 0.4, 0.5)
SHIPPED_ALPHA = 0.05
PUSH = 60
"""Triggers all upwards, which take the book out of balance."""

DRIFT = 100
"""Triggers up or down by chance, over which it may return."""

LOSER_ALPHAS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6)
LOSER_PATHS = 20


def conduct(setting: Setting) -> Part:
    """Push books out of balance by a run of the price, and watch |net|/gross under a driftless one."""
    pushed, found = zip(*(_drift(setting, alpha) for alpha in ALPHAS), strict=True)
    rates = [restoring_rate(one) for one in found]
    crossing = line_root(ALPHAS, rates)
    by = dict(zip(ALPHAS, rates, strict=True))
    claims = (
        Claim(
            "loser",
            "one trigger",
            Finding(
                "the losing leg changes by (1 − 3α)/2 of the bite: it grows for α < 1/3 only",
                "α at which it stays",
                Region.about(1 / 3, 0.001),
                line_root(LOSER_ALPHAS, [_loser(setting, alpha) for alpha in LOSER_ALPHAS]),
            ),
        ),
        Claim(
            "balance",
            f"{DRIFT} triggers of a driftless price",
            Finding(
                "net/gross comes back whatever α < 1 is, 1/2 as well",
                "rate of return at α = 1/2",
                Region(0, math.inf),
                by[0.5],
            ),
            Finding("it comes back for α < 1/3 only", "α at which it stays", Region.about(1 / 3, 0.02), crossing),
        ),
        Claim(
            "rate",
            f"the shipped α = {SHIPPED_ALPHA:g}",
            Finding(
                "E[Δ(net/gross)] = −½·(1 − 3α)·step·net/gross a trigger",
                "rate of return",
                Region.about(1 - 3 * SHIPPED_ALPHA, 0.1),
                by[SHIPPED_ALPHA],
            ),
        ),
    )
    table = Table(
        ("α", "1 − 3α", "rate of return", "95 % interval", "|net|/gross after the run", "later, on average", "paths"),
        tuple(
            (
                f"{alpha:.3g}",
                figure(1 - 3 * alpha),
                figure(rate.value),
                span(rate),
                f"{start:.3f}",
                f"{start * left.value:.3f}",
                f"{rate.runs:,}",
            )
            for alpha, rate, start, left in zip(ALPHAS, rates, pushed, found, strict=True)
        ),
    )
    figures = {"push": f"{PUSH}", "drift": f"{DRIFT}", "balance-band": f"{100 * BAND:g} %"}
    return Part("balance", claims, {"balance": table}, (_picture(rates),), figures)


def restoring_rate(left: Interval) -> Interval:
    """Return c of E[Δr] = −½·c·step·r a trigger, r = net/gross, from the share of r that is left after `DRIFT` of them.

    Args:
        left: E[r at the end]/r at the start, above 0.
    """

    def rate(share: float) -> float:
        return 2 * -math.expm1(math.log(share) / DRIFT) / step_of(BAND)

    if left.low <= 0:  # so few paths that nothing is known above
        return Interval(rate(max(left.value, 1e-300)), rate(left.high), math.inf, left.runs)
    return Interval(rate(left.value), rate(left.high), rate(left.low), left.runs)


def _drift(setting: Setting, alpha: float) -> tuple[float, Interval]:
    """Return |net|/gross after the push, and which share of it is left after the drift."""
    parameters = {**PARAMETERS, "alpha": alpha}
    start = float(_run(setting, parameters, [np.ones(PUSH)])[0])
    generator = stream(setting.seed, "balance", round(alpha * 1e6))
    walks = [np.concatenate((np.ones(PUSH), signs(generator, DRIFT))) for _ in range(setting.share(1, 150))]
    return abs(start), mean(_run(setting, parameters, walks) / start)


def _run(
    setting: Setting, parameters: dict[str, str | float], walks: list[npt.NDArray[np.float64]]
) -> npt.NDArray[np.float64]:
    """Return net/gross after walks of ±1, each step an exit of the band."""
    found = outcomes(setting.any_alpha, parameters, map(_path, walks))
    return stayed_active(found).imbalance


def _path(walk: npt.NDArray[np.float64]) -> Path:
    logs = math.log1p(BAND) * (1 + EDGE) * np.cumsum(np.concatenate(([0.0], walk)))
    return Path(np.arange(logs.size, dtype=np.int64) * DAY_NS, prices_of(START, logs))


def _loser(setting: Setting, alpha: float) -> Interval:
    """Return by which share of the bite the losing leg grows at one trigger, over moves of many sizes."""
    generator = stream(setting.seed, "loser", round(alpha * 1e6))
    moves = generator.uniform(1.05 * BAND, 0.2, LOSER_PATHS)
    times = np.array([0, DAY_NS], np.int64)
    paths = [Path(times, np.array([START, START * (1 + move)])) for move in moves]
    found = stayed_active(outcomes(setting.any_alpha, {**PARAMETERS, "alpha": alpha}, paths))
    quantity = float(PARAMETERS["stake"]) / START
    return mean((found.short - quantity) / (quantity * moves / (1 + moves)))


def _picture(rates: list[Interval]) -> Picture:
    chart = Chart("Does the book return to balance?", "α, share of the profit for the losing leg", "rate of return")
    chart.line("0: it stays", [0, 0.55], [0, 0], dashed=True)
    chart.line("1 − 3α", [0, 0.55], [1, 1 - 3 * 0.55])
    chart.points("measured, 95 %", ALPHAS, rates)
    return Picture(
        "balance",
        "The rate at which net over gross returns to 0 against alpha: it falls along 1 − 3 alpha and is below 0 beyond a "
        "third",
        chart.svg(),
    )
