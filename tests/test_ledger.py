"""Money is conserved, after every event, for any spec (DESIGN rule 14)."""

from __future__ import annotations

from fractions import Fraction

from generated import Event, Sketch, events, sketches
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from hedgerow.engine.evaluate import EXACT, FLOAT, Arithmetic
from hedgerow.engine.ir import Value
from hedgerow.engine.load import loads
from hedgerow.engine.semantics import Reference
from hedgerow.engine.snapshot import Snapshot

PHASES = (Phase.explicit, Phase.generate, Phase.target)
# No shrinking: a machine is a large example, and minutes of shrinking help less than its own text.
MANY = settings(
    max_examples=60, phases=PHASES, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


def position(snapshot: Snapshot, sketch: Sketch, instrument: str) -> Value:
    signed = [
        -snapshot.cells[f"{leg}.quantity"] if side == "short" else snapshot.cells[f"{leg}.quantity"]
        for leg, held, side in sketch.legs
        if held == instrument
    ]
    return sum(signed, start=Fraction(0))


def equity(snapshot: Snapshot, sketch: Sketch) -> Value:
    worth = [position(snapshot, sketch, name) * snapshot.cells[f"{name}.price"] for name in sketch.instruments]
    return sum(worth, start=snapshot.cells["cash"])


def profit(snapshot: Snapshot, sketch: Sketch) -> Value:
    """Return realised and unrealised profit over all legs."""
    total: Value = Fraction(0)
    for leg, instrument, side in sketch.legs:
        gain = snapshot.cells[f"{instrument}.price"] - snapshot.cells[f"{leg}.average"]
        total += (
            snapshot.cells[f"{leg}.realised"] + (-gain if side == "short" else gain) * snapshot.cells[f"{leg}.quantity"]
        )
    return total


def check(sketch: Sketch, happened: list[Event], fill: str, arithmetic: Arithmetic) -> None:
    compiled = loads(sketch.text).compile(fill=fill)
    parameters = {p.name: p.default for p in compiled.program.parameters}
    reference = Reference(compiled.program, parameters, compiled.registry, arithmetic)
    snapshot = reference.initial()
    turned_over = 1.0
    for each in happened:
        before = snapshot
        snapshot, step = reference.step(before, each.name, each.time_ns, each.values)
        if not snapshot.configuration:
            continue
        turned_over += float(abs(equity(snapshot, sketch))) + sum(float(order.notional) for order in step.orders)

        def moved(cell: str, before: Snapshot = before, after: Snapshot = snapshot) -> Value:
            return after.cells[cell] - (before.cells[cell] if before.configuration else 0)

        opened = not before.configuration
        expected: Value = 1000 if opened else equity(before, sketch)
        if not opened:
            for name in sketch.instruments:
                expected += position(before, sketch, name) * moved(f"{name}.price")
        expected += moved("flows") - moved("fees") - moved("slippage")
        booked = (
            1000
            + profit(snapshot, sketch)
            - snapshot.cells["fees"]
            - snapshot.cells["slippage"]
            + snapshot.cells["flows"]
        )
        if arithmetic.exact:
            assert equity(snapshot, sketch) == expected
            assert equity(snapshot, sketch) == booked
        else:
            assert abs(equity(snapshot, sketch) - expected) <= 1e-12 * turned_over
            assert abs(equity(snapshot, sketch) - booked) <= 1e-12 * turned_over


@MANY
@given(sketch=sketches(with_legs=True), happened=events(), fill=st.sampled_from(("same", "next")))
def test_equity_moves_by_marks_costs_and_flows_exactly_in_fractions(
    sketch: Sketch, happened: list[Event], fill: str
) -> None:
    check(sketch, happened, fill, EXACT)


@MANY
@given(sketch=sketches(with_legs=True), happened=events(), fill=st.sampled_from(("same", "next")))
def test_equity_moves_by_marks_costs_and_flows_to_rounding_in_floats(
    sketch: Sketch, happened: list[Event], fill: str
) -> None:
    check(sketch, happened, fill, FLOAT)
