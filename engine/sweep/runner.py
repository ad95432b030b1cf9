"""One sweep, from a checked spec, the name of some data and parameter sets to a table.

Sets are run in blocks of a second or two; what is done is kept (`store`), so that an interrupted sweep goes on where it
was. How long a block takes decides when something is written, and nothing of what is written.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import closing, nullcontext
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ..dryrun.data import Window
from ..dryrun.dry_run import event_of
from ..dryrun.problem import RunError
from ..dryrun.subject import capital_of, capital_reads
from ..ir import FillMode
from ..load import Spec
from .about import about, identity
from .choice import Backend, chosen_runner
from .cluster import ClusterRunner
from .live import Runner
from .path import EventPath, read_path
from .pool import LEAST, LivePool
from .results import Results, Shape, shape_of
from .sets import ParameterSets
from .store import Store, check_sweep_folder
from .table import Days, SweepTable, columns_of, joined, joined_days, param_columns

__all__ = ["Backend", "Progress", "Sweep", "prepare", "sweep"]

BLOCK_SECONDS = 2.0
TOLD_SECONDS = 0.1
BLOCK_BYTES = 64 << 20
"""Days of a block take no more than this."""
PROBED = 20_000
"""Rows that an estimate of the time runs one set over."""


class Progress(NamedTuple):
    """How far a sweep is: sets done and in all, and rows that the machines took or refused since it went on."""

    done: int
    total: int
    events: int


@dataclass(frozen=True, eq=False)
class Sweep:
    """A sweep in which everything has been checked, and nothing been run."""

    spec: Spec
    path: EventPath
    sets: ParameterSets
    fill: FillMode
    fill_given: bool
    backend: Backend
    workers: int
    keep_days: bool
    skip_bad: bool
    permitted: tuple[str, ...]
    store: Store | None = None
    on: str | None = None

    def kept_in(self, folder: Path, *, resume: bool = False, force: bool = False) -> Sweep:
        """Return the sweep with a folder that finished sets are written to; see `sweep`."""
        check_sweep_folder(folder, resume=resume, force=force)
        store = Store(folder, identity(self), self.path.day_ns, keep_days=self.keep_days, resume=resume)
        return replace(self, store=store)

    @property
    def shape(self) -> Shape:
        return shape_of(self.spec.program(self.fill), len(self.path.stops))

    def seconds(self) -> float:
        """Return about how long the sets that are left will take, from the first one over the first rows."""
        left = len(self.sets) - (0 if self.store is None else len(self.store.done))
        probe = self.path.head(PROBED)
        few = np.zeros(2, np.int64)  # native code does less for a set that is not alone
        results = Results.empty(shape_of(self.spec.program(self.fill), len(probe.stops)), len(few))
        with chosen_runner(self, alone=True) as (runner, _):
            capitals = self._capitals(few)
            for _ in range(2):  # the first run compiles
                began = time.perf_counter()
                runner.run(self.sets.take(few), capitals, probe, results)
                took = (time.perf_counter() - began) / len(few)
        return took / len(probe) * len(self.path) * left / self.workers

    def run(
        self,
        *,
        progress: Callable[[Progress], None] | None = None,
        interrupted: Callable[[], bool] | None = None,
        held: tuple[Runner, str] | None = None,
    ) -> SweepTable:
        """Run all sets that are not done yet.

        Args:
            progress: called now and then.
            interrupted: asked now and then whether to stop; the table holds what was done until then.
            held: what runs the sets, and why it is not native code, where that is there already: see `chosen_runner`.

        Raises:
            RunError: the folder cannot be written; what was written stays.
        """
        shape, store = self.shape, self.store
        done = np.zeros(len(self.sets), np.bool_)
        if store is not None:
            done[store.done] = True
        kept: list[dict[str, npt.NDArray[Any]]] = []
        days: list[Days] = []
        todo = np.flatnonzero(~done)
        events = 0
        stopped = False
        failure: RunError | None = None
        with chosen_runner(self) if held is None else nullcontext(held) as (runner, reason):
            tasks = isinstance(runner, LivePool | ClusterRunner)
            each = LEAST if tasks else {"native": 8}.get(runner.backend, 1)
            least = each * self.workers if each > 1 else 1
            size, position = least, 0
            while position < len(todo) and not stopped:
                rows = todo[position : position + size]
                results = Results.empty(shape, len(rows))
                before = len(self.sets) - len(todo) + position

                began = shown = time.perf_counter()

                def ask(results: Results = results, before: int = before, events: int = events) -> bool:
                    nonlocal shown
                    if progress is not None and time.perf_counter() - shown >= TOLD_SECONDS:
                        shown = time.perf_counter()
                        ran = int(results.accepted.sum() + results.refused.sum())
                        progress(Progress(before + int(results.done.sum()), len(self.sets), events + ran))
                    return interrupted is not None and interrupted()

                capitals = self._capitals(rows)
                try:
                    runner.run(self.sets.take(rows), capitals, self.path, results, 0, ask)
                except RunError as error:  # what came back before is kept
                    failure = error
                took = time.perf_counter() - began
                events += int(results.accepted.sum() + results.refused.sum())
                if progress is not None:
                    progress(Progress(before + int(results.done.sum()), len(self.sets), events))
                stopped = failure is not None or (interrupted is not None and interrupted())
                mine = np.flatnonzero(results.done)
                if len(mine):
                    results = results.part(mine)
                    kept.append(columns_of(shape, self.sets, rows[mine], results, capitals[mine]))
                    if self.keep_days:
                        days.append(Days(self.path.day_ns, results.days, results.day_fees))
                    if store is not None:
                        store.add(kept[-1], days[-1] if days else None)
                        # What is written need not be held twice.
                        kept, days = [], []
                position += len(rows)
                size = self._block(size, took, least)
            notes = getattr(runner, "notes", [])
            told = about(self, runner.backend, reason, notes)
        if store is not None:
            store.flush()
        if failure is not None:
            raise failure
        if store is not None:
            columns, books = store.table()
        else:
            columns, books = joined(kept), joined_days(days)
        finished = len(columns.get("set", ())) == len(self.sets)
        if not columns:
            raise KeyboardInterrupt
        named = param_columns(self.sets, shape)
        axes = {named[name]: values for name, values in self.sets.axes.items()}
        table = SweepTable(columns, tuple(named.values()), axes, told, len(self.sets), not finished, books)
        if store is not None and finished:
            store.finish(table)
        return table

    def _capitals(self, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        """Return (s,) the capital of some sets."""
        program = self.spec.program(self.fill)
        if not capital_reads(program):
            return np.full(len(rows), capital_of(program, {}))
        return np.array([capital_of(program, self.sets[row]) for row in rows.tolist()], np.float64)

    def _block(self, size: int, took: float, least: int) -> int:
        """Return the size of the next block, so that it takes about `BLOCK_SECONDS` and not too much memory."""
        wanted = int(size * min(8.0, BLOCK_SECONDS / max(took, 1e-9)))
        most = max(1, BLOCK_BYTES // (16 * max(1, self.shape.days)))
        return max(least, min(wanted, most), 1)


def prepare(
    spec: Spec,
    data: str | EventPath,
    sets: ParameterSets,
    *,
    fill: FillMode | None = None,
    event: str | None = None,
    mapping: Mapping[str, str] | None = None,
    time_column: str | None = None,
    window: Window | None = None,
    skip_bad: bool = False,
    stress: str | None = None,
    permitted: tuple[str, ...] = (),
    backend: Backend = "auto",
    workers: int = 1,
    on: str | None = None,
    keep_days: bool = False,
    reading: Callable[[float], None] | None = None,
    interrupted: Callable[[], bool] | None = None,
) -> Sweep:
    """Read the data and check what a sweep needs; the arguments are those of `sweep`.

    `reading` is called with the share of the data read.
    """
    if workers < 1:
        raise RunError("HR807", f"there are no {workers} workers", "--workers", "write a number from 1 on")
    if sets.spec is not spec and sets.spec.bind({}).digest != spec.bind({}).digest:
        raise ValueError(f"the parameter sets are of `{sets.spec.name}` as it is elsewhere, and not of this spec")
    if stress is not None and not isinstance(data, str):
        raise ValueError("a path of arrays is given as it is to be run, and takes no stress")
    fed = event_of(spec, event if isinstance(data, str) else data.event)
    if on is not None:
        if workers != 1:
            raise RunError("HR807", "a cluster has its own workers", "--workers", "leave out --workers, or --on")
        # What would fail after the data are read, and a folder is made, fails now.
        with closing(ClusterRunner(on, spec, fill or "same", fed.name, backend)) as cluster:
            workers = cluster.threads
    if isinstance(data, str):
        path = read_path(
            fed, data, mapping=mapping, time_column=time_column, window=window, skip_bad=skip_bad, stress=stress,
            program=spec.program(), progress=reading, interrupted=interrupted,
        )  # fmt: skip
    else:
        path = data
    chosen: FillMode = fill or ("next" if path.bars else "same")
    return Sweep(
        spec, path, sets, chosen, fill is not None, backend, workers, keep_days, skip_bad, permitted, on=on
    )  # fmt: skip


def sweep(
    spec: Spec,
    data: str | EventPath,
    sets: ParameterSets,
    *,
    fill: FillMode | None = None,
    event: str | None = None,
    mapping: Mapping[str, str] | None = None,
    time_column: str | None = None,
    window: Window | None = None,
    skip_bad: bool = False,
    stress: str | None = None,
    permitted: tuple[str, ...] = (),
    backend: Backend = "auto",
    workers: int = 1,
    on: str | None = None,
    folder: str | PathLike[str] | None = None,
    keep_days: bool = False,
    resume: bool = False,
    force: bool = False,
    progress: Callable[[Progress], None] | None = None,
    interrupted: Callable[[], bool] | None = None,
) -> SweepTable:
    """Run a spec over one path of events for many parameter sets.

    Args:
        spec: a checked spec.
        data: as in `open_data`, or a path of arrays (`path_of`).
        sets: of `parameter_sets`.
        fill: None takes `next` for bars and `same` for ticks.
        event: what a row is; None where the spec has one event with fields.
        mapping: field → column.
        time_column: None finds it.
        window: which times to keep; None keeps all.
        skip_bad: send bad rows to every machine, to be refused; otherwise the first one is an error.
        stress: a crash that is laid over the data, or a stretch that is cut out of them; see `stress.read_stress`.
        permitted: the codes that were waived when the spec was loaded, to be noted.
        backend: `auto` takes native code where the spec and the machine allow it, and the live backend elsewhere; the
            results are the same.
        workers: threads of native code, or processes of the live backend; the results do not depend on it. A script that
            asks for several processes must start under `if __name__ == "__main__":`.
        on: run the sets on a cluster that is there, `dask://host:port`, whose workers are its own; the table is the same.
        folder: where to keep finished sets and write the table; None keeps them in memory alone.
        keep_days: keep equity and fees of each set at the end of each UTC day.
        resume: go on with the sweep that is in the folder.
        force: write into a folder that holds something else.
        progress: called now and then.
        interrupted: asked now and then whether to stop; the table holds what was done until then.

    Raises:
        RunError: options, data or a folder that do not fit.
        ValueError: sets of another spec, or a stress with a path of arrays.
        KeyboardInterrupt: `interrupted` said so before any set was done.
    """
    if folder is not None:
        check_sweep_folder(Path(folder), resume=resume, force=force)
    made = prepare(
        spec, data, sets, fill=fill, event=event, mapping=mapping, time_column=time_column, window=window,
        skip_bad=skip_bad, stress=stress, permitted=permitted, backend=backend, workers=workers, on=on,
        keep_days=keep_days, interrupted=interrupted,
    )  # fmt: skip
    if folder is not None:
        made = made.kept_in(Path(folder), resume=resume, force=force)
    return made.run(progress=progress, interrupted=interrupted)
