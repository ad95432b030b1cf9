"""What a call ensures: checked after it in both backends, skipped with it, an error where it does not hold."""

from __future__ import annotations

from pathlib import Path

import pytest
from probes import CALLS, REGISTRY
from twins import Twins, spec, twins

from hedgerow import Machine, load
from hedgerow.engine.diagnostics import SpecError
from hedgerow.engine.ir import Call, Program, Require
from hedgerow.engine.load import loads
from hedgerow.engine.printer import digest

TEXT = """
hedgerow: 1
name: contracts
units: [USD]
events: {tick: {x: {}, money: {unit: USD, range: [0, 9]}}, go: {x: {}}}
params: {most: {default: 10}}
state: {kept: {initial: 7}, n: {initial: 0}, begun: {initial: tick.x}}
let: {least: -most}
windows: {last: {of: tick.x, on: tick, length: 3, until_full: skip}}
observe: {tick: {OBSERVE}}
machine:
  initial: a
  fail_safe: halted
  states:
    a: {on: {ON}}
    halted: {}
"""
OBSERVED = "twice: {call: probe.double, with: {x: tick.x}, ensures: ENSURES}"
DONE = "go: {name: went, do: [{set: {n: 1}}, {call: probe.double, with: {x: go.x}, into: kept, ensures: ENSURES}]}"


def text(observe: str = "same: tick.x", on: str = "", ensures: str = "") -> str:
    filled = TEXT.replace("{OBSERVE}", "{" + observe + "}").replace("{ON}", "{" + on + "}")
    return filled.replace("ENSURES", ensures)


def machine(observe: str = "same: tick.x", on: str = "", ensures: str = "", **parameters: float) -> Twins:
    return twins(text(observe, on, ensures), registry=REGISTRY, **parameters)


def tick(both: Twins, time: int, x: float) -> list[str]:
    """Send a tick and return its errors."""
    return list(both.send("tick", time, x=x, money=1.0).errors)


def findings(observe: str = "same: tick.x", on: str = "", ensures: str = "") -> list[tuple[str, int, int, str]]:
    """Return code, line, column and message of each error."""
    with pytest.raises(SpecError) as caught:
        loads(text(observe, on, ensures), registry=REGISTRY)
    return [(f.code, f.span.line, f.span.column, f.message) for f in caught.value.diagnostics if f.severity == "error"]


def place(written: str, mark: str) -> tuple[int, int]:
    """Return the line and the column, from 1, at which `mark` stands."""
    offset = written.index(mark)
    return written.count("\n", 0, offset) + 1, offset - written.rfind("\n", 0, offset)


# ------------------------------------------------------------------------------------------------------- at run time


def test_an_observation_that_breaks_its_contract_commits_nothing_and_leads_to_fail_safe() -> None:
    both = machine(f"n: n + 1, {OBSERVED}", "tick: {name: took}", "twice <= 10")
    assert tick(both, 0, 5.0) == []
    step = both.send("tick", 1, x=6.0, money=1.0)
    assert (step.raised, step.fired) == (("error.execution",), ("fail_safe",))
    assert step.errors == ("observing `tick`: `probe.double` does not ensure `twice <= 10`",)
    assert (both.value("n"), both.value("twice"), both.snapshot.windows["last"]) == (1, 10, (5,))


def test_a_first_event_whose_call_breaks_its_contract_is_refused() -> None:
    both = machine(OBSERVED, ensures="twice <= 10")
    step = both.send("tick", 0, x=6.0, money=1.0)
    assert step.rejected == "the machine cannot start: `probe.double` does not ensure `twice <= 10`"
    assert both.snapshot.configuration == ()
    assert tick(both, 0, 5.0) == []


def test_a_transition_whose_call_breaks_its_contract_is_undone() -> None:
    both = machine(on=DONE, ensures="kept <= 10")
    tick(both, 0, 1.0)
    assert both.send("go", 1, x=5.0).fired == ("went",)
    assert (both.value("kept"), both.value("n")) == (10, 1)
    both = machine(on=DONE, ensures="kept <= 10")
    tick(both, 0, 1.0)
    step = both.send("go", 1, x=5.5)
    assert (step.raised, step.configuration) == (("error.execution",), ("halted",))
    assert step.errors == ("`went`: `probe.double` does not ensure `kept <= 10`",)
    assert (both.value("kept"), both.value("n")) == (7, 0)


def test_of_several_conditions_the_first_that_fails_is_told() -> None:
    both = machine(OBSERVED, ensures="[twice >= least, twice <= most, twice != 4]")
    tick(both, 0, 0.0)
    assert [tick(both, time, x)[0].split("ensure ")[1] for time, x in enumerate((-6.0, 6.0, 2.0), 1)] == [
        "`twice >= least`",
        "`twice <= most`",
        "`twice != 4`",
    ]


def test_a_condition_without_a_value_is_an_error_too() -> None:
    both = machine(OBSERVED, ensures="1 / twice > 0")
    tick(both, 0, 1.0)
    assert tick(both, 1, 0.0) == ["observing `tick`: division by zero"]


def test_a_condition_reads_arguments_fields_params_lets_memory_and_the_let_of_a_step() -> None:
    ensures = "[twice == 2 * tick.x, twice <= most, twice >= least, twice >= previous(twice), tick.money > 0 USD]"
    both = machine(OBSERVED, ensures=ensures, most=100)
    assert [bool(tick(both, time, x)) for time, x in enumerate((1.0, 1.0, 2.0, 1.5, 2.0))] == [
        False,
        False,
        False,
        True,
        False,
    ]
    call = "{call: probe.double, with: {x: half}, into: kept, ensures: kept == 2 * half}"
    both = machine(on=f"go: {{do: [{{let: {{half: go.x / 2}}}}, {call}]}}")
    tick(both, 0, 1.0)
    assert both.send("go", 1, x=3.0).errors == ()
    assert both.value("kept") == 3


def test_a_function_is_called_once_where_its_contract_is_broken() -> None:
    both = machine(OBSERVED, ensures="twice <= 10")
    tick(both, 0, 1.0)
    CALLS.clear()
    both.machine.send("tick", 1, x=6.0, money=1.0)
    assert CALLS == [6]


WAITING = "seen: {call: probe.first_and_size, with: {values: last}, initial: {first: -1, second: 0}, ensures: ENSURES}"
SUM = "go: {name: sum, do: {call: probe.total, with: {values: last}, into: kept, ensures: ENSURES}}"


def test_while_its_window_is_not_full_neither_a_call_nor_what_it_ensures_is_looked_at() -> None:
    both = machine(WAITING, ensures="[seen.second == 3, seen.first < 7]")
    found = [tick(both, time, x) for time, x in enumerate((5.0, 6.0, 7.0, 8.0, 9.0))]
    assert found == [[], [], [], [], ["observing `tick`: `probe.first_and_size` does not ensure `seen.first < 7`"]]
    assert (both.value("seen.first"), both.value("seen.second")) == (6, 3)


def test_what_a_call_of_an_action_ensures_waits_for_its_window_too() -> None:
    both = machine(on=SUM, ensures="kept < 7")
    for time, x in enumerate((1.0, 2.0)):
        tick(both, time, x)
    assert both.send("go", 2, x=0.0).errors == ()
    assert both.value("kept") == 7
    tick(both, 3, 3.0)
    assert both.send("go", 4, x=0.0).errors == ()
    assert both.value("kept") == 6
    tick(both, 5, 4.0)
    assert both.send("go", 6, x=0.0).errors == ("`sum`: `probe.total` does not ensure `kept < 7`",)


def test_generated_code_judges_a_contract_itself_and_leaves_only_a_broken_one_to_the_reference(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    left: list[str] = []
    defer = Machine._defer

    def counting(self: Machine, event: str, *rest: object) -> object:
        left.append(event)
        return defer(self, event, *rest)  # type: ignore[arg-type]  # handed on as it came

    monkeypatch.setattr(Machine, "_defer", counting)
    both = machine(f"{OBSERVED}, {WAITING.replace('ENSURES', 'seen.second == 3')}", DONE, ensures="2 * n <= most")
    tick(both, 0, 1.0)
    left.clear()
    for time in range(1, 5):
        assert tick(both, time, 1.0) == []
    assert both.send("go", 5, x=1.0).fired == ("went",)
    assert left == []
    both = machine(OBSERVED, ensures="twice <= 10")
    tick(both, 0, 1.0)
    left.clear()
    assert len(tick(both, 1, 6.0)) == 1
    assert left == ["tick"]


def test_a_used_spec_keeps_its_contracts(tmp_path: Path) -> None:
    observe = f"{WAITING.replace('ENSURES', 'seen.first < 7')}, {OBSERVED.replace('ENSURES', 'twice <= most')}"
    (tmp_path / "inner.yaml").write_text(text(observe), encoding="utf-8")
    outer = "hedgerow: 1\nname: outer\nunits: [USD]\nuse: {inner: {spec: inner.yaml}}\n"
    (tmp_path / "outer.yaml").write_text(outer, encoding="utf-8")
    both = Twins(load(tmp_path / "outer.yaml", registry=REGISTRY).compile())
    assert [tick(both, time, x) for time, x in enumerate((4.0, 3.0, 2.0))] == [[], [], []]
    assert tick(both, 3, 6.0) == ["observing `tick`: `probe.double` does not ensure `twice <= most`"]
    both = Twins(load(tmp_path / "outer.yaml", registry=REGISTRY).compile(**{"inner.most": 100.0}))
    assert [tick(both, time, x) for time, x in enumerate((8.0, 3.0))] == [[], []]
    assert tick(both, 2, 4.0) == ["observing `tick`: `probe.first_and_size` does not ensure `seen.first < 7`"]


# ------------------------------------------------------------------------------------------------------------ the IR


def checked(program: Program) -> list[tuple[str, tuple[str, ...]]]:
    """Return the reason and the windows of each check that follows a call at once, or another such check."""
    found, after = list[tuple[str, tuple[str, ...]]](), False
    for instruction in program.event("tick").observe[0]:
        after = isinstance(instruction, Call) or (after and isinstance(instruction, Require))
        if after and isinstance(instruction, Require):
            found.append((instruction.reason.partition(" ")[0], instruction.waits))
    return found


def test_what_a_call_ensures_is_a_check_behind_it_that_waits_for_the_same_windows() -> None:
    observe = f"{OBSERVED}, {WAITING}".replace("ENSURES", "[twice > 0, twice < 9]", 1)
    program = spec(text(observe, ensures="seen.second > 0"), REGISTRY).program()
    double, seen = ("`probe.double`", ()), ("`probe.first_and_size`", ("last",))
    assert checked(program) == [double, double, seen]


def test_blanks_in_a_condition_make_no_other_program_and_another_condition_does() -> None:
    names = [
        digest(spec(text(OBSERVED, ensures=ensures), REGISTRY).program())
        for ensures in ("twice <= 10", "'twice  <=10'", "twice <= 11")
    ]
    assert names[0] == names[1]
    assert names[0] != names[2]


def test_a_long_condition_is_shown_by_its_beginning() -> None:
    long = " + ".join(["twice"] * 40)
    both = machine(OBSERVED, ensures=f"{long} < 1")
    tick(both, 0, 0.0)
    (told,) = tick(both, 1, 1.0)
    assert told.startswith("observing `tick`: `probe.double` does not ensure `twice + twice + ")
    assert told.endswith("…`")
    assert len(told) < 220


# ----------------------------------------------------------------------------------------------------- what is wrong

WRONG = {
    "a name that is not there": ("twcie > 0", "twcie > 0", "HR201", "unknown name `twcie`"),
    "a number": ("2 * twice", "2 * twice", "HR301", "what a call ensures is true or false, this is a number"),
    "another unit": ("twice < tick.money", "twice <", "HR302", "this compares `1` and `USD`"),
    "a field of another event": (
        "twice < go.x", "go.x", "HR204", "`go.x` exists only while `go` is processed; here it is `tick`"
    ),
    "what is observed further down": ("twice < below", "below, ", "HR408", "`below` is observed further down"),
    "what was before": ("before.n < 1", "before.n", "HR210", "`before` cannot be read in what a call ensures"),
    "no expression": ("twice >", ", initial: 0", "HR110", "a value is missing"),
    "the second of a list": ("[twice > 0, nothing > 0]", "nothing", "HR201", "unknown name `nothing`"),
}  # fmt: skip


@pytest.mark.parametrize(("ensures", "mark", "code", "message"), WRONG.values(), ids=WRONG)
def test_a_wrong_condition_of_an_observation_is_told_where_it_stands(
    ensures: str, mark: str, code: str, message: str
) -> None:
    observe = f"{OBSERVED[:-1]}, initial: 0}}, below: tick.x"
    written = text(observe, ensures=ensures)
    assert findings(observe, ensures=ensures) == [(code, *place(written, mark), message)]


def test_a_wrong_condition_of_an_action_is_told_where_it_stands() -> None:
    written = text(on=DONE, ensures="[kept > 0, kept < tick.money, kept]")
    first, second = place(written, "tick.money"), place(written, "kept]")
    assert findings(on=DONE, ensures="[kept > 0, kept < tick.money, kept]") == [
        ("HR204", *first, "`tick.money` exists only while `tick` is processed; here it is `go`"),
        ("HR301", *second, "what a call ensures is true or false, this is a number"),
    ]


@pytest.mark.parametrize(
    ("observe", "on"),
    [
        ("same: tick.x", "go: {do: {set: {n: 1}, ensures: n > 0}}"),
        ("same: tick.x", "go: {if: n > 0, ensures: n > 0, do: {set: {n: 1}}}"),
    ],
)
def test_ensures_beside_anything_but_a_call_is_told_with_what_to_write(observe: str, on: str) -> None:
    with pytest.raises(SpecError) as caught:
        loads(text(observe, on), registry=REGISTRY)
    (found,) = caught.value.diagnostics
    assert (found.code, found.message) == ("HR101", "unknown key `ensures`")
    assert (found.span.line, found.span.column) == place(text(observe, on), "ensures")
    assert found.help == "only a `call` ensures something: write it beside one, or claim it under `invariants:`"


def test_an_observation_that_ensures_and_calls_nothing_lacks_its_call() -> None:
    observe = "twice: {ensures: n > 0}"
    assert findings(observe) == [("HR102", *place(text(observe), "twice: {ensures"), "`call` is missing")]


@pytest.mark.parametrize(("ensures", "code"), [("[]", "HR104"), ("{n: 1}", "HR103"), ("[{n: 1}, twice > 0]", "HR103")])
def test_what_is_no_condition_and_no_list_of_them_is_told_once(ensures: str, code: str) -> None:
    assert [found[0] for found in findings(OBSERVED, ensures=ensures)] == [code]


def test_behind_a_condition_that_is_none_the_others_keep_their_places() -> None:
    ensures = "[twice > 0, gone > 0, {n: 1}, lost > 0]"
    written = text(OBSERVED, ensures=ensures)
    assert findings(OBSERVED, ensures=ensures) == [
        ("HR201", *place(written, "gone"), "unknown name `gone`"),
        ("HR103", *place(written, "{n: 1}"), "an expression (text, a number, true or false) is expected here"),
    ]
