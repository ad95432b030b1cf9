"""A disk that fails: one that has no room, one that cannot be written, one whose writes or syncs give errors.

A VFS for SQLite, as `lossy_disk` is. It fails from one of its operations on until it is mended, or that one time only. What
it says is what the operating system would: `SQLITE_FULL` for a write that would make a file longer, `SQLITE_READONLY` and
`SQLITE_CANTOPEN`, `SQLITE_IOERR`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

import apsw

__all__ = ["FailingDisk", "Fault"]

Fault = Literal["full", "write", "sync", "read-only", "read", "open"]
"""What fails: writes that make a file longer, all writes, all syncs, whatever would change anything, reads, or opening a
file, as where a process has too many.
"""


class FailingDisk:
    """Files that SQLite writes, until that fails.

    Attributes:
        at: the operation that fails; None while none does. An operation is one that the fault concerns.
        done: the operations so far.
        failed: how often one has failed.
    """

    def __init__(self, fault: Fault, at: int | None = None, *, once: bool = False) -> None:
        self.fault, self.at, self.once = fault, at, once
        self.done = self.failed = 0

    @contextmanager
    def mounted(self) -> Iterator[str]:
        """Give the name under which SQLite knows the disk."""
        name = f"failing-{id(self)}"
        vfs = _Vfs(self, name)
        try:
            yield name
        finally:
            vfs.unregister()

    def mend(self) -> None:
        """Let everything succeed from here on."""
        self.at = None

    def do(self, what: Fault) -> None:
        """Note an operation, and fail where it is time to."""
        if what != self.fault:
            return
        self.done += 1
        if self.at is None or self.done <= self.at or (self.once and self.failed):
            return
        self.failed += 1
        raise _ERRORS[what]


_ERRORS: dict[Fault, Exception] = {
    "full": apsw.FullError("no space left on the device"),
    "write": apsw.IOError("an error of the disk, on a write"),
    "sync": apsw.IOError("an error of the disk, on a sync"),
    "read-only": apsw.ReadOnlyError("a read-only file system"),
    "read": apsw.IOError("an error of the disk, on a read"),
    "open": apsw.CantOpenError("too many open files"),
}


class _Vfs(apsw.VFS):
    def __init__(self, disk: FailingDisk, name: str) -> None:
        self.disk = disk
        super().__init__(name, "")

    def xOpen(self, name: Any, flags: list[int]) -> _File:  # noqa: N802  # SQLite's names
        self.disk.do("open")
        return _File(self.disk, name, flags)

    def xDelete(self, name: str, sync: bool) -> None:  # noqa: N802
        self.disk.do("read-only")
        super().xDelete(name, sync)


class _File(apsw.VFSFile):
    def __init__(self, disk: FailingDisk, name: Any, flags: list[int]) -> None:
        self.disk = disk
        super().__init__("", name, flags)

    def xRead(self, amount: int, offset: int) -> bytes:  # noqa: N802
        self.disk.do("read")
        return super().xRead(amount, offset)

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802
        self.disk.do("write")
        self.disk.do("read-only")
        if offset + len(data) > self.xFileSize():
            self.disk.do("full")
        super().xWrite(data, offset)

    def xTruncate(self, size: int) -> None:  # noqa: N802
        self.disk.do("write")
        self.disk.do("read-only")
        super().xTruncate(size)

    def xSync(self, flags: int) -> None:  # noqa: N802
        self.disk.do("sync")
        super().xSync(flags)
