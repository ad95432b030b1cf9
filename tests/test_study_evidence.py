"""Studies: intervals cover what they should, and a verdict is what the interval says and nothing else."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hedgerow.engine.studies.estimates import exponent, line_root, mean, ratio, share, without_noise
from hedgerow.engine.studies.evidence import Claim, Finding, Interval, Region

Array = np.ndarray


def normals(seed: int, *shape: int) -> Array:
    return np.random.Generator(np.random.PCG64(seed)).standard_normal(shape)


def finding(region: Region, low: float, high: float) -> Finding:
    return Finding("it is so", "number", region, Interval((low + high) / 2, low, high, 100))


INSIDE, OUTSIDE, ACROSS = (Region(0, 1), 0.2, 0.8), (Region(0, 1), 2.0, 3.0), (Region(0, 1), 0.5, 1.5)


# --- verdicts ---


@pytest.mark.parametrize(
    ("low", "high", "answer"),
    [
        (0.2, 0.8, "holds"),
        (0.0, 1.0, "holds"),
        (1.1, 2.0, "fails"),
        (-2.0, -0.1, "fails"),
        (0.5, 1.5, "not decided"),
        (-0.5, 0.5, "not decided"),
        (-1.0, 2.0, "not decided"),
        (1.0, 2.0, "not decided"),
    ],
)
def test_an_interval_lies_in_a_region_outside_of_it_or_across_its_edge(low: float, high: float, answer: str) -> None:
    assert finding(Region(0, 1), low, high).answer == answer


def test_a_statement_with_one_end_is_open_at_the_other() -> None:
    assert finding(Region(0, math.inf), 5, 1e300).answer == "holds"
    assert finding(Region(0, math.inf), -2, -1).answer == "fails"
    assert finding(Region(0, math.inf), -1, math.inf).answer == "not decided"


@pytest.mark.parametrize("interval", [(0, 1, 2), (0, -1, -0.5), (math.nan, 0, 1), (0, math.nan, 1), (0.5, 0, math.nan)])
def test_what_is_no_interval_has_no_answer(interval: tuple[float, float, float]) -> None:
    with pytest.raises(ValueError, match="an interval needs low ≤ value ≤ high"):
        Region(0, 1).answer(Interval(*interval, 10))


@pytest.mark.parametrize(
    ("stated", "repair", "verdict"),
    [
        (INSIDE, None, "holds"),
        (OUTSIDE, None, "fails"),
        (ACROSS, None, "not decided"),
        (OUTSIDE, INSIDE, "holds with this repair"),
        (OUTSIDE, OUTSIDE, "fails"),
        (OUTSIDE, ACROSS, "not decided"),
        (ACROSS, INSIDE, "not decided"),
        (INSIDE, OUTSIDE, "holds"),
    ],
)
def test_a_repair_counts_only_where_the_statement_has_failed(stated, repair, verdict: str) -> None:
    assert Claim("key", "here", finding(*stated), repair and finding(*repair)).verdict == verdict


@given(st.floats(-10, 10), st.floats(0, 5), st.floats(0, 5), st.floats(-10, 10), st.floats(0, 5), st.floats(0, 3))
def test_a_narrower_interval_never_turns_one_answer_into_the_other(
    value: float, below: float, above: float, centre: float, tolerance: float, shrink: float
) -> None:
    region = Region.about(centre, tolerance)
    wide = Interval(value, value - below, value + above, 10)
    narrow = Interval(value, value - below / (1 + shrink), value + above / (1 + shrink), 10)
    if region.answer(wide) != "not decided":
        assert region.answer(narrow) == region.answer(wide)


def test_a_finding_in_json_has_no_infinity() -> None:
    told = finding(Region(0, math.inf), 1, 2).to_json()
    assert told["region"] == [0, None]
    assert (told["interval"], told["answer"], told["confidence"]) == ([1, 2], "holds", 0.95)


# --- intervals ---


def covered(intervals: list[Interval], truth: float) -> float:
    return sum(one.low <= truth <= one.high for one in intervals) / len(intervals)


def test_the_interval_of_a_mean_covers_it_in_95_of_100_samples() -> None:
    found = [mean(3 + 2 * row) for row in normals(1, 4_000, 8)]
    assert abs(covered(found, 3) - 0.95) < 3 * math.sqrt(0.95 * 0.05 / 4_000)


def test_the_interval_of_a_ratio_covers_it() -> None:
    x, y = normals(2, 2, 2_000, 60)
    found = [ratio(6 + a + b, 3 + 0.5 * a) for a, b in zip(x, y, strict=True)]
    assert abs(covered(found, 2) - 0.95) < 0.02


def test_a_ratio_of_the_same_values_is_known_exactly() -> None:
    values = 5 + normals(3, 50)
    found = ratio(3 * values, values)
    assert found.value == pytest.approx(3, rel=1e-14)
    assert found.width < 1e-12


def test_the_interval_of_a_share_is_that_of_clopper_and_pearson() -> None:
    # Clopper, Pearson (1934): 0 of n has the upper end 1 − (α/2)^(1/n), all of n mirrors it.
    assert share(0, 100)[:3] == (0, 0, pytest.approx(1 - 0.025 ** (1 / 100), rel=1e-12))
    assert share(100, 100)[:3] == (1, pytest.approx(0.025 ** (1 / 100), rel=1e-12), 1)
    found = share(3, 20)
    at_most = sum(math.comb(20, k) * found.high**k * (1 - found.high) ** (20 - k) for k in range(4))
    at_least = sum(math.comb(20, k) * found.low**k * (1 - found.low) ** (20 - k) for k in range(3, 21))
    assert (at_most, at_least) == (pytest.approx(0.025), pytest.approx(0.025))


def test_controls_take_out_noise_and_leave_the_mean() -> None:
    control, rest = normals(4, 2, 500)
    sample = 7 + 10 * control + rest
    plain, controlled = mean(sample), mean(without_noise(sample, [control]))
    assert plain.width > 8 * controlled.width
    assert controlled.low <= 7 <= controlled.high


def test_the_interval_with_controls_covers_even_where_runs_are_few() -> None:
    draws = normals(5, 3, 3_000, 40)
    controls = draws[:2]
    found = [
        mean(without_noise(1 + a - 2 * b + c, [a, b]))
        for a, b, c in zip(controls[0], controls[1], draws[2], strict=True)
    ]
    # The fit costs little where there are ten runs a control.
    assert covered(found, 1) > 0.93


def test_an_exponent_is_found_and_covered() -> None:
    scales = (1.0, 2.0, 4.0, 8.0)
    draws = normals(6, 1_000, 4, 40)
    found = [
        exponent(scales, [3 * x**-1.5 * (1 + 0.05 * z) for x, z in zip(scales, one, strict=True)]) for one in draws
    ]
    # Errors are estimated from 40 runs and used as known ones: a little under 95.
    assert abs(covered(found, -1.5) - 0.945) < 0.025


def test_a_root_is_found_and_covered() -> None:
    places = (0.0, 0.2, 0.4, 0.6)
    draws = normals(7, 1_000, 4, 60)
    found = [line_root(places, [mean(1 - 3 * x + 0.2 * z) for x, z in zip(places, one, strict=True)]) for one in draws]
    assert abs(covered(found, 1 / 3) - 0.945) < 0.025


def test_a_root_of_means_without_error_is_exact() -> None:
    found = line_root((0, 1), [Interval(1, 1, 1, 5), Interval(-1, -1, -1, 5)])
    assert found[:3] == (0.5, 0.5, 0.5)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: mean([1.0]), "at least two values"),
        (lambda: mean([1.0, math.nan]), "must be finite"),
        (lambda: ratio([1, 2], [1, 2, 3]), "as many values above as below, got 2 and 3"),
        (lambda: ratio([1, 2], [1, -1]), "not 0"),
        (lambda: share(3, 2), "got 3 of 2"),
        (lambda: share(0, 0), "at least one run"),
        (lambda: without_noise([1.0, 2.0], [[1.0, 2.0]]), "1 controls need at least 10 runs, got 2"),
        (lambda: without_noise(np.ones(20), [np.ones(19)]), "one value a run"),
        (lambda: exponent((1, 1), [[1, 2], [1, 2]]), "two scales or more"),
        (lambda: exponent((1, 2), [[1, 2], [-1, -2]]), "positive means"),
        (lambda: line_root((1, 1), [Interval(1, 0, 2, 5)] * 2), "two places or more"),
        (lambda: line_root((0, 1), [Interval(1, 1, 1, 5)] * 2), "without a slope"),
    ],
)
def test_what_gives_no_interval_is_refused(make, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()
