"""Dry runs of what has regions, timers and parts: who was where and when, and whose money it is."""

from __future__ import annotations

import csv
import io
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st

import hedgerow
from hedgerow.engine.dryrun.comparison import compare
from hedgerow.engine.dryrun.dry_run import DryRun, dry_run, event_of
from hedgerow.engine.dryrun.folder import read_summary, trades_csv, write_folder
from hedgerow.engine.dryrun.narrative import narrate
from hedgerow.engine.dryrun.page import page
from hedgerow.engine.dryrun.problem import RunError
from hedgerow.engine.dryrun.subject import subject_of
from hedgerow.engine.load import Spec, loads

START = 1_600_000_000
HOUR = 3600

# A position that a timer cuts between two ticks, a pause that ends by itself, and a watch that is on by day only.
GUARDED = """\
hedgerow: 1
name: guarded
units: [USD, IDX]
capital: {USD: 1000}
events: {tick: {price: {unit: USD/IDX, range: [1, 1000]}}, late: {}}
instruments: {index: {unit: IDX, price: tick.price, fee: 0.01, slippage: 0.002}}
legs: {long: {instrument: index, side: both, quantity: 4 IDX}}
machine:
  initial: p
  fail_safe: safe
  states:
    p:
      parallel: true
      states:
        trade:
          initial: on
          states:
            on:
              every: {90m: {name: cut, if: long.quantity > 1 IDX, do: {target: {long: 'long.quantity - 0.5 IDX'}}}}
              on:
                tick:
                  - {name: pause, if: tick.price > 150 USD / 1 IDX, to: off}
                  - {name: add, if: tick.price < 90 USD / 1 IDX, do: {increase: {long: 1 IDX}}}
            off: {after: {20m: {name: back, to: on, do: [{raise: late, after: 10m}]}}}
        watch:
          initial: quiet
          states:
            quiet: {on: {late: {name: heard, to: passing, do: {reduce: {long: 0.25 IDX}}}}}
            passing: {always: {to: loud}}
            loud: {on: {tick: {if: tick.price < 120 USD / 1 IDX, to: quiet}}}
            unseen: {}
      on: {tick: {name: enough, if: tick.price == 130 USD / 1 IDX, to: safe}}
    safe: {}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("regions")


def write(folder: Path, prices: list[Any], every_s: int = HOUR) -> str:
    path = folder / "ticks.csv"
    lines = [f"{START + index * every_s},{price!r}" for index, price in enumerate(prices)]
    path.write_text("time,price\n" + "\n".join(lines) + "\n")
    return str(path)


@pytest.fixture(scope="module")
def guarded() -> Spec:
    return loads(GUARDED)


def run(spec: Spec, folder: Path, prices: list[Any], **options: Any) -> DryRun:
    return dry_run(spec, write(folder, prices, options.pop("every_s", HOUR)), **options)


walks = st.lists(st.sampled_from([80.0, 100.0, 100.0, 110.0, 130.0, 160.0]), min_size=1, max_size=40)


@given(walks, st.sampled_from([600, HOUR, 86_400]), st.sampled_from(["same", "next"]))
def test_rows_do_to_the_machine_what_they_do_without_a_recorder(
    guarded: Spec, folder: Path, prices: list[float], every_s: int, fill: Any
) -> None:
    ran = run(guarded, folder, prices, every_s=every_s, fill=fill)
    machine = guarded.compile(fill=fill).machine()
    steps, shown = [], []
    for index, price in enumerate(prices):
        steps.append(machine.send("tick", (START + index * every_s) * 10**9, price=price))
        shown.append(machine.observation())
    trace = ran.trace
    assert np.array_equal(trace.values.T, np.array(shown, dtype=float))
    assert trace.fired == [(line, step.fired) for line, step in enumerate(steps) if step.fired]
    assert trace.timers.total() == sum(len(step.timers) for step in steps)
    orders = [order for step in steps for order in step.orders]
    assert [(fill.rule, fill.quantity, fill.mark) for fill in trace.fills] == [
        (order.rule, order.quantity, order.price) for order in orders
    ]


@given(walks, st.sampled_from([600, HOUR, 86_400]))
def test_slippage_is_what_each_order_paid_and_the_wait_for_the_next_mark(
    guarded: Spec, folder: Path, prices: list[float], every_s: int
) -> None:
    # The ledger settles an order at the next mark: that of its own row where a timer decided it before.
    ran = run(guarded, folder, prices, every_s=every_s, fill="next")
    account = ran.summary["money"]
    paid = math.fsum(fill.slippage for fill in ran.trace.fills)
    assert paid + account["delay"] == pytest.approx(account["slippage"], abs=1e-9)


@given(walks, st.sampled_from(["same", "next"]))
def test_the_profit_is_realised_or_open_less_costs_with_timers_too(
    guarded: Spec, folder: Path, prices: list[float], fill: Any
) -> None:
    account = run(guarded, folder, prices, fill=fill, every_s=5 * HOUR).summary["money"]
    earned = account["realised"] + account["unrealised"] + account["flows"]
    assert earned - account["fees"] - account["slippage"] == pytest.approx(account["profit"], abs=1e-9)


def test_an_order_of_a_timer_has_the_time_at_which_it_fell_due(guarded: Spec, folder: Path) -> None:
    # Cut at 1:30 and 3:00, both before the row of 4:00, at the mark of 0:00; the row of 0:00 itself orders nothing.
    ran = run(guarded, folder, [100.0, 110.0], every_s=4 * HOUR, fill="next")
    assert [(fill.index, fill.when, fill.time_ns) for fill in ran.trace.fills] == [
        (1, "before", (START + 90 * 60) * 10**9),
        (1, "before", (START + 180 * 60) * 10**9),
    ]
    rows = list(csv.DictReader(io.StringIO(trades_csv(ran.subject, ran.trace))))
    assert [(row["row"], row["time"], row["mark"]) for row in rows] == [
        ("2", "2020-09-13T13:56:40Z", "100.0"),
        ("2", "2020-09-13T15:26:40Z", "100.0"),
    ]
    # 0.5 sold twice: a rise of 10 before the sale is paid out is a gain.
    assert [float(row["delay"]) for row in rows] == [-5.0, -5.0]


def test_a_state_lasts_until_the_timer_that_ends_it_and_not_until_the_next_row(guarded: Spec, folder: Path) -> None:
    states = run(guarded, folder, [100.0, 160.0, 100.0], every_s=86_400).summary["states"]
    # 20 minutes of pause after the second row; `late` comes 10 minutes later, and the third row ends what it began.
    assert states["off"] == {"region": "trade", "seconds": 1200.0, "share": 1200 / (2 * 86_400), "rows": 1}
    assert states["on"]["seconds"] == 2 * 86_400 - 1200
    assert states["loud"]["seconds"] == 86_400 - 1800
    assert states["quiet"]["seconds"] == 86_400 + 1800


def test_a_state_that_is_only_passed_through_was_reached(guarded: Spec, folder: Path) -> None:
    ran = run(guarded, folder, [100.0, 160.0, 100.0], every_s=86_400)
    assert "passing" not in ran.trace.visited
    assert ran.summary["never"]["states"] == ["unseen", "safe"]


def test_timers_are_counted_and_told(guarded: Spec, folder: Path) -> None:
    # 24 hours in `on` hold 16 periods of 90 minutes; the rest of the second day begins after 20 minutes and holds 15.
    ran = run(guarded, folder, [100.0, 160.0, 100.0], every_s=86_400)
    assert ran.summary["timers"] == {"every.on.1": 31, "after.off.1": 1, "late": 1}
    (text,) = [each.text for each in narrate(ran.summary) if each.heading == "Behaviour"]
    assert "Timers that fell due: `every.on.1` 31, `after.off.1` 1, `late` 1" in text
    assert "In `trade`, time in `on` 99.3 %, `off` 0.69 %." in text


def test_a_comparison_counts_timers_and_takes_a_run_that_knew_none(guarded: Spec, folder: Path) -> None:
    long = run(guarded, folder, [100.0, 160.0, 100.0], every_s=86_400).summary
    short = run(guarded, folder, [100.0, 100.0], every_s=86_400).summary
    changes = {one.name: one.change for one in compare(short, long)[1] if one.name.startswith("timers.")}
    assert changes == {"timers.every.on.1": 15, "timers.after.off.1": 1, "timers.late": 1}
    old = {name: value for name, value in short.items() if name != "timers"}
    assert {one.a for one in compare(old, long)[1] if one.name.startswith("timers.")} == {None}


def test_a_summary_whose_timers_are_no_counts_is_refused(guarded: Spec, folder: Path, tmp_path: Path) -> None:
    summary = run(guarded, folder, [100.0, 100.0]).summary
    (tmp_path / "summary.json").write_text(json.dumps({**summary, "timers": 3}))
    with pytest.raises(RunError, match="HR802"):
        read_summary(tmp_path)


def test_a_region_that_is_not_active_is_in_no_state(guarded: Spec, folder: Path, tmp_path: Path) -> None:
    ran = run(guarded, folder, [100.0, 130.0, 100.0, 100.0], every_s=86_400)
    states = ran.summary["states"]
    assert (states["p"]["seconds"], states["safe"]["seconds"]) == (86_400, 2 * 86_400)
    for region in ("trade", "watch"):
        inside = [one["seconds"] for one in states.values() if one["region"] == region]
        assert sum(inside) == states["p"]["seconds"]
    write_folder(tmp_path / "run", ran.subject, ran.trace, ran.summary, report=False)
    table = parquet.read_table(tmp_path / "run" / "trace.parquet").to_pydict()
    assert table["state"][-1] == "safe"
    assert table["state trade"][-1] is None
    assert table["state trade"][0] == "on"


def test_the_page_draws_the_states_of_every_region_over_time(guarded: Spec, folder: Path) -> None:
    ran = run(guarded, folder, [100.0, 160.0, 100.0], every_s=86_400)
    text = page(ran.subject, ran.trace, ran.summary)
    assert text == page(ran.subject, ran.trace, ran.summary)
    document = text.split('id="document">')[1].split("</script>")[0]
    for row in ('["watch","quiet"]', '["watch","loud"]', '["trade","off"]', '["trade","on"]'):
        assert row in document.replace(" ", "")
    assert '["watch","unseen"]' not in document.replace(" ", "")
    assert "Time in each state of trade" in text
    assert "Timers that fell due" in text


def test_one_region_needs_no_chart_of_its_states(folder: Path) -> None:
    spec = loads("hedgerow: 1\nname: one\nevents: {tick: {price: {}}}\nmachine: {initial: a, states: {a: {}}}\n")
    ran = run(spec, folder, [1.0, 2.0])
    assert '"states"' not in page(ran.subject, ran.trace, ran.summary).split("<h2>In numbers")[0]
    assert ran.summary["timers"] == {}


# --- an order that a refused row brings ---

STOPPING = """\
hedgerow: 1
name: stopping
units: [USD, IDX]
capital: {USD: 1000}
events: {tick: {price: {unit: USD/IDX, range: [1, 1000]}}}
instruments: {index: {unit: IDX, price: tick.price}}
legs: {long: {instrument: index, side: long, quantity: 4 IDX}}
machine:
  initial: on
  fail_safe: on
  states:
    on:
      on:
        input.rejected: {name: stop, do: {close: long}}
        tick: {name: again, if: tick.price == 120 USD / 1 IDX, do: {increase: {long: 1 IDX}}}
"""


def test_an_order_that_a_refused_row_brings_is_no_part_of_what_the_run_opened_with(folder: Path) -> None:
    ran = run(loads(STOPPING), folder, [100.0, 5000.0, 120.0, 130.0], skip_bad=True, fill="same")
    assert [(fill.index, fill.when) for fill in ran.trace.fills] == [(0, "after"), (1, "at")]
    # 4 units opened at 100 and closed there, one bought at 120 and worth 130 now.
    account = ran.summary["money"]
    assert (account["realised"], account["unrealised"], account["profit"]) == (0.0, 10.0, 10.0)


# --- a composition ---

LEFT = GUARDED.replace("name: guarded", "name: left\nraises: [late]").replace("{USD: 1000}", "{USD: 250}")
RIGHT = STOPPING.replace("name: stopping", "name: right")
BOTH = """\
hedgerow: 1
name: both
units: [USD, IDX]
events: {told: {loss: {unit: USD}}}
raises: [told]
use: {left: {spec: left.yaml}, right: {spec: right.yaml}}
machine:
  initial: a
  states: {a: {on: {tick: {name: tell, if: left.equity < 0 USD, do: {raise: {told: {loss: 1 USD}}}}}}}
"""


@pytest.fixture(scope="module")
def composed(folder: Path) -> tuple[Spec, Spec, Spec]:
    for name, text in (("left", LEFT), ("right", RIGHT), ("both", BOTH)):
        (folder / f"{name}.yaml").write_text(text, "utf-8")
    left, right, both = (hedgerow.load(folder / f"{name}.yaml") for name in ("left", "right", "both"))
    return left, right, both


@given(walks, st.sampled_from(["same", "next"]))
def test_the_money_of_a_composition_is_that_of_its_parts_together(
    composed: tuple[Spec, Spec, Spec], folder: Path, prices: list[float], fill: Any
) -> None:
    left, right, both = (run(spec, folder, prices, every_s=86_400, fill=fill) for spec in composed)
    assert (left.subject.capital, right.subject.capital, both.subject.capital) == (250.0, 1000.0, 1250.0)
    for column in ("cash", "fees", "slippage", "flows"):
        alone = left.trace.column(column) + right.trace.column(column)
        assert both.trace.column(column) == pytest.approx(alone, abs=1e-9)
    for part in ("profit", "realised", "unrealised", "delay", "turnover"):
        alone = left.summary["money"][part] + right.summary["money"][part]
        assert both.summary["money"][part] == pytest.approx(alone, abs=1e-9)
    for name, state in left.summary["states"].items():
        # The outermost state of a part is the region that the part is in.
        inner = both.summary["states"][f"left.{name}"]
        assert (inner["seconds"], inner["rows"]) == (state["seconds"], state["rows"])


def test_what_a_composition_raises_itself_is_not_fed_from_data(composed: tuple[Spec, Spec, Spec]) -> None:
    assert event_of(composed[2], None).name == "tick"
    assert event_of(composed[2], "told").name == "told"
    text = "hedgerow: 1\nname: two\nevents: {a: {x: {}}, b: {x: {}}}\nmachine: {initial: s, states: {s: {}}}\n"
    with pytest.raises(RunError, match="HR807"):
        event_of(loads(text), None)


def test_every_register_has_its_leaves_and_a_name_of_its_own(composed: tuple[Spec, Spec, Spec]) -> None:
    subject = subject_of(composed[2].compile())
    shapes = {region.column: (region.root, region.leaves) for region in subject.regions}
    assert shapes["state"] == ("left", ("left.p", "left.safe"))
    assert shapes["state left.trade"] == ("left.trade", ("left.on", "left.off"))
    assert list(shapes) == [column for column in subject.columns if column.startswith("state")]
