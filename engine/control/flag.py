"""The file that both sides of a lane see as memory: the number of the last act, that of the last one taken, and the acts.

    0       8 bytes that say what it is
    64      posted: the number of the last act that is durable       written by whoever holds the log
    128     taken: the number of the last act that has had its effect   written by the engine
    192     the process of the engine, 256 that of the control process: for people
    4096    32 slots of 4096 bytes: the last acts, each in the slot of its number modulo 32

A number is one aligned word of 8 bytes, 40 bits of number and 24 of check, and is read and written in one go: there is
no half of it to be seen. Zeros are none. What is read is a number that somebody wrote, or damage.

A slot has a checksum over all of it. One that is not whole is no damage: the act is in the log, from which it is then
read.
"""

from __future__ import annotations

import mmap
import os
import struct
from pathlib import Path
from zlib import crc32

from .acts import MAX_ACT_BYTES

__all__ = ["BYTES", "ENGINE", "FLAG", "POSTED", "SERVER", "SLOTS", "TAKEN", "Flag", "number_of", "word_of"]

FLAG = "flag"
POSTED, TAKEN, ENGINE, SERVER = 8, 16, 24, 32
"""Where words stand, counted in words."""
SLOTS = 32
BYTES = 4096 * (1 + SLOTS)
_MAGIC = b"HRLANE\0\1"
_SLOT = struct.Struct("<QQII")
"""The act's number, that of the one before, the length of its payload, and the checksum of all these and the payload."""
_CHECKED = struct.Struct("<QQI")
_SLOT_BYTES = 4096

assert _SLOT.size + MAX_ACT_BYTES <= _SLOT_BYTES


def word_of(number: int) -> int:
    """Return the word that stands for a number, 0 to 2⁴⁰ − 1."""
    return number << 24 | crc32(number.to_bytes(5, "big"), 0x4C41_4E45) >> 8


def number_of(word: int) -> int | None:
    """Return the number that a word stands for; None where it stands for none."""
    number = word >> 24
    return number if word_of(number) == word else None


class Flag:
    """The flag of a lane; what may write which word is said above."""

    __slots__ = ("_map", "_path", "_place", "_slots", "fresh", "words")

    def __init__(self, folder: Path, *, make: bool = False) -> None:
        """Map the flag of a lane; with `make`, one that is missing, or of another size, is made so that it is whole.

        Raises:
            OSError: it cannot be mapped, or there is none.
            ValueError: it is too small.
        """
        path = folder / FLAG
        file = os.open(path, os.O_RDWR | os.O_CLOEXEC | (os.O_CREAT if make else 0), 0o600)
        try:
            about = os.fstat(file)
            size, self._path, self._place = about.st_size, path, (about.st_dev, about.st_ino)
            self.fresh = size == 0
            """Whether nobody has written it yet."""
            if make and size < BYTES:
                # Longer, never shorter: who has mapped it looks at the same pages.
                os.ftruncate(file, BYTES)
            elif size < BYTES:
                raise ValueError(f"the flag has {size} bytes of {BYTES}")
            self._map = mmap.mmap(file, BYTES)
        finally:
            os.close(file)
        self.words = memoryview(self._map).cast("Q")
        self._slots = memoryview(self._map)

    @property
    def whole(self) -> bool:
        """Whether it is a flag, and its numbers are numbers that somebody wrote."""
        return self._slots[:8] == _MAGIC and self.posted is not None and self.taken is not None

    @property
    def gone(self) -> bool:
        """Whether another file, or none, is now where it was: what is mapped here, nobody else can open."""
        try:
            about = self._path.stat()
        except OSError:
            return True
        return (about.st_dev, about.st_ino) != self._place

    @property
    def posted(self) -> int | None:
        """The number of the last act that is durable; None for damage."""
        return number_of(self.words[POSTED])

    @property
    def taken(self) -> int | None:
        """The number of the last act that has had its effect; None for damage."""
        return number_of(self.words[TAKEN])

    def mend(self, taken: int) -> None:
        """Make a whole flag of what is there, but for what is posted."""
        self._slots[:8] = _MAGIC
        self.words[TAKEN] = word_of(taken)

    def post(self, number: int) -> None:
        """Show the number of the last durable act."""
        self.words[POSTED] = word_of(number)

    def spoil(self) -> None:
        """Make damage of what is posted: an engine halts."""
        self.words[POSTED] = 0

    def put(self, number: int, before: int, payload: bytes) -> None:
        """Write an act into its slot, `before` being the number of the act before it."""
        at = _SLOT_BYTES * (1 + number % SLOTS)
        text = _CHECKED.pack(number, before, len(payload))
        text = text + crc32(text + payload).to_bytes(4, "little") + payload
        self._slots[at : at + len(text)] = text

    def get(self, number: int) -> tuple[int, bytes] | None:
        """Return the number of the act before and the payload of an act; None where its slot is not whole, or another's."""
        at = _SLOT_BYTES * (1 + number % SLOTS)
        text = bytes(self._slots[at : at + _SLOT_BYTES])
        found, before, length, check = _SLOT.unpack_from(text)
        payload = text[_SLOT.size : _SLOT.size + length]
        if found != number or length > MAX_ACT_BYTES or crc32(text[: _CHECKED.size] + payload) != check:
            return None
        return before, payload

    def close(self) -> None:
        """Let go of the memory."""
        self.words.release()
        self._slots.release()
        self._map.close()
