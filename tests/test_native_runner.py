"""Sets run in native code come to the same results as on the live backend, to the last bit."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from generated import Sketch, sketches
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from random_charts import case

import hedgerow
from hedgerow.engine.load import Spec, loads
from hedgerow.engine.sweep.live import LiveRunner
from hedgerow.engine.sweep.native_runner import NativeRunner, native_runner
from hedgerow.engine.sweep.path import EventPath
from hedgerow.engine.sweep.results import Results, shape_of
from hedgerow.models.performance import DAY_NS

pytest.importorskip("llvmlite", reason="the native backend is in the extra `sweep`")

SPECS = Path(__file__).parent.parent / "specs"
SECOND = 10**9


def path_of(event: str, times: npt.NDArray[np.int64], values: npt.NDArray[np.float64]) -> EventPath:
    """Return rows as a path; those whose time goes back count to the day of the rows before."""
    day = np.maximum.accumulate(times) // DAY_NS
    stops = np.append(np.flatnonzero(np.diff(day)) + 1, len(times)).astype(np.int64)
    return EventPath(event, times, (values,), ("real",), stops, np.unique(day) * DAY_NS, "made", False)


def both(
    spec: Spec, fill: Any, path: EventPath, sets: list[dict[str, Any]], capital: float, workers: int = 1
) -> tuple[Results, Results]:
    program = spec.program(fill)
    shape = shape_of(program, len(path.stops))
    capitals = np.full(len(sets), capital)
    parameters = [spec.bind(values, fill=fill).parameters for values in sets]
    native = native_runner(spec, fill, path.event, workers)
    assert isinstance(native, NativeRunner), native
    found = Results.empty(shape, len(sets)), Results.empty(shape, len(sets))
    for runner, into in zip((native, LiveRunner(spec, fill, path.event)), found, strict=True):
        assert runner.run(parameters, capitals, path, into) == len(sets)
    return found


def equal(native: Results, live: Results) -> None:
    """Hold all that is counted and measured equal, to the last bit; only how many rows were handed over is native's own."""
    for each in fields(Results):
        if each.name != "handed":
            one, other = getattr(native, each.name), getattr(live, each.name)
            assert one.dtype == other.dtype
            assert one.tobytes() == other.tobytes() or np.array_equal(one, other, equal_nan=True), each.name
            if one.dtype == np.float64:
                assert np.array_equal(np.signbit(one[~np.isnan(one)]), np.signbit(other[~np.isnan(other)])), each.name


def prices(seed: int, count: int, volatility: float, start: float = 1000.0) -> npt.NDArray[np.float64]:
    source = np.random.Generator(np.random.PCG64(seed))
    found: npt.NDArray[np.float64] = start * np.exp(np.cumsum(source.normal(0, volatility, count)))
    return found


SHIPPED = {
    "band_limited_hedge.yaml": [{}, {"k": 6}, {"k": 10, "tau_max": "30d", "gamma1": 1}, {"net_max": 100}, {"beta": 0}],
    "band_limited_hedge.as_written.yaml": [{}],
    "drawdown_desk.yaml": [{}, {"max_drawdown": 0.01}],
    "drawdown_breaker.yaml": [{}],
}


@pytest.mark.parametrize("fill", ["same", "next"])
@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_specs_come_to_the_same_results(name: str, fill: Any) -> None:
    spec = hedgerow.load(SPECS / name, permit=("HR302",) if "as_written" in name else ())
    event = next(each for each in spec.program(fill).events if each.fields).name
    times = np.arange(3000, dtype=np.int64) * 3600 * SECOND
    values = prices(5, 3000, 0.01)
    values[[700, 701, 2400]] = np.nan, -1.0, np.inf
    times[1500] -= 10 * 3600 * SECOND
    native, live = both(spec, fill, path_of(event, times, values), SHIPPED[name], 1e6)
    equal(native, live)
    assert (native.handed <= 20).all()
    assert native.done.all()


def test_threads_come_to_the_same_results() -> None:
    spec = hedgerow.load(SPECS / "band_limited_hedge.yaml")
    path = path_of("tick", np.arange(2000, dtype=np.int64) * 3600 * SECOND, prices(6, 2000, 0.01))
    sets = [{"k": 6 + index / 10} for index in range(40)]
    native, live = both(spec, "same", path, sets, 1e6, workers=4)
    equal(native, live)
    assert len(set(native.orders.tolist())) > 20


def test_a_run_that_is_interrupted_leaves_the_other_sets_undone() -> None:
    spec = hedgerow.load(SPECS / "band_limited_hedge.yaml")
    path = path_of("tick", np.arange(100, dtype=np.int64) * SECOND, prices(6, 100, 0.01))
    runner = native_runner(spec, "same", "tick", 1)
    assert isinstance(runner, NativeRunner)
    into = Results.empty(shape_of(spec.program("same"), len(path.stops)), 5)
    asked = iter([False, False, True, True, True])
    parameters = [spec.bind({}).parameters] * 5
    assert runner.run(parameters, np.full(5, 1e6), path, into, 0, lambda: next(asked)) == 2
    assert into.done.tolist() == [True, True, False, False, False]
    assert np.isnan(into.equity[2:]).all()


def test_days_that_end_with_what_is_handed_over_are_kept() -> None:
    # The first row of the second day is refused, the last one of the first too; the third day has no row that is taken.
    spec = hedgerow.load(SPECS / "band_limited_hedge.yaml")
    times = np.array([0, 1, 2, 24, 25, 48, 49, 72], dtype=np.int64) * 3600 * SECOND
    values = np.array([1000.0, 1010.0, np.nan, np.nan, 1015.0, np.nan, np.nan, 1020.0])
    native, live = both(spec, "next", path_of("tick", times, values), [{}], 1e6)
    equal(native, live)
    assert np.isnan(native.days[0]).tolist() == [False, False, True, False]
    assert native.refused[0] == native.handed[0] == 4


@settings(max_examples=25, phases=(Phase.explicit, Phase.generate), suppress_health_check=list(HealthCheck))
@given(sketch=sketches(), data=st.data())
def test_generated_specs_come_to_the_same_results(sketch: Sketch, data: st.DataObject) -> None:
    spec = loads(sketch.text, "generated.yaml")
    fill = data.draw(st.sampled_from(("same", "next")))
    count = data.draw(st.integers(1, 60))
    gaps = data.draw(st.lists(st.sampled_from((0, 1, SECOND, 3 * SECOND, DAY_NS, -5)), min_size=count, max_size=count))
    drawn = st.one_of(st.sampled_from((50.0, 100.0, 200.0, float("nan"), -1.0, 2000.0)), st.floats(0.5, 1000))
    values = data.draw(st.lists(drawn, min_size=count, max_size=count))
    path = path_of("tick", np.cumsum(np.array(gaps, np.int64)), np.array(values))
    equal(*both(spec, fill, path, [{}, {"a": 1, "b": -2}], 1000.0 if sketch.legs else 0.0))


@pytest.mark.parametrize("seed", range(12))
def test_random_charts_come_to_the_same_results(seed: int) -> None:
    spec = loads(case(seed).chart.text, "chart.json")
    source = np.random.Generator(np.random.PCG64(seed))
    gaps = source.choice(np.array([0, 1, SECOND // 2, SECOND, 3 * SECOND, 12 * SECOND, DAY_NS]), 300)
    values = source.choice(np.array([0.0, 1, 4, 6, 7.5, 10, 10.5]), 300)
    times = np.cumsum(gaps).astype(np.int64)
    # What does not settle takes the reference a thousand microsteps a row: the second one says nothing new.
    tick, count, diverged = spec.compile().machine().port("tick"), 0, 0
    while count < len(times) and diverged < 2:
        diverged += "error.divergence" in tick(int(times[count]), float(values[count])).raised
        count += 1
    equal(*both(spec, "same", path_of("tick", times[:count], values[:count]), [{}], 0.0))
