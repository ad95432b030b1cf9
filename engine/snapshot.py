"""The whole state of a machine between two events, as a value."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from .ir import Value

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
            if body["format"] != FORMAT:
                raise SnapshotError(f"snapshot format {body['format']!r} is not {FORMAT}")
            return Snapshot(
                body["program"],
                body["parameters"],
                body["time_ns"],
                tuple(body["configuration"]),
                body["cells"],
                {name: tuple(values) for name, values in body["windows"].items()},
                body["ended"],
            )
        except (KeyError, TypeError, AttributeError, json.JSONDecodeError, RecursionError) as error:
            raise SnapshotError(f"this is no snapshot: {error}") from None

    def must_fit(
        self, program: str, parameters: Mapping[str, Value], cells: Collection[str], leaves: Collection[str]
    ) -> None:
        """Check that the snapshot was taken from this program with these parameters.

        Raises:
            SnapshotError: it was not.
        """
        if self.program != program:
            raise SnapshotError(
                "the snapshot belongs to another program: the spec, its fill mode or the engine changed"
            )
        if dict(self.parameters) != dict(parameters):
            raise SnapshotError("the snapshot was taken with other parameters")
        if set(self.cells) != set(cells) or not set(self.configuration) <= set(leaves):
            raise SnapshotError("the snapshot does not hold the cells and states of its program")
