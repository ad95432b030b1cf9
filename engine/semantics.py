"""The reference: what one event does to a machine, written to be read.

Every backend is held to `Reference.step` by one conformance suite. The algorithm is that of W3C SCXML, Appendix D (see
`engine.statechart`), with the departures that docs/semantics.md lists; the numbers below are the rules of the design that
a line carries out.

    refuse bad input -> due timers, each its own macrostep -> clock, carry, marks -> observe -> macrostep: select, exit,
    act, enter, check, gates, commit -> ... until stable -> judge the invariants -> release the orders
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, replace
from functools import cached_property
from types import MappingProxyType
from typing import Any, Literal

from .bound import Functions, Results
from .chart import FAIL_SAFE
from .evaluate import FLOAT, Arithmetic, Environment, Failure, evaluate
from .fills import shown
from .hearings import Hearings
from .intake import Refusal, accept_fields, accept_time
from .ir import NEVER, NOBODY, Approval, Cell, Event, Expr, Pool, Program, Rule, Timer, Value
from .monitors import monitor
from .printer import digest
from .registry import Registry
from .snapshot import Snapshot
from .statechart import MACHINE, ROOT, Entry, History, Tree
from .step import Order, Step, Verdict
from .vocabulary import ANSWERS, REJECTED, matches
from .work import Context, Dropped, Occurrence, Origin, Stopped, Work

__all__ = [
    "FAIL_SAFE",
    "MICROSTEPS",
    "QUEUED",
    "TIMERS",
    "Candidate",
    "Reference",
    "Run",
    "Selection",
]

MICROSTEPS = 1000
"""A macrostep of more microsteps than this does not settle: `error.divergence`."""
QUEUED = 10_000
"""A macrostep of more internal events than this, or with more of them waiting, does not settle either."""
TIMERS = 10_000
"""An event before which more timers than this fall due does not settle either."""
DIVERGENCES = 10
"""Nor does one before which the macrosteps of so many timers do not settle."""


class Reference:
    """A program with its parameters, stepped from snapshot to snapshot."""

    def __init__(
        self, program: Program, parameters: Mapping[str, Value], registry: Registry, arithmetic: Arithmetic = FLOAT
    ) -> None:
        self.program = program
        self.arithmetic = arithmetic
        self._bind(parameters)
        self.registry = registry
        self.lengths = {window.name: window.length for window in program.windows}
        self.cells = {cell.name: cell for cell in program.cells}
        self.states = {state.name: state for state in program.states}
        self.tree = Tree(program.states)
        self.events = {event.name: event for event in program.events}
        self.legs = {leg.name: index for index, leg in enumerate(program.legs)}
        self.places = {rule.name: place for place, rule in enumerate(program.rules)}
        self.rules: dict[str, list[Rule]] = {name: [] for name in self.states}
        for rule in program.rules:
            self.rules[rule.source].append(rule)
        self.regions = frozenset(part.region for part in program.parts)
        self.governed = _governed(program)
        self.approvals = {each.rule: each for each in program.approvals}
        self.waiting = {each.timer: each for each in program.approvals}
        """The approvals by their timers."""
        self.asks_growth = bool(program.gates) or not all(each.always for each in program.approvals)
        """Whether it matters which orders enlarge a leg."""
        pool = Pool()
        self.monitors = tuple(
            (name, claim if arithmetic.exact else monitor(pool, claim)) for name, claim in program.invariants
        )

    @cached_property
    def digest(self) -> str:
        """The digest of the program, as snapshots carry it."""
        return digest(self.program)

    @cached_property
    def functions(self) -> Functions:
        """The functions that the program calls, imported when the first one is."""
        return Functions(self.program, self.registry)

    def _bind(self, parameters: Mapping[str, Value]) -> None:
        self.given = MappingProxyType(dict(parameters))
        self.parameters: dict[str, Any] = {
            p.name: self.arithmetic.real(parameters[p.name]) if p.type == "real" else parameters[p.name]
            for p in self.program.parameters
        }

    def with_parameters(self, parameters: Mapping[str, Value]) -> Reference:
        """Return the same program with other parameters; it costs next to nothing."""
        other = copy(self)
        other.digest = self.digest  # computed once for all of them
        other._bind(parameters)
        return other

    def initial(self) -> Snapshot:
        """Return the state of a machine that has not started."""
        start = {name: self.typed(cell, cell.initial) for name, cell in self.cells.items()}
        windows: dict[str, tuple[float, ...]] = {window.name: () for window in self.program.windows}
        history: dict[str, tuple[str, ...]] = {name: () for name, s in self.states.items() if s.kind == "history"}
        return Snapshot(self.digest, self.given, None, (), start, windows, history)

    def step(
        self,
        snapshot: Snapshot,
        event: str,
        time_ns: object,
        values: Sequence[object] = (),
        results: Results | None = None,
        watch: list[Selection] | None = None,
    ) -> tuple[Snapshot, Step]:
        """Return what an event makes of a snapshot, and what it did.

        `results` holds what bound functions have returned within this event already, and collects what they return now: run
        again with what was collected, the event asks no function again. `watch` collects how transitions were selected.
        """
        if snapshot.ended:
            return _has_ended(snapshot)
        return Run(self, snapshot, {} if results is None else results, watch).event(event, time_ns, values)

    def advance(
        self,
        snapshot: Snapshot,
        time_ns: object,
        watch: list[Selection] | None = None,
        results: Results | None = None,
    ) -> tuple[Snapshot, Step]:
        """Return what the passing of time alone makes of a snapshot; a machine that needs no event to start starts."""
        kept: Results = {} if results is None else results
        return _has_ended(snapshot) if snapshot.ended else Run(self, snapshot, kept, watch).advance(time_ns)

    def refuse(
        self,
        snapshot: Snapshot,
        reason: str,
        watch: list[Selection] | None = None,
        results: Results | None = None,
    ) -> tuple[Snapshot, Step]:
        """Return what a refused input makes of a snapshot: the machine sees `input.rejected`, clock and marks stand."""
        kept: Results = {} if results is None else results
        return _has_ended(snapshot) if snapshot.ended else Run(self, snapshot, kept, watch).refuse(reason)

    def fail_safes(self, source: str | None, active: Collection[str]) -> list[tuple[str, str]]:
        """Return where an unhandled error of a state leads: pairs of the state that says so (or ROOT) and the target.

        The innermost active state around it decides. An error of the whole chart, where the chart has no fail-safe
        state, leads each active part that has one there.
        """
        around = () if source is None else (source, *self.tree.ancestors[source])
        for name in around:
            target = self.states[name].fail_safe
            if target is not None and name in active:
                return [(name, target)]
        if self.program.fail_safe is not None:
            return [(ROOT, self.program.fail_safe)]
        if source is not None:
            return []
        inside = [(s.name, s.fail_safe) for s in self.program.states if s.fail_safe is not None and s.name in active]
        outer = {name for name, _ in inside}
        return [each for each in inside if outer.isdisjoint(self.tree.ancestors[each[0]])]

    def part(self, state: str) -> str | None:
        """Return the region of the part that a state belongs to."""
        around = () if state == ROOT else (state, *self.tree.ancestors[state])
        return next((name for name in around if name in self.regions), None)

    def oversees(self, state: str, source: str) -> bool:
        """Return whether a state is of a part that governs the part of another one."""
        scope = self.governed.get(self.part(state))
        return scope is not None and source.startswith(scope)

    def typed(self, cell: Cell, value: Any) -> Any:
        return self.arithmetic.real(value) if cell.type == "real" else value


def _governed(program: Program) -> dict[str | None, str]:
    """Return what the names of all states begin with that a part governs, by its region: one without legs governs.

    It sees the orders that gates have stopped in its composition: that of its user, or its own where it uses others.
    """
    # What a part is given, what fills its orders and what it observes last are parts of their own, in parentheses.
    parts = [part for part in program.parts if not part.name.endswith(")")]
    names = sorted((part.name for part in parts), key=len)
    holders = {next(n for n in reversed(names) if leg.name.startswith(f"{n}." if n else "")) for leg in program.legs}
    found: dict[str | None, str] = {}
    for part in parts:
        around = part.name if part.region != part.name else part.name.rpartition(".")[0]
        # Where nothing around it has legs either, its gates judge the orders of whoever uses that.
        while around and not any(leg.name.startswith(f"{around}.") for leg in program.legs):
            around = around.rpartition(".")[0]
        if part.region and part.name not in holders:
            found[part.region] = f"{around}." if around else ""
    return found


def _has_ended(snapshot: Snapshot) -> tuple[Snapshot, Step]:
    where = snapshot.configuration
    return snapshot, Step((), where, where, rejected="the machine has ended")


# ------------------------------------------------------------------------------------------------------ what is watched


@dataclass(frozen=True, slots=True)
class Candidate:
    """A transition that an event might have taken, for one active leaf, in the order of selection."""

    leaf: str
    rule: Rule
    outcome: Literal["true", "false", "failed", "waits", "not asked"]
    reason: str = ""


@dataclass(slots=True)
class Selection:
    """How the transitions of one microstep were selected; `event` is None for eventless ones."""

    event: str | None
    origin: Origin
    time_ns: int
    environment: Environment
    history: History
    candidates: list[Candidate]
    preempted: tuple[str, ...]
    fired: tuple[str, ...] = ()
    dropped: tuple[tuple[str, str], ...] = ()
    """Transitions that failed, and why."""


class Run:
    """The processing of one event, or of the passing of time."""

    work_type = Work
    """What changes the state; a proof puts one in its place that works on symbols."""

    def __init__(
        self, reference: Reference, snapshot: Snapshot, results: Results, watch: list[Selection] | None = None
    ) -> None:
        self.reference = reference
        self.program = reference.program
        self.tree = reference.tree
        self.arithmetic = reference.arithmetic
        self.snapshot = snapshot
        self.watch = watch
        self.context = Context(reference, results, 0 if snapshot.time_ns is None else snapshot.time_ns)
        active = self.tree.with_ancestors(snapshot.configuration)
        self.state = self.work_type(
            self.context, dict(snapshot.cells), dict(snapshot.windows), set(active), dict(snapshot.history)
        )
        self.hearings = Hearings(self)
        self.queue: deque[Occurrence] = deque()
        self.fired: list[str] = []
        self.orders: list[Order] = []
        self.raised: list[str] = []
        self.errors: list[str] = []
        self.verdicts: list[Verdict] = []
        self.timers: list[tuple[str, int]] = []
        self.broken: dict[str, None] = {}
        self.divergences = 0
        self.told: set[str] = set()
        """Eventless transitions whose guard has failed in this macrostep."""
        self.failed: set[str] = set()
        """Transitions that were dropped in this macrostep."""

    # ------------------------------------------------------------------------------------------------------- an input

    def event(self, name: str, time_ns: object, values: Sequence[object]) -> tuple[Snapshot, Step]:
        """Process an event from outside."""
        try:
            if name not in self.reference.events:
                raise Refusal(f"unknown event `{name}`")
            event = self.reference.events[name]
            time = accept_time(time_ns, self.snapshot.time_ns)
            fields = accept_fields(event, values, self.arithmetic)
            if self.snapshot.configuration:
                self._fire_timers(time)
            self.take(event, time, fields)
        except Refusal as refusal:
            return self._refused(str(refusal))
        return self._finish()

    def take(self, event: Event | None, time: int, fields: Mapping[str, Value]) -> None:
        """Carry an accepted event through its macrostep, before which no timer is due; the first one starts the machine.

        Without an event a machine starts that needs none.

        Raises:
            Refusal: the machine cannot start with it, or its marks cannot be set.
        """
        person = None if event is None else event.person
        self.context.person = NOBODY if event is None or person is None else fields[f"{event.name}.{person.name}"]
        if not self.snapshot.configuration:
            occurrence = self._open(event, time, fields)
        else:
            assert event is not None
            occurrence = self._move(event, time, fields)
        self.context.fields = fields
        self._macrostep(occurrence)

    def advance(self, time_ns: object) -> tuple[Snapshot, Step]:
        """Let time pass."""
        try:
            time = accept_time(time_ns, self.snapshot.time_ns)
            if not self.snapshot.configuration:
                self.take(None, time, {})
            else:
                self._fire_timers(time)
                self.context.clock = time
        except Refusal as refusal:
            return self._refused(str(refusal))
        return self._finish()

    def _refused(self, reason: str) -> tuple[Snapshot, Step]:
        """Refuse an input from where it came: no clock has moved, so timers that have fired by now fire again later."""
        if self.watch is not None:
            self.watch.clear()
        return self.reference.refuse(self.snapshot, reason, self.watch, self.context.results)

    def refuse(self, reason: str) -> tuple[Snapshot, Step]:
        """Leave clock and marks alone, and let the machine see `input.rejected` (rule 7)."""
        if not self.snapshot.configuration:
            return self.snapshot, Step((), (), (), rejected=reason)
        self.meet("input.rejected")
        return self._finish(reason)

    def meet(self, event: str) -> None:
        """Carry an event of the engine's own through a macrostep."""
        self.raise_(Occurrence(event))
        self._macrostep(None)

    def _open(self, event: Event | None, time: int, fields: Mapping[str, Value]) -> Occurrence | None:
        """Start the machine: marks, initial values, opening positions, observations, initial entries (rule 12)."""
        if event is not None and self.reference.approvals and event.name in ANSWERS:
            raise Refusal("nothing waits: the machine has not started")
        wanted = self.program.start_event
        if wanted is not None and (event is None or event.name != wanted):
            raise Refusal(f"the machine starts with its first `{wanted}`")
        work, self.context.clock, self.context.fields = self.state, time, fields
        try:
            if event is not None:
                work.run(event.marks)
            for index, part in enumerate(self.program.parts):
                observe = () if event is None else event.observe[index]
                for block in (part.begin, part.endow, observe, part.endow_late):
                    work.run(block)
            work.check()
        except Dropped as failure:
            raise Refusal(f"the machine cannot start: {failure}") from None
        self.context.before = dict(work.cells)
        entry = self.tree.entry_set(self.program.initial, ROOT, {})
        bare: set[str | None] = set()
        while True:
            entered = work.copy()
            try:
                self._enter_initially(entry, entered, bare)
                entered.settle_orders()
                entered.check()
                entered.pass_gates()
            except Dropped as dropped:
                # What the states of a region do on entry is undone as one; another region keeps what it did.
                failing = dropped.rule
                assert failing is not None
                bare.add(self.tree.region(failing.source))
                self._drop(f"entering `{failing.source}`", dropped, failing.source)
                continue
            self._commit(entered)
            return None if event is None else Occurrence(event.name, fields, "event")

    def _enter_initially(self, entry: Entry, work: Work, bare: set[str | None]) -> None:
        for name in entry.states:
            around = {None, *(each for each in (name, *self.tree.ancestors[name]))}
            place = self.reference.states[name].span
            # Each state enters under a rule of its own, so that its failure is known as its own.
            self._enter(name, entry, work, Rule("start", name, (), None, (), False, (), (), place), bool(around & bare))

    def _move(self, event: Event, time: int, fields: Mapping[str, Value]) -> Occurrence | None:
        """Move clock and marks and observe; return what goes on to the transitions."""
        work = self.state.copy()
        self.context.clock, self.context.fields = time, fields
        try:
            work.run(self.program.accrue)
            work.run(event.marks)
            work.check()
        except Dropped as failure:
            raise Refusal(str(failure) if event.leg else f"the marks cannot be set: {failure}") from None
        self._commit(work)
        blind: set[str] = set()
        for part, block in zip(self.program.parts, event.observe, strict=True):
            if not block or any(part.region == each or self._is_inside(part.region, each) for each in blind):
                continue
            observing = self.state.copy()
            try:
                observing.run(block)
                observing.check()
            except Dropped as failure:
                # None of it commits, and the event goes no further in what the part is about (rule 7).
                message = f"observing `{event.name}`{shown(self.program, event, fields, self.state.cells)}: {failure}"
                if part.region == "":
                    self.errors.append(message)  # no state is there to see it
                    continue
                self._fail(message, part.region)
                if part.region is None:
                    return None
                blind.add(part.region)
            else:
                self._commit(observing)
        return Occurrence(event.name, fields, "event", blind=frozenset(blind))

    def _is_inside(self, state: str | None, other: str) -> bool:
        return bool(state) and self.tree.is_descendant(str(state), other)

    # --------------------------------------------------------------------------------------------------------- timers

    def _fire_timers(self, until: int) -> None:
        """Fire what is due up to a time, in due order, then in document order, each as its own macrostep (rule 11)."""
        for _ in range(TIMERS):
            timer = self._next_timer(until)
            if timer is None or self._stopped():
                return
            if self.divergences >= DIVERGENCES:
                break
            self.fire(timer)
        if self._next_timer(until) is not None and not self._stopped():
            self._skip_timers(until)

    def _next_timer(self, until: int) -> Timer | None:
        cells = self.state.cells
        due = [timer for timer in self.program.timers if cells[timer.due] <= until and cells[timer.due] != NEVER]
        return min(due, key=lambda timer: cells[timer.due], default=None)

    def fire(self, timer: Timer) -> None:
        """Fire a timer that is due, as a macrostep of its own."""
        due = self.state.cells[timer.due]
        # What was left over when too many were due comes late; no clock goes back.
        self.context.clock, self.context.fields = max(due, self.context.clock), {}
        self.timers.append((timer.name, due))
        self.state.cells[timer.due] = NEVER if timer.period is None else self._due_again(timer, due)
        self.context.person = NOBODY
        if timer.person:
            self.context.person, self.state.cells[timer.person] = self.state.cells[timer.person], NOBODY
        occurrence: Occurrence | None = Occurrence(
            timer.event, {name: self.state.cells[cell] for name, cell in timer.fields}, "timer"
        )
        if timer.name in self.reference.waiting:
            occurrence = self.hearings.expire(self.reference.waiting[timer.name])
        work = self.state.copy()
        try:
            work.run(self.program.accrue)
            work.check()
        except Dropped as failure:
            self._fail(f"the carry up to `{timer.name}`: {failure}", None)
            occurrence = None
        else:
            self._commit(work)
        # A result is one value a macrostep, and this is another one than the event's.
        self.context.macrostep = len(self.timers)
        self._macrostep(occurrence)
        self.context.macrostep = 0

    def _due_again(self, timer: Timer, due: int) -> int:
        assert timer.period is not None
        return self.arithmetic.due(due, self.state.value(timer.period))

    def _skip_timers(self, until: int) -> None:
        """Give up on more timers than can be meant: what is due again and again goes on after the event."""
        for timer in self.program.timers:
            due = self.state.cells[timer.due]
            if due <= until and timer.period is not None:
                period = self._due_again(timer, 0)
                self.state.cells[timer.due] = min(due + ((until - due) // period + 1) * period, NEVER)
        too_many = self.divergences < DIVERGENCES
        what = f"more than {TIMERS:,} timers fell due before one event" if too_many else "timers do not settle"
        self.errors.append(what)
        self.context.macrostep = -1  # it comes before the event is observed
        self.meet("error.divergence")
        self.context.macrostep = 0

    # ------------------------------------------------------------------------------------------------------ a macrostep

    def _macrostep(self, external: Occurrence | None) -> None:
        """Run eventless transitions and internal events until none is left, then the event, then again; judge."""
        self.context.cautious, self.told, self.failed = set(), set(), set()
        cells, active, orders = dict(self.state.cells), frozenset(self.state.active), len(self.orders)
        self.context.before, self.context.was = cells, active
        self._settle(external)
        ordered = frozenset(order.leg for order in self.orders[orders:])
        env = replace(self.state.environment(), before=cells, was=active, ordered=ordered)
        for name, claim in self.reference.monitors:
            try:
                holds = evaluate(claim, env)
            except Failure:
                holds = False
            if not holds:
                self.broken[name] = None

    def _settle(self, external: Occurrence | None) -> None:
        kept = self.state.copy(), list(self.orders), list(self.fired), list(self.raised), list(self.hearings.told)
        outer = self.context.fields
        microsteps = events = 0
        while microsteps < MICROSTEPS and events < QUEUED and len(self.queue) <= QUEUED:
            if self._stopped():
                self.queue.clear()
                return
            rules = self._select(None)
            if not rules:
                if self.queue:
                    occurrence = self.queue.popleft()
                elif external is not None:
                    occurrence, external = external, None
                else:
                    self.context.fields = outer
                    return
                events += 1
                self.context.fields = occurrence.fields
                if self.reference.approvals and occurrence.origin == "event" and occurrence.name in ANSWERS:
                    self.hearings.answer(occurrence)
                    continue
                rules = self._select(occurrence)
                if not rules:
                    if occurrence.name.startswith("error."):
                        self._to_fail_safe(occurrence.source)
                    continue
            microsteps += 1
            self._microstep(rules)
        self.state, self.orders, self.fired, self.raised, self.hearings.told = kept
        self.context.fields = outer
        self._diverge()

    def _diverge(self) -> None:
        """Let a machine whose macrostep never settles, and was undone, act on that alone (rule 8)."""
        self.queue.clear()
        self.divergences += 1
        self.errors.append(f"the macrostep did not settle in {MICROSTEPS} microsteps and was undone")
        self.raised.append("error.divergence")
        rules = self._select(Occurrence("error.divergence"))
        if not rules or not self._microstep(rules):
            self._to_fail_safe(None)
        # What that raised is dropped: it might be what does not settle.
        self.queue.clear()

    def _select(self, occurrence: Occurrence | None) -> list[Rule]:
        """Return the transitions that fire together, after those that wait for people have been put to them."""
        asked: dict[str, Candidate] = {}
        heard: set[str] = set()
        dropped: dict[str, str] = {}
        while True:
            chosen, selection = self._enabled(occurrence, asked)
            new = [rule for rule in chosen if rule.name in self.reference.approvals and rule.name not in heard]
            if not new:
                break
            for rule in new:
                heard.add(rule.name)
                try:
                    if self.hearings.waits(self.reference.approvals[rule.name], rule):
                        asked[rule.name] = replace(asked[rule.name], outcome="waits", reason="people are asked now")
                except Dropped as failure:
                    dropped[rule.name] = str(failure)
                    self._give_up(rule, failure)
        if self.watch is not None and selection is not None and selection.candidates:
            selection.dropped = tuple(dropped.items())
            self.watch.append(selection)
        return [rule for rule in chosen if rule.name not in dropped]

    def _enabled(
        self, occurrence: Occurrence | None, asked: dict[str, Candidate]
    ) -> tuple[list[Rule], Selection | None]:
        """Return the transitions whose turn it is (selectTransitions, selectEventlessTransitions), and how that came.

        `asked` is what guards have said to this event already, and collects what they say now.
        """
        enabled: dict[str, Rule] = {}
        candidates: list[Candidate] = []
        for leaf in self.tree.atoms(self.state.active):
            found = False
            for name in (leaf, *self.tree.ancestors[leaf]):
                for rule in self.reference.rules[name]:
                    if not self._is_candidate(rule, occurrence):
                        continue
                    if found:
                        candidates.append(Candidate(leaf, rule, "not asked"))
                        continue
                    if rule.name not in asked:
                        asked[rule.name] = self._asked(leaf, rule)
                    if asked[rule.name].outcome == "true":
                        found = True
                        enabled[rule.name] = rule
                    candidates.append(replace(asked[rule.name], leaf=leaf))
                if found and self.watch is None:
                    break
        chosen = self.tree.without_conflicts(list(enabled.values()), self.state.active, self.state.history)
        if self.watch is None:
            return chosen, None
        lost = tuple(name for name, rule in enabled.items() if rule not in chosen)
        return chosen, self._selection(occurrence, candidates, lost)

    def _selection(
        self, occurrence: Occurrence | None, candidates: list[Candidate], lost: tuple[str, ...] = ()
    ) -> Selection:
        event = None if occurrence is None else occurrence.name
        origin: Origin = "eventless" if occurrence is None else occurrence.origin
        env = replace(self.state.environment(), cells=dict(self.state.cells))
        return Selection(event, origin, self.context.clock, env, dict(self.state.history), candidates, lost)

    def _is_candidate(self, rule: Rule, occurrence: Occurrence | None) -> bool:
        if occurrence is None:
            # One that failed would fail again, until nothing settles.
            return not rule.events and rule.name not in self.failed
        if not matches(rule.events, occurrence.name):
            return False
        around = (rule.source, *self.tree.ancestors[rule.source])
        return self._is_heard(rule, occurrence, around) and occurrence.blind.isdisjoint(around)

    def _is_heard(self, rule: Rule, occurrence: Occurrence, around: Collection[str]) -> bool:
        """Return whether what happened in one state is told to another: within its region, and to what governs it."""
        source = occurrence.source
        region = None if source is None else self.tree.region(source)
        if source is None or region is None or region in around:
            return True
        by_gates = occurrence.name == REJECTED and not occurrence.private
        return by_gates and self.reference.oversees(rule.source, source)

    def _asked(self, leaf: str, rule: Rule) -> Candidate:
        """Return what the guard of a transition says; one that waits for people is passed over."""
        approval = self.reference.approvals.get(rule.name)
        if approval is None:
            return self._guarded(leaf, rule, rule.guard)
        why = self.hearings.why_passed_over(approval)
        return Candidate(leaf, rule, "waits", why) if why else self._guarded(leaf, rule, approval.guard)

    def _guarded(self, leaf: str, rule: Rule, guard: Expr | None) -> Candidate:
        if guard is None:
            return Candidate(leaf, rule, "true")
        try:
            return Candidate(leaf, rule, "true" if self.state.value(guard) else "false")
        except Failure as failure:
            # The guard is false and later candidates are tried (rule 9); an eventless guard is told once an event.
            self.context.cautious.add(self.reference.part(rule.source))
            if rule.events or rule.name not in self.told:
                self.told.add(rule.name)
                self._fail(f"the guard of `{rule.name}`: {failure}", rule.source)
            return Candidate(leaf, rule, "failed", str(failure))

    def resume(self, approval: Approval, answer: Occurrence) -> Candidate:
        """Fire a transition alone for which somebody answered yes, if its guard holds now; return what that said."""
        rule = self.program.rules[self.reference.places[approval.rule]]
        leaf = next(
            leaf for leaf in self.tree.atoms(self.state.active) if rule.source in (leaf, *self.tree.ancestors[leaf])
        )
        candidate = self._guarded(leaf, rule, approval.guard)
        if self.watch is not None:
            self.watch.append(self._selection(answer, [candidate]))
        if candidate.outcome == "true":
            self._microstep([rule])
        return candidate

    def _to_fail_safe(self, source: str | None) -> None:
        """Enter what catches an error that nothing else took; what is active beside it stays (rule 10)."""
        for scope, target in self.reference.fail_safes(source, self.state.active):
            active = self.state.active
            ended = any(self.tree.kind(child) == "final" and child in active for child in self.tree.children[scope])
            if target in active or ended:
                continue
            around = (*(name for name in self.tree.ancestors[target] if name in active), ROOT)
            domain = next(name for name in around if self.tree.kind(name) == "compound")
            place = self.reference.states[target].span
            # INVARIANT: internal and from its own domain, it leaves what is in the domain and nothing else.
            self._enter_fail_safe(Rule(FAIL_SAFE, domain, (), None, (target,), True, (), (), place))

    def _enter_fail_safe(self, rule: Rule) -> None:
        work = self.state.copy()
        try:
            self.transitions([rule], work)
        except Dropped as dropped:
            # It cannot fail: where a step on the way does, none of them takes effect.
            self.errors.append(f"entering `{rule.targets[0]}`: {dropped}")
            work = self.state.copy()
            self.transitions([rule], work, bare=True)
        self._commit(work)
        self.fired.append(FAIL_SAFE)

    # ------------------------------------------------------------------------------------------------------ a microstep

    def _microstep(self, rules: Sequence[Rule]) -> bool:
        """Fire transitions together; one that fails is dropped whole, and the rest runs again (rule 8)."""
        rules = list(rules)
        dropped_here: list[tuple[str, str]] = []
        while rules:
            work = self.state.copy()
            try:
                self.transitions(rules, work)
            except Dropped as dropped:
                failing = dropped.rule
                assert failing is not None
                rules.remove(failing)
                dropped_here.append((failing.name, str(dropped)))
                self._give_up(failing, dropped)
                continue
            self._commit(work)
            self.fired += [rule.name for rule in rules]
            break
        if self.watch:
            self.watch[-1].fired = tuple(rule.name for rule in rules)
            self.watch[-1].dropped += tuple(dropped_here)
        return bool(rules)

    def _give_up(self, rule: Rule, dropped: Dropped) -> None:
        """Drop a transition that fails, for this macrostep."""
        self.failed.add(rule.name)
        self._drop(f"`{rule.name}`", dropped, rule.source)

    def transitions(self, rules: Sequence[Rule], work: Work, *, bare: bool = False) -> None:
        """Exit, act and enter (procedure microstep); `bare` runs nothing that could fail."""
        tree, states = self.tree, self.reference.states
        for rule in rules:
            work.run_checked(rule.measure, rule)
        left = {name: rule for rule in rules for name in tree.exit_set(rule, work.active, work.history)}
        for name in left:
            work.history.update(tree.recorded(name, work.active))
        for name in sorted(left, key=tree.order.__getitem__, reverse=True):
            if not bare:
                work.run(states[name].exit, left[name])
            work.run(states[name].leave, left[name])
            work.active.discard(name)
        for rule in rules:
            work.run(rule.action, rule)
        entered: list[tuple[str, Entry, Rule]] = []
        for rule in rules:
            domain = tree.domain(rule, work.history)
            if domain is not None:
                entry = tree.entry_set(rule.targets, domain, work.history)
                entered += [(name, entry, rule) for name in entry.states]
        for name, entry, rule in sorted(entered, key=lambda each: tree.order[each[0]]):
            self._enter(name, entry, work, rule, bare)
        work.settle_orders()
        work.check()
        work.pass_gates()

    def _enter(self, name: str, entry: Entry, work: Work, rule: Rule, bare: bool) -> None:
        """Enter one state (procedure enterStates); `bare` only notes that it is entered."""
        states, state = self.reference.states, self.reference.states[name]
        work.active.add(name)
        work.run(state.stamp, rule)
        if not bare:
            work.run(state.entry, rule)
            if name in entry.by_default:
                work.run(state.initially, rule)
            if name in entry.history:
                work.run(states[entry.history[name]].initially, rule)
        if state.kind == "final" and state.parent is not None:
            work.queue.append(Occurrence(f"done.state.{state.parent}"))
            above = states[state.parent].parent
            done = above is not None and self.tree.kind(above) == "parallel"
            if above is not None and done and self.tree.is_in_final_state(above, work.active):
                work.queue.append(Occurrence(f"done.state.{above}"))
                if above.endswith(f".{MACHINE}"):  # a part that is parallel as a whole has come to its end
                    work.queue.append(Occurrence(f"done.state.{states[above].parent}"))

    def _commit(self, work: Work) -> None:
        for occurrence in work.queue:
            self.raise_(occurrence)
        self.orders += work.orders
        self.state = work.copy()

    def _stopped(self) -> bool:
        """Return whether the chart has reached a final state of its own level: no transition follows."""
        return self.tree.is_finished(self.state.active)

    def raise_(self, occurrence: Occurrence) -> None:
        self.queue.append(occurrence)
        self.raised.append(occurrence.name)

    def _drop(self, what: str, dropped: Dropped, source: str) -> None:
        """Tell the region of a dropped transition why it was dropped."""
        if isinstance(dropped, Stopped):
            self.verdicts += dropped.verdicts
            self.raise_(Occurrence(REJECTED, source=source, private=not dropped.by_gates))
        else:
            self._fail(f"{what}: {dropped}", source)

    def _fail(self, message: str, source: str | None) -> None:
        self.errors.append(message)
        self.raise_(Occurrence("error.execution", source=source))

    def _finish(self, rejected: str | None = None) -> tuple[Snapshot, Step]:
        work, leaves = self.state, self.tree.atoms(self.state.active)
        # Until every fill is settled, marks still move.
        ended = self._stopped() and not any(work.cells[cell] for cell in self.program.unsettled)
        reference = self.reference
        snapshot = Snapshot(
            reference.digest, reference.given, self.context.clock, leaves, work.cells, work.windows, work.history, ended
        )
        step = Step(
            tuple(self.fired),
            self.snapshot.configuration,
            leaves,
            tuple(self.orders),
            tuple(self.raised),
            rejected,
            tuple(self.errors),
            tuple(self.broken),
            tuple(self.timers),
            tuple(self.verdicts),
            tuple(self.hearings.told),
        )
        return snapshot, step
