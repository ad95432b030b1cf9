"""Simulated prices for the tests of sweeps, and specs that have what a sweep must count: timers, regions, breakers."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from hedgerow.engine.dryrun.dry_run import event_of
from hedgerow.engine.dryrun.subject import capital_of
from hedgerow.engine.ir import FillMode
from hedgerow.engine.load import Spec
from hedgerow.engine.sweep.live import LiveRunner
from hedgerow.engine.sweep.path import EventPath, path_of
from hedgerow.engine.sweep.results import Results, shape_of
from hedgerow.engine.sweep.sets import ParameterSets

SPECS = Path(__file__).parents[1] / "specs"
BAND = SPECS / "band_limited_hedge.yaml"
START_NS = 1_600_000_000 * 10**9
MINUTE_NS = 60 * 10**9

# One long position that grows where the price falls, with a risk that some stakes break.
SMALL = """
hedgerow: 1
name: small
about: Buys where the price has fallen by a step, and sells all where it has risen by one.
units: [USD, IDX]
capital: {USD: 1000}
events:
  tick: {price: {unit: USD/IDX, range: [1, 1000]}}
params:
  stake: {default: 100, unit: USD, range: [1, 900]}
  step: {default: 0.02, range: [0.001, 0.5]}
  patient: {type: bool, default: false}
  most: {type: int, default: 3, range: [1, 9]}
instruments:
  index: {unit: IDX, price: tick.price, fee: 0.001, slippage: 0.0005}
legs:
  long: {instrument: index, side: long}
state:
  anchor: {unit: USD/IDX, initial: index.price}
  bought: {type: int, range: [0, 10], initial: 0}
let:
  falls: index.price < anchor * (1 - step)
  rises: index.price > anchor * (1 + step * (2 if patient else 1))
machine:
  initial: waiting
  fail_safe: halted
  states:
    waiting:
      on:
        tick:
          - {name: buy, if: falls and bought < most, do: buy_one}
          - {name: sell, if: rises, do: sell_all}
    halted: {}
actions:
  buy_one:
    - increase: {long: stake / index.price}
    - set: {anchor: index.price, bought: "min(bought + 1, 10)"}
  sell_all:
    - close: [long]
    - set: {anchor: index.price, bought: 0}
invariants:
  small_enough: long.quantity * index.price <= 350 USD
report:
  harvest: {buy: stake}
"""

# The same with a gate that stops the orders of some stakes.
GATED = (
    SMALL
    + """
gates:
  limits:
    checks:
      worth: long.quantity * index.price <= 350 USD
      stock: {of: long.quantity, most: 1000 IDX}
"""
)

# A position that timers cut between two ticks, a pause that ends by itself, a watch beside them, a breaker of bad rows, and
# an end.
GUARDED = """
hedgerow: 1
name: guarded
units: [USD, IDX]
capital: {USD: 1000}
events: {tick: {price: {unit: USD/IDX, range: [1, 1000]}}, late: {}}
params:
  lot: {default: 0.5, unit: IDX, range: [0.1, 2]}
  wait: {default: 20m, unit: s, range: [60s, 1d]}
  last: {default: 500, unit: USD/IDX, range: [100, 1000]}
instruments: {index: {unit: IDX, price: tick.price, fee: 0.01, slippage: 0.002}}
legs: {long: {instrument: index, side: both, quantity: 4 IDX}}
machine:
  initial: p
  fail_safe: safe
  states:
    p:
      parallel: true
      states:
        trade:
          initial: on
          states:
            on:
              every: {90m: {name: cut, if: long.quantity > 1 IDX, do: {target: {long: long.quantity - lot}}}}
              on:
                tick:
                  - {name: pause, if: tick.price > 150 USD / 1 IDX and tick.price < last, to: off}
                  - {name: add, if: tick.price < 90 USD / 1 IDX, do: {increase: {long: 1 IDX}}}
                input.rejected: {name: shy, to: off, do: {reduce: {long: 0.1 IDX}}}
            off: {after: {wait: {name: back, to: on, do: [{raise: late, after: 10m}]}}}
        watch:
          initial: quiet
          states:
            quiet: {on: {late: {name: heard, to: loud, do: {reduce: {long: 0.25 IDX}}}}}
            loud: {on: {tick: {if: tick.price < 120 USD / 1 IDX, to: quiet}}}
      on:
        tick:
          - {name: enough, if: tick.price >= last, to: over}
          - {name: odd, if: tick.price == 130 USD / 1 IDX, to: safe}
    over: {final: true}
    safe: {on: {tick: {name: again, if: tick.price < 100 USD / 1 IDX, to: p}}}
invariants:
  long_only: long.quantity >= 0.5 IDX
"""


def walk(rows: int, seed: int, *, start: float = 100.0, volatility: float = 0.01) -> npt.NDArray[np.float64]:
    """Return (rows,) prices of a geometric random walk whose steps have a standard deviation of `volatility`."""
    steps = np.random.Generator(np.random.PCG64(seed)).standard_normal(rows - 1) * volatility
    return start * np.exp(np.concatenate(([0.0], np.cumsum(steps))))


def market(
    spec: Spec, prices: Sequence[float] | npt.NDArray[np.float64], *, every_ns: int = 60 * MINUTE_NS, **options: Any
) -> EventPath:
    """Return a path of prices, one every so often."""
    times = START_NS + every_ns * np.arange(len(prices), dtype=np.int64)
    return path_of(event_of(spec, "tick"), times, [np.asarray(prices, np.float64)], **options)


def write_csv(folder: Path, path: EventPath, name: str = "ticks.csv") -> str:
    """Write a path of one field as a file, and return its name."""
    lines = [f"{time},{price!r}" for time, price in zip(path.times.tolist(), path.fields[0].tolist(), strict=True)]
    file = folder / name
    file.write_text("time,price\n" + "\n".join(lines) + "\n")
    return str(file)


def run_live(spec: Spec, sets: ParameterSets, path: EventPath, fill: FillMode = "same") -> Results:
    """Return the results of sets on the live backend."""
    program = spec.program(fill)
    results = Results.empty(shape_of(program, len(path.stops)), len(sets))
    capitals = np.array([capital_of(program, each) for each in sets])
    assert LiveRunner(spec, fill, path.event).run(sets, capitals, path, results) == len(sets)
    return results


def assert_same(one: Results, other: Results, *, but: Sequence[str] = ("handed",)) -> None:
    """Assert that two results are the same bit for bit."""
    for name, values in vars(one).items():
        if name not in but:
            there = getattr(other, name)
            assert values.dtype == there.dtype, name
            np.testing.assert_array_equal(values, there, err_msg=name)


def die(*_: object) -> None:
    """Stand for a task of a worker that the system kills."""
    os._exit(9)
