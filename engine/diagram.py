"""The statechart of a spec as a picture: Mermaid text, and DOT for Graphviz.

    active: {on: {tick: {name: up, if: price > anchor, do: trade}}}   ->   active --> active : tick#58; up …

A transition without `to` leaves and enters nothing: it stands in its state's box and is no arrow.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from .chart import Chart, Edge, Node, read_chart
from .diagnostics import Findings
from .load import Spec
from .shape import read_shape
from .source import parse_text

__all__ = ["Picture", "dot", "mermaid", "picture"]

GUARD_LENGTH = 48
"""Longer guards are cut: a diagram shows where a transition leads, the spec says when."""

# Mermaid reads these at the beginning of a name as words of its own, and gives its start and end marks such endings.
_MERMAID_WORDS = re.compile(
    r"(?i)(state|end|note|direction|default|class|style|click|href|hide|scale|acc|as|left|right|fork|join|choice|"
    r"history|root|graph|flowchart|subgraph|title|TB|BT|LR|RL|constructor|prototype|valueOf|toString|hasOwnProperty)"
    r"|.*_(start|end)$"
)


@dataclass(frozen=True, slots=True)
class Picture:
    """What is drawn: the chart and the state where errors lead."""

    name: str
    chart: Chart
    fail_safe: str | None

    def inside(self, parent: str | None) -> Iterator[Node]:
        """Yield the states directly inside one, or the outermost, in document order."""
        return (node for node in self.chart.nodes.values() if node.parent == parent)


def picture(spec: Spec) -> Picture:
    """Return what a loaded spec looks like, with its guards and actions as they are written."""
    document = parse_text(spec.text, spec.file)
    # The spec was loaded, so what is found here was waived there.
    shape, _ = read_shape(document, Findings())
    assert shape is not None
    chart = read_chart(shape.machine, document, frozenset(shape.events), Findings())
    return Picture(shape.name, chart, shape.machine.fail_safe)


def label(edge: Edge) -> tuple[str, ...]:
    """Return what stands at a transition, shortened: `event: name`, `[guard]`, `/ actions`."""
    words = [edge.event or "always"]
    if edge.shape.name is not None:
        words[0] += f": {edge.shape.name}"
    if edge.shape.if_ is not None:
        guard = edge.shape.if_
        text = str(guard).lower() if isinstance(guard, bool) else " ".join(str(guard).split())
        words.append(f"[{text if len(text) <= GUARD_LENGTH else text[: GUARD_LENGTH - 1] + '…'}]")
    if (done := _done(edge.shape.do)) is not None:
        words.append(f"/ {done}")
    return tuple(words)


def _done(steps: object) -> str | None:
    """Return the names of the actions that run; steps that are written out have none."""
    if steps is None:
        return None
    listed = steps if isinstance(steps, list) else [steps]
    names = dict.fromkeys(step if isinstance(step, str) else "…" for step in listed)
    return ", ".join(names)


def _arrows(drawn: Picture) -> dict[tuple[str, str], list[Edge]]:
    """Return the transitions that lead somewhere, by source and target: one arrow stands for all of them."""
    arrows: dict[tuple[str, str], list[Edge]] = {}
    for edge in drawn.chart.edges:
        if edge.shape.to is not None:
            arrows.setdefault((edge.source, edge.shape.to), []).append(edge)
    return arrows


def _boxed(drawn: Picture, node: Node) -> list[str]:
    """Return what stands in a state's box: its transitions that stay where they are."""
    return [" ".join(label(edge)) for edge in drawn.chart.edges if edge.source == node.name and edge.shape.to is None]


def _fail_safe_note(drawn: Picture) -> str | None:
    return None if drawn.fail_safe is None else "an error that nothing else handles leads here"


# ------------------------------------------------------------------------------------------------------------- Mermaid


def mermaid(drawn: Picture) -> str:
    """Return the chart as a Mermaid `stateDiagram-v2`, ending in a line feed."""
    lines = ["---", f"title: {drawn.name}", "---", "stateDiagram-v2"]
    lines += _mermaid_states(drawn, None, 1)
    arrows = {ends: [" ".join(label(edge)) for edge in edges] for ends, edges in _arrows(drawn).items()}
    for node in drawn.chart.nodes.values():
        if node.kind == "compound" and (boxed := _boxed(drawn, node)):
            # Mermaid writes nothing into the box of a state with states inside.
            arrows.setdefault((node.name, node.name), []).extend(f"in place, {line}" for line in boxed)
    for (source, target), texts in arrows.items():
        text = "<br>".join(map(_mermaid_text, texts))
        lines.append(f"    {_mermaid_name(source)} --> {_mermaid_name(target)} : {text}")
    if note := _fail_safe_note(drawn):
        lines += [f"    note right of {_mermaid_name(str(drawn.fail_safe))}", f"        {note}", "    end note"]
    return "\n".join(lines) + "\n"


def _mermaid_states(drawn: Picture, parent: str | None, depth: int) -> Iterator[str]:
    indent = "    " * depth
    first = drawn.chart.initial if parent is None else drawn.chart.initial_of(parent)
    nodes = list(drawn.inside(parent))
    for node in nodes:
        name = _mermaid_name(node.name)
        if node.kind == "compound":
            yield f'{indent}state "{node.name}" as {name} {{'
            yield from _mermaid_states(drawn, node.name, depth + 1)
            yield f"{indent}}}"
        else:
            yield f'{indent}state "{node.name}" as {name}'
            yield from (f"{indent}{name} : {_mermaid_text(line)}" for line in _boxed(drawn, node))
    yield f"{indent}[*] --> {_mermaid_name(str(first))}"
    for node in nodes:
        if node.kind == "final":
            yield f"{indent}{_mermaid_name(node.name)} --> [*]"


def _mermaid_name(name: str) -> str:
    # No state has two underscores in a row, so this meets none.
    return f"s__{name}" if _MERMAID_WORDS.match(name) else name


def _mermaid_text(text: str) -> str:
    """Return a text in which Mermaid finds nothing but a text: what is not plainly one is an entity code."""
    return re.sub(r"[^A-Za-z0-9 _.,()+*/=…-]", lambda found: f"#{ord(found[0])};", text)


# ----------------------------------------------------------------------------------------------------------------- DOT


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
        *(_dot_arrows(drawn, *ends, edges) for ends, edges in _arrows(drawn).items()),
    ]
    if note := _fail_safe_note(drawn):
        lines.append(f'    "!note" [shape=note, style=filled, fillcolor="#fff8dc", fontsize=9, label={_quoted(note)}];')
        lines.append(f'    "!note" -> {_quoted(str(drawn.fail_safe))} [style=dashed, arrowhead=none];')
    return "\n".join([*lines, "}"]) + "\n"


def _dot_states(drawn: Picture, parent: str | None, depth: int) -> Iterator[str]:
    indent = "    " * depth
    start = _quoted(f"!start {parent or ''}")
    first = drawn.chart.initial if parent is None else str(drawn.chart.initial_of(parent))
    yield f'{indent}{start} [shape=point, width=0.12, style=filled, fillcolor="#5b6770", label=""];'
    for node in drawn.inside(parent):
        title = _quoted("\n".join([node.name, *_boxed(drawn, node)]))
        if node.kind == "compound":
            yield f"{indent}subgraph {_quoted(f'cluster {node.name}')} {{"
            yield f'{indent}    label={title}; style="rounded"; color="#5b6770"; fontsize=12;'
            yield from _dot_states(drawn, node.name, depth + 1)
            yield f"{indent}}}"
        else:
            look = ", peripheries=2" if node.kind == "final" else ""
            yield f"{indent}{_quoted(node.name)} [label={title}{look}];"
    yield f"{indent}{_dot_arrow(drawn, start, None, first)};"


def _dot_arrows(drawn: Picture, source: str, target: str, edges: list[Edge]) -> str:
    text = _quoted("\n".join(line for edge in edges for line in label(edge)))
    if drawn.chart.nodes[source].kind == "compound" and (
        source == target or source in drawn.chart.ancestors(target) or target in drawn.chart.ancestors(source)
    ):
        # Graphviz cannot draw an arrow from a box to itself or into itself: it begins at the box's start mark.
        return f"    {_quoted(f'!start {source}')} -> {_quoted(_leaf(drawn, target))} [label={text}];"
    arrow = _dot_arrow(drawn, _quoted(_leaf(drawn, source)), source, target)
    return f"    {arrow} [label={text}];"


def _dot_arrow(drawn: Picture, tail: str, source: str | None, target: str) -> str:
    """Return an arrow between states; one at a compound state ends at its box and not at a state inside."""
    ends: list[tuple[Literal["ltail", "lhead"], str]] = []
    if source is not None and drawn.chart.nodes[source].kind == "compound":
        ends.append(("ltail", source))
    inside = source is not None and target in drawn.chart.ancestors(source)
    if drawn.chart.nodes[target].kind == "compound" and not inside:
        ends.append(("lhead", target))
    shown = "".join(f" [{end}={_quoted(f'cluster {state}')}]" for end, state in ends)
    return f"{tail} -> {_quoted(_leaf(drawn, target))}{shown}"


def _leaf(drawn: Picture, state: str) -> str:
    """Return the state itself, or the innermost one that entering it leads to."""
    return (state, *drawn.chart.descend(state))[-1]


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
