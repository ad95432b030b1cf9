"""One host in another process, as those see it who ask it for something.

    ask -> line -> | pipe | -> host in its process -> | pipe | -> the future resolves

A thread writes what is asked and another reads what is answered, so that who asks never waits for a pipe and Ctrl-C cuts no
line in two.
"""

from __future__ import annotations

import contextlib
import json
import os
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, wait
from queue import SimpleQueue
from typing import Any, TypeVar

from ..forks import left_in_forks
from ..processes import interpreter
from .freight import error_from
from .problem import Busy, HostError
from .resolving import answer, fail

__all__ = ["Shard", "end"]

T = TypeVar("T")
_Waiter = tuple[Future[Any], Callable[[Any], Any], bool]


def _as_told(told: Any) -> Any:
    return told


class Shard:
    """A process with a host.

    Attributes:
        number: which of the shards it is, from 0.
        place: its journal.
        ended: why it answers no more; None while it does.
    """

    def __init__(self, number: int, place: str, waiting: int, patience_s: float | None) -> None:
        """Start the process; it is to be asked to `open` first.

        Args:
            number: which of the shards it is.
            place: its journal.
            waiting: how much may wait for its answer; more is refused.
            patience_s: it hangs once it has answered nothing for so many seconds; None is never.
        """
        self.number, self.place, self.ended = number, place, None
        self._most, self._patience_s = waiting, patience_s
        self._lock = threading.Lock()
        self._waiters: dict[int, _Waiter] = {}
        self._next = self._held = 0
        self._heard = time.monotonic()
        """When it last answered, or was told to end."""
        self._lines: SimpleQueue[bytes | None] = SimpleQueue()
        self._process = interpreter(f"{__package__}.shard_process")
        assert self._process.stdin is not None and self._process.stdout is not None
        self._input, self._output = self._process.stdin, self._process.stdout
        self._threads = [
            threading.Thread(target=run, name=f"hedgerow shard {number}", daemon=True)
            for run in (self._write, self._read)
        ]
        for thread in self._threads:
            thread.start()
        _OPEN.add(self)

    ended: str | None

    @property
    def process(self) -> int:
        """The number of its process."""
        return self._process.pid

    def ask(self, call: str, *given: Any, become: Callable[[Any], Any] = _as_told) -> Future[Any]:
        """Ask for something that waits for nobody's room: what shards themselves need.

        Raises:
            HostError: (HR870) the process has ended.
            TypeError: what is given cannot be told.
        """
        return self._ask(call, given, become, held=False)

    def reserve(self) -> None:
        """Take room for something that is to be sent with `send`, which has to follow.

        Raises:
            Busy: (HR871) as much waits as may.
            HostError: (HR870) the process has ended.
        """
        with self._lock:
            if self.ended is not None:
                raise self.gone()
            if self._held >= self._most:
                raise Busy(self.place, "as much as may wait to be journalled does", "wait, and try again")
            self._held += 1

    def release(self) -> None:
        """Give room back that was taken and is not needed."""
        with self._lock:
            self._held -= 1

    def send(self, call: str, *given: Any, become: Callable[[Any], Any] = _as_told) -> Future[Any]:
        """Ask for something in the room that was taken for it; raises as `ask`, and the room is given back then."""
        try:
            return self._ask(call, given, become, held=True)
        except BaseException:
            self.release()
            raise

    def _ask(self, call: str, given: tuple[Any, ...], become: Callable[[Any], Any], *, held: bool) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_running_or_notify_cancel()  # what is on its way cannot be called back
        try:
            told = json.dumps({"call": call, "given": given})[1:]
        except ValueError as error:
            raise TypeError(f"this cannot be sent to another process: {error}") from None
        with self._lock:
            if self.ended is not None:
                raise self.gone()
            number = self._next = self._next + 1
            self._waiters[number] = future, become, held
            # INVARIANT: in the order of their numbers, so that a machine takes events in the order in which they were sent.
            self._lines.put(f'{{"id":{number},{told}\n'.encode("ascii"))
        return future

    def result_of(self, asked: Future[T]) -> T:
        """Wait for what was asked, and return it; a process that hangs may do it yet.

        Raises:
            HostError: (HR870) the process hangs, or has ended; or what the answer says.
        """
        began = time.monotonic()
        while self._patience_s is not None:
            left = max(began, self._heard) + self._patience_s - time.monotonic()
            if wait([asked], max(0.0, left)).done:
                break
            if left <= 0:
                raise self._lost(f"shard {self.number} has answered nothing for {self._patience_s:g} s")
        return asked.result()

    def gone(self) -> HostError:
        """Return the error of who asks for something when the process has ended."""
        return self._lost(f"shard {self.number} takes no more: {self.ended}")

    def _lost(self, what: str) -> HostError:
        help = f"`restart({self.number})`: its machines come back as they were when an event was last acknowledged, or later"
        return HostError("HR870", what, self.place, help)

    def finish(self) -> None:
        """Let the process do what it has taken, and end."""
        with self._lock:
            self.ended = self.ended or "it was closed"
            self._heard = time.monotonic()
        self._lines.put(None)

    def wait(self) -> None:
        """Wait until the process has ended; kill it if it hangs."""
        _, reading = self._threads
        while self._patience_s is not None and reading.is_alive():
            left = self._heard + self._patience_s - time.monotonic()
            if left > 0:
                reading.join(left)
                continue
            with self._lock:
                self.ended = f"its process answered nothing for {self._patience_s:g} s, and was ended"
            self._process.kill()
            break
        for thread in self._threads:
            thread.join()
        self._process.wait()
        self._output.close()
        _OPEN.discard(self)

    def close(self) -> Future[None]:
        """Ask the host to close; the future fails if it has failed before. To `end` it has to follow."""
        return self.ask("close")

    def leave(self) -> None:
        """Let go of a process of another one, that this was forked from."""
        for pipe in (self._input, self._output):
            with contextlib.suppress(OSError):
                pipe.close()
        self._lock = threading.Lock()  # that of the other one may be held by a thread that is not here
        self._process.returncode = 0  # it is no child of this one, to be waited for
        self.ended = "it belongs to another process"

    # --------------------------------------------------------------------------------------------------------- threads

    def _write(self) -> None:
        going = True
        while going:
            line = self._lines.get()
            lines = []
            while line is not None:
                lines.append(line)
                if self._lines.empty():
                    break
                line = self._lines.get()
            going = line is not None
            unsent = memoryview(b"".join(lines))
            with contextlib.suppress(OSError):  # it has ended, which the other thread tells
                while unsent:
                    unsent = unsent[os.write(self._input.fileno(), unsent) :]
        with contextlib.suppress(OSError):
            self._input.close()

    def _read(self) -> None:
        # No descriptor of its own: whoever is forked has to let go of all of them.
        with os.fdopen(self._output.fileno(), "rb", closefd=False) as answers:
            for line in answers:
                if not line.endswith(b"\n"):
                    break
                self._resolve(json.loads(line))
        status = self._process.wait()
        with self._lock:
            if self.ended is None:
                self.ended = (
                    f"its process was ended by signal {-status}" if status < 0 else f"its process ended with {status}"
                )
            left, self._waiters, self._held = self._waiters, {}, 0
        self._lines.put(None)
        for future, _, _ in left.values():
            fail(future, self.gone())

    def _resolve(self, told: Mapping[str, Any]) -> None:
        with self._lock:
            self._heard = time.monotonic()
            future, become, held = self._waiters.pop(told["id"])
            self._held -= held
        if "error" in told:
            fail(future, error_from(told["error"]))
            return
        try:
            found = become(told["returned"])
        except Exception as error:  # noqa: BLE001  # who waits is told, whatever it is
            fail(future, error)
        else:
            answer(future, found)


def end(shards: Iterable[Shard]) -> None:
    """Let processes end, all at once, and wait for that; see `Shard.wait`."""
    ending = list(shards)
    for shard in ending:
        shard.finish()
    for shard in ending:
        shard.wait()


_OPEN = left_in_forks(Shard.leave)
