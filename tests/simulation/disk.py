"""A disk with a cache and a platter: what was written is in the cache, what was synced is on the platter, if nothing lies.

    write ──> cache (files that SQLite reads) ──sync──> platter
    a process is killed    the cache stays
    the power goes         of what no sync has followed each sector is on the platter or not, in any order

A fault comes with an operation, before it or after it: `Disk.arm` says with which. A misdirected write and a flipped bit
change the platter. Who reads sees that at once, where the cache has let go of the place, or else after the power was gone.

The files are real ones, because a write-ahead log needs shared memory that only those have.
"""

from __future__ import annotations

import itertools
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from random import Random
from typing import Any, Literal

import apsw
from lossy_disk import SECTOR, put, sectors

__all__ = ["Disk", "Fault"]

Fault = Literal["kill", "power", "write", "sync", "read"]
Write = tuple[int, bytes | None]
"""Bytes at an offset, or None where a file was cut off there."""
_numbers = itertools.count()


class Disk:
    """The files of one world.

    Attributes:
        faults: how many have come, of each kind.
        gone: what ended the process that used it, `kill` or `power`; None while it goes on.
        full: whether there is no room for more.
        paused: whether faults wait, while an auditor reads.
    """

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        # Shared memory, where there is some, because nobody wants these files to outlive anything.
        memory = Path("/dev/shm")
        self._base = Path(tempfile.mkdtemp(prefix="hedgerow-", dir=memory if memory.is_dir() else None))
        self._mounts = 0
        self._platter: dict[str, bytearray] = {}
        self._pending: dict[str, list[Write]] = {}
        self._new: set[str] = set()
        """Files whose entry in their folder nobody has synced."""
        self._removed: dict[str, bytearray] = {}
        """Files that were deleted and, until the folder is synced, may come back."""
        self._armed: list[tuple[int, Fault, bool]] = []
        self._misdirected: int | None = None
        self._operations = 0
        self.vfs = f"simulated-{next(_numbers)}"
        self.faults: Counter[str] = Counter()
        self.gone: Fault | None = None
        self.full = False
        self.paused = False
        self.folder = self._mount({})
        _seed_sqlite(rng, self._base / "first")
        self._registered = _Vfs(self)

    def close(self) -> None:
        self._registered.unregister()
        shutil.rmtree(self._base)

    # --------------------------------------------------------------------------------------------------------- faults

    def arm(self, fault: Fault, operations: int, *, after: bool) -> None:
        """Let a fault come with an operation: so many further on, before or after its effect."""
        self._armed.append((self._operations + operations, fault, after))

    def calm(self) -> None:
        """Let nothing come any more that was to come."""
        self._armed.clear()
        self._misdirected = None
        self.full = False

    def misdirect(self, operations: int) -> None:
        """Let a write so many operations on land at another place."""
        self._misdirected = self._operations + operations

    def flip(self) -> str | None:
        """Flip a bit of the platter, and say of which file; None where there is nothing on it."""
        names = sorted(name for name, held in self._platter.items() if held)
        if not names:
            return None
        name = self._rng.choice(names)
        held = self._platter[name]
        at, bit = self._rng.randrange(len(held)), 1 << self._rng.randrange(8)
        held[at] ^= bit
        self.faults["flip"] += 1
        if self._rng.random() < 0.5:
            self._let_go(name, at, 1)
        return f"{name} bit {bit} of byte {at}"

    def die(self, how: Fault) -> None:
        """End the process that uses it."""
        if self.gone is None:
            self.gone = how
            self.faults[how] += 1

    def come_back(self) -> None:
        """Be there again for another process, with what the end of the last one has left."""
        how, self.gone = self.gone, None
        self.calm()
        if how == "power":
            self._lose()
            held = {name: bytes(file) for name, file in self._platter.items()}
        else:
            held = self._cache()
        self.folder = self._mount(held)

    @property
    def hash(self) -> str:
        """The hash of all that the platter has."""
        found = sha256()
        for name in sorted(self._platter):
            found.update(name.encode() + bytes(self._platter[name]))
        return found.hexdigest()

    def copy(self) -> dict[str, bytes]:
        """Return all files as they are read now."""
        return self._cache()

    def restore(self, files: dict[str, bytes]) -> None:
        """Begin anew with these files, which are synced."""
        self._armed.clear()
        self._misdirected = None
        self.gone, self.full = None, False
        self._pending.clear()
        self._new.clear()
        self._removed.clear()
        self._platter = {name: bytearray(held) for name, held in files.items()}
        self.folder = self._mount(files)

    @contextmanager
    def quiet(self) -> Iterator[None]:
        """Let no fault come."""
        before, self.paused = self.paused, True
        try:
            yield
        finally:
            self.paused = before

    def _lose(self) -> None:
        """Let the power go: of what is pending some sectors are on the platter."""
        share = self._rng.choice((0.0, 0.1, 0.5, 0.95, 1.0))
        for name in sorted(self._pending):
            file = self._platter.setdefault(name, bytearray())
            for offset, data in self._pending[name]:
                for at, part in sectors(offset, data):
                    if self._rng.random() < share:
                        put(file, at, part)
        for name in sorted(self._new):
            if self._rng.random() < 0.5:
                self._platter.pop(name, None)
        for name in sorted(self._removed):
            if name not in self._platter and self._rng.random() < 0.5:
                self._platter[name] = self._removed[name]
        self._pending.clear()
        self._new.clear()
        self._removed.clear()

    def _cache(self) -> dict[str, bytes]:
        # What SQLite shares between processes is made anew by the first one.
        files = sorted(path for path in self.folder.iterdir() if not path.name.endswith("-shm"))
        return {path.name: path.read_bytes() for path in files}

    def _mount(self, files: dict[str, bytes]) -> Path:
        """Return a new folder with these files; who still has one of the last folder open harms nobody."""
        self._mounts += 1
        folder = self._base / str(self._mounts)
        folder.mkdir()
        for name, held in files.items():
            (folder / name).write_bytes(held)
        if self._mounts > 1:
            shutil.rmtree(self._base / str(self._mounts - 1))
        return folder

    def _let_go(self, name: str, at: int, size: int) -> None:
        """Let what is cached of a place be read from the platter again."""
        path = self.folder / name
        if path.is_file():
            with path.open("r+b") as file:
                file.seek(at)
                file.write(self._platter[name][at : at + size])

    # ----------------------------------------------------------------------------------------------------- operations

    def operate(self, operation: str, effect: Callable[[], None]) -> None:
        """Do a write, a cut or a sync, with the faults that come with it."""
        if self.gone is not None:
            return  # what a dead process does, nobody sees; whoever runs it looks at `gone`
        if self.paused:
            effect()
            return
        self._operations += 1
        due = next((each for each in self._armed if each[0] <= self._operations), None)
        if due is None or not self._fits(due[1], operation):
            effect()
            return
        self._armed.remove(due)
        _, fault, after = due
        if fault in ("kill", "power"):
            if after:
                effect()
            self.die(fault)
            raise apsw.IOError("the process is gone")
        self.faults[fault] += 1
        raise apsw.IOError(f"the disk fails on {operation}")

    def _fits(self, fault: Fault, operation: str) -> bool:
        return fault in ("kill", "power") or fault == operation or (fault == "write" and operation == "cut")

    def write(self, name: str, offset: int, data: bytes) -> bool:
        """Take what is to be on the platter after the next sync; return whether the cache has it now."""
        if self.full and not self.paused and offset + len(data) > (self.folder / name).stat().st_size:
            self.faults["full"] += 1
            raise apsw.FullError("no room")
        if self._misdirected is not None and self._operations >= self._misdirected and not self.paused:
            self._misdirected = None
            target, place = self._elsewhere(name)
            self.faults["misdirected"] += 1
            put(self._platter.setdefault(target, bytearray()), place, data)
            if self._rng.random() < 0.5:
                self._let_go(target, place, len(data))
            return self._rng.random() >= 0.5
        self._pending.setdefault(name, []).append((offset, data))
        return True

    def _elsewhere(self, name: str) -> tuple[str, int]:
        names = sorted(each for each, held in self._platter.items() if len(held) >= SECTOR)
        other = self._rng.choice(names) if names and self._rng.random() < 0.4 else name
        room = max(len(self._platter.get(other, b"")), SECTOR)
        return other, self._rng.randrange(0, room, SECTOR)

    def cut(self, name: str, size: int) -> None:
        self._pending.setdefault(name, []).append((size, None))

    def sync(self, name: str) -> None:
        file = self._platter.setdefault(name, bytearray())
        for offset, data in self._pending.pop(name, []):
            put(file, offset, data)
        if name.endswith(("-wal", "-journal")) and name in self._new:
            # The first sync of a new log, of either kind, is one of its folder too.
            self._new.clear()
            self._removed.clear()

    def fail_sync(self, name: str) -> None:
        """Leave of what a failed sync should have written what a system leaves: it takes all of it for written."""
        file = self._platter.setdefault(name, bytearray())
        lost = False
        share = self._rng.choice((0.0, 0.5, 1.0))
        for offset, data in self._pending.pop(name, []):
            for at, part in sectors(offset, data):
                if self._rng.random() < share:
                    put(file, at, part)
                else:
                    lost = True
        path = self.folder / name
        if lost and self._rng.random() < 0.5 and path.is_file():
            # Some systems drop the pages, and read again what the platter has.
            path.write_bytes(file)

    def made(self, name: str) -> None:
        self._new.add(name)
        self._platter.setdefault(name, bytearray())

    def delete(self, name: str) -> None:
        held = self._platter.pop(name, None)
        self._pending.pop(name, None)
        if held is not None and name not in self._new:
            self._removed[name] = held
        self._new.discard(name)

    def reads(self) -> None:
        """Fail a read where that is due."""
        if self._armed and not self.paused and self.gone is None:
            for each in self._armed:
                if each[1] == "read":
                    self._armed.remove(each)
                    self.faults["read"] += 1
                    raise apsw.IOError("the disk fails on read")


class _Dice(apsw.VFS):
    """Where SQLite gets its chance from."""

    def __init__(self, rng: Random) -> None:
        self.rng = rng
        super().__init__("dice", "", makedefault=True)

    def xRandomness(self, size: int) -> bytes:  # noqa: N802  # SQLite's names
        return self.rng.randbytes(size)


def _seed_sqlite(rng: Random, first: Path) -> None:
    """Let SQLite draw, as it does for its log, what the seed says, in every process."""
    # With the first file that a process opens it forgets what it was given.
    apsw.Connection(str(first)).close()
    dice = _Dice(rng)
    try:
        apsw.randomness(0)  # it forgets what it had, and asks when it next draws
        apsw.randomness(1)
    finally:
        dice.unregister()


class _Vfs(apsw.VFS):
    def __init__(self, disk: Disk) -> None:
        self.disk = disk
        super().__init__(disk.vfs, "")

    def xOpen(self, name: Any, flags: list[int]) -> _File:  # noqa: N802  # SQLite's names
        return _File(self.disk, name, flags)

    def xDelete(self, name: str, sync: bool) -> None:  # noqa: N802
        if self.disk.gone is None and Path(name).parent == self.disk.folder:
            super().xDelete(name, sync)
            self.disk.delete(Path(name).name)


class _File(apsw.VFSFile):
    def __init__(self, disk: Disk, name: Any, flags: list[int]) -> None:
        path = Path(name.filename() if isinstance(name, apsw.URIFilename) else str(name))
        self.disk, self.name, self.mount = disk, path.name, disk.folder
        fresh = not path.exists()
        super().__init__("", name, flags)
        if fresh:
            disk.made(self.name)
        # Bound once: they are called some thousand times a second.
        self._write, self._truncate, self._read = super().xWrite, super().xTruncate, super().xRead

    def _operate(self, operation: str, effect: Callable[[], None]) -> None:
        if self.mount is self.disk.folder:  # else it is of a process that is dead
            self.disk.operate(operation, effect)

    def xRead(self, amount: int, offset: int) -> bytes:  # noqa: N802
        self.disk.reads()
        return self._read(amount, offset)

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802
        disk, held = self.disk, bytes(data)

        def effect() -> None:
            if disk.write(self.name, offset, held):
                self._write(held, offset)

        self._operate("write", effect)

    def xTruncate(self, size: int) -> None:  # noqa: N802
        disk = self.disk

        def effect() -> None:
            disk.cut(self.name, size)
            self._truncate(size)

        self._operate("cut", effect)

    def xSync(self, flags: int) -> None:  # noqa: N802
        disk = self.disk

        def effect() -> None:
            disk.sync(self.name)

        before = disk.faults["sync"]
        try:
            self._operate("sync", effect)
        finally:
            if disk.faults["sync"] != before:
                disk.fail_sync(self.name)
