"""What the values of a program lie between, as native code takes it to leave checks out."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from generated import Event, Sketch, events, sketches
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import hedgerow
from hedgerow.engine.backends.native.bounds import Bounds, is_finite
from hedgerow.engine.backends.native.kernel import sticky_cells
from hedgerow.engine.load import Compiled, loads

SPECS = Path(__file__).parent.parent / "specs"


def bounds_of(compiled: Compiled) -> Bounds:
    event = next(each for each in compiled.program.events if each.fields)
    return Bounds(compiled.program, event, sticky_cells(compiled.program, event))


def small(observe: str, *, price: str = "range: [0.01, 1e7]", state: str = "u: {initial: 1}") -> Compiled:
    return loads(
        f"""\
hedgerow: 1
name: small
units: []
events: {{tick: {{price: {{{price}}}}}}}
params: {{a: {{default: 1, range: [0, 2]}}}}
state: {{{state}}}
observe: {{tick: {{{observe}}}}}
machine: {{initial: on, fail_safe: on, states: {{on: {{on: {{tick: {{do: [{{set: {{u: 'u'}}}}]}}}}}}}}}}
""",
        "small.yaml",
    ).compile()


def interval(compiled: Compiled, cell: str) -> tuple[float, float]:
    found = bounds_of(compiled).after[cell]
    assert found is not None
    return found


def test_what_follows_from_ranges_is_bounded() -> None:
    made = small("squared: 'ewma((tick.price / previous(tick.price) - 1) ** 2, decay=0.97, initial=0.0001)'")
    low, high = interval(made, "squared")
    assert low <= 0
    # The ratio is within 1e-9 and 1e9, so that its square, and any mean of such squares, is below 1e18.
    assert 1e18 <= high < 1e21


def test_what_has_no_range_is_not() -> None:
    made = small("squared: 'ewma(tick.price ** 2, decay=0.97, initial=0.0001)'", price="unit: '1'")
    assert not is_finite(interval(made, "squared"))


def test_what_grows_without_end_is_not_bounded() -> None:
    made = small("total: 'previous(tick.price) + 1', u: 'u * 1.5 + tick.price'")
    assert not is_finite(interval(made, "u"))
    assert is_finite(interval(made, "total"))


def test_a_quotient_by_what_may_be_zero_is_not_bounded() -> None:
    assert not is_finite(interval(small("u: 'tick.price / (tick.price - 5)'"), "u"))
    assert not is_finite(interval(small("u: 'tick.price / a'"), "u"))


def test_what_may_be_undefined_is_not_bounded_by_clipping_it() -> None:
    # u - u is undefined where u is infinite, and clipping keeps it so.
    made = small("u: 'u * 1e300', v: 'clip((u * u) - (u * u), 0, 5)'", state="u: {initial: 1}, v: {initial: 0}")
    assert not is_finite(interval(made, "v"))


def within(compiled: Compiled, happened: list[tuple[str, Any, tuple[Any, ...]]]) -> int:
    """Hold every real cell after every event to its interval; return how many had a bounded one."""
    bounds, machine = bounds_of(compiled), compiled.machine()
    bounded = 0
    for name, time_ns, values in happened:
        machine.port(name)(time_ns, *values)
        cells = machine.snapshot().cells
        seen = machine.time_ns is not None and all(cells[flag] for flag in bounds.sticky) and bool(bounds.sticky)
        for cell, initial in bounds.initial.items():
            after = bounds.after[cell]
            if after is None:
                assert cells[cell] == initial[0]
                continue
            low, high = after
            if not (seen and cell in bounds.late):
                low, high = min(low, initial[0]), max(high, initial[1])
            assert low <= cells[cell] <= high, (cell, name, time_ns)
            bounded += math.isfinite(low) and math.isfinite(high)
    return bounded


@settings(max_examples=40, phases=(Phase.explicit, Phase.generate), suppress_health_check=list(HealthCheck))
@given(sketch=sketches(), happened=events())
def test_generated_specs_stay_within(sketch: Sketch, happened: list[Event]) -> None:
    within(loads(sketch.text, "generated.yaml").compile(), [(e.name, e.time_ns, e.values) for e in happened])


@pytest.mark.parametrize("name", ["band_limited_hedge.yaml", "drawdown_desk.yaml"])
@given(data=st.data())
@settings(max_examples=15, suppress_health_check=list(HealthCheck))
def test_shipped_specs_stay_within_at_any_price(name: str, data: st.DataObject) -> None:
    compiled = hedgerow.load(SPECS / name).compile()
    prices = data.draw(st.lists(st.floats(0.01, 1e7), min_size=2, max_size=40))
    gaps = data.draw(st.lists(st.integers(0, 10**15), min_size=len(prices), max_size=len(prices)))
    times = [sum(gaps[: index + 1]) for index in range(len(gaps))]
    assert within(compiled, [("tick", time, (price,)) for time, price in zip(times, prices, strict=True)])
