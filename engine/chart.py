"""The statechart of a spec: its tree of states and its transitions, by name, before any expression is checked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import combinations
from typing import Literal

from .check import Location
from .diagnostics import Findings, Span, suggestion
from .model import DefaultShape, MachineShape, NodeShape, TransitionShape
from .record import Record
from .source import Document, Scalar
from .statechart import MACHINE, Tree
from .vocabulary import BUILTIN_EVENTS, matches

__all__ = ["FAIL_SAFE", "Chart", "Edge", "Kind", "Node", "read_chart"]

FAIL_SAFE = "fail_safe"
"""The name under which the engine's own transition to the fail-safe state is told."""

Kind = Literal["atomic", "compound", "parallel", "final", "history"]
Target = tuple[str, Location]
"""A state by name, and where the name is written."""


class Node(Record):
    """A state and where it stands.

    `initial` are the targets of its initial transition, of a history state those of its default one; a name that is
    wrong is told and left out.
    """

    name: str
    parent: str | None
    kind: Kind
    shape: NodeShape
    loc: Location
    initial: tuple[str, ...] = ()

    @property
    def deep(self) -> bool:
        return self.shape.history == "deep"


class Edge(Record):
    """A transition and where it stands; `name` is its own, or made from its place.

    `events` are its event descriptors (none: it is eventless), `event` is the declared event whose fields it can read:
    the only one that it takes. Targets that are wrong are told and left out.
    """

    name: str
    source: str
    events: tuple[str, ...]
    event: str | None
    targets: tuple[str, ...]
    shape: TransitionShape
    loc: Location

    @property
    def internal(self) -> bool:
        return self.shape.internal


class Chart(Record):
    """States and transitions in document order."""

    nodes: dict[str, Node]
    edges: tuple[Edge, ...]
    initial: tuple[str, ...]
    tree: Tree


def read_chart(
    shape: MachineShape,
    document: Document,
    events: frozenset[str],
    findings: Findings,
    left_out: frozenset[str] = frozenset(),
    others: Iterable[str] = (),
) -> Chart:
    """Return the chart, having reported every state, target and event that does not exist or cannot be.

    `events` are the declared events, `left_out` names whose declarations did not fit the model and were told, `others`
    events that used specs bring about.
    """
    return _Reader(document, findings, events, left_out, tuple(sorted(others))).chart(shape)


class _Reader:
    def __init__(
        self,
        document: Document,
        findings: Findings,
        events: frozenset[str],
        left_out: frozenset[str],
        others: tuple[str, ...] = (),
    ) -> None:
        self.others = others
        self.document, self.findings = document, findings
        self.events, self.left_out = events, left_out
        self.nodes: dict[str, Node] = {}
        self.known: tuple[str, ...] = ()
        """The events of the spec and of the engine."""
        self.matched: dict[tuple[str, ...], tuple[str, ...]] = {}

    def chart(self, shape: MachineShape) -> Chart:
        root: str | None = None
        if shape.parallel:
            root = MACHINE
            self.nodes[MACHINE] = Node(
                MACHINE, None, "parallel", NodeShape.model_validate({"parallel": True}), (MACHINE,)
            )
        self._collect(shape.states, root, (MACHINE, "states"))
        # The tree as it is written; what it leads to by itself is put in once it is known to be right.
        self.tree = Tree(tuple(self.nodes.values()))
        initial = self._machine(shape, root)
        for node in tuple(self.nodes.values()):
            if node.name != root:
                self.nodes[node.name] = replace(node, initial=self._state(node))
        self.tree = Tree(tuple(self.nodes.values()))
        self._fail_safes(shape)
        done = (f"done.state.{name}" for name, node in self.nodes.items() if node.kind in ("compound", "parallel"))
        self.known = (*sorted(self.events), *BUILTIN_EVENTS, *done, *self.others)
        return Chart(self.nodes, tuple(self._edges()), initial, self.tree)

    def _error(self, code: str, message: str, span: Span, help: str) -> None:
        self.findings.error(code, message, span, help)

    def _key(self, loc: Location) -> Span:
        return self.document.key(loc).span

    def _dropped(self, shape: NodeShape | MachineShape, loc: Location, *keys: str) -> bool:
        """Return whether one of some keys is written and did not fit the model: what follows from it is not told."""
        return any(key not in shape.model_fields_set and self.document.has(*map(str, loc), key) for key in keys)

    # ---------------------------------------------------------------------------------------------------- the states

    def _collect(self, shapes: dict[str, NodeShape], parent: str | None, loc: Location) -> None:
        for name, shape in shapes.items():
            at = (*loc, name)
            if name in self.nodes or name == MACHINE:
                self._taken(name, at)
            if name in self.nodes:
                continue
            self.nodes[name] = Node(name, parent, _kind(shape), shape, at)
            self._collect(shape.states, name, (*at, "states"))

    def _taken(self, name: str, at: Location) -> None:
        if name == MACHINE:
            message = f"`{MACHINE}` is the name of the state around all others where the machine is parallel"
            self._error("HR211", message, self._key(at), "choose another name, e.g. `engine`")
        else:
            first = self.nodes[name].loc
            message = f"the state `{name}` exists already, at {self._key(first)}"
            self._error("HR202", message, self._key(at), "state names are unique in a machine: rename one")

    def _machine(self, shape: MachineShape, root: str | None) -> tuple[str, ...]:
        """Return the states that the machine enters first."""
        loc: Location = (MACHINE,)
        outer = [name for name, node in self.nodes.items() if len(node.loc) == 3]
        for name in outer:
            if self.nodes[name].kind == "history":
                message = f"the history state `{name}` is in no state whose history it could keep"
                self._error("HR415", message, self._key(self.nodes[name].loc), "move it into the state that it is of")
        if root is not None:
            self._parallel(root, shape, loc)
            return (root,)
        if shape.initial is None:
            if not self._dropped(shape, loc, "initial", "parallel"):
                first = next(iter(outer), "on")
                help = f"add `initial: {first}`, or `parallel: true` if all its states are active together"
                self._error("HR102", "`initial` is missing", self._key(loc), help)
            return ()
        targets = self._known(_targets(shape.initial, (*loc, "initial")))
        return self._together(targets)

    def _state(self, node: Node) -> tuple[str, ...]:
        """Check a state by itself, and return where it leads when it is entered."""
        shape = node.shape
        if node.kind == "history":
            return self._history(node)
        if shape.default is not None and not self._dropped(shape, node.loc, "history"):
            message = f"`{node.name}` has a `default` and is no history state"
            at = self._key((*node.loc, "default"))
            self._error("HR415", message, at, "write `initial:`, or add `history: shallow`")
        if node.kind == "final":
            self._final(node)
            return ()
        if node.kind == "parallel":
            self._parallel(node.name, shape, node.loc)
            return ()
        if self._dropped(shape, node.loc, "states", "parallel", "history", "initial"):
            return ()
        if node.kind == "compound" and not self.tree.children[node.name]:
            message = f"`{node.name}` has only history states in it, and no state that they could remember"
            self._error("HR415", message, self._key(node.loc), "add the states that it is to be in")
        elif node.kind == "compound" and shape.initial is None:
            message = f"`{node.name}` does not say which state it enters first"
            first = self.tree.children[node.name][0]
            help = f"add `initial: {first}`, or `parallel: true` if all its states are active together"
            self._error("HR405", message, self._key(node.loc), help)
        return self._inside(node.name, _targets(shape.initial, (*node.loc, "initial")))

    def _final(self, node: Node) -> None:
        wrong = ("states", "initial", "parallel", "on", "always", "after", "every", "fail_safe", "exit")
        extra = [key for key in wrong if getattr(node.shape, key)]
        if extra:
            message = f"the final state `{node.name}` has `{extra[0]}`"
            help = "nothing happens after a final state: remove it, or drop `final: true`"
            self._error("HR410", message, self._key((*node.loc, extra[0])), help)

    def _parallel(self, name: str, shape: NodeShape | MachineShape, loc: Location) -> None:
        what = "the machine" if loc == (MACHINE,) else f"`{name}`"
        if shape.initial is not None:
            message = f"{what} is parallel and has an `initial`: all its states are active together"
            self._error("HR414", message, self._key((*loc, "initial")), "remove `initial`, or `parallel: true`")
        used_alone = loc == (MACHINE,) and not self.document.has(MACHINE)
        if not self.tree.children[name] and not used_alone and not self._dropped(shape, loc, "states"):
            message = f"{what} is parallel and has no states in it"
            self._error("HR414", message, self._key(loc), "add its regions under `states:`, or remove `parallel: true`")
        for child in self.tree.children[name]:
            if self.nodes[child].kind == "final":
                message = f"`{child}` is a region and final: nothing could happen in it"
                help = "put it into a region, beside the states that lead to it"
                self._error("HR414", message, self._key(self.nodes[child].loc), help)

    def _history(self, node: Node) -> tuple[str, ...]:
        shape = node.shape
        extra = sorted(shape.model_fields_set - {"history", "default", "about"})
        if extra:
            message = f"the history state `{node.name}` has `{extra[0]}`"
            help = "it is never active: it has `history`, `default` and `about` only"
            self._error("HR415", message, self._key((*node.loc, extra[0])), help)
        if node.parent is None or len(node.loc) == 3 or not self.tree.children[node.parent]:
            return ()  # told where it stands
        if shape.default is None:
            if not self._dropped(shape, node.loc, "default"):
                message = f"`{node.name}` does not say where it leads before `{node.parent}` was ever left"
                first = next(iter(self.tree.children[node.parent]), "…")
                self._error("HR415", message, self._key(node.loc), f"add `default: {first}`")
            return ()
        targets = []
        for name, loc in _targets(shape.default, (*node.loc, "default")):
            if name in self.nodes and self.nodes[name].kind == "history" and self.nodes[name].parent == node.parent:
                message = f"the default of `{node.name}` is the history of the same state"
                help = f"name a state inside `{node.parent}`"
                self._error("HR415", message, self.document.at(loc).span, help)
            else:
                targets.append((name, loc))
        return self._inside(node.parent, targets)

    # --------------------------------------------------------------------------------------------------------- targets

    def _known(self, targets: Iterable[Target], known: Iterable[str] | None = None) -> list[Target]:
        """Return those targets that exist, having told the others."""
        found = []
        for name, loc in targets:
            if name in self.nodes:
                found.append((name, loc))
            elif name not in self.left_out:
                self._unknown(name, loc, self.nodes if known is None else known)
        return found

    def _unknown(self, name: str, loc: Location, known: Iterable[str]) -> None:
        help = suggestion(name, known, f"the states are {_names(list(known))}")
        self._error("HR205", f"unknown state `{name}`", self.document.at(loc).span, help)

    def _inside(self, state: str, targets: Iterable[Target]) -> tuple[str, ...]:
        """Return the targets that lie inside a state and can be active together."""
        found = []
        for name, loc in targets:
            if name in self.nodes and self.tree.is_descendant(name, state):
                found.append((name, loc))
            elif name not in self.left_out:
                inside = [each for each in self.nodes if self.tree.is_descendant(each, state)]
                children = [*self.tree.children[state], *self.tree.histories[state]]
                otherwise = f"its states are {_names(children)}" if children else "it has no states in it: remove this"
                help = suggestion(name, inside, otherwise)
                self._error("HR205", f"`{name}` is no state inside `{state}`", self.document.at(loc).span, help)
        return self._together(found)

    def _together(self, targets: list[Target]) -> tuple[str, ...]:
        """Return targets if they can be active together (W3C SCXML 3.11), or nothing after telling why they cannot."""
        wrong = False
        for (first, _), (second, loc) in combinations(targets, 2):
            why = self._clash(first, second)
            if why:
                wrong = True
                help = "name states of different regions of a parallel state, or one state"
                self._error("HR412", why, self.document.at(loc).span, help)
        return () if wrong else tuple(name for name, _ in targets)

    def _clash(self, first: str, second: str) -> str:
        """Return why two states cannot be entered together, or nothing."""
        if first == second:
            return f"`{first}` is named twice"
        a, b = self._place(first), self._place(second)
        if a == b or self.tree.is_descendant(a, b) or self.tree.is_descendant(b, a):
            inner, outer = (first, second) if self.tree.is_descendant(a, b) else (second, first)
            if self._place(outer) != outer:
                return f"`{outer}` and `{inner}` both say which state `{self._place(outer)}` is in"
            return f"`{inner}` is inside `{outer}`, and entering it enters `{outer}` too"
        common = next((name for name in self.tree.ancestors[a] if self.tree.is_descendant(b, name)), None)
        if common is not None and self.tree.kind(common) == "parallel":
            return ""
        where = "the machine" if common is None else f"`{common}`"
        return f"`{first}` and `{second}` cannot be active together: {where} is in one of its states at a time"

    def _place(self, state: str) -> str:
        """Return the state that a target enters in any case: a history state stands for what is in its parent."""
        return self.nodes[state].parent or state if self.nodes[state].kind == "history" else state

    # -------------------------------------------------------------------------------------------------------- fail-safe

    def _fail_safes(self, machine: MachineShape) -> None:
        self._fail_safe(None, machine.fail_safe, (MACHINE, "fail_safe"))
        for node in self.nodes.values():
            if node.kind in ("compound", "parallel", "atomic"):
                self._fail_safe(node, node.shape.fail_safe, (*node.loc, "fail_safe"))

    def _fail_safe(self, node: Node | None, target: str | None, loc: Location) -> None:
        if target is None:
            return
        span = self.document.at(loc).span
        if node is not None and self._dropped(node.shape, node.loc, "states"):
            return
        if node is not None and node.kind == "atomic":
            message = f"`{node.name}` has a `fail_safe` and no states in it that it could be"
            self._error("HR406", message, self._key(loc), "move it to the state around, or to the machine")
        elif not self._known([(target, loc)]):
            return
        elif self.nodes[target].kind != "atomic":
            message = f"`fail_safe` is a state without states in it, `{target}` is {self.nodes[target].kind}"
            help = "name a state that has no states in it and is not final, so that a person can act from it"
            self._error("HR406", message, span, help)
        elif node is not None and not self.tree.is_descendant(target, node.name):
            message = f"the `fail_safe` of `{node.name}` is a state inside it, `{target}` is not"
            inside = [name for name in self.nodes if self.tree.is_descendant(name, node.name)]
            atomic = [name for name in inside if self.nodes[name].kind == "atomic"]
            self._error("HR406", message, span, f"the states inside it are {_names(atomic)}")

    # ------------------------------------------------------------------------------------------------------ transitions

    def _edges(self) -> Iterator[Edge]:
        taken: dict[str, Location] = {}
        for node in self.nodes.values():
            if node.kind == "history":
                continue
            for made, events, shapes, loc in self._groups(node):
                listed = isinstance(shapes, list)
                for index, shape in enumerate(shapes if isinstance(shapes, list) else [shapes]):
                    assert isinstance(shape, TransitionShape)
                    at: Location = (*loc, index) if listed else loc
                    name = shape.name or made + (f".{index + 1}" if listed else "")
                    if self._is_free(name, at, taken):
                        taken[name] = at
                        yield self._edge(node, name, events, shape, at)

    def _groups(self, node: Node) -> Iterator[tuple[str, tuple[str, ...], object, Location]]:
        """Yield (name made from the place, descriptors, transitions, place)."""
        shape, name = node.shape, node.name
        for key, shapes in shape.on.items():
            loc: Location = (*node.loc, "on", key)
            events = tuple(key.split()) or ("",)
            self._descriptors(events, loc)
            yield f"{name}.{' '.join(events)}", events, shapes, loc
        if shape.always is not None:
            yield f"{name}.(always)", (), shape.always, (*node.loc, "always")
        for kind in ("after", "every"):
            for index, (key, shapes) in enumerate(getattr(shape, kind).items()):
                made = f"{name}.{kind}.{index + 1}"
                yield made, (f"{kind}.{name}.{index + 1}",), shapes, (*node.loc, kind, key)

    def _is_free(self, name: str, at: Location, taken: dict[str, Location]) -> bool:
        span = self.document.at((*at, "name")).span
        if name == FAIL_SAFE:
            message = f"`{FAIL_SAFE}` is the name of the engine's own transition"
            self._error("HR211", message, span, "choose another name, e.g. `stop`")
        if name in taken:
            first = self.document.at((*taken[name], "name")).span
            message = f"the transition `{name}` exists already, at {first}"
            self._error("HR202", message, span, "transition names are unique in a machine: rename one")
        return name not in taken

    def _descriptors(self, descriptors: tuple[str, ...], loc: Location) -> None:
        """Tell each event descriptor of a key that matches no event."""
        key, start = self.document.key(loc), 0
        assert isinstance(key, Scalar)
        for each in descriptors:
            start = key.text.index(each, start)
            if not self._taken_by((each,)) and not any(matches((each,), name) for name in self.left_out):
                span = self.document.span_in(key, start, start + len(each)) if each else key.span
                message = f"unknown event `{each}`" if each else "no event is named here"
                self._error("HR206", message, span, suggestion(each, self.known, "declare it under `events:`"))
            start += len(each)

    def _taken_by(self, descriptors: tuple[str, ...]) -> tuple[str, ...]:
        """Return the events that descriptors match, of the spec and of the engine."""
        if descriptors not in self.matched:
            self.matched[descriptors] = tuple(event for event in self.known if matches(descriptors, event))
        return self.matched[descriptors]

    def _edge(self, node: Node, name: str, events: tuple[str, ...], shape: TransitionShape, at: Location) -> Edge:
        targets = self._together(self._known(_targets(shape.to, (*at, "to"))))
        taken = self._taken_by(events)
        event = taken[0] if len(taken) == 1 and taken[0] in self.events else None
        stays = shape.to is None or shape.to in (node.name, [node.name])
        if not events and shape.if_ is None and stays:
            message = "this transition needs no event and no guard, and stays where it is: it would fire for ever"
            self._error("HR411", message, self._key(at), "give it an `if:`, or a `to:` that leads away")
        return Edge(name, node.name, events, event, targets, shape, at)


def _kind(shape: NodeShape) -> Kind:
    if shape.history is not None:
        return "history"
    if shape.final:
        return "final"
    return "parallel" if shape.parallel else "compound" if shape.states else "atomic"


def _targets(written: str | list[str] | DefaultShape | None, loc: Location) -> list[Target]:
    """Return the states that are named, each with its place."""
    if isinstance(written, DefaultShape):
        return _targets(written.to, (*loc, "to"))
    if isinstance(written, list):
        return [(name, (*loc, index)) for index, name in enumerate(written)]
    return [] if written is None else [(written, loc)]


def _names(names: list[str]) -> str:
    return ", ".join(f"`{name}`" for name in names[:12]) + (" …" if len(names) > 12 else "")
