"""What a kernel is made from: known before it is written, so that kept object code is found without writing anything.

    the program       by its digest, which covers everything but places and words for people
    the event         by its name; and the options
    what writes it    by the content of the engine's source files, and the version of Python

Source files say what writes a kernel as long as they are what this process has imported. Where that is not sure, a kernel
has no origin, and its text says what it is made from.
"""

from __future__ import annotations

import hashlib
import sys
from functools import cache
from pathlib import Path

from ... import FOLDER, IMPORTED_NS
from ...ir import Program
from ...printer import digest
from .kernel import Options

__all__ = ["origin_of", "writer_of"]

_FOLDERS = ("", "backends", "backends/native")
"""Whatever stands in these folders counts as what writes kernels, so that no list of files can miss one."""
_COARSE_NS = 2_000_000_000
"""File systems round the times of changes, by up to two seconds."""


def origin_of(program: Program, event: str, options: Options) -> str | None:
    """Return what decides the text of a kernel, and changes with all that it depends on; None where that is not sure."""
    writer = writer_of(FOLDER, IMPORTED_NS)
    return None if writer is None else "\n".join((writer, digest(program), event, repr(options)))


@cache
def writer_of(folder: str, imported_ns: int) -> str | None:
    """Return the SHA-256, in hex, of the source files of the engine that write kernels, or may.

    Args:
        folder: the folder of the engine.
        imported_ns: when its import began, in nanoseconds since 1970.

    Returns:
        None where there are no source files, one cannot be read, or one may have changed since it was imported.
    """
    found = hashlib.sha256(sys.version.encode())
    try:
        for inner in _FOLDERS:
            files = sorted(path for path in Path(folder, inner).iterdir() if path.suffix == ".py")
            if not files:
                return None
            for file in files:
                about = file.stat()
                # A file that is put in the place of another one may keep an old time of its last change.
                if max(about.st_mtime_ns, about.st_ctime_ns) + _COARSE_NS > imported_ns:
                    return None
                # Python takes bytecode for that of a source by the time of its change: with that time in it, the hash
                # cannot outlive bytecode of another text.
                content = hashlib.sha256(file.read_bytes()).hexdigest()
                found.update(f"{inner}/{file.name} {about.st_mtime_ns} {content}\n".encode())
    except OSError:
        return None
    return found.hexdigest()
