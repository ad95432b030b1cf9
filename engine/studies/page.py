"""A study as a page in Markdown: its template with claims, tables and pictures filled in; the same study, the same bytes.

A place is `{{kind:name}}`: `claims` and `pictures` of a part, a `table` or a `figure` by its name, `made_of` for what went
in, `count` for how many claims have which verdict, and `every` for all claims at once.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from .evidence import Claim, Finding
from .report import Study, Table, figure, span

__all__ = ["HEAD", "picture_name", "render"]

HEAD = ("claim", "where", "statement", "measured", "value", "95 % interval", "allowed", "answer")
"""The columns of a table of claims."""

_PLACE = re.compile(r"\{\{(\w+)(?::([\w-]+))?\}\}")


def render(study: Study) -> str:
    """Return the page.

    Raises:
        ValueError: a place of the template that the study has nothing for, or a part that has no place.
    """
    parts = {part.name: part for part in study.parts}
    tables = {name: table for part in study.parts for name, table in part.tables.items()}
    figures = {name: text for part in study.parts for name, text in part.figures.items()}
    filled: set[tuple[str, str]] = set()

    def fill(place: re.Match[str]) -> str:
        kind, name = place[1], place[2] or ""
        filled.add((kind, name))
        match kind:
            case "claims" if name in parts:
                return claims_table(parts[name].claims)
            case "pictures" if name in parts:
                shown = parts[name].pictures
                return "\n\n".join(f"![{each.alt}]({picture_name(study.name, each.name)})" for each in shown)
            case "table" if name in tables:
                return table_text(tables[name])
            case "figure" if name in figures:
                return figures[name]
            case "made_of":
                return "\n".join(f"- {key.replace('_', ' ')}: {value}" for key, value in study.made_of.items())
            case "count":
                return count_text(study.claims)
            case "every":
                return verdicts_table(study.claims)
        raise ValueError(f"the page of `{study.name}` has a place `{place[0]}` that nothing fills")

    text = _PLACE.sub(fill, study.template)
    wanted = {("claims", name) for name, part in parts.items() if part.claims} | {("table", name) for name in tables}
    if left := wanted - filled:
        raise ValueError(f"the page of `{study.name}` has no place for {sorted(left)}")
    return text


def picture_name(study: str, picture: str) -> str:
    """Return the name of a picture's file."""
    return f"{study}.{picture}.svg"


def claims_table(claims: Sequence[Claim]) -> str:
    """Return a table of claims: a line for the statement, and one for its repair."""
    rows: list[tuple[str, ...]] = []
    for claim in claims:
        stated = _row(claim.stated)
        if claim.repair is None:
            rows.append((claim.key, claim.setting, *stated, f"**{claim.verdict}**"))
            continue
        rows.append((claim.key, claim.setting, *stated, claim.stated.answer))
        repair, *figures = _row(claim.repair)
        rows.append(("", "", f"repaired: {repair}", *figures, f"**{claim.verdict}**"))
    return table_text(Table(HEAD, tuple(rows)))


def verdicts_table(claims: Sequence[Claim]) -> str:
    """Return a line a claim: what was stated, and the verdict."""
    rows = []
    for claim in claims:
        repaired = claim.verdict == "holds with this repair" and claim.repair is not None
        verdict = f"{claim.verdict}: {claim.repair.statement}" if repaired and claim.repair else claim.verdict
        rows.append((claim.stated.statement, claim.setting, verdict))
    return table_text(Table(("statement", "where", "verdict"), tuple(rows)))


def count_text(claims: Sequence[Claim]) -> str:
    """Return how many claims have which verdict, in words."""
    order = ("holds", "holds with this repair", "fails", "not decided")
    counts = {verdict: sum(claim.verdict == verdict for claim in claims) for verdict in order}
    return ", ".join(f"{count} × *{verdict}*" for verdict, count in counts.items() if count)


def table_text(table: Table) -> str:
    """Return a table in Markdown, with what would end a cell escaped."""
    lines = [table.head, tuple("---" for _ in table.head), *table.rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def _row(finding: Finding) -> tuple[str, str, str, str, str]:
    """Return statement, quantity, value, interval and region."""
    found = finding.interval
    return (finding.statement, finding.quantity, figure(found.value), span(found), span(finding.region))
