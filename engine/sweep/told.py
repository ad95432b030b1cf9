"""The summary of a sweep in words, for the terminal and the report."""

from __future__ import annotations

from typing import Any

from ..dryrun.narrative import money, percent
from .naming import set_text

__all__ = [
    "LUCK",
    "backend_told",
    "best_told",
    "fragile_told",
    "gates_told",
    "luck_told",
    "params_told",
    "rows",
    "share_told",
]

Json = dict[str, Any]
TINY = 1e-6

LUCK = (
    "The best of many sets is partly the luckiest: choose on some days and judge on others, by walk-forward, "
    "before believing it."
)
ANEW = "The best of many sets is partly the luckiest on these paths: run it on others, with another seed."


def rows(summary: Json) -> list[tuple[str, str]]:
    """Return what the terminal shows, as names and values."""
    data, unit, objective = summary["data"], summary["money"], summary["objective"]
    unit = unit if objective == "profit" else ""
    over = f" a path, {data['paths']['count']:,} paths" if "paths" in data else ""
    lines = [
        (
            "data",
            f"{data['name']}, {data['rows']:,} rows{over}, {summary['time']['first']} to {summary['time']['last']}",
        ),
        ("backend", backend_told(summary)),
        ("varied", _varied(summary)),
    ]
    best, worst = summary["best"], summary["worst"]
    if best is not None:
        lines += [
            (
                f"best {objective}",
                f"{money(best[objective], unit)} with {params_told(summary, best)} (set {best['set']:,})",
            ),
            *_beside(best, unit),
            ("its neighbours", _neighbours(best["neighbours"], unit)),
            (f"median {objective}", money(summary["median"], unit)),
            (f"worst {objective}", f"{money(worst[objective], unit)} with {params_told(summary, worst)}"),
        ]
    if summary["beat_no_edge"] is not None:
        lines.append(("beat −fees", f"{summary['beat_no_edge']:,} of {summary['sets']['done']:,} sets"))
    if summary["fragile"]:
        lines.append(("fragile", fragile_told(summary)))
    influence = [f"{name} {share_told(share)}" for name, share in summary["influence"].items()][:6]
    if best is not None and influence:
        lines.append(("explained by", ", ".join(influence)))
    broken = {name: count for name, count in summary["invariants"].items() if count}
    if summary["invariants"]:
        told = ", ".join(f"{name} in {count:,} sets" for name, count in broken.items())
        lines.append(
            ("invariants", f"broken: {told}" if broken else f"all {len(summary['invariants'])} held in every set")
        )
    if summary["gates"]:
        told = gates_told(summary)
        lines.append(("gates", f"stopped orders: {told}" if told else "let every order through in every set"))
    for name, text in (
        ("ended", "sets ended before the data"),
        ("fail_safe", "sets entered `fail_safe`"),
        ("refused", "sets refused rows"),
        ("accepted_none", "sets could not start: they refused every row"),
    ):
        if summary[name]:
            lines.append((name.replace("_", " "), f"{summary[name]:,} {text}"))
    return lines


def backend_told(summary: Json) -> str:
    """Return what ran the sets, and why it was not native code."""
    reason = summary["backend_reason"]
    return f"{summary['backend']}, because {reason}" if reason and reason != "asked for" else summary["backend"]


def params_told(summary: Json, row: Json) -> str:
    """Return the params of a set of a summary as `k = 8, tau_max = 30d`."""
    return set_text(row["params"], summary["units"], equals=" = ")


def best_told(summary: Json) -> str:
    """Return the best set beside its neighbours, its interval and what no edge earns."""
    best, objective = summary["best"], summary["objective"]
    unit = summary["money"] if objective == "profit" else ""
    near = best["neighbours"]
    beside = "".join(f" {name[:1].upper()}{name[1:]}: {value}." for name, value in _beside(best, unit))
    text = f"The best set has {params_told(summary, best)} and a {objective} of {money(best[objective], unit)}"
    if near is None:
        return f"{text}; no other set stands next to it.{beside}"
    return (
        f"{text}; of the {near['count']} sets next to it the median has {money(near['median'], unit)} "
        f"and the worst {money(near['worst'], unit)}.{beside}"
    )


def share_told(share: float) -> str:
    """Return a share of variance; what rounding leaves of a sum of doubles is none."""
    return percent(share if share >= TINY else 0.0)


def fragile_told(summary: Json) -> str:
    """Return how much of the map is fragile."""
    found = summary["fragile"]
    return f"{found['fragile']:,} of {found['cells']:,} cells over {' × '.join(found['params'])}"


def gates_told(summary: Json, mark: str = "") -> str:
    """Return which checks of gates stopped orders, and in how many sets; an empty text where none did."""
    stopped = ((name, count) for name, count in summary["gates"].items() if count)
    return ", ".join(f"{mark}{name}{mark} in {count:,} set{'s' if count > 1 else ''}" for name, count in stopped)


def luck_told(summary: Json) -> str:
    """Return what a search of so many sets finds by luck, or an empty text where that cannot be said."""
    luck = summary["luck"]
    if luck is None:
        return ""
    unit, expected = summary["money"], luck["expected"]
    text = (
        f"What luck finds: if none of {luck['trials']:,} independent sets had an edge, the best would still be expected "
        f"{money(expected['all'], unit)} above its costs (−fees). The best here is {_ahead(luck['ahead'], unit)}."
    )
    if luck["effective"] is not None:
        text += (
            f" These sets trade alike, and count for about {luck['effective']:,.1f} independent ones: "
            f"{money(expected['effective'], unit)}."
        )
    elif "paths" not in summary["data"]:
        text += (
            " Sets that trade alike count for fewer, so that luck finds less than that; `--days` tells how much less."
        )
    if summary["walk_forward"]:
        return text
    return f"{text} {ANEW if 'paths' in summary['data'] else LUCK}"


def _ahead(value: float, unit: str) -> str:
    return f"{money(abs(value), unit)} {'above' if value >= 0 else 'below'} them"


def _beside(best: Json, unit: str) -> list[tuple[str, str]]:
    """Return what the profit of the best set is to be seen beside: its interval, and what no edge earns."""
    found: list[tuple[str, str]] = []
    interval = best.get("interval")
    if interval is not None:
        low, high = money(interval["low"]), money(interval["high"], unit)
        found.append(("its interval", f"{low} to {high} ({interval['confidence'] * 100:g} %, {interval['told']})"))
    if best.get("no_edge") is not None:
        found.append(("its −fees", money(best["no_edge"], unit)))
    if best.get("paths") is not None:
        over = best["paths"]
        told = f"median {money(over['median'], unit)}, worst {money(over['worst'], unit)}"
        found.append(("its paths", f"{told}; {percent(over['above_costs'])} of {over['count']:,} above −fees"))
    return found


def _neighbours(near: Json | None, unit: str) -> str:
    if near is None:
        return "none"
    return f"median {money(near['median'], unit)}, worst {money(near['worst'], unit)} of {near['count']}"


def _varied(summary: Json) -> str:
    sets = summary["sets"]
    if sets["method"] == "grid":
        return ", ".join(f"{name} ({len(values)} values)" for name, values in sets["grid"].items())
    return f"{', '.join(sets['params'])} ({sets['method']}, seed {sets['seed']})"
