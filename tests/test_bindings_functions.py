"""The functions that a spec may call: their tables, their signatures, their units, and what they return."""

from __future__ import annotations

import importlib
import inspect
import itertools
import math
import re
import subprocess
import sys
import typing
from collections.abc import Callable
from typing import Annotated, Any, Literal, get_args, get_origin

import numpy as np
import pytest
from scipy import stats
from scipy.interpolate import PchipInterpolator

from hedgerow.actions import ACTIONS
from hedgerow.actions.hedging import no_trade_band
from hedgerow.actions.options import YEAR_S, call_value
from hedgerow.actions.sizing import Curve, hedge_curve
from hedgerow.guards import GUARDS
from hedgerow.guards.drift import correlation_within, population_stability_within
from hedgerow.guards.liquidity import drain_within
from hedgerow.guards.risk import value_at_risk_within
from hedgerow.models import options
from hedgerow.models.sizing import CURVES
from hedgerow.models.windows import Window

FUNCTIONS = {**GUARDS, **ACTIONS}
RETURNS = np.array([0.01, -0.03, 0.002, -0.011, 0.02, -0.005, 0.001, 0.004, -0.02, 0.015])
RETURNS.flags.writeable = False  # as the engine hands it over
DRAWN = np.random.default_rng(11).multivariate_normal([0, 0], [[1, 0.6], [0.6, 1]], 80).T.copy()
DRAWN.flags.writeable = False

EXAMPLES: dict[str, dict[str, Any]] = {
    "risk.value_at_risk_within": {"returns": RETURNS, "equity": 1e6, "limit": 25e3, "confidence": 0.9},
    "drift.correlation_within": {"first": DRAWN[0], "second": DRAWN[1], "recent": 20},
    "drift.population_stability_within": {"values": DRAWN[0], "recent": 30, "bins": 4},
    "liquidity.drain_within": {"outflow": 3e5, "inflow": 1e5, "forecast": 1e6},
    "sizing.hedge_curve": {"score": 0.6, "depth": 2e5, "max_depth": 1e7},
    "hedging.no_trade_band": {
        "spot": 97.0,
        "strike": 100.0,
        "expiry": 30 * 86_400.0,
        "volatility": 0.25,
        "cost": 0.001,
        "risk_aversion": 0.01,
        "previous": 10.0,
        "size": 50.0,
    },
    "options.call_value": {
        "spot": 97.0,
        "strike": 100.0,
        "expiry": 30 * 86_400.0,
        "volatility": 0.25,
        "rate": 0.03,
    },
}


def resolve(name: str) -> Callable[..., Any]:
    module, attribute = FUNCTIONS[name].split(":")
    return getattr(importlib.import_module(module), attribute)


def hints(target: Any) -> dict[str, Any]:
    return typing.get_type_hints(target, include_extras=True)


def fields(name: str) -> dict[str, Any]:
    """Name → annotation of each parameter and, with a dot before it, of each result."""
    found = hints(resolve(name))
    result = found.pop("return")
    return found | {f".{field}": hint for field, hint in hints(result).items()}


def exponents(unit: str) -> dict[str, int]:
    """`M/Q` → {M: 1, Q: −1}: one factor over one factor is all that the shipped functions need."""
    over, _, under = unit.partition("/")
    return {variable: power for variable, power in ((over, 1), (under, -1)) if variable not in ("", "1")}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_name_leads_to_a_function(name: str) -> None:
    assert re.fullmatch(r"[a-z]+(_[a-z]+)*\.[a-z]+(_[a-z]+)*", name)
    assert inspect.isfunction(resolve(name))
    assert FUNCTIONS[name].endswith(f".{name.replace('.', ':')}")


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_signature_says_all_that_the_engine_reads(name: str) -> None:
    parameters = inspect.signature(resolve(name)).parameters
    assert {parameter.kind for parameter in parameters.values()} == {inspect.Parameter.KEYWORD_ONLY}
    for field, hint in fields(name).items():
        kind, *units = get_args(hint) if get_origin(hint) is Annotated else (hint,)
        literal = get_origin(kind) is Literal and not field.startswith(".")
        words = kind is str and field.startswith(".")
        assert kind in (float, int, bool) or literal or words or kind == Window, field
        assert [unit for unit in units if not re.fullmatch(r"(1|[A-Z])(/[A-Z])?|s", unit)] == []
        if literal:
            assert all(type(choice) is str for choice in get_args(kind))
            assert parameters[field].default in get_args(kind)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_documentation_names_every_argument_and_result(name: str) -> None:
    summary, *body = inspect.getdoc(resolve(name)).split("\n\n")
    assert summary.endswith(".")
    assert "\n" not in summary
    sections = {part.partition(":")[0]: part for part in body}
    assert {"Args", "Returns", "Raises", "Source"} <= sections.keys()
    documented = {*re.findall(r"^    (\w+): ", sections["Args"], re.MULTILINE)}
    assert documented == {field for field in fields(name) if not field.startswith(".")}
    for field in fields(name):
        assert not field.startswith(".") or re.search(rf"\b{field[1:]}\b", sections["Returns"])


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_result_is_of_plain_finite_numbers_and_words(name: str) -> None:
    # A NumPy float divides to inf where a float raises, so none may reach the engine.
    result = resolve(name)(**EXAMPLES[name])
    expected = hints(type(result))
    for field, value in result._asdict().items():
        kind = get_args(expected[field])[0] if get_origin(expected[field]) is Annotated else expected[field]
        assert type(value) is kind, field
        assert kind is str or math.isfinite(value)


@pytest.mark.parametrize("name", sorted(FUNCTIONS.keys() - {"sizing.hedge_curve"}))
def test_units_are_true_a_change_of_units_changes_nothing_else(name: str) -> None:
    function, example, annotated = resolve(name), EXAMPLES[name], fields(name)
    scale = {"M": 8.0, "Q": 0.25, "P": 32.0}  # powers of 2

    def factor(field: str) -> float:
        hint = annotated[field]
        unit = get_args(hint)[1] if get_origin(hint) is Annotated else "1"
        return math.prod(scale.get(variable, 1.0) ** power for variable, power in exponents(unit).items())

    result = function(**example)
    changed = function(
        **{field: value if type(value) is int else value * factor(field) for field, value in example.items()}
    )
    for field, value in result._asdict().items():
        expected = value if type(value) is str else pytest.approx(value * factor(f".{field}"), rel=1e-12)
        assert changed._asdict()[field] == expected, field


def test_the_hedge_curve_depends_on_the_currencys_unit_as_its_documentation_says() -> None:
    dollars = hedge_curve(score=0.6, depth=2e5, max_depth=1e7)
    cents = hedge_curve(score=0.6, depth=2e7, max_depth=1e9)
    assert cents.confidence > dollars.confidence + 0.01
    assert "depends on the currency's unit" in " ".join(inspect.getdoc(hedge_curve).split())


def test_naming_the_functions_imports_none_of_what_they_need() -> None:
    script = (
        "import sys, hedgerow.guards, hedgerow.actions\n"
        "assert 'numpy' not in sys.modules, 'tables'\n"
        "import hedgerow.actions.sizing, hedgerow.actions.hedging, hedgerow.actions.options\n"
        "assert 'numpy' not in sys.modules, 'actions'\n"
        "import hedgerow.guards.drift, hedgerow.guards.liquidity\n"
        "import hedgerow.guards.risk, hedgerow.models.performance\n"
        "heavy = {'scipy', 'pandas', 'arch', 'pydantic', 'hedgerow.engine'} & sys.modules.keys()\n"
        "assert not heavy, heavy\n"
    )
    finished = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (finished.returncode, finished.stderr) == (0, "")


# risk.value_at_risk_within


def test_the_historical_value_at_risk_is_the_ranked_loss_on_the_equity() -> None:
    # The losses in order end with .011, .02, .03: the ninth of ten is .02.
    found = value_at_risk_within(returns=RETURNS, equity=1e6, limit=20e3, confidence=0.9)
    assert found == (True, 20e3)
    assert value_at_risk_within(returns=RETURNS, equity=1e6, limit=19_999.99, confidence=0.9).ok is False


def test_the_normal_value_at_risk_scales_over_periods() -> None:
    found = value_at_risk_within(returns=RETURNS, equity=2e6, limit=0, confidence=0.99, horizon=10, method="normal")
    law = stats.norm(-10 * RETURNS.mean(), math.sqrt(10) * RETURNS.std(ddof=1))
    assert found.ok is False
    assert found.value == pytest.approx(2e6 * law.ppf(0.99), rel=1e-12)


def test_a_window_of_gains_is_within_any_limit() -> None:
    assert value_at_risk_within(returns=np.full(5, 0.01), equity=1e6, limit=0.0) == (True, -1e4)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"equity": 0.0}, "equity must be finite and above 0, got 0.0"),
        ({"equity": math.nan}, "equity must be finite and above 0, got nan"),
        ({"limit": -1.0}, "limit must be finite and at least 0, got -1.0"),
        ({"confidence": 99.0}, r"confidence must be in \(0, 1\), got 99.0"),
        ({"returns": np.array([0.1, math.nan])}, "losses must be finite"),
        ({"horizon": 2}, "historical value at risk has no scaling over periods, got horizon 2"),
        ({"horizon": 0, "method": "normal"}, "horizon must be at least 1 period, got 0"),
        ({"method": "cornish"}, "unknown method `cornish`, expected historical or normal"),
    ],
)
def test_a_bad_value_at_risk_is_refused(bad: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        value_at_risk_within(**({"returns": RETURNS, "equity": 1e6, "limit": 1e4} | bad))


# drift.population_stability_within, drift.correlation_within


def test_a_shift_fails_where_it_is_large_and_no_accident() -> None:
    # Four bins of 10 against (4, 10, 10, 16): the index is 12/40 · ln 4; 3 degrees of freedom, samples of 40.
    steps = np.repeat([1.0, 2.0, 3.0, 4.0], 10)
    values = np.concatenate((np.arange(40.0), np.repeat([5.0, 15.0, 25.0, 35.0], [4, 10, 10, 16])))
    index = 0.15 * math.log(1.6) - 0.15 * math.log(0.4)
    critical = stats.chi2.ppf(0.99, 3) * (2 / 40)
    assert index < critical
    found = population_stability_within(values=values, recent=40, bins=4, limit=0.2)
    assert found == (True, pytest.approx(index, rel=1e-12), pytest.approx(critical, rel=1e-12), "")  # an accident
    few = population_stability_within(values=values, recent=40, bins=4, limit=0.2, confidence=0.5)
    assert few.ok is False
    assert few.reason == "the index is 0.208: above 0.2, and above the 0.118 that chance explains"
    assert population_stability_within(values=values, recent=40, bins=4, limit=0.21, confidence=0.5).ok  # but small
    with pytest.raises(ValueError, match="reference has too many equal values for 5 bins"):
        population_stability_within(values=np.concatenate((steps, steps)), recent=40, bins=5)


def test_a_correlation_that_turned_fails_and_one_that_held_does_not() -> None:
    source = np.random.default_rng(2)
    first, noise = source.normal(size=(2, 300))
    held = correlation_within(first=first, second=first + noise, recent=60)
    turned = correlation_within(first=first, second=np.where(np.arange(300) < 240, first, -first) + noise, recent=60)
    assert held.ok
    assert not turned.ok
    assert turned.value < -held.critical
    assert held.reason == ""
    assert turned.reason == (
        f"the correlation was {turned.before:.3g} and is {turned.after:.3g}: {-turned.value:.3g} standard errors away, and "
        "chance explains 2.58"
    )
    assert held.critical == pytest.approx(stats.norm.ppf(0.995), rel=1e-9)
    assert held.after == pytest.approx(stats.pearsonr(first[-60:], (first + noise)[-60:]).statistic, rel=1e-12)
    assert turned.before == held.before
    assert correlation_within(first=first, second=-first - noise, recent=60).value == pytest.approx(-held.value)


PAIRS = {"first": DRAWN[0], "second": DRAWN[1], "recent": 20}


@pytest.mark.parametrize(
    ("function", "bad", "message"),
    [
        (correlation_within, {"confidence": 1.0}, r"confidence must be in \(0, 1\), got 1.0"),
        (correlation_within, {"second": DRAWN[1][1:]}, "windows must be of one length, got 80 and 79"),
        (correlation_within, {"recent": 80}, "recent must be at least 1 and leave earlier values of 80, got 80"),
        (correlation_within, {"recent": 0}, "recent must be at least 1"),
        (correlation_within, {"recent": 3}, "each correlation must be of at least 4 pairs, got 3 and 77"),
        (correlation_within, {"first": np.full(80, 0.1)}, "first is constant"),
        (correlation_within, {"second": 3 * DRAWN[0] - 1}, r"a correlation must be within \(-1, 1\)"),
        (correlation_within, {"first": np.where(np.arange(80) == 9, math.nan, DRAWN[0])}, "first must be finite"),
        (population_stability_within, {"limit": math.nan}, "limit must be at least 0, got nan"),
        (population_stability_within, {"bins": 1}, "bins must be at least 2, got 1"),
        (population_stability_within, {"recent": 19}, "recent must hold at least 20 values, got 19"),
        (population_stability_within, {"recent": 61}, "reference must hold at least 20 values, got 19"),
        (population_stability_within, {"confidence": math.nan}, r"confidence must be in \(0, 1\), got nan"),
        (population_stability_within, {"values": np.full(80, 0.1)}, "reference has too many equal values for 4 bins"),
        (population_stability_within, {"values": np.append(DRAWN[0], math.inf)}, "recent must be finite"),
    ],
)
def test_a_bad_test_of_drift_is_refused(function: Callable[..., Any], bad: dict[str, Any], message: str) -> None:
    good = PAIRS if function is correlation_within else {"values": DRAWN[0], "recent": 30, "bins": 4}
    with pytest.raises(ValueError, match=message):
        function(**good | bad)


# liquidity.drain_within


def test_a_drain_is_net_and_within_its_limit_up_to_the_limit_itself() -> None:
    assert drain_within(outflow=3e5, inflow=0.5e5, forecast=1e6) == (True, 0.25)
    assert drain_within(outflow=3e5, inflow=0.49e5, forecast=1e6).ok is False
    assert drain_within(outflow=0.0, inflow=1e5, forecast=1e6, limit=0.0) == (True, -0.1)
    with pytest.raises(ValueError, match="limit must be at least 0, got nan"):
        drain_within(outflow=1.0, inflow=0.0, forecast=1.0, limit=math.nan)


# sizing.hedge_curve


def test_the_curves_on_offer_are_the_curves_there_are() -> None:
    assert set(get_args(Curve)) == set(CURVES)


@pytest.mark.parametrize("curve", get_args(Curve))
@pytest.mark.parametrize("depth", [0.0, 1.0, 1e4, 1e7, 1e9])
def test_the_hedge_is_the_formula_of_the_note(curve: Curve, depth: float) -> None:
    reference = PchipInterpolator(*zip(*CURVES[curve].knots, strict=True))
    weight = min(1, math.log(1 + depth) / math.log(1 + 10_000_000))
    for score, maximum in itertools.product((0, 0.2, 0.55, 1), (1, 0.4)):
        found = hedge_curve(score=score, depth=depth, curve=curve, maximum=maximum)
        expected = min(float(reference(score * weight)), maximum)
        assert found == pytest.approx((expected, weight), abs=1e-14)


def test_a_deep_book_and_a_full_score_hedge_all() -> None:
    assert hedge_curve(score=1, depth=1e7) == (1, 1)


@pytest.mark.parametrize("score", [1.01, -0.01, math.nan])
def test_a_score_out_of_range_is_refused_and_no_full_hedge(score: float) -> None:
    # A known implementation returns a hedge of 100 % for each of these.
    with pytest.raises(ValueError, match=r"score must be in \[0, 1\]"):
        hedge_curve(score=score, depth=1e6)


def test_a_bad_book_or_an_unknown_curve_is_refused() -> None:
    with pytest.raises(ValueError, match="depth must be finite and at least 0, got -1"):
        hedge_curve(score=0.5, depth=-1)
    with pytest.raises(ValueError, match="unknown curve `calm`, expected one of default, sentiment, volatility"):
        hedge_curve(score=0.5, depth=1, curve="calm")


# options.call_value, hedging.no_trade_band


def test_a_year_of_an_option_has_365_days() -> None:
    found = call_value(spot=42, strike=40, expiry=0.5 * 365 * 86_400, volatility=0.2, rate=0.1)
    assert round(found.value, 2) == 4.76  # Hull, example 15.6
    assert found == options.call(42, 40, 0.5, 0.2, 0.1)[:3]


def test_a_call_at_expiry_is_its_payoff_and_refused_where_gamma_is_infinite() -> None:
    assert call_value(spot=42, strike=40, expiry=0, volatility=0.2) == (2, 1, 0)
    with pytest.raises(ValueError, match="gamma is infinite: the call is at its strike"):
        call_value(spot=40, strike=40, expiry=0, volatility=0.2)


@pytest.mark.parametrize(
    ("moneyness", "target"), [(-0.05, 0.2946), (-0.01, 0.5), (0, 0.5), (0.01, 0.5), (0.05, 0.7284)]
)
def test_the_band_gives_the_hedge_of_the_note(moneyness: float, target: float) -> None:
    found = no_trade_band(
        spot=math.exp(moneyness),
        strike=1,
        expiry=0.1 * YEAR_S,
        volatility=0.2,
        cost=1e-5,
        risk_aversion=1,
        previous=0.5,
    )
    assert round(found.target, 4) == target
    assert abs(found.target - found.delta) <= found.half_width * (1 + 1e-15)


def test_a_larger_position_has_a_relatively_narrower_band() -> None:
    one = no_trade_band(**EXAMPLES["hedging.no_trade_band"] | {"size": 1.0})
    eight = no_trade_band(**EXAMPLES["hedging.no_trade_band"] | {"size": 8.0})
    assert eight.delta == 8 * one.delta
    assert eight.half_width == pytest.approx(4 * one.half_width, rel=1e-14)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"expiry": 0.0}, "expiry and volatility must be above 0, got 0.0 and 0.25"),
        ({"expiry": -5.0}, "expiry and volatility must be above 0"),
        ({"volatility": 0.0}, "expiry and volatility must be above 0"),
        ({"volatility": math.nan}, "expiry and volatility must be above 0"),
        ({"spot": -1.0}, "spot must be finite and above 0, got -1.0"),
        ({"size": 0.0}, "size must be finite and above 0, got 0.0"),
        ({"previous": math.nan}, "quantities must be finite"),
        ({"cost": -0.1}, "cost must be finite and at least 0, got -0.1"),
        ({"risk_aversion": 0.0}, "risk aversion must be finite and above 0, got 0.0"),
    ],
)
def test_a_bad_band_is_refused(bad: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        no_trade_band(**EXAMPLES["hedging.no_trade_band"] | bad)
