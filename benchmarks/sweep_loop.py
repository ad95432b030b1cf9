"""The compiled loop of the band-limited spec beside one that a person wrote by hand."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import numpy.typing as npt

import hedgerow
from hedgerow.engine.backends.native.kernel import Options
from hedgerow.engine.backends.native.machine import Kernel, Memory
from hedgerow.engine.sweep.native_runner import settle_time

from .host import installed
from .page import Section, Size, Target, unmeasured
from .rounds import interleave, ratio, timed
from .sweep_hand import BROKEN, CAPITAL, COUNTS, MONEY, given, hand_written

__all__ = ["DifferentResultsError", "compare", "hand_results", "kernel_results", "measure", "spec_file", "walk"]

TIMES_THE_HAND = 1.3
SECOND = 10**9

Times = npt.NDArray[np.int64]
Values = npt.NDArray[np.float64]


class DifferentResultsError(Exception):
    """Two contenders do not come to the same results, so that their times say nothing."""


def walk(rows: int) -> tuple[Times, Values, Times]:
    """Return (n,) times in ns, a minute apart, (n,) prices of a seeded random walk, and (d,) where its UTC days end."""
    source = np.random.Generator(np.random.PCG64(5))
    prices = 5000 * np.exp(np.cumsum(source.normal(0, 2e-4, rows)))
    times = np.arange(rows, dtype=np.int64) * 60 * SECOND
    return times, prices, np.append(np.arange(1440, rows, 1440), rows).astype(np.int64)


def measure(size: Size, progress: Callable[[str], None]) -> Section:
    """Measure the loop bare and watched."""
    rows = size.ticks
    head = ("", "rows", "orders", "ns a row", "× hand-written")
    title = "A native loop"
    if installed("llvmlite") is None:
        return unmeasured(title, head, "llvmlite")
    path = walk(rows)
    days, fees = np.empty((2, len(path[2]))), np.empty((2, len(path[2])))
    spec = hedgerow.load(spec_file())
    program, parameters = spec.program("same"), spec.compile().parameters
    runs: dict[str, Callable[[], float]] = {}
    orders: dict[str, int] = {}
    for watch, name in ((False, "bare"), (True, "watched")):
        kernel = Kernel(program, "tick", Options(watch=watch))
        runs[f"hedgerow, {name}"] = partial(_kernel_ns, kernel, parameters, path, days[0], fees[0])
        ours = kernel_results(kernel, parameters, path, days[0], fees[0])
        orders[f"hedgerow, {name}"] = int(ours["orders"])
        if installed("numba") is None:
            continue
        loop = hand_written(watch)
        progress(f"compiling the hand-written loop, {name}")
        theirs = hand_results(loop, parameters, path, days[1], fees[1])
        compare(ours | _books(days[0], fees[0]), theirs | _books(days[1], fees[1]), watch)
        runs[f"hand-written, {name}"] = partial(_hand_ns, loop, parameters, path, days[1], fees[1])
        orders[f"hand-written, {name}"] = int(theirs["orders"])
    found = interleave(runs, size.tick_rounds, progress)
    table, targets = [], []
    for name, ns in found.items():
        hand = found.get(name.replace("hedgerow", "hand-written"))
        times = "–" if hand is None else f"{ratio(ns, hand):.2f}"
        table.append((name, f"{rows:,}", f"{orders[name]:,}", f"{median(ns):.2f}", times))
        if hand is not None and hand is not ns:
            claim = f"{name.removeprefix('hedgerow, ')}: times the hand-written loop's time"
            targets.append(Target(claim, ratio(ns, hand), TIMES_THE_HAND, False))
    if installed("numba") is None:
        table.append(("hand-written", "not installed", "–", "–", "–"))
    return Section(title, _words(size), head, tuple(table), tuple(targets))


def _words(size: Size) -> tuple[str, ...]:
    return (
        (
            f"`band_limited_hedge.yaml` with its defaults over {size.ticks:,} prices of a seeded random walk, one a "
            "minute. CPU time of one thread, one call over all rows, compiled beforehand (rounds: "
            f"{size.tick_rounds})."
        ),
        (
            "Bare: the machine, its ledger with averages and realised P&L, orders, turnover, what fired, time in "
            "each state, equity and fees at the end of each day. Watched: the eleven invariants and the drawdown "
            "besides. The hand-written loop is compiled by numba, keeps the same, and must come to the same results "
            "to the last bit before the clock starts. It judges invariants only where something has fired, as a "
            "person sees that this is enough; it checks no result for finiteness and gives no row to anyone else. "
            "numba compiles for the very processor, Hedgerow for any of its architecture."
        ),
    )


def spec_file() -> Path:
    """Return the file of the band-limited spec."""
    return Path(hedgerow.__file__).parent / "specs" / "band_limited_hedge.yaml"


def _books(days: Values, fees: Values) -> dict[str, Any]:
    return {"days": days.tobytes(), "day_fees": fees.tobytes()}


def _run(kernel: Kernel, words: Times, path: tuple[Times, Values, Times], days: Values, fees: Values) -> Memory:
    times, prices, stops = path
    memory = kernel.memory(CAPITAL)
    done = kernel.run(memory, words, times, [prices.ctypes.data], 0, stops, days, fees)
    if done != len(times):
        raise DifferentResultsError(f"native code gave row {done} of {len(times)} to the reference")
    return memory


def _kernel_ns(kernel: Kernel, parameters: Any, path: tuple[Times, Values, Times], days: Values, fees: Values) -> float:
    words = kernel.parameters(parameters)
    seconds, _ = timed(lambda: _run(kernel, words, path, days, fees))
    return seconds / len(path[0]) * 1e9


def _hand_ns(loop: Any, parameters: Any, path: tuple[Times, Values, Times], days: Values, fees: Values) -> float:
    values = given(parameters)
    seconds, _ = timed(lambda: loop(*path, values, days, fees))
    return seconds / len(path[0]) * 1e9


def hand_results(
    loop: Any, parameters: Any, path: tuple[Times, Values, Times], days: Values, fees: Values
) -> dict[str, Any]:
    """Return what the hand-written loop came to, by the names of its results."""
    counts, money = loop(*path, given(parameters), days, fees)
    return dict(zip((*COUNTS, *MONEY), (*counts, *money), strict=True))


def kernel_results(
    kernel: Kernel, parameters: Any, path: tuple[Times, Values, Times], days: Values, fees: Values
) -> dict[str, Any]:
    """Return what a kernel came to, by the names of the hand-written loop's results."""
    memory = _run(kernel, kernel.parameters(parameters), path, days, fees)
    settle_time(memory, int(memory.get("clock")))
    slots, program = kernel.slots, kernel.program
    fired = dict(zip((rule.name for rule in program.rules), memory.words[slots.fired :].tolist(), strict=False))
    broken = memory.words[slots.broken : slots.broken + len(program.invariants)].tolist()
    spent = dict(zip(program.regions[0].leaves, memory.words[slots.leaves[0] :].tolist(), strict=False))
    cells = {name: memory.get(variable) for name, variable in slots.cells.items()}
    renamed = {"gave_up_paused": "paused.tick.1"}
    own = {
        "rows": memory.get("accepted"), "state": memory.get(slots.registers[0]), "since": cells["since(exit_step)"],
        "long": cells["long.quantity"], "short": cells["short.quantity"],
        "harvest": cells["report.harvest"], "overshoot": cells["report.overshoot"],
        **{name: spent[name] for name in ("active", "paused", "winding_down")},
        **dict(zip(BROKEN, broken, strict=True)),
    }  # fmt: skip
    for name in (*COUNTS, *MONEY):
        if name in own:
            continue
        leg, _, of = name.partition("_")
        if renamed.get(name, name) in fired:
            own[name] = fired[renamed.get(name, name)]
        elif f"{leg}.{of}" in cells:
            own[name] = cells[f"{leg}.{of}"]
        else:
            own[name] = cells[name] if name in cells else memory.get(name)
    return own


def compare(ours: dict[str, Any], theirs: dict[str, Any], watch: bool) -> None:
    """Hold two sets of results equal, to the last bit.

    Raises:
        DifferentResultsError: they are not.
    """
    apart = [
        name for name in theirs if ours[name] != theirs[name] and (watch or name not in ("drawdown", "drawdown_amount"))
    ]
    if apart:
        told = ", ".join(
            f"{name} {ours[name]} and {theirs[name]}" for name in apart if not isinstance(ours[name], bytes)
        )
        raise DifferentResultsError(f"kernel and hand-written loop differ in {', '.join(apart)}: {told}")
