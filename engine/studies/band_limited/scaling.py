"""How harvest and fees grow with the band: the paper's σ²/MES, fixed lots against trades in proportion to the profit."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ..estimates import exponent, mean, without_noise
from ..evidence import Claim, Finding, Region
from ..outcomes import outcomes
from ..report import Part, Picture, Table, figure, span
from ..streams import stream
from ..svg import Chart
from ..walks import START, Exits, exits_until
from .setting import ACTIVE, STAKE, VOLATILITY, Setting, stayed_active

__all__ = ["conduct", "liquidation", "step_of"]

Array = npt.NDArray[np.float64]

K = 8
BANDS = (0.004, 0.006, 0.009, 0.013, 0.018)
"""Set by the fee, as K·fee: a fee decides nothing, and fees are shown at one rate."""

RATE = 0.0005
VOLATILITIES = (0.05, 0.1, 0.2)
BAND_OF_VOLATILITIES = 0.008
SHIPPED_ALPHA = 0.05
PER_MARKET = 0.25
_FIGURES = {"scaling-k": f"{K}", "rate": f"{1e4 * RATE:g} bp", "alpha": f"{SHIPPED_ALPHA:g}"}
TOLERANCE = 0.05


class _Found(NamedTuple):
    """A year of one family, (paths,) each, less the noise that controls explain."""

    triggers: Array
    harvest: Array
    fees: Array  # at RATE


class _Family(NamedTuple):
    name: str
    alpha: float
    fixed_lots: bool

    def parameters(self, band: float) -> Mapping[str, str | float]:
        beta = step_of(BANDS[0]) / step_of(band) if self.fixed_lots else 1.0
        return {**ACTIVE, "k": K, "fee": band / K, "alpha": self.alpha, "beta": beta}


FAMILIES = (
    _Family("in proportion, α = 0", 0.0, False),
    _Family(f"in proportion, α = {SHIPPED_ALPHA:g}", SHIPPED_ALPHA, False),
    _Family("fixed lots, α = 0", 0.0, True),
)


def step_of(band: float) -> float:
    """Return the spec's `step` at the edge of the band, |P − A|/max(P, A) = band/(1 + band)."""
    return band / (1 + band)


def liquidation(alpha: float, band: float, variance: float) -> float:
    """Return which share of the harvest is left where α liquidates the book, (1 − e^(−x))/x with x = α·step·σ²T/h².

    Each trigger takes α·step of the gross on average, and σ²T/h² triggers are expected, h = ln(1 + band); the harvest goes
    with the gross.
    """
    x = alpha * step_of(band) * variance / math.log1p(band) ** 2
    return -math.expm1(-x) / x if x else 1.0


def conduct(setting: Setting) -> Part:
    """Run the shipped rule at several bands and volatilities, watched all the time."""
    by_band = [_run(setting, FAMILIES, band, VOLATILITY) for band in BANDS]
    proportional, shipped, fixed = (list(ones) for ones in zip(*by_band, strict=True))
    found = {family.name: ones for family, ones in zip(FAMILIES, (proportional, shipped, fixed), strict=True)}
    variance = VOLATILITY**2
    rest = [liquidation(SHIPPED_ALPHA, band, variance) for band in BANDS]
    by_volatility = [_run(setting, FAMILIES[:1], BAND_OF_VOLATILITIES, each)[0] for each in VOLATILITIES]
    inverse, none = Region.about(-1, TOLERANCE), Region.about(0, TOLERANCE)
    harvest = exponent(BANDS, [one.harvest for one in proportional])
    liquidated = exponent(BANDS, [one.harvest for one in shipped])
    claims = (
        Claim(
            "harvest",
            FAMILIES[0].name,
            Finding("harvest ∝ σ²/MES", "exponent of MES", inverse, harvest),
            Finding("harvest does not depend on MES", "exponent of MES", none, harvest),
        ),
        Claim(
            "fixed-lots",
            FAMILIES[2].name,
            Finding("harvest ∝ σ²/MES", "exponent of MES", inverse, exponent(BANDS, [one.harvest for one in fixed])),
        ),
        Claim(
            "fees",
            FAMILIES[0].name,
            Finding(
                "fees ∝ 1/MES, at one rate of fee",
                "exponent of MES",
                inverse,
                exponent(BANDS, [one.fees for one in proportional]),
            ),
        ),
        Claim(
            "volatility",
            FAMILIES[0].name,
            Finding(
                "harvest ∝ σ²",
                "exponent of σ",
                Region.about(2, TOLERANCE),
                exponent(VOLATILITIES, [one.harvest for one in by_volatility]),
            ),
        ),
        Claim(
            "level",
            FAMILIES[0].name,
            Finding(
                "E[harvest] = ½·(1 − α)·σ²T·stake",
                "harvest / that",
                Region.about(1, TOLERANCE),
                mean(proportional[0].harvest / (variance * STAKE / 2)),
            ),
        ),
        Claim(
            "liquidation",
            FAMILIES[1].name,
            Finding("harvest does not depend on MES", "exponent of MES", none, liquidated),
            Finding(
                "harvest ∝ (1 − e⁻ˣ)/x, x = α·step·σ²T/h²",
                "exponent of MES left",
                none,
                exponent(BANDS, [one.harvest / left for one, left in zip(shipped, rest, strict=True)]),
            ),
        ),
    )
    return Part("scaling", claims, {"scaling": _table(found)}, (_picture(found),), _FIGURES)


def _run(setting: Setting, families: Sequence[_Family], band: float, volatility: float) -> list[_Found]:
    """Return a year of the rule for each family, over the same paths."""
    spans = (volatility / math.log1p(band)) ** 2
    # Whole numbers name a stream: the band in millionths, the volatility in thousandths.
    generator = stream(setting.seed, "scaling", round(band * 1e6), round(volatility * 1e3))
    drawn = list(exits_until(generator, setting.share(PER_MARKET, 30), spans, band, volatility))
    noise = _noise(drawn, spans)
    results = []
    for family in families:
        found = stayed_active(outcomes(setting.spec, family.parameters(band), (one.path for one in drawn)))
        fees = found.fees * (RATE * K / band)
        results.append(_Found(*(without_noise(each, noise) for each in (found.triggers, found.harvest, fees))))
    return results


def _noise(drawn: Sequence[Exits], spans: float) -> list[npt.ArrayLike]:
    """Return controls (paths,) of mean exactly 0.

    The spans up to the first exit after the end sum to their number times 1 on average (Wald). When the exits come says
    nothing of where they lead, so the sum of the log prices at the exits has mean 0, and that of each times the next sign.
    """
    logs = [np.log(one.path.prices[:-1] / START) for one in drawn]
    return [
        [spans + one.overrun - one.exits - 1 for one in drawn],
        [float(each.sum()) for each in logs],
        [float((each[:-1] * np.sign(np.diff(each))).sum()) for each in logs],
    ]


def _table(found: Mapping[str, Sequence[_Found]]) -> Table:
    rows = []
    for name, ones in found.items():
        for band, one in zip(BANDS, ones, strict=True):
            harvest, cost = mean(one.harvest), mean(one.fees)
            rows.append(
                (
                    name,
                    f"{band:.1%}",
                    f"{one.triggers.mean():,.0f}",
                    figure(harvest.value),
                    span(harvest),
                    figure(cost.value),
                    span(cost),
                )
            )
    head = ("trades", "MES", "triggers", "harvest, USD", "95 % interval", "fees at 5 bp, USD", "95 % interval")
    return Table(head, tuple(rows))


def _picture(found: Mapping[str, Sequence[_Found]]) -> Picture:
    chart = Chart("Harvest and fees of a year", "band, MES (%)", "mean, USD", log=True)
    percent = [100 * band for band in BANDS]
    for name, ones in found.items():
        chart.points(f"harvest, {name.replace('in proportion', 'prop.')}", percent, [mean(one.harvest) for one in ones])
    chart.points("fees, prop., α = 0", percent, [mean(one.fees) for one in found[FAMILIES[0].name]])
    level = VOLATILITY**2 * STAKE / 2
    chart.line("½·σ²T·stake", [percent[0], percent[-1]], [level, level], dashed=True)
    chart.line("½·σ²T·stake · 0.4 %/MES", [percent[0], percent[-1]], [level, level * BANDS[0] / BANDS[-1]])
    return Picture(
        "scaling",
        "Harvest and fees against the band, both axes logarithmic: the harvest in proportion is level, that of fixed lots "
        "and the fees fall with one over the band",
        chart.svg(),
    )
