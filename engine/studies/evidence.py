"""From evidence to a verdict: an interval lies in a region, outside of it, or across its edge; a proof comes out as told."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

__all__ = ["Answer", "Claim", "Decision", "Finding", "Interval", "Region", "Statement", "Verdict"]

Answer = Literal["holds", "fails", "not decided"]
Verdict = Literal["holds", "fails", "holds with this repair", "not decided"]
Decision = Literal["proved", "refuted", "not decided", "noted"]
"""What a proof can come to."""


class Interval(NamedTuple):
    """A 95 % interval of a number, `low` ≤ `value` ≤ `high`, from so many independent runs."""

    value: float
    low: float
    high: float
    runs: int

    @property
    def width(self) -> float:
        return self.high - self.low


class Region(NamedTuple):
    """What a statement allows a number to be: `low` to `high`, both included; either may be infinite.

    An equality is a region too: no interval lies in a single point, so it is stated with the tolerance that it is
    tested to.
    """

    low: float
    high: float

    @classmethod
    def about(cls, value: float, tolerance: float) -> Region:
        """Return `value` ± `tolerance`, both in the number's own unit."""
        return cls(value - tolerance, value + tolerance)

    def answer(self, interval: Interval) -> Answer:
        """Return what an interval says about the statement.

        Raises:
            ValueError: the interval has a bound that is no number, or its ends are in the wrong order.
        """
        if not interval.low <= interval.value <= interval.high:  # false for a NaN too
            raise ValueError(f"an interval needs low ≤ value ≤ high, got {interval[:3]}")
        if self.low <= interval.low and interval.high <= self.high:
            return "holds"
        if interval.high < self.low or self.high < interval.low:
            return "fails"
        return "not decided"


@dataclass(frozen=True, slots=True)
class Finding:
    """A statement, the number that it is about, and what was found.

    Fields:
        statement: what is said, in words or a formula.
        quantity: the number that was measured, with its unit.
        region: what the statement allows.
        interval: what was found.
    """

    statement: str
    quantity: str
    region: Region
    interval: Interval

    @property
    def answer(self) -> Answer:
        return self.region.answer(self.interval)

    def to_json(self) -> dict[str, Any]:
        return {
            "statement": self.statement,
            "quantity": self.quantity,
            "value": self.interval.value,
            "interval": [_finite(self.interval.low), _finite(self.interval.high)],
            "confidence": 0.95,
            "runs": self.interval.runs,
            "region": [_finite(end) for end in self.region],
            "answer": self.answer,
        }


@dataclass(frozen=True, slots=True)
class Claim:
    """A claim as it was stated and, where that may fail, as it is repaired."""

    key: str
    setting: str
    stated: Finding
    repair: Finding | None = None

    @property
    def verdict(self) -> Verdict:
        """The claim's verdict: a repair counts only where the statement has failed and the repair itself holds."""
        stated = self.stated.answer
        if stated != "fails" or self.repair is None:
            return stated
        repaired = self.repair.answer
        return "holds with this repair" if repaired == "holds" else repaired

    def to_json(self) -> dict[str, Any]:
        return {
            "key": self.key,
            "setting": self.setting,
            "verdict": self.verdict,
            "stated": self.stated.to_json(),
            "repair": None if self.repair is None else self.repair.to_json(),
        }


@dataclass(frozen=True, slots=True)
class Statement:
    """What a proof decides, which needs no interval.

    Fields:
        words: what is proved or refuted.
        told: what the study says that comes of it.
        found: what came of it.
    """

    key: str
    setting: str
    words: str
    told: Decision
    found: Decision

    @property
    def verdict(self) -> Answer:
        """Whether the study is right; one whose text and proof differ is wrong, whichever of them is."""
        if self.found == self.told:
            return "holds"
        return "not decided" if self.found == "not decided" else "fails"

    def to_json(self) -> dict[str, Any]:
        return {
            "key": self.key,
            "setting": self.setting,
            "verdict": self.verdict,
            "words": self.words,
            "told": self.told,
            "found": self.found,
        }


def _finite(end: float) -> float | None:
    """Return an end as JSON has it: None where there is none."""
    return None if math.isinf(end) else end
