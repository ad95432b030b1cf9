"""Net drains: laws, and what is refused."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hedgerow.models.liquidity import net_drain

MONEY = st.floats(0, 1e12)


@given(MONEY, MONEY, st.floats(1, 1e12))
def test_what_leaves_and_what_comes_in_are_opposites(outflow: float, inflow: float, forecast: float) -> None:
    assert net_drain(outflow, inflow, forecast) == -net_drain(inflow, outflow, forecast)
    assert net_drain(outflow, inflow, 2 * forecast) == net_drain(outflow, inflow, forecast) / 2
    assert net_drain(outflow, inflow, forecast) * forecast == pytest.approx(outflow - inflow, rel=1e-12)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((-1.0, 0.0, 1.0), "outflow must be finite and at least 0, got -1.0"),
        ((math.nan, 0.0, 1.0), "outflow must be finite and at least 0, got nan"),
        ((0.0, math.inf, 1.0), "inflow must be finite and at least 0, got inf"),
        ((1.0, 0.0, 0.0), "forecast must be finite and above 0, got 0.0"),
        ((1.0, 0.0, math.nan), "forecast must be finite and above 0, got nan"),
    ],
)
def test_a_drain_that_has_no_value_is_refused(arguments: tuple[float, float, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        net_drain(*arguments)
