"""The tables of a report, as HTML: each text escaped, each number set to the right."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Any

from .narrative import money, number, percent

__all__ = ["fingerprint", "rich", "tables"]

Json = dict[str, Any]


def tables(summary: Json, colours: dict[str, str]) -> list[str]:
    tables = []
    account = summary["money"]
    if account is not None:
        unit = account["unit"]
        split = summary["split"]
        rows = [(name, money(value)) for name, value in split.items() if name != "profit"]
        tables.append(
            _table(f"P&L, {unit}", ("part", "amount"), [*rows, ("P&L", money(split["profit"]))], total=True)
        )
        amounts = [
            ("capital", money(account["capital"])), ("final equity", money(account["equity"])),
            ("realised, before costs", money(account["realised"])), ("unrealised", money(account["unrealised"])),
            ("fees", money(account["fees"])), ("slippage", money(account["slippage"])), ("carry (flows)", money(account["flows"])),
            ("turnover", money(account["turnover"])),
            ("break-even one-way fee", _share(account["break_even_fee"])),
        ]  # fmt: skip
        tables.append(_table(f"Account, {unit}", ("", "amount"), amounts))
        legs = [
            (
                name, f"{leg['trades']:,}", number(leg["quantity"]), "–" if leg["average"] is None else number(leg["average"]),
                money(leg["realised"]), money(leg["unrealised"]),
            )
            for name, leg in summary["trades"]["legs"].items()
        ]  # fmt: skip
        tables.append(
            _table("Legs", ("leg", "orders", "quantity", "average", "realised", "unrealised"), legs)
        )
        tables.append(_exposure(summary, unit))
    states = [
        (
            f'<span class="chip" style="background:{_tint(colours.get(name, ""))}"></span>{html.escape(name)}',
            _share(state["share"]),
            f"{state['rows']:,}",
        )
        for name, state in summary["states"].items()
    ]
    tables.append(_table("Time in each state", ("state", "time", "rows"), states, raw=True))
    rules = [(name, f"{count:,}" if count else "never") for name, count in summary["triggers"].items()]
    tables.append(_table("Rules fired", ("rule", "times"), rules))
    if summary["invariants"]:
        held = [
            (
                html.escape(name),
                "held" if one["held"] else f'<span class="bad">broken {one["events"]:,} ×</span>',
                "" if one["held"] else f"row {one['first']['row']:,}",
            )
            for name, one in summary["invariants"].items()
        ]
        tables.append(_table("Invariants", ("claim", "on this run", "first"), held, raw=True))
    if summary["rejections"]:
        rows = [(f"{one['row']:,}", one["reason"]) for one in summary["rejections"][:20]]
        title = f"Bad rows (first {len(rows)} of {summary['rows']['rejected']:,})"
        tables.append(_table(title, ("row", "reason"), rows, numbers=False))
    return tables


def _exposure(summary: Json, unit: str) -> str:
    exposure = summary["exposure"]
    rows = []
    for name in ("net", "gross"):
        one = exposure[name]
        limit = "none" if one["limit"] is None else money(one["limit"])
        used = _share(one["share_of_limit"] and one["share_of_limit"]["max"])
        rows.append((f"{name} notional", money(one["mean"]), money(one["max"]), limit, used))
    ratio = exposure["net_to_gross"]
    rows.append(("|net| / gross", percent(ratio["mean"]), percent(ratio["max"]), "", ""))
    return _table(f"Exposure, {unit}", ("", "mean", "most", "limit", "most used"), rows)


def fingerprint(summary: Json) -> str:
    print_ = summary["fingerprint"]
    rows: list[tuple[str, ...]] = []
    for group in ("spec", "program", "data", "fill", "event", "versions", "permitted", "seed"):
        value = print_.get(group)
        if isinstance(value, dict):
            rows += [(f"{group}: {key}", _plain(one)) for key, one in value.items()]
        elif value not in (None, [], ""):
            rows.append((group, _plain(value)))
    parameters = [(name, _plain(value)) for name, value in print_.get("parameters", {}).items()]
    notes = "".join(f"<p class=small>{rich(note[:1].upper() + note[1:])}.</p>" for note in summary["notes"])
    tables = _table("Fingerprint", ("", ""), rows, numbers=False)
    if parameters:
        tables += _table("Parameters", ("name", "value"), parameters)
    return f'{notes}<div class="tables">{tables}</div>'


def _table(
    title: str,
    head: tuple[str, ...],
    rows: Sequence[tuple[str, ...]],
    *,
    total: bool = False,
    raw: bool = False,
    numbers: bool = True,
) -> str:
    """Return a table; the first column is text, the others are numbers; `raw` cells are HTML already."""

    def cells(row: tuple[str, ...]) -> str:
        shown = [cell if raw else html.escape(cell) for cell in row]
        mark = ' class="n"' if numbers else ""
        return f'<th scope="row">{shown[0]}</th>' + "".join(f"<td{mark}>{cell}</td>" for cell in shown[1:])

    mark = ' class="n"' if numbers else ""
    heads = "".join(f"<th{mark if index else ''}>{html.escape(one)}</th>" for index, one in enumerate(head))
    last = len(rows) - 1
    lines = "".join(
        f"<tr{' class=sum' if total and index == last else ''}>{cells(row)}</tr>"
        for index, row in enumerate(rows)
    )
    thead = f"<thead><tr>{heads}</tr></thead>" if any(head) else ""
    return f'<div class="panel"><table><caption>{html.escape(title)}</caption>{thead}<tbody>{lines}</tbody></table></div>'


def rich(text: str) -> str:
    """Return plain text as HTML, with what stands in backticks as code."""
    parts = html.escape(text.strip()).split("`")
    if len(parts) % 2 == 0:
        return "`".join(parts)
    return "".join(f"<code>{part}</code>" if index % 2 else part for index, part in enumerate(parts))


def _share(share: float | None) -> str:
    return "–" if share is None else percent(share)


def _tint(colour: str) -> str:
    return f"{colour}55" if colour and colour != "#ffffff" else "#ffffff"


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return number(value)
    if isinstance(value, dict):
        return ", ".join(f"{key} ← {one}" for key, one in value.items())
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return str(value)
