"""What a report tells of a stressed run, so that nobody takes it for history: what is published, and what is drawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from ...models.scenarios.crashes import SOURCES, Crash
from .times import DAY_NS, iso

__all__ = ["StressTold", "told_alone", "told_over", "told_recorded"]


@dataclass(frozen=True)
class StressTold:
    """What was stressed, and how.

    Fields:
        name: the year.
        text: the stress, or the scenario, with every value written out.
        form: `spliced` into data, `alone`, or a `recorded` stretch of the data in which nothing was changed.
        first: the first day of it, in the times of the run, ISO 8601.
        last: its last day, included.
        seed: of what is synthetic; None where nothing can be.
        volatility: of the bridge, per √session; None as the seed.
        fields: the fields of the event that were moved.
        sessions: for each, its day in the run, the day that was, the published close-to-close move (None: synthetic), the
            published close (None: synthetic) and its source.
    """

    name: str
    about: str
    text: str
    form: Literal["spliced", "alone", "recorded"]
    first: str
    last: str
    seed: int | None = None
    volatility: float | None = None
    fields: tuple[str, ...] = ()
    sessions: tuple[dict[str, Any], ...] = ()

    @property
    def synthetic(self) -> tuple[str, ...]:
        """The days that were, whose close is not published."""
        return tuple(one["day"] for one in self.sessions if one["close"] is None)

    def within(self, start_ns: int | None, end_ns: int | None) -> StressTold | None:
        """Return it for a window, `end_ns` not included: the sessions whose day it touches; None if there are none."""
        first = "" if start_ns is None else iso(start_ns // DAY_NS * DAY_NS)
        last = "~" if end_ns is None else iso((end_ns - 1) // DAY_NS * DAY_NS)
        kept = tuple(one for one in self.sessions if first <= one["session"] <= last)
        if not kept:
            return None
        return replace(self, first=kept[0]["session"], last=kept[-1]["session"], sessions=kept)

    def to_json(self) -> dict[str, Any]:
        """Return it for the summary."""
        return {
            "name": self.name,
            "about": self.about,
            "text": self.text,
            "form": self.form,
            "history": self.form == "recorded",
            "first": self.first,
            "last": self.last,
            "seed": self.seed,
            "volatility": self.volatility,
            "fields": list(self.fields),
            "published": len(self.sessions) - len(self.synthetic),
            "synthetic": list(self.synthetic),
            "sessions": list(self.sessions),
        }


def told_over(
    crash: Crash, text: str, days_ns: Sequence[int], seed: int, volatility: float, fields: Sequence[str]
) -> StressTold:
    """Return what is told of a crash that is laid over the days of some data, one for each of its sessions."""
    days = [iso(day) for day in days_ns]
    sessions = _sessions(crash, days)
    return StressTold(
        crash.name, crash.about, text, "spliced", days[0], days[-1], seed, volatility, tuple(fields), sessions
    )


def told_alone(crash: Crash, text: str, seed: int, volatility: float) -> StressTold:
    """Return what is told of a crash that is a run's only data."""
    days = [iso(close.time_ns // DAY_NS * DAY_NS) for close in crash.sessions]
    sessions = _sessions(crash, days)
    return StressTold(crash.name, crash.about, text, "alone", days[0], days[-1], seed, volatility, (), sessions)


def told_recorded(name: str, about: str, first_ns: int, last_ns: int) -> StressTold:
    """Return what is told of a stretch of recorded data; both days are included."""
    return StressTold(name, about, name, "recorded", iso(first_ns), iso(last_ns))


def _sessions(crash: Crash, days: Sequence[str]) -> tuple[dict[str, Any], ...]:
    return tuple(
        {
            "session": day,
            "day": close.day.isoformat(),
            "move": move,
            "close": close.level,
            "source": SOURCES[close.source] if close.source else None,
        }
        for day, close, move in zip(days, crash.sessions, crash.moves(), strict=True)
    )
