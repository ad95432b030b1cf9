"""Two runs side by side: what went in differently, and what came out differently."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

__all__ = ["Difference", "compare"]

Json = dict[str, Any]

# What is told of a run, in the order in which it is told; missing parts are left out.
RESULTS = (
    "rows.accepted",
    "time.first",
    "time.last",
    "trades.count",
    "money.turnover",
    "money.fees",
    "money.slippage",
    "money.flows",
    "money.realised",
    "money.unrealised",
    "money.equity",
    "money.profit",
    "split.harvest",
    "split.inventory",
    "exposure.net_to_gross.max",
    "exposure.net.max",
    "exposure.gross.max",
    "overshoot.mean",
    "risk.max_drawdown.share",
    "risk.worst_day.profit",
    "risk.cvar.loss",
    "money.break_even_fee",
    "verdict.no_edge",
    "verdict.interval",
    "verdict.distinguishable",
)


@dataclass(frozen=True)
class Difference:
    """One line of the comparison. `change` is b − a where both are numbers, else None."""

    name: str
    a: Any
    b: Any

    @property
    def same(self) -> bool:
        return bool(self.a == self.b)

    @property
    def change(self) -> float | None:
        numbers = all(isinstance(one, (int, float)) and not isinstance(one, bool) for one in (self.a, self.b))
        return self.b - self.a if numbers else None

    def to_json(self) -> Json:
        return {"name": self.name, "a": self.a, "b": self.b, "same": self.same, "change": self.change}


def compare(a: Json, b: Json) -> tuple[list[Difference], list[Difference]]:
    """Return the inputs that differ, and the results, differing or not.

    Args:
        a: a summary.
        b: another one, of any spec.
    """
    inputs = [Difference("name", a["name"], b["name"])]
    left, right = _flat(a["fingerprint"]), _flat(b["fingerprint"])
    inputs += [Difference(name, left.get(name), right.get(name)) for name in dict.fromkeys((*left, *right))]
    results = [Difference(name, _at(a, name), _at(b, name)) for name in RESULTS]
    for group in ("triggers", "timers", "states"):
        left, right = a.get(group, {}), b.get(group, {})
        results += [
            Difference(f"{group}.{name}", _count(left, name), _count(right, name))
            for name in dict.fromkeys((*left, *right))
        ]
    for name in dict.fromkeys((*a["invariants"], *b["invariants"])):
        held = [run["invariants"].get(name, {}).get("held") for run in (a, b)]
        results.append(Difference(f"invariants.{name}", *held))
    kept = [one for one in results if one.a is not None or one.b is not None]
    return [one for one in inputs if not one.same], kept


def _flat(value: Json, prefix: str = "") -> Json:
    found: Json = {}
    for name, one in value.items():
        if isinstance(one, dict):
            found |= _flat(one, f"{prefix}{name}.")
        else:
            found[prefix + name] = one
    return found


def _at(value: Any, path: str) -> Any:
    for name in path.split("."):
        if not isinstance(value, dict):
            return None
        value = value.get(name)
    return value


def _count(group: Json, name: str) -> Any:
    one = group.get(name)
    return one["share"] if isinstance(one, dict) else one
