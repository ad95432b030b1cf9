"""Named predicates and gate checks over models, which a spec calls by name."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

__all__ = ["GUARDS"]

GUARDS: Mapping[str, str] = MappingProxyType(
    {
        "drift.correlation_within": "hedgerow.guards.drift:correlation_within",
        "drift.population_stability_within": "hedgerow.guards.drift:population_stability_within",
        "liquidity.drain_within": "hedgerow.guards.liquidity:drain_within",
        "risk.value_at_risk_within": "hedgerow.guards.risk:value_at_risk_within",
    }
)
"""Name in a spec → where the function is, spelt as an entry point: imported when bound."""
