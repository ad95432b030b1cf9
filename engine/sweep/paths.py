"""A sweep over several paths of a scenario: every set over path after path, and a table of what they come to on average.

Each path is an ordinary sweep in a folder of its own, so that what is done is kept set by set, and goes on there. One path
is held at a time. At the end the paths are put under one another in `paths.parquet`, one row a (set, path), and the table of
the sweep has one row a set.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..dryrun.data import Window
from ..dryrun.dry_run import event_of
from ..dryrun.problem import RunError
from ..dryrun.scenario import is_scenario, read_scenario
from ..dryrun.scenario_keys import split_pairs
from ..load import Spec
from .about import about, identity
from .choice import chosen_runner
from .live import Runner
from .means import Means
from .path import EventPath, read_path
from .runner import Progress, Sweep, prepare
from .sets import ParameterSets
from .store import MANIFEST, PARTS, Store, check_sweep_folder, write_paths
from .table import SweepTable, param_columns

__all__ = ["MOST_PATHS", "PathSweep", "path_text", "prepare_paths"]

MOST_PATHS = 1_000_000


@dataclass(frozen=True, eq=False)
class PathSweep:
    """A sweep over several paths in which everything has been checked, and nothing been run.

    Fields:
        first: the sweep over the first path.
        source: the scenario as it was written.
        begin: the number of the first path.
        count: how many paths, from 2 on.
        read: makes the path of a number.
        folder: where finished sets are kept; None keeps the means alone, in memory.
    """

    first: Sweep
    source: str
    begin: int
    count: int
    read: Callable[[int], EventPath]
    folder: Path | None = None
    store: Store | None = None

    @property
    def sets(self) -> ParameterSets:
        return self.first.sets

    @property
    def path(self) -> EventPath:
        """The first path."""
        return self.first.path

    def seconds(self) -> float:
        """Return about how long all of it takes, from one set over the first rows."""
        return self.first.seconds() * self.count

    def kept_in(self, folder: Path, *, resume: bool = False, force: bool = False) -> PathSweep:
        """Return the sweep with a folder that finished sets are written to; see `runner.sweep`."""
        check_sweep_folder(folder, resume=resume, force=force)
        known = {**identity(self.first), "--paths": self.count}
        store = Store(folder, known, self.path.day_ns, keep_days=False, resume=resume)
        return replace(self, folder=folder, store=store)

    def run(
        self,
        *,
        progress: Callable[[Progress], None] | None = None,
        interrupted: Callable[[], bool] | None = None,
    ) -> SweepTable:
        """Run all sets over all paths, but those that are done.

        Args:
            progress: called now and then; it counts a set over a path as one.
            interrupted: asked now and then whether to stop; the table is over the paths that were whole by then.

        Raises:
            RunError: the folder cannot be written; what was written stays.
            KeyboardInterrupt: it was interrupted before a path was whole.
        """
        if self.store is not None and self.store.whole:
            return self._written(self.store)
        sets, total = len(self.sets), len(self.sets) * self.count
        means = Means(self.sets.names)
        events, table = 0, None
        with chosen_runner(self.first) as held:
            for place in range(self.count):
                sweep = self._over(place)
                before = events

                def tell(at: Progress, place: int = place, before: int = before) -> None:
                    nonlocal events
                    events = before + at.events
                    if progress is not None:
                        progress(Progress(place * sets + at.done, total, events))

                try:
                    one = sweep.run(progress=tell, interrupted=interrupted, held=held)
                except KeyboardInterrupt:
                    break
                if one.interrupted:
                    break
                table = one
                means.add(one.columns)
                if interrupted is not None and interrupted() and place + 1 < self.count:
                    break
            told = self._about(*held)
        if table is None:
            raise KeyboardInterrupt
        found = SweepTable(
            means.columns(), table.params, table.axes, told, sets, means.paths < self.count, None, means.paths
        )
        if self.store is not None and self.folder is not None and not found.interrupted:
            write_paths(self.folder, self.begin, [self._folder(place) for place in range(self.count)])
            self.store.finish(found)
        return found

    def _written(self, store: Store) -> SweepTable:
        """Return the table that is whole on disk."""
        columns, _ = store.table()
        named = param_columns(self.sets, self.first.shape)
        axes = {named[name]: values for name, values in self.sets.axes.items()}
        with chosen_runner(self.first, alone=True) as held:
            told = self._about(*held)
        return SweepTable(columns, tuple(named.values()), axes, told, len(self.sets), False, None, self.count)

    def _over(self, place: int) -> Sweep:
        """Return the sweep over one of the paths, with its folder."""
        path = self.path if place == 0 else self.read(self.begin + place)
        sweep = replace(self.first, path=path)
        if self.folder is None:
            return sweep
        folder = self._folder(place)
        return sweep.kept_in(folder, resume=(folder / MANIFEST).is_file(), force=True)

    def _folder(self, place: int) -> Path:
        assert self.folder is not None
        return self.folder / PARTS / f"path-{place:06d}"

    def _about(self, runner: Runner, reason: str) -> dict[str, Any]:
        told = about(self.first, runner.backend, reason, getattr(runner, "notes", []))
        last = self.begin + self.count - 1
        told["data"] = {**told["data"], "name": self.source, "paths": {"count": self.count, "first": self.begin}}
        told["notes"] = [
            f"{self.count:,} paths, {self.begin} to {last}, each drawn from a stream of its own; the first is told here",
            *told["notes"],
        ]
        return told


def path_text(source: str, number: int) -> str:
    """Return the text of a scenario for one of its paths."""
    name, _, rest = source.strip().partition(":")
    pairs = {**split_pairs(rest, source.strip()), "path": str(number)}
    return f"{name}:" + ",".join(f"{key}={value}" for key, value in pairs.items())


def prepare_paths(
    spec: Spec,
    source: str,
    sets: ParameterSets,
    paths: int,
    *,
    event: str | None = None,
    mapping: Mapping[str, str] | None = None,
    time_column: str | None = None,
    window: Window | None = None,
    skip_bad: bool = False,
    stress: str | None = None,
    **options: Any,
) -> Sweep | PathSweep:
    """Read the first path and check what a sweep over `paths` of them needs; one path is an ordinary sweep.

    Args:
        spec: a checked spec.
        source: a scenario, such as `gbm:seed=7`; the paths begin at its `path`.
        sets: of `parameter_sets`.
        paths: how many, in [1, `MOST_PATHS`].
        event: as in `runner.sweep`, and so are the others.
        mapping: field → column.
        time_column: None finds it.
        window: which times to keep.
        skip_bad: keep bad rows, to be sent and refused.
        stress: as in `runner.sweep`, over one path.
        options: those of `prepare`.

    Raises:
        RunError: recorded data, of which there is one path; another number of paths; what `prepare` raises.
    """
    reading: dict[str, Any] = {
        "mapping": mapping,
        "time_column": time_column,
        "window": window,
        "skip_bad": skip_bad,
    }
    if paths == 1:
        return prepare(spec, source, sets, event=event, stress=stress, **reading, **options)
    if not 1 <= paths <= MOST_PATHS:
        raise RunError(
            "HR807", f"{paths:,} paths cannot be drawn", "--paths", f"write a number from 1 to {MOST_PATHS:,}"
        )
    if not is_scenario(source):
        message = f"`{source[:60]}` is recorded data, and there is one path of it"
        help = f"draw others from its returns, with --data bootstrap:of={source},seed=1 --paths {paths}"
        raise RunError("HR807", message, "--paths", help)
    if stress is not None:
        help = "leave out --paths, or sweep paths of a crash, with --data crash_1987 or crash_2020"
        raise RunError("HR807", "a stress is laid over one path", "--paths", help)
    if options.get("keep_days"):
        help = "leave out --days and --walk-forward, or sweep one path, without --paths"
        raise RunError("HR807", "days are kept, and sets judged on them, over one path", "--paths", help)
    begin = read_scenario(source).number
    first = prepare(spec, path_text(source, begin), sets, event=event, **reading, **options)
    fed = event_of(spec, first.path.event)

    def read(number: int) -> EventPath:
        return read_path(fed, path_text(source, number), **reading)

    return PathSweep(first, source.strip(), begin, paths, read)
