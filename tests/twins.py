"""Backends in step: the reference, the live machine and native code see the same events and may not differ in a bit."""

from __future__ import annotations

from functools import cache

from hedgerow import Spec, Step
from hedgerow.engine.intake import Refusal, in_order
from hedgerow.engine.ir import FillMode, Value
from hedgerow.engine.load import Compiled, loads
from hedgerow.engine.registry import Registry
from hedgerow.engine.semantics import Reference
from hedgerow.engine.snapshot import Snapshot

__all__ = ["Twins", "twins"]


class Twins:
    """A live machine and the reference, held equal after every event."""

    def __init__(self, compiled: Compiled) -> None:
        self.program = compiled.program
        self.machine = compiled.machine()
        self.reference = Reference(compiled.program, compiled.parameters, compiled.registry)
        self.snapshot = self.reference.initial()

    def send(self, event: str, time_ns: object, **fields: object) -> Step:
        """Send one event to both and return what it did."""
        live = self.machine.send(event, time_ns, **fields)  # type: ignore[arg-type]  # a wrong time is a test
        try:
            values = in_order(self.program, event, fields)
        except Refusal as refusal:
            self.snapshot, expected = self.reference.refuse(self.snapshot, str(refusal))
        else:
            self.snapshot, expected = self.reference.step(self.snapshot, event, time_ns, values)
        assert live == expected
        assert self.machine.snapshot().to_json() == self.snapshot.to_json()
        return live

    def advance(self, time_ns: int) -> Step:
        """Let time pass on both and return what it did."""
        live = self.machine.advance(time_ns)
        self.snapshot, expected = self.reference.advance(self.snapshot, time_ns)
        assert live == expected
        assert self.machine.snapshot().to_json() == self.snapshot.to_json()
        return live

    def value(self, cell: str) -> Value:
        return self.snapshot.cells[cell]

    def restore(self, snapshot: Snapshot) -> None:
        self.machine.restore(snapshot)
        self.snapshot = snapshot


def twins(
    text: str, *, fill: FillMode = "same", registry: Registry | None = None, **parameters: str | float | bool
) -> Twins:
    """Return both backends of a spec's text, not yet started."""
    return Twins(spec(text, registry).compile(fill=fill, **parameters))


@cache
def spec(text: str, registry: Registry | None = None) -> Spec:
    """Return the spec of a text, checked once however many examples run it."""
    return loads(text, registry=registry)
