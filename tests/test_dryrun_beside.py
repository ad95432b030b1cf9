"""Events of a script between the rows of data: sent in their order and time, told where they are not taken."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hedgerow.cli.main import main
from hedgerow.engine.dryrun.data import Window
from hedgerow.engine.dryrun.dry_run import DryRun, dry_run
from hedgerow.engine.dryrun.problem import RunError
from hedgerow.engine.load import Spec, loads
from hedgerow.engine.script import parse_script

SECOND = 10**9
START = 1_600_000_000 * SECOND
SPEC = """\
hedgerow: 1
name: small
units: [USD, IDX]
capital: {USD: 1000}
events: {tick: {price: {unit: USD/IDX, range: [1, 1000]}}, buy: {lots: {unit: IDX, range: [0, 9]}}, sell: {}}
instruments: {index: {unit: IDX, price: tick.price}}
legs: {book: {instrument: index, side: long}}
machine:
  initial: flat
  fail_safe: flat
  states:
    flat: {on: {buy: {name: bought, to: held, do: {increase: {book: buy.lots}}}}}
    held:
      on: {sell: {name: sold, to: flat, do: {close: book}}}
      after: {1h: {name: tired, to: flat, do: {close: book}}}
"""


@pytest.fixture(scope="module")
def spec() -> Spec:
    return loads(SPEC, "small.yaml")


def run(folder: Path, spec: Spec, seconds: list[int], items: list[dict[str, Any]], **options: Any) -> DryRun:
    data = folder / "d.csv"
    data.write_text("time,price\n" + "".join(f"{START + s * SECOND},{100 + s % 50}\n" for s in seconds), "utf-8")
    return dry_run(spec, str(data), event="tick", script=parse_script(json.dumps(items), "s.json", spec), **options)


def at(second: float, event: str, **fields: float) -> dict[str, Any]:
    return {"event": event, "at": START + int(second * SECOND), **({"with": fields} if fields else {})}


def test_what_is_sent_between_two_rows_finds_the_marks_of_the_first_and_is_told_at_its_own_time(
    tmp_path: Path, spec: Spec
) -> None:
    found = run(tmp_path, spec, [0, 10, 20, 30], [at(15, "buy", lots=2), at(20, "sell")])
    told = [(fill.index, fill.rule, fill.mark, fill.when, fill.time_ns) for fill in found.trace.fills]
    assert told == [
        (2, "bought", 110.0, "before", START + 15 * SECOND),
        (2, "sold", 110.0, "before", START + 20 * SECOND),  # at the time of a row: before it
    ]
    assert [(each.line, each.time_ns - START) for each in found.trace.between] == [(2, 15 * SECOND), (2, 20 * SECOND)]
    assert found.summary["triggers"]["bought"] == found.summary["triggers"]["sold"] == 1
    assert found.trace.column("book.quantity").tolist() == [0.0] * 4


def test_timers_on_the_way_to_an_event_fire_at_their_own_time(tmp_path: Path, spec: Spec) -> None:
    found = run(tmp_path, spec, [0, 10, 9000], [at(15, "buy", lots=1), at(5000, "buy", lots=3)])
    assert [(fill.rule, fill.time_ns - START) for fill in found.trace.fills] == [
        ("bought", 15 * SECOND),
        ("tired", 3615 * SECOND),
        ("bought", 5000 * SECOND),
        ("tired", 8600 * SECOND),
    ]


def test_what_is_refused_and_what_comes_too_early_or_late_is_told(tmp_path: Path, spec: Spec) -> None:
    items = [at(-5, "sell"), at(5, "buy", lots=99), at(6, "buy", lots=1), at(50, "sell")]
    found = run(tmp_path, spec, [0, 10], items)
    assert [fill.rule for fill in found.trace.fills] == ["bought"]
    notes = "\n".join(found.summary["notes"])
    assert "3 of the 4 events of the script were sent between the rows" in notes
    assert "`sell` at 2020-09-13T12:26:35Z was refused: the machine starts with its first `tick`" in notes
    assert "`buy` at 2020-09-13T12:26:45Z was refused: `lots` = 99 is above 9" in notes
    assert "`sell` at 2020-09-13T12:27:30Z and what follows it come after the run" in notes
    assert found.trace.rejected == 0  # of rows


@given(
    rows=st.lists(st.integers(0, 40), min_size=1, max_size=12, unique=True).map(sorted),
    between=st.lists(st.tuples(st.integers(0, 80), st.sampled_from(["buy", "sell"])), max_size=12, min_size=1).map(
        sorted
    ),
)
def test_it_is_what_sending_all_in_order_of_time_does(
    tmp_path_factory: pytest.TempPathFactory, spec: Spec, rows: list[int], between: list[tuple[int, str]]
) -> None:
    items = [at(half / 2, event, **({"lots": 1} if event == "buy" else {})) for half, event in between]
    found = run(tmp_path_factory.mktemp("run"), spec, rows, items, fill="same")
    machine = spec.compile().machine()
    steps = []
    merged = [(item["at"], 0, item["event"], item.get("with", {})) for item in items]
    merged += [(START + second * SECOND, 1, "tick", {"price": 100 + second}) for second in rows]
    last = START + rows[-1] * SECOND
    for time, _, event, fields in sorted(merged, key=lambda each: each[:2]):
        if time <= last:
            steps.append(machine.send(event, time, **fields))
    orders = [(order.rule, order.quantity, order.price) for step in steps for order in step.orders]
    assert [(fill.rule, fill.quantity, fill.mark) for fill in found.trace.fills] == orders
    assert found.trace.column("book.quantity")[-1] == machine.value("book.quantity")


@pytest.mark.parametrize(
    ("items", "said"),
    [
        ([at(5, "sell"), {"advance": START + 9 * SECOND}], "item 2 advances the time"),
        ([{**at(5, "sell"), "expect": {"fired": []}}], "item 1 expects something"),
        ([at(5, "sell"), at(4, "sell")], "item 2 comes before item 1"),
        ({"hedgerow_events": 1, "set": {}, "events": [at(5, "sell")]}, ""),
    ],
)
def test_a_script_beside_data_only_sends_events_in_order(tmp_path: Path, spec: Spec, items: Any, said: str) -> None:
    if not said:
        assert run(tmp_path, spec, [0, 10], items).trace.fills == []
        return
    with pytest.raises(RunError) as refusal:
        run(tmp_path, spec, [0, 10], items)
    assert refusal.value.code == "HR807"
    assert said in str(refusal.value)


def test_the_command_takes_both_and_the_fingerprint_tells_the_script(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("small.yaml").write_text(SPEC)
    Path("d.csv").write_text("time,price\n" + "".join(f"{START + s * SECOND},{100 + s}\n" for s in range(3)))
    Path("s.json").write_text(json.dumps([at(0.5, "buy", lots=1)]))
    given = ["run", "small.yaml", "--data", "d.csv", "--no-report", "--fill", "same", "--event", "tick"]
    assert main([*given, "--events", "s.json", "--out", "one"]) == 0
    assert main([*given, "--out", "two"]) == 0
    with Path("one/trades.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert (row["row"], row["time"], row["rule"]) == ("2", "2020-09-13T12:26:40.5Z", "bought")
    one, two = (json.loads(Path(name, "summary.json").read_text())["fingerprint"]["script"] for name in ("one", "two"))
    assert (len(one), two) == (64, None)
    Path("s.json").write_text(json.dumps([at(0.5, "by", lots=1)]))
    capsys.readouterr()
    assert main([*given, "--events", "s.json", "--out", "one"]) == 2
    assert "did you mean `buy`" in capsys.readouterr().err


def test_a_window_sends_what_lies_in_it_and_before(tmp_path: Path, spec: Spec) -> None:
    window = Window(START + 10 * SECOND, START + 21 * SECOND)
    found = run(tmp_path, spec, [0, 10, 20, 30], [at(15, "buy", lots=1), at(25, "sell")], window=window)
    assert [fill.rule for fill in found.trace.fills] == ["bought"]
