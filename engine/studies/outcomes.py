"""What a spec ends with on each of many simulated paths: the one place where studies run a strategy.

It runs in native code where that can be had, and comes to the same bits on the live backend.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from ..backends.native.machine import Kernel
    from ..load import Compiled, Spec

__all__ = ["Outcomes", "Path", "outcomes"]

Array = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]


class Path(NamedTuple):
    """The ticks of one path: (n,) int64 ns, never decreasing, and (n,) prices."""

    times: Counts
    prices: Array


@dataclass(frozen=True, slots=True)
class Outcomes:
    """One row a path, (paths,) each; money in the spec's unit, quantities in its instrument's.

    Fields:
        profit: equity at the end less the capital.
        fees, slippage, harvest: in all; `harvest` is the spec's report of that name.
        long, short: quantities ≥ 0 that are left.
        price: the last mark.
        rows: ticks that were accepted; less than the path has where the machine ended before.
        ended: whether the machine reached a final state.
        fired: transition -> how often it fired.
    """

    profit: Array
    fees: Array
    slippage: Array
    harvest: Array
    long: Array
    short: Array
    price: Array
    rows: Counts
    ended: npt.NDArray[np.bool_]
    fired: Mapping[str, Counts]

    def __len__(self) -> int:
        return self.profit.size

    @property
    def triggers(self) -> Counts:
        """How often the price left the band: firings of `up` and `down`."""
        return self.fired["up"] + self.fired["down"]

    @property
    def imbalance(self) -> Array:
        """(long − short)/(long + short), in [−1, 1]."""
        result: Array = (self.long - self.short) / (self.long + self.short)
        return result


def outcomes(spec: Spec, parameters: Mapping[str, str | float | bool], paths: Iterable[Path]) -> Outcomes:
    """Run a spec with legs `long` and `short` of one instrument over each path, by a new machine.

    Args:
        spec: its ticks have a price as their only field; its capital is the equity before the first tick.
        parameters: as `Spec.bind` takes them.
        paths: taken one after the other, and not kept.

    Raises:
        ParameterError: a parameter that does not fit.
        ValueError: no path, a tick that the machine refuses, an error in a transition, or an invariant that does not
            hold: what follows would be no result of the strategy.
    """
    from ..dryrun.subject import subject_of
    from ..sweep.native_runner import native_runner

    compiled = spec.bind(parameters)
    native = native_runner(spec, compiled.program.fill, "tick", workers=1)
    kernel = None if isinstance(native, str) else native.kernel
    fired: list[Counter[str]] = []
    found = [
        (kernel and _run_natively(kernel, compiled, path, fired)) or _run(compiled, path, number, fired)
        for number, path in enumerate(paths)
    ]
    if not found:
        raise ValueError("there is no path to run over")
    counts = {rule.name: np.array([one[rule.name] for one in fired], np.int64) for rule in compiled.program.rules}
    equity, *money = np.array([one[:7] for one in found], np.float64).T
    rows, ended = np.array([one[7] for one in found], np.int64), np.array([one[8] for one in found], np.bool_)
    fees, slippage, harvest, long, short, price = money
    profit = equity - subject_of(compiled).capital
    return Outcomes(profit, fees, slippage, harvest, long, short, price, rows, ended, counts)


def _run_natively(
    kernel: Kernel, compiled: Compiled, path: Path, fired: list[Counter[str]]
) -> tuple[float | int | bool, ...] | None:
    """Do what `_run` does; None, with nothing added, where a tick is out of the ordinary."""
    program, slots, memory = kernel.program, kernel.slots, kernel.memory(0.0)
    times, prices = np.ascontiguousarray(path.times), np.ascontiguousarray(path.prices)
    stops, day = np.array([len(times)], np.int64), np.empty(1)
    rows = kernel.run(memory, kernel.parameters(compiled.parameters), times, [prices.ctypes.data], 0, stops, day, day)
    broken = memory.words[slots.broken : slots.broken + len(program.invariants)]
    if broken.any() or (rows < len(times) and not memory.ended):
        return None
    counts = memory.words[slots.fired : slots.fired + len(program.rules)].tolist()
    fired.append(Counter({rule.name: count for rule, count in zip(program.rules, counts, strict=True) if count}))
    return _ends(lambda name: float(memory.get(slots.cells[name])), rows, memory.ended)


def _run(compiled: Compiled, path: Path, number: int, fired: list[Counter[str]]) -> tuple[float | int | bool, ...]:
    """Run one path; return the fields of its outcome in order, equity for profit, and add what fired to `fired`."""
    machine = compiled.machine()
    tick = machine.port("tick")
    counted: Counter[str] = Counter()
    rows = 0
    quiet = None
    for rows, (time_ns, price) in enumerate(zip(path.times.tolist(), path.prices.tolist(), strict=True), start=1):
        step = tick(time_ns, price)
        # A step in which nothing happened is one shared object: known again by identity, it costs nothing to read.
        if step is quiet:
            continue
        if step.rejected is not None or step.errors or step.broken:
            what = step.rejected or ", ".join((*map(str, step.errors), *step.broken))
            raise ValueError(f"tick {rows} of path {number} (price {price!r}) went wrong: {what}")
        if not step.fired:
            quiet = step
        counted.update(step.fired)
        if step.configuration != step.before and machine.ended:
            break
    fired.append(counted)
    return _ends(lambda name: float(machine.value(name)), rows, machine.ended)


def _ends(value: Callable[[str], float], rows: int, ended: bool) -> tuple[float | int | bool, ...]:
    long, short, mark = (value(name) for name in ("long.quantity", "short.quantity", "index.price"))
    money = (value(name) for name in ("fees", "slippage", "report.harvest"))
    return (value("cash") + (long - short) * mark, *money, long, short, mark, rows, ended)
