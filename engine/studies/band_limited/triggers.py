"""How often the band is left: E[N_T] against σ²T/MES², watched all the time and at steps.

MES stands here for the half-width of the band in the log price, ln(1 + band): the shipped band is a share of the price, and
the paper's a difference.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ....models.scenarios.grid import YEAR_NS, Grid
from ..estimates import mean, share, without_noise
from ..evidence import Claim, Finding, Interval, Region
from ..exits import OFFSET, expected_exits
from ..outcomes import outcomes
from ..report import Part, Picture, Table, figure, span
from ..rule import follow
from ..streams import stream
from ..svg import Chart
from ..walks import exits_until, on_grid, random_walk
from .setting import ACTIVE, STAKE, VOLATILITY, Setting, stayed_active

__all__ = ["conduct"]

BAND = 0.003
MES = math.log1p(BAND)
PARAMETERS = {**ACTIVE, "k": 6, "fee": 0.0005}  # band = k·fee
NAIVE = 400
"""σ²T/MES² of every path that is watched at steps."""

COARSENESS = ((0.1, 0.125), (0.15, 1 / 3), (0.2, 1.0), (0.35, 1.0), (0.5, 4.0))
"""σ√Δt as a share of the band, and how many paths of a market's."""

TOLERANCE = 0.02
SEEN, COARSE = 0.2, 0.5

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Sampled:
    """Triggers on paths that are watched at steps of deviation `coarseness` · band."""

    coarseness: float
    triggers: Array  # (paths,), less the noise that controls explain
    found: Interval
    plain: float
    refined: float
    unlike: int


def conduct(setting: Setting) -> Part:
    """Count triggers of the shipped rule under Brownian motion of the log price."""
    sampled = [_at_steps(setting, coarseness, factor) for coarseness, factor in COARSENESS]
    by = {one.coarseness: one for one in sampled}
    table = Table(
        ("σ√Δt/MES", "σ²T/MES²", "MES + 0.5826·σ√Δt", "with its variance", "measured", "95 % interval", "paths"),
        tuple(
            (
                f"{one.coarseness:g}",
                f"{NAIVE}",
                f"{one.plain:.1f}",
                f"{one.refined:.1f}",
                figure(one.found.value),
                span(one.found),
                f"{one.found.runs:,}",
            )
            for one in sampled
        ),
    )
    claims = (*_continuous(setting), _seen(by[SEEN]), _coarse(by[COARSE]), _alike(sampled))
    return Part("triggers", claims, {"triggers": table}, (_picture(sampled),), {"band": f"{100 * BAND:g} %"})


def _continuous(setting: Setting) -> tuple[Claim, Claim]:
    """The constant and the offset, on paths that are watched all the time."""
    spec = setting.spec

    def counted(name: str, spans: float, paths: int) -> Array:
        drawn = list(exits_until(stream(setting.seed, name), paths, spans, BAND, VOLATILITY))
        found = stayed_active(outcomes(spec, PARAMETERS, (one.path for one in drawn)))
        # Wald: the exits' spans up to the first one after the end sum to their number times 1 on average, exactly.
        noise = [spans + one.overrun - one.exits - 1 for one in drawn]
        return without_noise(found.triggers, [noise])

    many = counted("constant", float(NAIVE), setting.share(0.2))
    few = counted("offset", 10.0, setting.share(8, 4_000))
    constant = Claim(
        "constant",
        "continuous observation",
        Finding(f"E[N_T] = σ²T/MES², at {NAIVE}", "N_T / (σ²T/MES²)", Region.about(1, TOLERANCE), mean(many / NAIVE)),
    )
    found = mean(few - 10.0)
    offset = Claim(
        "offset",
        "continuous observation",
        Finding("E[N_T] = σ²T/MES², without an offset", "N_T − σ²T/MES²", Region.about(0, 0.05), found),
        Finding("E[N_T] = σ²T/MES² − 1/6 + o(1)", "N_T − σ²T/MES²", Region.about(OFFSET, 0.05), found),
    )
    return constant, offset


def _at_steps(setting: Setting, coarseness: float, factor: float) -> _Sampled:
    paths = setting.share(factor, 20)
    steps = round(NAIVE / coarseness**2)
    deviation = coarseness * MES
    # One year, so that σ√Δt is what the coarseness says.
    grid = Grid(steps, YEAR_NS // steps)
    volatility = deviation / grid.step_years**0.5
    # Thousandths: a whole number names the stream.
    prices, shocks = random_walk(stream(setting.seed, "steps", round(1000 * coarseness)), grid, volatility, paths)
    found = stayed_active(outcomes(setting.spec, PARAMETERS, on_grid(grid, prices)))
    rule = follow(prices, band=BAND, alpha=0.05, beta=1, fee=0.0005, slippage=0, stake=STAKE, shocks=shocks)
    noise = [rule.recentred, (shocks**2 - deviation**2).sum(axis=1)]
    triggers = without_noise(found.triggers, noise)
    variance = steps * deviation**2
    return _Sampled(
        coarseness,
        triggers,
        mean(triggers),
        expected_exits(variance, MES, deviation, refined=False),
        expected_exits(variance, MES, deviation),
        int((found.triggers != rule.triggers).sum()),
    )


def _seen(one: _Sampled) -> Claim:
    return Claim(
        "sampled",
        f"seen at steps, σ√Δt = {one.coarseness:g} MES",
        Finding("E[N_T] = σ²T/MES²", "N_T / (σ²T/MES²)", Region.about(1, TOLERANCE), mean(one.triggers / NAIVE)),
        Finding(
            "E[N_T] = σ²T/(MES + 0.5826·σ√Δt)² − 1/6",
            "N_T / that",
            Region.about(1, TOLERANCE),
            mean(one.triggers / one.plain),
        ),
    )


def _coarse(one: _Sampled) -> Claim:
    return Claim(
        "coarse",
        f"seen at steps, σ√Δt = {one.coarseness:g} MES",
        Finding(
            "E[N_T] = σ²T/(MES + 0.5826·σ√Δt)² − 1/6",
            "N_T / that",
            Region.about(1, TOLERANCE),
            mean(one.triggers / one.plain),
        ),
        Finding(
            "E[N_T] = σ²T/((MES + 0.5826·σ√Δt)² + σ²Δt/4) − 1/6",
            "N_T / that",
            Region.about(1, TOLERANCE),
            mean(one.triggers / one.refined),
        ),
    )


def _alike(sampled: list[_Sampled]) -> Claim:
    runs = sum(one.found.runs for one in sampled)
    return Claim(
        "engine",
        "the same paths",
        Finding(
            "the engine counts the triggers that a simulation in NumPy counts",
            "share of paths that differ",
            Region(0, 0.03),
            share(sum(one.unlike for one in sampled), runs),
        ),
    )


def _picture(sampled: list[_Sampled]) -> Picture:
    chart = Chart("Triggers where the naive formula says 400", "σ√Δt as a share of the band", "triggers, E[N_T]")
    fine = np.linspace(0, 0.52, 105)
    deviations = fine * MES
    variance = NAIVE * MES**2
    chart.line("σ²T/MES²", [0, 0.52], [NAIVE, NAIVE], dashed=True)
    chart.line(
        "MES + 0.5826·σ√Δt", fine.tolist(), [expected_exits(variance, MES, s, refined=False) for s in deviations]
    )
    chart.line("with its variance", fine.tolist(), [expected_exits(variance, MES, s) for s in deviations])
    chart.points("measured, 95 %", [one.coarseness for one in sampled], [one.found for one in sampled])
    return Picture(
        "triggers",
        "Triggers against the size of a step: the naive formula stays at 400, the measured numbers fall with the "
        "curve of the wider band",
        chart.svg(),
    )
