"""Parameter sets on the live backend in several processes.

The path lies in files that every worker maps into its memory, so that it is there once. A worker keeps what it compiled.
Which worker runs a set makes no difference to its results.
"""

from __future__ import annotations

import pickle
import tempfile
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ..ir import FillMode, Value
from ..load import Spec
from ..processes import started, submitted
from .live import LiveRunner
from .path import EventPath
from .results import Results, shape_of

__all__ = ["LEAST", "LivePool", "task_size"]

LEAST = 50
"""Runs a task, where there are that many for each worker: a task costs some milliseconds to hand over."""
_STOP = "stop"
_ASKED_EVERY = 0.1


class LivePool:
    """Runs sets in a number of worker processes; leave it with `close`."""

    backend = "live"

    def __init__(self, spec: Spec, fill: FillMode, event: str, workers: int) -> None:
        """Keep what the workers will need; they start with the first run.

        Raises:
            ValueError: the spec cannot be handed to another process (a function of its registry cannot).
        """
        self.spec, self.fill, self.event, self.workers = spec, fill, event, workers
        self.notes: list[str] = []
        try:
            self._spec = pickle.dumps(spec)
        except (pickle.PicklingError, AttributeError, TypeError) as error:
            raise ValueError(f"the spec cannot be handed to another process: {error}") from None
        self._folder = tempfile.TemporaryDirectory(prefix="hedgerow-sweep-")
        self._stop = Path(self._folder.name, _STOP)
        self._path: EventPath | None = None
        self._executor: ProcessPoolExecutor | None = None
        self._broken = False

    def close(self) -> None:
        """End the workers; one that is at a set finishes it, and begins no other."""
        if self._executor is not None:
            self._stop.touch()
            self._executor.shutdown(cancel_futures=True)
        self._folder.cleanup()

    def run(
        self,
        parameters: Sequence[Mapping[str, Value]],
        capitals: npt.NDArray[np.float64],
        path: EventPath,
        into: Results,
        first_row: int = 0,
        interrupted: Callable[[], bool] | None = None,
    ) -> int:
        """Run sets; see `Runner`. An interrupted worker finishes the set that it is at."""
        if not self._broken:
            try:
                self._in_workers(parameters, capitals, path, into, first_row, interrupted)
            except BrokenProcessPool:
                self._broken = True
                self.notes.append("a worker process died; the sets that it had left were run in this process")
        mine = slice(first_row, first_row + len(parameters))
        if self._broken:
            alone = LiveRunner(self.spec, self.fill, self.event)
            for index in np.flatnonzero(~into.done[mine]).tolist():
                chosen, capital = parameters[index : index + 1], capitals[index : index + 1]
                if not alone.run(chosen, capital, path, into, first_row + index, interrupted):
                    break
        return int(into.done[mine].sum())

    def _in_workers(
        self,
        parameters: Sequence[Mapping[str, Value]],
        capitals: npt.NDArray[np.float64],
        path: EventPath,
        into: Results,
        first_row: int,
        interrupted: Callable[[], bool] | None,
    ) -> None:
        size = task_size(len(parameters), self.workers)
        pending: dict[Future[Results], int] = {}
        self._stop.unlink(missing_ok=True)
        executor = self._started(path)
        for first in range(0, len(parameters), size):
            values = [dict(each) for each in parameters[first : first + size]]
            pending[submitted(executor, _run_task, values, capitals[first : first + size])] = first
        while pending:
            finished = wait(pending, timeout=_ASKED_EVERY, return_when=FIRST_COMPLETED).done
            for future in finished:
                into.put(first_row + pending.pop(future), future.result())
            if interrupted is not None and interrupted():
                self._stop.touch()

    def _started(self, path: EventPath) -> ProcessPoolExecutor:
        if self._executor is None or self._path is not path:
            if self._executor is not None:
                self._executor.shutdown()
            folder = Path(self._folder.name)
            arrays = (path.times, *path.fields, path.stops, path.day_ns)
            for index, values in enumerate(arrays):
                np.save(folder / f"{index}.npy", values)
            none = np.zeros(0, np.int64)
            bare = replace(path, times=none, fields=(), stops=none, day_ns=none)
            self._executor = started(
                self.workers, _begin, self._spec, self.fill, self._folder.name, bare, len(path.fields)
            )
            self._path = path
        return self._executor


def task_size(sets: int, workers: int) -> int:
    """Return how many sets a task has: at least `LEAST` where each worker gets that many, and else an even share."""
    share = -(-sets // workers)
    return share if share <= LEAST else max(LEAST, -(-sets // (4 * workers)))


# ---------------------------------------------------------------------------------------------------------- in a worker


class _Worker(NamedTuple):
    runner: LiveRunner
    path: EventPath
    stop: Path


_worker: _Worker


def _begin(spec: bytes, fill: FillMode, folder: str, bare: EventPath, fields: int) -> None:
    """Take up the spec and the path, once a worker."""
    global _worker
    times, *values = (np.load(Path(folder, f"{index}.npy"), mmap_mode="r") for index in range(fields + 3))
    path = replace(bare, times=times, fields=tuple(values[:fields]), stops=values[fields], day_ns=values[fields + 1])
    # The bytes come from the process that started this one.
    _worker = _Worker(LiveRunner(pickle.loads(spec), fill, bare.event), path, Path(folder, _STOP))


def _run_task(parameters: list[dict[str, Value]], capitals: npt.NDArray[np.float64]) -> Results:
    runner, path, stop = _worker
    shape = shape_of(runner.spec.program(runner.fill), len(path.stops))
    results = Results.empty(shape, len(parameters))
    runner.run(parameters, capitals, path, results, interrupted=stop.exists)
    return results
