"""An act on its way: to the control process of a lane, or, where there is none, into the log and the flag directly.

An act keeps its id on every way that is tried, so that one whose acknowledgement was lost is not done twice.
"""

from __future__ import annotations

import json
import os
import time
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..dryrun.problem import RunError
from ..record import Record
from .acts import Act, Asked, read_asked
from .flag import ENGINE, SERVER, Flag
from .log import is_halted, read_history
from .problem import ControlError
from .server import MAX_LINE, connect
from .terms import read_terms
from .writer import Writer, folder_of

__all__ = ["Done", "Status", "act", "has_effect", "new_id", "serving", "status"]

_AGAIN_S = 0.01
_EFFECT_S = 0.001
_NOT_LOGGED = frozenset(("HR862", "HR863", "HR869", "HR881", "HR886"))


class Done(Record):
    """An act that is durable and posted.

    Fields:
        act: what the log holds.
        again: whether an act of this id was done before.
        served: whether a control process did it; else this process did, past a dead one.
    """

    act: Act
    again: bool
    served: bool


class Status(Record):
    """What a lane is at.

    Fields:
        serves: the process that serves it; None where nobody answers.
        engine: the process that looks at it, by what it says of itself; None where none does.
        halted: whether the acts so far leave the machine halted.
        damaged: whether the flag can no longer be understood.
        taken: the number of the last act that has had its effect; None where the flag does not say.
        last: the last act; None before the first.
        waiting: how many acts have not had their effect.
    """

    serves: int | None
    engine: int | None
    halted: bool
    damaged: bool
    taken: int | None
    last: Act | None
    waiting: int


def new_id() -> str:
    """Return an id that no other act has."""
    return uuid.uuid4().hex


def act(folder: Path, document: Mapping[str, Any], *, timeout: float = 5.0) -> Done:
    """Have an act logged and posted.

    Args:
        folder: that of the lane.
        document: `act`, `by` and `reason`; `id` of who wants to send it again; `event` and `fields` of an override.
        timeout: seconds.

    Raises:
        ControlError: (HR880) there is no lane; (HR881) whoever holds it does not answer, so that nobody knows whether the
            act is done; (HR883 to HR885, HR887) the act does not stand; (HR886) it cannot be logged.
        JournalError: past a dead process, the log cannot be read or written.

    A halt that cannot be logged, or is not answered, halts the machine all the same: the flag is made unreadable, which
    whoever serves the lane next logs as a halt.
    """
    folder = folder_of(folder)
    asked = read_asked({"id": new_id(), **document}, str(folder))
    try:
        return _act(folder, document, asked, timeout)
    except RunError as error:
        if asked.act != "halt" or error.code not in _NOT_LOGGED or not _spoil(folder):
            raise
        raise ControlError(
            error.code, f"{error.message}; the machine is halted all the same", error.file, error.help
        ) from None


def _spoil(folder: Path) -> bool:
    """Make the flag unreadable, which anybody may: it is a halt. Return whether there was one."""
    try:
        flag = Flag(folder)
    except (OSError, ValueError):
        return False
    flag.spoil()
    flag.close()
    return True


def _act(folder: Path, document: Mapping[str, Any], asked: Asked, timeout: float) -> Done:
    until_ns = time.time_ns() + int(timeout * 1e9)
    line = json.dumps({**document, "id": asked.id, "until_ns": until_ns}).encode("ascii") + b"\n"
    deadline = time.monotonic() + timeout
    while True:
        try:
            return _served(_answer(folder, line, deadline), str(folder))
        except (FileNotFoundError, ConnectionRefusedError):
            done = _alone(folder, asked)
            if done is not None:
                return done
        except TimeoutError:
            break
        except OSError:
            pass  # it ended while we asked; whether the act is done, the next one knows by its id
        if time.monotonic() > deadline:
            break
        time.sleep(_AGAIN_S)
    message = f"whoever holds the lane has not answered within {timeout:g} s; nobody knows whether the act is done"
    holder = _holder(folder)
    who = "the process that holds the lane" if holder is None else f"process {holder}, which holds the lane"
    help = f"end {who}, and send it again with `--id {asked.id}`, which does it once"
    raise ControlError("HR881", message, str(folder), help)


def _alone(folder: Path, asked: Asked) -> Done | None:
    """Do an act without a control process; nothing where another process has taken the lane meanwhile."""
    try:
        with Writer(folder) as writer:
            (outcome,) = writer.act([asked])
    except ControlError as error:
        if error.code != "HR882":
            raise
        return None
    if isinstance(outcome, ControlError):
        raise outcome
    return Done(outcome[0], outcome[1], False)


def _answer(folder: Path, line: bytes, deadline: float) -> Any:
    """Return what the control process says to a line.

    Raises:
        OSError: nobody listens; it ended; it says nothing in time.
    """
    with connect(folder, _left(deadline)) as connection:
        connection.sendall(line)
        text = b""
        while not text.endswith(b"\n"):
            connection.settimeout(_left(deadline))
            more = connection.recv(MAX_LINE)
            if not more:
                raise ConnectionResetError("the control process has ended")
            text += more
    return json.loads(text)


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _served(answer: Any, place: str) -> Done:
    if "error" in answer:
        error = answer["error"]
        raise ControlError(error["code"], error["message"], place, error["help"])
    found = answer["act"]
    done = Act(
        found["number"],
        found["act"],
        found["by"],
        found["reason"],
        found["time_ns"],
        found["id"],
        found["event"],
        found["fields"],
    )
    return Done(done, answer["again"], True)


def has_effect(folder: Path, number: int, timeout: float) -> bool:
    """Wait until the engine has taken the act of a number; return whether it has, within `timeout` seconds."""
    deadline = time.monotonic() + timeout
    flag = Flag(folder)
    try:
        while True:
            taken = flag.taken
            if taken is not None and taken >= number:
                return True
            if time.monotonic() > deadline:
                return False
            time.sleep(_EFFECT_S)
    finally:
        flag.close()


def serving(folder: Path, timeout: float) -> int | None:
    """Return the process that serves a lane; None where nobody answers."""
    try:
        answer = _answer(folder, b'{"ask":"status"}\n', time.monotonic() + timeout)
        return int(answer["serves"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def status(folder: Path, timeout: float = 1.0) -> Status:
    """Return what a lane is at, from its log and its flag; nobody needs to serve it.

    Raises:
        ControlError: (HR880) there is no lane.
        JournalError: its log cannot be read.
    """
    read_terms(folder)
    serves, history = serving(folder, timeout), read_history(folder)
    engine = taken = None
    damaged = bool(history.acts)
    try:
        flag = Flag(folder)
    except (OSError, ValueError):
        pass  # nobody has served it yet, or the flag is gone
    else:
        taken = flag.taken if flag.whole else None
        damaged, engine = not flag.whole, _alive(flag.words[ENGINE])
        flag.close()
    last = history.acts[-1] if history.acts else None
    since = history.taken if taken is None else taken
    return Status(serves, engine, is_halted(history.acts), damaged, taken, last, len(history.since(since)))


def _holder(folder: Path) -> int | None:
    """Return the control process that has last taken the lane, if it still runs."""
    try:
        flag = Flag(folder)
    except (OSError, ValueError):
        return None
    process = _alive(flag.words[SERVER])
    flag.close()
    return process


def _alive(process: int) -> int | None:
    """Return the number of a process, if there is one."""
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return None
    except PermissionError:
        pass  # somebody else's
    return process or None
