"""Lanes for tests: made, served in the same thread or by a process, and looked at by an engine."""

from __future__ import annotations

import contextlib
import functools
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pages import ROOT

import hedgerow
from hedgerow.engine.control.acts import Asked, read_asked
from hedgerow.engine.control.client import serving
from hedgerow.engine.control.lane import Lane
from hedgerow.engine.control.terms import Terms, make_lane, terms_of

SPEC = ROOT / "specs" / "band_limited_hedge.yaml"
DESK = ROOT / "specs" / "desk.yaml"


@functools.cache
def terms(spec: Path = SPEC, flatten: str | None = "manual_exit") -> Terms:
    return terms_of(hedgerow.load(spec).program("same"), flatten=flatten)


def made(folder: Path, spec: Path = SPEC, flatten: str | None = "manual_exit") -> Path:
    """Return the folder of a new lane."""
    make_lane(folder / "lane", terms(spec, flatten))
    return folder / "lane"


def said(kind: str, number: int | str = 1, **more: Any) -> dict[str, Any]:
    return {"act": kind, "by": "anna", "reason": "a test", "id": f"id-{number}", **more}


def asked(kind: str, number: int | str = 1, **more: Any) -> Asked:
    return read_asked(said(kind, number, **more), "lane")


@contextlib.contextmanager
def served(lane: Path) -> Iterator[int]:
    """Serve a lane by a process of its own, whose number is given; it is ended in the end."""
    process = subprocess.Popen([sys.executable, "-m", "hedgerow.engine.control.process", str(lane)])
    try:
        while (found := serving(lane, 10.0)) != process.pid:
            assert found is None and process.poll() is None
        yield process.pid
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGCONT)
            process.terminate()
        process.wait(10)


def kill(process: int) -> None:
    os.kill(process, signal.SIGKILL)


def take_all(lane: Lane) -> list[int]:
    """Take what is pending, and return the numbers; 0 for a halt that no log holds."""
    taken = []
    while (act := lane.pending()) is not None:
        lane.taken(act)
        taken.append(act.number if act.id else 0)
    return taken
