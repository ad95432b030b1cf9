"""Random statecharts of up to 40 states and 4 regions, and random inputs in time.

The specs are valid by construction; what happens to them is not: values leave their ranges, guards divide by zero,
macrosteps never settle, time goes back. A *plain* chart has control flow only, so that `appendix_d` can run it too.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st

__all__ = ["SECOND", "Case", "Chart", "Input", "case", "cases"]

SECOND = 10**9
EVENTS = ("one", "two", "three", "bus.a", "bus.b")
INNER = ("low", "mid", "top")
"""Raised events, in the order in which transitions for them raise others."""
IDENTITIES = (*INNER, "tick", "soon", "late")
"""Ids of delayed events."""
DESCRIPTORS = (*EVENTS, *EVENTS, *EVENTS, *INNER, *INNER, "bus", "bus.*", "one two", "three bus.b", "*", "done.state.*")
DELAYS = ("1s", "2s", "2 * pause", "700ms", "pause + 1ns")
PERIODS = ("2s", "5s", "pause", "1700ms")


class Chart:
    """A spec as text and as data."""

    def __init__(self, spec: Mapping[str, Any]) -> None:
        self.text = json.dumps(spec)
        self.machine: Mapping[str, Any] = spec["machine"]


@dataclass(frozen=True)
class Input:
    """An event from outside, or, without a name, the passing of time."""

    event: str | None
    time_ns: int
    values: tuple[object, ...] = ()


class Case:
    """A chart with inputs for two machines and a time in seconds; its representation says what to call for it again."""

    def __init__(self, call: str, chart: Chart, happened: list[Input], other: list[Input], pause: int) -> None:
        self.call = call
        self.chart = chart
        self.happened = happened
        self.other = other
        self.pause = pause

    def __repr__(self) -> str:
        return self.call


@dataclass(eq=False)
class Node:
    """A state while the chart grows; `kind` is atomic, compound, parallel, final or history."""

    name: str
    parent: Node | None
    kind: str = "atomic"
    children: list[Node] = field(default_factory=list)

    def ancestors(self) -> Iterator[Node]:
        node = self.parent
        while node is not None:
            yield node
            node = node.parent

    def inside(self) -> Iterator[Node]:
        for child in self.children:
            yield child
            yield from child.inside()

    def place(self) -> Node:
        """Return the state that a target enters in any case."""
        assert self.parent is not None
        return self.parent if self.kind == "history" else self

    def region(self) -> str:
        """Return the innermost region that the state is in or begins."""
        for node in (self, *self.ancestors()):
            if node.parent is not None and node.parent.kind == "parallel":
                return node.name
        return "chart"


class Growth:
    """One chart, grown from a source of random numbers."""

    def __init__(self, source: random.Random, states: int, regions: int, plain: bool) -> None:
        self.source = source
        self.plain = plain
        self.names = 0
        self.transitions: list[str] = []
        self.identities: set[str] = set()
        """Ids of the delayed events that some step raises."""
        self.root = Node("machine", None, "compound")
        if regions >= 4 and states >= 8 and self.chance(0.4):
            regions -= self._nested_parallels()
        # Histories, final states and `safe` come on top.
        self._states(states * 2 // 3)
        self._parallels(regions)
        self._histories(max(1, states // 8))
        self._finals(max(1, states // 6))
        self.all = list(self.root.inside())
        self.written: set[str] = set()

    def chance(self, share: float) -> bool:
        return self.source.random() < share

    # ------------------------------------------------------------------------------------------------------- the tree

    def _add(self, parent: Node, kind: str = "atomic") -> Node:
        self.names += 1
        node = Node(f"s{self.names}", parent, kind)
        parent.children.append(node)
        if parent.kind == "atomic":
            parent.kind = "compound"
        return node

    def _nested_parallels(self) -> int:
        """Put a parallel state into a region of another one, and return how many regions they have."""
        outer = self._add(self.root, "parallel")
        region = self._add(outer, "parallel" if self.chance(0.3) else "atomic")
        self._add(outer)
        inner = region if region.kind == "parallel" else self._add(region, "parallel")
        self._add(inner)
        self._add(inner)
        return 4

    def _states(self, count: int) -> None:
        """Hang states under states, up to six levels deep."""
        self._add(self.root)
        self._add(self.root)
        while self.names < count:
            grown = [node for node in (self.root, *self.root.inside()) if node.kind != "parallel"]
            compound = [node for node in grown if node.children]
            parent = self.source.choice(compound if self.chance(0.6) else grown)
            if sum(1 for _ in parent.ancestors()) < 5 and len(parent.children) < 5:
                self._add(parent)

    def _parallels(self, regions: int) -> None:
        """Make some states parallel, of no more than `regions` regions together."""
        many = [
            node
            for node in (self.root, *self.root.inside())
            if 2 <= len(node.children) <= regions and node.kind == "compound"
        ]
        self.source.shuffle(many)
        if self.chance(0.7):
            # Those with much inside are active more often.
            many.sort(key=lambda node: -sum(1 for _ in node.inside()))
        # A chart that is parallel as a whole is the exception.
        if self.root in many and not self.chance(0.2):
            many.remove(self.root)
        for node in many:
            if len(node.children) <= regions:
                node.kind = "parallel"
                regions -= len(node.children)

    def _histories(self, count: int) -> None:
        for _ in range(self.source.randint(0, count)):
            around = [node for node in self.root.inside() if node.kind in ("compound", "parallel")]
            if around:
                parent = self.source.choice(around)
                child = self._add(parent, "history")
                parent.children.remove(child)
                parent.children.insert(self.source.randint(0, len(parent.children)), child)

    def _finals(self, count: int) -> None:
        for node in list(self.root.inside()):
            # A parallel state is done when each of its regions has got to a final state.
            if node.kind == "parallel" and self.chance(0.5):
                for region in node.children:
                    if region.kind == "atomic":
                        self._add(region)
                    if region.kind == "compound":
                        self._add(region, "final")
        for node in self.source.sample(list(self.root.inside()), k=min(count, self.names)):
            assert node.parent is not None
            # One of the outermost level would end most runs early.
            outer = node.parent is self.root and not self.chance(0.3)
            if node.kind == "atomic" and node.parent.kind == "compound" and not outer:
                node.kind = "final"

    # -------------------------------------------------------------------------------------------------------- targets

    def _targets(self, scope: Node, several: float = 0.3) -> list[str]:
        """Return states inside a state that can be active together."""
        inside = list(scope.inside())
        together = [node for node in inside if any(around.kind == "parallel" for around in node.ancestors())]
        special = [node for node in inside if node.kind in ("history", "final")]
        likely = [each for each, share in ((special, 0.3), (together, 0.5)) if each and self.chance(share)]
        found = [self.source.choice((*likely, inside)[0])]
        if self.chance(several):
            for other in self.source.sample(inside, k=min(8, len(inside))):
                if len(found) < 3 and all(_together(other, each) for each in found):
                    found.append(other)
        return [node.name for node in found]

    def _to(self, targets: list[str]) -> str | list[str]:
        return targets[0] if len(targets) == 1 and self.chance(0.9) else targets

    def _initial(self, node: Node) -> Any:
        children = [child.name for child in node.children if child.kind != "history"]
        targets = self._targets(node) if self.chance(0.3) else [self.source.choice(children)]
        return self._with_content(self._to(targets), node)

    def _default(self, node: Node) -> Any:
        """Return the default of a history state: no history of the same state, which would lead in a circle."""
        assert node.parent is not None
        while True:
            targets = self._targets(node.parent)
            if not any(child.name in targets for child in node.parent.children if child.kind == "history"):
                return self._with_content(self._to(targets), node.parent)

    def _with_content(self, to: str | list[str], node: Node) -> Any:
        return {"to": to, "do": self._steps(node, None)} if self.chance(0.6) else to

    # ---------------------------------------------------------------------------------------------------------- steps

    def _steps(self, node: Node, event: str | None) -> list[dict[str, Any]]:
        """Return what a state, or a transition for an event, does."""
        # What comes of an inner event raises later ones only, so that most macrosteps settle.
        after = INNER.index(event) + 1 if event in INNER else 0
        steps: list[dict[str, Any]] = []
        if INNER[after:] and self.chance(0.3):
            steps.append({"raise": self.source.choice(INNER[after:])})
        if self.plain:
            return steps
        if self.chance(0.6):
            steps.append({"set": {self._counter(node): self._count(node)}})
        if self.chance(0.2):
            steps.append(self._delayed(node))
        if self.chance(0.1):
            steps.append({"cancel": self.source.choice(IDENTITIES)})
        return steps

    def _counter(self, node: Node) -> str:
        self.written.add(f"n_{node.region()}")
        return f"n_{node.region()}"

    def _count(self, node: Node) -> str:
        counter = self._counter(node)
        count = self.source.choice(("min({n} + 1, 9)", "min({n} + 1, 9)", "{n} + 1", "{n} - 1", "0", "2"))
        if self.chance(0.2):
            count = f"({count} if In({self.source.choice(self._active()).name}) else 3)"
        return count.replace("{n}", counter)

    def _delayed(self, node: Node) -> dict[str, Any]:
        # Below 0 where the counter is 0, and never 0.
        delay = self.source.choice((*DELAYS, f"(3 * {self._counter(node)} - 2) * 1s"))
        identity = self.source.choice(IDENTITIES)
        self.identities.add(identity)
        if identity == "tick":
            return {"raise": {"tick": {"x": f"{self._counter(node)} * 2"}}, "after": delay}
        if identity in INNER:
            return {"raise": identity, "after": delay}
        return {"raise": {"soon": "low", "late": "top"}[identity], "after": delay, "id": identity}

    # ---------------------------------------------------------------------------------------------------- transitions

    def _active(self) -> list[Node]:
        return [node for node in self.all if node.kind != "history"]

    def _guard(self, node: Node, event: str | None) -> str | None:
        if self.plain:
            return self._asks_state() if self.chance(0.35) else None
        if not self.chance(0.5):
            return None
        n = self._counter(node)
        guards: list[Callable[[], str]] = [
            self._asks_state,
            lambda: f"{n} > {self.source.randint(0, 4)}",
            lambda: f"1 / {n} > 0.3",
            lambda: f"elapsed(tick) > {self.source.randint(0, 3)}s and {n} < 5",
        ]
        if event == "tick":
            guards.append(lambda: "tick.x > 5")
        if self.transitions:
            guards.append(lambda: f"since({self.source.choice(self.transitions)}) > {self.source.randint(0, 4)}s")
        return self.source.choice(guards)()

    def _asks_state(self) -> str:
        return ("not " if self.chance(0.4) else "") + f"In({self.source.choice(self._active()).name})"

    def _transition(self, node: Node, event: str | None) -> dict[str, Any]:
        made: dict[str, Any] = {"name": f"t{len(self.transitions) + 1}"}
        guard = self._guard(node, event)
        if event == "always" and guard is None:
            guard = self._asks_state()
        if guard is not None:
            made["if"] = guard
        # What answers to internal events leads to other states less often: entering those may raise the event again.
        internal = event in INNER or event == "*" or (event or "").startswith("done")
        if event == "always" or self.chance(0.3 if internal else 0.8):
            narrow = node.kind in ("compound", "parallel") and self.chance(0.3)
            made["to"] = self._to(self._targets(node if narrow else self.root))
            if self.chance(0.6 if narrow else 0.1):
                made["internal"] = True
        steps = self._steps(node, "top" if event in ("always", "*") else event)
        if steps:
            made["do"] = steps
        self.transitions.append(made["name"])
        return made

    def _candidates(self, node: Node, event: str | None) -> Any:
        found = [self._transition(node, event) for _ in range(self.source.choice((1, 1, 2)))]
        return found[0] if len(found) == 1 and self.chance(0.7) else found

    def _on(self, node: Node) -> dict[str, Any]:
        known = list(DESCRIPTORS)
        if not any(each.children for each in self.all):
            known.remove("done.state.*")
        if node.kind != "atomic":
            known += [f"done.state.{node.name}"] * 4
        if not self.plain:
            known += ["tick", "tick", "tick", "error.execution", "error.*", "input.rejected", "error.divergence"]
        drawn = dict.fromkeys(self.source.sample(known, k=self.source.randint(0, 4)))
        return {each: self._candidates(node, each) for each in drawn}

    # --------------------------------------------------------------------------------------------------------- the spec

    def _body(self, node: Node) -> dict[str, Any]:
        if node.kind == "history":
            return {"history": self.source.choice(("shallow", "deep")), "default": self._default(node)}
        made: dict[str, Any] = {}
        if node.kind == "final":
            made["final"] = True
        if node.kind == "parallel":
            made["parallel"] = True
        if node.kind == "compound":
            made["initial"] = self._initial(node)
        for key in ("entry",) if node.kind == "final" else ("entry", "exit"):
            steps = self._steps(node, None) if self.chance(0.35) else []
            if steps:
                made[key] = steps
        if node.kind != "final":
            self._reactions(node, made)
        if node.children:
            made["states"] = {child.name: self._body(child) for child in node.children}
        return made

    def _reactions(self, node: Node, made: dict[str, Any]) -> None:
        on = self._on(node)
        if on:
            made["on"] = on
        if self.chance(0.04):
            made["always"] = self._candidates(node, "always")
        if self.plain:
            return
        if self.chance(0.25):
            delays = self.source.sample(DELAYS, k=self.source.randint(1, 2))
            if self.chance(0.03):
                # Rarely: where two of these lead to each other, 10,000 timers fire in one event.
                delays[0] = "0s"
            made["after"] = {delay: self._candidates(node, None) for delay in delays}
        if self.chance(0.12):
            made["every"] = {self.source.choice(PERIODS): self._candidates(node, None)}
        havens = [each.name for each in node.inside() if each.kind == "atomic"]
        if havens and self.chance(0.2):
            made["fail_safe"] = self.source.choice(havens)

    def spec(self) -> dict[str, Any]:
        machine: dict[str, Any] = {"states": {child.name: self._body(child) for child in self.root.children}}
        if self.root.kind == "parallel":
            machine["parallel"] = True
        else:
            machine["initial"] = self._to(self._targets(self.root))
            # It stands beside the others, so that no parallel state is the whole chart.
            machine["states"]["safe"] = {"on": {"two": {"name": "recover", "to": self.root.children[0].name}}}
            if self.chance(0.7):
                machine["fail_safe"] = "safe"
        spec: dict[str, Any] = {"hedgerow": 1, "name": "random", "events": {name: {} for name in (*EVENTS, *INNER)}}
        if not self.plain:
            spec["events"]["tick"] = {"x": {"range": [0, 10]}}
            spec["params"] = {"pause": {"default": "1500ms", "unit": "s", "range": ["1s", "10s"]}}
            counters = sorted(self.written | {"n_chart"})
            spec["state"] = {name: {"type": "int", "initial": 1, "range": [0, 9]} for name in counters}
            spec["state"] |= {"seen": {"type": "int", "initial": 0, "range": [0, 99]}, "gap": {"initial": 0}}
            spec["observe"] = {"tick": {"seen": "min(seen + 1, 99)", "gap": "1 / (tick.x - 4)"}}
            asked = self.source.choice(self._active()).name
            spec["invariants"] = {"few": "n_chart < 5", "stays": f"implies(was({asked}), not changed(seen))"}
            machine = _without_idle_cancels(machine, self.identities)
        return spec | {"machine": machine}


def _together(first: Node, second: Node) -> bool:
    """Return whether two targets can be entered together: in different regions of a parallel state."""
    a, b = first.place(), second.place()
    around_a, around_b = [a, *a.ancestors()], [b, *b.ancestors()]
    if a in around_b or b in around_a:
        return False
    return next(node for node in around_a if node in around_b).kind == "parallel"


def _without_idle_cancels(value: Any, identities: set[str]) -> Any:
    """Return a machine without the cancels of ids that no step raises."""
    if isinstance(value, list):
        kept = [
            each
            for each in value
            if not (isinstance(each, dict) and each.get("cancel") in set(IDENTITIES) - identities)
        ]
        return [_without_idle_cancels(each, identities) for each in kept]
    if isinstance(value, dict):
        made = {key: _without_idle_cancels(each, identities) for key, each in value.items()}
        return {key: each for key, each in made.items() if not (key in ("do", "entry", "exit") and each == [])}
    return value


def case(seed: int, states: int = 40, regions: int = 4, most: int = 20, plain: bool = False) -> Case:
    """Return the chart and the inputs of a seed: always the same ones of the same numbers."""
    source = random.Random(seed)
    count, parallel = source.randint(3, states), source.choice((regions, regions, *range(regions)))
    chart = Chart(Growth(source, count, parallel, plain).spec())
    call = f"case({seed}, {states}, {regions}, {most}, {plain})"
    return Case(call, chart, _inputs(source, most, plain), _inputs(source, most, plain), source.randint(0, 20))


def cases(*, states: int = 40, regions: int = 4, most: int = 20, plain: bool = False) -> st.SearchStrategy[Case]:
    """Random charts, each with inputs; a plain one has no cells, no timers and no errors, and its inputs are accepted.

    A case is drawn as one number: drawn as many, most would be variations of a few.
    """
    return st.integers(0, 2**64 - 1).map(lambda seed: case(seed, states, regions, most, plain))


def _inputs(source: random.Random, most: int, plain: bool) -> list[Input]:
    time, found = 0, []
    for _ in range(source.randint(1, most)):
        time += source.choice((0, 1, SECOND // 2, SECOND, SECOND, 3 * SECOND, 12 * SECOND))
        kind = "event" if plain else source.choice(("event",) * 4 + ("tick",) * 3 + ("advance",) * 2 + ("bad",))
        match kind:
            case "event":
                found.append(Input(source.choice(EVENTS if plain else (*EVENTS, "low")), time))
            case "tick":
                found.append(Input("tick", time, (float(source.choice((0, 1, 4, 6, 7.5, 10))),)))
            case "advance":
                found.append(Input(None, time))
            case _:
                bad = (
                    Input("tick", time + SECOND, (10.5,)),
                    Input("tick", time + SECOND, (float("nan"),)),
                    Input("tick", time + SECOND, ("6",)),
                    Input("one", time - 5 * SECOND),
                    Input(None, time - 5 * SECOND),
                    Input("tick", 2**63, (6.0,)),
                )
                found.append(source.choice(bad))
    return found
