"""One event of a machine, explained: which transitions were asked, in which order, and what their guards said of what.

    explanation = explain(compiled, machine.snapshot(), "tick", time_ns, {"price": 105.0})
    print(explanation.text())

The event is run by the reference, which every backend agrees with, on a snapshot: the machine that it was taken from is
not touched. Guards are taken apart by `examine`, on what they were asked about.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

from .document import Mapping as MappingNode
from .document import Node, Scalar
from .document import Sequence as SequenceNode
from .examine import Condition, Examination, Reading, Units
from .intake import Refusal, in_order
from .ir import NOBODY, Cell, Expr, Program, Rule, Value
from .link import is_state_timer
from .readable import readable
from .semantics import Candidate, Reference, Selection
from .snapshot import Snapshot
from .source import parse_text
from .step import Order, Ruling, Verdict
from .work import Origin

if TYPE_CHECKING:
    from .load import Compiled

__all__ = ["Asked", "Change", "Explanation", "Selected", "explain"]

Fate = Literal["fired", "false", "failed", "waits", "not asked", "preempted", "dropped"]


@dataclass(frozen=True, slots=True)
class Asked:
    """A transition that could have fired, as one active leaf saw it."""

    name: str
    part: str
    """The region of the used spec that it belongs to; empty for one of the spec itself.

    In the condition names are written as in the file of that spec, without the region in front.
    """
    source: str
    file: str
    line: int
    column: int
    guard: str
    """As it stands in the file; empty for a transition without one."""
    fate: Fate
    why: str
    """What kept it from firing; empty where it fired."""
    condition: Condition | None
    """None where there is no guard, or it was not asked."""
    readings: tuple[Reading, ...]
    """What the guard reads, each name once."""


@dataclass(frozen=True, slots=True)
class Selected:
    """How the transitions of one microstep were selected; `event` is empty for eventless ones."""

    origin: Origin
    event: str
    time_ns: int
    fields: tuple[Reading, ...]
    leaves: tuple[tuple[str, tuple[Asked, ...]], ...]
    """The active leaves in document order, each with its candidates in the order of asking."""
    fired: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Change:
    """A value that the event changed, a person by name; `before` is None where the event started the machine."""

    kind: str
    name: str
    before: Value | str | None
    after: Value | str
    unit: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """What one event did to a machine, and why. `event` is empty where only time passed."""

    spec: str
    event: str
    time_ns: int
    fields: tuple[Reading, ...]
    rejected: str | None
    started: bool
    """Whether the event started the machine."""
    before: tuple[str, ...]
    configuration: tuple[str, ...]
    ended: bool
    timers: tuple[tuple[str, int], ...]
    selections: tuple[Selected, ...]
    handled: tuple[str, ...]
    """The event descriptors that some active state has transitions for, after the event."""
    fired: tuple[str, ...]
    orders: tuple[Order, ...]
    raised: tuple[str, ...]
    errors: tuple[str, ...]
    verdicts: tuple[Verdict, ...]
    approvals: tuple[Ruling, ...]
    broken: tuple[str, ...]
    changes: tuple[Change, ...]

    @property
    def asked(self) -> Selected | None:
        """How transitions were selected for the event itself; None where it had no candidate."""
        return next((each for each in self.selections if each.origin == "event"), None)

    def to_json(self) -> dict[str, Any]:
        """Return the explanation as JSON values; a number that is not finite is text."""
        plain: dict[str, Any] = _plain(self)
        plain["timers"] = [{"name": name, "due_ns": due} for name, due in self.timers]
        for told, each in zip(plain["selections"], self.selections, strict=True):
            told["leaves"] = [{"leaf": leaf, "candidates": _plain(asked)} for leaf, asked in each.leaves]
        return plain

    def text(self) -> str:
        """Return the explanation as lines of text."""
        from .explain_text import lines, plain

        return plain(lines(self))


def explain(
    compiled: Compiled,
    snapshot: Snapshot,
    event: str | None,
    time_ns: int,
    values: Sequence[object] | Mapping[str, object] = (),
) -> Explanation:
    """Return what an event would do to a machine, and why.

    Args:
        compiled: a spec with its parameters.
        snapshot: the machine before the event, as `Machine.snapshot()` returns it.
        event: its name; None lets time pass, as `Machine.advance` does.
        time_ns: when, in nanoseconds.
        values: its fields, in declared order or by name.

    A wrong event is explained, too: it is refused.
    """
    reference = Reference(compiled.program, compiled.parameters, compiled.registry)
    if compiled.functions is not None:
        reference.functions = compiled.functions
    watch: list[Selection] = []
    if event is None:
        after, step = reference.advance(snapshot, time_ns, watch)
    else:
        try:
            given = in_order(compiled.program, event, values) if isinstance(values, Mapping) else values
        except Refusal as refusal:
            after, step = reference.refuse(snapshot, str(refusal), watch)
        else:
            after, step = reference.step(snapshot, event, time_ns, given, watch=watch)
    teller = _Teller(compiled, reference)
    selections = tuple(map(teller.selected, watch))
    return Explanation(
        spec=compiled.program.name,
        event=event or "",
        time_ns=time_ns,
        fields=_given(compiled.program, event, values),
        rejected=step.rejected,
        started=not snapshot.configuration and bool(after.configuration),
        before=snapshot.configuration,
        configuration=after.configuration,
        ended=after.ended,
        timers=step.timers,
        selections=selections,
        handled=_handled(reference, after.configuration),
        fired=step.fired,
        orders=step.orders,
        raised=step.raised,
        errors=step.errors,
        verdicts=step.verdicts,
        approvals=step.approvals,
        broken=step.broken,
        changes=tuple(_changes(compiled.program, snapshot, after)),
    )


# ----------------------------------------------------------------------------------------------- what was selected when


def _handled(reference: Reference, configuration: Sequence[str]) -> tuple[str, ...]:
    around = [name for leaf in configuration for name in (leaf, *reference.tree.ancestors[leaf])]
    rules = [rule for name in dict.fromkeys(around) for rule in reference.rules[name]]
    own = {timer.event for timer in reference.program.timers if is_state_timer(timer)}
    return tuple(dict.fromkeys(each for rule in rules for each in rule.events if each not in own))


class _Teller:
    """Tells what the reference watched in names, places and numbers."""

    def __init__(self, compiled: Compiled, reference: Reference) -> None:
        self.tree = reference.tree
        self.rules = {rule.name: rule for rule in compiled.program.rules}
        self.parts = sorted((part.name for part in compiled.program.parts if part.name), key=len, reverse=True)
        self.units = Units(compiled.program)
        self.guards = _Guards(compiled)
        self.waiting = {each.rule: each.guard for each in compiled.program.approvals}
        """The guards as written of what waits for people."""

    def selected(self, watched: Selection) -> Selected:
        env = watched.environment
        found: dict[str, list[Asked]] = {leaf: [] for leaf in self.tree.atoms(env.active)}
        for candidate in watched.candidates:
            found[candidate.leaf].append(self._asked(candidate, watched))
        return Selected(
            watched.origin,
            watched.event or "",
            watched.time_ns,
            tuple(self.units.reading(name, value) for name, value in env.fields.items()) if watched.event else (),
            tuple((leaf, tuple(asked)) for leaf, asked in found.items()),
            watched.fired,
        )

    def _asked(self, candidate: Candidate, watched: Selection) -> Asked:
        rule, env = candidate.rule, watched.environment
        fate, why = self._fate(candidate, watched)
        part = next((name for name in self.parts if rule.name.startswith(f"{name}.")), "")
        condition = None
        readings: tuple[Reading, ...] = ()
        asked = self.waiting.get(rule.name, rule.guard)
        if asked is not None and candidate.outcome != "not asked":
            condition = Examination(env, self.units, part).of(asked)
            readings = tuple(self.units.readings(asked, env))
        place = rule.span
        guard = "" if asked is None else self.guards.text(rule, asked, part)
        return Asked(
            rule.name, part, rule.source, place.file, place.line, place.column, guard, fate, why, condition, readings
        )

    def _fate(self, candidate: Candidate, watched: Selection) -> tuple[Fate, str]:
        name = candidate.rule.name
        match candidate.outcome:
            case "false":
                return "false", "its guard is false"
            case "failed":
                return "failed", f"its guard failed, and counts as false: {candidate.reason}"
            case "waits":
                return "waits", candidate.reason
            case "not asked":
                return "not asked", f"`{self._before(candidate, watched)}` was selected before it"
        dropped = dict(watched.dropped)
        if name in dropped:
            return "dropped", f"it failed and was undone: {dropped[name]}"
        if name in watched.preempted:
            return "preempted", f"pre-empted by {self._rival(candidate.rule, watched)}"
        return "fired", ""

    def _before(self, candidate: Candidate, watched: Selection) -> str:
        """Return the transition that a leaf had selected when it came to a candidate."""
        mine = (each for each in watched.candidates if each.leaf == candidate.leaf and each.outcome == "true")
        return next(mine).rule.name

    def _rival(self, rule: Rule, watched: Selection) -> str:
        """Return the transitions beside which one could not fire: those that would exit the same states."""
        active = watched.environment.active
        chosen = (*watched.fired, *(name for name, _ in watched.dropped))
        left = set(self.tree.exit_set(rule, active, watched.history))
        names = [
            name for name in chosen if left & set(self.tree.exit_set(self.rules[name], active, watched.history))
        ] or list(chosen)
        return " and ".join(f"`{name}`" for name in names) + ", which leaves the same states"


# ------------------------------------------------------------------------------------------------------- what came of it


def _given(program: Program, event: str | None, values: Sequence[object] | Mapping[str, object]) -> tuple[Reading, ...]:
    """Return the fields that came with an event, those that the spec does not have too; what is no number is text."""
    declared = next((each.fields for each in program.events if each.name == event), ())
    units = {each.name: "" if each.unit == "1" else each.unit for each in declared}
    if not isinstance(values, Mapping):
        names = [*units, *(f"value {index + 1}" for index in range(len(units), len(values)))]
        values = dict(zip(names, values, strict=False))
    return tuple(Reading(f"{event}.{name}", _value(value), units.get(name, "")) for name, value in values.items())


def _value(value: object) -> Value | str:
    return value if isinstance(value, (bool, int, float)) else str(value)[:64]


def _changes(program: Program, before: Snapshot, after: Snapshot) -> Iterator[Change]:
    started = bool(before.configuration)
    brought = {timer.person for timer in program.timers if timer.person}

    def shown(cell: Cell, value: Value) -> Value | str:
        if cell.name not in brought:
            return value
        return "nobody" if value == NOBODY else program.people[int(value)].name

    for cell in program.cells:
        was, now = before.cells[cell.name], after.cells[cell.name]
        if was != now and cell.kind != "approval":
            unit = "" if cell.unit == "1" else cell.unit
            yield Change(cell.kind, cell.name, shown(cell, was) if started else None, shown(cell, now), unit)
    for window in program.windows:
        held, holds = before.windows[window.name], after.windows[window.name]
        if held != holds:
            yield Change("window", window.name, held[-1] if held else None, holds[-1], "")


def _plain(value: Any) -> Any:
    if isinstance(value, Order):
        return {name: _plain(each) for name, each in value.to_json().items()}
    if isinstance(value, Ruling):
        return {name: _plain(each) for name, each in value._asdict().items()}
    if is_dataclass(value):
        return {each.name: _plain(getattr(value, each.name)) for each in fields(value)}
    if isinstance(value, (tuple, list)):
        return [_plain(each) for each in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value


# ------------------------------------------------------------------------------------------------- guards as written


class _Guards:
    """The text of guards, found in their files by the places of their transitions."""

    def __init__(self, compiled: Compiled) -> None:
        self.sources = compiled.spec.sources

    def text(self, rule: Rule, guard: Expr, part: str) -> str:
        place = rule.span
        written = None
        if place.file in self.sources:
            written = _guards_of(place.file, self.sources[place.file]).get((place.line, place.column))
        return readable(guard, 200, part) if written is None else written


@lru_cache(16)
def _guards_of(file: str, text: str) -> Mapping[tuple[int, int], str]:
    """Return the `if` of each mapping of a file by line and column of where it begins, and of its key.

    A transition has one of these places.
    """
    found: dict[tuple[int, int], str] = {}
    waiting: list[Node] = [parse_text(text, file).root]
    while waiting:
        match waiting.pop():
            case MappingNode(entries=entries):
                inside: list[tuple[Node, Node]] = list(entries)
            case SequenceNode(items=items):
                inside = [(item, item) for item in items]
            case _:
                continue
        for key, child in inside:
            waiting.append(child)
            guard = _guard_in(child)
            if guard is not None:
                found |= {(span.line, span.column): guard for span in (key.span, child.span)}
    return found


def _guard_in(node: Node) -> str | None:
    entries = node.entries if isinstance(node, MappingNode) else ()
    found = next((value for key, value in entries if key.text == "if"), None)
    return " ".join(found.text.split()) if isinstance(found, Scalar) else None
