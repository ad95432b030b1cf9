"""A disk whose every sync takes a given time at least: that of a slower one, for files of its own and for SQLite's."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["held", "sync"]


def sync(file: int, seconds: float) -> None:
    """Make a file durable, and return no sooner than after so many seconds."""
    until = time.perf_counter() + seconds
    # Not every system has it; where it is missing, the stronger call is what there is.
    getattr(os, "fdatasync", os.fsync)(file)
    _wait(until)


@contextmanager
def held(seconds: float) -> Iterator[str]:
    """Yield the name of a VFS for SQLite that syncs as `sync` does."""
    import apsw

    class File(apsw.VFSFile):
        def __init__(self, name: Any, flags: list[int]) -> None:
            super().__init__("", name, flags)

        def xSync(self, flags: int) -> None:  # noqa: N802  # SQLite's name
            until = time.perf_counter() + seconds
            super().xSync(flags)
            _wait(until)

    class Disk(apsw.VFS):
        def xOpen(self, name: Any, flags: list[int]) -> File:  # noqa: N802
            return File(name, flags)

    disk = Disk("held", "")
    try:
        yield "held"
    finally:
        disk.unregister()


def _wait(until: float) -> None:
    # Who sleeps wakes up some 50 µs late.
    while time.perf_counter() < until:
        pass
