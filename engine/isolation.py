r"""Bound functions in processes of their own, which are ended at a deadline: for what may hang, or take its process with it.

A worker is started when one is first wanted, serves one question at a time and is used again. One that does not answer in
time, dies, or writes what is no answer is killed, and its place is taken by a new one, which makes itself ready while
others go on. It is a fresh interpreter, not a fork: it inherits no socket, no lock and no thread. It ends with this
process, however this one ends: its input ends then, and the alarm that it sets ends it where even that goes unheard.

    {"id": 7, "target": "my_desk:slow", "fields": ["ok"], "arguments": {"limit": 2.0}, "arrays": {"past": 3}, …}\n + 24 bytes
    {"id": 7, "returned": {"ok": true}}
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import selectors
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from itertools import count
from types import SimpleNamespace
from typing import Any

from .evaluate import Failure
from .processes import interpreter, module_path

__all__ = ["ask"]

READY_NS = 30 * 10**9
"""A worker that is not ready to be asked a function by then, in nanoseconds, is none."""
LONGEST = 1 << 16
"""Bytes that an answer may have."""


def ask(target: str, fields: Sequence[str], arguments: Mapping[str, Any], deadline_ns: int) -> object:
    """Return what a function returns, called in another process.

    Args:
        target: the function, as `module:function`.
        fields: the attributes of what it returns that are wanted; one empty name is for the plain result itself.
        arguments: plain numbers, truth values, texts, and arrays of float64 with one dimension, which it sees read-only.
        deadline_ns: nanoseconds of the wall clock, > 0, from when the worker is ready and the function imported.

    Returns:
        The plain result, or what has the wanted fields as attributes: truth values, numbers and texts, unchecked.

    Raises:
        Failure: it raised, was not done in time, or its process died or wrote something else. No process of it is left.
    """
    return _WORKERS.ask(target, fields, arguments, deadline_ns)


_RUBBISH = "wrote what is no answer"


class _Broken(Exception):
    """A worker that is of no use any more."""


class _Worker:
    """One process: what it has imported, and how it is spoken with."""

    def __init__(self) -> None:
        self._ready: set[str] = set()
        """Functions that it has said to have imported."""
        self._preparing: str | None = None
        """The one that it has been told to import, and has not said so yet."""
        self._numbers = count(1)
        self.process = interpreter(f"{__package__}.isolated")
        assert self.process.stdin is not None and self.process.stdout is not None
        self.input, self.output = self.process.stdin, self.process.stdout
        os.set_blocking(self.input.fileno(), False)
        os.set_blocking(self.output.fileno(), False)

    def prepare(self, target: str, arrays: bool) -> None:
        """Let it import a function, and NumPy if that takes arrays; it goes on while others do."""
        self._preparing = target
        question = {"id": 0, "target": target, "path": module_path(), "arrays": arrays}
        self._exchange(question, b"", time.monotonic_ns() + READY_NS, answers=False)

    def make_ready(self, target: str, arrays: bool) -> None:
        """Wait until it has imported a function.

        Raises:
            _Broken: it is not ready in time, or dies.
        """
        self._settle()
        if target not in self._ready:
            self.prepare(target, arrays)
            self._settle()

    def _settle(self) -> None:
        """Wait until it has imported what it was told to."""
        if self._preparing is not None:
            answer = self._exchange(None, b"", time.monotonic_ns() + READY_NS)
            if answer != {"id": 0, "target": self._preparing}:
                raise _Broken(_RUBBISH)
            self._ready.add(self._preparing)
            self._preparing = None

    def answer(
        self, target: str, fields: Sequence[str], arguments: Mapping[str, Any], deadline_ns: int
    ) -> Mapping[str, Any]:
        """Return what it answers in time.

        Raises:
            _Broken: it does not, dies, or writes something else.
        """
        arrays = {name: value for name, value in arguments.items() if _is_array(value)}
        number = next(self._numbers)
        question = {
            "id": number,
            "target": target,
            "fields": list(fields),
            "arguments": {name: value for name, value in arguments.items() if name not in arrays},
            "arrays": {name: len(array) for name, array in arrays.items()},
            "deadline_ns": deadline_ns,
        }
        data = b"".join(array.tobytes() for array in arrays.values())
        answer = self._exchange(question, data, time.monotonic_ns() + deadline_ns)
        if answer.get("id") != number:
            raise _Broken(_RUBBISH)
        return answer

    def _exchange(
        self, question: Mapping[str, Any] | None, data: bytes, until_ns: int, *, answers: bool = True
    ) -> Mapping[str, Any]:
        """Send a question, if any, and return what comes back before a time of the clock; nothing where none is awaited.

        Neither waits for longer: a process that does not read is as bad as one that does not write.
        """
        unsent = memoryview(b"" if question is None else json.dumps(question).encode() + b"\n" + data)
        got = b""
        with selectors.DefaultSelector() as selector:
            if unsent:
                selector.register(self.input, selectors.EVENT_WRITE)
            if answers:
                selector.register(self.output, selectors.EVENT_READ)
            while unsent or (answers and b"\n" not in got):
                ready = selector.select(max(0, until_ns - time.monotonic_ns()) / 1e9)
                if time.monotonic_ns() > until_ns:
                    raise _Broken("did not answer in time")
                for key, _ in ready:
                    if key.fileobj is self.output:
                        got += self._received()
                        continue
                    unsent = unsent[self._sent(unsent) :]
                    if not unsent:
                        selector.unregister(self.input)
                if len(got) > LONGEST:
                    raise _Broken(_RUBBISH)
        return _read(got) if answers else {}

    def _sent(self, unsent: memoryview) -> int:
        try:
            return os.write(self.input.fileno(), unsent)
        except BlockingIOError:
            return 0
        except OSError:
            raise _Broken("died") from None

    def _received(self) -> bytes:
        got = os.read(self.output.fileno(), LONGEST)
        if not got:
            raise _Broken("died")
        return got

    def end(self) -> None:
        """Kill it, wait for it and close what it was spoken with through."""
        self.process.kill()
        self.process.wait()
        self.close()

    def close(self) -> None:
        for pipe in (self.input, self.output):
            with contextlib.suppress(OSError):
                pipe.close()


class _Workers:
    """The workers of this process: as many as threads ask at one time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._is_leaving = False
        """Whether this process is about to end: what breaks now is not replaced."""
        self._idle: list[_Worker] = []
        self._all: set[_Worker] = set()

    def ask(self, target: str, fields: Sequence[str], arguments: Mapping[str, Any], deadline_ns: int) -> object:
        arrays = any(map(_is_array, arguments.values()))
        with self._worker(target, arrays) as worker:
            worker.make_ready(target, arrays)
            answer = worker.answer(target, fields, arguments, deadline_ns)
            if "raised" in answer:
                raise Failure(str(answer["raised"]))
            returned = answer.get("returned")
            if not isinstance(returned, dict) or returned.keys() != set(fields):
                raise _Broken(_RUBBISH)
        return returned[""] if "" in returned else SimpleNamespace(**returned)

    @contextlib.contextmanager
    def _worker(self, target: str, arrays: bool) -> Iterator[_Worker]:
        """Lend a worker; one that breaks is replaced, and what it was asked has failed."""
        worker = self._taken()
        try:
            yield worker
        except _Broken as broken:
            self._replace(worker, target, arrays)
            raise Failure(f"its process {broken}, and was ended") from None
        except Failure:
            self._keep(worker)
            raise
        except BaseException:  # Ctrl-C, say: nobody knows what it is doing
            self._drop(worker)
            raise
        else:
            self._keep(worker)

    def _taken(self) -> _Worker:
        """Return an idle worker that lives, or a new one."""
        while True:
            with self._lock:
                worker = self._idle.pop() if self._idle else self._new()
            if worker.process.poll() is None:
                return worker
            self._drop(worker)

    def _new(self) -> _Worker:
        worker = _Worker()
        self._all.add(worker)
        return worker

    def _keep(self, worker: _Worker) -> None:
        with self._lock:
            self._idle.append(worker)

    def _drop(self, worker: _Worker) -> None:
        with self._lock:
            self._all.discard(worker)
        worker.end()

    def _replace(self, worker: _Worker, target: str, arrays: bool) -> None:
        self._drop(worker)
        if self._is_leaving:
            return
        with self._lock:
            new = self._new()
        try:
            new.prepare(target, arrays)
        except _Broken:
            self._drop(new)
        else:
            self._keep(new)

    def end(self) -> None:
        """End all workers."""
        with self._lock:
            workers, self._idle, self._all = self._all, [], set()
        for worker in workers:
            worker.end()

    def leave(self) -> None:
        """End all workers for good."""
        self._is_leaving = True
        self.end()

    def forget(self) -> None:
        """Leave the workers of the process that this one was forked from to it."""
        for worker in self._all:
            worker.close()  # as long as this end is open, a worker does not see that the other process has ended
            worker.process.returncode = 0  # nor is it a child of this one, to be waited for
        self._lock, self._idle, self._all = threading.Lock(), [], set()


def _is_array(value: object) -> bool:
    return hasattr(value, "tobytes")


def _read(line: bytes) -> Mapping[str, Any]:
    """Return the one answer that is there."""
    try:
        answer = json.loads(line)
    except (ValueError, RecursionError):
        raise _Broken(_RUBBISH) from None
    if not isinstance(answer, dict):
        raise _Broken(_RUBBISH)
    return answer


_WORKERS = _Workers()
atexit.register(_WORKERS.leave)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_WORKERS.forget)
