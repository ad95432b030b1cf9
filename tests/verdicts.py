"""Bound functions for checks of gates: what says yes and no, and everything that can go wrong with one."""

from __future__ import annotations

import os
import stat
import sys
import threading
from pathlib import Path
from typing import Annotated, NamedTuple

import numpy
from numpy.typing import NDArray

from hedgerow.engine.registry import Binding, Registry

asked: list[tuple[object, ...]] = []
"""What was asked in this process."""


class Said(NamedTuple):
    """Everything that a verdict may have."""

    ok: bool
    value: Annotated[float, "M"]
    limit: Annotated[float, "M"]
    unit: str
    reason: str


class Told(NamedTuple):
    """A verdict in figures."""

    ok: bool
    value: Annotated[float, "M"]
    limit: Annotated[float, "M"]


class NoVerdict(NamedTuple):
    """A result that is none."""

    good: bool


def at_most(*, value: Annotated[float, "M"], limit: Annotated[float, "M"]) -> Told:
    """Say yes up to a limit."""
    asked.append((value, limit))
    return Told(value <= limit, value, limit)


def at_least(*, value: Annotated[float, "M"], limit: Annotated[float, "M"]) -> Told:
    """Say yes from a limit on."""
    return Told(value >= limit, value, limit)


def worded(*, value: Annotated[float, "M"], reason: str) -> Said:
    """Say no, for a reason."""
    return Said(False, value, value, "lots", f"  because of\n{reason}")


def plain(*, yes: bool) -> bool:
    """Say what one is told to say."""
    return yes


def judged(*, how: int) -> Told:
    """Do one of all the things that are no yes; `how` is which."""
    match how:
        case 0:
            return Told(True, 1.0, 2.0)
        case 1:
            raise ValueError("the model does not converge")
        case 2:
            raise SystemExit("the model gives up")
        case 3:
            return Told(True, float("nan"), 2.0)
        case 4:
            return Told(True, float("inf"), 2.0)
        case 5:
            return Told("yes", 1.0, 2.0)  # type: ignore[arg-type]  # on purpose
        case 6:
            return None  # type: ignore[return-value]  # on purpose
        case 7:
            return Told(1, 1.0, 2.0)  # type: ignore[arg-type]  # on purpose
        case 8:
            return Told(True, 1.0, "2")  # type: ignore[arg-type]  # on purpose
    return Told(False, 1.0, 1.0)


FAILURES = {
    1: "the model does not converge",
    2: "the model gives up",
    3: "returned nan, not a finite number",
    4: "returned inf, not a finite number",
    5: "returned 'yes', not true or false",
    6: "returned nothing, not true or false",
    7: "returned 1, not true or false",
    8: "returned '2', not a finite number",
}
"""What `judged` fails with."""


def averaged(*, past: Annotated[NDArray[numpy.float64], "P"], limit: Annotated[float, "P"]) -> bool:
    """Say yes while the mean of a window is at most a limit; a window cannot be written to."""
    try:
        past[0] = 0.0
    except ValueError:
        return bool(numpy.mean(past) <= limit)
    return False


def troubled(*, how: int) -> bool:
    """Do one of the things that only a process of its own withstands; `how` is which."""
    match how:
        case 1:
            threading.Event().wait()
        case 2:
            while True:
                pass
        case 3:
            os._exit(3)
        case 4:
            os.kill(os.getpid(), 9)
        case 5:
            _write(b"rubbish\n")
        case 6:
            _write(b'{"id": 1, "returned": {"": true}}\n' * 2)
        case 7:
            _write(b"[1]\n")
        case 8:
            _write(b"x" * 100_000)
        case 9:
            sys.setrecursionlimit(10**6)
            return bool(_deep())
        case 10:
            _write(b'{"id": 0, "returned": {"": true}}\n')
            threading.Event().wait()
    return True


def talkative() -> bool:
    """Write to the standard output, and read from the standard input."""
    os.write(1, b"spoken\n")
    return not sys.stdin.read()


def lingering(*, pipe: str) -> bool:
    """Say through a named pipe that it has begun, and hang."""
    with Path(pipe).open("wb"):
        pass
    threading.Event().wait()
    return True


def number() -> int:
    """Say in which process it runs."""
    return os.getpid()


def sockets() -> int:
    """Count the sockets among the files of this process, the standard ones left out."""
    found = 0
    for file in range(3, 1024):
        try:
            found += stat.S_ISSOCK(os.fstat(file).st_mode)
        except OSError:
            continue
    return found


def no_verdict() -> NoVerdict:
    """Return what is no verdict."""
    return NoVerdict(True)


def _write(text: bytes) -> None:
    """Write to every pipe there is but the standard ones."""
    for file in range(3, 64):
        try:
            os.write(file, text)
        except OSError:
            continue


def _deep() -> int:
    return 1 + _deep()


class Clock:
    """A clock that stands still until a test, or a slow function, moves it."""

    now = 0

    def monotonic_ns(self) -> int:
        return self.now


CLOCK = Clock()


def mood(number: int) -> str:
    """Return how `moody` behaves when it is asked at a number; most of the time it says what its limit says."""
    moods = ("raises", "is not a number", "is no verdict", "is late", "exits", "is infinite", "hangs")
    drawn = number * 2654435761 % 2**32 >> 20
    return moods[drawn % 7] if drawn % 5 == 0 else "yes"


def moody(*, number: int, value: Annotated[float, "M"], limit: Annotated[float, "M"]) -> Told:
    """Say whether a value is within a limit, in one of the moods that functions have."""
    answer = Told(value <= limit, value, limit)
    match mood(number):
        case "raises":
            raise ValueError("no convergence")
        case "is not a number":
            return answer._replace(value=float("nan"))
        case "is no verdict":
            return answer._replace(ok="yes")  # type: ignore[arg-type]  # on purpose
        case "is late":
            CLOCK.now += 10**10
        case "exits":
            raise SystemExit
        case "is infinite":
            return answer._replace(limit=float("inf"))
        case "hangs":
            CLOCK.now += 10**12
    return answer


def really_moody(*, number: int, value: Annotated[float, "M"], limit: Annotated[float, "M"]) -> Told:
    """Be as moody in a process of its own, where the clock cannot be moved, and it hangs or dies."""
    match mood(number):
        case "is late" | "hangs":
            threading.Event().wait()
        case "exits":
            os._exit(1)
    return moody(number=number, value=value, limit=limit)


NAMES = ("at_most", "at_least", "worded", "plain", "judged", "averaged", "troubled", "talkative", "no_verdict", "moody")
REGISTRY = Registry({f"my.{name}": Binding(f"my.{name}", "guard", f"verdicts:{name}") for name in NAMES})
ISOLATED = Registry({"my.moody": Binding("my.moody", "guard", "verdicts:really_moody")})
