"""What a sweep sends to the workers of a cluster, and what a worker does with it.

A job is the texts of a spec and the names of the functions that it may bind: no path of the machine that it comes from means
anything on another one. A worker compiles it by itself, once, and answers with the hash of the program that it got.
"""

from __future__ import annotations

import hashlib
import os
import platform
import tempfile
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePath
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ... import __version__
from ..compose import SUFFIXES
from ..diagnostics import WAIVABLE, Findings, SpecError
from ..dryrun.problem import RunError
from ..ir import FillMode, Value
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
    """What a worker says to a job: why it cannot run it, or an empty text, and why it has no native code for it, likewise."""

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

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__

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
    called = dict.fromkeys(call.function for call in base.program.calls)
    return Job(_texts(spec), tuple(base.registry), tuple(called), fill, event, native, base.digest)


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

_lock = threading.Lock()
_turn = threading.Lock()
"""Whose turn it is on the live backend: Python runs one thread at a time, and two would only wait for each other."""
_runners: dict[str, tuple[Runner, str]] = {}
_stopped: set[str] = set()


def answer(job: Job) -> Answer:
    """Take a job up, and say whether this worker can run it.

    It is sent only to workers with the same version of Hedgerow, so that both mean the same by a job.
    """
    registry = Registry({each.name: each for each in job.bindings})
    for name in job.called:
        try:
            registry[name].function()
        except BindingError as error:
            return Answer(f"cannot call `{name}`: {error}")
    try:
        _, reason = _runner(job)
    except SpecError as error:
        return Answer(f"cannot load the spec: {error.diagnostics[0].message}")
    except OtherProgramError:
        return Answer("makes another program of the spec: its Hedgerow has the same version and is not the same")
    return Answer("", reason)


def run_batch(freight: Freight, batch: Batch) -> Results:
    """Run the sets of a task; those that were not begun before a stop are not done."""
    runner, reason = _runner(freight.job, freight.key)
    path = freight.path
    shape = shape_of(_program_of(runner), len(path.stops))
    results = Results.empty(shape, len(batch.parameters))

    def stopped() -> bool:
        return batch.sweep in _stopped

    if reason or not freight.job.native:
        with _turn:
            runner.run(batch.parameters, batch.capitals, path, results, 0, stopped)
    else:
        runner.run(batch.parameters, batch.capitals, path, results, 0, stopped)
    return results
