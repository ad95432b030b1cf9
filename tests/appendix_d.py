"""The algorithm of W3C SCXML, Appendix D, written down a second time, so that the engine has something to be held to.

It reads the `machine` of a spec as plain data, builds a tree of its own and knows control flow only: states, transitions,
`raise`, and guards that ask `In(state)`. Procedures have the names and the order of statements of the appendix. Two things
are not in it: a machine that is parallel as a whole ends with its regions, and a macrostep has an end.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Interpreter", "NeverSettles"]

MICROSTEPS = 1000
SCXML = "(scxml)"

Data = Mapping[str, Any]


class NeverSettles(Exception):
    """A macrostep that does not end."""


@dataclass(eq=False)
class State:
    """An element `<scxml>`, `<state>`, `<parallel>`, `<final>` or `<history>`."""

    id: str
    tag: str
    parent: State | None
    order: int
    onentry: list[str] = field(default_factory=list)
    onexit: list[str] = field(default_factory=list)
    children: list[State] = field(default_factory=list)
    history: list[State] = field(default_factory=list)
    transition: list[Transition] = field(default_factory=list)
    initial: Transition | None = None
    """The initial transition; of a history state its default one."""
    type: str = ""
    """Of a history state: shallow or deep."""


@dataclass(eq=False)
class Transition:
    name: str
    source: State | None
    event: list[str]
    cond: Callable[[], bool]
    targets: list[str]
    target: list[State] = field(default_factory=list)
    type: str = "external"
    content: list[str] = field(default_factory=list)
    """The events that its content raises."""


class OrderedSet(list[State]):
    """A set that keeps the order in which its members were added."""

    def add(self, state: State) -> None:
        if state not in self:
            self.append(state)


class Interpreter:
    """A machine that runs; `configuration` is what is active."""

    def __init__(self, machine: Data) -> None:
        self.states: dict[str, State] = {}
        self.root = State(SCXML, "scxml", None, 0)
        self.is_parallel = bool(machine.get("parallel"))
        around = self.root
        if self.is_parallel:
            around = self._state("machine", {"parallel": True}, self.root)
        self._children(around, machine["states"])
        first = ["machine"] if self.is_parallel else _names(machine["initial"])
        self.root.initial = Transition("", self.root, [], lambda: True, first)
        for state in (self.root, *self.states.values()):
            for transition in (*state.transition, *([state.initial] if state.initial else ())):
                transition.target = [self.states[name] for name in transition.targets]
        self.configuration = OrderedSet()
        self.history_value: dict[str, list[State]] = {}
        self.internal_queue: deque[str] = deque()
        self.running = False
        self.fired: list[str] = []
        self.raised: list[str] = []

    # ------------------------------------------------------------------------------------------------- the document

    def _children(self, parent: State, states: Data) -> None:
        for name, body in states.items():
            self._state(name, body, parent)

    def _state(self, name: str, body: Data, parent: State) -> State:
        tag = "history" if "history" in body else "final" if body.get("final") else "state"
        if body.get("parallel"):
            tag = "parallel"
        state = State(name, tag, parent, len(self.states) + 1, _raises(body.get("entry")), _raises(body.get("exit")))
        self.states[name] = state
        if tag == "history":
            state.type = body["history"]
            state.initial = self._default(state, body["default"])
            parent.history.append(state)
            return state
        parent.children.append(state)
        for descriptors, written in body.get("on", {}).items():
            for each in _listed(written):
                state.transition.append(self._transition(state, descriptors.split(), each))
        for each in _listed(body.get("always", [])):
            state.transition.append(self._transition(state, [], each))
        if "states" in body:
            self._children(state, body["states"])
            if tag == "state":
                state.initial = self._default(state, body["initial"])
        return state

    def _default(self, state: State, written: Any) -> Transition:
        body = written if isinstance(written, Mapping) else {"to": written}
        return Transition("", state, [], lambda: True, _names(body["to"]), content=_raises(body.get("do")))

    def _transition(self, state: State, event: list[str], body: Data) -> Transition:
        return Transition(
            body["name"],
            state,
            event,
            self._condition(body.get("if")),
            _names(body.get("to", [])),
            type="internal" if body.get("internal") else "external",
            content=_raises(body.get("do")),
        )

    def _condition(self, written: str | None) -> Callable[[], bool]:
        if written is None:
            return lambda: True
        found = re.fullmatch(r"(not )?In\((\w+)\)", written)
        assert found, written
        return lambda: (self.states[found[2]] in self.configuration) is (found[1] is None)

    # ------------------------------------------------------------------------------------------------------ from outside

    def start(self) -> None:
        """Procedure interpret, up to its wait for an event."""
        self.running = True
        assert self.root.initial is not None
        self.enter_states([self.root.initial])
        self.main_event_loop(None)

    def send(self, event: str) -> None:
        """Take an event from outside, and run until the next one is waited for."""
        if self.running:
            self.main_event_loop(event)

    @property
    def leaves(self) -> tuple[str, ...]:
        return tuple(state.id for state in sorted(self.configuration, key=_document_order) if is_atomic_state(state))

    # -------------------------------------------------------------------------------------------------------- Appendix D

    def main_event_loop(self, external_event: str | None) -> None:
        left = MICROSTEPS
        if external_event is not None:
            enabled = self.select_transitions(external_event)
            if enabled:
                self.microstep(enabled)
        macrostep_done = False
        while self.running and not macrostep_done:
            left -= 1
            if left < 0:
                raise NeverSettles
            enabled = self.select_eventless_transitions()
            if not enabled:
                if not self.internal_queue:
                    macrostep_done = True
                else:
                    enabled = self.select_transitions(self.internal_queue.popleft())
            if enabled:
                self.microstep(enabled)
        self.internal_queue.clear()

    def select_eventless_transitions(self) -> list[Transition]:
        return self._select(lambda t: not t.event and t.cond())

    def select_transitions(self, event: str) -> list[Transition]:
        return self._select(lambda t: bool(t.event) and name_match(t.event, event) and t.cond())

    def _select(self, is_enabled: Callable[[Transition], bool]) -> list[Transition]:
        enabled: list[Transition] = []
        for state in sorted(filter(is_atomic_state, self.configuration), key=_document_order):
            around = (state, *get_proper_ancestors(state, None))
            found = next((t for s in around for t in s.transition if is_enabled(t)), None)
            if found is not None and found not in enabled:
                enabled.append(found)
        return self.remove_conflicting_transitions(enabled)

    def remove_conflicting_transitions(self, enabled: list[Transition]) -> list[Transition]:
        filtered: list[Transition] = []
        for t1 in enabled:
            t1_preempted = False
            to_remove: list[Transition] = []
            for t2 in filtered:
                if any(state in self.compute_exit_set([t2]) for state in self.compute_exit_set([t1])):
                    if is_descendant(_source(t1), _source(t2)):
                        to_remove.append(t2)
                    else:
                        t1_preempted = True
                        break
            if not t1_preempted:
                for t3 in to_remove:
                    filtered.remove(t3)
                filtered.append(t1)
        return filtered

    def microstep(self, enabled: list[Transition]) -> None:
        self.exit_states(enabled)
        for t in enabled:
            self.fired.append(t.name)
            self.execute(t.content)
        self.enter_states(enabled)

    def execute(self, content: list[str]) -> None:
        for event in content:
            self.enqueue(event)

    def enqueue(self, event: str) -> None:
        self.raised.append(event)
        self.internal_queue.append(event)

    def exit_states(self, enabled: list[Transition]) -> None:
        states_to_exit = sorted(self.compute_exit_set(enabled), key=_document_order, reverse=True)
        for s in states_to_exit:
            for h in s.history:
                if h.type == "deep":
                    kept = [s0 for s0 in self.configuration if is_atomic_state(s0) and is_descendant(s0, s)]
                else:
                    kept = [s0 for s0 in self.configuration if s0.parent is s]
                self.history_value[h.id] = kept
        for s in states_to_exit:
            self.execute(s.onexit)
            self.configuration.remove(s)

    def compute_exit_set(self, transitions: list[Transition]) -> OrderedSet:
        states_to_exit = OrderedSet()
        for t in transitions:
            if t.target:
                domain = self.get_transition_domain(t)
                assert domain is not None
                for s in self.configuration:
                    if is_descendant(s, domain):
                        states_to_exit.add(s)
        return states_to_exit

    def enter_states(self, enabled: list[Transition]) -> None:
        states_to_enter, for_default_entry = OrderedSet(), OrderedSet()
        default_history_content: dict[str, list[str]] = {}
        self.compute_entry_set(enabled, states_to_enter, for_default_entry, default_history_content)
        for s in sorted(states_to_enter, key=_document_order):
            self.configuration.add(s)
            self.execute(s.onentry)
            if s in for_default_entry:
                assert s.initial is not None
                self.execute(s.initial.content)
            if default_history_content.get(s.id):
                self.execute(default_history_content[s.id])
            if s.tag == "final":
                parent = s.parent
                assert parent is not None
                if parent.tag == "scxml":
                    self.running = False
                else:
                    self.enqueue(f"done.state.{parent.id}")
                    grandparent = parent.parent
                    assert grandparent is not None
                    if grandparent.tag == "parallel" and all(map(self.is_in_final_state, grandparent.children)):
                        self.enqueue(f"done.state.{grandparent.id}")
        if self.is_parallel and self.is_in_final_state(self.states["machine"]):
            self.running = False

    def compute_entry_set(
        self,
        transitions: list[Transition],
        states_to_enter: OrderedSet,
        for_default_entry: OrderedSet,
        default_history_content: dict[str, list[str]],
    ) -> None:
        sets = states_to_enter, for_default_entry, default_history_content
        for t in transitions:
            for s in t.target:
                self.add_descendant_states_to_enter(s, *sets)
            ancestor = self.root if t is self.root.initial else self.get_transition_domain(t)
            for s in self.get_effective_target_states(t):
                self.add_ancestor_states_to_enter(s, ancestor, *sets)

    def add_descendant_states_to_enter(
        self,
        state: State,
        states_to_enter: OrderedSet,
        for_default_entry: OrderedSet,
        default_history_content: dict[str, list[str]],
    ) -> None:
        sets = states_to_enter, for_default_entry, default_history_content
        if state.tag == "history":
            assert state.parent is not None
            assert state.initial is not None
            if self.history_value.get(state.id):
                targets = self.history_value[state.id]
            else:
                default_history_content[state.parent.id] = state.initial.content
                targets = state.initial.target
            for s in targets:
                self.add_descendant_states_to_enter(s, *sets)
            for s in targets:
                self.add_ancestor_states_to_enter(s, state.parent, *sets)
        else:
            states_to_enter.add(state)
            if is_compound_state(state):
                assert state.initial is not None
                for_default_entry.add(state)
                for s in state.initial.target:
                    self.add_descendant_states_to_enter(s, *sets)
                for s in state.initial.target:
                    self.add_ancestor_states_to_enter(s, state, *sets)
            elif state.tag == "parallel":
                for child in state.children:
                    if not any(is_descendant(s, child) for s in states_to_enter):
                        self.add_descendant_states_to_enter(child, *sets)

    def add_ancestor_states_to_enter(
        self,
        state: State,
        ancestor: State | None,
        states_to_enter: OrderedSet,
        for_default_entry: OrderedSet,
        default_history_content: dict[str, list[str]],
    ) -> None:
        sets = states_to_enter, for_default_entry, default_history_content
        for anc in get_proper_ancestors(state, ancestor):
            states_to_enter.add(anc)
            if anc.tag == "parallel":
                for child in anc.children:
                    if not any(is_descendant(s, child) for s in states_to_enter):
                        self.add_descendant_states_to_enter(child, *sets)

    def is_in_final_state(self, s: State) -> bool:
        if is_compound_state(s):
            return any(child.tag == "final" and child in self.configuration for child in s.children)
        if s.tag == "parallel":
            return all(map(self.is_in_final_state, s.children))
        return False

    def get_transition_domain(self, t: Transition) -> State | None:
        tstates = self.get_effective_target_states(t)
        source = _source(t)
        if not tstates:
            return None
        if t.type == "internal" and is_compound_state(source) and all(is_descendant(s, source) for s in tstates):
            return source
        return find_lcca([source, *tstates])

    def get_effective_target_states(self, t: Transition) -> OrderedSet:
        targets = OrderedSet()
        for s in t.target:
            if s.tag == "history":
                assert s.initial is not None
                recorded = self.history_value.get(s.id)
                for each in recorded or self.get_effective_target_states(s.initial):
                    targets.add(each)
            else:
                targets.add(s)
        return targets


def find_lcca(states: list[State]) -> State:
    head, *tail = states
    for anc in get_proper_ancestors(head, None):
        if (is_compound_state(anc) or anc.tag == "scxml") and all(is_descendant(s, anc) for s in tail):
            return anc
    raise AssertionError("the document is around all states")


def get_proper_ancestors(state1: State, state2: State | None) -> list[State]:
    found = []
    parent = state1.parent
    while parent is not None and parent is not state2:
        found.append(parent)
        parent = parent.parent
    return found


def is_descendant(state1: State, state2: State) -> bool:
    return state2 in get_proper_ancestors(state1, None)


def is_compound_state(state: State) -> bool:
    return state.tag == "state" and bool(state.children)


def is_atomic_state(state: State) -> bool:
    return state.tag == "final" or (state.tag == "state" and not state.children)


def name_match(descriptors: Iterable[str], event: str) -> bool:
    """Section 3.12.1: equal, or a prefix of whole tokens; `*` matches all, and a `.*` at the end is no part of it."""
    tokens = event.split(".")
    for descriptor in descriptors:
        if descriptor == "*":
            return True
        wanted = descriptor.removesuffix(".*").split(".")
        if tokens[: len(wanted)] == wanted:
            return True
    return False


def _source(t: Transition) -> State:
    assert t.source is not None
    return t.source


def _document_order(state: State) -> int:
    return state.order


def _names(written: str | list[str]) -> list[str]:
    return [written] if isinstance(written, str) else list(written)


def _listed(written: Any) -> list[Data]:
    return list(written) if isinstance(written, list) else [written]


def _raises(written: Any) -> list[str]:
    """Return the events that a list of steps raises at once."""
    if written is None:
        return []
    steps = written if isinstance(written, list) else [written]
    return [step["raise"] for step in steps if "raise" in step and "after" not in step]
