"""What governance costs: a check on an order, a gate on an event without orders, and a desk under gates and breakers."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

import hedgerow
from hedgerow.engine.load import Spec, loads

from .events import DifferentCountsError
from .host import installed
from .page import Section, Size, Target
from .rounds import interleave, rates, ratio, timed

__all__ = ["FOLDER", "agree", "alternating", "desk", "gated", "measure", "released", "still"]

CHECK_US = 2.0
QUIET = 1.05
LIVE = 300_000.0
NATIVE = 20e6
SECOND = 10**9
FOLDER = Path(__file__).parent
COMPILED = "{of: abs(position.quantity) * index.price, most: 1e9}"
ASKED = (
    "{call: liquidity.drain_within, "
    "with: {outflow: abs(position.quantity) * index.price, inflow: 0 USD, forecast: 1e9 USD}}"
)
ISOLATED = ASKED[:-1] + ", deadline: 10s, isolate: true}"


def gated(check: str | None) -> Spec:
    """Return the no-trade band, and one check on all that it orders unless that is None."""
    text = (FOLDER / "no_trade_band.yaml").read_text(encoding="utf-8")
    return loads(text if check is None else f"{text}gates: {{size: {{checks: {{size: {check}}}}}}}\n", "band.yaml")


def desk() -> Spec:
    """Return the desk: one strategy, three gates, four breakers."""
    return hedgerow.load(FOLDER / "desk.yaml")


def alternating(events: int) -> list[float]:
    """Return prices each of which leaves the band around the one before."""
    return [100.0 + index % 2 for index in range(events)]


def still(events: int) -> list[float]:
    """Return seeded prices none of which leaves a band."""
    return (5000 + 5 * np.random.Generator(np.random.PCG64(11)).random(events)).tolist()


def released(spec: Spec, prices: Sequence[float]) -> int:
    """Return how many orders a new machine releases at prices a second apart."""
    tick, orders = spec.compile().machine().port("tick"), 0
    for second, price in enumerate(prices):
        orders += len(tick(second * SECOND, price).orders)
    return orders


def agree(specs: Sequence[Spec], prices: Sequence[float]) -> int:
    """Return how many orders each of the specs releases.

    Raises:
        DifferentCountsError: not the same number.
    """
    counts = [released(spec, prices) for spec in specs]
    if len(set(counts)) > 1:
        raise DifferentCountsError(f"gates change how many orders are released: {counts}")
    return counts[0]


def measure(size: Size, progress: Callable[[str], None]) -> Section:
    """Measure checks on orders, gates without orders, and the desk."""
    busy, quiet, few = alternating(size.events), still(size.events), alternating(size.slow_events // 10)
    bare, checked, whole = gated(None), gated(COMPILED), desk()
    asked, isolated = gated(ASKED), gated(ISOLATED)
    orders, some = agree([bare, checked], busy), agree([bare, checked, asked, isolated], few)
    if agree([bare, checked, whole], quiet):
        raise DifferentCountsError("prices that were to be still have led to orders")
    runs = {
        "an order, no gate": partial(_event_ns, bare, busy),
        "an order, a compiled check": partial(_event_ns, checked, busy),
        "no order, no gate": partial(_event_ns, bare, quiet),
        "no order, a compiled check": partial(_event_ns, checked, quiet),
        "desk, live": partial(_event_ns, whole, quiet),
        "an order, a bound check": partial(_event_ns, asked, few),
        "an order, an isolated check, wall time": partial(_wall_ns, isolated, few),
    }
    counts = {name: (len(busy), orders) if name.startswith("an order") else (len(quiet), 0) for name in runs}
    counts |= {name: (len(few), some) for name in runs if "bound" in name or "isolated" in name}
    if installed("llvmlite") is not None:
        runs["desk, native"] = partial(_row_ns, *_native(whole, size.ticks))
        counts["desk, native"] = size.ticks, 0
    found = interleave(runs, size.rounds, progress)
    rows = [
        (name, f"{counts[name][0]:,}", f"{counts[name][1]:,}", f"{median(ns):,.1f}", f"{1e9 / median(ns):,.0f}")
        for name, ns in found.items()
    ]
    quiet_ratio = ratio(found["no order, a compiled check"], found["no order, no gate"])
    targets = [
        Target("µs that a compiled check adds to an order", _added(found) / 1e3, CHECK_US, False),
        Target("times the time of an event without orders", quiet_ratio, QUIET, False),
        *(
            Target.of(f"desk: quiet ticks a second, {how}", rates(found[f"desk, {how}"], 1e9), bound,
                      at_least=True, shown="{:,.0f}")
            for how, bound in (("live", LIVE), ("native", NATIVE))
            if f"desk, {how}" in found
        ),
    ]  # fmt: skip
    head = ("", "events", "orders", "ns an event", "events a second")
    return Section("Gates", _words(size), head, tuple(rows), tuple(targets))


def _added(found: dict[str, list[float]]) -> float:
    """Return by how many ns an order is slower with a check, as the median over the rounds."""
    pairs = zip(found["an order, a compiled check"], found["an order, no gate"], strict=True)
    return median(gated - bare for gated, bare in pairs)


def _words(size: Size) -> tuple[str, ...]:
    return (
        (
            "`no_trade_band.yaml` with and without a gate of one check, through the port of the live machine: at prices "
            "each of which leads to an order, and at prices none of which does. Both must release the same orders before "
            f"the clock starts. CPU time of the loop around the calls (rounds: {size.rounds}), each with a new machine."
        ),
        (
            "A check that asks a bound function, here `liquidity.drain_within`, gives its order to the reference, which is "
            "most of what it costs. An isolated one asks a process that is there already; what that does is no CPU time of "
            "this one, so its figure is the median of the wall times of the orders."
        ),
        (
            "The desk is `desk.yaml` in benchmarks/: the band-limited hedge, three gates and four shipped breakers, all of "
            "them closed, at prices that stay within the band. Native is one call over all rows, with the equity at the end "
            "and no ranges of rows, so that each row is run."
        ),
    )


def _run(spec: Spec, prices: Sequence[float]) -> None:
    tick, now = spec.compile().machine().port("tick"), 0
    for price in prices:
        tick(now, price)
        now += SECOND


def _event_ns(spec: Spec, prices: Sequence[float]) -> float:
    seconds, _ = timed(partial(_run, spec, prices))
    return seconds / len(prices) * 1e9


def _wall_ns(spec: Spec, prices: Sequence[float]) -> float:
    tick, took = spec.compile().machine().port("tick"), []
    for second, price in enumerate(prices):
        began = time.perf_counter_ns()
        tick(second * SECOND, price)
        took.append(time.perf_counter_ns() - began)
    return median(took)


def _native(spec: Spec, rows: int) -> tuple[Callable[[], int], int]:
    """Return what runs the desk over still prices in native code, and over how many."""
    from hedgerow.engine.backends.native.kernel import Options
    from hedgerow.engine.backends.native.machine import Kernel

    kernel = Kernel(spec.program("same"), "tick", Options(watch=False))
    words = kernel.parameters(spec.compile().parameters)
    # A tick each 100 ms: the breakers that are told by other events do not miss these within their `max_age`.
    times, prices = np.arange(rows, dtype=np.int64) * (SECOND // 10), np.array(still(rows))
    stops, books = np.array([rows], np.int64), np.empty((2, 1))

    def run() -> int:
        memory: Any = kernel.memory(1e6)
        return kernel.run(memory, words, times, [prices.ctypes.data], 0, stops, books[0], books[1])

    return run, rows


def _row_ns(run: Callable[[], int], rows: int) -> float:
    seconds, done = timed(run)
    if done != rows:
        raise DifferentCountsError(f"native code gave row {done} of {rows} to the reference")
    return seconds / rows * 1e9
