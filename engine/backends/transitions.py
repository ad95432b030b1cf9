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

It is refused where `transitions` differs from W3C SCXML: a transition from a state to one inside it leaves and enters
the outer state there, and does not here.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from transitions.extensions.nesting import HierarchicalMachine, NestedState

from ..chart import BUILTIN_EVENTS, matches
from ..evaluate import Failure
from ..intake import Refusal, in_order
from ..ir import Block, Event, Program, Rule, State
from ..load import Compiled
from ..semantics import FAIL_SAFE, Reference, Run, Work
from ..snapshot import Snapshot
from ..step import Step

__all__ = ["Adapter", "UnsupportedChart", "to_transitions"]

ALWAYS = "(always)"
TO_FAIL_SAFE = "(fail_safe)"


class UnsupportedChart(ValueError):
    """A statechart that `transitions` would run in another way than W3C SCXML."""


class _State(NestedState):
    # The default is an underscore, which names of states have in them.
    separator = "."


class _Machine(HierarchicalMachine):
    state_cls = _State


class _Model:
    """What `transitions` moves; `state` is the dotted path of the active leaf."""

    state: str
    trigger: Callable[..., bool]


def to_transitions(compiled: Compiled) -> Adapter:
    """Return a new machine of `transitions` that does what the spec says.

    Raises:
        UnsupportedChart: the spec has a transition that `transitions` reads in another way.
    """
    return Adapter(compiled)


class Adapter:
    """A running spec whose statechart is a `transitions` machine.

    `machine` is for looking at: its states, its triggers (one for each event), its diagrams. Events come in through
    `send`, which also keeps the clock, the marks and the ledger; a trigger called past it is refused.
    """

    def __init__(self, compiled: Compiled) -> None:
        program = compiled.program
        _must_agree(program)
        self.program = program
        self._reference = Reference(program, compiled.parameters, compiled.registry)
        self._snapshot = self._reference.initial()
        self._lineage = program.lineage()
        self._paths = {name: ".".join((*reversed(above), name)) for name, above in self._lineage.items()}
        self._run: _TransitionsRun | None = None
        self._model = _Model()
        self.machine = _Machine(
            model=self._model,
            states=self._states(None),
            initial=self._first(),
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
        run = self._run = _TransitionsRun(self, self._snapshot)
        try:
            if self._snapshot.ended:
                reason = "the machine has ended"
                return Step((), self._snapshot.configuration, self._snapshot.configuration, rejected=reason)
            try:
                values = in_order(self.program, event, fields)
            except Refusal as refusal:
                self._snapshot, step = run.refuse(str(refusal))
            else:
                self._snapshot, step = run.refuse_or_process(event, time_ns, values)
        finally:
            self._run = None
        assert self.configuration == self._snapshot.configuration
        return step

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
                made |= {"children": self._states(state.name), "initial": state.initial}
            found.append(made)
        return found

    def _first(self) -> str:
        """Return the outermost state entered first; `transitions` finds the rest of the way down itself."""
        leaf = self.program.regions[0].initial
        return (leaf, *self._lineage[leaf])[-1]

    def _add(self, event: str, rule: Rule) -> None:
        self.machine.add_transition(
            event,
            self._paths[rule.source],
            None if rule.target is None else self._paths[rule.target],
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


def _must_agree(program: Program) -> None:
    if len(program.regions) != 1:
        raise UnsupportedChart(f"`{program.name}` has {len(program.regions)} regions; the adapter takes one")
    lineage = program.lineage()
    for rule in program.rules:
        if rule.target is not None and rule.source in lineage[rule.target]:
            raise UnsupportedChart(
                f"`{rule.name}` leads from `{rule.source}` to `{rule.target}` inside it: W3C SCXML leaves and enters "
                f"`{rule.source}`, `transitions` does not"
            )


def _events(program: Program) -> tuple[str, ...]:
    done = (f"done.state.{state.name}" for state in program.states if state.kind == "compound")
    return (*(event.name for event in program.events), *BUILTIN_EVENTS, *done)


def _rules(program: Program, event: str) -> tuple[Rule, ...]:
    """Return the transitions that an event may fire, in document order."""
    if event == ALWAYS:
        return tuple(rule for rule in program.rules if rule.event is None)
    if event != TO_FAIL_SAFE:
        return tuple(rule for rule in program.rules if rule.event is not None and matches(rule.event, event))
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
    return tuple(Rule(FAIL_SAFE, leaf, None, None, target, None, (), (), (), span) for leaf in leaves)


class _TransitionsRun(Run):
    """The processing of one event: the reference's, with `transitions` in the place of its statechart."""

    def __init__(self, adapter: Adapter, snapshot: Snapshot) -> None:
        super().__init__(adapter._reference, snapshot, {})
        self.adapter = adapter
        self.rule: Rule | None = None
        """The transition that fires now, or has fired."""
        self.firing = ""
        self.action: Block = ()
        self.work = self.state
        self.acted = False
        self.failure: Failure | None = None

    # ------------------------------------------------------------------------------------------- what `transitions` calls

    def holds(self, rule: Rule) -> bool:
        return self._enabled(rule)

    def begin(self, rule: Rule) -> None:
        self.rule, self.firing, self.action = rule, rule.name, rule.action
        self.work, self.acted, self.failure = self.state.copy(), False, None
        self._carry_out(lambda work: self._run_block(rule.measure, work, rule.name))

    def leave(self, state: State) -> None:
        self._carry_out(lambda work: self._run_block(state.exit, work, self.firing))

    def enter(self, state: State) -> None:
        # All that is left has been left, and nothing is entered yet: the transition's own action stands between.
        self._act()
        self._carry_out(lambda work: self._run_block(state.stamp + state.entry, work, self.firing))
        self._carry_out(lambda work: self._reached_final(state, work))

    def finish(self) -> None:
        self._act()
        self._carry_out(lambda work: self._settle_orders(work))
        self._carry_out(lambda work: self._check(work))

    def _act(self) -> None:
        if not self.acted:
            self.acted = True
            self._carry_out(lambda work: self._run_block(self.action, work, self.firing))
            self.work.configuration = (self.adapter.leaf,)

    def _carry_out(self, part: Callable[[Work], None]) -> None:
        # An exception would leave `transitions` between two states: the failure waits until it has arrived.
        if self.failure is None:
            try:
                part(self.work)
            except Failure as failure:
                self.failure = failure

    # ------------------------------------------------------------------------------------------- what the reference calls

    def _open(self, event: Event, time: int, fields: dict[str, Any]) -> bool:
        went_on = super()._open(event, time, fields)
        (leaf,) = self.state.configuration
        assert self.adapter.leaf == leaf
        return went_on

    def _select(self, event: str | None) -> Rule | None:
        """Let `transitions` select a transition and carry it out on a copy; `_microstep` commits that or drops it."""
        self.rule = None
        self.adapter.trigger(ALWAYS if event is None else event)
        return self.rule

    def _transition(self, rule: Rule, work: Work) -> None:
        if rule.name == FAIL_SAFE:
            self.adapter.trigger(TO_FAIL_SAFE)
        if self.failure is not None:
            self.adapter.stand(str(rule.target) if rule.name == FAIL_SAFE else self.state.configuration[0])
            raise self.failure
        for part in Work.__slots__:
            setattr(work, part, getattr(self.work, part))

    def _diverge(self) -> None:
        self.adapter.stand(self.state.configuration[0])
        super()._diverge()
