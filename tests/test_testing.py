"""`hedgerow.testing`: a spec under Hypothesis."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from hedgerow.engine.dryrun.problem import RunError
from hedgerow.engine.load import ParameterError, load, loads
from hedgerow.testing import machine_for

SPECS = Path(__file__).parent.parent / "specs"
QUICK = settings(
    max_examples=40,
    stateful_step_count=15,
    derandomize=True,
    deadline=None,
    database=None,
    phases=(Phase.generate, Phase.shrink),
)

TEXT = """
hedgerow: 1
name: three_strikes
about: Ends after three.
events:
  hit: {size: {type: int, range: [1, 3]}, hard: {type: bool}}
params:
  most: {default: 4, type: int, range: [1, 100]}
state:
  total: {type: int, initial: 0, range: [0, 100]}
machine:
  initial: up
  states:
    up:
      on:
        hit:
          - {name: out, if: total > 3, to: over}
          - {name: strike, do: {set: {total: total + hit.size}}}
    over: {final: true}
invariants:
  bounded: total <= most
"""


def test_a_broken_invariant_is_found_and_named_with_the_event_after_which_it_breaks() -> None:
    with pytest.raises(AssertionError) as raised:
        run_state_machine_as_test(machine_for(loads(TEXT)), settings=QUICK)
    assert str(raised.value).startswith("`bounded` of `three_strikes` does not hold after `hit size=")
    assert any("state.send_hit(" in note for note in raised.value.__notes__)


def test_parameters_are_bound_and_a_machine_that_has_ended_stops_quietly() -> None:
    made = machine_for(loads(TEXT), most=100)
    ended = 0

    class Watched(made):  # type: ignore[misc, valid-type]  # a class made at run time
        def teardown(self) -> None:
            nonlocal ended
            if self.machine.ended:
                ended += 1
                assert self.step.rejected is None  # nothing was sent after the end

    run_state_machine_as_test(Watched, settings=QUICK)
    assert ended > 0


def test_a_subclass_sees_the_machine_and_its_last_step() -> None:
    from hypothesis.stateful import invariant

    seen: list[Any] = []

    class Watched(machine_for(loads(TEXT), most=100)):  # type: ignore[misc]  # a class made at run time
        @invariant()
        def look(self) -> None:
            if self.step is not None:
                seen.append((self.step.fired, self.machine.value("total"), self.time_ns))

    run_state_machine_as_test(Watched, settings=QUICK)
    assert {fired for fired, _, _ in seen} == {("strike",), ("out",)}
    assert any(time > 0 for _, _, time in seen)


@pytest.mark.parametrize("name", ["band_limited_hedge", "drawdown_desk", "drawdown_breaker"])
def test_the_invariants_of_shipped_specs_hold(name: str) -> None:
    run_state_machine_as_test(machine_for(load(SPECS / f"{name}.yaml")), settings=QUICK)


def test_there_is_a_rule_for_each_event_from_outside_and_none_is_refused() -> None:
    made = machine_for(load(SPECS / "drawdown_desk.yaml").bind({}, fill="next"))
    assert [name for name in dir(made) if name.startswith("send_")] == ["send_release", "send_tick"]
    assert (made.__name__, made.__doc__) == (
        "DrawdownDeskMachine",
        "The band-limited hedge under a drawdown breaker that makes it wind down.",
    )
    refused: list[str] = []

    class Watched(made):  # type: ignore[misc, valid-type]  # a class made at run time
        def teardown(self) -> None:
            if self.step is not None and self.step.rejected is not None:
                refused.append(self.step.rejected)

    run_state_machine_as_test(Watched, settings=QUICK)
    assert refused == []


def test_what_does_not_fit_is_refused() -> None:
    spec = loads(TEXT)
    with pytest.raises(ParameterError, match="`most` = 0 is outside its range"):
        machine_for(spec, most=0)
    with pytest.raises(TypeError, match="bound already"):
        machine_for(spec.compile(), most=3)
    alone = loads("hedgerow: 1\nname: alone\nabout: Nothing comes in.\nmachine: {initial: a, states: {a: {}}}\n")
    with pytest.raises(RunError, match="no event that comes from outside"):
        machine_for(alone)


def test_importing_it_imports_neither_hypothesis_nor_numpy() -> None:
    code = "import sys, hedgerow.testing; print(*sorted({'hypothesis', 'numpy'} & set(sys.modules)))"
    answer = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert answer.stdout.split() == []


def test_without_hypothesis_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "hypothesis", None)
    with pytest.raises(ImportError, match=r"pip install 'hedgerow\[testing\]'"):
        machine_for(loads(TEXT))
