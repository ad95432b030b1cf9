"""What is proved never breaks: random charts with random claims, true and false ones, and runs that try to break them."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import Any

import pytest
from macrosteps import Macrostep, Recorder, environment, is_on_the_way
from random_charts import SECOND, case

from hedgerow.engine.evaluate import EXACT, Environment, evaluate
from hedgerow.engine.ir import Field, Parameter, Program, Value
from hedgerow.engine.load import loads
from hedgerow.engine.prove.facts import facts_of
from hedgerow.engine.prove.induction import Claimed, Induction
from hedgerow.engine.prove.solvers import Solvers
from hedgerow.engine.prove.symbols import TooManyError

pytest.importorskip("z3", reason="the solver is in the extra `prove`")

GAPS = (0, 0, 1, SECOND // 2, SECOND, SECOND, 2 * SECOND, 5 * SECOND, 12 * SECOND, 100 * SECOND)


@pytest.fixture(scope="module")
def solvers() -> Iterator[Solvers]:
    with Solvers(1) as made:
        yield made


def states_of(machine: Mapping[str, Any]) -> Iterator[str]:
    for name, body in machine.get("states", {}).items():
        if "history" not in body:
            yield name
        yield from states_of(body)


def claims(source: random.Random, spec: Mapping[str, Any], count: int) -> dict[str, str]:
    """Return claims about a random chart: on cells, states, steps and times, some of which have no value at times."""
    cells = [name for name in spec["state"] if name != "gap"]
    states = list(states_of(spec["machine"]))

    def atom() -> str:
        cell, other, number = source.choice(cells), source.choice(cells), source.randint(0, 9)
        state = source.choice(states)
        return source.choice(
            (
                f"{cell} <= {number}",
                f"{cell} >= {number}",
                f"{cell} != {number}",
                f"{cell} <= {other} + {number}",
                f"In({state})",
                f"not In({state})",
                f"was({state})",
                f"not was({state})",
                f"changed({cell})",
                f"not changed({cell})",
                f"{cell} >= before.{cell}",
                f"{cell} <= before.{cell} + {source.randint(0, 2)}",
                f"1 / ({cell} - {number}) < 1",
                f"(1 / {cell} if {cell} > 0 else 0) <= 1",
                f"sqrt({cell} - 1) <= {number}",
                f"gap <= {number}",
                f"gap * gap >= {number}",
                f"elapsed(tick) >= {source.randint(0, 2)}s",
                "elapsed(tick) <= 5s",
            )
        )

    forms = ("{0}", "implies({0}, {1})", "({0}) or ({1})", "implies({0} and {1}, {2})", "implies({0}, {1} or {2})")
    return {f"c{index}": source.choice(forms).format(atom(), atom(), atom()) for index in range(count)}


def _parameter(source: random.Random, parameter: Parameter) -> Value:
    low, high = parameter.low, parameter.high
    assert low is not None and high is not None and parameter.type == "real"
    return source.choice((low, high, low + (high - low) * Fraction(source.randint(0, 10), 10)))


def _field(source: random.Random, field: Field) -> Value:
    assert field.low is not None and field.high is not None and field.type == "real"
    return source.choice((field.low, field.high, Fraction(4), field.low + (field.high - field.low) * Fraction(1, 3)))


def runs(program: Program, source: random.Random, count: int, length: int) -> Iterator[tuple[Recorder, Macrostep]]:
    """Yield the macrosteps of random runs in fractions: events, refused inputs, time that passes, parameters in range."""
    for _ in range(count):
        reference = Recorder(program, {each.name: _parameter(source, each) for each in program.parameters})
        snapshot, clock = reference.initial(), 0
        for _ in range(length):
            clock += source.choice(GAPS)
            kind = source.random()
            reference.macrosteps.clear()
            if kind < 0.08:
                snapshot, _ = reference.advance(snapshot, clock)
            elif kind < 0.16:
                snapshot, _ = reference.refuse(snapshot, "not a number")
            else:
                event = source.choice(program.events)
                values = [_field(source, field) for field in event.fields]
                snapshot, _ = reference.step(snapshot, event.name, clock, values)
            if any(each.input.name == "error.divergence" for each in reference.macrosteps):
                break  # too many timers before one event: a proof assumes that there are not
            for macrostep in reference.macrosteps:
                yield reference, macrostep
            if snapshot.ended:
                break


def judged(seed: int, bold: bool, solvers: Solvers) -> Counter[str]:
    """Prove claims about a random chart, run it, and hold all that was concluded to what happens."""
    source = random.Random(seed)
    spec = json.loads(case(seed, 5, 2, 10).chart.text)
    spec["invariants"] = claims(source, spec, 8)
    loaded = loads(json.dumps(spec), "chart.json")
    program = loaded.program()
    induction = Induction.of(program, loaded.registry, solvers, 2.0)
    try:
        induction.run(facts_of(program, induction.machine.algebra, bold=False))
        if bold:
            induction = Induction.of(program, loaded.registry, solvers, 2.0, after=induction)
            induction.run(facts_of(program, induction.machine.algebra, bold=True))
    except TooManyError:
        return Counter(("too many",))
    machine = induction.machine
    proved = set()
    for name, claim in program.invariants:
        answers = induction.judge([Claimed(each, machine.claim(claim, each)) for each in induction.outcomes])
        if all(each.holds for each in answers):
            proved.add(name)
    counts = Counter({"proved": len(proved)})
    for reference, macrostep in runs(program, source, 40, 10):
        env = environment(reference, macrostep)
        assert not macrostep.broken & proved, (seed, spec["invariants"], macrostep)
        way = [each for each in induction.outcomes if is_on_the_way(each, macrostep, env)]
        assert len(way) == 1, (seed, macrostep)
        assert (way[0].target, way[0].fired) == (macrostep.target.control, macrostep.fired), (seed, macrostep)
        after = Environment(
            reference.parameters,
            EXACT,
            macrostep.target.cells,
            now=macrostep.target.clock,
            active=machine.active(macrostep.target.control),
        )
        if not way[0].finished:
            for fact in (*induction.known, *induction.facts):
                assert evaluate(fact.claim, after), (seed, fact, macrostep)
        counts["broken"] += len(macrostep.broken)
        counts["macrosteps"] += 1
    return counts


# Charts that settle: a macrostep that does not is followed for a second or more on each of its ways.
@pytest.mark.parametrize("seed", [100, 101, 103, 104, 105, 107, 108, 109, 110, 114, 1015])
def test_what_is_proved_of_a_random_chart_never_breaks(seed: int, solvers: Solvers) -> None:
    counts = judged(seed, seed % 2 == 0, solvers)
    assert counts["macrosteps"] > 50


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(115, 139))
def test_what_is_proved_of_many_random_charts_never_breaks(seed: int, solvers: Solvers) -> None:
    counts = judged(seed, seed % 3 == 0, solvers)
    assert counts["too many"] or counts["macrosteps"] > 20
