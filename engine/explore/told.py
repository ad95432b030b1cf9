"""An exploration as text for people and as JSON for machines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from ..chart import FAIL_SAFE
from ..counterexample.script_text import number_text
from .coverage import Coverage
from .exploration import Exploration
from .findings import Finding

__all__ = ["CAVEAT", "finding_told", "summary", "told"]

CAVEAT = "A walk that finds nothing proves nothing. Invariants are judged in floats, to a relative 1e-9."
_NAMED = 6
"""How many of what was never reached are named in text; JSON has all."""


def summary(exploration: Exploration, findings: Sequence[Finding]) -> dict[str, Any]:
    """Return what was explored and found, as JSON has it."""
    plan, found = exploration.plan, exploration.found
    coverage, chart = found.coverage, found.coverage.chart
    states, rules, pairs = _never(coverage)
    return {
        "spec": plan.spec.name,
        "fill": plan.fill,
        "seed": plan.seed,
        "backend": plan.backend,
        "why_not_native": plan.reason or None,
        "set": dict(plan.fixed),
        "events": {"sent": [event.name for event in plan.outside.sent], "left_out": list(plan.outside.left_out)},
        "steps": coverage.steps,
        "asked": plan.steps,
        "parameter_sets": found.sets,
        "refused": coverage.refused,
        "handed": coverage.handed,
        "points": found.points,
        "states": {"reached": int(coverage.states.sum()), "of": len(chart.states), "never": states},
        "transitions": {
            "reached": int((coverage.fired[:-1] > 0).sum()),
            "of": len(chart.rules),
            "never": rules,
            "fired": dict(zip(chart.rules, coverage.fired[:-1].tolist(), strict=True)),
            "fail_safe": int(coverage.fired[-1]),
        },
        "pairs": {
            "reached": int(coverage.pairs[:-1, :-1].sum()),
            "of": int(chart.possible.sum()),
            "never": [list(pair) for pair in pairs],
        },
        "invariants": {
            name: int(count) for (name, _), count in zip(chart.program.invariants, coverage.broken, strict=True)
        },
        "sights": [{"kind": sight.kind, "name": sight.name} for sight in found.sightings],
        "findings": [finding.to_json() for finding in findings],
        "interrupted": exploration.interrupted,
    }


def _never(coverage: Coverage) -> tuple[list[str], list[str], list[tuple[str, str]]]:
    """Return the states, transitions and possible pairs that were not reached."""
    chart = coverage.chart
    states = [name for name, there in zip(chart.states, coverage.states, strict=True) if not there]
    rules = [name for name, count in zip(chart.rules, coverage.fired[:-1], strict=True) if not count]
    missing = np.argwhere(chart.possible & ~coverage.pairs[:-1, :-1]).tolist()
    return states, rules, [(chart.rules[b], chart.rules[a]) for b, a in missing]


def told(exploration: Exploration) -> Iterator[tuple[str, str]]:
    """Yield the lines that tell what was explored and reached: what, and how much."""
    plan, found = exploration.plan, exploration.found
    coverage, chart = found.coverage, found.coverage.chart
    states, rules, pairs = _never(coverage)
    how = "in native code" if plan.backend == "native" else f"on live machines: {plan.reason}"
    yield "steps", f"{coverage.steps:,} of {found.sets:,} parameter sets from seed {plan.seed}, {how}"
    sent = ", ".join(event.name for event in plan.outside.sent)
    left_out = ", ".join(plan.outside.left_out)
    yield "events", sent + (f"; the spec raises, and --send adds: {left_out}" if left_out else "")
    if coverage.refused:
        yield "refused", f"{coverage.refused:,} events, most of them out of range or late on purpose"
    yield "states", _share(len(chart.states) - len(states), len(chart.states), states)
    yield "transitions", _share(len(chart.rules) - len(rules), len(chart.rules), rules)
    arrows = [f"{b} → {a}" for b, a in pairs]
    yield "pairs", _share(int(coverage.pairs[:-1, :-1].sum()), int(chart.possible.sum()), arrows)
    if coverage.fired[-1]:
        yield FAIL_SAFE, f"entered {coverage.fired[-1]:,} times"
    names = [name for name, _ in chart.program.invariants]
    broken = [f"{name} ({count:,} steps)" for name, count in zip(names, coverage.broken, strict=True) if count]
    if names:
        held = "held on all of these steps" if len(names) == 1 else f"all {len(names)} held on all of these steps"
        yield "invariants", f"broken: {', '.join(broken)}" if broken else held


def _share(reached: int, of: int, never: Sequence[str]) -> str:
    if not never:
        return f"{reached:,} of {of:,}"
    more = f" and {len(never) - _NAMED:,} more" if len(never) > _NAMED else ""
    return f"{reached:,} of {of:,}; never: {', '.join(never[:_NAMED])}{more}"


def finding_told(finding: Finding) -> str:
    """Return a finding as text: what broke, with which parameters, on which events."""
    if finding.kind == "invariant":
        head = f"the invariant `{finding.name}` breaks"
    else:
        head = f"an error that no transition takes: {finding.message or finding.name}"
    many = f"{len(finding.events):,} event{'' if len(finding.events) == 1 else 's'}"
    head += f", after {many} (shortened from {finding.length:,})"
    if finding.parameters:
        head += ", with " + ", ".join(f"{name}={number_text(value)}" for name, value in finding.parameters.items())
    return f"{head}:\n{finding.table}"
