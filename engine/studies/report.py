"""What a study hands over: parts, each with its claims, tables and pictures; and numbers as people write them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .evidence import Claim, Interval, Region, Statement, Verdict

__all__ = ["FORMAT", "Part", "Picture", "Study", "Table", "figure", "span"]

FORMAT = "hedgerow.study/1"


@dataclass(frozen=True, slots=True)
class Table:
    """Figures beside the claims: a head and rows of text, one row of them as wide as the head."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Picture:
    """A drawing as SVG text; `alt` says in words what it shows."""

    name: str
    alt: str
    svg: str


@dataclass(frozen=True, slots=True)
class Part:
    """One question of a study.

    Fields:
        statements: what proofs decide; `claims` are what measurements do.
        figures: what the page's text says of the experiment, by name; so no number is written down twice.
    """

    name: str
    claims: tuple[Claim, ...]
    tables: Mapping[str, Table]
    pictures: tuple[Picture, ...]
    figures: Mapping[str, str] = field(default_factory=dict)
    statements: tuple[Statement, ...] = ()


@dataclass(frozen=True, slots=True)
class Study:
    """All parts, and what they were made of.

    Fields:
        made_of: seed, sizes, and hashes of the spec and its program.
        template: the page in Markdown, with the places of claims, tables and pictures.
    """

    name: str
    made_of: Mapping[str, Any]
    parts: tuple[Part, ...]
    template: str

    @property
    def claims(self) -> tuple[Claim, ...]:
        return tuple(claim for part in self.parts for claim in part.claims)

    @property
    def statements(self) -> tuple[Statement, ...]:
        return tuple(statement for part in self.parts for statement in part.statements)

    @property
    def verdicts(self) -> tuple[Verdict, ...]:
        return (*(claim.verdict for claim in self.claims), *(statement.verdict for statement in self.statements))

    def to_json(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "study": self.name,
            "made_of": dict(self.made_of),
            "claims": [claim.to_json() for claim in self.claims],
            "statements": [statement.to_json() for statement in self.statements],
            "tables": {
                name: {"head": list(table.head), "rows": [list(row) for row in table.rows]}
                for part in self.parts
                for name, table in part.tables.items()
            },
        }


def figure(value: float) -> str:
    """Return a number with four digits, as people write it."""
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    text = f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
    return "0" if text in ("0", "-0") else text.replace("-", "−")


def span(ends: Interval | Region) -> str:
    """Return an interval or a region in words: a number to a number."""
    if math.isinf(ends.high):
        return f"{figure(ends.low)} or more"
    return f"{figure(ends.low)} to {figure(ends.high)}"
