"""A compiled spec as a machine of the package `transitions`: for its tools, and as an oracle for the statechart.

`transitions` decides what fires, what is left and what is entered; expressions, actions, orders and errors are the
reference's. So the two must agree on configurations, fired transitions and every cell, and a test holds them to it.

    for `tick` in `active`:   reference.select(tick)                machine.trigger("tick")
                              exits, action, entries          ->    on_exit, first on_enter, on_enter
                              commit, or drop the microstep         commit, or stand where it stood

What each side has that the other has not:
    internal events     the reference's queue feeds them to the machine, one trigger each
    `always`            triggered as ``(always)`` whenever the reference looks for eventless transitions
    `error.*`, `*`      added once for every event that they match
    errors              the machine is set back to where it stood; `fail_safe` is a trigger of its own
    the initial entry   `transitions` enters no initial state: the reference runs those entries

It holds one region. Refused is what `transitions` lacks (history, timers, several targets, internal transitions, what an
initial transition does), and where it differs from W3C SCXML: a transition from a state to one inside it leaves and enters
the outer state there, and does not here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from transitions.extensions.nesting import HierarchicalMachine, NestedState

from ..evaluate import Failure
from ..intake import Refusal, in_order
from ..ir import Event, Program, Rule, State, Value
from ..load import Compiled
from ..semantics import FAIL_SAFE, Reference, Run
from ..snapshot import Snapshot
from ..statechart import Entry, Tree
from ..step import Step
from ..vocabulary import BUILTIN_EVENTS, matches
from ..work import Dropped, Occurrence, Stopped, Work

__all__ = ["Adapter", "UnsupportedChart", "to_transitions"]

ALWAYS = "(always)"
TO_FAIL_SAFE = "(fail_safe)"


class UnsupportedChart(ValueError):
    """A statechart that `transitions` cannot hold, or would run in another way than W3C SCXML."""


class _State(NestedState):
    # The default is an underscore, which names of states have in them.
    separator = "."


class _Machine(HierarchicalMachine):
    state_cls = _State


class _Model:
    """What `transitions` moves; `state` is the dotted path of the active leaf."""

    state: str
    trigger: Callable[..., bool]


Input = Callable[["_TransitionsRun"], tuple[Snapshot, Step]]


def to_transitions(compiled: Compiled) -> Adapter:
    """Return a new machine of `transitions` that does what the spec says.

    Raises:
        UnsupportedChart: `transitions` lacks something that the spec has, or reads a transition in another way.
    """
    return Adapter(compiled)


class Adapter:
    """A running spec whose statechart is a `transitions` machine.

    `machine` is for looking at: its states, its triggers (one for each event), its diagrams. Events come in through
    `send`, which also keeps the clock, the marks and the ledger; a trigger called past it is refused.
    """

    def __init__(self, compiled: Compiled) -> None:
        program = compiled.program
        if reasons := tuple(_differences(program)):
            raise UnsupportedChart("; ".join(reasons))
        self.program = program
        self.reference = Reference(program, compiled.parameters, compiled.registry)
        self._snapshot = self.reference.initial()
        ancestors = self.reference.tree.ancestors
        self._paths = {name: ".".join((*reversed(above), name)) for name, above in ancestors.items()}
        self._run: _TransitionsRun | None = None
        self._model = _Model()
        self.machine = _Machine(
            model=self._model,
            states=self._states(None),
            initial=self._paths[program.initial[0]],
            auto_transitions=False,
            ignore_invalid_triggers=True,
        )
        for event in (*_events(program), ALWAYS, TO_FAIL_SAFE):
            for rule in _rules(program, event):
                self._add(event, rule)

    @property
    def configuration(self) -> tuple[str, ...]:
        """The active leaf, as `transitions` has it; empty before the start."""
        return (self.leaf,) if self._snapshot.configuration else ()

    @property
    def leaf(self) -> str:
        """The active leaf, which `transitions` has before the first event too."""
        return self._model.state.rsplit(".", 1)[-1]

    def snapshot(self) -> Snapshot:
        """Return the whole state as a value."""
        return self._snapshot

    def send(self, event: str, time_ns: int, /, **fields: object) -> Step:
        """Process one event and return what it did, as `Machine.send` does."""

        def happen(run: _TransitionsRun) -> tuple[Snapshot, Step]:
            try:
                values = in_order(self.program, event, fields)
            except Refusal as refusal:
                return run.refuse(str(refusal))
            return run.event(event, time_ns, values)

        return self._take(happen)

    def advance(self, time_ns: int) -> Step:
        """Let time pass and return what that did, as `Machine.advance` does."""
        return self._take(lambda run: run.advance(time_ns))

    def _take(self, happen: Input) -> Step:
        if self._snapshot.ended:
            self._snapshot, step = self.reference.refuse(self._snapshot, "the machine has ended")
        else:
            self._snapshot, step = self.process(self._snapshot, happen)
        assert self.configuration == self._snapshot.configuration
        return step

    def process(self, snapshot: Snapshot, happen: Input) -> tuple[Snapshot, Step]:
        """Let one input happen to a snapshot; what the machine calls meanwhile goes to its run."""
        outer, self._run = self._run, _TransitionsRun(self, snapshot)
        try:
            return happen(self._run)
        finally:
            self._run = outer

    # ---------------------------------------------------------------------------------------------- the machine's parts

    def _states(self, parent: str | None) -> list[dict[str, Any]]:
        found = []
        for state in self.program.states:
            if state.parent != parent:
                continue
            made: dict[str, Any] = {
                "name": state.name,
                "on_enter": [self._calls(partial(_TransitionsRun.enter, state=state))],
                "on_exit": [self._calls(partial(_TransitionsRun.leave, state=state))],
                "final": state.kind == "final",
            }
            if state.kind == "compound":
                made |= {"children": self._states(state.name), "initial": state.initial[0]}
            found.append(made)
        return found

    def _add(self, event: str, rule: Rule) -> None:
        self.machine.add_transition(
            event,
            self._paths[rule.source],
            self._paths[rule.targets[0]] if rule.targets else None,
            conditions=[self._calls(lambda run: run.holds(rule))],
            before=[self._calls(lambda run: run.begin(rule))],
            after=[self._calls(lambda run: run.finish())],
        )

    def _calls(self, callback: Callable[[_TransitionsRun], bool | None]) -> Callable[..., bool | None]:
        """Return a callback of the machine that goes to the event in progress."""

        def called(*_: object) -> bool | None:
            if self._run is None:
                raise RuntimeError("send events through `Adapter.send`, which keeps the clock and the ledger")
            return callback(self._run)

        return called

    def stand(self, state: str) -> None:
        """Put the machine into a state without leaving or entering anything."""
        self.machine.set_state(self._paths[state], self._model)

    def trigger(self, event: str) -> None:
        if event in self.machine.events:
            self._model.trigger(event)


def _differences(program: Program) -> Iterator[str]:
    """Yield why `transitions` cannot run a program as W3C SCXML does."""
    tree = Tree(program.states)
    for state in program.states:
        if state.kind in ("parallel", "history"):
            yield f"`{state.name}` is a {state.kind} state"
        elif state.kind == "compound" and tuple(map(tree.parent, state.initial)) != (state.name,):
            yield f"the initial transition of `{state.name}` leads to more than a state directly inside it"
        if state.kind == "compound" and state.initially:
            yield f"the initial transition of `{state.name}` has steps"
        if state.fail_safe is not None:
            yield f"`{state.name}` has a fail_safe of its own"
    if len(program.initial) != 1:
        yield f"{len(program.initial)} states are entered first"
    for timer in program.timers:
        yield f"`{timer.name}` is a timer"
    for rule in program.rules:
        if len(rule.targets) > 1:
            yield f"`{rule.name}` has {len(rule.targets)} targets"
        elif rule.targets and rule.internal:
            yield f"`{rule.name}` is internal"
        elif rule.targets and tree.is_descendant(rule.targets[0], rule.source):
            yield (
                f"`{rule.name}` leads from `{rule.source}` to `{rule.targets[0]}` inside it: W3C SCXML leaves and enters "
                f"`{rule.source}`, `transitions` does not"
            )


def _events(program: Program) -> tuple[str, ...]:
    done = (f"done.state.{state.name}" for state in program.states if state.kind == "compound")
    return (*(event.name for event in program.events), *BUILTIN_EVENTS, *done)


def _rules(program: Program, event: str) -> tuple[Rule, ...]:
    """Return the transitions that an event may fire, in document order."""
    if event == ALWAYS:
        return tuple(rule for rule in program.rules if not rule.events)
    if event != TO_FAIL_SAFE:
        return tuple(rule for rule in program.rules if matches(rule.events, event))
    target = program.fail_safe
    if target is None:
        return ()
    span = program.state(target).span
    # Every leaf but the target and those that end the machine: a final state inside another can still fail.
    leaves = (
        state.name
        for state in program.states
        if state.name != target and (state.kind == "atomic" or (state.kind == "final" and state.parent is not None))
    )
    return tuple(Rule(FAIL_SAFE, leaf, (), None, (target,), False, (), (), span) for leaf in leaves)


class _TransitionsRun(Run):
    """The processing of one event: the reference's, with `transitions` in the place of its statechart."""

    def __init__(self, adapter: Adapter, snapshot: Snapshot) -> None:
        super().__init__(adapter.reference, snapshot, {})
        self.adapter = adapter
        self.chosen: list[Rule] = []
        """The transition that fires now, or has fired."""
        self.work = self.state
        self.acted = False
        self.dropped: Dropped | None = None

    # ------------------------------------------------------------------------------------------- what `transitions` calls

    def holds(self, rule: Rule) -> bool:
        return self._asked(self._leaf(), rule).outcome == "true"

    def begin(self, rule: Rule) -> None:
        self.chosen = [rule]
        self.work, self.acted, self.dropped = self.state.copy(), False, None
        self._carry_out(lambda work: work.run(rule.measure, rule))

    def leave(self, state: State) -> None:
        self._carry_out(lambda work: work.run(state.exit + state.leave, *self.chosen))
        self.work.active.discard(state.name)

    def enter(self, state: State) -> None:
        # All that is left has been left, and nothing is entered yet: the transition's own action stands between.
        self._act()
        (rule,) = self.chosen
        self._carry_out(lambda work: self._enter(state.name, Entry(), work, rule, False))

    def finish(self) -> None:
        self._act()
        self._carry_out(Work.settle_orders)
        self._carry_out(Work.check)
        self._carry_out(Work.pass_gates)

    def _act(self) -> None:
        if not self.acted:
            self.acted = True
            (rule,) = self.chosen
            self._carry_out(lambda work: work.run(rule.action, rule))

    def _carry_out(self, part: Callable[[Work], None]) -> None:
        # An exception would leave `transitions` between two states: the failure waits until it has arrived.
        if self.dropped is None:
            try:
                part(self.work)
            except Dropped as dropped:
                self.dropped = dropped

    # ------------------------------------------------------------------------------------------- what the reference calls

    def _refused(self, reason: str) -> tuple[Snapshot, Step]:
        # It starts over as a run of its own, which the machine is to call.
        return self.adapter.process(self.snapshot, lambda run: run.refuse(reason))

    def _open(self, event: Event | None, time: int, fields: Mapping[str, Value]) -> Occurrence | None:
        occurrence = super()._open(event, time, fields)
        assert self.adapter.leaf == self._leaf()
        return occurrence

    def _select(self, occurrence: Occurrence | None) -> list[Rule]:
        """Let `transitions` select a transition and carry it out on a copy; `_microstep` commits that or drops it."""
        self.chosen = []
        self.adapter.trigger(ALWAYS if occurrence is None else occurrence.name)
        return self.chosen

    def transitions(self, rules: Sequence[Rule], work: Work, *, bare: bool = False) -> None:
        (rule,) = rules
        if bare:
            super().transitions(rules, work, bare=True)
            self.adapter.stand(rule.targets[0])
            return
        if rule.name == FAIL_SAFE:
            self.adapter.trigger(TO_FAIL_SAFE)
        if self.dropped is not None:
            self.adapter.stand(self._leaf())
            # The reference knows the rule to drop as its own.
            if isinstance(self.dropped, Stopped):
                raise Stopped(rule, self.dropped.verdicts, by_gates=self.dropped.by_gates)
            raise Dropped(rule, Failure(str(self.dropped)))
        for part in Work.__slots__:
            setattr(work, part, getattr(self.work, part))

    def _diverge(self) -> None:
        self.adapter.stand(self._leaf())
        super()._diverge()

    def _leaf(self) -> str:
        (leaf,) = self.tree.atoms(self.state.active)
        return leaf
