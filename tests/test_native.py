"""The native backend is the live one, to the last bit: state, ledger and tallies after every event."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from generated import Event, Sketch, events, sketches
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from late_people import APART, LATE, PEOPLE, Sent, happenings
from random_charts import Case, Input, cases

import hedgerow
from hedgerow import Step
from hedgerow.engine.backends.native.able import why_not
from hedgerow.engine.backends.native.kernel import Options, kernel_text
from hedgerow.engine.backends.native.machine import Kernel
from hedgerow.engine.backends.native.object_code import assembly, cache_folder, machine_code
from hedgerow.engine.load import Compiled, loads
from hedgerow.engine.snapshot import Snapshot

pytest.importorskip("llvmlite", reason="the native backend is in the extra `sweep`")

SPECS = Path(__file__).parent.parent / "specs"
PHASES = (Phase.explicit, Phase.generate)
QUIET = [HealthCheck.too_slow, HealthCheck.data_too_large]


def some(examples: int) -> settings:
    return settings(max_examples=examples, phases=PHASES, suppress_health_check=QUIET)


class Native:
    """A machine of which each row goes through a kernel, and what that does not take through a live machine."""

    def __init__(self, compiled: Compiled) -> None:
        program = compiled.program
        self.compiled, self.machine = compiled, compiled.machine()
        self.kernels = {
            event.name: Kernel(program, event.name, Options())
            for event in program.events
            if not event.name.startswith(("done.", "error."))
        }
        self.memory = next(iter(self.kernels.values())).memory(1e6)
        self.parameters = next(iter(self.kernels.values())).parameters(compiled.parameters)
        self.registers = compiled.spec.live_source(program.fill).registers
        self.taken: Counter[bool] = Counter()

    def snapshot(self) -> Snapshot:
        return self.memory.snapshot(self.machine.snapshot())

    def _fits(self, name: str, time_ns: Any, values: tuple[Any, ...]) -> bool:
        """Return whether a row can be in arrays at all: a number for each field, of its type."""
        fields = self.compiled.program.event(name).fields
        types = {"real": (float,), "int": (int,), "bool": (bool,)}
        kinds = len(fields) == len(values) and all(
            type(value) in types[field.type] for field, value in zip(fields, values, strict=True)
        )
        return kinds and type(time_ns) is int and abs(time_ns) < 2**63

    def send(self, name: str, time_ns: Any, values: tuple[Any, ...]) -> bool:
        """Send one event; return whether native code took it."""
        if name in self.kernels and self._fits(name, time_ns, values):
            columns = [np.array([float(value)]) for value in values]
            kernel = self.memory.kernel = self.kernels[name]
            if self.memory.started:
                self.memory.take(self.snapshot(), [int(self.memory.get(each)) for each in kernel.slots.registers])
            before = self.memory.words.copy()
            row = self.kernels[name].run(
                self.memory,
                self.parameters,
                np.array([time_ns]),
                [column.ctypes.data for column in columns],
                0,
                np.array([1]),
                np.zeros(1),
                np.zeros(1),
            )
            self.memory.words[self.kernels[name].slots.stop] = 0
            if row == 1:
                self.taken[True] += 1
                return True
            assert np.array_equal(self.memory.words, before), "a row that is handed over changes nothing"
        self.taken[False] += 1
        self.machine.restore(self.snapshot())
        if name == "":
            self.machine.advance(time_ns)
        else:
            self.machine.port(name)(time_ns, *values)
        snapshot = self.machine.snapshot()
        if snapshot.time_ns is not None:
            self.memory.take(snapshot, [getattr(self.machine, register) for register in self.registers])
        return False


def bits(snapshot: Snapshot) -> object:
    """Return a snapshot so that equal means equal to the bit: signed zeros differ, ints are not floats."""
    cells = {n: (type(v), v.hex() if isinstance(v, float) else v) for n, v in snapshot.cells.items()}
    return snapshot.time_ns, snapshot.configuration, cells, snapshot.history, snapshot.ended


def agree(compiled: Compiled, happened: Iterable[tuple[str, Any, tuple[Any, ...]]]) -> Native:
    """Hold the native backend to the live one after every event: what a snapshot has, and what is counted."""
    live, native = compiled.machine(), Native(compiled)
    program, slots = compiled.program, native.memory.kernel.slots
    rules = {rule.name: slots.fired + index for index, rule in enumerate(program.rules)}
    claims = {name: slots.broken + index for index, (name, _) in enumerate(program.invariants)}
    for name, time_ns, values in happened:
        if live.ended:
            assert native.memory.ended
            break
        tallies = native.memory.words.copy()
        step: Step = live.advance(time_ns) if name == "" else live.port(name)(time_ns, *values)
        if native.send(name, time_ns, values):
            assert step.rejected is None
            assert not step.errors
            changes = native.memory.words - tallies
            counted = Counter({rule: int(changes[slot]) for rule, slot in rules.items() if changes[slot]})
            assert counted == Counter(step.fired), (name, time_ns, values)
            assert {claim for claim, slot in claims.items() if changes[slot]} == set(step.broken)
            assert native.memory.get("orders") - int(tallies[slots.index("orders")]) == len(step.orders)
        assert bits(native.snapshot()) == bits(live.snapshot()), (name, time_ns, values)
        assert native.memory.ended == live.ended
    return native


def walk(seed: int, count: int, volatility: float) -> list[tuple[str, int, tuple[float, ...]]]:
    source = np.random.Generator(np.random.PCG64(seed))
    prices = 1000 * np.exp(np.cumsum(source.normal(0, volatility, count)))
    hours = np.cumsum(source.integers(0, 40, count))
    return [("tick", int(h) * 3600 * 10**9, (float(p),)) for h, p in zip(hours, prices, strict=True)]


def shipped() -> list[str]:
    return [path.name for path in sorted(SPECS.glob("*.yaml"))]


def load(name: str) -> hedgerow.Spec:
    return hedgerow.load(SPECS / name, permit=("HR302",) if "as_written" in name else ())


@pytest.mark.parametrize("fill", ["same", "next"])
@pytest.mark.parametrize("name", shipped())
def test_a_shipped_spec_runs_natively_as_it_runs_live(name: str, fill: Any) -> None:
    compiled = load(name).compile(fill=fill)
    if why_not(compiled.program) is not None:
        assert str(why_not(compiled.program)).startswith("it binds Python: `")
        assert compiled.program.calls
        return
    event = next(event for event in compiled.program.events if event.fields).name
    happened = [(event, time_ns, values) for _, time_ns, values in walk(3, 600, 0.02)]
    happened[50:50] = [(event, happened[50][1], (math.nan,)), (event, 0, (1000.0,)), ("", happened[50][1], ())]
    if any(each.name == "manual_exit" for each in compiled.program.events):
        happened[400:400] = [("manual_exit", happened[400][1], ())]
    native = agree(compiled, happened)
    assert native.taken[True] > 4 * native.taken[False], native.taken


@some(25)
@given(sketch=sketches(), data=st.data())
def test_generated_specs_run_natively_as_they_run_live(sketch: Sketch, data: st.DataObject) -> None:
    compiled = loads(sketch.text, "generated.yaml").compile(fill=data.draw(st.sampled_from(("same", "next"))))
    happened: list[Event] = data.draw(events())
    agree(compiled, ((each.name, each.time_ns, each.values) for each in happened))


@some(15)
@given(case=cases())
def test_random_charts_run_natively_as_they_run_live(case: Case) -> None:
    agree(loads(case.chart.text, "chart.json").compile(), map(plain, case.happened))


@pytest.mark.parametrize("text", [LATE, APART], ids=["one", "two"])
@some(60)
@given(happened=happenings())
def test_who_arms_a_delayed_event_is_noted_natively_as_it_is_live(text: str, happened: list[Sent]) -> None:
    rows = [(name, now, () if by is None else (PEOPLE.index(by),)) for name, now, by in happened]
    native = agree(loads(text).compile(), rows)
    assert native.taken[True] > 0


CLAIMED = """
hedgerow: 1
name: claimed
events: {move: {by: {range: [-1e9, 1e9]}}, turn: {}}
state: {u: {initial: 1}, v: {initial: 3}, n: {type: int, initial: 0, range: [0, 1000]}}
machine:
  initial: a
  states:
    a:
      on:
        move: [{if: move.by > 1e8, do: {set: {u: u + move.by}}}, {do: {set: {u: u + move.by, v: v + move.by}}}]
        turn: {to: b, do: {set: {n: n + 1}}}
    b: {on: {move: {if: move.by > 0, do: {set: {n: n + 1}}}, turn: {to: a}}}
conserved: {gap: u - v, count: n}
unchanged: {kept: {while: a, of: [n, u]}, still: {while: b, of: [u, v]}}
"""


@some(25)
@given(moves=st.lists(st.one_of(st.just(None), st.floats(-1e9, 1e9)), min_size=1, max_size=30))
def test_what_is_conserved_and_unchanged_is_judged_natively_as_live(moves: list[float | None]) -> None:
    happened = [("turn", time, ()) if by is None else ("move", time, (by,)) for time, by in enumerate(moves)]
    native = agree(loads(CLAIMED).compile(), [("move", 0, (0.0,)), *happened])
    assert native.taken[False] <= 1 + moves.count(None)


def plain(item: Input) -> tuple[str, Any, tuple[Any, ...]]:
    return item.event or "", item.time_ns, item.values


# --------------------------------------------------------------------------------------------------------- machine code


@pytest.mark.parametrize("name", ["band_limited_hedge.yaml", "drawdown_desk.yaml"])
def test_no_operation_is_fused_or_reordered(name: str) -> None:
    text = kernel_text(load(name).program("same"), "tick", Options())
    loose = re.compile(r"\b(fast|reassoc|contract|arcp|afn|nnan|ninf|nsz|fma|fmuladd|nsw|nuw)\b")
    assert not loose.search(text)
    assert "fdiv double" in text
    made = assembly(text)
    assert not re.search(r"\bv?f(n?m(add|sub)|ml[as])", made)
    assert re.search(r"\b(v?div[sp]d|fdiv)\b", made)


@pytest.mark.parametrize("name", ["band_limited_hedge.yaml", "drawdown_desk.yaml"])
def test_optional_instructions_of_the_processor_change_no_bit(name: str) -> None:
    compiled = load(name).compile()
    kernel = Kernel(compiled.program, "tick", Options())
    text = kernel_text(compiled.program, "tick", Options())
    happened = walk(9, 2000, 0.01)
    times = np.array([time_ns for _, time_ns, _ in happened])
    prices = np.array([price for _, _, (price,) in happened])
    found = []
    for plain in (False, True):
        code = machine_code(lambda: text, plain=plain)  # it owns the memory of the function
        kernel.use(code)
        memory = kernel.memory(1e6)
        where = [prices.ctypes.data]
        rows = kernel.run(
            memory, kernel.parameters(compiled.parameters), times, where, 0, np.array([2000]), *np.zeros((2, 1))
        )
        found.append((rows, memory.words.tobytes(), memory.shown.tobytes()))
    assert found[0] == found[1]
    assert found[0][0] > 100


def test_object_code_is_kept_by_what_it_is_made_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEDGEROW_CACHE", str(tmp_path))
    text = kernel_text(load("drawdown_breaker.yaml").program("same"), "mark", Options(watch=False))
    assert not machine_code(lambda: text).cached
    assert machine_code(lambda: text).cached
    assert not machine_code(lambda: text + "; another\n").cached


def test_damaged_object_code_is_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEDGEROW_CACHE", str(tmp_path))
    text = kernel_text(load("drawdown_breaker.yaml").program("same"), "mark", Options())
    machine_code(lambda: text)
    (kept,) = (cache_folder() / "native").iterdir()
    for damaged in (kept.read_bytes()[:-1], b"", b"x" * 100):
        kept.write_bytes(damaged)
        assert not machine_code(lambda: text).cached
        assert machine_code(lambda: text).cached


def test_without_a_place_to_keep_it_code_runs_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("HEDGEROW_CACHE", str(tmp_path / "file"))
    program = load("drawdown_breaker.yaml").program("same")
    assert not machine_code(lambda: kernel_text(program, "mark", Options())).cached


def test_what_binds_python_has_no_kernel() -> None:
    assert why_not(load("signal_hedge.yaml").program("same")) == (
        "it binds Python: `risk.value_at_risk_within`, `sizing.hedge_curve`"
    )
