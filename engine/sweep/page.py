"""The report of a sweep as one HTML file, readable in a browser without a network.

The same table gives the same bytes.
"""

from __future__ import annotations

import html
from typing import Any

import numpy as np

from ..dryrun.narrative import money, percent
from ..dryrun.page import STYLE, embedded
from ..dryrun.tables import rich, table
from .cells import FRAGILE
from .charts import charts
from .interval import DRAWN, Intervals
from .naming import param_text
from .summary import neighbours_of
from .table import SweepTable
from .told import backend_told, best_told, fragile_told, gates_told, luck_told, params_told, share_told
from .walkforward_page import walk_forward_section
from .walkforward_table import Judged

__all__ = ["page"]

Json = dict[str, Any]
LISTED = 10
"""Sets of the list of the best."""
NAMED = 3
"""Params up to which a card names those of its set."""
ACROSS = ".across { overflow-x:auto } .across th { white-space:nowrap; overflow-wrap:normal }"


def page(found: SweepTable, summary: Json, judged: Judged | None = None) -> str:
    """Return report.html.

    Args:
        found: at least one set.
        summary: of `summarise`. Every text of it is escaped.
        judged: the walk-forward over the table, if there was one.
    """
    name, best = html.escape(summary["name"]), summary["best"]
    drawn = ""
    if best is not None:
        row = int(np.flatnonzero(found.column("set") == best["set"])[0])
        layout, said = charts(found, list(summary["influence"]), summary["objective"], row)
        drawn = "<h2>Over the params</h2>" + embedded(
            layout, "".join(f'<p class="small">{rich(one)}</p>' for one in said)
        )
    about = f'<p class="about">{rich(summary["about"])}</p>' if summary["about"] else ""
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{name}: sweep</title>
<style>{STYLE}
{ACROSS}</style></head><body><main>
<h1>{name}</h1>
<p class="sub">{html.escape(_subtitle(summary))}</p>
{about}
{_cards(summary)}
<h2>What to make of it</h2>
<div class="told">{"".join(_panel(*one) for one in _story(summary))}</div>
{drawn}
<h2>The best sets, beside their neighbours</h2>
<div class="wide across">{_best(found, summary)}</div>
{_about_intervals(found, summary)}
{"" if judged is None else walk_forward_section(judged)}
<h2>What this sweep was made of</h2>
{"".join(f'<p class="small">{rich(note[:1].upper() + note[1:])}.</p>' for note in summary["notes"])}
<div class="tables">{_made_of(summary)}</div>
</main></body></html>
"""


def _subtitle(summary: Json) -> str:
    data, time, sets = summary["data"], summary["time"], summary["sets"]
    method = "grid" if sets["method"] == "grid" else f"{sets['method']} sample, seed {sets['seed']}"
    return " · ".join(
        (
            f"Sweep of {sets['done']:,} parameter sets ({method}) over {data['name']}",
            f"{time['first']} to {time['last']}",
            f"{data['rows']:,} rows" + (f" a path, {data['paths']['count']:,} paths" if "paths" in data else ""),
            f"fills at the {summary['fill']} mark",
            f"backend: {backend_told(summary)}",
        )
    )


def _cards(summary: Json) -> str:
    objective, best, worst = summary["objective"], summary["best"], summary["worst"]
    unit = summary["money"] if objective == "profit" else ""
    tail = f"{objective}, {unit}" if unit else objective
    cards = [(f"{summary['sets']['done']:,}", "parameter sets")]
    if best is not None:
        cards += [
            (money(best[objective]), f"best {tail}: {_set(summary, best)}"),
            (money(summary["median"]), f"median {tail}"),
            (money(worst[objective]), f"worst {tail}: {_set(summary, worst)}"),
        ]
    if summary["beat_no_edge"] is not None:
        cards.append((f"{summary['beat_no_edge']:,} of {summary['sets']['done']:,}", "sets beat −fees"))
    if summary["walk_forward"]:
        outer = summary["walk_forward"]["outer"]
        word = {True: "not −fees", False: "not to be told from −fees", None: "too short to say more"}
        cards.append((money(outer["profit"]), f"judged on later days, {unit}: {word[outer['distinguishable']]}"))
    if summary["fragile"]:
        cards.append((f"{summary['fragile']['fragile']:,} of {summary['fragile']['cells']:,}", "cells are fragile"))
    found = summary["invariants"].values()
    if found:
        cards.append((f"{sum(count == 0 for count in found)} of {len(found)}", "invariants held in every set"))
    shown = [f'<div class="card"><b>{html.escape(a)}</b><span>{html.escape(b)}</span></div>' for a, b in cards]
    return f'<div class="cards">{"".join(shown)}</div>'


def _set(summary: Json, row: Json) -> str:
    return params_told(summary, row) if len(row["params"]) <= NAMED else f"set {row['set']:,}"


def _story(summary: Json) -> list[tuple[str, str, bool]]:
    """Return headings, texts, and whether each is a warning."""
    found: list[tuple[str, str, bool]] = []
    if summary["best"] is not None:
        found.append(("The best, beside its neighbours", best_told(summary), False))
    if luck := luck_told(summary):
        expected = summary["luck"]["expected"]
        least = expected["all"] if expected["effective"] is None else expected["effective"]
        found.append(("Luck", luck, summary["luck"]["ahead"] < least))
    if summary["fragile"]:
        text = (
            f"Of the map, {fragile_told(summary)} are fragile: one step to a cell beside it changes the sign of the "
            f"median {summary['objective']}, or costs more than {percent(FRAGILE)} of the range of all cells. A strategy "
            "that is to be traded should stand where steps cost little, on a plain and not on a peak."
        )
        found.append(("The fragile region", text, False))
    if summary["influence"]:
        shares = ", ".join(f"`{name}` {share_told(share)}" for name, share in summary["influence"].items())
        text = (
            f"Share of the variance of {summary['objective']} that each param explains by itself: {shares}. What only two "
            "together explain is in none of them."
        )
        found.append(("Which params matter", text, False))
    broken = {name: count for name, count in summary["invariants"].items() if count}
    if broken:
        told = ", ".join(f"`{name}` in {count:,} sets" for name, count in broken.items())
        found.append(("Broken invariants", f"{told}. `hedgerow run` with the params of one of them shows where.", True))
    if told := gates_told(summary, "`"):
        text = f"They stopped orders, each with its transition: {told}. The columns `stopped.*` have how often in each set."
        found.append(("Gates", text, True))
    elif summary["gates"]:
        found.append(("Gates", "They let every order through in every set.", False))
    if summary["fail_safe"]:
        found.append(("Fail-safe", f"{summary['fail_safe']:,} sets entered `fail_safe`.", True))
    if summary["accepted_none"]:
        text = f"{summary['accepted_none']:,} sets refused every row and never started: they have no result."
        found.append(("Sets that never ran", text, True))
    if summary["ended"]:
        text = f"{summary['ended']:,} sets reached a final state before the data ended, and stopped there."
        found.append(("Sets that ended early", text, False))
    return found


def _panel(heading: str, text: str, warns: bool) -> str:
    return f'<section class="panel{" warn" if warns else ""}"><h3>{rich(heading)}</h3><p>{rich(text)}</p></section>'


def _best(found: SweepTable, summary: Json) -> str:
    """Return the best sets, each with the median and the worst of its neighbours."""
    objective = summary["objective"]
    values = found.column(objective).astype(np.float64)
    there = np.flatnonzero(np.isfinite(values))
    if not there.size:
        return "<p>No set has a result.</p>"
    ranked = there[np.argsort(-values[there], kind="stable")][:LISTED]
    extra: tuple[str, ...] = ("no_edge", "drawdown", "cvar") if objective == "profit" else ()
    if extra and found.paths > 1:
        extra = ("profit.median", "profit.worst", "no_edge", "drawdown")
    intervals = Intervals(found) if objective == "profit" else None
    rows = []
    for row in ranked.tolist():
        near = neighbours_of(found, row, values)
        cells = [
            f"{int(found.column('set')[row]):,}",
            *(param_text(found.column(name)[row].item(), _unit(summary, name)) for name in found.params),
        ]
        cells.append(money(float(values[row])))
        if intervals is not None:
            interval = intervals.of(row)
            cells.append("–" if interval is None else interval.text)
        cells += ["–", "–"] if near is None else [money(near["median"]), money(near["worst"])]
        cells += [_money(name, float(found.column(name)[row])) for name in extra]
        rows.append((*cells, f"{round(float(found.column('orders')[row])):,}"))
    shown = {
        "profit.median": "median path",
        "profit.worst": "worst path",
        "no_edge": "−fees",
        "cvar": "CVaR 95 %, daily",
    }
    name = objective if found.paths == 1 else f"mean {objective}"
    head = ["set", *found.params, name, *([] if intervals is None else ["95 % interval"])]
    head += ["median neighbour", "worst neighbour"]
    return table(f"Sets of highest {objective}", (*head, *(shown.get(name, name) for name in extra), "orders"), rows)


def _made_of(summary: Json) -> str:
    sets, data = summary["sets"], summary["data"]
    rows = [
        ("spec", summary["spec"]["file"]),
        ("spec sha256", summary["spec"]["sha256"]),
        ("program", summary["program"]),
        ("data", data["name"]),
        ("data sha256", data.get("sha256", "")),
        ("events sha256", data["events"]),
        ("event", summary["event"]),
        ("fill", summary["fill"]),
        ("parameter sets", f"{sets['count']:,}, {sets['method']}"),
        ("sets sha256", sets["sha256"]),
        ("hedgerow", summary["version"]),
    ]
    if summary["permitted"]:
        rows.append(("permitted", ", ".join(summary["permitted"])))
    made = table("Fingerprint", ("", ""), [row for row in rows if row[1]], numbers=False)
    grid = [(name, _ends(values, _unit(summary, name))) for name, values in sets["grid"].items()]
    if grid:
        made += table("Grid", ("param", "values"), grid, numbers=False)
    fixed = {**summary["defaults"], **sets["fixed"]}
    rest = [(name, param_text(value, _unit(summary, name))) for name, value in fixed.items()]
    return made + (table("Params of every set", ("name", "value"), rest) if rest else "")


def _unit(summary: Json, column: str) -> str:
    """Return the unit of the param that a column holds."""
    units = summary["units"]
    found: str = units.get(column, units.get(column.removeprefix("param."), "1"))
    return found


def _about_intervals(found: SweepTable, summary: Json) -> str:
    """Say what the intervals are."""
    if summary["objective"] != "profit":
        return ""
    if found.paths > 1:
        text = (
            f"Profits are means over {found.paths:,} paths; the interval is that of the mean, by Student's t over the "
            "paths. It says how far other paths of this scenario would move it, and nothing of other scenarios."
        )
        return f'<p class="small">{rich(text)}</p>'
    text = "The interval says how far the profit would move if the same kinds of days had come in another draw: "
    text += (
        f"for the {DRAWN} best sets a circular block bootstrap of their days, for the others on the maps ±1.96 standard "
        "deviations of the daily P&L times the root of the days."
        if found.days is not None
        else "±1.96 standard deviations of the daily P&L times the root of the days, each taken as independent of the last; "
        "with `--days` the days of the best sets are drawn in blocks."
    )
    return f'<p class="small">{rich(f"{text} It does not know that the best of many was chosen.")}</p>'


def _ends(values: list[Any], unit: str) -> str:
    shown = [param_text(value, unit) for value in values]
    return ", ".join(shown) if len(shown) <= 12 else f"{', '.join(shown[:3])} … {shown[-1]} ({len(shown)} values)"


def _money(name: str, value: float) -> str:
    if not np.isfinite(value):
        return "–"
    return percent(value) if name == "drawdown" else money(value)
