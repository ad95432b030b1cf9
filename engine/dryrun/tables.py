"""The tables of a report, as HTML: every text escaped, numbers set to the right."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Any

from .narrative import money, number, percent

__all__ = ["fingerprint", "rich", "table", "tables"]

Json = dict[str, Any]
Rows = Sequence[tuple[str, ...]]
MADE_OF = ("spec", "program", "data", "stress", "fill", "event", "permitted", "skip_bad", "seed", "versions")


def tables(summary: Json, colours: dict[str, str]) -> str:
    """Return all tables of results.

    Args:
        summary: of a run.
        colours: the tint of each state that the charts show.
    """
    found = []
    if summary["money"] is not None:
        found += [_split(summary), _account(summary), _legs(summary), _exposure(summary)]
    if summary["cells"]:
        found.append(_cells(summary))
    found += [*_states(summary, colours), _rules(summary)]
    if summary["timers"]:
        rows = [(name, f"{count:,}" if count else "never") for name, count in summary["timers"].items()]
        found.append(table("Timers that fell due", ("timer", "times"), rows))
    if summary["invariants"]:
        found.append(_invariants(summary))
    if summary["stress"] and summary["stress"]["sessions"]:
        found.append(_stress(summary["stress"]))
    if summary["rejections"]:
        rows = [(f"{one['row']:,}", one["reason"]) for one in summary["rejections"][:20]]
        title = f"Bad rows (first {len(rows)} of {summary['rows']['rejected']:,})"
        found.append(table(title, ("row", "reason"), rows, numbers=False))
    return "".join(found)


def fingerprint(summary: Json) -> str:
    """Return the tables of what a run was made of, and the choices that nobody made."""
    made = summary["fingerprint"]
    rows: list[tuple[str, str]] = []
    for group in MADE_OF:
        value = made.get(group)
        if isinstance(value, dict):
            rows += [(f"{group}: {name}", _plain(one)) for name, one in value.items()]
        elif value not in (None, [], ""):
            rows.append((group, _plain(value)))
    found = table("Fingerprint", ("", ""), rows, numbers=False)
    parameters = [(name, _plain(value)) for name, value in made.get("parameters", {}).items()]
    if parameters:
        found += table("Parameters", ("name", "value"), parameters)
    notes = [f'<p class="small">{rich(note[:1].upper() + note[1:])}.</p>' for note in summary["notes"]]
    return f'{"".join(notes)}<div class="tables">{found}</div>'


def rich(text: str) -> str:
    """Return plain text as HTML, with what stands in backticks as code."""
    parts = html.escape(text.strip()).split("`")
    if len(parts) % 2 == 0:
        return "`".join(parts)
    return "".join(f"<code>{part}</code>" if index % 2 else part for index, part in enumerate(parts))


def _split(summary: Json) -> str:
    split = summary["split"]
    rows = [(name, money(value)) for name, value in split.items() if name != "profit"]
    rows.append(("P&L", money(split["profit"])))
    return table(f"P&L, {summary['money']['unit']}", ("part", "amount"), rows, total=True)


def _account(summary: Json) -> str:
    account = summary["money"]
    names = {
        "capital": "capital",
        "equity": "final equity",
        "realised": "realised, before costs",
        "unrealised": "unrealised",
        "fees": "fees",
        "slippage": "slippage",
        "delay": "of which waiting for the next mark",
        "flows": "carry (flows)",
        "turnover": "turnover",
    }
    rows = [(label, money(account[name])) for name, label in names.items()]
    fee = account["break_even_fee"]
    rows.append(("break-even one-way fee", "none" if fee is not None and fee <= 0 else _share(fee)))
    return table(f"Account, {account['unit']}", ("", "amount"), rows)


def _legs(summary: Json) -> str:
    rows = [
        (
            name,
            f"{leg['trades']:,}",
            number(leg["quantity"]),
            "–" if leg["average"] is None else number(leg["average"]),
            money(leg["realised"]),
            money(leg["unrealised"]),
        )
        for name, leg in summary["trades"]["legs"].items()
    ]
    return table("Legs", ("leg", "orders", "quantity", "average", "realised", "unrealised"), rows)


def _exposure(summary: Json) -> str:
    exposure = summary["exposure"]
    rows = []
    for name in ("net", "gross"):
        one = exposure[name]
        limit = "none" if one["limit"] is None else money(one["limit"])
        used = _share(one["share_of_limit"] and one["share_of_limit"]["max"])
        rows.append((f"{name} notional", money(one["mean"]), money(one["max"]), limit, used))
    ratio = exposure["net_to_gross"]
    rows.append(("|net| / gross", percent(ratio["mean"]), percent(ratio["max"]), "", ""))
    return table(f"Exposure, {summary['money']['unit']}", ("", "mean", "most", "limit", "most used"), rows)


def _cells(summary: Json) -> str:
    rows = [
        (name, one["unit"], *(number(one[end]) for end in ("first", "min", "max", "last")))
        for name, one in summary["cells"].items()
    ]
    return table("State", ("name", "unit", "first", "least", "most", "last"), rows)


def _states(summary: Json, colours: dict[str, str]) -> list[str]:
    """Return a table a region."""
    regions: dict[str | None, list[tuple[str, ...]]] = {}
    for name, state in summary["states"].items():
        colour = colours.get(name, "#ffffff")
        tint = colour if colour == "#ffffff" else f"{colour}55"
        chip = f'<span class="chip" style="background:{tint}"></span>{html.escape(name)}'
        rows = "never" if name in summary["never"]["states"] else f"{state['rows']:,}"
        regions.setdefault(state["region"], []).append((chip, _share(state["share"]), rows))
    title = "Time in each state"
    return [
        table(title if len(regions) == 1 else f"{title} of {region}", ("state", "time", "rows"), lines, raw=True)
        for region, lines in regions.items()
    ]


def _stress(stress: Json) -> str:
    rows = [
        (
            one["session"],
            one["day"],
            "synthetic" if one["close"] is None else f"{one['close']:,.2f}",
            "–" if one["move"] is None else percent(one["move"]),
        )
        for one in stress["sessions"]
    ]
    title = f"Stress {stress['name']}: closes of the S&P 500"
    return table(title, ("day of the run", "day that was", "published close", "move"), rows)


def _rules(summary: Json) -> str:
    rows = [(name, f"{count:,}" if count else "never") for name, count in summary["triggers"].items()]
    return table("Rules fired", ("rule", "times"), rows)


def _invariants(summary: Json) -> str:
    rows = []
    for name, one in summary["invariants"].items():
        told = "held" if one["held"] else f'<span class="bad">broken {one["events"]:,} ×</span>'
        rows.append((html.escape(name), told, "" if one["held"] else f"row {one['first']['row']:,}"))
    return table("Invariants", ("claim", "on this run", "first"), rows, raw=True)


def table(
    title: str,
    head: tuple[str, ...],
    rows: Rows,
    *,
    total: bool = False,
    raw: bool = False,
    numbers: bool = True,
) -> str:
    """Return a table; the first column is text, the others numbers; `raw` cells are HTML already."""
    right = ' class="n"' if numbers else ""
    lines = []
    for index, row in enumerate(rows):
        first, *others = (cell if raw else html.escape(cell) for cell in row)
        sum_ = ' class="sum"' if total and index == len(rows) - 1 else ""
        cells = "".join(f"<td{right}>{cell}</td>" for cell in others)
        lines.append(f'<tr{sum_}><th scope="row">{first}</th>{cells}</tr>')
    heads = "".join(f"<th{right if index else ''}>{html.escape(one)}</th>" for index, one in enumerate(head))
    top = f"<thead><tr>{heads}</tr></thead>" if any(head) else ""
    caption = f"<caption>{html.escape(title)}</caption>"
    return f'<div class="panel"><table>{caption}{top}<tbody>{"".join(lines)}</tbody></table></div>'


def _share(share: float | None) -> str:
    return "–" if share is None else percent(share)


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return number(value)
    if isinstance(value, dict):
        return ", ".join(f"{name} ← {one}" for name, one in value.items())
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return str(value)
