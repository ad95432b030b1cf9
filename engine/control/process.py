"""The control process: started so that it outlives who started it, found again, ended."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

from .client import serving
from .problem import ControlError
from .server import Server
from .writer import folder_of

__all__ = ["run", "start"]

_START_S = 15.0
_HELD_S = 1.0
"""So long a lane may be held by those who have found nobody there."""
_ASK_AGAIN_S = 0.02
_TAKE_AGAIN_S = 0.002
_HELD = 75  # sysexits.h: EX_TEMPFAIL
_MODULE = "hedgerow.engine.control.process"


def start(folder: Path | str) -> int:
    """See to it that a lane is served, and return the number of the process that does.

    It is a fresh interpreter in a session of its own: it inherits no lock and no socket, and a machine can be halted
    while its host is down. One that serves the lane already stays. SIGTERM ends it.

    Raises:
        ControlError: (HR880) there is no lane; (HR881) the process does not come to answer.
    """
    folder = folder_of(Path(folder))
    child: int | None = None
    deadline = time.monotonic() + _START_S
    while time.monotonic() < deadline:
        found = serving(folder, 1.0)
        if found is not None:
            return found
        if child is None:
            child = _spawn(folder)
        else:
            ended, how = os.waitpid(child, os.WNOHANG)
            if ended and os.waitstatus_to_exitcode(how) != _HELD:
                break
            child = None if ended else child
        time.sleep(_ASK_AGAIN_S)
    help = "`hedgerow control serve LANE` says what is wrong"
    raise ControlError("HR881", "the control process does not come to answer", str(folder), help)


def _spawn(folder: Path) -> int:
    """Start a process that finds the packages that this one does, and says on the same standard error what is wrong."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    nothing = [(os.POSIX_SPAWN_OPEN, number, os.devnull, os.O_RDWR, 0) for number in (0, 1)]
    command = [sys.executable, "-m", _MODULE, str(folder)]
    # Not `subprocess`: that wants to see its children end, and this one is to stay.
    return os.posix_spawn(sys.executable, command, environment, file_actions=nothing, setsid=True)


def run(folder: Path) -> None:
    """Serve a lane in this process until SIGTERM or SIGINT.

    Raises:
        ControlError: the lane cannot be served, or nothing can be logged any more.
        JournalError: its log cannot be read, or is not what was written.
    """
    ended: list[int] = []
    server = _server(folder)
    try:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda got, _frame: ended.append(got))
        server.serve(lambda: bool(ended))
    finally:
        server.close()


def _server(folder: Path) -> Server:
    """Take the lane, once those who have found nobody there have done their acts."""
    deadline = time.monotonic() + _HELD_S
    while True:
        try:
            return Server(folder)
        except ControlError as error:
            if error.code != "HR882" or time.monotonic() > deadline or serving(folder, 1.0) is not None:
                raise
        time.sleep(_TAKE_AGAIN_S)


if __name__ == "__main__":
    from ..dryrun.problem import RunError

    try:
        run(Path(sys.argv[1]))
    except RunError as error:
        if error.code == "HR882":  # by another control process, or by acts that go past none
            sys.exit(_HELD)
        sys.exit(str(error))
