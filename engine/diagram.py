"""The statechart of a spec as a picture: Mermaid text, and DOT for Graphviz.

    active: {on: {tick: {name: up, if: price > anchor, do: trade}}}   ->   active --> active : tick#58; up …

A transition without `to` leaves and enters nothing: it stands in its state's box and is no arrow. One with several
targets is an arrow to a bar, and one from the bar to each. What a spec uses is drawn as a region, with its own words.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from .chart import Chart, Edge, Kind, Node, read_chart
from .diagnostics import Findings
from .load import Spec
from .model import DefaultShape
from .model import Spec as Shape
from .shape import read_shape
from .source import parse_text
from .statechart import MACHINE

__all__ = ["Arrow", "Box", "Picture", "dot", "mermaid", "picture"]

GUARD_LENGTH = 48
"""Longer guards are cut: a diagram shows where a transition leads, the spec says when."""

# Mermaid reads these at the beginning of a name as words of its own, and gives its start and end marks such endings.
_MERMAID_WORDS = re.compile(
    r"(?i)(state|end|note|direction|default|class|style|click|href|hide|scale|acc|as|left|right|fork|join|choice|"
    r"history|root|graph|flowchart|subgraph|title|TB|BT|LR|RL|constructor|prototype|valueOf|toString|hasOwnProperty)"
    r"|.*_(start|end)$"
)


@dataclass(frozen=True, slots=True)
class Box:
    """A state. `name` is unique in the picture, `title` is what is written on it."""

    name: str
    title: str
    parent: str | None
    kind: Kind
    initial: tuple[str, ...] = ()
    initially: str = ""
    """What its initial transition does, or the default one of a history state."""
    inside: tuple[str, ...] = ()
    """Its transitions that stay where they are."""
    catches: tuple[str, ...] = ()
    """The states whose errors lead here, where nothing else handles them; the empty name is the whole chart."""

    @property
    def notes(self) -> list[str]:
        errors = (f"an error in {name}" if name else "an error" for name in self.catches)
        return [f"{error} that nothing else handles leads here" for error in errors]


@dataclass(frozen=True, slots=True)
class Arrow:
    """Transitions from one state to the same targets, one line each."""

    source: str
    targets: tuple[str, ...]
    lines: tuple[str, ...]


@dataclass(slots=True)
class Picture:
    """What is drawn, in document order."""

    name: str
    boxes: dict[str, Box] = field(default_factory=dict)
    arrows: list[Arrow] = field(default_factory=list)
    initial: tuple[str, ...] = ()

    def inside(self, parent: str | None) -> list[Box]:
        """Return the states directly inside one, or the outermost."""
        return [box for box in self.boxes.values() if box.parent == parent]

    def around(self, state: str) -> Iterator[str]:
        """Yield a state and those around it, inner first."""
        name: str | None = state
        while name is not None:
            yield name
            name = self.boxes[name].parent

    def is_around(self, one: str, other: str) -> bool:
        """Return whether a state is inside another one or the other way round."""
        return one in self.around(other) or other in self.around(one)

    def holds_others(self, state: str) -> bool:
        return self.boxes[state].kind in ("compound", "parallel")

    def child_towards(self, parent: str | None, target: str) -> str:
        """Return the state directly inside one that a target is in, or is."""
        return next(name for name in self.around(target) if self.boxes[name].parent == parent)


def picture(spec: Spec) -> Picture:
    """Return what a loaded spec looks like, with its guards and actions as they are written."""
    return _Drawing(spec.sources).of(spec.file)


class _Drawing:
    """Reads the charts of a spec and of those that it uses."""

    def __init__(self, sources: Mapping[str, str]) -> None:
        self.sources = sources

    def of(self, file: str) -> Picture:
        document = parse_text(self.sources[file], file)
        # The spec was loaded, so what is found here was waived there.
        shape, _ = read_shape(document, Findings())
        assert shape is not None
        drawn = Picture(shape.name)
        if shape.machine is not None:
            chart = read_chart(shape.machine, document, frozenset(shape.events), Findings())
            _add_chart(drawn, chart, shape.machine.fail_safe)
        return self._with_uses(drawn, shape, file) if shape.use else drawn

    def _with_uses(self, own: Picture, shape: Shape, file: str) -> Picture:
        """Return the picture of a composition: a region for each used spec, and the spec's own states beside them."""
        drawn = Picture(own.name, {MACHINE: Box(MACHINE, MACHINE, None, "parallel")}, initial=(MACHINE,))
        for name, use in shape.use.items():
            used = self.of(os.path.normpath(Path(file).parent / use.spec))
            _put_inside(drawn, used, name, f"{name}: {used.name}", prefix=f"{name}.")
        if MACHINE in own.boxes and own.boxes[MACHINE].kind == "parallel":
            drawn.boxes |= own.boxes
            drawn.arrows += own.arrows
        elif own.boxes:
            _put_inside(drawn, own, own.name, own.name, prefix="")
        return drawn


def _put_inside(drawn: Picture, other: Picture, name: str, title: str, prefix: str) -> None:
    """Add another picture as a region of the parallel state around all."""

    def named(states: Iterable[str]) -> tuple[str, ...]:
        return tuple(prefix + state for state in states)

    drawn.boxes[name] = Box(name, title, MACHINE, "compound", named(other.initial))
    for box in other.boxes.values():
        parent = name if box.parent is None else prefix + box.parent
        (inner,) = named((box.name,))
        catches = tuple(each or name for each in box.catches)
        drawn.boxes[inner] = replace(box, name=inner, parent=parent, initial=named(box.initial), catches=catches)
    drawn.arrows += [Arrow(prefix + each.source, named(each.targets), each.lines) for each in other.arrows]


def _add_chart(drawn: Picture, chart: Chart, fail_safe: str | None) -> None:
    caught: dict[str, list[str]] = {}
    for name, target in (("", fail_safe), *((node.name, node.shape.fail_safe) for node in chart.nodes.values())):
        if target is not None:
            caught.setdefault(target, []).append(name)
    lines: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for edge in chart.edges:
        lines.setdefault((edge.source, edge.targets), []).append(" ".join(label(edge, chart.nodes[edge.source])))
    for node in chart.nodes.values():
        inside, catches = tuple(lines.get((node.name, ()), ())), tuple(caught.get(node.name, ()))
        drawn.boxes[node.name] = Box(
            node.name, _title(node), node.parent, node.kind, node.initial, _initially(node), inside, catches
        )
    drawn.initial = chart.initial
    drawn.arrows += [Arrow(source, targets, tuple(text)) for (source, targets), text in lines.items() if targets]


def _title(node: Node) -> str:
    if node.kind != "history":
        return node.name
    return f"{'H*' if node.deep else 'H'} {node.name}"


def _initially(node: Node) -> str:
    default = node.shape.default if node.kind == "history" else node.shape.initial
    done = _done(default.do) if isinstance(default, DefaultShape) else None
    return f"/ {done}" if done else ""


def label(edge: Edge, source: Node) -> tuple[str, ...]:
    """Return what stands at a transition, shortened: `event: name`, `[guard]`, `/ actions`."""
    words = [_trigger(edge, source)]
    if edge.shape.name is not None:
        words[0] += f": {edge.shape.name}"
    if edge.internal and edge.targets:
        words[0] = f"internal, {words[0]}"
    if edge.shape.if_ is not None:
        guard = edge.shape.if_
        text = str(guard).lower() if isinstance(guard, bool) else " ".join(str(guard).split())
        words.append(f"[{text if len(text) <= GUARD_LENGTH else text[: GUARD_LENGTH - 1] + '…'}]")
    if (done := _done(edge.shape.do)) is not None:
        words.append(f"/ {done}")
    return tuple(words)


def _trigger(edge: Edge, source: Node) -> str:
    """Return what a transition waits for, as it is written: `tick, stop`, `after 30m`, `always`."""
    kind, *key = edge.loc[len(source.loc) :]
    return f"{kind} {key[0]}" if kind in ("after", "every") else ", ".join(edge.events) or "always"


def _done(steps: object) -> str | None:
    """Return the names of the actions that run; steps that are written out have none."""
    if steps is None:
        return None
    listed = steps if isinstance(steps, list) else [steps]
    names = dict.fromkeys(step if isinstance(step, str) else "…" for step in listed)
    return ", ".join(names)


# ------------------------------------------------------------------------------------------------------------- Mermaid


def mermaid(drawn: Picture) -> str:
    """Return the chart as a Mermaid `stateDiagram-v2`, ending in a line feed."""
    lines = ["---", f"title: {drawn.name}", "---", "stateDiagram-v2"]
    drawn = _as_mermaid_can(drawn)
    lines += _mermaid_states(drawn, None, 1)
    for number, ((source, targets), texts) in enumerate(_mermaid_arrows(drawn).items(), start=1):
        tail, text = _mermaid_name(source), "<br>".join(map(_mermaid_text, texts))
        if len(targets) > 1:
            fork = f"fork__{number}"
            lines += [f"    state {fork} <<fork>>", f"    {tail} --> {fork} : {text}"]
            tail, text = fork, ""
        end = f" : {text}" if text else ""
        lines += [f"    {tail} --> {_mermaid_name(target)}{end}" for target in targets]
    lines += _mermaid_notes(drawn.inside(None), 1)
    return "\n".join(lines) + "\n"


def _as_mermaid_can(drawn: Picture) -> Picture:
    """Return a picture without arrows between a state and one inside it, which Mermaid leaves out: text stands for them."""
    texts: dict[str, list[str]] = {}
    arrows = []
    for arrow in drawn.arrows:
        if any(arrow.source != target and drawn.is_around(arrow.source, target) for target in arrow.targets):
            where = ", ".join(drawn.boxes[target].title for target in arrow.targets)
            texts.setdefault(arrow.source, []).extend(f"{line}, to {where}" for line in arrow.lines)
        else:
            arrows.append(arrow)
    boxes = {}
    for name, box in drawn.boxes.items():
        # Nothing is written into the box of a state with states inside: its text stands at an arrow to itself.
        inside = (f"in place, {line}" if drawn.holds_others(name) else line for line in box.inside)
        boxes[name] = replace(box, inside=(*inside, *texts.get(name, ())))
    return replace(drawn, boxes=boxes, arrows=arrows)


def _mermaid_arrows(drawn: Picture) -> dict[tuple[str, tuple[str, ...]], list[str]]:
    """Return the texts of the arrows by source and targets, and what Mermaid can only draw as an arrow."""
    found = {(arrow.source, arrow.targets): list(arrow.lines) for arrow in drawn.arrows}
    for box in drawn.boxes.values():
        if drawn.holds_others(box.name) and box.inside:
            found.setdefault((box.name, (box.name,)), []).extend(box.inside)
        if box.kind == "history":
            found[box.name, box.initial] = [f"by default {box.initially}".strip()]
    return found


def _mermaid_states(drawn: Picture, parent: str | None, depth: int) -> Iterator[str]:
    indent = "    " * depth
    boxes = drawn.inside(parent)
    regions = parent is not None and drawn.boxes[parent].kind == "parallel"
    drawn_before = False
    for box in boxes:
        if regions and box.kind != "history":
            if drawn_before:
                yield f"{indent}--"
            drawn_before = True
        name = _mermaid_name(box.name)
        if drawn.holds_others(box.name):
            yield f'{indent}state "{box.title}" as {name} {{'
            yield from _mermaid_states(drawn, box.name, depth + 1)
            yield f"{indent}}}"
        else:
            yield f'{indent}state "{box.title}" as {name}'
            yield from (f"{indent}{name} : {_mermaid_text(line)}" for line in box.inside)
    if not regions:
        yield _mermaid_start(drawn, parent, indent)
    for box in boxes:
        if box.kind == "final":
            yield f"{indent}{_mermaid_name(box.name)} --> [*]"
    if parent is not None:
        yield from _mermaid_notes(boxes, depth)


def _mermaid_start(drawn: Picture, parent: str | None, indent: str) -> str:
    """Return the arrow from the start mark, to the state directly inside that the first states are in."""
    initial = drawn.initial if parent is None else drawn.boxes[parent].initial
    child = drawn.child_towards(parent, initial[0])
    words = [] if initial == (child,) else [f"to {', '.join(drawn.boxes[each].title for each in initial)}"]
    if parent is not None and drawn.boxes[parent].initially:
        words.append(drawn.boxes[parent].initially)
    text = f" : {_mermaid_text(' '.join(words))}" if words else ""
    return f"{indent}[*] --> {_mermaid_name(child)}{text}"


def _mermaid_notes(boxes: Iterable[Box], depth: int) -> Iterator[str]:
    indent = "    " * depth
    for box in boxes:
        if box.notes:
            yield f"{indent}note right of {_mermaid_name(box.name)}"
            yield from (f"{indent}    {note}" for note in box.notes)
            yield f"{indent}end note"


def _mermaid_name(name: str) -> str:
    # No state has two underscores in a row, so neither of these meets another name.
    plain = name.replace(".", "___")
    return f"s__{plain}" if _MERMAID_WORDS.match(plain) else plain


def _mermaid_text(text: str) -> str:
    """Return a text in which Mermaid finds nothing but a text: what is not plainly one is an entity code."""
    return re.sub(r"[^A-Za-z0-9 _.,()+*/=…-]", lambda found: f"#{ord(found[0])};", text)


# ----------------------------------------------------------------------------------------------------------------- DOT

_POINT = 'shape=point, width=0.12, style=filled, fillcolor="#5b6770", label=""'
_WHOLE = 'shape=point, width=0.12, style=filled, fillcolor="white", label=""'
_BAR = 'shape=box, style=filled, fillcolor="#5b6770", width=0.6, height=0.05, fixedsize=true, label=""'
_NOTE = 'shape=note, style=filled, fillcolor="#fff8dc", fontsize=9'


def dot(drawn: Picture) -> str:
    """Return the chart in Graphviz's language, ending in a line feed."""
    lines = [
        f"digraph {_quoted(drawn.name)} {{",
        "    compound=true; rankdir=TB; nodesep=0.5; ranksep=0.7;",
        '    node [shape=box, style="rounded,filled", fillcolor="#f4f6f8", color="#5b6770"];',
        '    node [fontname="Helvetica", fontsize=12];',
        '    edge [color="#5b6770", fontname="Helvetica", fontsize=9];',
        f'    label={_quoted(drawn.name)}; labelloc=t; fontname="Helvetica"; fontsize=14;',
        *_dot_states(drawn, None, 1),
    ]
    for number, arrow in enumerate(drawn.arrows, start=1):
        lines += _dot_arrows(drawn, number, arrow)
    return "\n".join([*lines, "}"]) + "\n"


def _dot_states(drawn: Picture, parent: str | None, depth: int) -> Iterator[str]:
    indent = "    " * depth
    around = None if parent is None else drawn.boxes[parent]
    start = _quoted(f"!start {parent or ''}")
    regions = around is not None and around.kind == "parallel"
    if not regions:
        yield f"{indent}{start} [{_POINT}];"
    if any(_starts_inside(drawn, arrow) for arrow in drawn.arrows if arrow.source == parent):
        yield f"{indent}{_quoted(f'!whole {parent}')} [{_WHOLE}];"
    for box in drawn.inside(parent):
        title = _quoted("\n".join([box.title, *box.inside]))
        if drawn.holds_others(box.name):
            look = "rounded,dashed" if regions else "rounded"
            yield f"{indent}subgraph {_quoted(f'cluster {box.name}')} {{"
            yield f'{indent}    label={title}; style="{look}"; color="#5b6770"; fontsize=12;'
            yield from _dot_states(drawn, box.name, depth + 1)
            yield f"{indent}}}"
        else:
            look = {"final": ", peripheries=2", "history": ", shape=ellipse"}.get(box.kind, "")
            yield f"{indent}{_quoted(box.name)} [label={title}{look}];"
            if box.kind == "history":
                yield from _dot_initially(drawn, _quoted(box.name), box.initial, f"by default {box.initially}", indent)
        if box.notes:
            note = _quoted(f"!note {box.name}")
            yield f"{indent}{note} [{_NOTE}, label={_quoted(chr(10).join(box.notes))}];"
            yield f"{indent}{note} -> {_quoted(box.name)} [style=dashed, arrowhead=none];"
    if not regions:
        first, initially = (drawn.initial, "") if around is None else (around.initial, around.initially)
        yield from _dot_initially(drawn, start, first, initially, indent)


def _dot_initially(drawn: Picture, tail: str, targets: Iterable[str], text: str, indent: str) -> Iterator[str]:
    for target in targets:
        label = f" [label={_quoted(text.strip())}]" if text else ""
        yield f"{indent}{_dot_arrow(drawn, tail, None, target)}{label};"
        text = ""


def _starts_inside(drawn: Picture, arrow: Arrow) -> bool:
    """Return whether an arrow leads from a box to itself, into itself or to one around it.

    Graphviz cannot draw those: they begin at an empty mark in the box, which stands for all of it.
    """
    return drawn.holds_others(arrow.source) and any(drawn.is_around(arrow.source, target) for target in arrow.targets)


def _dot_arrows(drawn: Picture, number: int, arrow: Arrow) -> Iterator[str]:
    text = _quoted("\n".join(arrow.lines))
    source: str | None = arrow.source
    tail = _quoted(_leaf(drawn, arrow.source))
    if _starts_inside(drawn, arrow):
        tail = _quoted(f"!whole {arrow.source}")
        if len(arrow.targets) == 1:
            yield f"    {tail} -> {_quoted(_leaf(drawn, arrow.targets[0]))} [label={text}];"
            return
        source = None
    if len(arrow.targets) == 1:
        yield f"    {_dot_arrow(drawn, tail, source, arrow.targets[0])} [label={text}];"
        return
    bar = _quoted(f"!fork {number}")
    box = _cluster_end(drawn, "ltail", source) if source is not None else ""
    yield f"    {bar} [{_BAR}];"
    yield f"    {tail} -> {bar}{box} [label={text}, arrowhead=none];"
    for target in arrow.targets:
        yield f"    {_dot_arrow(drawn, bar, None, target)};"


def _dot_arrow(drawn: Picture, tail: str, source: str | None, target: str) -> str:
    """Return an arrow between states; one at a state around others ends at its box and not at a state inside."""
    tail_end = "" if source is None else _cluster_end(drawn, "ltail", source)
    inside = source is not None and target in drawn.around(source)
    head_end = "" if inside else _cluster_end(drawn, "lhead", target)
    return f"{tail} -> {_quoted(_leaf(drawn, target))}{tail_end}{head_end}"


def _cluster_end(drawn: Picture, end: Literal["ltail", "lhead"], state: str) -> str:
    return f" [{end}={_quoted(f'cluster {state}')}]" if drawn.holds_others(state) else ""


def _leaf(drawn: Picture, state: str) -> str:
    """Return the state itself, or the innermost one that stands for it: the first one that is entered."""
    box = drawn.boxes[state]
    while drawn.holds_others(box.name):
        first = box.initial[0] if box.initial else drawn.inside(box.name)[0].name
        box = drawn.boxes[first]
    return box.name


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
