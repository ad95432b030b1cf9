"""The shipped spec, run by the engine, does what the rule's text says: held to a simulation in NumPy, path by path."""

from __future__ import annotations

import numpy as np
import pytest

from hedgerow.engine.load import ParameterError
from hedgerow.engine.studies.band_limited.balance import restoring_rate
from hedgerow.engine.studies.band_limited.profit import GRID, MARKETS
from hedgerow.engine.studies.band_limited.scaling import liquidation
from hedgerow.engine.studies.band_limited.setting import ACTIVE, STAKE, Setting, stayed_active
from hedgerow.engine.studies.band_limited.winding_down import EXIT, steps_of
from hedgerow.engine.studies.evidence import Interval
from hedgerow.engine.studies.outcomes import Path, outcomes
from hedgerow.engine.studies.rule import follow
from hedgerow.engine.studies.streams import stream
from hedgerow.engine.studies.walks import on_grid, random_walk
from hedgerow.models.scenarios.grid import DAY_NS, YEAR_NS, Grid

SETTING = Setting(0, 40)
HOURS = Grid(400, YEAR_NS // 8_760)


def walks(seed: int, paths: int = 12, volatility: float = 0.5) -> np.ndarray:
    return random_walk(stream(seed, "test"), HOURS, volatility, paths)[0]


@pytest.mark.parametrize(
    ("alpha", "beta", "k", "slippage"), [(0.05, 1.0, 8, 0.0), (0.0, 1.0, 6, 0.0), (0.3, 0.4, 10, 0.001)]
)
def test_the_engine_does_what_the_simulation_does(alpha: float, beta: float, k: float, slippage: float) -> None:
    prices = walks(1)
    parameters = {**ACTIVE, "alpha": alpha, "beta": beta, "k": k, "slippage": slippage}
    found = stayed_active(outcomes(SETTING.spec, parameters, on_grid(HOURS, prices)))
    rule = follow(prices, band=k * 0.0005, alpha=alpha, beta=beta, fee=0.0005, slippage=slippage, stake=STAKE)
    assert found.triggers.min() > 20
    assert found.triggers.tolist() == rule.triggers.tolist()
    for name in ("profit", "fees", "slippage", "harvest"):
        assert getattr(found, name) == pytest.approx(getattr(rule, name), abs=1e-7), name
    assert found.long == pytest.approx(rule.long, rel=1e-12)
    assert found.short == pytest.approx(rule.short, rel=1e-12)


def test_the_profit_is_that_of_the_net_position_less_the_costs_in_any_market() -> None:
    # Doob: with E[ΔP] put at ΔP itself the compensator is all that the position earns.
    prices = walks(2)
    rule = follow(
        prices,
        band=0.004,
        alpha=0.05,
        beta=1,
        fee=0.0005,
        slippage=0.0001,
        stake=STAKE,
        expected=np.diff(prices, axis=1),
    )
    assert rule.profit == pytest.approx(rule.compensator - rule.fees - rule.slippage, rel=1e-12)


def test_the_fees_decide_nothing_and_the_stake_is_a_scale() -> None:
    prices = walks(3)

    def run(fee: float, stake: float):
        return follow(prices, band=0.004, alpha=0.05, beta=1, fee=fee, slippage=0, stake=stake)

    one, dearer, larger = run(0.0005, 1e6), run(0.001, 1e6), run(0.0005, 2e6)
    assert dearer.triggers.tolist() == one.triggers.tolist()
    assert dearer.fees == pytest.approx(2 * one.fees, rel=1e-14)
    assert larger.profit == pytest.approx(2 * one.profit, rel=1e-12)


def test_mirrored_prices_swap_the_legs() -> None:
    prices = walks(4)
    setting = {"band": 0.004, "alpha": 0.05, "beta": 1.0, "fee": 0.0005, "slippage": 0.0, "stake": STAKE}
    one, mirror = follow(prices, **setting), follow(100.0**2 / prices, **setting)
    assert one.triggers.tolist() == mirror.triggers.tolist()
    assert one.long == pytest.approx(mirror.short, rel=1e-9)


# --- outcomes ---


def path(*prices: float) -> Path:
    return Path(np.arange(len(prices), dtype=np.int64) * DAY_NS, np.array(prices))


def test_an_outcome_stops_where_the_machine_ends() -> None:
    swing = [100 * 1.02 ** (index % 2) for index in range(200)]
    found = outcomes(SETTING.spec, EXIT, [path(*swing), path(*swing[:5])])
    assert found.ended.tolist() == [True, False]
    steps = steps_of(2 * STAKE / 100, 0.5, 0.3)
    assert found.fired["exit_step"].tolist() == [steps, 4]
    assert found.rows.tolist() == [1 + steps + 1, 5]
    assert found.long[0] == found.short[0] == 0


def test_what_the_machine_refuses_is_no_outcome() -> None:
    with pytest.raises(ValueError, match=r"tick 2 of path 1 \(price -1\.0\) went wrong"):
        outcomes(SETTING.spec, ACTIVE, [path(100, 101), path(100.0, -1.0)])
    with pytest.raises(ValueError, match="no path"):
        outcomes(SETTING.spec, ACTIVE, [])
    with pytest.raises(ParameterError, match="unknown param `kk`"):
        outcomes(SETTING.spec, {"kk": 1}, [path(100)])


def test_a_machine_that_leaves_active_is_told() -> None:
    found = outcomes(SETTING.spec, {**ACTIVE, "gross_max": 1}, [path(100, 101)])
    with pytest.raises(ValueError, match="the machine left `active`: `give_up` 1 times"):
        stayed_active(found)


def test_the_spec_with_any_alpha_is_the_shipped_one_but_for_its_range() -> None:
    wide = SETTING.any_alpha
    assert wide.compile(alpha=0.9).parameters["alpha"] == 0.9
    with pytest.raises(ParameterError, match="outside its range"):
        SETTING.spec.compile(alpha=0.9)
    prices = walks(5, 3)
    shipped, widened = (outcomes(spec, ACTIVE, on_grid(HOURS, prices)) for spec in (SETTING.spec, wide))
    assert shipped.profit.tolist() == widened.profit.tolist()


# --- closed forms of the parts ---


@pytest.mark.parametrize(
    ("quantity", "residue", "eta"), [(20_000, 0.5, 0.3), (8.0, 1.0, 0.5), (7.9, 1.0, 0.5), (1e6, 1e-3, 0.2)]
)
def test_the_number_of_exit_steps_is_the_least_that_leaves_less_than_the_residue(
    quantity: float, residue: float, eta: float
) -> None:
    steps = steps_of(quantity, residue, eta)
    assert quantity * (1 - eta) ** steps < residue <= quantity * (1 - eta) ** (steps - 1)


def test_the_restoring_rate_inverts_the_drift_of_the_imbalance() -> None:
    # r falls by the factor 1 − ½·c·step at each of 100 triggers.
    step = 0.02 / 1.02
    for rate in (0.85, 0.0, -0.5):
        left = (1 - rate * step / 2) ** 100
        found = restoring_rate(Interval(left, left * 0.9, left * 1.1, 50))
        assert found.value == pytest.approx(rate, abs=1e-10)
        assert found.low < found.value < found.high
    assert restoring_rate(Interval(0.1, -0.1, 0.3, 50)).high == np.inf


def test_liquidation_is_the_mean_of_an_exponential_decay() -> None:
    assert liquidation(0.0, 0.004, 0.04) == 1
    # ∫₀¹ e^(−xt) dt by the midpoint rule, x = α·step·σ²T/h².
    x = 0.05 * 0.004 / 1.004 * 0.04 / np.log(1.004) ** 2
    middle = np.exp(-x * (np.arange(10_000) + 0.5) / 10_000).mean()
    assert liquidation(0.05, 0.004, 0.04) == pytest.approx(middle, rel=1e-8)


@pytest.mark.parametrize("market", MARKETS, ids=lambda market: market.name)
def test_a_market_knows_its_own_noise(market) -> None:
    prices = market.draw(stream(6, market.name), 60)
    logs = np.log(prices / 100)
    normals = market.normals(logs)
    assert abs(normals.mean()) < 4 / np.sqrt(normals.size)
    assert abs(normals.var() - 1) < 4 * np.sqrt(2 / normals.size)
    # The change of the price less what was expected is driven by the normal and nothing else, to first order.
    surprise = prices[:, 1:] - market.next_mean(prices)[:, :-1]
    scale = 0.2 * np.sqrt(GRID.step_years) * prices[:, :-1]
    assert np.corrcoef((surprise / scale).ravel(), normals.ravel())[0, 1] > 0.99999
    for control in market.noise(prices):
        assert abs(control.mean()) < 4 * control.std() / np.sqrt(control.size)
