"""The folder of a sweep: finished sets are written while it runs, so that it can be interrupted and go on.

    sweep.json          what the sweep is of; with `finished`, results.parquet is whole
    parts/*.parquet     finished sets, every few seconds, and their days; gone when the sweep is finished
    results.parquet     one row a set
    days.parquet        one row a set and UTC day, where days are kept

Every file is written under another name and moved in place, so that a file that is there is whole.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..diagnostics import reason_of
from ..dryrun.problem import RunError, missing_extra
from .table import Columns, Days, SweepTable, joined, joined_days

__all__ = ["FORMAT", "MANIFEST", "PARTS", "Store", "check_sweep_folder", "write_paths", "write_text"]

FORMAT = "hedgerow.sweep/2"
SAVE_SECONDS = 5.0
MAX_MANIFEST_BYTES = 20_000_000
MANIFEST, RESULTS, DAYS, PARTS = "sweep.json", "results.parquet", "days.parquet", "parts"
PATHS = "paths.parquet"
OWN = (MANIFEST, RESULTS, DAYS, PATHS, "summary.json", "report.html", "walkforward.json")


def check_sweep_folder(folder: Path, *, resume: bool, force: bool) -> None:
    """Refuse a folder that a sweep may not be written to.

    Args:
        folder: where the sweep is to be written.
        resume: it must hold a sweep.
        force: take a folder that holds something, files of other names stay.

    Raises:
        RunError: a file, a folder that holds something, or with `resume` none that holds a sweep.
    """
    name = str(folder)
    if resume:
        if not (folder / MANIFEST).is_file():
            help = "name its folder with --out, or leave out --resume to begin one"
            raise RunError("HR832", "there is no sweep here to go on with", name, help)
        return
    try:
        if not folder.exists():
            parent = folder.absolute().parent
            if not parent.is_dir():
                raise RunError("HR808", "there is no folder to make it in", name, f"make `{parent.name}` first")
            return
        if not folder.is_dir():
            raise RunError("HR808", "this is a file, not a folder", name, "name another folder with --out")
        if any(folder.iterdir()) and not force:
            if (folder / MANIFEST).is_file():
                help = "go on with it with --resume, replace it with --force, or name another folder with --out"
                raise RunError("HR808", "the folder holds a sweep", name, help)
            help = "name another folder with --out, or write into this one with --force"
            raise RunError("HR808", "the folder holds files that are no sweep's", name, help)
    except OSError as error:
        raise _unwritable(folder, error) from None


class Store:
    """What of a sweep is on disk."""

    def __init__(
        self,
        folder: Path,
        identity: Mapping[str, Any],
        day_ns: npt.NDArray[np.int64],
        *,
        keep_days: bool,
        resume: bool,
    ) -> None:
        """Begin a sweep in a folder that `check_sweep_folder` has passed, or take one up.

        Args:
            folder: it is made if need be.
            identity: what two parts of one sweep have in common, in words.
            day_ns: (D,) when each UTC day of the path begins.
            keep_days: whether days are kept too.
            resume: take up what is there.

        Raises:
            RunError: the folder cannot be written, or with `resume` holds another sweep.
        """
        _arrow()
        self.folder, self.day_ns, self.keep_days = folder, day_ns, keep_days
        self._identity = dict(identity)
        self._waiting: list[tuple[Columns, Days | None]] = []
        self._saved = time.monotonic()
        self._columns: list[Columns] = []
        self._days: list[Days] = []
        self._next = 0
        self._whole = False
        """Whether results.parquet holds all sets already."""
        if resume:
            self._take_up()
        else:
            self._begin()

    @property
    def whole(self) -> bool:
        """Whether the table of all sets is written."""
        return self._whole

    @property
    def done(self) -> npt.NDArray[np.int64]:
        """The numbers of the sets that are done, on disk or about to be."""
        found = [part["set"] for part in self._columns]
        return np.concatenate(found) if found else np.zeros(0, np.int64)

    def add(self, columns: Columns, days: Days | None) -> None:
        """Keep some sets that are done; they are written within some seconds.

        Raises:
            RunError: the folder cannot be written; what was written before stays.
        """
        self._columns.append(columns)
        if days is not None:
            self._days.append(days)
        self._waiting.append((columns, days))
        if time.monotonic() - self._saved >= SAVE_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Write what is not written yet."""
        if not self._waiting:
            return
        columns = joined([part for part, _ in self._waiting])
        name = f"part-{self._next:06d}.parquet"
        with self._writing():
            days = joined_days([each for _, each in self._waiting if each is not None])
            if days is not None:
                # A part counts once its sets are there, so its days come first.
                self._write(self.folder / PARTS / f"days-{name}", _day_table(columns["set"], days))
            self._write(self.folder / PARTS / name, _table(columns))
        self._next += 1
        self._waiting = []
        self._saved = time.monotonic()

    def table(self) -> tuple[Columns, Days | None]:
        """Return all sets that are done, in the order of their numbers."""
        if not self._columns:
            return {}, None
        columns, days = joined(self._columns), joined_days(self._days)
        order = np.argsort(columns["set"], kind="stable")
        columns = {name: values[order] for name, values in columns.items()}
        return columns, None if days is None else Days(days.day_ns, days.equity[order], days.fees[order])

    def finish(self, table: SweepTable) -> None:
        """Write the table of all sets, and remove the parts that it was made of.

        Raises:
            RunError: the folder cannot be written; the parts stay.
        """
        if self._whole:
            return
        with self._writing():
            if table.days is not None:
                self._write(self.folder / DAYS, _day_table(table.columns["set"], table.days))
            self._write(self.folder / RESULTS, _table(table.columns))
            self._manifest(finished=True)
            shutil.rmtree(self.folder / PARTS, ignore_errors=True)
        self._whole = True

    # -------------------------------------------------------------------------------------------------------- at the start

    def _begin(self) -> None:
        with self._writing():
            self.folder.mkdir(exist_ok=True)
            for name in OWN:
                (self.folder / name).unlink(missing_ok=True)
            shutil.rmtree(self.folder / PARTS, ignore_errors=True)
            (self.folder / PARTS).mkdir()
            self._manifest(finished=False)

    def _take_up(self) -> None:
        name = str(self.folder)
        try:
            path = self.folder / MANIFEST
            manifest = json.loads(path.read_text("utf-8")) if path.stat().st_size <= MAX_MANIFEST_BYTES else None
        except (OSError, ValueError, RecursionError):
            manifest = None
        if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
            help = "name another folder with --out, or begin again with --force"
            raise RunError("HR832", f"`{MANIFEST}` is no sweep in the format `{FORMAT}`", name, help)
        before = manifest.get("identity")
        before = before if isinstance(before, dict) else {}
        other = [what for what, value in self._identity.items() if before.get(what) != value]
        if other:
            told = ", ".join(_told(what, before.get(what), self._identity[what]) for what in other)
            help = "ask for the same as before, name another folder with --out, or begin again with --force"
            raise RunError("HR832", f"this sweep is another one: it differs in {told}", name, help)
        self._whole = bool(manifest.get("finished")) and (self.folder / RESULTS).is_file()
        parts = sorted((self.folder / PARTS).glob("part-*.parquet"))
        files = [self.folder / RESULTS] if self._whole else parts
        for file in files:
            self._columns.append(_read(file, name))
            if self.keep_days:
                days = file.with_name(DAYS if self._whole else f"days-{file.name}")
                self._days.append(_days_of(_read(days, name), len(self._columns[-1]["set"]), self.day_ns))
        if not self._whole:
            with self._writing():
                (self.folder / PARTS).mkdir(exist_ok=True)
        numbers = [int(file.stem.removeprefix("part-")) for file in parts if file.stem.removeprefix("part-").isdigit()]
        self._next = max(numbers, default=-1) + 1

    # ---------------------------------------------------------------------------------------------------------- writing

    def _manifest(self, *, finished: bool) -> None:
        manifest = {"format": FORMAT, "finished": finished, "identity": self._identity}
        _replace(self.folder / MANIFEST, (json.dumps(manifest, indent=2, ensure_ascii=False) + "\n").encode())

    def _write(self, path: Path, table: Any) -> None:
        import pyarrow.parquet as parquet

        draft = path.with_name(f".{path.name}.tmp")
        try:
            parquet.write_table(table, draft, compression="zstd", compression_level=1)
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)

    @contextlib.contextmanager
    def _writing(self) -> Any:
        try:
            yield
        except OSError as error:
            help = "make room, or mend its rights, and go on with --resume: the sets that are written stay"
            raise _unwritable(self.folder, error, help) from None


def write_paths(folder: Path, first: int, parts: Sequence[Path]) -> None:
    """Put the results of several paths under one another, path after path, one of them in memory at a time.

    Args:
        folder: that of the sweep.
        first: the number of the first path.
        parts: for each path a folder with its finished results.

    Raises:
        RunError: the folder cannot be written, or a part not be read.
    """
    pa = _arrow()
    import pyarrow.parquet as parquet

    draft = folder / f".{PATHS}.tmp"
    writer = None
    try:
        for number, part in enumerate(parts, start=first):
            columns = _read(part / RESULTS, str(part))
            table = _table({"path": np.full(len(columns["set"]), number), **columns})
            if writer is None:
                writer = parquet.ParquetWriter(draft, table.schema, compression="zstd", compression_level=1)
            writer.write_table(table)
        if writer is not None:
            writer.close()
            writer = None
            draft.replace(folder / PATHS)
    except (OSError, pa.ArrowException) as error:
        help = "make room, or mend its rights, and go on with --resume: the sets that are written stay"
        raise _unwritable(folder, error if isinstance(error, OSError) else OSError(str(error)), help) from None
    finally:
        if writer is not None:
            writer.close()
        draft.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write one file of a sweep's folder whole or not at all.

    Raises:
        RunError: the folder cannot be written.
    """
    try:
        _replace(path, text.encode())
    except OSError as error:
        raise _unwritable(path.parent, error, "make room and run the command again with --resume") from None


def _replace(path: Path, content: bytes) -> None:
    draft = path.with_name(f".{path.name}.tmp")
    try:
        draft.write_bytes(content)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def _arrow() -> Any:
    try:
        import pyarrow
    except ImportError:
        raise missing_extra("pyarrow", "keeping results") from None
    return pyarrow


def _table(columns: Mapping[str, npt.NDArray[Any]]) -> Any:
    pa = _arrow()
    return pa.table({name: pa.array(np.ascontiguousarray(values)) for name, values in columns.items()})


def _day_table(sets: npt.NDArray[np.int64], days: Days) -> Any:
    pa = _arrow()
    many = len(days.day_ns)
    return pa.table(
        {
            "set": pa.array(np.repeat(sets, many)),
            "day": pa.array(np.tile(days.day_ns, len(sets))).cast(pa.timestamp("ns", "UTC")),
            "equity": pa.array(days.equity.ravel()),
            "fees": pa.array(days.fees.ravel()),
        }
    )


def _days_of(columns: Columns, sets: int, day_ns: npt.NDArray[np.int64]) -> Days:
    equity, fees = (columns[name].reshape(sets, len(day_ns)) for name in ("equity", "fees"))
    return Days(day_ns, equity, fees)


def _read(path: Path, folder: str) -> Columns:
    import pyarrow as pa
    import pyarrow.parquet as parquet

    try:
        table = parquet.read_table(path)
    except (pa.ArrowException, OSError):
        message = f"`{path.name}` cannot be read"
        raise RunError("HR832", message, folder, "remove that file: its sets are run again") from None
    return {name: table.column(name).to_numpy() for name in table.column_names}


def _told(what: str, before: object, now: object) -> str:
    """Return a difference in words; hashes tell a reader nothing."""
    if what.startswith("--") or "version" in what:
        return f"{what} ({json.dumps(before)} before, {json.dumps(now)} now)"
    return what


def _unwritable(folder: Path, error: OSError, help: str = "name another folder with --out") -> RunError:
    return RunError("HR808", f"the folder cannot be written: {reason_of(error)}", str(folder), help)
