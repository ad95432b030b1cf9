"""The stop lane under load: how long a person waits until an act is durable, and until it has had its effect.

The probe is open loop: acts are sent at times that were set before, whatever has become of those before them, and a wait
begins at that time and not when the act could be sent. So a stall counts for every act that met it.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from math import ceil
from pathlib import Path
from random import Random
from statistics import median

import hedgerow
from hedgerow.engine.control import process
from hedgerow.engine.control.lane import Lane
from hedgerow.engine.control.server import connect
from hedgerow.engine.control.terms import make_lane, terms_of

from .host import installed
from .page import Section, Size, Target, unmeasured
from .rounds import timed

__all__ = ["measure"]

SPEC = Path(__file__).parent.parent / "specs" / "desk.yaml"
FOLDER = Path(__file__).parent
"""The disk that is measured is that of the repository: a folder for temporary files may be in memory."""
BOUND_MS = 250.0
LOOK_NS = 200.0
QUANTILE = 0.999
QUIET = 1_000
"""Connections that are open and say nothing."""
ASKING = 16
BUSY = 4
"""Threads of the engine's process that compute without an end."""
RATE = 40.0
"""Acts a second, at times that are drawn from a Poisson process."""


def measure(size: Size, progress: Callable[[str], None]) -> Section:
    """Measure acts on a machine under load, with a thousand connections to its control process."""
    title, head = "The stop lane", ("", "acts", "median ms", "99.9 % ms", "longest ms")
    for package in ("apsw", "google-crc32c"):
        if installed(package) is None:
            return unmeasured(title, head, package)
    count = max(20, size.slow_events // 5)
    progress(f"{count} acts on a machine under load, {RATE:g} a second")
    with tempfile.TemporaryDirectory(dir=FOLDER, prefix=".lane-") as folder:
        lane = Path(folder) / "lane"
        make_lane(lane, terms_of(hedgerow.load(SPEC).program("same"), flatten="manual_exit"))
        running = process.start(lane)
        try:
            scheduled, acknowledged, effects, rate = _probe(lane, count)
            looks = [_look(lane, size.events) for _ in range(size.rounds)]
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.kill(running, signal.SIGTERM)
                os.waitpid(running, 0)
    waits = {
        "durable acknowledgement": [(acknowledged[each] - scheduled[each]) / 1e6 for each in scheduled],
        "effect": [(effects[each] - scheduled[each]) / 1e6 for each in scheduled],
    }
    rows = tuple(
        (name, f"{len(found):,}", f"{median(found):.2f}", f"{_quantile(found):.2f}", f"{max(found):.2f}")
        for name, found in waits.items()
    )
    targets = (
        *(Target(f"ms to the {name}, 99.9 %", _quantile(found), BOUND_MS, False) for name, found in waits.items()),
        Target.of("ns a look at which nothing is pending", looks, LOOK_NS, at_least=False),
    )
    return Section(title, _words(rate, count), head, rows, targets)


def _look(folder: Path, count: int) -> float:
    """Return the CPU nanoseconds of a look, the loop around it among them."""
    with Lane.open(folder) as lane:
        pending = lane.pending

        def run() -> None:
            for _ in range(count):
                pending()

        pending()
        return timed(run)[0] / count * 1e9


def _words(rate: float, count: int) -> tuple[str, ...]:
    return (
        (
            "Acts on a machine of `specs/desk.yaml` that takes ticks flat out in a process of its own "
            f"({rate:,.0f} a second, a look at the lane before each), beside {BUSY} Python threads that compute without "
            f"an end in the same process. {QUIET:,} connections to the control process are open and quiet; halts, "
            f"releases and overrides come over {ASKING} others in turn."
        ),
        (
            f"Open loop: {count:,} acts at times of a Poisson process of {RATE:g} a second, set before the first; a wait "
            "begins at that time. *Acknowledgement* ends with the answer, which comes once the act is on the disk; *effect* "
            "when the engine has taken it. The quantile is the smallest wait that 99.9 % of all do not exceed: of fewer "
            "than 1,000 it is the longest."
        ),
    )


def _quantile(found: list[float]) -> float:
    return sorted(found)[ceil(QUANTILE * len(found)) - 1]


# -------------------------------------------------------------------------------------------------------------- probe


@contextlib.contextmanager
def _engine(lane: Path) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "benchmarks.control_engine", str(SPEC), str(lane), str(BUSY)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=FOLDER.parent
    ) as running:
        assert running.stdout is not None
        if running.stdout.readline() != "ready\n":
            raise RuntimeError("the engine did not begin")
        yield running


def _probe(lane: Path, count: int) -> tuple[dict[int, int], dict[int, int], dict[int, int], float]:
    """Return by the numbers of acts when each was to be sent, was acknowledged and had its effect, in monotonic
    nanoseconds, and the events a second that the engine took meanwhile.
    """
    with contextlib.ExitStack() as open_ones, _engine(lane) as engine:
        for _ in range(QUIET):
            open_ones.enter_context(connect(lane, 60.0))
        asking = [open_ones.enter_context(connect(lane, 60.0)) for _ in range(ASKING)]
        draw, begun = Random(7), time.monotonic_ns()
        times, at = [], begun + 500_000_000
        for _ in range(count):
            at += int(draw.expovariate(RATE) * 1e9)
            times.append(at)
        scheduled, acknowledged = _send(asking, times)
        lasted = (time.monotonic_ns() - begun) / 1e9
        told, _ = engine.communicate(timeout=60)
    result = json.loads(told)
    effects = {int(number): when for number, when in result["effects"].items()}
    if not scheduled.keys() == acknowledged.keys() == effects.keys() or len(scheduled) != count:
        raise RuntimeError(f"{count} acts: {len(acknowledged)} acknowledged, {len(effects)} had an effect")
    return scheduled, acknowledged, effects, result["events"] / lasted


def _send(asking: list[socket.socket], times: list[int]) -> tuple[dict[int, int], dict[int, int]]:
    """Send an act at each of the times, over the connections in turn, and hear the answers as they come."""
    scheduled: dict[int, int] = {}
    acknowledged: dict[int, int] = {}
    texts = dict.fromkeys(asking, b"")
    with selectors.DefaultSelector() as selector:
        for each in asking:
            selector.register(each, selectors.EVENT_READ)
        sent = 0
        while len(acknowledged) < len(times):
            now = time.monotonic_ns()
            if sent < len(times) and now >= times[sent]:
                asking[sent % len(asking)].sendall(_line(sent))
                sent += 1
                continue
            left = (times[sent] - now) / 1e9 if sent < len(times) else 60.0
            ready = selector.select(left)
            if not ready and sent == len(times):
                raise RuntimeError("an act was not answered within a minute")
            for key, _ in ready:
                connection = key.fileobj
                assert isinstance(connection, socket.socket)
                texts[connection] += connection.recv(65_536)
                *lines, texts[connection] = texts[connection].split(b"\n")
                for line in lines:
                    act = json.loads(line)["act"]
                    scheduled[act["number"]] = times[int(act["id"])]
                    acknowledged[act["number"]] = time.monotonic_ns()
    return scheduled, acknowledged


def _line(number: int) -> bytes:
    act: dict[str, object] = {"by": "anna", "reason": "a probe", "id": str(number)}
    match number % 3:
        case 0:
            act["act"] = "halt"
        case 1:
            act["act"] = "release"
        case _:
            act |= {"act": "override", "event": "tick", "fields": {"price": 100.0}}
    return json.dumps(act).encode("ascii") + b"\n"
