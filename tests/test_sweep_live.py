"""What a sweep keeps of one set, held to a dry run of it and to the machine itself."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sweep_market import (
    BAND,
    GATED,
    GUARDED,
    MINUTE_NS,
    SMALL,
    SPECS,
    START_NS,
    assert_same,
    market,
    run_live,
    walk,
    write_csv,
)

from hedgerow.engine.dryrun.dry_run import dry_run
from hedgerow.engine.ir import FillMode
from hedgerow.engine.load import Spec, load, loads
from hedgerow.engine.sweep import live
from hedgerow.engine.sweep.path import EventPath
from hedgerow.engine.sweep.results import Results, conditional_loss, daily_profit, profit_of, shape_of
from hedgerow.engine.sweep.sets import parameter_sets
from hedgerow.models.performance import period_pnl

FILLS: tuple[FillMode, ...] = ("same", "next")


@pytest.fixture(scope="module")
def guarded() -> Spec:
    return loads(GUARDED)


def swept(spec: Spec, path: EventPath, fill: FillMode = "same", **params: Any) -> Results:
    first = spec.program().parameters[0]
    given = {
        first.name: [first.default if first.type != "real" else float(first.default)],
        **{k: [v] for k, v in params.items()},
    }
    return run_live(spec, parameter_sets(spec, grid=given), path, fill)


# --- a dry run tells the same ---

RUNS: list[tuple[Path | str, FillMode, dict[str, float]]] = [
    (BAND, "same", {"k": 6.5, "alpha": 0.1}),
    (BAND, "next", {"tau_max": 30 * 86_400.0, "gamma1": 0.5}),
    (BAND, "same", {"eta": 0.4, "delta": 0.5, "gamma1": 9.0, "calm_checks": 1}),
    (SPECS / "delta_band_hedge.yaml", "same", {}),
    (SPECS / "signal_hedge.yaml", "next", {}),
    (SPECS / "drawdown_desk.yaml", "same", {"max_drawdown": 0.001}),
    (SMALL, "same", {"step": 0.004, "stake": 200.0}),
    (SMALL, "next", {"step": 0.004, "stake": 200.0}),
    (GATED, "same", {"step": 0.004, "stake": 200.0}),
    (GATED, "next", {"step": 0.004, "stake": 200.0}),
    (GUARDED, "same", {}),
    (GUARDED, "next", {"wait": 3_000.0}),
    (GUARDED, "same", {"last": 104.0}),
]


@pytest.mark.parametrize(("file", "fill", "params"), RUNS, ids=lambda value: getattr(value, "stem", None))
def test_a_sweep_of_one_set_tells_what_a_dry_run_of_it_tells(
    file: Path | str, fill: FillMode, params: dict[str, float], tmp_path: Path
) -> None:
    spec = loads(file) if isinstance(file, str) else load(file)
    path = market(spec, walk(1500, 11, volatility=0.006), every_ns=95 * MINUTE_NS)
    told = dry_run(
        spec, write_csv(tmp_path, path), fill=fill, event="tick", parameters={k: repr(v) for k, v in params.items()}
    ).summary
    found = swept(spec, path, fill, **params)
    shape = shape_of(spec.program(fill), len(path.stops))
    account, capital = told["money"], told["money"]["capital"]
    for name in ("equity", "fees", "slippage", "flows"):
        assert getattr(found, name)[0] == account[name], name
    assert found.turnover[0] == pytest.approx(account["turnover"], rel=1e-12)
    assert found.drawdown[0] == told["risk"]["max_drawdown"]["share"]
    assert found.drawdown_amount[0] == told["risk"]["max_drawdown"]["amount"]
    assert conditional_loss(profit_of(found.days[0], capital)) == told["risk"]["cvar"]["loss"]
    assert found.orders[0] == told["trades"]["count"]
    assert (found.accepted[0], found.refused[0]) == (told["rows"]["accepted"], told["rows"]["rejected"])
    assert dict(zip(shape.rules, found.fired[0].tolist(), strict=True)) == told["triggers"]
    seconds = {name: state["seconds"] for name, state in told["states"].items()}
    assert {
        name: ns / 1e9 for name, ns in zip(shape.leaves, found.nanoseconds[0].tolist(), strict=True) if name in seconds
    } == seconds
    assert dict(zip(shape.invariants, found.broken[0].tolist(), strict=True)) == {
        name: one["events"] for name, one in told["invariants"].items()
    }
    assert dict(zip(shape.checks, found.stopped[0].tolist(), strict=True)) == told["gates"]
    for name, value in zip(shape.measures, found.measures[0].tolist(), strict=True):
        if name in told["split"]:
            assert value == told["split"][name]
    assert bool(found.ended[0]) == (told["ended_at"] is not None)


def test_the_runs_that_are_compared_do_what_is_to_be_counted() -> None:
    seen: Counter[str] = Counter()
    for file, fill, params in (RUNS[2], *RUNS[7:9], *RUNS[-3:]):
        spec = loads(file) if isinstance(file, str) else load(file)
        path = market(spec, walk(1500, 11, volatility=0.006), every_ns=95 * MINUTE_NS)
        found = swept(spec, path, fill, **params)
        seen["orders"] += int(found.orders[0] > 0)
        seen["broken"] += int(found.broken.sum() > 0)
        seen["stopped"] += int(found.stopped.sum() > 0)
        seen["ended"] += int(found.ended[0])
        seen["several states"] += int((found.nanoseconds[0] > 0).sum() > 2)
        seen["drawdown"] += int(found.drawdown[0] > 0)
    assert seen["orders"] == seen["drawdown"] == 6
    assert all(seen[name] for name in ("broken", "stopped", "ended", "several states")), seen


# --- the machine itself ---

prices = st.lists(
    st.sampled_from([80.0, 100.0, 100.0, 110.0, 125.0, 130.0, 160.0, float("nan"), 600.0]), min_size=1, max_size=50
)
gaps = st.sampled_from([10, 60, 24 * 60])


@given(prices, gaps, st.sampled_from(FILLS))
def test_counts_and_money_are_those_of_a_machine_that_is_sent_the_rows_by_hand(
    guarded: Spec, values: list[float], minutes: int, fill: FillMode
) -> None:
    if np.isnan(values).all():
        return
    path = market(guarded, values, every_ns=minutes * MINUTE_NS, skip_bad=True)
    found = swept(guarded, path, fill)
    machine = guarded.compile(fill=fill).machine()
    fired: Counter[str] = Counter()
    broken: Counter[str] = Counter()
    accepted = refused = orders = 0
    turnover, peak, drawdown, amount, equity = 0.0, 1000.0, 0.0, 0.0, float("nan")
    days: dict[int, tuple[float, float]] = {}
    for time, price in zip(path.times.tolist(), values, strict=True):
        if machine.ended:
            break
        step = machine.send("tick", time, price=price)
        fired.update(step.fired)
        broken.update(step.broken)
        orders += len(step.orders)
        for order in step.orders:
            turnover += float(order.notional)
        if step.rejected is not None:
            refused += 1
            continue
        accepted += 1
        equity = float(machine.value("cash")) + float(machine.value("long.quantity")) * float(
            machine.value("index.price")
        )
        peak = max(peak, equity)
        if (peak - equity) / peak > drawdown:
            drawdown, amount = (peak - equity) / peak, peak - equity
        days[time // (1440 * MINUTE_NS)] = equity, float(machine.value("fees"))
    program = guarded.program(fill)
    assert found.fired[0].tolist() == [fired[rule.name] for rule in program.rules]
    assert found.broken[0].tolist() == [broken[name] for name, _ in program.invariants]
    assert (found.accepted[0], found.refused[0], found.orders[0]) == (accepted, refused, orders)
    assert (found.turnover[0], found.drawdown[0], found.drawdown_amount[0]) == (turnover, drawdown, amount)
    np.testing.assert_array_equal(found.equity[0], equity)
    assert found.ended[0] == machine.ended
    wanted = [days.get(day, (np.nan, np.nan)) for day in (path.day_ns // (1440 * MINUTE_NS)).tolist()]
    np.testing.assert_array_equal(found.days[0], [one for one, _ in wanted])
    np.testing.assert_array_equal(found.day_fees[0], [one for _, one in wanted])


@settings(max_examples=40)
@given(prices, gaps)
def test_time_is_that_of_a_machine_that_is_looked_at_every_minute(
    guarded: Spec, values: list[float], minutes: int
) -> None:
    # Rows and timers come on whole minutes, so that between two of them nothing changes.
    values = [value for value in values if not np.isnan(value)]
    if not values:
        return
    path = market(guarded, values[:20], every_ns=minutes * MINUTE_NS)
    found = swept(guarded, path)
    machine = guarded.compile().machine()
    leaves = [leaf for region in guarded.program().regions for leaf in region.leaves]
    lasted: Counter[str] = Counter()
    last = START_NS
    for time, price in zip(path.times.tolist(), values, strict=False):
        if machine.ended:
            break
        while last < time:
            active = set(machine.configuration)
            # A parallel state is a leaf of the region around it, and active with its children.
            active |= {"p"} if active & {"on", "off", "quiet", "loud"} else set()
            lasted.update(dict.fromkeys(active, MINUTE_NS))
            last += MINUTE_NS
            if last < time:
                machine.advance(last)
        machine.send("tick", time, price=price)
    assert dict(zip(leaves, found.nanoseconds[0].tolist(), strict=True)) == {leaf: lasted[leaf] for leaf in leaves}


def test_time_in_a_region_that_is_always_active_adds_up_to_the_clock(guarded: Spec) -> None:
    path = market(guarded, walk(400, 4, volatility=0.05).clip(2, 400))
    found = swept(guarded, path)
    shape = shape_of(guarded.program(), len(path.stops))
    outer = found.nanoseconds[0, : shape.offsets[1]]
    assert outer.sum() == path.times[-1] - path.times[0]


def test_a_refused_row_that_moves_a_breaker_does_so_when_the_clock_stands(guarded: Spec) -> None:
    found = swept(guarded, market(guarded, [100.0, float("nan"), 100.0], skip_bad=True), wait=4 * 3600.0)
    named = dict(zip(shape_of(guarded.program(), 1).leaves, found.nanoseconds[0].tolist(), strict=True))
    assert (named["on"], named["off"]) == (0, 120 * MINUTE_NS)
    assert (found.refused[0], found.accepted[0], found.orders[0]) == (1, 2, 1)


def test_nothing_is_sent_after_the_end(guarded: Spec) -> None:
    path = market(guarded, [100.0, 100.0, 600.0, 100.0, 100.0], every_ns=24 * 60 * MINUTE_NS)
    found = swept(guarded, path)
    assert (found.ended[0], found.accepted[0], found.refused[0]) == (True, 3, 0)
    assert np.isnan(found.days[0]).tolist() == [False, False, False, True, True]


def test_an_end_waits_for_its_last_fills(guarded: Spec) -> None:
    text = GUARDED.replace("to: over}", "do: {reduce: {long: 1 IDX}}, to: over}")
    path = market(guarded, [100.0, 600.0, 100.0, 100.0])
    assert swept(loads(text), path, "same").accepted[0] == 2
    assert swept(loads(text), path, "next").accepted[0] == 3


def test_a_set_that_refuses_every_row_has_counts_and_no_money() -> None:
    spec = loads(SMALL.replace("initial: index.price}", "initial: index.price / (stake - 7 USD) * 1 USD}"))
    path = market(spec, walk(30, 5))
    found = run_live(spec, parameter_sets(spec, grid={"stake": "7,8"}), path)
    assert found.accepted.tolist() == [0, 30]
    assert found.refused.tolist() == [30, 0]
    assert np.isnan(found.equity).tolist() == [True, False]
    assert np.isnan(found.days[0]).all()
    assert (found.turnover[0], found.drawdown[0]) == (0.0, 0.0)
    assert np.isnan(conditional_loss(profit_of(found.days[0], 1000.0)))


def test_a_spec_without_legs_has_counts_and_no_money() -> None:
    spec = loads(
        "hedgerow: 1\nname: counter\nevents: {tick: {price: {}}}\n"
        "params: {edge: {default: 100, range: [0, 1000]}}\n"
        "state: {n: {type: int, range: [0, 10000], initial: 0}}\n"
        "machine: {initial: a, states: {a: {on: {tick: {name: up, if: tick.price > edge, "
        'do: {set: {n: "min(n + 1, 10000)"}}}}}}}\n'
    )
    path = market(spec, [99.0, 101.0, 102.0])
    found = run_live(spec, parameter_sets(spec, grid={"edge": "100,101.5,200"}), path)
    assert found.fired[:, 0].tolist() == [2, 1, 0]
    for name in ("equity", "fees", "turnover", "drawdown", "days"):
        assert np.isnan(getattr(found, name)).all(), name


# --- many sets ---


@pytest.mark.parametrize("chunk", [1, 7, 1 << 16])
def test_the_size_of_a_chunk_changes_nothing(guarded: Spec, monkeypatch: pytest.MonkeyPatch, chunk: int) -> None:
    path = market(guarded, [*walk(60, 6, volatility=0.05), float("nan"), *walk(40, 7)], skip_bad=True)
    sets = parameter_sets(guarded, grid={"lot": "0.5,1", "wait": "600,4000"})
    whole = run_live(guarded, sets, path)
    monkeypatch.setattr(live, "CHUNK", chunk)
    assert_same(run_live(guarded, sets, path), whole)


def test_sets_know_nothing_of_each_other(guarded: Spec) -> None:
    path = market(guarded, walk(80, 8, volatility=0.05))
    sets = parameter_sets(guarded, grid={"lot": "0.1:1.9:0.6"})
    together = run_live(guarded, sets, path)
    for index in range(len(sets)):
        assert_same(run_live(guarded, sets.take(np.array([index])), path), together.part(slice(index, index + 1)))


def test_an_interrupted_runner_marks_what_it_has_done(guarded: Spec) -> None:
    path = market(guarded, walk(20, 9))
    sets = parameter_sets(guarded, grid={"lot": "0.1:1.9:0.6"})
    results = Results.empty(shape_of(guarded.program(), len(path.stops)), 6)
    answers = iter([False, False, True])
    done = live.LiveRunner(guarded, "same", "tick").run(
        sets, np.full(4, 1000.0), path, results, 1, lambda: next(answers)
    )
    assert done == 2
    assert results.done.tolist() == [False, True, True, False, False, False]
    assert np.isnan(results.equity[[0, 3, 4, 5]]).all()


# --- by day ---


def test_daily_profit_is_that_of_a_dry_run_and_adds_up() -> None:
    spec = load(BAND)
    path = market(spec, walk(300, 10, volatility=0.005), every_ns=7 * 60 * MINUTE_NS)
    found = swept(spec, path)
    daily = daily_profit(found.days, np.array([1_000_000.0]))
    assert daily.sum() == pytest.approx(found.equity[0] - 1_000_000)
    np.testing.assert_array_equal(daily[0], period_pnl(path.day_ns, found.days[0], 1_000_000).pnl)


def test_a_day_without_equity_earns_nothing_and_the_next_one_all_of_it() -> None:
    nan = float("nan")
    days = np.array([[nan, 90.0, nan, nan, 120.0, nan], [nan, nan, nan, nan, nan, nan]])
    assert daily_profit(days, np.array([100.0, 5.0])).tolist() == [[0, -10, 0, 0, 30, 0], [0] * 6]
    assert conditional_loss(profit_of(days[0], 100.0)) == 10.0
