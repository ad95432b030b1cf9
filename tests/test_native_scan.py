"""What native code leaves out changes nothing: with a scan and without it, and on the live backend, results are the same."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import hedgerow
from hedgerow.engine.backends.native.kernel import Options, kernel_text
from hedgerow.engine.backends.native.machine import Kernel, Rows
from hedgerow.engine.backends.native.object_code import assembly
from hedgerow.engine.backends.native.ranges import ROWS, ranges_of
from hedgerow.engine.load import Spec, loads
from hedgerow.engine.sweep.live import LiveRunner
from hedgerow.engine.sweep.native_runner import NativeRunner, native_runner
from hedgerow.engine.sweep.path import EventPath
from hedgerow.engine.sweep.results import Results, shape_of
from hedgerow.models.performance import DAY_NS

pytest.importorskip("llvmlite", reason="the native backend is in the extra `sweep`")

ROOT = Path(__file__).parent.parent
SECOND = 10**9
NAN = float("nan")


@pytest.fixture(autouse=True, scope="module")
def _kept_nowhere(tmp_path_factory: pytest.TempPathFactory) -> Iterable[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HEDGEROW_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


def band() -> Spec:
    return hedgerow.load(ROOT / "benchmarks" / "no_trade_band.yaml")


def path_of(times: npt.NDArray[np.int64], *fields: Sequence[float], stops: Sequence[int] = ()) -> EventPath:
    """Return rows as a path; without `stops`, days end where they do."""
    day = np.maximum.accumulate(times) // DAY_NS
    ends = np.array(stops or [*(np.flatnonzero(np.diff(day)) + 1), len(times)], np.int64)
    columns = tuple(np.array(field, np.float64) for field in fields)
    return EventPath(
        "tick", times, columns, ("real",) * len(columns), ends, np.arange(len(ends)) * DAY_NS, "made", False
    )


def seconds(count: int, every: int = 1) -> npt.NDArray[np.int64]:
    return np.arange(count, dtype=np.int64) * every * SECOND


def found(
    runner: Any, spec: Spec, fill: Any, path: EventPath, sets: Sequence[dict[str, Any]], capital: float
) -> Results:
    into = Results.empty(shape_of(spec.program(fill), len(path.stops)), len(sets))
    parameters = [spec.bind(values, fill=fill).parameters for values in sets]
    assert runner.run(parameters, np.full(len(sets), capital), path, into) == len(sets)
    return into


def bits(results: Results, *but: str) -> dict[str, bytes]:
    """Return results so that equal means equal to the bit; a NaN is a NaN."""
    kept = {name: values for name, values in vars(results).items() if name not in but}
    return {
        name: (np.where(np.isnan(values), np.nan, values) if values.dtype == np.float64 else values).tobytes()
        for name, values in kept.items()
    }


def agree(
    spec: Spec, path: EventPath, sets: Sequence[dict[str, Any]] = ({},), *, fill: Any = "same", capital: float = 1e6
) -> Results:
    """Hold a run with a scan to one without it, in all it tells, and to the live backend; return its results."""
    native = native_runner(spec, fill, path.event, 1)
    assert isinstance(native, NativeRunner)
    assert native.kernel.scans
    assert native.rows(path, sets=2).ranges is not None
    scanned = found(native, spec, fill, path, sets, capital)
    without = NativeRunner(spec, native.kernel, fill, 1)
    without.kernel.scans = False
    assert bits(scanned) == bits(found(without, spec, fill, path, sets, capital))
    assert bits(scanned, "handed") == bits(
        found(LiveRunner(spec, fill, "tick"), spec, fill, path, sets, capital), "handed"
    )
    return scanned


# ------------------------------------------------------------------------------------------------------------- positions


@pytest.mark.parametrize("fill", ["same", "next"])
def test_a_trade_at_any_place_is_found(fill: Any) -> None:
    spec = band()
    for place in range(2, 3 * ROWS + 2):
        prices = np.full(4 * ROWS + 5, 1000.0)
        prices[place:] = 1005.0
        assert agree(spec, path_of(seconds(len(prices)), prices), fill=fill).orders[0] == 1


def test_a_trade_of_one_row_at_any_place_is_found() -> None:
    for place in range(2, 3 * ROWS + 2):
        prices = np.full(4 * ROWS, 1000.0)
        prices[place] = 990.0
        assert agree(band(), path_of(seconds(len(prices)), prices)).orders[0] == 2


def test_a_path_of_any_length_is_run_to_its_end() -> None:
    for count in range(1, 3 * ROWS + 2):
        prices = np.full(count, 1000.0)
        prices[-1] = 1020.0
        assert agree(band(), path_of(seconds(count), prices)).accepted[0] == count


@pytest.mark.parametrize("bad", [NAN, -1.0, float("inf"), 0.0])
def test_a_bad_row_at_any_place_is_refused(bad: float) -> None:
    for place in range(3 * ROWS + 2):
        prices = np.full(4 * ROWS, 1000.0)
        prices[place] = bad
        assert agree(band(), path_of(seconds(len(prices)), prices)).refused[0] == 1


def test_a_time_that_goes_back_at_any_place_is_refused() -> None:
    for place in range(1, 3 * ROWS + 2):
        times = seconds(4 * ROWS) + 1000 * SECOND
        times[place] = 5
        assert agree(band(), path_of(times, np.full(len(times), 1000.0))).refused[0] == 1


def test_rows_before_a_time_that_was_ahead_are_refused_to_the_last_one() -> None:
    for place in range(1, 2 * ROWS + 2):
        times = seconds(5 * ROWS)
        times[place] += 2 * ROWS * SECOND
        prices = np.full(len(times), 1000.0)
        prices[place + 1 :] = 1001.0
        assert agree(band(), path_of(times, prices)).refused[0] == 2 * ROWS - 1


def test_a_day_may_end_at_any_place() -> None:
    source = np.random.Generator(np.random.PCG64(3))
    prices = 1000 * np.exp(np.cumsum(source.normal(0, 5e-4, 6 * ROWS)))
    for place in range(1, 3 * ROWS + 2):
        path = path_of(seconds(len(prices)), prices, stops=[place, place, place + ROWS, len(prices)])
        agree(band(), path, [{}, {"band": 0.0005}])


@pytest.mark.parametrize("fill", ["same", "next"])
def test_prices_at_the_edge_of_a_band_to_the_last_bit_are_told_apart(fill: Any) -> None:
    spec, edge = band(), 1000 + 0.004 * 1000.0
    for price in (np.nextafter(edge, 0), edge, np.nextafter(edge, 2000)):
        prices = np.full(4 * ROWS, 1000.0)
        prices[2 * ROWS + 3] = price
        agree(spec, path_of(seconds(len(prices)), prices), fill=fill)


# ------------------------------------------------------------------------------------------------------- random machines

NUMBERS = ("tick.x", "tick.y", "tick.x", "a", "b", "u", "high", "last", "1", "0.5", "100", "moved", "span", "mean")
STATES = ("p", "q", "r")


def number(source: Random, depth: int) -> str:
    if depth == 0 or source.random() < 0.2:
        return source.choice(NUMBERS[:-1])
    one, other = number(source, depth - 1), number(source, depth - 1)
    return source.choice(
        (
            f"({one} + {other})", f"({one} - {other})", f"({one} - {other})", f"({one} * {other})", f"({one} / {other})",
            f"min({one}, {other})", f"max({one}, {other})", f"abs({one})", f"sqrt(abs({one}))", f"-({one})", f"({one}) ** 2",
            f"sqrt({one})", f"clip({one}, 90, {other})", f"({one} if {condition(source, depth - 1)} else {other})",
        )
    )  # fmt: skip


def condition(source: Random, depth: int) -> str:
    if depth == 0 or source.random() < 0.1:
        return source.choice(
            ("tick.x > 104", "tick.x - u >= a", "u - tick.x >= a", "since(go) > 40s", "In(q)", "n > 2")
        )
    one, other = condition(source, depth - 1), condition(source, depth - 1)
    compared = f"{number(source, depth)} {source.choice(('<', '<=', '>', '>=', '==', '!='))} {number(source, depth)}"
    return source.choice((compared, compared, f"({one} and {other})", f"({one} or {other})", f"not ({one})"))


def rule(source: Random) -> str:
    guard, target, action = condition(source, 2), source.choice(STATES), source.choice(("move", "trade"))
    return f"          - {{if: '{guard}', to: {target}, do: {action}}}"


def machine(seed: int) -> str:
    """Return a spec with random guards, of which a row reads what it is given, peaks, the row before and the time."""
    source = Random(seed)
    rules = {state: "\n".join(rule(source) for _ in range(source.randint(0, 2))) for state in STATES}
    on = {
        state: f"      on:\n        tick:\n{text}\n          - {{name: {'go' if state == 'p' else 'go_' + state}, "
        f"if: '{'tick.x - u >= a'}', to: {source.choice(STATES)}, do: move}}"
        for state, text in rules.items()
    }
    timer = source.choice(("", "      after: {70s: {to: p, do: move}}\n", "      every: {45s: {do: move}}\n"))
    return f"""\
hedgerow: 1
name: random
units: [USD, IDX]
capital: {{USD: 1000}}
events: {{tick: {{x: {{range: [0.01, 1e6]}}, y: {{}}}}}}
params: {{a: {{default: 4, range: [0.1, 50]}}, b: {{default: 1}}}}
instruments: {{index: {{unit: IDX, price: tick.x, fee: 0.001{source.choice(("", ", borrow: 0.01"))}}}}}
legs: {{both: {{instrument: index, side: both}}}}
state: {{u: {{initial: 100}}, n: {{type: int, range: [0, 1000], initial: 0}}}}
observe:
  tick:
    high: 'peak(tick.x)'
    last: 'tick.y * {source.choice(("1", "a", "-0.5"))}'
    moved: 'tick.x / previous(tick.x) - 1'
    span: '{source.choice(("elapsed(tick) / 1s", "abs(tick.y)", "u"))}'
machine:
  initial: p
  fail_safe: r
  states:
    p:
{on["p"]}
    q:
{timer}{on["q"]}
    r:
{on["r"]}
actions:
  move: [{{set: {{u: index.price, n: 'min(n + 1, 1000)'}}}}]
  trade: [{{target: {{both: '{source.choice(("1", "-1", "both.quantity + 0.5"))}'}}}}, {{set: {{u: index.price}}}}]
invariants:
  near: 'abs(index.price - u) <= 3 * a'
  few: 'n <= 20'
"""


def rows_of(seed: int, count: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return times, a slow walk that jumps now and then, and another that stands still; some values and times are bad."""
    source = np.random.Generator(np.random.PCG64(seed))
    times = np.cumsum(source.choice(np.array([0, 1, 1, 1, 2, 30]), count)) * SECOND
    jumps = source.normal(0, 6, count) * (source.random(count) < 0.02)
    x = np.maximum(100 + np.cumsum(source.normal(0, 0.05, count) + jumps), 1)
    y = np.repeat(source.normal(0, 2, count // 50 + 1), 50)[:count]
    bad = source.choice(count, 4, replace=False)
    x[bad[0]], y[bad[1]], x[bad[2]] = NAN, np.inf, -3.0
    times[bad[3]] -= 100 * SECOND
    return times.astype(np.int64), x, y


@pytest.mark.parametrize("seed", range(24))
def test_random_machines_come_to_the_same_results(seed: int) -> None:
    spec = loads(machine(seed), "random.yaml", permit=("HR302",))
    path = path_of(*rows_of(seed, 700))
    agree(spec, path, [{}, {"a": 20, "b": -3}], fill="next" if seed % 3 == 0 else "same", capital=1000.0)


@pytest.mark.parametrize("workers", [1, 3])
def test_sets_that_share_the_ranges_of_a_path_come_to_what_each_comes_to_alone(workers: int) -> None:
    spec = band()
    source = np.random.Generator(np.random.PCG64(4))
    path = path_of(seconds(3000, 60), 1000 * np.exp(np.cumsum(source.normal(0, 5e-4, 3000))))
    sets = [{"band": 0.001 * (1 + index)} for index in range(12)]
    native = native_runner(spec, "same", "tick", workers)
    assert isinstance(native, NativeRunner)
    together = found(native, spec, "same", path, sets, 1e6)
    assert native.rows(path).ranges is not None
    for index, values in enumerate(sets):
        alone = NativeRunner(spec, native.kernel, "same", 1)
        assert bits(together.part(slice(index, index + 1))) == bits(found(alone, spec, "same", path, [values], 1e6))
        assert alone.rows(path).ranges is None
    assert len(set(together.orders.tolist())) > 8


# ---------------------------------------------------------------------------------------------------------- what happens

JUMPS = """
hedgerow: 1
name: jumps
units: []
events: {tick: {price: {range: [1, 1e6]}}}
observe: {tick: {change: 'tick.price / previous(tick.price) - 1', gap: 'elapsed(tick)', high: 'peak(tick.price)'}}
machine:
  initial: a
  states:
    a:
      on:
        tick:
          - {name: jump, if: change >= 0.01 or change <= -0.01}
          - {name: late, if: gap > 60s}
          - {name: fell, if: tick.price < 0.95 * high}
          - {name: higher, if: change > 0 and tick.price >= high}
"""
PLACES = range(2, 3 * ROWS - 2)


def fired(spec: Spec, results: Results) -> dict[str, int]:
    rules = [rule.name for rule in spec.program("same").rules]
    return dict(zip(rules, results.fired[0].tolist(), strict=True))


def test_a_move_from_one_row_to_the_next_is_found_and_a_slow_one_is_none() -> None:
    spec = loads(JUMPS, "jumps.yaml")
    for place in PLACES:
        prices = 1000 * 0.9995 ** np.arange(4 * ROWS)
        prices[place:] *= 0.985
        assert fired(spec, agree(spec, path_of(seconds(len(prices)), prices), capital=0.0))["jump"] == 1


def test_a_move_that_a_refused_row_hides_is_found() -> None:
    spec = loads(JUMPS, "jumps.yaml")
    for place in PLACES:
        prices, times = np.full(4 * ROWS, 1000.0), seconds(4 * ROWS) + SECOND
        prices[place:], times[place] = 980.0, 0
        assert fired(spec, agree(spec, path_of(times, prices), capital=0.0))["jump"] == 1


def test_a_gap_in_time_is_found_and_a_long_path_is_none() -> None:
    spec = loads(JUMPS, "jumps.yaml")
    for place in PLACES:
        times = seconds(4 * ROWS, 50)
        times[place:] += 11 * SECOND
        assert fired(spec, agree(spec, path_of(times, np.full(len(times), 1000.0)), capital=0.0))["late"] == 1


def test_a_new_peak_and_the_fall_below_it_are_found() -> None:
    spec = loads(JUMPS, "jumps.yaml")
    for place in PLACES:
        prices = np.full(4 * ROWS, 1000.0)
        prices[place], prices[place + 5] = 1009.0, 955.0
        results = fired(spec, agree(spec, path_of(seconds(len(prices)), prices), capital=0.0))
        assert results == {"jump": 2, "late": 0, "fell": 0, "higher": 1}


def test_a_timer_between_any_two_rows_is_found() -> None:
    spec = loads(
        """
hedgerow: 1
name: timed
units: []
events: {tick: {price: {}}}
params: {wait: {default: 5s, unit: s, range: [0.5s, 1d]}}
state: {u: {initial: 0}}
machine:
  initial: a
  states:
    a: {after: {wait: {name: tire, to: b}}, on: {tick: {name: big, if: tick.price > 5, to: a}}}
    b: {on: {tick: {name: wake, if: tick.price - u > 0.5, to: a, do: {set: {u: tick.price}}}}}
""",
        "timed.yaml",
    )
    prices = np.repeat(np.arange(8.0), 2 * ROWS)
    sets = [{"wait": f"{half / 2}s"} for half in range(1, 4 * ROWS)]
    results = agree(spec, path_of(seconds(len(prices)), prices), sets, capital=0.0)
    tire = [rule.name for rule in spec.program("same").rules].index("tire")
    assert (results.fired[:, tire] > 0).all()
    assert len(set(results.nanoseconds[:, 0].tolist())) > ROWS


def test_an_invariant_that_one_row_breaks_is_counted() -> None:
    text = (ROOT / "benchmarks" / "no_trade_band.yaml").read_text("utf-8")
    claims = "invariants:\n  below: index.price <= 1001 USD / 1 IDX\n  few: position.quantity < 0.5 IDX\n"
    spec = loads(text + claims, "claims.yaml")
    for place in PLACES:
        prices = np.full(5 * ROWS, 1000.0)
        prices[place], prices[place + 2 * ROWS :] = 1002.0, 990.0
        results = agree(spec, path_of(seconds(len(prices)), prices))
        assert results.broken[0].tolist() == [1, len(prices) - place - 2 * ROWS]


def test_a_peak_and_the_deepest_fall_in_any_row_are_followed() -> None:
    text = (ROOT / "benchmarks" / "no_trade_band.yaml").read_text("utf-8")
    spec = loads(text.replace("side: both}", "side: both, quantity: 900 IDX}"), "held.yaml")
    source = np.random.Generator(np.random.PCG64(2))
    for place in PLACES:
        prices = 1000 + source.normal(0, 0.001, 5 * ROWS)
        prices[place], prices[place + ROWS + 1] = 1003.0, 998.0
        results = agree(spec, path_of(seconds(len(prices)), prices))
        assert results.orders[0] == 0
        assert results.drawdown_amount[0] == pytest.approx(900 * 5.0)


def test_a_peak_among_few_rows_between_two_trades_is_no_fall_before_it() -> None:
    text = (ROOT / "benchmarks" / "no_trade_band.yaml").read_text("utf-8")
    spec = loads(text.replace("side: both}", "side: both, quantity: 900 IDX}"), "held.yaml")
    prices = 1000 * 1.001 ** np.arange(6 * ROWS)
    sets = [{"band": band, "fee": fee} for band in (0.0015, 0.0025, 0.0035, 0.0045, 0.0055) for fee in (0, 0.0005)]
    results = agree(spec, path_of(seconds(len(prices)), prices), sets)
    assert (results.drawdown[::2] == 0).all()
    assert (results.orders > 10).all()


# ------------------------------------------------------------------------------------------------------------ arithmetic

GUARDS = [
    # what it asks, what most rows hold, and what one row holds
    ("tick.y * -2 <= -6", (-1.0, 1.0), 3.5),
    ("tick.y * tick.z <= -12 or tick.y * tick.z >= 13", (-2.0, 3.0), -7.0),
    ("tick.y ** 2 < 0.1", (-1.0, 1.0), 0.2),
    ("abs(tick.y) < 0.1", (-1.0, 1.0), -0.05),
    ("-(tick.y) > 3", (-2.0, 1.0), -3.5),
    ("1 / tick.y > 50", (-1.0, 1.0), 0.01),
    ("1 / tick.y < -50", (-1.0, 1.0), 0.0),
    ("max(1, sqrt(tick.y)) > 50", (0.0, 4.0), -1.0),
    ("sqrt(tick.y) >= 3", (0.0, 4.0), 9.0),
    ("not (clip(tick.y * 10 - tick.y * 10, 0, 5) <= 5)", (-1.0, 1.0), 1e308),
    ("(tick.y if tick.y > 2 else 1) >= 3", (-1.0, 1.0), 3.0),
    ("tick.y > 2 and tick.z < 2", (-1.0, 1.0), 3.0),
    ("tick.y > 2 or tick.z > 2", (-1.0, 1.0), 3.0),
    ("not (tick.y < 2)", (-1.0, 1.0), 2.0),
    ("not (tick.y < 2)", (5.0, 6.0), 1.0),
    ("tick.y == 2", (-1.0, 1.0), 2.0),
    ("tick.y != 1", (1.0, 1.0), 1.0000000000000002),
    ("tick.y + tick.z > 4", (-1.0, 1.0), 5.5),
    ("tick.y - tick.z >= 3", (-1.0, 1.0), 4.5),
    ("min(tick.y, tick.z) <= -3", (-1.0, 1.0), -3.0),
    ("clipped >= 7", (-1.0, 1.0), 7.25),
    ("clipped < -8", (-1.0, 1.0), 8.0),
]


GUARDED = """
hedgerow: 1
name: guard
units: []
events: {tick: {y: {%s}, z: {}}}
state: {n: {type: int, range: [0, 1000], initial: 0}, clipped: {initial: 0, range: [-9, 7.5]}}
observe: {tick: {kept: tick.y%s}}
machine:
  initial: a
  fail_safe: z
  states:
    a: {on: {tick: {name: go, if: '%s', do: {set: {n: n + 1}}}}}
    z: {}
"""


@pytest.mark.parametrize(("guard", "most", "one"), GUARDS)
def test_what_one_row_of_a_block_comes_to_is_found(guard: str, most: tuple[float, float], one: float) -> None:
    bounds = "range: [-100, 100]" if abs(one) < 100 else ""
    spec = loads(GUARDED % (bounds, ", clipped: tick.y" if "clipped" in guard else "", guard), "guard.yaml")
    z = np.tile(np.array(most), 3 * ROWS)
    rest = agree(spec, path_of(seconds(len(z)), z, z), capital=0.0)
    for place in (5, ROWS, 2 * ROWS - 1, 2 * ROWS + 7):
        y = z.copy()
        y[place] = one
        results = agree(spec, path_of(seconds(len(y)), y, z), capital=0.0)
        assert results.fired[0, 0] != rest.fired[0, 0] or results.handed[0] > rest.handed[0]


# --------------------------------------------------------------------------------------------------------------- ranges


def test_the_results_depend_on_the_ranges_so_that_they_are_used() -> None:
    spec = band()
    kernel = Kernel(spec.program("same"), "tick", Options())
    prices = np.full(6 * ROWS, 1000.0)
    prices[3 * ROWS + 3] = 1010.0
    path = path_of(seconds(len(prices)), prices)
    true = kernel.ranges(path.times, path.fields)
    assert true is not None
    false = true.copy()
    false.view(np.float64)[3, 2] = 1000.0
    orders = []
    for ranges in (true, false, None):
        memory = kernel.memory(1e6)
        rows = Rows(path.times, [prices.ctypes.data], path.stops, ranges)
        days = np.empty((2, 1))
        parameters = kernel.parameters(spec.bind({}).parameters)
        done = kernel.run_over(rows, memory, parameters, 0, days[0].ctypes.data, days[1].ctypes.data)
        assert done == len(path)
        orders.append(memory.get("orders"))
    assert orders == [2, 0, 2]


@pytest.mark.parametrize("count", [1, ROWS - 1, ROWS, ROWS + 1, 10 * ROWS + 3])
def test_ranges_are_those_of_the_rows_of_each_block(count: int) -> None:
    spec = loads(machine(0), "random.yaml", permit=("HR302",))
    event = spec.program("same").event("tick")
    source = np.random.Generator(np.random.PCG64(count))
    x, y = source.normal(10, 4, count), source.normal(0, 1, count)
    times = np.cumsum(source.integers(-1, 30, count))
    made = ranges_of(event, times, [x, y])
    bad = path_of(times, x, y).refused(event)
    for block in range(-(-count // ROWS)):
        rows = slice(block * ROWS, (block + 1) * ROWS)
        back = (np.diff(times[max(0, rows.start - 1) : rows.stop]) < 0).any()
        if back or ((x[rows] < 0.01) | (x[rows] > 1e6)).any():
            assert made[block, 0] == 2**63 - 1
        else:
            assert made[block, 0] == times[rows][-1]
        assert bad[rows].any() <= (made[:, 0] == 2**63 - 1)[: block + 1].any()
        ends = made.view(np.float64)[block, 1:].tolist()
        assert ends == [x[rows].min(), x[rows].max(), y[rows].min(), y[rows].max()]


def leaves_rows_out(text: str) -> bool:
    """Return whether a kernel has a scan; it must say the same of itself."""
    has, says = "\nscan:\n" in text, re.findall(r"^define i1 @scans\(\) { ret i1 (\w+) }$", text, re.MULTILINE)
    assert says == ["true" if has else "false"]
    return has


KINDS = """
hedgerow: 1
name: kinds
units: []
events: {tick: {n: {type: int, range: [0, 9]}, on: {type: bool}, x: {}}}
machine:
  initial: a
  states:
    a: {on: {tick: {name: go, if: tick.x > 5, to: b}}}
    b: {on: {tick: [{name: back, if: tick.n > 8 and tick.on, to: a}, {name: never, if: tick.x > 9, to: a}]}}
"""


def test_a_state_that_asks_for_whole_numbers_runs_every_row_and_the_others_do_not() -> None:
    spec = loads(KINDS, "kinds.yaml")
    assert leaves_rows_out(kernel_text(spec.program("same"), "tick", Options()))
    source = np.random.Generator(np.random.PCG64(8))
    count = 40 * ROWS
    fields = [source.integers(0, 10, count), source.random(count) < 0.5, source.normal(0, 1, count)]
    fields[2][::50] = 6.0
    path = path_of(seconds(count), *fields)
    path = replace(path, kinds=("int", "bool", "real"))
    assert fired(spec, agree(spec, path, capital=0.0))["back"] > 3


def test_whole_numbers_and_flags_are_checked_too() -> None:
    spec = loads(KINDS, "kinds.yaml")
    event = spec.program("same").event("tick")
    good = np.zeros((3, 4 * ROWS))
    for field, value in ((0, 0.5), (0, 10.0), (0, -1.0), (1, 0.5), (1, 2.0), (1, NAN), (2, np.inf), (2, NAN)):
        fields = [each.copy() for each in good]
        fields[field][2 * ROWS + 1] = value
        made = ranges_of(event, seconds(4 * ROWS), fields)
        assert (made[:, 0] == 2**63 - 1).tolist() == [False, False, True, False]


# ----------------------------------------------------------------------------------------------------------- machine code


@pytest.mark.parametrize("fill", ["same", "next"])
def test_no_operation_of_a_scan_is_fused_or_reordered(fill: Any) -> None:
    text = kernel_text(band().program(fill), "tick", Options())
    assert leaves_rows_out(text)
    assert not re.search(r"\b(fast|reassoc|contract|arcp|afn|nnan|ninf|nsz|fma|fmuladd|nsw|nuw)\b", text)
    assert not re.search(r"\bv?f(n?m(add|sub)|ml[as])", assembly(text))


def test_a_mean_of_all_rows_leaves_none_out() -> None:
    spec = hedgerow.load(ROOT / "specs" / "band_limited_hedge.yaml")
    assert not leaves_rows_out(kernel_text(spec.program("same"), "tick", Options()))


def test_a_trace_leaves_no_row_out() -> None:
    assert not leaves_rows_out(kernel_text(band().program("same"), "tick", Options(trace=True)))
