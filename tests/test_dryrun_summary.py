"""The summary: parts that add up, shares that are shares, and figures that an independent program also finds."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from band_machine import COLUMNS, LEAVES, BandMachine, subject
from hypothesis import given
from hypothesis import strategies as st

import hedgerow
from hedgerow.engine.dryrun.data import open_data
from hedgerow.engine.dryrun.narrative import headline, money, narrate, number, percent
from hedgerow.engine.dryrun.positions import delays, positions
from hedgerow.engine.dryrun.subject import LegShape, Subject, subject_of
from hedgerow.engine.dryrun.summary import Books, summarise
from hedgerow.engine.dryrun.trace import Fill, Trace, record

MADE = {"data": {"name": "made", "kind": "ticks"}, "fill": "same", "parameters": {}}

walks = st.lists(st.floats(-0.02, 0.02), min_size=1, max_size=80).map(
    lambda moves: (100 * np.exp(np.cumsum(moves))).tolist()
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("summary")


def run(
    folder: Path, prices: list[Any], *, every_s: int = 3600, skip_bad: bool = False, **options: Any
) -> tuple[Subject, Trace, dict[str, Any]]:
    path = folder / "ticks.csv"
    lines = [f"{1_600_000_000 + index * every_s},{price!r}" for index, price in enumerate(prices)]
    path.write_text("time,price\n" + "\n".join(lines) + "\n")
    data = open_data(str(path), ["price"])
    trace = record(BandMachine(**options), COLUMNS, "tick", data, skip_bad=skip_bad)
    made = subject()
    return made, trace, summarise(made, trace, data, fingerprint=MADE, notes=[], seed=3)


@given(walks, st.floats(0, 0.001), st.floats(-5, 5))
def test_the_parts_of_the_profit_add_up_to_it(folder: Path, prices: list[float], slip: float, carry: float) -> None:
    _, _, summary = run(folder, prices, slip=slip, carry=carry)
    split = summary["split"]
    profit = split.pop("profit")
    assert list(split) == ["harvest", "inventory", "fees", "slippage", "flows"]
    assert math.fsum(split.values()) == pytest.approx(profit, abs=1e-6)


@given(walks, st.floats(0, 0.001), st.floats(-5, 5))
def test_realised_and_unrealised_less_costs_plus_carry_are_the_profit(
    folder: Path, prices: list[float], slip: float, carry: float
) -> None:
    account = run(folder, prices, slip=slip, carry=carry)[2]["money"]
    earned = account["realised"] + account["unrealised"] + account["flows"]
    assert earned - account["fees"] - account["slippage"] == pytest.approx(account["profit"], abs=1e-6)


@given(walks)
def test_equity_moves_by_position_times_move_less_costs_at_every_line(folder: Path, prices: list[float]) -> None:
    made, trace, _ = run(folder, prices, slip=0.0001)
    account = Books(made, trace)
    held = sum(account.quantities.values())[:-1]
    moves = held * np.diff(trace.column("index.price"))
    costs = np.diff(account.fees) + np.diff(account.slippage)
    assert np.diff(account.equity) == pytest.approx(moves - costs, abs=1e-6)


def test_the_reference_figures_of_the_design_come_out() -> None:
    # DESIGN §4: f = 5 bp, k = 8, β = 1, α = .05, 1 M USD a leg, S&P daily 1999–2018, fills at the same mark.
    data = open_data("sp500", ["price"])
    trace = record(BandMachine(), COLUMNS, "tick", data)
    summary = summarise(subject(), trace, data, fingerprint=MADE, notes=[])
    assert summary["triggers"]["up"] + summary["triggers"]["down"] == 3055
    assert summary["money"]["fees"] == pytest.approx(8190, abs=5)
    assert summary["money"]["profit"] == pytest.approx(-1100, abs=50)
    assert summary["exposure"]["net_to_gross"]["max"] == pytest.approx(0.181, abs=5e-4)
    assert summary["verdict"]["distinguishable"] is False


def test_the_same_run_gives_the_same_summary_and_another_seed_another_interval(folder: Path) -> None:
    prices = (100 + 5 * np.sin(np.arange(1000) / 9)).tolist()
    first, again = run(folder, prices)[2], run(folder, prices)[2]
    assert json.dumps(first) == json.dumps(again)
    data = open_data(str(folder / "ticks.csv"), ["price"])
    trace = record(BandMachine(), COLUMNS, "tick", data)
    other = summarise(subject(), trace, data, fingerprint=MADE, notes=[], seed=4)
    assert other["verdict"]["interval"] != first["verdict"]["interval"]
    assert other["money"] == first["money"]


def test_a_price_that_always_returns_is_told_from_its_fees_and_the_verdict_says_so(folder: Path) -> None:
    # A zigzag one and a half bands wide: every move is harvested and none of it kept as inventory.
    _, _, summary = run(folder, [100, 100.6] * 1500)
    verdict = summary["verdict"]
    assert verdict["profit"] > 0 > verdict["no_edge"]
    assert verdict["distinguishable"] is True
    assert "Verdict: distinguishable from −fees" in [one.heading for one in narrate(summary)]


def test_without_a_trade_nothing_is_earned_and_no_break_even_fee_is_given(folder: Path) -> None:
    _, _, summary = run(folder, [100.0] * 5)
    assert summary["trades"]["count"] == 0
    assert summary["money"]["profit"] == 0
    assert summary["money"]["break_even_fee"] is None
    assert summary["verdict"]["interval"] is None
    assert summary["never"]["rules"] == ["up", "down", "rest", "finish"]


def test_the_verdict_takes_the_longest_period_that_the_run_has_enough_of(folder: Path) -> None:
    prices = (100 + np.sin(np.arange(100))).tolist()
    for every_s, period in ((86_400, "day"), (3600, "hour"), (60, "minute"), (1, "second")):
        assert run(folder, prices, every_s=every_s)[2]["verdict"]["period"] == period


def test_time_in_states_sums_to_the_whole_and_unreached_ones_are_listed(folder: Path) -> None:
    _, _, summary = run(folder, [100, 101, 102, 103, 104], tired_after=2)
    assert {name: state["share"] for name, state in summary["states"].items()} == {
        "active": 0.5,
        "tired": 0.5,
        "flat": 0.0,
    }
    assert summary["never"]["states"] == ["flat"]
    assert summary["triggers"] == {"up": 2, "down": 0, "rest": 1, "finish": 0}


def test_limits_are_measured_over_time(folder: Path) -> None:
    made, trace, _ = run(folder, [100, 100, 100, 100, 120])
    data = open_data(str(folder / "ticks.csv"), ["price"])
    tight = replace(made, limits={"gross": 2e6, "net": 1.0})
    summary = summarise(tight, trace, data, fingerprint=MADE, notes=[])
    gross = summary["exposure"]["gross"]
    assert gross["share_of_limit"]["mean"] == 1.0
    assert gross["time_over_limit"] == 0.0
    assert gross["max"] == max(Books(made, trace).gross)
    assert summary["exposure"]["net"]["share_of_limit"]["max"] > 1


def test_overshoot_is_what_each_trigger_added_to_the_running_total(folder: Path) -> None:
    # Band 0.4 %: the moves are 1.5 and 3 times as wide, measured at the lower price.
    prices = [100, 100 * 1.006, 100 * 1.006, 100 * 1.006 * 1.012]
    overshoot = run(folder, prices)[2]["overshoot"]
    assert overshoot["triggers"] == 2
    assert overshoot["mean"] == pytest.approx((0.5 + 2) / 2)
    assert overshoot["max"] == pytest.approx(2)


def test_a_broken_invariant_and_bad_rows_are_told_with_their_rows(folder: Path) -> None:
    _, _, summary = run(folder, [100, -1.0, 90, 80], breaks_below=95, skip_bad=True)
    assert summary["invariants"]["price_stays_up"] == {
        "held": False,
        "events": 2,
        "first": {"row": 3, "time": "2020-09-13T14:26:40Z", "rules": ["down"]},
    }
    assert summary["rows"]["rejected"] == 1
    told = {one.heading: one for one in narrate(summary)}
    assert told["Invariants: 1 of 1 broken"].tone == "warn"
    assert told["Bad rows"].text == "1 bad row was refused, the first at row 2: `price` is -1.0."


def trace_of(prices: list[float], quantities: list[float], fills: list[Fill]) -> Trace:
    size = len(prices)
    return Trace(
        ("index.price", "leg.quantity"),
        np.arange(size) + 1,
        np.arange(size) * 10**9,
        np.array([prices, quantities]),
        fills,
    )


def test_a_leg_that_crosses_zero_realises_what_it_closes_and_opens_at_the_mark() -> None:
    trace = trace_of([10, 12, 15], [4, -2, -2], [Fill(1, "leg", "index", "r", "sell", 6, 12, 72, 0, 0)])
    (position,) = positions([LegShape("leg", "index", 1)], trace)
    assert position.realised == 4 * (12 - 10)
    assert (position.quantity, position.average, position.unrealised) == (-2, 12, -2 * (15 - 12))


def test_a_leg_opened_by_orders_on_the_first_line_has_no_endowment() -> None:
    trace = trace_of([10, 12], [3, 3], [Fill(0, "leg", "index", "r", "buy", 3, 10, 30, 0, 0)])
    (position,) = positions([LegShape("leg", "index", 1)], trace)
    assert (position.realised, position.average, position.unrealised) == (0, 10, 6)


def test_waiting_costs_what_the_price_moved_against_the_order() -> None:
    fills = [
        Fill(0, "leg", "index", "r", "buy", 3, 10, 30, 0, 0),
        Fill(1, "leg", "index", "r", "sell", 1, 12, 12, 0, 0),
        Fill(2, "leg", "index", "r", "buy", 1, 11, 11, 0, 0),
    ]
    trace = trace_of([10, 12, 11], [3, 2, 3], fills)
    following = subject(fill="next", legs=(LegShape("leg", "index", 1),))
    assert delays(following, trace) == [3 * 2, 1 * 1, 0]
    assert delays(replace(following, fill="same"), trace) == [0, 0, 0]


def test_a_spec_without_legs_is_told_by_its_states(folder: Path) -> None:
    data = open_data("vix", ["price"])
    trace = record(BandMachine(), COLUMNS, "tick", data)
    bare = subject(legs=(), measures={}, limits={}, instruments=())
    summary = summarise(bare, trace, data, fingerprint=MADE, notes=[])
    assert summary["money"] is summary["risk"] is summary["verdict"] is None
    assert set(summary["states"]) == set(LEAVES)
    assert headline(summary).endswith("transitions")
    assert narrate(summary)


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0, "0"), (1234567.8, "1,234,568"), (-12.345678, "−12.346"), (0.000123456, "0.00012346"), (999.96, "999.96")],
)
def test_numbers_are_written_to_about_five_figures(value: float, shown: str) -> None:
    assert number(value) == shown


def test_amounts_and_shares_are_written_for_people() -> None:
    assert money(-1127.7, "USD") == "−1,128 USD"
    assert money(5.7) == "5.70"
    assert [percent(share) for share in (0.1813, 0.0686, 0.00043, 27.95, 0)] == [
        "18.1 %",
        "6.86 %",
        "0.043 %",
        "2,795 %",
        "0.00 %",
    ]


def told_of(summary: dict[str, Any]) -> dict[str, str]:
    return {one.heading: one.text for one in narrate(summary) if one.tone == "warn"}


def test_bars_that_share_their_times_are_doubted_to_be_one_series(folder: Path) -> None:
    path = folder / "panel.csv"
    path.write_text(
        "time,close\n" + "".join(f"2020-01-{day:02},{price}\n" for day in range(1, 29) for price in (9, 90))
    )
    data = open_data(str(path), ["price"])
    trace = record(BandMachine(), COLUMNS, "tick", data)
    made = {**MADE, "data": {"name": "panel.csv", "kind": data.kind}}
    summary = summarise(subject(), trace, data, fingerprint=made, notes=[])
    assert summary["time"]["repeated"] == 28
    assert told_of(summary)["More than one series?"].startswith("28 of 56 bars have the time of the bar before.")
    ticks = summarise(subject(), trace, data, fingerprint=MADE, notes=[])
    assert "More than one series?" not in told_of(ticks)


def test_a_clock_that_stands_still_is_told(folder: Path) -> None:
    assert "The clock stands still" in told_of(run(folder, [100, 101, 102], every_s=0)[2])
    assert "The clock stands still" not in told_of(run(folder, [100, 101, 102], every_s=1)[2])


def test_what_failed_in_a_run_is_told_with_its_count(folder: Path) -> None:
    made, trace, summary = run(folder, [100, 101])
    assert not [heading for heading in told_of(summary) if heading.startswith("Errors")]
    trace.errors.update({"`go`: division by zero": 3})
    data = open_data(str(folder / "ticks.csv"), ["price"])
    failed = summarise(made, trace, data, fingerprint=MADE, notes=[])
    assert told_of(failed)["Errors: 3"].endswith("`go`: division by zero (3 ×).")


def test_a_mark_that_a_function_computes_is_told() -> None:
    specs = Path(hedgerow.__file__).parent / "specs"
    option = subject_of(hedgerow.load(specs / "delta_band_hedge.yaml").compile())
    assert option.modelled == {"option": ("options.call_value",)}
    assert subject_of(hedgerow.load(specs / "signal_hedge.yaml").compile()).modelled == {}
    data = open_data("vix", ["price"])
    trace = record(BandMachine(), COLUMNS, "tick", data)
    marked = subject(modelled={"index": ("options.call_value",)})
    told = told_of(summarise(marked, trace, data, fingerprint=MADE, notes=[]))
    assert told["Marked by a model"].startswith("`index` is marked by `options.call_value`, not by prices")
    assert "Marked by a model" not in told_of(summarise(subject(), trace, data, fingerprint=MADE, notes=[]))


def test_a_result_told_from_its_fees_is_not_sold_as_a_profit() -> None:
    data = open_data("vix", ["price"])
    trace = record(BandMachine(), COLUMNS, "tick", data)
    summary = summarise(subject(), trace, data, fingerprint=MADE, notes=[])
    for interval, open_to_zero in (([-70.0, 30.0], True), ([20.0, 30.0], False)):
        summary["verdict"].update(no_edge=-170.0, interval=interval, distinguishable=True, confidence=0.95, periods=20)
        summary["verdict"].update(period="day", block=2, replications=2000)
        (text,) = [one.text for one in narrate(summary) if one.heading == "Verdict: distinguishable from −fees"]
        assert ("0 lies inside" in text) is open_to_zero
        assert "It need be no edge" in text


def test_a_run_that_refused_most_rows_says_how_many(folder: Path) -> None:
    told = told_of(run(folder, [100, -1.0, -1.0, -1.0], skip_bad=True)[2])
    assert "That is 75.0 % of all" in told["Bad rows"]
    few = told_of(run(folder, [100.0] * 30 + [-1.0], skip_bad=True)[2])
    assert "of all" not in few["Bad rows"]


def test_a_good_worst_day_is_no_loss(folder: Path) -> None:
    _, _, summary = run(folder, [100, 100], carry=5)
    (text,) = [one.text for one in narrate(summary) if one.heading == "Risk"]
    assert "is a gain of 10.00 USD" in text


def test_what_rounding_leaves_of_a_sum_is_no_money() -> None:
    assert money(1.2e-12, "USD") == "0 USD"
    assert money(-1.2e-12) == "0"
    assert money(1.2e-6) == "0.0000012"
