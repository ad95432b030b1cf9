"""The sanity gate as it ships: what it stops at hand-computed figures, what it never stops, and what is proved of gates."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from itertools import accumulate
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from runners import same_in_native_code
from traders import SECOND, head
from twins import Twins

from hedgerow.cli.main import main
from hedgerow.engine.load import Spec, load, loads
from hedgerow.engine.step import Step

GATE = Path(__file__).parents[1] / "specs" / "governance" / "sanity_gate.yaml"
START = 1_600_000_000

TRADER = (
    head("trader", params="", price="[0.001, 1e9]", size="IDX", events="flatten: {}, ", fee=0)
    + """\
legs: {book: {instrument: index, side: both}}
machine:
  initial: on
  fail_safe: off
  states:
    on:
      on:
        tick: {name: order, if: tick.size != 0, do: [{target: {book: book.quantity + tick.size}}]}
        flatten: {to: off}
    off: {tags: [halted], entry: {close: book}, on: {tick: {name: over, if: tick.size != 0, to: on}}}
"""
)


def composed(folder: Path) -> Path:
    """Write a trader, the sanity gate as it ships, and a desk of both; return the path of the desk."""
    (folder / "trader.yaml").write_text(TRADER)
    (folder / "sanity_gate.yaml").write_text(GATE.read_text("utf-8"))
    path = folder / "desk.yaml"
    path.write_text("hedgerow: 1\nname: desk\nuse: {trader: {spec: trader.yaml}, sanity: {spec: sanity_gate.yaml}}\n")
    return path


@cache
def desk() -> Spec:
    with TemporaryDirectory() as folder:
        return load(composed(Path(folder)))


def sent(ticks: Sequence[tuple[float, float, float]], **limits: Any) -> list[Step]:
    """Send (seconds, price, size), each to live machine and reference, and return the steps."""
    machine = Twins(desk().compile(**{f"sanity.{name}": value for name, value in limits.items()}))
    return [machine.send("tick", int(at * SECOND), price=price, size=size) for at, price, size in ticks]


def told(steps: Sequence[Step]) -> list[list[str]]:
    return [[verdict.reason for verdict in step.verdicts] for step in steps]


def test_each_limit_stops_what_is_over_it_and_lets_through_what_hits_it() -> None:
    wide: dict[str, Any] = {"leverage_max": 100}
    cases: list[tuple[dict[str, Any], list[tuple[float, float, float]], str]] = [
        ({"gross_max": 800}, [(0, 100, 8), (9, 100, 1)], "gross` would be 900 USD, above 800"),
        ({"net_max": 800}, [(0, 100, -8), (9, 100, -1)], "net` would be 900 USD, above 800"),
        ({"leverage_max": 2}, [(0, 100, 20), (9, 100, 1)], "leverage` would be 2100 USD, above 2000"),
        ({"rate_max": 2}, [(0, 100, 1), (10, 100, 2), (20, 100, 1)], "rate` would be 3, above 2"),
        ({"collar": 0.25}, [(0, 100, 1), (9, 125, 2), (18, 90, 1)], "collar` would be 0.28, above 0.25"),
        ({}, [(0, 100, 1), (5.001, 100, 1), (10.001, 100, 1)], "repeat` would be 1, above 0"),
    ]
    for limits, ticks, reason in cases:
        *good, last = told(sent(ticks, **{**wide, **limits}))
        assert good == [[]] * len(good)
        assert last == [f"`sanity.new_risk.{reason}"]


def test_without_equity_nothing_is_sane() -> None:
    # 20 at 100 with 1000 of cash; at 50 the equity is 0, and below it less.
    for price in (50.0, 25.0):
        steps = sent([(0, 100, 20), (9, price, 0), (18, price, 1)], leverage_max=100)
        assert [reason.split("`")[1] for reason in told(steps)[-1]] == ["sanity.new_risk.leverage"]


def test_what_reduces_is_never_stopped_whatever_is_broken() -> None:
    limits = {"rate_max": 1, "collar": 0, "gross_max": 100, "net_max": 100, "leverage_max": 1}
    machine = Twins(desk().compile(**{f"sanity.{name}": value for name, value in limits.items()}))
    assert machine.send("tick", 0, price=10.0, size=8.0).orders
    for at, price, size in ((1, 40.0, -1.0), (1, 90.0, -1.0), (1, 20.0, -1.0)):
        step = machine.send("tick", at * SECOND, price=price, size=size)
        assert [order.side for order in step.orders] == ["sell"]
    assert machine.send("tick", 2 * SECOND, price=90.0, size=1.0).verdicts
    step = machine.send("flatten", 2 * SECOND)
    assert [order.quantity for order in step.orders] == [5.0]
    assert machine.value("trader.book.quantity") == 0


@settings(max_examples=30)
@given(
    ticks=st.lists(
        st.tuples(
            st.sampled_from([0.0, 1.0, 4.0, 30.0]),
            st.sampled_from([1.0, 50.0, 100.0, 105.0, 200.0]),
            st.sampled_from([0.0, 1.0, 1.0, -1.0, 5.0, -12.0, 40.0]),
        ),
        max_size=25,
    )
)
def test_flat_is_reached_from_everywhere_and_no_limit_is_passed(ticks: list[tuple[float, float, float]]) -> None:
    machine = Twins(desk().compile(**{"sanity.gross_max": 1500, "sanity.rate_max": 5, "sanity.leverage_max": 1.5}))
    now = 0.0
    for wait, price, size in ticks:
        now += wait
        held = machine.value("trader.book.quantity") if machine.snapshot.configuration else 0.0
        step = machine.send("tick", int(now * SECOND), price=price, size=size)
        after = machine.value("trader.book.quantity")
        grows = abs(after) > abs(held) or after * held < 0
        if step.orders and grows:
            equity = machine.value("trader.cash") + after * price
            assert abs(after) * price <= 1500 and abs(after) * price <= 1.5 * equity
        assert bool(step.orders) == (size != 0 and not step.verdicts)
    if machine.snapshot.configuration:
        machine.send("flatten", int(now * SECOND))
        assert machine.value("trader.book.quantity") == 0


# ------------------------------------------------------------------------------------------------ in every way of running


def test_it_is_valid_needs_no_python_and_is_proved(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("z3", reason="the solver is in the extra `prove`")
    assert main(["validate", str(GATE), "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)["files"]
    assert all(each["able"] for each in found["backends"])
    assert load(GATE).program("same").calls == ()
    assert main(["prove", str(GATE), "--workers", "1"]) == 0


def test_run_sweep_and_machine_stop_the_same_orders_of_a_shipped_strategy(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("llvmlite", reason="the native backend is in the extra `sweep`")
    read_table = pytest.importorskip("pyarrow.parquet").read_table
    for path in (GATE, GATE.parents[1] / "band_limited_hedge.yaml"):
        (tmp_path / path.name).write_text(path.read_text("utf-8"))
    text = "hedgerow: 1\nname: desk\nuse: {hedge: {spec: band_limited_hedge.yaml}, sanity: {spec: sanity_gate.yaml}}\n"
    (tmp_path / "desk.yaml").write_text(text)
    prices = [100 * 1.0078 ** abs(index % 40 - 20) * (1.15 if index % 97 > 90 else 1) for index in range(400)]
    rows = "".join(f"{START + index * 3600},{price:.6f}\n" for index, price in enumerate(prices))
    (tmp_path / "d.csv").write_text("time,price\n" + rows)
    spec = load(tmp_path / "desk.yaml")
    machine = Twins(spec.compile(fill="same"))
    steps = [
        machine.send("tick", (START + index * 3600) * SECOND, price=float(f"{price:.6f}"))
        for index, price in enumerate(prices)
    ]
    stopped = sum(len(step.verdicts) for step in steps)
    orders = sum(len(step.orders) for step in steps)
    assert stopped and orders
    data = ["--data", str(tmp_path / "d.csv"), "--fill", "same", "--force"]
    assert main(["run", str(tmp_path / "desk.yaml"), *data, "--no-report", "--out", str(tmp_path / "run")]) == 0
    summary = json.loads((tmp_path / "run" / "summary.json").read_text("utf-8"))
    assert sum(summary["gates"].values()) == stopped
    assert summary["trades"]["count"] == orders
    arguments = ["--grid", "sanity.collar=0.1,10", "--out", str(tmp_path / "sweep"), "--workers", "1"]
    assert main(["sweep", str(tmp_path / "desk.yaml"), *data, *arguments]) == 0
    capsys.readouterr()
    table = read_table(tmp_path / "sweep" / "results.parquet").to_pydict()
    # The collar that nothing meets lets through what the default one stops: two orders a transition.
    assert table["orders"] == [orders, orders + 2 * stopped]


# Any of these strategies: what it holds, when it buys and sells, how much, and what it does by itself.
STRATEGY = """\
hedgerow: 1
name: strategy
units: [USD, IDX]
capital: {USD: 1000}
events: {tick: {price: {unit: USD/IDX, range: [1, 1000]}}}
instruments: {index: {unit: IDX, price: tick.price, fee: 0.001}}
legs: {one: {instrument: index, side: SIDE}, two: {instrument: index, side: both}}
machine:
  initial: on
  fail_safe: off
  states:
    on:
      on:
        tick:
          - {name: add, if: tick.price LOW, do: {increase: {one: SIZE IDX, two: 2 IDX}}}
          - {name: turn, if: tick.price HIGH, do: {target: {two: -two.quantity}}}
          - {name: shift, do: {target: {one: 1 IDX, two: two.quantity + 1 IDX}}}
      after: {WAIT: {name: rest, to: resting}}
    resting:
      entry: [{close: one}, {target: {two: two.quantity / 2}}]
      on: {tick: {name: again, if: tick.price > 20 USD / 1 IDX, to: on}}
    off: {entry: [{close: one}, {close: two}]}
"""
strategies = st.builds(
    lambda side, low, high, size, wait: (
        (STRATEGY.replace("SIDE", side).replace("LOW", f"< {low} USD / 1 IDX").replace("HIGH", f"> {high} USD / 1 IDX"))
        .replace("SIZE", str(size))
        .replace("WAIT", wait)
    ),
    st.sampled_from(["long", "short", "both"]),
    st.sampled_from([12, 30, 45]),
    st.sampled_from([50, 80]),
    st.sampled_from([1, 3, 20]),
    st.sampled_from(["3s", "50s"]),
)


@settings(max_examples=12)
@given(
    parts=st.lists(strategies, min_size=1, max_size=3),
    limits=st.sampled_from(
        [
            "gross_max: 300 USD",
            "leverage_max: 0.5",
            "rate_max: 3",
            "collar: 0.3",
            "net_max: 90 USD",
            "repeat_period: 1m",
        ]
    ),
    moves=st.lists(
        st.tuples(st.sampled_from([0, 1, 2, 9, 40]), st.sampled_from([5.0, 10.0, 12.0, 25.0, 40.0, 60.0, 90.0])),
        min_size=1,
        max_size=40,
    ),
    fill=st.sampled_from(["same", "next"]),
)
def test_random_desks_under_the_sanity_gate_run_alike_on_every_backend(
    parts: list[str], limits: str, moves: list[tuple[int, float]], fill: Any
) -> None:
    with TemporaryDirectory() as folder:
        (Path(folder) / "gate.yaml").write_text(GATE.read_text("utf-8"))
        uses = f"  gate: {{spec: gate.yaml, params: {{{limits}}}}}\n"
        for index, text in enumerate(parts):
            (Path(folder) / f"s{index}.yaml").write_text(text)
            uses += f"  s{index}: {{spec: s{index}.yaml}}\n"
        spec = loads(f"hedgerow: 1\nname: desk\nunits: [USD]\nuse:\n{uses}", "desk.yaml", folder=folder)
    machine = Twins(spec.compile(fill=fill))
    times = [time * SECOND for time in accumulate(wait for wait, _ in moves)]
    prices = [price for _, price in moves]
    orders = sum(len(machine.send("tick", time, price=price).orders) for time, price in zip(times, prices, strict=True))
    assert same_in_native_code(spec, prices, fill, times).orders[0] == orders


# ----------------------------------------------------------------------------------------- what is proved of any gate

MODES = """\
hedgerow: 1
name: modes
units: [USD, IDX]
capital: {USD: 1000}
params: {most: {default: 500, unit: USD, range: [1, 10000]}}
events: {tick: {price: {unit: USD/IDX, range: [1, 1000]}}, calm: {}, wild: {}}
instruments: {index: {unit: IDX, price: tick.price}}
legs: {book: {instrument: index, side: long}}
machine:
  initial: quiet
  fail_safe: stopped
  states:
    quiet:
      on:
        wild: {to: rough}
        tick: {name: buy, if: tick.price < 50 USD / 1 IDX, do: {increase: {book: 4 IDX}}}
    rough:
      on:
        calm: {to: quiet}
        tick:
          - {name: more, if: tick.price > 60 USD / 1 IDX, do: {increase: {book: 1 IDX}}}
          - {name: out, do: {close: book}}
    stopped: {}
gates:
  g:
    applies: increase
    checks:
      asked: CHECK
"""


@pytest.mark.parametrize(
    ("check", "on", "opens"),
    [
        ("desk.gross <= most", "proved", "proved"),
        ("In(rough) or desk.gross <= most", "refuted", "proved"),
        ("was(rough) or desk.gross <= most", "refuted", "proved"),
        # Nothing is ordered there that the gate judges.
        ("In(stopped) or desk.gross <= most", "proved", "proved"),
        # A limit of one mode beside one for all, and one that nothing stands beside.
        ("In(quiet) or desk.gross <= most / 2\n      all: desk.gross <= most", "proved", "proved"),
        ("In(quiet) or desk.gross <= most / 2\n      all: desk.orders(1m) <= 9", "refuted", "proved"),
        # Locks: of one mode, of none, of all.
        ("not In(rough)", "proved", "proved"),
        ("In(quiet) or In(rough) or In(stopped)", "refuted", "proved"),
        ("In(quiet) or In(rough) or In(stopped)\n      all: desk.gross <= most", "refuted", "proved"),
        ("In(quiet) and In(rough)", "proved", "refuted"),
        # Whatever is ordered: by its form, and by the range of a quantity.
        ("desk.gross <= most or desk.gross > most", "refuted", "proved"),
        ("book.quantity >= 0", "refuted", "proved"),
        ("book.quantity < 0", "proved", "refuted"),
    ],
)
def test_a_check_that_a_mode_switches_off_or_that_is_shut_for_good_is_refuted(check: str, on: str, opens: str) -> None:
    pytest.importorskip("z3", reason="the solver is in the extra `prove`")
    from hedgerow.engine.prove.prove import prove

    spec = loads(MODES.replace("CHECK", check))
    proof = prove(spec, only=["g"], workers=1, seconds=2.0)
    found = {(each.code, each.name): each for each in proof.results}
    assert (found["HR914", "g.asked"].verdict, found["HR915", "g.asked"].verdict) == (on, opens)
    for result in found.values():
        if result.verdict == "refuted":
            assert result.counterexample is not None
            sent = result.counterexample.events
            machine = Twins(spec.compile(**{n: float(v) for n, v in result.counterexample.parameters.items()}))
            fields = {each.name: [f.name for f in each.fields] for each in machine.program.events}
            for event in sent:
                values = zip(fields[event.event], map(float, event.values), strict=True)
                step = machine.send(event.event, event.time_ns, **dict(values))
            assert bool(step.orders) == (result.code == "HR914")
            assert bool(step.verdicts) == (result.code == "HR915")


def test_a_gate_without_legs_to_judge_is_asked_nothing() -> None:
    pytest.importorskip("z3", reason="the solver is in the extra `prove`")
    from hedgerow.engine.prove.prove import prove

    proof = prove(load(GATE), workers=1, seconds=2.0)
    assert {each.code for each in proof.results} == {"HR905", "HR908", "HR909"}
