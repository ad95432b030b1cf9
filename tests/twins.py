"""Backends in step: the reference, the live machine and native code see the same events and may not differ in a bit."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
import pytest

from hedgerow import Spec, Step
from hedgerow.engine.intake import Refusal, in_order
from hedgerow.engine.ir import FillMode, Value
from hedgerow.engine.load import Compiled, loads
from hedgerow.engine.registry import Registry
from hedgerow.engine.semantics import Reference
from hedgerow.engine.snapshot import Snapshot
from hedgerow.engine.sweep.live import LiveRunner
from hedgerow.engine.sweep.native_runner import NativeRunner, native_runner
from hedgerow.engine.sweep.path import path_of
from hedgerow.engine.sweep.results import Results, shape_of

__all__ = ["Twins", "swept", "twins"]


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


def swept(spec: Spec, times: Sequence[int], prices: Sequence[float], fill: FillMode = "same") -> Results:
    """Return what native code makes of ticks with one field, after holding it to live machines."""
    pytest.importorskip("llvmlite", reason="the native backend is in the extra `sweep`")
    program = spec.program(fill)
    path = path_of(program.event("tick"), np.array(times, dtype=np.int64), [np.array(prices)], skip_bad=True)
    shape, capitals = shape_of(program, len(path.stops)), np.zeros(1)
    runner = native_runner(spec, fill, path.event, 1)
    assert isinstance(runner, NativeRunner)
    native, live = Results.empty(shape, 1), Results.empty(shape, 1)
    parameters = [spec.bind({}, fill=fill).parameters]
    assert runner.run(parameters, capitals, path, native) == 1
    assert LiveRunner(spec, fill, path.event).run(parameters, capitals, path, live) == 1
    for name, values in vars(native).items():
        if name != "handed":
            np.testing.assert_array_equal(values, getattr(live, name), err_msg=name)
    return native
