"""From a solver's values to events that anyone can replay: exact, checked by a replay, and as short and round as can be."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction

from ..counterexample.replay import replay
from ..counterexample.script_text import script_text
from ..counterexample.sent import Sent
from ..counterexample.shrink import default_parameters, shrink
from ..counterexample.table import table_text
from ..evaluate import EXACT
from ..ir import Exact, Expr, Field, Pool, Program, Value
from ..monitors import monitor
from ..registry import Registry
from ..semantics import Reference
from .kinds import Property
from .outcome import Outcome
from .player import Played, Player
from .properties import property_of
from .result import Counterexample
from .search import Trace

__all__ = ["Refuter"]

_WORK = 3_000
"""Events that one shortening may play."""
_LATER = 400 * 86_400 * 10**9
"""Nanoseconds after which any timer of a trace has fired."""


class Refuter:
    """Makes counterexamples of one program; parameters that are `fixed` stay as they are."""

    def __init__(
        self, program: Program, registry: Registry, fixed: Mapping[str, Exact], outcomes: Sequence[Outcome]
    ) -> None:
        self.program, self.registry, self.fixed, self.outcomes = program, registry, fixed, outcomes
        self.monitored = _monitored(program)
        self.defaults: dict[str, Value] = {
            each.name: fixed.get(each.name, each.default) for each in program.parameters if each.given is None
        }
        self.free = {each.name: each for each in program.parameters if each.given is None and each.name not in fixed}

    def from_trace(self, trace: Trace, claimed: Property) -> Counterexample | None:
        """Return the counterexample that a trace stands for; None where its replay shows nothing.

        Raises:
            OpaqueError: the program calls a bound function, so there is no exact replay.
        """
        parameters = self.defaults | {name: self._parameter(name, trace) for name in self.free}
        return self.made(list(self._events(trace)), parameters, claimed)

    def made(self, events: list[Sent], parameters: Mapping[str, Value], claimed: Property) -> Counterexample | None:
        """Return what events show of a claim, shortened; None where they show nothing.

        What breaks an invariant by so little that a monitor in floats lets it pass is taken only if nothing else breaks it.

        Raises:
            OpaqueError: the program calls a bound function.
        """
        found = self._shortened(events, parameters, claimed, self.monitored)
        if found is None and claimed.kind == "invariant":
            found = self._shortened(events, parameters, claimed, self.program)
        return found

    def _shortened(
        self, events: list[Sent], parameters: Mapping[str, Value], claimed: Property, program: Program
    ) -> Counterexample | None:
        def still(values: Mapping[str, Value]) -> bool:
            player = self._player(values, program)
            return any(map(self._breaks(player, claimed), player.play(events)))

        if not still(parameters):
            return None
        chosen = default_parameters(parameters, self.defaults, still)
        player = self._player(chosen, program)
        events = list(shrink(events, player.play, self._breaks(player, claimed), _WORK))
        chosen = default_parameters(chosen, self.defaults, still)
        events = [sent._replace(values=tuple(map(_double, sent.values))) for sent in events]
        # A script is read in doubles: what hangs on a fraction that is none shows nothing there.
        replays = still({name: _double(value) for name, value in chosen.items()})
        return self._shown(events, chosen, claimed) if replays else None

    def replayed(self, counterexample: Counterexample) -> list[Played]:
        """Return what the events of a counterexample come to."""
        player = self._player({**self.defaults, **counterexample.parameters}, self.program)
        return list(player.play(counterexample.events))

    def _breaks(self, player: Player, claimed: Property) -> Callable[[Played], bool]:
        """Return what says whether an event of a replay breaks a claim, or is the witness that is wanted."""
        mine = property_of(claimed, player.machine, self.outcomes)

        def breaks(played: Played) -> bool:
            if mine.witness is not None:
                return any(map(mine.witness, played.outcomes))
            return any(_is_false(claim) for outcome in played.outcomes for claim in mine.claims(outcome))

        return breaks

    def _expected(self, claimed: Property) -> dict[str, str]:
        """Return what a script expects after its last event, which a machine that breaks the claim does not show."""
        match claimed.kind:
            case "invariant":
                return {"broken": "[]"}
            case "divides" | "fails":
                return {"errors": "false"}
            case "orders" | "gate":
                return {"orders": "[]"}
            case "passes":
                return {"stopped": "[]"}
            case "ends":
                name, _, part = claimed.name.rpartition(".")
                ranking = next(each for each in self.program.rankings if each.name == name)
                return {"comes": {"fired": f"[{ranking.rule}]"}, "is_left": {"not_in": ranking.state}}.get(part, {})
        return {}

    def _player(self, values: Mapping[str, Value], program: Program) -> Player:
        types = {each.name: each.type for each in self.program.parameters}
        exact = {name: Fraction(value) if types[name] == "real" else value for name, value in values.items()}
        return Player(program, self.registry, exact)  # type: ignore[arg-type]

    def _parameter(self, name: str, trace: Trace) -> Value:
        parameter = self.free[name]
        found = trace.model.get(f"param {name}", parameter.default)
        if parameter.type == "int":
            return int(found)
        return bool(found) if parameter.type == "bool" else Fraction(found)

    def _events(self, trace: Trace) -> Iterator[Sent]:
        """Yield the events of a trace; a timer comes by itself before an event that is late enough."""
        clock = 0
        fields = {event.name: event.fields for event in self.program.events}
        for number, outcome in enumerate(trace.outcomes, start=1):
            input = outcome.input
            if input.kind != "event":
                continue
            time = trace.model.get(f"temp time@{number}", Fraction(clock))
            clock = max(clock, math.ceil(time)) if number > 1 else math.ceil(time)
            values: list[Value] = []
            for field in fields[input.name]:
                found = trace.model.get(f"field {input.name}.{field.name}@{number}")
                values.append(_least(field) if found is None else _typed(field, found))
            yield Sent(input.name, clock, tuple(values))
        if trace.outcomes[-1].input.kind == "timer":
            # It fires before the next event, whatever that is.
            yield self._harmless(clock + _LATER)

    def _harmless(self, time: int) -> Sent:
        """Return an event with values that are accepted."""
        event = self.program.event(self.program.start_event) if self.program.start_event else self.program.events[0]
        return Sent(event.name, time, tuple(_least(field) for field in event.fields))

    def _shown(self, events: list[Sent], values: Mapping[str, Value], claimed: Property) -> Counterexample:
        full = {**{each.name: each.default for each in self.program.parameters}, **values}
        reference = Reference(self.program, full, self.registry, EXACT)
        moments = list(replay(reference, events))
        changed = {name: value for name, value in values.items() if value != self.defaults[name] or name in self.fixed}
        cells = [leg.quantity for leg in self.program.legs]
        cells += [cell.name for cell in self.program.cells if cell.kind == "state"]
        expect = self._expected(claimed)
        text = script_text(self.program, events, about=claimed.words, parameters=changed, expect=expect)
        return Counterexample(changed, tuple(events), table_text(self.program, moments, cells), text)


def _least(field: Field) -> Value:
    """Return the least value that a field may have, or 0."""
    return _typed(field, field.low if field.low is not None else min(field.high or Fraction(0), Fraction(0)))


def _typed(field: Field, value: Fraction | bool) -> Value:
    return bool(value) if field.type == "bool" else int(value) if field.type == "int" else Fraction(value)


def _double(value: Value) -> Value:
    return Fraction(float(value)) if isinstance(value, Fraction) else value


def _monitored(program: Program) -> Program:
    """Return a program whose invariants are claimed with the room that monitors give them."""
    pool = Pool()
    return replace(program, invariants=tuple((name, monitor(pool, claim)) for name, claim in program.invariants))


def _is_false(claim: Expr) -> bool:
    return claim.op == "const" and not claim.value
