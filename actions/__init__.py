"""Named computations over models, which a spec calls by name."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

__all__ = ["ACTIONS"]

ACTIONS: Mapping[str, str] = MappingProxyType(
    {
        "hedging.no_trade_band": "hedgerow.actions.hedging:no_trade_band",
        "options.call_value": "hedgerow.actions.options:call_value",
        "sizing.hedge_curve": "hedgerow.actions.sizing:hedge_curve",
    }
)
"""Name in a spec → where the function is, spelt as an entry point: imported when bound."""
