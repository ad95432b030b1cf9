"""What a sweep sends to the workers of a cluster, and what a worker does with it.

A job is the texts of a spec and the names of the functions that it may bind: no path of the machine that it comes from means
anything on another one. A worker compiles it by itself, once, and answers with the hash of the program that it got.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path, PurePath
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ... import __version__
from ..compose import SUFFIXES
from ..diagnostics import WAIVABLE, Findings, SpecError
from ..dryrun.problem import RunError
from ..ir import FillMode, Program, Value
from ..load import Spec, load
from ..registry import Binding, BindingError, Registry
from ..shape import read_shape
from ..source import parse_text
from .live import LiveRunner, Runner
from .path import EventPath
from .results import Results, shape_of

__all__ = ["Answer", "Batch", "Freight", "Job", "answer", "job_of", "run_batch", "stop"]

KEPT = 4
"""Compiled specs that a worker keeps."""


@dataclass(frozen=True)
class Job:
    """A spec as it travels.

    `texts` are those of its files by their relative path, its own first; `bindings` are the functions that it may bind, and
    `called` the names of those that it does; `digest` names the program that comes of it.
    """

    texts: tuple[tuple[str, str], ...]
    bindings: tuple[Binding, ...]
    called: tuple[str, ...]
    fill: FillMode
    event: str
    native: bool
    """Whether native code is taken where it can be had."""
    digest: str
    version: str = __version__

    @property
    def key(self) -> str:
        """The hash of all of it."""
        return hashlib.sha256(repr(self).encode()).hexdigest()


class Answer(NamedTuple):
    """What a worker says to a job: why it cannot run it, and why it has no native code for it; else empty texts."""

    refusal: str = ""
    not_native: str = ""


@dataclass(frozen=True)
class Batch:
    """Parameter sets of one task, and the (s,) capital of each; one object, so that Dask looks for no tasks inside."""

    parameters: tuple[Mapping[str, Value], ...]
    capitals: npt.NDArray[np.float64]
    sweep: str
    """The name of the sweep, to be stopped by."""


class Freight:
    """What all tasks have in common: a job and the path that it is run over. It travels once a worker."""

    def __init__(self, job: Job, path: EventPath) -> None:
        self.job, self.path, self.key = job, path, job.key

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        path = self.path
        # What comes over a wire lies where it came to lie; native code reads whole words.
        times, stops, day_ns, *fields = (
            np.require(each, requirements=("C", "A")) for each in (path.times, path.stops, path.day_ns, *path.fields)
        )
        self.path = replace(path, times=times, stops=stops, day_ns=day_ns, fields=tuple(fields))


def job_of(spec: Spec, fill: FillMode, event: str, *, native: bool) -> Job:
    """Return a spec as it is sent to other machines.

    Raises:
        RunError: a spec in memory that uses files, of which nobody knows any more where they stand.
    """
    base = spec.bind({}, fill=fill)
    called = base.program.functions
    return Job(_texts(spec), tuple(base.registry), called, fill, event, native, base.digest)


def _texts(spec: Spec) -> tuple[tuple[str, str], ...]:
    """Return the texts of a spec's files by paths from the folder that holds them all."""
    own = PurePath(spec.file).name
    name = own if own.lower().endswith(SUFFIXES) else "spec-in-memory.yaml"
    _, *used = spec.sources
    if not used:
        return ((name, spec.text),)
    folder = _folder(spec, used)
    if folder is None:
        help = "write it to a file beside those that it uses, and load it from there"
        raise RunError("HR807", "the files that the spec uses cannot be told apart from others", spec.file, help)
    files = [os.path.join(os.path.abspath(folder), name), *map(os.path.abspath, used)]  # noqa: PTH100, PTH118  # as `compose`
    top = os.path.commonpath([os.path.dirname(each) for each in files])  # noqa: PTH120
    paths = [PurePath(os.path.relpath(each, top)).as_posix() for each in files]
    return tuple(zip(paths, (spec.text, *(spec.sources[each] for each in used)), strict=True))


def _folder(spec: Spec, used: list[str]) -> str | None:
    """Return the folder that the spec's own uses start in: its file's, or for a text in memory one that fits."""
    shape, _ = read_shape(parse_text(spec.text, spec.file), Findings(WAIVABLE))
    assert shape is not None
    uses = [each.spec for each in shape.use.values()]
    for folder in (os.path.dirname(spec.file), *_above(used)):  # noqa: PTH120
        if all(os.path.normpath(os.path.join(folder, each)) in used for each in uses):  # noqa: PTH118
            return folder
    return None


def _above(files: list[str]) -> Iterator[str]:
    for file in files:
        yield from map(str, PurePath(file).parents)


# ---------------------------------------------------------------------------------------------------------- in a worker


class _Ready(NamedTuple):
    """A job that this worker has compiled: what runs it, and why that is not native code, or an empty text."""

    runner: Runner
    program: Program
    not_native: str


class _OtherProgramError(Exception):
    """The text that a worker was sent makes another program there."""


_ready: dict[str, _Ready] = {}
_compiling = threading.Lock()
_turn = threading.Lock()
"""Whose turn it is on the live backend: Python runs one thread at a time, and two would only wait for each other."""
_stopped: set[str] = set()


def answer(job: Job) -> Answer:
    """Take a job up, and say whether this worker can run it.

    It is sent to workers of the same version of Hedgerow only, so that both mean the same by a job.
    """
    known = {each.name: each for each in job.bindings}
    for name in job.called:
        try:
            known[name].function()
        except BindingError as error:
            return Answer(str(error))
    try:
        return Answer("", _compiled(job, job.key).not_native)
    except SpecError as error:
        return Answer(f"the spec does not load there: {error.diagnostics[0].message}")
    except _OtherProgramError:
        return Answer("the spec is another program there: the code of that hedgerow is not the code of this one")


def run_batch(freight: Freight, batch: Batch) -> Results:
    """Run the sets of a task; those that are not begun when their sweep is stopped stay undone."""
    ready, path = _compiled(freight.job, freight.key), freight.path
    results = Results.empty(shape_of(ready.program, len(path.stops)), len(batch.parameters))
    with _turn if ready.not_native else nullcontext():
        ready.runner.run(batch.parameters, batch.capitals, path, results, 0, lambda: batch.sweep in _stopped)
    return results


def stop(sweep: str) -> None:
    """Let the tasks of a sweep begin no further set in this worker."""
    _stopped.add(sweep)


def _compiled(job: Job, key: str) -> _Ready:
    """Return what runs a job, compiled when it is first asked for.

    Raises:
        SpecError: the spec does not load here.
        _OtherProgramError: its program is not the one of the machine that sent it.
    """
    with _compiling:
        if key not in _ready:
            while len(_ready) >= KEPT:
                del _ready[next(iter(_ready))]
            _ready[key] = _compile(job)
        return _ready[key]


def _compile(job: Job) -> _Ready:
    with tempfile.TemporaryDirectory(prefix="hedgerow-sweep-") as folder:
        for name, text in job.texts:
            file = Path(folder, name)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(text.encode())
        # What was waived where it comes from is waived here, too; the hash below says whether it came to the same.
        registry = Registry({each.name: each for each in job.bindings})
        spec = load(Path(folder, job.texts[0][0]), permit=WAIVABLE, registry=registry)
    if spec.bind({}, fill=job.fill).digest != job.digest:
        raise _OtherProgramError
    found: Runner | str = "asked for"
    if job.native:
        from .native_runner import native_runner

        found = native_runner(spec, job.fill, job.event, 1)
    program = spec.program(job.fill)
    if isinstance(found, str):
        return _Ready(LiveRunner(spec, job.fill, job.event), program, found)
    return _Ready(found, program, "")
