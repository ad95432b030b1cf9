"""A thousand parameter sets of a no-trade band, beside vectorbt, and the memory that more sets take."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import numpy.typing as npt

import hedgerow
from hedgerow.engine.backends.native.kernel import Options
from hedgerow.engine.backends.native.machine import Kernel
from hedgerow.engine.dryrun.subject import capital_of
from hedgerow.engine.load import Spec
from hedgerow.engine.processes import processors
from hedgerow.engine.sweep.native_runner import NativeRunner
from hedgerow.engine.sweep.path import EventPath, path_of
from hedgerow.engine.sweep.results import Results, shape_of
from hedgerow.engine.sweep.sets import ParameterSets, parameter_sets
from hedgerow.engine.sweep.table import SweepTable

from .host import installed
from .page import Section, Size, Target, unmeasured
from .processes import Cost
from .rounds import interleave, ratio
from .sweep_loop import DifferentResultsError
from .sweep_memory import growth
from .sweep_peer import Peer, vectorbt_band

__all__ = ["BAND", "agree", "bands", "made", "measure", "simulated"]

BAND = Path(__file__).parent / "no_trade_band.yaml"
TIMES_VECTORBT = 100.0
MORE_MIB = 8.0
"""Room for what the system's allocator keeps."""
SMALLEST, LARGEST = 0.001, 0.02
MINUTE = 60 * 10**9
CHECKED = 100
"""Sets of which vectorbt reads position and P&L: it holds arrays of rows × sets for that."""
ORDERS = 4_000
"""Orders a set that vectorbt makes room for."""

Values = npt.NDArray[np.float64]


def bands(sets: int) -> list[float]:
    """Return the band of each set, ascending: shares of the price, each a constant ratio wider than the one before."""
    return [float(value) for value in np.geomspace(SMALLEST, LARGEST, sets)]


def made(sets: int, rows: int) -> tuple[Spec, EventPath, ParameterSets]:
    """Return the spec, a seeded random walk of prices, one a minute, and the parameter sets."""
    spec = hedgerow.load(BAND)
    source = np.random.Generator(np.random.PCG64(7))
    prices = 1000 * np.exp(np.cumsum(source.normal(0, 2e-4, rows)))
    event = next(each for each in spec.program("same").events if each.name == "tick")
    path = path_of(event, np.arange(rows, dtype=np.int64) * MINUTE, [prices])
    return spec, path, parameter_sets(spec, grid={"band": bands(sets)})


def measure(size: Size, progress: Callable[[str], None]) -> Section:
    """Measure sweeps on one thread and on all cores, and the memory of a small and a large one."""
    title = "A thousand sets"
    head = ("", "sets", "rows a set", "wall s", "CPU s", "ns a row, wall", "ns a row, CPU")
    if installed("llvmlite") is None:
        return unmeasured(title, head, "llvmlite")
    spec, path, sets = made(size.sets, size.set_rows)
    checked, theirs = _spread(sets, CHECKED), _spread(sets, size.peer_sets)
    threads = ("one thread", f"{processors()} threads")
    alone, together = (f"hedgerow, the peer's outputs, {one}" for one in threads)
    works: dict[str, Callable[[], object]] = {
        alone: partial(simulated, spec, path, sets, 1),
        together: partial(simulated, spec, path, sets, processors()),
    }
    for name, workers in zip(threads, (1, processors()), strict=True):
        whole = partial(hedgerow.sweep, spec, path, sets, backend="native", workers=workers)
        works[f"hedgerow, the whole table, {name}"] = whole
    counts = dict.fromkeys(works, len(sets))
    table = hedgerow.sweep(spec, path, checked, backend="native")  # compiles
    peer = installed("vectorbt") is not None
    if peer:
        progress("compiling vectorbt's simulation")
        simulate, read = vectorbt_band()
        run = partial(_simulated, spec, path, simulate)
        agree(table, positions(spec, path, checked), read(run(checked)))
        orders = hedgerow.sweep(spec, path, theirs, backend="native").column("orders")
        if not np.array_equal(simulated(spec, path, theirs, 1).orders, orders):
            raise DifferentResultsError("the number of orders differs between kernels")
        if not np.array_equal(run(theirs).orders.count().to_numpy(), orders):
            raise DifferentResultsError("the number of orders differs")
        works["vectorbt"], counts["vectorbt"] = partial(run, theirs), len(theirs)
    costs: dict[str, list[Cost]] = {name: [] for name in works}
    interleave({name: partial(_measured, works[name], costs[name]) for name in works}, size.set_rounds, progress)
    ns = 1e9 / len(path)
    wall = {name: [ns * one.wall / counts[name] for one in each] for name, each in costs.items()}
    cpu = {name: [ns * one.cpu / counts[name] for one in each] for name, each in costs.items()}
    rows = [
        (
            name, f"{counts[name]:,}", f"{len(path):,}", f"{median(one.wall for one in each):.3f}",
            f"{median(one.cpu for one in each):.3f}", f"{median(wall[name]):.2f}", f"{median(cpu[name]):.2f}",
        )
        for name, each in costs.items()
    ]  # fmt: skip
    targets = []
    if peer:
        claim = "times as fast as vectorbt"
        targets = [
            Target(f"{threads[0]}: {claim}, CPU", ratio(cpu["vectorbt"], cpu[alone]), TIMES_VECTORBT, True),
            Target(f"{threads[1]}: {claim}, wall", ratio(wall["vectorbt"], wall[together]), TIMES_VECTORBT, True),
        ]
    else:
        rows.append(("vectorbt", "not installed", *["–"] * 5))
    small, large = max(1, size.sets // 10), size.sets
    grown = growth(small, large, size.set_rows, size.set_rounds, progress)
    claim = f"MiB more for {large:,} sets than for {small:,}, without their results"
    targets.append(Target(claim, grown.beyond, MORE_MIB, False))
    words = (*_words(size, len(checked), peer), grown.words(small, large))
    return Section(title, words, head, tuple(rows), tuple(targets))


def _words(size: Size, few: int, peer: bool) -> tuple[str, ...]:
    ours = (
        f"`no_trade_band.yaml`, one leg, over {size.sets:,} parameter sets, each over {size.set_rows:,} prices of a "
        f"seeded random walk, in native code (rounds: {size.set_rounds}). Nanoseconds are per row and set. *The peer's "
        "outputs* are orders, fees, position, cash and equity of each set, by kernels without `watch`; *the whole table* "
        "is `hedgerow.sweep`, with drawdown, conditional value at risk, time in each state and what fired."
    )
    theirs = (
        f"vectorbt runs {size.peer_sets:,} of these sets with `Portfolio.from_order_func`, a column a set, its order "
        "function compiled by numba beforehand, on one thread. It is told how many orders to make room for, and to "
        "keep no log: left to itself it asks for hundreds of bytes a row and set. Only its simulation is timed, and "
        "not what is read from it afterwards; it has no mode for several threads. The number of orders of "
        f"every set must be equal; of {few} sets, evenly spread, the net position too, and the P&L up to a share of "
        "1e-12 of the turnover."
    )
    return (ours, theirs) if peer else (ours,)


def simulated(spec: Spec, path: EventPath, sets: ParameterSets, workers: int) -> Results:
    """Run sets for what the peer gives: orders, fees, position, cash and equity."""
    program = spec.program("same")
    runner = NativeRunner(spec, Kernel(program, path.event, Options(watch=False)), "same", workers)
    capitals = np.full(len(sets), capital_of(program, sets[0]))
    into = Results.empty(shape_of(program, len(path.stops)), len(sets))
    runner.run(sets, capitals, path, into)
    return into


def _measured(work: Callable[[], object], costs: list[Cost]) -> float:
    """Note what some work costs, and return its wall time."""
    gc.collect()
    start, began = time.perf_counter(), time.process_time()
    work()
    costs.append(Cost(time.process_time() - began, time.perf_counter() - start))
    return costs[-1].wall


def _spread(sets: ParameterSets, many: int) -> ParameterSets:
    """Return about so many of the sets, evenly spread."""
    return sets.take(np.arange(0, len(sets), max(1, len(sets) // many)))


def _simulated(spec: Spec, path: EventPath, simulate: Callable[..., Any], sets: ParameterSets) -> Any:
    """Return vectorbt's portfolio after its simulation."""
    values = spec.compile().parameters
    capital = capital_of(spec.program("same"), values)
    band = sets.column("band")
    return simulate(path.fields[0], band, values["lot"], values["fee"], capital, ORDERS * len(sets))


def positions(spec: Spec, path: EventPath, sets: ParameterSets) -> Values:
    """Return (S,) the quantity that each set holds at the end."""
    kernel = Kernel(spec.program("same"), path.event, Options())
    held = []
    for values in sets:
        memory = kernel.memory(0.0)
        words, fields = kernel.parameters(values), [each.ctypes.data for each in path.fields]
        scratch = np.empty((2, len(path.stops)))
        if kernel.run(memory, words, path.times, fields, 0, path.stops, scratch[0], scratch[1]) != len(path):
            raise DifferentResultsError("native code gave a row to the reference")
        held.append(memory.get(kernel.slots.cells["position.quantity"]))
    return np.array(held, np.float64)


def agree(table: SweepTable, held: Values, peer: Peer) -> None:
    """Hold what a sweep and vectorbt came to equal: positions and orders exactly, the P&L but for rounding.

    Raises:
        DifferentResultsError: they are not, or nothing was traded.
    """
    orders, profit = table.column("orders"), table.column("profit")
    if not orders.sum():
        raise DifferentResultsError("no set has traded")
    for what, ours, theirs, room in (
        ("net position", held, peer.position, np.zeros(len(held))),
        ("number of orders", orders, peer.orders, np.zeros(len(held))),
        ("P&L", profit, peer.profit, 1e-12 * table.column("turnover")),
    ):
        apart = np.flatnonzero(~(np.abs(ours - theirs) <= room))
        if len(apart):
            first = int(apart[0])
            told = f"hedgerow {ours[first]}, vectorbt {theirs[first]}"
            raise DifferentResultsError(f"the {what} of {len(apart)} sets differs, first of set {first}: {told}")
