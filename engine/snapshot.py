"""The whole state of a machine between two events, as a value."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from .ir import Cell, Program, Value
from .statechart import ROOT, Tree

__all__ = ["Snapshot", "SnapshotError"]

FORMAT = 2


class SnapshotError(ValueError):
    """A text that is no snapshot, or a snapshot of another program or of other parameters."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A machine at rest.

    `time_ns` is the clock (None before the start), `configuration` the active leaves in document order (empty before the
    start), `cells` every named value, with the due times of timers, `windows` the last values, oldest first, `history`
    what each history state remembers. `program` is the digest of the IR: two machines with equal snapshots behave alike
    for ever.
    """

    program: str
    parameters: Mapping[str, Value]
    time_ns: int | None
    configuration: tuple[str, ...]
    cells: Mapping[str, Value]
    windows: Mapping[str, tuple[float, ...]]
    history: Mapping[str, tuple[str, ...]]
    ended: bool = False

    def to_json(self) -> str:
        """Return the snapshot as canonical JSON text; doubles survive to the last bit."""
        from hedgerow import __version__

        body = {**self.members(), "engine": __version__}
        return json.dumps(body, sort_keys=True, separators=(",", ":"), allow_nan=False)

    def members(self) -> dict[str, Any]:
        """Return what the JSON of the snapshot holds, but for the version of the engine, which is no part of a state."""
        return {
            "format": FORMAT,
            "program": self.program,
            "parameters": dict(self.parameters),
            "time_ns": self.time_ns,
            "configuration": list(self.configuration),
            "cells": dict(self.cells),
            "windows": {name: list(values) for name, values in self.windows.items()},
            "history": {name: list(states) for name, states in self.history.items()},
            "ended": self.ended,
        }

    @staticmethod
    def from_json(text: str) -> Snapshot:
        """Return the snapshot of a text.

        Raises:
            SnapshotError: it is none.
        """
        try:
            body = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise SnapshotError(f"this is no snapshot: {str(error)[:200]}") from None
        return Snapshot.from_members(body)

    @staticmethod
    def from_members(body: Any) -> Snapshot:
        """Return the snapshot of what its JSON holds.

        Raises:
            SnapshotError: it is none.
        """
        try:
            form = body["format"]
            snapshot = Snapshot(
                body["program"],
                body["parameters"],
                body["time_ns"],
                tuple(body["configuration"]),
                body["cells"],
                {name: tuple(values) for name, values in body["windows"].items()},
                {name: tuple(states) for name, states in body["history"].items()},
                body["ended"],
            )
        except (KeyError, TypeError, AttributeError, ValueError, RecursionError) as error:
            raise SnapshotError(f"this is no snapshot: {str(error)[:200]}") from None
        if isinstance(form, bool) or form != FORMAT:
            raise SnapshotError(f"the format of the snapshot is not {FORMAT}")
        return snapshot

    def fitted(self, program: Program, digest: str, parameters: Mapping[str, Value]) -> Snapshot:
        """Return the snapshot with every value of the type that its program declares.

        A JSON tool may have written 1.0 as 1, so a whole number is taken where a real belongs.

        Raises:
            SnapshotError: it was not taken from this program (which `digest` names) with these parameters, or a value
                in it is none that a machine can hold.
        """
        # What a text held was typed by nobody.
        form: Any = self
        if self.program != digest:
            raise SnapshotError(
                "the snapshot belongs to another program: the spec, its fill mode or Hedgerow has changed"
            )
        if not isinstance(form.parameters, Mapping) or dict(self.parameters) != dict(parameters):
            raise SnapshotError("the snapshot was taken with other parameters")
        cells = {cell.name: cell for cell in program.cells}
        lengths = {window.name: window.length for window in program.windows}
        if not isinstance(form.windows, Mapping):
            raise SnapshotError("the snapshot does not hold the cells and windows of its program")
        if not isinstance(form.cells, Mapping) or set(self.cells) != set(cells) or set(self.windows) != set(lengths):
            raise SnapshotError("the snapshot does not hold the cells and windows of its program")
        if not (isinstance(form.configuration, tuple) and isinstance(form.history, Mapping)):
            raise SnapshotError("the snapshot does not stand in states of its program")
        tree = Tree(program.states)
        started = bool(self.configuration)
        if started and not _stands(self.configuration, tree):
            raise SnapshotError("the snapshot does not stand in states of its program")
        if not _remembers(self.history, tree):
            raise SnapshotError("the snapshot does not hold the history of its program")
        clock = form.time_ns
        whole = isinstance(clock, int) and not isinstance(clock, bool) and -(2**63) <= clock < 2**63
        if not (whole if started else clock is None):
            raise SnapshotError("the clock of the snapshot is no time in nanoseconds")
        if not isinstance(form.ended, bool):
            raise SnapshotError("`ended` of the snapshot is neither true nor false")
        for name, values in self.windows.items():
            if len(values) > lengths[name]:
                raise SnapshotError(f"window `{name}` holds {len(values)} values, more than its {lengths[name]}")
        typed = {name: _value(cell, self.cells[name]) for name, cell in cells.items()}
        for name, cell in cells.items():
            low, high = cell.low, cell.high
            # Where nothing was written yet, a cell is what it began as, in its range or not.
            unwritten = cell.kind in ("timer", "observed") and typed[name] == cell.initial
            if (started and not unwritten) and (
                (low is not None and typed[name] < float(low)) or (high is not None and typed[name] > float(high))
            ):
                raise SnapshotError(f"`{name}` of the snapshot is outside its range")
        unsettled = any(typed[name] for name in program.unsettled)
        if self.ended != (tree.is_finished(tree.with_ancestors(self.configuration)) and not unsettled):
            raise SnapshotError("the snapshot has ended where its machine has not, or the other way round")
        untouched = all(typed[cell.name] == cell.initial for cell in program.cells) and not any(self.windows.values())
        if not started and not (untouched and not any(self.history.values())):
            raise SnapshotError("the snapshot has not started and holds what only a started machine has")
        return replace(
            self,
            cells=typed,
            windows={name: tuple(_real(f"window `{name}`", one) for one in self.windows[name]) for name in lengths},
        )


def _stands(leaves: tuple[Any, ...], tree: Tree) -> bool:
    """Return whether leaves are those of a legal configuration (W3C SCXML 3.11), in document order."""
    known = all(isinstance(leaf, str) and leaf in tree.states and tree.is_atomic(leaf) for leaf in leaves)
    if not known:
        return False
    active = {ROOT, *tree.with_ancestors(leaves)}
    if tuple(sorted(set(leaves), key=tree.order.__getitem__)) != leaves:
        return False
    for state in active:
        inner = [child for child in tree.children[state] if child in active]
        wanted = {"compound": 1, "parallel": len(tree.children[state])}.get(tree.kind(state), 0)
        if len(inner) != wanted:
            return False
    return True


def _remembers(history: Mapping[str, tuple[Any, ...]], tree: Tree) -> bool:
    """Return whether each history state remembers nothing or what its parent can have been left in."""
    if set(history) != {name for name, state in tree.states.items() if state.kind == "history"}:
        return False
    for name, kept in history.items():
        parent, deep = tree.parent(name), tree.states[name].deep
        if not all(isinstance(each, str) and each in tree.states for each in kept):
            return False
        inside = (
            tree.is_atomic(each) and tree.is_descendant(each, parent) if deep else each in tree.children[parent]
            for each in kept
        )
        if not all(inside) or (kept and not _complete(kept, parent, tree)):
            return False
    return True


def _complete(kept: tuple[str, ...], parent: str, tree: Tree) -> bool:
    """Return whether what is remembered of a state says which one child of it is entered, or all of a parallel one."""
    around = {name for each in kept for name in (each, *tree.ancestors[each])}
    stack = [parent]
    while stack:
        state = stack.pop()
        inner = [child for child in tree.children[state] if child in around]
        wanted = {"compound": 1, "parallel": len(tree.children[state])}.get(tree.kind(state), 0)
        if len(inner) != wanted and not (state in kept and not inner):
            return False
        stack += inner
    return True


def _value(cell: Cell, value: object) -> Value:
    if cell.type == "real":
        return _real(f"`{cell.name}`", value)
    if cell.type == "bool" and isinstance(value, bool):
        return value
    # Declared counts stay within ±2^53, but the hidden cells of `since` and `elapsed` are times in nanoseconds.
    if cell.type == "int" and isinstance(value, int) and not isinstance(value, bool) and -(2**63) <= value < 2**63:
        return value
    kind = "true or false" if cell.type == "bool" else "a whole number of 64 bits"
    raise SnapshotError(f"`{cell.name}` of the snapshot is not {kind}")


def _real(what: str, value: object) -> float:
    try:
        if isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value):
            return float(value)
    except OverflowError:
        pass
    raise SnapshotError(f"{what} of the snapshot is not a finite number")
