"""Two crashes of the S&P 500, close by close: what was published of them, and which days are left to a seed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from itertools import pairwise
from types import MappingProxyType

__all__ = ["CRASHES", "SOURCES", "Close", "Crash"]

SOURCES: Mapping[str, str] = MappingProxyType(
    {
        "list": "Wikipedia, List of largest daily changes in the S&P 500 Index (close and net change of the day)",
        "before": "the same list: the close of the next day less its net change",
        "history": "S&P Dow Jones Indices, daily closes of the S&P 500 as Yahoo Finance publishes them (^GSPC)",
        "peak": "Wikipedia, Closing milestones of the S&P 500 (record close)",
    }
)
"""Where a close was published, by a short name."""


@dataclass(frozen=True, slots=True)
class Close:
    """The close of one session of the exchange.

    `level` is the published index level; None is a session that was held and whose close is not published here. `hour` is
    the hour of UTC at 16:00 in New York. `source` is a name of `SOURCES`, empty without a level.
    """

    day: date
    hour: int
    level: float | None = None
    source: str = ""

    @property
    def time_ns(self) -> int:
        """The close in nanoseconds since 1970, UTC."""
        return int(datetime(self.day.year, self.day.month, self.day.day, self.hour, tzinfo=UTC).timestamp()) * 10**9


@dataclass(frozen=True, slots=True)
class Crash:
    """The close before a crash and those of its sessions, in order; the first and the last are published.

    Raises:
        ValueError: no session, days out of order, or a first or last close that is not published.
    """

    name: str
    about: str
    before: Close
    sessions: tuple[Close, ...]

    def __post_init__(self) -> None:
        days = [self.before.day, *(each.day for each in self.sessions)]
        if len(days) < 2 or days != sorted(set(days)):
            raise ValueError(f"a crash needs sessions in order of time, got {days}")
        if self.before.level is None or self.sessions[-1].level is None:
            raise ValueError("the close before a crash and its last close must be published")

    def ratios(self) -> tuple[float | None, ...]:
        """Return for each session its published close as a share of the close before the crash, else None."""
        base = self._base
        return tuple(None if each.level is None else each.level / base for each in self.sessions)

    def moves(self) -> tuple[float | None, ...]:
        """Return for each session the published move from close to close, as a share; None where one of the two is not."""
        levels = (self._base, *(each.level for each in self.sessions))
        return tuple(None if old is None or new is None else new / old - 1 for old, new in pairwise(levels))

    @property
    def _base(self) -> float:
        assert self.before.level is not None
        return self.before.level


def _october_1987(day: int, level: float | None, source: str = "") -> Close:
    # Daylight saving time ended on 25 October 1987.
    return Close(date(1987, 10, day), 20 if day < 25 else 21, level, source)


def _spring_2020(month: int, day: int, level: float, source: str = "history") -> Close:
    # Daylight saving time began on 8 March 2020.
    return Close(date(2020, month, day), 20 if (month, day) > (3, 7) else 21, level, source)


CRASHES: Mapping[str, Crash] = MappingProxyType(
    {
        "1987": Crash(
            "1987",
            "Black Monday, 19 October 1987, and the week after it",
            _october_1987(16, 282.70, "before"),
            (
                _october_1987(19, 224.84, "list"),
                _october_1987(20, 236.83, "before"),
                _october_1987(21, 258.38, "list"),
                _october_1987(22, None),
                _october_1987(23, 248.22, "before"),
                _october_1987(26, 227.67, "list"),
            ),
        ),
        "2020": Crash(
            "2020",
            "the fall of February and March 2020, from the record of 19 February to the day after the low",
            _spring_2020(2, 19, 3386.15, "peak"),
            (
                _spring_2020(2, 20, 3373.23),
                _spring_2020(2, 21, 3337.75),
                _spring_2020(2, 24, 3225.89),
                _spring_2020(2, 25, 3128.21),
                _spring_2020(2, 26, 3116.39),
                _spring_2020(2, 27, 2978.76),
                _spring_2020(2, 28, 2954.22),
                _spring_2020(3, 2, 3090.23, "list"),
                _spring_2020(3, 3, 3003.37, "list"),
                _spring_2020(3, 4, 3130.12),
                _spring_2020(3, 5, 3023.94),
                _spring_2020(3, 6, 2972.37, "before"),
                _spring_2020(3, 9, 2746.56, "list"),
                _spring_2020(3, 10, 2882.23, "list"),
                _spring_2020(3, 11, 2741.38, "before"),
                _spring_2020(3, 12, 2480.64, "list"),
                _spring_2020(3, 13, 2711.02, "list"),
                _spring_2020(3, 16, 2386.13, "list"),
                _spring_2020(3, 17, 2529.19, "list"),
                _spring_2020(3, 18, 2398.10, "list"),
                _spring_2020(3, 19, 2409.39, "list"),
                _spring_2020(3, 20, 2304.92, "list"),
                _spring_2020(3, 23, 2237.40, "before"),
                _spring_2020(3, 24, 2447.33, "list"),
            ),
        ),
    }
)
"""The crashes by their year.

Levels are of the price index, dividends left out. What could not be traced to a published list is no level here: of
October 1987 the closes of 14 and 15 are left out before the crash and those from 27 on after it, and the close of 22, which
lies between published ones, is left to a seed.
"""
