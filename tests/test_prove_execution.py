"""A macrostep on symbols comes to what the reference comes to: whatever the spec, the state, the event and the values."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from generated import Sketch, events, sketches
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from late_people import APART, LATE, PEOPLE, Sent, happenings
from macrosteps import Followed, Recorder, differences
from random_charts import Case, cases
from ruamel.yaml import YAML

import hedgerow
from hedgerow.engine.evaluate import EXACT, Environment, evaluate
from hedgerow.engine.ir import Program, Value
from hedgerow.engine.load import Spec, loads
from hedgerow.engine.script import parse_script

FOLDER = Path(__file__).parent
SPECS = FOLDER.parent / "specs"
CASES = FOLDER / "conformance"
NAMES = sorted(str(path.relative_to(CASES).with_suffix("")) for path in CASES.rglob("*.yaml"))
SHIPPED = (
    "band_limited_hedge.yaml", "band_limited_hedge.as_written.yaml", "drawdown_breaker.yaml", "drawdown_desk.yaml",
    "delta_band_hedge.yaml", "signal_hedge.yaml",
)  # fmt: skip
PHASES = (Phase.explicit, Phase.generate)
MANY = settings(
    max_examples=25,
    phases=PHASES,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)


class Happening(NamedTuple):
    """An event, or without a name the passing of time."""

    event: str | None
    time_ns: object
    values: Sequence[object] = ()


def exact(program: Program, values: Mapping[str, Value]) -> dict[str, Value]:
    """Return parameters as fractions, with those that follow from others computed in fractions."""
    found: dict[str, Any] = {
        each.name: Fraction(values[each.name]) if each.type == "real" else values[each.name]
        for each in program.parameters
        if each.given is None
    }
    waiting = [each for each in program.parameters if each.given is not None]
    while waiting:
        each = waiting.pop(0)
        assert each.given is not None
        if all(node.name in found for node in each.given.walk() if node.op == "param"):
            found[each.name] = evaluate(each.given, Environment(found, EXACT))
        else:
            waiting.append(each)
    return found


def followed(program: Program, parameters: Mapping[str, Value], happened: Iterable[Happening]) -> int:
    """Play events in fractions, follow each macrostep on symbols, hold the two equal; return how many there were."""
    recorder, machine = Recorder(program, exact(program, parameters)), Followed(program)
    snapshot, count = recorder.initial(), 0
    for each in happened:
        recorder.macrosteps.clear()
        if each.event is None:
            snapshot, step = recorder.advance(snapshot, each.time_ns)
        else:
            snapshot, step = recorder.step(snapshot, each.event, each.time_ns, each.values)
        if any("does not ensure" in error for error in step.errors):
            continue  # a function of floats, judged in fractions; a proof assumes that it ensures what the spec says
        for macrostep in recorder.macrosteps:
            (outcome,) = machine.follow(recorder, macrostep)
            assert not differences(machine.machine, outcome, macrostep, machine.env), (each, macrostep)
            assert all(machine.assumed(macrostep)), (each, macrostep)
            count += 1
    return count


def walk(program: Program, seed: int, count: int) -> Iterator[Happening]:
    """Yield random events of a shipped spec, good and bad, in time."""
    source, clock, price = random.Random(seed), 0, 1000.0
    for _ in range(count):
        clock += source.choice((0, 1, 60, 3600, 86_400, 86_400, 40 * 86_400)) * 10**9
        price = min(max(price * source.choice((0.9, 0.99, 0.9999, 1, 1.0001, 1.02, 1.1)), 1.0), 1e6)
        event = program.events[0] if source.random() < 0.8 else source.choice(program.events)
        values: list[object] = []
        for field in event.fields:
            low, high = float(field.low or 0), float(field.high if field.high is not None else 10)
            drawn = price if low <= price <= high else source.uniform(low, high)
            values.append(
                source.random() < 0.5 if field.type == "bool" else int(drawn) if field.type == "int" else drawn
            )
        if source.random() < 0.05:
            yield Happening(event.name, clock - 10**9, values)
        elif source.random() < 0.05:
            yield Happening(None, clock)
        else:
            yield Happening(event.name, clock, values)


@pytest.mark.parametrize("fill", ["same", "next"])
@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_spec_does_on_symbols_what_it_does_on_numbers(name: str, fill: Any) -> None:
    spec = hedgerow.load(SPECS / name, permit=("HR302",) if "as_written" in name else ())
    compiled = spec.compile(fill=fill)
    count = 0
    for seed in range(3, 13):  # several, where a machine ends after some events
        count += followed(compiled.program, compiled.parameters, walk(compiled.program, seed, 25))
        if count > 15:
            break
    assert count > 15


@pytest.mark.parametrize("name", NAMES)
def test_a_conformance_case_does_on_symbols_what_it_does_on_numbers(name: str) -> None:
    body = YAML(typ="safe", pure=True).load(CASES / f"{name}.yaml")
    spec = loads(json.dumps(body["spec"]), "spec.json")
    compiled = spec.compile()
    items = parse_script(json.dumps(body["script"]), "script.json", spec).items
    followed(compiled.program, compiled.parameters, map(_happening(spec), items))


def _happening(spec: Spec) -> Any:
    fields = {event.name: [field.name for field in event.fields] for event in spec.program("same").events}

    def made(item: Any) -> Happening:
        if item.kind == "advance":
            return Happening(None, item.time_ns)
        names = fields.get(item.event, [])
        return Happening(item.event, item.time_ns, [item.fields.get(name) for name in names])

    return made


@pytest.mark.parametrize("text", [LATE, APART], ids=["one", "two"])
@MANY
@given(happened=happenings())
def test_who_brings_what_comes_late_is_on_symbols_who_it_is_on_numbers(text: str, happened: list[Sent]) -> None:
    compiled = loads(text).compile()
    sent = [Happening(name or None, now, () if by is None else (PEOPLE.index(by),)) for name, now, by in happened]
    assert followed(compiled.program, compiled.parameters, sent) >= 1


@MANY
@given(sketches(), events(8), st.sampled_from(("same", "next")), st.integers(0, 20))
def test_a_random_spec_does_on_symbols_what_it_does_on_numbers(
    sketch: Sketch, happened: Any, fill: Any, a: int
) -> None:
    compiled = loads(sketch.text).compile(fill=fill, a=a / 20)
    followed(compiled.program, compiled.parameters, (Happening(*_plain(each)) for each in happened))


def _plain(event: Any) -> tuple[Any, ...]:
    return event.name, event.time_ns, event.values


@MANY
@given(cases(states=25, most=12))
def test_a_random_chart_does_on_symbols_what_it_does_on_numbers(case: Case) -> None:
    compiled = loads(case.chart.text, "chart.json").compile()
    happened = (Happening(each.event, each.time_ns, each.values) for each in case.happened)
    followed(compiled.program, compiled.parameters, happened)
