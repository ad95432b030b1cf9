"""Random walks with every invariant watched: steps a second in native code, and on live machines."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from statistics import median
from typing import Literal

import hedgerow
from hedgerow.engine.explore.exploration import explore
from hedgerow.engine.load import Spec
from hedgerow.engine.processes import processors

from .host import installed
from .page import Section, Size, Target, unmeasured
from .rounds import interleave, rates
from .sweep_loop import spec_file

__all__ = ["measure"]

NATIVE = 10_000_000.0
LIVE = 100_000.0


def measure(size: Size, progress: Callable[[str], None]) -> Section:
    """Measure both backends on all cores of this process."""
    title, head = "Exploring", ("", "steps", "parameter sets", "wall s", "steps a second", "pairs reached")
    if installed("llvmlite") is None:
        return unmeasured(title, head, "llvmlite")
    spec = hedgerow.load(spec_file())
    steps: dict[Literal["native", "live"], int] = {"native": 5 * size.ticks, "live": size.ticks // 20}
    explore(spec, steps=1_000)  # compiles
    shown: dict[str, tuple[str, str]] = {}
    runs = {name: partial(_seconds, spec, name, count, shown) for name, count in steps.items()}
    wall = interleave(runs, size.tick_rounds, progress)
    paces = {name: rates(wall[name], count) for name, count in steps.items()}
    table = tuple(
        (name, f"{count:,}", shown[name][0], f"{median(wall[name]):.2f}", f"{median(paces[name]):,.0f}", shown[name][1])
        for name, count in steps.items()
    )
    words = (
        (
            "`explore` on `band_limited_hedge.yaml`, every invariant watched, parameters drawn from their ranges. "
            f"Wall time on {processors()} cores of the whole call: parameters, streams, walks, choosing where "
            f"to start again; processes start within it (rounds: {size.tick_rounds})."
        ),
    )
    targets = (
        Target.of("steps a second in native code", paces["native"], NATIVE, at_least=True, shown="{:,.0f}"),
        Target.of("steps a second on live machines", paces["live"], LIVE, at_least=True, shown="{:,.0f}"),
    )
    return Section(title, words, head, table, targets)


def _seconds(
    spec: Spec,
    backend: Literal["native", "live"],
    steps: int,
    shown: dict[str, tuple[str, str]],
) -> float:
    start = time.perf_counter()
    found = explore(spec, steps=steps, workers=processors(), backend=backend).found
    wall = time.perf_counter() - start
    coverage = found.coverage
    if coverage.steps != steps:
        raise RuntimeError(f"{coverage.steps} of {steps} steps were made")
    pairs = f"{coverage.pairs[:-1, :-1].sum()} of {coverage.chart.possible.sum()}"
    shown[backend] = f"{found.sets:,}", pairs
    return wall
