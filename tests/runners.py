"""One parameter set over ticks in native code and on the live backend: the results, once they are seen to be the same."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from hedgerow.engine.ir import FillMode
from hedgerow.engine.load import Spec
from hedgerow.engine.sweep.live import LiveRunner
from hedgerow.engine.sweep.native_runner import NativeRunner, native_runner
from hedgerow.engine.sweep.path import path_of
from hedgerow.engine.sweep.results import Results, shape_of

__all__ = ["same_in_native_code"]

SECOND = 10**9


def same_in_native_code(
    spec: Spec, prices: Sequence[float], fill: FillMode = "same", times: Sequence[int] | None = None
) -> Results:
    """Return what native code comes to at prices a second apart, or at `times`, having held it to the live backend."""
    pytest.importorskip("llvmlite", reason="the native backend is in the extra `sweep`")
    program = spec.program(fill)
    when = np.arange(len(prices), dtype=np.int64) * SECOND if times is None else np.array(times, dtype=np.int64)
    path = path_of(program.event("tick"), when, [np.array(prices)], skip_bad=True)
    runner = native_runner(spec, fill, "tick", 1)
    assert isinstance(runner, NativeRunner)
    found = []
    for each in (runner, LiveRunner(spec, fill, "tick")):
        results = Results.empty(shape_of(program, len(path.stops)), 1)
        assert each.run([spec.bind({}, fill=fill).parameters], np.zeros(1), path, results) == 1
        found.append(results)
    native, live = found
    for name, values in vars(native).items():
        if name != "handed":
            np.testing.assert_array_equal(values, getattr(live, name), err_msg=name)
    return native
