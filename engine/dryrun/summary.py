"""The summary of a run: a plain dict with stable keys, the same bytes for the same run.

Money is in the spec's own unit; shares are fractions; times are ISO 8601 in UTC. A value that cannot be
given (no legs, too few days) is None. Nothing of the clock or the machine's paths enters, so two runs of
the same inputs are equal.
"""

from __future__ import annotations

import math
from collections import Counter
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from ...models import performance
from .data import Data
from .positions import delays, positions
from .subject import Subject
from .times import iso, parse_time
from .trace import Trace

__all__ = ["FORMAT", "Books", "books", "summarise"]

FORMAT = "hedgerow.run/1"
HOUR_NS = 3600 * 10**9
PERIODS = (
    ("day", performance.DAY_NS),
    ("hour", HOUR_NS),
    ("minute", HOUR_NS // 60),
    ("second", HOUR_NS // 3600),
)

Array = npt.NDArray[np.float64]
Json = dict[str, Any]


class Books:
    """The money of a run over time: (n,) arrays, one value a line of the trace."""

    def __init__(self, subject: Subject, trace: Trace) -> None:
        size = len(trace)
        self.cash = trace.column("cash")
        self.fees = trace.column("fees")
        self.slippage = trace.column("slippage")
        self.flows = trace.column("flows")
        self.net: Array = np.zeros(size)
        self.gross: Array = np.zeros(size)
        self.quantities: dict[str, Array] = {}
        for leg in subject.legs:
            quantity = leg.sign * trace.column(f"{leg.name}.quantity")
            price = trace.column(f"{leg.instrument}.price")
            self.quantities[leg.name] = quantity
            self.net += quantity * price
            self.gross += np.abs(quantity) * price
        self.equity: Array = self.cash + self.net
        self._times, self._capital = trace.times, subject.capital

    @cached_property
    def drawdown(self) -> Array:
        """The fall from the peak as a share of it; 0 without capital."""
        if self._capital <= 0:
            return np.zeros(len(self.equity))
        peaks: Array = np.maximum.accumulate(np.maximum(self.equity, self._capital))
        return (peaks - self.equity) / peaks

    @cached_property
    def lasted(self) -> Array:
        """How long each line but the last held, in ns: (n - 1,)."""
        return np.diff(self._times).astype(np.float64)


def books(subject: Subject, trace: Trace) -> Books | None:
    """Return the money of a run over time, or None for a spec without legs."""
    return Books(subject, trace) if subject.legs and len(trace) else None


def summarise(
    subject: Subject, trace: Trace, data: Data, *, fingerprint: Json, notes: list[str], seed: int = 0
) -> Json:
    """Return the summary of a run.

    Args:
        subject: what the run is of.
        trace: at least one line.
        data: the source, read as far as the run went.
        fingerprint: what the run was made of; kept as it is.
        notes: choices that nobody made, in words.
        seed: of the bootstrap.
    """
    account = books(subject, trace)
    fired = Counter(rule for _, rules in trace.fired for rule in rules)
    states = _states(subject, trace)
    reached = trace.visited.union(*(subject.enters.get(rule, ()) for rule in fired))
    summary: Json = {
        "format": FORMAT,
        "name": subject.name,
        "about": subject.about,
        "fingerprint": fingerprint,
        "notes": notes,
        "stress": _stress(subject, trace, data, account),
        "rows": {
            "read": data.rows_read,
            "in_window": data.rows_in_window,
            "accepted": len(trace),
            "rejected": trace.rejected,
            "without_price": data.rows_missing,
        },
        "time": {
            "first": iso(int(trace.times[0])),
            "last": iso(int(trace.times[-1])),
            "days": (int(trace.times[-1]) - int(trace.times[0])) / performance.DAY_NS,
            "repeated": int((np.diff(trace.times) == 0).sum()),
        },
        "triggers": {rule: fired.get(rule, 0) for rule in subject.rules},
        "timers": {timer: trace.timers.get(timer, 0) for timer in subject.timers},
        "states": states,
        "never": {
            "states": [name for name in subject.states if name not in reached],
            "rules": [rule for rule in subject.rules if not fired.get(rule)],
        },
        "invariants": _invariants(subject, trace),
        "gates": dict.fromkeys(subject.checks, 0) | Counter(verdict.name for _, verdict in trace.verdicts),
        "approvals": dict(sorted(Counter(ruling.name for _, ruling in trace.rulings).items())),
        "modelled": {name: list(functions) for name, functions in subject.modelled.items()},
        "errors": dict(sorted(trace.errors.items())),
        "raised": dict(sorted(trace.raised.items())),
        "rejections": [rejection._asdict() for rejection in trace.rejections],
        "stopped_at": trace.stopped._asdict() if trace.stopped else None,
        "ended_at": _place(trace, len(trace) - 1) if trace.ended else None,
        "money": None,
        "trades": None,
        "split": None,
        "exposure": None,
        "overshoot": _overshoot(subject, trace),
        "cells": {name: _range(unit, trace.column(name)) for name, unit in subject.cells.items()},
        "risk": None,
        "verdict": None,
    }
    if account is not None:
        summary.update(_money(subject, trace, account))
        summary["exposure"] = _exposure(subject, trace, account)
        summary["risk"] = _risk(subject, trace, account)
        summary["verdict"] = _verdict(subject, trace, account, seed)
    return summary


def _money(subject: Subject, trace: Trace, account: Books) -> Json:
    final, profit = float(account.equity[-1]), float(account.equity[-1]) - subject.capital
    fees, slippage, flows = float(account.fees[-1]), float(account.slippage[-1]), float(account.flows[-1])
    measured = {name: float(trace.column(f"report.{name}")[-1]) for name, money in subject.measures.items() if money}
    # INVARIANT: the parts add up to the P&L; the rest after costs, carry and measures is the net position's
    # own.
    rest = profit + fees + slippage - flows - math.fsum(measured.values())
    held = positions(subject.legs, trace)
    traded = performance.turnover([fill.notional for fill in trace.fills])
    by_leg: Json = {}
    for position in held:
        fills = [fill for fill in trace.fills if fill.leg == position.leg]
        by_leg[position.leg] = {
            "trades": len(fills),
            "turnover": performance.turnover([fill.notional for fill in fills]),
            "quantity": position.quantity,
            "average": position.average,
            "realised": position.realised,
            "unrealised": position.unrealised,
        }
    return {
        "trades": {
            "count": len(trace.fills),
            "events": len({fill.index for fill in trace.fills}),
            "by_rule": dict(sorted(Counter(fill.rule for fill in trace.fills).items())),
            "legs": by_leg,
        },
        "money": {
            "unit": subject.money,
            "capital": subject.capital,
            "equity": final,
            "profit": profit,
            "realised": math.fsum(position.realised for position in held),
            "unrealised": math.fsum(position.unrealised for position in held),
            "fees": fees,
            "slippage": slippage,
            "delay": math.fsum(delays(subject, trace)),
            "flows": flows,
            "turnover": traded,
            "turnover_of_capital": traded / subject.capital if subject.capital > 0 else None,
            "break_even_fee": performance.break_even_fee(profit + fees, traded),
        },
        "split": {
            **measured,
            "inventory": rest,
            "fees": 0.0 - fees,
            "slippage": 0.0 - slippage,
            "flows": flows,
            "profit": profit,
        },
    }


def _exposure(subject: Subject, trace: Trace, account: Books) -> Json:
    some = account.gross > 0
    ratio = np.divide(np.abs(account.net), account.gross, out=np.zeros(len(trace)), where=some)
    exposure: Json = {"net_to_gross": _over_time(trace, account, ratio)}
    for name, values in (("net", np.abs(account.net)), ("gross", account.gross)):
        limit = subject.limits.get(name)
        exposure[name] = {
            "limit": limit,
            **_over_time(trace, account, values),
            "share_of_limit": None,
            "time_over_limit": None,
        }
        if limit:
            exposure[name]["share_of_limit"] = _over_time(trace, account, values / limit)
            exposure[name]["time_over_limit"] = _weighted(account, (values > limit).astype(np.float64))
    return exposure


def _over_time(trace: Trace, account: Books, values: Array) -> Json:
    worst = int(np.argmax(values))
    return {
        "max": float(values[worst]),
        "max_at": iso(int(trace.times[worst])),
        "mean": _weighted(account, values),
        "last": float(values[-1]),
    }


def _weighted(account: Books, values: Array) -> float:
    """Return the mean over time: a line's value holds until the next line."""
    total = float(account.lasted.sum())
    return float(values[:-1] @ account.lasted) / total if total else float(values.mean())


def _risk(subject: Subject, trace: Trace, account: Books) -> Json:
    drawdown: Json | None = None
    if subject.capital > 0:
        worst = performance.max_drawdown(np.concatenate(([subject.capital], account.equity)))
        times = np.concatenate((trace.times[:1], trace.times))
        drawdown = {
            "share": worst.depth,
            "amount": worst.amount,
            "peak": iso(int(times[worst.peak])),
            "trough": iso(int(times[worst.trough])),
            "recovered": None if worst.recovery is None else iso(int(times[worst.recovery])),
        }
    days = performance.period_pnl(trace.times, account.equity, subject.capital)
    bad = performance.tail(days)
    return {
        "max_drawdown": drawdown,
        "days": len(days.pnl),
        "worst_day": {"profit": bad.worst, "date": iso(bad.worst_start_ns)},
        "cvar": {"loss": bad.conditional_value_at_risk, "confidence": bad.confidence, "period": "day"},
    }


def _verdict(subject: Subject, trace: Trace, account: Books, seed: int) -> Json:
    """Say whether the P&L differs from what no edge would have earned: its carry less its costs.

    The longest period of which the run has at least `performance.LEAST_PERIODS` is drawn in blocks.
    """
    # Waiting for the next mark costs nothing on average where there is no edge, so it is no part of the
    # comparison.
    slippage = float(account.slippage[-1]) - math.fsum(delays(subject, trace))
    no_edge = float(account.flows[-1]) - float(account.fees[-1]) - slippage
    verdict: Json = {
        "no_edge": no_edge,
        "profit": float(account.equity[-1]) - subject.capital,
        "interval": None,
        "confidence": 0.95,
        "period": None,
        "periods": None,
        "block": None,
        "replications": None,
        "seed": seed,
        "distinguishable": None,
    }
    for name, length in PERIODS:
        periods = performance.period_pnl(trace.times, account.equity, subject.capital, length)
        if len(periods.pnl) >= performance.LEAST_PERIODS:
            interval = performance.bootstrap_total(periods.pnl, seed=seed)
            verdict.update(
                interval=[interval.low, interval.high],
                period=name,
                periods=len(periods.pnl),
                block=interval.block,
                replications=interval.replications,
                distinguishable=interval.excludes(no_edge),
            )
            break
    return verdict


def _stress(subject: Subject, trace: Trace, data: Data, account: Books | None) -> Json | None:
    """Return what was stressed, and what it did to the books: None without a stress."""
    if data.stress is None:
        return None
    told = {**data.stress.to_json(), "books": None}
    first, last = (parse_time(day) for day in (data.stress.first, data.stress.last))
    assert first is not None
    assert last is not None
    lines = np.flatnonzero((trace.times >= first) & (trace.times < last + performance.DAY_NS))
    if account is not None and lines.size:
        before = int(lines[0]) - 1
        # A run that begins with the stress has no line before it.
        equity = float(account.equity[before]) if before >= 0 else subject.capital
        over = account.equity[lines]
        told["books"] = {
            "gross_before": float(account.gross[max(before, 0)]),
            "profit": float(over[-1]) - equity,
            "worst": float(over.min()) - equity,
            "orders": sum(int(lines[0]) <= fill.index <= int(lines[-1]) for fill in trace.fills),
        }
    return told


def _overshoot(subject: Subject, trace: Trace) -> Json | None:
    """Return by what share triggers were overshot, if the spec's report declares it, per line at which it
    grew.
    """
    if "overshoot" not in subject.measures or subject.measures["overshoot"] or not len(trace):
        return None
    steps = np.diff(trace.column("report.overshoot"), prepend=0.0)
    lines = np.array(sorted({line for line, _ in trace.fired}), dtype=np.int64)
    shares = steps[lines][steps[lines] != 0]
    if not shares.size:
        return {"triggers": 0, "mean": None, "median": None, "p95": None, "max": None}
    return {
        "triggers": int(shares.size),
        "mean": float(shares.mean()),
        "median": float(np.quantile(shares, 0.5)),
        "p95": float(np.quantile(shares, 0.95)),
        "max": float(shares.max()),
    }


def _states(subject: Subject, trace: Trace) -> Json:
    """Return seconds and share of the time by state, region after region.

    A state lasts from the row or the timer that brings it to the one that ends it.
    """
    found: Json = {}
    for region in subject.regions:
        times, register = trace.register(region.column)
        # Before all states stands that the region is not active.
        lasted = performance.state_times_ns(times, register + 1, len(region.leaves) + 1)
        span = int(lasted.sum())
        counts = np.bincount(trace.column(region.column).astype(np.int64) + 1, minlength=len(region.leaves) + 1)
        for index, leaf in enumerate(region.leaves, start=1):
            found[leaf] = {
                "region": region.root,
                "seconds": int(lasted[index]) / 10**9,
                "share": int(lasted[index]) / span if span else None,
                "rows": int(counts[index]),
            }
    return found


def _invariants(subject: Subject, trace: Trace) -> Json:
    found: Json = {}
    for name in subject.invariants:
        broken = trace.broken.get(name)
        first = None
        if broken is not None:
            first = {"row": broken.row, "time": iso(broken.time_ns), "rules": list(broken.rules)}
        found[name] = {"held": broken is None, "events": broken.events if broken else 0, "first": first}
    return found


def _range(unit: str, values: Array) -> Json:
    ends = {"first": float(values[0]), "last": float(values[-1])}
    return {"unit": unit, **ends, "min": float(values.min()), "max": float(values.max())}


def _place(trace: Trace, line: int) -> Json:
    return {"row": int(trace.rows[line]), "time": iso(int(trace.times[line]))}
