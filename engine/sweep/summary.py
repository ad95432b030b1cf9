"""The summary of a sweep: a plain dict with stable keys, the same for the same table.

Money is in the spec's own unit; a value that cannot be given is None.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from ...models.selection.neighbours import Neighbourhood
from ...models.selection.sharpe import expected_maximum
from ...models.selection.trials import average_trials
from ..dryrun.times import iso
from .cells import FRAGILE, fragile, heat, influence, line
from .interval import Intervals
from .store import FORMAT
from .table import SweepTable

__all__ = ["neighbours_of", "objective_of", "summarise"]

Json = dict[str, Any]
MOST_CORRELATED = 2_000
"""Sets up to which the correlation of their days is looked at."""


def objective_of(table: SweepTable) -> str:
    """Return the column that a sweep is judged by: the profit, or for a spec without legs the first of its report's totals
    or of its rules that varies.
    """
    if table.about["books"]:
        return "profit"
    others = [name for name in table.columns if name.startswith(("report.", "fired."))]
    return next((name for name in others if np.ptp(table.column(name))), others[0] if others else "accepted")


def summarise(table: SweepTable, walk_forward: Json | None = None) -> Json:
    """Return the summary of a sweep of which at least one set is done, with the walk-forward over it if there was one."""
    objective = objective_of(table)
    values = table.column(objective).astype(np.float64)
    known = values[np.isfinite(values)]
    share = influence(table, objective)
    about = dict(table.about)
    span = about.pop("time")
    summary: Json = {
        "format": FORMAT,
        **about,
        "time": {"first": iso(span["first_ns"]), "last": iso(span["last_ns"])},
        "sets": {**about["sets"], "done": len(table)},
        "interrupted": table.interrupted,
        "objective": objective,
        "best": None,
        "median": None,
        "worst": None,
        "influence": share,
        "fragile": None,
        "beat_no_edge": None,
        "luck": None,
        "walk_forward": walk_forward,
        "invariants": table.broken,
        "gates": table.stopped,
        "accepted_none": int((table.column("accepted") == 0).sum()),
        "refused": int((table.column("refused") > 0).sum()),
        "ended": int((table.column("ended") > 0).sum()),
        "fail_safe": int((table.column("fail_safe") > 0).sum()),
    }
    if known.size:
        best, worst = int(np.nanargmax(values)), int(np.nanargmin(values))
        summary["best"] = {**_row(table, best, objective), "neighbours": neighbours_of(table, best, values)}
        if objective == "profit":
            interval = Intervals(table).of(best)
            summary["best"]["interval"] = None if interval is None else interval.to_json()
        summary["median"] = float(np.median(known))
        summary["worst"] = _row(table, worst, objective)
        summary["fragile"] = _fragile(table, objective, list(share))
        if objective == "profit":
            summary["beat_no_edge"] = int((table.column("profit") > table.column("no_edge")).sum())
            summary["luck"] = _luck(table, best)
    return summary


def _row(table: SweepTable, index: int, objective: str) -> Json:
    told: Json = {
        "set": int(table.column("set")[index]),
        "params": {name: table.column(name)[index].item() for name in table.params},
        objective: float(table.column(objective)[index]),
    }
    if objective == "profit":
        told |= {
            name: _number(table.column(name)[index]) for name in ("no_edge", "drawdown", "cvar", "fees", "turnover")
        }
        told["orders"] = (
            round(float(table.column("orders")[index])) if table.paths > 1 else int(table.column("orders")[index])
        )
        if table.paths > 1:
            told["paths"] = {"count": table.paths} | {
                name: _number(table.column(f"profit.{name}")[index]) for name in ("median", "worst", "above_costs")
            }
    return told


def neighbours_of(table: SweepTable, index: int, values: npt.NDArray[np.float64]) -> Json | None:
    """Return the median and the worst of the (S,) values of the sets next to row `index`, or None where it has none."""
    try:
        near = Neighbourhood({name: table.column(name) for name in table.params}).of(index)
    except ValueError:  # sets that were drawn twice, or one set alone
        return None
    found = values[near][np.isfinite(values[near])]
    if not found.size:
        return None
    return {"count": int(found.size), "median": float(np.median(found)), "worst": float(found.min())}


def _fragile(table: SweepTable, objective: str, params: list[str]) -> Json | None:
    """Return the share of cells that are fragile, over the two params that matter most, or along the only one."""
    if not params:
        return None
    x, y = params[0], params[min(1, len(params) - 1)]
    median = heat(table, x, y, objective).median if x != y else line(table, x, objective).median[None, :]
    there = np.isfinite(median)
    return {
        "params": [x] if x == y else [x, y],
        "cells": int(there.sum()),
        "fragile": int((fragile(median) & there).sum()),
        "step": FRAGILE,
    }


def _luck(table: SweepTable, best: int) -> Json | None:
    """Return how far above its costs the best of so many sets without an edge is expected to come out.

    The P&L of a run without an edge has the standard deviation s√D over D days whose own is s; the largest of N independent
    ones lies about E[max N] of it above the mean. Sets that trade alike count for fewer than N.
    """
    deviation, days = table.column("day_sd"), table.column("days")
    if table.paths > 1:  # the mean over paths is judged
        deviation, days = table.column("profit.sd"), np.full(len(table), 1 / table.paths)
    there = np.isfinite(deviation) & (deviation > 0)
    if not there.any() or len(table) < 2:
        return None
    spread = float(np.median(deviation[there] * np.sqrt(days[there])))
    ahead = float(table.column("profit")[best] - table.column("no_edge")[best])
    effective = None
    if table.days is not None and int(there.sum()) >= 2 and len(table) <= MOST_CORRELATED:
        effective = average_trials(table.days.profit(table.capital)[there])
    trials = float(len(table))
    return {
        "trials": len(table),
        "effective": effective,
        "spread": spread,
        "expected": {
            "all": spread * expected_maximum(trials, 1.0),
            "effective": None if effective is None else spread * expected_maximum(max(effective, 1.0), 1.0),
        },
        "ahead": ahead,
    }


def _number(value: Any) -> float | None:
    return float(value) if math.isfinite(value) else None
