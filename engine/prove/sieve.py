"""Guesses held to a few machines that run: what is wrong for one of them need not be tried on all.

It saves rounds of the induction, and decides nothing: a guess that passes still has to be proved.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from ..evaluate import FLOAT, Environment, Failure, evaluate
from ..ir import Event, Field, FillMode, Value
from ..load import Spec
from ..snapshot import Snapshot
from ..statechart import Tree
from .facts import Fact

__all__ = ["sifted"]

_MACHINES, _EVENTS, _EVERY = 6, 120, 8
"""Machines, events for each of them, and after how many events one is looked at."""
_WILD = (1e-3, 1e-2, 0.1, 1.0)
"""Standard deviations of the logarithm of a field, from one event to the next: a machine has one of them."""
_GAPS = (1, 10**9, 3600 * 10**9, 86_400 * 10**9, 40 * 86_400 * 10**9)
"""Nanoseconds from one event to the next."""


def sifted(spec: Spec, fill: FillMode, facts: Sequence[Fact]) -> tuple[Fact, ...]:
    """Return the facts without the guesses that do not hold of some machine at its default parameters."""
    program = spec.program(fill)
    tree = Tree(program.states)
    kept = {id(fact): fact for fact in facts}
    known = {cell.name for cell in program.cells}
    guesses = [fact for fact in facts if fact.origin == "guess"]
    guesses = [fact for fact in guesses if all(n.name in known for n in fact.claim.walk() if n.op == "cell")]
    compiled = spec.bind({}, fill=fill)
    for snapshot in _snapshots(spec, fill):
        active = tree.with_ancestors(snapshot.configuration)
        for fact in guesses:
            if id(fact) in kept and not _holds(fact, compiled.parameters, snapshot, active):
                del kept[id(fact)]
    # What is weaker than a guess may hold all the same, and is tried when the guess falls.
    weaker = [Fact("", claim, "guess") for fact in guesses if id(fact) not in kept for claim in fact.weaker]
    return (*kept.values(), *weaker)


def _holds(fact: Fact, parameters: Mapping[str, Value], snapshot: Snapshot, active: frozenset[str]) -> bool:
    env = Environment(parameters, FLOAT, snapshot.cells, now=snapshot.time_ns, active=active)
    try:
        return bool(evaluate(fact.claim, env))
    except Failure:
        return False


def _snapshots(spec: Spec, fill: FillMode) -> Iterator[Snapshot]:
    """Yield what a few machines are after some events."""
    compiled = spec.bind({}, fill=fill)
    events = compiled.program.events
    for number in range(_MACHINES if events else 0):
        source = np.random.Generator(np.random.PCG64(number))
        machine, time, last = compiled.machine(), 0, dict[str, float]()
        wild = _WILD[number % len(_WILD)]
        for count in range(_EVENTS):
            event = events[0] if source.random() < 0.8 else events[int(source.integers(len(events)))]
            time += int(source.choice(_GAPS))
            machine.port(event.name)(time, *_values(event, last, wild, source))
            snapshot = machine.snapshot()
            if snapshot.ended:
                break
            if count % _EVERY == 0 and snapshot.configuration:
                yield snapshot


def _values(event: Event, last: dict[str, float], wild: float, source: np.random.Generator) -> list[Value]:
    return [_value(field, f"{event.name}.{field.name}", last, wild, source) for field in event.fields]


def _value(field: Field, name: str, last: dict[str, float], wild: float, source: np.random.Generator) -> Value:
    if field.type == "bool":
        return bool(source.random() < 0.5)
    low = -1e6 if field.low is None else float(field.low)
    high = 1e6 if field.high is None else float(field.high)
    start = min(max(100.0, low), high)
    moved = last.get(name, start) * float(np.exp(wild * source.normal()))
    last[name] = min(max(moved, low), high)
    return round(last[name]) if field.type == "int" else last[name]
