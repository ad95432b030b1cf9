"""The specs that are proved about: the shipped one, the same with the paper's claims as they stand, and the literal one."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files
from typing import Any

from ...diagnostics import SpecError, render_all
from ...load import Spec, loads
from ..result import Proof
from ..symmetry import Mirror

__all__ = ["AS_WRITTEN", "MIRROR", "SECONDS", "SHIPPED", "Setting"]

SHIPPED = "band_limited_hedge.yaml"
AS_WRITTEN = "band_limited_hedge.as_written.yaml"

MIRROR = Mirror(
    (("long.quantity", "short.quantity"),), ("tick.price", "index.price", "anchor", "previous(tick, index.price)")
)
"""Legs exchanged, prices turned over: what "no directional bias" speaks of."""

SECONDS = 60.0
"""For each question; all are answered in far less, so that a slow computer comes to the same."""


@dataclass(frozen=True)
class Setting:
    """How the proofs are made; `workers` are the processes that ask, all cores where it is None."""

    workers: int | None = None

    @cached_property
    def shipped(self) -> Spec:
        return _load(SHIPPED)

    @cached_property
    def added(self) -> str:
        """Claims that the shipped spec does not make, section by section as it would write them."""
        return (files(__package__) / "claims.yaml").read_text("utf-8")

    @cached_property
    def claimed(self) -> Spec:
        """The shipped spec with those claims in it.

        Raises:
            ValueError: it has not each of their sections once.
        """
        text = self.shipped.text
        for name, lines in re.findall(r"^(\w+:)\n((?:  .*\n)+)", self.added, re.MULTILINE):
            head, *rest = re.split(rf"^({name}.*\n)", text, flags=re.MULTILINE)
            if len(rest) != 2:
                raise ValueError(f"`{SHIPPED}` has its `{name}` in another place than this study knows")
            text = "".join((head, rest[0], lines, rest[1]))
        return loads(text, f"{SHIPPED} (claimed)")

    @cached_property
    def as_written(self) -> Spec:
        return _load(AS_WRITTEN, "HR302")

    @cached_property
    def refusal(self) -> str:
        """What is said of the literal spec where nothing is permitted."""
        try:
            _load(AS_WRITTEN)
        except SpecError as error:
            return "\n\n".join(render_all(error.diagnostics, error.sources))
        raise ValueError(f"`{AS_WRITTEN}` is not refused any more")

    def proved(self, spec: Spec, *, only: Collection[str] = (), **parameters: bool) -> Proof:
        from ..prove import prove

        return prove(spec, parameters=parameters, seconds=SECONDS, workers=self.workers, only=only)

    def made_of(self) -> dict[str, Any]:
        named = (("shipped", SHIPPED, self.shipped), ("as written", AS_WRITTEN, self.as_written))
        return {
            key: f"`{name}`, source {spec.source_sha256}, program {spec.compile().digest}" for key, name, spec in named
        }


def _load(name: str, *permit: str) -> Spec:
    # Under its bare name, so that no page tells where it lay.
    return loads((files("hedgerow.specs") / name).read_text("utf-8"), name, permit=permit)
