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
from .summary import neighbours_of
from .table import SweepTable
from .told import backend_told, best_told, fragile_told, luck_told, params_told

__all__ = ["page"]

Json = dict[str, Any]
LISTED = 10
"""Sets of the list of the best."""
NAMED = 3
"""Params up to which a card names those of its set."""
ACROSS = ".across { overflow-x:auto } .across th { white-space:nowrap; overflow-wrap:normal }"


def page(found: SweepTable, summary: Json) -> str:
    """Return report.html.

    Args:
        found: at least one set.
        summary: of `summarise`. Every text of it is escaped.
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
            f"{data['rows']:,} rows",
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
            (money(best[objective]), f"best {tail}: {_set(best)}"),
            (money(summary["median"]), f"median {tail}"),
            (money(worst[objective]), f"worst {tail}: {_set(worst)}"),
        ]
    if summary["beat_no_edge"] is not None:
        cards.append((f"{summary['beat_no_edge']:,} of {summary['sets']['done']:,}", "sets beat −fees"))
    if summary["fragile"]:
        cards.append((f"{summary['fragile']['fragile']:,} of {summary['fragile']['cells']:,}", "cells are fragile"))
    found = summary["invariants"].values()
    if found:
        cards.append((f"{sum(count == 0 for count in found)} of {len(found)}", "invariants held in every set"))
    shown = [f'<div class="card"><b>{html.escape(a)}</b><span>{html.escape(b)}</span></div>' for a, b in cards]
    return f'<div class="cards">{"".join(shown)}</div>'


def _set(row: Json) -> str:
    return params_told(row["params"]) if len(row["params"]) <= NAMED else f"set {row['set']:,}"


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
        shares = ", ".join(f"`{name}` {percent(share)}" for name, share in summary["influence"].items())
        text = (
            f"Share of the variance of {summary['objective']} that each param explains by itself: {shares}. What only two "
            "together explain is in none of them."
        )
        found.append(("Which params matter", text, False))
    broken = {name: count for name, count in summary["invariants"].items() if count}
    if broken:
        told = ", ".join(f"`{name}` in {count:,} sets" for name, count in broken.items())
        found.append(("Broken invariants", f"{told}. `hedgerow run` with the params of one of them shows where.", True))
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
    extra = ("no_edge", "drawdown", "cvar") if objective == "profit" else ()
    rows = []
    for row in ranked.tolist():
        near = neighbours_of(found, row, values)
        cells = [
            f"{int(found.column('set')[row]):,}",
            *(_cell(found.column(name)[row].item()) for name in found.params),
        ]
        cells.append(money(float(values[row])))
        cells += ["–", "–"] if near is None else [money(near["median"]), money(near["worst"])]
        cells += [_money(name, float(found.column(name)[row])) for name in extra]
        rows.append((*cells, f"{int(found.column('orders')[row]):,}"))
    shown = {"no_edge": "−fees", "cvar": "CVaR 95 %, daily"}
    head = ("set", *found.params, objective, "median neighbour", "worst neighbour")
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
    grid = [(name, _ends(values)) for name, values in sets["grid"].items()]
    if grid:
        made += table("Grid", ("param", "values"), grid, numbers=False)
    fixed = {**summary["defaults"], **sets["fixed"]}
    rest = [(name, _cell(value)) for name, value in fixed.items()]
    return made + (table("Params of every set", ("name", "value"), rest) if rest else "")


def _ends(values: list[Any]) -> str:
    shown = [_cell(value) for value in values]
    return ", ".join(shown) if len(shown) <= 12 else f"{', '.join(shown[:3])} … {shown[-1]} ({len(shown)} values)"


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:,}" if isinstance(value, int) else f"{value:.6g}"


def _money(name: str, value: float) -> str:
    if not np.isfinite(value):
        return "–"
    return percent(value) if name == "drawdown" else money(value)
