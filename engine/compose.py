"""The specs that a spec uses: found, loaded, and given the parameters and events that they ask for.

    use:
      breaker:
        spec: drawdown_breaker.yaml
        params: {limit: max_drawdown}                         # over the params of this spec
        events:
          mark: {tick: {equity: strategy.equity}}             # its `mark` happens on our `tick`
          release: resume                                     # its `release` is our `resume`

Each is compiled by itself, so that its mistakes are told in its own file; `engine.link` makes one program of all.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING, Any

from . import syntax
from .diagnostics import Diagnostic, Findings, Span, SpecError, suggestion
from .evaluate import EXACT, Environment, Failure, evaluate
from .infer import Inference
from .ir import Exact, Expr, FillMode, Parameter, Pool, Program, Raise
from .link import Made, Renaming, Used, is_state_timer
from .memory import Memory
from .model import UseShape
from .source import Document
from .statechart import MACHINE
from .symbols import RESERVED, CellType, Scope, Typed
from .units import parse_unit
from .vocabulary import ENGINE_ROOTS, REJECTED

if TYPE_CHECKING:
    from .check import Checker, Location
    from .lower import Lowering

__all__ = ["Files", "UsedSpec", "check_raises", "check_together", "declare_used", "give", "raised_by"]

MAX_DEPTH = 8
"""How deep specs may use specs."""
MAX_SPECS = 100
"""How many specs one composition may hold."""
SUFFIXES = (".yaml", ".yml", ".json")


@dataclass(slots=True)
class UsedSpec:
    """A used spec as its user sees it: names to read, states to ask for, events to share."""

    name: str
    lowering: Lowering
    shape: UseShape
    used: Used
    """What is known to `link` so far; the parameters and made events are added when the user is checked."""
    parameters: dict[str, Expr] = field(default_factory=dict)
    made: dict[str, Made] = field(default_factory=dict)
    _cells: frozenset[str] = frozenset()

    @property
    def program(self) -> Program:
        return self.used.program

    @property
    def size(self) -> int:
        """How many specs it is, with those that it uses."""
        return 1 + self.lowering.size

    def called(self, event: str) -> str | None:
        """Return what the user calls one of its events; None of one that happens on another, or is the engine's."""
        ours = self.shape.events.get(event, event)
        return ours if isinstance(ours, str) and ours != REJECTED else None

    def start_event(self) -> str | None:
        """Return the only event of the user that it can start with, if it needs one."""
        event = self.program.start_event
        if event is None:
            return None
        made = self.shape.events.get(event, event)
        return made if isinstance(made, str) else next(iter(made))

    def states(self, *, done: bool = False) -> set[str]:
        """Return its states, and the region that it is in; with `done` those that can be done."""
        kinds = ("compound", "parallel") if done else ("compound", "parallel", "atomic", "final")
        inner = (state.name for state in self.program.states if state.kind in kinds and state.name != MACHINE)
        return {self.name, *(f"{self.name}.{name}" for name in inner)}

    def raises(self) -> frozenset[str]:
        """Return the events that its actions raise."""
        return frozenset(event for event, _ in raised_by(self.lowering.program(self.lowering.fill)))

    def renamed(self) -> dict[str, str]:
        """Return its events that have another name at the user's."""
        return {event: ours for event, ours in self.shape.events.items() if isinstance(ours, str)}

    def shared(self) -> Iterator[tuple[str, str]]:
        """Yield its events that are the user's too, and what the user calls them."""
        for event in self.program.events:
            ours = self.called(event.name)
            if ours is not None:
                yield event.name, ours

    def fields(self, event: str) -> dict[str, CellType]:
        return self.lowering.symbols.events[event]

    def readable(self) -> set[str]:
        return {f"{self.name}.{name}" for name in self.lowering.symbols.readable() if name not in self._event_fields()}

    def _event_fields(self) -> set[str]:
        return {f"{event}.{name}" for event, fields in self.lowering.symbols.events.items() for name in fields}

    def read(self, path: tuple[str, ...], pool: Pool) -> Typed | None:
        """Return what a name of the used spec stands for between two events, or None where it has none."""
        checker = self.lowering.checker
        kept = checker.findings, checker.memory, checker.fields_read
        checker.findings, checker.memory = Findings(), Memory()
        try:
            node = syntax.Name(path, 0, 0)
            # Any place will do: what is wrong is told where the name is written.
            typed = Inference(checker, ("name",), Scope("a part of a composition"), node).check(node)
        finally:
            checker.findings, checker.memory, checker.fields_read = kept
        if typed is None or not self._is_kept(typed.expr):
            return None
        return Typed(Renaming(self.used, pool).expression(typed.expr), typed.unit, typed.low, typed.high)

    def _is_kept(self, expr: Expr) -> bool:
        """Return whether the program keeps every cell that an expression reads: a memory expression in a let may be new."""
        cells = self._cells or frozenset(cell.name for cell in self.program.cells)
        self._cells = cells
        return all(node.name in cells for node in expr.walk() if node.op == "cell")

    def linked(self, fill: FillMode) -> Used:
        """Return all that is known, for one way of settling fills."""
        program = self.lowering.linked(fill)
        fills = {event.name: f"{self.name}.{event.name}" for event in program.events if event.leg}
        renamed = self.renamed() | fills
        return Used(self.name, program, self.used.span, self.parameters, renamed, self.made, self.shape.approvals)


@dataclass(slots=True)
class Files:
    """Reads the files of one composition, each once."""

    check: Callable[[Document, Findings, Files, tuple[str, ...], Path], Lowering | None]
    """Checks one document; returns None where it does not hold."""
    reader: Callable[[str], Document]
    permit: frozenset[str]
    sources: dict[str, str] = field(default_factory=dict)
    """The text of every file that was read."""
    _read: dict[str, Lowering | None] = field(default_factory=dict)

    def used(
        self,
        uses: Mapping[str, UseShape],
        document: Document,
        folder: Path | None,
        findings: Findings,
        open_: tuple[str, ...],
    ) -> tuple[dict[str, UsedSpec], frozenset[str]]:
        """Return the used specs that hold, and the names of the others, whose mistakes are told."""
        found: dict[str, UsedSpec] = {}
        failed: set[str] = set()
        for name, shape in uses.items():
            lowering = self._unit(name, shape, document, folder, findings, open_)
            if lowering is None:
                failed.add(name)
            elif sum(each.size for each in found.values()) + 1 + lowering.size > MAX_SPECS:
                place = document.at(("use", name, "spec")).span
                findings.error("HR600", f"specs that use specs: more than {MAX_SPECS} in all", place, "use fewer")
                failed.add(name)
            else:
                span = document.key(("use", name)).span
                used = Used(name, lowering.linked("same"), span)
                found[name] = UsedSpec(name, lowering, shape, used)
        return found, frozenset(failed)

    def _unit(
        self,
        name: str,
        shape: UseShape,
        document: Document,
        folder: Path | None,
        findings: Findings,
        open_: tuple[str, ...],
    ) -> Lowering | None:
        span = document.at(("use", name, "spec")).span
        refusal = _not_a_place(shape.spec, folder)
        if refusal is not None:
            findings.error("HR600", refusal[0], span, refusal[1])
            return None
        assert folder is not None
        path = os.path.normpath(folder / shape.spec)
        if path in open_:
            around = " -> ".join((*open_[open_.index(path) :], path))
            findings.error("HR601", f"`{shape.spec}` uses itself: {around}"[:400], span, "break the circle")
            return None
        if len(open_) >= MAX_DEPTH:
            findings.error("HR600", f"specs that use specs: more than {MAX_DEPTH} deep", span, "use fewer")
            return None
        if path not in self._read:
            self._read[path] = self._load(path, shape.spec, findings, span_of=document, name=name, open_=open_)
        elif self._read[path] is None:
            # Its own mistakes are told once, at its first use.
            return None
        return self._read[path]

    def _load(
        self, path: str, written: str, findings: Findings, *, span_of: Document, name: str, open_: tuple[str, ...]
    ) -> Lowering | None:
        try:
            document = self.reader(path)
        except SpecError as error:
            self.sources.update(error.sources)
            first = error.diagnostics[0]
            if first.code == "HR001":
                place = span_of.at(("use", name, "spec")).span
                why = first.message.partition("` ")[2]
                help = "check the path: it starts in the folder of this file"
                findings.error("HR600", f"`{written}` {why}", place, help)
            else:
                for found in error.diagnostics:
                    findings.add(found)
            return None
        self.sources[document.file] = document.text
        inner = Findings(self.permit)
        lowering = self.check(document, inner, self, (*open_, path), Path(path).parent)
        if lowering is not None and not inner.failed:
            check_raises(lowering, inner)
        for found in inner:
            # What is only remarked on in a used file is told where that file is checked.
            if found.severity != "note":
                findings.add(found)
        return None if inner.failed else lowering


def _not_a_place(written: str, folder: Path | None) -> tuple[str, str] | None:
    """Return why a text is no path that a spec may use, and what to write."""
    if folder is None:
        return "a text that is no file cannot use other specs", "load it from a file, or say in which folder it stands"
    if PurePosixPath(written).is_absolute() or PureWindowsPath(written).drive or "\\" in written or "\0" in written:
        return f"`{written}` is no relative path", "write the path from this file, with `/`: `governance/breaker.yaml`"
    if not written.lower().endswith(SUFFIXES):
        return f"`{written}` is no spec", "name a .yaml, .yml or .json file"
    return None


# ------------------------------------------------------------------------------------------------- what a user may write


def declare_used(used: Mapping[str, UsedSpec], checker: Checker) -> None:
    """Share the events of used specs with their user, and let it name their states."""
    symbols = checker.symbols
    symbols.used = dict(used)
    owners = dict.fromkeys(symbols.events, "this spec")
    for spec in used.values():
        _known_events(spec, checker)
        for event, ours in spec.shared():
            fields = spec.fields(event)
            if ours not in symbols.events:
                _is_free(ours, spec, checker)
                symbols.events[ours] = dict(fields)
                owners[ours] = f"`{spec.name}`"
            elif _kinds(symbols.events[ours]) != _kinds(fields):
                checker.findings.error(
                    "HR602",
                    f"`{ours}` has other fields in `{spec.name}` than in {owners[ours]}: {_told(fields)}, "
                    f"not {_told(symbols.events[ours])}",
                    checker.document.key(("use", spec.name)).span,
                    f"declare both alike, or give it another name here: `events: {{{event}: {spec.name}_{event}}}`",
                )
    _no_prefixes(used, checker)


def _is_free(event: str, spec: UsedSpec, checker: Checker) -> None:
    """Tell an event of a used spec whose name is another thing here: `tick.price` would mean two."""
    symbols, first = checker.symbols, event.partition(".")[0]
    sections = (symbols.parameters, symbols.lets, symbols.cells, symbols.instruments, symbols.legs, symbols.windows)
    named = {name.partition(".")[0] for name in symbols.observed}
    taken = any(first in section for section in sections) or first in named or first in symbols.used
    if not taken and first not in RESERVED and first not in symbols.bases:
        return
    what = "exists already" if taken else "is a word of the language, or a unit"
    checker.findings.error(
        "HR202" if taken else "HR211",
        f"the event `{event}` of `{spec.name}`: `{first}` {what}",
        checker.document.key(("use", spec.name)).span,
        f"give it another name here: `events: {{{event}: {spec.name}_{event}}}`",
    )


def _kinds(fields: Mapping[str, CellType]) -> dict[str, tuple[str, object]]:
    return {name: (_kind(each), each.unit) for name, each in fields.items()}


def _kind(field: CellType) -> str:
    return "person" if field.person else field.type


def _told(fields: Mapping[str, CellType]) -> str:
    return ", ".join(f"`{name}` {_kind(each)} in `{each.unit}`" for name, each in fields.items()) or "none"


def _known_events(spec: UsedSpec, checker: Checker) -> None:
    declared = spec.lowering.symbols.events
    for event, ours in spec.shape.events.items():
        loc: Location = ("use", spec.name, "events", event)
        if event not in declared:
            checker.findings.error(
                "HR206",
                f"`{spec.name}` has no event `{event}`",
                checker.document.key(loc).span,
                suggestion(event, declared, "remove it"),
            )
        elif ours == REJECTED:
            _is_only_heard(spec, event, checker)
        elif event in spec.lowering.symbols.fills:
            message = f"`{event}` fills orders of `{spec.name}`: here it is `{spec.name}.{event}`"
            checker.findings.error("HR419", message, checker.document.key(loc).span, "remove it")
        elif isinstance(ours, str) and ours.partition(".")[0] in ENGINE_ROOTS:
            checker.findings.error(
                "HR211", f"`{ours}` is the name of the engine's own events", checker.span(loc), "choose another name"
            )


def _is_only_heard(spec: UsedSpec, event: str, checker: Checker) -> None:
    """Tell an event that cannot be that of stopped orders, which transitions of governing specs take."""
    (declared,) = (each for each in spec.program.events if each.name == event)
    wrong = [
        (bool(spec.program.legs), f"`{spec.name}` has legs: it is told of its own stopped orders only"),
        (bool(declared.fields), f"`{event}` of `{spec.name}` has fields, and `{REJECTED}` has none"),
        (
            any((declared.marks, *declared.observe)),
            f"`{spec.name}` observes `{event}`, and nothing observes `{REJECTED}`",
        ),
        (event in spec.raises(), f"`{spec.name}` raises `{event}` itself, and `{REJECTED}` is the engine's"),
    ]
    for holds, message in wrong:
        if holds:
            span = checker.span(("use", spec.name, "events", event))
            help = "use a spec without legs whose transitions take an event without fields"
            checker.findings.error("HR211", message, span, help)
            return


def _no_prefixes(used: Mapping[str, UsedSpec], checker: Checker) -> None:
    """Tell events of one part that another part would take for its own, because their names begin alike."""
    for spec in used.values():
        theirs = {ours: event for event, ours in spec.shared()}
        for event in sorted(theirs):
            longer = [
                each
                for each in checker.symbols.events
                if each.startswith(event + ".") and not theirs.get(each, "").startswith(theirs[event] + ".")
            ]
            if longer:
                checker.findings.error(
                    "HR602",
                    f"`{spec.name}` would take `{longer[0]}` for `{event}`, which is another event to it",
                    checker.document.key(("use", spec.name)).span,
                    f"give one of them another name: `events: {{{event}: {spec.name}_{event}}}`",
                )


def give(used: Mapping[str, UsedSpec], checker: Checker, parameters: Iterable[Parameter]) -> None:
    """Check what a spec gives to those that it uses: parameters, and the fields of events that it makes."""
    earlier: list[str] = []
    defaults = {each.name: each.default for each in parameters}
    for spec in used.values():
        for name in spec.shape.params:
            _give_parameter(spec, name, checker, defaults)
        for event, made in spec.shape.events.items():
            if isinstance(made, dict) and event in spec.lowering.symbols.events:
                _give_event(spec, event, made, tuple(earlier), checker)
        earlier.append(spec.name)


def _give_parameter(spec: UsedSpec, name: str, checker: Checker, defaults: Mapping[str, Exact]) -> None:
    loc: Location = ("use", spec.name, "params", name)
    free = {p.name: p for p in spec.program.parameters if p.given is None}
    if name not in free:
        checker.findings.error(
            "HR201",
            f"`{spec.name}` has no param `{name}`",
            checker.document.key(loc).span,
            suggestion(name, free, "remove it"),
        )
        return
    declared = spec.lowering.symbols.parameters.get(name)
    scope = Scope("a param", machine=False)
    if declared is None:  # a param of a spec that it uses in turn
        bases = tuple(dict.fromkeys((*checker.symbols.bases, *spec.lowering.symbols.bases)))
        unit = parse_unit(free[name].unit, bases)
        typed = checker.value(loc, scope, free[name].type, unit, f"`{name}` of `{spec.name}`")
    else:
        typed = checker.value(loc, scope, declared.type, declared.unit, f"`{name}` of `{spec.name}`")
    if typed is not None:
        spec.parameters[name] = typed.expr
        _is_in_range(free[name], typed.expr, spec.name, loc, checker, defaults)


def _is_in_range(
    parameter: Parameter, given: Expr, owner: str, loc: Location, checker: Checker, defaults: Mapping[str, Exact]
) -> None:
    """Tell a value that a param cannot have, with the defaults of this spec; others are told when they are set."""
    read = {node.name for node in given.walk() if node.op == "param"}
    if not read <= set(defaults):
        return
    try:
        value = evaluate(given, Environment(defaults, EXACT))
    except Failure as failure:
        checker.findings.error(
            "HR304", f"`{parameter.name}` of `{owner}` has no value: {failure}", checker.span(loc), "write one that has"
        )
        return
    low, high = parameter.low, parameter.high
    if (low is not None and value < low) or (high is not None and value > high):
        shown = f"{'-' if low is None else f'{float(low):g}'} to {'-' if high is None else f'{float(high):g}'}"
        by_default = " with the defaults of this spec" if read else ""
        checker.findings.error(
            "HR304",
            f"`{parameter.name}` of `{owner}` is {_shown(value)}{by_default}, which is outside its range",
            checker.span(loc),
            f"give it a value from {shown}",
        )


def _shown(value: Exact) -> str:
    try:
        return f"{float(value):g}"
    except OverflowError:
        return "larger than a float can hold"


def _give_event(
    spec: UsedSpec, event: str, made: Mapping[str, Mapping[str, object]], earlier: tuple[str, ...], checker: Checker
) -> None:
    findings, document = checker.findings, checker.document
    loc: Location = ("use", spec.name, "events", event)
    (ours,) = made
    if ours not in checker.symbols.events:
        findings.error(
            "HR206",
            f"unknown event `{ours}`",
            document.key((*loc, ours)).span,
            suggestion(ours, checker.symbols.events, "declare it under `events:`"),
        )
        return
    fields, given = spec.fields(event), made[ours]
    for name in given:
        if name not in fields:
            findings.error(
                "HR101",
                f"`{event}` of `{spec.name}` has no field `{name}`",
                document.key((*loc, ours, name)).span,
                suggestion(name, fields, "remove it"),
            )
    missing = [name for name in fields if name not in given]
    if missing:
        findings.error(
            "HR102",
            f"`{missing[0]}` of `{event}` is missing",
            document.key((*loc, ours)).span,
            f"write `{event}: {{{ours}: {{{missing[0]}: …}}}}`",
        )
        return
    if (person := next((name for name, declared in fields.items() if declared.person), None)) is not None:
        findings.error(
            "HR433",
            f"`{event}` of `{spec.name}` brings the person `{person}`, for whom no expression speaks",
            document.key((*loc, ours)).span,
            f"give it a name of this spec instead, so that it comes from outside: `events: {{{event}: {ours}}}`",
        )
        return
    values: dict[str, Expr] = {}
    for name, declared in fields.items():
        at: Location = (*loc, ours, name)
        scope = Scope("the field of an event", event=ours)
        typed = checker.value(at, scope, declared.type, declared.unit, f"`{event}.{name}`")
        if typed is not None and _is_known_by_then(typed.expr, at, spec, ours, earlier, checker):
            values[name] = typed.expr
    spec.made[event] = Made(ours, values, document.key((*loc, ours)).span)


def _is_known_by_then(
    expr: Expr, loc: Location, spec: UsedSpec, ours: str, earlier: tuple[str, ...], checker: Checker
) -> bool:
    """Tell a value that reads what is only observed later on the same event."""
    later = [name for name in checker.symbols.used if name not in earlier]
    for node in expr.walk():
        if node.op != "cell":
            continue
        owner = node.name.partition(".")[0]
        if owner in later:
            why, help = f"`{owner}` stands after `{spec.name}`", f"move `{owner}` above `{spec.name}` under `use:`"
        elif node.name in checker.symbols.observed and checker.symbols.observed[node.name][0] == ours:
            why, help = "this spec observes it after the specs that it uses", "compute it here from fields and marks"
        else:
            continue
        checker.findings.error("HR210", f"`{node.name}` is not known yet on `{ours}`: {why}", checker.span(loc), help)
        return False
    return True


def check_together(used: Mapping[str, UsedSpec], checker: Checker, own: set[str], has_legs: bool) -> None:
    """Tell what parts cannot be together: money of two kinds, and events made from what is raised."""
    findings, document = checker.findings, checker.document
    money = str(checker.symbols.money) if has_legs else ""
    raised = own | {spec.called(event) or "" for spec in used.values() for event in spec.raises()}
    _ranges_agree(used, checker, raised)
    for spec in used.values():
        span = document.key(("use", spec.name)).span
        theirs = spec.program.money if spec.program.legs else ""
        if money and theirs and theirs != money:
            message = f"`{spec.name}` counts in `{theirs}`, and what stands before it in `{money}`"
            findings.error("HR606", message, span, "one composition has one money: convert prices, or run two")
        money = money or theirs
        for event, made in spec.made.items():
            if made.event in raised or event in spec.raises():
                what = made.event if made.event in raised else event
                findings.error(
                    "HR605",
                    f"`{event}` of `{spec.name}` is made from `{made.event}`, and `{what}` is raised by an action too",
                    made.span,
                    "only an event that comes from outside brings its values along: raise another one",
                )
    _counted_alike(used, checker, money)


def _counted_alike(used: Mapping[str, UsedSpec], checker: Checker, money: str) -> None:
    """Tell gates that count the orders of a composition in another currency than its legs."""
    for spec in used.values():
        for currency in sorted(spec.lowering.counts_in - {money}) if money else ():
            checker.findings.error(
                "HR606",
                f"the gates of `{spec.name}` count in `{currency}`, and the legs that they judge in `{money}`",
                checker.document.key(("use", spec.name)).span,
                f"its limits are amounts of `{currency}`: use a copy of it with `units: [{money}]`",
            )


def _ranges_agree(used: Mapping[str, UsedSpec], checker: Checker, raised: set[str]) -> None:
    """Tell an event that some part raises and another one takes less of: raising it could fail, unseen by who wrote it."""
    seen: dict[tuple[str, str], tuple[object, object]] = {}
    for event, fields in checker.symbols.ranges.items():
        seen |= {(event, name): both for name, both in fields.items()}
    for spec in used.values():
        for theirs in spec.program.events:
            ours = spec.called(theirs.name)
            for each in theirs.fields if ours is not None else ():
                key, both = (str(ours), each.name), (each.low, each.high)
                first = seen.setdefault(key, both)
                if first != both and (ours in raised or _apart(first, both)):
                    checker.findings.error(
                        "HR602",
                        f"`{ours}.{each.name}` has another range in `{spec.name}` than in what stands before it",
                        checker.document.key(("use", spec.name)).span,
                        f"declare both alike, or give it another name here: `events: {{{theirs.name}: …}}`",
                    )


def _apart(one: tuple[Any, Any], other: tuple[Any, Any]) -> bool:
    """Return whether no value is in both ranges."""
    return any(
        low is not None and high is not None and low > high for low, high in ((one[0], other[1]), (other[0], one[1]))
    )


def check_raises(lowering: Lowering, findings: Findings) -> None:
    """Tell events that a used spec raises and does not declare under `raises:`; its user relies on that list."""
    declared = set(lowering.spec.raises)
    for event, span in raised_by(lowering.alone(lowering.fill)):
        if event not in declared and span is not None:
            findings.add(
                Diagnostic(
                    "HR603",
                    f"`{event}` is raised and not declared under `raises:`",
                    span,
                    f"add `raises: [{', '.join(sorted({*declared, event}))}]`: a spec that uses this one relies on it",
                )
            )


def raised_by(program: Program) -> Iterator[tuple[str, Span | None]]:
    """Yield the events that the actions of a program raise, at once or later, and where."""
    blocks = [block for state in program.states for block in (state.entry, state.exit, state.initially)]
    for block in (*blocks, *(rule.action for rule in program.rules)):
        yield from ((each.event, each.span) for each in block if isinstance(each, Raise))
    yield from ((timer.event, timer.span) for timer in program.timers if not is_state_timer(timer))
