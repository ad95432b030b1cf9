"""Parameter sets: exact grids, samples of boxes, and every mistake told before anything is run."""

from __future__ import annotations

import itertools
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sweep_market import BAND, SMALL

from hedgerow.engine.dryrun.problem import RunError
from hedgerow.engine.load import Spec, load, loads
from hedgerow.engine.sweep.sets import METHODS, ParameterSets, parameter_sets


@pytest.fixture(scope="module")
def spec() -> Spec:
    return loads(SMALL)


def refused(spec: Spec, **given: Any) -> RunError:
    with pytest.raises(RunError) as error:
        parameter_sets(spec, **given)
    return error.value


# --- grids ---


def test_a_grid_is_exact_in_decimals_and_has_both_ends(spec: Spec) -> None:
    sets = parameter_sets(load(BAND), grid={"alpha": "0:0.3:0.05"})
    assert sets.axes["alpha"] == (0.0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3)
    assert [each["alpha"] for each in sets] == [0.0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3]


@given(st.integers(1, 400), st.integers(1, 60), st.integers(1, 9))
def test_a_grid_has_one_value_more_than_steps_and_each_is_the_float_nearest_to_its_decimal(
    spec: Spec, low: int, steps: int, step: int
) -> None:
    text = f"{low / 1000}:{Fraction(low + steps * step, 1000).__float__()}:{step / 1000}"
    if low + steps * step > 500:
        assert refused(spec, grid={"step": text}).code == "HR807"
        return
    found = parameter_sets(spec, grid={"step": text}).axes["step"]
    assert found == tuple(float(Fraction(low + index * step, 1000)) for index in range(steps + 1))


def test_all_combinations_are_run_and_the_last_param_varies_fastest(spec: Spec) -> None:
    sets = parameter_sets(spec, grid={"most": "1:3:1", "patient": "true,false", "stake": [50, 60.5]})
    found = [(each["most"], each["patient"], each["stake"]) for each in sets]
    assert found == list(itertools.product((1, 2, 3), (True, False), (50.0, 60.5)))
    assert {type(each["most"]) for each in sets} == {int}
    assert {type(each["patient"]) for each in sets} == {bool}


def test_values_have_units_as_set_reads_them() -> None:
    sets = parameter_sets(load(BAND), grid={"tau_max": "10d:30d:10d", "stake": "1000 USD, 2000"})
    assert sets.axes == {"tau_max": (864_000.0, 1_728_000.0, 2_592_000.0), "stake": (1000.0, 2000.0)}


def test_a_set_is_what_bind_makes_of_the_same_values(spec: Spec) -> None:
    sets = parameter_sets(spec, grid={"step": "0.01:0.03:0.01"}, fixed={"stake": "250 USD"})
    for each in sets:
        assert dict(each) == dict(spec.bind({"step": each["step"], "stake": "250"}).parameters)


def test_params_that_follow_from_others_follow_in_every_set() -> None:
    desk = load(BAND.with_name("drawdown_desk.yaml"))
    sets = parameter_sets(desk, grid={"max_drawdown": "0.01,0.02"})
    assert [each["breaker.limit"] for each in sets] == [0.01, 0.02]
    error = refused(desk, grid={"breaker.limit": "0.1"})
    assert (error.code, error.file) == ("HR807", "--grid")
    assert "under `use:`" in error.message


def test_taken_sets_are_the_same_sets(spec: Spec) -> None:
    sets = parameter_sets(spec, grid={"most": "1:5:1", "step": "0.1:0.3:0.1"})
    assert list(sets.take(np.array([3, 0, 14]))) == [sets[3], sets[0], sets[14]]
    assert list(sets[4:6]) == [sets[4], sets[5]]
    assert sets[-1] == sets[14]


def test_the_digest_tells_sets_apart_by_value_order_and_what_is_fixed(spec: Spec) -> None:
    made = [
        parameter_sets(spec, grid={"most": "1,2"}),
        parameter_sets(spec, grid={"most": "2,1"}),
        parameter_sets(spec, grid={"most": "1,3"}),
        parameter_sets(spec, grid={"most": "1,2"}, fixed={"stake": 5}),
        parameter_sets(spec, grid={"most": "1,2", "patient": "true"}),
    ]
    assert len({each.digest for each in made}) == len(made)
    assert parameter_sets(spec, grid={"most": "1:2:1"}).digest == made[0].digest


@pytest.mark.parametrize(
    ("grid", "code", "message"),
    [
        ({"stakes": "1:2:1"}, "HR807", "unknown param `stakes`"),
        ({"stake": "1:2"}, "HR830", "`1:2` is no grid of `stake`"),
        ({"stake": "1:2:"}, "HR830", "`1:2:` is no grid of `stake`"),
        ({"stake": ""}, "HR830", "the grid of `stake` is empty"),
        ({"stake": []}, "HR830", "the grid of `stake` is empty"),
        ({"stake": "1,,2"}, "HR830", "a value is missing in `1,,2`"),
        ({"stake": "1,2,1.0"}, "HR830", "`stake` = 1.0 is on the grid twice"),
        ({"stake": "1:2:0"}, "HR830", "the step of `stake` is 0"),
        ({"stake": "1:5:-1"}, "HR830", "the step of `stake`, -1, leads away from 5"),
        ({"stake": "5:1:1"}, "HR830", "the step of `stake`, 1, leads away from 1"),
        ({"stake": "1:10:4"}, "HR830", "no whole number of steps of 4 leads from 1 to 10"),
        ({"stake": "1:901:100"}, "HR807", "`stake` = 901 is outside its range [1, 900] USD"),
        ({"patient": "1:2:1"}, "HR830", "`patient` is true or false and has no steps"),
        ({"stake": "1e2:1e2:1e-5", "most": "1:9:2", "step": "0.001:0.5:1e-9"}, "HR831", "are too many"),
    ],
)
def test_a_grid_that_cannot_be_is_told(spec: Spec, grid: dict[str, Any], code: str, message: str) -> None:
    error = refused(spec, grid=grid)
    assert error.code == code
    assert message in error.message
    assert error.file == "--grid"
    assert error.help


def test_an_unknown_param_gets_the_name_that_was_meant(spec: Spec) -> None:
    assert refused(spec, grid={"stakes": "1"}).help == "did you mean `stake`?"


def test_a_huge_grid_is_refused_without_being_made(spec: Spec) -> None:
    error = refused(spec, grid={"stake": "1:900:1e-12", "step": "0.001:0.5:1e-15"})
    assert (
        error.message
        == f"{899 * 10**12 + 1:,} × {499 * 10**12 + 1:,} = {(899 * 10**12 + 1) * (499 * 10**12 + 1):,} sets are too many"
    )


def test_a_falling_grid_keeps_its_order(spec: Spec) -> None:
    assert parameter_sets(spec, grid={"most": "5:1:-2"}).axes["most"] == (5, 3, 1)


def test_a_step_finer_than_floats_is_told(spec: Spec) -> None:
    error = refused(spec, grid={"stake": "899.9999999999999:900:0.00000000000001"})
    assert (error.code, error.message) == ("HR830", "the step of `stake` is finer than floats are")


def test_a_million_points_can_be_made_and_no_more(spec: Spec) -> None:
    sets = parameter_sets(spec, grid={"stake": "1:500:0.5", "step": "0.001:0.4:0.001"})
    assert len(sets) == 999 * 400
    assert sets[400]["stake"] == 1.5


def test_a_set_in_which_a_delay_cannot_be_waited_for_is_told_with_its_values() -> None:
    text = SMALL.replace("halted: {}", "halted: {after: {wait: {name: wake, to: waiting}}}").replace(
        "  stake:", "  wait: {default: 1s, unit: s, range: [-5, 5]}\n  stake:"
    )
    error = refused(loads(text), grid={"wait": "-1:2:1", "most": "2,3"})
    assert error.code == "HR807"
    assert error.message.startswith("set 0 (wait = -1.0, most = 2) cannot run: the delay of")


# --- samples ---


@pytest.mark.parametrize("method", METHODS)
def test_a_sample_stays_in_its_ranges_and_is_the_same_for_the_same_seed(spec: Spec, method: Any) -> None:
    options: dict[str, Any] = {"sample": method, "n": 200, "ranges": {"step": "0.1:0.2", "most": None, "patient": None}}
    sets = parameter_sets(spec, seed=5, **options)
    assert ((sets.columns["step"] >= 0.1) & (sets.columns["step"] <= 0.2)).all()
    assert set(sets.columns["most"].tolist()) == set(range(1, 10))
    assert set(sets.columns["patient"].tolist()) == {True, False}
    assert parameter_sets(spec, seed=5, **options).digest == sets.digest
    assert parameter_sets(spec, seed=6, **options).digest != sets.digest


@pytest.mark.parametrize("method", METHODS)
def test_a_sample_is_uniform(spec: Spec, method: Any) -> None:
    sets = parameter_sets(spec, sample=method, n=4096, ranges={"stake": "100:200", "most": "3:6"})
    shares = np.histogram(sets.columns["stake"], bins=8, range=(100, 200))[0] / 4096
    # Five standard deviations of a count of independent draws; the other two are more even than that.
    assert np.abs(shares - 1 / 8).max() < 5 * np.sqrt(1 / 8 * 7 / 8 / 4096)
    counts = np.bincount(sets.columns["most"], minlength=7)[3:] / 4096
    assert np.abs(counts - 1 / 4).max() < 5 * np.sqrt(1 / 4 * 3 / 4 / 4096)


def test_a_latin_sample_has_one_set_in_each_nth_of_each_range(spec: Spec) -> None:
    sets = parameter_sets(spec, sample="latin", n=50, ranges={"stake": "100:200", "step": "0.1:0.2"})
    assert sorted(((sets.columns["stake"] - 100) / 2).astype(int)) == list(range(50))
    assert sorted(((sets.columns["step"] - 0.1) * 500).astype(int)) == list(range(50))


def test_a_sobol_sample_of_a_power_of_two_is_balanced_and_a_shorter_one_is_its_beginning(spec: Spec) -> None:
    whole = parameter_sets(spec, sample="sobol", n=64, ranges={"stake": "100:164"})
    assert sorted((whole.columns["stake"] - 100).astype(int)) == list(range(64))
    part = parameter_sets(spec, sample="sobol", n=40, ranges={"stake": "100:164"})
    assert part.columns["stake"].tolist() == whole.columns["stake"][:40].tolist()


def test_a_param_on_a_grid_is_drawn_from_its_values(spec: Spec) -> None:
    sets = parameter_sets(spec, sample="random", n=300, grid={"stake": "100:300:100"}, ranges={"step": None})
    assert set(sets.columns["stake"].tolist()) == {100.0, 200.0, 300.0}
    assert sets.axes == {"stake": (100.0, 200.0, 300.0)}


def test_a_sample_without_ranges_varies_all_that_have_one(spec: Spec) -> None:
    assert parameter_sets(spec, sample="sobol", n=3).names == ("stake", "step", "most")
    assert parameter_sets(spec, sample="sobol", n=3, fixed={"step": 0.1}).names == ("stake", "most")


@pytest.mark.parametrize(
    ("given", "option", "message"),
    [
        ({}, "--grid", "no param varies, so that there is nothing to sweep"),
        ({"ranges": {"stake": None}}, "--range", "`--range` belongs to a sample, and none is asked for"),
        ({"n": 3, "grid": {"stake": "1"}}, "--n", "`--n` belongs to a sample, and none is asked for"),
        ({"sample": "sobol"}, "--n", "it is not said how many sets to draw"),
        ({"sample": "sobol", "n": 0}, "--n", "0 sets cannot be drawn"),
        ({"sample": "grey", "n": 1}, "--sample", "there is no sample `grey`"),
        ({"sample": "sobol", "n": 1, "ranges": {"stake": "5:4"}}, "--range", "the range of `stake`, 5:4, is empty"),
        ({"sample": "sobol", "n": 1, "ranges": {"stake": "5:5"}}, "--range", "the range of `stake`, 5:5, is empty"),
        ({"sample": "sobol", "n": 1, "ranges": {"stake": "5"}}, "--range", "`5` is no range of `stake`"),
        (
            {"sample": "sobol", "n": 1, "ranges": {"patient": "0:1"}},
            "--range",
            "`patient` is true or false and has no range",
        ),
        (
            {"sample": "sobol", "n": 1, "ranges": {"stake": None}, "grid": {"stake": "5"}},
            "--range",
            "`stake` is given with both --grid and --range",
        ),
        ({"grid": {"stake": "5"}, "fixed": {"stake": 5}}, "--set", "`stake` is given with both --grid and --set"),
    ],
)
def test_a_sample_that_cannot_be_is_told(spec: Spec, given: dict[str, Any], option: str, message: str) -> None:
    error = refused(spec, **given)
    assert (error.code, error.file, error.message) == ("HR830", option, message)


def test_a_sample_of_more_than_a_million_is_refused(spec: Spec) -> None:
    error = refused(spec, sample="random", n=1_000_001, ranges={"stake": None})
    assert (error.code, error.message) == ("HR831", "1,000,001 sets are too many")


def test_a_range_wider_than_declared_is_refused(spec: Spec) -> None:
    error = refused(spec, sample="random", n=2, ranges={"stake": "100:1000"})
    assert (error.code, error.message) == ("HR807", "`stake` = 1000 is outside its range [1, 900] USD")


def test_sets_are_a_sequence(spec: Spec) -> None:
    sets = parameter_sets(spec, grid={"most": "1:3:1"})
    assert isinstance(sets, ParameterSets)
    assert len(list(sets)) == len(sets) == 3
    with pytest.raises(IndexError):
        sets[3]
