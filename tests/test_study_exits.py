"""How long Brownian motion stays in a band: its exact law, and what seeing it at steps only changes."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import kstest

from hedgerow.engine.studies import exits
from hedgerow.engine.studies.exits import exit_times, expected_exits, survival
from hedgerow.engine.studies.streams import stream
from hedgerow.engine.studies.walks import EDGE, START, exits_until
from hedgerow.models.scenarios.grid import YEAR_NS


def zeta_at_a_half() -> float:
    """Borwein's alternating series; nothing of it stands in the package."""
    n = 40
    terms = [
        n * math.factorial(n + i - 1) * 4**i // (math.factorial(n - i) * math.factorial(2 * i)) for i in range(n + 1)
    ]
    partial = np.cumsum(np.array(terms, dtype=object))
    total = math.fsum(
        (-1) ** k * ((int(partial[k]) - int(partial[n])) / int(partial[n])) / math.sqrt(k + 1) for k in range(n)
    )
    return -total / (1 - math.sqrt(2))


# --- the law of the first exit ---


def test_the_survival_begins_at_1_falls_and_ends_at_0() -> None:
    times = np.geomspace(1e-3, 60, 4_000)
    found = survival(times)
    assert found[0] == 1
    assert (np.diff(found) <= 1e-15).all()
    assert 0 < found[-1] < 1e-30


def test_the_moments_are_those_of_the_laplace_transform() -> None:
    # E[τ] = ∫ S dt and E[τ²] = ∫ 2t·S dt; 1/cosh √(2λ) = 1 − λ + (5/6)λ² − …
    first = quad(lambda t: float(survival(t)), 0, 60, points=[0.6], limit=200, epsabs=1e-13)[0]
    second = quad(lambda t: 2 * t * float(survival(t)), 0, 60, points=[0.6], limit=200, epsabs=1e-13)[0]
    assert first == pytest.approx(exits.MEAN, abs=1e-10)
    assert second == pytest.approx(exits.SECOND_MOMENT, abs=1e-10)


@pytest.mark.parametrize("rate", [0.1, 1.0, 7.0])
def test_the_laplace_transform_is_one_over_cosh(rate: float) -> None:
    # E[exp(−λτ)] = 1 − λ·∫ exp(−λt)·S(t) dt
    left = quad(lambda t: rate * math.exp(-rate * t) * float(survival(t)), 0, 60, points=[0.6], limit=200)[0]
    assert 1 - left == pytest.approx(1 / math.cosh(math.sqrt(2 * rate)), abs=1e-9)


def test_the_two_series_agree_where_they_meet_and_around() -> None:
    times = np.linspace(0.35, 1.0, 50)
    assert np.abs(1 - exits._left(times) - exits._stayed(times)).max() < 1e-12


def test_drawn_times_invert_the_law_to_rounding() -> None:
    drawn = exit_times(stream(1, "a"), 20_000)
    uniform = np.maximum(stream(1, "a").random(20_000), 2.0**-53)
    assert np.abs(survival(drawn) - uniform).max() < 1e-13


def test_drawn_times_follow_the_law() -> None:
    drawn = exit_times(stream(2, "b"), 50_000)
    assert kstest(drawn, lambda t: 1 - survival(t)).pvalue > 0.01
    assert abs(drawn.mean() - 1) < 4 * math.sqrt((5 / 3 - 1) / drawn.size)


def test_the_ends_of_the_uniform_numbers_give_finite_times() -> None:
    class Ends:
        def random(self, size: int) -> np.ndarray:
            return np.array([0.0, 2.0**-53, 0.5, 1 - 2.0**-53])

    drawn = exit_times(Ends(), 4)  # type: ignore[arg-type]  # what it draws is all that it needs
    assert np.isfinite(drawn).all()
    assert (drawn > 0).all()
    assert (np.diff(drawn) < 0).any()


# --- how many exits ---


def test_the_offset_is_the_renewal_theorems() -> None:
    assert pytest.approx(-1 / 6, abs=1e-15) == exits.OFFSET


def test_the_overshoot_is_minus_zeta_of_a_half_over_the_root_of_two_pi() -> None:
    assert pytest.approx(-zeta_at_a_half() / math.sqrt(2 * math.pi), abs=1e-13) == exits.OVERSHOOT


def test_the_overshoot_and_its_variance_are_those_of_a_simulated_walk() -> None:
    generator = stream(3, "overshoot")
    level, walks = 12.0, 20_000
    # A walk of steps of 1 leaves (−12, 12): far enough for the limit law of what is beyond.
    place, beyond = np.zeros(walks), []
    while place.size:
        place = place + generator.standard_normal(place.size)
        out = np.abs(place) >= level
        beyond.append(np.abs(place[out]) - level)
        place = place[~out]
    found = np.concatenate(beyond)
    assert abs(found.mean() - exits.OVERSHOOT) < 4 * math.sqrt(exits.OVERSHOOT_VARIANCE / walks)
    assert abs(found.var() - exits.OVERSHOOT_VARIANCE) < 0.012


def test_where_400_are_expected_about_320_are_seen_at_steps_of_a_fifth_of_the_band() -> None:
    assert expected_exits(400, 1) == pytest.approx(400 - 1 / 6)
    assert round(expected_exits(400, 1, 0.2, refined=False), 1) == 320.7
    assert round(expected_exits(400, 1, 0.2), 1) == 318.1


def test_a_wider_band_or_coarser_steps_have_fewer_exits_and_units_do_not_matter() -> None:
    assert (
        expected_exits(4, 0.2) > expected_exits(4, 0.21) > expected_exits(4, 0.21, 0.01) > expected_exits(4, 0.21, 0.02)
    )
    assert expected_exits(4, 0.2, 0.03) == pytest.approx(expected_exits(400, 2, 0.3), rel=1e-14)


# --- paths that are seen at their exits ---


def test_each_tick_of_a_path_leaves_the_band_around_the_tick_before_and_the_last_one_does_not() -> None:
    band = 0.01
    for one in exits_until(stream(4, "paths"), 30, 50.0, band, 0.2):
        prices = one.path.prices
        assert prices[0] == START
        assert len(prices) == one.exits + 2
        ratio = np.maximum(prices[1:], prices[:-1]) / np.minimum(prices[1:], prices[:-1])
        assert ratio[:-1] == pytest.approx((1 + band) ** (1 + EDGE), rel=1e-13)
        assert (np.abs(np.diff(prices))[:-1] >= band * np.minimum(prices[1:], prices[:-1])[:-1]).all()
        assert ratio[-1] == 1
        assert (np.diff(one.path.times) >= 0).all()
        assert one.overrun > 0


def test_a_path_lasts_as_long_as_its_variance_says() -> None:
    band, volatility, spans = 0.01, 0.2, 50.0
    (one,) = exits_until(stream(5, "paths"), 1, spans, band, volatility)
    years = spans * (math.log1p(band) / volatility) ** 2
    assert one.path.times[-1] == pytest.approx(years * YEAR_NS, rel=1e-12)


def test_streams_of_other_names_and_seeds_are_other_streams_and_a_name_is_always_the_same() -> None:
    keys = [(1, "a"), (1, "b"), (2, "a"), (1, "a", 0), (1, "a", 1), (1,)]
    drawn = [tuple(stream(*key).random(3)) for key in keys]
    assert len(set(drawn)) == len(keys)
    assert drawn == [tuple(stream(*key).random(3)) for key in keys]
