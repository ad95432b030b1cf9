"""A bound function that a test can hold a worker in: whoever comes first through an armed gate never comes out."""

from __future__ import annotations

import os
from pathlib import Path

FOLDER = "HEDGEROW_TEST_GATE"


def gate(x: float) -> float:
    """Return `x`; where the gate is armed, tell who is held and wait for ever."""
    folder = os.environ.get(FOLDER)
    if folder is not None and taken(Path(folder)):
        Path(folder, "arrived").write_text(f"{os.getpid()}\n")
        Path(folder, "never").read_text()
    return x


def taken(folder: Path) -> bool:
    """Return whether this process is the one that takes the gate: a rename succeeds once."""
    try:
        (folder / "armed").rename(folder / "taken")
    except FileNotFoundError:
        return False
    return True


def make(folder: Path) -> None:
    """Make the two pipes of a gate; each is opened only when the other side is there."""
    os.mkfifo(folder / "arrived")
    os.mkfifo(folder / "never")


def arm(folder: Path) -> None:
    (folder / "armed").touch()


def held(folder: Path) -> int:
    """Wait until a process is held, and return its number."""
    return int((folder / "arrived").read_text())
