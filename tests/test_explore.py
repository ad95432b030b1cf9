"""Walks: the same for the same seed, count nothing that did not happen, find what is there to find."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from random_charts import case

from hedgerow import Snapshot, Spec, Step
from hedgerow.engine.backends.native.kernel import Options
from hedgerow.engine.backends.native.machine import Kernel
from hedgerow.engine.chart import FAIL_SAFE
from hedgerow.engine.dryrun.problem import RunError
from hedgerow.engine.explore.corpus import LIVE, NATIVE, Corpus
from hedgerow.engine.explore.coverage import Chart
from hedgerow.engine.explore.draws import draw_parameters
from hedgerow.engine.explore.events import outside_events
from hedgerow.engine.explore.exploration import explore
from hedgerow.engine.explore.findings import findings_of
from hedgerow.engine.explore.live import LiveRunner
from hedgerow.engine.explore.native import NativeRunner
from hedgerow.engine.explore.streams import book_of, odd_values, some_values
from hedgerow.engine.explore.told import summary
from hedgerow.engine.explore.walk import Errors, Outcome, Runner, events_of, way_of
from hedgerow.engine.load import load, loads
from hedgerow.engine.script import parse_script
from hedgerow.engine.script_run import play
from hedgerow.engine.semantics import Reference

pytest.importorskip("llvmlite", reason="the native backend is in the extra `sweep`")

SPECS = Path(__file__).parent.parent / "specs"

RATCHET = """
hedgerow: 1
name: ratchet
about: Counts high prices once it was armed by hand, and one more than it may.
events:
  tick: {price: {range: [1, 1000]}}
  arm: {}
params:
  limit: {default: 3, type: int, range: [1, 5]}
  level: {default: 500, range: [400, 600]}
state:
  count: {type: int, initial: 0, range: [0, 100]}
machine:
  initial: idle
  states:
    idle: {on: {arm: {name: armed_now, to: armed}}}
    armed:
      on:
        tick:
          - {name: count_up, if: tick.price > level and count <= limit, do: {set: {count: count + 1}}}
          - {name: full, if: count > limit, to: done}
    done: {final: true}
invariants:
  within: count <= limit
  counts: count >= 0
"""
REMEMBERS = """
hedgerow: 1
name: remembers
about: Leaves a state with a history, comes back after a while, and sometimes divides by zero.
events:
  tick: {x: {range: [-5, 5]}}
  pause: {}
state:
  total: {initial: 0}
machine:
  initial: at_work
  fail_safe: broken
  states:
    at_work:
      initial: low
      on: {pause: {name: stop, to: resting}}
      states:
        low: {on: {tick: {name: rise, if: tick.x > 1, to: high}}}
        high:
          on:
            tick:
              - {name: split, if: tick.x < -1, do: {set: {total: 1 / (tick.x + 5)}}}
              - {name: fall, if: tick.x < 0, to: low}
        last: {history: shallow, default: low}
    resting: {on: {tick: {name: quit, if: tick.x > 4, to: gone}}, after: {2s: {name: resume, to: last}}}
    gone: {final: true}
    broken: {on: {pause: {name: mend, to: at_work}}}
"""


@pytest.fixture(autouse=True, scope="module")
def _kept_nowhere(tmp_path_factory: pytest.TempPathFactory) -> Iterable[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HEDGEROW_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


def told(spec: Spec, **options: Any) -> dict[str, Any]:
    exploration = explore(spec, **options)
    return summary(exploration, findings_of(exploration))


# --- the same result ---


@pytest.mark.parametrize("backend", ["native", "live"])
def test_the_result_depends_on_the_seed_and_not_on_the_workers(backend: Any) -> None:
    spec = loads(RATCHET)
    steps = 60_000 if backend == "native" else 12_000
    one = told(spec, steps=steps, seed=3, backend=backend)
    assert one["findings"]
    assert one["parameter_sets"] > 2  # so that two workers have something to share
    assert told(spec, steps=steps, seed=3, backend=backend, workers=2) == one
    assert told(spec, steps=steps, seed=3, backend=backend) == one
    assert told(spec, steps=steps, seed=4, backend=backend)["transitions"] != one["transitions"]


@pytest.mark.parametrize("backend", ["native", "live"])
@pytest.mark.parametrize("steps", [1, 7, 5_000])
def test_as_many_events_are_sent_as_were_asked_for(steps: int, backend: Any) -> None:
    assert told(loads(RATCHET), steps=steps, backend=backend)["steps"] == steps


# --- nothing is counted that did not happen ---


def steps_of(spec: Spec, values: Mapping[str, Any], outcome: Outcome, book: Any) -> tuple[list[list[Step]], Snapshot]:
    """Return the steps of each part of a walk, and those before it, by the reference; and where the last one stands."""
    compiled = spec.bind_values(values)
    reference = Reference(compiled.program, compiled.parameters, compiled.registry)
    parts, snapshot = [], reference.initial()
    for walk, sent in outcome.track.walks():
        snapshot, steps = reference.initial(), []
        for each in events_of(way_of(walk, sent), book):
            snapshot, step = reference.step(snapshot, each.event, each.time_ns, each.values)
            steps.append(step)
        parts.append(steps)
    return parts, snapshot


def check(spec: Spec, chart: Chart, values: Mapping[str, Any], outcome: Outcome, book: Any) -> Snapshot:
    """Hold an outcome to the reference: the same transitions, pairs, refusals and broken invariants."""
    fired = np.zeros_like(outcome.fired)
    pairs = np.zeros_like(outcome.pairs)
    broken = np.zeros_like(outcome.broken)
    refused = 0
    entered: set[str] = set()
    parts, last_snapshot = steps_of(spec, values, outcome, book)
    for (_, sent), steps in zip(outcome.track.walks(), parts, strict=True):
        last = -1
        for index, step in enumerate(steps):
            own = index >= len(steps) - sent
            for name in step.fired:
                number = chart.numbers[name]
                if own:
                    fired[number] += 1
                    if last >= 0:
                        pairs[last, number] = True
                last = number
            if own:
                refused += step.rejected is not None
                entered.update(step.configuration)
                broken += np.array([name in step.broken for name, _ in chart.program.invariants], np.int64)
    assert outcome.fired.tolist() == fired.tolist()
    assert outcome.pairs.tolist() == pairs.tolist()
    assert outcome.broken.tolist() == broken.tolist()
    assert outcome.refused == refused
    assert outcome.entered <= entered
    assert {sight.name for sight in outcome.sights if sight.kind == "invariant"} == {
        name for (name, _), count in zip(chart.program.invariants, broken, strict=True) if count
    }
    return last_snapshot


def walked(spec: Spec, native: bool, batches: int, rows: int = 1_500, seed: int = 5) -> None:
    """Walk with a guided corpus, and hold every outcome to the reference."""
    program = spec.program()
    chart, errors, outside = Chart(program), Errors(program), outside_events(program)
    source = np.random.Generator(np.random.PCG64(seed))
    values = draw_parameters(program, {}, source, plain=False)
    bound = spec.bind_values(values)
    book = book_of(outside.streamed, () if native else outside.others, 3_000, (seed,))
    runner: Runner
    if native:
        kernel = Kernel(program, outside.streamed[0].name, Options(pairs=True))
        reference = Reference(program, spec.bind({}).parameters, bound.registry)
        runner = NativeRunner(kernel, chart, errors, reference, bound.parameters, book)
    else:
        runner = LiveRunner(bound, chart, errors, book)
    corpus = Corpus(runner.start(), outside, book, NATIVE if native else LIVE, source)
    reached = np.zeros_like(chart.possible)
    for _ in range(batches):
        outcomes = runner.run(corpus.walks(rows))
        corpus.keep(outcomes)
        for outcome in outcomes:
            snapshot = check(spec, chart, values, outcome, book)
            reached |= outcome.pairs[:-1, :-1]
            state = outcome.point.state
            if native:
                memory = kernel.memory(0.0)
                memory.words[:] = state.words
                assert memory.snapshot(replace(bound.machine().snapshot(), history=state.history)) == snapshot
            else:
                assert state.snapshot == snapshot
    assert not (reached & ~chart.possible).any()


@pytest.mark.parametrize("native", [True, False])
@pytest.mark.parametrize("name", ["band_limited_hedge", "drawdown_desk", "drawdown_breaker"])
def test_what_walks_count_is_what_the_reference_does(name: str, native: bool) -> None:
    walked(load(SPECS / f"{name}.yaml"), native, batches=3)


@pytest.mark.parametrize("native", [True, False])
@pytest.mark.parametrize("text", [RATCHET, REMEMBERS])
def test_walks_of_machines_that_end_err_and_remember_count_what_the_reference_does(text: str, native: bool) -> None:
    walked(loads(text), native, batches=20)


@pytest.mark.parametrize("seed", range(12))
def test_walks_of_random_charts_count_what_the_reference_does(seed: int) -> None:
    walked(
        loads(case(seed, states=14, regions=3, plain=True).chart.text, "chart.json"), native=False, batches=2, seed=seed
    )


@pytest.mark.parametrize("seed", range(40))
def test_the_chart_allows_every_pair_that_fires_and_names_only_states_that_are_entered(seed: int) -> None:
    made = case(seed, plain=True)
    spec = loads(made.chart.text, "chart.json")
    chart, compiled = Chart(spec.program()), spec.compile()
    machine = compiled.machine()
    last = ""
    for each in made.happened:
        step = (
            machine.advance(each.time_ns)
            if each.event is None
            else machine.port(each.event)(each.time_ns, *each.values)
        )
        for name in step.fired:
            if last and FAIL_SAFE not in (last, name):
                assert chart.possible[chart.numbers[last], chart.numbers[name]], (last, name)
            last = name
        if len(step.fired) == 1 and step.fired[0] != FAIL_SAFE:
            entered = chart.entered[chart.numbers[step.fired[0]]]
            assert {chart.states[place] for place in np.flatnonzero(entered)} <= set(step.configuration)


# --- what is there to find is found ---


@pytest.mark.parametrize("backend", ["native", "live"])
def test_a_seeded_bug_is_found_shortened_and_breaks_the_same_when_its_script_is_played(backend: Any) -> None:
    spec = loads(RATCHET)
    exploration = explore(spec, steps=30_000, backend=backend)
    (finding,) = findings_of(exploration)
    assert (finding.kind, finding.name) == ("invariant", "within")
    events = [sent.event for sent in finding.events]
    limit = int(finding.parameters.get("limit", 3))
    # A machine needs no tick to start, so that nothing but these can break it.
    assert sorted(events) == ["arm", *["tick"] * (limit + 1)]
    script = parse_script(finding.script, "found.yaml", spec)
    *before, last = play(spec.bind(script.parameters), script)
    assert last.step.broken == ("within",)
    assert [failure.key for failure in last.failures] == ["broken"]
    assert not any(played.failures or played.step.broken for played in before)


def test_an_error_that_nothing_takes_is_a_finding_and_one_that_a_transition_takes_is_none() -> None:
    sights = explore(loads(REMEMBERS), steps=20_000).found.sightings
    assert [(sight.kind, sight.name) for sight in sights] == [("error", "`split`")]
    taken = REMEMBERS.replace(
        "      on: {pause: {name: stop, to: resting}}",
        "      on: {pause: {name: stop, to: resting}, error.*: {name: shrug}}",
    )
    exploration = explore(loads(taken), steps=20_000)
    assert exploration.found.coverage.fired[exploration.found.coverage.chart.numbers["shrug"]] > 0
    assert exploration.found.sightings == {}


def test_params_that_are_set_are_not_drawn() -> None:
    spec = loads(RATCHET)
    (finding,) = findings_of(explore(spec, steps=20_000, settings={"limit": 5}))
    assert finding.parameters["limit"] == 5
    assert [sent.event for sent in finding.events].count("tick") == 6


def test_events_that_the_spec_raises_are_sent_only_when_asked_for() -> None:
    program = load(SPECS / "drawdown_desk.yaml").program()
    assert [event.name for event in outside_events(program).sent] == ["tick", "release"]
    assert outside_events(program).left_out == ("manual_exit", "tripped", "closed_again")
    assert [event.name for event in outside_events(program, ["manual_exit"]).sent] == ["tick", "manual_exit"]


def test_guided_walks_reach_every_state_transition_and_pair() -> None:
    coverage = explore(load(SPECS / "drawdown_breaker.yaml"), steps=1_000_000, workers=2).found.coverage
    assert coverage.states.all()
    assert (coverage.fired[:-1] > 0).all()
    assert (coverage.pairs[:-1, :-1] == coverage.chart.possible).all()


def test_guided_walks_reach_what_follows_an_error_and_a_history() -> None:
    coverage = explore(loads(REMEMBERS), steps=300_000).found.coverage
    assert coverage.states.all()
    assert (coverage.fired > 0).all()


@pytest.mark.parametrize("backend", ["native", "live"])
def test_guided_walks_release_what_two_persons_must_agree_to(backend: Any) -> None:
    steps = {"native": 1 << 19, "live": 1 << 16}[backend]
    coverage = explore(load(SPECS / "desk.yaml"), steps=steps, backend=backend).found.coverage
    assert coverage.fired[coverage.chart.rules.index("drawdown.reset")] > 0


def test_a_machine_that_native_code_keeps_handing_over_is_given_up_in_time() -> None:
    text = REMEMBERS.replace("if: tick.x < -1", "if: tick.x > -9").replace("1 / (tick.x + 5)", "1 / total")
    coverage = explore(loads(text.replace("  fail_safe: broken\n", "")), steps=100_000).found.coverage
    assert coverage.steps == 100_000
    assert coverage.handed < 20_000


# --- bad input ---


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"steps": 0}, "0 steps are not between 1 and 10^13"),
        ({"steps": 10, "settings": {"lmit": "2"}}, "unknown param `lmit`: did you mean `limit`?"),
        ({"steps": 10, "settings": {"limit": 9}}, "`limit` = 9 is outside its range [1, 5]"),
        ({"steps": 10, "send": ["tock"]}, "there is no event `tock`"),
        ({"steps": 10, "workers": 0}, "a seed is at least 0, and there is at least one worker"),
        ({"steps": 10, "seed": -1}, "a seed is at least 0, and there is at least one worker"),
    ],
)
def test_bad_input_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(RunError) as raised:
        explore(loads(RATCHET), **options)
    assert (raised.value.code, raised.value.message) == ("HR807", message)


def test_a_spec_that_binds_python_is_walked_live_and_says_why() -> None:
    spec = load(SPECS / "delta_band_hedge.yaml")
    found = told(spec, steps=300)
    assert (found["backend"], found["steps"]) == ("live", 300)
    assert found["why_not_native"] == "it binds Python: `hedging.no_trade_band`, `options.call_value`"
    with pytest.raises(RunError, match="there is no native code for these walks: it binds Python"):
        explore(spec, steps=300, backend="native")


# --- streams and draws ---


def test_streams_stay_in_range_and_come_back_to_prices_and_repeat_by_their_seed() -> None:
    program = loads(
        RATCHET.replace(
            "{price: {range: [1, 1000]}}",
            "{price: {range: [1, 1000]}, n: {type: int, range: [-2, 7]}, up: {type: bool}, free: {}}",
        )
    ).program()
    outside = outside_events(program)
    book = book_of(outside.streamed, outside.others, 20_000, (1, 2))
    price, n, up, free = book.fields[0]
    assert (price.min(), price.max()) == (1, 1000)
    assert set(n) <= set(range(-2, 8)) and len(set(n)) > 5
    assert set(up) == {0, 1}
    assert free.min() < 0 < free.max()
    assert len(np.unique(price)) < 0.8 * len(price)  # flat stretches, swings, returns
    assert book.gaps.min() == 0 and book.gaps.max() >= 30 * 86_400 * 10**9
    assert 0 < (book.which == 1).mean() < 0.01
    again = book_of(outside.streamed, outside.others, 20_000, (1, 2))
    assert all(np.array_equal(a, b) for a, b in zip(book.fields[0], again.fields[0], strict=True))
    other = book_of(outside.streamed, outside.others, 20_000, (1, 3))
    assert not np.array_equal(price, other.fields[0][0])


def test_odd_values_are_refused_and_others_are_not() -> None:
    spec = loads(RATCHET)
    event = spec.program().event("tick")
    source = np.random.Generator(np.random.PCG64(1))
    for _ in range(50):
        machine = spec.compile().machine()
        assert machine.port("tick")(0, *odd_values(event, source)).rejected is not None
        assert machine.port("tick")(0, *some_values(event, source)).rejected is None


@pytest.mark.parametrize("name", ["band_limited_hedge", "drawdown_desk", "signal_hedge", "delta_band_hedge"])
def test_draws_fit_their_declarations_and_reach_both_edges(name: str) -> None:
    spec = load(SPECS / f"{name}.yaml")
    program = spec.program()
    source = np.random.Generator(np.random.PCG64(1))
    assert spec.bind_values(draw_parameters(program, {}, source, plain=True)).parameters == spec.compile().parameters
    drawn = [draw_parameters(program, {}, source, plain=False) for _ in range(200)]
    for values in drawn:
        assert spec.bind(dict(values)).parameters == spec.bind_values(values).parameters
    for parameter in program.parameters:
        if parameter.given is None and parameter.type != "bool":
            assert parameter.low is not None and parameter.high is not None
            found = {values[parameter.name] for values in drawn}
            assert {float(parameter.low), float(parameter.high), float(parameter.default)} <= set(map(float, found))


@pytest.mark.parametrize("ends", ["0, 1e-320", "0, 5e-324", "-1e308, 1e308", "-1.7e308, 1.7e308"])
def test_streams_stay_in_ranges_that_floats_hardly_hold(ends: str) -> None:
    text = f"hedgerow: 1\nname: edge\nevents: {{tick: {{x: {{range: [{ends}]}}}}}}\n"
    text += "machine: {initial: a, states: {a: {on: {tick: {if: tick.x > 0, to: b}}}, b: {on: {tick: {to: a}}}}}\n"
    spec = loads(text)
    (event,) = spec.program().events
    (column,) = book_of([event], [], 20_000, (1,)).fields[0]
    field = event.fields[0]
    assert ((column >= float(field.low)) & (column <= float(field.high))).all()
    assert len(np.unique(column)) > (1 if "e-32" in ends else 1000)
    assert explore(spec, steps=5_000).found.coverage.steps == 5_000


def test_what_a_worker_leaves_that_dies_is_done_without_it(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = loads(RATCHET)
    whole = told(spec, steps=60_000, seed=3)
    ended: list[bool] = []

    def kill_one(_: int, __: int) -> None:
        if not ended:
            ended.append(True)
            multiprocessing.active_children()[0].kill()

    assert told(spec, steps=60_000, seed=3, workers=2, progress=kill_one) == whole
    assert ended
