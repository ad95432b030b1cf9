"""A command as a process of its own: its CPU time and its wall time."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import time
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import NamedTuple

__all__ = ["Cost", "cost", "hedgerow_command"]


class Cost(NamedTuple):
    """Seconds of a finished process; `cpu` is user and system time together."""

    cpu: float
    wall: float


def hedgerow_command() -> list[str]:
    """Return the command that a user types; the module where no script is installed."""
    script = Path(sysconfig.get_path("scripts")) / "hedgerow"
    return [str(script)] if script.exists() else [sys.executable, "-m", "hedgerow.cli.main"]


def cost(command: Sequence[str], allowed: Collection[int] = (0,)) -> Cost:
    """Run a command to its end and return what it cost.

    Raises:
        RuntimeError: an exit code that is not allowed.
    """
    start = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        said = process.stderr.read()
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in allowed:
        raise RuntimeError(f"`{' '.join(command)}` ended with {process.returncode}: {said.decode(errors='replace')}")
    return Cost(usage.ru_utime + usage.ru_stime, wall)
