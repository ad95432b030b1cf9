"""Bad input, as an attacker would send it: one clear error, exit code 2, nothing executed, nothing written.

What concerns one stage only stands in the tests of that stage (`test_source`, `test_expression`, `test_dryrun_data`);
here are whole specs, whole commands, snapshots and events.
"""

from __future__ import annotations

import csv
import datetime
import gzip
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from hedgerow import SpecError
from hedgerow.cli.main import main
from hedgerow.engine.blocks import MAX_STEPS
from hedgerow.engine.load import ParameterError, loads
from hedgerow.engine.snapshot import SnapshotError

SPECS = Path(__file__).parents[1] / "specs"
BAND = str(SPECS / "band_limited_hedge.yaml")

HEAD = """\
hedgerow: 1
name: small
about: Buys one unit when the price has risen by a tenth.
units: [USD, IDX]
capital: {USD: 1000}
events: {tick: {price: {unit: USD/IDX, range: [0.01, 10000000]}}}
params:
  fee: {default: 0.001, range: [0, 0.1]}
  fill: {type: int, default: 3, range: [1, 9]}
  self: {type: bool, default: true}
instruments: {index: {unit: IDX, price: tick.price, fee: fee}}
legs: {long: {instrument: index, side: long}}
"""
SMALL = (
    HEAD
    + """\
state:
  reference: {unit: USD/IDX, initial: index.price}
  count: {type: int, initial: 0, range: [0, 5]}
  open: {type: bool, initial: self}
windows: {prices: {of: index.price, on: tick, length: 3, until_full: skip}}
machine:
  initial: waiting
  fail_safe: halted
  states:
    waiting: {on: {tick: {name: rise, if: index.price > 1.1 * reference, do: buy}}}
    halted: {}
actions: {buy: [{increase: {long: 1 IDX}}, {set: {reference: index.price}}]}
"""
)
MACHINE = "machine: {initial: a, fail_safe: h, states: {a: {}, h: {}}}\n"


def refused(text: str) -> str:
    """Return the text of all that is wrong with a spec."""
    with pytest.raises(SpecError) as caught:
        loads(text, "spec.yaml")
    return str(caught.value)


# ------------------------------------------------------------------------------------------------------------ specs


@pytest.mark.parametrize(
    "expression",
    [
        "__import__('os').system('touch broken_in')",
        "().__class__.__bases__",
        "tick.price.__class__",
        "index.__dict__",
        "open",
        "eval(1)",
        "exec",
        "lambda: 1",
        "[x for x in y]",
        "f'{1}'",
        "print(1)",
        "globals()",
    ],
)
def test_no_expression_reaches_python(expression: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    told = refused(f'{HEAD}{MACHINE}let: {{a_let: "{expression}"}}\n')
    assert "spec.yaml:14:" in told
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("function", ["os.system", "builtins.eval", "hedgerow.cli.main.main", "sys.exit"])
def test_only_listed_functions_are_called(function: str) -> None:
    told = refused(f"{HEAD}{MACHINE}observe: {{tick: {{x: {{call: {function}, with: {{command: 1}}, initial: 0}}}}}}\n")
    assert f"HR501]: unknown function `{function}`" in told


def test_a_chain_of_lets_costs_in_proportion_to_its_length(monkeypatch: pytest.MonkeyPatch) -> None:
    from hedgerow.engine.check import Checker

    looked_into = 0
    lets_in = Checker._lets_in

    def counted(self: Checker, node: Any) -> list[str]:
        nonlocal looked_into
        looked_into += 1
        return lets_in(self, node)

    monkeypatch.setattr(Checker, "_lets_in", counted)
    lets = "".join(f"  l{i}: l{i - 1} + 1\n" for i in range(1, 400))
    told = refused(f"{HEAD}{MACHINE}let:\n  l0: tick.price / index.price\n{lets}observe: {{tick: {{x: l399}}}}\n")
    assert "HR111" in told
    # Each let is looked into when it is expanded and when it is checked by itself, in each of two scopes.
    assert looked_into < 4 * 400


def test_actions_that_run_each_other_twice_do_not_double_for_ever() -> None:
    doubling = "".join(f"  x{i}: [{', '.join(['x' + str(i - 1)] * 8)}]\n" for i in range(1, 10))
    told = refused(f"{HEAD}{MACHINE}actions:\n  x0: [{{raise: tick}}]\n{doubling}")
    assert f"HR007]: the actions have more than {MAX_STEPS:,} steps once named ones are written out" in told


def test_actions_without_a_step_do_not_double_for_ever_either() -> None:
    doubling = "".join(f"  x{i}: [{', '.join(['x' + str(i - 1)] * 8)}]\n" for i in range(1, 10))
    assert "HR007" in refused(f"{HEAD}{MACHINE}actions:\n  x0: []\n{doubling}")


def test_windows_that_no_memory_holds_are_refused_where_they_grow_too_long() -> None:
    windows = "".join(f"  w{i}: {{of: index.price, on: tick, length: 1000000, until_full: skip}}\n" for i in range(12))
    told = refused(f"{HEAD}{MACHINE}windows:\n{windows}")
    assert told.startswith("spec.yaml:25:44: error[HR007]: the windows hold more than 10,000,000 values together")
    assert told.count("error[") == 1


def test_a_cycle_of_lets_or_actions_is_told_by_its_names() -> None:
    told = refused(f"{HEAD}{MACHINE}let: {{a1: b1 + 1, b1: a1 + 1}}\n")
    assert "is defined by itself: " in told
    assert "a1 -> b1" in told
    assert "runs itself: y -> x -> y" in refused(f"{HEAD}{MACHINE}actions: {{x: [y], y: [x]}}\n")


def test_every_one_of_thousands_of_mistakes_is_told() -> None:
    claims = "".join(f"  i{i}: nope{i} > 0\n" for i in range(2000))
    with pytest.raises(SpecError) as caught:
        loads(f"{HEAD}{MACHINE}invariants:\n{claims}")
    assert len(caught.value.diagnostics) == 2000


@pytest.mark.parametrize(
    "machine",
    [
        "{initial: a, fail_safe: h, states: {a: {always: {to: b}}, b: {always: {to: a}}, h: {}}}",
        "{initial: a, fail_safe: h, states: {a: {on: {tick: {do: [{raise: go}]}, go: {do: [{raise: go}]}}}, h: {}}}",
        "{initial: a, fail_safe: h, states: {a: {on: {tick: {to: h}}}, h: {entry: {increase: {long: -1 IDX}}}}}",
        "{initial: a, fail_safe: h, states: {a: {on: {'*': {do: {increase: {long: -1 IDX}}}}}, h: {}}}",
    ],
)
def test_a_machine_that_never_settles_comes_to_rest_and_trades_nothing(machine: str) -> None:
    text = HEAD.replace("events: {", "events: {go: {}, ").replace("price: tick.price", "price: {tick: tick.price}")
    running = loads(f"{text}machine: {machine}\n").compile().machine()
    for time in range(3):
        step = running.send("tick", time, price=100.0)
        assert step.orders == ()
        assert step.rejected is None
    assert running.configuration in (("h",), ("a",))


POSITIONS = {
    "event": "tick",
    "field": "price",
    "param": "cost",
    "instrument": "index",
    "leg": "stock",
    "cell": "anchor",
    "let": "double",
    "window": "past",
    "observed": "smooth",
    "result": "risk1",
    "state": "waiting",
    "target": "holding",
    "rule": "rise",
    "action": "buy",
    "local": "bite",
    "invariant": "sane",
}
NAMED = """\
hedgerow: 1
name: named
units: [USD, IDX]
capital: {{USD: 1000}}
events: {{{event}: {{{field}: {{unit: USD/IDX, range: [1, 1000]}}}}}}
params: {{{param}: {{default: 0.001, range: [0, 0.1]}}}}
instruments: {{{instrument}: {{unit: IDX, price: {event}.{field}, fee: {param}}}}}
legs: {{{leg}: {{instrument: {instrument}, side: long}}}}
state: {{{cell}: {{unit: USD/IDX, initial: {instrument}.price}}}}
let: {{{let}: {instrument}.price * 2}}
windows:
  {window}: {{of: {instrument}.price / previous({instrument}.price) - 1, on: {event}, length: 2, until_full: skip}}
observe:
  {event}:
    {observed}: "ewma({let}, decay=0.5, initial=1 USD / 1 IDX)"
    {result}:
      call: risk.value_at_risk_within
      with: {{returns: {window}, equity: equity, limit: 100, confidence: 0.9}}
      initial: {{ok: true, value: 0}}
machine:
  initial: {state}
  fail_safe: halted
  states:
    {state}: {{on: {{{event}: {{name: {rule}, if: {let} > 1.1 * {cell}, do: {action}, to: {target}}}}}}}
    {target}: {{}}
    halted: {{}}
actions:
  {action}: [{{let: {{{local}: 1 IDX}}}}, {{increase: {{{leg}: {local}}}}}, {{set: {{{cell}: {observed}}}}}]
invariants: {{{invariant}: {leg}.quantity >= 0}}
"""


@pytest.mark.parametrize("position", POSITIONS)
@pytest.mark.parametrize(
    "name", ["self", "type", "print", "class", "def", "exec", "Machine", "snapshot", "mro", "float", "make", "event0"]
)
def test_a_name_of_python_is_a_name_like_any_other(position: str, name: str) -> None:
    names = {**POSITIONS, position: name}
    compiled = loads(NAMED.format(**names)).compile(**{names["param"]: "0.01"})
    machine = compiled.machine()
    for time, price in enumerate((100.0, 150.0, 200.0, 120.0)):
        step = machine.send(names["event"], time, **{names["field"]: price})
        assert (step.rejected, step.errors, step.broken) == (None, (), ())
    twin = compiled.machine()
    twin.restore(machine.snapshot().to_json())
    assert twin.value(f"{names['leg']}.quantity") == 1.0
    assert twin.configuration == (names["target"],)


@pytest.mark.parametrize("position", POSITIONS)
@pytest.mark.parametrize("name", ["v1_", "time_", "__init__", "_x", "x__y", "аbs", "ａbs", "ﬁ", "a\u0332", "a-b", "1a"])
def test_a_name_that_generated_code_could_have_is_no_name(position: str, name: str) -> None:
    assert "error[HR1" in refused(NAMED.format(**{**POSITIONS, position: name}))


# ------------------------------------------------------------------------------------------------------- parameters


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("fee", float("nan")),
        ("fee", float("inf")),
        ("fee", "nan"),
        ("fee", "1e400"),
        ("fee", 10**5000),
        ("fee", ""),
        ("fee", "a" * 100_000),
        ("fee", "(" * 3_000),
        ("fee", "\x1b[31m"),
        ("fee", "\ud800"),
        ("fee", "0.05\nfill: 1"),
        ("fee", "!!python/object x"),
        ("fee", "__import__('os')"),
        ("fee", "fee"),
        ("fee", None),
        ("fee", []),
        ("fee", True),
        ("fee", -1e-9),
        ("fee", 0.1000001),
        ("fill", 3.0),
        ("fill", 10),
        ("self", 1),
        ("nope" * 1000, 1),
    ],
    ids=lambda value: value[:20] if isinstance(value, str) else type(value).__name__,
)
def test_a_wrong_value_of_a_param_is_refused_in_a_line(name: str, value: Any) -> None:
    with pytest.raises(ParameterError) as caught:
        loads(SMALL).bind({name: value})
    assert len(str(caught.value)) < 400
    assert name[:64] in str(caught.value)


@pytest.mark.parametrize("fee", [0, 0.1, "0.1", "1/10", Decimal("0.1"), Fraction(1, 10), np.float64(0.1)])
def test_both_ends_of_a_range_are_allowed(fee: Any) -> None:
    assert loads(SMALL).compile(fee=fee).parameters["fee"] == float(Fraction(fee))


def test_params_may_be_called_like_arguments_of_python() -> None:
    compiled = loads(SMALL).bind({"fill": 5, "self": False}, fill="next")
    assert (compiled.parameters["fill"], compiled.parameters["self"], compiled.program.fill) == (5, False, "next")
    assert loads(SMALL).compile(self=False).parameters["self"] is False


def test_an_unknown_fill_is_refused() -> None:
    with pytest.raises(ParameterError, match="`fill` is `same` or `next`"):
        loads(SMALL).compile(fill="later")  # type: ignore[arg-type]  # that is the test


# ----------------------------------------------------------------------------------------------------------- events


class Unspeakable:
    """Something whose text cannot be had."""

    def __repr__(self) -> str:
        raise RuntimeError


@pytest.mark.parametrize(
    "price",
    [
        float("nan"), float("inf"), -1.0, 0.0, 1e308, 10**400, -(10**5000), True, np.True_, "100", b"100", None,
        [100.0], np.array(100.0), np.array([1.0, 2.0]), 1j, Decimal(100), Unspeakable(), type,
    ],
    ids=lambda price: type(price).__name__,
)  # fmt: skip
@pytest.mark.parametrize("way", ["send", "port"])
def test_a_wrong_value_of_a_field_is_refused_and_changes_nothing(price: Any, way: str) -> None:
    machine = loads(SMALL).compile().machine()
    machine.send("tick", 5, price=100.0)
    before = machine.snapshot()
    step = machine.send("tick", 6, price=price) if way == "send" else machine.port("tick")(6, price)
    assert step.rejected is not None
    assert "`price`" in step.rejected
    assert len(step.rejected) < 120
    assert machine.snapshot() == before


@pytest.mark.parametrize("price", [np.float64(150), np.float32(150), np.int8(100), Fraction(301, 2), 150])
def test_a_number_of_another_kind_is_taken_as_a_plain_float(price: Any) -> None:
    machine = loads(SMALL).compile().machine()
    assert machine.send("tick", 5, price=price).rejected is None
    assert type(machine.value("index.price")) is float


@pytest.mark.parametrize(
    "time",
    [4, -(2**63) - 1, 2**63, 10**5000, 6.0, True, "6", None, float("nan"), np.datetime64(6, "ns"), Unspeakable()],
    ids=lambda time: type(time).__name__,
)
def test_a_wrong_time_is_refused_and_changes_nothing(time: Any) -> None:
    machine = loads(SMALL).compile().machine()
    machine.send("tick", 5, price=100.0)
    before = machine.snapshot()
    step = machine.send("tick", time, price=150.0)
    assert step.rejected is not None
    assert "time" in step.rejected
    assert machine.snapshot() == before


@pytest.mark.parametrize(
    "event",
    ["nope", "", "__init__", "_load", "x" * 10_000, None, 5, ["tick"], Unspeakable()],
    ids=lambda event: type(event).__name__,
)
def test_an_unknown_event_is_refused_in_a_line(event: Any) -> None:
    step = loads(SMALL).compile().machine().send(event, 5, price=100.0)
    assert step.rejected is not None
    assert step.rejected.startswith("unknown event `")
    assert len(step.rejected) < 200


# -------------------------------------------------------------------------------------------------------- snapshots


def snapshot(**changes: Any) -> str:
    """Return the JSON of a snapshot of SMALL; a mapping changes what it names, anything else replaces."""
    machine = loads(SMALL).compile().machine()
    machine.send("tick", 5, price=100.0)
    body = json.loads(machine.snapshot().to_json())
    for key, change in changes.items():
        body[key] = {**body[key], **change} if isinstance(change, dict) else change
    return json.dumps(body)


@pytest.mark.parametrize(
    "changes",
    [
        *({"cells": {"cash": value}} for value in ("x", None, [], {}, True, float("nan"), float("inf"), 10**400)),
        *({"cells": {"count": value}} for value in ("1", None, True, 1.5, 2**63)),
        *({"cells": {"open": value}} for value in ("true", None, 1, 0.0)),
        {"cells": {"more": 1.0}},
        *({"cells": value} for value in (None, 1, True, "x", [])),
        *({"time_ns": value} for value in (None, "5", 5.0, True, 2**63, [])),
        *({"configuration": value} for value in ([], ["nope"], ["waiting", "halted"], [["waiting"]], [None], 5, None)),
        *({"windows": {"prices": value}} for value in ([1.0] * 4, ["a"], [None], [float("nan")], [True], "abc", 5)),
        {"windows": {"more": []}},
        {"windows": []},
        *({"ended": value} for value in (None, 1, "false")),
        *({"parameters": value} for value in (None, 5, [], "x")),
        {"parameters": {"fee": 0.002}},
        *({"program": value} for value in (None, 5, "", "0" * 64)),
        *({"format": value} for value in (None, 1, "2", True, [])),
    ],
    ids=lambda changes: json.dumps(changes)[:50],
)
def test_a_snapshot_that_no_machine_of_the_program_gives_is_refused_and_changes_nothing(
    changes: dict[str, Any],
) -> None:
    machine = loads(SMALL).compile().machine()
    machine.send("tick", 7, price=90.0)
    before = machine.snapshot()
    with pytest.raises(SnapshotError) as caught:
        machine.restore(snapshot(**changes))
    assert len(str(caught.value)) < 300
    assert machine.snapshot() == before


@pytest.mark.parametrize(
    "text",
    ["", "null", "[1]", "5", '"x"', "{}", "[" * 100_000, '{"a":' * 100_000, '{"format":' + "9" * 10_000 + "}", "\x00"],
    ids=lambda text: text[:10],
)
def test_a_text_that_is_no_snapshot_is_refused(text: str) -> None:
    with pytest.raises(SnapshotError):
        loads(SMALL).compile().machine().restore(text)


@pytest.mark.parametrize("thing", [None, b"{}", 5, {}])
def test_a_thing_that_is_no_snapshot_is_refused(thing: Any) -> None:
    with pytest.raises(SnapshotError, match="a snapshot or its JSON text is expected"):
        loads(SMALL).compile().machine().restore(thing)


def test_a_json_tool_may_write_a_real_without_its_point() -> None:
    machine = loads(SMALL).compile().machine()
    machine.restore(snapshot(cells={"cash": 1000, "reference": 100}, windows={"prices": [100]}))
    assert machine.snapshot().to_json() == json.dumps(json.loads(snapshot()), sort_keys=True, separators=(",", ":"))


# --------------------------------------------------------------------------------------------------- the command line


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in a folder that holds the small spec and two rows of data."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "small.yaml").write_text(SMALL)
    (tmp_path / "data.csv").write_text("date,price\n2020-01-01,100\n2020-01-02,120\n")
    return tmp_path


Told = Callable[..., str]


@pytest.fixture
def told(place: Path, capsys: pytest.CaptureFixture[str]) -> Told:
    """Return what runs a command that has to be refused, and returns what it said, having written nothing."""

    def run(*arguments: str) -> str:
        before = sorted(place.iterdir())
        assert main(arguments) == 2
        assert sorted(place.iterdir()) == before
        said = capsys.readouterr().err
        assert "Traceback" not in said
        return said

    return run


def run_of(data: str, *options: str) -> tuple[str, ...]:
    return ("run", "small.yaml", "--data", data, "--out", "out", *options)


@pytest.mark.parametrize("command", [("validate", BAND), ("run", BAND, "--data", "sp500"), ("diagram", BAND)])
@pytest.mark.parametrize(("code", "what"), [("HR001", "cannot be waived"), ("NOPE", "no finding has the code `NOPE`")])
def test_a_finding_that_cannot_be_waived_is_refused(told: Told, command: tuple[str, ...], code: str, what: str) -> None:
    assert what in told(*command, "--permit", code)


@pytest.mark.parametrize(
    ("setting", "what"),
    [
        ("fill=99", "`fill` = 99 is outside its range [1, 9]"),
        ("self=1", "`self` is true or false"),
        ("fee=nan", "`fee`: unknown name `nan`: give a number"),
        ("fee=fill", "`fee`: unknown name `fill`: give a number"),
        ("parameters=1", "unknown param `parameters`"),
        ("=1", "is no pair"),
        ("fee=\x1b[31m", "U+001B"),
    ],
)
def test_a_weird_setting_is_refused(told: Told, setting: str, what: str) -> None:
    assert what in told(*run_of("data.csv", "--set", setting))


def test_params_called_like_arguments_of_python_can_be_set(place: Path) -> None:
    assert main(run_of("data.csv", "--set", "fill=4", "--set", "self=false", "--no-report")) == 0
    found = json.loads((place / "out" / "summary.json").read_text())["fingerprint"]["parameters"]
    assert found == {"fee": 0.001, "fill": 4, "self": False}


LONG = "a" * 300


@pytest.mark.parametrize(
    "arguments",
    [
        ("validate", LONG), ("diagram", LONG), ("compare", LONG, LONG), ("run", LONG, "--data", "sp500"), run_of(LONG),
        ("run", "small.yaml", "--data", "data.csv", "--out", LONG), ("new", "x", "--out", LONG),
        ("schema", "--out", LONG),
    ],
    ids=lambda arguments: arguments[0],
)  # fmt: skip
def test_a_name_too_long_for_the_system_is_refused(told: Told, arguments: tuple[str, ...]) -> None:
    said = told(*arguments)
    assert "too long" in said or "there is no run here" in said


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no pipes with names")
@pytest.mark.parametrize("kind", ["pipe", "device", "loop"])
@pytest.mark.parametrize("command", ["validate", "run", "data", "compare", "diagram", "out"])
def test_what_is_no_file_is_refused_without_being_waited_for(told: Told, place: Path, kind: str, command: str) -> None:
    path = str(place / "special")
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "loop":
        (place / "special").symlink_to("special")
    else:
        path = "/dev/zero"
    arguments = {
        "validate": ("validate", path),
        "run": ("run", path, "--data", "data.csv"),
        "data": run_of(path),
        "compare": ("compare", path, path),
        "diagram": ("diagram", path),
        "out": ("run", "small.yaml", "--data", "data.csv", "--out", path),
    }
    assert path in told(*arguments[command])


WHOLE = {"format": "hedgerow.run/1", "name": "x", "fingerprint": {}, "triggers": {}, "states": {}, "invariants": {}}


@pytest.mark.parametrize(
    "body",
    [
        json.dumps({"format": "hedgerow.run/1"}),
        *(json.dumps({**WHOLE, part: None}) for part in ("name", "fingerprint", "triggers", "states", "invariants")),
        json.dumps({**WHOLE, "states": {"a": {}}}),
        json.dumps({**WHOLE, "invariants": {"a": 5}}),
        json.dumps({**WHOLE, "triggers": {"a": float("nan")}}),
        json.dumps({**WHOLE, "triggers": {"a": 10**400}}),
        json.dumps(WHOLE).replace("{}", '{"a": 1e400}', 1),
        "[" * 100_000,
        '{"a": ' + "9" * 10_000 + "}",
        "\xff",
    ],
    ids=lambda body: body[:60],
)
def test_a_summary_that_no_run_wrote_is_refused(told: Told, place: Path, body: str) -> None:
    (place / "summary.json").write_text(body, encoding="latin-1")
    assert "summary.json: error[HR80" in told("compare", "summary.json", "summary.json")


def test_brackets_in_names_are_no_markup(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    body = {**WHOLE, "triggers": {"[/x]": "[/red]"}, "fingerprint": {"[/y]": "[/z]"}}
    (place / "[s].json").write_text(json.dumps(body))
    (place / "[t].json").write_text(json.dumps({**body, "fingerprint": {}}))
    assert main(("compare", "[s].json", "[t].json")) == 0
    said = capsys.readouterr().out
    assert all(name in said for name in ("[s].json", "[/x]", "[/red]", "[/y]", "[/z]"))


@pytest.mark.parametrize(
    "arguments",
    [
        ("validate", "\x1b[2Jx.yaml"),
        ("run", "\x1b[2Jx.yaml", "--data", "sp500"),
        run_of("\x1b[2Jx.csv"),
        run_of("data.csv", "--map", "price=\x1b[2J"),
        run_of("data.csv", "--event", "\x1b[2J"),
        run_of("data.csv", "--time", "\x1b[2J"),
        run_of("escape.csv"),
        ("compare", "\x1b[2Jx", "data.csv"),
    ],
    ids=lambda arguments: arguments[0],
)
def test_nothing_that_is_told_moves_the_cursor(
    place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    # As on a terminal: click takes colours out of what goes anywhere else.
    monkeypatch.setattr("click.utils.should_strip_ansi", lambda *_: False)
    (place / "escape.csv").write_text("date,\x1b[2Jprice\n2020-01-01,100\n")
    assert main(arguments) == 2
    said = capsys.readouterr()
    assert "\x1b[2J" not in said.out + said.err
    assert "�[2J" in said.err


def test_a_hostile_name_of_a_file_is_shown_without_its_escapes(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (place / "\x1b[2Jx.yaml").write_text(SMALL)
    assert main(("validate", str(place))) == 0
    assert "\x1b[2J" not in capsys.readouterr().out


# ------------------------------------------------------------------------------------------------------------- data

ROWS = "".join(f"2020-01-{day:02d},{100 + day}\n" for day in range(1, 29))


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (("date,price\n" + ROWS).encode("utf-16"), "no text in UTF-8"),
        (b"\x89PNG\r\n\x1a\n\x00\x00", "no text in UTF-8"),
        (gzip.compress(b"date,price\n", mtime=0), "no text in UTF-8"),
        ("date,price,größe\n2020-01-01,1,2\n".encode("latin-1"), "no text in UTF-8"),
        (b"", "the file is empty"),
        (b"\n \n\n", "holds no line"),
        (b"date,price", "a header and no row"),
        (b"date,price\n", "a header and no row"),
        (b"date,price\n2020-01-01," + b"1" * 3_000_000 + b"\n", "cannot be read as CSV"),
        (b"date,price," + b"x" * 200_000 + b"\n2020-01-01,1,1\n", "the header line cannot be read"),
        (b",".join(b"c%d" % i for i in range(100_000)) + b"\n", "and 99988 more"),
        (b"date|price\n2020-01-01|100\n", "the columns are `date|price`"),
        (b",price,\n2020-01-01,100,1\n", "column `` stands in the header twice"),
        (b"date,price,price\n2020-01-01,100,1\n", "column `price` stands in the header twice"),
        (b'date,price\n2020-01-01,"100\n2020-01-02,130\n', "row 1 is bad"),
        (b"date;price\n2020-01-01;100,5\n", "`100,5`, not a finite number"),
        (b'date,price\n2020-01-01,"1,234.5"\n', "`1,234.5`, not a finite number"),
        (b"date,price\n01/02/2020,100\n", "column `date` holds no time: `01/02/2020`"),
        (b"date,price\n9999-12-31,100\n", "column `date` holds no time: `9999-12-31`"),
        *(
            (b"date,price\n2020-01-01," + value + b"\n", "row 1 is bad")
            for value in (b"nan", b"inf", b"-5", b"0", b"1e400", b"", b"0x10", b"1_0", b"=1+1", b"true", b"\x1b[2J")
        ),
    ],
    ids=lambda value: value[:30].decode("latin-1") if isinstance(value, bytes) else None,
)
def test_a_bad_csv_file_is_refused(told: Told, place: Path, content: bytes, what: str) -> None:
    (place / "bad.csv").write_bytes(content)
    said = told(*run_of("bad.csv"))
    assert what in said
    assert len(said) < 500


def test_a_value_of_megabytes_in_a_column_nobody_reads_is_no_crash(told: Told, place: Path) -> None:
    (place / "bad.csv").write_bytes(b"date,price,note\n2020-01-01,1," + b"y" * 3_000_000 + b"\n")
    assert "cannot be read as CSV" in told(*run_of("bad.csv"))


def test_a_packed_file_that_swells_is_refused_in_little_memory(told: Told, place: Path) -> None:
    (place / "bomb.csv.gz").write_bytes(gzip.compress(b"date,price\n2020-01-01," + b"0" * 50_000_000, 1))
    assert "cannot be read as CSV" in told(*run_of("bomb.csv.gz"))


DAYS = pa.array([datetime.datetime(2020, 1, day) for day in range(1, 29)], pa.timestamp("us"))  # noqa: DTZ001 - a wall clock
PRICES = pa.array([100.0 + day for day in range(28)])


@pytest.mark.parametrize(
    ("date", "price", "what"),
    [
        (DAYS, pa.array([{"a": 1.0}] * 28), "row 1 is bad"),
        (DAYS, pa.array([[1.0]] * 28), "row 1 is bad"),
        (DAYS, pa.nulls(28), "`price` is missing"),
        (DAYS, pa.array([None] * 28, pa.float64()), "`price` is missing"),
        (DAYS, pa.array([Decimal(10) ** 60] * 28, pa.decimal256(70, 0)), "1e+60 is above"),
        (DAYS, pa.array([2**62] * 28), "is above"),
        (DAYS, DAYS, "not a finite number"),
        (DAYS, pa.array([2**40] * 28, pa.timestamp("s")), "row 1 is bad"),
        (pa.nulls(28), PRICES, "`date` is missing"),
        (pa.array([10**15] * 28, pa.timestamp("s")), PRICES, "holds no time"),
        (pa.array([2**30] * 28, pa.date32()), PRICES, "holds no time"),
        (pa.array([-(10**15)] * 28, pa.timestamp("s")), PRICES, "holds no time"),
        (pa.array([b"2020-01-01"] * 28), PRICES, "holds no time"),
        (pa.array([5] * 28, pa.time32("s")), PRICES, "holds no time"),
        (pa.array([2**63 + 5] * 28, pa.uint64()), PRICES, "holds no time"),
    ],
    ids=lambda value: str(value.type) if isinstance(value, pa.Array) else None,
)
def test_a_parquet_file_of_other_types_is_refused(told: Told, place: Path, date: Any, price: Any, what: str) -> None:
    parquet.write_table(pa.table({"date": date, "price": price}), place / "bad.parquet")
    assert what in told(*run_of("bad.parquet"))


def test_a_time_stamp_out_of_reach_spoils_its_own_row_only(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    dates = pa.array([0, 10**17, 86_400_000], pa.timestamp("ms"))
    parquet.write_table(pa.table({"date": dates, "price": PRICES[:3]}), place / "bad.parquet")
    assert main(run_of("bad.parquet", "--no-report", "--skip-bad")) == 0
    summary = json.loads((place / "out" / "summary.json").read_text())
    assert (summary["rows"]["accepted"], summary["time"]["last"]) == (2, "1970-01-02")


@pytest.mark.parametrize(
    "kind",
    [pa.timestamp("s"), pa.timestamp("ms"), pa.timestamp("us"), pa.timestamp("ns", "UTC"), pa.date32(), pa.date64()],
)
def test_dates_and_timestamps_of_every_unit_are_the_same_days(place: Path, kind: Any) -> None:
    parquet.write_table(pa.table({"date": DAYS.cast(kind), "price": PRICES}), place / "good.parquet")
    assert main(run_of("good.parquet", "--no-report")) == 0
    time = json.loads((place / "out" / "summary.json").read_text())["time"]
    assert (time["first"], time["last"]) == ("2020-01-01", "2020-01-28")


@pytest.mark.parametrize("cut", [slice(0, -10), slice(0, 40), slice(0, 0), slice(4, None)])
def test_a_cut_parquet_file_is_refused(told: Told, place: Path, cut: slice) -> None:
    parquet.write_table(pa.table({"date": DAYS, "price": PRICES}), place / "bad.parquet")
    (place / "bad.parquet").write_bytes((place / "bad.parquet").read_bytes()[cut])
    assert "bad.parquet: error[HR80" in told(*run_of("bad.parquet"))


def test_nothing_in_the_trades_is_a_formula_of_a_spreadsheet(place: Path) -> None:
    (place / "data.csv").write_text("date,=cmd()\n2020-01-01,100\n2020-01-02,120\n")
    assert main(run_of("data.csv", "--map", "price==cmd()", "--no-report")) == 0
    with (place / "out" / "trades.csv").open(newline="") as file:
        cells = [cell for row in csv.reader(file) for cell in row]
    assert len(cells) > 13
    assert not [cell for cell in cells if cell[:1] in ("=", "+", "@", "\t", "\r")]


def test_text_of_a_file_is_text_in_the_report(place: Path) -> None:
    evil = "<img src=x onerror=alert(1)>"
    (place / "small.yaml").write_text(SMALL.replace("Buys one unit", f"{evil}</script><script>alert(2)</script>"))
    (place / "data.csv").write_text(f"date,{evil}\n2020-01-01,100\n2020-01-02,120\n")
    assert main(run_of("data.csv", "--map", f"price={evil}")) == 0
    page = (place / "out" / "report.html").read_text()
    assert evil not in page
    assert "<script>alert" not in page
    assert "&lt;img src=x" in page


# --------------------------------------------------------------------------------------------- the end of the output

PROGRAM = [sys.executable, "-m", "hedgerow.cli.main"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no device that is always full")
@pytest.mark.parametrize("arguments", [["schema"], ["--help"], ["validate", BAND]])
def test_a_full_disk_is_no_answer_and_no_defect(arguments: list[str]) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run([*PROGRAM, *arguments], stdout=full, stderr=subprocess.PIPE, text=True, timeout=60)
    assert done.returncode == 74
    # `validate` has remarked on the spec by then.
    assert "error: the output cannot be written" in done.stderr


def test_a_reader_that_leaves_a_run_is_no_broken_invariant(place: Path) -> None:
    command = [*PROGRAM, *run_of("data.csv", "--no-report")]
    reading, writing = os.pipe()
    os.close(reading)
    with open(writing, "w") as gone:  # noqa: PTH123 - a descriptor
        done = subprocess.run(command, stdout=gone, stderr=subprocess.PIPE, text=True, cwd=place, timeout=60)
    assert done.returncode == 141
    assert (place / "out" / "summary.json").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="the limit is a shell's")
def test_a_disk_that_fills_up_leaves_no_half_of_a_run(place: Path) -> None:
    command = f"ulimit -f 1; exec {sys.executable} -B -m hedgerow.cli.main run small.yaml --data data.csv --out out"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, cwd=place, timeout=60)
    assert done.returncode == 2
    assert "out: error[HR808]: the folder cannot be written" in done.stderr
    assert "file too large" in done.stderr
    assert sorted(each.name for each in place.iterdir()) == ["data.csv", "small.yaml"]


def test_an_interrupted_run_keeps_what_is_done(
    place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from hedgerow.engine.dryrun.data import Data

    (place / "data.csv").write_text("date,price\n" + "2020-01-01,100\n" * 200_000)
    batches = Data.batches

    def press(self: Data) -> Any:
        for batch in batches(self):
            signal.raise_signal(signal.SIGINT)
            yield batch

    monkeypatch.setattr(Data, "batches", press)
    before = signal.getsignal(signal.SIGINT)
    assert main(run_of("data.csv", "--no-report")) == 130
    assert signal.getsignal(signal.SIGINT) is before
    said = capsys.readouterr().err
    assert said == "interrupted; what was done before it is in out\n"
    summary = json.loads((place / "out" / "summary.json").read_text())
    accepted = summary["rows"]["accepted"]
    assert 0 < accepted < 200_000
    assert parquet.read_metadata(place / "out" / "trace.parquet").num_rows == accepted
    assert f"interrupted after row {accepted:,}: the rows after it were not run" in summary["notes"]


def test_a_second_interrupt_leaves_at_once_and_writes_nothing(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from hedgerow.engine.dryrun.data import Data

    batches = Data.batches

    def press(self: Data) -> Any:
        for batch in batches(self):
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)
            yield batch

    monkeypatch.setattr(Data, "batches", press)
    assert main(run_of("data.csv")) == 130
    assert sorted(each.name for each in place.iterdir()) == ["data.csv", "small.yaml"]
