"""The reference: what one event does to a machine, written to be read.

Every backend is held to `Reference.step` by one conformance suite. The algorithm is that of W3C SCXML, Appendix D, with
the departures that docs/semantics.md lists; the numbers below are the rules of the design that a line carries out.

    refuse bad input -> clock, carry, marks -> observe -> macrostep: select, exit, act, enter, check, commit -> ...
    until stable -> release the orders -> judge the invariants
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from .bound import Functions, Results
from .chart import FAIL_SAFE, matches
from .evaluate import FLOAT, Arithmetic, Environment, Failure, evaluate
from .intake import Refusal, accept_fields, accept_time
from .ir import (
    Assign,
    Block,
    Call,
    Cell,
    Event,
    Expr,
    Let,
    Pool,
    Program,
    Propose,
    Push,
    Raise,
    Require,
    Rule,
    Source,
    State,
    Value,
)
from .monitors import monitor
from .printer import digest
from .registry import Registry
from .snapshot import Snapshot
from .step import Order, Step, orders_of

__all__ = ["FAIL_SAFE", "MICROSTEPS", "Reference", "Run", "Work"]

QUEUED = 10_000
"""A macrostep with more internal events waiting than this does not settle either."""
MICROSTEPS = 1000
"""A macrostep of more microsteps than this does not settle: `error.divergence`."""


class Reference:
    """A program with its parameters, stepped from snapshot to snapshot."""

    def __init__(
        self, program: Program, parameters: Mapping[str, Value], registry: Registry, arithmetic: Arithmetic = FLOAT
    ) -> None:
        self.program = program
        self.digest = digest(program)
        self.given = MappingProxyType(dict(parameters))
        self.arithmetic = arithmetic
        self.parameters = {
            p.name: arithmetic.real(parameters[p.name]) if p.type == "real" else parameters[p.name]
            for p in program.parameters
        }
        self.functions = Functions(program, registry)
        self.lengths = {window.name: window.length for window in program.windows}
        self.cells = {cell.name: cell for cell in program.cells}
        self.states = {state.name: state for state in program.states}
        self.order = {state.name: index for index, state in enumerate(program.states)}
        self.events = {event.name: event for event in program.events}
        self.ancestors = program.lineage()
        self.rules: dict[str, list[Rule]] = {name: [] for name in self.states}
        for rule in program.rules:
            self.rules[rule.source].append(rule)
        pool = Pool()
        self.monitors = tuple(
            (name, claim if arithmetic.exact else monitor(pool, claim)) for name, claim in program.invariants
        )

    def initial(self) -> Snapshot:
        """Return the state of a machine that has not started."""
        start = {name: self._typed(cell, cell.initial) for name, cell in self.cells.items()}
        return Snapshot(self.digest, self.given, None, (), start, {window.name: () for window in self.program.windows})

    def step(
        self,
        snapshot: Snapshot,
        event: str,
        time_ns: object,
        values: Sequence[object] = (),
        results: Results | None = None,
    ) -> tuple[Snapshot, Step]:
        """Return what an event makes of a snapshot, and what it did.

        `results` holds what bound functions have returned within this event already, and collects what they return now.
        """
        if snapshot.ended:
            reason = "the machine has ended"
            return snapshot, Step((), snapshot.configuration, snapshot.configuration, rejected=reason)
        run = Run(self, snapshot, {} if results is None else results)
        return run.refuse_or_process(event, time_ns, values)

    def refuse(self, snapshot: Snapshot, reason: str) -> tuple[Snapshot, Step]:
        """Return what a refused input makes of a snapshot: the machine sees `input.rejected`, clock and marks stand."""
        if snapshot.ended:
            return snapshot, Step((), snapshot.configuration, snapshot.configuration, rejected=reason)
        return Run(self, snapshot, {}).refuse(reason)

    def _typed(self, cell: Cell, value: Any) -> Any:
        return self.arithmetic.real(value) if cell.type == "real" else value


@dataclass(slots=True)
class _Proposal:
    leg: str
    after: Any
    rule: str


@dataclass(slots=True)
class Work:
    """The state that one transition may change, so that it can be dropped whole."""

    cells: dict[str, Any]
    windows: dict[str, tuple[float, ...]]
    configuration: tuple[str, ...]
    written: set[str] = field(default_factory=set)
    temps: dict[str, Value] = field(default_factory=dict)
    proposals: list[_Proposal] = field(default_factory=list)
    queue: list[tuple[str, dict[str, Value]]] = field(default_factory=list)

    @staticmethod
    def of(snapshot: Snapshot) -> Work:
        return Work(dict(snapshot.cells), dict(snapshot.windows), snapshot.configuration)

    def copy(self) -> Work:
        return Work(dict(self.cells), dict(self.windows), self.configuration)


class Run:
    """The processing of one event."""

    def __init__(self, reference: Reference, snapshot: Snapshot, results: Results) -> None:
        self.reference = reference
        self.program = reference.program
        self.arithmetic = reference.arithmetic
        self.snapshot = snapshot
        self.results = results
        self.clock = snapshot.time_ns
        self.state = Work.of(snapshot)
        self.fields: dict[str, Value] = {}
        self.queue: deque[tuple[str, dict[str, Value]]] = deque()
        self.fired: list[str] = []
        self.orders: list[Order] = []
        self.raised: list[str] = []
        self.errors: list[str] = []
        self.pending: list[Order] = []
        """Orders of the transition at hand, released with it."""
        self.cautious = False
        """A guard failed on this event, so nothing may increase exposure (rule 9)."""
        self.told: set[str] = set()

    # ------------------------------------------------------------------------------------------------------- an event

    def refuse_or_process(self, name: str, time_ns: object, values: Sequence[object]) -> tuple[Snapshot, Step]:
        try:
            if name not in self.reference.events:
                raise Refusal(f"unknown event `{name}`")
            event = self.reference.events[name]
            time = accept_time(time_ns, self.clock)
            fields = accept_fields(event, values, self.arithmetic)
            start = not self.snapshot.configuration
            if start and self.program.start_event not in (None, name):
                raise Refusal(f"the machine starts with its first `{self.program.start_event}`")
            observed = self._open(event, time, fields) if start else self._move(event, time, fields)
        except Refusal as refusal:
            return self.refuse(str(refusal))
        self.fields = fields
        before = self.state.configuration if not start else ()
        self.cells_before, self.was = dict(self.state.cells), self.state.configuration
        self._macrostep((name, fields) if observed else None)
        return self._finish(before, None)

    def refuse(self, reason: str) -> tuple[Snapshot, Step]:
        """Leave clock and marks alone, and let the machine see `input.rejected` (rule 7)."""
        configuration = self.snapshot.configuration
        if not configuration:
            return self.snapshot, Step((), (), (), rejected=reason)
        self.state, self.clock = Work.of(self.snapshot), self.snapshot.time_ns
        self.cells_before, self.was = dict(self.state.cells), configuration
        self._raise("input.rejected")
        self._macrostep(None)
        return self._finish(configuration, reason)

    def _open(self, event: Event, time: int, fields: dict[str, Value]) -> bool:
        """Start the machine: marks, initial values, observations, opening positions, initial entries (rule 12)."""
        program, work = self.program, self.state
        self.clock = time
        self.fields = fields
        try:
            for block in (event.marks, program.begin, program.endow, event.observe, program.endow_late):
                self._run_block(block, work, "start")
            self._check(work)
        except Failure as failure:
            raise Refusal(f"the machine cannot start: {failure}") from None
        region = program.regions[0]
        entered = (*reversed(self.reference.ancestors[region.initial]), region.initial)
        work.configuration = (region.initial,)
        opened = work.copy()
        try:
            for name in entered:
                self._enter(self.reference.states[name], work, "start")
            self._reached_final(self.reference.states[region.initial], work)
            self._settle_orders(work)
            self._check(work)
            self._commit(work)
        except Failure as failure:
            self.state = opened
            self._fail(f"entering `{region.initial}`: {failure}")
        return True

    def _move(self, event: Event, time: int, fields: dict[str, Value]) -> bool:
        """Move clock and marks and observe; return whether the event goes on to the transitions."""
        work = self.state
        assert self.clock is not None
        elapsed = self.arithmetic.seconds(time - self.clock)
        self.clock = time
        self.fields = fields
        try:
            work.temps["dt"] = elapsed
            self._run_block(self.program.accrue, work, "carry")
            self._run_block(event.marks, work, "marks")
            self._check(work)
        except Failure as failure:
            raise Refusal(f"the marks cannot be set: {failure}") from None
        self._commit(work)
        observing = self.state.copy()
        try:
            self._run_block(event.observe, observing, "observe")
            self._check(observing)
        except Failure as failure:
            # None of the observation commits, and the event goes no further (rule 7).
            self._fail(f"observing `{event.name}`: {failure}")
            return False
        self._commit(observing)
        return True

    # ------------------------------------------------------------------------------------------------------ a macrostep

    def _macrostep(self, external: tuple[str, dict[str, Value]] | None) -> None:
        """Run eventless transitions and internal events until none is left, then the external event, then again."""
        kept = self.state.copy(), list(self.orders), list(self.fired), list(self.raised)
        external_fields = self.fields
        for _ in range(MICROSTEPS):
            if self._stopped():
                return
            if len(self.queue) > QUEUED:
                break
            rule = self._select(None)
            if rule is None:
                if self.queue:
                    name, self.fields = self.queue.popleft()
                elif external is not None:
                    (name, self.fields), external = external, None
                else:
                    self.fields = external_fields
                    return
                rule = self._select(name)
                if rule is None:
                    if name.startswith("error."):
                        self._to_fail_safe()
                    continue
            self._microstep(rule)
        self.state, self.orders, self.fired, self.raised = kept
        self.fields = external_fields
        self._diverge()

    def _diverge(self) -> None:
        """Undo a macrostep that never settles, and let the machine act on that alone (rule 8)."""
        self.queue.clear()
        self.errors.append(f"the macrostep did not settle in {MICROSTEPS} microsteps and was undone")
        self.raised.append("error.divergence")
        rule = self._select("error.divergence")
        if rule is None or not self._microstep(rule):
            self._to_fail_safe()
        # What that raised is dropped: it might be what does not settle.
        self.queue.clear()

    def _select(self, event: str | None) -> Rule | None:
        """Return the first enabled transition, inner states first, then document order (SCXML selectTransitions)."""
        for leaf in self.state.configuration:
            for name in (leaf, *self.reference.ancestors[leaf]):
                for rule in self.reference.rules[name]:
                    if (rule.event is None) != (event is None):
                        continue
                    if (event is None or matches(rule.event or "", event)) and self._enabled(rule):
                        return rule
        return None

    def _enabled(self, rule: Rule) -> bool:
        if rule.guard is None:
            return True
        try:
            return bool(evaluate(rule.guard, self._environment(self.state)))
        except Failure as failure:
            # The guard is false and later candidates are tried (rule 9); an eventless guard is told once an event.
            self.cautious = True
            if rule.event is not None or rule.name not in self.told:
                self.told.add(rule.name)
                self._fail(f"the guard of `{rule.name}`: {failure}")
            return False

    def _to_fail_safe(self) -> None:
        target = self.program.fail_safe
        (leaf,) = self.state.configuration
        if target is None or leaf == target:
            return
        domain = next(
            (name for name in self.reference.ancestors[leaf] if name in self.reference.ancestors[target]),
            None,
        )
        above = self.reference.ancestors[target]
        between = above if domain is None else above[: above.index(domain)]
        place = self.reference.states[target].span
        rule = Rule(FAIL_SAFE, leaf, None, None, target, domain, (*reversed(between), target), (), (), place)
        self._microstep(rule)

    def _microstep(self, rule: Rule) -> bool:
        """Fire one transition, or drop it whole (rule 8); return whether it fired."""
        work = self.state.copy()
        queued = len(self.queue), len(self.raised)
        try:
            self._transition(rule, work)
        except Failure as failure:
            assert queued == (len(self.queue), len(self.raised))
            if rule.name == FAIL_SAFE:
                # Entering fail_safe cannot fail: where a step on the way does, none of them takes effect.
                self.pending = []
                self.errors.append(f"entering `{rule.target}`: {failure}")
                bare = self.state.copy()
                bare.configuration = (rule.entered[-1],)
                for name in rule.entered:
                    self._run_block(self.reference.states[name].stamp, bare, rule.name)
                self._commit(bare)
            else:
                self._fail(f"`{rule.name}`: {failure}")
                return False
        else:
            self._commit(work)
        self.fired.append(rule.name)
        return True

    def _transition(self, rule: Rule, work: Work) -> None:
        (leaf,) = work.configuration
        self._run_block(rule.measure, work, rule.name)
        if rule.target is not None:
            chain = (leaf, *self.reference.ancestors[leaf])
            left = chain if rule.domain is None else chain[: chain.index(rule.domain)]
            for name in left:
                self._run_block(self.reference.states[name].exit, work, rule.name)
        self._run_block(rule.action, work, rule.name)
        if rule.target is not None:
            work.configuration = (rule.entered[-1],)
            for name in rule.entered:
                self._enter(self.reference.states[name], work, rule.name)
            self._reached_final(self.reference.states[rule.entered[-1]], work)
        self._settle_orders(work)
        self._check(work)

    def _enter(self, state: State, work: Work, rule: str) -> None:
        self._run_block(state.stamp, work, rule)
        self._run_block(state.entry, work, rule)

    def _reached_final(self, state: State, work: Work) -> None:
        if state.kind == "final" and state.parent is not None:
            work.queue.append((f"done.state.{state.parent}", {}))

    def _settle_orders(self, work: Work) -> None:
        """Judge the proposals of a microstep together and book them, in the order of the legs."""
        for proposal in sorted(
            work.proposals, key=lambda each: [leg.name for leg in self.program.legs].index(each.leg)
        ):
            leg = self.program.leg(proposal.leg)
            held = work.cells[leg.quantity]
            if proposal.after == held:
                continue
            if self.cautious and abs(proposal.after) > abs(held):
                raise Failure(f"a guard failed on this event, so `{leg.name}` may not grow")
            price = work.cells[f"{leg.instrument}.price"]
            work.temps = {"after": proposal.after}
            self._run_block(leg.fill, work, proposal.rule)
            temps = work.temps
            costs = temps["notional"], temps["fee"], temps["slip"]
            made = orders_of(
                leg.name,
                leg.instrument,
                proposal.rule,
                leg.side == "short",
                held,
                temps["delta"],
                price,
                costs,
            )
            self.pending.extend(made)

    def _check(self, work: Work) -> None:
        """Check range and finiteness of what was written."""
        for name in sorted(work.written):
            cell, value = self.reference.cells[name], work.cells[name]
            if cell.type == "real" and not self.arithmetic.finite(value):
                raise Failure(f"`{name}` becomes {value}, which is not finite")
            if cell.type != "bool" and cell.low is not None and value < self.reference._typed(cell, cell.low):
                raise Failure(f"`{name}` becomes {value}, below {float(cell.low):g}")
            if cell.type != "bool" and cell.high is not None and value > self.reference._typed(cell, cell.high):
                raise Failure(f"`{name}` becomes {value}, above {float(cell.high):g}")

    def _commit(self, work: Work) -> None:
        for name, fields in work.queue:
            self._raise(name, fields)
        self.orders.extend(self.pending)
        self.pending = []
        self.state = work.copy()

    def _stopped(self) -> bool:
        """Return whether a final state of the outermost level is active: no transition follows."""
        return any(
            self.reference.states[leaf].kind == "final" and not self.reference.ancestors[leaf]
            for leaf in self.state.configuration
        )

    def _ended(self) -> bool:
        """Return whether the machine has stopped and every fill is settled; until then marks still move."""
        return self._stopped() and not any(self.state.cells[cell] for cell in self.program.unsettled)

    def _raise(self, name: str, fields: dict[str, Value] | None = None) -> None:
        self.queue.append((name, fields or {}))
        self.raised.append(name)

    def _fail(self, message: str) -> None:
        self.errors.append(message)
        self.pending = []
        self._raise("error.execution")

    def _finish(self, before: tuple[str, ...], rejected: str | None) -> tuple[Snapshot, Step]:
        work = self.state
        snapshot = Snapshot(
            self.reference.digest,
            self.reference.given,
            self.clock,
            work.configuration,
            work.cells,
            work.windows,
            self._ended(),
        )
        step = Step(
            tuple(self.fired),
            before,
            work.configuration,
            tuple(self.orders),
            tuple(self.raised),
            rejected,
            tuple(self.errors),
            self._broken(),
        )
        return snapshot, step

    def _broken(self) -> tuple[str, ...]:
        env = self._environment(self.state)
        env.before, env.was, env.ordered = self.cells_before, self.was, bool(self.orders)
        broken = []
        for name, claim in self.reference.monitors:
            try:
                if not evaluate(claim, env):
                    broken.append(name)
            except Failure:
                broken.append(name)
        return tuple(broken)

    # ----------------------------------------------------------------------------------------------------- instructions

    def _environment(self, work: Work) -> Environment:
        return Environment(
            self.reference.parameters,
            self.arithmetic,
            work.cells,
            {},
            self.fields,
            work.temps,
            self.clock or 0,
            work.configuration,
        )

    def _run_block(self, block: Block, work: Work, rule: str) -> None:
        for instruction in block:
            match instruction:
                case Let():
                    work.temps[instruction.temp] = self._value(instruction.value, work)
                case Assign():
                    values = [(name, self._value(expr, work)) for name, expr in instruction.targets]
                    work.cells.update(values)
                    work.written.update(name for name, _ in values)
                case Require():
                    if not self._value(instruction.condition, work):
                        raise Failure(instruction.reason)
                case Propose():
                    if any(proposal.leg == instruction.leg for proposal in work.proposals):
                        raise Failure(f"`{instruction.leg}` is ordered twice in one step")
                    work.proposals.append(_Proposal(instruction.leg, self._value(instruction.after, work), rule))
                case Raise():
                    self._queue_event(instruction, work)
                case Push():
                    window = next(each for each in self.program.windows if each.name == instruction.window)
                    value = self._value(instruction.value, work)
                    if not FLOAT.finite(value):
                        raise Failure(f"the window `{window.name}` is fed {value}, which is not finite")
                    work.windows[window.name] = (*work.windows[window.name], float(value))[-window.length :]
                case Call():
                    self._call(instruction, work)

    def _value(self, expr: Expr, work: Work) -> Any:
        return evaluate(expr, self._environment(work))

    def _queue_event(self, instruction: Raise, work: Work) -> None:
        values = [self._value(expr, work) for _, expr in instruction.fields]
        try:
            fields = accept_fields(self.reference.events[instruction.event], values, self.arithmetic)
        except Refusal as refusal:
            raise Failure(f"raising `{instruction.event}`: {refusal}") from None
        work.queue.append((instruction.event, fields))

    def _call(self, instruction: Call, work: Work) -> None:
        if any(len(work.windows[name]) < self.reference.lengths[name] for name in instruction.waits):
            return
        arguments = {name: self._argument(value, work) for name, value in instruction.arguments}
        found = self.reference.functions.call(instruction, arguments, self.results)
        for result, cell in instruction.into:
            work.cells[cell] = self.reference._typed(self.reference.cells[cell], found[result])
            work.written.add(cell)

    def _argument(self, value: Expr | Source, work: Work) -> object:
        if isinstance(value, Expr):
            found = self._value(value, work)
            return float(found) if value.type == "real" else found
        if value.kind == "literal":
            return value.text
        import numpy

        view = numpy.array(work.windows[value.text], dtype=numpy.float64)
        view.setflags(write=False)
        return view
