"""One suite for every backend: the same specs and events, the same steps and snapshots, to the last bit."""

from __future__ import annotations

import math
import random
from collections.abc import Iterable
from pathlib import Path

import pytest
from generated import Event, Sketch, events, sketches
from hypothesis import HealthCheck, Phase, event, given, settings, target
from hypothesis import strategies as st

import hedgerow
from hedgerow.engine.load import Compiled, loads
from hedgerow.engine.semantics import Reference
from hedgerow.engine.snapshot import Snapshot

SPECS = Path(__file__).parent.parent / "specs"
# What ships and takes a price on `tick`: strategies, and the desk around one.
SHIPPED = sorted(
    path.name
    for path in SPECS.iterdir()
    if path.suffix in (".yaml", ".json") and not path.name.endswith("_breaker.yaml")
)
PHASES = (Phase.explicit, Phase.generate, Phase.target)
# No shrinking: a machine is a large example, and minutes of shrinking help less than its own text.
MANY = settings(
    max_examples=60, phases=PHASES, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


def agree(compiled: Compiled, happened: Iterable[Event]) -> list[hedgerow.Step]:
    """Run both backends side by side, hold them equal after every event, and return the steps."""
    machine = compiled.machine()
    reference = Reference(compiled.program, compiled.parameters, compiled.registry)
    ports = {each.name: machine.port(each.name) for each in compiled.program.events}
    snapshot, steps = reference.initial(), []
    for each in happened:
        live = ports[each.name](each.time_ns, *each.values)
        snapshot, expected = reference.step(snapshot, each.name, each.time_ns, each.values)
        assert live == expected, each
        assert _bits(machine.snapshot()) == _bits(snapshot), each
        steps.append(live)
    return steps


def _bits(snapshot: Snapshot) -> object:
    """Return a snapshot so that equal means equal to the bit: signed zeros differ, ints are not floats."""

    def exact(value: object) -> object:
        return (type(value), value.hex()) if isinstance(value, float) else (type(value), value)

    cells = {name: exact(value) for name, value in snapshot.cells.items()}
    windows = {name: tuple(map(exact, values)) for name, values in snapshot.windows.items()}
    return snapshot.time_ns, snapshot.configuration, cells, windows, snapshot.ended


def walk(seed: int, count: int, volatility: float, start: float = 1000.0) -> list[Event]:
    source, price, found = random.Random(seed), start, []
    for index in range(count):
        found.append(Event("tick", index * 86_400 * 10**9, (price,)))
        price = min(max(price * math.exp(source.gauss(0, volatility)), 1.0), 1e6)
    return found


@pytest.mark.parametrize("fill", ["same", "next"])
@pytest.mark.parametrize("name", SHIPPED)
def test_backends_agree_on_a_shipped_spec(name: str, fill: str) -> None:
    spec = hedgerow.load(SPECS / name, permit=("HR302",) if "as_written" in name else ())
    steps = agree(spec.compile(fill=fill), walk(1, 700, 0.02))
    assert any(step.fired for step in steps)
    assert not any(step.errors for step in steps)


@pytest.mark.parametrize("name", SHIPPED)
def test_backends_agree_on_a_shipped_spec_under_bad_input(name: str) -> None:
    spec = hedgerow.load(SPECS / name, permit=("HR302",) if "as_written" in name else ())
    happened = [Event("manual_exit", 0, ()), *walk(2, 30, 0.05)]
    bad = [
        ("nan", float("nan")),
        ("text", "12"),
        ("none", None),
        ("negative", -3.0),
        ("huge", 1e300),
        ("truth", True),
    ]
    happened += [Event("tick", 10**18, (value,)) for _, value in bad]
    happened += [Event("tick", 5, (1000.0,)), Event("manual_exit", 10**18, ()), *walk(3, 3, 0.01)]
    steps = agree(spec.compile(), happened)
    assert [step.rejected is not None for step in steps[-11:-4]] == [True] * 7


@MANY
@given(sketch=sketches(), happened=events())
def test_backends_agree_on_generated_specs(sketch: Sketch, happened: list[Event]) -> None:
    compiled = loads(sketch.text).compile()
    steps = agree(compiled, happened)
    fired = sum(len(step.fired) for step in steps)
    target(float(fired))
    for step in steps:
        event(f"errors: {bool(step.errors)}, orders: {bool(step.orders)}, fired: {min(len(step.fired), 3)}")


@MANY
@given(sketch=sketches(with_legs=True), happened=events(), fill=st.sampled_from(("same", "next")))
def test_backends_agree_on_generated_ledgers(sketch: Sketch, happened: list[Event], fill: str) -> None:
    agree(loads(sketch.text).compile(fill=fill), happened)


@MANY
@given(sketch=sketches(), happened=events(), cut=st.integers(0, 25))
def test_a_restored_machine_continues_exactly(sketch: Sketch, happened: list[Event], cut: int) -> None:
    compiled = loads(sketch.text).compile()
    first, second = compiled.machine(), compiled.machine()
    for each in happened[:cut]:
        first.port(each.name)(each.time_ns, *each.values)
    second.restore(first.snapshot().to_json())
    for each in happened[cut:]:
        assert first.port(each.name)(each.time_ns, *each.values) == second.port(each.name)(each.time_ns, *each.values)
    assert _bits(first.snapshot()) == _bits(second.snapshot())


@MANY
@given(sketch=sketches(), happened=events())
def test_two_machines_share_nothing(sketch: Sketch, happened: list[Event]) -> None:
    compiled = loads(sketch.text).compile()
    machine, still = compiled.machine(), compiled.machine()
    fresh = _bits(still.snapshot())
    for each in happened:
        machine.port(each.name)(each.time_ns, *each.values)
    assert _bits(still.snapshot()) == fresh
