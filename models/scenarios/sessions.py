"""The times of a path that has sessions: prices within each of them, and none between."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .crashes import Crash
from .grid import Grid

__all__ = ["SESSION_NS", "Sessions", "sessions_of"]

SESSION_NS = 390 * 60 * 10**9
"""Six and a half hours, 9:30 to 16:00 in New York."""


@dataclass(frozen=True)
class Sessions(Grid):
    """A grid whose steps lie in sessions: the first time is a close, then `each` prices a session, the last at its close.

    `closes_ns` are the closes of the sessions, ascending. The last step into a session begins at the close before.
    """

    closes_ns: tuple[int, ...] = ()
    each: int = 1

    @property
    def span_ns(self) -> int:
        return self.closes_ns[-1] - self.begin_ns

    def offsets(self) -> npt.NDArray[np.int64]:
        back = np.arange(self.each - 1, -1, -1, dtype=np.int64) * self.step_ns
        closes = np.asarray(self.closes_ns, np.int64) - self.begin_ns
        return np.concatenate((np.zeros(1, np.int64), (closes[:, np.newaxis] - back).ravel()))

    def years(self) -> npt.NDArray[np.float64]:
        return self.offsets() / self.year_ns


def sessions_of(crash: Crash, step_ns: int) -> Sessions:
    """Return the times of a crash: the close before it, then a price every `step_ns` of each session.

    A step longer than a session gives its close alone. Sessions are declared as `SESSION_NS` long up to 16:00 in New York;
    the exchange closed earlier on some days of October 1987.

    Raises:
        ValueError: a step below 1 ns.
    """
    each = max(1, SESSION_NS // max(1, step_ns))
    closes = tuple(close.time_ns for close in crash.sessions)
    return Sessions(each * len(closes), step_ns, crash.before.time_ns, closes_ns=closes, each=each)
