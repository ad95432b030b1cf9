"""`hedgerow run SPEC --events SCRIPT`: what it prints, what it answers, what it refuses; and docs/scripts.md, played."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from pages import ROOT, Fence, fences

from hedgerow.cli.main import main

PAGE = list(fences(ROOT / "docs" / "scripts.md"))
SPEC = next(fence.text for fence in PAGE if fence.info == ("yaml",))
SCRIPTS = [fence.text for fence in PAGE if fence.info == ("yaml", "script")]
FILES = {
    "breaker.yaml": SPEC,
    "three_losses.yaml": SCRIPTS[0],
    "wrong.yaml": SCRIPTS[1],
    "losses.jsonl": next(fence.text for fence in PAGE if fence.language == "jsonl"),
}
SESSIONS = [fence for fence in PAGE if fence.language == "console"]

TRADER = """\
hedgerow: 1
name: trader
units: [USD, IDX]
capital: {USD: 1000}
events: {tick: {price: {unit: USD/IDX, range: [1, 1000]}}}
params: {limit: {default: 90, unit: USD/IDX, range: [50, 100]}}
instruments: {index: {unit: IDX, price: tick.price, fee: 0.001}}
legs: {stock: {instrument: index, side: long}}
machine:
  initial: flat
  fail_safe: halted
  states:
    flat: {on: {tick: {name: buy, if: index.price < limit, do: {increase: {stock: 2 IDX}}, to: long}}}
    long: {}
    halted: {}
invariants: {rich: equity >= 999.9 USD}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in a folder that holds the files of the page and a spec that trades."""
    for name, text in (FILES | {"trader.yaml": TRADER}).items():
        (tmp_path / name).write_text(text, "utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_COLOR", "1")
    return tmp_path


def write(text: str, name: str = "script.yaml") -> str:
    Path(name).write_text(text, "utf-8")
    return name


def document(out: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(out)
    return found


# --- the page ---


@pytest.mark.parametrize("fence", SESSIONS, ids=str)
def test_a_command_on_the_page_prints_what_the_page_says(
    fence: Fence, folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    command, _, expected = fence.text.partition("\n")
    code = main(shlex.split(command.removeprefix("$ hedgerow ")))
    out, err = capfd.readouterr()
    assert code == (1 if "not hold" in expected else 0)
    # Findings go to stderr, where they come before the last line of what a person sees.
    shown = out[: out.rindex("\n", 0, -1) + 1] + err + out[out.rindex("\n", 0, -1) + 1 :] if err else out
    assert shown == expected


def test_the_page_names_every_key_of_scripts() -> None:
    from hedgerow.engine.script_model import json_schema

    page = re.sub(
        r"^```.*?^```$", "", (ROOT / "docs" / "scripts.md").read_text("utf-8"), flags=re.DOTALL | re.MULTILINE
    )
    words = {word for code in re.findall(r"`([^`]+)`", page) for word in re.findall(r"\w+", code)}
    keys = {key for part in json_schema()["$defs"].values() for key in part["properties"]}
    assert keys - words == set()


# --- what is printed ---


def test_each_item_is_told_with_all_that_it_did(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    script = write(
        """\
- {expect: {configuration: []}}
- {event: tick, with: {price: 100}, at: 2024-01-02T15:00:00Z}
- {event: tick, with: {price: 80}, at: +1ns}
- {event: tick, with: {price: 2000}}
- {event: tick, with: {price: true}, at: 1s}
- {event: tick, with: {price: .inf}}
- {advance: -1s}
"""
    )
    assert main(["run", "trader.yaml", "--events", script]) == 0
    assert capsys.readouterr() == (
        """\
   1  0  expect → not started
   2  2024-01-02T15:00:00Z  tick price=100 → flat
   3  2024-01-02T15:00:00.000000001Z  tick price=80 → long
      fired: buy
      orders: buy 2.0 stock at 80.0 (buy)
      broken: rich
   4  2024-01-02T15:00:00.000000001Z  tick price=2000 → long
      raised: input.rejected
      rejected: `price` = 2000 is above 1000
      broken: rich
   5  1s  tick price=true → long
      raised: input.rejected
      rejected: the time 1000000000 is before the last event at 1704207600000000001
      broken: rich
   6  1s  tick price=.inf → long
      raised: input.rejected
      rejected: the time 1000000000 is before the last event at 1704207600000000001
      broken: rich
   7  -1s  advance → long
      raised: input.rejected
      rejected: the time -1000000000 is before the last event at 1704207600000000001
      broken: rich
5 events, 1 advance, 1 expectation: all hold
""",
        "",
    )


def test_json_has_every_item_and_what_did_not_hold(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    script = write(
        "- {event: tick, with: {price: 80}, at: 1h, expect: {fired: [], rejected: false}}\n- {expect: {ended: true}}\n"
    )
    assert main(["run", "trader.yaml", "--events", script, "--fill", "next", "--json", "--set", "limit=81"]) == 1
    out, err = capsys.readouterr()
    assert err == ""
    found = document(out)
    items = found.pop("items")
    assert found == {
        "spec": "trader", "script": "script.yaml", "fill": "next", "parameters": {"limit": 81.0},
        "events": 1, "advances": 0, "expectations": 3, "failed": 2, "ok": False,
    }  # fmt: skip
    lists = ("fired", "raised", "orders", "timers", "stopped", "approvals", "errors", "broken")
    nothing = {"rejected": None, **{name: [] for name in lists}}
    first, second = items
    assert [each.pop("failures") for each in items] == [
        [
            {
                "key": "fired", "expected": "[]", "found": "[buy]", "code": "HR821", "severity": "error",
                "message": "`fired` is expected to be [], and is [buy]",
                "help": "after `tick` at 1h; if that is right, write `fired: [buy]`",
                "file": "script.yaml", "line": 1, "column": 60, "end_line": 1, "end_column": 62,
            }
        ],
        [
            {
                "key": "ended", "expected": "true", "found": "false", "code": "HR821", "severity": "error",
                "message": "`ended` is expected to be true, and is false",
                "help": "after `tick` at 1h; if that is right, write `ended: false`",
                "file": "script.yaml", "line": 2, "column": 20, "end_line": 2, "end_column": 24,
            }
        ],
    ]  # fmt: skip
    (order,) = first.pop("orders")
    assert (order["leg"], order["side"], order["quantity"], order["price"], order["rule"]) == (
        "stock",
        "buy",
        2,
        80,
        "buy",
    )
    assert first == {k: v for k, v in nothing.items() if k != "orders"} | {
        "index": 1, "line": 1, "kind": "event", "time_ns": 3600 * 10**9, "event": "tick", "configuration": ["long"],
        "fired": ["buy"], "broken": ["rich"],
    }  # fmt: skip
    assert second == nothing | {
        "index": 2, "line": 2, "kind": "expect", "time_ns": 3600 * 10**9, "event": None, "configuration": ["long"],
    }  # fmt: skip


def test_two_runs_print_the_same_bytes(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for options in ([], ["--json"]):
        printed = []
        for _ in range(2):
            assert main(["run", "breaker.yaml", "--events", "three_losses.yaml", *options]) == 0
            printed.append(capsys.readouterr())
        assert printed[0] == printed[1]


def test_of_very_many_failures_the_first_hundred_are_shown_and_all_are_counted(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = '{"event": "reset", "at": "+1s", "expect": {"in": "open", "ended": true}}\n'
    script = write(line * 130, "many.jsonl")
    assert main(["run", "breaker.yaml", "--events", script]) == 1
    out, err = capsys.readouterr()
    assert out.splitlines()[-1] == "130 events, 260 expectations: 260 of 260 do not hold"
    assert re.findall(r"^many.jsonl:(\d+):", err, re.MULTILINE) == [str(n) for n in range(1, 101) for _ in range(2)]
    assert err.count(line) == 200  # each is shown with its line
    assert err.splitlines()[-1] == "what failed at 30 more items is not shown"


def test_the_count_says_one_of_one(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "breaker.yaml", "--events", write("[{event: reset, expect: {ended: true}}]")]) == 1
    assert capsys.readouterr().out.splitlines()[-1] == "1 event, 1 expectation: 1 of 1 does not hold"
    assert main(["run", "breaker.yaml", "--events", write("[{event: reset}, {event: reset}]")]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "2 events, 0 expectations"


# --- options ---


def test_the_command_line_goes_before_what_a_script_sets(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tick = "{event: tick, with: {price: 80}, expect: {configuration: [%s]}}"
    low = write("{hedgerow_events: 1, set: {limit: 70}, events: [" + tick % "flat" + "]}", "low.yaml")
    assert main(["run", "trader.yaml", "--events", low]) == 0
    assert main(["run", "trader.yaml", "--events", low, "--set", "limit=90"]) == 1
    assert "`configuration` is expected to be [flat], and is [long]" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--map", "price=close"], "`--map` belongs to runs over data"),
        (["--time", "t"], "`--time` belongs"),
        (["--event", "tick"], "`--event` belongs"),
        (["--from", "2020"], "`--from` belongs"),
        (["--to", "2020"], "`--to` belongs"),
        (["--skip-bad"], "`--skip-bad` belongs"),
        (["--out", "x"], "`--out` belongs"),
        (["--no-report"], "`--no-report` belongs"),
        (["--force"], "`--force` belongs"),
        (["--seed", "0"], "`--seed` belongs"),
        (["--seed", "1", "--force"], "`--force`, `--seed` belong to runs over data"),
    ],
)
def test_options_of_runs_over_data_do_not_go_with_a_script(
    options: list[str], said: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", "breaker.yaml", "--events", "three_losses.yaml", *options]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert f"error[HR807]: {said}" in err
    help = "add --data; of the options, --set, --fill, --permit, --state and --json go with --events alone"
    assert err.splitlines()[-1] == f"   help: {help}"


def test_either_data_or_events_are_needed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "breaker.yaml"]) == 2
    assert capsys.readouterr().err.splitlines()[-1] == (
        "Error: give --data DATA to run over recorded data, or --events SCRIPT to send events"
    )


# --- bad input ---


def test_a_script_with_a_mistake_is_bad_input_and_nothing_is_sent(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    script = write("- {event: fill, with: {profit: 1}}\n- {event: fil}\n")
    shown = """\
script.yaml:2:11: error[HR206]: unknown event `fil`
    2 | - {event: fil}
      |           ^^^
   help: did you mean `fill`?
"""
    assert main(["run", "breaker.yaml", "--events", script]) == 2
    assert capsys.readouterr() == ("", shown)
    assert main(["run", "breaker.yaml", "--events", script, "--json"]) == 2
    out, err = capsys.readouterr()
    assert err == shown
    (found,) = document(out)["diagnostics"]
    assert (found["code"], found["file"], found["line"], found["column"]) == ("HR206", "script.yaml", 2, 11)


def test_a_spec_with_a_mistake_is_bad_input(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("breaker.yaml").write_text(SPEC.replace("to: open", "to: opne"), "utf-8")
    assert main(["run", "breaker.yaml", "--events", "three_losses.yaml"]) == 2
    assert "error[HR205]: unknown state `opne`" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("limit=5", "`limit` = 5 is outside its range [50, 100] USD/IDX"),
        ("limt=60", "unknown param `limt`: did you mean `limit`?"),
        ("limit", "`limit` is no pair of a name and a value"),
    ],
)
def test_a_setting_that_does_not_fit_is_bad_input(
    setting: str, said: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    script = write("[{event: tick, with: {price: 80}}]")
    assert main(["run", "trader.yaml", "--events", script, "--set", setting]) == 2
    out, err = capsys.readouterr()
    assert (out, err.splitlines()[0]) == ("", f"--set: error[HR807]: {said}")


def test_a_finding_can_be_waived_for_a_script_too(folder: Path) -> None:
    Path("trader.yaml").write_text(TRADER.replace("  fail_safe: halted\n", ""), "utf-8")
    script = write("[{event: tick, with: {price: 80}}]")
    assert main(["run", "trader.yaml", "--events", script]) == 2
    assert main(["run", "trader.yaml", "--events", script, "--permit", "HR401"]) == 0
