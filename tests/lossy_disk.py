"""A disk that loses what was not synced when the power goes: a VFS for SQLite, and what it leaves behind.

Each write that no sync has followed survives or not, sector by sector and in any order, as a drive with a cache leaves it. A
file that was never synced may be gone. What a sync has followed is there: killing a process shows nothing of this, because
its operating system still has what it wrote.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import apsw

SECTOR = 512


class PowerCut(apsw.IOError):
    """The power is gone."""


class LossyDisk:
    """Files that SQLite writes, until the power goes with one of their writes and syncs."""

    def __init__(self, seed: int, operations: int) -> None:
        self.rng = random.Random(seed)
        self.left = operations
        """Writes and syncs until the power goes."""
        self.done = 0
        self.synced: dict[str, bytearray] = {}
        self.pending: dict[str, list[tuple[int, bytes | None]]] = {}
        """Of each file what no sync has followed: bytes at an offset, or None where it was cut off there."""

    @contextmanager
    def mounted(self) -> Iterator[str]:
        """Give the name under which SQLite knows the disk."""
        name = f"lossy-{id(self)}"
        vfs = _Vfs(self, name)
        try:
            yield name
        finally:
            vfs.unregister()

    def write(self, name: str, offset: int, data: bytes | None) -> None:
        self._tick()
        self.pending.setdefault(name, []).append((offset, data))

    def sync(self, name: str) -> None:
        self._tick()
        file = self.synced.setdefault(name, bytearray())
        for offset, data in self.pending.pop(name, []):
            put(file, offset, data)

    def delete(self, name: str) -> None:
        if self.left > 0:  # without power nothing is deleted
            self.synced.pop(name, None)
            self.pending.pop(name, None)

    def _tick(self) -> None:
        self.done += 1
        self.left -= 1
        if self.left < 0:
            raise PowerCut("the power is gone")

    def leave(self, folder: Path) -> None:
        """Write what survives into a folder, under the same names."""
        share = self.rng.choice((0.1, 0.5, 0.95, 1.0))
        for name in sorted({*self.synced, *self.pending}):
            if name not in self.synced and self.rng.random() < 0.5:
                continue  # nobody has synced its entry in the folder
            file = bytearray(self.synced.get(name, b""))
            for offset, data in self.pending.get(name, []):
                for at, part in sectors(offset, data):
                    if self.rng.random() < share:
                        put(file, at, part)
            (folder / Path(name).name).write_bytes(file)


def put(file: bytearray, offset: int, data: bytes | None) -> None:
    if data is None:
        del file[offset:]
        return
    file.extend(bytes(max(0, offset - len(file))))
    file[offset : offset + len(data)] = data


def sectors(offset: int, data: bytes | None) -> Iterator[tuple[int, bytes | None]]:
    """Yield a write by the sectors that it touches."""
    if data is None:
        yield offset, None
        return
    at = 0
    while at < len(data):
        end = at + SECTOR - (offset + at) % SECTOR
        yield offset + at, data[at:end]
        at = end


class _Vfs(apsw.VFS):
    def __init__(self, disk: LossyDisk, name: str) -> None:
        self.disk = disk
        super().__init__(name, "")

    def xOpen(self, name: Any, flags: list[int]) -> _File:  # noqa: N802  # SQLite's names
        return _File(self.disk, name, flags)

    def xDelete(self, name: str, sync: bool) -> None:  # noqa: N802
        self.disk.delete(name)
        super().xDelete(name, sync)


class _File(apsw.VFSFile):
    def __init__(self, disk: LossyDisk, name: Any, flags: list[int]) -> None:
        self.disk = disk
        self.name = name.filename() if isinstance(name, apsw.URIFilename) else str(name)
        super().__init__("", name, flags)

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802
        self.disk.write(self.name, offset, bytes(data))
        super().xWrite(data, offset)

    def xTruncate(self, size: int) -> None:  # noqa: N802
        self.disk.write(self.name, size, None)
        super().xTruncate(size)

    def xSync(self, flags: int) -> None:  # noqa: N802
        self.disk.sync(self.name)
        super().xSync(flags)
