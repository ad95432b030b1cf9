"""The full trace of a long run, written to Parquet while native code runs."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median

import numpy as np

import hedgerow
from hedgerow.engine.ir import Value
from hedgerow.engine.load import Spec
from hedgerow.engine.sweep.path import EventPath, path_of
from hedgerow.engine.sweep.trace_file import write_trace

from .host import installed
from .page import Section, Size, Target, unmeasured
from .rounds import interleave, rates
from .sweep_loop import spec_file, walk

__all__ = ["measure"]

ROWS_A_SECOND = 5_000_000.0


def measure(size: Size, progress: Callable[[str], None]) -> Section:
    """Measure writing a trace."""
    title, head = "A trace to Parquet", ("", "rows", "columns", "wall s", "CPU s", "rows a second", "bytes a row")
    if installed("llvmlite") is None:
        return unmeasured(title, head, "llvmlite")
    spec = hedgerow.load(spec_file())
    times, prices, _ = walk(size.ticks)
    event = next(each for each in spec.program("same").events if each.name == "tick")
    path = path_of(event, times, [prices])
    parameters = dict(spec.compile().parameters)
    cpu: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "trace.parquet"
        columns = write_trace(spec, parameters, path.head(1000), file, fill="same").columns  # compiles
        run = partial(_seconds, spec, parameters, path, file, cpu)
        wall = interleave({"write_trace": run}, size.tick_rounds, progress)["write_trace"]
        weight = file.stat().st_size / size.ticks
    paces = rates(wall, size.ticks)
    row = (
        "`write_trace`", f"{size.ticks:,}", f"{len(columns)}", f"{median(wall):.2f}", f"{median(cpu):.2f}",
        f"{median(paces):,.0f}", f"{weight:.1f}",
    )  # fmt: skip
    shown = ", ".join(f"`{name}`" for name in columns)
    words = (
        (
            f"The path and the watched loop of the section `A native loop`, with a line for every row: {shown}. Values are "
            "packed by zstd at its fastest level, times as differences. Wall time from the arrays to the file in its place, "
            "compiled beforehand, on one thread; the system may still hold a part of it in memory (rounds: "
            f"{size.tick_rounds})."
        ),
    )
    targets = (Target.of("rows a second", paces, ROWS_A_SECOND, at_least=True, shown="{:,.0f}"),)
    return Section(title, words, head, (row,), targets)


def _seconds(spec: Spec, parameters: dict[str, Value], path: EventPath, file: Path, cpu: list[float]) -> float:
    start, began = time.perf_counter(), time.process_time()
    found = write_trace(spec, parameters, path, file, fill="same")
    cpu.append(time.process_time() - began)
    wall = time.perf_counter() - start
    if not found.lines == found.results.accepted[0] == len(path) or not np.isfinite(found.results.equity[0]):
        raise RuntimeError(f"the trace has {found.lines} lines of {len(path)}")
    return wall
