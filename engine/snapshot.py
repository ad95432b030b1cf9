"""The whole state of a machine between two events, as a value."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from .ir import Cell, Program, Value

__all__ = ["Snapshot", "SnapshotError"]

FORMAT = 1


class SnapshotError(ValueError):
    """A text that is no snapshot, or a snapshot of another program or of other parameters."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A machine at rest.

    `time_ns` is the clock (None before the start), `configuration` the active leaf of each region (empty before the
    start), `cells` every named value, `windows` the histories, oldest first. `program` is the digest of the IR: two
    machines with equal snapshots behave alike for ever.
    """

    program: str
    parameters: Mapping[str, Value]
    time_ns: int | None
    configuration: tuple[str, ...]
    cells: Mapping[str, Value]
    windows: Mapping[str, tuple[float, ...]]
    ended: bool = False

    def to_json(self) -> str:
        """Return the snapshot as canonical JSON text; doubles survive to the last bit."""
        from hedgerow import __version__

        body = {
            "format": FORMAT,
            "engine": __version__,
            "program": self.program,
            "parameters": dict(self.parameters),
            "time_ns": self.time_ns,
            "configuration": list(self.configuration),
            "cells": dict(self.cells),
            "windows": {name: list(values) for name, values in self.windows.items()},
            "ended": self.ended,
        }
        return json.dumps(body, sort_keys=True, separators=(",", ":"), allow_nan=False)

    @staticmethod
    def from_json(text: str) -> Snapshot:
        """Return the snapshot of a text.

        Raises:
            SnapshotError: it is none.
        """
        try:
            body: Any = json.loads(text)
            form = body["format"]
            snapshot = Snapshot(
                body["program"],
                body["parameters"],
                body["time_ns"],
                tuple(body["configuration"]),
                body["cells"],
                {name: tuple(values) for name, values in body["windows"].items()},
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
            raise SnapshotError("the snapshot belongs to another program: the spec or its fill mode changed")
        if not isinstance(form.parameters, Mapping) or dict(self.parameters) != dict(parameters):
            raise SnapshotError("the snapshot was taken with other parameters")
        cells = {cell.name: cell for cell in program.cells}
        lengths = {window.name: window.length for window in program.windows}
        if not isinstance(form.cells, Mapping) or set(self.cells) != set(cells) or set(self.windows) != set(lengths):
            raise SnapshotError("the snapshot does not hold the cells and windows of its program")
        started = len(self.configuration) == len(program.regions) and all(
            leaf in region.leaves for leaf, region in zip(self.configuration, program.regions, strict=True)
        )
        if not started and self.configuration:
            raise SnapshotError("the snapshot does not stand in states of its program")
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
            # Before the start every cell is 0, in its range or not.
            low, high = cell.low, cell.high
            if started and (
                (low is not None and typed[name] < float(low)) or (high is not None and typed[name] > float(high))
            ):
                raise SnapshotError(f"`{name}` of the snapshot is outside its range")
        return replace(
            self,
            cells=typed,
            windows={name: tuple(_real(f"window `{name}`", one) for one in self.windows[name]) for name in lengths},
        )


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
