"""The report of a run as one HTML file, readable in a browser without a network.

The same run gives the same bytes.
"""

from __future__ import annotations

import html
import json
import re
from typing import Any

from .charts import charts, state_colours
from .narrative import Paragraph, money, narrate, percent, stressed
from .subject import Subject
from .summary import books
from .tables import fingerprint, rich, tables
from .trace import Trace

__all__ = ["STYLE", "embedded", "page"]

Json = dict[str, Any]
_MODEL = re.compile(r"p\d+")

STYLE = """
:root { --ink:#1f2933; --soft:#52606d; --line:#e4e7eb; --ground:#f7f8fa; --warn:#9a4a00 }
* { box-sizing:border-box }
body { margin:0; background:var(--ground); color:var(--ink);
  font:15px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif }
main { max-width:1120px; margin:0 auto; padding:36px 24px 72px }
h1 { font-size:28px; line-height:1.2; margin:0 0 4px; overflow-wrap:anywhere }
h2 { font-size:19px; margin:40px 0 12px }
h3 { font-size:15px; margin:0 0 4px }
p { margin:0 0 10px; max-width:82ch; overflow-wrap:anywhere }
code { font:13px/1.4 ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;
  background:#eceff3; border-radius:4px; padding:1px 4px }
.sub { color:var(--soft); margin-bottom:20px }
.about { font-size:16px }
.small { color:var(--soft); font-size:13px; max-width:none }
.cards { display:grid; grid-template-columns:repeat(auto-fit,minmax(138px,1fr)); gap:12px; margin:24px 0 8px }
.card, .panel { background:#fff; border:1px solid var(--line); border-radius:10px; padding:12px 14px }
.card b { display:block; font-size:19px; line-height:1.3; font-weight:650; white-space:nowrap }
.card span { color:var(--soft); font-size:13px }
.card b, .n { font-variant-numeric:tabular-nums }
.told, .tables { columns:2 430px; column-gap:12px }
.told .panel, .tables .panel { break-inside:avoid; margin-bottom:12px }
.told .panel p { margin:0 }
.warn { border-color:#f0c48a; background:#fff6e9 }
.warn h3 { color:var(--warn) }
.wide { margin-bottom:10px }
table { border-collapse:collapse; width:100%; font-size:14px }
caption { text-align:left; font-weight:650; padding-bottom:6px }
th, td { text-align:left; padding:4px 6px; border-top:1px solid var(--line); vertical-align:top;
  font-weight:400;  overflow-wrap:anywhere }
thead th { color:var(--soft); font-size:13px; border-top:0 }
td.n, th.n { text-align:right; white-space:nowrap }
tr.sum > * { font-weight:650 }
.chip { display:inline-block; width:12px; height:12px; border-radius:3px; border:1px solid #cbd2d9;
  vertical-align:-1px; margin-right:6px }
.bad { color:var(--warn); font-weight:650 }
@media print { body { background:#fff } main { padding:0 } }
""".strip()


def page(subject: Subject, trace: Trace, summary: Json) -> str:
    """Return report.html.

    Args:
        subject: what the run is of.
        trace: at least one line; drawn decimated, so that a million rows stay below 3 MB.
        summary: of `summarise`. Every text of it is escaped.
    """
    layout, said = charts(subject, trace, books(subject, trace), summary["stress"])
    name = html.escape(summary["name"])
    about = f'<p class="about">{rich(summary["about"])}</p>' if summary["about"] else ""
    story = "".join(_panel(paragraph) for paragraph in narrate(summary))
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{name}: dry run</title>
<style>{STYLE}</style></head><body><main>
<h1>{name}</h1>
<p class="sub">{_subtitle(summary)}</p>
{about}
{_cards(summary)}
<h2>What happened</h2>
<div class="told">{story}</div>
{_over_time(layout, said)}
<h2>In numbers</h2>
<div class="tables">{tables(summary, state_colours(subject, trace))}</div>
<h2>What this run was made of</h2>
{fingerprint(summary)}
</main></body></html>
"""


def _subtitle(summary: Json) -> str:
    made, time = summary["fingerprint"], summary["time"]
    stress = summary["stress"]
    told = f", {stressed(stress)}" if stress else ""
    parts = [f"Dry run on {made['data']['name']}{told}", f"{time['first']} to {time['last']}"]
    parts.append(f"{summary['rows']['accepted']:,} events")
    if summary["money"] is not None:
        parts.append(f"fills at the {made['fill']} mark")
    return html.escape(" · ".join(parts))


def _cards(summary: Json) -> str:
    account = summary["money"]
    cards = [] if account else [(f"{sum(summary['triggers'].values()):,}", "transitions fired")]
    if account is not None:
        unit, fall = account["unit"], summary["risk"]["max_drawdown"]
        earned = f"P&L, {unit}"
        if account["capital"] > 0:
            word = "profit" if account["profit"] >= 0 else "loss"
            earned += f": a {word} of {percent(abs(account['profit']) / account['capital'])} of capital"
        cards += [
            (money(account["equity"]), f"final equity, {unit}, from {money(account['capital'])}"),
            (money(account["profit"]), earned),
            (money(account["fees"] + account["slippage"]), _costs(account)),
            (f"{summary['trades']['count']:,}", f"orders, {money(account['turnover'])} {unit} in all"),
        ]
        if fall:
            cards.append((percent(fall["share"]), "deepest drawdown"))
        told = {True: "yes", False: "no", None: "too short"}[summary["verdict"]["distinguishable"]]
        cards.append((told, "distinguishable from −fees"))
    found = summary["invariants"].values()
    if found:
        cards.append((f"{sum(one['held'] for one in found)} of {len(found)}", "invariants held"))
    shown = [f'<div class="card"><b>{html.escape(a)}</b><span>{html.escape(b)}</span></div>' for a, b in cards]
    return f'<div class="cards">{"".join(shown)}</div>'


def _costs(account: Json) -> str:
    # Below zero the wait for the next mark earned more than all costs: luck, that must not read as a cost.
    gained = account["fees"] + account["slippage"] < 0
    return f"fees and slippage, {account['unit']}" + (": a gain, by the wait for the next mark" if gained else "")


def _panel(paragraph: Paragraph) -> str:
    tone = " warn" if paragraph.tone == "warn" else ""
    head, text = rich(paragraph.heading), rich(paragraph.text)
    return f'<section class="panel{tone}"><h3>{head}</h3><p>{text}</p></section>'


def _over_time(layout: Any, said: list[str]) -> str:
    """Return the section of charts."""
    if layout is None:
        return ""
    notes = "".join(f'<p class="small">{rich(text)}</p>' for text in said)
    return f"""<h2>Over time</h2>
<p class="small">Drag to zoom into a stretch of time in all charts at once; click a name in a legend to hide
its line; the tools at the right reset the view.</p>
{embedded(layout, notes)}"""


def embedded(layout: Any, notes: str = "") -> str:
    """Return a Bokeh layout as HTML that needs no network: Bokeh's own code, the document as JSON, the call to join them."""
    from bokeh.core.types import ID
    from bokeh.embed import json_item
    from bokeh.resources import Resources

    # `</` would end the script element, and `<!--` open a comment in it; JSON may write both with an escape.
    document = json.dumps(_renumber(json_item(layout, target=ID("charts")))).replace("<", "\\u003c")
    code = "\n".join(Resources(mode="inline", components=["bokeh"]).js_raw)
    return f"""<noscript><p>The charts need JavaScript; the file carries all of it.</p></noscript>
<div class="panel wide"><div id="charts"></div></div>{notes}
<script>{code}</script>
<script type="application/json" id="document">{document}</script>
<script>Bokeh.embed.embed_item(JSON.parse(document.getElementById("document").textContent))</script>"""


def _renumber(item: Any) -> Any:
    """Return a Bokeh document with its ids counted from 1; Bokeh counts on from the process's last one."""
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
