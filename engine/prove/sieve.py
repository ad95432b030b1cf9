"""Guesses held to a few machines that run: what is wrong for one of them need not be tried on all.

It saves rounds of the induction, and decides nothing: a guess that passes still has to be proved. The first machine has
the parameters at their defaults, the others have them drawn from their ranges, about which guesses are as well.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property

import numpy as np

from ..evaluate import FLOAT, Environment, Failure, evaluate
from ..explore.draws import draw_parameters
from ..ir import Event, Expr, Field, FillMode, Pool, Value
from ..load import Compiled, ParameterError, Spec
from ..monitors import monitor
from ..snapshot import Snapshot
from ..statechart import Tree
from .facts import Fact

__all__ = ["Sieve"]

_MACHINES, _EVENTS = 12, 60
"""Machines, and events for each of them."""
_FIRST, _EVERY = 4, 8
"""A machine is looked at after each of its first events, since many end soon, and then after every so many."""
_WILD = (1e-3, 1e-2, 0.1, 1.0)
"""Standard deviations of the logarithm of a field, from one event to the next: a machine has one of them."""
_GAPS = (1, 10**9, 3600 * 10**9, 86_400 * 10**9, 40 * 86_400 * 10**9)
"""Nanoseconds from one event to the next."""


class Sieve:
    """Machines of a spec, run when guesses are first held to them; `settings` are parameters that are fixed."""

    def __init__(self, spec: Spec, fill: FillMode, settings: Mapping[str, Value]) -> None:
        self.spec, self.fill, self.settings = spec, fill, settings
        self.program = spec.program(fill)
        self.cells = {cell.name for cell in self.program.cells}
        self.pool = Pool()

    def sifted(self, facts: Sequence[Fact]) -> tuple[Fact, ...]:
        """Return the facts without the guesses that do not hold of some machine."""
        kept: list[Fact] = []
        weaker: list[Fact] = []
        for fact in facts:
            if fact.origin != "guess" or self._stands(fact):
                kept.append(fact)
            else:  # what is weaker than a guess may hold all the same
                weaker += [Fact("", claim, "guess") for claim in fact.weaker]
        return (*kept, *filter(self._stands, weaker))

    def _stands(self, guess: Fact) -> bool:
        """Return whether a guess holds of every machine; one that reads what none of them has does."""
        if any(node.name not in self.cells for node in guess.claim.walk() if node.op == "cell"):
            return True
        # Machines compute in floats: a guess that rounding alone breaks is not wrong.
        claim = monitor(self.pool, guess.claim)
        return all(_holds(claim, env) for env in self._seen)

    @cached_property
    def _seen(self) -> list[Environment]:
        """What machines were when they were looked at."""
        tree = Tree(self.program.states)
        return [
            Environment(
                compiled.parameters,
                FLOAT,
                snapshot.cells,
                now=snapshot.time_ns,
                active=tree.with_ancestors(snapshot.configuration),
            )
            for number, compiled in enumerate(self._machines())
            for snapshot in _snapshots(compiled, number)
        ]

    def _machines(self) -> Iterator[Compiled]:
        """Yield what machines are made of."""
        for number in range(_MACHINES if self.program.events else 0):
            source = np.random.Generator(np.random.PCG64((number, 1)))
            values = draw_parameters(self.program, self.settings, source, plain=number == 0)
            try:
                yield self.spec.bind_values(values, fill=self.fill)
            except ParameterError:  # a parameter that follows from these is out of its range
                continue


def _holds(claim: Expr, env: Environment) -> bool:
    try:
        return bool(evaluate(claim, env))
    except Failure:
        return False


def _snapshots(compiled: Compiled, number: int) -> Iterator[Snapshot]:
    """Yield what a machine is after some of its events."""
    events = compiled.program.events
    source = np.random.Generator(np.random.PCG64(number))
    machine, time, last = compiled.machine(), 0, dict[str, float]()
    wild = _WILD[number % len(_WILD)]
    for count in range(_EVENTS):
        event = events[0] if source.random() < 0.8 else events[int(source.integers(len(events)))]
        time += int(source.choice(_GAPS))
        machine.port(event.name)(time, *_values(event, last, wild, source))
        snapshot = machine.snapshot()
        if snapshot.configuration and (count < _FIRST or count % _EVERY == 0):
            yield snapshot
        if snapshot.ended:
            return


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
