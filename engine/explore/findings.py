"""What broke, so that a person can see it: found again on a live machine, shortened, confirmed by the reference, told.

Native code only counts how often an invariant broke on a walk. The walk's events are played again by a live machine, which
says at which; that the two agree is a check by itself.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..counterexample.replay import Holds, Moment, by_machine, first, replay
from ..counterexample.script_text import script_text
from ..counterexample.sent import Sent
from ..counterexample.shrink import WORK, default_parameters, shrink
from ..counterexample.table import table_text
from ..ir import Value
from ..load import ParameterError
from ..semantics import Reference
from ..step import Step
from .exploration import Exploration, Plan
from .explorer import Sighting
from .walk import Errors, Sight, events_of

__all__ = ["MOST_FINDINGS", "Finding", "findings_of"]

MOST_FINDINGS = 10
"""Findings that are shortened and told; of more there is only the name."""


@dataclass(frozen=True)
class Finding:
    """Something that broke.

    `events` are shortened from the `length` events of the walk; `parameters` are those that differ from the defaults.
    """

    kind: str
    name: str
    message: str
    """What the machine said of it in the end: the first error's text, or empty."""
    length: int
    parameters: Mapping[str, Value]
    events: tuple[Sent, ...]
    table: str
    script: str

    def to_json(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "name": self.name,
            "message": self.message,
            "parameters": dict(self.parameters),
            "walked": self.length,
            "events": [
                {"event": sent.event, "time_ns": sent.time_ns, "values": [_told(value) for value in sent.values]}
                for sent in self.events
            ],
        }


def _told(value: Value) -> Value | str:
    """Return a value as JSON has it: NaN and infinities as text."""
    return value if math.isfinite(value) else str(value)


def findings_of(exploration: Exploration, work: int = WORK) -> list[Finding]:
    """Return what an exploration found, shortened: invariants in the order of the spec, then errors.

    Args:
        exploration: what was explored.
        work: events that the shortening of one finding may play.
    """
    names = [name for name, _ in exploration.plan.spec.program(exploration.plan.fill).invariants]
    sightings = sorted(
        exploration.found.sightings.items(),
        key=lambda each: (each[0].kind != "invariant", names.index(each[0].name) if each[0].name in names else 0),
    )
    return [_finding(exploration.plan, sight, sighting, work) for sight, sighting in sightings[:MOST_FINDINGS]]


def _finding(plan: Plan, sight: Sight, sighting: Sighting, work: int) -> Finding:
    program = plan.spec.program(plan.fill)
    holds = _shows(sight, Errors(program))
    free = {p.name: sighting.parameters[p.name] for p in program.parameters if p.given is None}
    defaults: dict[str, Value] = {
        p.name: float(p.default) if p.type == "real" else p.default for p in program.parameters if p.given is None
    } | dict(plan.fixed)
    events = _located(plan, sight, sighting, free, holds)
    length = len(events)
    events = shrink(events, by_machine(plan.spec.bind_values(free, fill=plan.fill)), holds, work)

    def still(values: Mapping[str, Value]) -> bool:
        try:
            compiled = plan.spec.bind_values(values, fill=plan.fill)
        except ParameterError:
            return False
        return first(events, by_machine(compiled), holds) == len(events) - 1

    chosen = default_parameters(free, defaults, still)
    compiled = plan.spec.bind_values(chosen, fill=plan.fill)
    events = shrink(events, by_machine(compiled), holds, work)
    moments = list(replay(Reference(program, compiled.parameters, compiled.registry), events))
    if not holds(moments[-1].step):
        raise RuntimeError(
            f"the live machine and the reference differ on {sight.kind} `{sight.name}`: a defect of Hedgerow"
        )
    own = {p.name: float(p.default) if p.type == "real" else p.default for p in program.parameters}
    changed = {name: value for name, value in chosen.items() if value != own[name]}
    expect = {"broken": "[]"} if sight.kind == "invariant" else {"errors": "false"}
    about = f"{sight.kind} {sight.name}, found by hedgerow explore --seed {plan.seed} --steps {plan.steps}"
    return Finding(
        sight.kind,
        sight.name,
        _message(moments[-1]),
        length,
        changed,
        events,
        table_text(program, moments, _cells(plan, sight)),
        script_text(program, events, about=about, parameters=changed, expect=expect),
    )


def _shows(sight: Sight, errors: Errors) -> Holds:
    """Return what says whether a step shows a sight."""
    if sight.kind == "invariant":
        return lambda step: sight.name in step.broken

    def shows(step: Step) -> bool:
        return sight in errors.sights(step)

    return shows


def _located(
    plan: Plan, sight: Sight, sighting: Sighting, values: Mapping[str, Value], holds: Holds
) -> tuple[Sent, ...]:
    """Return the events up to the first that shows the sight, on the first way on which one does."""
    book = plan.book(sighting.book)
    play = by_machine(plan.spec.bind_values(values, fill=plan.fill))
    for way in sighting.ways:
        events = events_of(way, book)
        found = first(events, play, holds)
        if found is not None:
            return tuple(events[: found + 1])
    raise RuntimeError(f"native code and the live machine differ on {sight.kind} `{sight.name}`: a defect of Hedgerow")


def _message(moment: Moment) -> str:
    return moment.step.errors[0] if moment.step.errors else ""


def _cells(plan: Plan, sight: Sight) -> list[str]:
    """Return the cells that a claim is about, in its order; those of a spec's state for an error."""
    program = plan.spec.program(plan.fill)
    known = {cell.name for cell in program.cells}
    claims = [claim for name, claim in program.invariants if sight.kind == "invariant" and name == sight.name]
    names = [node.name for claim in claims for node in claim.walk() if node.op in ("cell", "before")]
    if not claims:
        names = [cell.name for cell in program.cells if cell.kind in ("state", "ledger")][:6]
    return [name for name in dict.fromkeys(names) if name in known][:8]
