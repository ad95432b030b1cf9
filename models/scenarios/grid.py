"""The times of a path: evenly spaced on the clock, with a year whose length is said."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .arguments import count

__all__ = ["DAY_NS", "YEAR_NS", "Grid"]

DAY_NS = 86_400 * 10**9
YEAR_NS = 365 * DAY_NS
"""A year of a market that never closes."""


@dataclass(frozen=True)
class Grid:
    """`steps` steps of `step_ns` from `begin_ns` on: n = steps + 1 times.

    Rates and volatilities are per year and √year, and `year_ns` is how long a year lasts on the clock: 365 days for a
    market that never closes, 252 days for one whose trading days are put end to end.

    Raises:
        ValueError: no step, a step or a year below 1 ns, or a time beyond int64.
    """

    steps: int
    step_ns: int
    begin_ns: int = 0
    year_ns: int = YEAR_NS

    def __post_init__(self) -> None:
        count("steps", self.steps)
        count("step_ns", self.step_ns)
        count("year_ns", self.year_ns)
        if not -(2**63) <= self.begin_ns <= self.begin_ns + self.span_ns < 2**63:
            raise ValueError(f"the times must fit 64 bits, got {self.begin_ns} to {self.begin_ns + self.span_ns}")

    @property
    def span_ns(self) -> int:
        """The time from the first to the last."""
        return self.steps * self.step_ns

    @property
    def step_years(self) -> float:
        """The length of a step, > 0."""
        return self.step_ns / self.year_ns

    def offsets(self) -> npt.NDArray[np.int64]:
        """Return (n,) nanoseconds from the first time on."""
        return np.arange(self.steps + 1, dtype=np.int64) * self.step_ns

    def times(self) -> npt.NDArray[np.int64]:
        """Return (n,) times in nanoseconds."""
        return self.begin_ns + self.offsets()

    def years(self) -> npt.NDArray[np.float64]:
        """Return (n,) years from the first time on."""
        return np.arange(self.steps + 1, dtype=np.float64) * self.step_years
