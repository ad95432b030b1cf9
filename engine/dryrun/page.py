"""The report of a run as one HTML file: readable in a browser, without a network, the same bytes for the
same run."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Sequence
from typing import Any

from .charts import charts, state_colours
from .narrative import Paragraph, money, narrate, number, percent
from .subject import Subject
from .summary import books
from .trace import Trace

__all__ = ["page"]

Json = dict[str, Any]
_MODEL = re.compile(r"p\d+")

STYLE = """
:root { --ink:#1f2933; --soft:#52606d; --line:#e4e7eb; --ground:#f7f8fa; --good:#00694e; --warn:#9a4a00; --warn-ground:#fff6e9 }
* { box-sizing:border-box }
body { margin:0; background:var(--ground); color:var(--ink);
  font:15px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif }
main { max-width:1120px; margin:0 auto; padding:36px 24px 72px }
h1 { font-size:28px; line-height:1.2; margin:0 0 4px; overflow-wrap:anywhere }
h2 { font-size:19px; margin:40px 0 12px }
h3 { font-size:15px; margin:0 0 4px }
p { margin:0 0 10px; max-width:82ch }
code { font:13px/1.4 ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace; background:#eceff3; border-radius:4px;
  padding:1px 4px; overflow-wrap:anywhere }
.sub { color:var(--soft); margin-bottom:20px }
.about { font-size:16px }
.cards { display:grid; grid-template-columns:repeat(auto-fit,minmax(138px,1fr)); gap:12px; margin:24px 0 8px }
.card { background:#fff; border:1px solid var(--line); border-radius:10px; padding:12px 14px }
.card b { display:block; font-size:19px; line-height:1.3; font-weight:650; font-variant-numeric:tabular-nums; white-space:nowrap }
.card span { color:var(--soft); font-size:13px }
.panel { background:#fff; border:1px solid var(--line); border-radius:10px; padding:14px }
.told, .tables { columns:2 430px; column-gap:12px }
.told .panel, .tables .panel { break-inside:avoid; margin-bottom:12px }
.told .panel p { margin:0 }
.warn { border-color:#f0c48a; background:var(--warn-ground) }
.warn h3 { color:var(--warn) }
table { border-collapse:collapse; width:100%; font-size:14px }
caption { text-align:left; font-weight:650; padding-bottom:6px }
th, td { text-align:left; padding:4px 6px; border-top:1px solid var(--line); vertical-align:top; font-weight:400 }
thead th { color:var(--soft); font-size:13px; border-top:0 }
td { overflow-wrap:anywhere }
td.n, th.n { text-align:right; font-variant-numeric:tabular-nums; white-space:nowrap }
tr.sum > * { font-weight:650 }
.small { color:var(--soft); font-size:13px; max-width:none }
.chip { display:inline-block; width:12px; height:12px; border-radius:3px; border:1px solid #cbd2d9; vertical-align:-1px; margin-right:6px }
.bad { color:var(--warn); font-weight:650 }
@media print { body { background:#fff } main { padding:0 } }
""".strip()


def page(subject: Subject, trace: Trace, summary: Json) -> str:
    """Return report.html.

    Args:
        trace: at least one line; drawn decimated, so that a million rows stay below 3 MB.
        summary: of `summarise`. Every text of it is escaped.
    """
    layout, said = charts(subject, trace, books(subject, trace))
    colours = state_colours(subject, trace)
    drawn = _drawn(layout) if layout is not None else ""
    left_out = "".join(f'<p class="small">{rich(text)}</p>' for text in said)
    story = "".join(_panel(paragraph) for paragraph in narrate(summary))
    about = f'<p class="about">{rich(summary["about"])}</p>' if summary["about"] else ""
    return "\n".join(
        (
            "<!doctype html>",
            '<html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{html.escape(summary['name'])}: dry run</title>",
            f"<style>{STYLE}</style></head><body><main>",
            f"<h1>{html.escape(summary['name'])}</h1>",
            f'<p class="sub">{_subtitle(summary)}</p>',
            about,
            _cards(summary),
            "<h2>What happened</h2>",
            f'<div class="told">{story}</div>',
            "<h2>Over time</h2>",
            '<p class="small">Drag to zoom into a stretch of time in all charts at once; click a name in a legend to hide '
            "its line; the tools at the right reset the view.</p>",
            "<noscript><p>The charts need JavaScript; the file carries all of it.</p></noscript>",
            f'<div class="panel">{drawn}</div>{left_out}',
            "<h2>In numbers</h2>",
            f'<div class="tables">{"".join(tables(summary, colours))}</div>',
            "<h2>What this run was made of</h2>",
            fingerprint(summary),
            "</main></body></html>",
            "",
        )
    )


def _subtitle(summary: Json) -> str:
    data = summary["fingerprint"].get("data", {})
    parts = [
        f"Dry run on {data.get('name', 'recorded data')}",
        f"{summary['time']['first']} to {summary['time']['last']}",
    ]
    parts.append(f"{summary['rows']['accepted']:,} events")
    parts.append(f"fills at the {summary['fingerprint'].get('fill', 'same')} mark")
    return html.escape(" · ".join(parts))


def _cards(summary: Json) -> str:
    account = summary["money"]
    if account is None:
        return ""
    unit, verdict, risk = account["unit"], summary["verdict"], summary["risk"]
    told = {True: "yes", False: "no", None: "too short to say"}[verdict["distinguishable"]]
    broken = sum(not one["held"] for one in summary["invariants"].values())
    earned = f"P&L, {unit}"
    if account["capital"] > 0:
        word = "profit" if account["profit"] >= 0 else "loss"
        earned += f": a {word} of {percent(abs(account['profit']) / account['capital'])} of capital"
    cards = [
        (money(account["equity"]), f"final equity, {unit}, from {money(account['capital'])}"),
        (money(account["profit"]), earned),
        (money(account["fees"] + account["slippage"]), f"fees and slippage, {unit}"),
        (f"{summary['trades']['count']:,}", f"orders, {money(account['turnover'])} {unit} in all"),
    ]
    if risk["max_drawdown"]:
        cards.append((percent(risk["max_drawdown"]["share"]), "deepest drawdown"))
    cards.append((told, "distinguishable from −fees"))
    if summary["invariants"]:
        held = len(summary["invariants"]) - broken
        cards.append((f"{held} of {len(summary['invariants'])}", "invariants held"))
    return (
        '<div class="cards">'
        + "".join(
            f'<div class="card"><b>{html.escape(big)}</b><span>{html.escape(small)}</span></div>'
            for big, small in cards
        )
        + "</div>"
    )


def _panel(paragraph: Paragraph) -> str:
    tone = " warn" if paragraph.tone == "warn" else ""
    return f'<section class="panel{tone}"><h3>{rich(paragraph.heading)}</h3><p>{rich(paragraph.text)}</p></section>'


def _drawn(layout: Any) -> str:
    """Return the charts: Bokeh's own code inline, the document as JSON, and the call that joins them."""
    from bokeh.core.types import ID
    from bokeh.embed import json_item
    from bokeh.resources import Resources

    item = _renumber(json_item(layout, target=ID("charts")))
    # `</` would end the script element; JSON may write it with an escape.
    document = (
        json.dumps(item, ensure_ascii=True, sort_keys=False)
        .replace("</", "<\\/")
        .replace("<!--", "<\\u0021--")
    )
    code = "\n".join(Resources(mode="inline", components=["bokeh"]).js_raw)
    return (
        '<div id="charts"></div>\n'
        f"<script>{code}</script>\n"
        f'<script type="application/json" id="document">{document}</script>\n'
        '<script>Bokeh.embed.embed_item(JSON.parse(document.getElementById("document").textContent))</script>'
    )


def _renumber(item: Any) -> Any:
    """Return a Bokeh document with its ids counted from 1: Bokeh counts on from the last document of the
    process."""
    names: dict[str, str] = {}

    def walk(value: Any, key: str = "") -> Any:
        if isinstance(value, dict):
            return {name: walk(one, name) for name, one in value.items()}
        if isinstance(value, list):
            return [walk(one, key) for one in value]
        if isinstance(value, str) and key in ("id", "root_id", "root_ids") and _MODEL.fullmatch(value):
            return names.setdefault(value, f"m{len(names) + 1}")
        return value

    return walk(item)
