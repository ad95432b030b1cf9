"""What every part shares: the shipped spec, its parameters, how many paths, and that the machine stays where it should."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ...load import Spec, load, loads
from ..outcomes import Outcomes

__all__ = ["ACTIVE", "LEAST_PATHS", "SPEC", "STAKE", "VOLATILITY", "Setting", "stayed_active"]

SPEC = "band_limited_hedge.yaml"
VOLATILITY = 0.2
"""Of every simulated price, per √year, where nothing else is said."""

STAKE = 1_000_000.0
"""Notional of each leg at the start, the spec's own default."""

ACTIVE: Mapping[str, str | float] = {
    "gamma1": 0,
    "tau_max": "365d",
    "net_max": 1e10,
    "gross_max": 1e10,
    "slippage": 0,
    "stake": STAKE,
}
"""Parameters with which the machine never leaves `active`, so that the band rule alone is measured, without slippage."""

LEAST_PATHS = 40
"""With fewer, the controls cannot be fitted and an interval says little."""


@dataclass(frozen=True)
class Setting:
    """How a study is conducted.

    Fields:
        seed: of all random streams, ≥ 0.
        paths: in each market; every other experiment takes a number in proportion, at least `LEAST_PATHS`.
    """

    seed: int
    paths: int

    def share(self, factor: float, least: int = LEAST_PATHS) -> int:
        """Return the number of paths of an experiment that takes `factor` times those of a market."""
        return max(least, round(factor * self.paths))

    @cached_property
    def spec(self) -> Spec:
        from importlib.resources import as_file, files

        with as_file(files("hedgerow.specs") / SPEC) as path:
            return load(path)

    @cached_property
    def any_alpha(self) -> Spec:
        """The shipped spec, but for the range of `alpha`, which reaches to 1 as the paper's does."""
        text = self.spec.text
        shipped, widened = "alpha:       {default: 0.05, range: [0, 0.3]", "alpha:       {default: 0.05, range: [0, 1]"
        if text.count(shipped) != 1:
            raise ValueError(f"`{SPEC}` declares `alpha` in another way than this study knows")
        return loads(text.replace(shipped, widened), f"{SPEC} (any alpha)")

    def made_of(self) -> dict[str, Any]:
        return {
            "seed": self.seed,
            "paths": self.paths,
            "spec": SPEC,
            "spec_sha256": self.spec.source_sha256,
            "program_sha256": self.spec.compile().digest,
        }


def stayed_active(found: Outcomes) -> Outcomes:
    """Return outcomes in which the machine never left `active`.

    Raises:
        ValueError: it did on some path, and what was measured is not the band rule alone.
    """
    others = {name: int(counts.sum()) for name, counts in found.fired.items() if name not in ("up", "down")}
    left = [f"`{name}` {count} times" for name, count in others.items() if count]
    if left:
        raise ValueError(f"the machine left `active`: {', '.join(left)}")
    return found
