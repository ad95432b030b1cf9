"""What random walks of the compiled spec have shown: the cheapest witness, and deeper counterexamples than a solver's."""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import cached_property, partial
from typing import TYPE_CHECKING

from ..counterexample.sent import Sent
from ..ir import Exact, FillMode, Value
from ..load import Spec

if TYPE_CHECKING:
    from ..explore.exploration import Exploration

__all__ = ["Walked", "Walks"]

_SECONDS = 10.0
"""After which no more are sent: where macrosteps do not settle, each event may take a tenth of a second."""
_WORK = 20_000
"""Events that the shortening of one finding may play; what it leaves is shortened again over the reals."""


class Walks:
    """Walks of a spec, made when they are first asked for; the same each time.

    Short ones take some tenths of a second, in native code where there is any, and reach most of what can be reached.
    """

    def __init__(self, spec: Spec, fill: FillMode, fixed: Mapping[str, Exact]) -> None:
        self.spec, self.fill = spec, fill
        self.settings = {name: each if isinstance(each, bool | int) else float(each) for name, each in fixed.items()}

    @cached_property
    def short(self) -> Walked:
        return self._walked(native=1 << 19, live=1 << 14)

    @cached_property
    def long(self) -> Walked:
        return self._walked(native=1 << 21, live=1 << 16)

    def _walked(self, *, native: int, live: int) -> Walked:
        """Return what so many events come to."""
        from ..dryrun.problem import RunError
        from ..explore.exploration import explore

        if not self.spec.program(self.fill).events:
            return Walked(None)
        end = time.monotonic() + _SECONDS

        def is_late() -> bool:
            return time.monotonic() > end

        look = partial(explore, self.spec, settings=self.settings, fill=self.fill, interrupted=is_late)
        try:
            return Walked(look(steps=native, backend="native"))
        except RunError:  # there is no native code for it
            return Walked(look(steps=live))


class Walked:
    """What some walks have come to; there are none where no event can be sent."""

    def __init__(self, exploration: Exploration | None) -> None:
        self.exploration = exploration

    @cached_property
    def fired(self) -> frozenset[str]:
        """The transitions that have fired."""
        if self.exploration is None:
            return frozenset()
        coverage = self.exploration.found.coverage
        return frozenset(name for name, count in zip(coverage.chart.rules, coverage.fired, strict=False) if count)

    @cached_property
    def reached(self) -> frozenset[str]:
        """The states that have been active, with those around them."""
        if self.exploration is None:
            return frozenset()
        coverage = self.exploration.found.coverage
        found = (name for name, seen in zip(coverage.chart.states, coverage.states, strict=True) if seen)
        return coverage.chart.tree.with_ancestors(found)

    def breaking(self, invariant: str) -> tuple[tuple[Sent, ...], Mapping[str, Value]] | None:
        """Return events that have broken an invariant, shortened, and the parameters with which they did."""
        from ..explore.findings import findings_of

        if self.exploration is None:
            return None
        return next(
            (
                (finding.events, finding.parameters)
                for finding in findings_of(self.exploration, _WORK)
                if (finding.kind, finding.name) == ("invariant", invariant)
            ),
            None,
        )
