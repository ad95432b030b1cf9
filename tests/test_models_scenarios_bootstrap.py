"""The block bootstrap of a series: laws of its rows, and of the prices made of them."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hedgerow.models.scenarios.bootstrap import Blocks, block_bootstrap, rows_of_blocks, usual_block
from hedgerow.models.scenarios.grid import DAY_NS, Grid
from hedgerow.models.scenarios.streams import stream

SIZES = st.integers(1, 40)


@given(SIZES, SIZES, st.floats(0, 1), st.integers(0, 99))
def test_stationary_rows_follow_each_other_on_a_circle_within_a_block(
    size: int, steps: int, share: float, seed: int
) -> None:
    rows = rows_of_blocks(size, steps, 1 + share * (size - 1), stream(seed))
    assert rows.shape == (steps,)
    assert ((rows >= 0) & (rows < size)).all()


@given(SIZES, SIZES, st.data(), st.integers(0, 99))
def test_moving_rows_are_whole_blocks_of_the_series_but_for_the_last(
    size: int, steps: int, data: st.DataObject, seed: int
) -> None:
    block = data.draw(st.integers(1, size))
    rows = rows_of_blocks(size, steps, block, stream(seed), "moving")
    assert rows.shape == (steps,)
    for begin in range(0, steps, block):
        one = rows[begin : begin + block]
        assert one.tolist() == list(range(one[0], one[0] + one.size))
        assert one[0] + block <= size


@pytest.mark.parametrize("block", [1.0, 2.5, 20.0])
def test_stationary_blocks_are_geometric_with_the_mean_length_that_was_asked(block: float) -> None:
    size, steps = 1_000, 100_000
    rows = rows_of_blocks(size, steps, block, stream(1))
    joined = (np.diff(rows) % size == 1).astype(float)
    # A new row follows the old one by chance, too: once in `size`.
    chance = (1 - 1 / block) + 1 / block / size
    assert abs(joined.mean() - chance) <= 4 * math.sqrt(max(chance * (1 - chance), 1e-9) / steps)
    # Lengths without memory: two joins in a row are as likely as two single ones.
    assert abs(np.mean(joined[1:] * joined[:-1]) - chance**2) <= 6 * math.sqrt(max(chance**2, 1e-6) / steps)


@pytest.mark.parametrize("blocks", ["stationary", "moving"])
def test_every_row_is_reached_and_stationary_ones_evenly(blocks: Blocks) -> None:
    rows = rows_of_blocks(10, 60_000, 4, stream(2), blocks)
    shares = np.bincount(rows, minlength=10) / rows.size
    if blocks == "stationary":
        assert shares == pytest.approx(np.full(10, 0.1), abs=4 * 0.3 * math.sqrt(4 / 60_000) * 2)
    else:  # seven blocks, row i in min(i, 9 − i, 3) + 1 of them
        assert shares == pytest.approx(np.array([1, 2, 3, 4, 4, 4, 4, 3, 2, 1]) / 28, abs=0.01)


def test_the_stationary_bootstrap_has_the_autocovariances_that_politis_and_romano_derive() -> None:
    # (1 − 1/L)^k times the autocovariance of the series on its circle.
    series = np.sin(np.arange(24) * 0.9) + 0.1 * np.arange(24)
    series -= series.mean()
    block, steps = 6, 200_000
    drawn = series[rows_of_blocks(24, steps, block, stream(3))]
    for lag in (0, 1, 2, 5):
        circle = float(np.mean(series * np.roll(series, -lag)))
        products = drawn[lag:] * drawn[: steps - lag]
        error = products.std() * math.sqrt(2 * block / steps)  # dependent draws: blocks of them are not
        assert abs(products.mean() - (1 - 1 / block) ** lag * circle) <= 4 * error


def test_arch_draws_the_same_law_of_block_sums() -> None:
    from arch.bootstrap import StationaryBootstrap

    series = np.random.default_rng(4).exponential(size=60) - 1
    theirs = StationaryBootstrap(5, series, seed=5).apply(np.sum, 4_000)[:, 0]
    ours = np.array([series[rows_of_blocks(60, 60, 5, stream(6, path))].sum() for path in range(4_000)])
    error = math.sqrt(2) * theirs.std() / math.sqrt(4_000)
    assert abs(ours.mean() - theirs.mean()) <= 4 * error
    assert ours.std() == pytest.approx(theirs.std(), rel=4 / math.sqrt(4_000))


@pytest.mark.parametrize("blocks", ["stationary", "moving"])
def test_every_return_of_a_bootstrapped_path_is_one_of_the_series(blocks: Blocks) -> None:
    returns = np.random.default_rng(7).normal(size=50) / 100
    prices = block_bootstrap(Grid(300, DAY_NS), stream(8), returns, start=40, block=5, blocks=blocks, paths=2)
    assert prices.shape == (2, 301)
    assert (prices[:, 0] == 40).all()
    rows = np.concatenate(
        [rows_of_blocks(50, 300, 5, generator, blocks) for generator in [stream(8)] for _ in range(2)]
    )
    assert np.diff(np.log(prices), axis=1).ravel() == pytest.approx(returns[rows], abs=1e-12)


def test_the_mean_return_is_that_of_the_series() -> None:
    returns = np.random.default_rng(9).normal(0.002, 0.01, size=80)
    last = block_bootstrap(Grid(80, DAY_NS), stream(10), returns, start=1, block=8, paths=2_000)[:, -1]
    totals = np.log(last)
    assert abs(totals.mean() - returns.sum()) <= 4 * totals.std() / math.sqrt(2_000)


def test_the_usual_block_is_the_one_that_arch_chooses_for_absolute_returns() -> None:
    from arch.bootstrap import optimal_block_length

    generator = np.random.default_rng(11)
    level = np.zeros(800)
    for index in range(1, 800):
        level[index] = 0.95 * level[index - 1] + 0.3 * generator.normal()
    returns = np.exp(level / 2) * generator.normal(size=800) / 100
    theirs = optimal_block_length(np.abs(returns))
    assert usual_block(returns, "moving") == math.ceil(theirs["circular"].iloc[0])
    assert theirs["stationary"].iloc[0] <= usual_block(returns) <= theirs["stationary"].iloc[0] + 1
    assert usual_block(returns) > 2 * usual_block(generator.permutation(returns))


@pytest.mark.parametrize(
    ("block", "blocks", "message"),
    [
        (0.5, "stationary", r"block must be in \[1, 9\], got 0.5"),
        (10, "moving", r"block must be in \[1, 9\], got 10"),
        (2.5, "moving", "block must be whole for moving blocks, got 2.5"),
        (math.nan, "stationary", r"block must be in \[1, 9\], got nan"),
    ],
)
def test_a_block_that_does_not_fit_the_series_is_refused(block: float, blocks: Blocks, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        block_bootstrap(Grid(3, DAY_NS), stream(0), np.zeros(9), start=1, block=block, blocks=blocks)


def test_a_series_with_a_gap_is_refused() -> None:
    with pytest.raises(ValueError, match="log_returns must be finite"):
        block_bootstrap(Grid(3, DAY_NS), stream(0), [0.1, math.nan], start=1, block=1)
    with pytest.raises(ValueError, match="log_returns must hold at least 20 values, got 3"):
        usual_block([0.1, 0.2, 0.3])
