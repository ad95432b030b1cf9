"""Attacks on native code: specs and rows at the edges of arithmetic, time and memory.

Native code must still be the live backend there: all that a sweep keeps, and every cell at the end, to the bit.
"""

from __future__ import annotations

import itertools
import math
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from hedgerow.engine.backends.native.kernel import Options, kernel_text
from hedgerow.engine.backends.native.object_code import cache_folder, machine_code
from hedgerow.engine.load import ParameterError, Spec, load, loads
from hedgerow.engine.sweep.live import LiveRunner
from hedgerow.engine.sweep.native_runner import NativeRunner, SetRun, native_runner
from hedgerow.engine.sweep.path import EventPath, path_of
from hedgerow.engine.sweep.results import Results, shape_of
from hedgerow.models.performance import DAY_NS

pytest.importorskip("llvmlite", reason="the native backend is in the extra `sweep`")

SPECS = Path(__file__).parent.parent / "specs"
SECOND = 10**9
REACH = 2**62
HEAD = "hedgerow: 1\nname: attack\nunits: [USD, IDX]\n"


def rows(spec: Spec, times: npt.ArrayLike, *fields: npt.ArrayLike) -> EventPath:
    event = next(each for each in spec.program("same").events if each.name == "tick")
    return path_of(event, np.asarray(times, np.int64), fields, skip_bad=True)


def bits(values: npt.NDArray[Any]) -> list[Any]:
    """Return values so that equal means equal to the bit; a NaN is a NaN."""
    if values.dtype != np.float64:
        return list(values.ravel().tolist())
    return list(np.where(np.isnan(values), np.nan, values).view(np.int64).ravel().tolist())


def agree(
    spec: Spec,
    path: EventPath,
    sets: Sequence[Mapping[str, Any]] = ({},),
    *,
    fill: Any = "same",
    capital: float = 0.0,
    workers: int = 1,
) -> Results:
    """Hold native code to the live backend: all results of each set, and each cell at the end. Return native results."""
    program = spec.program(fill)
    shape, capitals = shape_of(program, len(path.stops)), np.full(len(sets), capital)
    parameters = [spec.bind(values, fill=fill).parameters for values in sets]
    runner = native_runner(spec, fill, path.event, workers)
    assert isinstance(runner, NativeRunner), runner
    native, live = Results.empty(shape, len(sets)), Results.empty(shape, len(sets))
    assert runner.run(parameters, capitals, path, native) == len(sets)
    assert LiveRunner(spec, fill, path.event).run(parameters, capitals, path, live) == len(sets)
    for name, values in vars(native).items():
        if name != "handed":
            assert bits(values) == bits(getattr(live, name)), name
    for values in sets:
        _same_cells(spec, runner, path, values, Results.empty(shape, 1))
    return native


def _same_cells(spec: Spec, runner: NativeRunner, path: EventPath, values: Mapping[str, Any], into: Results) -> None:
    compiled = spec.bind(values, fill=runner.fill)
    run = SetRun(runner, compiled.parameters, 0.0, path, into)
    run.run()
    machine = compiled.machine()
    port = machine.port(path.event)
    convert = {"real": float, "int": lambda x: int(x) if math.isfinite(x) else x, "bool": bool}
    for time, *row in zip(path.times.tolist(), *(field.tolist() for field in path.fields), strict=True):
        port(time, *(convert[kind](value) for kind, value in zip(path.kinds, row, strict=True)))
        if machine.ended:
            break
    cells = machine.snapshot().cells
    found = {name: run.memory.get(variable) for name, variable in run.kernel.slots.cells.items()}
    shown = [{n: v.hex() if isinstance(v, float) else v for n, v in each.items()} for each in (cells, found)]
    assert shown[1] == shown[0]


# ------------------------------------------------------------------------------------------------------- whole numbers

BUILT_UP = """
events: {tick: {x: {}}}
state:
  n: {type: int, range: [0, 1125899906842624], initial: 1125899906842624}
  y: {initial: 0}
machine:
  initial: a
  fail_safe: z
  states:
    a: {on: {tick: {name: up, if: tick.x > 0, do: [%s]}}}
    z: {}
"""
EIGHTFOLD = "{set: {n: n * 8}}"


@pytest.mark.parametrize(
    "last", ["{set: {y: 1}}", "{set: {n: 'min(n * 8, 7)'}}", "{set: {y: 'n * 1.0'}}", "{set: {n: 0}}"]
)
def test_a_whole_number_beyond_its_range_does_not_come_round(last: str) -> None:
    # Each step is within ±2^53 where the one before stayed in its range; together they come to 2^65, which is 0 in 64 bits.
    spec = loads(HEAD + BUILT_UP % ", ".join([EIGHTFOLD] * 5 + [last]), "attack.yaml")
    agree(spec, rows(spec, [0, 1, 2], [0.0, 1.0, 0.0]))


ARITHMETIC = """
events: {tick: {x: {}, y: {}, i: {type: int, range: [-9007199254740992, 9007199254740992]}, b: {type: bool}}}
params:
  p: {default: 0.5}
  q: {type: int, default: 3, range: [-9007199254740992, 9007199254740992]}
state:
  u: {initial: 0}
  v: {initial: 0}
  w: {initial: 0.5, range: [-1e300, 1e300]}
  n: {type: int, range: [-9007199254740992, 9007199254740992], initial: 0}
  g: {type: bool, initial: false}
observe: {tick: {high: "peak(min(tick.x, 1e300), initial=0)", run: "streak(tick.x > p, max=5)"}}
machine:
  initial: a
  fail_safe: z
  states:
    a:
      on:
        tick:
          - {if: "tick.b and tick.x != 0", do: [{set: {u: "tick.y / tick.x", v: "max(u, tick.x, -0.0)", g: "not g"}}], to: b}
          - {if: "tick.i > q or tick.x >= 1e160", do: [{set: {u: "min(tick.x, tick.y)", n: "tick.i if g else -tick.i"}}]}
          - {do: [{set: {v: "sqrt(abs(tick.x)) * p", w: "clip(tick.x, -2, 1e10) / 3", n: "abs(min(n, tick.i))"}}]}
    b:
      on:
        tick:
          - {if: "sqrt(tick.x) > tick.y or 1 / tick.y > 0", do: [{set: {u: "-u", w: "tick.x * 1e-300"}}], to: a}
          - {if: "u / v < 1 and not g", do: [{set: {u: "u ** 3 - v", v: "-v"}}]}
          - {do: [{set: {u: "(tick.x + tick.y) - tick.x", n: "min(n, 0) + max(-1, 1)", v: "n * 1.0"}}]}
    z: {on: {tick: {to: a, do: [{set: {u: "-0.0", v: 1, n: q}}]}}}
invariants:
  grows: "u >= before.u"
  same: "w == before.w"
  divides: "1 / u > before.v"
  chosen: "implies(was(a), (u if g else v) < 1e300)"
"""
EDGES = (
    0.0, -0.0, 1.0, -1.0, 0.5, 5e-324, -5e-324, 2.2250738585072014e-308, 1e160, 1.7976931348623157e308,
    -1.7976931348623157e308, 2.0**52 - 0.5, 2.0**52, 2.0**53, 0.1, 2.5, -2.5,
)  # fmt: skip


def test_arithmetic_at_its_edges_is_the_same_to_the_bit() -> None:
    spec = loads(HEAD + ARITHMETIC, "attack.yaml")
    pairs = list(itertools.product(EDGES, EDGES))
    np.random.Generator(np.random.PCG64(1)).shuffle(pairs)
    x, y = (np.array(each) for each in zip(*pairs, strict=True))
    source = np.random.Generator(np.random.PCG64(2))
    whole = source.choice(np.array([0.0, -0.0, 1, -1, 3, 4, 2.0**53, -(2.0**53), 2.0**53 - 1]), len(x))
    flags = source.choice(np.array([0.0, -0.0, 1.0]), len(x))
    path = rows(spec, np.arange(len(x)), x, y, whole, flags)
    sets = [{}, {"p": -0.0, "q": 2**53}, {"p": 5e-324, "q": -(2**53)}, {"p": 1e308, "q": 0}]
    native = agree(spec, path, sets)
    assert (native.handed < 0.7 * len(x)).all()
    assert native.fired.sum(axis=0).all()


# --------------------------------------------------------------------------------------------------------------- money

HELD = """
capital: {USD: cap}
events: {tick: {price: {unit: USD/IDX, range: [1e-323, 1.7e308]}, b: {type: bool}}}
params: {cap: {default: 1000, unit: USD}, size: {default: 1, unit: IDX}}
instruments: {index: {unit: IDX, price: tick.price, fee: %s}}
legs:
  one: {instrument: index, side: long, quantity: size}
  two: {instrument: index, side: %s, quantity: size}
machine:
  initial: a
  fail_safe: z
  states:
    a: {on: {tick: [{if: tick.b, do: [{reduce: {one: one.quantity / 2, two: two.quantity / 3}}]}]}}
    z: {on: {tick: {if: tick.b, to: a}}}
invariants: {worth: "equity >= before.equity"}
"""


@pytest.mark.parametrize("side", ["long", "short", "both"])
def test_an_equity_that_no_float_can_hold_spoils_no_drawdown(side: str) -> None:
    # Infinite, and with a short leg no number at all; real drawdowns come before and after, and some rows are refused.
    spec = loads(HEAD + HELD % ("0.001", side), "attack.yaml")
    prices = [100.0, 90.0, 95.0, math.nan, 1.7e308, 1.6e308, math.nan, 80.0, 85.0, 1e308, 70.0, 60.0]
    flags = [0.0, 0, 1, 0, 0, 1, 1, 0, 1, 0, 0, 1]
    path = rows(spec, np.arange(len(prices)), prices, flags)
    native = agree(spec, path, [{"size": 20.0}, {"size": 2.0}], capital=1000.0)
    assert (native.drawdown > 0).all()


def test_shares_of_next_to_no_capital_are_told_apart() -> None:
    spec = loads(HEAD + HELD % ("0", "both"), "attack.yaml")
    for seed in (27, 35):
        prices = np.random.default_rng(seed).integers(2, 60, 30) * 5e-324
        agree(spec, rows(spec, np.arange(30), prices, np.zeros(30)), [{"cap": 4e-323}], capital=4e-323)


def test_a_composition_cannot_give_what_is_not_finite(tmp_path: Path) -> None:
    # Native code and the live backend leave out the check that a cell is finite where a parameter is copied to it.
    part = "hedgerow: 1\nname: part\nunits: [USD]\nevents: {mark: {x: {}}}\nparams: {most: {default: 1}}\n"
    part += "state: {u: {initial: 0}}\nmachine:\n  initial: a\n  fail_safe: z\n"
    part += "  states: {a: {on: {mark: {do: [{set: {u: most}}]}}}, z: {}}\n"
    desk = "hedgerow: 1\nname: desk\nunits: [USD]\nevents: {tick: {x: {}}}\nparams: {a: {default: 1}}\n"
    desk += "use: {one: {spec: part.yaml, params: {most: a * 1e300}, events: {mark: {tick: {x: tick.x}}}}}\n"
    desk += "machine: {initial: t, fail_safe: s, states: {t: {}, s: {}}}\n"
    (tmp_path / "part.yaml").write_text(part)
    (tmp_path / "desk.yaml").write_text(desk)
    spec = load(tmp_path / "desk.yaml")
    agree(spec, rows(spec, [0, 1], [0.0, 1.0]), [{}, {"a": 1e8}])
    with pytest.raises(ParameterError, match=r"`one\.most` is given inf, which is not a finite number"):
        spec.bind({"a": 1e10})


# ---------------------------------------------------------------------------------------------------------------- time

TIMED = """
events: {tick: {x: {}}}
params:
  per: {default: 1s, unit: s, range: [1ns, 100d]}
  wait: {default: 1s, unit: s, range: [0s, 300000d]}
state:
  n: {type: int, range: [0, 1000000], initial: 0}
  u: {initial: 0}
machine:
  initial: a
  fail_safe: z
  states:
    z: {on: {tick: {to: a}}}
    a:
      every: {per: {name: e1, do: [{set: {n: "min(n + 1, 1000000)"}}]}, 2s: {name: e2, do: [{set: {u: "u / 2 + n"}}]}}
      on: {tick: {if: tick.x > 5, to: b}}
    b: {after: {wait: {name: a1, to: c}, 1s: {name: a2, do: [{set: {u: u - 3}}]}}, on: {tick: {if: tick.x < 0, to: a}}}
    c: {after: {3s: {name: a3, to: b}}, on: {tick: {if: tick.x < 1, to: a}}}
invariants: {few: "n < 50", falls: "u <= before.u"}
"""


def test_timers_are_the_same_whatever_they_wait_for() -> None:
    # Several due at one time, half a nanosecond, no time at all, more than a thousand before one row, centuries.
    spec = loads(HEAD + TIMED, "attack.yaml")
    source = np.random.Generator(np.random.PCG64(3))
    gaps = source.choice(np.array([0, 1, SECOND // 2, SECOND, 2 * SECOND, 3 * SECOND, 20 * SECOND]), 40)
    gaps[20] = 1100 * SECOND
    sets = [{}, {"per": "1.0000000005s", "wait": "0.3333333333s"}, {"wait": "0s"}, {"per": "2.5s", "wait": "200000d"}]
    native = agree(spec, rows(spec, np.cumsum(gaps), source.choice(np.array([0.0, 6, -1, 1]), 40)), sets)
    assert (native.handed < 30).all()


@pytest.mark.parametrize(
    "times",
    [
        [-REACH - 5, -REACH, -REACH + 1, -5, 0],
        [-REACH + 1, -REACH + 2, 0, REACH - 2],
        [0, REACH - 5 * SECOND, REACH - SECOND, REACH - 1, REACH, REACH + 1, 2**63 - 1],
        [-(2**63), -(2**63) + 1, -REACH],
        [-7, -7, -3, -SECOND, 5],
    ],
)
def test_times_at_the_ends_of_time_are_the_same(times: list[int]) -> None:
    spec = loads(HEAD + TIMED.replace("2s: {name: e2", "90d: {name: e2"), "attack.yaml")
    path = rows(spec, times, [0.0, 6, 6, -1, 0, 6, 1][: len(times)])
    agree(spec, path, [{"per": "100d", "wait": "100000d"}, {"per": "99d", "wait": "200000d"}])


ENDING = """
capital: {USD: 1000}
events: {tick: {price: {unit: USD/IDX, range: [1, 1000]}}}
instruments: {index: {unit: IDX, price: tick.price, fee: 0.001, borrow: 0.1 / 1d}}
legs: {one: {instrument: index, side: both}}
params: {wait: {default: 1s, unit: s, range: [0s, 1000d]}}
machine:
  initial: a
  fail_safe: z
  states:
    z: {on: {tick: {to: a}}}
    a: {on: {tick: {if: tick.price > 100 USD / 1 IDX, do: [{target: {one: 2 IDX}}], to: b}}}
    b:
      after: {wait: {do: [{target: {one: -1 IDX}}], to: e}}
      on: {tick: {if: tick.price > 500 USD / 1 IDX, do: [{target: {one: -3 IDX}}], to: e}}
    e: {final: true}
invariants: {paid: "implies(ordered(), fees > before.fees)"}
"""
DAY = DAY_NS


@pytest.mark.parametrize("fill", ["same", "next"])
def test_a_machine_that_ends_keeps_its_last_day(fill: Any) -> None:
    # By a timer or by a row, at the end of a day or within one, with fills that wait for a mark, after refused rows.
    spec = loads(HEAD + ENDING, "attack.yaml")
    for times, prices in (
        ([0, 1, DAY, DAY + 5 * SECOND, 2 * DAY], [50.0, 101, 102, 103, 104]),
        ([0, DAY - 1, DAY, 2 * DAY], [101.0, 600, 5, 6]),
        ([0, DAY - 1, DAY - 1, DAY + 1], [101.0, 600, math.nan, 5]),
        ([0], [101.0]),
        ([0, DAY, 2 * DAY, 3 * DAY], [math.nan, 101, math.nan, 501]),
    ):
        agree(spec, rows(spec, times, prices), [{}, {"wait": "0s"}, {"wait": "1d"}], fill=fill, capital=1000.0)


# -------------------------------------------------------------------------------------------------------------- events

RAISING = """
events:
  tick: {x: {range: [-100, 100]}, k: {type: int, range: [0, 50]}}
  note: {s: {range: [0, 60]}, j: {type: int, range: [0, 30]}, f: {type: bool}}
state:
  u: {initial: 0}
  n: {type: int, range: [0, 1000], initial: 0}
  c: {type: int, range: [0, 1000], initial: 0}
  g: {type: bool, initial: false}
machine:
  initial: a
  fail_safe: z
  states:
    a:
      on:
        tick:
          - if: tick.k == 1
            do: [{raise: {note: {s: tick.x, j: 1, f: g}}}, {raise: {note: {s: tick.x * 2, j: 2, f: not g}}}]
          - {if: tick.k == 2, do: [{raise: {tick: {x: tick.x / 2, k: 1}}}, {set: {g: not g}}]}
          - {if: tick.k == 3, do: [%s]}
          - if: tick.k == 4
            do: [{raise: {note: {s: tick.x, j: 7, f: true}}, after: 2s}, {raise: {note: {s: 1, j: 8, f: g}}}]
          - {if: tick.k == 5, do: [{raise: {tick: {x: tick.x, k: 1}}, after: 1s}, {set: {u: tick.x}}]}
          - {if: tick.k >= 6, do: [{set: {c: "5 if tick.k == 6 else 150"}}], to: b}
        note: {name: got, do: [{set: {u: "u / 2 + note.s", n: "min(n + note.j, 1000)", g: note.f}}]}
    b:
      always: {if: c > 0, do: [{set: {c: "max(c - 1, 0)"}}, {raise: {note: {s: 1, j: 1, f: g}}}], to: b}
      on:
        note: {if: c == 0, do: [{set: {u: u + note.s}}]}
        tick: {do: [{set: {u: "u + tick.x"}}], to: a}
    z: {on: {tick: {to: a}}}
invariants: {grows: "u >= before.u", few: "n < 100"}
"""


@pytest.mark.parametrize("waiting", [15, 16, 17])
def test_raised_events_are_the_same_however_many_wait(waiting: int) -> None:
    # One event twice, raised and timed, the event of the data itself, chains longer than native code follows.
    many = ", ".join(f"{{raise: {{note: {{s: {i}, j: {i}, f: true}}}}}}" for i in range(waiting))
    spec = loads(HEAD + RAISING % many, "attack.yaml")
    source = np.random.Generator(np.random.PCG64(waiting))
    times = np.cumsum(source.choice(np.array([0, 1, SECOND, 3 * SECOND]), 100))
    kinds = source.choice(np.array([1.0, 1, 2, 3, 4, 4, 5, 5, 6]), 100)
    kinds[50] = 7
    native = agree(spec, rows(spec, times, source.choice(np.array([0.0, 1, -1, 30, 40, -0.0]), 100), kinds))
    assert 0 < native.handed[0] < 100


EXITS = """
events: {tick: {x: {}}}
state: {u: {initial: 0}, v: {initial: 0}}
machine:
  initial: c
  fail_safe: z
  states:
    z: {}
    c:
      initial: a
      entry: [{set: {v: "v + 1"}}]
      exit: [{set: {u: "u * 3 if In(a) else u - 1"}}]
      states:
        a: {exit: [{set: {u: u + 1}}]}
        b: {exit: [{set: {u: u / 2}}]}
        d:
          initial: e
          exit: [{set: {u: "min(u + 100, 1e6) if In(f) else u"}}]
          states: {e: {}, f: {exit: [{set: {v: -v}}]}}
      on:
        tick:
          - {if: tick.x == 0, to: c}
          - {if: tick.x == 1, to: b, internal: true}
          - {if: tick.x == 2, to: d, internal: true}
          - {if: tick.x == 3, to: f}
          - {if: tick.x == 4, do: [{set: {u: "u / 9 + 5 if In(d) else u + 7"}}]}
invariants: {low: "u < 9", same: "v == before.v", share: "1 / v > 0.2", up: "implies(changed(u), u > before.u)"}
"""


def test_a_state_left_from_each_of_its_leaves_and_claims_that_only_firings_move() -> None:
    spec = loads(HEAD + EXITS, "attack.yaml")
    # Most rows do nothing: a claim that was judged then must be judged again after each firing, and not once too often.
    moves = np.random.Generator(np.random.PCG64(4)).integers(0, 12, 500).astype(float)
    native = agree(spec, rows(spec, np.arange(500), moves))
    assert native.handed[0] == 0
    assert (native.broken[0] > 0).all()


PASSING = """
events: {tick: {x: {range: [0, 10]}, to: {range: [-1e308, 1e308]}}}
state: {q: {initial: 1}, x: {initial: 0}, calm: {type: int, range: [0, 9], initial: 0}}
observe:
  tick:
    x: tick.x
    calm: streak(x < 9, max=9)
machine:
  initial: a
  fail_safe: z
  states:
    z: {on: {tick: {if: tick.to != 0, to: a}}}
    a: {on: {tick: {name: move, if: tick.to != 0, to: b, do: [{set: {q: tick.to}}]}}}
    b: {on: {tick: {if: tick.to != 0, to: a, do: [{set: {q: tick.to}}]}}}
invariants: {%s}
"""


@pytest.mark.parametrize(
    ("claim", "settling", "unsettling"),
    [
        ("x * q <= 50", 5, 6),
        ("(q * 5 - before.q * 5) * x <= 0", 1e307, 1e308),
        ("implies(was(a), x < 9)", 2, None),
        ("1 / (x - q) < 0.5 or x < 9", 11, 9),
        ("sqrt(q - x) >= 0", 10, 9),
        ("abs(x - q) <= max(x, q) + x / 99", 10, -3),
        ("min(x, q) * (x if q > 0 else -x) < 60", 4, 7),
    ],
)
def test_a_claim_is_left_out_only_where_no_row_could_break_it(
    claim: str, settling: float, unsettling: float | None
) -> None:
    spec = loads(HEAD + PASSING % f"c: '{claim}'", "attack.yaml")
    source = np.random.Generator(np.random.PCG64(8))
    program = spec.program("same")
    runner = native_runner(spec, "same", "tick", 1)
    assert isinstance(runner, NativeRunner)

    def settled(*to: float) -> int:
        """Return what a run of rows, each `to` followed by rows at which nothing fires, has left out at its end."""
        moves = np.zeros(60 * len(to))
        moves[::60] = to
        path = rows(spec, np.arange(len(moves)) * SECOND, source.choice(np.array([0.0, 2.5, 9, 10]), len(moves)), moves)
        agree(spec, path)
        run = SetRun(runner, spec.compile().parameters, 0.0, path, Results.empty(shape_of(program, len(path.stops)), 1))
        run.run()
        return int(run.memory.get("settled"))

    assert settled(settling) == 2
    assert settled(3, settling) < 2 if unsettling is None else settled(settling, unsettling) < 2
    settled(*source.choice(np.array([settling, unsettling or 3, 2, 9.5, -1, 1e308]), 40))


def test_a_claim_that_asks_what_no_interval_tells_is_judged_on_every_row() -> None:
    claims = "count: 'calm < 9', sure: 'x >= q - q', late: 'since(move) < 30s'"
    spec = loads(HEAD + PASSING % claims, "attack.yaml")
    x = np.where(np.arange(300) % 100 < 50, 10.0, 1.0)
    native = agree(spec, rows(spec, np.arange(300) * SECOND, x, np.zeros(300)))
    assert (native.broken[0] > 0).tolist() == [True, False, True]


NESTED = """
events: {tick: {x: {}}}
state: {n: {type: int, range: [0, 900], initial: 0}, m: {type: int, range: [0, 900], initial: 0}, o: {initial: 0}}
machine:
  initial: top
  fail_safe: z
  states:
    z: {on: {tick: {to: top}}}
    top:
      parallel: true
      on: {tick: {if: tick.x == 9, to: z}}
      states:
        p:
          initial: p1
          states:
            p1:
              parallel: true
              states:
                q:
                  initial: q1
                  states:
                    q1: {on: {tick: {if: tick.x > 0, to: q2, do: [{set: {n: "min(m * 2 + 1, 900)"}}]}}}
                    q2: {exit: [{set: {n: "900 if o > n else n"}}], on: {tick: {to: q1}}}
                r:
                  initial: r1
                  states:
                    r1: {on: {tick: {if: tick.x > 1 and In(q2), to: r2, do: [{set: {o: n / 2}}]}}}
                    r2: {on: {tick: {if: not In(q1), to: r1}}}
              on: {tick: {if: tick.x == 5, to: p2}}
            p2: {on: {tick: {to: p1}}}
        s:
          initial: s1
          states:
            s1: {on: {tick: {if: tick.x != 3, to: s2, do: [{set: {m: "min(n + 1, 900) if o < 9 else 3"}}]}}}
            s2: {entry: [{set: {m: "min(m + 3, 900) if In(r2) else max(m - 1, 0)"}}], on: {tick: {to: s1}}}
invariants: {a: "implies(was(q1), In(q2) or m <= before.m)", b: "n + o < 500", c: "implies(In(p2), not was(p2))"}
"""


def test_regions_within_regions_are_the_same() -> None:
    spec = loads(HEAD + NESTED, "attack.yaml")
    moves = np.random.Generator(np.random.PCG64(5)).choice(np.array([0.0, 1, 2, 3, 5, 9, 2, 1, 2]), 300)
    agree(spec, rows(spec, np.arange(300), moves))


@pytest.mark.parametrize("final", [True, False])
def test_a_spec_of_next_to_nothing_runs(final: bool) -> None:
    body = "{final: true}" if final else "{on: {tick: {to: a}}}"
    spec = loads(HEAD + f"events: {{tick: {{}}}}\nmachine: {{initial: a, states: {{a: {body}}}}}\n", "attack.yaml")
    agree(spec, rows(spec, [0, 1, DAY]))


# --------------------------------------------------------------------------------------------- arrays, threads, the cache


def band() -> tuple[Spec, EventPath, NativeRunner]:
    spec = load(SPECS / "band_limited_hedge.yaml")
    prices = 1000 * np.exp(np.cumsum(np.random.Generator(np.random.PCG64(6)).normal(0, 0.01, 400)))
    prices[::50] = np.nan
    path = rows(spec, np.arange(400) * 3600 * SECOND, prices)
    runner = native_runner(spec, "same", "tick", 1)
    assert isinstance(runner, NativeRunner)
    return spec, path, runner


def test_threads_that_hand_rows_over_come_to_the_same() -> None:
    spec, path, _ = band()
    native = agree(spec, path, [{"k": 6 + index / 10} for index in range(30)], capital=1e6, workers=6)
    assert (native.handed >= 8).all()


def test_arrays_that_native_code_would_read_beyond_are_refused() -> None:
    spec, path, runner = band()
    prices, shape = path.fields[0], shape_of(spec.program("same"), len(path.stops))
    wrong = {
        "field 0 of a path must be": replace(path, fields=(prices.astype(np.float32),)),
        "field 0 of a path": replace(path, fields=(np.repeat(prices, 2)[::2],)),
        "400 times, and 5 values": replace(path, fields=(prices[:5].copy(),)),
        "has 0 fields, and `tick` has 1": replace(path, fields=()),
        "times of a path": replace(path, times=path.times.astype(np.int32)),
        "the last of them": replace(path, stops=path.stops[:-1]),
        "the stops of a path": replace(path, stops=path.stops + 1),
        "must ascend": replace(path, stops=path.stops[::-1].copy()),
        "stops of a path must": replace(path, stops=path.stops[:0]),
        "of `manual_exit`": replace(path, event="manual_exit"),
        "one day for each stop": path,
    }
    for text, each in wrong.items():
        days = shape.days if each is not path else shape.days - 1
        into = Results.empty(replace(shape, days=days if each is path else len(each.stops)), 1)
        with pytest.raises(ValueError, match=text):
            runner.run([spec.bind({}).parameters], np.full(1, 1e6), each, into)
        assert not into.done.any()


def test_a_path_without_rows_is_no_row_too_few() -> None:
    spec, path, runner = band()
    empty = path.head(0)
    into = Results.empty(shape_of(spec.program("same"), len(empty.stops)), 1)
    assert runner.run([spec.bind({}).parameters], np.full(1, 1e6), empty, into) == 1
    assert into.accepted[0] == 0


def test_object_code_made_by_many_at_once_is_kept_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEDGEROW_CACHE", str(tmp_path))
    text = kernel_text(load(SPECS / "drawdown_breaker.yaml").program("same"), "mark", Options())
    (tmp_path / "text").write_text(text)
    code = "import pathlib, sys\nfrom hedgerow.engine.backends.native.object_code import machine_code\n"
    code += f"machine_code(pathlib.Path({str(tmp_path / 'text')!r}).read_text)"
    others = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(2)]
    made: list[bool] = []
    threads = [Thread(target=lambda: made.append(machine_code(lambda: text).address("run") > 0)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [other.wait(60) for other in others] == [0, 0]
    assert made == [True] * 4
    assert machine_code(lambda: text).cached
    assert len(list((cache_folder() / "native").iterdir())) == 1


def test_what_stands_in_the_way_of_kept_code_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEDGEROW_CACHE", str(tmp_path))
    text = kernel_text(load(SPECS / "drawdown_breaker.yaml").program("same"), "mark", Options())
    machine_code(lambda: text)
    (kept,) = (cache_folder() / "native").iterdir()
    kept.unlink()
    kept.mkdir()
    assert not machine_code(lambda: text).cached
    assert list(kept.parent.iterdir()) == [kept]
    assert not list(kept.iterdir())


def test_a_guard_that_no_interval_tells_may_stand_behind_one_that_needs_a_quotient() -> None:
    body = """
events: {tick: {x: {range: [-5, 5]}, k: {type: int, range: [0, 9]}}}
machine:
  initial: a
  states:
    a: {on: {tick: [{if: 1 / tick.x + 1 / (tick.x + 1) > 3, to: b}, {if: tick.k == 8, to: b}]}}
    b: {on: {tick: {if: tick.x > 4, to: a}}}
"""
    spec = loads(HEAD + body, "attack.yaml")
    source = np.random.Generator(np.random.PCG64(3))
    agree(spec, rows(spec, np.arange(200), source.uniform(-5, 5, 200), source.integers(0, 10, 200).astype(float)))
