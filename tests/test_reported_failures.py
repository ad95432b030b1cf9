"""What users of other systems reported of their breakers and kill switches, each made to happen here, where it must not.

A drawdown breaker that deadlocks for ever, a high-water mark that never resets, a trip at once after the cool-down on a
winning trade and a breaker that is stuck half-open are in `test_breakers`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from runners import same_in_native_code

from hedgerow.cli.main import main
from hedgerow.engine.load import Spec, load
from hedgerow.engine.semantics import Reference

SECOND = 10**9
SWITCH = """\
hedgerow: 1
name: switch
units: [USD, IDX]
events: {tick: {price: {unit: USD/IDX, range: [1, 1000]}}, resume: {}, killed: {}}
raises: [killed]
machine:
  initial: closed
  states:
    closed: {on: {tick: {name: kill, if: tick.price < 80 USD / 1 IDX, to: open, do: {raise: killed}}}}
    open: {tags: [halted], on: {resume: {name: reset, to: closed}}}
gates: {no_new_risk: {applies: increase, checks: {closed: not In(open)}}}
"""
BUYER = """\
hedgerow: 1
name: buyer
units: [USD, IDX]
capital: {USD: 1000000}
events: {tick: {price: {unit: USD/IDX, range: [1, 1000]}}, flatten: {}, again: {}}
raises: [again]
instruments: {index: {unit: IDX, price: tick.price, fee: 0.001}}
legs: {book: {instrument: index, side: long, quantity: 5}}
machine:
  initial: buying
  fail_safe: halted
  states:
    buying:
      every: {7s: {name: timed, do: [{increase: {book: 1 IDX}}]}}
      on:
        tick:
          - {name: fails, if: tick.price > 900 USD / 1 IDX and 1 / (tick.price - 950 USD / 1 IDX) > 0 IDX / 1 USD, do: []}
          - {name: buy, do: [{increase: {book: 1 IDX}}, {raise: again}, {raise: again, after: 3s, id: later}]}
        again: {name: more, do: [{increase: {book: 1 IDX}}]}
        flatten: {name: out, to: flat}
    flat: {entry: [{close: book}]}
    halted: {entry: [{close: book}], on: {flatten: {name: stop, to: flat}}}
"""
DESK = """\
hedgerow: 1
name: desk
use: {switch: {spec: switch.yaml}, a: {spec: buyer.yaml}, b: {spec: buyer.yaml}}
"""


def desk(folder: Path, switch: str = SWITCH, buyer: str = BUYER) -> Spec:
    for name, text in (("switch.yaml", switch), ("buyer.yaml", buyer), ("desk.yaml", DESK)):
        (folder / name).write_text(text, encoding="utf-8")
    return load(folder / "desk.yaml")


def held(machine: Any) -> list[float]:
    return [machine.value(f"{name}.book.quantity") for name in "ab"]


def test_a_halted_state_does_not_block_the_emergency_flatten(tmp_path: Path) -> None:
    machine = desk(tmp_path).compile().machine()
    machine.send("tick", 0, price=100.0)
    machine.send("tick", SECOND, price=70.0)
    assert "switch.open" in machine.configuration and min(held(machine)) > 5
    step = machine.send("flatten", 2 * SECOND)
    assert [order.side for order in step.orders] == ["sell", "sell"] and step.verdicts == ()
    assert held(machine) == [0.0, 0.0]


def test_a_gate_on_all_orders_is_what_blocks_it_and_its_verdict_says_so(tmp_path: Path) -> None:
    machine = desk(tmp_path, SWITCH.replace("applies: increase", "applies: all")).compile().machine()
    machine.send("tick", 0, price=100.0)
    machine.send("tick", SECOND, price=70.0)
    before = held(machine)
    step = machine.send("flatten", 2 * SECOND)
    assert step.orders == () and held(machine) == before
    assert {(each.gate, each.check) for each in step.verdicts} == {("switch.no_new_risk", "closed")}


def test_the_way_to_the_fail_safe_state_closes_everything_while_the_switch_is_open(tmp_path: Path) -> None:
    machine = desk(tmp_path).compile().machine()
    machine.send("tick", 0, price=100.0)
    machine.send("tick", SECOND, price=70.0)
    step = machine.send("tick", 2 * SECOND, price=950.0)
    assert step.errors and held(machine) == [0.0, 0.0]
    assert set(machine.configuration) == {"switch.open", "a.halted", "b.halted"}


def test_no_order_grows_once_a_kill_switch_has_fired_whoever_asks_for_it(tmp_path: Path) -> None:
    """On the event itself, on later ones, by timers, by raised and by delayed events, of every strategy beside it."""
    compiled = desk(tmp_path).compile()
    machine, reference = compiled.machine(), Reference(compiled.program, compiled.parameters, compiled.registry)
    snapshot, _ = reference.step(reference.initial(), "tick", 0, [100.0])
    machine.send("tick", 0, price=100.0)
    before = held(machine)
    stopped: set[str] = set()
    for second, price in ((1, 70.0), (2, 100.0), (6, 101.0), (9, 99.0), (20, 120.0), (40, 60.0)):
        snapshot, expected = reference.step(snapshot, "tick", second * SECOND, [price])
        step = machine.send("tick", second * SECOND, price=price)
        assert step == expected and step.orders == ()
        stopped |= {verdict.rule for verdict in step.verdicts}
    assert held(machine) == before
    assert {f"{name}.{rule}" for name in "ab" for rule in ("buy", "timed", "more")} <= stopped
    machine.send("resume", 41 * SECOND)
    assert machine.send("tick", 42 * SECOND, price=100.0).orders  # and it was the switch that held them


def test_protections_are_on_in_dry_runs_and_sweeps_as_they_are_live(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    prices = [100.0, 101.0, 70.0, 100.0, 90.0, 120.0, 60.0, 100.0]
    orders, stopped = [], []
    for switch in (SWITCH, SWITCH.replace("checks: {closed: not In(open)}", "checks: {closed: 'true'}")):
        spec = desk(tmp_path, switch)
        machine = spec.compile().machine()
        steps = [machine.send("tick", second * SECOND, price=price) for second, price in enumerate(prices)]
        orders.append(sum(len(step.orders) for step in steps))
        stopped.append(sum(len(step.verdicts) for step in steps))
        assert same_in_native_code(spec, prices).orders[0] == orders[-1]
        rows = (f"{1_700_000_000 + second},{price}\n" for second, price in enumerate(prices))
        Path("d.csv").write_text("time,price\n" + "".join(rows))
        out = f"out{len(orders)}"
        assert main(["run", "desk.yaml", "--data", "d.csv", "--out", out, "--no-report"]) == 0
        capsys.readouterr()
        assert json.loads(Path(out, "summary.json").read_text())["gates"] == {"switch.no_new_risk.closed": stopped[-1]}
    assert stopped[0] > 0 == stopped[1]
    assert orders[0] < orders[1]
