"""What is common to processes that this one starts: pools of workers, and interpreters at the end of pipes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from typing import Any, ParamSpec, TypeVar

__all__ = ["interpreter", "module_path", "processors", "started", "submitted", "uninterrupted"]

P = ParamSpec("P")
T = TypeVar("T")


def processors() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def started(workers: int, begin: Callable[..., None], *arguments: Any) -> ProcessPoolExecutor:
    """Return a pool of new interpreters, each of which begins with a call; Ctrl-C is for this process alone.

    Its processes start with the first task: hand it over with `submitted`.
    """
    return ProcessPoolExecutor(workers, get_context("spawn"), _begin, (begin, arguments))


def submitted(pool: ProcessPoolExecutor, run: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> Future[T]:
    """Hand a task to a pool."""
    with uninterrupted():  # the first task starts the workers, and they keep the mask
        return pool.submit(run, *arguments, **named)


def interpreter(module: str) -> subprocess.Popen[bytes]:
    """Return a new interpreter that runs a module, with a pipe in and one out; it never sees Ctrl-C.

    It is no fork: it inherits no socket, no lock and no thread, and finds modules where this process does.
    """
    with uninterrupted():
        return subprocess.Popen(
            [sys.executable, "-P", "-m", module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(module_path())},
        )


def module_path() -> list[str]:
    """Return where modules are found, wherever a process was started: `.` is another folder there."""
    return [os.path.abspath(each) if not each or os.path.exists(each) else each for each in sys.path]  # noqa: PTH100, PTH110  # texts


def _begin(begin: Callable[..., None], arguments: tuple[Any, ...]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    begin(*arguments)


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Let processes that start meanwhile never see Ctrl-C: this one decides what it means."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
