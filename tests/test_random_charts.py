"""Random statecharts: the backends agree, snapshots continue, time adds up, and Appendix D is followed to the letter."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from itertools import zip_longest

import pytest
from appendix_d import Interpreter, NeverSettles
from hypothesis import HealthCheck, Phase, given, settings
from random_charts import SECOND, Case, Chart, Input, case, cases

from hedgerow import Step
from hedgerow.engine.backends.live import Machine
from hedgerow.engine.load import Compiled, loads
from hedgerow.engine.semantics import DIVERGENCES, TIMERS, Reference
from hedgerow.engine.statechart import Tree

# No shrinking: a chart is a large example, and its seed and sizes say all.
PHASES = (Phase.explicit, Phase.generate)
QUIET = [HealthCheck.too_slow, HealthCheck.data_too_large]


def some(examples: int) -> settings:
    return settings(max_examples=examples, phases=PHASES, suppress_health_check=QUIET)


def compiled(chart: Chart) -> Compiled:
    return loads(chart.text, "chart.json").compile()


def take(machine: Machine, item: Input) -> Step:
    if item.event is None:
        return machine.advance(item.time_ns)
    return machine.port(item.event)(item.time_ns, *item.values)


def agree(program: Compiled, happened: Iterable[Input]) -> list[Step]:
    """Run both backends side by side and hold them equal after every input; JSON tells doubles apart to the last bit."""
    machine = program.machine()
    reference = Reference(program.program, program.parameters, program.registry)
    snapshot, steps = reference.initial(), []
    for item in happened:
        live = take(machine, item)
        if item.event is None:
            snapshot, step = reference.advance(snapshot, item.time_ns)
        else:
            snapshot, step = reference.step(snapshot, item.event, item.time_ns, item.values)
        assert live == step, item
        assert machine.snapshot().to_json() == snapshot.to_json(), item
        steps.append(step)
        if diverges_again(steps):
            break
    return steps


def diverges_again(steps: list[Step]) -> bool:
    """Return whether two inputs did not settle: a chart that goes on like this shows nothing new, slowly."""
    return sum("error.divergence" in step.raised for step in steps) == 2


def continues(program: Compiled, happened: list[Input]) -> None:
    """Hold a fresh machine, restored from JSON before each input in turn, to the step and snapshot of the running one."""
    running, steps = program.machine(), list[Step]()
    for item in happened:
        restored = program.machine()
        restored.restore(running.snapshot().to_json())
        steps.append(take(running, item))
        assert take(restored, item) == steps[-1], item
        assert restored.snapshot().to_json() == running.snapshot().to_json(), item
        assert restored.next_due == running.next_due
        if diverges_again(steps):
            break


def adds_up(program: Compiled, happened: list[Input], pause: int) -> None:
    """Hold `advance(a); advance(b)` to `advance(b)`, in what fires and in the snapshot."""
    once, twice, steps = program.machine(), program.machine(), list[Step]()
    # Time starts both: a machine that has not started has no time that could add up.
    for item in (Input(None, 0), *happened):
        steps.append(take(once, item))
        assert take(twice, item) == steps[-1], item
        if diverges_again(steps):
            break
    assert once.time_ns is not None
    way, end = once.time_ns + pause * SECOND, once.time_ns + 20 * SECOND
    first, second, whole = twice.advance(way), twice.advance(end), once.advance(end)
    # One event has so many timers at most, and so many that do not settle; a machine that ended on the way refuses the
    # rest of it.
    settles = whole.raised.count("error.divergence") < DIVERGENCES
    if len(whole.timers) < TIMERS and settles and not once.ended:
        assert whole.rejected is None
        assert first.timers + second.timers == whole.timers
        assert first.fired + second.fired == whole.fired
        assert first.raised + second.raised == whole.raised
        assert first.errors + second.errors == whole.errors
        assert second.configuration == whole.configuration
        assert once.snapshot().to_json() == twice.snapshot().to_json()


def share_nothing(program: Compiled, happened: list[Input], other: list[Input]) -> None:
    """Hold a machine that takes turns with another one to a machine alone."""
    alone, first, second, steps = program.machine(), program.machine(), program.machine(), list[Step]()
    for item in happened:
        steps.append(take(alone, item))
        if diverges_again(steps):
            break
    for step, item, interrupting in zip_longest(steps, happened[: len(steps)], other[: len(steps)]):
        if interrupting is not None:
            take(second, interrupting)
        assert take(first, item) == step, item
    assert first.snapshot().to_json() == alone.snapshot().to_json()


def follows_appendix_d(chart: Chart, happened: list[Input]) -> None:
    """Hold the configuration, what fired and what was raised to the algorithm of the W3C."""
    program = compiled(chart)
    reference = Reference(program.program, program.parameters, program.registry)
    snapshot, oracle = reference.initial(), Interpreter(chart.machine)
    for item in [None, *happened]:
        fired, raised = len(oracle.fired), len(oracle.raised)
        try:
            if item is None:
                snapshot, step = reference.advance(snapshot, 0)
                oracle.start()
            else:
                assert item.event is not None
                snapshot, step = reference.step(snapshot, item.event, item.time_ns)
                oracle.send(item.event)
        except NeverSettles:
            assert "error.divergence" in step.raised
            return
        assert step.configuration == oracle.leaves, item
        assert list(step.fired) == oracle.fired[fired:], item
        assert list(step.raised) == oracle.raised[raised:], item
        assert snapshot.ended is not oracle.running
        if snapshot.ended:
            return


def test_random_charts_are_what_they_are_meant_to_be() -> None:
    steps: list[Step] = []
    kinds: Counter[str] = Counter()
    for seed in range(30):
        drawn = case(seed)
        program = compiled(drawn.chart)
        assert len(program.program.states) <= 40
        assert sum(region.root is not None for region in program.program.regions) <= 4
        parallel = [state.name for state in program.program.states if state.kind == "parallel"]
        tree = Tree(program.program.states)
        kinds.update(state.kind for state in program.program.states)
        kinds.update("nested" for inner in parallel for outer in parallel if tree.is_descendant(inner, outer))
        steps += agree(program, drawn.happened)
    assert set(kinds) == {"atomic", "compound", "parallel", "final", "history", "nested"}
    seen = {
        "two transitions at once": any(len(step.configuration) > 1 and len(step.fired) > 1 for step in steps),
        "timers": any(step.timers for step in steps),
        "several timers": any(len(step.timers) > 2 for step in steps),
        "errors": any(step.errors and step.fired for step in steps),
        "fail_safe": any("fail_safe" in step.fired for step in steps),
        "refusals": any(step.rejected for step in steps),
        "divergence": any("error.divergence" in step.raised for step in steps),
        "done events": any(name.startswith("done.state.") for step in steps for name in step.raised),
        "broken claims": any(step.broken for step in steps),
    }
    assert all(seen.values()), seen


@some(30)
@given(case=cases())
def test_reference_and_live_backend_agree_on_every_input(case: Case) -> None:
    agree(compiled(case.chart), case.happened)


@some(20)
@given(case=cases(most=12))
def test_a_machine_restored_from_json_at_any_point_continues_identically(case: Case) -> None:
    continues(compiled(case.chart), case.happened)


@some(25)
@given(case=cases(most=8))
def test_advancing_twice_is_advancing_once(case: Case) -> None:
    adds_up(compiled(case.chart), case.happened, case.pause)


@some(15)
@given(case=cases())
def test_two_machines_of_one_program_share_nothing(case: Case) -> None:
    share_nothing(compiled(case.chart), case.happened, case.other)


@some(60)
@given(case=cases(plain=True))
def test_control_flow_follows_appendix_d(case: Case) -> None:
    follows_appendix_d(case.chart, case.happened)


@pytest.mark.slow
@some(60)
@given(case=cases(most=40))
def test_many_charts_run_alike_are_restored_and_keep_time(case: Case) -> None:
    program = compiled(case.chart)
    agree(program, case.happened)
    continues(program, case.happened)
    adds_up(program, case.happened, case.pause)
    share_nothing(program, case.happened, case.other)


@pytest.mark.slow
@some(400)
@given(case=cases(most=40, plain=True))
def test_control_flow_of_many_charts_follows_appendix_d(case: Case) -> None:
    follows_appendix_d(case.chart, case.happened)
