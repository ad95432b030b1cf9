"""The statechart of a spec: its tree of states and its transitions, by name, before any expression is checked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from .check import Location
from .diagnostics import Findings, suggestion
from .model import MachineShape, NodeShape, TransitionShape
from .source import Document

__all__ = ["Chart", "Edge", "Node", "matches", "read_chart"]

FAIL_SAFE = "fail_safe"
"""The name under which the engine's own transition to the fail-safe state is told."""
BUILTIN_EVENTS = ("error.execution", "error.divergence", "gate.rejected", "input.rejected")


@dataclass(frozen=True, slots=True)
class Node:
    """A state and where it stands."""

    name: str
    parent: str | None
    shape: NodeShape
    loc: Location

    @property
    def kind(self) -> str:
        return "final" if self.shape.final else "compound" if self.shape.states else "atomic"


@dataclass(frozen=True, slots=True)
class Edge:
    """A transition and where it stands; `name` is its own, or made from its place."""

    name: str
    source: str
    event: str | None
    shape: TransitionShape
    loc: Location


@dataclass(frozen=True, slots=True)
class Chart:
    """States and transitions in document order."""

    nodes: dict[str, Node]
    edges: tuple[Edge, ...]
    initial: str

    def ancestors(self, name: str) -> tuple[str, ...]:
        """Return the proper ancestors of a state, inner first."""
        found: list[str] = []
        parent = self.nodes[name].parent
        while parent is not None:
            found.append(parent)
            parent = self.nodes[parent].parent
        return tuple(found)

    def initial_of(self, name: str) -> str | None:
        node = self.nodes[name]
        return node.shape.initial or next(iter(node.shape.states), None)

    def all_leaves(self) -> dict[str, tuple[str, ...]]:
        """Return the leaves of every state, in document order."""
        found: dict[str, list[str]] = {name: [] for name in self.nodes}
        for node in self.nodes.values():
            if node.kind != "compound":
                for name in (node.name, *self.ancestors(node.name)):
                    found[name].append(node.name)
        return {name: tuple(leaves) for name, leaves in found.items()}

    def descend(self, name: str) -> tuple[str, ...]:
        """Return the states entered below `name` by default, outer first."""
        found: list[str] = []
        child = self.initial_of(name)
        while child is not None and child in self.nodes and child not in found:
            found.append(child)
            child = self.initial_of(child)
        return tuple(found)

    def domain(self, source: str, target: str) -> str | None:
        """Return the innermost proper ancestor that source and target share; None is the chart itself."""
        above = self.ancestors(target)
        return next((state for state in self.ancestors(source) if state in above), None)

    def entered(self, domain: str | None, target: str) -> tuple[str, ...]:
        """Return the states entered on the way from the domain to the target and below it, outer first."""
        above = self.ancestors(target)
        between = above if domain is None else above[: above.index(domain)]
        return (*reversed(between), target, *self.descend(target))


def matches(descriptor: str, event: str) -> bool:
    """Return whether an event descriptor matches an event name (W3C SCXML 3.12.1): equal, or a prefix by tokens."""
    if descriptor == "*":
        return True
    prefix = descriptor.removesuffix(".*")
    return event == prefix or event.startswith(prefix + ".")


def read_chart(shape: MachineShape, document: Document, events: frozenset[str], findings: Findings) -> Chart:
    """Return the chart, having reported every state, target and event that does not exist."""
    nodes: dict[str, Node] = {}
    _collect(shape.states, None, ("machine", "states"), nodes, document, findings)
    edges = tuple(_edges(nodes, document, findings))
    chart = Chart(nodes, edges, shape.initial)
    if shape.initial not in nodes or nodes[shape.initial].parent is not None:
        outer = [name for name, node in nodes.items() if node.parent is None]
        findings.error(
            "HR205",
            f"unknown state `{shape.initial}`",
            document.at(("machine", "initial")).span,
            suggestion(shape.initial, outer, f"the outer states are {_names(outer)}"),
        )
    if shape.fail_safe is not None:
        span = document.at(("machine", "fail_safe")).span
        if shape.fail_safe not in nodes:
            findings.error(
                "HR205",
                f"unknown state `{shape.fail_safe}`",
                span,
                suggestion(shape.fail_safe, nodes, f"the states are {_names(list(nodes))}"),
            )
        elif nodes[shape.fail_safe].kind != "atomic":
            findings.error(
                "HR406",
                f"`fail_safe` is a state without states in it, `{shape.fail_safe}` is {nodes[shape.fail_safe].kind}",
                span,
                "name a state that has no states in it and is not final, so that a person can act from it",
            )
    done = frozenset(f"done.state.{name}" for name, node in nodes.items() if node.kind == "compound")
    for edge in edges:
        _check_edge(edge, chart, events | done, document, findings)
    return chart


def _collect(
    shapes: dict[str, NodeShape],
    parent: str | None,
    loc: Location,
    nodes: dict[str, Node],
    document: Document,
    findings: Findings,
) -> None:
    for name, shape in shapes.items():
        at = (*loc, name)
        if name in nodes:
            first = document.key(nodes[name].loc).span
            findings.error(
                "HR202",
                f"the state `{name}` exists already, at {first}",
                document.key(at).span,
                "state names are unique in a machine: rename one",
            )
            continue
        nodes[name] = Node(name, parent, shape, at)
        _check_node(nodes[name], document, findings)
        _collect(shape.states, name, (*at, "states"), nodes, document, findings)


def _check_node(node: Node, document: Document, findings: Findings) -> None:
    shape = node.shape
    if shape.final and (
        extra := [
            key
            for key, value in (
                ("states", shape.states),
                ("on", shape.on),
                ("always", shape.always),
                ("exit", shape.exit),
            )
            if value
        ]
    ):
        findings.error(
            "HR410",
            f"the final state `{node.name}` has `{extra[0]}`",
            document.key((*node.loc, extra[0])).span,
            "nothing happens after a final state: remove it, or drop `final: true`",
        )
    if shape.states and shape.initial is None:
        findings.error(
            "HR405",
            f"`{node.name}` does not say which state it enters first",
            document.key(node.loc).span,
            f"add `initial: {next(iter(shape.states))}`",
        )
    if shape.initial is not None and shape.initial not in shape.states:
        findings.error(
            "HR205",
            f"`{shape.initial}` is no state inside `{node.name}`",
            document.at((*node.loc, "initial")).span,
            suggestion(shape.initial, shape.states, f"its states are {_names(list(shape.states))}"),
        )


def _edges(nodes: dict[str, Node], document: Document, findings: Findings) -> Iterator[Edge]:
    taken: dict[str, Edge] = {}
    for node in nodes.values():
        groups: list[tuple[str | None, object, Location]] = [
            (event, shapes, (*node.loc, "on", event)) for event, shapes in node.shape.on.items()
        ]
        if node.shape.always is not None:
            groups.append((None, node.shape.always, (*node.loc, "always")))
        for event, shapes, loc in groups:
            listed = isinstance(shapes, list)
            for index, shape in enumerate(shapes if isinstance(shapes, list) else [shapes]):
                assert isinstance(shape, TransitionShape)
                at: Location = (*loc, index) if listed else loc
                made = f"{node.name}.{event or '(always)'}" + (f".{index + 1}" if listed else "")
                edge = Edge(shape.name or made, node.name, event, shape, at)
                if shape.name == FAIL_SAFE:
                    findings.error(
                        "HR211",
                        f"`{FAIL_SAFE}` is the name of the engine's own transition",
                        document.at((*at, "name")).span,
                        "choose another name, e.g. `stop`",
                    )
                if edge.name in taken:
                    first = document.at((*taken[edge.name].loc, "name")).span
                    findings.error(
                        "HR202",
                        f"the transition `{edge.name}` exists already, at {first}",
                        document.at((*at, "name")).span,
                        "transition names are unique in a machine: rename one",
                    )
                    continue
                taken[edge.name] = edge
                yield edge


def _check_edge(edge: Edge, chart: Chart, events: frozenset[str], document: Document, findings: Findings) -> None:
    shape = edge.shape
    if shape.to is not None and shape.to not in chart.nodes:
        findings.error(
            "HR205",
            f"unknown state `{shape.to}`",
            document.at((*edge.loc, "to")).span,
            suggestion(shape.to, chart.nodes, f"the states are {_names(list(chart.nodes))}"),
        )
    known = (*events, *BUILTIN_EVENTS)
    if edge.event is not None and not any(matches(edge.event, event) for event in known):
        place = document.key((*chart.nodes[edge.source].loc, "on", edge.event)).span
        findings.error(
            "HR206", f"unknown event `{edge.event}`", place, suggestion(edge.event, known, "declare it under `events:`")
        )
    if edge.event is None and shape.if_ is None and (shape.to is None or shape.to == edge.source):
        findings.error(
            "HR411",
            "this transition needs no event and no guard, and stays where it is: it would fire for ever",
            document.key(edge.loc).span,
            "give it an `if:`, or a `to:` that leads away",
        )


def _names(names: list[str]) -> str:
    return ", ".join(f"`{name}`" for name in names[:12]) + (" …" if len(names) > 12 else "")
