"""What each shipped spec claims to do, checked on recorded and simulated prices with formulas of our own."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.interpolate import PchipInterpolator
from scipy.stats import norm

import hedgerow
from hedgerow import Machine, Spec, SpecError, Step
from hedgerow.engine.evaluate import EXACT
from hedgerow.engine.load import Compiled
from hedgerow.engine.registry import builtin_registry
from hedgerow.engine.semantics import Reference

SPECS = Path(__file__).parent.parent / "specs"
DAY = 86_400 * 10**9


@cache
def shipped(name: str, *permit: str) -> Spec:
    return hedgerow.load(SPECS / name, permit=permit)


@cache
def index() -> tuple[tuple[int, float], ...]:
    """Return the closes of the S&P 500 from 1999 to 2018 that come with `arch`: (time in ns, price)."""
    from arch.data import sp500

    data = sp500.load()
    times = data.index.to_numpy().astype("datetime64[ns]").astype(np.int64)
    return tuple(zip(times.tolist(), data["Adj Close"].tolist(), strict=True))


def follow(compiled: Compiled, prices: tuple[tuple[int, float], ...], look: Callable[[Machine, Step], None]) -> Machine:
    """Feed prices to a machine and look at it after each."""
    machine = compiled.machine()
    tick = machine.port("tick")
    for time, price in prices:
        look(machine, tick(time, price))
    return machine


# ---------------------------------------------------------------------------------------------- the band-limited hedge


def test_the_reference_figures_of_the_band_limited_hedge_come_out() -> None:
    # Source: the design's table, from a prototype that was written before this engine.
    compiled = shipped("band_limited_hedge.yaml").compile(fill="same", slippage=0, tau_max="30d", gamma1=1)
    fired: list[str] = []
    imbalance: list[float] = []

    def look(machine: Machine, step: Step) -> None:
        fired.extend(step.fired)
        long, short = float(machine.value("long.quantity")), float(machine.value("short.quantity"))
        imbalance.append(abs(long - short) / (long + short))
        assert not step.broken
        assert not step.errors

    machine = follow(compiled, index(), look)
    net = float(machine.value("long.quantity")) - float(machine.value("short.quantity"))
    assert (len(fired), set(fired)) == (3055, {"up", "down"})
    assert float(machine.value("fees")) == pytest.approx(8190, abs=5)
    assert float(machine.value("cash")) + net * index()[-1][1] - 1_000_000 == pytest.approx(-1100, abs=50)
    assert max(imbalance) == pytest.approx(0.181, abs=0.0005)


def test_the_band_limited_hedge_lives_through_every_mode_on_the_index() -> None:
    compiled = shipped("band_limited_hedge.yaml").compile()
    fired: set[str] = set()
    states: set[str] = set()

    def look(machine: Machine, step: Step) -> None:
        fired.update(step.fired)
        states.update(step.configuration)
        assert not step.broken

    follow(compiled, index(), look)
    program = compiled.program
    assert states == {state.name for state in program.states} - {"halted"}
    assert fired == {rule.name for rule in program.rules if "tick" in rule.events} - {"paused.tick.1"}


def test_the_band_limited_hedge_is_the_same_when_up_is_down() -> None:
    # The exact meaning of "no directional bias": P → A²/P with the legs swapped; quantities are then in worth.
    walk = [1000 * math.exp(float(x)) for x in np.cumsum(np.random.default_rng(3).normal(0, 0.01, 300))]
    compiled = shipped("band_limited_hedge.yaml").compile(slippage=0, tau_max="30d", gamma1=1)
    machines = compiled.machine(), compiled.machine()
    swap = {"up": "down", "down": "up"}
    for day, price in enumerate(walk):
        first = machines[0].send("tick", day * DAY, price=price)
        second = machines[1].send("tick", day * DAY, price=walk[0] ** 2 / price)
        assert tuple(swap[name] for name in first.fired) == second.fired
    for leg, other in (("long", "short"), ("short", "long")):
        assert machines[0].value(f"{leg}.quantity") == pytest.approx(machines[1].value(f"{other}.quantity"), rel=1e-9)


def test_the_json_twin_is_the_same_program() -> None:
    assert shipped("band_limited_hedge.json").compile().digest == shipped("band_limited_hedge.yaml").compile().digest


def test_the_literal_spec_is_refused_for_its_units_alone() -> None:
    with pytest.raises(SpecError) as refused:
        hedgerow.load(SPECS / "band_limited_hedge.as_written.yaml")
    errors = [found for found in refused.value.diagnostics if found.severity == "error"]
    assert {found.code for found in errors} == {"HR302"}
    text = (SPECS / "band_limited_hedge.as_written.yaml").read_text("utf-8").splitlines()
    assert all("abs(price - reference)" in text[found.span.line - 1] for found in errors)


def test_the_literal_spec_when_permitted_loses_its_legs() -> None:
    spec = shipped("band_limited_hedge.as_written.yaml", "HR302")
    after: list[tuple[float, float]] = []
    broken: set[str] = set()

    def look(machine: Machine, step: Step) -> None:
        broken.update(step.broken)
        if {"up", "down"} & set(step.fired):
            after.append((abs(float(machine.value("long_quantity"))), abs(float(machine.value("short_quantity")))))

    # Its own limits stop it after one move; without them one sees where the rule leads.
    follow(spec.compile(exposure_max=1e10, interval_max=3e8, gamma1=0), index(), look)
    stake = 1_000_000 / index()[0][1]
    assert min(after[0]) < 0.01 * stake < 0.99 * stake < max(after[0])  # one-sided after one move
    assert max(after[19]) < 1e-9 * stake  # and empty after twenty
    assert broken == {"legs_stay_positive", "no_leg_collapses"}


def test_exact_fractions_and_floats_decide_alike_and_differ_by_rounding_only() -> None:
    compiled = shipped("band_limited_hedge.yaml").compile()
    exact = Reference(
        compiled.program, {p.name: p.default for p in compiled.program.parameters}, compiled.registry, EXACT
    )
    floats = Reference(compiled.program, compiled.parameters, compiled.registry)
    first, second = exact.initial(), floats.initial()
    for time, price in index()[:100]:
        first, one = exact.step(first, "tick", time, (price,))
        second, two = floats.step(second, "tick", time, (price,))
        assert (one.fired, one.configuration, one.broken) == (two.fired, two.configuration, two.broken)
        for name, value in first.cells.items():
            found = float(second.cells[name])
            assert float(value) == pytest.approx(found, rel=1e-9, abs=1e-6), name
    assert second.cells["fees"] != 0


# ---------------------------------------------------------------------------------------------------- the delta hedge

YEAR_S = 365 * 86_400


def band(spot: float, strike: float, years: float, sigma: float, cost: float, aversion: float) -> tuple[float, float]:
    """Return delta of a call on one unit and the half-width of Whalley and Wilmott (1997) at rate 0."""
    d1 = math.log(spot / strike) / (sigma * math.sqrt(years)) + sigma * math.sqrt(years) / 2
    gamma = norm.pdf(d1) / (spot * sigma * math.sqrt(years))
    return float(norm.cdf(d1)), float((1.5 * cost * spot * gamma**2 / aversion) ** (1 / 3))


@pytest.mark.parametrize(
    ("moneyness", "target"), [(-0.05, 0.2946), (-0.01, 0.5), (0.0, 0.5), (0.01, 0.5), (0.05, 0.7284)]
)
def test_the_bound_band_trades_to_the_known_edges(moneyness: float, target: float) -> None:
    # Source: the figures of the brief of this spec (strike 1, c = 1e-5, a = 1, a tenth of a year, previous hedge 0.5).
    function = builtin_registry()["hedging.no_trade_band"].function()
    found = function(
        spot=math.exp(moneyness),
        strike=1.0,
        expiry=0.1 * YEAR_S,
        volatility=0.2,
        cost=1e-5,
        risk_aversion=1.0,
        previous=0.5,
    )
    assert found.target == pytest.approx(target, abs=5e-5)
    delta, half_width = band(math.exp(moneyness), 1.0, 0.1, 0.2, 1e-5, 1.0)
    assert (found.delta, found.half_width) == pytest.approx((delta, half_width), rel=1e-12)


def gbm(source: np.random.Generator, days: int, sigma: float) -> tuple[tuple[int, float], ...]:
    """Return daily prices of a geometric Brownian motion without drift in the mean."""
    moves = source.normal(-(sigma**2) / 730, sigma / math.sqrt(365), days - 1)
    prices = 1000 * np.exp(np.concatenate(([0.0], np.cumsum(moves))))
    return tuple((day * DAY, price) for day, price in enumerate(prices.tolist()))


def test_the_delta_hedge_trades_only_outside_the_band_and_then_to_its_edge() -> None:
    spec = shipped("delta_band_hedge.yaml")
    size = 500.0
    held, trades = [0.0], [0]

    def look(machine: Machine, step: Step) -> None:
        assert not step.broken
        assert not step.errors
        age = (machine.time_ns or 0) % (32 * DAY) // DAY
        if step.configuration == ("hedging",) and step.before in ((), ("hedging",)):
            price, strike = float(machine.value("future.price")), float(machine.value("strike"))
            # One unit of the call is hedged against with an aversion `size` times as large (the formula's scaling).
            delta, width = band(price, strike, (30 - age) / 365, 0.2, 0.0005, 0.00001 * size)
            low, high = size * (delta - width), size * (delta + width)
            assert float(machine.value("hedge.quantity")) == pytest.approx(min(max(held[0], low), high), rel=1e-9)
            trades[0] += "rehedge" in step.fired
        held[0] = float(machine.value("hedge.quantity"))

    follow(spec.compile(), gbm(np.random.default_rng(5), 30, 0.2), look)
    assert 0 < trades[0] < 30


def test_without_costs_the_delta_hedge_breaks_even_at_the_volatility_it_was_sold_at() -> None:
    mean, error = profit_of_delta_hedge(0.2)
    assert abs(mean) < 3 * error


@pytest.mark.parametrize(("sold_at", "sign"), [(0.24, 1), (0.16, -1)])
def test_without_costs_the_delta_hedge_earns_the_volatility_that_did_not_come(sold_at: float, sign: int) -> None:
    mean, error = profit_of_delta_hedge(sold_at)
    assert sign * mean > 3 * error


def profit_of_delta_hedge(sold_at: float) -> tuple[float, float]:
    """Return the mean profit of 60 years at a volatility of 0.2 of calls sold at another, and its standard error."""
    compiled = shipped("delta_band_hedge.yaml").compile(cost=0, volatility=sold_at)
    source = np.random.default_rng(2)
    found = []
    for _ in range(60):
        machine = follow(compiled, gbm(source, 365, 0.2), lambda *_: None)
        calls = float(machine.value("call.quantity")) * float(machine.value("option.price"))
        futures = float(machine.value("hedge.quantity")) * float(machine.value("future.price"))
        found.append(float(machine.value("cash")) - calls + futures - 1_000_000)
    return float(np.mean(found)), float(np.std(found, ddof=1)) / math.sqrt(len(found))


# ------------------------------------------------------------------------------------------------------- the contracts

PRICES = st.floats(math.log(0.01), math.log(1e7)).map(lambda x: min(max(math.exp(x), 0.01), 1e7))


@given(data=st.data(), first=PRICES)
@pytest.mark.parametrize("name", ["delta_band_hedge.yaml", "signal_hedge.yaml"])
def test_what_the_calls_of_a_shipped_spec_ensure_holds_to_the_last_bit(
    name: str, data: st.DataObject, first: float
) -> None:
    spec = shipped(name)
    params = {
        p.name: data.draw(st.floats(float(p.low), float(p.high)), p.name)
        for p in spec.program().parameters
        if p.low is not None and p.high is not None and p.name not in ("gross_max", "cool_down")
    }
    machine = spec.compile(**params).machine()
    price, day = first, 0
    for _ in range(12):
        step = machine.send("tick", day * DAY, price=price)
        assert "ensure" not in f"{step.rejected} {step.errors}"
        move = data.draw(st.one_of(st.just(0.0), st.floats(-0.3, 0.3), st.floats(-1e-14, 1e-14)), "move")
        price, day = min(max(price * math.exp(move), 0.01), 1e7), day + data.draw(st.integers(0, 40), "days")


# ---------------------------------------------------------------------------------------------------- the signal hedge


def test_the_signal_hedge_follows_its_curve_and_shelters_when_the_risk_is_over_its_limit() -> None:
    compiled = shipped("signal_hedge.yaml").compile(fill="same")
    curve = PchipInterpolator([0, 0.4, 0.8, 1], [0.10, 0.30, 0.80, 1])
    weight = math.log1p(2e6) / math.log1p(1e7)
    prices = [price for _, price in index()]
    returns = np.diff(prices, prepend=prices[0]) / np.array([prices[0], *prices[:-1]])
    stock = 1_000_000 / prices[0]
    squared, entered = 0.0001, 0
    counts = {"adjust": 0, "breach": 0, "calm": 0, "quiet": 0}
    machine = compiled.machine()
    for position, (time, price) in enumerate(index()):
        before = float(machine.value("hedge.quantity")) if position else 0.0
        squared = 0.94 * squared + 0.06 * returns[position] ** 2
        score = min(math.sqrt(squared * 252) / 0.5, 1)
        wanted = min(float(curve(score * weight)), 0.9) * stock
        risky = False
        if position >= 249:
            losses = np.sort(-returns[position - 249 : position + 1])
            risky = losses[math.ceil(0.99 * 250) - 1] * (stock - wanted) * price > 35_000
        step = machine.send("tick", time, price=price)
        hedge = float(machine.value("hedge.quantity"))
        assert not step.broken
        assert not step.errors
        if step.before == ("sheltered",):
            calm = not risky and time - entered >= 10 * DAY
            assert step.fired == (("calm",) if calm else ())
            assert hedge == pytest.approx(wanted if calm else 0.8 * stock, rel=1e-9)
        elif risky:
            assert step.fired == ("breach",)
            assert hedge == pytest.approx(0.8 * stock, rel=1e-12)
            entered = time
        else:
            moves = abs(wanted - before) > 0.05 * stock
            assert step.fired == (("adjust",) if moves else ())
            assert hedge == pytest.approx(wanted if moves else before, rel=1e-9)
        for name in step.fired or ("quiet",):
            counts[name] += 1
    assert min(counts.values()) > 5


def test_a_person_can_take_the_signal_hedge_off_and_put_it_on_again() -> None:
    machine = shipped("signal_hedge.yaml").compile().machine()
    machine.send("tick", 0, price=1000.0)
    machine.send("tick", DAY, price=1050.0)
    assert float(machine.value("hedge.quantity")) > 0
    assert machine.send("manual_exit", 2 * DAY).configuration == ("unhedged",)
    assert machine.value("hedge.quantity") == 0
    assert machine.value("stock.quantity") == 1000
    assert machine.send("tick", 3 * DAY, price=1100.0).orders == ()
    assert machine.send("manual_exit", 4 * DAY).configuration == ("following",)
